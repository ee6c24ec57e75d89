//! Pings, pongs and the patience with them.
//!
//! The server of Engine.IO v4 pings, the client answers. A ping goes out every interval whether or not anything else
//! is on its way: JavaScript's client re-arms its watchdog on pings alone. At most one is unanswered at a time, but for
//! the time in which we read nothing: pings go on then, and the pong to the first of them counts.

use core::time::Duration;

use crate::time::Instant;

#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// No session yet, or none any more.
    Off,
    /// Version 3: the client pings, and has this long for the next one.
    Listening { give_up_at: Instant },
    /// Nothing is outstanding until the next ping is due.
    Quiet { ping_at: Instant },
    /// A ping is due or on its way, and the pong with it.
    Awaiting {
        /// When the last ping was due.
        since: Instant,
        give_up_at: Instant,
        /// Some other packet showed life already, which counts once.
        extended: bool,
        /// How many messages had been handed to the transport when the first ping was; `None` while that still waits.
        handed: Option<u64>,
        /// One more ping is due, though the first was not answered.
        again: bool,
    },
}

impl Heartbeat {
    pub(super) fn new(interval: Duration, timeout: Duration) -> Self {
        Self {
            interval,
            // A deadline is later than the moment that sets it.
            timeout: timeout.max(Duration::from_millis(1)),
            state: State::Off,
        }
    }

    /// The session is open: the first ping comes one interval from now.
    pub(super) fn start(&mut self, now: Instant) {
        self.state = State::Quiet {
            ping_at: now + self.interval,
        };
    }

    /// The same where the client pings: the first one is due after one interval too.
    pub(super) fn listen(&mut self, now: Instant) {
        self.state = State::Listening {
            give_up_at: now + self.interval + self.timeout,
        };
    }

    pub(super) fn stop(&mut self) {
        self.state = State::Off;
    }

    /// When something is to be done. While `suspended`, patience does not run out.
    pub(super) fn deadline(&self, suspended: bool) -> Option<Instant> {
        match self.state {
            State::Off => None,
            State::Listening { give_up_at } => (!suspended).then_some(give_up_at),
            State::Quiet { ping_at } => Some(ping_at),
            State::Awaiting { give_up_at, .. } if !suspended => Some(give_up_at),
            State::Awaiting {
                since, handed, again, ..
            } => (handed.is_some() && !again).then_some(since + self.interval),
        }
    }

    /// Makes a ping due; answers whether patience has run out.
    pub(super) fn handle_timeout(&mut self, now: Instant, suspended: bool) -> bool {
        match self.state {
            State::Quiet { ping_at } if ping_at <= now => {
                self.state = State::Awaiting {
                    since: now,
                    give_up_at: now + self.timeout,
                    extended: false,
                    handed: None,
                    again: false,
                };
                false
            }
            State::Awaiting { give_up_at, .. } | State::Listening { give_up_at } if !suspended => give_up_at <= now,
            _ => {
                self.ping_again(now);
                false
            }
        }
    }

    /// Patience is suspended, the client's is not: it wants to see pings.
    fn ping_again(&mut self, now: Instant) {
        match &mut self.state {
            State::Awaiting {
                since,
                handed: Some(_),
                again,
                ..
            } if !*again && *since + self.interval <= now => {
                *since = now;
                *again = true;
            }
            _ => {}
        }
    }

    /// Whether a ping waits to be handed to a transport.
    pub(super) fn wants_ping(&self) -> bool {
        matches!(
            self.state,
            State::Awaiting { handed: None, .. } | State::Awaiting { again: true, .. }
        )
    }

    /// The ping goes out now, behind this many messages.
    pub(super) fn ping_handed(&mut self, behind: u64) {
        if let State::Awaiting { handed, again, .. } = &mut self.state {
            handed.get_or_insert(behind);
            *again = false;
        }
    }

    /// A pong came. Answers how many messages it shows to have arrived; `None` where nobody asked.
    pub(super) fn pong(&mut self) -> Option<u64> {
        match self.state {
            State::Awaiting {
                since,
                handed: Some(handed),
                ..
            } => {
                self.state = State::Quiet {
                    ping_at: since + self.interval,
                };
                Some(handed)
            }
            _ => None,
        }
    }

    /// Some packet came: the peer lives, though its pong may be late. Counts once per ping, so that a peer which
    /// sends but never answers is found out.
    pub(super) fn sign_of_life(&mut self, now: Instant) {
        match &mut self.state {
            State::Awaiting {
                give_up_at, extended, ..
            } if !*extended => {
                *extended = true;
                *give_up_at = now + self.timeout;
            }
            State::Listening { give_up_at } => *give_up_at = now + self.interval + self.timeout,
            _ => {}
        }
    }

    /// The pong could not have come through until now: patience begins anew.
    pub(super) fn resume(&mut self, now: Instant) {
        match &mut self.state {
            State::Awaiting { give_up_at, .. } => *give_up_at = now + self.timeout,
            State::Listening { give_up_at } => *give_up_at = now + self.interval + self.timeout,
            State::Off | State::Quiet { .. } => {}
        }
    }
}
