//! What the application does, and what it is told.

use super::*;

impl World {
    pub(super) fn command(&mut self, detail: u8) {
        match detail % 16 {
            0 | 1 => self.connection.machine().close(self.now),
            2 => self.connection.machine().abort(self.now),
            3 => {
                self.connection.machine().discard_input();
                // Whatever is said from here on is nobody's business.
                self.wild = true;
            }
            4 => _ = self.connection.take_cookies(),
            5 => self.connection.machine().handle_beginning(self.now),
            _ => self.timeout(),
        }
    }

    pub(super) fn send(&mut self, detail: u8) {
        let length = usize::from(detail / 4);
        let text = format!("{}{:.<length$}", self.accepted, "");
        let data = if detail & 4 != 0 {
            Data::from(text.into_bytes())
        } else {
            Data::from(text)
        };
        match self.connection.machine().send(data.clone()) {
            Ok(()) => self.accepted += 1,
            Err(error) => assert_eq!(error.into_data(), data),
        }
    }

    pub(super) fn take_events(&mut self) {
        let mut count = 0;
        while self.take_event() {
            count += 1;
            assert!(count < 10_000, "events without end");
        }
    }

    pub(super) fn take_event(&mut self) -> bool {
        let Some(event) = self.connection.poll_event() else {
            return false;
        };
        assert!(!self.closed_reported, "{event:?} after the end");
        match event {
            Event::Opened(_) => {
                assert!(!self.opened, "opened twice");
                self.opened = true;
            }
            Event::Message(data) => {
                assert!(self.opened);
                if !self.wild {
                    assert_eq!(Some(data), self.said.pop_front());
                }
            }
            Event::UpgradeFailed => {
                let error = self.connection.take_upgrade_error();
                plain(&error.to_string());
            }
            Event::TooLarge(data) => {
                assert!(self.returned.insert(number(&data)), "{data:?} came back twice");
            }
            Event::Closed(closed) => {
                assert!(self.wild || self.said.is_empty(), "the end came before {:?}", self.said);
                let error = self.connection.take_error();
                if let Some(error) = &error {
                    plain(&error.to_string());
                }
                let meant = closed.reason == CloseReason::ClientDisconnect;
                assert!(self.opened || meant || error.is_some(), "nobody knows why");
                self.closed_reported = true;
            }
            _ => {}
        }
        true
    }
}
