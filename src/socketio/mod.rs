//! Socket.IO v5 on top of Engine.IO's messages: packets, namespaces, acknowledgements, rooms, and both ends as state machines.
//!
//! Nothing here does I/O, reads a clock or makes a random number; it is `no_std` with `alloc`. Of [`engineio`](crate::engineio)
//! it knows the [`Data`](crate::engineio::Data) that is sent and received, and nothing else.
//!
//! - [`Packet`], [`Parser`] and [`Assembler`] are the codec; [`Args`] are the arguments of events.

mod args;
mod json;
mod packet;

#[cfg(feature = "std")]
pub use args::Binary;
pub use args::{Args, DecodeError, Elements, EncodeError, FromArgs, IntoArgs, Placeholder};
pub use json::{Json, JsonError};
pub use packet::{
    Assembler, Body, Decoded, Encoded, Limits, MAIN_NAMESPACE, Packet, PacketError, Parser, RESERVED_EVENTS, TEXT,
    TextParser, is_reserved, namespace_name,
};

/// What an attachment costs beside its bytes: its place in a list, and the allocation's own book-keeping.
const ATTACHMENT_OVERHEAD: usize = 64;
