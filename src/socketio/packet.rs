//! One Socket.IO packet: what it says, and what it may not say.

mod assembler;
mod text;

use alloc::vec::Vec;

use bytes::Bytes;

use super::args::Args;
use super::json::{Json, JsonError};
use crate::engineio::{Data, Str};
pub use assembler::Assembler;
pub use text::TextParser;

/// The namespace that every client knows.
pub const MAIN_NAMESPACE: &str = "/";

/// One packet of Socket.IO v5, and the namespace it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Begins with `/`. What a client puts behind a `?` belongs to the name, as in the JavaScript reference.
    pub namespace: Str,
    /// What it says.
    pub body: Body,
}

/// What a packet says. Whether it is sent in its binary form (types 5 and 6) follows from the attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `0`: the client joins the namespace, with a JSON object for the server to judge by; the server lets it in, with an
    /// object that holds the socket's id.
    Connect(Option<Json>),
    /// `1`: the sender leaves the namespace, or throws the receiver out.
    Disconnect,
    /// `2` or `5`: an event.
    Event {
        /// Under which number the sender wants an acknowledgement, if it wants one.
        id: Option<u64>,
        /// The event's name.
        name: Str,
        /// What came with it.
        args: Args,
    },
    /// `3` or `6`: acknowledges an event.
    Ack {
        /// The event's number. Without one it acknowledges nothing; JavaScript takes it and ignores it.
        id: Option<u64>,
        /// What came with it.
        args: Args,
    },
    /// `4`: the server refuses the client's CONNECT. A JSON object, or a text.
    ConnectError(Json),
}

/// Names that an event can not have: they mean something to the other implementations.
pub const RESERVED_EVENTS: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// Whether an event can not have this name.
pub fn is_reserved(name: &str) -> bool {
    RESERVED_EVENTS.contains(&name)
}

/// What a packet may cost us. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many attachments a packet may have. 10, as in the JavaScript reference.
    pub max_attachments: usize,
    /// How large a packet may be in all, its attachments included, each of which counts 64 bytes more than it has.
    /// 10,000,000.
    pub max_packet: usize,
    /// How deeply arrays and objects may be nested in its JSON; the array of arguments itself counts. 100. Values nested
    /// more than 127 levels deep can be passed on but not be read by serde.
    pub max_depth: usize,
    /// How long a namespace's name may be. 1,024.
    pub max_namespace: usize,
    /// How long an event's name may be. 1,024.
    pub max_event_name: usize,
    /// How many digits an acknowledgement's number may have. 20; it must also fit into 64 bits.
    pub max_id_digits: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_attachments: 10,
            max_packet: 10_000_000,
            max_depth: 100,
            max_namespace: 1024,
            max_event_name: 1024,
            max_id_digits: 20,
        }
    }
}

/// Why messages are not a packet: the sender's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// Nothing at all.
    #[error("empty packet")]
    Empty,
    /// The type is none that there is.
    #[error("unknown packet type")]
    UnknownType,
    /// How many attachments there will be is not said properly, or there will be none.
    #[error("invalid number of attachments")]
    InvalidAttachments,
    /// More attachments than [`Limits::max_attachments`].
    #[error("too many attachments")]
    TooManyAttachments,
    /// The namespace's name is longer than [`Limits::max_namespace`], or is no text.
    #[error("invalid namespace")]
    InvalidNamespace,
    /// The acknowledgement's number is no whole number, or has more than [`Limits::max_id_digits`] digits or 64 bits.
    #[error("invalid acknowledgement id")]
    InvalidId,
    /// What comes with it is not JSON, is nested too deeply, or is not MessagePack.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// What comes with it is not what a packet of this type has.
    #[error("invalid payload")]
    InvalidPayload,
    /// The event has one of the [`RESERVED_EVENTS`].
    #[error("reserved event name")]
    ReservedEvent,
    /// The event's name is longer than [`Limits::max_event_name`].
    #[error("event name too long")]
    EventNameTooLong,
    /// A placeholder's number is that of no attachment.
    #[error("placeholder of no attachment")]
    InvalidPlaceholder,
    /// Larger than [`Limits::max_packet`].
    #[error("packet too large")]
    TooLarge,
    /// Text came where an attachment was due, or where this parser has no text.
    #[error("unexpected text message")]
    UnexpectedText,
    /// Bytes came where no attachment was due.
    #[error("unexpected binary message")]
    UnexpectedBinary,
}

/// What one message of the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A packet.
    Whole(Packet),
    /// A packet that lacks this many attachments, which come next, as messages of their own.
    Partial(Packet, usize),
    /// An attachment.
    Attachment(Bytes),
}

/// How packets become messages, and messages packets. Both ends of a connection must use the same.
///
/// There are two: [`TEXT`], which everybody speaks, and, with the feature `msgpack`, `MSGPACK`, which speaks with npm
/// `socket.io-msgpack-parser`. A parser keeps nothing between calls: an [`Assembler`] does.
pub trait Parser: core::fmt::Debug + Send + Sync {
    /// Looks at one message.
    ///
    /// # Errors
    /// It is not what a peer may send.
    fn decode(&self, message: Data, limits: &Limits) -> Result<Decoded, PacketError>;

    /// Puts a packet into messages.
    fn encode(&self, packet: &Packet) -> Encoded;
}

/// The parser that everybody speaks: a text message, and a binary one for each attachment.
pub static TEXT: TextParser = TextParser;

/// A packet as messages. Cheap to clone: a broadcast is encoded once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    first: Data,
    attachments: Option<alloc::sync::Arc<[Bytes]>>,
}

impl Encoded {
    /// A packet that is one message, or one message and its attachments.
    pub fn new(first: Data, attachments: Vec<Bytes>) -> Self {
        Self {
            first,
            attachments: (!attachments.is_empty()).then(|| attachments.into()),
        }
    }

    /// How many messages it is.
    pub fn count(&self) -> usize {
        1 + self.attachments().len()
    }

    /// The messages, in their order.
    pub fn messages(&self) -> impl Iterator<Item = Data> + '_ {
        (0..self.count()).filter_map(|index| self.message(index))
    }

    /// How many bytes the messages have in all.
    pub fn size(&self) -> usize {
        self.first.len() + self.attachments().iter().map(Bytes::len).sum::<usize>()
    }

    pub(super) fn message(&self, index: usize) -> Option<Data> {
        match index.checked_sub(1) {
            None => Some(self.first.clone()),
            Some(index) => Some(Data::Binary(self.attachments().get(index)?.clone())),
        }
    }

    fn attachments(&self) -> &[Bytes] {
        self.attachments.as_deref().unwrap_or_default()
    }
}

/// The usual way to write a namespace's name: with a `/` in front.
///
/// # Errors
/// A name with a comma can not be written in a packet.
pub fn namespace_name(name: &str) -> Result<Str, PacketError> {
    if name.contains(',') {
        return Err(PacketError::InvalidNamespace);
    }
    Ok(match name.starts_with('/') {
        true => name.into(),
        false => alloc::format!("/{name}").into(),
    })
}
