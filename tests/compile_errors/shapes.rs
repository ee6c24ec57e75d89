//! A handler takes the socket and the arguments: two parameters, whatever the number of arguments.

use sansocket::tokio::socketio::{Ack, Server, Socket};

struct User;

fn main() {
    let io = Server::new();
    let chat = io.of("/");
    chat.on("add", |_socket, a: i64, b: i64| async move { Ack(a + b) }); //~ closure is expected to take 2 arguments, but it takes 3 arguments
    chat.on("say", |text: String| async move { println!("{text}") }); //~ closure is expected to take 2 arguments, but it takes 1 argument
    chat.on("say", |_socket: Socket<User>, text: String| async move { println!("{text}") }); //~ type mismatch in closure arguments
}
