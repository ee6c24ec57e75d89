//! Bytes in, bytes out: everything between a TCP stream and a session. No file here opens a socket.
//!
//! - [`http1`] reads requests and writes responses, [`ws`] frames WebSocket messages.
//! - [`Connection`] is one TCP connection of a server: requests, or a WebSocket.
//! - [`HostedRequest`] is one request, where HTTP is somebody else's.
//! - [`Hub`] knows the sessions of a server, their deadlines, and who waits for what.
//!
//! The drivers in [`runtime`](crate::runtime) pump bytes into these, and so can a loop of your own.

mod answers;
pub mod client;
mod connection;
mod exchange;
mod hosted;
pub mod http1;
mod hub;
mod routing;
mod seats;
mod timers;
#[cfg(feature = "tls")]
pub mod tls;
mod witness;
pub mod ws;

pub use connection::{Connection, ConnectionEvent};
pub use hosted::{HostedHead, HostedRequest, Reply, Unwritten};
pub(crate) use hub::CellAlarm;
pub use hub::{Cell, Entropy, Hub, Limits, Stats};
#[cfg(feature = "tracing")]
pub(crate) use routing::UNNAMED_SITE;
pub(crate) use witness::{Sight, Witness};
