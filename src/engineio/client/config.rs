//! The limits and the times of a client.

use core::time::Duration;

use smallvec::{SmallVec, smallvec};

use super::super::{Handshake, Transport};

/// The limits and the times of a client. Sizes are bytes.
///
/// How often the server pings, and how long it waits, is the server's to say, in its open packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What a session may be opened on, in the order in which it is tried. Polling, then WebSocket. None at all is the
    /// same as polling alone.
    pub transports: SmallVec<[Transport; 2]>,
    /// Whether a session that polls is moved to a WebSocket, where the server offers it and
    /// [`transports`](Self::transports) names it.
    pub upgrades: bool,
    /// How long it may take until the session is open, all transports together. 20 s.
    pub connect_timeout: Duration,
    /// How long the way from polling to a WebSocket may take. 10 s, and never longer than the server's ping interval and
    /// timeout together: a session that can not be pinged must not hang on a WebSocket that says nothing.
    pub upgrade_timeout: Duration,
    /// How long the server may take to answer a POST. 45 s.
    pub request_timeout: Duration,
    /// How long, once the session is closing, nothing may happen before it is given up. 5 s.
    pub close_timeout: Duration,
    /// How long the application may leave received messages lying, with more of them waiting. `None`: as long as the
    /// server's ping interval and timeout together.
    pub stall_timeout: Option<Duration>,
    /// The largest polling body and WebSocket message that is taken from the server. 64,000,000: servers put all that
    /// waits into one body.
    pub max_payload: usize,
    /// How much may be queued towards the server before [`send`](super::Client::send) refuses. Each message counts its
    /// bytes and a fixed sum for its place in the queue. 4,000,000.
    pub max_queue: usize,
    /// How much may be received and not yet taken by the application before reading stops; one polling body or one
    /// batch of frames may go beyond it. 65,536.
    pub receive_window: usize,
    /// How many packets go into one POST. 16, because Python's server drops a longer one whole.
    pub max_packets_per_request: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            transports: smallvec![Transport::Polling, Transport::WebSocket],
            upgrades: true,
            connect_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(45),
            close_timeout: Duration::from_secs(5),
            stall_timeout: None,
            max_payload: 64_000_000,
            max_queue: 4_000_000,
            receive_window: 65_536,
            max_packets_per_request: 16,
        }
    }
}

/// A deadline is later than the moment that sets it.
pub(super) const SHORTEST: Duration = Duration::from_millis(1);

impl Config {
    pub(super) fn transport(&self, attempt: usize) -> Option<Transport> {
        if self.transports.is_empty() {
            return (attempt == 0).then_some(Transport::Polling);
        }
        self.transports.get(attempt).copied()
    }

    /// Whether a session with this handshake is to be moved to a WebSocket.
    pub(super) fn wants_upgrade(&self, handshake: &Handshake) -> bool {
        let websocket = Transport::WebSocket;
        self.upgrades && self.transports.contains(&websocket) && handshake.upgrades.contains(&websocket)
    }
}
