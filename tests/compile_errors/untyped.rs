//! Nobody has said what the arguments are.

use sansocket::tokio::socketio::Server;

fn main() {
    let io = Server::new();
    io.of("/").on("say", |_socket, text| async move { println!("{text}") }); //~ consider giving this closure parameter an explicit type
}
