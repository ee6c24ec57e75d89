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
//!
//! # On an Engine.IO session
//!
//! What comes out of one machine goes into the other, and nobody else need know how it got there:
//!
//! ```
//! use sansocket::engineio::{self, Carrier, Input, Session, Sid, Transmit as Wire};
//! use sansocket::socketio::server::{Config, Connection, Event};
//! use sansocket::socketio::Transmit;
//! use sansocket::time::Instant;
//!
//! let now = Instant::from_micros(0);
//! let mut session = Session::new(engineio::Config::default(), now, Sid::from_entropy([7; 15]), Carrier::WebSocket);
//! session.accept(now);
//! let mut connection = Connection::new(Config::default(), now);
//!
//! let mut turn = |input: Input| {
//!     let mut sent = Vec::new();
//!     let _ = session.handle_input(now, input);
//!     // 1. Messages that the session has received, as long as the connection wants them.
//!     while connection.wants_input() {
//!         match session.poll_event() {
//!             Some(engineio::Event::Message(data)) => drop(connection.handle_data(now, data)), // an error is for the log
//!             Some(engineio::Event::Closed(closed)) => connection.handle_closed(closed.reason.into()),
//!             Some(_) => {}
//!             None => break,
//!         }
//!         // 2. What they mean: here everybody is let in, and every event is sent back.
//!         while let Some(event) = connection.poll_event() {
//!             match event {
//!                 Event::Connect { key, .. } => drop(connection.accept(key, "mZX2gOGWiBCE", None)),
//!                 Event::Event { key, name, args, .. } => drop(connection.emit(key, &name, args)),
//!                 _ => {}
//!             }
//!         }
//!     }
//!     // 3. What is to be sent, as long as the session has room.
//!     while let Some(transmit) = connection.poll_transmit() {
//!         match transmit {
//!             Transmit::Data(data) => match session.send(data) {
//!                 Ok(()) => {}
//!                 Err(engineio::SendError::Full(data)) => {
//!                     connection.put_back(data); // the session will say that it is writable
//!                     break;
//!                 }
//!                 Err(_) => {} // the session has ended, or can never send it
//!             },
//!             Transmit::Close => session.close(now),
//!         }
//!     }
//!     while let Some(Wire::Packet(packet)) = session.poll_transmit(now, Carrier::WebSocket) {
//!         let mut text = Vec::new();
//!         packet.encode(&mut text);
//!         sent.push(String::from_utf8(text).unwrap());
//!     }
//!     // 4. The earlier of `session.poll_timeout()` and `connection.poll_timeout()` is when to call both again.
//!     sent
//! };
//!
//! assert_eq!(turn(Input::WsText("40".into()))[1], r#"40{"sid":"mZX2gOGWiBCE"}"#);
//! assert_eq!(turn(Input::WsText(r#"42["hello",1]"#.into())), [r#"42["hello",1]"#]);
//! ```

mod acks;
mod args;
pub mod client;
mod exchange;
mod json;
mod largest;
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
