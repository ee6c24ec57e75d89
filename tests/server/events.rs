//! The event style: what comes before the first message, and how many handlers of one client run at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use sansocket::engineio::{CloseReason, Config, Data};
use sansocket::runtime::engineio::{Events, Sender};

use crate::http::PATIENCE;
use crate::runtime::Builder;
use crate::server::{FLAVOURS, Flavour, Server, Token, options};
use crate::session::{POLLING, Session};
use crate::waiting::Gate;
use crate::websocket::{Message, WebSocket, ask};

#[track_caller]
fn next(notes: &Receiver<String>) -> String {
    notes.recv_timeout(PATIENCE).expect("a handler has something to tell")
}

/// Handlers of which each tells when it begins and when it ends, and between the two waits at the gate that its message names,
/// where there is one. The message `panic` is one too many.
struct Gated {
    gates: Arc<BTreeMap<&'static str, Gate>>,
    notes: Receiver<String>,
    options: Builder<(), Events<()>>,
}

impl Gated {
    fn new(options: Builder, concurrency: usize) -> Self {
        let gates = ["connected", "a", "b", "c"].map(|name| (name, Gate::default()));
        let gates = Arc::new(BTreeMap::from(gates));
        let (note, notes) = mpsc::channel();
        let of = gates.clone();
        let gated = Arc::new(move |what: String| {
            let (note, gate) = (note.clone(), of.get(&what[..]).cloned());
            async move {
                note.send(format!("{what} begins")).expect("the test");
                if let Some(gate) = gate {
                    gate.pass().await;
                }
                assert_ne!(what, "panic", "a panic on purpose");
                note.send(format!("{what} ends")).expect("the test");
            }
        });
        let (connected, ended) = (gated.clone(), gated.clone());
        let options = options
            .concurrency(concurrency)
            .on_connected(move |_| connected("connected".to_owned()))
            .on_message(move |_, message: Data| gated(message.as_text().unwrap_or_default().to_owned()))
            .on_disconnect(move |_, reason: CloseReason| ended(reason.to_string()));
        Self { gates, notes, options }
    }

    fn open(&self, gate: &str) {
        self.gates[gate].open();
    }
}

#[test]
fn a_greeting_rides_behind_the_open_packet() {
    let options = options().on_connected(|socket| async move { socket.send("hello").await });
    let server = Server::events(Flavour::Multi, Token::default(), options);
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
fn who_is_thrown_out_at_once_was_never_let_in() {
    let options = options().on_connected(|socket| async move { socket.abort() });
    let server = Server::events(Flavour::Multi, Token::default(), options);
    assert_eq!(server.get(POLLING).text(), "1");
    let (_connection, response) = ask(&server, "/engine.io/?EIO=4&transport=websocket", &[]);
    assert_eq!(response.status, 503, "{response:?}");
    server.wait_for_sessions(0);
    server.finish();
}

#[test]
fn nothing_comes_before_the_handler_of_the_beginning_has_ended() {
    for flavour in FLAVOURS {
        for concurrency in [0, 1, usize::MAX] {
            let gated = Gated::new(options(), concurrency);
            let server = Server::events(flavour, Token::default(), gated.options);
            let session = Session::open(&server);
            session.send("4x\x1e4y");
            session.close();
            server.wait_for_sessions(0);
            assert_eq!(next(&gated.notes), "connected begins");
            gated.gates["connected"].open();
            for expected in ["connected ends", "x begins", "x ends", "y begins", "y ends"] {
                assert_eq!(next(&gated.notes), expected);
            }
            assert_eq!(next(&gated.notes), "client disconnect begins");
            assert_eq!(next(&gated.notes), "client disconnect ends");
            server.finish();
        }
    }
}

#[test]
fn as_many_handlers_run_as_may_and_the_end_comes_after_all() {
    for flavour in FLAVOURS {
        for by_websocket in [false, true] {
            let gated = Gated::new(options(), 2);
            gated.open("connected");
            let server = Server::events(flavour, Token::default(), gated.options);
            if by_websocket {
                let mut websocket = WebSocket::open(&server);
                for text in ["4a", "4b", "4c", "4d"] {
                    websocket.text(text);
                }
                assert_begun(&gated.notes);
                websocket.close();
            } else {
                let session = Session::open(&server);
                session.send("4a\x1e4b\x1e4c\x1e4d");
                assert_begun(&gated.notes);
                session.close();
            }
            // Its end cancels nothing, and what has come before it is handled still.
            server.wait_for_sessions(0);
            gated.gates["b"].open();
            assert_eq!([next(&gated.notes), next(&gated.notes)], ["b ends", "c begins"]);
            gated.gates["c"].open();
            let rest = ["c ends", "d begins", "d ends"];
            assert_eq!([next(&gated.notes), next(&gated.notes), next(&gated.notes)], rest);
            gated.gates["a"].open();
            assert_eq!(next(&gated.notes), "a ends");
            assert!(next(&gated.notes).ends_with("begins"), "nobody is told of the end");
            server.finish();
        }
    }
}

#[track_caller]
fn assert_begun(notes: &Receiver<String>) {
    for expected in ["connected begins", "connected ends", "a begins", "b begins"] {
        assert_eq!(next(notes), expected);
    }
}

#[test]
fn a_client_waits_while_as_many_run_as_may() {
    for flavour in FLAVOURS {
        let mut config = Config::default();
        config.receive_window = 1000;
        let gated = Gated::new(options().config(config), 2);
        gated.open("connected");
        let server = Server::events(flavour, Token::default(), gated.options);
        let session = Session::open(&server);
        session.send("4a\x1e4b\x1e4c");
        assert_begun(&gated.notes);
        let mut held = server.connect();
        let large = format!("4{:0>2000}", 7);
        held.send(session.bytes("POST", &[], Some(large.as_bytes())));
        held.assert_silent(Duration::from_millis(150));
        for gate in ["a", "b", "c"] {
            gated.gates[gate].open();
        }
        held.response().assert_ok("ok");
        session.close();
        server.finish();
    }
}

#[test]
fn one_of_them_may_panic() {
    for flavour in FLAVOURS {
        let gated = Gated::new(options(), 3);
        gated.open("connected");
        let server = Server::events(flavour, Token::default(), gated.options);
        let mut websocket = WebSocket::open(&server);
        for text in ["4a", "4b", "4panic"] {
            websocket.text(text);
        }
        assert_begun(&gated.notes);
        assert_eq!(next(&gated.notes), "panic begins");
        websocket.assert_text("1");
        websocket.assert_closes();
        drop(websocket);
        server.wait_for_sessions(0);
        assert_eq!(server.stats().handler_panics, 1);
        gated.gates["b"].open();
        assert_eq!(next(&gated.notes), "b ends");
        gated.gates["a"].open();
        assert_eq!(next(&gated.notes), "a ends");
        assert_eq!(next(&gated.notes), "server disconnect begins");
        server.finish();
    }
}

#[test]
fn what_goes_wrong_at_the_beginning() {
    for flavour in FLAVOURS {
        let (note, notes) = mpsc::channel();
        let options = options()
            .on_connect(|request| async move { Ok(request.query_value("do").unwrap_or_default()) })
            .on_connected(|socket: Sender<String>| async move {
                assert_ne!(socket.data(), "panic", "a panic on purpose");
                Err::<(), _>(std::io::Error::other("on purpose"))
            })
            .on_message(|socket, message| async move { socket.send(message).await })
            .on_disconnect(move |_, reason| {
                let note = note.clone();
                async move { note.send(reason) }
            });
        let server = Server::events(flavour, Token::default(), options);
        // An error goes to the log, and ends nothing.
        let session = Session::open(&server);
        session.assert_echoes("still here");
        assert_eq!(server.stats().handler_errors, 1);
        session.close();
        assert_eq!(notes.recv_timeout(PATIENCE), Ok(CloseReason::ClientDisconnect));

        let mut websocket = WebSocket::connect(&server, "/engine.io/?EIO=4&transport=websocket&do=panic");
        assert!(matches!(websocket.message(), Message::Text(open) if open.starts_with('0')));
        websocket.assert_text("1");
        websocket.assert_closes();
        drop(websocket);
        assert_eq!(notes.recv_timeout(PATIENCE), Ok(CloseReason::ServerDisconnect));
        assert_eq!(server.stats().handler_panics, 1);
        server.finish();
    }
}
