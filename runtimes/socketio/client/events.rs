//! What happens to a client, for those who want to see all of it.

use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;
use std::string::String;
use std::sync::Arc;

use super::shared::Shared;
use super::{ClientSocket, Refused};
use crate::engineio::{CloseReason, Sid, Transport};
use crate::socketio::client::DisconnectReason;
use crate::socketio::{AckError, AckToken, Args};
use crate::wire::client::ConnectError;

/// Something that a client's application may want to know.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// An Engine.IO session is open; sockets are about to join their namespaces.
    Opened {
        /// On what it was opened.
        transport: Transport,
        /// The session's id: a secret between this client and the server, and none of the sockets'.
        sid: Sid,
    },
    /// The session has moved from polling to its WebSocket.
    Upgraded,
    /// The session could not be moved to a WebSocket. It goes on with polling, and nothing was lost.
    UpgradeFailed(ConnectError),
    /// The server let a socket in.
    Connect {
        /// The socket.
        socket: ClientSocket,
        /// The id that the server knows it by.
        sid: String,
        /// The server has kept its rooms and its data over a lost connection, and sends what it has missed.
        recovered: bool,
    },
    /// The server does not let a socket in. The last event of this socket.
    ConnectError {
        /// The socket.
        socket: ClientSocket,
        /// What the server says.
        refused: Refused,
    },
    /// The server has not answered in time. The last event of this socket.
    ConnectTimeout {
        /// The socket.
        socket: ClientSocket,
    },
    /// The server emitted an event.
    Event {
        /// The socket.
        socket: ClientSocket,
        /// The event's name.
        name: String,
        /// What came with it.
        args: Args,
        /// The right to acknowledge it, by [`ClientSocket::ack`], if the server wants that.
        ack: Option<AckToken>,
    },
    /// The server acknowledged an event of [`ClientSocket::emit_with_ack`].
    Ack {
        /// The socket.
        socket: ClientSocket,
        /// The number that the emit gave.
        id: u64,
        /// What came with it, or why it will not come.
        result: Result<Args, AckError>,
    },
    /// An event will not be sent, and is given back: its socket ended, or its connection broke before it was handed over.
    Unsent {
        /// The socket.
        socket: ClientSocket,
        /// The event's name.
        name: String,
        /// What would have come with it.
        args: Args,
        /// It is larger than the server takes.
        too_large: bool,
    },
    /// A socket that was connected is not any more. Unless the reason is [final](DisconnectReason::is_final), it joins again
    /// with the next connection, if there is one.
    Disconnect {
        /// The socket.
        socket: ClientSocket,
        /// Why.
        reason: DisconnectReason,
    },
    /// The Engine.IO session that was open is over.
    Closed {
        /// Why.
        reason: CloseReason,
        /// What carried it in the end: also where it has moved while it was being closed, which is not told otherwise.
        transport: Transport,
        /// How many messages were handed to a transport that has confirmed nothing. On a WebSocket nothing is ever confirmed.
        in_doubt: usize,
        /// What went wrong, where something did.
        error: Option<Arc<ConnectError>>,
    },
    /// No session could be opened.
    Failed(Arc<ConnectError>),
    /// The client is about to try again.
    Reconnecting {
        /// The how many-th time in a row, from 1.
        attempt: u32,
        /// How long it waits before.
        delay: Duration,
    },
}

/// All that happens to a client that has no handlers, in its order.
///
/// What is not taken is kept up to some 4 MB; then the server is made to wait, and [`call`](ClientSocket::call)s with it.
#[derive(Debug)]
pub struct ClientEvents {
    pub(super) shared: Arc<Shared>,
}

impl ClientEvents {
    /// The client's span, for handlers that are called elsewhere.
    #[cfg(all(feature = "blocking", unix))]
    pub(in crate::runtime) fn scope(&self) -> crate::runtime::log::Scope {
        self.shared.scope.clone()
    }

    /// The next thing that happens; `None` after the last one. Cancel-safe.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next thing that happens, for futures written by hand.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.shared.poll_stream(cx)
    }
}

impl Drop for ClientEvents {
    /// Nobody takes events any more: they are not kept either.
    fn drop(&mut self) {
        self.shared.with(|state| state.end_stream());
    }
}
