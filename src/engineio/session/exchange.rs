//! What a session is told, and what it answers: the words between it and whoever carries its packets.

use core::fmt;

use bytes::Bytes;

use super::super::{Closed, Data, ErrorCode, Packet, PacketError, Refusal, Str};

/// One HTTP request of a session, named by whoever reads requests. Never used twice in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReqId(pub u64);

/// What carries packets between the two ends: one HTTP request, or the WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// The HTTP request of this name.
    Request(ReqId),
    /// The session's WebSocket.
    WebSocket,
}

/// Something happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// A GET for this session: the client waits for packets.
    Get(ReqId),
    /// A POST for this session, with its whole body.
    Post(ReqId, Bytes),
    /// The same where the body is said to be binary, which only clients of version 3 send.
    PostBinary(ReqId, Bytes),
    /// The request's connection ended before its response was taken with [`Session::poll_transmit`](super::Session::poll_transmit).
    Gone(ReqId),
    /// The request's connection ended after its response was taken, before all of it was written. Say it of a
    /// [`Payload`](Answer::Payload) and of [`Received`](Answer::Received) only: errors may get lost.
    Failed(ReqId),
    /// A WebSocket wants to be opened for a session that polls. Refuse it (with the numbered error 3) where this
    /// returns an error.
    WsOpen,
    /// A text frame, whole.
    WsText(Str),
    /// A binary frame, whole.
    WsBinary(Bytes),
    /// The WebSocket ended: in order, or its TCP connection did. Must be told once for each WebSocket that opened.
    WsClosed,
    /// The WebSocket broke: a reset, a frame that is none, a message that is too large. Instead of `WsClosed`.
    WsFailed,
}

/// Something is to be done by whoever carries packets.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Transmit {
    /// Answer the request.
    Response {
        /// Which one.
        req: ReqId,
        /// With what.
        answer: Answer,
    },
    /// Send this packet in one WebSocket frame: a binary one where [`Packet::as_binary`] has the bytes, else a text
    /// frame of its text form.
    Packet(Packet),
    /// Do not open the WebSocket: answer its HTTP request with this.
    Refuse(Refusal),
    /// Send a WebSocket close frame and let the WebSocket end. Nothing follows on it.
    Close,
}

/// The answer to an HTTP request of a session.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// 200, with packets (`text/plain; charset=UTF-8`): the answer to a GET.
    Payload(Bytes),
    /// 200 `ok`: the answer to a POST.
    Received,
    /// The application does not want the connection.
    Refused(Refusal),
    /// One of the protocol's numbered errors.
    Error(ErrorCode),
}

/// Says how much is in a payload, and not what: the first one holds the session's id.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payload(body) => write!(f, "Payload({} bytes)", body.len()),
            Self::Received => f.write_str("Received"),
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
            Self::Error(code) => f.debug_tuple("Error").field(code).finish(),
        }
    }
}

/// Something the application should know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The client sent this.
    Message(Data),
    /// The session has moved from polling to its WebSocket.
    Upgraded,
    /// After a [`send`](super::Session::send) that was refused for a full queue: there is room again.
    Writable,
    /// The session is over. Comes once, after everything else.
    Closed(Closed),
}

/// A message that could not be sent, given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The queue is full at the moment; [`Event::Writable`] tells when to try again.
    #[error("the session's queue is full")]
    Full(Data),
    /// The session is closing or closed.
    #[error("the session is closed")]
    Closed(Data),
    /// Larger than the whole queue may ever hold ([`Config::max_queue`](super::super::Config::max_queue)), or, on a client,
    /// than the server takes: trying again can not help.
    #[error("the message is larger than the session's queue, or than the server takes")]
    TooLarge(Data),
}

impl SendError {
    /// The message.
    pub fn data(&self) -> &Data {
        match self {
            Self::Full(data) | Self::Closed(data) | Self::TooLarge(data) => data,
        }
    }

    /// The message, taken out.
    pub fn into_data(self) -> Data {
        match self {
            Self::Full(data) | Self::Closed(data) | Self::TooLarge(data) => data,
        }
    }
}

/// What the peer did wrong. The machine has already drawn the consequences; this is for logs and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// What came is not a packet, or a body holds something that is none.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// A packet that this peer does not send, or not at this point.
    #[error("a packet that does not belong at this point")]
    UnexpectedPacket,
    /// A second GET while one waits, or a second POST while one is held.
    #[error("two requests of the same kind at a time")]
    Overlap,
    /// A request for a session that is on its WebSocket, or not open.
    #[error("a request that the session can not serve at this point")]
    UnexpectedRequest,
    /// A WebSocket where none can be had: there is one already, or upgrades are switched off.
    #[error("a WebSocket that the session can not take at this point")]
    UnexpectedWebSocket,
    /// A WebSocket frame that is not the probe, or not the upgrade that must follow it.
    #[error("the WebSocket did not probe and upgrade in order")]
    BadProbe,
}
