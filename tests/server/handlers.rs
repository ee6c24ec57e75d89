//! A handler's life: what ends it, what does not, and what its end does to the session.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use sansocket::Error;
use sansocket::engineio::CloseReason;
use sansocket::runtime::engineio::Socket;

use crate::http::PATIENCE;
use crate::runtime;
use crate::server::{FLAVOURS, Flavour, Server, options};
use crate::session::{POLLING, Session};
use crate::waiting::Gate;
use crate::websocket::{CLOSE, FIN, Message, WebSocket};

#[test]
fn a_panic_ends_its_session_and_no_other() {
    for flavour in FLAVOURS {
        let server = Server::accepting(flavour, options(), |mut socket: Socket| async move {
            while let Some(message) = socket.recv().await {
                assert_ne!(message.as_text(), Some("panic"), "a panic on purpose");
                socket.send(message).await?;
            }
            Ok(())
        });
        let polling = Session::open(&server);
        let mut websocket = WebSocket::open(&server);
        let other_polling = Session::open(&server);
        let mut other_websocket = WebSocket::open(&server);
        let mut upgraded = Session::open(&server).upgrade();

        // What it has sent before still arrives.
        polling.send("4first\x1e4panic");
        polling.get().assert_ok("4first");
        polling.get().assert_ok("1");
        polling.assert_gone();
        for websocket in [&mut websocket, &mut upgraded] {
            websocket.text("4first");
            websocket.text("4panic");
            websocket.assert_text("4first");
            websocket.assert_text("1");
            assert_eq!(websocket.assert_closes(), Some(1000));
        }
        drop((websocket, upgraded));
        other_polling.assert_echoes("still here");
        other_websocket.assert_echoes("and here");
        other_polling.close();
        other_websocket.close();
        server.finish();
    }
}

#[test]
fn an_error_closes_its_session_in_order() {
    for flavour in FLAVOURS {
        let server = Server::accepting(flavour, options(), |mut socket| async move {
            while let Some(message) = socket.recv().await {
                if message.as_text() == Some("fail") {
                    return Err(Error::application("on purpose"));
                }
                socket.send(message).await?;
            }
            Ok(())
        });
        let session = Session::open(&server);
        session.send("4first\x1e4fail");
        session.get().assert_ok("4first");
        session.get().assert_ok("1");
        let mut websocket = WebSocket::open(&server);
        websocket.assert_echoes("first");
        websocket.text("4fail");
        websocket.assert_text("1");
        websocket.assert_closes();
        drop(websocket);
        server.finish();
    }
}

#[test]
fn a_socket_that_is_dropped_closes_behind_what_is_queued() {
    for flavour in FLAVOURS {
        let server = Server::accepting(flavour, options(), |mut socket| async move {
            // The client says when it is where it wants to be.
            let _go = socket.recv().await;
            for number in 0..40 {
                socket.send(number.to_string()).await?;
            }
            Ok(())
        });
        let numbers: Vec<String> = (0..40).map(|number| format!("4{number}")).collect();

        let session = Session::open(&server);
        session.send("4go");
        let mut packets = Vec::new();
        while packets.last().is_none_or(|packet| packet != "1") {
            let response = session.get();
            assert_eq!(response.status, 200, "{response:?} after {packets:?}");
            packets.extend(response.text().split('\x1e').map(str::to_owned));
        }
        assert_eq!(packets.pop().as_deref(), Some("1"));
        assert_eq!(packets, numbers);
        session.assert_gone();

        let direct = WebSocket::open(&server);
        let mut upgraded = Session::open(&server).probe();
        upgraded.text("5");
        for mut websocket in [direct, upgraded] {
            websocket.text("4go");
            for number in &numbers {
                websocket.assert_text(number);
            }
            websocket.assert_text("1");
            assert_eq!(websocket.assert_closes(), Some(1000));
        }
        server.finish();
    }
}

#[test]
fn messages_for_a_socket_that_was_dropped_hold_nobody_up() {
    let mut config = sansocket::engineio::Config::default();
    config.receive_window = 1000;
    let gate = Gate::default();
    let pass = gate.clone();
    let server = Server::accepting(Flavour::Current, options().config(config), move |socket| {
        let gate = pass.clone();
        async move {
            gate.pass().await;
            drop(socket);
            Ok(())
        }
    });
    let session = Session::open(&server);
    let mut held = server.connect();
    held.send(session.bytes("POST", &[], Some(&[b'4'; 5000])));
    held.assert_silent(Duration::from_millis(100));
    gate.open();
    held.response().assert_ok("ok");
    // It is closing, and may still be talked to.
    session.send("4nobody takes it");
    session.get().assert_ok("1");
    session.assert_gone();
    server.finish();
}

#[test]
fn a_socket_may_be_taken_elsewhere() {
    for flavour in FLAVOURS {
        let (note, notes) = mpsc::channel();
        let server = Server::accepting(flavour, options(), move |mut socket: Socket| {
            let note = note.clone();
            async move {
                runtime::spawn(async move {
                    while let Some(message) = socket.recv().await {
                        socket.send(message).await.expect("it is open");
                    }
                    note.send(socket.closed().map(|closed| closed.reason))
                        .expect("the test");
                });
                Ok(())
            }
        });
        let polling = Session::open(&server);
        server.wait_for_tokens(0);
        polling.assert_echoes("the handler has returned");
        let mut websocket = WebSocket::open(&server);
        server.wait_for_tokens(0);
        websocket.assert_echoes("here too");
        let mut upgraded = Session::open(&server).upgrade();
        upgraded.assert_echoes("and there");

        // One after the other: each is told by a task of its own.
        let told = |reason| assert_eq!(notes.recv_timeout(PATIENCE), Ok(Some(reason)));
        polling.close();
        told(CloseReason::ClientDisconnect);
        websocket.close();
        told(CloseReason::ClientDisconnect);
        drop(upgraded);
        told(CloseReason::TransportClose);
        server.finish();
    }
}

/// A server whose handler does something that takes until the gate is open once its client has left.
fn with_late_work(flavour: Flavour, gate: &Gate) -> (Server, Receiver<&'static str>) {
    let (note, notes) = mpsc::channel();
    let gate = gate.clone();
    let server = Server::accepting(flavour, options(), move |mut socket| {
        let (note, gate) = (note.clone(), gate.clone());
        async move {
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
            }
            note.send("the client has left").expect("the test");
            gate.pass().await;
            runtime::sleep(Duration::from_millis(1)).await;
            note.send("the work is done").expect("the test");
            Ok(())
        }
    });
    (server, notes)
}

#[test]
fn it_is_not_cancelled_when_the_client_leaves() {
    type Leave = fn(&Server);
    let ways: [(&str, Leave); 7] = [
        ("polling, close packet", |server| Session::open(server).close()),
        ("polling, a poll that is given up", |server| {
            drop(Session::open(server).park());
        }),
        ("WebSocket, close packet", |server| WebSocket::open(server).close()),
        ("WebSocket, TCP closed", |server| drop(WebSocket::open(server))),
        ("WebSocket, reset", |server| {
            let mut websocket = WebSocket::open(server);
            websocket.text("4not read");
            websocket.connection.reset();
        }),
        ("upgraded, close frame", |server| {
            let mut websocket = Session::open(server).upgrade();
            websocket.frame(FIN | CLOSE, &[]);
            assert!(matches!(websocket.message(), Message::Close(_)));
        }),
        ("upgraded, TCP closed", |server| drop(Session::open(server).upgrade())),
    ];
    for flavour in FLAVOURS {
        for (way, leave) in ways {
            let gate = Gate::default();
            let (server, notes) = with_late_work(flavour, &gate);
            leave(&server);
            assert_eq!(notes.recv_timeout(PATIENCE), Ok("the client has left"), "{way}");
            // The session is over, whatever the handler does.
            server.wait_for_sessions(0);
            assert_eq!(server.tokens(), 1, "{way}");
            gate.open();
            assert_eq!(notes.recv_timeout(PATIENCE), Ok("the work is done"), "{way}");
            server.finish();
        }
    }
}

#[test]
fn what_came_before_the_end_can_be_taken_after_it() {
    for flavour in FLAVOURS {
        let gate = Gate::default();
        let pass = gate.clone();
        let (note, notes) = mpsc::channel();
        let server = Server::accepting(flavour, options(), move |mut socket| {
            let (note, gate) = (note.clone(), pass.clone());
            async move {
                gate.pass().await;
                while let Some(message) = socket.recv().await {
                    note.send(message.as_text().unwrap_or_default().to_owned())
                        .expect("the test");
                }
                // And nothing more, however often it is asked for.
                let again = socket.recv().await;
                note.send(format!("{again:?}")).expect("the test");
                Ok(())
            }
        });
        let session = Session::open(&server);
        session.send("4one\x1e4two");
        session.send("1");
        server.wait_for_sessions(0);
        gate.open();
        for text in ["one", "two", "None"] {
            assert_eq!(notes.recv_timeout(PATIENCE).as_deref(), Ok(text));
        }
        server.finish();
    }
}

#[test]
fn receiving_may_be_given_up_and_tried_again() {
    for flavour in FLAVOURS {
        let server = Server::accepting(flavour, options(), |mut socket| async move {
            loop {
                tokio::select! {
                    message = socket.recv() => match message {
                        Some(message) => socket.send(message).await?,
                        None => return Ok(()),
                    },
                    () = runtime::sleep(Duration::from_micros(300)) => {}
                    () = runtime::yield_now() => {}
                }
            }
        });
        let mut direct = WebSocket::open(&server);
        let mut upgraded = Session::open(&server).upgrade();
        for websocket in [&mut direct, &mut upgraded] {
            for number in 0..300 {
                websocket.text(&format!("4{number}"));
            }
            for number in 0..300 {
                websocket.assert_text(&format!("4{number}"));
            }
        }
        let session = Session::open(&server);
        for batch in 0..10 {
            let packets: Vec<String> = (0..20).map(|number| format!("4{batch}-{number}")).collect();
            session.send(packets.join("\x1e"));
            assert_eq!(session.receive(20), packets);
        }
        session.close();
        direct.close();
        upgraded.close();
        server.finish();
    }
}

/// However much there is to receive, its task comes up for air: others want to run, and a shutdown wants to be seen.
#[test]
fn a_handler_that_never_has_to_wait_does_not_keep_its_thread() {
    for flavour in FLAVOURS {
        let (note, turns) = mpsc::channel();
        let server = Server::accepting(flavour, options(), move |mut socket| {
            let note = note.clone();
            async move {
                let mut turns = 0;
                let mut all = Box::pin(async { while socket.recv().await.is_some() {} });
                std::future::poll_fn(|cx| {
                    turns += 1;
                    all.as_mut().poll(cx)
                })
                .await;
                note.send(turns).expect("the test");
                Ok(())
            }
        });
        let session = Session::open(&server);
        session.send(vec!["4"; 20_000].join("\x1e"));
        session.close();
        let turns: u32 = turns.recv_timeout(PATIENCE).expect("the end of the handler");
        assert!(turns > 15, "{turns} turns for 20,000 messages");
        server.finish();
    }
}

#[test]
fn a_handler_that_does_not_receive_holds_up_nobody_else() {
    for flavour in FLAVOURS {
        let gate = Gate::default();
        let pass = gate.clone();
        let server = Server::accepting(flavour, options(), move |mut socket| {
            let gate = pass.clone();
            async move {
                while let Some(message) = socket.recv().await {
                    if message.as_text() == Some("wait") {
                        gate.pass().await;
                    }
                    socket.send(message).await?;
                }
                Ok(())
            }
        });
        let waiting = Session::open(&server);
        waiting.send("4wait");
        let mut waiting_too = WebSocket::open(&server);
        waiting_too.text("4wait");
        let other = Session::open(&server);
        for number in 0..20 {
            other.assert_echoes(&number.to_string());
        }
        gate.open();
        assert_eq!(waiting.receive(1), ["4wait"]);
        waiting_too.assert_text("4wait");
        for session in [waiting, other] {
            session.close();
        }
        waiting_too.close();
        server.finish();
    }
}

#[test]
fn a_handler_may_end_its_session_and_go_on() {
    for flavour in FLAVOURS {
        let gate = Gate::default();
        let pass = gate.clone();
        let (note, notes) = mpsc::channel();
        let server = Server::accepting(flavour, options(), move |socket: Socket| {
            let (note, gate) = (note.clone(), pass.clone());
            async move {
                socket.send("last words").await?;
                socket.close();
                let refused = socket.send("too late").await;
                note.send(format!("{refused:?}")).expect("the test");
                gate.pass().await;
                Ok(())
            }
        });
        let mut websocket = WebSocket::open(&server);
        websocket.assert_text("4last words");
        websocket.assert_text("1");
        websocket.assert_closes();
        drop(websocket);
        server.wait_for_sessions(0);
        let response = server.get(POLLING);
        assert!(response.text().starts_with("0{"), "{response:?}");
        let session = Session::from_response(&server, &response);
        let mut rest = response
            .text()
            .split_once('\x1e')
            .map_or("", |(_, rest)| rest)
            .to_owned();
        while !rest.ends_with('1') {
            rest.push_str(session.get().text());
        }
        assert!(rest.starts_with("4last words"), "{rest}");
        server.wait_for_sessions(0);
        for _ in 0..2 {
            let refused = notes.recv_timeout(PATIENCE).expect("a refused message");
            assert!(refused.starts_with("Err(Closed("), "{refused}");
        }
        assert_eq!(server.tokens(), 2);
        gate.open();
        server.finish();
    }
}

#[test]
fn a_handler_of_a_session_that_ended_long_ago_may_still_send() {
    let server = Server::accepting(Flavour::Current, options(), |mut socket| async move {
        while socket.recv().await.is_some() {}
        for _ in 0..3 {
            assert!(socket.send("nobody is there").await.is_err());
            socket.close();
            socket.abort();
        }
        Ok(())
    });
    Session::open(&server).close();
    WebSocket::open(&server).close();
    server.wait_for_tokens(0);
    server.finish();
}
