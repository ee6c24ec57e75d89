//! What applications hold of Socket.IO: a server with its namespaces, and a socket for each client in each of them. Generic
//! over the [`Runtime`].
//!
//! Each runtime has a module with these types made for it, such as `tokio::socketio`.
//!
//! [`Runtime`]: super::Runtime

mod attend;
mod broadcast;
mod builder;
mod connecting;
mod emit;
mod handle;
mod handlers;
mod link;
mod namespace;
mod refused;
mod registry;
mod reply;
mod server;
mod socket;

pub use crate::socketio::server::DisconnectReason;
pub use crate::socketio::{AckError, Args, Binary, EmitError, FromArgs, IntoArgs};
pub use broadcast::Broadcast;
pub use builder::Builder;
pub use connecting::ConnectRequest;
pub use emit::{Call, Emit};
pub use handle::{Handle, Stats};
pub use namespace::Namespace;
pub use refused::Refused;
pub use reply::{Ack, Reply};
pub use server::{Bound, Server};
pub use socket::Socket;
