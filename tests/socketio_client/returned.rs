//! What is given back, and to whom.

use std::error::Error as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sansocket::runtime::socketio::client::{
    AckError, CallError, Config, ConnectFailed, EmitError, EmitFailed, NamespaceError, WhenFull,
};

use crate::library::{at, backoff, builder, serve, served, within};
use crate::peer::{PATIENCE, Server};
use crate::runtime;

fn json_of(error: CallError) -> String {
    let CallError::Emit(error) = error else {
        panic!("{error:?}");
    };
    error.into_args().expect("they have a form").json()
}

#[test]
fn a_call_that_was_never_sent_gives_its_arguments_back() {
    runtime::block_on(true, async {
        let server = Server::start();
        let client = builder(&server).start().unwrap();
        let call = client.call::<u8>("a", &(1, "x"));
        let waiting = async {
            runtime::yield_now().await;
            client.begin_close();
        };
        // Nobody accepts the connection.
        let (error, ()) = within(both(call, waiting)).await;
        assert_eq!(json_of(error.unwrap_err()), "[1,\"x\"]");
        let late = within(client.call::<u8>("b", &2)).await;
        assert_eq!(json_of(late.unwrap_err()), "[2]");
        within(client.wait()).await;
    });
}

#[test]
fn a_call_that_is_too_large_gives_its_arguments_back() {
    runtime::block_on(true, async {
        let server = Server::start();
        let builder = builder(&server);
        let thread = thread::spawn(move || {
            let mut peer = server.accept_with(100);
            peer.join("/", "abc");
            peer.expect("421[\"b\"]");
            peer.send("431[1]");
        });
        let client = within(builder.connect()).await.unwrap();
        let large = "x".repeat(200);
        let error = within(client.call::<u8>("a", &large)).await.unwrap_err();
        assert!(matches!(
            &error,
            CallError::Emit(EmitFailed::Refused(EmitError::TooLarge(_)))
        ));
        assert_eq!(json_of(error), format!("[\"{large}\"]"));
        assert_eq!(within(client.call::<u8>("b", &())).await.unwrap(), 1);
        thread.join().unwrap();
    });
}

#[test]
fn events_that_waited_in_vain() {
    runtime::block_on(true, async {
        let (url, thread) = serve(|server| {
            let mut peer = server.accept();
            peer.expect("40");
            peer.send("44{\"message\":\"no\"}");
            peer.expect("1");
        });
        let (says, told) = mpsc::channel();
        let client = at(&url)
            .max_offline(400)
            .when_full(WhenFull::DropOldest)
            .on_unsent(move |socket, name, args| {
                says.send(format!("{} {name} {}", socket.namespace(), args.json()))
                    .unwrap();
                async {}
            })
            .start()
            .unwrap();
        for n in 0..4 {
            client.emit("x", &n).await.unwrap();
        }
        within(client.wait()).await;
        for n in 0..4 {
            assert_eq!(told.recv_timeout(PATIENCE).unwrap(), format!("/ x [{n}]"));
        }
        thread.join().unwrap();
    });
}

#[test]
fn events_that_are_nested_deeply_come_back_too() {
    runtime::block_on(true, async {
        let server = Server::start();
        let (says, told) = mpsc::channel();
        let builder = builder(&server).on_unsent(move |_, name, args| {
            says.send((name, args.json())).unwrap();
            async {}
        });
        let thread = thread::spawn(move || {
            let mut peer = server.accept_with(100);
            peer.join("/", "abc");
            peer.expect("42[\"b\"]");
        });
        let client = within(builder.connect()).await.unwrap();
        let deep = (0..200).fold(serde_json::Value::Null, |inner, _| serde_json::json!([inner]));
        client.emit("a", &(deep,)).await.unwrap();
        let wanted = format!("{}null{}", "[".repeat(201), "]".repeat(201));
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), ("a".to_owned(), wanted));
        client.emit("b", &()).await.unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn an_acknowledgement_that_the_connection_took_along() {
    runtime::block_on(true, async {
        let (url, thread) = serve(|server| {
            let mut peer = server.accept();
            peer.join("/", "1");
            peer.expect("420[\"a\"]");
            drop(peer);
            let mut peer = server.accept();
            peer.join("/", "2");
            peer.expect_goodbye();
        });
        let client = within(at(&url).reconnect(backoff()).connect()).await.unwrap();
        let error = within(client.call::<u8>("a", &())).await.unwrap_err();
        assert!(matches!(error, CallError::Ack(AckError::Disconnected)), "{error:?}");
        while client.id().as_deref() != Some("2") {
            runtime::sleep(Duration::from_millis(5)).await;
        }
        within(client.close()).await;
        thread.join().unwrap();
    });
}

#[test]
fn a_server_that_acknowledges_what_nobody_asked_for() {
    runtime::block_on(true, async {
        let (builder, thread) = served(|peer| {
            for id in 10..20_000 {
                peer.send(&format!("43{id}[\"x\"]"));
            }
            peer.send(&format!("43{}[]", "9".repeat(18)));
            peer.expect("420[\"a\"]");
            peer.send("430[1]");
            // Twice.
            peer.send("430[2]");
            peer.expect("421[\"b\"]");
            peer.send("431[3]");
        });
        let client = within(builder.connect()).await.unwrap();
        assert_eq!(within(client.call::<u8>("a", &())).await.unwrap(), 1);
        assert_eq!(within(client.call::<u8>("b", &())).await.unwrap(), 3);
        thread.join().unwrap();
    });
}

#[test]
fn errors_say_what_they_stand_on() {
    runtime::block_on(true, async {
        let error = within(at("http://127.0.0.1:1").connect()).await.unwrap_err();
        assert!(matches!(&error, ConnectFailed::Connection(_)), "{error:?}");
        assert!(error.source().is_some(), "{error:?}");
        let unusable = within(at("http://127.0.0.1:1").auth(&[("a", 1)]).connect()).await;
        assert!(
            matches!(&unusable, Err(ConnectFailed::Unusable { what: "auth", .. })),
            "{unusable:?}"
        );
        let unusable = within(at("http://127.0.0.1:1").namespace("/a,b").connect()).await;
        let Err(error @ ConnectFailed::BadNamespace(NamespaceError::Unusable)) = unusable else {
            panic!("{unusable:?}");
        };
        assert!(error.source().is_some());

        let (builder, thread) = served(|peer| {
            peer.expect("420[\"a\"]");
            peer.send("430[\"no number\"]");
        });
        let client = within(builder.connect()).await.unwrap();
        assert!(matches!(
            client.join("/"),
            Err(ConnectFailed::BadNamespace(NamespaceError::Taken))
        ));
        let error = within(client.call::<u8>("a", &())).await.unwrap_err();
        assert!(error.source().is_some(), "{error:?}");
        // That it stands on, it turns into.
        let error: sansocket::Error = error.into();
        assert!(
            matches!(&error, sansocket::Error::Decode(why) if why.index() == Some(0)),
            "{error:?}"
        );
        thread.join().unwrap();
    });
}

#[test]
fn calls_that_are_dropped_leave_nothing_behind() {
    runtime::block_on(true, async {
        let (builder, thread) = served(|peer| {
            for id in 0..5 {
                peer.expect(&format!("42{id}[\"a\"]"));
            }
            peer.expect("425[\"b\"]");
            peer.send("435[1]");
        });
        let mut config = Config::default();
        config.max_pending_acks = 1;
        let client = within(builder.config(config).connect()).await.unwrap();
        for _ in 0..5 {
            let call = client.call::<u8>("a", &()).timeout(Duration::from_secs(60));
            assert!(runtime::timeout(Duration::from_millis(5), call).await.is_none());
        }
        assert_eq!(within(client.call::<u8>("b", &())).await.unwrap(), 1);
        thread.join().unwrap();
    });
}

#[test]
fn dropped_while_it_connects() {
    runtime::block_on(true, async {
        // Before there is a session, and while the CONNECT is on its way.
        for begun in [false, true] {
            let (says, told) = mpsc::channel();
            let (url, thread) = serve(move |server| {
                if begun {
                    let mut peer = server.accept();
                    peer.expect("40");
                    says.send(()).unwrap();
                    peer.expect("1");
                } else {
                    server.accept_that_ends(|| says.send(()).unwrap());
                }
                // Nothing goes on in its place.
                server.accept_within(Duration::from_millis(100)).is_none()
            });
            let mut connecting = Box::pin(at(&url).reconnect(backoff()).connect());
            while told.try_recv().is_err() {
                let connected = runtime::timeout(Duration::from_millis(5), connecting.as_mut()).await;
                assert!(connected.is_none());
            }
            drop(connecting);
            assert!(thread.join().unwrap());
        }
    });
}

#[test]
fn thrown_out_it_can_join_nothing_more() {
    runtime::block_on(true, async {
        let (builder, thread) = served(|peer| {
            peer.send("41");
            peer.expect("1");
        });
        let client = within(builder.connect()).await.unwrap();
        let gone = async {
            while client.is_connected() {
                runtime::sleep(Duration::from_millis(2)).await;
            }
        };
        within(gone).await;
        assert!(matches!(client.join("/other"), Err(ConnectFailed::Closed)));
        within(client.wait()).await;
        thread.join().unwrap();
    });
}

#[test]
fn handlers_that_panic_hurt_nobody_else() {
    runtime::block_on(true, async {
        let (url, thread) = serve(|server| {
            let mut peer = server.accept();
            peer.join("/", "1");
            peer.send("421[\"a\"]");
            drop(peer);
            let mut peer = server.accept();
            peer.join("/", "2");
            peer.send("42[\"a\"]");
            peer.expect("420[\"b\"]");
            peer.send("430[1]");
        });
        fn panics() {
            if true {
                panic!("on purpose");
            }
        }
        let client = at(&url)
            .reconnect(backoff())
            .auth_with(|| async { panics() })
            .on_connect(|_| async { panics() })
            .on_disconnect(|_, _| {
                panics();
                async {}
            })
            .on_any(|_, _, _| async { panics() })
            .on("a", |_, ()| {
                panics();
                async {}
            });
        let client = within(client.connect()).await.unwrap();
        while client.id().as_deref() != Some("2") {
            runtime::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(within(client.call::<u8>("b", &())).await.unwrap(), 1);
        thread.join().unwrap();
    });
}

/// Both, at the same time.
async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        if first.is_none() {
            if let std::task::Poll::Ready(output) = a.as_mut().poll(cx) {
                first = Some(output);
            }
        }
        if second.is_none() {
            if let std::task::Poll::Ready(output) = b.as_mut().poll(cx) {
                second = Some(output);
            }
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => std::task::Poll::Ready((first, second)),
            (a, b) => {
                (first, second) = (a, b);
                std::task::Poll::Pending
            }
        }
    })
    .await
}
