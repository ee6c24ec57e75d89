//! Handlers that do what they should not.

use std::future::pending;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sansocket::runtime::socketio::{Ack, Socket};

use crate::client::Client;
use crate::http::PATIENCE;
use crate::server::{Server, options};
use crate::waiting::{Gate, block_on, wait_until};

struct Tells(mpsc::Sender<&'static str>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _nobody = self.0.send("dropped");
    }
}

#[test]
fn handlers_that_never_return_keep_nobody_else() {
    let (says, told) = mpsc::channel();
    let server = Server::host(options().concurrency(4), |io| {
        let main = io.of("/");
        main.on("never", move |_, ()| {
            let tells = Tells(says.clone());
            async move {
                let _tells = tells;
                pending::<()>().await;
            }
        });
        main.on("ping", |_, ()| async { Ack("pong") });
    });
    let (mut stuck, _) = Client::join(&server);
    for _ in 0..10 {
        stuck.send(r#"21["never"]"#);
    }
    let (mut other, _) = Client::join(&server);
    assert_eq!(other.call(r#"["ping"]"#), r#"["pong"]"#);
    let main = server.handle().of("/");
    // It is still sent what is for it, and its end is seen.
    block_on(main.emit("news", &())).expect("it can be sent");
    stuck.expect(r#"2["news"]"#);
    other.expect(r#"2["news"]"#);
    stuck.websocket.text("1");
    wait_until("its end is seen", || main.len() == 1);
    assert_eq!(other.call(r#"["ping"]"#), r#"["pong"]"#);
    assert!(told.try_recv().is_err());
    // A shutdown has so much patience and no more.
    server.finish();
    assert_eq!(told.iter().count(), 4);
}

#[test]
fn a_shutdown_waits_for_handlers() {
    let gate = Gate::default();
    let opener = gate.clone();
    let (says, told) = mpsc::channel();
    let server = Server::host(options(), |io| {
        io.of("/").on("work", move |socket: Socket, ()| {
            let (gate, says) = (gate.clone(), says.clone());
            async move {
                says.send("begun").expect("the test waits");
                gate.pass().await;
                // Nobody is there any more, which is no panic and no waiting.
                assert!(socket.emit("too late", &()).await.is_err());
                assert!(socket.call::<u8>("too late", &()).await.is_err());
                says.send("done").expect("the test waits");
            }
        });
    });
    let (mut client, _) = Client::join(&server);
    client.send(r#"21["work"]"#);
    assert_eq!(told.recv_timeout(PATIENCE), Ok("begun"));
    let handle = server.handle();
    let ending = thread::spawn(move || block_on(handle.shutdown(PATIENCE)));
    assert_eq!(client.expect_end(), ["1"]);
    assert!(!ending.is_finished());
    assert!(told.try_recv().is_err());
    opener.open();
    assert_eq!(told.recv_timeout(PATIENCE), Ok("done"));
    ending.join().expect("it ends");
    server.finish();
}

#[test]
fn functions_that_panic_are_contained() {
    let server = Server::host(options(), |io| {
        let main = io.of("/");
        // Before there is a future, too.
        main.on("early", |_, wanted: bool| {
            assert!(wanted, "on purpose");
            async { Ack(1) }
        });
        main.on(
            "shown",
            |socket: Socket, ()| async move { socket.emit("panic", &()).await },
        );
        main.on_any_outgoing(|_, event, _| assert!(event != "panic", "on purpose"));
        main.on_disconnect(|socket, _| async move { assert!(socket.is_connected(), "on purpose") });
        io.of_matching(|name| {
            assert!(name != "/panic", "on purpose");
            name == "/dynamic"
        });
        io.of("/late")
            .on_connected(|socket| async move { assert!(!socket.is_connected(), "on purpose") });
    });
    let (mut witness, _) = Client::join(&server);
    for event in [r#"21["early",false]"#, r#"21["shown"]"#] {
        let (mut client, _) = Client::join(&server);
        client.send(event);
        assert_eq!(client.expect_end().last().map(String::as_str), Some("1"));
    }
    let (mut client, _) = Client::join(&server);
    client.enter("/late", "");
    client.expect_end();
    witness.send("0/panic,");
    witness.expect(r#"4/panic,{"message":"Invalid namespace"}"#);
    witness.enter("/dynamic", "");
    assert_eq!(witness.call(r#"["early",true]"#), "[1]");
    wait_until("only one is left", || server.handle().of("/").len() == 1);
    server.finish();
}

/// Data of a socket that is away, and whose end has something to say, must not find a lock held.
#[test]
fn data_that_is_forgotten_may_do_as_it_likes() {
    struct Talks(sansocket::runtime::socketio::Namespace, mpsc::Sender<()>);

    impl Drop for Talks {
        fn drop(&mut self) {
            let _told = block_on(self.0.emit("one is gone", &()));
            let _nobody = self.1.send(());
        }
    }

    let (says, told) = mpsc::channel();
    let server = Server::host(options().recovery(Duration::from_millis(50)), |io| {
        let main = io.of("/");
        let inside = main.clone();
        main.on_connect(move |_| {
            let data = Talks(inside.clone(), says.clone());
            async move { Ok(data) }
        });
    });
    let main = server.handle().of("/");
    for _ in 0..2 {
        let mut client = Client::open(&server);
        client.send("0");
        assert!(client.next().starts_with("0{"));
        drop(client);
        wait_until("it is away", || main.is_empty());
    }
    wait_until("the first is forgotten", || {
        block_on(main.emit("tick", &())).expect("it can be sent");
        told.try_recv().is_ok()
    });
    // The end of the server forgets the other, whatever it holds.
    server.finish();
    drop(main);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(()));
}
