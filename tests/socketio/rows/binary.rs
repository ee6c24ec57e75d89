//! Attachments.

use super::peer::{Peer, Plan, on_every_transport};

/// A placeholder.
fn hole(num: usize) -> String {
    format!(r#"{{"_placeholder":true,"num":{num}}}"#)
}

#[test]
fn bytes_come_back_in_their_places() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        for count in [1, 2, 10] {
            let holes: Vec<String> = (0..count).map(hole).collect();
            let args = format!("{{\"deep\":[null,{}]}},\"text\"", holes.join(","));
            peer.send(&format!("5{count}-[\"message\",{args}]"));
            // Any bytes: none, the separator of polling, what is not UTF-8, what looks like a packet.
            let attachments: Vec<Vec<u8>> = (0..count)
                .map(|n| [&b""[..], b"\x01\x1e\x02", b"\xff\x00\xc3", b"42[\"message\"]"][n % 4].to_vec())
                .collect();
            attachments.iter().for_each(|bytes| peer.send_bytes(bytes));
            peer.expect(&format!("5{count}-[\"message-back\",{args}]"));
            attachments.iter().for_each(|bytes| peer.expect_bytes(bytes));
        }
        peer.expect_nothing();
    });
}

#[test]
fn one_attachment_may_stand_in_two_places_or_none() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        peer.send(&format!("51-1[\"message-with-ack\",{0},{0}]", hole(0)));
        peer.send_bytes(&[1]);
        peer.expect(&format!("61-1[{0},{0}]", hole(0)));
        peer.expect_bytes(&[1]);
        peer.send(&format!("52-2[\"message-with-ack\",{}]", hole(1)));
        peer.send_bytes(&[1]);
        peer.send_bytes(&[2]);
        peer.expect(&format!("62-2[{}]", hole(1)));
        peer.expect_bytes(&[1]);
        peer.expect_bytes(&[2]);
        peer.expect_nothing();
    });
}

#[test]
fn a_whole_packet_may_come_in_one_post() {
    on_every_transport(&[], |server, plan| {
        if plan != Plan::Polling {
            return;
        }
        let (mut peer, _) = Peer::join(server, plan);
        peer.post(&format!(
            "42[\"message\",0]\u{1e}452-[\"message\",{},{}]\u{1e}bAQID\u{1e}bBAUG\u{1e}42[\"message\",1]",
            hole(0),
            hole(1)
        ))
        .assert_ok("ok");
        peer.expect("2[\"message-back\",0]");
        peer.expect(&format!("52-[\"message-back\",{},{}]", hole(0), hole(1)));
        peer.expect_bytes(&[1, 2, 3]);
        peer.expect_bytes(&[4, 5, 6]);
        peer.expect("2[\"message-back\",1]");
    });
}

#[test]
fn text_in_place_of_an_attachment_ends_it() {
    on_every_transport(&[], |server, plan| {
        for text in [
            "2[\"message\"]",
            "1",
            "0/custom,",
            "51-[\"message\",{\"_placeholder\":true,\"num\":0}]",
        ] {
            let (mut peer, _) = Peer::join(server, plan);
            peer.send(&format!("52-[\"message\",{},{}]", hole(0), hole(1)));
            peer.send_bytes(&[1]);
            peer.send(text);
            assert_eq!(peer.expect_end(), [], "{text}");
        }
    });
}

#[test]
fn bytes_that_nothing_has_announced_end_it() {
    on_every_transport(&[], |server, plan| {
        let (mut joined, _) = Peer::join(server, plan);
        let mut open = Peer::open(server, plan);
        let (mut one_too_many, _) = Peer::join(server, plan);
        one_too_many.send(&format!("51-[\"nobody\",{}]", hole(0)));
        one_too_many.send_bytes(&[1]);
        for peer in [&mut joined, &mut open, &mut one_too_many] {
            peer.send_bytes(&[1]);
            assert_eq!(peer.expect_end(), []);
        }
    });
}

#[test]
fn attachments_that_never_come_are_nothing_to_keep() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        peer.send(&format!("52-[\"message\",{},{}]", hole(0), hole(1)));
        peer.send_bytes(&[0; 100_000]);
        // The connection is used both ways meanwhile: only what the client says waits.
        let (mut other, _) = Peer::join(server, plan);
        other.send("2[\"broadcast\",1]");
        peer.expect("2[\"broadcast\",1]");
        // For a namespace that was not joined nothing is put together at all.
        let (mut stranger, _) = Peer::join(server, plan);
        stranger.send(&format!("52-/custom,[\"message\",{},{}]", hole(0), hole(1)));
        stranger.send_bytes_if_open(&[1]);
        assert_eq!(stranger.expect_end(), []);
    });
}

#[test]
fn the_limit_is_for_each_message() {
    on_every_transport(&["--max-payload", "100000"], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        // In base64 on polling, with the letter in front.
        let largest = if plan == Plan::Polling { 74_997 } else { 100_000 };
        let bytes = vec![0x1e; largest];
        peer.send(&format!("53-[\"message\",{},{},{}]", hole(0), hole(1), hole(2)));
        for _ in 0..3 {
            peer.send_bytes(&bytes);
        }
        peer.expect(&format!("53-[\"message-back\",{},{},{}]", hole(0), hole(1), hole(2)));
        for _ in 0..3 {
            peer.expect_bytes(&bytes);
        }
        peer.expect_nothing();
    });
}
