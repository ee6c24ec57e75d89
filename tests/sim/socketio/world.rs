//! One world from its seed to its end, and what must be left of it: nothing.

use std::sync::Arc;

use crate::client_plan::Restart;
use crate::executor::{Executor, Halt, Owner};
use crate::network::{CLIENT, SERVER};
use crate::oracle::Oracle;
use crate::plan::{Plan, SECOND};
use crate::rng::{Rng, mix};
use crate::runtime::Sim;
use crate::world::Outcome;
use sansocket::runtime::Runtime;

use super::client::Visitor;
use super::ledger::Ledger;
use super::plan::Script;
use super::server::{self, Service};

struct World {
    sim: Sim,
    executor: Executor,
    ledger: Ledger,
    service: Service,
}

/// Runs the world; the first thing that cannot be is an error.
pub fn run(plan: Plan, verbose: bool) -> Result<Outcome, String> {
    let mut rng = Rng::new(mix(plan.seed, 0x50c10));
    let (sim, executor) = Sim::new(&mut rng, &plan.pace, plan.weather.clone(), verbose);
    let script = Script::new(&plan);
    if verbose {
        println!("{plan:#?}\n{script:#?}");
    }
    let oracle = Oracle::new(Arc::new(plan), sim.clone());
    let mut world = World {
        ledger: Ledger::new(oracle, script),
        sim,
        executor,
        service: Service::default(),
    };
    world.populate(&mut rng);
    world.live()?;
    let outcome = world.outcome();
    let World {
        sim,
        executor,
        ledger,
        service,
    } = world;
    drop((executor, ledger, service));
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
        let serve = server::serve(self.sim.clone(), self.ledger.clone(), self.service.clone(), 0);
        self.executor.spawn(Owner::Server, Box::pin(serve));
        let sim = self.sim.of(Owner::Peer);
        for number in 0..self.ledger.plan.clients.len() {
            let visitor = Visitor::new(sim.clone(), self.ledger.clone(), number, rng.fork());
            self.executor.spawn(Owner::Peer, Box::pin(visitor.run()));
        }
        // Where the client is ours, tungstenite draws some masks from where no seed reaches.
        self.sim.with(|kernel| kernel.network.ignore_uplink());
        let restarts = restarts(self.sim.of(Owner::App), self.ledger.clone(), self.service.clone());
        self.executor.spawn(Owner::App, Box::pin(restarts));
    }

    fn run(&mut self, micros: u64, done: impl Fn() -> bool) -> Result<Halt, String> {
        let horizon = self.sim.micros().saturating_add(micros);
        let oracle = self.ledger.oracle.clone();
        let halt = self.executor.run(horizon, || oracle.is_broken() || done());
        let violation = oracle.with(|books| books.violations.first().cloned());
        match (violation, halt) {
            (Some(violation), _) => Err(violation),
            (None, Halt::Stuck(why)) => Err(why),
            (None, halt) => Ok(halt),
        }
    }

    fn live(&mut self) -> Result<(), String> {
        let ledger = self.ledger.clone();
        let halt = self.run(24 * 3_600 * SECOND, move || ledger.all_done())?;
        if halt != Halt::Stopped {
            return Err(format!("the clients never come to an end ({halt:?})"));
        }
        // What they left behind has to go by itself.
        self.sim.with(|kernel| kernel.network.clear_up());
        self.run(self.ledger.plan.funeral() + 2_400 * SECOND, || false)?;
        if let Some(handle) = self.service.handle() {
            let stats = handle.stats();
            self.nothing("sessions after the last client", stats.engine.sessions as usize)?;
            self.nothing("sockets after the last client", stats.sockets.values().sum())?;
            self.nothing("rooms after the last client", stats.rooms)?;
            self.nothing("connections after the last client", handle.connections())?;
        }
        for (side, whose) in [(SERVER, "the server's"), (CLIENT, "clients'")] {
            let open = self.sim.with(|kernel| kernel.network.open_ends(side));
            self.nothing(&format!("connections of {whose}, after the last client"), open)?;
        }
        let timers = self.sim.with(|kernel| kernel.schedule.timers_of(Owner::Client));
        self.nothing("timers of clients that are gone", timers)?;
        for owner in [Owner::Client, Owner::App, Owner::Peer] {
            self.nothing(&format!("tasks of {owner:?}"), self.executor.tasks_of(owner))?;
        }
        // And the server itself when it is told to.
        let (handle, sim) = (self.service.handle(), self.sim.of(Owner::App));
        let shut_down = async move {
            if let Some(handle) = handle {
                handle.shutdown(Plan::duration(0)).await;
            }
            drop(sim);
        };
        self.executor.spawn(Owner::App, Box::pin(shut_down));
        self.run(60 * SECOND, || false)?;
        match self.service.ended() {
            Some(Ok(())) => {}
            other => return Err(format!("serve() ended with {other:?}")),
        }
        self.service.forget();
        self.run(60 * SECOND, || false)?;
        for owner in [Owner::Server, Owner::App] {
            self.nothing(&format!("tasks of {owner:?}"), self.executor.tasks_of(owner))?;
        }
        let timers = self.sim.with(|kernel| kernel.schedule.timers_of(Owner::Server));
        self.nothing("timers of the server", timers)?;
        if self.sim.with(|kernel| kernel.network.is_listening()) {
            return Err("the server still listens after its shutdown".to_owned());
        }
        self.ledger.settle();
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
        let (sessions, messages) = self.ledger.totals();
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
async fn restarts(sim: Sim, ledger: Ledger, service: Service) {
    let plan = ledger.plan.clone();
    for (life, restart) in plan.restarts.iter().enumerate() {
        let &Restart { after, grace, down } = restart;
        sim.sleep(Plan::duration(after)).await;
        let handle = loop {
            match service.handle() {
                Some(handle) => break handle,
                None => sim.sleep(Plan::duration(SECOND)).await,
            }
        };
        sim.note(&[22], || "app     the server is going to come back".to_owned());
        ledger.breaks_all();
        let begun = sim.micros();
        handle.shutdown(Plan::duration(grace)).await;
        let took = sim.micros() - begun;
        if took > grace + plan.slack() {
            ledger
                .oracle
                .violation(format!("a shutdown with {grace} µs of grace took {took} µs"));
        }
        let left = handle.stats().engine.sessions;
        if left > 0 {
            ledger
                .oracle
                .violation(format!("{left} sessions survived the shutdown"));
        }
        drop(handle);
        sim.sleep(Plan::duration(down)).await;
        while service.ended().is_none() {
            sim.sleep(Plan::duration(SECOND)).await;
        }
        if let Some(Err(error)) = service.ended() {
            ledger.oracle.violation(format!("serve() ended with {error}"));
        }
        service.forget();
        sim.note(&[23], || "app     the server comes back".to_owned());
        let server = sim.of(Owner::Server);
        server.spawn(server::serve(
            server.clone(),
            ledger.clone(),
            service.clone(),
            life as u64 + 1,
        ));
        ledger.restarted();
    }
}
