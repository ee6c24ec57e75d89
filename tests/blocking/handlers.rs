//! Handlers block, and hold up nobody else.

use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sansocket::engineio::{CloseReason, Data, Refusal};
use sansocket::http::{Request, Response};

use crate::http::PATIENCE;
use crate::server::{Server, alone, options, wait_until};
use crate::session::{POLLING, Session};
use crate::websocket::{Message, WebSocket};

#[test]
fn every_message_comes_back_on_every_transport() {
    let alone = alone();
    let server = Server::echo();
    let polling = Session::open(&server);
    let mut direct = WebSocket::open(&server);
    let mut upgraded = Session::open(&server).upgrade();
    for round in 0..20 {
        let text = format!("round {round}");
        polling.assert_echoes(&text);
        direct.assert_echoes(&text);
        upgraded.assert_echoes(&text);
    }
    polling.close();
    direct.close();
    upgraded.close();
    server.wait_for_sessions(0);
    server.finish(&alone);
}

#[test]
fn one_that_blocks_holds_up_nobody_else() {
    let alone = alone();
    let (let_go, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let options = options()
        .ping_interval(Duration::from_millis(200))
        .on_message(move |socket, message| {
            if message.as_text() == Some("block") {
                let _let_go = held.lock().expect("the only one").recv_timeout(PATIENCE);
            }
            socket.send(message)
        });
    let server = Server::events(options);
    let mut blocked = WebSocket::open(&server);
    blocked.text("4block");
    let mut other = WebSocket::open(&server);
    let polling = Session::open(&server);
    for _ in 0..10 {
        other.assert_echoes("meanwhile");
        polling.assert_echoes("meanwhile");
    }
    // Its own connection is served too: pings come while its handler blocks.
    assert_eq!(blocked.message(), Message::Text("2".to_owned()));
    blocked.text("3");
    let_go.send(()).expect("it waits");
    let answer = loop {
        match blocked.message() {
            Message::Text(ping) if ping == "2" => blocked.text("3"),
            message => break message,
        }
    };
    assert_eq!(answer, Message::Text("4block".to_owned()));
    drop((blocked, other));
    polling.close();
    server.finish(&alone);
}

#[test]
fn a_greeting_comes_before_all_answers() {
    let alone = alone();
    let options = options()
        .on_connected(|socket| socket.send("hello"))
        .on_message(|socket, message| socket.send(message));
    let server = Server::events(options);
    let mut websocket = WebSocket::open(&server);
    websocket.text("4first");
    for text in ["4hello", "4first"] {
        websocket.assert_text(text);
    }
    websocket.close();
    let response = server.get(POLLING);
    let session = Session::from_response(&server, &response);
    if !response.text().ends_with("}\x1e4hello") {
        assert_eq!(session.receive(1), ["4hello"]);
    }
    session.close();
    server.wait_for_sessions(0);
    server.finish(&alone);
}

#[test]
fn handlers_of_one_client_run_at_once_where_they_may() {
    let alone = alone();
    let (note, notes) = mpsc::channel();
    // Each blocks until both are there.
    let (barrier, told) = (Barrier::new(2), note.clone());
    let options = options()
        .concurrency(2)
        .on_message(move |_, message: Data| {
            barrier.wait();
            told.send(message.as_text().unwrap_or_default().to_owned())
        })
        .on_disconnect(move |_, reason| note.send(reason.to_string()));
    let server = Server::events(options);
    let session = Session::open(&server);
    session.send("4a\x1e4b\x1e1");
    let mut both = [(); 2].map(|()| notes.recv_timeout(PATIENCE).expect("a handler"));
    both.sort();
    assert_eq!(both, ["a", "b"]);
    assert_eq!(notes.recv_timeout(PATIENCE).as_deref(), Ok("client disconnect"));
    server.wait_for_sessions(0);
    server.finish(&alone);
}

#[test]
fn connecting_and_the_fallback_may_block_too() {
    let alone = alone();
    // All of them block until all are there.
    let barrier = Arc::new(Barrier::new(6));
    let (decide, answer) = (barrier.clone(), barrier);
    let options = options()
        .on_connect(move |request: Request| {
            decide.wait();
            match request.query_value("who") {
                Some(who) => Ok(who),
                None => Err(Refusal::new(401)),
            }
        })
        .fallback(move |_| {
            answer.wait();
            Response::new(204)
        });
    let server = Server::accepting(options, |mut socket| {
        while socket.recv().is_some() {
            socket.send(socket.data().clone())?;
        }
        Ok(())
    });
    thread::scope(|scope| {
        for who in ["a", "b"] {
            let server = &server;
            scope.spawn(move || {
                let response = server.get(&format!("{POLLING}&who={who}"));
                let session = Session::from_response(server, &response);
                session.send("4who am I?");
                assert_eq!(session.receive(1), [format!("4{who}")]);
                session.close();
            });
        }
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(server.get(POLLING).status, 401));
            scope.spawn(|| assert_eq!(server.get("/elsewhere").status, 204));
        }
    });
    server.finish(&alone);
}

#[test]
fn a_panic_ends_its_session_and_no_other() {
    let alone = alone();
    let (note, notes) = mpsc::channel();
    let options = options()
        .on_message(|socket, message: Data| {
            assert_ne!(message.as_text(), Some("panic"), "a panic on purpose");
            socket.send(message)
        })
        .on_disconnect(move |_, reason| note.send(reason));
    let server = Server::events(options);
    let mut other = WebSocket::open(&server);
    let mut websocket = WebSocket::open(&server);
    websocket.assert_echoes("fine");
    websocket.text("4panic");
    websocket.assert_text("1");
    websocket.assert_closes();
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(CloseReason::ServerDisconnect));
    other.assert_echoes("fine too");
    other.close();
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(CloseReason::ClientDisconnect));
    server.finish(&alone);
}

#[test]
fn a_client_that_does_not_read_holds_up_its_own_handler_alone() {
    let alone = alone();
    let server = Server::accepting(options().max_queue(200_000), |mut socket| {
        while let Some(message) = socket.recv() {
            if message.as_text() == Some("flood") {
                // Until the client is given up.
                while socket.send(vec![0; 100_000]).is_ok() {}
            } else {
                socket.send(message)?;
            }
        }
        Ok(())
    });
    let mut stuck = WebSocket::open(&server);
    stuck.text("4flood");
    let mut other = WebSocket::open(&server);
    let begun = Instant::now();
    for _ in 0..100 {
        other.assert_echoes("quick");
    }
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    other.close();
    drop(stuck);
    server.wait_for_sessions(0);
    server.finish(&alone);
}

#[test]
fn receiving_has_an_end_where_one_is_wanted() {
    let alone = alone();
    let (note, notes) = mpsc::channel();
    let server = Server::accepting(options(), move |mut socket| {
        let begun = Instant::now();
        assert_eq!(socket.recv_timeout(Duration::from_millis(50)), None);
        note.send(begun.elapsed()).expect("the test");
        assert_eq!(socket.recv_timeout(PATIENCE), Some(Some("at last".into())));
        assert_eq!(socket.recv_timeout(PATIENCE), Some(None));
        note.send(Duration::ZERO).expect("the test");
        Ok(())
    });
    let session = Session::open(&server);
    let waited = notes.recv_timeout(PATIENCE).expect("the handler");
    assert!(waited >= Duration::from_millis(50), "{waited:?}");
    session.send("4at last");
    session.close();
    notes.recv_timeout(PATIENCE).expect("the handler");
    server.finish(&alone);
}

#[test]
fn a_deadline_wakes_a_thread_that_waits_for_its_peer() {
    let alone = alone();
    let (note, notes) = mpsc::channel();
    let options = options()
        .ping_interval(Duration::from_millis(200))
        .ping_timeout(Duration::from_millis(200))
        .on_message(|_, _| {})
        .on_disconnect(move |_, reason| note.send(reason));
    let server = Server::events(options);
    let mut silent = WebSocket::open(&server);
    let session = Session::open(&server);
    let waiting = session.park();
    // Neither says a word any more.
    assert_eq!(silent.message(), Message::Text("2".to_owned()));
    for _ in 0..2 {
        assert_eq!(notes.recv_timeout(PATIENCE), Ok(CloseReason::PingTimeout));
    }
    drop((silent, waiting));
    wait_until("no session", || server.handle.stats().sessions == 0);
    server.finish(&alone);
}
