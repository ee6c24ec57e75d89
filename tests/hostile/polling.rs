//! What comes in answer to a poll.

use crate::client::{Client, Event, all};
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;
use crate::visit::Next;

/// The first poll is answered by this body.
fn polled(body: impl AsRef<[u8]> + Send + Sync + 'static) -> Server {
    Server::start(Config::default(), move |visit| match visit.kind {
        Kind::Poll if visit.nth == 0 => visit.ok(&body),
        _ => Next::Usual,
    })
}

#[test]
fn malformed_bodies_are_parse_errors() {
    let second_open = Config::default().open_packet("other", false);
    let bodies: [&[u8]; 27] = [
        b"",
        b"\x1e",
        b"\x1e\x1e",
        b"4a\x1e",
        b"\x1e4a",
        b"4a\x1e\x1e4b",
        b"7",
        b"9x",
        b"8",
        b"a",
        b" 4a",
        b"-4",
        b"\0",
        b"\xc3\xa94a",
        b"b!!!!",
        b"bA",
        b"bAAA!",
        b"bAA=A",
        b"bAAAA====",
        b"4\xff",
        b"4a\x1e4\xc3",
        b"\xff",
        b"4a\x1eb!!!!",
        b"4a\x1e7",
        b"{\"code\":1,\"message\":\"Session ID unknown\"}",
        b"<html></html>",
        second_open.as_bytes(),
    ];
    all(&bodies, |body| {
        let server = polled(body.to_vec());
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        // A body is taken whole or refused whole: nothing of it is printed.
        client.error(&["protocol"]);
        client.closed(&["parse error"]);
        client.ended(1);
        assert_eq!(server.count(Kind::Poll), 1);
        assert_eq!(server.sessions(), 1);
    });
}

#[test]
fn harmless_packets_are_ignored() {
    let bodies = ["3", "3probe", "6", "5", "6\x1e6\x1e6", "3\x1e5\x1e6", "3x"];
    all(&bodies, |&body| {
        let server = polled(body);
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        client.goes_on(&server);
        client.close();
        assert!(server.count(Kind::Poll) > 1);
    });
}

#[test]
fn many_noops_keep_nothing_from_coming() {
    // A session that is only ever told nothing polls on, without falling over itself.
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Poll if visit.nth < 200 => visit.ok("6"),
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.goes_on(&server);
    client.close();
}

#[test]
fn every_kind_of_message_arrives_whole_and_in_order() {
    let server = polled("4\x1eb\x1e4first\x1eb+/8=\x1e6\x1e4\"\\\u{2028}\u{85}\x1e4a\r\nb\0\x1e4é€😀\x1e44\x1e4last");
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.text("");
    client.binary(b"");
    client.text("first");
    client.binary(b"\xfb\xff");
    client.text("\"\\\u{2028}\u{85}");
    client.text("a\r\nb\0");
    client.text("é€😀");
    client.text("4");
    client.text("last");
    client.goes_on(&server);
    client.close();
}

#[test]
fn large_bodies_arrive_whole() {
    // Larger than what we may send: `maxPayload` says nothing about this direction.
    let long = "long é ".repeat(200_000);
    let many: Vec<String> = (0..5_000).map(|number| format!("4{number}")).collect();
    let bodies = [format!("4{long}"), many.join("\x1e")];
    all(&bodies, |body| {
        let server = polled(body.clone());
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        for packet in body.split('\x1e') {
            client.text(&packet[1..]);
        }
        client.goes_on(&server);
        client.close();
    });
}

#[test]
fn a_response_that_breaks_off_ends_the_session() {
    let answers = [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n4a",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n4a\x1e4b",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n4a\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n4a\r\n0\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ];
    let mut cases = Vec::new();
    for answer in answers {
        for is_reset in [false, true] {
            cases.push((answer, is_reset));
        }
    }
    all(&cases, |&(answer, is_reset)| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Poll => {
                visit.write(answer);
                if is_reset { visit.reset() } else { Next::Close }
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        client.failed(&["transport error"]);
        client.ended(1);
        // Once more on a fresh connection may be right where nothing came at all; not again and again.
        assert!(server.count(Kind::Poll) <= 2, "{answer:?}");
        assert_eq!(server.sessions(), 1);
    });
}

#[test]
fn half_closed_in_a_poll() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Poll => {
            visit.socket.finish_sending();
            visit.stay_silent()
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.failed(&["transport error"]);
    client.ended(1);
}

#[test]
fn a_poll_that_is_refused_ends_the_session() {
    let statuses = [
        "400 Bad Request",
        "401 Unauthorized",
        "404 Not Found",
        "413 Content Too Large",
        "500 Internal Server Error",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "302 Found",
        "307 Temporary Redirect",
        "304 Not Modified",
    ];
    all(&statuses, |&status| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Poll => visit.answer(status, &["Location: /engine.io/?moved"], "4ghost"),
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        if let Some(message) = client.failed(&["transport error"]) {
            assert!(message.contains(&status[..3]), "{message}");
        }
        client.ended(1);
        assert_eq!(server.count(Kind::Poll), 1);
    });
}

#[test]
fn an_empty_204_ends_the_session() {
    let server = Server::start(Config::default(), move |visit| match visit.kind {
        Kind::Poll => {
            visit.write("HTTP/1.1 204 No Content\r\n\r\n");
            Next::KeepAlive
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.failed(&["transport error", "parse error"]);
    client.ended(1);
}

#[test]
fn refused_by_name() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Poll => visit.answer(
            "400 Bad Request",
            &["Content-Type: application/json"],
            r#"{"code":1,"message":"Session ID unknown"}"#,
        ),
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    if let Some(message) = client.failed(&["transport error"]) {
        assert!(message.contains("400"), "{message}");
    }
    client.ended(1);
    assert_eq!(server.sessions(), 1);
}

#[test]
fn cookies_come_back() {
    let server = Server::start(Config::upgrading(), |visit| {
        let cookies: Vec<String> = visit.request.cookies().into_iter().map(str::to_owned).collect();
        let cookies: Vec<&str> = cookies.iter().map(String::as_str).collect();
        let expected: &[&str] = match (visit.kind, visit.nth) {
            (Kind::Open, _) => &[],
            (Kind::Poll, 0) => &["gone=1", "io=a.b-c", "lb=\"x=y\""],
            // The upgrade is asked for while the first poll waits.
            (Kind::Upgrade, _) => return Next::Usual,
            _ => &["io=second", "lb=\"x=y\""],
        };
        if cookies != expected {
            visit.complain(format!("{:?} {} came with {cookies:?}", visit.kind, visit.nth));
        }
        let set: &[&str] = match (visit.kind, visit.nth) {
            (Kind::Open, _) => &[
                "Set-Cookie: io=a.b-c; Path=/; HttpOnly; SameSite=Lax",
                "set-cookie: lb=\"x=y\"",
                "Set-Cookie: gone=1; Path=/; Max-Age=3600",
            ],
            (Kind::Poll, 0) => &[
                "Set-Cookie: io=second; Path=/; HttpOnly",
                "Set-Cookie: gone=; Path=/; Max-Age=0",
            ],
            _ => return Next::Usual,
        };
        let body = match visit.kind {
            Kind::Open => visit.open_session(),
            _ => "4fresh".to_owned(),
        };
        visit.answer("200 OK", set, body)
    });
    let mut client = Client::connect(&server, &["--no-upgrade"]);
    client.opened("polling");
    client.text("fresh");
    client.goes_on(&server);
    client.close();
}

#[test]
fn cookies_go_with_the_upgrade() {
    let server = Server::start(Config::upgrading(), |visit| match visit.kind {
        Kind::Open => {
            let packet = visit.open_session();
            visit.answer("200 OK", &["Set-Cookie: io=kept; Path=/"], packet)
        }
        Kind::Upgrade if visit.request.cookies() != ["io=kept"] => visit.answer("403 Forbidden", &[], ""),
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.upgraded();
    client.goes_on(&server);
    client.close();
}

#[test]
fn cookies_that_are_none_do_no_harm() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Open => {
            let packet = visit.open_session();
            let long = format!("Set-Cookie: long={}", "x".repeat(10_000));
            let wrong = [
                "Set-Cookie:",
                "Set-Cookie: ;;;",
                "Set-Cookie: =value",
                "Set-Cookie: novalue",
                "Set-Cookie: a=b; Max-Age=99999999999999999999; Expires=never",
                "Set-Cookie: d=1; Domain=other.example",
                "Set-Cookie: p=1; Path=/elsewhere",
                "Set-Cookie: fine=yes",
                &long,
            ];
            visit.answer("200 OK", &wrong, packet)
        }
        Kind::Poll => {
            // Whether those for another place come along is a matter of taste: it is their own server that gets them.
            let cookies = visit.request.cookies();
            if !cookies.contains(&"fine=yes") {
                let complaint = format!("{cookies:.200?}");
                visit.complain(complaint);
            }
            Next::Usual
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.goes_on(&server);
    client.close();
}

#[test]
fn a_flood_of_cookies_does_not_break_requests() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Poll if visit.nth < 30 => {
            let cookies: Vec<String> = (0..20)
                .map(|at| format!("Set-Cookie: c{}_{at}={}", visit.nth, "x".repeat(300)))
                .collect();
            let cookies: Vec<&str> = cookies.iter().map(String::as_str).collect();
            if visit.request.header("cookie").unwrap_or_default().len() > 100_000 {
                visit.complain("a hundred kB of cookies in each request");
            }
            visit.answer("200 OK", &cookies, "6")
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    match client.next_within(std::time::Duration::from_millis(300)) {
        None => {
            client.goes_on(&server);
            client.close();
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_open_packet_with_another_sid_is_a_parse_error() {
    let server = polled(Config::default().open_packet("other", false) + "\x1e4ghost");
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.error(&["protocol"]);
    assert_eq!(client.next(), Event::Close("parse error".to_owned()));
    client.ended(1);
}

#[test]
fn hung_up_on_behind_each_response_without_a_word() {
    // The next request may meet the end of the connection, or not. Sending a poll again is right where nothing of an
    // answer came; an error is, too. A message that is lost, or comes twice, is not.
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Poll if visit.nth < 10 => {
            let text = format!("4{}", visit.nth);
            visit.ok(text);
            Next::Close
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    for number in 0..10 {
        match client.next() {
            Event::Text(text) => assert_eq!(text, number.to_string()),
            Event::Error { kind, .. } => {
                assert_eq!(kind, "connection");
                client.closed(&["transport error"]);
                client.ended(1);
                return;
            }
            other => panic!("{other:?}"),
        }
    }
    client.goes_on(&server);
    client.close();
}
