use core::time::Duration;

use super::super::{Limits, Parser, TEXT};

/// The limits and the times of a client. Sizes are bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How packets become messages: the server's must be the same. [`TEXT`].
    pub parser: &'static dyn Parser,
    /// What one packet may cost.
    pub limits: Limits,
    /// After how long without an answer to a CONNECT [`Event::ConnectTimeout`](super::Event::ConnectTimeout) says so. 20 s.
    pub connect_timeout: Duration,
    /// How long to wait for the next attachment of a packet. 60 s.
    pub assembly_timeout: Duration,
    /// How long to wait for an acknowledgement where nothing else was said, and for that of one try. 60 s.
    pub ack_timeout: Duration,
    /// How often an event of [`emit_with_retries`](super::Client::emit_with_retries) is sent again. 3.
    pub retries: u32,
    /// How many acknowledgements may be waited for. 10,000.
    pub max_pending_acks: usize,
    /// How much may be queued on a connection before emits are refused; what goes beyond is one packet. 4,000,000.
    pub max_queue: usize,
    /// How much may wait, for all sockets together, while they are not connected. 4,000,000.
    pub max_offline: usize,
    /// What happens to an event that finds no room there.
    pub when_full: WhenFull,
    /// How much a server may send to a socket before it answers its CONNECT. 65,536.
    pub max_early: usize,
    /// How much may be received and not yet taken as events before [`wants_input`](super::Client::wants_input) says no.
    /// One packet may go beyond. 65,536.
    pub receive_window: usize,
}

/// What happens to an event that is emitted while its socket is not connected and too much waits already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// It is refused.
    #[default]
    Refuse,
    /// The oldest events of the socket make room for it: [`Event::Unsent`](super::Event::Unsent) gives them back.
    DropOldest,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            parser: &TEXT,
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(20),
            assembly_timeout: Duration::from_secs(60),
            ack_timeout: Duration::from_secs(60),
            retries: 3,
            max_pending_acks: 10_000,
            max_queue: 4_000_000,
            max_offline: 4_000_000,
            when_full: WhenFull::Refuse,
            max_early: 65_536,
            receive_window: 65_536,
        }
    }
}
