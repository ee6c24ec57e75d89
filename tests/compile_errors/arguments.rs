//! What a handler wants can not be made from arguments.

use sansocket::tokio::socketio::Server;

struct Point {
    x: i32,
}

fn main() {
    let io = Server::new();
    let chat = io.of("/");
    chat.on("move", |_socket, point: Point| async move { println!("{}", point.x) }); //~ `Point` can not be made from the arguments of an event
    chat.on("move", |_socket, (name, point): (String, Point)| async move { println!("{name} {}", point.x) }); //~ `(String, Point)` to implement `FromArgs`
}
