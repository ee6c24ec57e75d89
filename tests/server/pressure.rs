//! A handler that is slower than its client, and a client that is slower than its handler: who waits, for how long, and
//! that waiting costs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sansocket::engineio::{CloseReason, Config};
use sansocket::http::Response;
use sansocket::runtime::engineio::{Sender, Socket};

use crate::hosting;
use crate::http::PATIENCE;
use crate::runtime;
use crate::server::{FLAVOURS, Flavour, Server, options};
use crate::session::{POLLING, Session, settle};
use crate::waiting::{Gate, wait_until, wait_until_still};
use crate::websocket::{Message, WEBSOCKET, WebSocket, upgrade_request};

/// A server whose handler echoes, but only when the gate is open. It gives a sender away before.
fn gated(flavour: Flavour, config: Config, gate: &Gate) -> (Server, mpsc::Receiver<Sender>) {
    let gate = gate.clone();
    let (give, senders) = mpsc::channel();
    let server = Server::accepting(flavour, options().config(config), move |mut socket: Socket| {
        let (gate, give) = (gate.clone(), give.clone());
        async move {
            // A test that does not want it has let go of the other end.
            let _unwanted = give.send(socket.sender());
            gate.pass().await;
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
            }
            Ok(())
        }
    });
    (server, senders)
}

#[test]
fn a_client_on_a_websocket_is_made_to_wait() {
    const SIZE: usize = 64 * 1024;
    const COUNT: usize = 400;

    for (flavour, upgrades) in [(Flavour::Current, false), (Flavour::Multi, true)] {
        let gate = Gate::default();
        let taken = Arc::new(AtomicUsize::new(0));
        let (count, pass) = (taken.clone(), gate.clone());
        let server = Server::accepting(flavour, options(), move |mut socket| {
            let (count, gate) = (count.clone(), pass.clone());
            async move {
                gate.pass().await;
                while let Some(message) = socket.recv().await {
                    let bytes = message.as_bytes();
                    let number = count.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(bytes.len(), SIZE);
                    assert_eq!(bytes[..8], number.to_be_bytes());
                }
                Ok(())
            }
        });
        let mut websocket = if upgrades {
            let mut websocket = Session::open(&server).probe();
            websocket.text("5");
            websocket
        } else {
            WebSocket::open(&server)
        };
        let written = Arc::new(AtomicUsize::new(0));
        let progress = written.clone();
        let writer = thread::spawn(move || {
            for number in 0..COUNT {
                let mut bytes = vec![0; SIZE];
                bytes[..8].copy_from_slice(&number.to_be_bytes());
                websocket.binary(&bytes);
                progress.fetch_add(1, Ordering::SeqCst);
            }
            websocket
        });
        // What the kernel's buffers on both sides and the window hold, and no more.
        let before = wait_until_still("writing to a handler that does not receive", || {
            written.load(Ordering::SeqCst)
        });
        assert!(before < COUNT, "all of it was taken");
        gate.open();
        let websocket = writer.join().expect("the writer goes on");
        wait_until("every message was received", || taken.load(Ordering::SeqCst) == COUNT);
        websocket.close();
        server.finish();
    }
}

#[test]
fn a_post_is_answered_when_there_is_room_for_more() {
    for flavour in FLAVOURS {
        let gate = Gate::default();
        let mut config = Config::default();
        config.receive_window = 1000;
        let (server, _) = gated(flavour, config, &gate);
        let session = Session::open(&server);
        session.send("4small");
        let mut held = server.connect();
        let large = format!("4{:0>2000}", 7);
        held.send(session.bytes("POST", &[], Some(large.as_bytes())));
        held.assert_silent(Duration::from_millis(150));
        gate.open();
        held.response().assert_ok("ok");
        assert_eq!(session.receive(2), ["4small".to_owned(), large]);
        session.close();
        server.finish();
    }
}

/// Every 100 ms a ping, 100 ms for the pong: whoever is watched is found out within 200 ms.
fn quick_pings() -> Config {
    let mut config = Config::default();
    config.ping_interval = Duration::from_millis(100);
    config.ping_timeout = Duration::from_millis(400);
    config.receive_window = 1;
    config
}

#[test]
fn a_client_that_is_made_to_wait_is_not_taken_for_dead() {
    for flavour in FLAVOURS {
        let gate = Gate::default();
        let mut config = quick_pings();
        config.ping_timeout = Duration::from_millis(1000);
        config.stall_timeout = Some(2 * PATIENCE);
        let (server, senders) = gated(flavour, config, &gate);
        let mut websocket = WebSocket::open(&server);
        let sender = senders.recv_timeout(PATIENCE).expect("a sender");
        websocket.text("4held up");
        // Its pongs are stuck behind that message. It is pinged all the same: clients count on pings. For longer than the
        // time that a pong has.
        for _ in 0..13 {
            websocket.assert_text("2");
            websocket.text("3");
        }
        assert_eq!(sender.closed(), None);
        gate.open();
        let mut pings = 0;
        let mut echoed = false;
        while pings < 4 || !echoed {
            match websocket.message() {
                Message::Text(text) if text == "2" => {
                    websocket.text("3");
                    pings += 1;
                }
                Message::Text(text) if text == "4held up" => echoed = true,
                other => panic!("{other:?} after {pings} pings"),
            }
        }
        websocket.close();
        server.finish();
    }
}

#[test]
fn a_handler_that_does_not_receive_has_its_time_and_no_more() {
    for flavour in FLAVOURS {
        for polls in [false, true] {
            let never = Gate::default();
            let mut config = quick_pings();
            config.stall_timeout = Some(Duration::from_millis(400));
            config.ping_timeout = Duration::from_millis(100);
            let (server, senders) = gated(flavour, config, &never);
            let (mut held, begun);
            if polls {
                let session = Session::open(&server);
                held = server.connect();
                begun = Instant::now();
                held.send(session.bytes("POST", &[], Some(b"4held up")));
                held.response().assert_ok("ok");
                session.assert_gone();
            } else {
                let mut websocket = WebSocket::open(&server);
                begun = Instant::now();
                websocket.text("4held up");
                while let Message::Text(text) = websocket.message() {
                    assert_eq!(text, "2");
                }
                held = websocket.connection;
            }
            assert!(begun.elapsed() >= Duration::from_millis(390), "{:?}", begun.elapsed());
            let sender = senders.recv_timeout(PATIENCE).expect("a sender");
            assert_eq!(sender.closed().map(|closed| closed.reason), Some(CloseReason::Stalled));
            server.wait_for_sessions(0);
            // The handler is not cancelled, and finds what came.
            assert_eq!(server.tokens(), 1);
            never.open();
            server.wait_for_tokens(0);
            drop(held);
            server.finish();
        }
    }
}

#[test]
fn a_handler_that_is_slow_and_goes_on_is_left_in_peace() {
    let mut config = quick_pings();
    config.stall_timeout = Some(Duration::from_millis(800));
    let server = Server::accepting(Flavour::Current, options().config(config), |mut socket| async move {
        while let Some(message) = socket.recv().await {
            runtime::sleep(Duration::from_millis(100)).await;
            socket.send(message).await?;
        }
        Ok(())
    });
    let mut websocket = WebSocket::open(&server);
    for number in 0..10 {
        websocket.text(&format!("4{number}"));
    }
    let mut next = 0;
    while next < 10 {
        match websocket.message() {
            Message::Text(text) if text == "2" => websocket.text("3"),
            message => {
                assert_eq!(message, Message::Text(format!("4{next}")));
                next += 1;
            }
        }
    }
    // A ping may be on its way: nobody waits for a close frame.
    drop(websocket);
    server.finish();
}

/// How much of a thread's time a server may take in which nothing happens.
const AT_REST: f64 = 0.2;

/// Nothing happens for a while: the server's thread must not run.
#[track_caller]
fn assert_at_rest(server: &Server, situation: &str) {
    settle();
    let Some(before) = server.cpu_time() else {
        return;
    };
    let time = Duration::from_millis(400);
    thread::sleep(time);
    let used = server.cpu_time().expect("it was told before").saturating_sub(before);
    let share = used.as_secs_f64() / time.as_secs_f64();
    assert!(share < AT_REST, "{situation}: {:.0} % of a processor", share * 100.0);
}

#[test]
fn waiting_for_a_client_that_does_not_read_costs_nothing() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let server = Server::accepting(Flavour::Current, options(), move |socket: Socket| {
        let count = count.clone();
        async move {
            loop {
                socket.send(vec![0; 60_000]).await?;
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let websocket = WebSocket::open(&server);
    wait_until_still("sending to a client that does not read", || sent.load(Ordering::SeqCst));
    assert_at_rest(&server, "a client that does not read");
    drop(websocket);
    server.finish();
}

#[test]
fn waiting_for_anything_else_costs_nothing() {
    let gate = Gate::default();
    let mut config = Config::default();
    config.receive_window = 1000;
    let (server, _) = gated(Flavour::Current, config, &gate);

    let session = Session::open(&server);
    let waiting = session.park();
    assert_at_rest(&server, "a poll that waits");

    let mut held = server.connect();
    held.send(session.bytes("POST", &[], Some(&[b'4'; 5000])));
    assert_at_rest(&server, "a POST that is held");

    let mut websocket = WebSocket::open(&server);
    assert_at_rest(&server, "an idle WebSocket");
    websocket.binary(&[0; 5000]);
    websocket.binary(&[0; 5000]);
    assert_at_rest(&server, "a handler that does not receive");

    let probing = Session::open(&server);
    let probe = probing.probe();
    server
        .handle
        .try_send(&server.handle.sessions()[2], "kept for the upgrade")
        .expect("there is room");
    assert_at_rest(&server, "a probe with messages behind it");

    let mut half = server.connect();
    half.send("GET /engine.io/?EIO");
    assert_at_rest(&server, "half a head");

    drop((waiting, held, websocket, probe, half));
    gate.open();
    for sid in server.handle.sessions() {
        server.handle.disconnect(&sid);
        let target = format!("{POLLING}&sid={}", sid.as_str());
        // What is queued first, then the close packet; and a poll is answered at once with nothing, as long as the server has
        // not seen that the probe is gone.
        wait_until("the session is over", || server.get(&target).status != 200);
    }
    server.finish();
}

#[test]
fn waiting_for_the_application_costs_nothing() {
    if hosting::host().is_some() {
        // There is no fallback.
        return;
    }
    let gate = Gate::default();
    let (connect, answer) = (gate.clone(), gate.clone());
    let options = options()
        .on_connect(move |_| {
            let gate = connect.clone();
            async move {
                gate.pass().await;
                Ok(())
            }
        })
        .fallback(move |_| {
            let gate = answer.clone();
            async move {
                gate.pass().await;
                Response::new(200)
            }
        });
    let server = Server::accepting(Flavour::Current, options, |mut socket| async move {
        while socket.recv().await.is_some() {}
        Ok(())
    });
    let mut polling = server.connect();
    polling.request("GET", POLLING, &[], None);
    let mut opening = server.connect();
    let bytes = upgrade_request(opening.host(), WEBSOCKET, &[]);
    opening.send(bytes);
    let mut asking = server.connect();
    asking.request("GET", "/other", &[], None);
    // Impatient clients send the next request behind the first.
    asking.request("GET", "/another", &[], None);
    assert_at_rest(&server, "handlers that take their time");
    gate.open();
    assert_eq!(asking.response().status, 200);
    assert_eq!(asking.response().status, 200);
    let response = polling.response();
    Session::from_response(&server, &response).close();
    let response = opening.response();
    let mut websocket = WebSocket::granted(opening, &response);
    assert!(matches!(websocket.message(), Message::Text(_)));
    websocket.close();
    server.finish();
}
