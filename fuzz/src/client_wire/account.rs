//! What must hold.

use super::*;

impl World {
    pub(super) fn check(&mut self) {
        let machine = self.connection.look();
        if let (Some(closed), None) = (machine.closed(), self.closed) {
            let sent = machine.sent() as usize;
            let arrived = sent - closed.in_doubt;
            assert!(arrived <= self.carried.len(), "what was never written has not arrived");
            assert!(
                self.wild || arrived == self.confirmed,
                "{arrived} arrived, not {}",
                self.confirmed
            );
            self.closed = Some(closed);
        }
        assert_eq!(machine.closed(), self.closed);
        assert!(machine.sent() as usize >= self.carried.len());
        assert_eq!(self.connection.is_finished(), self.connection.poll_timeout().is_none());
        if !self.wild {
            let said: usize = self.said.iter().map(Data::len).sum();
            assert!(said <= self.config.receive_window + LARGEST, "{said} bytes wait");
        }
    }

    /// What its machine holds is no more than what it was given: all of that is in the `Debug` text, where a byte is five
    /// characters at most. (The lanes do not show theirs, for the sake of logs; the crate's own tests look at them.)
    pub(super) fn check_memory(&self) {
        let mut text = Length(0);
        write!(text, "{:?}", self.connection).expect("lengths can be added");
        let held = 3 * self.config.max_payload + self.config.max_queue + self.config.receive_window + LARGEST;
        let most = 5 * (held + self.received) + 40_000;
        assert!(text.0 <= most, "{} characters, of {most}", text.0);
    }

    /// The server falls silent; everybody on this side does what is asked.
    pub(super) fn finish(&mut self) {
        self.check_memory();
        for _ in 0..200 {
            self.drive_all();
            self.check();
            self.take_events();
            if self.connection.is_finished() {
                break;
            }
            self.deadline();
            self.check();
        }
        assert!(self.connection.is_finished(), "it never ends");
        self.take_events();
        assert!(self.closed_reported, "nobody was told of the end");
        for id in StreamId::ALL {
            assert!(!self.connection.poll_connect(self.now, id));
            let mut out = Vec::new();
            self.connection.poll_transmit(self.now, id, &mut out);
            assert!(out.is_empty(), "{id:?} has something to say behind the end");
        }
        self.balance();
        self.check_memory();
    }

    /// Each message that was accepted was handed to a transport, or came back.
    pub(super) fn balance(&mut self) {
        let closed = self.closed.expect("it is closed");
        let sent = self.connection.look().sent();
        let unsent: Vec<u64> = self
            .connection
            .machine()
            .take_unsent()
            .map(|data| number(&data))
            .collect();
        assert_eq!(unsent.len(), closed.unsent);
        let last = self.carried.last().copied();
        assert!(
            unsent.first() > last.as_ref() || unsent.is_empty(),
            "{unsent:?} behind {last:?}"
        );
        assert!(unsent.is_sorted());
        assert!(
            unsent
                .iter()
                .chain(&self.carried)
                .all(|number| !self.returned.contains(number))
        );
        let all = sent + unsent.len() as u64 + self.returned.len() as u64;
        assert_eq!(all, self.accepted, "what was accepted went somewhere");
        assert!(!self.take_event());
    }
}

/// Counts characters.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// What is printed must not drive a terminal.
pub(super) fn plain(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// The number that a message of the client's begins with.
pub(super) fn number(data: &Data) -> u64 {
    let bytes = match data {
        Data::Text(text) => text.as_bytes(),
        Data::Binary(bytes) => bytes,
    };
    let digits: String = bytes
        .iter()
        .map(|&byte| char::from(byte))
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().expect("each message begins with its number")
}
