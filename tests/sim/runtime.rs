//! The simulation as a `sansocket` runtime: nothing here but the public traits, so a runtime is user code.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use sansocket::runtime::{Runtime, Stream};
use sansocket::time::Instant;

use super::executor::{Executor, Owner, Task, lock};
use super::network::{CLIENT, Fault, Network, Occurrence, SERVER, Weather};
use super::rng::Rng;
use super::schedule::{Schedule, TimerKey};
use super::trace::Trace;

/// Everything of a world that is not a task.
pub struct Kernel {
    pub schedule: Schedule,
    pub network: Network,
    pub trace: Trace,
    pub spawned: Vec<(Owner, Task)>,
}

impl Kernel {
    pub fn occur(&mut self, occurrence: Occurrence) {
        self.network.occur(&mut self.schedule, &mut self.trace, occurrence);
    }

    pub fn vanish(&mut self, id: usize) {
        self.network.vanish(self.schedule.now(), &mut self.trace, id);
    }
}

/// A handle to one world, for one kind of inhabitant.
#[derive(Clone)]
pub struct Sim {
    kernel: Arc<Mutex<Kernel>>,
    owner: Owner,
}

/// How time and tasks behave in a world.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Timers fire up to so many microseconds late.
    pub lateness: u64,
    /// One turn of a task in so many comes late; 0 for never.
    pub tardiness: u64,
}

impl Sim {
    pub fn new(rng: &mut Rng, pace: &Pace, weather: Weather, verbose: bool) -> (Self, Executor) {
        let kernel = Arc::new(Mutex::new(Kernel {
            schedule: Schedule::new(rng.fork(), pace.lateness),
            network: Network::new(rng.fork(), weather),
            trace: Trace::new(verbose),
            spawned: Vec::new(),
        }));
        let executor = Executor::new(kernel.clone(), rng.fork(), pace.tardiness);
        let owner = Owner::Server;
        (Self { kernel, owner }, executor)
    }

    /// The same world for another kind of inhabitant.
    pub fn of(&self, owner: Owner) -> Self {
        let kernel = self.kernel.clone();
        Self { kernel, owner }
    }

    /// How many handles on this world there are, this one included.
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.kernel)
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut Kernel) -> T) -> T {
        look(&mut lock(&self.kernel))
    }

    pub fn micros(&self) -> u64 {
        lock(&self.kernel).schedule.now()
    }

    pub fn note(&self, facts: &[u64], words: impl FnOnce() -> String) {
        let kernel = &mut *lock(&self.kernel);
        kernel.trace.note(kernel.schedule.now(), facts, words);
    }

    pub fn sleep(&self, duration: Duration) -> Sleep {
        let micros = duration.as_micros() as u64;
        self.sleep_until_micros(self.micros().saturating_add(micros))
    }

    pub fn sleep_until_micros(&self, deadline: u64) -> Sleep {
        Sleep {
            sim: self.clone(),
            deadline,
            key: None,
        }
    }

    /// A peer's connection attempt.
    pub async fn dial(&self, address: SocketAddr) -> io::Result<End> {
        let takes = self.with(|kernel| kernel.network.handshake_time());
        self.sleep(Duration::from_micros(takes)).await;
        let id = self.with(|kernel| kernel.network.connect(&mut kernel.schedule, &mut kernel.trace, address))?;
        Ok(End {
            sim: self.clone(),
            id,
            side: CLIENT,
        })
    }
}

/// A timer of a world.
pub struct Sleep {
    sim: Sim,
    deadline: u64,
    key: Option<TimerKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = &mut *self;
        let schedule = &mut lock(&sleep.sim.kernel).schedule;
        if schedule.now() >= sleep.deadline {
            if let Some(key) = sleep.key.take() {
                schedule.clear_timer(key);
            }
            return Poll::Ready(());
        }
        match sleep.key {
            Some(key) => schedule.rewake(key, cx.waker()),
            None => {
                let waker = cx.waker().clone();
                sleep.key = Some(schedule.set_timer(sleep.sim.owner, sleep.deadline, waker));
            }
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            lock(&self.sim.kernel).schedule.clear_timer(key);
        }
    }
}

/// One end of a connection.
pub struct End {
    sim: Sim,
    id: usize,
    side: usize,
}

impl End {
    pub fn id(&self) -> usize {
        self.id
    }

    /// The fault that has happened to this connection so far.
    pub fn fault(&self) -> Option<Fault> {
        self.sim.with(|kernel| kernel.network.fault_of(self.id))
    }

    pub fn close(&self) {
        self.sim.with(|kernel| {
            kernel
                .network
                .close(&mut kernel.schedule, &mut kernel.trace, self.id, self.side);
        });
    }

    fn try_read(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let kernel = &mut *lock(&self.sim.kernel);
        kernel.network.read(&kernel.schedule, self.id, self.side, cx, buf)
    }

    fn try_write(&self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Kernel {
            schedule,
            network,
            trace,
            ..
        } = &mut *lock(&self.sim.kernel);
        network.write(schedule, trace, self.id, self.side, cx, buf)
    }

    /// For the peers, whose reading and writing halves share one end.
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.try_read(cx, buf)).await
    }

    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = poll_fn(|cx| self.try_write(cx, bytes)).await?;
            bytes = &bytes[n..];
        }
        Ok(())
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let Kernel {
            schedule,
            network,
            trace,
            ..
        } = &mut *lock(&self.sim.kernel);
        network.drop_end(schedule, trace, self.id, self.side);
    }
}

impl Stream for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.try_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.try_write(cx, buf)
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

/// A listening socket of a world.
pub struct Listener {
    sim: Sim,
    id: usize,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Kernel {
            schedule,
            network,
            trace,
            ..
        } = &mut *lock(&self.sim.kernel);
        network.stop_listening(schedule, trace, self.id);
    }
}

impl Runtime for Sim {
    type Stream = End;
    type Listener = Listener;
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        Instant::from_micros(self.micros())
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        self.sleep_until_micros(deadline.as_micros())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.kernel).spawned.push((self.owner, Box::pin(task)));
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let names = BTreeMap::from([("server.sim", IpAddr::from([10, 0, 0, 1]))]);
        if host == "twins.sim" {
            // One of them is dead.
            let twins = [[10, 0, 0, 9], [10, 0, 0, 1]];
            return Ok(twins.map(|twin| SocketAddr::from((twin, port))).to_vec());
        }
        let literal = host.parse().ok();
        match literal.or_else(|| names.get(host).copied()) {
            Some(address) => Ok(vec![SocketAddr::new(address, port)]),
            None => Err(io::Error::other("no such name")),
        }
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<End> {
        self.dial(address).await
    }

    async fn bind(&self, address: SocketAddr) -> io::Result<Listener> {
        let id = self.with(|kernel| kernel.network.listen(address))?;
        Ok(Listener { sim: self.clone(), id })
    }

    fn local_addr(&self, listener: &Listener) -> io::Result<SocketAddr> {
        Ok(self.with(|kernel| kernel.network.address(listener.id)))
    }

    async fn accept(&self, listener: &Listener) -> io::Result<(End, SocketAddr)> {
        let id = poll_fn(|cx| {
            let kernel = &mut *lock(&self.kernel);
            kernel.network.accept(kernel.schedule.now(), listener.id, cx)
        })
        .await?;
        let peer = SocketAddr::from(([10, 0, 1, 1], 1024 + (id % 60_000) as u16));
        Ok((
            End {
                sim: self.clone(),
                id,
                side: SERVER,
            },
            peer,
        ))
    }
}
