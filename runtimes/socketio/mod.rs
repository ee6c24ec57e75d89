//! What applications hold of Socket.IO: a server with its namespaces, and a socket for each client in each of them. Generic
//! over the [`Runtime`].
//!
//! Each runtime has a module with these types made for it, such as `tokio::socketio`.
//!
#![cfg_attr(feature = "tokio", doc = "```no_run")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//!
//! use sansocket::Error;
//! use sansocket::tokio::socketio::{Ack, Binary, Refused, Server, Socket};
//!
//! struct User {
//!     name: String,
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> sansocket::Result<()> {
//! let io = Server::new();
//! let chat = io.of("/").on_connect(|request| async move {
//!     let auth: BTreeMap<String, String> = request.auth()?; // what does not fit refuses the client
//!     let name = auth.get("name").ok_or_else(|| Refused::new("who are you?").data(&7))?;
//!     request.join("users");
//!     Ok(User { name: name.clone() }) // socket.data(), everywhere below
//! });
//! chat.on("say", |socket, (room, text): (String, String)| async move {
//!     socket.to(&room).emit("said", &(&socket.data().name, text)).await
//! });
//! chat.on("add", |_, (a, b): (i64, i64)| async move { Ack(a + b) });
//! chat.on("upload", |_, (name, file): (String, Binary)| async move { Ack((name, file.len())) });
//! chat.on("double", |socket, ()| async move {
//!     let n: i64 = socket.call("number", &()).timeout(Duration::from_secs(5)).await?;
//!     Ok::<_, Error>(Ack(n * 2))
//! });
//! chat.on_any(|socket, event, args| async move { println!("{event} {} from {}", args.json(), socket.id()) });
//! chat.on_disconnect(|socket, reason| async move { println!("{} left {:?}: {reason}", socket.id(), socket.rooms()) });
//!
//! let news = chat.clone();
//! tokio::spawn(async move { news.to("news").except("muted").emit("headline", &("…",)).await });
//! io.bind("127.0.0.1:3000").await?.serve().await
//! # }
//! ```
//!
//! [`Runtime`]: super::Runtime

mod attend;
mod broadcast;
mod builder;
pub mod client;
mod connecting;
mod emit;
mod gather;
mod handle;
mod handlers;
mod intercept;
mod link;
mod memory;
mod namespace;
mod pattern;
mod refused;
mod registry;
mod reply;
mod server;
mod socket;

pub use crate::socketio::server::DisconnectReason;
pub use crate::socketio::{AckError, Args, Binary, EmitError, FromArgs, IntoArgs, RecoveryConfig};
pub use broadcast::Broadcast;
pub use builder::Builder;
pub use connecting::ConnectRequest;
pub use emit::{Call, Emit};
pub use gather::CallAll;
pub use handle::{Handle, Stats};
pub use intercept::Passage;
pub use namespace::Namespace;
pub use refused::Refused;
pub use reply::{Ack, Reply};
pub use server::{Bound, Server};
pub use socket::Socket;
