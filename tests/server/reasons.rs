//! Why a session has ended: what the disconnect handler is told, once, for each cause.

use std::sync::mpsc;
use std::time::Duration;

use crate::runtime::{self, Builder};
use sansocket::engineio::{CloseReason, Config, Data};

use crate::http::PATIENCE;
use crate::server::{FLAVOURS, Flavour, Server, Token, impatient, options};
use crate::session::{POLLING, Session};
use crate::waiting::block_on;
use crate::websocket::{CLOSE, FIN, Message, TEXT, WebSocket};

/// Lets a client do something, and looks at the one reason that the server gives for it.
#[track_caller]
fn expect(options: fn() -> Builder, reason: CloseReason, cause: impl Fn(&Server)) {
    for flavour in FLAVOURS {
        let (note, notes) = mpsc::channel();
        let tokens = Token::default();
        let options = options()
            .on_connect({
                let tokens = tokens.clone();
                move |_| {
                    let data = tokens.clone();
                    async move { Ok(data) }
                }
            })
            .on_message(|socket, message: Data| async move {
                match message.as_text() {
                    Some("close-me") => socket.close(),
                    Some("abort-me") => socket.abort(),
                    Some("panic") => panic!("a panic on purpose"),
                    _ => socket.send(message).await?,
                }
                Ok::<_, sansocket::Error>(())
            })
            .on_disconnect(move |socket, reason| {
                let note = note.clone();
                async move { note.send((reason, socket.closed().map(|closed| closed.reason))) }
            });
        let server = Server::events(flavour, tokens, options);
        cause(&server);
        assert_eq!(
            notes.recv_timeout(PATIENCE),
            Ok((reason, Some(reason))),
            "on {flavour:?}"
        );
        server.finish();
        assert_eq!(notes.try_iter().count(), 0, "the end is told once");
    }
}

#[test]
fn close_packet_by_post() {
    expect(options, CloseReason::ClientDisconnect, |server| {
        Session::open(server).close();
    });
}

#[test]
fn close_packet_on_a_websocket() {
    expect(options, CloseReason::ClientDisconnect, |server| {
        WebSocket::open(server).close();
    });
}

#[test]
fn close_packet_after_an_upgrade() {
    expect(options, CloseReason::ClientDisconnect, |server| {
        Session::open(server).upgrade().close();
    });
}

#[test]
fn close_packet_and_hanging_up_at_once() {
    expect(options, CloseReason::ClientDisconnect, |server| {
        let mut websocket = WebSocket::open(server);
        websocket.text("1");
        websocket.frame(FIN | CLOSE, &1000_u16.to_be_bytes());
        drop(websocket);
    });
}

#[test]
fn websocket_close_frame() {
    expect(options, CloseReason::TransportClose, |server| {
        let mut websocket = WebSocket::open(server);
        websocket.frame(FIN | CLOSE, &1001_u16.to_be_bytes());
        assert!(matches!(websocket.message(), Message::Close(_)));
    });
    expect(options, CloseReason::TransportClose, |server| {
        let mut websocket = Session::open(server).upgrade();
        websocket.frame(FIN | CLOSE, &[]);
        assert!(matches!(websocket.message(), Message::Close(_)));
    });
}

#[test]
fn websocket_whose_tcp_connection_is_closed() {
    expect(options, CloseReason::TransportClose, |server| {
        drop(WebSocket::open(server));
    });
    expect(options, CloseReason::TransportClose, |server| {
        drop(Session::open(server).upgrade());
    });
}

#[test]
fn websocket_whose_tcp_connection_is_reset() {
    expect(options, CloseReason::TransportError, |server| {
        let websocket = WebSocket::open(server);
        server
            .handle
            .try_send(&server.sid(), "not read")
            .expect("there is room");
        websocket.connection.reset();
    });
    expect(options, CloseReason::TransportError, |server| {
        let websocket = Session::open(server).upgrade();
        server
            .handle
            .try_send(&server.sid(), "not read")
            .expect("there is room");
        websocket.connection.reset();
    });
}

#[test]
fn websocket_frame_that_is_none() {
    expect(options, CloseReason::TransportError, |server| {
        let mut websocket = WebSocket::open(server);
        // A reserved bit that nobody has agreed on.
        websocket.frame(FIN | 0x40 | TEXT, b"4x");
        websocket.assert_closes();
    });
}

#[test]
fn websocket_message_that_is_too_large() {
    expect(
        || options().max_payload(1000),
        CloseReason::TransportError,
        |server| {
            let mut websocket = WebSocket::open(server);
            websocket.binary(&[0; 1001]);
            assert_eq!(websocket.assert_closes(), Some(1009));
        },
    );
}

#[test]
fn poll_that_is_given_up() {
    expect(options, CloseReason::TransportError, |server| {
        let session = Session::open(server);
        drop(session.park());
    });
}

#[test]
fn two_polls_at_once() {
    expect(options, CloseReason::TransportError, |server| {
        let session = Session::open(server);
        let mut first = session.park();
        session.get().assert_error(3);
        first.response().assert_ok("1");
    });
}

#[test]
fn no_pong_by_polling() {
    expect(impatient, CloseReason::PingTimeout, |server| {
        let session = Session::open(server);
        session.get().assert_ok("2");
        session.get().assert_ok("1");
    });
}

#[test]
fn no_pong_on_a_websocket() {
    expect(impatient, CloseReason::PingTimeout, |server| {
        let mut websocket = WebSocket::open(server);
        websocket.assert_text("2");
        loop {
            match websocket.message() {
                Message::Text(text) if text == "1" => {}
                Message::Close(_) | Message::End => break,
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn nobody_polls_any_more() {
    expect(impatient, CloseReason::PingTimeout, |server| {
        let session = Session::open(server);
        server.wait_for_sessions(0);
        session.assert_gone();
    });
}

#[test]
fn packet_that_is_none() {
    expect(options, CloseReason::ParseError, |server| {
        let session = Session::open(server);
        session.post("x").assert_error(3);
        session.assert_gone();
    });
    expect(options, CloseReason::ParseError, |server| {
        let mut websocket = WebSocket::open(server);
        websocket.text("x");
        websocket.assert_closes();
    });
}

#[test]
fn packet_that_a_client_does_not_send() {
    expect(options, CloseReason::TransportError, |server| {
        let session = Session::open(server);
        session.post("2").assert_error(3);
        session.assert_gone();
    });
}

#[test]
fn server_closes() {
    expect(options, CloseReason::ServerDisconnect, |server| {
        let session = Session::open(server);
        session.send("4close-me");
        session.get().assert_ok("1");
        session.assert_gone();
    });
    expect(options, CloseReason::ServerDisconnect, |server| {
        let mut websocket = WebSocket::open(server);
        websocket.text("4close-me");
        websocket.assert_text("1");
        websocket.assert_closes();
    });
    expect(options, CloseReason::ServerDisconnect, |server| {
        let mut websocket = Session::open(server).upgrade();
        websocket.text("4close-me");
        websocket.assert_text("1");
        websocket.assert_closes();
    });
}

#[test]
fn server_closes_and_the_client_hangs_up_without_a_word() {
    expect(options, CloseReason::ServerDisconnect, |server| {
        let mut websocket = WebSocket::open(server);
        websocket.text("4close-me");
        drop(websocket);
    });
}

#[test]
fn server_closes_and_the_client_never_comes_back() {
    let quick = || {
        let mut config = Config::default();
        config.close_timeout = Duration::from_millis(200);
        options().config(config)
    };
    expect(quick, CloseReason::ServerDisconnect, |server| {
        let session = Session::open(server);
        session.send("4close-me");
        server.wait_for_sessions(0);
        session.assert_gone();
    });
}

#[test]
fn server_aborts() {
    expect(options, CloseReason::ServerDisconnect, |server| {
        let session = Session::open(server);
        let mut waiting = session.park();
        session.send("4abort-me");
        waiting.response().assert_ok("1");
        session.assert_gone();
    });
    expect(options, CloseReason::ServerDisconnect, |server| {
        let mut websocket = WebSocket::open(server);
        websocket.text("4abort-me");
        websocket.assert_closes();
    });
}

#[test]
fn handle_disconnects() {
    expect(options, CloseReason::ServerDisconnect, |server| {
        let session = Session::open(server);
        let mut waiting = session.park();
        server.handle.disconnect(&server.sid());
        waiting.response().assert_ok("1");
        session.assert_gone();
    });
}

#[test]
fn server_ends() {
    expect(options, CloseReason::ServerDisconnect, |server| {
        let session = Session::open(server);
        let mut waiting = session.park();
        block_on(async {
            let shutdown = server.handle.shutdown(PATIENCE);
            shutdown.await;
        });
        waiting.response().assert_ok("1");
    });
}

#[test]
fn messages_before_the_end_come_before_it() {
    for flavour in FLAVOURS {
        let (note, notes) = mpsc::channel();
        let last = note.clone();
        let options = options()
            .on_message(move |_, message: Data| {
                let note = note.clone();
                async move {
                    runtime::sleep(Duration::from_millis(1)).await;
                    note.send(message.as_text().unwrap_or_default().to_owned())
                }
            })
            .on_disconnect(move |_, reason| {
                let last = last.clone();
                async move { last.send(reason.to_string()) }
            });
        let server = Server::events(flavour, Token::default(), options);
        let mut websocket = WebSocket::open(&server);
        let mut expected = Vec::new();
        for number in 0..100 {
            websocket.text(&format!("4{number}"));
            expected.push(number.to_string());
        }
        drop(websocket);
        expected.push("transport close".to_owned());
        for text in expected {
            assert_eq!(notes.recv_timeout(PATIENCE), Ok(text));
        }
        let session = Session::open(&server);
        session.post("4one\x1e4two\x1e1\x1e4never said").assert_ok("ok");
        for text in ["one", "two", "client disconnect"] {
            assert_eq!(notes.recv_timeout(PATIENCE).as_deref(), Ok(text));
        }
        server.finish();
        assert_eq!(notes.try_iter().count(), 0);
    }
}

/// Whoever keeps a list of who is there by these two handlers must not be left with a ghost in it.
#[test]
fn a_panic_in_the_message_handler_is_told_to_the_disconnect_handler() {
    expect(options, CloseReason::ServerDisconnect, |server| {
        let session = Session::open(server);
        session.send("4panic");
        session.get().assert_ok("1");
    });
    expect(options, CloseReason::ServerDisconnect, |server| {
        let mut websocket = WebSocket::open(server);
        websocket.text("4panic");
        websocket.assert_text("1");
        websocket.assert_closes();
    });
}

#[test]
fn a_panic_in_the_disconnect_handler_harms_nobody() {
    let options = options()
        .on_message(|socket, message| async move { socket.send(message).await })
        .on_disconnect(|_, reason| async move {
            assert_eq!(reason.as_str(), "a panic on purpose");
        });
    let server = Server::events(Flavour::Current, Token::default(), options);
    let other = Session::open(&server);
    Session::open(&server).close();
    WebSocket::open(&server).close();
    assert_eq!(server.get(POLLING).status, 200);
    other.assert_echoes("still here");
    for sid in server.handle.sessions() {
        server
            .post(&format!("{POLLING}&sid={}", sid.as_str()), "1")
            .assert_ok("ok");
    }
    server.finish();
}
