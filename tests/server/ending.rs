//! The end of a server: in order, at its deadline, at once, and by dropping it.

use std::future::{Future as _, pending};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sansocket::engineio::CloseReason;
use sansocket::http::Response;
use sansocket::runtime::engineio::Socket;

use crate::hosting;
use crate::http::{Connection, NoAnswer, PATIENCE, request};
use crate::runtime;
use crate::server::{FLAVOURS, Flavour, Server, Token, options};
use crate::session::{POLLING, Session};
use crate::waiting::{Gate, block_on, wait_until};
use crate::websocket::{Message, WEBSOCKET, WebSocket, ask, upgrade_request};

/// Begins a shutdown in a thread of its own; joining it waits for its end and tells how long it took.
fn shut_down(server: &Server, patience: Duration) -> thread::JoinHandle<Duration> {
    let handle = server.handle.clone();
    let begun = Instant::now();
    let ending = thread::spawn(move || {
        block_on(handle.shutdown(patience));
        begun.elapsed()
    });
    wait_until("the server is closing", || {
        // One attempt: the listener may be closed at any moment, also after it has taken a connection.
        let Ok(mut connection) = Connection::try_open(server.address) else {
            return true;
        };
        // No transport, so no session that would have to end too.
        let bytes = request("GET", "/engine.io/?EIO=4&transport=none", connection.host(), &[], None);
        connection.send_if_open(bytes, PATIENCE);
        match connection.response_within(Duration::from_millis(500)) {
            // A server that is closing keeps no connection for another request.
            Ok(response) => response.header("connection") == Some("close"),
            Err(_) => true,
        }
    });
    ending
}

#[test]
fn a_polling_client_fetches_its_rest() {
    for flavour in FLAVOURS {
        let (note, notes) = mpsc::channel();
        let server = Server::accepting(flavour, options(), move |mut socket| {
            let note = note.clone();
            async move {
                let _go = socket.recv().await;
                for number in 0..40 {
                    socket.send(number.to_string()).await?;
                }
                note.send(()).expect("the test");
                while socket.recv().await.is_some() {}
                Ok(())
            }
        });
        let session = Session::open(&server);
        session.send("4go");
        notes.recv_timeout(PATIENCE).expect("the messages are queued");
        server.handle.try_send(&server.sid(), "late").expect("there is room");
        let ending = shut_down(&server, 2 * PATIENCE);
        assert_eq!(server.stats().sessions, 1, "it is given time");
        assert!(server.handle.try_send(&server.sid(), "too late").is_err());
        // It may even still say something.
        session.send("4still here");
        let response = ask(&server, WEBSOCKET, &[]).1;
        assert_eq!(response.status, 503, "{response:?}");
        let mut packets = Vec::new();
        while packets.last().is_none_or(|packet| packet != "1") {
            let response = session.get();
            assert_eq!(response.status, 200, "{response:?} after {packets:?}");
            packets.extend(response.text().split('\x1e').map(str::to_owned));
        }
        packets.retain(|packet| packet != "4late");
        assert_eq!(packets.len(), 41);
        assert!(
            packets[..40]
                .iter()
                .enumerate()
                .all(|(at, packet)| *packet == format!("4{at}"))
        );
        ending.join().expect("the server has ended");
        server.assert_ends();
        server.close();
    }
}

#[test]
fn everybody_is_told() {
    for flavour in FLAVOURS {
        let (note, notes) = mpsc::channel();
        let server = Server::accepting(flavour, options(), move |mut socket: Socket| {
            let note = note.clone();
            async move {
                while let Some(message) = socket.recv().await {
                    socket.send(message).await?;
                }
                let closed = socket.closed().map(|closed| closed.reason);
                note.send(closed).expect("the test");
                Ok(())
            }
        });
        let session = Session::open(&server);
        let mut waiting = session.park();
        let direct = WebSocket::open(&server);
        let upgraded = Session::open(&server).upgrade();
        let mut kept = {
            let mut connection = server.connect();
            assert_eq!(connection.get("/nowhere").status, 404);
            connection
        };
        let begun = Instant::now();
        let handle = server.handle.clone();
        let ending = thread::spawn(move || block_on(handle.shutdown(PATIENCE)));
        waiting.response().assert_ok("1");
        for mut websocket in [direct, upgraded] {
            websocket.assert_text("1");
            assert_eq!(websocket.assert_closes(), Some(1000));
        }
        // With the last session, connections on which nothing happens end too.
        waiting.assert_closed();
        kept.assert_closed();
        drop((waiting, kept));
        ending.join().expect("the server has ended");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        for _ in 0..3 {
            assert_eq!(notes.recv_timeout(PATIENCE), Ok(Some(CloseReason::ServerDisconnect)));
        }
        server.assert_ends();
        server.close();
    }
}

#[test]
fn handlers_may_finish() {
    for flavour in FLAVOURS {
        let gate = Gate::default();
        let pass = gate.clone();
        let server = Server::accepting(flavour, options(), move |mut socket| {
            let gate = pass.clone();
            async move {
                while socket.recv().await.is_some() {}
                gate.pass().await;
                Ok(())
            }
        });
        let mut websocket = WebSocket::open(&server);
        let session = Session::open(&server);
        let mut waiting = session.park();
        let handle = server.handle.clone();
        let (note, ended) = mpsc::channel();
        let ending = thread::spawn(move || {
            block_on(handle.shutdown(2 * PATIENCE));
            note.send(()).expect("the test");
        });
        websocket.assert_text("1");
        websocket.assert_closes();
        waiting.response().assert_ok("1");
        drop((websocket, waiting));
        server.wait_for_sessions(0);
        assert!(
            ended.recv_timeout(Duration::from_millis(150)).is_err(),
            "two handlers are at work"
        );
        assert_eq!(server.tokens(), 2);
        gate.open();
        ended.recv_timeout(PATIENCE).expect("the server has ended");
        ending.join().expect("nothing went wrong");
        server.assert_ends();
        server.close();
    }
}

#[test]
fn nobody_can_connect_while_handlers_finish() {
    let gate = Gate::default();
    let pass = gate.clone();
    let server = Server::accepting(Flavour::Current, options(), move |mut socket| {
        let gate = pass.clone();
        async move {
            while socket.recv().await.is_some() {}
            gate.pass().await;
            Ok(())
        }
    });
    Session::open(&server).close();
    server.wait_for_sessions(0);
    let ending = shut_down(&server, 2 * PATIENCE);
    // There is nobody left who could come for a rest. Whoever comes all the same must not be left hanging.
    let answer = TcpStream::connect(server.address).map(|_| {
        let bytes = request("GET", POLLING, "a", &[], None);
        let mut connection = server.connect();
        connection.send_if_open(bytes, PATIENCE);
        connection
            .response_within(Duration::from_secs(1))
            .map(|response| response.status)
    });
    gate.open();
    assert!(!matches!(answer, Ok(Err(NoAnswer::Late))), "a client is left hanging");
    ending.join().expect("the server has ended");
    server.assert_ends();
    server.close();
}

#[test]
fn a_stuck_handler_is_dropped_at_the_deadline() {
    for flavour in FLAVOURS {
        let server = Server::accepting(flavour, options(), |mut socket| async move {
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
                if socket.closed().is_some() {
                    break;
                }
            }
            pending::<()>().await;
            Ok(())
        });
        let session = Session::open(&server);
        let mut waiting = session.park();
        let mut direct = WebSocket::open(&server);
        let mut upgraded = Session::open(&server).upgrade();
        // One whose connection is long gone.
        Session::open(&server).upgrade().close();
        Session::open(&server).close();
        assert_eq!(server.tokens(), 5);

        let patience = Duration::from_millis(500);
        let handle = server.handle.clone();
        let ending = thread::spawn(move || {
            let begun = Instant::now();
            block_on(handle.shutdown(patience));
            begun.elapsed()
        });
        waiting.response().assert_ok("1");
        for websocket in [&mut direct, &mut upgraded] {
            websocket.assert_text("1");
            websocket.assert_closes();
        }
        let took = ending.join().expect("the server has ended");
        assert!(took >= patience && took < patience + Duration::from_secs(1), "{took:?}");
        server.assert_ends();
        server.close();
    }
}

#[test]
fn whoever_waited_for_the_end_finds_the_handlers_gone() {
    // In one thread, so that it is known what has run before what.
    let server = Server::accepting(Flavour::Current, options(), |socket| async move {
        pending::<()>().await;
        drop(socket);
        Ok(())
    });
    let _session = Session::open(&server);
    let _websocket = WebSocket::open(&server);
    assert_eq!(server.tokens(), 2);
    block_on(server.handle.shutdown(Duration::from_millis(50)));
    assert_eq!((server.tokens(), server.stats().sessions), (0, 0));
    server.assert_ends();
    server.close();
}

#[test]
fn a_stuck_client_does_not_delay_the_deadline() {
    for flavour in FLAVOURS {
        let server = Server::accepting(flavour, options(), |socket: Socket| async move {
            loop {
                socket.send(vec![0; 100_000]).await?;
            }
        });
        let unread = WebSocket::open(&server);
        let never_polling = server.get(POLLING);
        assert_eq!(never_polling.status, 200);
        let mut head = server.connect();
        if hosting::host() != Some(hosting::Host::Axum) {
            // For axum this is a request, whose connection goes on.
            head.send("GET /engine.io/?EIO");
        }
        let patience = Duration::from_millis(400);
        let begun = Instant::now();
        block_on(server.handle.shutdown(patience));
        assert!(
            begun.elapsed() < patience + Duration::from_secs(1),
            "{:?}",
            begun.elapsed()
        );
        server.assert_ends();
        server.close();
        drop((unread, head));
    }
}

#[test]
fn an_abort_cuts_everything_without_a_goodbye() {
    if hosting::host().is_some() {
        // Connections are of somebody else, and there is no fallback.
        return;
    }
    for flavour in FLAVOURS {
        let never = Gate::default();
        let asked = Token::default();
        let (pass, token) = (never.clone(), asked.clone());
        let with_fallback = options().fallback(move |_| {
            let (gate, token) = (pass.clone(), token.clone());
            async move {
                gate.pass().await;
                drop(token);
                Response::new(200)
            }
        });
        let server = Server::accepting(flavour, with_fallback, |mut socket| async move {
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
            }
            pending::<()>().await;
            Ok(())
        });
        let session = Session::open(&server);
        let mut waiting = session.park();
        let mut direct = WebSocket::open(&server);
        let mut upgraded = Session::open(&server).upgrade();
        let mut probing = Session::open(&server).probe();
        let between = Session::open(&server);
        let mut asking = server.connect();
        asking.request("GET", "/never", &[], None);
        wait_until("the fallback is asked", || Token::strong_count(&asked) == 3);

        let begun = Instant::now();
        block_on(server.handle.abort());
        for connection in [&mut waiting, &mut asking] {
            let answer = connection.response_within(PATIENCE).map(|response| response.status);
            assert!(matches!(answer, Err(NoAnswer::Closed | NoAnswer::Reset)), "{answer:?}");
        }
        for websocket in [&mut direct, &mut upgraded, &mut probing] {
            assert_eq!(websocket.message(), Message::End);
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        drop(between);
        server.assert_ends();
        server.close();
        assert_eq!(Token::strong_count(&asked), 1);
    }
}

#[test]
fn a_shutdown_may_be_asked_for_again_and_become_shorter() {
    for flavour in FLAVOURS {
        let server = Server::accepting(flavour, options(), |socket| async move {
            pending::<()>().await;
            drop(socket);
            Ok(())
        });
        let _session = Session::open(&server);
        let first = shut_down(&server, Duration::from_secs(3600));
        let second = shut_down(&server, Duration::from_secs(7200));
        assert!(!first.is_finished() && !second.is_finished());
        let begun = Instant::now();
        block_on(server.handle.shutdown(Duration::from_millis(100)));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        first.join().expect("the server has ended");
        second.join().expect("the server has ended");
        // And when it is over.
        block_on(server.handle.shutdown(Duration::from_secs(3600)));
        block_on(server.handle.abort());
        server.assert_ends();
        server.close();
    }
}

#[test]
fn a_shutdown_that_nobody_waits_for_goes_on() {
    let server = Server::echo(Flavour::Current, options());
    let session = Session::open(&server);
    let mut waiting = session.park();
    {
        // Polled once, then dropped.
        let shutdown = server.handle.shutdown(PATIENCE);
        let mut shutdown = std::pin::pin!(shutdown);
        let waker = std::task::Waker::noop();
        // It may even be over by then.
        let _polled = shutdown.as_mut().poll(&mut std::task::Context::from_waker(waker));
    }
    waiting.response().assert_ok("1");
    drop(waiting);
    server.assert_ends();
    server.close();
}

#[test]
fn dropping_the_future_ends_everything() {
    if hosting::host() == Some(hosting::Host::Axum) {
        // Its connections go on, and the server with them.
        return;
    }
    for flavour in FLAVOURS {
        let server = Server::accepting(flavour, options(), |mut socket| async move {
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
            }
            pending::<()>().await;
            Ok(())
        });
        let session = Session::open(&server);
        let mut waiting = session.park();
        let mut direct = WebSocket::open(&server);
        let mut upgraded = Session::open(&server).upgrade();
        let mut kept = server.connect();
        assert_eq!(kept.get("/nowhere").status, 404);
        // Handlers that outlived their sessions.
        Session::open(&server).close();
        WebSocket::open(&server).close();
        assert_eq!(server.tokens(), 5);

        server.drop_serving();
        assert!(waiting.response_within(PATIENCE).is_err());
        for websocket in [&mut direct, &mut upgraded] {
            assert_eq!(websocket.message(), Message::End);
        }
        kept.assert_closed();
        block_on(server.handle.shutdown(PATIENCE));
        server.close();
    }
}

#[test]
fn a_server_that_is_dropped_unserved_has_ended() {
    let server = runtime::block_on(false, options().bind("127.0.0.1:0")).expect("a free port");
    let handle = server.handle();
    drop(server);
    let ended = runtime::block_on(false, async {
        let shutdown = handle.shutdown(Duration::from_millis(10));
        runtime::timeout(Duration::from_millis(500), shutdown).await
    });
    assert!(
        ended.is_some(),
        "dropped before `serve`: whoever waits for its end waits for ever"
    );

    let server = runtime::block_on(false, options().bind("127.0.0.1:0")).expect("a free port");
    let handle = server.handle();
    drop(server.serve(|_| async { Ok(()) }));
    let ended = runtime::block_on(false, async {
        let shutdown = handle.shutdown(Duration::from_millis(10));
        runtime::timeout(Duration::from_millis(500), shutdown).await
    });
    assert!(
        ended.is_some(),
        "dropped before its first poll: whoever waits for its end waits for ever"
    );
}

#[test]
fn a_shutdown_before_serving_ends_it_at_once() {
    let server = runtime::block_on(false, options().bind("127.0.0.1:0")).expect("a free port");
    let handle = server.handle();
    let ended = runtime::block_on(false, async {
        let both = async {
            let shutdown = handle.shutdown(Duration::from_secs(3600));
            let serve = server.serve(|_| async { Ok(()) });
            tokio::join!(shutdown, serve).1
        };
        runtime::timeout(PATIENCE, both).await
    });
    assert!(matches!(ended, Some(Ok(()))), "{ended:?}");
}

#[test]
fn whoever_waits_to_be_let_in_is_refused() {
    for flavour in FLAVOURS {
        let gate = Gate::default();
        let pass = gate.clone();
        let with_connect = options().on_connect(move |_| {
            let gate = pass.clone();
            async move {
                gate.pass().await;
                Ok(())
            }
        });
        let server = Server::accepting(flavour, with_connect, |_| async { Ok(()) });
        let mut polling = server.connect();
        polling.request("GET", POLLING, &[], None);
        let mut opening = server.connect();
        let bytes = upgrade_request(opening.host(), WEBSOCKET, &[]);
        opening.send(bytes);
        server.wait_for_sessions(2);
        let handle = server.handle.clone();
        let ending = thread::spawn(move || block_on(handle.shutdown(2 * PATIENCE)));
        for connection in [&mut polling, &mut opening] {
            let status = connection.response().status;
            assert!((400..600).contains(&status), "{status}");
        }
        drop((polling, opening));
        // The handlers that were asked come to their end.
        gate.open();
        ending.join().expect("the server has ended");
        server.assert_ends();
        server.close();
    }
}

#[test]
fn the_runtime_may_be_dropped_under_it() {
    if !runtime::is_tokio() {
        // Nobody can drop the others: they end with the program.
        return;
    }
    for flavour in FLAVOURS {
        let token = Token::default();
        let held = token.clone();
        let mut builder = match flavour {
            Flavour::Current => tokio::runtime::Builder::new_current_thread(),
            Flavour::Multi => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = builder.enable_all().build().expect("a runtime");
        let server = runtime.block_on(options().bind("127.0.0.1:0")).expect("a free port");
        let (address, handle) = (server.local_addr(), server.handle());
        let serving = runtime.spawn(server.serve(move |socket| {
            let token = held.clone();
            async move {
                pending::<()>().await;
                drop((token, socket));
                Ok(())
            }
        }));
        // A runtime of one thread runs while somebody blocks on it.
        let running = (flavour == Flavour::Current).then(Gate::default);
        let client = thread::spawn({
            let running = running.clone();
            move || {
                let mut polling = Connection::open(address);
                let session = crate::session::sid_of(polling.get(POLLING).text());
                polling.request("GET", &format!("{POLLING}&sid={session}"), &[], None);
                let mut websocket = Connection::open(address);
                let bytes = upgrade_request(websocket.host(), WEBSOCKET, &[]);
                websocket.send(bytes);
                assert_eq!(websocket.response().status, 101);
                if let Some(running) = running {
                    running.open();
                }
                (polling, websocket)
            }
        });
        if let Some(running) = &running {
            runtime.block_on(running.pass());
        }
        let (mut polling, websocket) = client.join().expect("a client");
        assert_eq!(handle.stats().sessions, 2);
        drop(runtime);
        assert!(polling.response_within(PATIENCE).is_err());
        drop((websocket, serving));
        assert_eq!(handle.stats().sessions, 0);
        assert_eq!(Token::strong_count(&token), 1, "a handler is left");
    }
}
