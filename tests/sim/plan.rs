//! What a seed means: the weather, the server's configuration, the peers and what everybody is going to do.

use std::time::Duration;

use super::client_plan::{ClientScript, Restart};
use super::content::Repertoire;
use super::mischief::Mischief;
use super::network::{Fault, Weather};
use super::rng::{Rng, mix};
use super::runtime::Pace;

pub const MILLI: u64 = 1_000;
pub const SECOND: u64 = 1_000_000;

/// Nothing is asked of the server before it listens.
pub const START: u64 = 20 * MILLI;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Nothing fails: everything must arrive.
    Clean,
    /// The network fails.
    Faults,
    /// Peers that break every rule, beside ones that keep them.
    Malicious,
    /// The server is shut down in the middle of it all.
    Shutdown,
    /// Slow handlers and slow readers.
    Pressure,
    /// Our own client against our own server; nothing fails.
    BothClean,
    /// The same on a network that fails.
    BothFaults,
    /// The same, with slow applications at either end.
    BothPressure,
    /// The same, and the server is shut down and comes back.
    BothRestarts,
    /// Socket.IO, both ends ours; nothing fails.
    SocketioClean,
    /// The same on a network that fails.
    SocketioFaults,
    /// The same, with slow applications at either end and little room.
    SocketioPressure,
    /// The same, and the server is shut down and comes back.
    SocketioRestarts,
}

impl Family {
    /// The name of its test.
    pub fn test(self) -> &'static str {
        match self {
            Self::Clean => "clean_network",
            Self::Faults => "faulty_network",
            Self::Malicious => "malicious_peers",
            Self::Shutdown => "shutdown_in_the_middle",
            Self::Pressure => "slow_handlers_and_readers",
            Self::BothClean => "both_ends_clean_network",
            Self::BothFaults => "both_ends_faulty_network",
            Self::BothPressure => "both_ends_slow_applications",
            Self::BothRestarts => "both_ends_restarts",
            Self::SocketioClean => "socketio_clean_network",
            Self::SocketioFaults => "socketio_faulty_network",
            Self::SocketioPressure => "socketio_slow_applications",
            Self::SocketioRestarts => "socketio_restarts",
        }
    }

    /// Whether the clients are this library's own.
    pub fn is_both(self) -> bool {
        self.climate() != self
    }

    /// Whether Socket.IO runs on both ends.
    pub fn is_socketio(self) -> bool {
        matches!(
            self,
            Self::SocketioClean | Self::SocketioFaults | Self::SocketioPressure | Self::SocketioRestarts
        )
    }

    /// Whether the server is shut down and comes back.
    pub fn restarts(self) -> bool {
        matches!(self, Self::BothRestarts | Self::SocketioRestarts)
    }

    /// The family of scripted peers whose conditions these worlds share.
    pub fn climate(self) -> Self {
        match self {
            Self::BothClean | Self::SocketioClean => Self::Clean,
            Self::BothFaults | Self::SocketioFaults => Self::Faults,
            Self::BothPressure | Self::SocketioPressure => Self::Pressure,
            Self::BothRestarts | Self::SocketioRestarts => Self::Shutdown,
            other => other,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Polling,
    WebSocket,
    /// Polling first, and a probe after so many microseconds.
    Upgrade {
        after: u64,
    },
}

/// How an honest peer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a close packet.
    Packet,
    /// With the WebSocket's close; a polling peer sends the packet.
    Frame,
    /// By closing its connections without a word.
    Drop,
    /// Its machine loses power.
    Vanish,
}

#[derive(Clone, Debug)]
pub struct Script {
    pub start: u64,
    pub carrier: Carrier,
    pub messages: u64,
    /// The longest pause between two messages.
    pub spacing: u64,
    /// Packets in one POST at most.
    pub batch: usize,
    /// Chunks of a POST's body; 0 for a Content-Length.
    pub chunks: usize,
    /// HTTP connections are used again.
    pub keep: bool,
    pub ending: Ending,
    /// When it leaves, if it does not wait until everything has arrived.
    pub leaves_at: Option<u64>,
    /// How long it stays after everything has arrived: heartbeats.
    pub lingers: u64,
    /// After how many messages it stops reading, and for how long.
    pub dozes: Option<(u64, u64)>,
    pub mischief: Option<Mischief>,
}

/// What the server's application does with one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Echo,
    /// Sends so many of its own, from a task of its own, while it takes what comes.
    Push {
        count: u64,
        spacing: u64,
    },
    /// Echoes, after a while.
    Slow {
        pause: u64,
    },
    /// Echoes so many and returns.
    CloseAfter {
        count: u64,
    },
    /// Takes nothing for so long, then everything, and answers nothing.
    Deaf {
        pause: u64,
    },
    PanicAfter {
        count: u64,
    },
    FailAfter {
        count: u64,
    },
}

/// What happens to a session before it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Accept,
    AcceptAfter(u64),
    Refuse,
    RefuseAfter(u64),
    Panic,
    /// The connect handler never answers.
    Never,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub family: Family,
    pub weather: Weather,
    pub pace: Pace,
    pub ping_interval: u64,
    pub ping_timeout: u64,
    pub upgrade_timeout: u64,
    pub accept_timeout: u64,
    pub close_timeout: u64,
    pub stall_timeout: u64,
    pub max_payload: usize,
    pub max_queue: usize,
    pub repertoire: Repertoire,
    pub peers: Vec<Script>,
    /// When the server is shut down, and the grace that it gives.
    pub shutdown: Option<(u64, u64)>,
    /// Clients of this library.
    pub clients: Vec<ClientScript>,
    /// When the server is shut down and begins again.
    pub restarts: Vec<Restart>,
    /// How much the server takes before reading stops; the default where there is none.
    pub receive_window: Option<usize>,
}

impl Plan {
    pub fn new(family: Family, seed: u64) -> Self {
        let mut rng = Rng::new(mix(seed, family as u64));
        let rng = &mut rng;
        let (scripted, family_of_all) = (!family.is_both(), family);
        let family = family.climate();
        let weather = weather(family, rng);
        let ping_interval = rng.between(2, 25) * SECOND;
        let ping_timeout = rng.between(4, 20) * SECOND;
        let longest = match family {
            Family::Pressure if rng.one_in(2) => 200,
            _ if rng.one_in(24) => 50_000,
            _ => 12_000,
        };
        let honest = rng.between(1, 3);
        let guests = if scripted { honest } else { 0 };
        let mut peers: Vec<_> = (0..guests).map(|_| script(family, rng, None)).collect();
        if family == Family::Malicious {
            for _ in 0..rng.between(1, 3) {
                let mischief = Mischief::any(rng);
                peers.push(script(family, rng, Some(mischief)));
            }
        }
        let shutdown = (scripted && family == Family::Shutdown).then(|| {
            let at = START + rng.by_magnitude(12, 24);
            (at, if rng.one_in(8) { 0 } else { rng.by_magnitude(10, 25) })
        });
        let plan = Self {
            seed,
            family: family_of_all,
            weather,
            pace: Pace {
                lateness: rng.between(0, 1_500),
                tardiness: if rng.one_in(2) { rng.between(8, 64) } else { 0 },
            },
            ping_interval,
            ping_timeout,
            // Also longer than the patience with pings.
            upgrade_timeout: rng.between(SECOND, 2 * ping_timeout),
            accept_timeout: rng.between(5, 20) * SECOND,
            close_timeout: rng.between(2, 20) * SECOND,
            stall_timeout: rng.between(5, 40) * SECOND,
            max_payload: if longest > 20_000 { 100_000 } else { 30_000 },
            max_queue: if longest < 1_000 {
                rng.between(1_100, 8_000)
            } else {
                1_000_000
            } as usize,
            repertoire: Repertoire { longest },
            peers,
            shutdown,
            clients: Vec::new(),
            restarts: Vec::new(),
            receive_window: None,
        };
        match scripted {
            true => plan,
            false => plan.for_both(honest, rng),
        }
    }

    /// Clients of ours instead of scripted peers.
    fn for_both(mut self, clients: u64, rng: &mut Rng) -> Self {
        let climate = self.family.climate();
        if climate == Family::Clean {
            // Nothing that is only slow may look like a failure.
            self.upgrade_timeout = self.upgrade_timeout.max(10 * SECOND);
        }
        if rng.one_in(6) {
            // Above the limit there is something too.
            self.max_payload = rng.between(600, 6_000) as usize;
        }
        if climate == Family::Pressure {
            self.receive_window = Some(rng.by_magnitude(4, 17) as usize);
        }
        if self.family.restarts() {
            let count = rng.between(1, 3);
            self.restarts = (0..count).map(|_| Restart::any(rng)).collect();
        }
        self.clients = (0..clients).map(|_| ClientScript::any(&self, rng)).collect();
        self
    }

    /// What the application does with the session that has this key.
    pub fn behaviour(&self, key: u64) -> Behaviour {
        let mut rng = Rng::new(mix(self.seed ^ 0xb0b, key));
        let count = rng.by_magnitude(0, 6);
        let spacing = rng.by_magnitude(0, 19);
        let kind = match self.family.climate() {
            Family::Clean => rng.below(9),
            Family::Pressure => *rng.pick(&[0, 3, 6, 7, 7, 9, 9]),
            _ => rng.below(12),
        };
        match kind {
            0..=2 => Behaviour::Echo,
            3..=5 => Behaviour::Push { count, spacing },
            6 => Behaviour::CloseAfter { count },
            7 if self.family.climate() == Family::Pressure => {
                let pause = rng.by_magnitude(10, 22);
                Behaviour::Slow { pause }
            }
            7 => Behaviour::Slow {
                pause: rng.by_magnitude(0, 15),
            },
            8 => Behaviour::Echo,
            9 => Behaviour::Deaf {
                pause: rng.by_magnitude(16, 27),
            },
            10 => Behaviour::PanicAfter { count },
            _ => Behaviour::FailAfter { count },
        }
    }

    /// What becomes of connect request number `index`.
    pub fn admission(&self, index: u64) -> Admission {
        let mut rng = Rng::new(mix(self.seed ^ 0xad, index));
        let short = rng.by_magnitude(0, 18);
        if self.family.climate() == Family::Clean {
            return match rng.below(3) {
                0 => Admission::AcceptAfter(short),
                _ => Admission::Accept,
            };
        }
        let any = rng.by_magnitude(0, 26);
        match rng.below(24) {
            0..18 => Admission::Accept,
            18..20 => Admission::AcceptAfter(any),
            20 => Admission::Refuse,
            21 => Admission::RefuseAfter(any),
            22 => Admission::Panic,
            _ => Admission::Never,
        }
    }

    /// A network delay that nothing exceeds but a fault.
    pub fn slack(&self) -> u64 {
        let weather = &self.weather;
        let stall = if weather.faults > 0 { weather.longest_stall } else { 0 };
        let refusing = if weather.faults > 0 { 3 * SECOND } else { 0 };
        8 * (weather.latency.1 + weather.jitter) + 2 * stall + refusing + 500 * MILLI
    }

    /// No request waits longer for its answer.
    pub fn patience(&self) -> u64 {
        let heartbeat = self.ping_interval + 2 * self.ping_timeout;
        heartbeat + self.stall_timeout + self.accept_timeout + self.close_timeout + self.slack()
    }

    /// When the application is told of the end of a session whose peer is gone, from the moment that it left.
    pub fn mourning(&self) -> u64 {
        // The wait for a pong may be extended once, and suspended while a probe or a slow application is in its way.
        let heartbeat = self.ping_interval + 2 * self.ping_timeout;
        heartbeat + self.upgrade_timeout + self.stall_timeout + self.slack()
    }

    /// When nothing is left of a session whose peer is gone, from the moment that it left.
    pub fn funeral(&self) -> u64 {
        self.patience() + self.upgrade_timeout + 60 * SECOND
    }

    pub fn duration(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }
}

fn weather(family: Family, rng: &mut Rng) -> Weather {
    let mut weather = Weather::fair();
    let slowest = rng.by_magnitude(6, 17);
    weather.latency = (10, 10 + slowest);
    weather.jitter = rng.by_magnitude(0, 16);
    weather.shred = *rng.pick(&[0, 10, 50, 95]);
    weather.lull = if rng.one_in(3) { rng.between(3, 50) } else { 0 };
    if family == Family::Pressure {
        // Tiny windows only where the way is short, or the heartbeat rightly fails.
        weather.window = (256, 8_192);
        weather.latency = (10, 2 * MILLI);
        weather.jitter = rng.by_magnitude(0, 10);
    }
    let all = [
        Fault::Reset,
        Fault::Cut,
        Fault::HalfOpen,
        Fault::OneWay,
        Fault::Stall,
        Fault::Refused,
        Fault::AcceptError,
    ];
    match family {
        Family::Faults => {
            weather.faults = *rng.pick(&[10, 30, 60, 90]);
            weather.kinds = match rng.below(3) {
                0 => vec![*rng.pick(&all)],
                _ => all.to_vec(),
            };
            weather.longest_stall = rng.by_magnitude(17, 25);
            weather.harsh = rng.one_in(2);
        }
        Family::Shutdown if rng.one_in(2) => {
            weather.faults = 30;
            weather.kinds = all.to_vec();
            weather.longest_stall = 4 * SECOND;
        }
        _ => {}
    }
    weather
}

fn script(family: Family, rng: &mut Rng, mischief: Option<Mischief>) -> Script {
    let carrier = match rng.below(4) {
        0 => Carrier::Polling,
        1 => Carrier::WebSocket,
        _ => Carrier::Upgrade {
            after: rng.by_magnitude(0, 22),
        },
    };
    let impatient = match family {
        Family::Clean => 5,
        _ => 3,
    };
    let script = Script {
        start: START + rng.by_magnitude(0, 21),
        carrier,
        messages: if rng.one_in(16) {
            rng.by_magnitude(5, 9)
        } else {
            rng.by_magnitude(0, 6)
        },
        spacing: *rng.pick(&[0, 0, 2 * MILLI, 100 * MILLI, 1_500 * MILLI]),
        batch: *rng.pick(&[1, 3, 16, 100]),
        chunks: if rng.one_in(6) { rng.between(1, 5) as usize } else { 0 },
        keep: !rng.one_in(4),
        ending: *rng.pick(&[
            Ending::Packet,
            Ending::Packet,
            Ending::Frame,
            Ending::Frame,
            Ending::Drop,
            Ending::Vanish,
        ]),
        leaves_at: rng.one_in(impatient).then(|| rng.by_magnitude(8, 25)),
        lingers: if rng.one_in(4) { rng.by_magnitude(16, 26) } else { 0 },
        dozes: (family == Family::Pressure && rng.one_in(3))
            .then(|| (rng.by_magnitude(0, 5), rng.by_magnitude(16, 30))),
        mischief,
    };
    match script.mischief {
        Some(mischief) => mischief.adapt(script, rng),
        None => script,
    }
}
