//! Socket.IO, as applications hold it. Generic over the [`Runtime`](super::Runtime); each runtime has a module with these
//! types made for it, such as `tokio::socketio`.

pub mod client;
mod reply;

pub use reply::{Ack, Reply};
