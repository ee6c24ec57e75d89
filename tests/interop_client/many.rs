//! Ten thousand messages, each once and in order.

use crate::program::{Plan, Program};
use crate::server::{Kind, Server};

const COUNT: usize = 10_000;
const LATE_UPGRADE: [&str; 2] = ["--upgrade-delay", "150"];

/// Sent before the session is open, so that an upgrade falls in their middle.
pub fn up(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &[]);
    let mut program = Program::connect(&server, plan, &[]);
    program.send_numbers(COUNT);
    program.send("!count");
    program.expect_open(plan);
    program.expect_numbers(COUNT);
    program.expect_text(&COUNT.to_string());
    if plan == Plan::Upgrade {
        println!("{} came back before the upgrade", program.messages_before_upgrade());
    }
    program.close_and_exit();
    assert_eq!(server.closed().1, COUNT);
}

/// A WebSocket that is long in coming, while messages flow over polling: some are on their way at every moment.
pub fn up_across(kind: Kind) {
    const STEP: usize = 250;
    let mut server = Server::start(kind, &LATE_UPGRADE);
    let mut program = Program::connect(&server, Plan::Upgrade, &[]);
    program.send_range(0..STEP);
    program.event("open");
    let mut sent = STEP;
    while sent < COUNT || program.count("upgrade") == 0 {
        program.send_range(sent..sent + STEP);
        program.expect_range(sent - STEP..sent);
        sent += STEP;
    }
    program.expect_range(sent - STEP..sent);
    expect_upgrade_in_the_middle(&mut program);
    program.close_and_exit();
    assert_eq!(server.closed().1, sent);
}

/// The same from the server.
pub fn down_across(kind: Kind) {
    const STEP: usize = 500;
    let mut server = Server::start(kind, &LATE_UPGRADE);
    let mut program = Program::connect(&server, Plan::Upgrade, &[]);
    let step = format!("!send {STEP}");
    program.send(&step);
    program.event("open");
    let mut received = 0;
    while received < COUNT || program.count("upgrade") == 0 {
        program.send(&step);
        program.expect_numbers(STEP);
        received += STEP;
    }
    program.expect_numbers(STEP);
    expect_upgrade_in_the_middle(&mut program);
    program.close_and_exit();
    server.closed();
}

fn expect_upgrade_in_the_middle(program: &mut Program) {
    program.expect_upgrade();
    let before = program.messages_before_upgrade();
    let all = program.count("message");
    println!("{before} of {all} came before the upgrade");
    assert!(0 < before && before < all, "{before} of {all} came before the upgrade");
}

pub fn down(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &[]);
    let mut program = Program::connect(&server, plan, &[]);
    program.send(&format!("!send {COUNT}"));
    program.expect_open(plan);
    program.expect_numbers(COUNT);
    if plan == Plan::Upgrade {
        println!("{} came before the upgrade", program.messages_before_upgrade());
    }
    program.expect_echo("the end");
    program.close_and_exit();
    server.closed();
}
