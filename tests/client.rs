//! The library's client, from outside: through the public API, against the library's own server in the same
//! process, and against servers that a test makes misbehave.
//!
//! Client and server are on tokio or on the runtime that `SANSOCKET_RUNTIME` names. Every test runs under a deadline, on a
//! tokio of its own.

#![cfg(feature = "cli")]

// Servers that answer as a test says: those of the program's own tests.
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "connect/front.rs"]
mod front;
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "protocol/http.rs"]
mod http;

#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "server/runtime.rs"]
mod runtime;

// How to host the library's server, and how to wait.
#[path = "client/host.rs"]
mod client;

// What the client has to do, a file for each topic.
#[path = "client/dialing.rs"]
mod dialing;
#[path = "client/ending.rs"]
mod ending;
#[path = "client/errors.rs"]
mod errors;
#[path = "client/handlers.rs"]
mod handlers;
#[path = "client/options.rs"]
mod options;
#[path = "client/parity.rs"]
mod parity;
#[path = "client/pressure.rs"]
mod pressure;
#[path = "client/receiving.rs"]
mod receiving;
#[path = "client/reconnecting.rs"]
mod reconnecting;
#[path = "client/returned.rs"]
mod returned;
#[path = "client/streams.rs"]
mod streams;
#[path = "client/talking.rs"]
mod talking;
#[path = "client/websockets.rs"]
mod websockets;
