//! Who is let in, and as what.

use std::thread;
use std::time::Duration;

use super::peer::{Peer, Plan, on_every_transport};

#[test]
fn a_sockets_id_tells_nothing_of_the_engines() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, main) = Peer::join(server, plan);
        let custom = peer.enter("/custom", "");
        let (_other, others) = Peer::join(server, plan);
        let mut ids = [&main[..], &custom, &others, &peer.sid];
        assert!(ids.iter().all(|id| id.len() == 20), "{ids:?}");
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
        assert_eq!(peer.call(r#"["who"]"#), format!(r#"[{{"id":"{main}","rooms":[]}}]"#));
        // Known as a room, an id is no key to a session.
        server
            .get(&format!("{}&sid={main}", crate::client::POLLING))
            .assert_error(1);
    });
}

/// The refusals, the middle columns of the matrix; everywhere the connection stays, and may try again.
const REFUSALS: [(&str, &str, &str); 14] = [
    ("/reject", "", r#"{"message":"nope","data":{"code":7}}"#),
    (
        "/reject",
        r#"{"token":"secret"}"#,
        r#"{"message":"nope","data":{"code":7}}"#,
    ),
    ("/auth", "", r#"{"message":"unauthorized"}"#),
    ("/auth", "{}", r#"{"message":"unauthorized"}"#),
    ("/auth", r#"{"token":["secret"]}"#, r#"{"message":"unauthorized"}"#),
    ("/auth", r#"{"token":"Secret"}"#, r#"{"message":"unauthorized"}"#),
    ("/nowhere", "", r#"{"message":"Invalid namespace"}"#),
    (
        "/nowhere",
        r#"{"token":"secret"}"#,
        r#"{"message":"Invalid namespace"}"#,
    ),
    ("/custom/", "", r#"{"message":"Invalid namespace"}"#),
    ("/Custom", "", r#"{"message":"Invalid namespace"}"#),
    ("/__proto__", "", r#"{"message":"Invalid namespace"}"#),
    ("/dyn-", "", r#"{"message":"Invalid namespace"}"#),
    ("/dyn-1x", "", r#"{"message":"Invalid namespace"}"#),
    ("/dyn-١", "", r#"{"message":"Invalid namespace"}"#),
];

#[test]
fn refusals_say_why_and_leave_the_connection() {
    on_every_transport(&[], |server, plan| {
        let mut peer = Peer::open(server, plan);
        for _ in 0..2 {
            for (namespace, auth, why) in REFUSALS {
                peer.send(&format!("0{namespace},{auth}"));
                peer.expect(&format!("4{namespace},{why}"));
            }
        }
        // Without a comma the name goes to the end, as in the protocol's own example.
        peer.send("0/nowhere");
        peer.expect(r#"4/nowhere,{"message":"Invalid namespace"}"#);
        let stats = server.stats();
        assert!(stats.contains(r#""rooms":0"#), "{stats}");
        // A number that would ask for an acknowledgement means nothing here; a query is part of the name.
        peer.send("0/custom?a=b,7");
        peer.expect(r#"4/custom?a=b,{"message":"Invalid namespace"}"#);
        peer.enter("/auth", r#"{"token":"secret"}"#);
        peer.enter("/", "");
        peer.expect_nothing();
    });
}

#[test]
fn whoever_is_refused_hears_nothing_and_is_not_counted() {
    on_every_transport(&[], |server, plan| {
        let mut refused = Peer::open(server, plan);
        refused.send("0/auth,");
        refused.expect(r#"4/auth,{"message":"unauthorized"}"#);
        let mut member = Peer::open(server, plan);
        member.enter("/auth", r#"{"token":"secret"}"#);
        member.send(r#"2/auth,["emit-all",1]"#);
        member.expect(r#"2/auth,["all",1]"#);
        member.send(r#"2/auth,8["count"]"#);
        member.expect("3/auth,8[1]");
        refused.enter("/", "");
        refused.expect_nothing();
    });
}

#[test]
fn several_namespaces_share_a_connection_and_nothing_else() {
    on_every_transport(&[], |server, plan| {
        let mut peer = Peer::open(server, plan);
        let names = ["/custom", "/", "/dyn-0", "/dyn-123456789012345678901234567890"];
        let ids = names.map(|name| peer.enter(name, &format!(r#"{{"for":"{name}"}}"#)));
        for (name, id) in names.iter().zip(&ids) {
            let prefix = if *name == "/" {
                String::new()
            } else {
                format!("{name},")
            };
            peer.send(&format!(r#"2{prefix}0["join","{name}"]"#));
            peer.expect(&format!("3{prefix}0[]"));
            peer.send(&format!(r#"2{prefix}1["who"]"#));
            peer.expect(&format!(r#"3{prefix}1[{{"id":"{id}","rooms":["{name}"]}}]"#));
        }
        // A room of one namespace is none of another.
        peer.send(r#"2/custom,["in-room","/","x"]"#);
        peer.send(r#"2["in-room","/","y"]"#);
        peer.expect(r#"2["room-msg","y"]"#);
        peer.send("1/custom,");
        peer.send("1/dyn-0");
        server.wait_for_stats(r#""/custom":0"#);
        peer.expect_nothing();
        server.wait_for_stats(r#""rooms":4"#);
    });
}

#[test]
fn whoever_asks_in_one_go_is_answered_in_order() {
    on_every_transport(&[], |server, plan| {
        let mut peer = Peer::open(server, plan);
        for packet in ["0/custom,", "0/nowhere,", "0/auth,", "0{\"a\":1}"] {
            peer.send(packet);
        }
        let mut packets: Vec<String> = (0..6).map(|_| peer.text()).collect();
        let order = |packets: &[String], name: &str| packets.iter().position(|packet| packet.starts_with(name));
        for (first, then) in [("0/custom,", "2/custom,"), ("0{", "2[")] {
            assert!(order(&packets, first) < order(&packets, then), "{packets:?}");
        }
        packets.retain(|packet| !packet.starts_with('0'));
        packets.sort_unstable();
        assert_eq!(
            packets,
            [
                r#"2/custom,["auth",{}]"#,
                r#"2["auth",{"a":1}]"#,
                r#"4/auth,{"message":"unauthorized"}"#,
                r#"4/nowhere,{"message":"Invalid namespace"}"#,
            ]
        );
    });
}

/// A client need not wait for the answer to its CONNECT; it is on its own where the answer is no.
#[test]
fn what_comes_before_the_answer_waits_for_it() {
    on_every_transport(&[], |server, plan| {
        let mut peer = Peer::open(server, plan);
        let packets = [
            "0",
            "2[\"join\",\"r\"]",
            "2[\"message\",1]",
            "1",
            "0{\"again\":1}",
            "21[\"who\"]",
        ];
        match plan {
            Plan::Polling => {
                let packets: Vec<String> = packets.iter().map(|packet| format!("4{packet}")).collect();
                peer.post(&packets.join("\u{1e}")).assert_ok("ok");
            }
            Plan::WebSocket | Plan::Upgrade => packets.iter().for_each(|packet| peer.send(packet)),
        }
        let mut heard = vec![peer.text()];
        while !heard.last().is_some_and(|packet| packet.starts_with("31[")) {
            heard.push(peer.text());
        }
        // What the first one has said may be answered too late for it, and for the second one it is nothing.
        heard.retain(|packet| packet != "2[\"message-back\",1]");
        let [first, auth, second, again, who] = &heard[..] else {
            panic!("{heard:?}");
        };
        assert!(
            first.starts_with("0{") && second.starts_with("0{") && first != second,
            "{heard:?}"
        );
        assert_eq!([auth, again], ["2[\"auth\",{}]", "2[\"auth\",{\"again\":1}]"]);
        assert!(who.ends_with("\"rooms\":[]}]"), "{heard:?}");

        let mut refused = Peer::open(server, plan);
        match plan {
            Plan::Polling => drop(refused.post("40/auth,\u{1e}42/auth,[\"emit-all\"]")),
            Plan::WebSocket | Plan::Upgrade => {
                refused.send("0/auth,");
                refused.send_if_open("2/auth,[\"emit-all\"]");
            }
        }
        refused.expect(r#"4/auth,{"message":"unauthorized"}"#);
        assert_eq!(refused.expect_end(), []);
    });
}

#[test]
fn whoever_joins_nothing_in_time_is_thrown_out() {
    on_every_transport(&["--connect-timeout", "1s"], |server, plan| {
        let mut idle = Peer::open(server, plan);
        let mut refused = Peer::open(server, plan);
        refused.send("0/auth,");
        refused.expect(r#"4/auth,{"message":"unauthorized"}"#);
        let (mut gone, _) = Peer::join(server, plan);
        gone.send("1");
        let mut other = Peer::open(server, plan);
        other.enter("/dyn-5", "");
        for peer in [&mut idle, &mut refused, &mut gone] {
            assert_eq!(peer.expect_end(), []);
        }
        thread::sleep(Duration::from_millis(1100));
        other.enter("/", "");
        other.expect_nothing();
    });
}
