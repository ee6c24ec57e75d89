//! The two styles of writing a server, over each transport and on each kind of runtime.

use std::sync::mpsc;
use std::time::Duration;

use sansocket::engineio::{Data, Transport};
use sansocket::runtime::engineio::Sender;

use crate::http::PATIENCE;
use crate::runtime;
use crate::server::{FLAVOURS, Flavour, Server, Token, options};
use crate::session::{Session, sid_of};
use crate::websocket::{Message, WebSocket};

#[test]
fn accept_style_echoes_on_each_transport_and_runtime() {
    for flavour in FLAVOURS {
        let server = Server::echo(flavour, options());
        let polling = Session::open(&server);
        polling.assert_echoes("by polling");
        let mut websocket = WebSocket::open(&server);
        websocket.assert_echoes("by WebSocket");
        let upgrading = Session::open(&server);
        upgrading.assert_echoes("before the upgrade");
        let mut upgraded = upgrading.upgrade();
        upgraded.binary(b"\x00\x1e\xff");
        assert_eq!(upgraded.message(), Message::Binary(b"\x00\x1e\xff".to_vec()));
        assert_eq!(server.stats().sessions, 3);
        assert_eq!(server.tokens(), 3);

        polling.close();
        websocket.close();
        upgraded.close();
        server.finish();
    }
}

#[test]
fn event_style_hands_over_data_messages_and_the_end_in_order() {
    for flavour in FLAVOURS {
        let (note, notes) = mpsc::channel();
        let tokens = Token::default();
        let options = options()
            .on_connect({
                let tokens = tokens.clone();
                move |request| {
                    let name = request.query_value("name").unwrap_or_default();
                    let data = (name, tokens.clone());
                    async move { Ok(data) }
                }
            })
            .on_message({
                let note = note.clone();
                move |socket: Sender<(String, Token)>, message: Data| {
                    let note = note.clone();
                    async move {
                        // Were there two of them at a time, the second would overtake the first.
                        runtime::sleep(Duration::from_millis(message.len() as u64 % 3)).await;
                        let text = message.as_text().unwrap_or_default();
                        note.send(format!("{}: {text}", socket.data().0)).expect("the test");
                        socket.send(message).await
                    }
                }
            })
            .on_disconnect(move |socket, reason| {
                let note = note.clone();
                async move { note.send(format!("{}: {reason}", socket.data().0)) }
            });
        let server = Server::events(flavour, tokens, options);

        let response = server.get("/engine.io/?EIO=4&transport=polling&name=ann");
        let session = Session::from_response(&server, &response);
        session.send("4a\x1e4bbb\x1e4cc");
        assert_eq!(session.receive(3), ["4a", "4bbb", "4cc"]);
        session.send("4dd\x1e4e\x1e1");
        session.assert_gone();
        for expected in ["a", "bbb", "cc", "dd", "e", "client disconnect"] {
            assert_eq!(notes.recv_timeout(PATIENCE), Ok(format!("ann: {expected}")));
        }

        let mut websocket = WebSocket::connect(&server, "/engine.io/?EIO=4&transport=websocket&name=bob%20b");
        assert!(matches!(websocket.message(), Message::Text(open) if open.starts_with('0')));
        for text in ["a", "bbb", "cc"] {
            websocket.text(&format!("4{text}"));
        }
        for text in ["4a", "4bbb", "4cc"] {
            websocket.assert_text(text);
        }
        websocket.close();
        for expected in ["a", "bbb", "cc", "client disconnect"] {
            assert_eq!(notes.recv_timeout(PATIENCE), Ok(format!("bob b: {expected}")));
        }
        server.finish();
        assert_eq!(notes.try_iter().count(), 0, "the end is told once");
    }
}

#[test]
fn handlers_of_the_event_style_may_be_left_out() {
    let (note, notes) = mpsc::channel();
    let only_disconnect = options().on_disconnect(move |_, reason| {
        let note = note.clone();
        async move { note.send(reason.to_string()) }
    });
    let server = Server::events(Flavour::Current, Token::default(), only_disconnect);
    let session = Session::open(&server);
    session.send("4nobody takes it");
    session.close();
    assert_eq!(notes.recv_timeout(PATIENCE).as_deref(), Ok("client disconnect"));
    server.finish();

    let only_message = options().on_message(|socket, message| async move { socket.send(message).await });
    let server = Server::events(Flavour::Current, Token::default(), only_message);
    let session = Session::open(&server);
    session.assert_echoes("hello");
    session.close();
    server.finish();
}

#[test]
fn an_error_of_a_message_handler_ends_nothing() {
    let options = options().on_message(|socket, message: Data| async move {
        if message.as_text() == Some("fail") {
            return Err(std::io::Error::other("on purpose"));
        }
        socket.send(message).await.map_err(std::io::Error::other)
    });
    let server = Server::events(Flavour::Current, Token::default(), options);
    let session = Session::open(&server);
    session.send("4fail");
    session.assert_echoes("still here");
    session.close();
    server.finish();
}

#[test]
fn another_path() {
    let server = Server::echo(Flavour::Current, options().path("chat/"));
    server.get("/engine.io/?EIO=4&transport=polling");
    assert_eq!(server.get("/engine.io/?EIO=4&transport=polling").status, 404);
    let response = server.get("/chat/?EIO=4&transport=polling");
    assert_eq!(response.status, 200, "{response:?}");
    let sid = sid_of(response.text());
    server
        .post(&format!("/chat/?EIO=4&transport=polling&sid={sid}"), "1")
        .assert_ok("ok");
    let mut websocket = WebSocket::connect(&server, "/chat/?EIO=4&transport=websocket");
    assert!(matches!(websocket.message(), Message::Text(open) if open.starts_with('0')));
    websocket.assert_echoes("elsewhere");
    websocket.close();
    server.finish();
}

#[test]
fn two_servers_in_one_process_know_nothing_of_each_other() {
    let first = Server::echo(Flavour::Multi, options());
    let second = Server::echo(Flavour::Current, options());
    let (here, there) = (Session::open(&first), Session::open(&second));
    second.get(&here.target()).assert_error(1);
    first.get(&there.target()).assert_error(1);
    assert!(first.handle.try_send(&second.sid(), "lost").is_err());
    here.close();
    first.finish();
    there.assert_echoes("the other one goes on");
    there.close();
    second.finish();
}

#[test]
fn a_server_with_the_same_options_can_be_bound_where_one_has_ended() {
    let first = Server::echo(Flavour::Current, options());
    let address = first.address;
    let session = Session::open(&first);
    session.close();
    first.finish();
    let server = runtime::block_on(false, options().bind(&address.to_string()));
    assert_eq!(server.expect("the port is free again").local_addr(), address);
}

#[test]
fn options_that_can_not_be_used_are_refused_before_anything_listens() {
    let unusable = [
        options().max_payload(0),
        options().max_queue(10),
        options().ping_interval(Duration::ZERO),
        options().ping_timeout(Duration::MAX),
        options().ping_interval_grace(Duration::MAX),
        options().transports(&[]),
    ];
    for options in unusable {
        let bound = runtime::block_on(false, options.bind("127.0.0.1:0"));
        assert!(matches!(bound, Err(sansocket::Error::Unusable { .. })), "{bound:?}");
    }
    for address in ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "no host"] {
        let bound = runtime::block_on(false, options().bind(address));
        assert!(matches!(bound, Err(sansocket::Error::Unusable { .. })), "{bound:?}");
    }
    let by_name = runtime::block_on(false, options().bind("localhost:0"));
    assert!(by_name.expect("a name is fine").local_addr().ip().is_loopback());
}

#[test]
fn transports_and_upgrades_can_be_switched_off() {
    let server = Server::echo(Flavour::Current, options().transports(&[Transport::WebSocket]));
    server.get("/engine.io/?EIO=4&transport=polling").assert_error(0);
    let mut websocket = WebSocket::open(&server);
    websocket.assert_echoes("only here");
    websocket.close();
    server.finish();

    let server = Server::echo(Flavour::Current, options().allow_upgrades(false));
    let session = Session::open(&server);
    assert!(
        session.open_packet.contains(r#""upgrades":[]"#),
        "{}",
        session.open_packet
    );
    session.close();
    server.finish();
}

#[test]
fn session_ids_do_not_show() {
    let (give, given) = mpsc::channel();
    let server = Server::accepting(Flavour::Current, options(), move |mut socket| {
        let give = give.clone();
        async move {
            let shown = format!("{socket:?} {:?} {:?}", socket.sender(), socket.sid());
            give.send((shown, socket.sender())).expect("the test");
            while socket.recv().await.is_some() {}
            Ok(())
        }
    });
    let session = Session::open(&server);
    let (shown, sender) = given.recv_timeout(PATIENCE).expect("a socket");
    let refused = server.handle.try_send(&server.sid(), vec![0; 5_000_000]);
    let all = format!(
        "{shown} {:?} {:?} {:?} {refused:?}",
        server.handle,
        server.stats(),
        server.handle.sessions()
    );
    assert!(!all.contains(&session.sid), "{all}");
    // Whoever wants it can have it.
    assert_eq!(sender.sid().as_str(), session.sid);
    session.close();
    drop(sender);
    server.finish();
}
