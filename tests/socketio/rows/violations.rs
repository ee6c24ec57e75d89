//! What a client may not send: its connection ends, and nothing else does.

use super::peer::{Peer, on_every_transport};

/// What a client that has joined `/` may not send.
const VIOLATIONS: [(&str, &str); 62] = [
    ("no packet at all", ""),
    ("an unknown type", "9"),
    ("an unknown type", "7[\"message\"]"),
    ("an unknown type", "abc"),
    ("a type of more than one byte", "é[\"message\"]"),
    ("a type of more than one byte", "😀"),
    ("Engine.IO's own separator", "\u{1e}"),
    // CONNECT
    ("a second CONNECT", "0"),
    ("a second CONNECT", "0{\"again\":true}"),
    ("a list for a CONNECT", "0/custom,[]"),
    ("text for a CONNECT", "0/custom,\"text\""),
    ("a truth for a CONNECT", "0/custom,true"),
    ("null for a CONNECT", "0/custom,null"),
    ("bad JSON for a CONNECT", "0/custom,{"),
    ("two values for a CONNECT", "0/custom,{}{}"),
    // DISCONNECT
    ("a DISCONNECT with a payload", "1{}"),
    ("a DISCONNECT of what was not joined", "1/custom,"),
    ("a DISCONNECT of what is not there", "1/nowhere,"),
    // EVENT
    ("an object for an event", "2{}"),
    ("text for an event", "2\"message\""),
    ("a list without a name", "2[]"),
    ("bad JSON", "2[\"open"),
    ("bad JSON", "2[\"message\",]"),
    ("bad JSON", "2[\"message\",'x']"),
    ("bad JSON", "2[\"message\"]]"),
    ("bad JSON", "2[\"message\",\"\u{1}\"]"),
    ("a name that is an object", "2[{\"toString\":\"foo\"}]"),
    ("a name that is a list", "2[[\"message\"]]"),
    ("a name that is null", "2[null]"),
    ("a name that is a truth", "2[true]"),
    ("a reserved name", "2[\"connect\"]"),
    ("a reserved name", "2[\"connect_error\",{}]"),
    ("a reserved name", "2[\"disconnect\",\"transport close\"]"),
    ("a reserved name", "2[\"disconnecting\"]"),
    ("a reserved name", "2[\"newListener\"]"),
    ("a reserved name", "2[\"removeListener\"]"),
    ("a reserved name, written otherwise", "2[\"\\u0063onnect\"]"),
    ("an event for what was not joined", "2/custom,[\"message\"]"),
    ("an event for what is not there", "2/nowhere,[\"message\"]"),
    ("an acknowledgement's number that is none", "2abc[\"message-with-ack\"]"),
    ("a negative number", "2-1[\"message-with-ack\"]"),
    ("a fraction", "21.5[\"message-with-ack\"]"),
    ("a number beyond 64 bits", "218446744073709551616[\"message-with-ack\"]"),
    (
        "a number of 30 digits",
        "2999999999999999999999999999999[\"message-with-ack\"]",
    ),
    // ACK
    ("an object for an ack", "30{}"),
    ("an ack for what was not joined", "3/custom,0[]"),
    ("an ack beyond 64 bits", "399999999999999999999999[]"),
    // CONNECT_ERROR
    ("what only servers say", "4{\"message\":\"no\"}"),
    ("what only servers say", "4/custom,\"no\""),
    // BINARY_EVENT and BINARY_ACK
    ("attachments 0", "50-[\"message\"]"),
    ("attachments 11", "511-[\"message\"]"),
    ("attachments 10^9", "51000000000-[\"message\"]"),
    (
        "attachments of 30 digits",
        "5999999999999999999999999999999-[\"message\"]",
    ),
    ("attachments below zero", "5-1-[\"message\"]"),
    ("no number of attachments", "5[\"message\"]"),
    ("no number of attachments", "5-[\"message\"]"),
    ("no dash", "51[\"message\",{\"_placeholder\":true,\"num\":0}]"),
    (
        "a placeholder of no attachment",
        "51-[\"message\",{\"_placeholder\":true,\"num\":1}]",
    ),
    (
        "a placeholder of no attachment",
        "51-[\"message\",{\"_placeholder\":true,\"num\":-1}]",
    ),
    (
        "a placeholder of no attachment",
        "51-[\"message\",{\"_placeholder\":true,\"num\":1000000000}]",
    ),
    (
        "a placeholder's number as text",
        "51-[\"message\",{\"_placeholder\":true,\"num\":\"0\"}]",
    ),
    (
        "a placeholder's number as text",
        "51-[\"message\",{\"_placeholder\":true,\"num\":\"splice\"}]",
    ),
];

#[test]
fn whoever_breaks_the_rules_is_thrown_out_alone() {
    on_every_transport(&[], |server, plan| {
        let (mut witness, _) = Peer::join(server, plan);
        for (what, packet) in VIOLATIONS {
            let (mut peer, _) = Peer::join(server, plan);
            println!("{what}: {packet}");
            peer.send(packet);
            if packet.starts_with('5') {
                // Some are found only when their attachments are there.
                peer.send_bytes_if_open(&[1]);
            }
            assert_eq!(peer.expect_end(), [], "{what}: {packet}");
        }
        witness.expect_nothing();
        assert_eq!(witness.call(r#"["count"]"#), "[1]");
    });
}

#[test]
fn whoever_has_joined_nothing_may_only_join() {
    on_every_transport(&[], |server, plan| {
        for packet in [
            "1",
            "2[\"message\"]",
            "20[\"who\"]",
            "3[]",
            "30[]",
            "4{}",
            "51-[\"message\"]",
        ] {
            let mut peer = Peer::open(server, plan);
            println!("{packet}");
            peer.send(packet);
            assert_eq!(peer.expect_end(), [], "{packet}");
        }
        // Nor does a refusal let anybody in.
        let mut peer = Peer::open(server, plan);
        peer.send("0/auth,");
        peer.expect(r#"4/auth,{"message":"unauthorized"}"#);
        peer.send(r#"2/auth,["emit-all"]"#);
        assert_eq!(peer.expect_end(), []);
    });
}

#[test]
fn what_follows_a_violation_is_not_looked_at() {
    on_every_transport(&[], |server, plan| {
        let (mut witness, _) = Peer::join(server, plan);
        let (mut peer, _) = Peer::join(server, plan);
        match plan {
            super::peer::Plan::Polling => {
                peer.post("42[\"broadcast\",1]\u{1e}42[\u{1e}42[\"broadcast\",2]");
            }
            _ => {
                for packet in ["2[\"broadcast\",1]", "2[", "2[\"broadcast\",2]"] {
                    peer.send_if_open(packet);
                }
            }
        }
        peer.expect_end();
        witness.expect(r#"2["broadcast",1]"#);
        witness.expect_nothing();
    });
}

#[test]
fn names_have_their_limits() {
    on_every_transport(&[], |server, plan| {
        let name = |length: usize| "x".repeat(length);
        let (mut peer, _) = Peer::join(server, plan);
        peer.send(&format!("25[\"{}\"]", name(1024)));
        peer.send(&format!("0/{},", name(1023)));
        peer.expect(&format!("4/{},{{\"message\":\"Invalid namespace\"}}", name(1023)));
        peer.expect_nothing();
        for packet in [
            format!("2[\"{}\"]", name(1025)),
            format!("0/{},", name(1024)),
            format!("0/{}", name(100_000)),
            format!("2{}[\"message\"]", "0".repeat(21)),
        ] {
            let (mut peer, _) = Peer::join(server, plan);
            peer.send(&packet);
            assert_eq!(peer.expect_end(), [], "{} bytes", packet.len());
        }
        // A hundred namespaces at once, and no more.
        let mut peer = Peer::open(server, plan);
        for n in 0..100 {
            peer.enter(&format!("/dyn-{n}"), "");
        }
        peer.send("0/dyn-100,");
        assert_eq!(peer.expect_end(), []);
    });
}
