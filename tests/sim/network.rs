//! TCP as it is on a bad day: pipes of bytes with delay, jitter, small windows and seeded faults.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

use super::rng::Rng;
use super::schedule::{Due, Schedule};
use super::trace::{Trace, digest, show};

/// The side that connected.
pub const CLIENT: usize = 0;
/// The side that accepted.
pub const SERVER: usize = 1;

/// So many calls into the network without time passing are a loop inside one poll.
const CALLS_PER_INSTANT: u32 = 2_000_000;

/// What becomes of a connection at some byte or moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Both sides read an error.
    Reset,
    /// Both sides read an end of stream, in the middle of whatever it was.
    Cut,
    /// Nothing arrives any more, either way, and nobody is told.
    HalfOpen,
    /// The same for one direction only.
    OneWay,
    /// Nothing arrives for some seconds; then all of it does.
    Stall,
    /// Nobody answers the connection attempt but with a reset.
    Refused,
    /// `accept` fails for a while, as without file descriptors.
    AcceptError,
    /// The peer itself vanished: its machine lost power.
    Vanished,
}

#[derive(Clone, Copy, Debug)]
enum Trigger {
    Byte { from: usize, at: u64 },
    Time(u64),
}

/// How a world's network behaves. Times in microseconds.
#[derive(Clone, Debug)]
pub struct Weather {
    pub latency: (u64, u64),
    pub jitter: u64,
    /// Bytes under way and unread, per direction.
    pub window: (u64, u64),
    /// Percent of the connections that get a fault.
    pub faults: u64,
    pub kinds: Vec<Fault>,
    pub longest_stall: u64,
    /// Of a hundred writes, how many are cut into pieces.
    pub shred: u64,
    /// One poll in so many says Pending without a reason; 0 for never.
    pub lull: u64,
    /// A reset throws away what had arrived and was not read (Windows does, Linux does not).
    pub harsh: bool,
}

impl Weather {
    pub fn fair() -> Self {
        Self {
            latency: (20, 2_000),
            jitter: 500,
            window: (16_384, 65_536),
            faults: 0,
            kinds: Vec::new(),
            longest_stall: 0,
            shred: 10,
            lull: 0,
            harsh: false,
        }
    }
}

/// What one side sees of a connection that broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    Reset,
    End,
}

/// One direction, named by the side that writes.
struct Pipe {
    /// Written and not yet read: first what has arrived, then what is under way.
    buffer: VecDeque<u8>,
    arrived: usize,
    window: usize,
    latency: u64,
    /// Bytes that have ever arrived, for faults at a byte.
    total: u64,
    last_arrival: u64,
    held_until: u64,
    end_sent: bool,
    end_arrived: bool,
    hole: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

struct Connection {
    pipes: [Pipe; 2],
    /// What each side sees, once it is broken for it.
    broken: [Option<Break>; 2],
    alive: [bool; 2],
    jitter: u64,
    fault: Option<(Fault, Trigger)>,
}

/// A future moment of a connection.
#[derive(Debug)]
pub enum Occurrence {
    Arrival { id: usize, from: usize, bytes: usize },
    End { id: usize, from: usize },
    Broken { id: usize, side: usize, reset: bool },
    Fault { id: usize },
}

struct Listener {
    address: SocketAddr,
    open: bool,
    backlog: VecDeque<usize>,
    waker: Option<Waker>,
    failing_until: u64,
    fail: bool,
}

pub struct Network {
    rng: Rng,
    weather: Weather,
    connections: Vec<Option<Connection>>,
    /// What has happened to each connection; kept when the connection is gone.
    fired: Vec<Option<Fault>>,
    listeners: Vec<Listener>,
    injected: BTreeMap<Fault, u64>,
    calls: u32,
    carried: u64,
    /// What is written by the connecting side does not follow from the seed to the last byte.
    uplink_ignored: bool,
}

fn wake(place: &mut Option<Waker>) {
    if let Some(waker) = place.take() {
        waker.wake();
    }
}

fn wait(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        place => *place = Some(cx.waker().clone()),
    }
}

fn broken(how: Break) -> io::Error {
    io::Error::from(match how {
        Break::Reset => io::ErrorKind::ConnectionReset,
        Break::End => io::ErrorKind::BrokenPipe,
    })
}

impl Network {
    pub fn new(rng: Rng, weather: Weather) -> Self {
        Self {
            rng,
            weather,
            connections: Vec::new(),
            fired: Vec::new(),
            listeners: Vec::new(),
            injected: BTreeMap::new(),
            calls: 0,
            carried: 0,
            uplink_ignored: false,
        }
    }

    pub fn injected(&self) -> &BTreeMap<Fault, u64> {
        &self.injected
    }

    /// What the connecting side writes is compared by its length alone.
    pub fn ignore_uplink(&mut self) {
        self.uplink_ignored = true;
    }

    pub fn carried(&self) -> u64 {
        self.carried
    }

    pub fn time_passed(&mut self) {
        self.calls = 0;
    }

    pub fn spinning(&self) -> Option<String> {
        (self.calls > CALLS_PER_INSTANT).then(|| "a loop around reads, writes or accepts".to_owned())
    }

    /// From here on the weather is fair: connections made later get no fault.
    pub fn clear_up(&mut self) {
        self.weather.faults = 0;
        for listener in &mut self.listeners {
            listener.fail = false;
        }
    }

    /// How many ends of a side are not dropped yet.
    pub fn open_ends(&self, side: usize) -> usize {
        let open = self.connections.iter().flatten();
        open.filter(|connection| connection.alive[side]).count()
    }

    /// The fault that has really happened to a connection.
    pub fn fault_of(&self, id: usize) -> Option<Fault> {
        self.fired[id]
    }

    // Listening and connecting.

    pub fn listen(&mut self, address: SocketAddr) -> io::Result<usize> {
        let taken = self
            .listeners
            .iter()
            .any(|listener| listener.open && listener.address == address);
        if taken {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        self.listeners.push(Listener {
            address,
            open: true,
            backlog: VecDeque::new(),
            waker: None,
            failing_until: 0,
            fail: self.weather.kinds.contains(&Fault::AcceptError),
        });
        Ok(self.listeners.len() - 1)
    }

    pub fn address(&self, listener: usize) -> SocketAddr {
        self.listeners[listener].address
    }

    pub fn stop_listening(&mut self, schedule: &mut Schedule, trace: &mut Trace, listener: usize) {
        let listener = &mut self.listeners[listener];
        listener.open = false;
        listener.waker = None;
        let waiting = std::mem::take(&mut listener.backlog);
        trace.note(schedule.now(), &[1], || "server  stops listening".to_owned());
        for id in waiting {
            self.drop_end(schedule, trace, id, SERVER);
        }
    }

    pub fn is_listening(&self) -> bool {
        self.listeners.iter().any(|listener| listener.open)
    }

    pub fn accept(&mut self, now: u64, listener: usize, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        self.calls += 1;
        let chance = self.rng.one_in(40);
        let listener = &mut self.listeners[listener];
        if self.calls > CALLS_PER_INSTANT || listener.backlog.is_empty() {
            wait(&mut listener.waker, cx);
            return Poll::Pending;
        }
        if listener.fail && chance && now >= listener.failing_until {
            listener.failing_until = now + self.rng.by_magnitude(1, 21);
            *self.injected.entry(Fault::AcceptError).or_default() += 1;
        }
        if listener.fail && now < listener.failing_until {
            return Poll::Ready(Err(io::Error::other("too many open files")));
        }
        match listener.backlog.pop_front() {
            Some(id) => Poll::Ready(Ok(id)),
            None => Poll::Pending,
        }
    }

    /// How long the answer to a connection attempt takes.
    pub fn handshake_time(&mut self) -> u64 {
        let (low, high) = self.weather.latency;
        2 * self.rng.between(low, high)
    }

    /// The client's side of a new connection, which waits in the listener's backlog from now on.
    pub fn connect(&mut self, schedule: &mut Schedule, trace: &mut Trace, address: SocketAddr) -> io::Result<usize> {
        let faulty = self.rng.percent(self.weather.faults) && !self.weather.kinds.is_empty();
        let kind = if faulty {
            Some(*self.rng.pick(&self.weather.kinds))
        } else {
            None
        };
        if kind == Some(Fault::Refused) {
            *self.injected.entry(Fault::Refused).or_default() += 1;
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let matching = |listener: &&mut Listener| listener.open && listener.address == address;
        let Some(listener) = self.listeners.iter_mut().find(matching) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let id = self.connections.len();
        let now = schedule.now();
        let fault = kind.filter(|kind| *kind != Fault::AcceptError).map(|kind| {
            let rng = &mut self.rng;
            let trigger = if rng.one_in(4) {
                Trigger::Time(now + rng.by_magnitude(8, 25))
            } else {
                let from = rng.index(2);
                Trigger::Byte {
                    from,
                    at: rng.by_magnitude(5, 14),
                }
            };
            (kind, trigger)
        });
        if let Some((_, Trigger::Time(at))) = fault {
            schedule.add(at, Due::Network(Occurrence::Fault { id }));
        }
        let weather = &self.weather;
        let rng = &mut self.rng;
        let mut pipe = || Pipe {
            buffer: VecDeque::new(),
            arrived: 0,
            window: rng.between(weather.window.0, weather.window.1) as usize,
            latency: rng.between(weather.latency.0, weather.latency.1),
            total: 0,
            last_arrival: 0,
            held_until: 0,
            end_sent: false,
            end_arrived: false,
            hole: false,
            reader: None,
            writer: None,
        };
        let pipes = [pipe(), pipe()];
        trace.note(now, &[2, id as u64], || {
            format!(
                "conn {id:<3} connected{}",
                match fault {
                    Some((kind, trigger)) => format!(", will see {kind:?} at {trigger:?}"),
                    None => String::new(),
                }
            )
        });
        self.connections.push(Some(Connection {
            pipes,
            broken: [None; 2],
            alive: [true; 2],
            jitter: weather.jitter,
            fault,
        }));
        self.fired.push(None);
        listener.backlog.push_back(id);
        wake(&mut listener.waker);
        Ok(id)
    }

    // Reading and writing.

    pub fn read(
        &mut self,
        schedule: &Schedule,
        id: usize,
        side: usize,
        cx: &Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.calls += 1;
        let lull = self.rng.one_in(self.weather.lull);
        let Some(connection) = &mut self.connections[id] else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let pipe = &mut connection.pipes[1 - side];
        if lull {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if pipe.arrived > 0 && self.calls <= CALLS_PER_INSTANT {
            let mut n = buf.len().min(pipe.arrived);
            if self.rng.percent(self.weather.shred / 2) {
                n = 1 + self.rng.index(n);
            }
            let n = pipe.buffer.read(&mut buf[..n])?;
            pipe.arrived -= n;
            wake(&mut pipe.writer);
            return Poll::Ready(Ok(n));
        }
        match connection.broken[side] {
            Some(Break::Reset) => return Poll::Ready(Err(broken(Break::Reset))),
            Some(Break::End) => return Poll::Ready(Ok(0)),
            None => {}
        }
        if pipe.end_arrived && pipe.buffer.is_empty() && pipe.held_until <= schedule.now() {
            return Poll::Ready(Ok(0));
        }
        wait(&mut pipe.reader, cx);
        Poll::Pending
    }

    pub fn write(
        &mut self,
        schedule: &mut Schedule,
        trace: &mut Trace,
        id: usize,
        side: usize,
        cx: &Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.calls += 1;
        let lull = self.rng.one_in(self.weather.lull);
        let Some(connection) = &mut self.connections[id] else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        if let Some(how) = connection.broken[side] {
            return Poll::Ready(Err(broken(how)));
        }
        let jitter = connection.jitter;
        let pipe = &mut connection.pipes[side];
        if pipe.end_sent {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if lull {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let room = pipe.window.saturating_sub(pipe.buffer.len());
        if (room == 0 && !buf.is_empty()) || self.calls > CALLS_PER_INSTANT {
            wait(&mut pipe.writer, cx);
            return Poll::Pending;
        }
        let mut n = room.min(buf.len());
        let shred = self.rng.percent(self.weather.shred);
        if shred && n > 1 && self.rng.one_in(2) {
            n = 1 + self.rng.index(n);
        }
        pipe.buffer.write_all(&buf[..n])?;
        self.carried += n as u64;
        let now = schedule.now();
        let fact = match self.uplink_ignored && side == CLIENT {
            true => n as u64,
            false => digest(&buf[..n]),
        };
        trace.note(now, &[3, id as u64, side as u64, fact], || {
            format!("conn {id:<3} {} {}", ["-->", "<--"][side], show(&buf[..n]))
        });
        if pipe.hole {
            return Poll::Ready(Ok(n));
        }
        let mut left = n;
        while left > 0 {
            // Whole segments mostly; sometimes a cut at any byte, and sometimes a drizzle of single ones.
            let bytes = match shred {
                true if n <= 64 && self.rng.one_in(2) => 1,
                true => 1 + self.rng.index(left),
                false => left,
            };
            let travel = pipe.latency + self.rng.between(0, jitter);
            let at = pipe.last_arrival.max(now + travel);
            pipe.last_arrival = at;
            let arrival = Occurrence::Arrival { id, from: side, bytes };
            schedule.add(at, Due::Network(arrival));
            left -= bytes;
        }
        Poll::Ready(Ok(n))
    }

    /// TCP's FIN, behind everything that was written.
    pub fn close(&mut self, schedule: &mut Schedule, trace: &mut Trace, id: usize, side: usize) {
        self.calls += 1;
        let Some(connection) = &mut self.connections[id] else {
            return;
        };
        let pipe = &mut connection.pipes[side];
        if pipe.end_sent || connection.broken[side].is_some() {
            return;
        }
        pipe.end_sent = true;
        wake(&mut pipe.writer);
        let now = schedule.now();
        trace.note(now, &[4, id as u64, side as u64], || {
            format!("conn {id:<3} {} end", ["-->", "<--"][side])
        });
        if !pipe.hole {
            let at = pipe.last_arrival.max(now + pipe.latency);
            schedule.add(at, Due::Network(Occurrence::End { id, from: side }));
        }
    }

    /// What `close(2)` does: FIN, or a reset where something that arrived was never read.
    pub fn drop_end(&mut self, schedule: &mut Schedule, trace: &mut Trace, id: usize, side: usize) {
        let unread = match &self.connections[id] {
            Some(connection) => connection.pipes[1 - side].arrived > 0,
            None => return,
        };
        if unread {
            self.reset_other(schedule, id, side);
        }
        self.close(schedule, trace, id, side);
        if let Some(connection) = &mut self.connections[id] {
            connection.alive[side] = false;
            connection.pipes[1 - side].reader = None;
            connection.pipes[side].writer = None;
            if connection.alive == [false; 2] {
                self.connections[id] = None;
            }
        }
    }

    /// The machine of a side lost power: nothing arrives at either end, and nobody is told.
    pub fn vanish(&mut self, now: u64, trace: &mut Trace, id: usize) {
        if let Some(connection) = &mut self.connections[id] {
            trace.note(now, &[5, id as u64], || format!("conn {id:<3} the peer vanishes"));
            connection.pipes[CLIENT].hole = true;
            connection.pipes[SERVER].hole = true;
            if self.fired[id].replace(Fault::Vanished).is_none() {
                *self.injected.entry(Fault::Vanished).or_default() += 1;
            }
        }
    }

    fn reset_other(&mut self, schedule: &mut Schedule, id: usize, side: usize) {
        if let Some(connection) = &self.connections[id] {
            let pipe = &connection.pipes[side];
            if !pipe.hole {
                let at = pipe.last_arrival.max(schedule.now() + pipe.latency);
                let side = 1 - side;
                let reset = Occurrence::Broken { id, side, reset: true };
                schedule.add(at, Due::Network(reset));
            }
        }
    }

    // What becomes due.

    pub fn occur(&mut self, schedule: &mut Schedule, trace: &mut Trace, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Arrival { id, from, bytes } => self.arrive(schedule, trace, id, from, bytes),
            Occurrence::End { id, from } => self.arrive_end(schedule, id, from),
            Occurrence::Broken { id, side, reset } => {
                let lost = |connection: &Connection| connection.pipes[1 - side].hole;
                if self.connections[id].as_ref().is_none_or(lost) {
                    return;
                }
                let how = if reset { Break::Reset } else { Break::End };
                self.break_side(schedule.now(), trace, id, side, how);
            }
            Occurrence::Fault { id } => {
                let due = self.connections[id].as_ref().and_then(|connection| connection.fault);
                if let Some((fault, _)) = due.filter(|_| self.fired[id].is_none()) {
                    let from = self.rng.index(2);
                    self.fire(schedule, trace, id, from, fault);
                }
            }
        }
    }

    fn arrive(&mut self, schedule: &mut Schedule, trace: &mut Trace, id: usize, from: usize, mut bytes: usize) {
        let now = schedule.now();
        let Some(connection) = &mut self.connections[id] else {
            return;
        };
        if connection.broken[1 - from].is_some() {
            return;
        }
        let fault = connection.fault.filter(|_| self.fired[id].is_none());
        let pipe = &mut connection.pipes[from];
        if pipe.hole {
            return;
        }
        if pipe.held_until > now {
            let again = Occurrence::Arrival { id, from, bytes };
            schedule.add(pipe.held_until, Due::Network(again));
            return;
        }
        let mut fires = None;
        if let Some((fault, Trigger::Byte { from: side, at })) = fault {
            if side == from && pipe.total + bytes as u64 >= at {
                let before = at.saturating_sub(pipe.total) as usize;
                fires = Some((fault, bytes - before));
                bytes = before;
            }
        }
        pipe.total += bytes as u64;
        if connection.alive[1 - from] {
            pipe.arrived += bytes;
            wake(&mut pipe.reader);
        } else {
            // Nobody reads there any more.
            pipe.buffer.drain(..bytes.min(pipe.buffer.len()));
            wake(&mut pipe.writer);
            self.reset_other(schedule, id, 1 - from);
        }
        if let Some((fault, rest)) = fires {
            self.fire(schedule, trace, id, from, fault);
            if rest > 0 {
                self.arrive(schedule, trace, id, from, rest);
            }
        }
    }

    fn arrive_end(&mut self, schedule: &mut Schedule, id: usize, from: usize) {
        let now = schedule.now();
        let Some(connection) = &mut self.connections[id] else {
            return;
        };
        let pipe = &mut connection.pipes[from];
        if pipe.hole {
            return;
        }
        if pipe.held_until > now {
            schedule.add(pipe.held_until, Due::Network(Occurrence::End { id, from }));
            return;
        }
        pipe.end_arrived = true;
        wake(&mut pipe.reader);
    }

    fn break_side(&mut self, now: u64, trace: &mut Trace, id: usize, side: usize, how: Break) {
        let harsh = self.weather.harsh;
        let Some(connection) = &mut self.connections[id] else {
            return;
        };
        if connection.broken[side].is_some() {
            return;
        }
        trace.note(now, &[6, id as u64, side as u64], || {
            format!("conn {id:<3} {} sees {how:?}", ["peer", "server"][side])
        });
        connection.broken[side] = Some(how);
        let inward = &mut connection.pipes[1 - side];
        // What was still under way is lost.
        inward.buffer.truncate(inward.arrived);
        if harsh && how == Break::Reset {
            inward.buffer.clear();
            inward.arrived = 0;
        }
        wake(&mut inward.reader);
        wake(&mut connection.pipes[side].writer);
    }

    fn fire(&mut self, schedule: &mut Schedule, trace: &mut Trace, id: usize, from: usize, fault: Fault) {
        let now = schedule.now();
        let longest = self.weather.longest_stall;
        let Some(connection) = &mut self.connections[id] else {
            return;
        };
        self.fired[id] = Some(fault);
        *self.injected.entry(fault).or_default() += 1;
        trace.note(now, &[7, id as u64, fault as u64], || {
            format!("conn {id:<3} {fault:?} strikes")
        });
        match fault {
            Fault::Reset | Fault::Cut => {
                let reset = fault == Fault::Reset;
                let how = if reset { Break::Reset } else { Break::End };
                let later = now + connection.pipes[1 - from].latency;
                self.break_side(now, trace, id, 1 - from, how);
                let other = Occurrence::Broken { id, side: from, reset };
                schedule.add(later, Due::Network(other));
            }
            Fault::HalfOpen | Fault::Vanished => {
                connection.pipes[CLIENT].hole = true;
                connection.pipes[SERVER].hole = true;
            }
            Fault::OneWay => connection.pipes[from].hole = true,
            Fault::Stall => {
                let until = now + self.rng.between(1, longest.max(1));
                let pipe = &mut connection.pipes[from];
                pipe.held_until = until;
                pipe.last_arrival = pipe.last_arrival.max(until);
            }
            Fault::Refused | Fault::AcceptError => {}
        }
    }
}
