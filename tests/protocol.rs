//! Black-box tests of `sansocket serve --app echo`: what may come over the wire, and what must go
//! back, byte for byte.
//!
//! Nothing of the library is used here. The clients are written by hand on a plain `TcpStream`, so
//! that they can send what no proper client would. Every test starts a server of its own and ends
//! with [`server::Server::finish`]: no session stayed behind, a fresh one is served, and the program
//! ends properly.

#![cfg(feature = "cli")]

// How to talk to it.
#[path = "protocol/http.rs"]
mod http;
#[path = "protocol/program.rs"]
mod program;
#[path = "protocol/server.rs"]
mod server;
#[path = "protocol/session.rs"]
mod session;
#[path = "protocol/websocket.rs"]
mod websocket;

// What it has to do, a file for each topic.
#[path = "protocol/errors.rs"]
mod errors;
#[path = "protocol/headers.rs"]
mod headers;
#[path = "protocol/heartbeat.rs"]
mod heartbeat;
#[path = "protocol/http_strictness.rs"]
mod http_strictness;
#[path = "protocol/origins.rs"]
mod origins;
#[path = "protocol/overlap.rs"]
mod overlap;
#[path = "protocol/polling.rs"]
mod polling;
#[path = "protocol/resets.rs"]
mod resets;
#[path = "protocol/resilience.rs"]
mod resilience;
#[path = "protocol/shutdown.rs"]
mod shutdown;
#[path = "protocol/upgrade.rs"]
mod upgrade;
#[path = "protocol/websocket_frames.rs"]
mod websocket_frames;
#[path = "protocol/websocket_transport.rs"]
mod websocket_transport;
