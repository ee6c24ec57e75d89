//! The connect handler: who is let in, with what, and what happens meanwhile.

use std::sync::mpsc;
use std::time::Duration;

use sansocket::engineio::{Config, Refusal};
use sansocket::http::Request;

use crate::http::{NoAnswer, PATIENCE};
use crate::server::{FLAVOURS, Flavour, Server, Token, options};
use crate::session::{POLLING, Session, settle};
use crate::waiting::{Gate, wait_until};
use crate::websocket::{Message, WEBSOCKET, WebSocket, ask, upgrade_request};

/// Long enough to see that nothing comes.
const SILENCE: Duration = Duration::from_millis(150);

#[test]
fn it_sees_the_request() {
    let (give, given) = mpsc::channel();
    let options = options().on_connect(move |request: Request| {
        give.send(request).expect("the test");
        async { Ok(()) }
    });
    let server = Server::accepting(Flavour::Current, options, |mut socket| async move {
        while socket.recv().await.is_some() {}
        Ok(())
    });

    let mut connection = server.connect();
    let target = format!("{POLLING}&token=a%20b");
    connection.request(
        "GET",
        &target,
        &["Authorization: Bearer x", "X-Two: 1", "X-Two: 2"],
        None,
    );
    let response = connection.response();
    let session = Session::from_response(&server, &response);
    let request = given.recv_timeout(PATIENCE).expect("a request");
    assert_eq!((request.method(), request.path()), ("GET", "/engine.io/"));
    assert_eq!(request.query(), "EIO=4&transport=polling&token=a%20b");
    assert_eq!(request.query_value("token").as_deref(), Some("a b"));
    assert_eq!(request.header("authorization"), Some("Bearer x"));
    assert_eq!(request.headers().filter(|(name, _)| *name == "x-two").count(), 2);
    assert!(request.peer().ip().is_loopback());
    assert!(request.body().is_empty());

    // Only the request that opens a session.
    session.upgrade_silently();
    let (connection, response) = ask(&server, WEBSOCKET, &["Cookie: a=b"]);
    let mut websocket = WebSocket::granted(connection, &response);
    assert!(matches!(websocket.message(), Message::Text(_)));
    let request = given.recv_timeout(PATIENCE).expect("a request");
    assert_eq!(request.header("cookie"), Some("a=b"));
    websocket.close();
    assert_eq!(given.try_iter().count(), 0);
    server.finish();
}

impl Session<'_> {
    /// Moves to a WebSocket and ends there, without asking for an echo.
    fn upgrade_silently(&self) {
        let mut websocket = self.probe();
        websocket.text("5");
        websocket.close();
    }
}

#[test]
fn a_refusal_is_an_http_answer_on_both_transports() {
    for flavour in FLAVOURS {
        let options = options().on_connect(|request: Request| async move {
            match request.query_value("as").as_deref() {
                Some("json") => Err(Refusal::new(401).json(&["who", "are", "you?"])),
                Some("message") => Err(Refusal::new(429).message("later")),
                Some("default") => Err(Refusal::default()),
                _ => Ok(()),
            }
        });
        let server = Server::accepting(flavour, options, |mut socket| async move {
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
            }
            Ok(())
        });
        let refusals = [
            ("json", 401, r#"["who","are","you?"]"#),
            ("message", 429, r#"{"code":4,"message":"later"}"#),
            ("default", 403, r#"{"code":4,"message":"Forbidden"}"#),
        ];
        for (how, status, body) in refusals {
            let polled = server.get(&format!("{POLLING}&as={how}"));
            let (mut connection, asked) = ask(&server, &format!("{WEBSOCKET}&as={how}"), &[]);
            for response in [polled, asked] {
                assert_eq!((response.status, response.text()), (status, body));
                let kind = response.header("content-type").unwrap_or_default();
                assert!(kind.starts_with("application/json"), "{response:?}");
            }
            connection.assert_closed();
        }
        server.wait_for_sessions(0);
        assert_eq!(server.tokens(), 0, "a handler runs for nobody");
        let session = Session::open(&server);
        session.assert_echoes("welcome");
        session.close();
        server.finish();
    }
}

#[test]
fn a_client_waits_while_it_is_decided() {
    for flavour in FLAVOURS {
        let gate = Gate::default();
        let options = options().on_connect({
            let gate = gate.clone();
            move |_| {
                let gate = gate.clone();
                async move {
                    gate.pass().await;
                    Ok(())
                }
            }
        });
        let server = Server::accepting(flavour, options, |mut socket| async move {
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
            }
            Ok(())
        });
        let mut polling = server.connect();
        polling.request("GET", POLLING, &[], None);
        let mut opening = server.connect();
        let bytes = upgrade_request(opening.host(), WEBSOCKET, &[]);
        opening.send(bytes);
        wait_until("both are being decided", || {
            let stats = server.stats();
            (stats.sessions, stats.opened) == (2, 2)
        });
        polling.assert_silent(SILENCE);
        opening.assert_silent(SILENCE);
        // There is no session yet that anybody else could use.
        for sid in server.handle.sessions() {
            server.get(&format!("{POLLING}&sid={}", sid.as_str())).assert_error(3);
            server
                .post(&format!("{POLLING}&sid={}", sid.as_str()), "4no")
                .assert_error(3);
        }

        gate.open();
        let response = polling.response();
        let session = Session::from_response(&server, &response);
        session.assert_echoes("in");
        session.close();
        let response = opening.response();
        let mut websocket = WebSocket::granted(opening, &response);
        assert!(matches!(websocket.message(), Message::Text(open) if open.starts_with('0')));
        websocket.assert_echoes("in");
        websocket.close();
        server.finish();
    }
}

#[test]
fn what_is_sent_meanwhile_rides_behind_the_open_packet() {
    let gate = Gate::default();
    let options = options().on_connect({
        let gate = gate.clone();
        move |_| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Ok(())
            }
        }
    });
    let server = Server::accepting(Flavour::Multi, options, |mut socket| async move {
        while socket.recv().await.is_some() {}
        Ok(())
    });
    let mut polling = server.connect();
    polling.request("GET", POLLING, &[], None);
    server.wait_for_sessions(1);
    let sid = server.sid();
    server.handle.try_send(&sid, "early").expect("there is room");
    server.handle.try_send(&sid, &b"\x01\x02"[..]).expect("there is room");
    polling.assert_silent(SILENCE);
    gate.open();
    let response = polling.response();
    let (open, rest) = response.text().split_once('\x1e').expect("more than an open packet");
    assert!(open.starts_with("0{"), "{open}");
    assert_eq!(rest, "4early\x1ebAQI=");
    let session = Session::from_response(&server, &response);
    session.close();
    server.finish();
}

#[test]
fn a_greeting_comes_with_the_open_packet() {
    let server = Server::accepting(Flavour::Current, options(), |mut socket| async move {
        socket.send("hello").await?;
        while socket.recv().await.is_some() {}
        Ok(())
    });
    let response = server.get(POLLING);
    assert!(response.text().ends_with("}\x1e4hello"), "{response:?}");
    let session = Session::from_response(&server, &response);
    session.close();
    let mut websocket = WebSocket::open(&server);
    websocket.assert_text("4hello");
    websocket.close();
    server.finish();
}

#[test]
fn it_has_its_time_and_no_more() {
    let tokens = Token::default();
    let mut config = Config::default();
    config.accept_timeout = Duration::from_millis(200);
    let never = Gate::default();
    let options = options().config(config).on_connect({
        let (tokens, never) = (tokens.clone(), never.clone());
        move |_| {
            let (data, never) = (tokens.clone(), never.clone());
            async move {
                never.pass().await;
                Ok(data)
            }
        }
    });
    let options = options.on_message(|_, _| async {});
    let server = Server::events(Flavour::Multi, tokens, options);
    let mut polling = server.connect();
    polling.request("GET", POLLING, &[], None);
    let (mut opening, response) = ask(&server, WEBSOCKET, &[]);
    assert_eq!(response.status, 503, "{response:?}");
    opening.assert_closed();
    assert_eq!(polling.response().status, 503);
    drop((polling, opening));
    server.wait_for_sessions(0);
    // It is not cancelled, and what it decides does not matter any more.
    assert_eq!(server.tokens(), 2);
    never.open();
    server.wait_for_tokens(0);
    server.finish();
}

#[test]
fn a_panic_in_it_refuses_with_500() {
    for flavour in FLAVOURS {
        let options = options().on_connect(|request: Request| async move {
            assert!(request.query_value("panic").is_none(), "a panic on purpose");
            Ok(())
        });
        let server = Server::accepting(flavour, options, |mut socket| async move {
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
            }
            Ok(())
        });
        let before = Session::open(&server);
        assert_eq!(server.get(&format!("{POLLING}&panic=1")).status, 500);
        let (mut connection, response) = ask(&server, &format!("{WEBSOCKET}&panic=1"), &[]);
        assert_eq!(response.status, 500, "{response:?}");
        connection.assert_closed();
        drop(connection);
        server.wait_for_sessions(1);
        before.assert_echoes("not its business");
        before.close();
        let mut websocket = WebSocket::open(&server);
        websocket.assert_echoes("nor this one's");
        websocket.close();
        server.finish();
    }
}

#[test]
fn a_panic_before_its_future_exists_refuses_with_500_too() {
    for flavour in FLAVOURS {
        let options = options().on_connect(|request: Request| {
            assert!(request.query_value("panic").is_none(), "a panic on purpose");
            async { Ok(()) }
        });
        let server = Server::accepting(flavour, options, |mut socket| async move {
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
            }
            Ok(())
        });
        let mut connection = server.connect();
        connection.request("GET", &format!("{POLLING}&panic=1"), &[], None);
        let answer = connection.response_within(PATIENCE).map(|response| response.status);
        assert_eq!(answer, Ok(500), "by polling");
        let mut connection = server.connect();
        let bytes = upgrade_request(connection.host(), &format!("{WEBSOCKET}&panic=1"), &[]);
        connection.send(bytes);
        let answer = connection.response_within(PATIENCE).map(|response| response.status);
        assert_eq!(answer, Ok(500), "by WebSocket");
        drop(connection);
        server.wait_for_sessions(0);
        let session = Session::open(&server);
        session.assert_echoes("the server goes on");
        session.close();
        server.finish();
    }
}

#[test]
fn nobody_is_served_who_leaves_meanwhile() {
    for flavour in FLAVOURS {
        let gate = Gate::default();
        let tokens = Token::default();
        let (note, notes) = mpsc::channel();
        let decided = note.clone();
        let options = options()
            .on_connect({
                let (tokens, gate) = (tokens.clone(), gate.clone());
                move |_| {
                    let (data, gate, decided) = (tokens.clone(), gate.clone(), decided.clone());
                    async move {
                        gate.pass().await;
                        decided.send("decided".to_owned()).expect("the test");
                        Ok(data)
                    }
                }
            })
            .on_disconnect(move |_, reason| {
                let note = note.clone();
                async move { note.send(reason.to_string()) }
            });
        let server = Server::events(flavour, tokens, options);
        let mut polling = server.connect();
        polling.request("GET", POLLING, &[], None);
        let mut opening = server.connect();
        let bytes = upgrade_request(opening.host(), WEBSOCKET, &[]);
        opening.send(bytes);
        server.wait_for_sessions(2);
        server.wait_for_tokens(2);
        drop((polling, opening));
        server.wait_for_sessions(0);
        // What it has begun, a query perhaps, comes to its end.
        gate.open();
        for _ in 0..2 {
            assert_eq!(notes.recv_timeout(PATIENCE).as_deref(), Ok("decided"));
        }
        server.wait_for_tokens(0);
        server.finish();
        assert_eq!(notes.try_iter().count(), 0, "there was no session, so none has ended");
    }
}

#[test]
fn a_reset_meanwhile_leaves_nothing_behind() {
    let gate = Gate::default();
    let options = options().on_connect({
        let gate = gate.clone();
        move |_| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Ok(())
            }
        }
    });
    let server = Server::accepting(Flavour::Multi, options, |_| async { Ok(()) });
    // An answer that is not read, so that closing the socket is a reset.
    for target in [POLLING, WEBSOCKET] {
        let mut connection = server.connect();
        let mut bytes = crate::http::request("GET", "/nowhere", connection.host(), &[], None);
        if target == POLLING {
            bytes.extend(crate::http::request("GET", target, connection.host(), &[], None));
        } else {
            bytes.extend(upgrade_request(connection.host(), target, &[]));
        }
        connection.send(bytes);
        server.wait_for_sessions(1);
        connection.reset();
        server.wait_for_sessions(0);
    }
    gate.open();
    settle();
    assert_eq!(server.tokens(), 0);
    server.finish();
}

#[test]
fn many_wait_at_once_and_each_gets_its_own() {
    let gate = Gate::default();
    let options = options().on_connect({
        let gate = gate.clone();
        move |request: Request| {
            let (gate, name) = (gate.clone(), request.query_value("name").unwrap_or_default());
            async move {
                gate.pass().await;
                Ok(name)
            }
        }
    });
    let server = Server::accepting(Flavour::Multi, options, |mut socket| async move {
        let name = socket.data().clone();
        socket.send(name).await?;
        while socket.recv().await.is_some() {}
        Ok(())
    });
    let mut connections = Vec::new();
    for number in 0..50 {
        let mut connection = server.connect();
        connection.request("GET", &format!("{POLLING}&name={number}"), &[], None);
        connections.push(connection);
    }
    server.wait_for_sessions(50);
    assert!(matches!(connections[0].response_within(SILENCE), Err(NoAnswer::Late)));
    gate.open();
    for (number, mut connection) in connections.into_iter().enumerate() {
        let response = connection.response();
        let session = Session::from_response(&server, &response);
        let name = match response.text().split_once('\x1e') {
            Some((_, message)) => message.to_owned(),
            None => session.receive(1).concat(),
        };
        assert_eq!(name, format!("4{number}"));
        session.close();
    }
    server.finish();
}
