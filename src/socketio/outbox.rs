//! Packets that wait for the Engine.IO session to take them.

use alloc::collections::VecDeque;

use super::Encoded;
use crate::engineio::Data;

/// What a packet costs beside its bytes: its place in the queue and the allocation's own book-keeping.
const PACKET_OVERHEAD: usize = 64;

/// A queue that has grown beyond this many places gives them back when it is empty.
const KEPT_PLACES: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    packets: VecDeque<Encoded>,
    /// How many messages of the first packet were taken.
    taken: usize,
    /// A message that was taken and could not be sent.
    put_back: Option<Data>,
    cost: usize,
}

pub(super) fn cost(packet: &Encoded) -> usize {
    packet.size() + packet.count() * PACKET_OVERHEAD
}

impl Outbox {
    pub(super) fn push(&mut self, packet: Encoded) {
        self.cost += cost(&packet);
        self.packets.push_back(packet);
    }

    /// The next message. A packet costs until its last message was taken.
    pub(super) fn pop(&mut self) -> Option<Data> {
        if let Some(data) = self.put_back.take() {
            return Some(data);
        }
        let first = self.packets.front()?;
        let data = first.message(self.taken);
        self.taken += 1;
        if self.taken >= first.count() {
            self.cost -= cost(first);
            self.taken = 0;
            self.packets.pop_front();
            if self.packets.is_empty() && self.packets.capacity() > KEPT_PLACES {
                self.packets = VecDeque::new();
            }
        }
        data
    }

    pub(super) fn put_back(&mut self, data: Data) {
        self.put_back = Some(data);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.put_back.is_none()
    }

    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn messages_leave_in_order_and_can_come_back() {
        let mut outbox = Outbox::default();
        outbox.push(Encoded::new("a".into(), vec![vec![1].into(), vec![2].into()]));
        outbox.push(Encoded::new("b".into(), vec![]));
        assert_eq!(outbox.cost(), 3 + 3 * PACKET_OVERHEAD + 1 + PACKET_OVERHEAD);
        assert_eq!(outbox.pop(), Some("a".into()));
        let second = outbox.pop().unwrap();
        outbox.put_back(second);
        let rest: Vec<_> = core::iter::from_fn(|| outbox.pop()).collect();
        assert_eq!(rest, [vec![1].into(), vec![2].into(), Data::from("b")]);
        assert!(outbox.is_empty());
        assert_eq!(outbox.cost(), 0);
    }
}
