//! What a handler returns is no answer.

use sansocket::tokio::socketio::{Ack, Server};

struct Point;

fn main() {
    let io = Server::new();
    let chat = io.of("/");
    chat.on("add", |_socket, (a, b): (i64, i64)| async move { a + b }); //~ a handler of events returns `()`, `Ack(value)`, or a `Result` of one of them; `i64` is none of these
    chat.on("add", |_socket, (a, b): (i64, i64)| async move { a.checked_add(b).map(Ack) }); //~ `Ack(value)`
    chat.on("where", |_socket, ()| async move { Ack(Point) }); //~ `Point` to implement `IntoArgs`
    chat.on("add", |_socket, (a, b): (i64, i64)| Ack(a + b)); //~ is not a future
    chat.on_connected(|socket| println!("{}", socket.id())); //~ is not a future
    chat.on_disconnect(|socket, _reason| async move { socket.id().to_owned() }); //~ a handler returns `()` or a `Result<(), E>`
    chat.intercept(|_socket, _event, _args| async move { 5 }); //~ an interceptor returns `()`, `bool`, `Option<Args>`, or a `Result` of one of them
    chat.on_connect(|request| async move { request.id().to_owned() }); //~ Result<_, Refused>
}
