//! `--reconnect`: what follows a connection that ended or never began, with which delays.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{CARRIERS, Client, ENOUGH, Ended, NOBODY, url};
use crate::front::{self, Answer, Front, Kind};
use crate::restarting::Restarting;
use crate::server::Server;

const QUICK: [&str; 6] = [
    "--reconnect",
    "forever",
    "--reconnect-delay",
    "40ms",
    "--reconnect-delay-max",
    "100ms",
];

/// Half of it to one and a half: the range of a delay with its jitter.
#[track_caller]
fn assert_delay(event: &Value, millis: u64) {
    let delay = event["delay_ms"].as_u64().expect("a delay");
    let range = millis / 2..=millis + millis / 2;
    assert!(range.contains(&delay), "{event}: not in {range:?}");
}

/// Passes over failed attempts until it is open again, and hands `open` back.
#[track_caller]
fn until_open(client: &mut Client) -> Value {
    loop {
        let event = client.event();
        match event["event"].as_str() {
            Some("open") => return event,
            Some("error" | "reconnecting") => {}
            _ => panic!("{event}"),
        }
    }
}

/// The default is no reconnection: a cut connection is the end, exit 1; `--reconnect 0` says the same.
#[test]
fn without_the_flag_there_is_none() {
    for flags in [&[][..], &["--reconnect", "0"]] {
        let front = front::polling(|_| Answer::HangUp);
        let ended = Client::start(&front.url(), flags).finish(1);
        assert_eq!(ended.named("reconnecting").len(), 0);
        assert_eq!(front.requests_of(Kind::Handshake).len(), 1);
        let ended = Client::start(NOBODY, flags).finish(1);
        ended.only_error();
    }
}

/// `close` comes first, then `reconnecting` with the attempt from 1 and the delay, then `open` or the next `error`; the
/// session is a new one, and the counting begins anew after it.
#[test]
fn a_restarted_server_is_found_again() {
    for carrier in CARRIERS {
        let server = Restarting::start();
        let flags = [&QUICK, carrier].concat();
        let mut client = Client::start(&server.url(), &flags);
        let mut sid = client.next("open")["sid"].clone();
        for round in 0..2 {
            client.assert_echoes(&format!("round {round}"));
            server.take_down(Duration::from_millis(400));
            let close = client.until("close");
            let reason = close["reason"].as_str().expect("a reason");
            assert!(["transport close", "transport error"].contains(&reason), "{close}");
            let first = client.event();
            assert_eq!(first["event"], "reconnecting");
            assert_eq!(first["attempt"], 1, "{first}");
            assert_delay(&first, 40);
            let open = until_open(&mut client);
            assert_ne!(open["sid"], sid, "a new session");
            sid = open["sid"].clone();
        }
        client.assert_echoes("again");
        let ended = client.close();
        assert_eq!(ended.named("close").len(), 3, "one for each connection that was open");
        assert_attempts_count(&ended);
        server.finish();
    }
}

/// Attempts count from 1 after each `close`, and one by one between.
#[track_caller]
fn assert_attempts_count(ended: &Ended) {
    let mut attempt = 0;
    for event in &ended.events {
        match event["event"].as_str() {
            Some("open") => attempt = 0,
            Some("reconnecting") => {
                attempt += 1;
                assert_eq!(event["attempt"], attempt, "{:?}", ended.events);
            }
            _ => {}
        }
    }
}

/// `--reconnect N` covers the first connection too: N attempts more, an `error` for each, exit 1.
#[test]
fn the_first_connection_is_tried_again() {
    let flags = [
        "--reconnect",
        "3",
        "--reconnect-delay",
        "40ms",
        "--reconnect-delay-max",
        "100ms",
    ];
    let ended = Client::start(NOBODY, &flags).finish(1);
    let names: Vec<&str> = ended
        .events
        .iter()
        .filter_map(|event| event["event"].as_str())
        .collect();
    let wanted = [
        "error",
        "reconnecting",
        "error",
        "reconnecting",
        "error",
        "reconnecting",
        "error",
    ];
    assert_eq!(names, wanted, "{:?}", ended.events);
    for error in ended.named("error") {
        assert_eq!(error["kind"], "connection", "{error}");
    }
    assert_attempts_count(&ended);
}

/// Delays start at `--reconnect-delay` and double up to `--reconnect-delay-max`, each with half of it more or less; and
/// they are kept.
#[test]
fn delays_double_up_to_the_maximum() {
    let flags = [
        "--reconnect",
        "6",
        "--reconnect-delay",
        "40ms",
        "--reconnect-delay-max",
        "200ms",
    ];
    let ended = Client::start(NOBODY, &flags).finish(1);
    let delays = ended.named("reconnecting");
    assert_eq!(delays.len(), 6);
    for (event, millis) in delays.iter().zip([40, 80, 160, 200, 200, 200]) {
        assert_delay(event, millis);
    }
    let sum: u64 = delays.iter().filter_map(|event| event["delay_ms"].as_u64()).sum();
    assert!(
        ended.lasted >= Duration::from_millis(sum),
        "{:?}, not {sum} ms",
        ended.lasted
    );
}

/// By default they start at a second.
#[test]
fn the_first_delay_is_a_second() {
    let mut client = Client::start(NOBODY, &["--reconnect", "1"]);
    client.next("error");
    assert_delay(&client.next("reconnecting"), 1_000);
    client.ask_to_close();
    client.finish(0);
}

/// And end at five.
#[test]
fn the_largest_delay_is_five_seconds() {
    let mut client = Client::start(NOBODY, &["--reconnect", "1", "--reconnect-delay", "9s"]);
    client.next("error");
    assert_delay(&client.next("reconnecting"), 5_000);
    client.ask_to_close();
    client.finish(0);
}

/// Jitter: clients that lost one server do not come back in step.
#[test]
fn delays_differ() {
    let flags = [
        "--reconnect",
        "10",
        "--reconnect-delay",
        "40ms",
        "--reconnect-delay-max",
        "40ms",
    ];
    let ended = Client::start(NOBODY, &flags).finish(1);
    let mut delays: Vec<u64> = Vec::new();
    for event in ended.named("reconnecting") {
        assert_delay(event, 40);
        delays.extend(event["delay_ms"].as_u64());
    }
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 2, "{delays:?}");
}

/// `forever` goes on, until it is told to stop.
#[test]
fn forever_is_no_number() {
    let flags = [
        "--reconnect",
        "forever",
        "--reconnect-delay",
        "10ms",
        "--reconnect-delay-max",
        "10ms",
    ];
    let mut client = Client::start(NOBODY, &flags);
    while client.until("reconnecting")["attempt"] != 25 {}
    client.ask_to_close();
    let ended = client.finish(0);
    assert_attempts_count(&ended);
}

/// After a connection that was open, N attempts are made again.
#[test]
fn attempts_are_counted_for_each_loss() {
    let handshakes = AtomicUsize::new(0);
    // Every second handshake is refused.
    let front = Front::start(move |request| match request.kind() {
        Kind::Handshake if handshakes.fetch_add(1, Ordering::Relaxed) % 2 == 0 => Answer::ok(front::open_packet(&[])),
        _ => Answer::HangUp,
    });
    let flags = [
        "--transports",
        "polling",
        "--reconnect",
        "2",
        "--reconnect-delay",
        "10ms",
    ];
    let mut client = Client::start(&front.url(), &flags);
    for _ in 0..4 {
        client.until("open");
        client.until("close");
        assert_eq!(client.next("reconnecting")["attempt"], 1);
        client.next("error");
        assert_eq!(client.next("reconnecting")["attempt"], 2);
    }
    client.ask_to_close();
    client.finish(0);
}

/// Never after a close that we asked for.
#[test]
fn our_own_close_is_final() {
    let server = Server::start();
    for carrier in CARRIERS {
        let flags = [&QUICK, carrier].concat();
        let mut client = Client::start(&url(server.address), &flags);
        client.next("open");
        assert_eq!(client.close().named("reconnecting").len(), 0);

        let mut client = Client::start(&url(server.address), &flags);
        client.end_input();
        assert_eq!(client.finish(0).named("reconnecting").len(), 0);

        let mut client = Client::start(&url(server.address), &flags);
        client.next("open");
        client.interrupt();
        assert_eq!(client.finish(130).named("reconnecting").len(), 0);
    }
    assert_eq!(server.stats().opened, 9);
    server.finish();
}

/// Nor after the server disconnected us on purpose.
#[test]
fn the_servers_close_is_final() {
    let front = front::polling(|_| Answer::ok("1"));
    let ended = Client::start(&front.url(), &QUICK).finish(1);
    let last = ended.events.last().expect("a close");
    assert_eq!(*last, json!({"event": "close", "reason": "server disconnect"}));
    assert_eq!(front.requests_of(Kind::Handshake).len(), 1);

    let front = front::on_websocket(|mut websocket| {
        let _ = websocket.send(tungstenite::Message::text("1"));
        let _ = websocket.close(None);
        while websocket.read().is_ok() {}
    });
    let flags = [&QUICK[..], &["--transports", "websocket"]].concat();
    let ended = Client::start(&front.url(), &flags).finish(1);
    assert_eq!(ended.named("reconnecting").len(), 0);
    assert_eq!(front.requests().len(), 1);
}

/// A session that the server has forgotten is a new one, with reconnection.
#[test]
fn a_forgotten_session_is_opened_anew() {
    let polls = AtomicUsize::new(0);
    let front = front::polling(move |_| match polls.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::reply(
            400,
            &["Content-Type: application/json"],
            r#"{"code":1,"message":"Session ID unknown"}"#,
        ),
        _ => Answer::Silence,
    });
    let mut client = Client::start(&front.url(), &QUICK);
    client.next("open");
    client.until("close");
    client.next("reconnecting");
    client.next("open");
    client.close();
}

/// Sends while down are kept for the next connection, in their order.
#[test]
fn sends_while_down_are_kept() {
    for carrier in CARRIERS {
        let server = Restarting::start();
        let flags = [&QUICK, carrier].concat();
        let mut client = Client::start(&server.url(), &flags);
        client.next("open");
        client.assert_echoes("before");
        server.take_down(Duration::from_millis(400));
        client.until("close");
        for number in 0..20 {
            client.send(&format!("while down {number}"));
        }
        until_open(&mut client);
        for number in 0..20 {
            client.assert_text(&format!("while down {number}"));
        }
        client.assert_echoes("after");
        let ended = client.close();
        assert_eq!(ended.texts().len(), 22);
        server.finish();
    }
}

/// Whenever they come: also while an attempt is just failing.
#[test]
fn sends_between_attempts_are_kept() {
    let server = Restarting::start();
    server.take_down(Duration::from_millis(900));
    let flags = [
        "--transports",
        "websocket",
        "--reconnect",
        "forever",
        "--reconnect-delay",
        "1ms",
        "--reconnect-delay-max",
        "1ms",
    ];
    let mut client = Client::start(&server.url(), &flags);
    let texts: Vec<String> = (0..2_500).map(|number| number.to_string()).collect();
    for text in &texts {
        client.send(text);
        // Spread over the attempts.
        thread::sleep(Duration::from_micros(100));
    }
    until_open(&mut client);
    for text in &texts {
        client.assert_text(text);
    }
    let ended = client.close();
    // One for each attempt that failed, and none of a send.
    assert_eq!(ended.named("error").len(), ended.named("reconnecting").len());
    server.finish();
}

/// Also where the old connection is not quite gone, because its server does not answer any more.
#[test]
fn sends_after_a_ping_timeout_are_kept() {
    let sessions = AtomicUsize::new(0);
    let front = Front::start(move |_| {
        let is_first = sessions.fetch_add(1, Ordering::Relaxed) == 0;
        Answer::websocket(move |mut websocket| {
            let interval = if is_first { 200 } else { 25_000 };
            let open = front::open_packet_with(&[], interval, 100);
            let _ = websocket.send(tungstenite::Message::text(open));
            if is_first {
                // It takes nothing and says nothing, for longer than anybody waits.
                thread::sleep(2 * ENOUGH);
            }
            while let Ok(message) = websocket.read() {
                if message.is_text() {
                    let _ = websocket.send(message);
                }
            }
        })
    });
    let flags = [&QUICK[..], &["--transports", "websocket"]].concat();
    let mut client = Client::start(&front.url(), &flags);
    client.next("open");
    assert_eq!(client.until("close")["reason"], "ping timeout");
    let texts = ["one", "two", "three"];
    for text in texts {
        client.send(text);
    }
    client.next("reconnecting");
    client.next("open");
    for text in texts {
        client.assert_text(text);
    }
    client.interrupt();
    client.finish(130);
}

/// They are bounded: what is not kept is waited with or named, and never silently lost.
#[test]
fn too_many_sends_while_down_are_not_lost_silently() {
    const COUNT: usize = 24;
    let server = Restarting::start();
    let flags = [&QUICK[..], &["--transports", "websocket"]].concat();
    let mut client = Client::start(&server.url(), &flags);
    client.next("open");
    client.assert_echoes("before");
    server.take_down(Duration::from_millis(700));
    client.until("close");
    let mut stdin = client.take_stdin();
    // Three times what is queued at most.
    let writer = thread::spawn(move || {
        for number in 0..COUNT {
            let text = format!("{number} {}", "x".repeat(500_000));
            writeln!(stdin, "{}", json!({ "send": text })).expect("the program reads its stdin");
        }
        stdin
    });
    // Errors of sends and those of failed attempts look alike: a message that comes back was not lost, and the others
    // must be named by as many errors besides, after attempts are taken off.
    let (mut echoed, mut errors, mut attempts) = (0, 0, 0);
    let deadline = Instant::now() + ENOUGH;
    let mut is_open = false;
    loop {
        match client.event()["event"].as_str() {
            Some("message") => echoed += 1,
            Some("error") => errors += 1,
            Some("reconnecting") => attempts += 1,
            Some("open") => is_open = true,
            Some("close") => panic!("it was cut off again"),
            _ => {}
        }
        // The first `reconnecting` follows `close`; each other one follows an error of its own.
        let of_sends = (errors + 1_usize).saturating_sub(attempts);
        if is_open && echoed + of_sends >= COUNT {
            break;
        }
        assert!(Instant::now() < deadline, "{echoed} came back, {of_sends} were named");
    }
    let _stdin = writer.join().expect("the writer");
    client.interrupt();
    client.finish_with_errors(130);
    server.finish();
}

/// What was written before the first connection succeeds is delivered when it does, and the end of stdin waits for
/// that.
#[test]
fn the_end_of_input_waits_for_the_first_connection() {
    for carrier in CARRIERS {
        let server = Restarting::start();
        server.take_down(Duration::from_millis(500));
        let flags = [&QUICK, carrier].concat();
        let mut client = Client::start(&server.url(), &flags);
        client.send("patience");
        client.end_input();
        let ended = client.finish(0);
        assert!(!ended.named("reconnecting").is_empty(), "{:?}", ended.events);
        assert_eq!(ended.named("open").len(), 1);
        assert_eq!(server.received(), 1);
        server.finish();
    }
}

/// The new connection has the same path, query, headers and user as the first.
#[test]
fn a_new_connection_asks_as_the_first_did() {
    let handshakes = AtomicUsize::new(0);
    let front = Front::start(move |request| match request.kind() {
        Kind::Handshake => {
            handshakes.fetch_add(1, Ordering::Relaxed);
            Answer::ok(front::open_packet(&[]))
        }
        _ if handshakes.load(Ordering::Relaxed) < 3 => Answer::HangUp,
        _ => Answer::Silence,
    });
    let flags = [
        &QUICK[..],
        &[
            "--header",
            "X-Token: secret",
            "--query",
            "room=7",
            "--transports",
            "polling",
        ],
    ]
    .concat();
    let mut client = Client::start(&format!("http://ann:pass@{}/live/?a=1", front.address), &flags);
    for _ in 0..3 {
        client.until("open");
    }
    client.interrupt();
    client.finish(130);
    let handshakes = front.requests_of(Kind::Handshake);
    assert!(handshakes.len() >= 3);
    for request in handshakes {
        assert_eq!(request.path(), "/live/");
        assert_eq!(request.parameter("a").as_deref(), Some("1"));
        assert_eq!(request.parameter("room").as_deref(), Some("7"));
        assert_eq!(request.header("x-token"), Some("secret"));
        assert!(request.header("authorization").is_some());
    }
}

/// A timeout bounds each attempt, not all of them.
#[test]
fn the_timeout_is_for_each_attempt() {
    let silent = Front::start(|_| Answer::Silence);
    let flags = ["--timeout", "300ms", "--reconnect", "2", "--reconnect-delay", "10ms"];
    let ended = Client::start(&silent.url(), &flags).finish(1);
    let errors = ended.named("error");
    assert_eq!(errors.len(), 3, "{:?}", ended.events);
    assert!(errors.iter().all(|error| error["kind"] == "timeout"), "{errors:?}");
    assert!(ended.lasted >= Duration::from_millis(900), "{:?}", ended.lasted);
}
