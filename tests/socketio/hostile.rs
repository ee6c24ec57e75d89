//! What somebody sends who wants to do harm. It ends as documented, costs little memory, and nobody else notices.

use std::time::{Duration, Instant};

use crate::client::{Client, WEBSOCKET};
use crate::http::PATIENCE;
use crate::server::Server;
use crate::websocket::{BINARY, CONTINUATION, FIN, Message, TEXT, WebSocket};

/// How much the server may grow by what is done to it here. Kilobytes.
const GROWTH: usize = 60_000;

/// A server, somebody who keeps to the rules, and how large the server is.
struct Scene {
    server: Server,
    witness: Client,
    memory: Option<usize>,
}

impl Scene {
    fn new(flags: &[&str]) -> Self {
        let server = Server::app("socketio", flags);
        let (mut witness, _) = Client::join_app(&server);
        witness.call(r#"["count"]"#);
        let memory = server.memory();
        Self {
            server,
            witness,
            memory,
        }
    }

    fn client(&self) -> Client {
        Client::join_app(&self.server).0
    }

    /// The one who keeps to the rules is still answered, and the server has not grown.
    #[track_caller]
    fn is_calm(&mut self) {
        self.witness.send(r#"27["message-with-ack","still here"]"#);
        // It may have much to do.
        let deadline = Instant::now() + 12 * PATIENCE;
        loop {
            match self.witness.websocket.message_within(PATIENCE) {
                Some(Message::Text(text)) if text == "2" => self.witness.websocket.text("3"),
                Some(message) => {
                    assert_eq!(message, Message::Text(r#"437["still here"]"#.to_owned()));
                    break;
                }
                None => assert!(Instant::now() < deadline, "nobody answers"),
            }
        }
        if let (Some(before), Some(now)) = (self.memory, self.server.memory()) {
            assert!(now < before + GROWTH, "it grew from {before} kB to {now} kB");
        }
    }

    /// Nobody else is left in the end.
    #[track_caller]
    fn finish(mut self) {
        let deadline = Instant::now() + 12 * PATIENCE;
        loop {
            // Which answers pings, too.
            self.is_calm();
            if self.server.stats().contains(r#""sessions":1"#) {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "they are still there: {}",
                self.server.stats()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        self.server.finish();
    }
}

/// The client is thrown out, without a word of Socket.IO's.
#[track_caller]
fn expect_thrown_out(client: &mut Client, what: &str) {
    let shown: String = what.chars().take(60).collect();
    println!("{shown}");
    let packets = client.expect_end();
    assert!(packets.iter().all(|packet| packet == "1"), "{shown}: {packets:?}");
}

#[test]
fn what_is_no_packet_costs_the_connection_of_who_sent_it() {
    let mut scene = Scene::new(&[]);
    let packets = [
        // How much there will be.
        r#"51000000000-["message"]"#.to_owned(),
        r#"599999999999999999999999999-["message"]"#.to_owned(),
        r#"51000000000"#.to_owned(),
        format!("5{}", "1".repeat(500_000)),
        r#"511-["message"]"#.to_owned(),
        r#"5-1-["message"]"#.to_owned(),
        r#"52-["message",{"_placeholder":true,"num":2}]"#.to_owned(),
        r#"51-["message",{"_placeholder":true,"num":-1}]"#.to_owned(),
        r#"51-["message",{"_placeholder":true,"num":1e400}]"#.to_owned(),
        r#"51-["message",{"_placeholder":true,"num":99999999999999999999}]"#.to_owned(),
        // How deep it is.
        format!("2[\"message\",{}", "[".repeat(100_000)),
        format!("2[\"message\",{}", "{\"a\":".repeat(100_000)),
        "[".repeat(900_000),
        format!("0{}", "{\"a\":".repeat(100_000)),
        // Numbers.
        format!("2{}[\"message\"]", "9".repeat(30)),
        format!("3{}[]", "1".repeat(900_000)),
        // Names.
        format!("0/{},", "n".repeat(1024)),
        format!("0/{}", "n".repeat(900_000)),
        format!("2[\"{}\"]", "n".repeat(900_000)),
        r#"2["connect_error"]"#.to_owned(),
        r#"2["disconnecting"]"#.to_owned(),
        r#"2["newListener",1]"#.to_owned(),
        r#"2["removeListener"]"#.to_owned(),
        r#"2["\u0063onnect"]"#.to_owned(),
        // What is no event.
        "2[null]".to_owned(),
        "2[[]]".to_owned(),
        "2[{}]".to_owned(),
        "2[true]".to_owned(),
        r#"2"message""#.to_owned(),
        r#"2["message",]"#.to_owned(),
        r#"2["message",01]"#.to_owned(),
        r#"2["message",+1]"#.to_owned(),
        r#"2["message",NaN]"#.to_owned(),
        "2[\"message\",\"\u{1}\"]".to_owned(),
        r#"2["message"]x"#.to_owned(),
        "3{}".to_owned(),
        "40".to_owned(),
    ];
    for packet in &packets {
        let mut client = scene.client();
        client.send(packet);
        expect_thrown_out(&mut client, packet);
    }
    scene.is_calm();
    scene.finish();
}

#[test]
fn what_comes_before_a_connect_costs_the_connection() {
    let scene = Scene::new(&[]);
    for packet in [
        r#"2["message"]"#,
        "1",
        "31[]",
        r#"51-["message",{"_placeholder":true,"num":0}]"#,
        "2",
    ] {
        let mut client = Client::open(&scene.server);
        client.send(packet);
        if packet.starts_with('5') {
            // It is judged when it is whole.
            client.send_binary(&[1]);
        }
        expect_thrown_out(&mut client, packet);
    }
    scene.finish();
}

#[test]
fn odd_values_are_passed_on_as_they_came() {
    let mut scene = Scene::new(&[]);
    let mut client = scene.client();
    for args in [
        r#"1e400,-0.0,123456789012345678901234567890"#,
        r#"{"__proto__":{"admin":true},"constructor":null,"hasOwnProperty":1}"#,
        r#""__proto__","\ud800","\u0000""#,
        r#"{"a":1,"a":2,"":3}"#,
        r#"{"_placeholder":"true","num":0},{"_placeholder":false,"num":7}"#,
    ] {
        client.send(&format!(r#"2["message",{args}]"#));
        client.expect(&format!(r#"2["message-back",{args}]"#));
    }
    for name in ["__proto__", "constructor", "toString", "hasOwnProperty", ""] {
        client.send(&format!(r#"25["{name}",1]"#));
    }
    client.expect_nothing();
    for room in ["__proto__", ""] {
        client.send(&format!(r#"26["join","{room}"]"#));
        client.expect("36[]");
    }
    client.websocket.text("1");
    client.expect_end();
    scene.is_calm();
    scene.finish();
}

#[test]
fn acknowledgements_that_nobody_waits_for_are_ignored() {
    let scene = Scene::new(&[]);
    let mut client = scene.client();
    for ack in ["30[]", "318446744073709551615[1]", "3[]", "34294967296[]", "3"] {
        client.send(ack);
    }
    client.send(r#"61-5[{"_placeholder":true,"num":0}]"#);
    client.send_binary(&[1, 2, 3]);
    client.expect_nothing();
    // Once is enough.
    client.send(r#"2["ask-me"]"#);
    client.expect(r#"20["question"]"#);
    client.send("30[1]");
    client.send("30[2]");
    client.expect(r#"2["answer",1]"#);
    client.expect_nothing();
    client.websocket.text("1");
    client.expect_end();
    scene.finish();
}

#[test]
fn namespaces_that_do_not_exist_are_refused_and_not_kept() {
    let mut scene = Scene::new(&[]);
    let mut client = scene.client();
    let refused = r#"{"message":"Invalid namespace"}"#;
    for name in [
        format!("/{}", "n".repeat(1023)),
        "/%63ustom".to_owned(),
        "/custom/".to_owned(),
        "//".to_owned(),
        "/../custom".to_owned(),
        "/Custom".to_owned(),
        "/dyn-1\u{661}".to_owned(),
        "/__proto__".to_owned(),
    ] {
        client.send(&format!("0{name},"));
        client.expect(&format!("4{name},{refused}"));
    }
    for n in 0..5_000 {
        client.send(&format!("0/no-{n},"));
        client.expect(&format!("4/no-{n},{refused}"));
    }
    assert_eq!(scene.server.stats().matches("/no-").count(), 0);
    // Joined and left, again and again.
    for _ in 0..2_000 {
        client.enter("/dyn-7", "");
        client.expect(r#"2/dyn-7,["auth",{}]"#);
        client.send("1/dyn-7,");
    }
    client.expect_nothing();
    scene
        .server
        .wait_for_stats(r#""sockets":{"/":2,"/auth":0,"/custom":0,"/reject":0}"#);
    client.websocket.text("1");
    client.expect_end();
    scene.is_calm();
    scene.finish();
}

#[test]
fn a_flood_of_connects_is_bounded() {
    let scene = Scene::new(&[]);
    let mut client = Client::open(&scene.server);
    // More than a connection may have. They are not all answered before the end.
    let mut flood = Vec::new();
    for n in 0..2_000 {
        flood.extend(crate::websocket::frame(FIN | TEXT, format!("40/dyn-{n},").as_bytes()));
    }
    client.websocket.connection.send_if_open(&flood, PATIENCE);
    let packets = client.expect_end();
    let joined = packets.iter().filter(|packet| packet.contains("\"sid\"")).count();
    assert!(joined <= 100, "{joined} namespaces on one connection");
    scene
        .server
        .wait_for_stats(r#""sockets":{"/":1,"/auth":0,"/custom":0,"/reject":0}"#);
    scene.finish();
}

#[test]
fn attachments_that_never_come_cost_next_to_nothing() {
    let mut scene = Scene::new(&[]);
    let placeholders: Vec<_> = (0..10)
        .map(|n| format!(r#"{{"_placeholder":true,"num":{n}}}"#))
        .collect();
    let head = format!(r#"510-["message",{}]"#, placeholders.join(","));
    let mut waiting: Vec<_> = (0..50).map(|_| scene.client()).collect();
    for client in &mut waiting {
        client.send(&head);
        client.send_binary(&[0; 1000]);
    }
    scene.is_calm();
    // One after the other, slowly, is allowed.
    let mut slow = scene.client();
    slow.send(r#"52-["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
    slow.websocket.send(&crate::websocket::frame(BINARY, &[1])[..3]);
    std::thread::sleep(Duration::from_millis(20));
    scene.is_calm();
    drop(waiting);
    // In all, a packet has an end.
    let mut client = scene.client();
    client.send(&head);
    for _ in 0..10 {
        let frame = crate::websocket::frame(FIN | BINARY, &vec![7; 999_990]);
        client.websocket.connection.send_if_open(frame, PATIENCE);
    }
    expect_thrown_out(&mut client, "ten attachments of a megabyte");
    drop(slow);
    scene.finish();
}

#[test]
fn a_packet_in_a_million_fragments() {
    let mut scene = Scene::new(&[]);
    let mut client = scene.client();
    let text = format!(r#"42["message","{}"]"#, "a".repeat(300_000));
    let bytes = text.as_bytes();
    let mut frames = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        let opcode = if at == 0 { TEXT } else { CONTINUATION };
        let end = if at + 1 == bytes.len() { FIN } else { 0 };
        frames.extend(crate::websocket::frame(opcode | end, &[*byte]));
        if at > 0 && at % 2 == 0 && end == 0 {
            // And some with nothing in them.
            frames.extend(crate::websocket::frame(CONTINUATION, &[]));
            frames.extend(crate::websocket::frame(CONTINUATION, &[]));
            frames.extend(crate::websocket::frame(CONTINUATION, &[]));
            frames.extend(crate::websocket::frame(CONTINUATION, &[]));
        }
    }
    client.websocket.send(&frames);
    let mut answer = None;
    for _ in 0..20 {
        answer = client.websocket.message_within(PATIENCE);
        match &answer {
            // A machine that takes its time for so many frames asks meanwhile.
            Some(Message::Text(ping)) if ping == "2" => client.websocket.text("3"),
            Some(_) => break,
            None => {}
        }
    }
    let wanted = text.replacen("message", "message-back", 1);
    match answer {
        Some(Message::Text(answer)) => assert!(answer == wanted, "{} bytes of something else", answer.len()),
        other => panic!("{other:?}"),
    }
    client.websocket.text("1");
    client.expect_end();
    scene.is_calm();
    scene.finish();
}

#[test]
fn questions_that_are_never_answered_are_bounded() {
    let mut scene = Scene::new(&["--ping-interval", "2s", "--ping-timeout", "3s"]);
    let mut client = scene.client();
    let mut flood = Vec::new();
    for _ in 0..20_000 {
        flood.extend(crate::websocket::frame(FIN | TEXT, br#"42["ask-me",1]"#));
    }
    // It is not read to its end while so many wait.
    client.websocket.connection.send_if_open(&flood, Duration::from_secs(1));
    for id in 0..64 {
        client.expect(&format!(r#"2{id}["question",1]"#));
    }
    scene.is_calm();
    drop(client);
    scene.finish();
}

#[test]
fn whoever_reads_nothing_costs_no_more_than_a_queue() {
    let mut scene = Scene::new(&[]);
    let mut clients: Vec<_> = (0..4).map(|_| scene.client()).collect();
    for client in &mut clients {
        client.send(r#"2["burst",100000000]"#);
        client.send(r#"2["message"]"#);
    }
    std::thread::sleep(Duration::from_millis(500));
    scene.is_calm();
    drop(clients);
    scene.finish();
}

#[test]
fn many_small_packets_in_one_body() {
    let scene = Scene::new(&[]);
    let sid = crate::session::sid_of(scene.server.get(crate::client::POLLING).text());
    let target = format!("{}&sid={sid}", crate::client::POLLING);
    let body = format!("40{}", "\u{1e}42[\"x\"]".repeat(100_000));
    scene.server.post(&target, body).assert_ok("ok");
    let answer = scene.server.get(&target);
    assert!(answer.text().starts_with("40{\"sid\""), "{answer:?}");
    scene.server.post(&target, "1").assert_ok("ok");
    scene.finish();
}

/// The client that speaks MessagePack, by hand.
struct Packed(WebSocket);

impl Packed {
    fn open(server: &Server) -> Self {
        let mut websocket = WebSocket::connect(server, WEBSOCKET);
        let Message::Text(_) = websocket.message() else {
            panic!("the open packet is text");
        };
        Self(websocket)
    }

    fn join(server: &Server) -> Self {
        let mut packed = Self::open(server);
        packed.0.binary(b"\x82\xa4type\x00\xa3nsp\xa1/");
        for _ in 0..2 {
            // It is let in, and greeted.
            let Message::Binary(_) = packed.0.message() else {
                panic!("packets are binary");
            };
        }
        packed
    }

    /// An event that wants an acknowledgement is acknowledged.
    fn is_answered(&mut self) {
        self.0
            .binary(b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x07\xa4data\x92\xb0message-with-ack\x2a");
        let Message::Binary(bytes) = self.0.message() else {
            panic!("packets are binary");
        };
        assert!(bytes.windows(5).any(|five| five == b"data\x91"), "{bytes:?}");
    }
}

#[test]
fn what_is_no_messagepack_costs_the_connection_of_who_sent_it() {
    let server = Server::app("socketio", &["--parser", "msgpack"]);
    let mut witness = Packed::join(&server);
    let before = server.memory();
    let event = |data: &[u8]| [b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data", data].concat();
    let deep = |opener: u8| event(&[b"\x92\xa7message".as_slice(), &vec![opener; 100_000]].concat());
    let packets: Vec<Vec<u8>> = vec![
        vec![],
        vec![0xc1],
        b"\x80".to_vec(),
        b"\x82\xa4type\x09\xa3nsp\xa1/".to_vec(),
        b"\x82\xa4type\xff\xa3nsp\xa1/".to_vec(),
        b"\x82\xa4type\xa10\xa3nsp\xa1/".to_vec(),
        // A length and nothing behind it.
        event(b"\xdd\xff\xff\xff\xff"),
        event(b"\xdf\xff\xff\xff\xff"),
        event(b"\x92\xa7message\xc6\xff\xff\xff\xff"),
        event(b"\x92\xa7message\xdb\xff\xff\xff\xff"),
        event(b"\x92\xa7message\xc9\xff\xff\xff\xff\x00"),
        event(b"\x92\xa7message\xdd\xff\xff\xff\xff\xc0"),
        b"\xdf\xff\xff\xff\xff\xa4type\x02".to_vec(),
        // Deep, and not even closed.
        deep(0x91),
        deep(0x81),
        // A namespace of no text, which nobody has joined.
        b"\x83\xa4type\x02\xa3nsp\xa2\xff\xff\xa4data\x91\xa1e".to_vec(),
        // No event.
        event(b"\x90"),
        event(b"\x91\xc0"),
        event(b"\x91\x91\xa1e"),
        event(b"\xa7message"),
        event(b"\x91\xa7connect"),
        event(b"\x91\xaadisconnect"),
        // Something behind it.
        [event(b"\x91\xa7message"), vec![0xc0]].concat(),
    ];
    for packet in &packets {
        let mut packed = Packed::join(&server);
        packed.0.binary(packet);
        let mut client = Client { websocket: packed.0 };
        let shown = format!("{:?}", &packet[..packet.len().min(40)]);
        expect_thrown_out(&mut client, &shown);
    }
    // What is no text becomes one, as in JavaScript.
    let mut packed = Packed::join(&server);
    packed.0.binary(&event(b"\x92\xa7message\xa2\xff\xfe"));
    let Message::Binary(back) = packed.0.message() else {
        panic!("packets are binary");
    };
    let text = "\u{fffd}\u{fffd}".as_bytes();
    assert!(back.windows(text.len()).any(|some| some == text), "{back:?}");
    packed.0.binary(&event(b"\x91\xa2\xff\xfe"));
    packed.is_answered();
    drop(packed);
    // Text is no packet either.
    let mut client = Client {
        websocket: Packed::join(&server).0,
    };
    client.send(r#"2["message"]"#);
    expect_thrown_out(&mut client, "text");
    witness.is_answered();
    if let (Some(before), Some(now)) = (before, server.memory()) {
        assert!(now < before + GROWTH, "it grew from {before} kB to {now} kB");
    }
    drop(witness);
    server.wait_for_stats(r#""sessions":0"#);
    server.finish();
}
