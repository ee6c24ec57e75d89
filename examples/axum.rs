//! Socket.IO inside of an axum application: beside a REST route and static files, with the state that they share.
//!
//! ```sh
//! cargo run --example axum --features tokio,tower
//! curl http://127.0.0.1:3000/count
//! curl http://127.0.0.1:3000/say -H 'Content-Type: application/json' -d '{"who": "curl", "text": "hello"}'
//! ```
//!
//! An address in place of `127.0.0.1:3000` is its argument. Ctrl-C or SIGTERM is not caught here: `docs/inside-other-apps.md`
//! has the shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use sansocket::tokio::socketio::{Ack, Namespace, Server};
use serde::{Deserialize, Serialize};
use tower_http::services::ServeDir;

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Message {
    who: String,
    text: String,
}

/// What routes and handlers share.
#[derive(Clone)]
struct App {
    said: Arc<AtomicU64>,
    chat: Namespace,
}

impl App {
    async fn say(&self, message: &Message) -> Result<u64, sansocket::Error> {
        self.chat.emit("said", message).await?;
        Ok(self.said.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let io = Server::new();
    let app = App {
        said: Arc::default(),
        chat: io.of("/"),
    };
    // A handler that held all of `app` would hold its own namespace.
    let said = app.said.clone();
    app.chat.on("say", move |socket, message: Message| {
        let said = said.clone();
        async move {
            socket.namespace().emit("said", &message).await?;
            Ok::<_, sansocket::Error>(Ack(said.fetch_add(1, Ordering::Relaxed) + 1))
        }
    });

    let router = Router::new()
        .route(
            "/count",
            get(|State(app): State<App>| async move { app.said.load(Ordering::Relaxed).to_string() }),
        )
        .route("/say", post(say))
        .fallback_service(ServeDir::new("public"))
        .with_state(app)
        // Outermost: what is below /socket.io/ goes no further.
        .layer(io.layer()?.peer_in::<ConnectInfo<SocketAddr>>());

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // Small messages go out at once. It only fails where the client has gone again.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// Whoever has no Socket.IO may say something too.
async fn say(State(app): State<App>, Json(message): Json<Message>) -> Result<Json<u64>, StatusCode> {
    let said = app.say(&message).await;
    said.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
