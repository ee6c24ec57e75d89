//! Whoever drives the client: streams are connected, written to, dropped, and read from.

use super::*;

impl World {
    pub(super) fn drive_all(&mut self) {
        for id in StreamId::ALL {
            self.connect(id);
            self.connected(id);
            self.write(id, usize::MAX);
        }
    }

    pub(super) fn lane(&mut self, id: StreamId) -> &mut Lane {
        &mut self.lanes[id as usize]
    }

    pub(super) fn server(&mut self, id: StreamId) -> Option<&mut Server> {
        match self.lane(id) {
            Lane::Open(server) => Some(server),
            Lane::None | Lane::Connecting => None,
        }
    }

    /// Begins to connect, where that is wanted.
    pub(super) fn connect(&mut self, id: StreamId) {
        if self.connection.poll_connect(self.now, id) {
            assert!(self.connection.wants_stream(id));
            assert!(!self.connection.poll_connect(self.now, id), "it asks once");
            *self.lane(id) = Lane::Connecting;
        }
    }

    pub(super) fn connected(&mut self, id: StreamId) {
        if matches!(self.lane(id), Lane::Connecting) {
            *self.lane(id) = Lane::Open(Box::new(Server::new()));
            self.connection.handle_connected(self.now, id);
        }
    }

    /// Writes at most so many times, and drops the stream if it has no use any more.
    pub(super) fn write(&mut self, id: StreamId, times: usize) {
        let mut out = Vec::new();
        for turn in 0..times {
            if !matches!(self.lane(id), Lane::Open(_)) {
                break;
            }
            assert!(turn < 1000, "output without end");
            self.connection.poll_transmit(self.now, id, &mut out);
            if out.is_empty() {
                break;
            }
            self.connection.handle_written(self.now);
            self.reads(id, &out);
            out.clear();
        }
        if !self.connection.wants_stream(id) || self.connection.is_finished() {
            *self.lane(id) = Lane::None;
        }
    }

    pub(super) fn connect_fails(&mut self, id: StreamId) {
        if matches!(self.lane(id), Lane::Connecting) {
            *self.lane(id) = Lane::None;
            let error = io::ErrorKind::ConnectionRefused.into();
            self.connection.handle_connect_failed(self.now, id, error);
        }
    }

    pub(super) fn breaks(&mut self, id: StreamId) {
        if matches!(self.lane(id), Lane::Open(_)) {
            *self.lane(id) = Lane::None;
            let error = io::ErrorKind::ConnectionReset.into();
            self.connection.handle_failure(self.now, id, error);
        }
    }

    pub(super) fn timeout(&mut self) {
        self.connection.handle_timeout(self.now);
        assert!(
            self.connection
                .poll_timeout()
                .is_none_or(|deadline| deadline > self.now)
        );
    }

    pub(super) fn deadline(&mut self) {
        if let Some(deadline) = self.connection.poll_timeout() {
            self.now = self.now.max(deadline);
            self.timeout();
        }
    }

    pub(super) fn read_all(&mut self, detail: u8) {
        let most = if detail & 3 == 3 {
            1 + usize::from(detail >> 2)
        } else {
            usize::MAX
        };
        for id in StreamId::ALL {
            // Nothing that the server has to say is longer than this, byte by byte.
            for _ in 0..3 * LARGEST {
                if self.server(id).is_none_or(|server| server.output.is_empty()) || !self.connection.wants_input(id) {
                    break;
                }
                self.read(id, most);
            }
        }
    }

    /// The client reads so many bytes of what came, or the end.
    pub(super) fn read(&mut self, id: StreamId, most: usize) {
        if !self.connection.wants_input(id) {
            return;
        }
        let mut bytes = Vec::new();
        let mut ends = false;
        while bytes.len() < most && !ends {
            let Some(server) = self.server(id) else { break };
            let Some(unit) = server.output.front_mut() else { break };
            if !bytes.is_empty() && !unit.joins {
                break;
            }
            let left = &unit.bytes[unit.at..];
            let part = &left[..left.len().min(most - bytes.len())];
            bytes.extend_from_slice(part);
            unit.at += part.len();
            let whole = unit.at == unit.bytes.len();
            ends = whole && unit.ends && bytes.is_empty();
            let joins = unit.joins;
            if ends || (whole && !unit.ends) {
                let unit = server.output.pop_front().expect("it is there");
                self.settles(id, unit);
            }
            if !joins {
                break;
            }
        }
        self.received += bytes.len();
        if ends {
            *self.lane(id) = Lane::None;
            self.connection.handle_end(self.now, id);
        } else {
            self.connection.handle_input(self.now, id, &bytes);
        }
    }

    /// Something is about to have come as a whole: what does it mean to the client?
    pub(super) fn settles(&mut self, id: StreamId, unit: Unit) {
        let machine = self.connection.look();
        let (phase, transport) = (machine.phase(), machine.transport());
        let counts = match (id, phase) {
            (StreamId::Push, _) | (_, Phase::Closed) => false,
            (StreamId::Poll, Phase::Accepting) => unit.opens,
            (StreamId::Poll, _) => !unit.opens,
            (StreamId::WebSocket, Phase::Accepting) => false,
            (StreamId::WebSocket, _) => transport == Transport::WebSocket,
        };
        if counts {
            self.said.extend(unit.says);
        }
        if unit.confirms && phase != Phase::Closed {
            self.confirmed = self.carried.len();
        }
    }

    /// The server hangs up.
    pub(super) fn ends(&mut self, id: StreamId) {
        if matches!(self.lane(id), Lane::Open(_)) {
            *self.lane(id) = Lane::None;
            self.connection.handle_end(self.now, id);
        }
    }
}
