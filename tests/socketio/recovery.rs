//! Connection state recovery: who comes back soon has what it had, and what it missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use sansocket::Error;
use sansocket::runtime::socketio::{Ack, EmitError, RecoveryConfig, Refused, Socket};
use serde_json::Value;

use crate::client::Client;
use crate::http::PATIENCE;
use crate::server::{Options, Server, options};
use crate::waiting::{block_on, wait_until};

const LONG: Duration = Duration::from_secs(60);

/// What a client knows of itself when its connection is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    id: String,
    pid: String,
}

/// Joins a namespace of a server that recovers.
#[track_caller]
fn join(client: &mut Client, prefix: &str, auth: &str) -> Identity {
    client.send(&format!("0{prefix}{auth}"));
    let answer = client.next();
    let json = answer.strip_prefix(&format!("0{prefix}"));
    let json: Value = serde_json::from_str(json.expect("it is let in")).expect("JSON");
    let text = |name: &str| json[name].as_str().expect("a text").to_owned();
    let (id, pid) = (text("sid"), text("pid"));
    assert!(id.len() == 20 && pid.len() == 20 && id != pid);
    Identity { id, pid }
}

fn back(identity: &Identity, offset: &str) -> String {
    format!(r#"{{"pid":"{}","offset":"{offset}"}}"#, identity.pid)
}

/// The next event, which is of this form with an offset for its last argument.
#[track_caller]
fn event(client: &mut Client, expected: &str) -> String {
    let packet = client.next();
    let rest = packet.strip_prefix(expected).and_then(|rest| rest.strip_suffix("\"]"));
    let rest = rest.unwrap_or_else(|| panic!("not {expected}…: {packet}"));
    rest.trim_start_matches([',', '"']).to_owned()
}

/// Says who was asked about, who is in, and who is gone.
fn server(options: Options) -> (Server, Receiver<String>) {
    let (says, told) = mpsc::channel();
    let server = Server::host(options, |io| {
        let (asked, connected, gone) = (says.clone(), says.clone(), says);
        let main = io.of("/").on_connect(move |request| {
            let asked = asked.clone();
            async move {
                let auth: Value = request.auth()?;
                asked.send(format!("asked {}", request.recovered())).expect("the test");
                if auth["refuse"] == true {
                    return Err(Refused::new("no"));
                }
                request.join("room");
                Ok(AtomicUsize::new(1))
            }
        });
        main.on_connected(move |socket| {
            let says = connected.clone();
            async move {
                let count = socket.data().fetch_add(1, Ordering::SeqCst);
                let rooms = socket.rooms()[1..].join("+");
                says.send(format!("in {} {count} {rooms}", socket.recovered()))
                    .expect("the test");
            }
        });
        main.on_disconnect(move |_, reason| {
            let says = gone.clone();
            async move { says.send(format!("gone: {reason}")).map_err(|_| "the test is over") }
        });
        main.on("join", |socket: Socket<AtomicUsize>, room: String| async move {
            socket.join(room);
            Ack(true)
        });
    });
    (server, told)
}

#[track_caller]
fn expect(told: &Receiver<String>, text: &str) {
    assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok(text));
}

#[test]
fn who_comes_back_has_everything() {
    let (server, told) = server(options().recovery(LONG));
    let main = server.handle().of("/");
    let mut client = Client::open(&server);
    let identity = join(&mut client, "", "");
    expect(&told, "asked false");
    expect(&told, "in false 1 room");
    assert_eq!(client.call(r#"["join","other"]"#), "[true]");
    let socket = main.socket(&identity.id).expect("it is there");
    block_on(socket.emit("one", &(1, "ä"))).expect("it is there");
    event(&mut client, r#"2["one",1,"ä""#);
    block_on(main.to("room").emit("two", &())).expect("it can be sent");
    let seen = event(&mut client, r#"2["two""#);
    drop(client);
    expect(&told, "gone: transport close");
    assert!(main.is_empty() && server.handle().stats().rooms == 0);

    // What is for it, and what is not.
    block_on(main.to("room").emit("three", &(3, [1]))).expect("it can be sent");
    block_on(main.to("nowhere").emit("not for it", &())).expect("it can be sent");
    block_on(main.except(&identity.id).emit("not for it", &())).expect("it can be sent");
    block_on(main.to("room").volatile().emit("nor this", &())).expect("it can be sent");
    assert!(block_on(socket.call::<u8>("nor this", &())).is_err());
    assert!(!socket.is_connected());
    block_on(socket.emit("four", &"4")).expect("it is kept");
    socket.try_emit("five", &()).expect("it is kept");
    block_on(
        main.to("other")
            .emit("six", &sansocket::socketio::Binary::from(vec![6])),
    )
    .expect("it can be sent");

    let mut client = Client::open(&server);
    assert_eq!(join(&mut client, "", &back(&identity, &seen)), identity);
    event(&mut client, r#"2["three",3,[1]"#);
    event(&mut client, r#"2["four","4""#);
    event(&mut client, r#"2["five""#);
    let seen = event(&mut client, r#"51-["six",{"_placeholder":true,"num":0}"#);
    client.expect_binary(&[6]);
    // Nobody was asked, and the data is the same.
    expect(&told, "in true 2 room+other");
    // Its former socket still reaches it.
    block_on(socket.emit("seven", &())).expect("it is back");
    event(&mut client, r#"2["seven""#);

    // Once more, having seen less than there was, and without a word in between.
    drop(client);
    expect(&told, "gone: transport close");
    let mut client = Client::open(&server);
    assert_eq!(join(&mut client, "", &back(&identity, &seen)), identity);
    event(&mut client, r#"2["seven""#);
    expect(&told, "in true 3 room+other");
    block_on(main.emit("eight", &())).expect("it can be sent");
    event(&mut client, r#"2["eight""#);
    server.finish();
}

#[test]
fn who_can_not_be_recovered_is_somebody_new() {
    let mut limits = RecoveryConfig::default();
    limits.max_duration = Duration::from_millis(300);
    limits.max_log = 3000;
    let (server, told) = server(options().recovery(limits));
    let main = server.handle().of("/");
    let arrive = |auth: &str| {
        let mut client = Client::open(&server);
        let identity = join(&mut client, "", auth);
        expect(&told, "asked false");
        expect(&told, "in false 1 room");
        block_on(main.to(&identity.id).emit("x", &())).expect("it can be sent");
        let seen = event(&mut client, r#"2["x""#);
        (client, identity, seen)
    };
    // It wanted to go, or was thrown out.
    let (mut client, identity, seen) = arrive("");
    client.send("1");
    expect(&told, "gone: client namespace disconnect");
    let (_, other, _) = arrive(&back(&identity, &seen));
    assert_ne!(other, identity);
    expect(&told, "gone: transport close");
    let (client, identity, seen) = arrive("");
    main.to(&identity.id).disconnect(true);
    expect(&told, "gone: server namespace disconnect");
    drop(client);
    assert_ne!(arrive(&back(&identity, &seen)).1, identity);
    expect(&told, "gone: transport close");
    // It shows what is no offset, or nothing that we know.
    let (client, identity, _) = arrive("");
    drop(client);
    expect(&told, "gone: transport close");
    assert_ne!(arrive(&back(&identity, "0")).1, identity);
    expect(&told, "gone: transport close");
    assert_ne!(arrive(r#"{"pid":"nobody","offset":"0"}"#).1, identity);
    expect(&told, "gone: transport close");
    assert_ne!(arrive(r#"{"pid":7,"offset":null}"#).1, identity);
    expect(&told, "gone: transport close");
    // It has missed more than is kept.
    let (client, identity, seen) = arrive("");
    drop(client);
    expect(&told, "gone: transport close");
    for _ in 0..10 {
        block_on(main.emit("much", &"x".repeat(400))).expect("it can be sent");
    }
    assert_ne!(arrive(&back(&identity, &seen)).1, identity);
    expect(&told, "gone: transport close");
    // It was away for too long, and its socket is gone for good.
    let (client, identity, seen) = arrive("");
    let socket = main.socket(&identity.id).expect("it is there");
    drop(client);
    expect(&told, "gone: transport close");
    block_on(socket.emit("kept", &())).expect("it may come back");
    wait_until("nothing is kept of it", || {
        // Others come and go: that is when what is too old is forgotten.
        matches!(block_on(socket.emit("gone", &1)), Err(Error::Emit(EmitError::Disconnected(args))) if args.json() == "[1]")
            || {
                block_on(main.emit("tick", &())).expect("it can be sent");
                false
            }
    });
    assert_ne!(arrive(&back(&identity, &seen)).1, identity);
    server.finish();
}

#[test]
fn those_who_come_back_are_asked_about_on_request() {
    let (server, told) = server(options().recovery(LONG).recovery_skips_middleware(false));
    let main = server.handle().of("/");
    let mut client = Client::open(&server);
    let identity = join(&mut client, "", "");
    expect(&told, "asked false");
    expect(&told, "in false 1 room");
    assert_eq!(client.call(r#"["join","other"]"#), "[true]");
    block_on(main.emit("one", &())).expect("it can be sent");
    let seen = event(&mut client, r#"2["one""#);
    drop(client);
    expect(&told, "gone: transport close");
    block_on(main.to("other").emit("two", &())).expect("it can be sent");
    let mut client = Client::open(&server);
    assert_eq!(join(&mut client, "", &back(&identity, &seen)), identity);
    expect(&told, "asked true");
    // Its data is new, its rooms are not.
    expect(&told, "in true 1 room+other");
    let seen = event(&mut client, r#"2["two""#);
    drop(client);
    expect(&told, "gone: transport close");
    let mut client = Client::open(&server);
    client.send(&format!(
        r#"0{{"pid":"{}","offset":"{seen}","refuse":true}}"#,
        identity.pid
    ));
    client.expect(r#"4{"message":"no"}"#);
    expect(&told, "asked true");
    assert_ne!(join(&mut client, "", &back(&identity, &seen)), identity);
    expect(&told, "asked false");
    server.finish();
}

#[test]
fn a_namespace_of_a_pattern_waits_for_those_who_may_come_back() {
    let server = Server::host(options().recovery(Duration::from_millis(400)), |io| {
        io.of_pattern("/room-*");
    });
    let io = server.handle();
    let mut client = Client::open(&server);
    let identity = join(&mut client, "/room-1,", "");
    let room = io.of_matching(|_| false);
    assert!(room.is_empty());
    let socket = io.socket(&identity.id).expect("it is there");
    socket.try_emit("one", &()).expect("it is there");
    let seen = event(&mut client, r#"2/room-1,["one""#);
    drop(client);
    wait_until("it is gone", || io.socket_count() == 0);
    assert_eq!(io.namespaces(), ["/room-1"]);
    let mut client = Client::open(&server);
    assert_eq!(join(&mut client, "/room-1,", &back(&identity, &seen)), identity);
    client.send("1/room-1,");
    wait_until("nobody comes back, and it is forgotten", || io.namespaces().is_empty());
    // One that nobody comes back to goes when others come.
    let mut client = Client::open(&server);
    join(&mut client, "/room-2,", "");
    drop(client);
    let mut number = 3;
    let mut client = Client::open(&server);
    wait_until("the other one is forgotten", || {
        join(&mut client, &format!("/room-{number},"), "");
        client.send(&format!("1/room-{number},"));
        number += 1;
        io.namespaces().iter().all(|name| &name[..] != "/room-2")
    });
    server.finish();
}

/// Two threads tell everybody, a client comes and goes: it sees what each has said in order, and once.
#[test]
fn nothing_is_lost_and_nothing_comes_twice_while_others_send() {
    const EVENTS: usize = 400;
    let server = Server::host(options().recovery(LONG), |io| drop(io.of("/")));
    let main = server.handle().of("/");
    let mut client = Client::open(&server);
    let identity = join(&mut client, "", "");
    let sends = Arc::new(AtomicBool::new(true));
    let senders: Vec<_> = (0..2)
        .map(|sender| {
            let (main, sends) = (main.clone(), sends.clone());
            thread::spawn(move || {
                for n in 0..EVENTS {
                    block_on(main.emit("n", &(sender, n))).expect("it can be sent");
                    if n % 8 == 0 {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                sends.store(false, Ordering::SeqCst);
            })
        })
        .collect();
    let mut next = [0, 0];
    let mut seen = String::new();
    let mut came = 0;
    while next != [EVENTS, EVENTS] {
        let packet = client.next();
        let (_, args) = packet.split_once(r#"["n","#).expect("an event");
        let args: Value = serde_json::from_str(&format!("[{args}")).expect("JSON");
        let sender = usize::try_from(args[0].as_u64().expect("a number")).expect("one of two");
        assert_eq!(args[1].as_u64(), Some(next[sender] as u64), "{packet}");
        next[sender] += 1;
        seen = args[2].as_str().expect("an offset").to_owned();
        came += 1;
        if came % 50 == 0 {
            drop(client);
            wait_until("it is gone", || main.is_empty());
            client = Client::open(&server);
            assert_eq!(join(&mut client, "", &back(&identity, &seen)), identity);
        }
    }
    assert!(!seen.is_empty());
    for sender in senders {
        sender.join().expect("it could send");
    }
    server.finish();
}
