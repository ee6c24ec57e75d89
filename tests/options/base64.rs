//! `b64=1`: clients that take no binary frames.

use crate::server::Server;
use crate::session::Session;
use crate::websocket::{BINARY, FIN, Message, WEBSOCKET, WebSocket};

#[test]
fn binary_goes_as_text_where_the_client_asks_for_that() {
    let server = Server::start();
    let mut websocket = WebSocket::connect(&server, &format!("{WEBSOCKET}&b64=1"));
    websocket.message();
    websocket.frame(FIN | BINARY, &[1, 2, 3]);
    assert_eq!(websocket.message(), Message::Text("bAQID".to_owned()));
    websocket.text("bAQID");
    assert_eq!(websocket.message(), Message::Text("bAQID".to_owned()));
    websocket.assert_echoes("text as ever");
    websocket.close();

    let session = Session::open(&server);
    let mut websocket = WebSocket::connect(&server, &format!("{}&b64=1", session.websocket_target()));
    websocket.text("2probe");
    assert_eq!(websocket.message(), Message::Text("3probe".to_owned()));
    websocket.text("5");
    websocket.frame(FIN | BINARY, &[1, 2, 3]);
    assert_eq!(websocket.message(), Message::Text("bAQID".to_owned()));
    websocket.close();
    server.finish();
}

#[test]
fn and_as_it_is_where_not() {
    let server = Server::start();
    for target in [WEBSOCKET.to_owned(), format!("{WEBSOCKET}&b64=0")] {
        let mut websocket = WebSocket::connect(&server, &target);
        websocket.message();
        websocket.frame(FIN | BINARY, &[1, 2, 3]);
        assert_eq!(websocket.message(), Message::Binary(vec![1, 2, 3]));
        websocket.close();
    }
    server.finish();
}
