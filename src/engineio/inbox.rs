//! What was received and not yet taken by the application.
//!
//! Polling bodies are kept whole and decoded as events are taken: a megabyte of tiny packets must not become a million
//! queued events.

use alloc::collections::VecDeque;

use super::payload::Packets;
use super::{Data, v3};

/// What a message costs beside its bytes: its place in the queue and the allocation's own book-keeping.
const MESSAGE_OVERHEAD: usize = 64;

/// A queue that has grown beyond this many places gives them back when it is empty.
const KEPT_PLACES: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    entries: VecDeque<Entry>,
    cost: usize,
    /// Nobody will ask: what comes is dropped.
    discarding: bool,
}

#[derive(Debug)]
enum Entry {
    Message(Data),
    /// Looked through already: it is valid, and may hold packets that are no messages.
    Body(Body),
}

/// A polling body.
#[derive(Debug)]
pub(super) enum Body {
    V3(v3::Packets),
    V4(Packets),
}

impl Body {
    fn remaining(&self) -> usize {
        match self {
            Self::V3(packets) => packets.remaining(),
            Self::V4(packets) => packets.remaining(),
        }
    }

    fn next_message(&mut self) -> Option<Data> {
        match self {
            Self::V3(packets) => packets.next_message(),
            Self::V4(packets) => packets.next_message(),
        }
    }
}

impl Inbox {
    pub(super) fn push_message(&mut self, data: Data) {
        if !self.discarding {
            self.cost += data.len() + MESSAGE_OVERHEAD;
            self.entries.push_back(Entry::Message(data));
        }
    }

    pub(super) fn push_body(&mut self, packets: Body) {
        if !self.discarding {
            self.cost += packets.remaining() + MESSAGE_OVERHEAD;
            self.entries.push_back(Entry::Body(packets));
        }
    }

    /// The next message.
    pub(super) fn pop(&mut self) -> Option<Data> {
        loop {
            match self.entries.front_mut()? {
                Entry::Body(packets) => {
                    let before = packets.remaining();
                    let message = packets.next_message();
                    self.cost -= before - packets.remaining();
                    match message {
                        Some(data) => return Some(data),
                        None => self.drop_front(),
                    }
                }
                Entry::Message(_) => {
                    let Some(Entry::Message(data)) = self.entries.pop_front() else {
                        unreachable!("the front was just seen to be a message");
                    };
                    self.cost -= data.len() + MESSAGE_OVERHEAD;
                    self.shrink();
                    return Some(data);
                }
            }
        }
    }

    fn drop_front(&mut self) {
        if let Some(Entry::Body(packets)) = self.entries.pop_front() {
            self.cost -= packets.remaining() + MESSAGE_OVERHEAD;
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        if self.entries.is_empty() && self.entries.capacity() > KEPT_PLACES {
            self.entries = VecDeque::new();
        }
    }

    /// Whether something may be left for [`pop`](Self::pop).
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    pub(super) fn discard(&mut self) {
        self.discarding = true;
        self.entries = VecDeque::new();
        self.cost = 0;
    }

    pub(super) fn assert_invariants(&self) {
        assert!(!self.entries.is_empty() || self.cost == 0);
        assert!(!self.discarding || self.entries.is_empty());
    }
}
