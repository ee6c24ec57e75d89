//! The server from outside: what a handle can do with sessions, and what it tells of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use sansocket::engineio::{CloseReason, Config, Data, Packet, Sid, Transport};
use sansocket::http::Request;
use sansocket::runtime::engineio::{Sender, Socket, TrySendError};
use sansocket::{Category, Error, SendError, TryRecvError};

use crate::http::PATIENCE;
use crate::runtime::{Builder, pause};
use crate::server::{FLAVOURS, Flavour, Server, Token, impatient, options};
use crate::session::Session;
use crate::waiting::{block_on, wait_until};
use crate::websocket::{CLOSE, FIN, Message, WebSocket};

fn sid(session: &str) -> Sid {
    Sid::new(session).expect("the server made it")
}

fn nobody() -> Sid {
    sid("AAAAAAAAAAAAAAAAAAAA")
}

/// Takes messages without a word.
fn silent(flavour: Flavour) -> Server {
    Server::accepting(flavour, options(), |mut socket| async move {
        while socket.recv().await.is_some() {}
        Ok(())
    })
}

/// Two clients, one on each transport.
fn two(server: &Server) -> (Session<'_>, WebSocket, Sid, Sid) {
    let polling = Session::open(server);
    let (websocket, other) = WebSocket::open_with_sid(server);
    let (one, two) = (sid(&polling.sid), sid(&other));
    (polling, websocket, one, two)
}

#[test]
fn what_it_tells_of_sessions() {
    for flavour in FLAVOURS {
        let server = Server::echo(flavour, options());
        let (polling, websocket, one, two) = two(&server);
        let infos = server.handle.session_infos();
        let listed: Vec<_> = infos.iter().map(|info| (info.sid.clone(), info.transport)).collect();
        assert_eq!(
            listed,
            [(one.clone(), Transport::Polling), (two.clone(), Transport::WebSocket)]
        );
        for info in infos {
            assert!(info.client.is_some_and(|client| client.is_loopback()), "{info:?}");
            assert!(info.age < 3 * PATIENCE, "{info:?}");
            let again = server.handle.session_info(&info.sid).expect("it is there");
            assert!(again.age >= info.age);
            assert_eq!(server.handle.transport(&info.sid), Some(info.transport));
        }
        let upgraded = polling.upgrade();
        wait_until("the upgrade", || {
            server.handle.transport(&one) == Some(Transport::WebSocket)
        });
        upgraded.close();
        websocket.close();
        wait_until("both are gone", || server.handle.session_info(&one).is_none());
        assert_eq!(server.handle.transport(&nobody()), None);
        server.finish();
    }
}

#[test]
fn a_broadcast_reaches_everybody_or_some() {
    for flavour in FLAVOURS {
        let server = silent(flavour);
        let (polling, mut websocket, one, two) = two(&server);
        assert_eq!(server.handle.broadcast("all"), []);
        assert_eq!(polling.receive(1), ["4all"]);
        websocket.assert_text("4all");
        assert_eq!(server.handle.broadcast(vec![1, 2, 3]), []);
        assert_eq!(polling.receive(1), ["bAQID"]);
        assert_eq!(websocket.message(), Message::Binary(vec![1, 2, 3]));

        let missed = server.handle.broadcast_to([&one, &nobody()], "some");
        assert_eq!(missed, [(nobody(), TrySendError::Closed("some".into()))]);
        assert_eq!(polling.receive(1), ["4some"]);
        let infos = server.handle.session_infos().into_iter();
        let on_websocket = infos.filter(|info| info.transport == Transport::WebSocket);
        let sids: Vec<Sid> = on_websocket.map(|info| info.sid).collect();
        assert_eq!(sids, [two]);
        let value = BTreeMap::from([("a", 1)]);
        let message = Data::from_json(&value).expect("it has a form");
        assert_eq!(server.handle.broadcast_to(sids, message), []);
        websocket.assert_text(r#"4{"a":1}"#);
        polling.close();
        websocket.close();
        server.finish();
    }
}

#[test]
fn a_broadcast_says_who_has_not_got_it() {
    let server = Server::accepting(Flavour::Multi, options().max_queue(2048), |mut socket| async move {
        while socket.recv().await.is_some() {}
        Ok(())
    });
    let slow = Session::open(&server);
    let one = sid(&slow.sid);
    let message = Data::from("x".repeat(1200));
    assert_eq!(server.handle.broadcast(message.clone()), []);
    let missed = server.handle.broadcast(message.clone());
    assert_eq!(missed, [(one.clone(), TrySendError::Full(message.clone()))]);
    let (_, error) = missed.into_iter().next().expect("it was looked at");
    let error = Error::from(error);
    assert_eq!((error.category(), error.may_retry()), (Category::QueueFull, true));
    assert_eq!(error.into_data(), Some(message));
    let large = Data::from("x".repeat(2048));
    assert_eq!(
        server.handle.broadcast(large.clone()),
        [(one, TrySendError::TooLarge(large))]
    );
    assert_eq!(slow.receive(1).len(), 1);
    slow.close();
    assert_eq!(server.handle.broadcast("to nobody"), []);
    server.finish();
}

#[test]
fn a_handle_waits_for_room() {
    let server = Server::accepting(Flavour::Multi, options().max_queue(2048), |mut socket| async move {
        while socket.recv().await.is_some() {}
        Ok(())
    });
    let slow = Session::open(&server);
    let one = sid(&slow.sid);
    let (handle, to) = (server.handle.clone(), one.clone());
    let sending = std::thread::spawn(move || {
        for number in 0..10 {
            block_on(handle.send(&to, format!("{number:0>1200}"))).expect("there is room sooner or later");
        }
    });
    assert_eq!(slow.receive(10).len(), 10);
    sending.join().expect("all were sent");
    slow.close();
    wait_until("it is gone", || server.handle.session_info(&one).is_none());
    let refused = block_on(server.handle.send(&one, "late")).expect_err("nobody is there");
    assert_eq!(refused, SendError::Closed("late".into()));
    assert_eq!(refused.category(), Category::Closed);
    server.finish();
}

#[test]
fn packets_of_the_applications_own() {
    for flavour in FLAVOURS {
        let server = silent(flavour);
        let (polling, mut websocket, one, two) = two(&server);
        let send = |sid: &Sid, packet| block_on(server.handle.send_packet(sid, packet));
        for sid in [&one, &two] {
            send(sid, Packet::Message("hello".into())).expect("it is open");
        }
        assert_eq!(polling.receive(1), ["4hello"]);
        websocket.assert_text("4hello");
        // Where a poll waits, it is released.
        let mut waiting = polling.park();
        let mut released = None;
        wait_until("the poll has come and is released", || {
            send(&one, Packet::Noop).expect("always");
            released = waiting.response_within(Duration::from_millis(50)).ok();
            released.is_some()
        });
        released.expect("it was waited for").assert_ok("6");
        send(&two, Packet::Noop).expect("always");
        websocket.assert_text("6");
        for packet in [Packet::Ping("".into()), Packet::Pong("".into()), Packet::Upgrade] {
            let error = send(&one, packet).expect_err("it would break the protocol");
            assert_eq!(error.category(), Category::InvalidArgument, "{error}");
        }
        let error = send(&nobody(), Packet::Message("x".into())).expect_err("nobody is there");
        assert_eq!(error.into_data(), Some("x".into()));
        send(&two, Packet::Close).expect("always");
        websocket.assert_text("1");
        websocket.assert_closes();
        polling.close();
        drop((waiting, websocket));
        server.finish();
    }
}

#[test]
fn everybody_is_thrown_out_and_can_come_back() {
    for flavour in FLAVOURS {
        let (note, reasons) = mpsc::channel();
        let tokens = Token::default();
        let options = options().on_disconnect(move |_, reason: CloseReason| {
            let _test_has_ended = note.send(reason);
            async {}
        });
        let server = Server::events(flavour, tokens, options);
        let (polling, mut websocket, ..) = two(&server);
        server.handle.disconnect_all();
        polling.get().assert_ok("1");
        websocket.assert_text("1");
        websocket.assert_closes();
        drop(websocket);
        for _ in 0..2 {
            let reason = reasons.recv_timeout(PATIENCE).expect("both are told");
            assert_eq!(reason.as_python_server(), "server disconnect");
        }
        server.wait_for_sessions(0);
        Session::open(&server).close();
        let reason = reasons.recv_timeout(PATIENCE).expect("it has left");
        assert_eq!(reason.as_python_server(), "client disconnect");
        server.finish();
    }
}

/// What a session has of its own: a token, to see when it is dropped.
struct Profile {
    name: Mutex<String>,
    _token: Token,
}

#[test]
fn data_is_found_by_the_id_for_as_long_as_the_session_lives() {
    for flavour in FLAVOURS {
        let tokens = Token::default();
        let token = tokens.clone();
        let (note, names) = mpsc::channel();
        let options = options()
            .on_connect(move |request: Request| {
                let name = request.query_value("name").unwrap_or_default();
                let (name, token) = (Mutex::new(name), token.clone());
                async move { Ok(Profile { name, _token: token }) }
            })
            .on_disconnect(move |socket: Sender<Profile>, _| {
                let _test_has_ended = note.send(socket.data().name.lock().expect("its name").clone());
                async {}
            });
        let server = Server::events(flavour, tokens, options);
        let response = server.get("/engine.io/?EIO=4&transport=polling&name=ann");
        let session = Session::from_response(&server, &response);
        let one = sid(&session.sid);
        server.wait_for_tokens(1);
        let socket = server.handle.socket::<Profile>(&one).expect("it is there");
        assert_eq!(*socket.data().name.lock().expect("its name"), "ann");
        "bob".clone_into(&mut socket.data().name.lock().expect("its name"));
        socket.try_send("you are bob").expect("it is open");
        assert_eq!(session.receive(1), ["4you are bob"]);
        drop(socket);
        assert_eq!(server.tokens(), 1, "whoever asks keeps nothing");
        assert!(server.handle.socket::<String>(&one).is_none(), "it is of another type");
        assert!(server.handle.socket::<Profile>(&nobody()).is_none());
        session.close();
        assert_eq!(names.recv_timeout(PATIENCE).as_deref(), Ok("bob"));
        server.wait_for_tokens(0);
        assert!(server.handle.socket::<Profile>(&one).is_none());
        server.finish();
    }
}

/// However soon somebody asks: the open packet tells the id.
#[test]
fn data_is_there_as_soon_as_the_id_is_known() {
    for flavour in FLAVOURS {
        let options = options().on_connect(|_: Request| async { Ok(7_u8) });
        let server = Server::accepting(flavour, options, |mut socket| async move {
            while socket.recv().await.is_some() {}
            Ok(())
        });
        // By polling, where the handler is in another task than the answer; and on a WebSocket.
        for _ in 0..20 {
            let session = Session::open(&server);
            let socket = server.handle.socket::<u8>(&sid(&session.sid));
            assert_eq!(socket.expect("it is there").data(), &7);
            session.close();
        }
        let (websocket, one) = WebSocket::open_with_sid(&server);
        assert_eq!(server.handle.socket::<u8>(&sid(&one)).expect("it is there").data(), &7);
        websocket.close();
        server.finish();
    }
}

#[test]
fn receiving_without_waiting() {
    for flavour in FLAVOURS {
        let (note, seen) = mpsc::channel();
        let server = Server::accepting(flavour, options(), move |mut socket: Socket| {
            let note = note.clone();
            async move {
                let _test_has_ended = note.send(socket.try_recv().map_err(Error::from));
                // The first comes by waiting, what came with it is there.
                let _test_has_ended = note.send(Ok(socket.recv().await.expect("a message")));
                for _ in 0..2 {
                    let _test_has_ended = note.send(socket.try_recv().map_err(Error::from));
                }
                socket.send("taken").await?;
                assert_eq!(socket.recv().await, None);
                let _test_has_ended = note.send(socket.try_recv().map_err(Error::from));
                assert_eq!(socket.try_recv(), Err(TryRecvError::Closed), "for ever");
                Ok(())
            }
        });
        let next = || seen.recv_timeout(PATIENCE).expect("the handler");
        let session = Session::open(&server);
        assert_eq!(next().expect_err("nothing has come").category(), Category::QueueEmpty);
        session.send("4one\x1e4two");
        assert_eq!(next().expect("it was waited for"), "one".into());
        assert_eq!(next().expect("it came with it"), "two".into());
        assert!(next().expect_err("that is all").may_retry());
        assert_eq!(session.receive(1), ["4taken"]);
        session.close();
        let error = next().expect_err("it is over");
        assert_eq!((error.category(), error.may_retry()), (Category::Closed, false));
        server.finish();
    }
}

/// With room for one message, the next is read from the connection when that one was taken, by whatever it was.
#[test]
fn what_is_taken_without_waiting_makes_room() {
    const COUNT: usize = 50;

    for flavour in FLAVOURS {
        let (note, seen) = mpsc::channel();
        let mut config = Config::default();
        config.receive_window = 1;
        let server = Server::accepting(flavour, options().config(config), move |mut socket: Socket| {
            let note = note.clone();
            async move {
                loop {
                    match socket.try_recv() {
                        Ok(message) => note.send(message).expect("the test"),
                        Err(TryRecvError::Empty) => pause(Duration::from_millis(1)).await,
                        Err(TryRecvError::Closed) => return Ok(()),
                    }
                }
            }
        });
        let (polling, mut websocket, ..) = two(&server);
        for number in 0..COUNT {
            websocket.text(&format!("4{number}"));
        }
        for number in 0..COUNT {
            let message = seen.recv_timeout(PATIENCE).expect("the next one is read");
            assert_eq!(message, number.to_string().into());
        }
        let packets: Vec<String> = (0..COUNT).map(|number| format!("4{number}")).collect();
        polling.send(packets.join("\x1e"));
        for number in 0..COUNT {
            let message = seen.recv_timeout(PATIENCE).expect("the next one is there");
            assert_eq!(message, number.to_string().into());
        }
        polling.close();
        websocket.close();
        server.finish();
    }
}

#[test]
fn messages_hold_json_where_somebody_asks() {
    let server = Server::accepting(Flavour::Multi, options(), |mut socket| async move {
        while let Some(message) = socket.recv().await {
            match message.json::<BTreeMap<String, Vec<u32>>>() {
                Ok(lists) => {
                    let sums: BTreeMap<_, u32> = lists.iter().map(|(name, list)| (name, list.iter().sum())).collect();
                    socket.send_json(&sums).await?;
                }
                Err(_) => socket.send(message).await?,
            }
        }
        let unspeakable = BTreeMap::from([(Vec::from([1]), 1)]);
        assert_eq!(
            socket.send_json(&unspeakable).await.map_err(|error| error.category()),
            Err(Category::InvalidArgument)
        );
        Ok(())
    });
    let session = Session::open(&server);
    session.send(r#"4{"a": [1, 2], "b": []}"#);
    assert_eq!(session.receive(1), [r#"4{"a":3,"b":0}"#]);
    // What looks like a number stays the text that it is, however long.
    for text in ["5".to_owned(), "1".repeat(200), "{\"a\":".to_owned()] {
        session.assert_echoes(&text);
    }
    let mut websocket = session.upgrade();
    websocket.binary(br#"{"c":[7]}"#);
    websocket.assert_text(r#"4{"c":7}"#);
    websocket.close();
    server.finish();
}

#[test]
fn reasons_in_pythons_words() {
    let (note, reasons) = mpsc::channel();
    let start = |options: Builder| {
        let note = note.clone();
        let options = options.on_disconnect(move |_, reason: CloseReason| {
            let _test_has_ended = note.send(reason.as_python_server());
            async {}
        });
        Server::events(Flavour::Multi, Token::default(), options)
    };
    let server = start(options());
    let next = || reasons.recv_timeout(PATIENCE).expect("a reason");
    Session::open(&server).close();
    assert_eq!(next(), "client disconnect");
    let mut websocket = WebSocket::open(&server);
    websocket.frame(FIN | CLOSE, b"");
    assert_eq!(next(), "transport close");
    drop(websocket);
    let session = Session::open(&server);
    server.handle.disconnect(&sid(&session.sid));
    session.get().assert_ok("1");
    assert_eq!(next(), "server disconnect");
    server.finish();
    let server = start(impatient());
    let silent = WebSocket::open(&server);
    assert_eq!(next(), "ping timeout");
    drop(silent);
    server.finish();
}
