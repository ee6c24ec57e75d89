//! The limits and the times of a session.

use core::time::Duration;

/// The limits and the times of a session. Sizes are bytes.
///
/// ```
/// use core::time::Duration;
/// use sansocket::engineio::Config;
///
/// let mut config = Config::default();
/// config.ping_interval = Duration::from_secs(10);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How often a ping is sent. 25 s; at least 1 ms.
    pub ping_interval: Duration,
    /// Added to the *announced* ping interval only, so that a client waits a little longer for a ping that is late.
    /// None by default.
    pub ping_interval_grace: Duration,
    /// How long to wait for the pong. 20 s.
    pub ping_timeout: Duration,
    /// How long a WebSocket may take from its opening to the upgrade packet. 10 s.
    pub upgrade_timeout: Duration,
    /// How long the application may take to accept or refuse. 30 s.
    pub accept_timeout: Duration,
    /// How long to wait for the peer once a session is closing: for the poll that fetches the rest, for the end of
    /// the WebSocket. 30 s.
    pub close_timeout: Duration,
    /// How long the application may leave received messages lying, with more of them waiting. `None`: as long as
    /// `ping_interval + ping_timeout`.
    pub stall_timeout: Option<Duration>,
    /// The largest polling body and WebSocket message that is taken; announced to the client. 1,000,000.
    pub max_payload: usize,
    /// How much may be queued towards the client before [`send`](super::Session::send) refuses. Each message counts
    /// its bytes and a fixed sum for its place in the queue. 4,000,000.
    pub max_queue: usize,
    /// How much may be received and not yet taken by the application before reading stops; one polling body or one
    /// batch of frames may go beyond it. 65,536.
    pub receive_window: usize,
    /// How many packets go into one polling response. 16, because the Python clients drop a longer one whole; no
    /// limit is put on what *they* send.
    pub max_packets_per_response: usize,
    /// After how many bytes a polling response takes no further packet. 1,000,000.
    pub max_response: usize,
    /// Whether a polling session may move to a WebSocket.
    pub upgrades: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_interval_grace: Duration::ZERO,
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            accept_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(30),
            stall_timeout: None,
            max_payload: 1_000_000,
            max_queue: 4_000_000,
            receive_window: 65_536,
            max_packets_per_response: 16,
            max_response: 1_000_000,
            upgrades: true,
        }
    }
}

impl Config {
    /// The interval, never so short that a session would do nothing but ping.
    pub(crate) fn ping_every(&self) -> Duration {
        self.ping_interval.max(Duration::from_millis(1))
    }

    /// What the client is told.
    pub(crate) fn announced_interval(&self) -> Duration {
        self.ping_every().saturating_add(self.ping_interval_grace)
    }

    pub(crate) fn stall_after(&self) -> Duration {
        self.stall_timeout
            .unwrap_or(self.ping_interval.saturating_add(self.ping_timeout))
            .max(Duration::from_millis(1))
    }
}
