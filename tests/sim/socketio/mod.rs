//! Socket.IO with both ends ours, over Engine.IO, over HTTP and WebSockets, on the network of the simulation.

mod client;
mod content;
mod ledger;
mod plan;
mod server;
pub mod world;
