//! Socket.IO, both ends.

use std::time::Instant;

use sansocket::runtime::Runtime;
use sansocket::runtime::socketio::client::Client;
use sansocket::runtime::socketio::{Ack, Server};
use tracing::Level;

use crate::capture::{self, wait_for};
use crate::each_runtime;
use crate::runtime::Any;

const SERVER: &str = "sansocket::socketio::server";
const CLIENT: &str = "sansocket::socketio::client";
const HANDLERS: &str = "sansocket::handlers";

each_runtime!(a_socket);

fn a_socket(any: Any) {
    let _turn = capture::begin();
    any.clone().block_on(true, async {
        let io = Server::builder_on(any.clone()).build();
        let chat = io.of("/chat");
        chat.on("well", |_socket, secret: String| async move {
            tracing::info!(target: "app", "event handler");
            Ack(secret)
        });
        chat.on("fail", |_socket, (): ()| async {
            Err::<(), _>(std::io::Error::other("no\nforged \u{1b}[31m"))
        });
        chat.on_disconnect(|socket, _reason| async move { socket.emit("farewell", &()).await });
        chat.on("panic", |_socket, (): ()| async {
            assert!(std::hint::black_box(false), "oh\nno")
        });
        let bound = io.bind("127.0.0.1:0").await.expect("a free port");
        let (address, handle) = (bound.local_addr(), bound.handle());
        any.spawn(async move { bound.serve().await.expect("serving never fails") });

        let client = Client::builder_on(any.clone(), &format!("http://{address}/chat?token=schluessel"))
            .auth(&std::collections::BTreeMap::from([("password", "geheim")]))
            .on("told", |_socket, (): ()| async {
                tracing::info!(target: "app", "a client's handler")
            })
            .connect()
            .await
            .expect("a socket");
        let answer: String = client.call("well", "losung").await.expect("an answer");
        assert_eq!(answer, "losung");
        chat.emit("told", &()).await.expect("there is room");
        let begun = Instant::now();
        for _ in 0..3 {
            client.emit("well", &7).await.expect("it is open");
        }
        client.emit("fail", &()).await.expect("it is open");
        client.emit("panic", &()).await.expect("it is open");
        let disconnected = wait_for(SERVER, "socket disconnected reason=");

        let connected = wait_for(SERVER, "socket connected");
        let id = connected.of_span("socket", "id").expect("a span").to_owned();
        assert_eq!(id.len(), 6);
        for line in [
            connected,
            wait_for("app", "event handler"),
            disconnected,
            wait_for(HANDLERS, "a handler has panicked"),
        ] {
            assert_eq!(line.of_span("socket", "id"), Some(&id[..]), "{line:?}");
            assert_eq!(line.of_span("socket", "namespace"), Some("\"/chat\""), "{line:?}");
            assert!(line.is_in("session"), "{line:?}");
        }
        wait_for(HANDLERS, "the disconnect handler has ended: ");
        // A client can send these without end.
        let unfit: Vec<_> = capture::all()
            .into_iter()
            .filter(|line| line.text.contains("came with arguments that its handler does not take"))
            .collect();
        assert_eq!(unfit.len(), 3, "{unfit:?}");
        assert_eq!(unfit[0].level, Level::WARN, "{unfit:?}");
        let warnings = unfit.iter().filter(|line| line.level == Level::WARN);
        assert!(warnings.count() <= capture::most_told_since(begun), "{unfit:?}");
        let failed = wait_for(HANDLERS, "handler returned an error");
        assert!(
            failed.level == Level::WARN && failed.text.contains("error=no\\nforged \\u{1b}[31m"),
            "{failed:?}"
        );
        assert!(failed.text.contains(&format!("id={id}")), "{failed:?}");
        let engine = handle.stats().engine;
        assert_eq!((engine.handler_errors, engine.handler_panics), (1, 1));

        for text in [
            "socket connected namespace=\"/chat\"",
            "socket disconnected namespace=\"/chat\"",
        ] {
            let line = wait_for(CLIENT, text);
            assert!(line.level == Level::INFO && line.is_in("client"), "{line:?}");
        }
        assert!(wait_for("app", "a client's handler").is_in("client"));
        capture::assert_tells_nothing(&["schluessel", "geheim", "losung"]);
        handle.shutdown(std::time::Duration::from_secs(10)).await;
    });
}
