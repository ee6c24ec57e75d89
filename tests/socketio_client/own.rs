//! Both ends ours: the client, library and program, against `sansocket serve --app socketio`.

use std::sync::mpsc;
use std::time::Duration;

use sansocket::engineio::Transport;
use sansocket::runtime::socketio::client::{Client, ClientBuilder, ClientEvent, ConnectFailed, SimpleClient};
use sansocket::socketio::{Args, Binary, MSGPACK};
use sansocket::tls::{ClientOptions, Connector, Roots};
use serde_json::{Value, json};

use crate::certificates::Authority;
use crate::library::{backoff, within};
use crate::peer::PATIENCE;
use crate::program::Program;
use crate::runtime::{self, Any};
use crate::server::Serve;

fn at(url: &str) -> ClientBuilder<Any> {
    Client::<Any>::builder(url).no_proxy()
}

/// The next event but the greeting.
async fn next(client: &mut SimpleClient<Any>) -> (String, Value) {
    loop {
        let received = within(client.receive()).await.expect("there is more");
        if received.name != "auth" {
            let args = serde_json::from_str(&received.args.json()).unwrap();
            return (received.name, args);
        }
    }
}

/// Waits until the client is on its WebSocket.
async fn upgraded(client: &SimpleClient<Any>) {
    let upgraded = async {
        while client.transport() != Some(Transport::WebSocket) {
            runtime::sleep(Duration::from_millis(2)).await;
        }
    };
    within(upgraded).await;
}

#[test]
fn ten_thousand_each_way_across_an_upgrade() {
    let server = Serve::start(&[]);
    runtime::block_on(true, async {
        let (client, mut events) = at(&server.url()).start_with_events().unwrap();
        // All of it waits for the connection: what is sent while it polls, and what after that.
        client.emit("burst", &10_000).await.unwrap();
        for n in 0..10_000 {
            client.emit("message", &n).await.unwrap();
        }
        let (mut there, mut back, mut polled, mut upgraded) = (0, 0, false, false);
        while there < 10_000 || back < 10_000 || !upgraded {
            match within(events.next()).await.expect("there is more") {
                ClientEvent::Opened { transport, .. } => polled = transport == Transport::Polling,
                ClientEvent::Upgraded => upgraded = true,
                ClientEvent::Event { name, args, .. } if name == "n" => {
                    assert_eq!(args.get::<u32>(0).unwrap(), there);
                    there += 1;
                }
                ClientEvent::Event { name, args, .. } if name == "message-back" => {
                    assert_eq!(args.get::<u32>(0).unwrap(), back);
                    back += 1;
                }
                ClientEvent::Event { .. } | ClientEvent::Connect { .. } => {}
                event => panic!("{event:?}"),
            }
        }
        assert!(polled);
        within(client.close()).await;
        server.wait_for_stats("\"sessions\":0");
    });
}

#[test]
fn everything_that_the_server_does() {
    for flags in [&[][..], &["--parser", "msgpack"]] {
        let server = Serve::start(flags);
        for transports in [&[Transport::Polling][..], &[Transport::WebSocket]] {
            let mut builder = at(&server.url()).transports(transports).allow_upgrades(false);
            if !flags.is_empty() {
                builder = builder.parser(&MSGPACK);
            }
            runtime::block_on(true, conversation(builder.namespace("/").namespace("/custom")));
        }
        server.wait_for_stats("\"sessions\":0");
    }
}

async fn conversation(builder: ClientBuilder<Any>) {
    let (says, told) = mpsc::channel();
    let client = builder
        // In vain: who was thrown out does not come back.
        .reconnect(backoff())
        .auth(&json!({"a": [1]}))
        .on("question", |_, (text, bytes): (String, Binary)| async move {
            sansocket::runtime::socketio::Ack((bytes, text))
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
    let greeted = [
        told.recv_timeout(PATIENCE).unwrap(),
        told.recv_timeout(PATIENCE).unwrap(),
    ];
    for (namespace, name, args) in &greeted {
        assert_eq!(
            (name.as_str(), args.json().as_str()),
            ("auth", "[{\"a\":[1]}]"),
            "{namespace}"
        );
    }
    let bytes = Binary::from(vec![0, 255, 7]);
    let custom = client.of("custom").unwrap();
    for socket in [client.socket(), custom.clone()] {
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
        let answer: (Binary, String) = expect(&namespace, "answer").parse().unwrap();
        assert_eq!(answer, (bytes.clone(), "?".to_owned()));
        within(socket.call_args::<()>("join", &"r")).await.unwrap();
        socket.emit("in-room", &("r", 1)).await.unwrap();
        expect(&namespace, "room-msg");
        let who: Value = within(socket.call("who", &())).await.unwrap();
        assert_eq!(
            (who["id"].as_str(), &who["rooms"]),
            (socket.id().as_deref(), &json!(["r"]))
        );
    }
    let refused = within(client.join("/reject").unwrap().call::<u8>("never", &())).await;
    assert!(refused.is_err());
    // Thrown out of one namespace, it is in the other.
    custom.emit("disconnect-me", &()).await.unwrap();
    let gone = async {
        while custom.is_connected() {
            runtime::sleep(Duration::from_millis(2)).await;
        }
    };
    within(gone).await;
    assert!(client.is_connected());
    client.emit("disconnect-me", &true).await.unwrap();
    within(client.wait()).await;
}

#[test]
fn refused() {
    let server = Serve::start(&[]);
    runtime::block_on(true, async {
        let error = within(at(&server.url()).namespace("/reject").connect())
            .await
            .unwrap_err();
        let ConnectFailed::Refused(refused) = error else {
            panic!("{error:?}");
        };
        assert_eq!(
            (refused.message.as_str(), refused.data.unwrap().as_str()),
            ("nope", "{\"code\":7}")
        );
        let error = within(at(&server.url()).namespace("/auth").connect())
            .await
            .unwrap_err();
        assert!(matches!(error, ConnectFailed::Refused(refused) if refused.message == "unauthorized"));
        let builder = at(&server.url()).namespace("/auth").auth(&json!({"token": "secret"}));
        let client = within(builder.connect()).await.unwrap();
        within(client.close()).await;
    });
}

#[test]
fn a_restart() {
    let server = Serve::start(&[]);
    runtime::block_on(true, async {
        let builder = at(&server.url()).namespace("/").namespace("/custom");
        let backoff = backoff().delay(Duration::from_millis(100)).attempts(100);
        let mut client = within(builder.reconnect(backoff).connect_simple()).await.unwrap();
        upgraded(&client).await;
        let first = client.id();
        server.take_down(Duration::from_millis(300));
        for n in 0..100 {
            client.emit("message", &n).await.unwrap();
        }
        for n in 0..100 {
            assert_eq!(next(&mut client).await, ("message-back".to_owned(), json!([n])));
        }
        assert!(client.id() != first && !client.recovered());
        let custom = client.of("/custom").unwrap();
        assert_eq!(within(custom.call::<u8>("message-with-ack", &1)).await.unwrap(), 1);
        within(client.close()).await;
    });
}

#[test]
fn over_tls_with_a_given_root() {
    let authority = Authority::new("the root");
    let pair = authority.issue(&["localhost"]);
    let directory = std::env::temp_dir().join(format!("sansocket-sio-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().expect("a path that is text").to_owned()
    };
    let (cert, key, ca) = (file("c", &pair.cert), file("k", &pair.key), file("a", &authority.pem));
    let server = Serve::start_at("127.0.0.1:0", &["--tls-cert", &cert, "--tls-key", &key]);
    let url = format!("https://localhost:{}", server.port());
    runtime::block_on(true, async {
        let roots = Roots::from_pem(authority.pem.as_bytes()).unwrap();
        let connector = Connector::new(ClientOptions::new().roots(roots)).unwrap();
        let mut client = within(at(&url).tls(connector).connect_simple()).await.unwrap();
        client.emit("message", &1).await.unwrap();
        assert_eq!(next(&mut client).await, ("message-back".to_owned(), json!([1])));
        upgraded(&client).await;
        within(client.close()).await;
        let untrusted = within(at(&url).connect()).await;
        assert!(matches!(untrusted, Err(ConnectFailed::Connection(_))), "{untrusted:?}");
    });
    let mut program = Program::spawn(&url, &["--json", "--ca", &ca]);
    program.write("{\"emit\":\"message-with-ack\",\"ack\":1}");
    assert_eq!(program.wait_for("ack")["id"], 1);
    assert_eq!(program.end().status, 0);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn the_program_with_either_parser() {
    for parser in ["text", "msgpack"] {
        let server = Serve::start(&["--parser", parser]);
        let mut program = Program::spawn(&server.url(), &["--json", "--parser", parser]);
        let args = json!([1, {"x": {"$binary": "AQI="}}, "é😀"]);
        program.write(&json!({"emit": "message-with-ack", "args": args, "ack": 7}).to_string());
        assert_eq!(program.wait_for("ack")["args"], args);
        let end = program.end();
        assert_eq!(end.status, 0, "{:?} {}", end.rest, end.stderr);
    }
}

#[test]
fn the_program_over_a_restart() {
    let server = Serve::start(&[]);
    let arguments = ["--json", "--reconnect", "forever", "--reconnect-delay", "50ms"];
    let mut program = Program::spawn(&server.url(), &arguments);
    program.wait_for("connect");
    server.take_down(Duration::from_millis(300));
    let reason = program.wait_for("disconnect")["reason"].clone();
    assert!(reason == "transport close" || reason == "transport error", "{reason}");
    program.wait_for("reconnecting");
    program.write("{\"emit\":\"message-with-ack\",\"args\":[1],\"ack\":1}");
    program.wait_for("connect");
    assert_eq!(program.wait_for("ack")["args"], json!([1]));
    program.write("{\"close\":true}");
    assert_eq!(program.end().status, 0);
}

#[test]
fn threads_against_a_restart() {
    let server = Serve::start(&[]);
    let (says, told) = mpsc::channel();
    let backoff = backoff().delay(Duration::from_millis(100)).attempts(100);
    let client = sansocket::blocking::socketio::Client::builder(&server.url())
        .no_proxy()
        .reconnect(backoff)
        .on("message-back", move |_, n: u32| says.send(n).unwrap())
        .connect()
        .unwrap();
    client.emit("message", &0).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), 0);
    server.take_down(Duration::from_millis(200));
    for n in 1..1000 {
        client.emit("message", &n).unwrap();
    }
    for n in 1..1000 {
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), n);
    }
    client.close();
}
