//! Events that look odd and are none the less events.

use super::peer::{Peer, on_every_transport};

#[test]
fn values_come_back_as_they_were_written() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        for args in [
            "",
            ",null",
            ",1,\"2\",{\"3\":[true]}",
            ",12345678901234567890123,1e400,-0.0,1E+2",
            ",\"é😀\u{2028}\",\"\\u00e9\\ud83d\\ude00\"",
            // Half a surrogate pair, names that mean something elsewhere, a key twice.
            ",\"\\ud800\",{\"\\udc00\":\"\\ud800\\ud800\"}",
            ",{\"__proto__\":{\"x\":1},\"constructor\":null,\"toString\":\"foo\"}",
            ",{\"a\":1,\"a\":2},{\"_placeholder\":true,\"num\":0}",
            ",\"\\u001e\",\"\\u0000\"",
        ] {
            peer.send(&format!("2[\"message\"{args}]"));
            peer.expect(&format!("2[\"message-back\"{args}]"));
        }
    });
}

#[test]
fn other_events_are_ignored() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        for packet in [
            "2[1]",
            "2[1.5,\"x\"]",
            "2",
            "27",
            "3",
            "3999",
            "2[\"\"]",
            "2[\"error\",{\"message\":\"boo\"}]",
            "2[\"__proto__\"]",
            "2[\"nobody\",1]",
            "27[\"nobody\",1]",
            "2[\"Message\",1]",
            "51-[\"nobody\",{\"_placeholder\":true,\"num\":0}]",
        ] {
            println!("{packet}");
            peer.send(packet);
            if packet.starts_with('5') {
                peer.send_bytes(&[1]);
            }
        }
        peer.expect_nothing();
    });
}

#[test]
fn arguments_that_do_not_fit_are_no_end_and_no_ack() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        for event in [
            "[\"join\"]",
            "[\"join\",7]",
            "[\"leave\",null]",
            "[\"to-room\"]",
            "[\"in-room\",{}]",
            "[\"burst\",\"x\"]",
            "[\"burst\",-1]",
            "[\"burst\",1.5]",
            "[\"ask-me-timeout\"]",
            "[\"ask-me-timeout\",\"soon\"]",
        ] {
            println!("{event}");
            peer.send(&format!("25{event}"));
        }
        peer.expect_nothing();
    });
}

#[test]
fn nesting_is_taken_to_a_hundred_levels() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        // The list of arguments is a level of its own.
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        peer.send(&format!("2[\"message\",{}]", nested(100)));
        peer.expect(&format!("2[\"message-back\",{}]", nested(100)));
        for (levels, open, close) in [
            (101, "[", "]"),
            (20_000, "[", "]"),
            (20_000, "{\"a\":[", "]}"),
            (100_000, "[", "]"),
        ] {
            let (mut peer, _) = Peer::join(server, plan);
            peer.send(&format!(
                "2[\"message\",{}{}]",
                open.repeat(levels - 1),
                close.repeat(levels - 1)
            ));
            assert_eq!(peer.expect_end(), []);
            // So it is in a CONNECT, in an acknowledgement, and where it never ends.
            for start in ["0/custom,{\"a\":", "30[", "2[\"message\","] {
                let (mut peer, _) = Peer::join(server, plan);
                peer.send(&format!("{start}{}", open.repeat(levels)));
                assert_eq!(peer.expect_end(), []);
            }
        }
        peer.expect_nothing();
    });
}

#[test]
fn order_is_kept() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        for n in 0..200 {
            peer.send(&format!("2[\"message\",{n}]"));
        }
        for n in 0..200 {
            peer.expect(&format!("2[\"message-back\",{n}]"));
        }
        peer.send("2[\"burst\",3000]");
        for n in 0..3000 {
            peer.expect(&format!("2[\"n\",{n}]"));
        }
        peer.expect_nothing();
    });
}
