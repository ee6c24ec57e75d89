//! What a seed means for a client of ours: how it connects, what it sends and takes, and how it leaves.

use sansocket::engineio::Transport;

use super::plan::{Family, MILLI, Plan, SECOND, START};
use super::rng::Rng;

/// How an application of ours leaves its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// `close`, and waits for it.
    Close,
    /// `begin_close`, and takes what still comes.
    BeginClose,
    /// `abort`, and takes what still comes.
    Abort,
    /// Drops the client.
    Drop,
}

/// How it takes what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    Prompt,
    /// With a pause after each.
    Slow {
        pause: u64,
    },
    /// Nothing for a while after so many, then promptly.
    Deaf {
        after: u64,
        pause: u64,
    },
}

#[derive(Clone, Copy, Debug)]
pub struct Reconnecting {
    pub attempts: Option<u32>,
    pub delay: u64,
    pub max_delay: u64,
    /// In hundredths.
    pub jitter: u64,
}

/// A shutdown of the server, from which it comes back.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// After the last one, or the beginning.
    pub after: u64,
    pub grace: u64,
    pub down: u64,
}

impl Restart {
    pub fn any(rng: &mut Rng) -> Self {
        Self {
            after: rng.by_magnitude(16, 25),
            grace: if rng.one_in(3) { 0 } else { rng.by_magnitude(10, 23) },
            down: rng.by_magnitude(1, 23),
        }
    }
}

#[derive(Clone, Debug)]
pub struct ClientScript {
    pub start: u64,
    pub url: &'static str,
    pub transports: Vec<Transport>,
    pub upgrades: bool,
    /// Sends before the session is open.
    pub eager: bool,
    /// How many tasks send, and how many messages each of them.
    pub senders: u64,
    pub messages: u64,
    /// The longest pause between two messages.
    pub spacing: u64,
    pub taking: Taking,
    pub leaving: Leaving,
    /// When it leaves, if it does not wait until everything has arrived.
    pub leaves_at: Option<u64>,
    /// How long it stays after everything has arrived: heartbeats.
    pub lingers: u64,
    pub reconnecting: Option<Reconnecting>,
    pub connect_timeout: u64,
    pub upgrade_timeout: u64,
    pub request_timeout: u64,
    pub close_timeout: u64,
    pub stall_timeout: Option<u64>,
    pub max_queue: usize,
    pub receive_window: usize,
    pub max_packets: usize,
}

impl ClientScript {
    pub fn any(plan: &Plan, rng: &mut Rng) -> Self {
        let climate = plan.family.climate();
        let clean = climate == Family::Clean;
        let (transports, upgrades) = match rng.below(8) {
            0 => (vec![Transport::Polling], true),
            1 => (vec![Transport::WebSocket], true),
            2 => (vec![Transport::Polling, Transport::WebSocket], false),
            3 => (vec![Transport::WebSocket, Transport::Polling], rng.one_in(2)),
            _ => (vec![Transport::Polling, Transport::WebSocket], true),
        };
        // Where they are to be there when the connection is made again.
        let stays = plan.family.restarts() || plan.family == Family::SocketioFaults;
        let reconnecting = match stays {
            true => !rng.one_in(5),
            false => rng.one_in(3),
        };
        let reconnecting = reconnecting.then(|| Reconnecting {
            attempts: (!rng.one_in(3)).then(|| rng.between(0, 8) as u32),
            delay: 500 * MILLI + rng.by_magnitude(10, 21),
            max_delay: SECOND + rng.by_magnitude(10, 23),
            jitter: *rng.pick(&[0, 10, 50]),
        });
        let slow = if climate == Family::Pressure { 2 } else { 6 };
        let taking = match rng.below(2) {
            0 if !clean && rng.one_in(slow) => Taking::Deaf {
                after: rng.by_magnitude(0, 5),
                // A client that reconnects keeps only so many notices for one that does not ask.
                pause: rng.by_magnitude(16, if reconnecting.is_some() { 23 } else { 27 }),
            },
            1 if rng.one_in(slow) => Taking::Slow {
                pause: rng.by_magnitude(0, if clean { 14 } else { 19 }),
            },
            _ => Taking::Prompt,
        };
        let small = plan.repertoire.longest < 1_000;
        let messages = match rng.one_in(16) {
            true => rng.by_magnitude(5, 9),
            false => rng.by_magnitude(0, 6),
        };
        Self {
            start: START + rng.by_magnitude(0, 21),
            url: *rng.pick(&["http://server.sim", "ws://10.0.0.1/", "http://twins.sim:80/engine.io"]),
            transports,
            upgrades,
            eager: rng.one_in(2),
            senders: if rng.one_in(4) { 2 } else { 1 },
            messages,
            spacing: match stays {
                true => *rng.pick(&[2 * MILLI, 100 * MILLI, 1_500 * MILLI]),
                false => *rng.pick(&[0, 0, 2 * MILLI, 100 * MILLI, 1_500 * MILLI]),
            },
            taking,
            leaving: *rng.pick(&[
                Leaving::Close,
                Leaving::BeginClose,
                Leaving::BeginClose,
                Leaving::Abort,
                Leaving::Drop,
            ]),
            leaves_at: rng.one_in(if clean { 5 } else { 3 }).then(|| rng.by_magnitude(8, 25)),
            lingers: match rng.one_in(if stays { 2 } else { 4 }) {
                true => rng.by_magnitude(16, 26),
                false => 0,
            },
            reconnecting,
            connect_timeout: rng.between(if clean { 10 } else { 2 }, 20) * SECOND,
            upgrade_timeout: rng.between(if clean { 10_000 } else { 500 }, 20_000) * MILLI,
            request_timeout: rng.between(if clean { 20 } else { 3 }, 45) * SECOND,
            close_timeout: rng.between(if clean { 4 } else { 1 }, 8) * SECOND,
            stall_timeout: rng.one_in(2).then(|| rng.between(5, 40) * SECOND),
            max_queue: match small && climate == Family::Pressure {
                true => rng.between(300, 8_000) as usize,
                false => 1_000_000,
            },
            receive_window: match climate {
                Family::Pressure => rng.by_magnitude(4, 17) as usize,
                _ => 65_536,
            },
            max_packets: *rng.pick(&[1, 3, 16, 16, 100]),
        }
    }

    /// Whether the application keeps up, so that it learns of everything at once.
    pub fn is_prompt(&self) -> bool {
        self.taking == Taking::Prompt
    }
}
