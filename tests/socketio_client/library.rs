//! The library's client: what is typed, awaited and given back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use sansocket::engineio::Transport;
use sansocket::runtime::socketio::client::{
    AckError, CallError, Client, ClientBuilder, ConnectFailed, EmitError, EmitFailed,
};
use sansocket::tokio::socketio::{Ack, Backoff, Binary, ClientDisconnectReason};

use crate::peer::{PATIENCE, Peer, Server};
use crate::runtime::{self, Any};

pub fn builder(server: &Server) -> ClientBuilder<Any> {
    at(&server.url())
}

pub fn at(url: &str) -> ClientBuilder<Any> {
    Client::<Any>::builder(url)
        .transports(&[Transport::WebSocket])
        .no_proxy()
}

/// Runs the server's side on a thread of its own.
pub fn serve<T: Send + 'static>(serve: impl FnOnce(Server) -> T + Send + 'static) -> (String, thread::JoinHandle<T>) {
    let server = Server::start();
    let url = server.url();
    (url, thread::spawn(move || serve(server)))
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    runtime::timeout(PATIENCE, future).await.expect("in time")
}

pub fn backoff() -> Backoff {
    Backoff::default().delay(Duration::from_millis(5)).attempts(3)
}

pub fn served(run: impl FnOnce(&mut Peer) + Send + 'static) -> (ClientBuilder<Any>, thread::JoinHandle<()>) {
    let server = Server::start();
    let builder = builder(&server);
    let thread = thread::spawn(move || {
        let mut peer = server.accept();
        peer.join("/", "abc");
        run(&mut peer);
    });
    (builder, thread)
}

#[test]
fn emits_and_calls() {
    runtime::block_on(true, async {
        let (builder, thread) = served(|peer| {
            peer.expect("42[\"say\",\"lobby\",1]");
            peer.expect("420[\"add\",1,2]");
            peer.send("430[3]");
            peer.expect("421[\"pair\"]");
            peer.send("431[\"a\",1]");
            peer.expect("422[\"late\"]");
            peer.expect("423[\"wrong\"]");
            peer.send("433[\"no number\"]");
            peer.expect_goodbye();
        });
        let client = within(builder.connect()).await.unwrap();
        assert_eq!((client.id().as_deref(), client.namespace()), (Some("abc"), "/"));
        client.emit("say", &("lobby", 1)).await.unwrap();
        let sum: i64 = within(client.call("add", &(1, 2))).await.unwrap();
        assert_eq!(sum, 3);
        let pair = within(client.call_args::<(String, u8)>("pair", &())).await.unwrap();
        assert_eq!(pair, ("a".to_owned(), 1));
        let late = client.call::<u8>("late", &()).timeout(Duration::from_millis(50));
        assert!(matches!(within(late).await, Err(CallError::Ack(AckError::TimedOut))));
        assert!(matches!(
            within(client.call::<u8>("wrong", &())).await,
            Err(CallError::Decode(_))
        ));
        within(client.close()).await;
        thread.join().unwrap();
        let refused = client.emit("say", &"too late").await;
        let Err(EmitFailed::Refused(EmitError::Disconnected(args))) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(args.json(), "[\"too late\"]");
    });
}

#[test]
fn handlers_answer() {
    runtime::block_on(true, async {
        let (builder, thread) = served(|peer| {
            peer.send("421[\"add\",1,2]");
            peer.expect("431[3]");
            // A wrong list of arguments is no acknowledgement.
            peer.send("422[\"add\",\"x\"]");
            peer.send("423[\"fails\"]");
            peer.send("424[\"panics\"]");
            // One that awaits an acknowledgement of its own client does not wait for itself.
            peer.send("425[\"double\"]");
            peer.expect("420[\"number\"]");
            peer.send("426[\"empty\"]");
            peer.expect("436[]");
            peer.send("430[21]");
            peer.expect("435[42]");
            peer.send("451-7[\"bytes\",{\"_placeholder\":true,\"num\":0}]");
            peer.send_binary(&[1, 2]);
            peer.expect("461-7[{\"_placeholder\":true,\"num\":0}]");
            peer.expect("[1, 2]");
        });
        let any = Arc::new(AtomicU32::new(0));
        let seen = any.clone();
        let client = builder
            .on("add", |_, (a, b): (i64, i64)| async move { Ack(a + b) })
            .on("fails", |_, ()| async { Err::<(), _>("on purpose") })
            .on("panics", |_, ()| async {
                if true {
                    panic!("on purpose");
                }
            })
            .on("double", |socket, ()| async move {
                let n: i64 = socket.call("number", &()).await?;
                Ok::<_, CallError>(Ack(n * 2))
            })
            .on("empty", |_, ()| async {})
            .on("bytes", |_, bytes: Binary| async move { Ack(bytes) })
            .on_any(move |_, _, _| {
                seen.fetch_add(1, Ordering::SeqCst);
                async {}
            });
        let client = within(client.connect()).await.unwrap();
        thread.join().unwrap();
        assert_eq!(any.load(Ordering::SeqCst), 7);
        drop(client);
    });
}

#[test]
fn refused_with_its_data() {
    runtime::block_on(true, async {
        let (url, thread) = serve(|server| {
            let mut peer = server.accept();
            peer.expect("40/chat,{\"user\":\"x\"}");
            peer.send("44/chat,{\"message\":\"no\",\"data\":{\"code\":7}}");
            peer.expect("1");
        });
        let (sender, receiver) = mpsc::channel();
        let builder = at(&format!("{url}/chat"))
            .auth(&serde_json::json!({"user": "x"}))
            .reconnect(backoff())
            .on_connect_error(move |failure| {
                sender.send(failure.to_string()).unwrap();
                async {}
            });
        let error = within(builder.connect()).await.unwrap_err();
        let ConnectFailed::Refused(refused) = error else {
            panic!("{error:?}");
        };
        assert_eq!((refused.namespace.as_str(), refused.message.as_str()), ("/chat", "no"));
        assert_eq!(refused.data.unwrap().as_str(), "{\"code\":7}");
        assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), "refused at /chat: no");
        thread.join().unwrap();
    });
}

#[test]
fn fresh_authentication_with_each_connection() {
    runtime::block_on(true, async {
        let (url, thread) = serve(|server| {
            for n in 1..=3 {
                let mut peer = server.accept();
                peer.expect(&format!("40{{\"n\":{n}}}"));
                peer.send("40{\"sid\":\"x\"}");
                if n == 3 {
                    peer.expect("42[\"kept\"]");
                    peer.send("41");
                    peer.expect("1");
                }
            }
            server.accept_within(Duration::from_millis(100)).is_none()
        });
        let count = Arc::new(AtomicU32::new(0));
        let reasons = Arc::new(Mutex::new(Vec::new()));
        let told = reasons.clone();
        let client = at(&url)
            .reconnect(backoff())
            .auth_with(move || {
                let n = count.fetch_add(1, Ordering::SeqCst) + 1;
                async move { serde_json::json!({"n": n}) }
            })
            .on_connect({
                let connected = Arc::new(AtomicU32::new(0));
                move |socket| {
                    let third = connected.fetch_add(1, Ordering::SeqCst) == 2;
                    async move {
                        if third {
                            socket.emit("kept", &()).await?;
                        }
                        Ok::<_, EmitFailed>(())
                    }
                }
            })
            .on_disconnect(move |_, reason| {
                told.lock().unwrap().push(reason);
                async {}
            });
        let client = within(client.connect()).await.unwrap();
        within(client.wait()).await;
        assert_eq!(
            reasons.lock().unwrap().last(),
            Some(&ClientDisconnectReason::IoServerDisconnect)
        );
        assert_eq!(reasons.lock().unwrap().len(), 3);
        assert!(thread.join().unwrap(), "nobody comes back who was thrown out");
    });
}

#[test]
fn what_waits_is_bounded() {
    runtime::block_on(true, async {
        let server = Server::start();
        let client = builder(&server).max_offline(1000).start().unwrap();
        let mut sent = 0;
        let error = loop {
            match client.emit("x", &sent).await {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.into_args().unwrap().json(), format!("[{sent}]"));
        assert!(!client.emit_volatile("x", &()).unwrap());
        let thread = thread::spawn(move || {
            let mut peer = server.accept();
            peer.join("/", "abc");
            for n in 0..sent {
                peer.expect(&format!("42[\"x\",{n}]"));
            }
        });
        thread.join().unwrap();
        drop(client);
    });
}

#[test]
fn a_call_is_sent_again_until_it_is_acknowledged() {
    runtime::block_on(true, async {
        let (url, thread) = serve(|server| {
            let mut peer = server.accept();
            peer.join("/", "1");
            peer.expect("420[\"a\"]");
            peer.expect("420[\"a\"]");
            drop(peer);
            let mut peer = server.accept();
            peer.join("/", "2");
            peer.expect("420[\"a\"]");
            peer.send("430[true]");
        });
        let client = at(&url).ack_timeout(Duration::from_millis(100)).reconnect(backoff());
        let client = within(client.connect()).await.unwrap();
        let acknowledged: bool = within(client.call("a", &()).with_retries()).await.unwrap();
        assert!(acknowledged);
        thread.join().unwrap();
    });
}

#[test]
fn namespaces_share_the_connection() {
    runtime::block_on(true, async {
        let (builder, thread) = served(|peer| {
            peer.join("/chat", "def");
            peer.expect("42/chat,[\"a\"]");
            peer.send("42/chat,[\"b\"]");
            peer.expect("41/chat,");
            peer.expect("42[\"c\"]");
            peer.expect_goodbye();
        });
        let (sender, receiver) = mpsc::channel();
        let client = builder.on_in("/chat", "b", move |socket, ()| {
            sender.send(socket.namespace().to_owned()).unwrap();
            async {}
        });
        let client = within(client.connect()).await.unwrap();
        let chat = client.join("/chat").unwrap();
        assert!(client.join("chat").is_err());
        chat.emit("a", &()).await.unwrap();
        assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), "/chat");
        assert!(chat.disconnect() && !chat.disconnect());
        client.emit("c", &()).await.unwrap();
        within(client.close()).await;
        thread.join().unwrap();
    });
}
