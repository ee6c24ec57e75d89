//! What a client is told, and what it asks for: the words between it and whoever makes its requests.

use bytes::Bytes;

use super::super::{Closed, Data, Packet, ReqId, Str, Transport};

/// Something happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// The request was answered with success (a status of 200 to 299), and this is the whole body.
    Response(ReqId, Bytes),
    /// The request was answered with another status.
    Refused(ReqId),
    /// The request could not be made, or its answer did not come whole or was none.
    Failed(ReqId),
    /// The WebSocket that was asked for is open.
    WsOpen,
    /// The WebSocket that was asked for was refused, by the server or somebody in between. Nothing follows on it.
    WsRefused,
    /// A text frame, whole.
    WsText(Str),
    /// A binary frame, whole.
    WsBinary(Bytes),
    /// The WebSocket ended: in order, or its TCP connection did. Must be told once for each WebSocket that was asked for,
    /// unless one of its neighbours was.
    WsClosed,
    /// The WebSocket could not be opened, or broke: a reset, a frame that is none, a message that is too large. Instead
    /// of `WsClosed`.
    WsFailed,
}

/// A request that the client wants to be made. Its answer goes back in by [`Input`].
///
/// A client has at most one of each kind under way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// A GET over polling, with the [session's id](super::Client::sid) if there is one. The server may take its time.
    Get(ReqId),
    /// A POST with this body and the session's id.
    Post(ReqId, Bytes),
    /// A WebSocket, with the session's id if there is one.
    WebSocket,
}

/// Something is to be done on the WebSocket.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Transmit {
    /// Send this packet in one frame: a binary one where [`Packet::as_binary`] has the bytes, else a text frame of its
    /// text form.
    Packet(Packet),
    /// Send a close frame, or stop opening the WebSocket where it is not open yet. Nothing follows on it.
    Close,
}

/// Something the application should know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The session is open, on this transport. Comes once, before everything but a `Closed` of a session that never was.
    Opened(Transport),
    /// The server sent this.
    Message(Data),
    /// The session has moved from polling to its WebSocket.
    Upgraded,
    /// The session could not be moved to a WebSocket. It goes on with polling, and nothing was lost.
    UpgradeFailed,
    /// This message is larger than the server takes, which was not known when it was sent; it is given back. The session
    /// goes on.
    TooLarge(Data),
    /// After a [`send`](super::Client::send) that was refused for a full queue: there is room again.
    Writable,
    /// The session is over, or could not be opened. Comes once, after everything else.
    Closed(Closed),
}
