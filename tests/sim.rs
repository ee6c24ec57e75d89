//! The whole server and its clients in one process, over a virtual network with a virtual clock.
//!
//! Each world follows from a seed: the weather on the network, the configuration, what the peers do and what the
//! application does. A world that breaks a promise prints the line that runs it alone, with a trace.
//!
//! - `SANSOCKET_SIM_SESSIONS`: how many sessions in all (default 2,000).
//! - `SANSOCKET_SIM_BASE`: another set of seeds.
//! - `SANSOCKET_SIM_SEED`: one world only; `SANSOCKET_SIM_TRACE=1` tells what happens in it.

#![cfg(feature = "wire")]

#[path = "sim/app.rs"]
mod app;
#[path = "sim/client_app.rs"]
mod client_app;
#[path = "sim/client_plan.rs"]
mod client_plan;
#[path = "sim/content.rs"]
mod content;
#[path = "sim/executor.rs"]
mod executor;
#[path = "sim/http_client.rs"]
mod http_client;
#[path = "sim/ledger.rs"]
mod ledger;
#[path = "sim/manner.rs"]
mod manner;
#[path = "sim/mischief.rs"]
mod mischief;
#[path = "sim/network.rs"]
mod network;
#[path = "sim/oracle.rs"]
mod oracle;
#[path = "sim/packets.rs"]
mod packets;
#[path = "sim/peer.rs"]
mod peer;
#[path = "sim/plan.rs"]
mod plan;
#[path = "sim/rng.rs"]
mod rng;
#[path = "sim/runtime.rs"]
mod runtime;
#[path = "sim/schedule.rs"]
mod schedule;
#[path = "sim/seeds.rs"]
mod seeds;
#[path = "sim/socketio/mod.rs"]
mod socketio;
#[path = "sim/trace.rs"]
mod trace;
#[path = "sim/websocket_client.rs"]
mod websocket_client;
#[path = "sim/world.rs"]
mod world;

use plan::Family;

#[test]
fn clean_network() {
    seeds::run(Family::Clean, 25);
}

#[test]
fn faulty_network() {
    seeds::run(Family::Faults, 30);
}

#[test]
fn malicious_peers() {
    seeds::run(Family::Malicious, 20);
}

#[test]
fn shutdown_in_the_middle() {
    seeds::run(Family::Shutdown, 10);
}

#[test]
fn slow_handlers_and_readers() {
    seeds::run(Family::Pressure, 15);
}

#[test]
fn both_ends_clean_network() {
    seeds::run(Family::BothClean, 30);
}

#[test]
fn both_ends_faulty_network() {
    seeds::run(Family::BothFaults, 40);
}

#[test]
fn both_ends_slow_applications() {
    seeds::run(Family::BothPressure, 15);
}

#[test]
fn both_ends_restarts() {
    seeds::run(Family::BothRestarts, 15);
}

#[test]
fn socketio_clean_network() {
    seeds::run(Family::SocketioClean, 10);
}

#[test]
fn socketio_faulty_network() {
    seeds::run(Family::SocketioFaults, 10);
}

#[test]
fn socketio_slow_applications() {
    seeds::run(Family::SocketioPressure, 5);
}

#[test]
fn socketio_restarts() {
    seeds::run(Family::SocketioRestarts, 5);
}

#[test]
fn socketio_recovery() {
    seeds::run(Family::SocketioRecovery, 10);
}

#[test]
fn the_same_seed_is_the_same_world() {
    for family in [
        Family::Clean,
        Family::Faults,
        Family::Malicious,
        Family::Shutdown,
        Family::Pressure,
        Family::BothClean,
        Family::BothFaults,
        Family::BothPressure,
        Family::BothRestarts,
        Family::SocketioClean,
        Family::SocketioFaults,
        Family::SocketioPressure,
        Family::SocketioRestarts,
        Family::SocketioRecovery,
    ] {
        for seed in 0..10 {
            let once = seeds::must(family, seed, false);
            let again = seeds::must(family, seed, false);
            assert_eq!(once.hash, again.hash, "{family:?} {seed}");
        }
    }
}
