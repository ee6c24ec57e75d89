//! What is done with many sockets, and what is counted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sansocket::runtime::socketio::Socket;
use sansocket::socketio::{Body, Decoded, Encoded, Limits, Packet, PacketError, Parser, TEXT};

use crate::client::{Client, POLLING};
use crate::server::{Server, options};
use crate::waiting::{block_on, wait_until};

/// The usual parser, which counts.
#[derive(Debug)]
struct Counting {
    encoded: AtomicUsize,
}

impl Parser for Counting {
    fn decode(&self, message: sansocket::engineio::Data, limits: &Limits) -> Result<Decoded, PacketError> {
        TEXT.decode(message, limits)
    }

    fn encode(&self, packet: &Packet) -> Encoded {
        if matches!(packet.body, Body::Event { .. }) {
            self.encoded.fetch_add(1, Ordering::SeqCst);
        }
        TEXT.encode(packet)
    }
}

#[test]
fn a_broadcast_is_encoded_once() {
    static PARSER: Counting = Counting {
        encoded: AtomicUsize::new(0),
    };
    let server = Server::host(options().parser(&PARSER), |io| drop(io.of("/")));
    let mut clients: Vec<_> = (0..20).map(|_| Client::join(&server).0).collect();
    let pollers: Vec<String> = (0..20)
        .map(|_| {
            let sid = crate::session::sid_of(server.get(POLLING).text());
            let target = format!("{POLLING}&sid={sid}");
            server.post(&target, "40").assert_ok("ok");
            server.get(&target);
            target
        })
        .collect();
    let main = server.handle().of("/");
    assert_eq!(main.len(), 40);
    block_on(main.emit("news", &("to", "everybody"))).expect("it can be sent");
    for client in &mut clients {
        client.expect(r#"2["news","to","everybody"]"#);
    }
    for target in &pollers {
        server.get(target).assert_ok(r#"42["news","to","everybody"]"#);
    }
    assert_eq!(PARSER.encoded.load(Ordering::SeqCst), 1);
    let stats = server.handle().stats();
    assert_eq!((stats.broadcasts, stats.deliveries), (1, 40));
    for target in &pollers {
        server.post(target, "1").assert_ok("ok");
    }
    // Bytes too, and one that is to be acknowledged.
    wait_until("those who poll are gone", || main.len() == 20);
    let bytes = sansocket::socketio::Binary::from(vec![7; 100]);
    block_on(main.emit("bytes", &bytes)).expect("it can be sent");
    for client in &mut clients {
        client.expect(r#"51-["bytes",{"_placeholder":true,"num":0}]"#);
        client.expect_binary(&[7; 100]);
    }
    let asked = block_on(main.call_all::<u8>("ask", &()).timeout(Duration::from_millis(1)));
    assert_eq!(asked.expect("it can be sent").len(), 20);
    assert_eq!(PARSER.encoded.load(Ordering::SeqCst), 3);
    let stats = server.handle().stats();
    assert_eq!((stats.broadcasts, stats.deliveries), (3, 80));
    server.finish();
}

#[test]
fn rooms_are_filled_emptied_and_closed() {
    let server = Server::host(options(), |io| {
        io.of("/").on("join", |socket: Socket, rooms: Vec<String>| async move {
            rooms.iter().for_each(|room| socket.join(room));
        });
    });
    let (mut a, a_id) = Client::join(&server);
    let (mut b, b_id) = Client::join(&server);
    let (mut c, c_id) = Client::join(&server);
    a.call(r#"["join","x","y"]"#);
    b.call(r#"["join","y","z"]"#);
    c.call(r#"["join","z"]"#);
    let main = server.handle().of("/");
    let ids = |room: &str| -> Vec<String> {
        let sockets = main.in_room(room).local().sockets();
        sockets.iter().map(|socket| socket.id().to_owned()).collect()
    };
    assert_eq!(ids("y"), [a_id.clone(), b_id.clone()]);
    let socket = main.socket(&a_id).expect("it is there");
    assert_eq!(socket.rooms(), [&a_id[..], "x", "y"]);
    assert!(socket.is_in("x") && socket.is_in(&a_id) && !socket.is_in("z"));
    main.in_room("y").join("w");
    main.in_room("x").in_room("z").leave("y");
    assert_eq!((ids("w"), ids("y")), (vec![a_id.clone(), b_id.clone()], vec![]));
    main.to("z").join(&a_id);
    assert_eq!(main.to(&a_id).count(), 3);
    // The room of an id closes, but for whom it is.
    assert_eq!(main.close_room(&a_id), 2);
    assert_eq!((main.to(&a_id).count(), main.close_room("nowhere")), (1, 0));
    assert_eq!(main.close_room("w"), 2);
    assert!(ids("w").is_empty() && !socket.is_in("w") && socket.is_in("x"));
    block_on(main.local().emit("local", &())).expect("it can be sent");
    for client in [&mut a, &mut b, &mut c] {
        client.expect(r#"2["local"]"#);
    }
    main.in_room("z").disconnect(false);
    for client in [&mut b, &mut c] {
        client.expect("1");
    }
    assert!(ids("z").is_empty() && main.socket(&c_id).is_none());
    // Its rooms are those that it was in.
    socket.disconnect(false);
    assert_eq!(socket.rooms(), [&a_id[..], "x"]);
    server.finish();
}

#[test]
fn sockets_are_counted() {
    let server = Server::host(options(), |io| {
        io.of("/");
        io.of("/other");
        io.of_pattern("room-*");
    });
    let io = server.handle();
    assert_eq!((io.socket_count(), io.connections()), (0, 0));
    let mut a = Client::open(&server);
    a.enter("/", "");
    a.enter("/other", "");
    a.enter("/room-1", "");
    a.send("0/hall,");
    a.expect(r#"4/hall,{"message":"Invalid namespace"}"#);
    let mut b = Client::open(&server);
    b.enter("/", "");
    assert_eq!((io.socket_count(), io.connections()), (4, 2));
    let stats = io.stats();
    let counts: Vec<_> = stats
        .sockets
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    assert_eq!(counts, [("/", 2), ("/other", 1), ("/room-1", 1)]);
    assert_eq!((stats.rooms, stats.engine.sessions), (4, 2));
    io.disconnect_all();
    assert_eq!(io.socket_count(), 0);
    assert_eq!(b.expect_end(), ["41", "1"]);
    a.expect_end();
    server.finish();
}

#[test]
fn a_connection_must_join_something_in_time() {
    let options = options().connect_timeout(Duration::from_millis(200));
    let server = Server::host(options, |io| drop(io.of("/")));
    let mut idle = Client::open(&server);
    assert_eq!(idle.expect_end(), ["1"]);
    let mut refused = Client::open(&server);
    refused.send("0/nowhere,");
    refused.expect(r#"4/nowhere,{"message":"Invalid namespace"}"#);
    assert_eq!(refused.expect_end(), ["1"]);
    // From when the last one went, too.
    let (mut left, _) = Client::join(&server);
    left.send("1");
    assert_eq!(left.expect_end(), ["1"]);
    server.finish();
}
