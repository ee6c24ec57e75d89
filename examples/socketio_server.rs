//! A small chat: everybody has a name and is in a room.
//!
//! ```sh
//! cargo run --example socketio_server --features tokio -- 127.0.0.1:3000
//! cargo run --example socketio_client --features tokio -- http://127.0.0.1:3000 Ada lobby
//! ```

use sansocket::tokio::socketio::{Ack, Namespace, Refused, Server};
use serde::Deserialize;

/// What a client shows to be let in, each time: one that comes back is in its room again.
#[derive(Deserialize)]
struct Login {
    name: String,
    room: String,
}

/// What is known of each client that was let in.
struct User {
    name: String,
    room: String,
}

#[tokio::main]
async fn main() -> sansocket::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let io = Server::new();
    chat(&io.of("/"));

    let server = io.bind(&address).await?;
    println!("listening on http://{}", server.local_addr());
    server.serve().await
}

/// The handlers, which are the same for any namespace.
fn chat(namespace: &Namespace) {
    let chat = namespace.on_connect(|request| async move {
        let Login { name, room } = request.auth()?;
        if name.is_empty() {
            return Err(Refused::new("who are you?"));
        }
        request.join(&room);
        Ok(User { name, room })
    });
    chat.on_connected(|socket| async move {
        let User { name, room } = socket.data();
        socket.to(room).emit("entered", name).await
    });
    chat.on("say", |socket, text: String| async move {
        let User { name, room } = socket.data();
        // Whoever is in the room, the speaker included: `socket.to` would leave it out.
        socket.namespace().to(room).emit("said", &(name, text)).await
    });
    chat.on("present", |socket, ()| async move {
        let sockets = socket.namespace().to(&socket.data().room).sockets();
        let names: Vec<_> = sockets.iter().map(|other| other.data().name.clone()).collect();
        Ack((names,)) // one argument, which is a list
    });
    chat.on_disconnect(|socket, reason| async move {
        let User { name, room } = socket.data();
        println!("{name} left: {reason}");
        socket.to(room).emit("left", name).await
    });
}
