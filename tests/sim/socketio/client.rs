//! An application on a client of ours.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sansocket::Backoff;
use sansocket::engineio::client::Config as EngineConfig;
use sansocket::runtime::Runtime;
use sansocket::runtime::socketio::client::{
    CallError, Client, ClientEvent, ClientEvents, ClientSocket, Config, ConnectFailed, WhenFull,
};
use sansocket::socketio::{AckToken, Args, MSGPACK, TEXT};

use crate::client_plan::{ClientScript, Leaving, Taking};
use crate::executor::Owner;
use crate::plan::{MILLI, Plan, SECOND};
use crate::rng::Rng;
use crate::runtime::Sim;

use super::content::{CLOSED, Kind, NAMESPACES, NOWHERE, Origin, answer, args};
use super::ledger::{Fate, Ledger};
use super::plan::{self, Answer};
use super::server::begin;

pub struct Visitor {
    sim: Sim,
    ledger: Ledger,
    number: usize,
    script: ClientScript,
    rng: Rng,
    heard: u64,
}

enum Turn {
    Event(ClientEvent),
    Over,
    Time,
}

/// The next event, or that it is time for something else.
async fn turn(events: &mut ClientEvents, sim: &Sim, until: u64) -> Turn {
    let mut sleep = pin!(sim.sleep_until_micros(until));
    poll_fn(|cx| match events.poll_next(cx) {
        Poll::Ready(Some(event)) => Poll::Ready(Turn::Event(event)),
        Poll::Ready(None) => Poll::Ready(Turn::Over),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| Turn::Time),
    })
    .await
}

impl Visitor {
    pub fn new(sim: Sim, ledger: Ledger, number: usize, rng: Rng) -> Self {
        let script = ledger.plan.clients[number].clone();
        Self {
            sim,
            ledger,
            number,
            script,
            rng,
            heard: 0,
        }
    }

    pub async fn run(mut self) {
        self.sim.sleep(Duration::from_micros(self.script.start)).await;
        let (client, mut events) = match self.connect() {
            Ok(both) => both,
            Err(error) => {
                let number = self.number;
                return self.ledger.oracle.violation(format!("client {number}: {error}"));
            }
        };
        self.join_more(&client);
        if !self.stay(&mut events).await {
            self.leave(client, &mut events).await;
        }
        self.ledger.client_done(self.number);
    }

    fn auth(&self) -> BTreeMap<String, u64> {
        BTreeMap::from([("client".to_owned(), self.number as u64)])
    }

    fn connect(&mut self) -> Result<(Client<Sim>, ClientEvents), ConnectFailed> {
        let script = self.script.clone();
        let io = self.ledger.script.clone();
        let mut entropy = self.rng.fork();
        let mut engine = EngineConfig::default();
        engine.stall_timeout = script.stall_timeout.map(Plan::duration);
        engine.receive_window = script.receive_window;
        engine.max_packets_per_request = script.max_packets;
        let mut config = Config::default();
        config.parser = if io.msgpack { &MSGPACK } else { &TEXT };
        config.ack_timeout = Plan::duration(io.client_ack_timeout);
        config.retries = io.retries;
        config.max_queue = io.client_queue;
        config.max_offline = io.offline;
        config.receive_window = io.window;
        if io.drop_oldest {
            config.when_full = WhenFull::DropOldest;
        }
        // A path in the URL would be a namespace's name.
        let url = script.url.trim_end_matches("/engine.io");
        let mut builder = Client::builder_on(self.sim.of(Owner::Client), url)
            .config(config)
            .connect_timeout(Plan::duration(script.connect_timeout))
            .transports(&script.transports)
            .allow_upgrades(script.upgrades)
            .no_proxy()
            .engine(|engine_builder| {
                engine_builder
                    .entropy(move |bytes: &mut [u8]| entropy.fill(bytes))
                    .config(engine)
                    .upgrade_timeout(Plan::duration(script.upgrade_timeout))
                    .request_timeout(Plan::duration(script.request_timeout))
                    .close_timeout(Plan::duration(script.close_timeout))
                    .max_queue(script.max_queue)
            })
            .namespace(NAMESPACES[0]);
        if self.rng.one_in(2) {
            builder = builder.namespace(NAMESPACES[1]);
        }
        if self.rng.one_in(6) {
            builder = builder.namespace(*self.rng.pick(&[CLOSED, NOWHERE]));
        }
        let auth = self.auth();
        builder = match self.rng.one_in(2) {
            true => builder.auth(&auth),
            false => builder.auth_with(move || {
                let auth = auth.clone();
                async move { auth }
            }),
        };
        if let Some(reconnecting) = script.reconnecting {
            let backoff = Backoff::default()
                .delay(Plan::duration(reconnecting.delay))
                .max_delay(Plan::duration(reconnecting.max_delay))
                .jitter(reconnecting.jitter as f64 / 100.0);
            builder = builder.reconnect(match reconnecting.attempts {
                Some(attempts) => backoff.attempts(attempts),
                None => backoff.forever(),
            });
        }
        builder.start_with_events()
    }

    /// Further namespaces, and somebody who emits in each.
    fn join_more(&mut self, client: &Client<Sim>) {
        if self.rng.one_in(2) {
            // It may be over already.
            let _ = client.join_with(NAMESPACES[2], &self.auth());
        }
        let sockets: Vec<_> = (0..NAMESPACES.len())
            .filter_map(|namespace| Some((namespace, client.of(NAMESPACES[namespace])?)))
            .collect();
        self.ledger.talkers(self.number, sockets.len() as u64);
        for (namespace, socket) in sockets {
            let talker = Talker {
                sim: self.sim.clone(),
                ledger: self.ledger.clone(),
                number: self.number,
                namespace,
                socket,
                rng: self.rng.fork(),
            };
            self.sim.spawn(talker.run());
        }
    }

    /// Takes what comes until it is time to leave; true if there is nothing left to leave.
    async fn stay(&mut self, events: &mut ClientEvents) -> bool {
        let begun = self.sim.micros();
        let leaves = self.script.leaves_at.map(|after| begun + after);
        let gives_up = begun + self.patience();
        let mut complete: Option<u64> = None;
        let mut step = 50 * MILLI;
        loop {
            let now = self.sim.micros();
            if complete.is_none() && self.ledger.is_complete(self.number) {
                complete = Some(now + self.script.lingers + 100 * MILLI);
            }
            let until = leaves
                .into_iter()
                .chain(complete)
                .chain([gives_up])
                .min()
                .unwrap_or(gives_up);
            if now >= until {
                if until == gives_up && complete.is_none() && leaves.is_none() {
                    self.ledger.waits_in_vain(self.number);
                }
                return false;
            }
            let look = if complete.is_some() {
                until
            } else {
                until.min(now + step)
            };
            match turn(events, &self.sim, look).await {
                Turn::Over => return true,
                Turn::Time => step = (step * 2).min(4 * SECOND),
                Turn::Event(event) => self.hear(event).await,
            }
        }
    }

    /// How long it waits for everything to come to its end.
    fn patience(&self) -> u64 {
        let script = &self.ledger.script;
        // Who waits for an answer says nothing else meanwhile.
        let calling = script.client_ack_timeout.max(17 * SECOND);
        let talking = self.script.messages * (self.script.spacing + self.ledger.plan.slack() + calling);
        // They are sent one after the other.
        let retried = script.client_ack_timeout * u64::from(script.retries + 1) * (self.script.messages + 1);
        talking + retried + script.server_ack_timeout + self.ledger.plan.patience() + 120 * SECOND
    }

    async fn hear(&mut self, event: ClientEvent) {
        let found = self.ledger.client_event(self.number, &event);
        if let ClientEvent::Event {
            socket,
            ack: Some(token),
            ..
        } = event
        {
            if let Some((origin, index)) = found {
                self.acknowledge(socket, origin, index, token).await;
            }
        }
        let pause = match self.script.taking {
            Taking::Prompt => 0,
            Taking::Slow { pause } => pause,
            Taking::Deaf { after, pause } if after == self.heard => pause,
            Taking::Deaf { .. } => 0,
        };
        self.heard += 1;
        if pause > 0 {
            self.sim.sleep(Duration::from_micros(pause)).await;
        }
    }

    async fn acknowledge(&self, socket: ClientSocket, origin: Origin, index: u64, token: AckToken) {
        let pause = match plan::answer(&self.ledger.plan, origin, index) {
            Answer::Now => 0,
            Answer::After(micros) => micros,
            Answer::Never | Answer::Panic => return,
        };
        let (sim, ledger) = (self.sim.clone(), self.ledger.clone());
        let answered = async move {
            if pause > 0 {
                sim.sleep(Duration::from_micros(pause)).await;
            }
            ledger.answers(origin, index);
            let args = Args::encode(&answer(origin, index)).expect("numbers have a JSON form");
            // Where the connection is gone, nobody waits for it.
            let _ = socket.ack(token, args).await;
        };
        begin(&self.sim, answered).await;
    }

    async fn leave(&mut self, client: Client<Sim>, events: &mut ClientEvents) {
        let leaving = self.script.leaving;
        self.ledger.leaves(self.number, leaving);
        let client = match leaving {
            Leaving::Close | Leaving::BeginClose => {
                client.begin_close();
                Some(client)
            }
            Leaving::Abort => {
                client.abort();
                Some(client)
            }
            Leaving::Drop => {
                drop(client);
                None
            }
        };
        loop {
            match turn(events, &self.sim, u64::MAX).await {
                Turn::Over => break,
                Turn::Event(event) => drop(self.ledger.client_event(self.number, &event)),
                Turn::Time => {}
            }
        }
        if let Some(client) = client {
            client.wait().await;
        }
    }
}

/// Emits in one namespace.
struct Talker {
    sim: Sim,
    ledger: Ledger,
    number: usize,
    namespace: usize,
    socket: ClientSocket,
    rng: Rng,
}

impl Talker {
    async fn run(mut self) {
        let script = self.ledger.plan.clients[self.number].clone();
        let leaves = self.rng.one_in(12).then(|| self.rng.below(script.messages + 1));
        for said in 0..script.messages {
            if script.spacing > 0 {
                let pause = self.rng.between(0, script.spacing);
                self.sim.sleep(Duration::from_micros(pause)).await;
            }
            if self.ledger.has_left(self.number) {
                break;
            }
            if leaves == Some(said) {
                self.ledger.leaves_namespace(self.number, self.namespace);
                self.socket.disconnect();
                break;
            }
            self.say().await;
        }
        self.ledger.talker_done(self.number);
    }

    async fn say(&mut self) {
        let origin = Origin::client(self.number, self.namespace);
        let kind = plan::kind(&mut self.rng, true);
        let index = self.ledger.emits(origin, kind);
        let args = args(&self.ledger.plan, origin, index);
        let timeout = self.rng.one_in(2).then(|| self.rng.by_magnitude(12, 24).max(MILLI));
        let sent = match kind {
            Kind::Volatile => self.socket.emit_volatile(kind.event(), &args).is_ok_and(|sent| sent),
            Kind::Numbered => {
                let timeout = timeout.map(Plan::duration);
                match self.socket.emit_with_ack(kind.event(), args, timeout) {
                    Ok(id) => {
                        self.ledger.numbered(self.number, self.namespace, id, index);
                        true
                    }
                    Err(_) => false,
                }
            }
            Kind::Call | Kind::Retried => return self.call(kind, index, &args, timeout).await,
            Kind::Plain if self.rng.one_in(3) => self.socket.try_emit(kind.event(), args).is_ok(),
            Kind::Plain => self.socket.emit(kind.event(), &args).await.is_ok(),
        };
        let fate = if sent { Fate::Accepted } else { Fate::Refused };
        self.ledger.fate(origin, index, fate);
    }

    async fn call(&mut self, kind: Kind, index: u64, args: &Args, timeout: Option<u64>) {
        let origin = Origin::client(self.number, self.namespace);
        let mut call = self.socket.call_args::<(u64, u64)>(kind.event(), args);
        let mut timeout = Some(timeout.unwrap_or(self.ledger.script.client_ack_timeout));
        if kind == Kind::Retried {
            call = call.with_retries();
            timeout = None;
        } else if let Some(timeout) = timeout {
            call = call.timeout(Duration::from_micros(timeout));
        }
        let (ledger, number) = (self.ledger.clone(), self.number);
        ledger.call(number, true);
        let waited = async move {
            match call.await {
                Ok(answer) => {
                    ledger.fate(origin, index, Fate::Accepted);
                    ledger.resolves(origin, index, Ok(answer), timeout);
                }
                Err(CallError::Ack(error)) => {
                    ledger.fate(origin, index, Fate::Accepted);
                    ledger.resolves(origin, index, Err(error), timeout);
                }
                Err(CallError::Emit(_)) => ledger.fate(origin, index, Fate::Refused),
                Err(error) => ledger.oracle.violation(format!("{origin:?} #{index}: {error}")),
            }
            ledger.call(number, false);
        };
        match self.rng.one_in(3) {
            true => waited.await,
            false => begin(&self.sim, waited).await,
        }
    }
}
