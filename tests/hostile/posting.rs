//! What goes up, and what a server makes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, Event, all};
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;
use crate::socket::{Arrival, PATIENCE};
use crate::visit::Next;

fn limited(max_payload: usize) -> Config {
    Config {
        max_payload,
        ..Config::default()
    }
}

#[test]
fn many_at_once_go_up_in_order_within_the_limits() {
    // The server complains about more than 16 packets, or more bytes than it allows.
    for max_payload in [20, 64, 1_000, 1_000_000] {
        let server = Server::usual(limited(max_payload));
        let mut client = Client::connect(&server, &[]);
        let mut expected = Vec::new();
        for number in 0..100 {
            if number % 7 == 3 {
                client.send_binary(&[0, 1, 2, number, 4]);
                expected.push(format!("b{}", base64(&[0, 1, 2, number, 4])));
            } else {
                client.send(&format!("é {number}"));
                expected.push(format!("4é {number}"));
            }
        }
        client.opened("polling");
        client.end_input();
        client.closed(&["client disconnect"]);
        client.ended(0);
        assert_eq!(server.shared.state().messages, expected);
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn messages_that_are_too_large_are_reported_and_not_sent() {
    let server = Server::usual(limited(40));
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    // The type counts, and so does the base64: 1 + 36 and 1 + 40 bytes.
    let just_fits = "x".repeat(39);
    client.send(&just_fits);
    client.send_binary(&[7; 27]);
    client.send(&"x".repeat(40));
    client.error(&["too_large"]);
    client.send_binary(&[7; 30]);
    client.error(&["too_large"]);
    // Characters are not bytes.
    client.send(&"é".repeat(20));
    client.error(&["too_large"]);
    client.send("after");
    let fits = format!("4{just_fits}");
    let binary = format!("b{}", base64(&[7; 27]));
    server.wait_for_messages(&[&fits, &binary, "4after"]);
    client.close();
    server.assert_messages(&[&fits, &binary, "4after"]);
}

#[test]
fn too_large_over_the_websocket_too() {
    let server = Server::usual(limited(40));
    let mut client = Client::connect(&server, &["--transports", "websocket"]);
    client.opened("websocket");
    client.send(&"x".repeat(39));
    client.send(&"x".repeat(41));
    client.error(&["too_large"]);
    client.send_binary(&[7; 41]);
    client.error(&["too_large"]);
    client.send("after");
    server.wait_for_messages(&[&format!("4{}", "x".repeat(39)), "4after"]);
    client.close();
}

#[test]
fn a_limit_that_nothing_fits() {
    let server = Server::usual(limited(1));
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.send("a");
    client.error(&["too_large"]);
    client.send("");
    client.send("");
    server.wait_for_messages(&["4", "4"]);
    client.close();
}

#[test]
fn a_post_that_is_refused_ends_the_session() {
    let statuses = [
        "400 Bad Request",
        "403 Forbidden",
        "404 Not Found",
        "413 Content Too Large",
        "500 Internal Server Error",
        "503 Service Unavailable",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ];
    all(&statuses, |&status| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Post => {
                visit.take_payload();
                visit.answer(status, &["Location: /engine.io/?moved"], "")
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        client.send("once");
        if let Some(message) = client.failed(&["transport error"]) {
            assert!(message.contains(&status[..3]), "{message}");
        }
        client.ended_in_doubt(&[1]);
        server.assert_messages(&["4once"]);
    });
}

#[test]
fn any_2xx_will_do_for_a_post() {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n4ghost",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\x1e\0",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ];
    all(&answers, |&answer| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Post => {
                visit.take_payload();
                visit.write(answer);
                Next::KeepAlive
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        client.send("first");
        server.wait_for_messages(&["4first"]);
        // Nothing in such an answer is a packet.
        client.goes_on(&server);
        client.close();
        server.assert_messages(&["4first", "4I am"]);
    });
}

#[test]
fn a_post_that_is_hung_up_on_is_not_sent_twice() {
    let answers: [(&str, bool); 6] = [
        ("", false),
        ("", true),
        ("HTTP/1.1 200 OK\r\n", false),
        ("HTTP/1.1 200 OK\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", false),
        ("HTTP/1.1 100 Continue\r\n\r\n", false),
    ];
    all(&answers, |&(answer, is_reset)| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            // The second, so that it comes on a connection that has served before.
            Kind::Post if visit.nth == 1 => {
                visit.take_payload();
                visit.write(answer);
                if is_reset { visit.reset() } else { Next::Close }
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        client.send("first");
        server.wait_for_messages(&["4first"]);
        client.send("second");
        client.failed(&["transport error"]);
        client.ended_in_doubt(&[1]);
        server.assert_messages(&["4first", "4second"]);
    });
}

#[test]
fn a_post_that_is_never_answered_does_not_outlive_the_heartbeat() {
    let server = Server::start(Config::beating(200, 300).silent(), |visit| match visit.kind {
        Kind::Post => {
            visit.take_payload();
            visit.stay_silent()
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.send("once");
    client.send("twice");
    client.failed(&["ping timeout", "transport error"]);
    client.ended_in_doubt(&[1]);
    assert_eq!(server.count(Kind::Post), 1, "one at a time");
}

#[test]
fn a_post_that_is_never_answered_does_not_hold_up_the_end() {
    let server = Server::start(Config::beating(200, 300).silent(), |visit| match visit.kind {
        Kind::Post => visit.stay_silent(),
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.send("once");
    client.end_input();
    // We wanted to go; the heart may stop first. Whether the message arrived nobody knows, which is no success.
    client.failed(&["client disconnect", "ping timeout", "transport error"]);
    client.ended_in_doubt(&[0, 1]);
    assert!(client.elapsed() < Duration::from_secs(6), "{:?}", client.elapsed());
}

#[test]
fn refused_before_its_body_was_read() {
    for is_reset in [false, true] {
        // Nothing of what follows the head is read, as proxies do it.
        let server = Server::accepting(move |number, socket| {
            let deadline = Instant::now() + Duration::from_secs(5);
            while crate::socket::find(&socket.unread, b"\r\n\r\n").is_none() {
                if socket.wait_for(socket.unread.len() + 1, deadline) != crate::socket::Arrival::Bytes {
                    return;
                }
            }
            if socket.unread.starts_with(b"POST") {
                socket.write("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                if is_reset {
                    socket.reset();
                }
                return;
            }
            if number > 0 {
                // The poll.
                socket.wait_for_hangup();
                return;
            }
            let packet = limited(100_000_000).open_packet("abc", false);
            socket.write(format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{packet}",
                packet.len()
            ));
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        client.send(&"x".repeat(3_000_000));
        client.failed(&["transport error"]);
        client.ended_in_doubt(&[1]);
    }
}

#[test]
fn answered_before_its_body_was_read() {
    // The answer is there while the body is still on its way. Nothing may be lost where the session goes on.
    let taken = Arc::new(AtomicUsize::new(0));
    let server = Server::accepting(move |number, socket| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let head = loop {
                if let Some(end) = crate::socket::find(&socket.unread, b"\r\n\r\n") {
                    break String::from_utf8(socket.take(end + 4)).expect("a head in ASCII");
                }
                if socket.wait_for(socket.unread.len() + 1, deadline) != Arrival::Bytes {
                    return;
                }
            };
            let answer = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if head.starts_with("POST") {
                socket.write(answer("ok"));
                let length = head.to_ascii_lowercase();
                let length = length
                    .split("content-length: ")
                    .nth(1)
                    .and_then(|rest| rest.lines().next());
                let length = length.and_then(|length| length.parse().ok()).expect("a length");
                std::thread::sleep(Duration::from_millis(100));
                if socket.wait_for(length, deadline) != Arrival::Bytes {
                    return;
                }
                socket.take(length);
                taken.fetch_add(length, Ordering::Relaxed);
            } else if number == 0 && !head.contains("sid=") {
                socket.write(answer(&limited(100_000_000).open_packet("abc", false)));
            } else {
                while taken.load(Ordering::Relaxed) < 3_000_000 && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(5));
                }
                socket.write(answer("4all of it"));
                socket.wait_for_hangup();
                return;
            }
        }
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.send(&"x".repeat(3_000_000));
    match client.next() {
        Event::Text(text) => assert_eq!(text, "all of it"),
        Event::Error { kind, .. } => {
            assert!(["connection", "protocol"].contains(&kind.as_str()), "{kind}");
            client.closed(&["transport error"]);
            client.ended_in_doubt(&[1]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_in_odd_orders() {
    // Posts are answered late, polls meanwhile.
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Post => {
            visit.take_payload();
            let session = visit.session.expect("a session");
            visit.shared.push(session, &format!("4got {}", visit.nth));
            visit.sleep(150);
            visit.ok("ok")
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.send("first");
    client.text("got 0");
    // Its answer is not there yet: this waits for it, and the server complains where it does not.
    client.send("second");
    client.send("third");
    server.wait_for_messages(&["4first", "4second", "4third"]);
    // The other two may have gone up together.
    client.text("got 1");
    if server.count(Kind::Post) == 3 {
        client.text("got 2");
    }
    server.push("4still there");
    client.text("still there");
    client.ask_to_close();
    // The POST of the close packet is answered by a message, too.
    match client.next() {
        Event::Text(text) => {
            assert!(text.starts_with("got "), "{text}");
            client.closed(&["client disconnect"]);
        }
        Event::Close(reason) => assert_eq!(reason, "client disconnect"),
        other => panic!("{other:?}"),
    }
    client.ended(0);
}

#[test]
fn a_poll_that_is_only_answered_after_a_post() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Poll if visit.nth == 0 => {
            let shared = visit.shared.clone();
            shared.wait_until(|state| state.messages.len() == 2);
            visit.sleep(100);
            visit.ok("4at last")
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.send("first");
    server.wait_for_messages(&["4first"]);
    client.send("second");
    client.text("at last");
    client.goes_on(&server);
    client.close();
}

#[test]
fn connections_that_the_server_closes_while_they_are_idle() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Post => {
            visit.take_payload();
            // Without a word about it.
            visit.ok("ok");
            Next::Close
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    let mut expected = Vec::new();
    for number in 0..6 {
        client.send(&number.to_string());
        expected.push(format!("4{number}"));
        server.wait_for_messages(&expected.iter().map(String::as_str).collect::<Vec<_>>());
        // Time for the FIN to be there: to write into one that comes is a race nobody can win.
        std::thread::sleep(Duration::from_millis(100));
    }
    client.close();
}

#[test]
fn connections_that_the_server_resets_while_they_are_idle() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Post => {
            visit.take_payload();
            visit.ok("ok");
            visit.sleep(30);
            visit.reset()
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    for (number, expected) in [&["40"][..], &["40", "41"], &["40", "41", "42"]].iter().enumerate() {
        client.send(&number.to_string());
        server.wait_for_messages(expected);
        std::thread::sleep(Duration::from_millis(150));
    }
    client.close();
}
