//! Which transport a session begins on, and which it ends on.

use crate::program::{Plan, Program};
use crate::server::{Kind, Server};

/// One after the other, with a few messages on the way.
pub fn opens(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &[]);
    let mut program = Program::connected(&server, plan, &[]);
    program.expect_echo("one");
    program.expect_echo("two");
    program.close_and_exit();
    // engine.io has one reason for a close packet and for a closed WebSocket. python-engineio knows the packet.
    let expected = if kind.is_python() {
        "client disconnect"
    } else {
        "transport close"
    };
    assert_eq!(server.closed(), (expected.to_owned(), 2));
    let websockets = server.requests().iter().filter(|request| is_websocket(request)).count();
    assert_eq!(websockets, usize::from(plan.is_websocket()), "{:#?}", server.requests());
}

/// `--no-upgrade`, or a server that offers none.
pub fn stays_on_polling(kind: Kind, options: &[&str], flags: &[&str]) {
    let mut server = Server::start(kind, options);
    let mut program = Program::connect(&server, Plan::Upgrade, flags);
    assert_eq!(program.event("open")["transport"], "polling");
    for round in 0..20 {
        program.expect_echo(&format!("round {round}"));
    }
    program.close_and_exit();
    server.closed();
    let requests = server.requests();
    assert!(!requests.iter().any(|request| is_websocket(request)), "{requests:#?}");
}

/// `--transports websocket,polling` where both are there.
pub fn websocket_first(kind: Kind) {
    let mut server = Server::start(kind, &[]);
    let mut program = Program::connect(&server, Plan::Upgrade, &["--transports", "websocket,polling"]);
    assert_eq!(program.event("open")["transport"], "websocket");
    program.expect_echo("hello");
    program.close_and_exit();
    server.closed();
    assert_eq!(server.requests().len(), 1, "{:#?}", server.requests());
}

/// The first transport is refused, the second is not.
pub fn falls_back(kind: Kind, served: &str, asked: &str) {
    let mut server = Server::start(kind, &["--transports", served]);
    let mut program = Program::connect(&server, Plan::Upgrade, &["--transports", asked]);
    assert_eq!(program.event("open")["transport"], served);
    program.send("hello");
    // python-engineio offers an upgrade to a transport that it does not serve.
    program.event_despite("message", &["upgrade_error"]);
    program.send("again");
    program.event_despite("message", &["upgrade_error"]);
    program.close();
    program.event_despite("close", &["upgrade_error"]);
    program.expect_exit(0, &[]);
    assert_eq!(server.closed().1, 2);
}

/// python-engineio offers an upgrade that it then refuses: a word about it, and nothing is lost.
pub fn failed_upgrade(kind: Kind) {
    const COUNT: usize = 500;
    let mut server = Server::start(kind, &["--transports", "polling"]);
    let mut program = Program::connect(&server, Plan::Upgrade, &[]);
    program.send_numbers(COUNT);
    assert_eq!(program.event("open")["transport"], "polling");
    let failed = program.event("upgrade_error");
    assert!(
        failed["message"].as_str().is_some_and(|text| !text.is_empty()),
        "{failed}"
    );
    program.expect_numbers(COUNT);
    program.expect_echo("still here");
    program.close_and_exit();
    assert_eq!(server.closed().1, COUNT + 1);
}

/// A WebSocket that does not come: polling goes on meanwhile, and afterwards.
pub fn hanging_upgrade(kind: Kind) {
    let mut server = Server::start(kind, &["--upgrade-delay", "40000"]);
    let mut program = Program::connect(&server, Plan::Upgrade, &[]);
    program.send_numbers(100);
    program.event("open");
    program.expect_numbers(100);
    assert_eq!(program.count("upgrade_error"), 0, "it has not been given up yet");
    program.event("upgrade_error");
    program.expect_echo("still here");
    program.close_and_exit();
    assert_eq!(server.closed().1, 101);
}

/// A server that answers every handshake with no.
pub fn refused(kind: Kind, plan: Plan) {
    let server = Server::start(kind, &["--refuse"]);
    let mut program = Program::connect(&server, plan, &[]);
    program.expect_error(&["refused"]);
    program.expect_exit(1, &[]);
    assert_eq!(program.count("close"), 0);
}

fn is_websocket(request: &str) -> bool {
    request.contains("transport=websocket")
}
