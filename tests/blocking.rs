//! The library on plain threads, from outside: what is special about it, beside what it has in common with the other
//! runtimes, which `tests/server.rs` and the suites of the program look at.
//!
//! The tests count the threads of their own process, and so run one at a time.

#![cfg(all(feature = "cli", target_os = "linux"))]

#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "protocol/http.rs"]
mod http;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "protocol/session.rs"]
mod session;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "protocol/websocket.rs"]
mod websocket;

#[path = "blocking/host.rs"]
mod server;

#[path = "blocking/client.rs"]
mod client;
#[path = "blocking/handlers.rs"]
mod handlers;
#[path = "blocking/idle.rs"]
mod idle;
#[path = "blocking/threads.rs"]
mod threads;
#[path = "blocking/verbs.rs"]
mod verbs;
