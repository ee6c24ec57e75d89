//! Servers that break the rules of Socket.IO: the client says so and goes, or takes no notice. It is never hurt.

use std::thread;
use std::time::Duration;

use sansocket::engineio::{CloseReason, Transport};
use sansocket::runtime::engineio::ErrorKind;
use sansocket::runtime::socketio::client::{Client, ClientBuilder, ClientEvent, ClientEvents, Config, ConnectFailed};
use sansocket::socketio::{AckError, Args, MSGPACK};
use sansocket::tokio::Tokio;
use sansocket::{Blame, Category};

use crate::peer::{PATIENCE, Peer, Server};

fn builder(server: &Server) -> ClientBuilder<Tokio> {
    Client::builder_on(Tokio, &server.url())
        .transports(&[Transport::WebSocket])
        .no_proxy()
}

async fn next(events: &mut ClientEvents) -> Option<ClientEvent> {
    tokio::time::timeout(PATIENCE, events.next()).await.expect("in time")
}

/// Everything up to the end of the session, and why it ended.
async fn ends(events: &mut ClientEvents) -> (Vec<ClientEvent>, CloseReason) {
    let mut before = Vec::new();
    loop {
        match next(events).await.expect("there is an end") {
            ClientEvent::Closed { reason, .. } => return (before, reason),
            event => before.push(event),
        }
    }
}

/// A client that has joined `/`, and the server's end of it.
async fn joined(builder: ClientBuilder<Tokio>, server: &Server) -> (Client<Tokio>, ClientEvents, Peer) {
    let (client, mut events) = builder.start_with_events().unwrap();
    let peer = tokio::task::block_in_place(|| {
        let mut peer = server.accept();
        peer.join("/", "abc");
        peer
    });
    loop {
        match next(&mut events).await {
            Some(ClientEvent::Connect { .. }) => return (client, events, peer),
            Some(_) => {}
            None => panic!("it is over"),
        }
    }
}

/// The server hangs up when the client does.
fn hang_up(mut peer: Peer) {
    thread::spawn(move || while peer.next().is_some() {});
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_packet_ends_the_connection() {
    let packets = [
        String::new(),
        "9".into(),
        "x".into(),
        "51000000000-[\"a\"]".into(),
        "599999999999999999999-[\"a\"]".into(),
        format!("5{}", "1".repeat(500_000)),
        "511-[\"a\"]".into(),
        "5[\"a\"]".into(),
        format!("2[\"a\",{}", "[".repeat(100_000)),
        format!("2[\"a\",{}{}]", "[".repeat(100_000), "]".repeat(100_000)),
        format!("2{}[\"a\"]", "9".repeat(30)),
        format!("3{}[]", "9".repeat(30)),
        format!("2[\"{}\"]", "n".repeat(100_000)),
        format!("2/{},[\"a\"]", "n".repeat(100_000)),
        "2[]".into(),
        "2[null]".into(),
        "2[{}]".into(),
        "2{}".into(),
        "2[\"connect\"]".into(),
        "2[\"disconnect\"]".into(),
        "2[\"connect_error\"]".into(),
        "2[\"a\",]".into(),
        "2[\"a\"".into(),
        "3{}".into(),
        "4[".into(),
        "0{".into(),
        "0[]".into(),
        // It is connected already.
        "0{\"sid\":\"again\"}".into(),
    ];
    for packet in packets {
        let shown: String = packet.chars().take(60).collect();
        println!("{shown}");
        let server = Server::start();
        let (client, mut events, mut peer) = joined(builder(&server), &server).await;
        let waits = client.emit_with_ack("question", Args::default(), None).unwrap();
        peer.send(&format!("4{packet}"));
        hang_up(peer);
        let (mut told, reason) = ends(&mut events).await;
        assert_eq!(reason, CloseReason::ParseError, "{shown}");
        // It does not come back unasked.
        while let Some(event) = next(&mut events).await {
            told.push(event);
        }
        let mut acks = told.iter().filter_map(|event| match event {
            ClientEvent::Ack { id, result, .. } => Some((*id, result.clone())),
            _ => None,
        });
        // It may not even have been sent.
        let unanswered = [AckError::Disconnected, AckError::NotSent].map(|error| Some((waits, Err(error))));
        assert!(unanswered.contains(&acks.next()), "{shown}");
        assert_eq!(acks.next(), None, "{shown}");
        assert!(
            told.iter().any(|event| matches!(event, ClientEvent::Disconnect { .. })),
            "{shown}"
        );
        tokio::time::timeout(PATIENCE, client.wait()).await.expect("in time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_is_ignored() {
    let server = Server::start();
    let (client, mut events, mut peer) = joined(builder(&server), &server).await;
    let id = client.emit_with_ack("question", Args::default(), None).unwrap();
    for packet in [
        "43999[]",
        "4318446744073709551615[1]",
        "43[]",
        "42/nowhere,[\"event\"]",
        "43/nowhere,0[]",
        "41/nowhere,",
        "44/nowhere,{\"message\":\"no\"}",
        "40/nowhere,{\"sid\":\"x\"}",
    ] {
        peer.send(packet);
    }
    peer.send("461-7[{\"_placeholder\":true,\"num\":0}]");
    peer.send_binary(&[1]);
    // Twice.
    peer.send(&format!("43{id}[1]"));
    peer.send(&format!("43{id}[2]"));
    peer.send("42[\"__proto__\",{\"__proto__\":{}},1e400,\"\\ud800\"]");
    let Some(ClientEvent::Ack { result, .. }) = next(&mut events).await else {
        panic!("it is acknowledged");
    };
    assert_eq!(result.unwrap().get::<u8>(0).unwrap(), 1);
    let Some(ClientEvent::Event { name, args, .. }) = next(&mut events).await else {
        panic!("it is an event");
    };
    assert_eq!(
        (&name[..], &args.json()[..]),
        ("__proto__", "[{\"__proto__\":{}},1e400,\"\\ud800\"]")
    );
    client.begin_close();
    hang_up(peer);
    assert_eq!(ends(&mut events).await.1, CloseReason::ClientDisconnect);
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_that_never_come_and_texts_between_them() {
    let server = Server::start();
    let mut config = Config::default();
    config.assembly_timeout = Duration::from_millis(200);
    let (_client, mut events, mut peer) = joined(builder(&server).config(config), &server).await;
    peer.send("452-[\"a\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]");
    peer.send_binary(&[1]);
    hang_up(peer);
    let (told, _) = ends(&mut events).await;
    assert!(told.iter().all(|event| !matches!(event, ClientEvent::Event { .. })));

    for between in ["42[\"b\"]", "41", "40{\"sid\":\"x\"}"] {
        let server = Server::start();
        let (_client, mut events, mut peer) = joined(builder(&server), &server).await;
        peer.send("451-[\"a\",{\"_placeholder\":true,\"num\":0}]");
        peer.send(between);
        hang_up(peer);
        assert_eq!(ends(&mut events).await.1, CloseReason::ParseError, "{between}");
    }

    // Bytes out of the blue.
    let server = Server::start();
    let (_client, mut events, mut peer) = joined(builder(&server), &server).await;
    peer.send_binary(&[1, 2, 3]);
    hang_up(peer);
    assert_eq!(ends(&mut events).await.1, CloseReason::ParseError);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_talks_before_it_answers_is_not_listened_to_for_ever() {
    let server = Server::start();
    let (_client, mut events) = builder(&server).start_with_events().unwrap();
    tokio::task::block_in_place(|| {
        let mut peer = server.accept();
        peer.expect("40");
        let event = format!("42[\"early\",\"{}\"]", "a".repeat(10_000));
        for _ in 0..20 {
            peer.send(&event);
        }
        hang_up(peer);
    });
    let (told, reason) = ends(&mut events).await;
    assert_eq!(reason, CloseReason::ParseError);
    assert!(told.iter().all(|event| !matches!(event, ClientEvent::Event { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_a_connect() {
    let server = Server::start();
    let timeout = Duration::from_millis(1500);
    let failed = tokio::spawn(builder(&server).connect_timeout(timeout).connect());
    let mut peer = tokio::task::block_in_place(|| server.accept());
    peer.expect("40");
    let failed = tokio::time::timeout(PATIENCE, failed).await.expect("in time").unwrap();
    let failed = failed.expect_err("nobody has let it in");
    assert_eq!(
        (failed.category(), failed.may_retry()),
        (Category::TimedOut, true),
        "{failed}"
    );
}

/// Whoever asks the error learns that another try does not help.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_a_connect_with_nonsense() {
    let server = Server::start();
    let failed = tokio::spawn(builder(&server).connect());
    let mut peer = tokio::task::block_in_place(|| server.accept());
    peer.expect("40");
    peer.send("42{}");
    let failed = tokio::time::timeout(PATIENCE, failed).await.expect("in time").unwrap();
    let failed = failed.expect_err("nobody has let it in");
    assert_eq!((failed.blame(), failed.may_retry()), (Blame::Peer, false), "{failed}");
    let ConnectFailed::Connection(error) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_messagepack_ends_the_connection() {
    let event = |data: &[u8]| [b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data", data].concat();
    let packets: Vec<Vec<u8>> = vec![
        vec![],
        vec![0xc1],
        b"\x80".to_vec(),
        b"\x82\xa4type\x09\xa3nsp\xa1/".to_vec(),
        event(b"\xdd\xff\xff\xff\xff"),
        event(b"\x92\xa1a\xc6\xff\xff\xff\xff"),
        event(b"\x92\xa1a\xdb\xff\xff\xff\xff"),
        event(&[b"\x92\xa1a".as_slice(), &vec![0x91; 100_000]].concat()),
        event(&[b"\x92\xa1a".as_slice(), &vec![0x81; 100_000]].concat()),
        event(b"\x91\xa7connect"),
        event(b"\x90"),
        [event(b"\x91\xa1a"), vec![0xc0]].concat(),
    ];
    for packet in packets {
        println!("{:?}", &packet[..packet.len().min(30)]);
        let server = Server::start();
        let (_client, mut events) = builder(&server).parser(&MSGPACK).start_with_events().unwrap();
        tokio::task::block_in_place(|| {
            let mut peer = server.accept();
            peer.next().expect("a CONNECT");
            peer.send_binary(b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x81\xa3sid\xa3abc");
            peer.send_binary(&packet);
            hang_up(peer);
        });
        let (told, reason) = ends(&mut events).await;
        assert_eq!(reason, CloseReason::ParseError);
        assert!(told.iter().any(|event| matches!(event, ClientEvent::Connect { .. })));
    }
}
