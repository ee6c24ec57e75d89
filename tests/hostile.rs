//! `sansocket connect` against servers that were made hostile on purpose: they lie, stall, break off, answer what was
//! not asked and hang up in the middle. Whatever they do, the program goes on correctly, or ends in one clear error
//! within its deadline: it never hangs, panics, or loses, doubles or invents a message.
//!
//! Nothing of the library is used here. The servers are written by hand on plain sockets; they also watch what the
//! program sends, and a test fails where one had a complaint.

#![cfg(feature = "cli")]

// The program, and what it talks to.
#[path = "hostile/client.rs"]
mod client;
#[path = "hostile/deflate.rs"]
mod deflate;
#[path = "hostile/frames.rs"]
mod frames;
#[path = "protocol/program.rs"]
mod program;
#[path = "hostile/request.rs"]
mod request;
#[path = "hostile/server.rs"]
mod server;
#[path = "hostile/session.rs"]
mod session;
#[path = "hostile/socket.rs"]
mod socket;
#[path = "hostile/visit.rs"]
mod visit;

// What it has to stand, a file for each topic.
#[path = "hostile/connecting.rs"]
mod connecting;
#[path = "hostile/endings.rs"]
mod endings;
#[path = "hostile/fallback.rs"]
mod fallback;
#[path = "hostile/handshakes.rs"]
mod handshakes;
#[path = "hostile/heartbeat.rs"]
mod heartbeat;
#[path = "hostile/http_framing.rs"]
mod http_framing;
#[path = "hostile/input.rs"]
mod input;
#[path = "hostile/mutations.rs"]
mod mutations;
#[path = "hostile/polling.rs"]
mod polling;
#[path = "hostile/posting.rs"]
mod posting;
#[path = "hostile/refusals.rs"]
mod refusals;
#[path = "hostile/restarts.rs"]
mod restarts;
#[path = "hostile/slowness.rs"]
mod slowness;
#[path = "hostile/upgrades.rs"]
mod upgrades;
#[path = "hostile/websocket_frames.rs"]
mod websocket_frames;
#[path = "hostile/websocket_handshakes.rs"]
mod websocket_handshakes;
#[path = "hostile/wellbehaved.rs"]
mod wellbehaved;
