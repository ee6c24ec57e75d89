//! `sansocket connect --protocol engine.io` from outside: what it is called with, what it prints, what it reads, how it
//! ends, how it connects and connects again.
//!
//! The servers are the program's own (`sansocket serve --app echo`), and `front.rs` for what a good server does not do.
//! The order of events and the shape of each are checked whenever a client of `client.rs` ends, whatever the test is
//! about.

#![cfg(feature = "cli")]

// The servers.
#[path = "connect/front.rs"]
mod front;
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "protocol/http.rs"]
mod http;
#[path = "protocol/program.rs"]
mod program;
#[path = "connect/restarting.rs"]
mod restarting;
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "protocol/server.rs"]
mod server;
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "protocol/session.rs"]
mod session;
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "protocol/websocket.rs"]
mod websocket;

// The program under test.
#[path = "connect/client.rs"]
mod client;

// What it has to do, a file for each topic.
#[path = "connect/connecting.rs"]
mod connecting;
#[path = "connect/cookies.rs"]
mod cookies;
#[path = "connect/ending.rs"]
mod ending;
#[path = "connect/events.rs"]
mod events;
#[path = "connect/fallback.rs"]
mod fallback;
#[path = "connect/input.rs"]
mod input;
#[path = "connect/options.rs"]
mod options;
#[path = "connect/people.rs"]
mod people;
#[path = "connect/proxies.rs"]
mod proxies;
#[path = "connect/reconnecting.rs"]
mod reconnecting;
#[path = "connect/usage.rs"]
mod usage;
