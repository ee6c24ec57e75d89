//! What is said and taken on WebSockets alone.

use sansocket::Error;
use sansocket::engineio::{CloseReason, Transport};
use sansocket::runtime::engineio::{ClientEvent, ErrorKind};

use crate::client::{Host, client, event, run, server, upgraded, within};
use crate::front::{on_websocket, open_packet};

/// Ours chooses the first, as the JavaScript reference does: a browser would give up otherwise.
#[test]
fn the_server_s_choice_of_a_protocol() {
    run(async {
        let host = Host::echo(server()).await;
        let offering = || client(&host.url).websocket_protocols(["chat", "other"]);
        let mut moves = offering().start().unwrap();
        assert_eq!(moves.websocket_protocol(), None);
        upgraded(&mut moves).await;
        assert_eq!(moves.websocket_protocol().as_deref(), Some("chat"));
        let mut begins = offering().transports(&[Transport::WebSocket]).connect().await.unwrap();
        assert_eq!(begins.websocket_protocol().as_deref(), Some("chat"));
        let mut polls = offering().transports(&[Transport::Polling]).connect().await.unwrap();
        assert_eq!(polls.websocket_protocol(), None);
        let mut silent = client(&host.url)
            .transports(&[Transport::WebSocket])
            .connect()
            .await
            .unwrap();
        assert_eq!(silent.websocket_protocol(), None);
        for client in [&mut moves, &mut begins, &mut polls, &mut silent] {
            client.send("a").await.unwrap();
            assert_eq!(within("an echo", client.recv()).await, Some("a".into()));
            client.close().await.unwrap();
        }
        host.until_empty().await;
    });
}

#[test]
fn a_message_that_is_too_large() {
    run(async {
        let front = on_websocket(|mut websocket| {
            for length in [1_000, 1_001] {
                let _ = websocket.send(tungstenite::Message::text(format!("4{}", "x".repeat(length - 1))));
            }
            while websocket.read().is_ok() {}
        });
        assert!(open_packet(&[]).len() < 1_000);
        let options = client(&front.url()).transports(&[Transport::WebSocket]);
        let mut client = options.max_websocket_message(1_000).connect().await.unwrap();
        assert!(matches!(event(&mut client).await, ClientEvent::Opened { .. }));
        assert!(matches!(event(&mut client).await, ClientEvent::Message(data) if data.len() == 999));
        let ClientEvent::Closed { closed, error } = event(&mut client).await else {
            panic!("it has taken more");
        };
        assert_eq!(closed.reason, CloseReason::TransportError);
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Protocol));
    });
}

#[test]
fn what_can_not_be_used() {
    run(async {
        let url = "http://127.0.0.1:1";
        for (builder, named) in [
            (client(url).websocket_header("a b", "c"), "websocket_header"),
            (
                client(url).websocket_header("Sec-WebSocket-Protocol", "c"),
                "websocket_header",
            ),
            (client(url).websocket_protocols(["a b"]), "websocket_protocol"),
            (client(url).websocket_protocols(["a", "a"]), "websocket_protocol"),
            (client(url).timestamp_param("sid"), "timestamp_param"),
        ] {
            match builder.connect().await {
                Err(Error::Unusable { what, .. }) => assert_eq!(what, named),
                other => panic!("{named}: {other:?}"),
            }
        }
    });
}
