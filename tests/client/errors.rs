//! What is said where no session can be opened, and whose fault it is.

use std::net::TcpListener;

use sansocket::engineio::Refusal;
use sansocket::engineio::Transport;
use sansocket::runtime::engineio::{ConnectError, ErrorKind};
use sansocket::{Blame, Category, Error};

use crate::runtime::ClientBuilder;

use crate::client::{client, run, run_on_both, serve, url, within};
use crate::front::{Answer, Front, Kind, on_websocket};

async fn error_of(builder: ClientBuilder) -> ConnectError {
    match within("an error", builder.connect()).await {
        Err(Error::Connect(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Where nobody listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    url(listener.local_addr().expect("its address"))
}

const EACH: [Transport; 2] = [Transport::Polling, Transport::WebSocket];

#[test]
fn nobody_listens() {
    run_on_both(|| async {
        for transport in EACH {
            let error = error_of(client(&nowhere()).transports(&[transport])).await;
            assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
            assert!(error.refused().is_none());
            assert_eq!(
                (error.category(), error.blame()),
                (Category::ConnectionFailed, Blame::Transport)
            );
            assert!(error.may_retry());
        }
        let error = error_of(client("http://no-such-name.invalid")).await;
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        let error = error_of(client("http://127.0.0.1:9").proxy(nowhere())).await;
        assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
    });
}

#[test]
fn a_refusal_has_its_words() {
    run(async {
        for transport in EACH {
            let front = Front::start(|_| Answer::refused(403, "not you"));
            let error = error_of(client(&front.url()).transports(&[transport])).await;
            assert_eq!(error.kind(), ErrorKind::Refused);
            let refused = error.refused().expect("a refusal");
            assert_eq!(refused.status(), 403);
            assert_eq!(refused.message().as_deref(), Some("not you"));
            assert_eq!(refused.location(), None);
            assert_eq!((error.blame(), error.may_retry()), (Blame::Peer, false));
            assert!(refused.body().starts_with(b"{"));
            assert!(
                error.to_string().contains("403") && error.to_string().contains("not you"),
                "{error}"
            );
        }
    });
}

#[test]
fn a_refusal_of_our_own_server() {
    run_on_both(|| async {
        let server = crate::client::server()
            .on_connect(|request| {
                let known = request.header("authorization").is_some();
                async move {
                    match known {
                        true => Ok(()),
                        false => Err(Refusal::new(503).json(&[("who", ["are", "you?"])])),
                    }
                }
            })
            .bind("127.0.0.1:0")
            .await
            .unwrap();
        let (at, handle) = (url(server.local_addr()), server.handle());
        serve(server.serve(crate::client::echo));
        for transport in EACH {
            let error = error_of(client(&at).transports(&[transport])).await;
            let error = Error::from(error);
            assert_eq!(
                (error.category(), error.status()),
                (Category::ConnectionFailed, Some(503))
            );
            assert!(error.may_retry(), "it may be over soon");
            let refused = error.refused().expect("a refusal");
            let body: Vec<(String, Vec<String>)> = refused.json().expect("what the application says");
            assert_eq!(body, [("who".to_owned(), vec!["are".to_owned(), "you?".to_owned()])]);
            assert!(refused.json::<u8>().is_err());
        }
        let known = at.replace("://", "://me:pw@");
        let mut client = client(&known).connect().await.unwrap();
        client.close().await.unwrap();
        handle.abort().await;
    });
}

#[test]
fn redirects_are_told_and_not_followed() {
    run(async {
        let front = Front::start(|_| Answer::reply(302, &["Location: http://elsewhere.example/"], ""));
        let error = error_of(client(&front.url()).transports(&[Transport::Polling])).await;
        assert_eq!(error.kind(), ErrorKind::Refused);
        let refused = error.refused().expect("a refusal");
        assert_eq!(refused.location(), Some("http://elsewhere.example/"));
        assert_eq!(front.requests().len(), 1);
    });
}

#[test]
fn garbage() {
    run(async {
        for (garbage, kind) in [
            ("SSH-2.0-OpenSSH_9.6\r\n", ErrorKind::Protocol),
            ("HTTP/2.0 200 OK\r\n\r\n", ErrorKind::Protocol),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
                ErrorKind::Protocol,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html>!!!",
                ErrorKind::Protocol,
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n0{", ErrorKind::Protocol),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n4a", ErrorKind::Protocol),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n0{", ErrorKind::Connection),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", ErrorKind::Refused),
            ("HTTP/1.1 20", ErrorKind::Connection),
            ("", ErrorKind::Connection),
        ] {
            let front = Front::start(|_| Answer::Raw(garbage.into()));
            let error = error_of(client(&front.url()).transports(&[Transport::Polling])).await;
            assert_eq!(error.kind(), kind, "{garbage:?}: {error}");
        }
        for (garbage, kind) in [
            ("SSH-2.0-OpenSSH_9.6\r\n", ErrorKind::Protocol),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", ErrorKind::Protocol),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ErrorKind::Protocol),
            (
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                ErrorKind::Refused,
            ),
            ("", ErrorKind::Connection),
        ] {
            let front = Front::start(|_| Answer::Raw(garbage.into()));
            let error = error_of(client(&front.url()).transports(&[Transport::WebSocket])).await;
            assert_eq!(error.kind(), kind, "{garbage:?}: {error}");
        }
    });
}

/// The WebSocket is granted, and closed without an open packet.
#[test]
fn a_websocket_without_a_session() {
    run(async {
        let front = Front::start(|_| {
            Answer::websocket(|mut websocket| {
                let _ = websocket.close(None);
                while websocket.read().is_ok() {}
            })
        });
        let error = error_of(client(&front.url()).transports(&[Transport::WebSocket])).await;
        assert!(matches!(error, ConnectError::WebSocketClosed(_)), "{error}");
        let front = Front::start(|_| {
            Answer::websocket(|mut websocket| {
                let _ = websocket.send(tungstenite::Message::text("4a"));
                while websocket.read().is_ok() {}
            })
        });
        let error = error_of(client(&front.url()).transports(&[Transport::WebSocket])).await;
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    });
}

/// What became of the first transport counts; what became of it does not, where the second one works.
#[test]
fn the_first_transport_s_error_is_told() {
    run(async {
        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::refused(403, "first"),
            _ => Answer::HangUp,
        });
        let error = error_of(client(&front.url())).await;
        assert_eq!(
            error.refused().and_then(|refused| refused.message()).as_deref(),
            Some("first")
        );
        let backwards = [Transport::WebSocket, Transport::Polling];
        let error = error_of(client(&front.url()).transports(&backwards)).await;
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");

        let opens = on_websocket(|mut websocket| while websocket.read().is_ok() {});
        let to = opens.address;
        let front = Front::start(move |request| match request.kind() {
            Kind::Handshake => Answer::refused(403, "no polling"),
            _ => Answer::pass(to),
        });
        let mut client = client(&front.url()).connect().await.unwrap();
        assert_eq!(client.transport(), Transport::WebSocket);
        client.close().await.unwrap();
    });
}
