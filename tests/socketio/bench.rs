//! `sansocket serve --app bench`.

use crate::client::Client;
use crate::server::Server;
use crate::websocket::{Message, WebSocket};

#[test]
fn both_endpoints_are_there_and_nothing_else() {
    Server::with_app("bench", &[], |server| {
        let mut echo = WebSocket::connect(server, crate::websocket::WEBSOCKET);
        assert!(matches!(echo.message(), Message::Text(text) if text.starts_with("0{")));
        echo.assert_echoes("hello");

        let (mut a, _) = Client::join(server);
        let (mut b, _) = Client::join(server);
        assert_eq!(a.call(r#"["echo",1,"two",[]]"#), r#"[1,"two",[]]"#);
        a.send(r#"2["broadcast",1,2]"#);
        a.expect(r#"2["msg",1,2]"#);
        b.expect(r#"2["msg",1,2]"#);
        a.send("0/other,");
        a.expect(r#"4/other,{"message":"Invalid namespace"}"#);
        assert!(server.stats().contains(r#""sessions":3"#), "{}", server.stats());
        assert!(
            server.stats().contains(r#""sockets":{"/":2},"rooms":2"#),
            "{}",
            server.stats()
        );
        assert_eq!(server.get("/").status, 404);
    });
}
