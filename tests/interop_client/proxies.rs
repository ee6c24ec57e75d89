//! Through a forward proxy, by the environment's variables.

use crate::program::{Plan, Program};
use crate::proxy::{Product, Proxy};
use crate::server::{Kind, Server, free_port};

/// Polls are asked of the proxy; a WebSocket goes through a tunnel.
pub fn through(product: Product, kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &[]);
    let tunnel = match product {
        Product::Tinyproxy => format!("ConnectPort {}\n", server.port),
        Product::Squid => String::new(),
    };
    let mut proxy = Proxy::start(product, &tunnel);
    let mut program = Program::start(&server.url(), plan.flags(), &[("HTTP_PROXY", &proxy.url())]);
    program.expect_open(plan);
    for round in 0..20 {
        program.expect_echo(&format!("round {round}"));
    }
    program.send("!send 2000");
    program.expect_numbers(2000);
    program.close_and_exit();
    assert_eq!(server.closed().1, 20);
    if plan != Plan::WebSocket {
        proxy.expect_request(&format!("GET http://127.0.0.1:{}/engine.io/", server.port));
    }
    if plan.is_websocket() {
        proxy.expect_request(&format!("CONNECT 127.0.0.1:{}", server.port));
    }
}

/// `NO_PROXY` names this host.
pub fn bypassed(plan: Plan) {
    let mut server = Server::start(Kind::EngineIo, &[]);
    let proxy = Proxy::start(Product::Tinyproxy, "");
    let variables = [
        ("HTTP_PROXY", proxy.url()),
        ("NO_PROXY", "example.com,127.0.0.1".to_owned()),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut program = Program::start(&server.url(), plan.flags(), &variables);
    program.expect_open(plan);
    program.expect_echo("hello");
    program.close_and_exit();
    server.closed();
    proxy.expect_no_connection();
}

/// A proxy that makes no tunnel to that port.
pub fn refuses_the_tunnel() {
    let server = Server::start(Kind::EngineIo, &[]);
    let proxy = Proxy::start(Product::Tinyproxy, "ConnectPort 1\n");
    let mut program = Program::start(&server.url(), Plan::WebSocket.flags(), &[("HTTP_PROXY", &proxy.url())]);
    program.expect_error(&["proxy"]);
    program.expect_exit(1, &[]);
}

/// The same, where polling goes on without the upgrade.
pub fn refuses_the_upgrade() {
    let mut server = Server::start(Kind::EngineIo, &[]);
    let proxy = Proxy::start(Product::Tinyproxy, "ConnectPort 1\n");
    let mut program = Program::start(&server.url(), &[], &[("HTTP_PROXY", &proxy.url())]);
    program.send_numbers(200);
    assert_eq!(program.event("open")["transport"], "polling");
    program.event("upgrade_error");
    program.expect_numbers(200);
    program.expect_echo("still here");
    program.close_and_exit();
    assert_eq!(server.closed().1, 201);
}

/// A proxy that wants a password, with none.
pub fn wants_a_password(plan: Plan) {
    let server = Server::start(Kind::EngineIo, &[]);
    let proxy = Proxy::start(Product::Tinyproxy, "BasicAuth user secret\n");
    let mut program = Program::start(&server.url(), plan.flags(), &[("HTTP_PROXY", &proxy.url())]);
    program.expect_error(&["proxy"]);
    program.expect_exit(1, &[]);
}

/// And with the right one, in the variable.
pub fn gets_the_password(plan: Plan) {
    let mut server = Server::start(Kind::EngineIo, &[]);
    let mut proxy = Proxy::start(Product::Tinyproxy, "BasicAuth user secret\n");
    let url = format!("http://user:secret@127.0.0.1:{}", proxy.port);
    let mut program = Program::start(&server.url(), plan.flags(), &[("HTTP_PROXY", &url)]);
    program.expect_open(plan);
    program.expect_echo("hello");
    program.close_and_exit();
    server.closed();
    proxy.expect_request(&format!("127.0.0.1:{}", server.port));
}

/// No proxy listens where the variable says.
pub fn is_not_there(plan: Plan) {
    let server = Server::start(Kind::EngineIo, &[]);
    let url = format!("http://127.0.0.1:{}", free_port());
    let mut program = Program::start(&server.url(), plan.flags(), &[("HTTP_PROXY", &url)]);
    program.expect_error(&["proxy", "connection"]);
    program.expect_exit(1, &[]);
}
