//! How large a message may be that the Engine.IO session takes.

use super::{Args, Body, Encoded, Packet, Parser};
use crate::engineio::{Data, Str};

/// The largest messages that can be sent. A packet of which one message is larger must not be begun: the peer would wait for
/// the rest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Largest {
    pub(super) text: usize,
    pub(super) binary: usize,
}

impl Largest {
    /// Whether all messages of a packet can be sent.
    pub(super) fn takes(self, packet: &Encoded) -> bool {
        packet.messages().all(|message| match message {
            Data::Text(text) => text.len() <= self.text,
            Data::Binary(bytes) => bytes.len() <= self.binary,
        })
    }

    /// Whether an event or an acknowledgement could be sent. Only what may be too large is encoded to find out.
    pub(super) fn takes_body(self, parser: &dyn Parser, namespace: &Str, name: Option<&str>, args: &Args) -> bool {
        let size = args.cost() + name.map_or(0, str::len) + namespace.len() + 64;
        // Neither escapes nor MessagePack make anything larger than this.
        if size.saturating_mul(6) <= self.text.min(self.binary) {
            return true;
        }
        let (id, args) = (Some(u64::MAX), args.clone());
        let body = match name {
            Some(name) => Body::Event {
                id,
                name: name.into(),
                args,
            },
            None => Body::Ack { id, args },
        };
        let namespace = namespace.clone();
        self.takes(&parser.encode(&Packet { namespace, body }))
    }
}
