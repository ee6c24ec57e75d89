//! Engine.IO v4: packets, payloads, and both ends of a session as state machines.
//!
//! Nothing here does I/O, reads a clock or makes a random number; it is `no_std` with `alloc`.
//!
//! - [`Packet`] and [`payload`] are the codecs.
//! - [`Session`] is the server's side of one client; [`Config`] holds its limits and times.
//! - [`client::Client`] is the client's side, with a [`client::Config`] of its own.
//! - [`CloseReason`] and [`Violation`] say what went wrong.

pub mod client;
mod close;
mod config;
mod handshake;
mod inbox;
mod outbox;
mod packet;
pub mod payload;
mod refusal;
mod session;
pub mod state;
#[cfg_attr(not(feature = "wire"), allow(unreachable_pub))]
pub(crate) mod v3;

pub use close::{CloseReason, Closed};
pub use config::Config;
pub use handshake::{Handshake, Sid};
pub use packet::{Data, PROBE, Packet, PacketError, Str};
pub use refusal::{ErrorCode, Refusal};
pub use session::{Answer, Carrier, Event, Input, ReqId, SendError, Session, Transmit, Violation};
pub use v3::Version;

/// How the packets of a session travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP requests: a waiting GET brings packets to the client, a POST brings packets to the server.
    Polling,
    /// One WebSocket.
    WebSocket,
}

impl Transport {
    /// The name in the query string, and in the list of upgrades.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }

    /// The transport of this name, exactly as the protocol writes it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "polling" => Some(Self::Polling),
            "websocket" => Some(Self::WebSocket),
            _ => None,
        }
    }
}

impl core::fmt::Display for Transport {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}
