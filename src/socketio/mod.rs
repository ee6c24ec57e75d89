//! Socket.IO v5 on top of Engine.IO's messages: packets, namespaces, acknowledgements, rooms, and both ends as state machines.
//!
//! Nothing here does I/O, reads a clock or makes a random number; it is `no_std` with `alloc`. Of [`engineio`](crate::engineio)
//! it knows the [`Data`](crate::engineio::Data) that is sent and received, and nothing else.
//!
//! - [`Packet`], [`Parser`] and [`Assembler`] are the codec; [`Args`] are the arguments of events.
//! - [`server::Connection`] is the server's side of one connection, with all its namespaces.
//! - [`client::Client`] is the client's side, over all the connections that come and go.
//! - [`Rooms`] know who is in which room; a broadcast is [`Encoded`] once. [`Recovery`] keeps what sockets miss while their
//!   connection is lost.

mod acks;
mod args;
pub mod client;
mod exchange;
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
mod outbox;
mod packet;
mod recovery;
mod rooms;
pub mod server;

#[cfg(test)]
mod tests;

pub use acks::BROADCAST_IDS;
#[cfg(feature = "std")]
pub use args::Binary;
pub use args::{Args, DecodeError, Elements, EncodeError, FromArgs, IntoArgs, Placeholder};
pub use exchange::{AckError, AckToken, EmitError, Key, Transmit};
pub use json::{Json, JsonError};
#[cfg(feature = "msgpack")]
pub use msgpack::{MSGPACK, MsgpackParser};
pub use packet::{
    Assembler, Body, Decoded, Encoded, Limits, MAIN_NAMESPACE, Packet, PacketError, Parser, RESERVED_EVENTS, TEXT,
    TextParser, is_reserved, namespace_name,
};
pub use recovery::{Recovered, Recovery, RecoveryConfig, recovery_request};
pub use rooms::{Rooms, Selection};

/// What an attachment costs beside its bytes: its place in a list, and the allocation's own book-keeping.
const ATTACHMENT_OVERHEAD: usize = 64;
