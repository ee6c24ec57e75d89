//! What is sent: room in the queue, order over an upgrade, and what is known of messages at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::runtime::{self, Builder};
use sansocket::SendError;
use sansocket::engineio::{CloseReason, Closed, Data, Transport};
use sansocket::runtime::engineio::{Sender, Socket, TrySendError};

use crate::http::PATIENCE;
use crate::server::{FLAVOURS, Flavour, Server, impatient, options};
use crate::session::{POLLING, Session};
use crate::waiting::{Gate, wait_until, wait_until_still};
use crate::websocket::{Message, WebSocket};

/// A server that gives away a sender for each session, and takes messages without a word.
fn with_senders(flavour: Flavour, options: Builder) -> (Server, mpsc::Receiver<Sender>) {
    let (give, senders) = mpsc::channel();
    let server = Server::accepting(flavour, options, move |mut socket: Socket| {
        let give = give.clone();
        async move {
            give.send(socket.sender()).expect("the test");
            while socket.recv().await.is_some() {}
            Ok(())
        }
    });
    (server, senders)
}

fn message(number: usize) -> String {
    format!("{number:0>500}")
}

/// All packets until so many messages came; a GET waits for as long as there is none.
#[track_caller]
fn poll_messages(session: &Session<'_>, server: &Server, count: usize) -> Vec<String> {
    let mut connection = server.connect();
    let mut messages = Vec::new();
    while messages.len() < count {
        let response = connection.get(&session.target());
        assert_eq!(response.status, 200, "{response:?} after {} messages", messages.len());
        messages.extend(response.text().split('\x1e').map(str::to_owned));
    }
    messages
}

#[test]
fn a_message_that_can_not_be_queued_is_given_back() {
    let (server, senders) = with_senders(Flavour::Multi, options().max_queue(2048));
    let session = Session::open(&server);
    let sender = senders.recv_timeout(PATIENCE).expect("a sender");
    let mut queued = 0;
    let refused = loop {
        match sender.try_send(message(queued)) {
            Ok(()) => queued += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(queued, 3, "500 bytes and a place in the queue each");
    assert_eq!(refused, TrySendError::Full(message(3).into()));
    let large = Data::from(vec![7; 2048]);
    assert_eq!(
        sender.try_send(large.clone()),
        Err(TrySendError::TooLarge(large.clone()))
    );
    assert_eq!(
        crate::waiting::block_on(sender.send(large.clone())),
        Err(SendError::TooLarge(large))
    );
    // A small one finds room where a large one does not.
    sender.try_send("small").expect("there is room for that");
    let sid = sender.sid().clone();
    assert!(matches!(
        server.handle.try_send(&sid, message(4)),
        Err(TrySendError::Full(_))
    ));

    let messages = poll_messages(&session, &server, 4);
    assert_eq!(messages[..3], [0, 1, 2].map(|number| format!("4{}", message(number))));
    assert_eq!(messages[3], "4small");
    sender.try_send(message(5)).expect("there is room again");
    assert_eq!(poll_messages(&session, &server, 1), [format!("4{}", message(5))]);

    session.close();
    assert_eq!(sender.try_send("x"), Err(TrySendError::Closed("x".into())));
    assert_eq!(server.handle.try_send(&sid, "x"), Err(TrySendError::Closed("x".into())));
    assert_eq!(
        crate::waiting::block_on(sender.send("x")),
        Err(SendError::Closed("x".into()))
    );
    server.finish();
}

#[test]
fn sending_waits_for_room_by_polling() {
    for flavour in FLAVOURS {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let server = Server::accepting(flavour, options().max_queue(4096), move |mut socket| {
            let count = count.clone();
            async move {
                for number in 0..300 {
                    socket.send(message(number)).await?;
                    count.fetch_add(1, Ordering::SeqCst);
                }
                while socket.recv().await.is_some() {}
                Ok(())
            }
        });
        let session = Session::open_and_hide(&server);
        let before = wait_until_still("sending to a client that does not poll", || sent.load(Ordering::SeqCst));
        assert!((5..20).contains(&before), "{before}");
        let messages = poll_messages(&session.0, &server, 300 - session.1.len());
        let all = [session.1, messages].concat();
        assert_eq!(
            all,
            (0..300)
                .map(|number| format!("4{}", message(number)))
                .collect::<Vec<_>>()
        );
        assert_eq!(sent.load(Ordering::SeqCst), 300);
        session.0.close();
        server.finish();
    }
}

impl<'a> Session<'a> {
    /// A session whose server speaks first: with the messages that came with the open packet.
    fn open_and_hide(server: &'a Server) -> (Self, Vec<String>) {
        let response = server.get(POLLING);
        let messages = response.text().split('\x1e').skip(1).map(str::to_owned).collect();
        (Self::from_response(server, &response), messages)
    }
}

#[test]
fn sending_waits_for_room_on_a_websocket() {
    const SIZE: usize = 64 * 1024;
    const COUNT: usize = 400;

    for flavour in FLAVOURS {
        for upgrades in [false, true] {
            let sent = Arc::new(AtomicUsize::new(0));
            let count = sent.clone();
            let server = Server::accepting(flavour, options().max_queue(500_000), move |mut socket| {
                let count = count.clone();
                async move {
                    let _go = socket.recv().await;
                    for number in 0..COUNT {
                        let mut bytes = vec![0; SIZE];
                        bytes[..8].copy_from_slice(&number.to_be_bytes());
                        socket.send(bytes).await?;
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    while socket.recv().await.is_some() {}
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
            websocket.text("4go");
            let before = wait_until_still("sending to a client that does not read", || sent.load(Ordering::SeqCst));
            assert!(before < COUNT, "all of it went into buffers: {before}");
            for number in 0..COUNT {
                let Message::Binary(bytes) = websocket.message() else {
                    panic!("instead of message {number} came something else");
                };
                assert_eq!(bytes.len(), SIZE);
                assert_eq!(bytes[..8], number.to_be_bytes());
            }
            websocket.close();
            server.finish();
        }
    }
}

#[test]
fn several_who_wait_for_room_all_get_theirs() {
    for flavour in FLAVOURS {
        let server = Server::accepting(flavour, options().max_queue(4096), |mut socket| async move {
            let _go = socket.recv().await;
            for name in 0..8 {
                let sender = socket.sender();
                runtime::spawn(async move {
                    for number in 0..50 {
                        // Of different sizes, so that some find room where others do not.
                        let text = format!("{name}:{number:0>width$}", width = 100 + name * 150);
                        sender.send(text).await.expect("it is open");
                    }
                });
            }
            while socket.recv().await.is_some() {}
            Ok(())
        });
        let check = |messages: Vec<String>| {
            let mut next = [0; 8];
            for message in messages {
                let (name, number) = message[1..].split_once(':').expect("a colon");
                let name: usize = name.parse().expect("a name");
                assert_eq!(number.parse(), Ok(next[name]), "of {name}");
                next[name] += 1;
            }
            assert_eq!(next, [50; 8]);
        };
        let session = Session::open(&server);
        session.send("4go");
        check(poll_messages(&session, &server, 400));
        session.close();

        let mut websocket = WebSocket::open(&server);
        websocket.text("4go");
        let mut messages = Vec::new();
        while messages.len() < 400 {
            let Message::Text(text) = websocket.message() else {
                panic!("not a text after {} messages", messages.len());
            };
            messages.push(text);
        }
        check(messages);
        websocket.close();
        server.finish();
    }
}

#[test]
fn a_send_that_is_given_up_has_sent_nothing() {
    let (note, notes) = mpsc::channel();
    let server = Server::accepting(Flavour::Current, options().max_queue(2048), move |mut socket| {
        let note = note.clone();
        async move {
            let _go = socket.recv().await;
            for number in 0..3 {
                socket.try_send(message(number)).expect("there is room");
            }
            tokio::select! {
                biased;
                sent = socket.send(message(99)) => panic!("there was no room: {sent:?}"),
                () = runtime::sleep(Duration::from_millis(20)) => {}
            }
            note.send(()).expect("the test");
            socket.send("after it").await?;
            while socket.recv().await.is_some() {}
            Ok(())
        }
    });
    let session = Session::open(&server);
    session.send("4go");
    notes.recv_timeout(PATIENCE).expect("it was given up");
    let messages = poll_messages(&session, &server, 4);
    let expected = [message(0), message(1), message(2), "after it".to_owned()];
    assert_eq!(messages, expected.map(|text| format!("4{text}")));
    session.close();
    server.finish();
}

#[test]
fn whoever_waits_for_room_is_told_of_the_end() {
    for flavour in FLAVOURS {
        let (note, notes) = mpsc::channel();
        let server = Server::accepting(flavour, options().max_queue(2048), move |socket: Socket| {
            let note = note.clone();
            async move {
                let refused = loop {
                    if let Err(error) = socket.send(message(0)).await {
                        break error;
                    }
                };
                note.send(refused).expect("the test");
                Ok(())
            }
        });
        let (session, _) = Session::open_and_hide(&server);
        session.close();
        assert_eq!(notes.recv_timeout(PATIENCE), Ok(SendError::Closed(message(0).into())));
        let websocket = WebSocket::open(&server);
        drop(websocket);
        assert_eq!(notes.recv_timeout(PATIENCE), Ok(SendError::Closed(message(0).into())));
        server.finish();
    }
}

#[test]
fn nothing_is_lost_and_nothing_overtakes_over_an_upgrade() {
    const COUNT: usize = 3000;

    for flavour in FLAVOURS {
        for round in 0..3 {
            let server = Server::accepting(flavour, options().max_queue(20_000), |mut socket: Socket| async move {
                let sender = socket.sender();
                runtime::spawn(async move {
                    for number in 0..COUNT {
                        sender.send(number.to_string()).await.expect("it is open");
                        if number % 7 == 0 {
                            runtime::yield_now().await;
                        }
                    }
                });
                // What comes is answered in between, by another task.
                while let Some(message) = socket.recv().await {
                    socket.send(message).await?;
                }
                Ok(())
            });
            let (session, mut packets) = Session::open_and_hide(&server);
            for _ in 0..=round {
                packets.extend(poll_messages(&session, &server, 1));
            }
            let mut websocket = session.websocket();
            // A poll that is under way when the probe is.
            let mut polling = server.connect();
            polling.request("GET", &session.target(), &[], None);
            websocket.text("2probe");
            let polled = polling.response();
            packets.extend(polled.text().split('\x1e').map(str::to_owned));
            websocket.assert_text("3probe");
            session.send("4echo by POST");
            websocket.text("5");
            websocket.text("4echo by WebSocket");
            packets.retain(|packet| packet != "6");
            while packets.len() < COUNT + 2 {
                let Some(Message::Text(text)) = websocket.message_within(PATIENCE) else {
                    panic!("{} packets came, the last {:?}", packets.len(), packets.last());
                };
                packets.push(text);
            }
            let (echoes, numbers): (Vec<_>, Vec<_>) =
                packets.into_iter().partition(|packet| packet.starts_with("4echo"));
            assert_eq!(echoes, ["4echo by POST", "4echo by WebSocket"]);
            let expected: Vec<String> = (0..COUNT).map(|number| format!("4{number}")).collect();
            assert!(numbers == expected, "a number is lost, doubled or out of order");
            websocket.close();
            server.finish();
        }
    }
}

#[test]
fn the_transport_can_be_asked_for() {
    let (server, senders) = with_senders(Flavour::Current, options());
    let session = Session::open(&server);
    let sender = senders.recv_timeout(PATIENCE).expect("a sender");
    assert_eq!(sender.transport(), Transport::Polling);
    let mut websocket = session.probe();
    assert_eq!(sender.transport(), Transport::Polling);
    websocket.text("5");
    wait_until("the upgrade", || sender.transport() == Transport::WebSocket);
    assert_eq!(sender.closed(), None);
    websocket.close();
    let direct = WebSocket::open(&server);
    let sender = senders.recv_timeout(PATIENCE).expect("a sender");
    assert_eq!(sender.transport(), Transport::WebSocket);
    direct.close();
    drop((sender, senders));
    server.finish();
}

#[track_caller]
fn assert_closed(sender: &Sender, expected: Closed) {
    wait_until("the end", || sender.closed().is_some());
    assert_eq!(sender.closed(), Some(expected));
}

#[test]
fn what_never_went_out_is_given_back() {
    let (server, senders) = with_senders(Flavour::Multi, options());
    let session = Session::open(&server);
    let sender = senders.recv_timeout(PATIENCE).expect("a sender");
    for text in ["a", "b"] {
        sender.try_send(text).expect("there is room");
    }
    sender.try_send(vec![1, 2]).expect("there is room");
    assert!(sender.take_unsent().is_empty(), "it may still go out");
    session.close();
    assert_closed(
        &sender,
        Closed {
            reason: CloseReason::ClientDisconnect,
            unsent: 3,
            in_doubt: 0,
        },
    );
    assert_eq!(
        sender.take_unsent(),
        [Data::from("a"), Data::from("b"), Data::from(vec![1, 2])]
    );
    assert!(sender.take_unsent().is_empty(), "each of them once");
    server.finish();
}

#[test]
fn what_may_not_have_arrived_is_counted_by_polling() {
    let (server, senders) = with_senders(Flavour::Multi, options());
    let session = Session::open(&server);
    let sender = senders.recv_timeout(PATIENCE).expect("a sender");
    sender.try_send("confirmed by the next poll").expect("there is room");
    session.get().assert_ok("4confirmed by the next poll");
    for text in ["a", "b"] {
        sender.try_send(text).expect("there is room");
    }
    session.get().assert_ok("4a\x1e4b");
    sender.try_send("c").expect("there is room");
    session.close();
    assert_closed(
        &sender,
        Closed {
            reason: CloseReason::ClientDisconnect,
            unsent: 1,
            in_doubt: 2,
        },
    );
    assert_eq!(sender.take_unsent(), [Data::from("c")]);
    server.finish();
}

#[test]
fn what_may_not_have_arrived_is_counted_on_a_websocket() {
    let (server, senders) = with_senders(Flavour::Multi, impatient().ping_timeout(PATIENCE));
    let mut websocket = WebSocket::open(&server);
    let sender = senders.recv_timeout(PATIENCE).expect("a sender");
    sender.try_send("confirmed by the pong").expect("there is room");
    websocket.assert_text("4confirmed by the pong");
    websocket.assert_text("2");
    websocket.text("3");
    // Whether the pong was read before the next message can only be told by the order of what is read.
    websocket.assert_text("2");
    for text in ["a", "b"] {
        sender.try_send(text).expect("there is room");
        websocket.assert_text(&format!("4{text}"));
    }
    drop(websocket);
    assert_closed(
        &sender,
        Closed {
            reason: CloseReason::TransportClose,
            unsent: 0,
            in_doubt: 2,
        },
    );
    server.finish();
}

#[test]
fn what_does_not_fit_into_a_dead_connection_is_accounted_for() {
    let (server, senders) = with_senders(Flavour::Multi, options().max_queue(2_000_000));
    let websocket = WebSocket::open(&server);
    let sender = senders.recv_timeout(PATIENCE).expect("a sender");
    let mut queued = 0;
    loop {
        match sender.try_send(vec![1; 60_000]) {
            Ok(()) => queued += 1,
            // Full for as long as the server does not get rid of any.
            Err(TrySendError::Full(_)) => {
                let handed = server.stats().sent;
                std::thread::sleep(Duration::from_millis(300));
                if server.stats().sent == handed {
                    break;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    websocket.connection.reset();
    wait_until("the end", || sender.closed().is_some());
    let closed = sender.closed().expect("it has ended");
    assert_eq!(closed.reason, CloseReason::TransportError);
    assert_eq!(closed.unsent + closed.in_doubt, queued, "{closed:?}");
    assert!(closed.unsent > 0 && closed.in_doubt > 0, "{closed:?}");
    assert_eq!(sender.take_unsent().len(), closed.unsent);
    server.finish();
}

#[test]
fn senders_may_outlive_the_server() {
    let (server, senders) = with_senders(Flavour::Multi, options());
    let session = Session::open(&server);
    let sender = senders.recv_timeout(PATIENCE).expect("a sender");
    session.close();
    server.finish();
    assert_eq!(sender.try_send("x"), Err(TrySendError::Closed("x".into())));
    sender.close();
    sender.abort();
    assert_eq!(
        sender.closed().map(|closed| closed.reason),
        Some(CloseReason::ClientDisconnect)
    );
}

#[test]
fn a_handle_sends_to_whoever_is_there() {
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
        let session = Session::open(&server);
        let mut waiting = session.park();
        let mut websocket = WebSocket::open(&server);
        let sids = server.handle.sessions();
        assert_eq!(sids.len(), 2);
        assert_eq!(sids[0].as_str(), session.sid, "in the order in which they were opened");
        for sid in &sids {
            server.handle.try_send(sid, "to all").expect("there is room");
        }
        waiting.response().assert_ok("4to all");
        websocket.assert_text("4to all");
        let stats = server.stats();
        assert_eq!((stats.sessions, stats.opened, stats.closed, stats.sent), (2, 2, 0, 2));
        websocket.text("4taken");
        wait_until("the message is taken", || server.stats().received == 1);

        server.handle.disconnect(&sids[1]);
        websocket.assert_text("1");
        websocket.assert_closes();
        drop(websocket);
        let mut waiting = session.park();
        server.handle.disconnect(&sids[0]);
        waiting.response().assert_ok("1");
        server.wait_for_sessions(0);
        // They are gone, and gone they stay.
        for sid in &sids {
            server.handle.disconnect(sid);
            assert!(server.handle.try_send(sid, "x").is_err());
        }
        let stats = server.stats();
        assert_eq!((stats.opened, stats.closed, stats.received, stats.sent), (2, 2, 1, 2));
        gate.open();
        server.finish();
    }
}
