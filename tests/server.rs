//! The library's server, from both of its sides: the application's, through the public API, and the client's,
//! through clients written by hand on plain sockets.
//!
//! A test hosts a server of its own in a thread, on tokio or on the runtime that `SANSOCKET_RUNTIME` names,
//! or inside of the HTTP server that `SANSOCKET_HOST` names; the clients block in the test's thread. What
//! handlers see comes back through channels. Every test ends with [`server::Server::finish`]: no session stayed behind,
//! the server ended when it was asked to, and nothing that its handlers held is left.

#![cfg(all(feature = "cli", feature = "tower"))]

// How to talk to it: the clients of the program's own tests.
#[allow(dead_code, reason = "the other suite wants more of them")]
#[path = "protocol/http.rs"]
mod http;
#[allow(dead_code, reason = "the other suite wants more of them")]
#[path = "protocol/session.rs"]
mod session;
#[allow(dead_code, reason = "the other suite wants more of them")]
#[path = "protocol/websocket.rs"]
mod websocket;

// How to host it, and how to wait.
#[path = "server/hosting.rs"]
mod hosting;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/runtime.rs"]
mod runtime;
#[path = "server/host.rs"]
mod server;
#[path = "server/waiting.rs"]
mod waiting;

// What it has to do, a file for each topic.
#[path = "server/connecting.rs"]
mod connecting;
#[path = "server/ending.rs"]
mod ending;
#[path = "server/events.rs"]
mod events;
#[path = "server/fallback.rs"]
mod fallback;
#[path = "server/handlers.rs"]
mod handlers;
#[path = "server/pressure.rs"]
mod pressure;
#[path = "server/reasons.rs"]
mod reasons;
#[path = "server/sending.rs"]
mod sending;
#[path = "server/styles.rs"]
mod styles;
#[path = "server/verbs.rs"]
mod verbs;
