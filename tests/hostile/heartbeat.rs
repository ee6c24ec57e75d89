//! Pings that come, stay away, or come in odd ways.

use std::time::Duration;

use crate::client::{Client, Event, all};
use crate::frames::{FIN, Incoming, PING};
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;
use crate::visit::{Next, Visit};

const TRANSPORTS: [&str; 2] = ["polling", "websocket"];

/// It ends for want of a ping, not before 500 ms and not long after.
#[track_caller]
fn times_out(server: &Server, transport: &str) {
    let mut client = Client::connect(server, &["--transports", transport]);
    client.opened(transport);
    let opened = client.elapsed();
    client.failed(&["ping timeout"]);
    let lasted = client.elapsed() - opened;
    client.ended(1);
    // (The line that says `open` may have come a little late.)
    assert!(lasted > Duration::from_millis(350), "{lasted:?}");
    assert!(lasted < Duration::from_secs(3), "{lasted:?}");
    assert_eq!(server.sessions(), 1);
}

#[test]
fn no_ping_at_all() {
    all(&TRANSPORTS, |transport| {
        times_out(&Server::usual(Config::beating(300, 200).silent()), transport);
    });
}

#[test]
fn no_more_pings() {
    all(&TRANSPORTS, |transport| {
        let server = Server::usual(Config::beating(250, 350).silent());
        let mut client = Client::connect(&server, &["--transports", transport]);
        client.opened(transport);
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(250));
            server.push("2");
        }
        server.wait_for("five pongs", |state| state.sessions[0].pongs.len() == 5);
        client.failed(&["ping timeout"]);
        client.ended(1);
        assert!(
            client.elapsed() > Duration::from_millis(5 * 250 + 500),
            "{:?}",
            client.elapsed()
        );
    });
}

#[test]
fn pings_are_answered_for_as_long_as_they_come() {
    all(&TRANSPORTS, |transport| {
        let server = Server::usual(Config::beating(150, 850));
        let mut client = Client::connect(&server, &["--transports", transport]);
        client.opened(transport);
        server.wait_for("ten pongs", |state| state.sessions[0].pongs.len() >= 10);
        client.goes_on(&server);
        client.close();
        let state = server.shared.state();
        let (pings, pongs) = (state.sessions[0].pings as usize, &state.sessions[0].pongs);
        assert!(
            pongs.len() == pings || pongs.len() + 1 == pings,
            "{pings} pings, {} pongs",
            pongs.len()
        );
        assert!(pongs.iter().all(String::is_empty), "{pongs:?}");
    });
}

#[test]
fn the_text_of_a_ping_comes_back() {
    all(&TRANSPORTS, |transport| {
        let server = Server::usual(Config::default());
        let mut client = Client::connect(&server, &["--transports", transport]);
        client.opened(transport);
        for text in ["x", "probe", "é\"\\", " "] {
            server.push(&format!("2{text}"));
            server.wait_for("its pong", |state| {
                state.sessions[0].pongs.last().map(String::as_str) == Some(text)
            });
        }
        client.goes_on(&server);
        client.close();
        assert_eq!(server.shared.state().sessions[0].pongs, ["x", "probe", "é\"\\", " "]);
    });
}

#[test]
fn a_flood_of_pings_does_no_harm() {
    // In one body; the answers come in POSTs of at most sixteen packets, or the server complains.
    all(&TRANSPORTS, |transport| {
        let server = Server::usual(Config::default());
        let mut client = Client::connect(&server, &["--transports", transport]);
        client.opened(transport);
        server.shared.change(|_| ());
        for _ in 0..100 {
            server.push("2");
        }
        server.wait_for("a pong", |state| !state.sessions[0].pongs.is_empty());
        client.goes_on(&server);
        client.close();
    });
}

#[test]
fn other_packets_are_no_pings() {
    for transport in TRANSPORTS {
        let server = Server::usual(Config::beating(300, 200).silent());
        let mut client = Client::connect(&server, &["--transports", transport]);
        client.opened(transport);
        let mut ended = false;
        while !ended && client.elapsed() < Duration::from_secs(3) {
            for packet in ["6", "3", "4x"] {
                server.push(packet);
            }
            std::thread::sleep(Duration::from_millis(20));
            match client.next_within(Duration::from_millis(20)) {
                Some(Event::Text(_)) | None => {}
                Some(Event::Close(reason)) => {
                    assert_eq!(reason, "ping timeout");
                    ended = true;
                }
                Some(Event::Error { .. }) => {
                    client.closed(&["ping timeout"]);
                    ended = true;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(ended, "messages kept it alive");
        client.ended(1);
    }
}

#[test]
fn pings_of_the_websocket_are_no_pings() {
    let server = Server::start(Config::beating(300, 200).silent(), |visit| {
        visit.open_directly();
        while visit.frame(FIN | PING, "x") {
            if visit.incoming(Duration::from_millis(30)) == Incoming::End {
                break;
            }
        }
        Next::Close
    });
    times_out(&server, "websocket");
}

#[test]
fn a_trickle_is_no_ping() {
    // Bytes that come and come, and never make a packet.
    fn drip(visit: &mut Visit, start: &str) -> Next {
        visit.write(start);
        while visit.write("x") && !visit.shared.is_stopping() {
            visit.sleep(20);
        }
        Next::Close
    }
    let server = Server::start(Config::beating(300, 200).silent(), |visit| match visit.kind {
        Kind::Poll => drip(visit, "HTTP/1.1 200 OK\r\nX-Header: "),
        _ => Next::Usual,
    });
    times_out(&server, "polling");
    let server = Server::start(Config::beating(300, 200).silent(), |visit| match visit.kind {
        Kind::Poll => drip(visit, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n4"),
        _ => Next::Usual,
    });
    times_out(&server, "polling");
    let server = Server::start(Config::beating(300, 200).silent(), |visit| {
        visit.open_directly();
        drip(visit, "\u{1}\u{7e}\u{7f}\u{7f}4")
    });
    times_out(&server, "websocket");
}

#[test]
fn a_ping_in_the_middle_of_messages_is_answered() {
    let server = Server::start(Config::beating(200, 800), |visit| match visit.kind {
        Kind::Poll if visit.nth == 0 => visit.ok("4a\x1e2\x1e4b\x1e2x\x1e4c"),
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.text("a");
    client.text("b");
    client.text("c");
    server.wait_for("a pong with text", |state| {
        state.sessions[0].pongs.contains(&"x".to_owned())
    });
    client.close();
}

#[test]
fn the_heart_beats_through_an_upgrade() {
    let config = Config {
        upgrades: true,
        ..Config::beating(150, 850)
    };
    let server = Server::start(config, |visit| match visit.kind {
        Kind::Upgrade => {
            visit.sleep(400);
            Next::Usual
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.upgraded();
    server.wait_for("twelve pongs", |state| state.sessions[0].pongs.len() >= 12);
    client.goes_on(&server);
    client.close();
}

#[test]
fn silent_after_the_upgrade() {
    let config = Config {
        upgrades: true,
        ..Config::beating(300, 700).silent()
    };
    let server = Server::usual(config);
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.upgraded();
    client.failed(&["ping timeout"]);
    client.ended(1);
    assert!(client.elapsed() < Duration::from_secs(4), "{:?}", client.elapsed());
}
