//! What requests carry: cookies, credentials, headers, the query.

use crate::program::{Plan, Program};
use crate::server::{Kind, Server};

/// A cookie of the handshake comes back with everything later, the WebSocket's request included.
pub fn cookies(kind: Kind) {
    let mut server = Server::start(kind, &["--cookie"]);
    let mut program = Program::connect(&server, Plan::Upgrade, &[]);
    let sid = program.expect_open(Plan::Upgrade);
    program.expect_echo("hello");
    program.close_and_exit();
    server.closed();
    let requests = server.requests();
    assert!(requests.len() >= 2, "{requests:#?}");
    assert!(requests[0].contains(" cookie= "), "{requests:#?}");
    for request in &requests[1..] {
        assert!(request.contains(&format!(" cookie=io={sid} ")), "{requests:#?}");
    }
}

/// Credentials and query of the URL, `--header` and `--query`: with every request.
pub fn everything_asked_for(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &[]);
    let url = format!("http://user:p%40ss@127.0.0.1:{}/engine.io/?token=a%20b", server.port);
    let transports = if plan == Plan::WebSocket {
        "websocket"
    } else {
        "polling,websocket"
    };
    let flags = [
        "--transports",
        transports,
        "--header",
        "X-Test: hello",
        "--query",
        "room=7",
    ];
    let mut program = Program::start(&url, &flags, &[]);
    program.expect_open(plan);
    program.expect_echo("hello");
    program.close_and_exit();
    server.closed();
    for request in server.requests() {
        // user:p@ss
        assert!(request.contains(" auth=Basic dXNlcjpwQHNz "), "{request}");
        assert!(request.ends_with(" x-test=hello"), "{request}");
        let query = request.split(' ').nth(1).and_then(|url| url.split_once('?'));
        let parameters: Vec<&str> = query.expect("a query").1.split('&').collect();
        for expected in ["token=a%20b", "room=7", "EIO=4"] {
            assert!(parameters.contains(&expected), "{expected} in {request}");
        }
    }
}
