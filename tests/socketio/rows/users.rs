//! What users of the other implementations have lost time with.

use std::sync::mpsc;

use sansocket::runtime::socketio::Refused;

use super::peer::{Peer, Plan, on_every_transport};
use crate::client::{Client, POLLING, WEBSOCKET};
use crate::http::PATIENCE;
use crate::server::{Server, options};
use crate::session::sid_of;
use crate::waiting::Gate;
use crate::websocket::{BINARY, CONTINUATION, FIN, TEXT, WebSocket};

/// Abandoned sessions that nothing reclaims, half-way at whatever step.
#[test]
fn abandoned_at_any_step_nothing_is_kept() {
    let flags = [
        "--ping-interval",
        "300ms",
        "--ping-timeout",
        "1s",
        "--upgrade-timeout",
        "300ms",
    ];
    let server = Server::app("socketio", &flags);
    for _ in 0..20 {
        let sid = sid_of(server.get(POLLING).text());
        let target = format!("{POLLING}&sid={sid}");
        server.post(&target, "40").assert_ok("ok");
        // A half-open upgrade, with and without a probe.
        let sid = sid_of(server.get(POLLING).text());
        server.post(&format!("{POLLING}&sid={sid}"), "40").assert_ok("ok");
        let mut probing = WebSocket::connect(&server, &format!("{WEBSOCKET}&sid={sid}"));
        probing.text("2probe");
        let sid = sid_of(server.get(POLLING).text());
        let silent = WebSocket::connect(&server, &format!("{WEBSOCKET}&sid={sid}"));
        // In the middle of a packet, of a message, of a join.
        let (mut assembling, _) = Peer::join(&server, Plan::WebSocket);
        assembling.send("510-[\"message\"]");
        let (mut fragment, _) = Peer::join(&server, Plan::WebSocket);
        if let Some(websocket) = &mut fragment.websocket {
            websocket.frame(TEXT, b"42[\"mess");
        }
        let mut joining = Peer::open(&server, Plan::WebSocket);
        joining.send("0/auth,{\"token\":\"secret\"}");
        drop((silent, assembling, fragment, joining));
    }
    server.expect_nothing_kept();
    server.finish();
}

/// More than 16 packets in one payload: refused by Python, and dropped by its clients.
#[test]
fn many_packets_may_come_at_once_and_few_go_out_at_once() {
    let server = Server::app("socketio", &[]);
    let (mut peer, _) = Peer::join(&server, Plan::Polling);
    let packets: Vec<String> = (0..500).map(|n| format!("42[\"message\",{n}]")).collect();
    peer.post(&packets.join("\u{1e}")).assert_ok("ok");
    for n in 0..500 {
        peer.expect(&format!("2[\"message-back\",{n}]"));
    }
    peer.send("2[\"burst\",100]");
    let mut came = 0;
    while came < 100 {
        let answer = peer.poll();
        let count = answer.text().split('\u{1e}').count();
        assert!(count <= 16, "{count} packets in one response");
        came += count;
    }
    drop(peer);
    server.expect_nothing_kept();
    server.finish();
}

/// What a client of somebody else's sends right after it has connected.
#[test]
fn pongs_that_nobody_has_asked_for_do_no_harm() {
    on_every_transport(
        &["--ping-interval", "500ms", "--ping-timeout", "20s"],
        |server, plan| {
            let mut peer = Peer::open(server, plan);
            for _ in 0..50 {
                match &mut peer.websocket {
                    Some(websocket) => websocket.text("3"),
                    None => peer.post("3").assert_ok("ok"),
                }
            }
            peer.enter("/", "");
            // Nor does any count for a later ping, or make more of them.
            for _ in 0..3 {
                match &mut peer.websocket {
                    Some(websocket) => {
                        websocket.assert_text("2");
                        websocket.text("3");
                    }
                    None => {
                        peer.poll().assert_ok("2");
                        peer.post("3").assert_ok("ok");
                    }
                }
            }
            peer.expect_nothing();
        },
    );
}

/// A panic of others at a character of several bytes.
#[test]
fn characters_of_several_bytes_may_stand_anywhere() {
    on_every_transport(&[], |server, plan| {
        for packet in [
            "é1234", "2é", "21é[]", "2/é", "2/é,[]", "51é-[]", "5é", "0/😀", "3é[]", "€",
        ] {
            let (mut peer, _) = Peer::join(server, plan);
            peer.send(packet);
            if packet == "0/😀" {
                peer.expect(r#"4/😀,{"message":"Invalid namespace"}"#);
                peer.expect_nothing();
            } else {
                assert_eq!(peer.expect_end(), [], "{packet}");
            }
        }
    });
}

/// The separator of polling means nothing on a WebSocket, and nothing in bytes.
#[test]
fn the_separator_of_polling_is_a_byte_like_any_other() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        peer.send(r#"51-["message",{"_placeholder":true,"num":0}]"#);
        peer.send_bytes(b"\x01\x1e\x02");
        peer.expect(r#"51-["message-back",{"_placeholder":true,"num":0}]"#);
        peer.expect_bytes(b"\x01\x1e\x02");
    });
}

/// Memory for each of a million fragments.
#[test]
fn tiny_fragments_are_put_together() {
    let server = Server::app("socketio", &[]);
    let (mut peer, _) = Peer::join(&server, Plan::WebSocket);
    let packet = format!("42[\"message\",\"{}\"]", "x".repeat(20_000));
    let websocket = peer.websocket.as_mut().expect("it is on a WebSocket");
    let mut frames = crate::websocket::frame(TEXT, b"");
    for byte in packet.as_bytes() {
        frames.extend(crate::websocket::frame(CONTINUATION, std::slice::from_ref(byte)));
        frames.extend(crate::websocket::frame(CONTINUATION, b""));
    }
    frames.extend(crate::websocket::frame(CONTINUATION | FIN, b""));
    websocket.send(frames);
    peer.expect(&packet[1..].replace("message", "message-back"));
    drop(peer);
    server.expect_nothing_kept();
    server.finish();
}

/// The limit counts on a WebSocket too, for attachments as for text.
#[test]
fn what_is_above_the_limit_ends_it() {
    let server = Server::app("socketio", &["--max-payload", "10000"]);
    for binary in [false, true] {
        let (mut peer, _) = Peer::join(&server, Plan::WebSocket);
        peer.send("51-[\"message\",{\"_placeholder\":true,\"num\":0}]");
        let websocket = peer.websocket.as_mut().expect("it is on a WebSocket");
        websocket.frame(FIN | if binary { BINARY } else { TEXT }, &[b'4'; 10_001]);
        assert_eq!(websocket.assert_closes(), Some(1009));
        drop(peer);
    }
    // Over polling the session lives: what was too much was never looked at.
    let (mut peer, _) = Peer::join(&server, Plan::Polling);
    assert_eq!(
        peer.post(&format!("42[\"message\",\"{}\"]", "x".repeat(10_000))).status,
        413
    );
    peer.expect_nothing();
    drop(peer);
    server.expect_nothing_kept();
    server.finish();
}

/// A hundred clients, who come in every way and go in every way, and leave nothing.
#[test]
fn coming_and_going_leaves_nothing() {
    let server = Server::app("socketio", &[]);
    let mut witness = Peer::open(&server, Plan::WebSocket);
    witness.enter("/", "");
    for round in 0..34 {
        for plan in super::peer::PLANS {
            let (mut peer, _) = Peer::join(&server, plan);
            peer.enter("/dyn-7", "");
            assert_eq!(peer.call(&format!("[\"join\",\"{round}\"]")), "[]");
            match round % 4 {
                0 => peer.send("1"),
                1 => {
                    peer.send(r#"2["disconnect-me",true]"#);
                    assert_eq!(peer.expect_end().len(), 2);
                }
                2 => peer.send("2["),
                _ => {}
            }
        }
    }
    crate::waiting::wait_until("only the witness is left", || {
        let stats = server.stats();
        stats.contains(r#""sessions":1"#) && stats.contains(r#""rooms":1"#) && !stats.contains("/dyn-7")
    });
    assert_eq!(witness.call(r#"["count"]"#), "[1]");
    drop(witness);
    server.expect_nothing_kept();
    server.finish();
}

/// Others tell nobody of the end of a socket that was still being judged, or keep it.
#[test]
fn whoever_goes_away_while_it_is_judged_is_not_kept() {
    let gate = Gate::default();
    let (judging, judged) = mpsc::channel();
    let (says, told) = mpsc::channel();
    let server = Server::host(options(), |io| {
        let opened = gate.clone();
        let (joined, left) = (says.clone(), says);
        io.of("/")
            .on_connect(move |request| {
                let (gate, judging) = (opened.clone(), judging.clone());
                async move {
                    judging.send(()).map_err(|_| Refused::new("the test is over"))?;
                    request.join("a room");
                    gate.pass().await;
                    Ok(())
                }
            })
            .on_connected(move |_| {
                let joined = joined.clone();
                async move { joined.send("joined") }
            })
            .on_disconnect(move |_, _| {
                let left = left.clone();
                async move { left.send("left") }
            });
    });
    let mut gone: Vec<Client> = (0..3).map(|_| Client::open(&server)).collect();
    for client in &mut gone {
        client.send("0");
        judged.recv_timeout(PATIENCE).expect("it is judged");
    }
    drop(gone);
    gate.open();
    let handle = server.handle();
    crate::waiting::wait_until("nobody is left", || {
        handle.connections() == 0 && handle.of("/").is_empty() && handle.stats().rooms == 0
    });
    // Whoever was told to have joined is told to have left.
    let count = |word: &str, words: &[&str]| words.iter().filter(|said| **said == word).count();
    let words: Vec<&str> = told.try_iter().collect();
    assert_eq!(count("joined", &words), count("left", &words), "{words:?}");
    server.finish();
}
