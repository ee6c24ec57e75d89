//! Answering the server's pings.

use crate::program::{Plan, Program};
use crate::server::{Kind, Server};

const OPTIONS: [&str; 4] = ["--ping-interval", "250", "--ping-timeout", "2000"];

pub fn six_pings(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &OPTIONS);
    let mut program = Program::connected(&server, plan, &[]);
    for _ in 0..6 {
        server.line_with("heartbeat");
    }
    program.expect_echo("still here");
    program.close_and_exit();
    assert_eq!(server.closed().1, 1);
}
