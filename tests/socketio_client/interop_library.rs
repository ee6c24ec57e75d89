//! The library against npm `socket.io` and python-socketio: on the runtime under test, and on threads.

use std::sync::mpsc;
use std::time::Duration;

use sansocket::engineio::Transport;
use sansocket::runtime::socketio::Ack;
use sansocket::runtime::socketio::client::{Client, ClientBuilder, ClientEvent, ConnectFailed, SimpleClient};
use sansocket::socketio::{Args, Binary, MSGPACK};
use serde_json::{Value, json};

use crate::library::{backoff, within};
use crate::peer::PATIENCE;
use crate::process::Foreign;
use crate::process::Kind::{self, Node, NodeWithMsgpack, NodeWithRecovery, Python};
use crate::runtime::{self, Any};

/// One test for each line: its name, and the call that it is.
macro_rules! scenarios {
    ($($name:ident: $run:expr;)*) => {
        $(
            #[test]
            #[ignore = "needs npm's socket.io or python-socketio"]
            fn $name() {
                runtime::block_on(true, $run);
            }
        )*
    };
}

scenarios! {
    node_conversation: conversation(Node);
    node_conversation_in_msgpack: conversation(NodeWithMsgpack);
    python_conversation: conversation(Python);
    node_threads: threads(Node);
    python_threads: threads(Python);
    node_refuses: refuses(Node);
    python_refuses: refuses(Python);
    node_ten_thousand_across_an_upgrade: ten_thousand(Node);
    python_ten_thousand_across_an_upgrade: ten_thousand(Python);
    node_sends_what_was_missed: missed();
    node_sees_retries_in_order: retries();
    node_restarts: restarts();
    node_is_told_who_leaves: leaves();
}

fn at(server: &Foreign) -> ClientBuilder<Any> {
    Client::<Any>::builder(&server.url).no_proxy()
}

async fn conversation(kind: Kind) {
    let server = Foreign::start(kind);
    for transports in [&[Transport::Polling, Transport::WebSocket][..], &[Transport::WebSocket]] {
        let (says, told) = mpsc::channel();
        let mut builder = at(&server).transports(transports).auth(&json!({"a": 1}));
        if matches!(kind, NodeWithMsgpack) {
            builder = builder.parser(&MSGPACK);
        }
        let client = builder
            .namespace("/")
            .namespace("/custom")
            .on("question", |_, (text, bytes): (String, Binary)| async move {
                Ack(json!({"text": text, "length": bytes.len()}))
            })
            .on_any(move |socket, name, args| {
                says.send((socket.namespace().to_owned(), name, args)).unwrap();
                async {}
            });
        let client = within(client.connect()).await.unwrap();
        let expect = |namespace: &str, name: &str| -> Args {
            let told = told.recv_timeout(PATIENCE).unwrap();
            assert_eq!((told.0.as_str(), told.1.as_str()), (namespace, name));
            told.2
        };
        for _ in 0..2 {
            let (_, name, args) = told.recv_timeout(PATIENCE).unwrap();
            assert_eq!((name.as_str(), args.json().as_str()), ("auth", "[{\"a\":1}]"));
        }
        let bytes = Binary::from(vec![0, 255, 7]);
        for socket in [client.socket(), client.of("custom").unwrap()] {
            let namespace = socket.namespace().to_owned();
            socket
                .emit("message", &("é😀", &bytes, json!({"x": null})))
                .await
                .unwrap();
            let back: (String, Binary, Value) = expect(&namespace, "message-back").parse().unwrap();
            assert_eq!(back, ("é😀".to_owned(), bytes.clone(), json!({"x": null})));
            let ack = within(socket.call_args::<(u8, Binary)>("message-with-ack", &(1, &bytes))).await;
            assert_eq!(ack.unwrap(), (1, bytes.clone()));
            socket.emit("ask-me", &("?", &bytes)).await.unwrap();
            expect(&namespace, "question");
            let answer: Value = expect(&namespace, "answer").get(0).unwrap();
            assert_eq!(answer, json!({"text": "?", "length": 3}));
        }
        within(client.close()).await;
    }
}

/// The client without async: it waits on this thread, and its own do the work.
async fn threads(kind: Kind) {
    let server = Foreign::start(kind);
    let (says, told) = mpsc::channel();
    let client = sansocket::blocking::socketio::Client::builder(&server.url)
        .no_proxy()
        .on("question", |socket, text: String| {
            // A call in a handler.
            let back: String = socket.call_within(PATIENCE, "message-with-ack", &text)?;
            Ok::<_, sansocket::blocking::socketio::CallError>(Ack(back + "!"))
        })
        .on("answer", move |_, text: String| says.send(text).unwrap())
        .connect()
        .unwrap();
    client.emit("ask-me", &"?").unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "?!");
    let custom = client.join("/custom").unwrap();
    assert_eq!(custom.call_within::<u8>(PATIENCE, "message-with-ack", &7).unwrap(), 7);
    client.close();
}

async fn refuses(kind: Kind) {
    let server = Foreign::start(kind);
    let error = within(at(&server).namespace("/reject").connect()).await.unwrap_err();
    let ConnectFailed::Refused(refused) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (refused.message.as_str(), refused.data.unwrap().as_str()),
        ("nope", "{\"code\":7}")
    );
    let builder = at(&server).namespace("/auth");
    let client = within(builder.auth_with(|| async { json!({"token": "secret"}) }).connect()).await;
    within(client.unwrap().close()).await;
}

async fn ten_thousand(kind: Kind) {
    let server = Foreign::start(kind);
    let (client, mut events) = at(&server).start_with_events().unwrap();
    client.emit("burst", &10_000).await.unwrap();
    for n in 0..10_000 {
        client.emit("message", &n).await.unwrap();
    }
    let (mut there, mut back, mut upgraded) = (0, 0, false);
    while there < 10_000 || back < 10_000 || !upgraded {
        match within(events.next()).await.expect("there is more") {
            ClientEvent::Upgraded => upgraded = true,
            ClientEvent::Event { name, args, .. } if name == "n" => {
                assert_eq!(args.get::<u32>(0).unwrap(), there);
                there += 1;
            }
            ClientEvent::Event { name, args, .. } if name == "message-back" => {
                assert_eq!(args.get::<u32>(0).unwrap(), back);
                back += 1;
            }
            ClientEvent::Disconnect { reason, .. } => panic!("{reason}"),
            _ => {}
        }
    }
    within(client.close()).await;
}

async fn next(client: &mut SimpleClient<Any>, name: &str) -> Args {
    loop {
        let received = within(client.receive()).await.expect("there is more");
        if received.name == name {
            return received.args;
        }
    }
}

/// Connection state recovery: what was emitted while nobody was there comes, once and in order.
async fn missed() {
    let server = Foreign::start(NodeWithRecovery);
    let backoff = backoff().delay(Duration::from_millis(300)).attempts(10);
    let builder = at(&server).transports(&[Transport::WebSocket]).reconnect(backoff);
    let mut client = within(builder.connect_simple()).await.unwrap();
    let id = client.id().expect("it is connected");
    assert!(!client.recovered());
    for round in 0..2 {
        client.emit("message", &round).await.unwrap();
        next(&mut client, "message-back").await;
        client.emit("break-and-tell", &5).await.unwrap();
        for n in 0..5_u8 {
            let args = next(&mut client, "n").await;
            let missed: (u8, Binary, String) = args.parse().expect("the offset is the last");
            assert_eq!((missed.0, &missed.1[..]), (n, &[n][..]));
        }
        assert!(client.recovered());
        assert_eq!(client.id().as_deref(), Some(&id[..]));
    }
    // Nothing comes twice.
    client.emit("message", &"end").await.unwrap();
    let mut name = "auth".to_owned();
    while name == "auth" {
        name = within(client.receive()).await.expect("there is more").name;
    }
    assert_eq!(name, "message-back");
    within(client.close()).await;
}

/// Each is sent until it is acknowledged, and none before the one that was emitted before it.
async fn retries() {
    let server = Foreign::start(Node);
    let builder = at(&server).retries(5).ack_timeout(Duration::from_millis(150));
    let client = within(builder.connect()).await.unwrap();
    client.emit("third-time", &"a").with_retries().await.unwrap();
    let acknowledged: String = within(client.call("third-time", &"b").with_retries()).await.unwrap();
    assert_eq!(acknowledged, "b");
    let seen: Vec<String> = within(client.call("seen", &()).timeout(PATIENCE)).await.unwrap();
    assert_eq!(seen, ["a", "a", "a", "b", "b", "b"]);
    within(client.close()).await;
}

/// A server that closes everything in order, and comes back.
async fn restarts() {
    let server = Foreign::start(Node);
    for transports in [&[Transport::Polling][..], &[Transport::WebSocket]] {
        let (says, told) = mpsc::channel();
        let builder = at(&server).transports(transports).allow_upgrades(false);
        let client = builder
            .reconnect(backoff().delay(Duration::from_millis(50)).attempts(100))
            .on_disconnect(move |_, reason| {
                says.send(reason).unwrap();
                async {}
            });
        let client = within(client.connect()).await.unwrap();
        client.emit("restart", &()).await.unwrap();
        // Over polling it ends as it happens: it is in the middle of a request.
        let reason = told.recv_timeout(PATIENCE).unwrap();
        assert!(!reason.is_final(), "{reason}");
        let back: u8 = within(client.call("message-with-ack", &1)).await.unwrap();
        assert_eq!(back, 1);
        within(client.close()).await;
    }
}

/// Whoever leaves in order is seen to, whatever carries it.
async fn leaves() {
    let server = Foreign::start(Node);
    let watcher = within(at(&server).connect()).await.unwrap();
    for (number, transport) in [Transport::Polling, Transport::WebSocket].into_iter().enumerate() {
        let builder = at(&server).transports(&[transport]).allow_upgrades(false);
        let client = within(builder.connect()).await.unwrap();
        client.emit("message", &"last").await.unwrap();
        within(client.close()).await;
        let mut left: Vec<String> = Vec::new();
        while left.len() <= number {
            left = within(watcher.call("left", &()).timeout(PATIENCE)).await.unwrap();
        }
        assert_eq!(left[number], "client namespace disconnect", "{transport:?}");
    }
}
