//! `--header` and `--initial-header`.

use crate::server::Server;
use crate::session::{POLLING, Session};
use crate::websocket::{WEBSOCKET, ask};

#[test]
fn on_the_first_and_on_every_response() {
    let server = Server::with(&[
        "--header",
        "X-Every: 1",
        "--header",
        "X-Other: a b",
        "--initial-header",
        "X-First: 2",
    ]);
    let first = server.get(POLLING);
    let session = Session::from_response(&server, &first);
    assert_eq!(first.header("x-first"), Some("2"));
    let (connection, socket) = ask(&server, WEBSOCKET, &[]);
    assert_eq!((socket.status, socket.header("x-first")), (101, Some("2")));
    drop(connection);
    let posted = session.post("4a");
    let polled = session.get();
    let refused = server.get("/engine.io/?EIO=4&transport=foo");
    let unknown = server.get(&format!("{POLLING}&sid=nobody"));
    let (_connection, no_socket) = ask(&server, "/engine.io/?EIO=4&transport=websocket&sid=x", &[]);
    for later in [&posted, &polled, &refused, &unknown, &no_socket] {
        assert_eq!(later.header("x-first"), None, "{later:?}");
    }
    for response in [&first, &socket, &posted, &polled, &refused, &unknown, &no_socket] {
        assert_eq!(response.header("x-every"), Some("1"), "{response:?}");
        assert_eq!(response.header("x-other"), Some("a b"), "{response:?}");
    }
    // Beside the endpoint they are not.
    assert_eq!(server.get("/elsewhere").header("x-every"), None);
    session.close();
    server.finish();
}
