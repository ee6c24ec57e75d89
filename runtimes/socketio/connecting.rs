//! A client that wants to join a namespace.

use core::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_core::de::DeserializeOwned;

use super::emit::Emit;
use super::socket::{Membership, SocketCore};
use crate::http::Request;
use crate::socketio::{DecodeError, IntoArgs, Json};

/// A client that wants to join a namespace, for the connect handler to say yes or no to. A cheap clone.
#[derive(Clone)]
pub struct ConnectRequest {
    pub(super) socket: Arc<SocketCore>,
    pub(super) auth: Option<Json>,
}

impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it sent to be judged by belongs into no log.
        f.debug_struct("ConnectRequest")
            .field("id", &self.socket.id)
            .field("namespace", &self.socket.namespace.name)
            .finish_non_exhaustive()
    }
}

impl ConnectRequest {
    /// What the client has sent to be judged by. Where it has sent nothing, that is an empty object.
    ///
    /// # Errors
    /// It is of another shape. With `?`, the client is refused with `invalid auth`.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        match &self.auth {
            Some(auth) => auth.parse(),
            None => Json::new("{}").expect("an object is JSON").parse(),
        }
    }

    /// The same as JSON: an object, if there is one.
    pub fn auth_json(&self) -> Option<&Json> {
        self.auth.as_ref()
    }

    /// The id that the socket will have.
    pub fn id(&self) -> &str {
        &self.socket.id
    }

    /// The namespace that it wants to join.
    pub fn namespace(&self) -> &str {
        &self.socket.namespace.name
    }

    /// The HTTP request that opened the connection. `None` where the server was told to keep none.
    pub fn request(&self) -> Option<&Request> {
        self.socket.link.request.as_deref()
    }

    /// Whether the client was away for a moment, and what was kept of it is still there: see
    /// [`Builder::recovery`](super::Builder::recovery). Such a client is only asked about where
    /// [that is wanted](super::Builder::recovery_skips_middleware).
    pub fn recovered(&self) -> bool {
        self.socket.recovered.load(Ordering::Relaxed)
    }

    /// The room that the socket will be in once it is accepted.
    pub fn join(&self, room: impl AsRef<str>) {
        if let Membership::Waiting(rooms) = &mut *self.socket.membership() {
            rooms.push(room.as_ref().into());
        }
    }

    /// Emits an event which the client gets once it is accepted, before all others; never, where it is refused.
    ///
    /// # Errors
    /// As those of [`Socket::emit`](super::Socket::emit).
    pub fn emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Emit {
        Emit::one(self.socket.clone(), event, args.to_args())
    }
}
