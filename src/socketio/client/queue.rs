//! What waits to be sent on a client. Events become packets as late as they can: what was not begun when a connection is
//! lost goes out on the next.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::super::largest::Largest;
use super::super::{Args, Body, Encoded, Key, Packet, Parser};
use crate::engineio::{Data, Str};

/// What an event costs beside its name and its arguments: its place in the queue and the allocation's own book-keeping.
const EMIT_OVERHEAD: usize = 128;

/// A queue that has grown beyond this many places gives them back when it is empty.
const KEPT_PLACES: usize = 32;

/// An event that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Emit {
    pub(super) key: Key,
    pub(super) id: Option<u64>,
    pub(super) name: Str,
    pub(super) args: Args,
    /// Somebody else keeps it for the case that it is lost.
    pub(super) retried: bool,
    /// Nobody keeps it: it goes out at once or not at all.
    pub(super) volatile: bool,
}

impl Emit {
    pub(super) fn cost(&self) -> usize {
        self.name.len() + self.args.cost() + EMIT_OVERHEAD
    }
}

#[derive(Debug)]
enum Item {
    Packet(Packet),
    Emit(Str, Emit),
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    /// The packet that was last taken from, as long as something of it is left or may come back.
    begun: Option<Begun>,
    /// A message that was taken and could not be sent; others of its packet were.
    put_back: Option<Data>,
    cost: usize,
}

/// What was next in the queue.
pub(super) enum Popped {
    Data(Data),
    /// Something that can not be sent. If it is an event, it is given back.
    TooLarge(Option<Emit>),
}

#[derive(Debug)]
struct Begun {
    item: Item,
    packet: Encoded,
    /// How many messages were taken.
    taken: usize,
}

impl Begun {
    fn is_over(&self) -> bool {
        self.taken >= self.packet.count()
    }
}

fn packet_cost(packet: &Packet) -> usize {
    EMIT_OVERHEAD
        + match &packet.body {
            Body::Connect(Some(json)) | Body::ConnectError(json) => json.as_str().len(),
            Body::Connect(None) | Body::Disconnect => 0,
            Body::Event { args, .. } | Body::Ack { args, .. } => args.cost(),
        }
}

impl Item {
    fn encode(&self, parser: &dyn Parser) -> Encoded {
        match self {
            Self::Packet(packet) => parser.encode(packet),
            Self::Emit(namespace, Emit { id, name, args, .. }) => parser.encode(&Packet {
                namespace: namespace.clone(),
                body: Body::Event {
                    id: *id,
                    name: name.clone(),
                    args: args.clone(),
                },
            }),
        }
    }

    fn cost(&self) -> usize {
        match self {
            Self::Packet(packet) => packet_cost(packet),
            Self::Emit(_, emit) => emit.cost(),
        }
    }
}

impl Queue {
    pub(super) fn push(&mut self, packet: Packet) {
        self.push_item(Item::Packet(packet));
    }

    pub(super) fn push_emit(&mut self, namespace: Str, emit: Emit) {
        self.push_item(Item::Emit(namespace, emit));
    }

    fn push_item(&mut self, item: Item) {
        self.cost += item.cost();
        self.items.push_back(item);
    }

    pub(super) fn pop(&mut self, parser: &dyn Parser, largest: Largest) -> Option<Popped> {
        if let Some(data) = self.put_back.take() {
            return Some(Popped::Data(data));
        }
        if self.begun.as_ref().is_none_or(Begun::is_over) {
            self.begun = None;
            let item = self.items.pop_front()?;
            self.cost -= item.cost();
            if self.items.is_empty() && self.items.capacity() > KEPT_PLACES {
                self.items = VecDeque::new();
            }
            let packet = item.encode(parser);
            if !largest.takes(&packet) {
                return Some(Popped::TooLarge(match item {
                    Item::Emit(_, emit) => Some(emit),
                    Item::Packet(_) => None,
                }));
            }
            self.begun = Some(Begun { item, packet, taken: 0 });
        }
        let begun = self.begun.as_mut()?;
        let data = begun.packet.message(begun.taken)?;
        begun.taken += 1;
        Some(Popped::Data(data))
    }

    pub(super) fn put_back(&mut self, data: Data) {
        match self.begun.take_if(|begun| begun.taken == 1) {
            // Nothing of it was sent.
            Some(Begun { item, .. }) => {
                self.cost += item.cost();
                self.items.push_front(item);
            }
            None => self.put_back = Some(data),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.begun.as_ref().is_none_or(Begun::is_over) && self.put_back.is_none()
    }

    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// Whether the event of this number has not been begun.
    pub(super) fn has_emit(&self, key: Key, id: u64) -> bool {
        self.items
            .iter()
            .any(|item| matches!(item, Item::Emit(_, emit) if emit.key == key && emit.id == Some(id)))
    }

    /// The namespace is lost: nothing more goes to it, and events that were not begun are handed out, in their order.
    pub(super) fn take_of(&mut self, key: Key, namespace: &str) -> Vec<Emit> {
        let mut taken = Vec::new();
        for item in core::mem::take(&mut self.items) {
            match item {
                Item::Emit(_, emit) if emit.key == key => {
                    self.cost -= emit.cost();
                    taken.push(emit);
                }
                Item::Packet(packet) if &packet.namespace[..] == namespace => self.cost -= packet_cost(&packet),
                item => self.items.push_back(item),
            }
        }
        taken
    }

    /// The connection is lost: nothing of it is left, but events that were not begun are handed out, in their order.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Emit> + use<> {
        core::mem::take(self).items.into_iter().filter_map(|item| match item {
            Item::Emit(_, emit) => Some(emit),
            Item::Packet(_) => None,
        })
    }
}
