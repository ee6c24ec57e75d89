//! How it ends, from either side, and coming back.

use std::thread;
use std::time::{Duration, Instant};

use super::peer::{PLANS, Packet, Peer, Plan, on_every_transport};
use crate::client::POLLING;
use crate::http::{Connection, PATIENCE};
use crate::server::Server;

#[test]
fn leaving_a_namespace_is_no_end_of_the_others() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, first) = Peer::join(server, plan);
        peer.enter("/custom", "");
        assert_eq!(peer.call(r#"["join","room"]"#), "[]");
        peer.send("1");
        peer.send(r#"2/custom,3["count"]"#);
        peer.expect("3/custom,3[1]");
        server.wait_for_stats(r#""/":0"#);
        server.wait_for_stats(r#""rooms":1"#);
        // Back under another name, and in no room.
        let second = peer.enter("/", "");
        assert_ne!(first, second);
        assert_eq!(peer.call(r#"["who"]"#), format!(r#"[{{"id":"{second}","rooms":[]}}]"#));
        peer.send("1/custom,");
        peer.send("1");
        // The last one has gone, and the connection is still there.
        peer.enter("/dyn-1", "");
    });
}

#[test]
fn whoever_is_thrown_out_may_come_back() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, first) = Peer::join(server, plan);
        peer.enter("/custom", "");
        peer.send(r#"2["disconnect-me"]"#);
        // On the way already when the client heard of it: dropped, and no end.
        peer.send(r#"2["message",1]"#);
        peer.expect("1");
        peer.send(r#"2["message",2]"#);
        peer.send("1");
        peer.send(r#"2/custom,4["count"]"#);
        peer.expect("3/custom,4[1]");
        assert_ne!(peer.enter("/", ""), first);
        peer.send(r#"2["disconnect-me",false]"#);
        peer.expect("1");
        peer.enter("/", "");
        peer.expect_nothing();
    });
}

#[test]
fn whoever_is_thrown_out_for_good_hears_it_in_every_namespace() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        peer.enter("/custom", "");
        peer.enter("/dyn-9", "");
        peer.send(r#"2["message","last"]"#);
        peer.send(r#"2/custom,["disconnect-me",true]"#);
        let mut packets = peer.expect_end();
        assert_eq!(packets.remove(0), Packet::Text(r#"2["message-back","last"]"#.into()));
        packets.sort_unstable_by_key(|packet| format!("{packet:?}"));
        let wanted = ["1", "1/custom,", "1/dyn-9,"].map(|packet| Packet::Text(packet.into()));
        assert_eq!(packets, wanted);
    });
}

#[test]
fn whoever_goes_away_is_gone_from_everywhere() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        let (mut witness, _) = Peer::join(server, plan);
        peer.enter("/custom", "");
        assert_eq!(peer.call(r#"["join","room"]"#), "[]");
        assert_eq!(witness.call(r#"["count"]"#), "[2]");
        drop(peer);
        server.wait_for_stats(r#""sessions":1"#);
        server.wait_for_stats(r#""rooms":1"#);
        assert_eq!(witness.call(r#"["count"]"#), "[1]");
        witness.send(r#"2["in-room","room",1]"#);
        witness.expect_nothing();
    });
}

#[test]
fn whoever_falls_silent_is_given_up() {
    on_every_transport(&["--ping-interval", "300ms", "--ping-timeout", "1s"], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        assert_eq!(peer.call(r#"["join","room"]"#), "[]");
        // Neither a poll nor a pong from now on.
        server.expect_nothing_kept();
        peer.vanish();
    });
}

#[test]
fn after_a_restart_everybody_starts_anew() {
    for plan in PLANS {
        println!("{plan:?}");
        let server = Server::app("socketio", &[]);
        let (mut peer, first) = Peer::join(&server, plan);
        assert_eq!(peer.call(r#"["join","room"]"#), "[]");
        let sid = peer.sid.clone();
        server.get("/__restart?down=100").assert_ok("{}");
        if plan != Plan::Polling {
            assert_eq!(peer.expect_end(), []);
        }
        // Without a goodbye: nothing tells a client that does not poll.
        peer.vanish();
        let deadline = Instant::now() + PATIENCE;
        while Connection::try_open(server.address).is_err() {
            assert!(Instant::now() < deadline, "it does not come back");
            thread::sleep(Duration::from_millis(5));
        }
        // The server that listens may still be the old one, for a moment.
        crate::waiting::wait_until("the old session is unknown", || {
            Connection::try_open(server.address).is_ok_and(|mut connection| {
                connection.request("GET", &format!("{POLLING}&sid={sid}"), &[], None);
                connection
                    .response_within(PATIENCE)
                    .is_ok_and(|answer| answer.status == 400)
            })
        });
        server.expect_nothing_kept();
        let (mut peer, second) = Peer::join(&server, plan);
        assert_ne!(first, second);
        assert_eq!(peer.call(r#"["who"]"#), format!(r#"[{{"id":"{second}","rooms":[]}}]"#));
        drop(peer);
        server.expect_nothing_kept();
        server.finish();
    }
}

#[test]
fn the_end_of_the_server_is_no_throwing_out() {
    for plan in PLANS {
        println!("{plan:?}");
        let server = Server::app("socketio", &[]);
        let (mut peer, _) = Peer::join(&server, plan);
        peer.send(r#"2["message","last"]"#);
        peer.expect(r#"2["message-back","last"]"#);
        match plan {
            Plan::Polling => {
                let mut waiting = server.connect();
                waiting.request("GET", &format!("{POLLING}&sid={}", peer.sid), &[], None);
                crate::session::settle();
                server.terminate();
                // No DISCONNECT: the client is to try again.
                waiting.response().assert_ok("1");
                peer.vanish();
            }
            Plan::WebSocket | Plan::Upgrade => {
                server.terminate();
                assert_eq!(peer.expect_end(), []);
                drop(peer);
            }
        }
        server.finish();
    }
}
