//! What applications hold: a server, a socket for each client, a handle on both. Generic over the [`Runtime`].
//!
//! Each runtime has a module with these types made for it, such as [`tokio::engineio`](crate::tokio::engineio).
//!
//! [`Runtime`]: super::Runtime

mod builder;
mod handle;
mod server;
mod socket;

pub use crate::engineio::SendError as TrySendError;
pub use crate::error::SendError;
pub use crate::wire::Stats;
pub use builder::Builder;
pub use handle::Handle;
pub use server::{Events, Outcome, Server};
pub use socket::{Sender, Socket};
