//! The same at the client's end.

use sansocket::tokio::socketio::{Ack, Client};

struct Point;

fn main() {
    let builder = || Client::builder("http://localhost");
    let _client = builder().on("move", |_socket, _point: Point| async move {}); //~ `Point` can not be made from the arguments of an event
    let _client = builder().on("add", |_socket, n: i64| async move { n }); //~ `i64` is none of these
    let _client = builder().on("add", |_socket, n: i64| Ack(n)); //~ is not a future
}
