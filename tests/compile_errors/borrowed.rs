//! A handler may outlive the packet that its arguments came in.

use sansocket::tokio::socketio::Server;

fn main() {
    let io = Server::new();
    io.of("/").on("say", |_socket, text: &str| async move { println!("{text}") }); //~ not general enough
}
