//! A server that goes away and comes back on the same port.

use crate::program::{Plan, Program};
use crate::server::{Kind, Server, free_port};

const FLAGS: [&str; 6] = [
    "--reconnect",
    "30",
    "--reconnect-delay",
    "100ms",
    "--reconnect-delay-max",
    "500ms",
];

/// Messages flow again, those that were sent while it was down first.
pub fn after_a_restart(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &[]);
    let port = server.port;
    let mut program = Program::connect(&server, plan, &FLAGS);
    let first_sid = program.expect_open(plan);
    program.expect_echo("before");

    server.running.kill();
    program.expect_close(&["transport close", "transport error"]);
    program.event_despite("reconnecting", &["error"]);
    program.send_numbers(20);

    let mut server = Server::start_at(port, kind, &[]);
    let open = program.event_despite("open", &["error", "reconnecting"]);
    // Where the server comes back between the two, it is the second transport that finds it.
    let upgrades = plan == Plan::Upgrade && open["transport"] == "polling";
    if plan != Plan::Upgrade {
        assert_eq!(open["transport"], plan.first_transport(), "{open}");
    }
    assert_ne!(open["sid"], first_sid.as_str(), "a session of its own");
    program.expect_numbers(20);
    if upgrades {
        program.expect_upgrade();
    }
    program.expect_echo("after");
    program.close_and_exit();
    assert_eq!(server.closed().1, 21);
}

/// `--reconnect` covers the first connection too.
pub fn server_comes_late(kind: Kind) {
    let port = free_port();
    let mut program = Program::start(&format!("http://127.0.0.1:{port}"), &FLAGS, &[]);
    program.send("early");
    program.event_despite("reconnecting", &["error"]);
    let mut server = Server::start_at(port, kind, &[]);
    program.event_despite("open", &["error", "reconnecting"]);
    program.expect_text("early");
    program.close();
    program.expect_close(&["client disconnect"]);
    program.expect_exit(0, &["upgrade"]);
    assert_eq!(server.closed().1, 1);
}

/// So many attempts, and no more.
pub fn gives_up() {
    let mut server = Server::start(Kind::EngineIo, &[]);
    let flags = ["--reconnect", "2", "--reconnect-delay", "50ms"];
    let mut program = Program::connected(&server, Plan::Upgrade, &flags);
    server.running.kill();
    program.expect_close(&["transport close", "transport error"]);
    program.event_despite("reconnecting", &["error"]);
    program.event_despite("reconnecting", &["error"]);
    program.expect_error(&["connection"]);
    program.expect_exit(1, &[]);
    assert_eq!(program.count("reconnecting"), 2);
    assert_eq!(program.count("close"), 1);
}

/// A server that ends the session on purpose does not want it back.
pub fn not_after_a_disconnect(kind: Kind) {
    let mut server = Server::start(kind, &[]);
    // Over polling, Python may say nothing of its goodbye (see `closing::by_the_server`).
    let plan = if kind.is_python() {
        Plan::WebSocket
    } else {
        Plan::Polling
    };
    let mut program = Program::connected(&server, plan, &FLAGS);
    program.expect_echo("hello");
    program.send("!close");
    program.expect_close(&["server disconnect"]);
    program.expect_exit(1, &["error"]);
    server.closed();
}

/// Nobody listens there.
pub fn nobody_listens(plan: Plan) {
    let url = format!("http://127.0.0.1:{}", free_port());
    let transports = match plan {
        Plan::Polling => "polling",
        Plan::WebSocket => "websocket",
        Plan::Upgrade => "polling,websocket",
    };
    let mut program = Program::start(&url, &["--transports", transports], &[]);
    program.expect_error(&["connection"]);
    program.expect_exit(1, &[]);
}
