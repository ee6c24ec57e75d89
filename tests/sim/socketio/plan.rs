//! What a seed means for Socket.IO, beside what it means for the clients and the server below it.

use crate::plan::{Family, MILLI, Plan, SECOND};
use crate::rng::{Rng, mix};

use super::content::{Kind, Origin};

/// Both ends of one world.
#[derive(Clone, Debug)]
pub struct Script {
    pub msgpack: bool,
    /// How many handlers of one client run at once.
    pub concurrency: usize,
    pub server_ack_timeout: u64,
    pub client_ack_timeout: u64,
    pub server_connect_timeout: u64,
    pub retries: u32,
    pub server_queue: usize,
    pub client_queue: usize,
    pub offline: usize,
    pub drop_oldest: bool,
    pub window: usize,
}

impl Script {
    pub fn new(plan: &Plan) -> Self {
        let mut rng = Rng::new(mix(plan.seed, 0x50c7e7));
        let rng = &mut rng;
        let small = plan.family == Family::SocketioPressure;
        Self {
            msgpack: rng.one_in(4),
            concurrency: *rng.pick(&[1, 2, 64]),
            server_ack_timeout: rng.between(1, 60) * SECOND,
            client_ack_timeout: rng.between(1, 60) * SECOND,
            server_connect_timeout: rng.between(20, 60) * SECOND,
            retries: rng.between(0, 4) as u32,
            server_queue: if small {
                rng.by_magnitude(9, 14) as usize + 200
            } else {
                4_000_000
            },
            client_queue: if small {
                rng.by_magnitude(9, 14) as usize + 200
            } else {
                4_000_000
            },
            offline: match rng.one_in(4) {
                true => rng.by_magnitude(8, 14) as usize,
                false => 4_000_000,
            },
            drop_oldest: rng.one_in(2),
            window: if small {
                rng.by_magnitude(4, 16) as usize
            } else {
                65_536
            },
        }
    }
}

/// What the receiver of an event that wants an acknowledgement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Now,
    After(u64),
    Never,
    /// Its handler panics, which costs the connection.
    Panic,
}

pub fn answer(plan: &Plan, origin: Origin, index: u64) -> Answer {
    let mut rng = Rng::new(mix(plan.seed ^ 0xa5, mix(origin.0, index)));
    let clean = plan.family == Family::SocketioClean;
    match rng.below(100) {
        0..60 => Answer::Now,
        60..85 => Answer::After(rng.by_magnitude(0, 21)),
        85 if !clean => Answer::Panic,
        _ => Answer::Never,
    }
}

/// What becomes of a client that wants to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Accept,
    AcceptAfter(u64),
    Refuse,
    Panic,
}

pub fn admission(plan: &Plan, request: u64) -> Admission {
    let mut rng = Rng::new(mix(plan.seed ^ 0xad1, request));
    let clean = plan.family == Family::SocketioClean;
    let pause = rng.by_magnitude(0, if clean { 20 } else { 25 });
    match rng.below(40) {
        0..26 => Admission::Accept,
        26..36 => Admission::AcceptAfter(pause),
        36 if !clean => Admission::Panic,
        _ => Admission::Refuse,
    }
}

/// What the server's application says to a socket.
#[derive(Clone, Copy, Debug)]
pub struct Speech {
    pub count: u64,
    pub spacing: u64,
    /// Throws the client out after so many; with its connection.
    pub throws_out: Option<(u64, bool)>,
}

pub fn speech(plan: &Plan, number: u64) -> Speech {
    let mut rng = Rng::new(mix(plan.seed ^ 0x5bee, number));
    Speech {
        count: rng.by_magnitude(0, 5),
        spacing: *rng.pick(&[0, 2 * MILLI, 100 * MILLI, 1_500 * MILLI]),
        throws_out: rng.one_in(8).then(|| (rng.by_magnitude(0, 4), rng.one_in(2))),
    }
}

/// How the `index`-th event of somebody is emitted.
pub fn kind(rng: &mut Rng, client: bool) -> Kind {
    match rng.below(10) {
        0..5 => Kind::Plain,
        5 | 6 => Kind::Call,
        7 if client => Kind::Numbered,
        8 if client => Kind::Retried,
        9 => Kind::Volatile,
        _ => Kind::Plain,
    }
}
