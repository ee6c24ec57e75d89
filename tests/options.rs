//! What a server can be told about HTTP: who may ask, what its answers carry, how many are served, and files beside the
//! endpoint. Most of it through the program's flags, and what takes a function through the library.
//!
//! The clients are those of `protocol`: written by hand on plain sockets. The runtime is the one that `SANSOCKET_RUNTIME`
//! names.

#![cfg(feature = "cli")]

// How to talk to it.
#[allow(dead_code, reason = "the other suites want more of them")]
#[path = "protocol/http.rs"]
mod http;
#[path = "protocol/program.rs"]
mod program;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/runtime.rs"]
mod runtime;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "protocol/server.rs"]
mod server;
#[allow(dead_code, reason = "the other suites want more of them")]
#[path = "protocol/session.rs"]
mod session;
#[allow(dead_code, reason = "the other suites want more of them")]
#[path = "protocol/websocket.rs"]
mod websocket;

// Certificates, and where they are.
#[allow(dead_code, reason = "the other suites want more of them")]
#[path = "../src/wire/tls/tests/certificates.rs"]
mod certificates;
#[allow(dead_code, reason = "the other suites want more of them")]
#[path = "tls/files.rs"]
mod directory;

// What it has to do, a file for each topic.
#[path = "options/base64.rs"]
mod base64;
#[path = "options/browser.rs"]
mod browser;
#[path = "options/compression.rs"]
mod compression;
#[path = "options/cookies.rs"]
mod cookies;
#[path = "options/curl.rs"]
mod curl;
#[path = "options/eio3.rs"]
mod eio3;
#[path = "options/files.rs"]
mod files;
#[path = "options/functions.rs"]
mod functions;
#[path = "options/headers.rs"]
mod headers;
#[path = "options/jsonp.rs"]
mod jsonp;
#[path = "options/limits.rs"]
mod limits;
#[path = "options/nginx.rs"]
mod nginx;
#[path = "options/origins.rs"]
mod origins;
#[path = "options/usage.rs"]
mod usage;
