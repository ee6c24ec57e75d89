//! One world from its seed to its end, and what must be left of it: nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::app::{self, ADDRESS, Service};
use super::client_app::Visitor;
use super::client_plan::Restart;
use super::executor::{Executor, Halt, Owner, lock};
use super::mischief::Villain;
use super::network::{CLIENT, Fault, SERVER};
use super::oracle::{Books, Oracle};
use super::peer::Peer;
use super::plan::{Plan, SECOND};
use super::rng::{Rng, mix};
use super::runtime::Sim;
use sansocket::runtime::Runtime;

/// What came of a world.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub hash: u64,
    pub sessions: u64,
    pub messages: u64,
    pub polls: u64,
    pub bytes: u64,
    pub micros: u64,
    pub faults: BTreeMap<Fault, u64>,
}

impl Outcome {
    pub fn add(&mut self, other: &Self) {
        self.hash = mix(self.hash, other.hash);
        self.sessions += other.sessions;
        self.messages += other.messages;
        self.polls += other.polls;
        self.bytes += other.bytes;
        self.micros += other.micros;
        for (&fault, &count) in &other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
    }
}

struct World {
    plan: Arc<Plan>,
    sim: Sim,
    executor: Executor,
    oracle: Oracle,
    service: Service,
    shut_down: Arc<Mutex<Option<u64>>>,
}

/// Runs the world; the first thing that cannot be is an error.
pub fn run(plan: Plan, verbose: bool) -> Result<Outcome, String> {
    if plan.family.is_socketio() {
        return super::socketio::world::run(plan, verbose);
    }
    let mut rng = Rng::new(mix(plan.seed, 0x3017d));
    let (sim, executor) = Sim::new(&mut rng, &plan.pace, plan.weather.clone(), verbose);
    if verbose {
        println!("{plan:#?}");
    }
    let plan = Arc::new(plan);
    let oracle = Oracle::new(plan.clone(), sim.clone());
    let mut world = World {
        plan,
        sim,
        executor,
        oracle,
        service: Service::default(),
        shut_down: Arc::default(),
    };
    world.populate(&mut rng);
    world.live()?;
    let outcome = world.outcome();
    // Everything of the server's has a handle on the world somewhere: its clock is one.
    let World {
        sim,
        executor,
        oracle,
        service,
        ..
    } = world;
    drop((executor, oracle, service));
    match sim.handles() {
        1 => Ok(outcome),
        left => Err(format!(
            "memory: {} handles are left of a world that has ended",
            left - 1
        )),
    }
}

impl World {
    fn populate(&mut self, rng: &mut Rng) {
        let serve = app::serve(self.sim.clone(), self.oracle.clone(), self.service.clone(), 0);
        self.executor.spawn(Owner::Server, Box::pin(serve));
        let address: SocketAddr = ADDRESS.parse().expect("a literal address");
        let sim = self.sim.of(Owner::Peer);
        for script in &self.plan.peers {
            let (sim, oracle, rng) = (sim.clone(), self.oracle.clone(), rng.fork());
            let villain = script.mischief.filter(|mischief| !mischief.is_beside());
            let task: super::executor::Task = match villain {
                Some(_) => Box::pin(Villain::new(sim, oracle, script, address, rng).run()),
                None => Box::pin(Peer::new(sim, oracle, script.clone(), address, rng).run()),
            };
            self.executor.spawn(Owner::Peer, task);
        }
        self.oracle.with(|books| {
            books.guests.resize_with(self.plan.clients.len(), Default::default);
            books.restarts = self.plan.restarts.len();
        });
        for number in 0..self.plan.clients.len() {
            let visitor = Visitor::new(sim.clone(), self.oracle.clone(), number, rng.fork());
            self.executor.spawn(Owner::Peer, Box::pin(visitor.run()));
        }
        if self.plan.family.is_both() {
            // Where the client is ours, tungstenite draws some masks from where no seed reaches.
            self.sim.with(|kernel| kernel.network.ignore_uplink());
        }
        if let Some((at, grace)) = self.plan.shutdown {
            self.shut_down(at, grace);
        }
        let restarts = restarts(self.sim.of(Owner::App), self.oracle.clone(), self.service.clone());
        self.executor.spawn(Owner::App, Box::pin(restarts));
    }

    /// Shuts the server down after a while.
    fn shut_down(&mut self, after: u64, grace: u64) {
        let sim = self.sim.of(Owner::App);
        let (oracle, service, done) = (self.oracle.clone(), self.service.clone(), self.shut_down.clone());
        let task = async move {
            sim.sleep(Plan::duration(after)).await;
            oracle.excuse_all("the server was shut down");
            let Some(handle) = service.handle() else {
                return;
            };
            let begun = sim.micros();
            sim.note(&[20], || "app     shuts the server down".to_owned());
            handle.shutdown(Plan::duration(grace)).await;
            let took = sim.micros() - begun;
            sim.note(&[21], || format!("app     the shutdown took {took} µs"));
            if took > grace + oracle.plan.slack() {
                oracle.violation(format!("a shutdown with {grace} µs of grace took {took} µs"));
            }
            let left = handle.stats().sessions;
            if left > 0 {
                oracle.violation(format!("{left} sessions survived the shutdown"));
            }
            *lock(&done) = Some(sim.micros());
        };
        self.executor.spawn(Owner::App, Box::pin(task));
    }

    /// Runs until the peers and whatever else is asked for are done.
    fn run(&mut self, micros: u64, done: impl Fn() -> bool) -> Result<Halt, String> {
        let horizon = self.sim.micros().saturating_add(micros);
        let oracle = self.oracle.clone();
        let halt = self.executor.run(horizon, || oracle.is_broken() || done());
        let violation = self.oracle.with(|books| books.violations.first().cloned());
        match (violation, halt) {
            (Some(violation), _) => Err(violation),
            (None, Halt::Stuck(why)) => Err(why),
            (None, halt) => Ok(halt),
        }
    }

    fn live(&mut self) -> Result<(), String> {
        // The peers come and go.
        let oracle = self.oracle.clone();
        let halt = self.run(24 * 3_600 * SECOND, move || oracle.all_done())?;
        if halt != Halt::Stopped {
            let visits = self.oracle.with(|books| format!("{:?}", books.visits));
            return Err(format!("the peers never come to an end ({halt:?}): {visits}"));
        }
        // What they left behind has to go by itself.
        self.sim.with(|kernel| kernel.network.clear_up());
        // A slow handler has its inbox to finish, message by message.
        self.run(self.plan.funeral() + 2_400 * SECOND, || false)?;
        if let Some(handle) = self.service.handle() {
            let stats = handle.stats();
            self.nothing("sessions after the last peer", stats.sessions as usize)?;
            let taken = |books: &mut Books| books.sessions.values().map(|session| session.received).sum::<u64>();
            let taken = self.oracle.with(taken) - self.service.past();
            if stats.opened != stats.closed || stats.received != taken {
                return Err(format!(
                    "the application took {taken} messages, and the server counts {stats:?}"
                ));
            }
        }
        let open = self.sim.with(|kernel| kernel.network.open_ends(SERVER));
        self.nothing("connections of the server after the last peer", open)?;
        let open = self.sim.with(|kernel| kernel.network.open_ends(CLIENT));
        self.nothing("connections of clients that are gone", open)?;
        self.nothing("tasks of clients that are gone", self.executor.tasks_of(Owner::Client))?;
        let timers = self.sim.with(|kernel| kernel.schedule.timers_of(Owner::Client));
        self.nothing("timers of clients that are gone", timers)?;
        self.nothing("handlers of sessions whose peers are gone", self.oracle.attended())?;
        self.nothing("tasks of the application", self.executor.tasks_of(Owner::App))?;
        self.nothing("tasks of peers", self.executor.tasks_of(Owner::Peer))?;
        // And the server itself when it is told to.
        if self.plan.shutdown.is_none() {
            self.shut_down(0, 0);
            self.run(60 * SECOND, || false)?;
        }
        if lock(&self.shut_down).is_none() {
            return Err("a shutdown does not come to its end".to_owned());
        }
        match self.service.ended() {
            Some(Ok(())) => {}
            other => return Err(format!("serve() ended with {other:?}")),
        }
        self.service.forget();
        self.run(60 * SECOND, || false)?;
        self.nothing("tasks of the server", self.executor.tasks_of(Owner::Server))?;
        let timers = self.sim.with(|kernel| kernel.schedule.timers_of(Owner::Server));
        self.nothing("timers of the server", timers)?;
        if self.sim.with(|kernel| kernel.network.is_listening()) {
            return Err("the server still listens after its shutdown".to_owned());
        }
        self.oracle.settle(self.plan.shutdown.is_some());
        self.run(0, || false)?;
        Ok(())
    }

    fn nothing(&self, what: &str, count: usize) -> Result<(), String> {
        match count {
            0 => Ok(()),
            _ => Err(format!("{what}: {count}")),
        }
    }

    fn outcome(&self) -> Outcome {
        let (sessions, messages) = self.oracle.with(|books| {
            let up: u64 = books.sessions.values().map(|session| session.received).sum();
            let down: u64 = books.visits.iter().map(|visit| visit.received).sum();
            let stays = books.guests.iter().flat_map(|guest| &guest.stays);
            let ours: u64 = stays.map(|stay| stay.received).sum();
            (books.sessions.len() as u64, up + down + ours)
        });
        let polls = self.executor.polls();
        self.sim.with(|kernel| Outcome {
            hash: kernel.trace.hash(),
            sessions,
            messages,
            polls,
            bytes: kernel.network.carried(),
            micros: kernel.schedule.now(),
            faults: kernel.network.injected().clone(),
        })
    }
}

/// Shuts the server down and lets it come back, as often as it is planned.
async fn restarts(sim: Sim, oracle: Oracle, service: Service) {
    let plan = oracle.plan.clone();
    for (life, restart) in plan.restarts.iter().enumerate() {
        let &Restart { after, grace, down } = restart;
        sim.sleep(Plan::duration(after)).await;
        let handle = loop {
            match service.handle() {
                Some(handle) => break handle,
                None => sim.sleep(Plan::duration(SECOND)).await,
            }
        };
        let begun = sim.micros();
        sim.note(&[22], || "app     the server is going to come back".to_owned());
        handle.shutdown(Plan::duration(grace)).await;
        let took = sim.micros() - begun;
        if took > grace + plan.slack() {
            oracle.violation(format!("a shutdown with {grace} µs of grace took {took} µs"));
        }
        let left = handle.stats().sessions;
        if left > 0 {
            oracle.violation(format!("{left} sessions survived the shutdown"));
        }
        sim.sleep(Plan::duration(down)).await;
        while service.ended().is_none() {
            sim.sleep(Plan::duration(SECOND)).await;
        }
        if let Some(Err(error)) = service.ended() {
            oracle.violation(format!("serve() ended with {error}"));
        }
        service.begin_again(handle.stats().received);
        drop(handle);
        sim.note(&[23], || "app     the server comes back".to_owned());
        let server = sim.of(Owner::Server);
        let serve = app::serve(server.clone(), oracle.clone(), service.clone(), life as u64 + 1);
        server.spawn(serve);
        oracle.with(|books| books.restarts -= 1);
    }
}
