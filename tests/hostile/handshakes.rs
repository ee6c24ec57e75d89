//! Open packets that are none, or not quite.

use std::time::Duration;

use crate::client::{Client, Event, all};
use crate::frames::{BINARY, CLOSE, FIN, TEXT};
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;
use crate::visit::Next;

/// Open packets that no session can begin with.
fn wrong_open_packets() -> Vec<String> {
    let mut packets = vec![
        // No sid, or no usable one.
        r#"0{"upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#.to_owned(),
        with_sid(r#""""#),
        with_sid("17"),
        with_sid("null"),
        with_sid("{}"),
        with_sid(r#"["session"]"#),
        with_sid(r#""a\u0000b""#),
        with_sid(r#""a\r\nX-Injected: yes""#),
        // No timing, or none that makes sense.
        r#"0{"sid":"abc","upgrades":[],"pingTimeout":20000}"#.to_owned(),
        r#"0{"sid":"abc","upgrades":[],"pingInterval":25000}"#.to_owned(),
        with_interval(r#""25000""#),
        with_interval("-1"),
        with_interval("null"),
        with_interval("{}"),
        with_interval("1e999"),
        with_max_payload("-1"),
        with_max_payload(r#""much""#),
        with_max_payload("[]"),
        // Not an object at all.
        "0".to_owned(),
        "0{".to_owned(),
        "0{}".to_owned(),
        "0[]".to_owned(),
        "0null".to_owned(),
        "0\"session\"".to_owned(),
        format!("0{}", r#"{"sid":"#.repeat(20_000)),
        format!("0{}", "[".repeat(200_000)),
        with_sid(r#""abc""#) + "}",
        with_sid(r#""abc""#) + "\0",
        " ".to_owned() + &with_sid(r#""abc""#),
    ];
    // Another packet, or none.
    packets.extend(
        [
            "", "4hello", "2", "6", "1", "3probe", "7", "x", "hello", "b", "bAAAA", "bAAA!",
        ]
        .map(str::to_owned),
    );
    packets
}

fn with_sid(sid: &str) -> String {
    format!(r#"0{{"sid":{sid},"upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#)
}

fn with_interval(interval: &str) -> String {
    format!(r#"0{{"sid":"abc","upgrades":[],"pingInterval":{interval},"pingTimeout":20000,"maxPayload":1000000}}"#)
}

fn with_max_payload(limit: &str) -> String {
    format!(r#"0{{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":{limit}}}"#)
}

#[test]
fn wrong_ones_over_polling_are_refused() {
    all(&wrong_open_packets(), |packet| {
        let body = packet.clone();
        let server = Server::start(Config::default(), move |visit| visit.ok(&body));
        Client::connect(&server, &["--transports", "polling"]).refused(&["protocol"]);
        assert_eq!(server.shared.state().kinds, [Kind::Open], "{packet:?}");
    });
}

#[test]
fn wrong_ones_over_the_websocket_are_refused() {
    all(&wrong_open_packets(), |packet| {
        let body = packet.clone();
        let server = Server::start(Config::default(), move |visit| {
            visit.accept();
            visit.text(&body);
            visit.stay_silent()
        });
        Client::connect(&server, &["--transports", "websocket"]).refused(&["protocol"]);
        assert_eq!(server.shared.state().kinds, [Kind::Direct], "{packet:?}");
    });
}

#[test]
fn wrong_first_frames_are_refused() {
    let good = with_sid(r#""abc""#);
    let cases: &[(u8, &[u8])] = &[
        (FIN | BINARY, good.as_bytes()),
        (FIN | BINARY, b""),
        (FIN | TEXT, b"0\xff"),
        (FIN | CLOSE, b""),
        (FIN | CLOSE, b"\x03\xe8bye"),
    ];
    all(cases, |&(first, payload)| {
        let payload = payload.to_vec();
        let server = Server::start(Config::default(), move |visit| {
            visit.accept();
            visit.frame(first, &payload);
            visit.stay_silent()
        });
        Client::connect(&server, &["--transports", "websocket"]).refused(&["protocol", "connection"]);
    });
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let good = with_sid(r#""abc""#).into_bytes();
    let half = [&good[..8], b"\xc3", &good[8..]].concat();
    let cases = [
        b"\xff".to_vec(),
        b"0\xff".to_vec(),
        half,
        b"\0".to_vec(),
        b"\x1e".to_vec(),
        vec![0x1e; 5000],
    ];
    all(&cases, |body| {
        let body = body.clone();
        let server = Server::start(Config::default(), move |visit| visit.ok(&body));
        Client::connect(&server, &["--transports", "polling"]).refused(&["protocol"]);
        assert_eq!(server.shared.state().kinds, [Kind::Open]);
    });
}

#[test]
fn odd_ones_are_refused_or_work() {
    let long = format!("\"{}\"", "a".repeat(3000));
    let packets = [
        with_sid(r#""a\"b""#),
        with_sid(r#""a b&sid=c#d?e/%41+é""#),
        with_sid(r#""../..""#),
        with_sid(&long),
        with_interval("0"),
        with_interval("0.5"),
        with_interval("25000.5"),
        with_interval("1e300"),
        with_interval("18446744073709551615"),
        with_interval("18446744073709551616000"),
        with_interval("9007199254740993"),
        with_max_payload("null"),
        with_max_payload("0"),
        with_max_payload("1e300"),
        with_max_payload("18446744073709551615"),
        // Nothing about upgrades and sizes, as servers of old did; strange offers.
        r#"0{"sid":"abc","pingInterval":25000,"pingTimeout":20000}"#.to_owned(),
        r#"0{"sid":"abc","upgrades":["webtransport","flashsocket",""],"pingInterval":25000,"pingTimeout":20000}"#
            .to_owned(),
        r#"0{"sid":"abc","upgrades":"websocket","pingInterval":25000,"pingTimeout":20000}"#.to_owned(),
        r#"0{"sid":"abc","upgrades":[1,null],"pingInterval":25000,"pingTimeout":20000}"#.to_owned(),
        // What is known twice, or not known at all.
        r#"0{"sid":"x","sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#.to_owned(),
        r#"0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"extra":{"a":[1]}}"#.to_owned(),
        "0 \n".to_owned() + &with_sid(r#""abc""#)[1..] + "\r\n",
    ];
    all(&packets, |packet| {
        let body = packet.clone();
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Open => {
                let json: serde_json::Value = serde_json::from_str(&body[1..]).unwrap_or_default();
                visit.begin(json["sid"].as_str().unwrap_or("abc"));
                visit.ok(&body)
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &["--transports", "polling"]);
        match client.next() {
            Event::Error { kind, .. } => {
                assert_eq!(kind, "protocol", "{packet:?}");
                client.ended(1);
            }
            Event::Open { sid, .. } => {
                assert_eq!(sid, server.sid(), "{packet:?}");
                odd_session(&server, &mut client);
            }
            other => panic!("{packet:?}: {other:?}"),
        }
    });
}

/// Whatever the numbers in its handshake were taken for: it works, or says what does not.
fn odd_session(server: &Server, client: &mut Client) {
    server.push("4a");
    match client.next() {
        Event::Text(text) => assert_eq!(text, "a"),
        // A ping interval of next to nothing is soon over.
        Event::Close(reason) => {
            assert_eq!(reason, "ping timeout");
            client.ended(1);
            return;
        }
        other => panic!("{other:?}"),
    }
    client.send("b");
    client.ask_to_close();
    match client.next() {
        Event::Close(reason) => {
            assert_eq!(reason, "client disconnect");
            server.assert_messages(&["4b"]);
        }
        // Nothing fits where the limit is zero.
        Event::Error { kind, .. } => {
            assert_eq!(kind, "too_large");
            client.closed(&["client disconnect"]);
            server.assert_messages(&[]);
        }
        other => panic!("{other:?}"),
    }
    client.ended(0);
}

#[test]
fn a_session_id_is_escaped_in_the_query() {
    const SID: &str = "a&transport=x#y z+%";
    for upgrades in [false, true] {
        let config = Config {
            upgrades,
            ..Config::default()
        };
        let server = Server::start(config, move |visit| match visit.kind {
            Kind::Open => {
                visit.begin(SID);
                let packet = visit.shared.config.open_packet(SID, upgrades);
                visit.ok(packet)
            }
            // Nothing to fall back to.
            Kind::Direct => visit.answer("400 Bad Request", &[], ""),
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        match client.next() {
            Event::Open { sid, .. } => assert_eq!(sid, SID),
            // Refusing it as an id that no server gives is as good.
            Event::Error { kind, .. } => {
                assert_eq!(kind, "protocol");
                client.ended(1);
                continue;
            }
            other => panic!("{other:?}"),
        }
        if upgrades {
            client.upgraded();
        }
        client.goes_on(&server);
        client.close();
    }
}

#[test]
fn two_open_packets_at_once_are_a_parse_error() {
    let both = with_sid(r#""abc""#) + "\x1e" + &with_sid(r#""def""#);
    let server = Server::start(Config::default(), move |visit| match visit.kind {
        Kind::Open => {
            visit.begin("abc");
            visit.ok(&both)
        }
        _ => visit.stay_silent(),
    });
    let mut client = Client::connect(&server, &["--transports", "polling"]);
    match client.next() {
        // Refused whole, or taken up to where it is wrong.
        Event::Error { kind, .. } => assert_eq!(kind, "protocol"),
        Event::Open { sid, .. } => {
            assert_eq!(sid, "abc");
            client.error(&["protocol"]);
            client.closed(&["parse error"]);
        }
        other => panic!("{other:?}"),
    }
    client.ended(1);
}

#[test]
fn packets_behind_the_open_packet_belong_to_the_session() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Open => {
            let packet = visit.open_session();
            visit.ok(packet + "\x1e4first\x1e6\x1ebAQ==\x1e4second")
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.text("first");
    client.binary(b"\x01");
    client.text("second");
    client.goes_on(&server);
    client.close();
}

#[test]
fn a_close_packet_behind_the_open_packet_ends_it() {
    let server = Server::start(Config::default(), |visit| {
        let packet = visit.open_session();
        visit.ok(packet + "\x1e4first\x1e1\x1e4second")
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.text("first");
    client.closed(&["server disconnect"]);
    client.ended(1);
    // Nobody polls a session that is over.
    assert_eq!(server.shared.state().kinds, [Kind::Open]);
}

#[test]
fn an_endless_open_packet_is_refused() {
    let server = Server::start(Config::default(), |visit| {
        visit.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = format!("100000\r\n{}\r\n", "0".repeat(0x10_0000));
        // A hundred MB, of which the client should not take all.
        for at in 0..100 {
            if !visit.write(&chunk) {
                return Next::Close;
            }
            if at == 90 {
                visit.complain("a hundred MB of an open packet were taken");
            }
        }
        visit.stay_silent()
    });
    let client = Client::connect(&server, &["--transports", "polling", "--timeout", "8s"]);
    client.refused(&["protocol", "too_large"]);
}

#[test]
fn an_endless_first_frame_is_refused() {
    let server = Server::start(Config::default(), |visit| {
        visit.accept();
        visit.write(crate::frames::header(FIN | TEXT, 1 << 40));
        visit.write("0{");
        visit.stay_silent()
    });
    let client = Client::connect(&server, &["--transports", "websocket"]);
    let elapsed = {
        let mut client = client;
        client.error(&["protocol", "too_large"]);
        client.ended(1);
        client.elapsed()
    };
    assert!(
        elapsed < Duration::from_secs(5),
        "what is announced is refused: {elapsed:?}"
    );
}
