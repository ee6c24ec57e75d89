//! TLS from outside: the program and the library, among themselves and with OpenSSL, curl and Python.
//!
//! Needs `openssl`, `curl` and `python3`, nothing else: certificates are made by the tests.

#![cfg(feature = "cli")]

// The servers, and the program as a client.
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "connect/client.rs"]
mod client;
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "connect/front.rs"]
mod front;
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "protocol/http.rs"]
mod http;
#[path = "protocol/program.rs"]
mod program;
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "protocol/server.rs"]
mod server;
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "protocol/session.rs"]
mod session;
#[allow(dead_code, reason = "the other suite wants more of it")]
#[path = "protocol/websocket.rs"]
mod websocket;

// What TLS wants beside them.
#[allow(dead_code, reason = "the unit tests want more of it")]
#[path = "../src/wire/tls/tests/certificates.rs"]
mod certificates;
#[path = "tls/files.rs"]
mod files;
#[path = "tls/secure.rs"]
mod secure;

// What has to be seen, a file for each topic.
#[path = "tls/clients.rs"]
mod clients;
#[path = "tls/interop.rs"]
mod interop;
#[path = "tls/library.rs"]
mod library;
#[path = "tls/mistakes.rs"]
mod mistakes;
#[path = "tls/servers.rs"]
mod servers;
#[path = "tls/talking.rs"]
mod talking;
