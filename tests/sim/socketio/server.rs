//! The server under test, and the application on it.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use sansocket::engineio::Config as EngineConfig;
use sansocket::runtime::Runtime;
use sansocket::runtime::socketio::{Ack, Args, ConnectRequest, Handle, Namespace, Refused, Server, Socket};
use sansocket::socketio::server::Config;
use sansocket::socketio::{AckError, MSGPACK, TEXT};
use sansocket::{Error, Result};

use crate::app::ADDRESS;
use crate::executor::{Owner, lock};
use crate::plan::{MILLI, Plan};
use crate::rng::{Rng, mix};
use crate::runtime::Sim;

use super::content::{CLOSED, Kind, NAMESPACES, Origin, answer, args};
use super::ledger::{Fate, Ledger};
use super::plan::{self, Admission, Answer};

/// The server as the rest of the world sees it.
#[derive(Clone, Default)]
pub struct Service(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    handle: Option<Handle>,
    ended: Option<std::result::Result<(), String>>,
}

impl Service {
    pub fn handle(&self) -> Option<Handle> {
        lock(&self.0).handle.clone()
    }

    pub fn ended(&self) -> Option<std::result::Result<(), String>> {
        lock(&self.0).ended.clone()
    }

    /// Nobody outside keeps the server's memory.
    pub fn forget(&self) {
        *lock(&self.0) = Inner::default();
    }
}

/// `life`: how often it was there before.
pub async fn serve(sim: Sim, ledger: Ledger, service: Service, life: u64) {
    let result = try_serve(sim, ledger, &service, life).await;
    lock(&service.0).ended = Some(result.map_err(|error| error.to_string()));
}

async fn try_serve(sim: Sim, ledger: Ledger, service: &Service, life: u64) -> Result<()> {
    let (world, script) = (ledger.plan.clone(), ledger.script.clone());
    let mut entropy = Rng::new(mix(world.seed, 0xe17 + life));
    let app = sim.of(Owner::App);
    let mut engine = EngineConfig::default();
    engine.ping_interval = Plan::duration(world.ping_interval);
    engine.ping_timeout = Plan::duration(world.ping_timeout);
    engine.upgrade_timeout = Plan::duration(world.upgrade_timeout);
    engine.close_timeout = Plan::duration(world.close_timeout);
    engine.stall_timeout = Some(Plan::duration(world.stall_timeout));
    engine.max_payload = world.max_payload;
    engine.max_queue = world.max_queue;
    if let Some(window) = world.receive_window {
        engine.receive_window = window;
    }
    let mut config = Config::default();
    config.parser = if script.msgpack { &MSGPACK } else { &TEXT };
    config.ack_timeout = Plan::duration(script.server_ack_timeout);
    config.connect_timeout = Plan::duration(script.server_connect_timeout);
    config.max_queue = script.server_queue;
    config.max_message = world.max_queue - 100;
    config.receive_window = script.window;
    let server = Server::builder_on(sim)
        .engine(|builder| builder.config(engine))
        .config(config)
        .concurrency(script.concurrency)
        .entropy(move |bytes: &mut [u8]| entropy.fill(bytes))
        .build();
    for (at, name) in NAMESPACES.into_iter().enumerate() {
        let (admitting, sim) = (ledger.clone(), app.clone());
        let namespace = server
            .of(name)
            .on_connect(move |request| admit(sim.clone(), admitting.clone(), at, request));
        handlers(&namespace, &app, &ledger);
    }
    server
        .of(CLOSED)
        .on_connect(|_| async { Err::<u64, _>(Refused::new("closed").data(&BTreeMap::from([("code", 7)]))) });
    let server = server.bind(ADDRESS).await?;
    lock(&service.0).handle = Some(server.handle());
    server.serve().await
}

async fn admit(
    sim: Sim,
    ledger: Ledger,
    namespace: usize,
    request: ConnectRequest,
) -> std::result::Result<u64, Refused> {
    let auth: BTreeMap<String, u64> = request.auth()?;
    let client = auth["client"] as usize;
    match plan::admission(&ledger.plan, ledger.request()) {
        Admission::Accept => {}
        Admission::AcceptAfter(micros) => sim.sleep(Duration::from_micros(micros)).await,
        Admission::Refuse => return Err(Refused::new("not you")),
        // Not `panic!`: the hook is for panics that nobody planned.
        Admission::Panic => resume_unwind(Box::new("planned")),
    }
    let number = ledger.admits(client, namespace, request.id());
    let mut rng = Rng::new(mix(ledger.plan.seed ^ 0xea71, number));
    if rng.one_in(3) {
        request.join("red");
    }
    if rng.one_in(3) {
        let origin = Origin::socket(number);
        let index = ledger.emits(origin, Kind::Plain);
        let emitted = request
            .emit(Kind::Plain.event(), &args(&ledger.plan, origin, index))
            .await;
        let fate = if emitted.is_ok() { Fate::Accepted } else { Fate::Refused };
        ledger.fate(origin, index, fate);
    }
    Ok(number)
}

fn handlers(namespace: &Namespace<u64>, sim: &Sim, ledger: &Ledger) {
    for event in ["plain", "volatile", "ask", "retried"] {
        let (sim, ledger) = (sim.clone(), ledger.clone());
        namespace.on(event, move |socket: Socket<u64>, args: Args| {
            take(sim.clone(), ledger.clone(), event, socket, args)
        });
    }
    let (app, account) = (sim.clone(), ledger.clone());
    namespace.on_connected(move |socket| {
        let number = *socket.data();
        account.connected(number);
        let speaker = Speaker {
            sim: app.clone(),
            ledger: account.clone(),
            number,
            rng: Rng::new(mix(account.plan.seed ^ 0x5bea, number)),
        };
        app.spawn(speaker.speak(socket));
        async {}
    });
    let account = ledger.clone();
    namespace.on_disconnect(move |socket, reason| {
        account.disconnected(*socket.data(), reason);
        async {}
    });
}

async fn take(sim: Sim, ledger: Ledger, event: &str, socket: Socket<u64>, args: Args) -> Result<Ack<(u64, u64)>> {
    let number = *socket.data();
    let Some((origin, index)) = ledger.server_received(number, event, &args) else {
        return Err(Error::application("what came was wrong"));
    };
    match plan::answer(&ledger.plan, origin, index) {
        Answer::Now => {}
        Answer::After(micros) => sim.sleep(Duration::from_micros(micros)).await,
        Answer::Never => return Err(Error::application("planned")),
        Answer::Panic => {
            ledger.breaks(number, true, true);
            resume_unwind(Box::new("planned"));
        }
    }
    ledger.answers(origin, index);
    Ok(Ack(answer(origin, index)))
}

/// Says what the server's application has to say to one socket.
struct Speaker {
    sim: Sim,
    ledger: Ledger,
    number: u64,
    rng: Rng,
}

impl Speaker {
    async fn speak(mut self, socket: Socket<u64>) {
        let speech = plan::speech(&self.ledger.plan, self.number);
        for said in 0..speech.count {
            if speech.spacing > 0 {
                let pause = self.rng.between(0, speech.spacing);
                self.sim.sleep(Duration::from_micros(pause)).await;
            }
            if !socket.is_connected() {
                break;
            }
            if let Some((_, all)) = speech.throws_out.filter(|(after, _)| *after == said) {
                self.ledger.breaks(self.number, all, false);
                socket.disconnect(all);
                break;
            }
            match self.rng.below(10) {
                0 => socket.join(*self.rng.pick(&["red", "blue"])),
                1 => socket.leave(*self.rng.pick(&["red", "blue"])),
                2 => self.cast(&socket).await,
                _ => self.say(&socket).await,
            }
        }
        self.ledger.falls_silent(self.number);
    }

    /// To many.
    async fn cast(&mut self, socket: &Socket<u64>) {
        let namespace = socket.namespace();
        let to = match self.rng.below(4) {
            0 => namespace.all(),
            1 => namespace.to(*self.rng.pick(&["red", "blue"])),
            2 => namespace.except(*self.rng.pick(&["red", "blue"])),
            _ => socket.to("red").to("blue"),
        };
        let place = NAMESPACES
            .iter()
            .position(|name| *name == namespace.name())
            .unwrap_or(0);
        let origin = Origin::broadcast(place);
        let index = self.ledger.emits(origin, Kind::Plain);
        let args = args(&self.ledger.plan, origin, index);
        // Nothing else happens between these two.
        let meant = to.sockets();
        self.ledger
            .casts(origin, index, meant.iter().map(|socket| *socket.data()));
        let emitted = to.emit("cast", &args).await;
        let fate = if emitted.is_ok() { Fate::Accepted } else { Fate::Refused };
        self.ledger.fate(origin, index, fate);
    }

    async fn say(&mut self, socket: &Socket<u64>) {
        let origin = Origin::socket(self.number);
        let kind = plan::kind(&mut self.rng, false);
        let index = self.ledger.emits(origin, kind);
        let args = args(&self.ledger.plan, origin, index);
        let event = kind.event();
        let sent = match kind {
            Kind::Volatile => socket.emit_volatile(event, &args).is_ok_and(|sent| sent),
            Kind::Call => return self.call(socket, index, &args).await,
            _ if self.rng.one_in(3) => socket.try_emit(event, &args).is_ok(),
            _ => socket.emit(event, &args).await.is_ok(),
        };
        let fate = if sent { Fate::Accepted } else { Fate::Refused };
        self.ledger.fate(origin, index, fate);
    }

    async fn call(&mut self, socket: &Socket<u64>, index: u64, args: &Args) {
        let timeout = match self.rng.one_in(2) {
            true => self.rng.by_magnitude(12, 24).max(MILLI),
            false => self.ledger.script.server_ack_timeout,
        };
        let ledger = self.ledger.clone();
        let origin = Origin::socket(self.number);
        let call = socket.call_args::<(u64, u64)>(Kind::Call.event(), args);
        let call = call.timeout(Duration::from_micros(timeout));
        ledger.server_call(true);
        let waited = async move {
            let result = match call.await {
                Err(Error::Emit(_)) => {
                    ledger.fate(origin, index, Fate::Refused);
                    ledger.server_call(false);
                    return;
                }
                Ok(answer) => Ok(answer),
                Err(Error::Ack(error)) => Err(error),
                Err(error) => {
                    ledger.oracle.violation(format!("{origin:?} #{index}: {error}"));
                    Err(AckError::Disconnected)
                }
            };
            ledger.fate(origin, index, Fate::Accepted);
            ledger.resolves(origin, index, result, Some(timeout));
            ledger.server_call(false);
        };
        match self.rng.one_in(2) {
            true => waited.await,
            false => begin(&self.sim, waited).await,
        }
    }
}

/// Runs a future up to where it first waits, and the rest of it in a task.
pub async fn begin(sim: &Sim, future: impl Future<Output = ()> + Send + 'static) {
    let mut future = Box::pin(future);
    let ready = {
        let mut first = pin!(&mut future);
        poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_ready())).await
    };
    if !ready {
        sim.spawn(future);
    }
}
