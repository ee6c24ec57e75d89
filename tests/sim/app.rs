//! The server under test, and the application on it.

use std::future;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sansocket::engineio::{Config, Data, Refusal};
use sansocket::http::Compression;
use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::{Handle, Sender, Server, Socket, TrySendError};
use sansocket::{Error, Result};

use super::content::Direction;
use super::executor::{Owner, lock};
use super::oracle::{Oracle, Received, Report, key_of};
use super::plan::{Admission, Behaviour, MILLI, Plan};
use super::rng::{Rng, mix};
use super::runtime::Sim;

pub const ADDRESS: &str = "10.0.0.1:80";

/// The server as the rest of the world sees it.
#[derive(Clone, Default)]
pub struct Service(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    handle: Option<Handle>,
    /// How `serve` came to its end.
    ended: Option<Result<(), String>>,
    /// What the lives before the present one have received.
    past: u64,
}

impl Service {
    pub fn handle(&self) -> Option<Handle> {
        lock(&self.0).handle.clone()
    }

    pub fn ended(&self) -> Option<Result<(), String>> {
        lock(&self.0).ended.clone()
    }

    /// Nobody outside keeps the server's memory.
    pub fn forget(&self) {
        lock(&self.0).handle = None;
    }

    /// A life has ended, and there will be another one.
    pub fn begin_again(&self, received: u64) {
        let mut inner = lock(&self.0);
        inner.handle = None;
        inner.ended = None;
        inner.past += received;
    }

    /// What the lives before the present one have received.
    pub fn past(&self) -> u64 {
        lock(&self.0).past
    }
}

/// `life`: how often it was there before.
pub async fn serve(sim: Sim, oracle: Oracle, service: Service, life: u64) {
    let result = try_serve(sim, oracle, &service, life).await;
    let result = result.map_err(|error| error.to_string());
    lock(&service.0).ended = Some(result);
}

async fn try_serve(sim: Sim, oracle: Oracle, service: &Service, life: u64) -> Result<()> {
    let plan = oracle.plan.clone();
    let mut entropy = Rng::new(mix(plan.seed, 0xe17 + life));
    let requests = Mutex::new(0);
    let of_app = sim.of(Owner::App);
    let mut config = Config::default();
    config.ping_interval = Plan::duration(plan.ping_interval);
    config.ping_timeout = Plan::duration(plan.ping_timeout);
    config.upgrade_timeout = Plan::duration(plan.upgrade_timeout);
    config.accept_timeout = Plan::duration(plan.accept_timeout);
    config.close_timeout = Plan::duration(plan.close_timeout);
    config.stall_timeout = Some(Plan::duration(plan.stall_timeout));
    config.max_payload = plan.max_payload;
    config.max_queue = plan.max_queue;
    if let Some(window) = plan.receive_window {
        config.receive_window = window;
    }
    let app = of_app.clone();
    let builder = Server::builder_on(sim)
        .config(config)
        .compression(Compression::default().threshold(if plan.seed % 2 == 0 { 1024 } else { 100 }))
        .entropy(move |bytes: &mut [u8]| entropy.fill(bytes))
        .on_connect(move |_request| {
            let index = {
                let mut requests = lock(&requests);
                *requests += 1;
                *requests
            };
            admit(app.clone(), plan.admission(index))
        });
    let server = builder.bind(ADDRESS).await?;
    lock(&service.0).handle = Some(server.handle());
    server
        .serve(move |socket| handle(of_app.clone(), oracle.clone(), socket))
        .await
}

async fn admit(sim: Sim, admission: Admission) -> Result<(), Refusal> {
    match admission {
        Admission::Accept => Ok(()),
        Admission::AcceptAfter(micros) => {
            pause(&sim, micros).await;
            Ok(())
        }
        Admission::Refuse => Err(Refusal::new(401)),
        Admission::RefuseAfter(micros) => {
            pause(&sim, micros).await;
            Err(Refusal::new(403).message("not you"))
        }
        // Not `panic!`: the hook is for panics that nobody planned.
        Admission::Panic => resume_unwind(Box::new("planned")),
        Admission::Never => future::pending().await,
    }
}

async fn pause(sim: &Sim, micros: u64) {
    sim.sleep(Duration::from_micros(micros)).await;
}

/// Says that a handler is gone, however it went.
struct Presence {
    oracle: Oracle,
    key: u64,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.oracle.app_left(self.key);
    }
}

async fn handle(sim: Sim, oracle: Oracle, socket: Socket) -> Result<()> {
    let key = key_of(socket.sid().as_str());
    let behaviour = oracle.began(key);
    let presence = Presence {
        oracle: oracle.clone(),
        key,
    };
    let mut session = Session {
        sim,
        oracle,
        key,
        socket,
    };
    let outcome = session.run(behaviour).await;
    drop(session);
    drop(presence);
    outcome
}

struct Session {
    sim: Sim,
    oracle: Oracle,
    key: u64,
    socket: Socket,
}

impl Session {
    async fn run(&mut self, behaviour: Behaviour) -> Result<()> {
        match behaviour {
            Behaviour::Echo => self.echo(u64::MAX, 0).await,
            Behaviour::Slow { pause } => self.echo(u64::MAX, pause).await,
            Behaviour::CloseAfter { count } => self.echo(count, 0).await,
            Behaviour::PanicAfter { count } => {
                self.echo(count, 0).await?;
                resume_unwind(Box::new("planned"));
            }
            Behaviour::FailAfter { count } => {
                self.echo(count, 0).await?;
                Err(Error::application("planned"))
            }
            Behaviour::Deaf { pause: micros } => {
                pause(&self.sim, micros).await;
                while self.receive().await.is_some() {}
                Ok(())
            }
            Behaviour::Push { count, spacing } => {
                let app = self.sim.clone();
                let push = push(app, self.oracle.clone(), self.key, self.socket.sender(), count, spacing);
                self.sim.spawn(push);
                while self.receive().await.is_some() {}
                Ok(())
            }
        }
    }

    async fn receive(&mut self) -> Option<Data> {
        let data = self.socket.recv().await;
        match &data {
            Some(data) => self.oracle.app_received(self.key, view(data)),
            None => self.oracle.app_over(self.key, self.report()),
        }
        data
    }

    fn report(&self) -> Option<Report> {
        let closed = self.socket.closed()?;
        Some(Report {
            reason: closed.reason.to_string(),
            unsent: closed.unsent as u64,
            in_doubt: closed.in_doubt as u64,
        })
    }

    async fn echo(&mut self, count: u64, slowly: u64) -> Result<()> {
        for _ in 0..count {
            let Some(data) = self.receive().await else {
                return Ok(());
            };
            if slowly > 0 {
                pause(&self.sim, slowly).await;
            }
            match self.socket.send(data).await {
                Ok(()) => self.oracle.app_accepted(self.key),
                // The end itself is for `recv` to tell.
                Err(_) => continue,
            }
        }
        Ok(())
    }
}

async fn push(sim: Sim, oracle: Oracle, key: u64, sender: Sender, count: u64, spacing: u64) {
    let mut rng = Rng::new(mix(key, 0x9054));
    for index in 0..count {
        if spacing > 0 {
            pause(&sim, rng.between(0, spacing)).await;
        }
        let mut data = data(&oracle, key, index);
        if rng.one_in(2) {
            if sender.send(data).await.is_err() {
                return;
            }
            oracle.app_accepted(key);
            continue;
        }
        loop {
            match sender.try_send(data) {
                Ok(()) => {
                    oracle.app_accepted(key);
                    break;
                }
                Err(TrySendError::Full(back)) => data = back,
                Err(_) => return,
            }
            pause(&sim, 3 * MILLI).await;
        }
    }
}

fn view(data: &Data) -> Received<'_> {
    match data {
        Data::Text(text) => Received {
            text: true,
            bytes: text.as_bytes(),
        },
        Data::Binary(bytes) => Received { text: false, bytes },
    }
}

fn data(oracle: &Oracle, key: u64, index: u64) -> Data {
    let content = oracle.expected(key, Direction::Down, index);
    match std::str::from_utf8(content.bytes) {
        Ok(text) if content.text => Data::Text(text.into()),
        _ => Data::Binary(content.bytes.into()),
    }
}
