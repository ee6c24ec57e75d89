//! What waits to be sent, and what was sent without a sign that it arrived.

use alloc::collections::VecDeque;

use super::{Data, SendError};

/// What a message costs beside its bytes: its place in the queue and the allocation's own book-keeping.
const MESSAGE_OVERHEAD: usize = 64;

/// A queue that has grown beyond this many places gives them back when it is empty.
const KEPT_PLACES: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    messages: VecDeque<Data>,
    cost: usize,
    /// What messages cost that were handed over and have not left: they may come back, so their room is kept.
    waiting: usize,
    /// Messages handed to a transport, and those of them that have certainly arrived.
    handed: u64,
    confirmed: u64,
    /// A send was refused, and nobody was told of room since: what the smallest of those messages costs.
    refused: Option<usize>,
}

fn cost(data: &Data) -> usize {
    data.len() + MESSAGE_OVERHEAD
}

impl Outbox {
    pub(super) fn push(&mut self, data: Data, max: usize) -> Result<(), SendError> {
        let cost = cost(&data);
        if cost > max {
            return Err(SendError::TooLarge(data));
        }
        if self.cost + self.waiting + cost > max {
            self.refused = Some(self.refused.map_or(cost, |least| least.min(cost)));
            return Err(SendError::Full(data));
        }
        self.cost += cost;
        self.messages.push_back(data);
        Ok(())
    }

    /// The next message; it counts as handed to the transport.
    pub(super) fn hand_over(&mut self) -> Option<Data> {
        let data = self.take()?;
        self.handed += 1;
        Some(data)
    }

    /// The next message, left where it is.
    pub(super) fn peek(&self) -> Option<&Data> {
        self.messages.front()
    }

    /// The next message, for giving it back.
    pub(super) fn take(&mut self) -> Option<Data> {
        let data = self.messages.pop_front()?;
        self.cost -= cost(&data);
        if self.messages.is_empty() && self.messages.capacity() > KEPT_PLACES {
            self.messages = VecDeque::new();
        }
        Some(data)
    }

    /// Keeps the room of messages that were handed over last, and have not left.
    pub(super) fn keep_room<'a>(&mut self, messages: impl Iterator<Item = &'a Data>) {
        self.waiting = messages.map(cost).sum();
    }

    /// They have left.
    pub(super) fn give_up_room(&mut self) {
        self.waiting = 0;
    }

    /// Puts messages back, in front of all others: those that were handed over last, and have not left.
    pub(super) fn take_back(&mut self, messages: impl DoubleEndedIterator<Item = Data>) {
        self.waiting = 0;
        for data in messages.rev() {
            self.handed -= 1;
            self.cost += cost(&data);
            self.messages.push_front(data);
        }
    }

    /// Queues what another queue of this size has held, whether or not there is room: it was taken once.
    pub(super) fn take_over(&mut self, data: Data) {
        self.cost += cost(&data);
        self.messages.push_back(data);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether a refused send may be tried again: half of the queue is free, and what was refused fits. (Not "any room":
    /// a sender would be woken for each message, to fill the one place it left.)
    pub(super) fn has_room_again(&self, max: usize) -> bool {
        let taken = self.cost + self.waiting;
        let fits = |least| taken <= max / 2 && taken + least <= max;
        self.refused.is_some_and(fits)
    }

    /// Whether a send was refused and no room has been reported since.
    pub(super) fn is_blocked(&self) -> bool {
        self.refused.is_some()
    }

    pub(super) fn room_reported(&mut self) {
        self.refused = None;
    }

    pub(super) fn handed(&self) -> u64 {
        self.handed
    }

    /// Everything handed over so far has arrived.
    pub(super) fn confirm_all(&mut self) {
        self.confirmed = self.handed;
    }

    /// The first `count` messages have arrived.
    pub(super) fn confirm(&mut self, count: u64) {
        self.confirmed = self.confirmed.max(count.min(self.handed));
    }

    pub(super) fn in_doubt(&self) -> usize {
        usize::try_from(self.handed - self.confirmed).unwrap_or(usize::MAX)
    }

    pub(super) fn assert_invariants(&self, max: usize) {
        assert!(self.confirmed <= self.handed);
        assert!(self.cost + self.waiting <= max, "the queue has outgrown its limit");
        if self.messages.len() <= KEPT_PLACES {
            assert_eq!(self.cost, self.messages.iter().map(cost).sum::<usize>());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// A message of this cost.
    fn message(cost: usize) -> Data {
        vec![0; cost - MESSAGE_OVERHEAD].into()
    }

    #[test]
    fn room_is_reported_once_what_was_refused_fits() {
        let mut outbox = Outbox::default();
        for cost in [100, 200, 300, 100] {
            outbox.push(message(cost), 1000).expect("there is room");
        }
        assert!(matches!(outbox.push(message(980), 1000), Err(SendError::Full(_))));
        assert!(matches!(outbox.push(message(920), 1000), Err(SendError::Full(_))));
        // Half of the queue is free at 400 and at 100, and the smaller of the two would have to be refused again.
        for room in [false, false, false, true] {
            outbox.hand_over().expect("four messages wait");
            assert_eq!(outbox.has_room_again(1000), room);
        }
        outbox.room_reported();
        assert!(!outbox.has_room_again(1000));
    }

    #[test]
    fn no_room_is_reported_for_each_message() {
        let mut outbox = Outbox::default();
        while outbox.push(message(100), 1000).is_ok() {}
        let mut rooms = vec![];
        while outbox.hand_over().is_some() {
            rooms.push(outbox.has_room_again(1000));
        }
        assert_eq!(rooms, [false, false, false, false, true, true, true, true, true, true]);
    }
}
