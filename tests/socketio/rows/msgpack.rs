//! `--parser msgpack`: one binary message for each packet.

use super::peer::{Packet, Peer, on_every_transport};

const FLAGS: [&str; 2] = ["--parser", "msgpack"];

/// A short string.
fn text(text: &str) -> Vec<u8> {
    assert!(text.len() < 32, "a fixstr");
    let mut bytes = vec![0xa0 | text.len() as u8];
    bytes.extend(text.as_bytes());
    bytes
}

/// A packet with these fields after `type` and `nsp`, written in MessagePack.
fn packet(kind: u8, namespace: &str, more: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0x82 + more.len() as u8];
    bytes.extend(text("type"));
    bytes.push(kind);
    bytes.extend(text("nsp"));
    bytes.extend(text(namespace));
    for (name, value) in more {
        bytes.extend(text(name));
        bytes.extend(value);
    }
    bytes
}

/// A list.
fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0x90 | items.len() as u8];
    items.iter().for_each(|item| bytes.extend(item));
    bytes
}

#[track_caller]
fn next(peer: &mut Peer<'_>) -> Vec<u8> {
    match peer.next() {
        Packet::Bytes(bytes) => bytes,
        Packet::Text(text) => panic!("text instead of MessagePack: {text}"),
    }
}

#[track_caller]
fn holds(bytes: &[u8], part: &[u8]) {
    assert!(
        crate::http::find(bytes, part).is_some(),
        "{:?} is not in {bytes:?}",
        part
    );
}

/// In the main namespace, `auth` read.
#[track_caller]
fn join<'a>(server: &'a crate::server::Server, plan: super::peer::Plan) -> Peer<'a> {
    let mut peer = Peer::open(server, plan);
    peer.send_bytes(&packet(0, "/", &[]));
    holds(&next(&mut peer), &text("sid"));
    holds(&next(&mut peer), &text("auth"));
    peer
}

#[test]
fn events_acks_and_refusals() {
    on_every_transport(&FLAGS, |server, plan| {
        let mut peer = join(server, plan);
        // Bytes, a number, text, nil.
        let bytes = vec![0xc4, 3, 1, 0x1e, 2];
        let items = [bytes.clone(), vec![7], text("ä"), vec![0xc0]];
        let mut event = vec![text("message")];
        event.extend(items.clone());
        peer.send_bytes(&packet(2, "/", &[("data", list(&event))]));
        event[0] = text("message-back");
        holds(&next(&mut peer), &list(&event));
        event[0] = text("message-with-ack");
        peer.send_bytes(&packet(2, "/", &[("data", list(&event)), ("id", vec![45])]));
        let ack = next(&mut peer);
        holds(&ack, &list(&items));
        holds(&ack, &[&text("id")[..], &[45]].concat());
        for (namespace, message) in [
            ("/nowhere", "Invalid namespace"),
            ("/reject", "nope"),
            ("/auth", "unauthorized"),
        ] {
            peer.send_bytes(&packet(0, namespace, &[]));
            let refusal = next(&mut peer);
            holds(&refusal, &text(namespace));
            holds(&refusal, &text(message));
        }
        peer.send_bytes(&packet(1, "/", &[]));
        server.wait_for_stats(r#""/":0"#);
    });
}

#[test]
fn whatever_is_no_packet_ends_it() {
    let event = |items: &[Vec<u8>]| packet(2, "/", &[("data", list(items))]);
    let nested = |levels: usize, end: &[u8]| {
        let mut bytes = packet(2, "/", &[]);
        bytes[0] += 1;
        bytes.extend(text("data"));
        bytes.push(0x92);
        bytes.extend(text("message"));
        bytes.extend(vec![0x91; levels]);
        bytes.extend(end);
        bytes
    };
    let mut cut = event(&[text("message"), text("x")]);
    cut.truncate(cut.len() - 1);
    let mut more = event(&[text("message")]);
    more.push(0xc0);
    let wrong = [
        ("nothing", vec![]),
        ("a number", vec![7]),
        ("a list", vec![0x90]),
        ("an empty map", vec![0x80]),
        ("what MessagePack has not", vec![0xc1]),
        ("a packet that is cut off", cut),
        ("a packet and something more", more),
        ("an unknown type", packet(9, "/", &[])),
        ("a second CONNECT", packet(0, "/", &[])),
        ("what only servers say", packet(4, "/", &[("data", text("no"))])),
        ("an event without a name", event(&[])),
        ("a reserved name", event(&[text("disconnect")])),
        ("a name that is a map", event(&[vec![0x80]])),
        (
            "an event of what was not joined",
            packet(2, "/custom", &[("data", list(&[text("message")]))]),
        ),
        (
            "a list of 2^32 items",
            [&packet(2, "/", &[])[..], &[0xdd, 255, 255, 255, 255]].concat(),
        ),
        (
            "text of 4 GiB",
            [&[0x81, 0xdb, 255, 255, 255, 255][..], b"type"].concat(),
        ),
        ("nesting without an end", nested(100_000, &[])),
        ("nesting that ends", nested(100_000, &[0xc0])),
        ("a map of 2^32 entries", vec![0xdf, 255, 255, 255, 255]),
        ("an extension of 4 GiB", vec![0xc9, 255, 255, 255, 255, 1]),
    ];
    on_every_transport(&FLAGS, |server, plan| {
        let mut witness = join(server, plan);
        for (what, bytes) in &wrong {
            println!("{what}");
            let mut peer = join(server, plan);
            peer.send_bytes(bytes);
            assert_eq!(peer.expect_end(), [], "{what}");
        }
        let mut peer = join(server, plan);
        peer.send("2[\"message\"]");
        assert_eq!(peer.expect_end(), []);
        witness.send_bytes(&packet(2, "/", &[("data", list(&[text("count")])), ("id", vec![1])]));
        holds(&next(&mut witness), &[0x91, 1]);
    });
}
