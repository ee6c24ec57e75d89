use core::time::Duration;

use super::super::{Limits, Parser, TEXT};

/// The limits and the times of a connection, on the server. Sizes are bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How packets become messages. [`TEXT`].
    pub parser: &'static dyn Parser,
    /// What one packet may cost.
    pub limits: Limits,
    /// How long a connection may be without a connected socket, from its beginning and from when the last one went.
    /// The time that the application takes to accept counts. 45 s.
    pub connect_timeout: Duration,
    /// How long to wait for the next attachment of a packet. 60 s.
    pub assembly_timeout: Duration,
    /// How long to wait for an acknowledgement where nothing else was said. 60 s.
    pub ack_timeout: Duration,
    /// How many namespaces one connection may have, those that wait to be accepted included. 100.
    pub max_namespaces: usize,
    /// How many acknowledgements may be waited for from one connection. 10,000.
    pub max_pending_acks: usize,
    /// How much may be queued towards the client before emits are refused; what goes beyond is one packet. Each of its
    /// messages counts its bytes and a fixed sum. 4,000,000.
    pub max_queue: usize,
    /// The largest message that the Engine.IO session takes; a packet with a larger one is refused as a whole. To be less
    /// than the session's [`max_queue`](crate::engineio::Config::max_queue), by 64 at least. 3,999,900.
    pub max_message: usize,
    /// How much may be received and not yet taken as events before [`wants_input`](super::Connection::wants_input) says
    /// no. One packet may go beyond. 65,536.
    pub receive_window: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            parser: &TEXT,
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(45),
            assembly_timeout: Duration::from_secs(60),
            ack_timeout: Duration::from_secs(60),
            max_namespaces: 100,
            max_pending_acks: 10_000,
            max_queue: 4_000_000,
            max_message: 3_999_900,
            receive_window: 65_536,
        }
    }
}
