//! Upgrades that come to nothing: one `upgrade_error`, and the session stays on polling as if nothing had been.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::client::{Client, Event, all};
use crate::frames::{BINARY, CLOSE, CONTINUATION, FIN, Incoming, PING, TEXT, frame};
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;
use crate::socket::PATIENCE;
use crate::visit::{Next, Visit};

fn on_upgrade(script: impl Fn(&mut Visit) -> Next + Send + Sync + 'static) -> Server {
    Server::start(Config::upgrading(), move |visit| match visit.kind {
        Kind::Upgrade => script(visit),
        _ => Next::Usual,
    })
}

/// Messages sent from the start on, both ways: the upgrade fails, and all of them arrive, once and in order.
#[track_caller]
fn fails_and_loses_nothing(server: &Server) -> String {
    let mut client = Client::connect(server, &[]);
    client.opened("polling");
    let mut up = Vec::new();
    let mut down = Vec::new();
    let mut explanation = None;
    for round in 0_usize.. {
        let number = round.to_string();
        client.send(&number);
        up.push(format!("4{number}"));
        server.push(&format!("4{number}"));
        down.push(number);
        // Not faster than programs send.
        std::thread::sleep(Duration::from_millis(5));
        let event = client.next_within(Duration::from_millis(5));
        match event {
            Some(Event::Text(text)) => assert_eq!(text, down.remove(0)),
            Some(Event::UpgradeError(message)) => {
                explanation = Some(message);
                break;
            }
            None if client.elapsed() < PATIENCE => {}
            other => panic!("{other:?} in round {round}"),
        }
    }
    for text in down {
        client.text(&text);
    }
    let up: Vec<&str> = up.iter().map(String::as_str).collect();
    server.wait_for_messages(&up);
    client.goes_on(server);
    client.close();
    assert_eq!(server.count(Kind::Upgrade), 1, "once is enough");
    assert_eq!(server.sessions(), 1);
    let explanation = explanation.expect("the loop ends by it");
    assert!(explanation.len() > 3, "{explanation:?}");
    explanation
}

#[test]
fn refused() {
    let statuses = [
        "200 OK",
        "301 Moved Permanently",
        "400 Bad Request",
        "403 Forbidden",
        "404 Not Found",
        "426 Upgrade Required",
        "500 Internal Server Error",
        "502 Bad Gateway",
    ];
    all(&statuses, |&status| {
        let server = on_upgrade(move |visit| visit.answer(status, &["Location: /elsewhere"], "<html></html>"));
        let explanation = fails_and_loses_nothing(&server);
        assert!(explanation.contains(&status[..3]), "{explanation}");
    });
}

#[test]
fn refused_with_a_large_page() {
    let server = on_upgrade(|visit| {
        let page = "<p>no</p>".repeat(20_000);
        visit.answer("404 Not Found", &["Content-Type: text/html"], page);
        Next::Close
    });
    let explanation = fails_and_loses_nothing(&server);
    assert!(explanation.contains("404"), "{explanation}");
    assert!(explanation.len() < 1_000, "nobody reads {} bytes", explanation.len());
}

#[test]
fn not_understood() {
    let answers = [
        "nonsense\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "\x15\x03\x01\r\n\r\n",
    ];
    all(&answers, |&answer| {
        let server = on_upgrade(move |visit| {
            visit.write(answer);
            visit.stay_silent()
        });
        fails_and_loses_nothing(&server);
    });
}

#[test]
fn granted_in_a_wrong_way() {
    let bends: [fn(&Visit) -> String; 5] = [
        |visit| {
            visit
                .grant(&[])
                .replace(&visit.accept_key(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        },
        |visit| visit.grant(&[]).replace("Upgrade: websocket\r\n", ""),
        |visit| visit.grant(&[]).replace("Sec-WebSocket-Accept", "X-Accept"),
        |visit| visit.grant(&["Sec-WebSocket-Extensions: permessage-deflate"]),
        |visit| visit.grant(&["Sec-WebSocket-Protocol: chat"]),
    ];
    all(&bends, |bend| {
        let bend = *bend;
        let server = on_upgrade(move |visit| {
            let head = bend(visit);
            visit.write(head);
            visit.stay_silent()
        });
        fails_and_loses_nothing(&server);
    });
}

#[test]
fn hanging() {
    let scripts: [fn(&mut Visit) -> Next; 4] = [
        // No answer at all.
        |visit| visit.stay_silent(),
        // Half a head.
        |visit| {
            visit.write("HTTP/1.1 101 Switching");
            visit.stay_silent()
        },
        // A WebSocket that never answers the probe.
        |visit| {
            visit.accept();
            visit.expect_text("2probe");
            visit.stay_silent()
        },
        // The same, with signs of life.
        |visit| {
            visit.accept();
            visit.expect_text("2probe");
            while visit.frame(FIN | PING, "alive") {
                if matches!(
                    visit.incoming(Duration::from_millis(50)),
                    Incoming::End | Incoming::Close(_)
                ) {
                    break;
                }
            }
            Next::Close
        },
    ];
    all(&scripts, |script| {
        fails_and_loses_nothing(&on_upgrade(*script));
    });
}

#[test]
fn dying() {
    let scripts: [fn(&mut Visit) -> Next; 8] = [
        |_| Next::Close,
        |visit| visit.reset(),
        |visit| {
            visit.accept();
            Next::Close
        },
        |visit| {
            visit.accept();
            visit.reset()
        },
        |visit| {
            visit.accept();
            visit.frame(FIN | CLOSE, b"\x03\xe8");
            visit.stay_silent()
        },
        |visit| {
            visit.accept();
            visit.expect_text("2probe");
            Next::Close
        },
        |visit| {
            visit.accept();
            visit.expect_text("2probe");
            visit.reset()
        },
        |visit| {
            visit.accept();
            visit.expect_text("2probe");
            visit.frame(FIN | CLOSE, b"\x03\xe9going");
            visit.stay_silent()
        },
    ];
    all(&scripts, |script| {
        fails_and_loses_nothing(&on_upgrade(*script));
    });
}

#[test]
fn wrong_answers_to_the_probe() {
    let answers = [
        frame(FIN | TEXT, b"3"),
        frame(FIN | TEXT, b"3wrong"),
        frame(FIN | TEXT, b"3probe3probe"),
        frame(FIN | TEXT, b"2probe"),
        frame(FIN | TEXT, b"2"),
        frame(FIN | TEXT, b"4hello"),
        frame(FIN | TEXT, b"1"),
        frame(FIN | TEXT, b"0{}"),
        frame(FIN | TEXT, b"7"),
        frame(FIN | TEXT, b""),
        frame(FIN | TEXT, b"\xff"),
        frame(FIN | BINARY, b"3probe"),
        frame(FIN | CONTINUATION, b"3probe"),
        frame(FIN | 0x40 | TEXT, b"3probe"),
        frame(FIN | 0x3, b"3probe"),
        b"\x81\x86\0\0\0\x003probe".to_vec(),
        crate::frames::header(FIN | TEXT, 1 << 40),
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
    ];
    all(&answers, |answer| {
        let answer = answer.clone();
        let server = on_upgrade(move |visit| {
            visit.accept();
            visit.expect_text("2probe");
            visit.write(&answer);
            visit.stay_silent()
        });
        fails_and_loses_nothing(&server);
    });
}

/// What an upgrade left behind when it ended.
#[derive(Clone, Default)]
struct Ended(Arc<AtomicBool>);

impl Ended {
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wait(&self, visit: &Visit) {
        while !self.0.load(Ordering::Relaxed) && !visit.shared.is_stopping() {
            visit.sleep(5);
        }
    }
}

#[test]
fn dying_while_the_poll_is_held() {
    for is_reset in [false, true] {
        let config = Config {
            upgrades: true,
            ..Config::default()
        };
        let ended = Ended::default();
        let server = Server::start(config, move |visit| match visit.kind {
            Kind::Upgrade => {
                visit.accept();
                visit.expect_text("2probe");
                visit.text("3probe");
                visit.sleep(150);
                ended.set();
                if is_reset { visit.reset() } else { Next::Close }
            }
            Kind::Poll => {
                ended.wait(visit);
                Next::Usual
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        client.send("meanwhile");
        client.upgrade_failed();
        client.send("after");
        server.wait_for_messages(&["4meanwhile", "4after"]);
        client.goes_on(&server);
        client.close();
        assert_eq!(server.count(Kind::Upgrade), 1);
    }
}

#[test]
fn a_poll_that_is_never_released_ends_the_upgrade() {
    let config = Config {
        upgrades: true,
        ..Config::beating(600, 600)
    };
    let ended = Ended::default();
    let server = Server::start(config, move |visit| match visit.kind {
        Kind::Upgrade => {
            // Behind a ping, so that the session lives longer than the upgrade is given.
            visit.shared.wait_until(|state| state.sessions[0].pongs.len() == 1);
            visit.accept();
            visit.expect_text("2probe");
            visit.text("3probe");
            // No noop for the poll that is under way. What comes next is the end, and no `5`.
            match visit.incoming(PATIENCE) {
                Incoming::End | Incoming::Close(_) => {}
                other => visit.complain(format!("with a poll under way came {other:?}")),
            }
            ended.set();
            Next::Close
        }
        Kind::Poll if visit.nth > 0 => {
            ended.wait(visit);
            Next::Usual
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.send("meanwhile");
    client.upgrade_failed();
    server.wait_for_messages(&["4meanwhile"]);
    client.goes_on(&server);
    client.close();
    assert_eq!(server.count(Kind::Upgrade), 1);
}

#[test]
fn a_message_releases_the_poll_as_well() {
    let server = Server::start(Config::upgrading(), |visit| match visit.kind {
        Kind::Upgrade => {
            visit.accept();
            visit.expect_text("2probe");
            let session = visit.session.expect("a session");
            visit.text("3probe");
            visit.shared.push(session, "4with the poll");
            visit.shared.push(session, "bAQ==");
            visit.finish_upgrade()
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    // In what order with the upgrade is a matter of taste; not so among themselves.
    let mut messages = Vec::new();
    for _ in 0..3 {
        match client.next() {
            Event::Upgrade(_) => {}
            message => messages.push(message),
        }
    }
    assert_eq!(
        messages,
        [Event::Text("with the poll".to_owned()), Event::Binary(vec![1])]
    );
    client.goes_on(&server);
    client.close();
}

#[test]
fn a_slow_upgrade_loses_nothing() {
    let config = Config {
        upgrades: true,
        ..Config::beating(1_000, 2_000)
    };
    let server = Server::start(config, |visit| match visit.kind {
        Kind::Upgrade => {
            visit.sleep(200);
            visit.accept();
            visit.sleep(200);
            visit.usual_probe()
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    let mut up = Vec::new();
    let mut down = Vec::new();
    let mut is_upgraded = false;
    for round in 0..200_usize {
        client.send(&round.to_string());
        up.push(format!("4{round}"));
        server.push(&format!("4{round}"));
        down.push(round.to_string());
        match client.next_within(Duration::from_millis(5)) {
            Some(Event::Text(text)) => assert_eq!(text, down.remove(0)),
            Some(Event::Upgrade(_)) => is_upgraded = true,
            None => {}
            other => panic!("{other:?}"),
        }
    }
    while !down.is_empty() || !is_upgraded {
        match client.next() {
            Event::Text(text) => assert_eq!(text, down.remove(0)),
            Event::Upgrade(_) => is_upgraded = true,
            other => panic!("{other:?}"),
        }
    }
    server.wait_for_messages(&up.iter().map(String::as_str).collect::<Vec<_>>());
    client.goes_on(&server);
    client.close();
}

#[test]
fn an_answer_before_the_probe() {
    // In the same segment as the head, before it was asked for.
    for early in [
        &b"\x81\x063probe"[..],
        b"\x81\x062probe",
        b"\x81\x064ghost",
        b"\x89\x00",
    ] {
        let server = on_upgrade(move |visit| {
            let head = visit.grant(&[]).into_bytes();
            visit.write([&head[..], early].concat());
            if early == b"\x89\x00" || early == b"\x81\x063probe" {
                let first = visit.incoming(PATIENCE);
                let second = match first {
                    Incoming::Pong(_) => visit.incoming(PATIENCE),
                    first => first,
                };
                if second != Incoming::Text("2probe".to_owned()) {
                    return Next::Close;
                }
                if early == b"\x89\x00" {
                    visit.text("3probe");
                }
                return visit.finish_upgrade();
            }
            visit.stay_silent()
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        match client.next() {
            Event::Upgrade(_) | Event::UpgradeError(_) => {}
            other => panic!("{early:?}: {other:?}"),
        }
        client.goes_on(&server);
        client.close();
    }
}

#[test]
fn a_second_answer_to_the_probe_is_ignored() {
    let server = on_upgrade(|visit| {
        visit.accept();
        visit.expect_text("2probe");
        visit.text("3probe");
        visit.text("3probe");
        let next = visit.finish_upgrade();
        visit.text("3probe");
        next
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.upgraded();
    for harmless in ["3probe", "3", "6", "5"] {
        server.push(harmless);
    }
    client.goes_on(&server);
    client.close();
}

#[test]
fn a_message_right_behind_the_upgrade() {
    // What a proper server sends in the instant in which the `5` arrives.
    let server = on_upgrade(|visit| {
        visit.accept();
        visit.expect_text("2probe");
        visit.text("3probe");
        let session = visit.session.expect("a session");
        visit.shared.release(session, true);
        if !visit.expect_text("5") {
            return Next::Close;
        }
        visit.shared.change(|state| state.sessions[session].on_websocket = true);
        visit.text("4at once");
        visit.text("4and again");
        visit.serve_websocket()
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.upgraded();
    client.text("at once");
    client.text("and again");
    client.goes_on(&server);
    client.close();
}

#[test]
fn hung_up_on_right_behind_the_upgrade() {
    for is_reset in [false, true] {
        let server = on_upgrade(move |visit| {
            visit.accept();
            visit.expect_text("2probe");
            visit.text("3probe");
            let session = visit.session.expect("a session");
            visit.shared.release(session, true);
            visit.expect_text("5");
            if is_reset { visit.reset() } else { Next::Close }
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        client.upgraded();
        client.failed(&["transport close", "transport error"]);
        client.ended(1);
        assert_eq!(server.sessions(), 1);
    }
}

#[test]
fn closed_by_the_poll_in_the_middle_of_the_upgrade() {
    let server = on_upgrade(|visit| {
        visit.accept();
        visit.expect_text("2probe");
        let session = visit.session.expect("a session");
        visit.shared.push(session, "4last words");
        visit.shared.push(session, "1");
        visit.shared.push(session, "4ghost");
        visit.stay_silent()
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.text("last words");
    match client.next() {
        Event::Close(reason) => assert_eq!(reason, "server disconnect"),
        // The upgrade may be said to have failed as well.
        Event::UpgradeError(_) => client.closed(&["server disconnect"]),
        other => panic!("{other:?}"),
    }
    client.ended(1);
}

#[test]
fn asked_to_close_in_the_middle_of_the_upgrade() {
    let scripts: [fn(&mut Visit) -> Next; 3] = [
        |visit| visit.stay_silent(),
        |visit| {
            visit.accept();
            visit.stay_silent()
        },
        |visit| {
            visit.accept();
            // Not so fast that the client has given it up already.
            if visit.incoming(PATIENCE) != Incoming::Text("2probe".to_owned()) {
                return Next::Close;
            }
            visit.text("3probe");
            // The poll is not released; what comes over the WebSocket is taken all the same.
            match visit.incoming(PATIENCE) {
                Incoming::Text(text) if text == "5" => {
                    let session = visit.session.expect("an upgrade of a session");
                    visit.shared.change(|state| state.sessions[session].on_websocket = true);
                    visit.serve_websocket()
                }
                Incoming::Text(text) => {
                    visit.complain(format!("instead of \"5\" came {text:?}"));
                    Next::Close
                }
                _ => Next::Close,
            }
        },
    ];
    all(&scripts, |script| {
        let server = on_upgrade(*script);
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        server.wait_for_request(Kind::Upgrade, 1);
        client.send("last words");
        client.ask_to_close();
        match client.next() {
            Event::Close(reason) => assert_eq!(reason, "client disconnect"),
            Event::UpgradeError(_) => client.closed(&["client disconnect"]),
            other => panic!("{other:?}"),
        }
        client.ended(0);
        server.wait_for_messages(&["4last words"]);
        assert!(client.elapsed() < Duration::from_secs(6), "{:?}", client.elapsed());
    });
}

#[test]
fn the_session_may_die_before_a_hanging_upgrade() {
    let server = Server::start(Config::upgrading(), |visit| match visit.kind {
        Kind::Upgrade => visit.stay_silent(),
        Kind::Poll => {
            visit.shared.wait_until(|state| state.kinds.contains(&Kind::Upgrade));
            visit.answer("400 Bad Request", &[], r#"{"code":1,"message":"Session ID unknown"}"#)
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    let event = client.next();
    match event {
        Event::Close(reason) => assert_eq!(reason, "transport error"),
        Event::Error { .. } => client.closed(&["transport error"]),
        Event::UpgradeError(_) => {
            client.failed(&["transport error"]);
        }
        other => panic!("{other:?}"),
    }
    client.ended(1);
}

#[test]
fn an_upgrade_that_was_offered_twice_is_tried_once() {
    let server = Server::start(Config::upgrading(), |visit| match visit.kind {
        Kind::Open => {
            let packet = visit.open_session();
            visit.ok(packet.replace(r#"["websocket"]"#, r#"["websocket","webtransport","websocket"]"#))
        }
        Kind::Upgrade => visit.answer("400 Bad Request", &[], ""),
        _ => Next::Usual,
    });
    fails_and_loses_nothing(&server);
}
