//! The client without async, on plain threads.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sansocket::blocking::socketio::{
    Ack, Backoff, CallError, Client, ClientBuilder, ClientDisconnectReason, ConnectFailed, ReceiveError,
};
use sansocket::engineio::Transport;

use crate::library::serve;
use crate::peer::PATIENCE;

fn at(url: &str) -> ClientBuilder {
    Client::builder(url).transports(&[Transport::WebSocket]).no_proxy()
}

fn backoff() -> Backoff {
    Backoff::default().delay(Duration::from_millis(5)).attempts(3)
}

#[test]
fn emits_and_calls() {
    let (url, thread) = serve(|server| {
        let mut peer = server.accept();
        peer.expect("40{\"user\":\"x\"}");
        peer.send("40{\"sid\":\"abc\"}");
        peer.expect("42[\"say\",\"lobby\",1]");
        peer.expect("420[\"add\",1,2]");
        peer.send("430[3]");
        peer.expect("421[\"pair\"]");
        peer.send("431[\"a\",1]");
        peer.expect("422[\"late\"]");
        peer.join("/chat", "def");
        peer.expect("42/chat,[\"hello\"]");
        peer.expect("41");
        peer.expect("41/chat,");
        peer.expect("1");
    });
    let client = at(&url).auth(&serde_json::json!({"user": "x"})).connect().unwrap();
    assert_eq!((client.id().as_deref(), client.namespace()), (Some("abc"), "/"));
    assert!(client.is_connected() && !client.recovered());
    client.emit("say", &("lobby", 1)).unwrap();
    assert_eq!(client.call::<i64>("add", &(1, 2)).unwrap(), 3);
    let pair: (String, u8) = client.call_args(PATIENCE, "pair", &()).unwrap();
    assert_eq!(pair, ("a".to_owned(), 1));
    let late = client.call_within::<u8>(Duration::from_millis(30), "late", &());
    assert!(matches!(late, Err(CallError::Ack(_))));
    let chat = client.join("/chat").unwrap();
    chat.emit("hello", &()).unwrap();
    assert!(client.of("chat").is_some());
    while !chat.is_connected() {
        thread::sleep(Duration::from_millis(5));
    }
    client.close();
    thread.join().unwrap();
    let refused = client.emit("say", &"too late").unwrap_err();
    assert_eq!(refused.into_args().unwrap().json(), "[\"too late\"]");
}

#[test]
fn handlers_answer_one_after_the_other() {
    let (url, thread) = serve(|server| {
        let mut peer = server.accept();
        peer.join("/", "abc");
        peer.send("421[\"slow\",100]");
        peer.send("422[\"add\",1,2]");
        peer.expect("431[100]");
        peer.expect("432[3]");
        // What is wrong is no acknowledgement, and hurts nobody else.
        peer.send("423[\"add\",\"x\"]");
        peer.send("424[\"panics\"]");
        peer.send("425[\"fails\"]");
        // One that awaits an acknowledgement of its own client does not wait for itself.
        peer.send("426[\"double\"]");
        peer.expect("420[\"number\"]");
        peer.send("42[\"beside\"]");
        peer.send("430[21]");
        peer.expect("436[42]");
        peer.send("41");
        peer.expect("1");
    });
    let (says, told) = mpsc::channel();
    let (any, other) = (says.clone(), says.clone());
    let client = at(&url)
        .on("slow", |_, millis: u64| {
            thread::sleep(Duration::from_millis(millis));
            Ack(millis)
        })
        .on("add", |_, (a, b): (i64, i64)| Ack(a + b))
        .on("panics", |_, ()| {
            if true {
                panic!("on purpose");
            }
        })
        .on("fails", |_, ()| Err::<(), _>("on purpose"))
        .on("double", |socket, ()| {
            let n: i64 = socket.call("number", &())?;
            Ok::<_, CallError>(Ack(n * 2))
        })
        .on_any(move |_, name, _| any.send(name).unwrap())
        .on_connect(move |socket| other.send(format!("in {}", socket.namespace())).unwrap())
        .on_disconnect(move |_, reason| {
            assert!(reason.is_final());
            says.send(reason.to_string()).unwrap();
        })
        .connect()
        .unwrap();
    thread.join().unwrap();
    client.wait();
    let told: Vec<String> = std::iter::from_fn(|| told.recv_timeout(PATIENCE).ok()).collect();
    let expected = [
        "in /",
        "slow",
        "add",
        "add",
        "panics",
        "fails",
        "double",
        "beside",
        "io server disconnect",
    ];
    assert_eq!(told, expected);
}

#[test]
fn it_comes_back_with_fresh_authentication() {
    let (url, thread) = serve(|server| {
        for n in 1..=3 {
            let mut peer = server.accept();
            peer.expect(&format!("40{{\"n\":{n}}}"));
            peer.send("40{\"sid\":\"x\"}");
            match n {
                // In order, and without a DISCONNECT: as a server does that is restarted.
                1 => {
                    peer.send("1");
                    while peer.next().is_some() {}
                }
                2 => drop(peer),
                _ => {
                    peer.expect("420[\"retried\"]");
                    peer.send("430[true]");
                    peer.expect_goodbye();
                }
            }
        }
        server.accept_within(Duration::from_millis(50)).is_none()
    });
    let (says, told) = mpsc::channel();
    let count = std::sync::Mutex::new(0);
    let client = at(&url)
        .reconnect(backoff())
        .auth_with(move || {
            let mut count = count.lock().unwrap();
            *count += 1;
            serde_json::json!({"n": *count})
        })
        .on_disconnect(move |_, reason| says.send(reason).unwrap())
        .connect()
        .unwrap();
    assert_eq!(
        told.recv_timeout(PATIENCE).unwrap(),
        ClientDisconnectReason::TransportClose
    );
    assert!(!told.recv_timeout(PATIENCE).unwrap().is_final());
    assert!(client.call_with_retries::<bool>("retried", &()).unwrap());
    client.close();
    assert_eq!(
        told.recv_timeout(PATIENCE).unwrap(),
        ClientDisconnectReason::IoClientDisconnect
    );
    assert!(thread.join().unwrap(), "nobody comes back who has closed");
}

#[test]
fn refused_and_nobody_there() {
    let (url, thread) = serve(|server| {
        let mut peer = server.accept();
        peer.expect("40/chat,");
        peer.send("44/chat,{\"message\":\"no\",\"data\":{\"code\":7}}");
        peer.expect("1");
    });
    let (says, told) = mpsc::channel();
    let failing = move |failure: ConnectFailed| says.send(failure.to_string()).unwrap();
    let refused = at(&url)
        .namespace("/chat")
        .reconnect(backoff())
        .on_connect_error(failing)
        .connect();
    let Err(ConnectFailed::Refused(refused)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (refused.message.as_str(), refused.data.unwrap().as_str()),
        ("no", "{\"code\":7}")
    );
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "refused at /chat: no");
    thread.join().unwrap();

    let (says, told) = mpsc::channel();
    let nobody = at("http://127.0.0.1:1")
        .reconnect(backoff().attempts(1).delay(Duration::from_millis(1)))
        .on_connect_error(move |failure| says.send(matches!(failure, ConnectFailed::Connection(_))).unwrap())
        .connect();
    assert!(matches!(nobody, Err(ConnectFailed::Connection(_))));
    assert!(told.recv_timeout(PATIENCE).unwrap() && told.recv_timeout(PATIENCE).unwrap());
    assert!(told.recv_timeout(PATIENCE).is_err(), "each attempt is told once");
}

#[test]
fn a_simple_client_receives() {
    let (url, thread) = serve(|server| {
        let mut peer = server.accept();
        peer.join("/", "abc");
        peer.send("42[\"a\",1]");
        peer.expect("420[\"n\"]");
        peer.send("430[5]");
        peer.expect("42[\"more\"]");
        peer.send("42[\"b\"]");
        peer.send("41");
        peer.expect("1");
    });
    let mut client = at(&url).connect_simple().unwrap();
    assert_eq!(client.call::<u8>("n", &()).unwrap(), 5);
    let first = client.receive().unwrap();
    assert_eq!((first.name.as_str(), first.args.get::<u8>(0).unwrap()), ("a", 1));
    let nothing = client.receive_timeout(Duration::from_millis(30));
    assert_eq!(nothing.unwrap_err(), ReceiveError::TimedOut);
    client.emit("more", &()).unwrap();
    assert_eq!(client.receive_timeout(PATIENCE).unwrap().name, "b");
    assert_eq!(
        client.receive_timeout(PATIENCE).unwrap_err(),
        ReceiveError::Disconnected
    );
    assert!(client.next().is_none());
    assert_eq!(client.try_receive().unwrap_err(), sansocket::TryRecvError::Closed);
    client.close();
    thread.join().unwrap();
}

#[test]
fn dropped_it_says_goodbye() {
    let (url, thread) = serve(|server| {
        let mut peer = server.accept();
        peer.join("/", "abc");
        peer.expect("42[\"last\"]");
        peer.expect_goodbye();
    });
    let client = at(&url).on("never", |_, ()| ()).connect().unwrap();
    client.emit("last", &()).unwrap();
    drop(client);
    thread.join().unwrap();
}
