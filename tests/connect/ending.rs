//! How it ends: by end of input, by request, by Ctrl-C, and with which status.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::json;
use tungstenite::Message;

use crate::client::{CARRIERS, Client, ENOUGH, NOBODY, received, url};
use crate::front::{self, Answer, Front, Kind, Sink};
use crate::server::Server;

/// How soon a program ends that has nothing to wait for, on a busy machine.
const PROMPTLY: Duration = Duration::from_secs(3);

/// The end of stdin delivers what was queued, in order, then closes properly: exit 0.
#[test]
fn the_end_of_input_delivers_what_was_queued() {
    for carrier in CARRIERS {
        let sink = Sink::start(1_000_000);
        let mut client = Client::start(&sink.front.url(), carrier);
        let texts: Vec<String> = (0..2_000).map(|number| format!("message {number}")).collect();
        client.write_bytes(lines_of(&texts).as_bytes());
        client.end_input();
        let ended = client.finish(0);
        assert_eq!(sink.wait_for(texts.len()), texts, "{carrier:?}");
        let last = ended.events.last().expect("a close");
        assert_eq!(*last, json!({"event": "close", "reason": "client disconnect"}));
    }
}

/// The same by bytes: far more than one POST may hold.
#[test]
fn the_end_of_input_delivers_many_megabytes() {
    for carrier in CARRIERS {
        let sink = Sink::start(1_000_000);
        let mut client = Client::start(&sink.front.url(), carrier);
        let mut stdin = client.take_stdin();
        let writer = std::thread::spawn(move || {
            use std::io::Write;
            let line = lines_of(&["x".repeat(200_000)]);
            for _ in 0..30 {
                stdin.write_all(line.as_bytes()).expect("the program reads its stdin");
            }
        });
        client.finish(0);
        writer.join().expect("the writer");
        let delivered = sink.wait_for(30);
        assert!(delivered.iter().all(|text| text.len() == 200_000), "{carrier:?}");
    }
}

/// What was delivered before the end counts at our own server too, although it has nobody left to echo it to.
#[test]
fn the_servers_count_agrees() {
    for carrier in CARRIERS {
        let server = Server::start();
        let mut client = Client::start(&url(server.address), carrier);
        let texts: Vec<String> = (0..2_000).map(|number| format!("message {number}")).collect();
        client.write_bytes(lines_of(&texts).as_bytes());
        client.end_input();
        client.finish(0);
        server.wait_for_sessions(0);
        assert_eq!(received(&server), 2_000, "{carrier:?}");
        server.finish();
    }
}

/// Standard input that is empty from the start still connects first: `open`, then `close`, exit 0.
#[test]
fn empty_input_still_connects_first() {
    let server = Server::start();
    for carrier in CARRIERS {
        let mut client = Client::start(&url(server.address), carrier);
        client.end_input();
        let ended = client.finish(0);
        assert_eq!(ended.named("open").len(), 1, "{:?}", ended.events);
        let last = ended.events.last().expect("a close");
        assert_eq!(*last, json!({"event": "close", "reason": "client disconnect"}));
    }
    assert_eq!(server.stats().opened, 3);
    server.finish();
}

/// And where it cannot connect, that is no good end: exit 1.
#[test]
fn empty_input_does_not_hide_a_failure() {
    let mut client = Client::start(NOBODY, &[]);
    client.end_input();
    assert_eq!(client.finish(1).only_error()["kind"], "connection");

    let silent = Front::start(|_| Answer::Silence);
    let mut client = Client::start(&silent.url(), &["--timeout", "500ms"]);
    client.end_input();
    assert_eq!(client.finish(1).only_error()["kind"], "timeout");
}

/// `{"close":true}` delivers what was queued, then closes properly: exit 0. Stdin may stay open.
#[test]
fn a_close_delivers_what_was_queued() {
    for carrier in CARRIERS {
        let sink = Sink::start(1_000_000);
        let mut client = Client::start(&sink.front.url(), carrier);
        client.next("open");
        let texts: Vec<String> = (0..500).map(|number| number.to_string()).collect();
        client.write_bytes(format!("{}{{\"close\":true}}\n", lines_of(&texts)).as_bytes());
        let ended = client.finish(0);
        assert_eq!(sink.wait_for(texts.len()), texts, "{carrier:?}");
        let last = ended.events.last().expect("a close");
        assert_eq!(*last, json!({"event": "close", "reason": "client disconnect"}));
    }
}

/// A proper close over polling is a POST with the close packet, the last of all.
#[test]
fn a_proper_close_over_polling_says_so() {
    let server = Server::start();
    let address = server.address;
    let front = Front::start(move |_| Answer::pass(address));
    let mut client = Client::start(&front.url(), &["--transports", "polling"]);
    client.next("open");
    client.assert_echoes("hello");
    client.close();
    let posts = front.requests_of(Kind::Post);
    let last = posts.last().expect("a POST").text();
    assert_eq!(last.split('\x1e').next_back(), Some("1"), "{posts:?}");
    server.wait_for_sessions(0);
    server.finish();
}

/// A proper close on a WebSocket is a close packet or a close frame after everything else, and no cut.
#[test]
fn a_proper_close_on_a_websocket_says_so() {
    let (sender, seen) = mpsc::channel();
    let front = front::on_websocket(move |mut websocket| {
        while let Ok(message) = websocket.read() {
            let is_close = matches!(message, Message::Close(_));
            let _ = sender.send(message);
            if is_close {
                break;
            }
        }
        let _ = websocket.flush();
        while websocket.read().is_ok() {}
    });
    let mut client = Client::start(&front.url(), &["--transports", "websocket"]);
    client.next("open");
    client.send("hello");
    // This server does not answer a close packet, as JavaScript's does not.
    let asked = Instant::now();
    client.close();
    assert!(asked.elapsed() < PROMPTLY, "{:?}", asked.elapsed());
    let deadline = Instant::now() + ENOUGH;
    let mut messages = Vec::new();
    while let Ok(message) = seen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        let is_last = matches!(message, Message::Close(_));
        messages.push(message);
        if is_last {
            break;
        }
    }
    assert_eq!(messages.first(), Some(&Message::text("4hello")));
    let rest = &messages[1..];
    assert!(!rest.is_empty(), "it was cut");
    for message in rest {
        let is_goodbye = *message == Message::text("1") || matches!(message, Message::Close(_));
        assert!(is_goodbye, "{messages:?}");
    }
}

/// Ctrl-C closes properly, and gives status 130.
#[test]
fn ctrl_c_closes_properly() {
    let server = Server::start();
    for carrier in CARRIERS {
        let mut client = Client::open(&server, carrier);
        client.assert_echoes("hello");
        client.interrupt();
        let ended = client.finish(130);
        let last = ended.events.last().expect("a close");
        assert_eq!(*last, json!({"event": "close", "reason": "client disconnect"}));
        server.wait_for_sessions(0);
    }
    server.finish();
}

/// The same while connecting: nothing was open, so nothing is closed.
#[test]
fn ctrl_c_gives_up_connecting() {
    let silent = Front::start(|_| Answer::Silence);
    for carrier in CARRIERS {
        let already = silent.requests().len();
        let client = Client::start(&silent.url(), carrier);
        wait_for_requests(&silent, already + 1);
        let asked = Instant::now();
        client.interrupt();
        let ended = client.finish(130);
        assert!(asked.elapsed() < PROMPTLY, "{:?}", asked.elapsed());
        assert_eq!(ended.named("open").len() + ended.named("close").len(), 0);
    }
}

/// A close asked for while connecting gives up at once: exit 0.
#[test]
fn a_close_while_connecting_gives_up() {
    let silent = Front::start(|_| Answer::Silence);
    for carrier in CARRIERS {
        let already = silent.requests().len();
        let mut client = Client::start(&silent.url(), carrier);
        wait_for_requests(&silent, already + 1);
        let asked = Instant::now();
        client.ask_to_close();
        let ended = client.finish(0);
        assert!(asked.elapsed() < PROMPTLY, "{:?}", asked.elapsed());
        assert_eq!(ended.named("open").len() + ended.named("close").len(), 0);
    }
}

/// What was queued by then could not be delivered, and is named; the end was asked for all the same.
#[test]
fn a_close_while_connecting_names_what_was_queued() {
    let silent = Front::start(|_| Answer::Silence);
    for carrier in CARRIERS {
        let mut client = Client::start(&silent.url(), carrier);
        client.send("never to arrive");
        client.ask_to_close();
        let ended = client.finish_with_errors(0);
        let errors = ended.named("error");
        let is_named = |error: &&serde_json::Value| error.to_string().contains("never to arrive");
        assert_eq!(errors.iter().copied().filter(is_named).count(), 1, "{errors:?}");
        assert_eq!(ended.named("open").len() + ended.named("close").len(), 0);
    }
}

/// The end of stdin is no good end where nothing shows that anything was delivered: the POST is never answered.
#[test]
fn what_was_never_taken_is_no_success() {
    let front = Front::start(|request| match request.kind() {
        Kind::Handshake => Answer::ok(front::open_packet(&[])),
        _ => Answer::Silence,
    });
    let mut client = Client::start(&front.url(), &["--transports", "polling"]);
    client.send("into the void");
    client.end_input();
    let ended = client.finish_with_errors(1);
    assert_ne!(ended.named("error").len(), 0, "{:?}", ended.events);
    assert_eq!(ended.named("close").len(), 1, "{:?}", ended.events);
}

/// The same between two attempts, however long the delay is.
#[test]
fn a_close_between_attempts_gives_up() {
    let flags = [
        "--reconnect",
        "forever",
        "--reconnect-delay",
        "60s",
        "--reconnect-delay-max",
        "60s",
    ];
    let mut client = Client::start(NOBODY, &flags);
    client.next("error");
    client.next("reconnecting");
    let asked = Instant::now();
    client.ask_to_close();
    client.finish(0);
    assert!(asked.elapsed() < PROMPTLY, "{:?}", asked.elapsed());

    let mut client = Client::start(NOBODY, &flags);
    client.next("error");
    client.next("reconnecting");
    client.interrupt();
    client.finish(130);
}

/// The same where there was a connection before.
#[test]
fn a_close_after_a_loss_gives_up() {
    let flags = [
        "--reconnect",
        "forever",
        "--reconnect-delay",
        "60s",
        "--reconnect-delay-max",
        "60s",
    ];
    for code in [0, 130] {
        let front = front::polling(|_| Answer::HangUp);
        let mut client = Client::start(&front.url(), &flags);
        client.next("open");
        client.until("close");
        client.next("reconnecting");
        let asked = Instant::now();
        match code {
            0 => client.ask_to_close(),
            _ => client.interrupt(),
        }
        let ended = client.finish(code);
        assert!(asked.elapsed() < PROMPTLY, "{:?}", asked.elapsed());
        assert_eq!(ended.named("close").len(), 1, "there is nothing left to close");
    }
}

/// A close asked for while an upgrade is under way ends both.
#[test]
fn a_close_during_an_upgrade_ends_both() {
    let server = Server::start();
    let address = server.address;
    let front = Front::start(move |request| match request.kind() {
        Kind::Upgrade => Answer::Silence,
        _ => Answer::pass(address),
    });
    let mut client = Client::start(&front.url(), &[]);
    client.next("open");
    front.wait_for(|request| request.kind() == Kind::Upgrade);
    client.send("hello");
    let asked = Instant::now();
    client.close();
    assert!(asked.elapsed() < PROMPTLY, "{:?}", asked.elapsed());
    assert_eq!(received(&server), 1);
    server.finish();
}

/// Exit 1 where the connection ended otherwise, with a line that says why, a close by the server included.
#[test]
fn a_close_that_nobody_asked_for_is_status_1() {
    let front = front::polling(|_| Answer::ok("1"));
    let ended = Client::start(&front.url(), &[]).finish(1);
    assert_eq!(ended.named("close").len(), 1);
    assert!(ended.stderr.contains("server"), "it says who closed: {}", ended.stderr);
}

/// A reader of its stdout that goes away ends it, rather than a panic.
#[test]
fn a_reader_that_goes_away_ends_it() {
    let server = Server::start();
    let mut child = crate::client::command(&url(server.address), &["--json"], &[])
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let stderr = crate::client::drain(child.stderr.take().expect("a piped stderr"));
    let status = crate::client::wait(&mut child);
    let stderr = stderr.join().expect("the reader of stderr");
    assert!(status.code().is_some(), "{status}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    server.wait_for_sessions(0);
    server.finish();
}

/// These texts as lines of stdin.
fn lines_of(texts: &[String]) -> String {
    let lines = texts.iter().map(|text| format!("{}\n", json!({ "send": text })));
    lines.collect()
}

#[track_caller]
fn wait_for_requests(front: &Front, count: usize) {
    let deadline = Instant::now() + ENOUGH;
    while front.requests().len() < count {
        assert!(Instant::now() < deadline, "nothing was asked for");
        std::thread::sleep(Duration::from_millis(5));
    }
}
