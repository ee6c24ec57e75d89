//! The crate `rust_socketio` against `sansocket serve --app socketio`: rust-socketio-interop sync|asyncio URL PLAN
//!
//! What it can not do itself is left out: it answers no event that wants an acknowledgement, drops events with several
//! attachments, and sends bytes that want an acknowledgement as an acknowledgement.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use futures_util::FutureExt as _;
use rust_socketio::asynchronous::{Client as AsyncClient, ClientBuilder as AsyncBuilder};
use rust_socketio::client::Client as SyncClient;
use rust_socketio::{ClientBuilder, Event, Payload, TransportType};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a client has heard: the name of an event, or `open`, `close`, `error`, `ack`.
type Heard = (String, Payload);

/// Both clients, driven from a plain thread.
enum Client {
    Sync(SyncClient),
    Async(AsyncClient),
}

struct Peer<'a> {
    setting: &'a Setting,
    client: Client,
    inbox: Receiver<Heard>,
    tell: Sender<Heard>,
}

struct Setting {
    url: String,
    transport: TransportType,
    /// For the client that wants one.
    runtime: Option<tokio::runtime::Runtime>,
}

fn text(values: Value) -> Payload {
    match values {
        Value::Array(values) => Payload::Text(values),
        value => Payload::Text(vec![value]),
    }
}

impl Setting {
    fn connect(&self, namespace: &str, auth: Option<Value>) -> Peer<'_> {
        let (tell, inbox) = mpsc::channel();
        let client = match &self.runtime {
            None => Client::Sync(self.connect_sync(namespace, auth, &tell)),
            Some(runtime) => Client::Async(runtime.block_on(self.connect_async(namespace, auth, &tell))),
        };
        Peer {
            setting: self,
            client,
            inbox,
            tell,
        }
    }

    fn connect_sync(&self, namespace: &str, auth: Option<Value>, tell: &Sender<Heard>) -> SyncClient {
        let mut builder = ClientBuilder::new(&self.url)
            .namespace(namespace)
            .transport_type(self.transport.clone())
            .reconnect(false)
            .reconnect_on_disconnect(false);
        if let Some(auth) = auth {
            builder = builder.auth(auth);
        }
        for (name, event) in [
            ("open", Event::Connect),
            ("close", Event::Close),
            ("error", Event::Error),
        ] {
            let tell = tell.clone();
            builder = builder.on(event, move |payload, _| drop(tell.send((name.to_owned(), payload))));
        }
        let tell = tell.clone();
        let builder = builder.on_any(move |event, payload, _| drop(tell.send((event.to_string(), payload))));
        builder.connect().expect("it connects")
    }

    async fn connect_async(&self, namespace: &str, auth: Option<Value>, tell: &Sender<Heard>) -> AsyncClient {
        let mut builder = AsyncBuilder::new(&self.url)
            .namespace(namespace)
            .transport_type(self.transport.clone())
            .reconnect(false)
            .reconnect_on_disconnect(false);
        if let Some(auth) = auth {
            builder = builder.auth(auth);
        }
        for (name, event) in [
            ("open", Event::Connect),
            ("close", Event::Close),
            ("error", Event::Error),
        ] {
            let tell = tell.clone();
            builder = builder.on(event, move |payload, _| {
                drop(tell.send((name.to_owned(), payload)));
                async {}.boxed()
            });
        }
        let tell = tell.clone();
        let builder = builder.on_any(move |event, payload, _| {
            // The three above are told of already.
            if matches!(event, Event::Message | Event::Custom(_)) {
                drop(tell.send((event.to_string(), payload)));
            }
            async {}.boxed()
        });
        builder.connect().await.expect("it connects")
    }
}

impl Peer<'_> {
    fn expect(&self, name: &str, payload: Payload) {
        let (heard, what) = self.next();
        assert_eq!((heard.as_str(), &what), (name, &payload));
    }

    fn next(&self) -> Heard {
        match self.inbox.recv_timeout(PATIENCE) {
            Ok(heard) => heard,
            Err(RecvTimeoutError::Timeout) => panic!("nothing within {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the client is gone"),
        }
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let runtime = self.setting.runtime.as_ref().expect("the client has one");
        runtime.block_on(future)
    }

    fn emit(&self, event: &str, payload: Payload) {
        let sent = match &self.client {
            Client::Sync(client) => client.emit(event, payload),
            Client::Async(client) => self.block_on(client.emit(event, payload)),
        };
        sent.expect("it is sent");
    }

    fn call(&self, event: &str, payload: Payload) -> Payload {
        let tell = self.tell.clone();
        let sent = match &self.client {
            Client::Sync(client) => client.emit_with_ack(event, payload, PATIENCE, move |payload, _| {
                drop(tell.send(("ack".to_owned(), payload)));
            }),
            Client::Async(client) => {
                self.block_on(client.emit_with_ack(event, payload, PATIENCE, move |payload, _| {
                    drop(tell.send(("ack".to_owned(), payload)));
                    async {}.boxed()
                }))
            }
        };
        sent.expect("it is sent");
        let (name, payload) = self.next();
        assert_eq!(name, "ack");
        payload
    }

    fn disconnect(&self) {
        let sent = match &self.client {
            Client::Sync(client) => client.disconnect(),
            Client::Async(client) => self.block_on(client.disconnect()),
        };
        sent.expect("it is sent");
    }
}

fn scenario(setting: &Setting) {
    let a = setting.connect("/", Some(json!({"who": "a", "list": [1, null]})));
    a.expect("open", Payload::from(""));
    a.expect("auth", text(json!([{"who": "a", "list": [1, null]}])));
    let b = setting.connect("/", None);
    b.expect("open", Payload::from(""));
    b.expect("auth", text(json!([{}])));

    let values = json!([1, "two", {"three": [null, true, "ä😀"]}]);
    a.emit("message", text(values.clone()));
    a.expect("message-back", text(values.clone()));
    // It hands the list of an acknowledgement over as one value.
    assert_eq!(
        a.call("message-with-ack", text(values.clone())),
        Payload::Text(vec![values])
    );
    // Over a WebSocket it cuts bytes at 0x1e.
    a.emit("message", Payload::from(vec![1_u8, 2, 255]));
    a.expect("message-back", Payload::from(vec![1_u8, 2, 255]));

    for peer in [&a, &b] {
        assert_eq!(peer.call("join", text(json!(["rust"]))), text(json!([[]])));
    }
    assert_eq!(a.call("count", text(json!([]))), text(json!([[2]])));
    a.emit("to-room", text(json!(["rust", "hello", [1]])));
    b.expect("room-msg", text(json!(["hello", [1]])));
    b.emit("in-room", text(json!(["rust", 1, 2])));
    for peer in [&a, &b] {
        peer.expect("room-msg", text(json!([1, 2])));
    }
    a.emit("broadcast", Payload::from(vec![7_u8]));
    b.expect("broadcast", Payload::from(vec![7_u8]));
    a.emit("emit-all", text(json!(["x"])));
    for peer in [&a, &b] {
        peer.expect("all", text(json!(["x"])));
    }

    a.emit("burst", text(json!([2000])));
    for n in 0..2000 {
        a.expect("n", text(json!([n])));
    }

    for (namespace, auth, why) in [
        ("/auth", None, "unauthorized"),
        ("/reject", Some(json!({})), "nope"),
        ("/nowhere", None, "Invalid namespace"),
    ] {
        let refused = setting.connect(namespace, auth);
        let (name, payload) = refused.next();
        assert_eq!(name, "error");
        assert!(format!("{payload:?}").contains(why), "{payload:?}");
        // The one without async can end it now; the other knows of no connection to end before its own is at an end.
        if let Client::Sync(_) = refused.client {
            refused.disconnect();
        }
    }
    let c = setting.connect("/auth", Some(json!({"token": "secret"})));
    c.expect("open", Payload::from(""));
    c.expect("auth", text(json!([{"token": "secret"}])));
    let d = setting.connect("/dyn-7", None);
    d.expect("open", Payload::from(""));
    d.expect("auth", text(json!([{}])));
    assert_eq!(d.call("count", text(json!([]))), text(json!([[1]])));

    b.emit("disconnect-me", text(json!([true])));
    let (name, _) = b.next();
    assert_eq!(name, "close");
    for peer in [a, c, d] {
        peer.disconnect();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [style, url, plan] = &arguments[..] else {
        panic!("usage: rust-socketio-interop sync|asyncio URL polling|websocket|upgrade");
    };
    let runtime = (style == "asyncio").then(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    });
    let transport = match plan.as_str() {
        "polling" => TransportType::Polling,
        "websocket" => TransportType::Websocket,
        _ => TransportType::WebsocketUpgrade,
    };
    scenario(&Setting {
        url: url.clone(),
        transport,
        runtime,
    });
    println!("ok");
}
