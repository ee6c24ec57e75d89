//! The same on threads, where nothing is async.

use sansocket::blocking::socketio::{Ack, Server};

struct Point;

fn main() {
    let io = Server::new();
    let chat = io.of("/");
    chat.on("move", |_socket, _point: Point| ()); //~ `Point` can not be made from the arguments of an event
    chat.on("add", |_socket, (a, b): (i64, i64)| a + b); //~ `i64` is none of these
    chat.on("add", |_socket, (a, b): (i64, i64)| async move { Ack(a + b) }); //~ on plain threads, and nowhere else, handlers are not `async`
}
