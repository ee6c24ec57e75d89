//! The Socket.IO client from outside: `sansocket connect --protocol socket.io`, and the library's `Client`.
//!
//! Most of it talks with a server that is written by hand here (`peer.rs`), so that each packet is seen. The tests that
//! are ignored talk with npm `socket.io` and python-socketio:
//! `cargo test --features cli --test socketio_client -- --ignored` runs them, with
//!
//! - `SOCKETIO_MODULES`: a directory with npm's `socket.io` in its `node_modules` (default `tests/interop`),
//! - `SANSOCKET_PYTHON`: a Python with python-socketio and uvicorn (default `target/interop/venv/bin/python`).
//!
//! `SANSOCKET_RUNTIME` says what the program and the library run on (default tokio).

#![cfg(feature = "cli")]

// The runtime under test.
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/runtime.rs"]
mod runtime;

// What TLS wants.
#[allow(dead_code, reason = "other suites want more of it")]
#[path = "../src/wire/tls/tests/certificates.rs"]
mod certificates;

// Who takes part.
#[allow(dead_code, reason = "another suite wants more of it")]
#[path = "socketio_client/peer.rs"]
mod peer;
#[path = "socketio_client/process.rs"]
mod process;
#[path = "socketio_client/program.rs"]
mod program;
#[path = "socketio_client/server.rs"]
mod server;

// What is tried, a file for each topic.
#[path = "socketio_client/contract.rs"]
mod contract;
#[path = "socketio_client/ending.rs"]
mod ending;
#[path = "socketio_client/events.rs"]
mod events;
#[path = "socketio_client/hostile.rs"]
mod hostile;
#[path = "socketio_client/interop.rs"]
mod interop;
#[path = "socketio_client/interop_library.rs"]
mod interop_library;
#[path = "socketio_client/joining.rs"]
mod joining;
#[path = "socketio_client/library.rs"]
mod library;
#[path = "socketio_client/options.rs"]
mod options;
#[path = "socketio_client/own.rs"]
mod own;
#[path = "socketio_client/pressure.rs"]
mod pressure;
#[path = "socketio_client/reconnecting.rs"]
mod reconnecting;
#[path = "socketio_client/returned.rs"]
mod returned;
#[path = "socketio_client/simple.rs"]
mod simple;
#[path = "socketio_client/threads.rs"]
mod threads;
