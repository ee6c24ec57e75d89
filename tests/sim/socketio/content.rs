//! What is emitted. Both ends know it from who emits it and the how many-th it is.

use sansocket::socketio::{Args, Binary};

use crate::plan::Plan;
use crate::rng::{Rng, mix};

/// The namespaces that let clients in.
pub const NAMESPACES: [&str; 3] = ["/", "/a", "/b"];
/// One that lets nobody in, and says why.
pub const CLOSED: &str = "/closed";
/// One that does not exist.
pub const NOWHERE: &str = "/nowhere";

/// How something is emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// With an acknowledgement that a future waits for.
    Call,
    /// With an acknowledgement that an event tells of.
    Numbered,
    Volatile,
    /// Until it is acknowledged.
    Retried,
}

impl Kind {
    pub fn event(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Call | Self::Numbered => "ask",
            Self::Volatile => "volatile",
            Self::Retried => "retried",
        }
    }
}

/// Who emits: one namespace of a client over all its connections, a server's socket, or a namespace to many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(pub u64);

impl Origin {
    pub fn client(client: usize, namespace: usize) -> Self {
        Self((client * NAMESPACES.len() + namespace) as u64)
    }

    pub fn broadcast(namespace: usize) -> Self {
        Self(1_000 + namespace as u64)
    }

    pub fn socket(number: u64) -> Self {
        Self(10_000 + number)
    }
}

/// The arguments of an event, typed.
pub type Values = (u64, u64, String, Vec<Binary>);

pub fn values(plan: &Plan, origin: Origin, index: u64) -> Values {
    let mut rng = Rng::new(mix(plan.seed ^ 0x50c, mix(origin.0, index)));
    let longest = plan.repertoire.longest;
    let length = match rng.one_in(20) {
        true => rng.below(longest),
        false => rng.by_magnitude(0, 7),
    };
    // What has to be escaped is in it too.
    let text = (0..length)
        .map(|at| ['a', '"', 'ü', '\\', '\n', '7'][(at + index) as usize % 6])
        .collect();
    let files = match rng.below(4) {
        0 => rng.between(1, 3),
        _ => 0,
    };
    let files = (0..files).map(|_| {
        let mut bytes = vec![0; rng.by_magnitude(0, 9) as usize];
        rng.fill(&mut bytes);
        Binary::from(bytes)
    });
    (origin.0, index, text, files.collect())
}

pub fn args(plan: &Plan, origin: Origin, index: u64) -> Args {
    Args::encode(&values(plan, origin, index)).expect("it has a JSON form")
}

/// No message of this event is larger than that, on any transport.
pub fn largest(plan: &Plan, origin: Origin, index: u64) -> usize {
    let (_, _, text, files) = values(plan, origin, index);
    // Every character escaped; placeholders; the names. As MessagePack, everything is one message.
    let head = 2 * text.len() + 100 * files.len() + 200;
    (head + files.iter().map(|file| file.len()).sum::<usize>()) * 4 / 3 + 4
}

/// What acknowledges an event.
pub fn answer(origin: Origin, index: u64) -> (u64, u64) {
    (index, origin.0)
}
