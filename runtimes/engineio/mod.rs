//! What applications hold: a server, a socket for each client, a handle on both; and a client. Generic over the [`Runtime`].
//!
//! Each runtime has a module with these types made for it, such as `tokio::engineio`.
//!
//! [`Runtime`]: super::Runtime

mod builder;
mod client;
mod events;
mod fallback;
mod handle;
mod server;
mod socket;

pub use crate::Backoff;
pub use crate::engineio::SendError as TrySendError;
pub use crate::error::{SendError, TryRecvError};
pub use crate::wire::Stats;
pub use crate::wire::client::{ConnectError, ErrorKind};
pub use builder::Builder;
pub(crate) use builder::os_entropy;
pub(in crate::runtime) use client::Parts;
pub use client::{Client, ClientBuilder, ClientEvent, ClientHandlers, ClientSender};
pub use events::Events;
pub use fallback::{Answering, Fallback, FilesOr};
pub use handle::{Handle, SessionInfo};
#[cfg(feature = "tower")]
pub(in crate::runtime) use server::Hosted;
pub use server::{Outcome, Server};
pub use socket::{Sender, Socket};
