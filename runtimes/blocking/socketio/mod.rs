//! Socket.IO on plain threads: what applications hold. Nothing here is async.
//!
//! Handlers may block: they have threads of their own. The handlers of one client run one after the other, in the order of
//! its events, unless [`Builder::concurrency`] allows more. Acknowledgements are taken in beside them, so a handler may wait
//! for an answer of its own client.

mod broadcast;
mod client;
mod namespace;
mod server;
mod socket;

pub use crate::Backoff;
pub use crate::runtime::socketio::client::{
    AckToken, CallError, ConnectFailed, DisconnectReason as ClientDisconnectReason, EmitFailed, NamespaceError,
    ReceiveError, Refused as ConnectRefused, WhenFull,
};
pub use crate::runtime::socketio::{
    Ack, AckError, Args, Binary, DisconnectReason, EmitError, FromArgs, IntoArgs, Passage, RecoveryConfig, Refused,
    Reply, Stats,
};
pub use broadcast::Broadcast;
pub use client::{Client, ClientBuilder, ClientSocket, Received, SimpleClient};
pub use namespace::{ConnectRequest, Namespace};
pub use server::{Bound, Builder, Handle, Server};
pub use socket::Socket;
