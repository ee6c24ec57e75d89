//! Every handler of the contract.

use super::peer::{Peer, Plan, on_every_transport};
use crate::server::Server;

const HOLE: &str = r#"{"_placeholder":true,"num":0}"#;

#[test]
fn message_and_message_with_ack() {
    on_every_transport(&[], |server, plan| {
        let mut peer = Peer::open(server, plan);
        for namespace in ["/", "/custom", "/dyn-42", "/auth"] {
            let prefix = if namespace == "/" {
                String::new()
            } else {
                format!("{namespace},")
            };
            peer.enter(namespace, r#"{"token":"secret"}"#);
            peer.send(&format!(r#"2{prefix}["message",1,"2",{{"3":[true]}}]"#));
            peer.expect(&format!(r#"2{prefix}["message-back",1,"2",{{"3":[true]}}]"#));
            peer.send(&format!(r#"2{prefix}456["message-with-ack",1,"2",{{"3":[false]}}]"#));
            peer.expect(&format!(r#"3{prefix}456[1,"2",{{"3":[false]}}]"#));
            peer.send(&format!(r#"51-{prefix}["message",{HOLE}]"#));
            peer.send_bytes(b"x");
            peer.expect(&format!(r#"51-{prefix}["message-back",{HOLE}]"#));
            peer.expect_bytes(b"x");
        }
        // Who wants no acknowledgement of `message-with-ack` gets none; who wants one of `message` gets it, and it is empty.
        peer.send(r#"2["message-with-ack",1]"#);
        peer.send(r#"28["message",1]"#);
        peer.expect(r#"2["message-back",1]"#);
        peer.expect("38[]");
        peer.expect_nothing();
    });
}

#[test]
fn join_leave_and_who() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, id) = Peer::join(server, plan);
        for room in ["b", "ä", "a", "b", "__proto__", ""] {
            assert_eq!(peer.call(&format!(r#"["join","{room}"]"#)), "[]");
        }
        // Sorted, and each once.
        let rooms = r#"["","__proto__","a","b","ä"]"#;
        assert_eq!(peer.call(r#"["who"]"#), format!(r#"[{{"id":"{id}","rooms":{rooms}}}]"#));
        assert!(server.stats().contains(r#""rooms":6"#), "{}", server.stats());
        for room in ["", "a", "a", "nobody is there"] {
            assert_eq!(peer.call(&format!(r#"["leave","{room}"]"#)), "[]");
        }
        // An acknowledgement is nobody's duty.
        peer.send(r#"2["join","c"]"#);
        peer.send(r#"2["leave","b"]"#);
        let rooms = r#"["__proto__","c","ä"]"#;
        assert_eq!(peer.call(r#"["who"]"#), format!(r#"[{{"id":"{id}","rooms":{rooms}}}]"#));
        assert!(server.stats().contains(r#""rooms":4"#), "{}", server.stats());
    });
}

#[test]
fn to_room_and_in_room() {
    on_every_transport(&[], |server, plan| {
        let (mut a, a_id) = Peer::join(server, plan);
        // Whoever is in a room need not have come as the others have.
        let (mut b, _) = Peer::join(server, Plan::WebSocket);
        let (mut c, _) = Peer::join(server, Plan::Polling);
        for peer in [&mut a, &mut b] {
            assert_eq!(peer.call(r#"["join","room"]"#), "[]");
            assert_eq!(peer.call(r#"["join","room"]"#), "[]");
        }
        a.send(r#"2["to-room","room",1,[2]]"#);
        b.expect(r#"2["room-msg",1,[2]]"#);
        c.send(r#"2["to-room","room"]"#);
        a.expect(r#"2["room-msg"]"#);
        b.expect(r#"2["room-msg"]"#);
        c.send(&format!(r#"51-["in-room","room","bytes",{HOLE}]"#));
        c.send_bytes(&[1, 2]);
        a.send(&format!(r#"51-["in-room","room",{HOLE}]"#));
        a.send_bytes(&[3]);
        for peer in [&mut a, &mut b] {
            let mut first = peer.text();
            let mut bytes = vec![1, 2];
            if first == format!(r#"51-["room-msg",{HOLE}]"#) {
                // The two were sent over two connections.
                peer.expect_bytes(&[3]);
                first = peer.text();
            } else {
                bytes = vec![3];
            }
            assert!(first == format!(r#"51-["room-msg","bytes",{HOLE}]"#), "{first}");
            match bytes[0] {
                1 => peer.expect_bytes(&[1, 2]),
                _ => {
                    peer.expect_bytes(&[1, 2]);
                    peer.expect(&format!(r#"51-["room-msg",{HOLE}]"#));
                    peer.expect_bytes(&[3]);
                }
            }
        }
        // An id is a room; nobody is in others, and they are no mistake.
        b.send(&format!(r#"2["to-room","{a_id}","for a"]"#));
        a.expect(r#"2["room-msg","for a"]"#);
        a.send(&format!(r#"2["to-room","{a_id}","for nobody"]"#));
        a.send(r#"2["in-room","nowhere","for nobody"]"#);
        for peer in [&mut a, &mut b, &mut c] {
            peer.expect_nothing();
        }
    });
}

#[test]
fn broadcast_emit_all_and_count() {
    on_every_transport(&[], |server, plan| {
        let (mut a, _) = Peer::join(server, plan);
        let (mut b, _) = Peer::join(server, Plan::WebSocket);
        let (mut c, _) = Peer::join(server, Plan::Polling);
        let mut elsewhere = Peer::open(server, plan);
        elsewhere.enter("/custom", "");
        assert_eq!(a.call(r#"["count"]"#), "[3]");
        a.send(&format!(r#"51-["broadcast",{HOLE},"x"]"#));
        a.send_bytes(&[9]);
        for peer in [&mut b, &mut c] {
            peer.expect(&format!(r#"51-["broadcast",{HOLE},"x"]"#));
            peer.expect_bytes(&[9]);
        }
        b.send(r#"2["emit-all",1,2]"#);
        for peer in [&mut a, &mut b, &mut c] {
            peer.expect(r#"2["all",1,2]"#);
        }
        elsewhere.send(r#"2/custom,["broadcast"]"#);
        elsewhere.send(r#"2/custom,1["count"]"#);
        elsewhere.expect("3/custom,1[1]");
        for peer in [&mut a, &mut b, &mut c] {
            peer.expect_nothing();
        }
    });
}

#[test]
fn disconnect_me() {
    on_every_transport(&[], |server, plan| {
        for argument in ["", ",false", ",null", ",\"yes\"", ",1"] {
            let (mut peer, _) = Peer::join(server, plan);
            peer.enter("/custom", "");
            peer.send(&format!(r#"2["disconnect-me"{argument}]"#));
            peer.expect("1");
            peer.send(r#"2/custom,1["message-with-ack","here"]"#);
            peer.expect(r#"3/custom,1["here"]"#);
        }
        let (mut peer, _) = Peer::join(server, plan);
        peer.send(r#"2["disconnect-me",true]"#);
        peer.expect("1");
        assert_eq!(peer.expect_end(), []);
    });
}

#[test]
fn burst() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        peer.send(r#"2["burst",0]"#);
        peer.expect_nothing();
        peer.send(r#"2["burst",1]"#);
        peer.expect(r#"2["n",0]"#);
        peer.expect_nothing();
    });
}

#[test]
fn the_app_bench_speaks_both() {
    let server = Server::app("bench", &[]);
    for target in ["/", "/socket.io", "/engine.io", "/index.html"] {
        assert_eq!(server.get(target).status, 404, "{target}");
    }
    for plan in [Plan::WebSocket, Plan::Polling, Plan::Upgrade] {
        let mut peers: Vec<Peer<'_>> = (0..3).map(|_| Peer::open(&server, plan)).collect();
        for peer in &mut peers {
            peer.send("0");
            assert!(peer.text().starts_with(r#"0{"sid":""#));
            assert_eq!(peer.call(r#"["echo"]"#), "[]");
            peer.send(&format!(r#"51-3["echo",1,{HOLE},"two"]"#));
            peer.send_bytes(&[0; 5000]);
            peer.expect(&format!(r#"61-3[1,{HOLE},"two"]"#));
            peer.expect_bytes(&[0; 5000]);
        }
        peers[1].send(r#"2["broadcast","to all",1]"#);
        for peer in &mut peers {
            peer.expect(r#"2["msg","to all",1]"#);
        }
        peers[0].send("0/custom,");
        peers[0].expect(r#"4/custom,{"message":"Invalid namespace"}"#);
        let stats = server.stats();
        assert!(stats.contains(r#""sockets":{"/":3},"rooms":3"#), "{stats}");
        drop(peers);
        server.expect_nothing_kept();
    }
    // Nothing is compressed, whoever would like it.
    let mut connection = server.connect();
    let target = crate::client::POLLING;
    connection.request("GET", target, &["Accept-Encoding: gzip, deflate, br"], None);
    let answer = connection.response();
    assert_eq!(answer.header("content-encoding"), None);
    server.finish();
}
