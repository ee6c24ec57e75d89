//! Socket.IO servers from outside: the program's, by the rows of its contract, and the library's, by what handlers see and
//! what clients get. The clients are written by hand on plain sockets.
//!
//! They run on tokio, or on the runtime that `SANSOCKET_RUNTIME` names; the library's also inside of the HTTP
//! server that `SANSOCKET_HOST` names.

#![cfg(all(feature = "cli", feature = "tower"))]

// How to talk to it: the clients of the program's own tests.
#[allow(dead_code, reason = "the other suite wants more of them")]
#[path = "protocol/http.rs"]
mod http;
#[path = "protocol/program.rs"]
mod program;
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
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/waiting.rs"]
mod waiting;

#[path = "socketio/client.rs"]
mod client;
#[path = "socketio/server.rs"]
mod server;

// What it has to do, a file for each topic.
#[path = "socketio/app.rs"]
mod app;
#[path = "socketio/bench.rs"]
mod bench;
#[path = "socketio/broadcasts.rs"]
mod broadcasts;
#[path = "socketio/bulk.rs"]
mod bulk;
#[path = "socketio/calls.rs"]
mod calls;
#[path = "socketio/ending.rs"]
mod ending;
#[path = "socketio/handlers.rs"]
mod handlers;
#[path = "socketio/hostile.rs"]
mod hostile;
#[path = "socketio/interop.rs"]
mod interop;
#[path = "socketio/middleware.rs"]
mod middleware;
#[path = "socketio/namespaces.rs"]
mod namespaces;
#[path = "socketio/pressure.rs"]
mod pressure;
#[path = "socketio/recovery.rs"]
mod recovery;
#[path = "socketio/stubborn.rs"]
mod stubborn;
#[path = "socketio/threads.rs"]
mod threads;
#[path = "socketio/violations.rs"]
mod violations;

// Packet by packet, and over each transport.
#[path = "socketio/rows/mod.rs"]
mod rows;
