//! Rows 38 to 40: Socket.IO.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sansocket::engineio::Transport;
use sansocket::runtime::socketio::client::{CallError, Client as IoClient, ClientBuilder, ReceiveError};
use sansocket::runtime::socketio::{Ack, AckError, Args, Binary, Refused, Socket};
use sansocket::{Backoff, Error};

use crate::client::Client;
use crate::http::PATIENCE;
use crate::peer;
use crate::runtime::{self, Any};
use crate::server::{Server, options};
use crate::waiting::block_on;

/// Python's texts are others, and its second CONNECT is answered; ours does as the reference does.
#[test]
fn row_38_refusals() {
    let server = Server::host(options(), |io| {
        io.of("/");
        io.of("/false")
            .on_connect(|_| async { Err::<(), _>(Refused::new("Connection rejected by server")) });
        io.of("/message")
            .on_connect(|_| async { Err::<(), _>(Refused::new("m")) });
        io.of("/data")
            .on_connect(|_| async { Err::<(), _>(Refused::new("m").data(&"x")) });
        io.of("/list")
            .on_connect(|_| async { Err::<(), _>(Refused::new("m").data(&(1, 2))) });
        io.of("/error").on_connect(|request| async move {
            assert!(request.auth_json().is_some(), "a panic on purpose");
            Ok(())
        });
    });
    let mut client = Client::open(&server);
    for (namespace, body) in [
        ("/false", r#"{"message":"Connection rejected by server"}"#),
        ("/message", r#"{"message":"m"}"#),
        ("/data", r#"{"message":"m","data":"x"}"#),
        ("/list", r#"{"message":"m","data":[1,2]}"#),
        ("/error", r#"{"message":"internal error"}"#),
        ("/nowhere", r#"{"message":"Invalid namespace"}"#),
    ] {
        client.send(&format!("0{namespace},"));
        client.expect(&format!("4{namespace},{body}"));
    }
    // The connection is there still, for whoever is let in. Twice is a breach.
    client.enter("/", "");
    client.send("0");
    client.expect_end();
    drop(client);
    server.finish();
}

#[test]
fn row_39_acknowledgements() {
    let server = Server::host(options(), |io| {
        let main = io.of("/");
        main.on("none", |_, ()| async {});
        main.on("value", |_, ()| async { Ack(1) });
        main.on("tuple", |_, ()| async { Ack((1, "two")) });
        main.on("list", |_, ()| async { Ack((vec![1, 2],)) });
        main.on("bytes", |_, bytes: Binary| async move { Ack(bytes) });
        main.on("ask", |socket: Socket, ()| async move {
            let answer = socket.call::<u8>("question", &()).timeout(Duration::from_millis(20));
            Ack(matches!(answer.await, Err(Error::Ack(AckError::TimedOut))))
        });
    });
    let (mut client, _) = Client::join(&server);
    for (event, answer) in [
        ("none", "[]"),
        ("value", "[1]"),
        ("tuple", r#"[1,"two"]"#),
        ("list", "[[1,2]]"),
    ] {
        assert_eq!(client.call(&format!("[\"{event}\"]")), answer);
    }
    client.send(r#"51-7["bytes",{"_placeholder":true,"num":0}]"#);
    client.send_binary(&[1, 2]);
    client.expect(r#"61-7[{"_placeholder":true,"num":0}]"#);
    client.expect_binary(&[1, 2]);
    client.send(r#"28["ask"]"#);
    client.expect(r#"20["question"]"#);
    client.expect("38[true]");
    server.finish();
}

#[test]
fn row_39_rooms() {
    let server = Server::host(options(), |io| {
        io.of("/")
            .on("join", |socket: Socket, room: String| async move { socket.join(room) });
    });
    let (mut one, one_id) = Client::join(&server);
    let (mut two, _) = Client::join(&server);
    // Who is in both gets it once.
    for (client, rooms) in [(&mut one, &["a", "b"][..]), (&mut two, &["b"])] {
        for room in rooms {
            assert_eq!(client.call(&format!(r#"["join","{room}"]"#)), "[]");
        }
    }
    let main = server.handle().of("/");
    block_on(main.to("a").to("b").emit("both", &())).expect("it can be sent");
    block_on(main.to("b").except(&one_id).emit("skip", &())).expect("it can be sent");
    block_on(main.to(&one_id).emit("own", &())).expect("it can be sent");
    block_on(main.to("nowhere").emit("nobody", &())).expect("it can be sent");
    block_on(main.emit("all", &())).expect("it can be sent");
    for event in ["both", "own", "all"] {
        one.expect(&format!("2[\"{event}\"]"));
    }
    for event in ["both", "skip", "all"] {
        two.expect(&format!("2[\"{event}\"]"));
    }
    server.finish();
}

/// Python gives catch-all handlers the event, and before it the namespace: ours the socket, which knows its namespace.
#[test]
fn row_39_catch_all_handlers() {
    let server = Server::host(options(), |io| {
        let main = io.of("/");
        main.on("known", |_, n: u8| async move { Ack(("handler", n)) });
        main.on_other(|_, event, args: Args| async move { Ack(("other", event, args.json())) });
        let any = io.of_matching(|name| name.starts_with("/any/"));
        any.on("known", |_, ()| async { Ack("any") });
        any.on_other(|socket: Socket, event, _| async move { Ack((socket.namespace().name().to_owned(), event)) });
    });
    let (mut client, _) = Client::join(&server);
    assert_eq!(client.call(r#"["known",7]"#), r#"["handler",7]"#);
    assert_eq!(client.call(r#"["unknown",7]"#), r#"["other","unknown","[7]"]"#);
    client.enter("/any/1", "");
    client.send(r#"2/any/1,1["known"]"#);
    client.expect(r#"3/any/1,1["any"]"#);
    client.send(r#"2/any/1,2["unknown"]"#);
    client.expect(r#"3/any/1,2["/any/1","unknown"]"#);
    server.finish();
}

fn at(server: &peer::Server) -> ClientBuilder<Any> {
    let backoff = Backoff::default().delay(Duration::from_millis(5)).attempts(5);
    IoClient::<Any>::builder(&server.url())
        .transports(&[Transport::WebSocket])
        .no_proxy()
        .reconnect(backoff)
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    runtime::timeout(3 * PATIENCE, future).await.expect("in time")
}

/// What a client's handlers are told, in order.
fn noting(builder: ClientBuilder<Any>) -> (ClientBuilder<Any>, mpsc::Receiver<String>) {
    let (note, notes) = mpsc::channel();
    let (connect, error) = (note.clone(), note.clone());
    // The test may have seen enough.
    let builder = builder
        .on_connect(move |_| {
            let _unseen = connect.send("connect".to_owned());
            async {}
        })
        .on_connect_error(move |_| {
            let _unseen = error.send("connect_error".to_owned());
            async {}
        })
        .on_disconnect(move |_, reason| {
            let _unseen = note.send(format!("disconnect {reason}"));
            async {}
        });
    (builder, notes)
}

/// Python says `transport error`, and `server disconnect`. Ours says what the reference says.
#[test]
fn row_40_a_client_comes_back_until_it_is_sent_away() {
    let server = peer::Server::start();
    let (builder, notes) = noting(at(&server));
    let thread = thread::spawn(move || {
        let mut peer = server.accept();
        peer.join("/", "one");
        // A server that is killed, and that is not quite there for a while.
        drop(peer);
        for _ in 0..2 {
            server.refuse();
        }
        let mut peer = server.accept();
        peer.join("/", "two");
        peer.send("41");
        peer.expect("1");
        // Who was sent away does not come back.
        server.accept_within(Duration::from_millis(50)).is_none()
    });
    runtime::block_on(true, async {
        let client = within(builder.connect()).await.expect("it is let in");
        within(client.wait()).await;
    });
    assert!(thread.join().expect("no panic"), "it comes back");
    let notes: Vec<String> = notes.try_iter().collect();
    assert_eq!(
        notes,
        [
            "connect",
            "disconnect transport close",
            "connect_error",
            "connect_error",
            "connect",
            "disconnect io server disconnect"
        ]
    );
}

#[test]
fn row_40_a_client_that_leaves_does_not_come_back() {
    let server = peer::Server::start();
    let (builder, notes) = noting(at(&server));
    let thread = thread::spawn(move || {
        let mut peer = server.accept();
        peer.join("/", "one");
        peer.expect_goodbye();
        server.accept_within(Duration::from_millis(50)).is_none()
    });
    runtime::block_on(true, async {
        let client = within(builder.connect()).await.expect("it is let in");
        within(client.close()).await;
    });
    assert!(thread.join().expect("no panic"), "it comes back");
    let notes: Vec<String> = notes.try_iter().collect();
    assert_eq!(notes, ["connect", "disconnect io client disconnect"]);
}

#[test]
fn row_40_a_simple_client() {
    let server = peer::Server::start();
    let builder = at(&server);
    let thread = thread::spawn(move || {
        let mut peer = server.accept();
        peer.join("/", "one");
        peer.expect("420[\"late\"]");
        peer.send("42[\"event\",1]");
        peer.expect("42[\"go\"]");
        peer.send("41");
        peer.expect("1");
    });
    runtime::block_on(true, async {
        let mut client = within(builder.connect_simple()).await.expect("it is let in");
        let late = client.call::<u8>("late", &()).timeout(Duration::from_millis(20));
        let late = within(late).await;
        assert!(matches!(late, Err(CallError::Ack(AckError::TimedOut))), "{late:?}");
        assert_eq!(within(client.receive()).await.expect("an event").name, "event");
        let nothing = within(client.receive_timeout(Duration::from_millis(20))).await;
        assert_eq!(nothing.unwrap_err(), ReceiveError::TimedOut);
        client.emit("go", &()).await.expect("it is connected");
        let over = within(client.receive_timeout(3 * PATIENCE)).await;
        assert_eq!(over.unwrap_err(), ReceiveError::Disconnected);
        assert!(client.emit("too late", &()).await.is_err());
        assert!(within(client.call::<u8>("too late", &())).await.is_err());
    });
    thread.join().expect("no panic");
}
