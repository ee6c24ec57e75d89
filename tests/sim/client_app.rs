//! An application on a client of ours.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sansocket::engineio::Data;
use sansocket::engineio::client::Config;
use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::{Backoff, Client, ClientEvent, ClientSender, TrySendError};
use sansocket::{Error, Result};

use super::client_plan::{ClientScript, Leaving, Taking};
use super::content::Content;
use super::executor::Owner;
use super::oracle::Oracle;
use super::plan::{MILLI, Plan, SECOND};
use super::rng::Rng;
use super::runtime::Sim;

pub struct Visitor {
    sim: Sim,
    oracle: Oracle,
    number: usize,
    script: ClientScript,
    rng: Rng,
    heard: u64,
    /// How many messages closing has called unsent.
    told_unsent: Option<usize>,
}

enum Turn {
    Event(ClientEvent),
    Over,
    Time,
}

/// The next event, or that it is time for something else.
async fn turn(client: &mut Client<Sim>, sim: &Sim, until: u64) -> Turn {
    let mut sleep = pin!(sim.sleep_until_micros(until));
    poll_fn(|cx| match client.poll_event(cx) {
        Poll::Ready(Some(event)) => Poll::Ready(Turn::Event(event)),
        Poll::Ready(None) => Poll::Ready(Turn::Over),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| Turn::Time),
    })
    .await
}

impl Visitor {
    pub fn new(sim: Sim, oracle: Oracle, number: usize, rng: Rng) -> Self {
        let script = oracle.client(number).clone();
        Self {
            sim,
            oracle,
            number,
            script,
            rng,
            heard: 0,
            told_unsent: None,
        }
    }

    async fn pause(&self, micros: u64) {
        self.sim.sleep(Duration::from_micros(micros)).await;
    }

    pub async fn run(mut self) {
        self.pause(self.script.start).await;
        self.oracle.guest_begins(self.number, self.script.senders);
        let mut client = match self.connect().await {
            Ok(client) => client,
            Err(Error::Connect(_)) => return self.oracle.client_failed(self.number),
            Err(error) => return self.oracle.violation(format!("client {}: {error}", self.number)),
        };
        self.oracle.guest_listens(self.number);
        let sender = client.sender();
        for _ in 0..self.script.senders {
            let task = Talker {
                sim: self.sim.clone(),
                oracle: self.oracle.clone(),
                number: self.number,
                sender: sender.clone(),
                rng: self.rng.fork(),
            };
            self.sim.spawn(task.run());
        }
        let over = self.stay(&mut client).await;
        if over {
            drop(client);
        } else {
            self.leave(client).await;
        }
        let closed = sender.wait().await;
        if sender.closed() != Some(closed) {
            self.oracle
                .violation(format!("client {}: over, and not over", self.number));
        }
        if !matches!(sender.try_send("late"), Err(TrySendError::Closed(_))) {
            self.oracle
                .violation(format!("client {}: sends after its end", self.number));
        }
        let unsent = sender.take_unsent();
        if let Some(told) = self.told_unsent.filter(|told| *told != unsent.len()) {
            let (number, count) = (self.number, unsent.len());
            self.oracle.violation(format!(
                "client {number}: closing says that {told} are unsent, and {count} are"
            ));
        }
        self.oracle.client_over(self.number, closed, &unsent);
    }

    async fn connect(&mut self) -> Result<Client<Sim>> {
        let script = self.script.clone();
        let mut entropy = self.rng.fork();
        let mut config = Config::default();
        config.stall_timeout = script.stall_timeout.map(Plan::duration);
        config.receive_window = script.receive_window;
        config.max_packets_per_request = script.max_packets;
        let mut builder = Client::builder_on(self.sim.of(Owner::Client), script.url)
            .no_proxy()
            .entropy(move |bytes: &mut [u8]| entropy.fill(bytes))
            .config(config)
            .transports(&script.transports)
            .allow_upgrades(script.upgrades)
            .connect_timeout(Plan::duration(script.connect_timeout))
            .upgrade_timeout(Plan::duration(script.upgrade_timeout))
            .request_timeout(Plan::duration(script.request_timeout))
            .close_timeout(Plan::duration(script.close_timeout))
            .max_queue(script.max_queue);
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
        match script.eager {
            true => builder.start(),
            false => builder.connect().await,
        }
    }

    /// Takes what comes until it is time to leave; true if there is nothing left to leave.
    async fn stay(&mut self, client: &mut Client<Sim>) -> bool {
        let begun = self.sim.micros();
        let leaves = self.script.leaves_at.map(|after| begun + after);
        let gives_up = begun + self.patience();
        let mut complete: Option<u64> = None;
        let mut step = 50 * MILLI;
        loop {
            let now = self.sim.micros();
            if complete.is_none() && self.oracle.client_complete(self.number) {
                complete = Some(now + self.script.lingers);
            }
            let until = leaves
                .into_iter()
                .chain(complete)
                .chain([gives_up])
                .min()
                .unwrap_or(gives_up);
            if now >= until {
                if until == gives_up && complete.is_none() && leaves.is_none() {
                    self.oracle.client_waits_in_vain(self.number);
                }
                return false;
            }
            let look = if complete.is_some() {
                until
            } else {
                until.min(now + step)
            };
            match turn(client, &self.sim, look).await {
                Turn::Over => return true,
                Turn::Time => step = (step * 2).min(4 * SECOND),
                Turn::Event(event) => self.hear(&event).await,
            }
        }
    }

    /// How long it waits for everything to arrive.
    fn patience(&self) -> u64 {
        let talking = self.script.messages * (self.script.spacing + self.oracle.plan.slack());
        talking + self.oracle.plan.patience() + self.script.lingers
    }

    async fn hear(&mut self, event: &ClientEvent) {
        self.oracle.client_event(self.number, event);
        let pause = match self.script.taking {
            Taking::Prompt => 0,
            Taking::Slow { pause } => pause,
            Taking::Deaf { after, pause } if after == self.heard => pause,
            Taking::Deaf { .. } => 0,
        };
        self.heard += 1;
        if pause > 0 {
            self.pause(pause).await;
        }
    }

    async fn leave(&mut self, mut client: Client<Sim>) {
        let leaving = self.script.leaving;
        self.oracle.client_leaves(self.number, leaving);
        let begun = self.sim.micros();
        let most = self.oracle.farewell(self.number, leaving);
        let sender = client.sender();
        match leaving {
            Leaving::Close => {
                let result = client.close().await;
                self.told_unsent = Some(match result {
                    Err(Error::Unsent(closed)) => closed.unsent,
                    _ => 0,
                });
            }
            Leaving::BeginClose => client.begin_close(),
            Leaving::Abort => client.abort(),
            Leaving::Drop => {
                self.drop(client).await;
                sender.wait().await;
                return self.be_in_time(begun, most);
            }
        }
        loop {
            match turn(&mut client, &self.sim, u64::MAX).await {
                Turn::Over => break,
                Turn::Event(event) => self.oracle.client_event(self.number, &event),
                Turn::Time => {}
            }
        }
        self.be_in_time(begun, most);
    }

    /// Drops it, mostly after a look at what has happened so far.
    async fn drop(&mut self, mut client: Client<Sim>) {
        if self.rng.one_in(4) {
            self.oracle.client_leaves_blindly(self.number);
            return drop(client);
        }
        loop {
            let mut event = None;
            poll_fn(|cx| {
                event = match client.poll_event(cx) {
                    Poll::Ready(event) => event,
                    Poll::Pending => None,
                };
                Poll::Ready(())
            })
            .await;
            match event {
                Some(event) => self.oracle.client_event(self.number, &event),
                None => return drop(client),
            }
        }
    }

    fn be_in_time(&self, begun: u64, most: u64) {
        let took = self.sim.micros() - begun;
        if took > most {
            let number = self.number;
            self.oracle.violation(format!(
                "client {number} takes {took} µs to leave, and {most} are allowed"
            ));
        }
    }
}

/// Sends a client's messages, or half of them.
struct Talker {
    sim: Sim,
    oracle: Oracle,
    number: usize,
    sender: ClientSender,
    rng: Rng,
}

impl Talker {
    async fn run(mut self) {
        let script = self.oracle.client(self.number).clone();
        for _ in 0..script.messages {
            if script.spacing > 0 {
                let pause = self.rng.between(0, script.spacing);
                self.sim.sleep(Duration::from_micros(pause)).await;
            }
            let content = self.oracle.next_message(self.number);
            let sent = match self.rng.one_in(2) {
                true => self.send(content).await,
                false => self.try_send(content).await,
            };
            if !sent {
                break;
            }
        }
        self.oracle.sender_done(self.number);
    }

    /// False when there is no session to send on any more.
    async fn send(&self, content: Content) -> bool {
        let result = self.sender.send(data(content)).await.map_err(|error| {
            let closed = matches!(error, sansocket::SendError::Closed(_));
            (closed, error.into_data())
        });
        self.outcome(content, result)
    }

    async fn try_send(&self, content: Content) -> bool {
        let mut data = data(content);
        let mut pause = 3 * MILLI;
        loop {
            match self.sender.try_send(data) {
                Ok(()) => return self.outcome(content, Ok(())),
                Err(TrySendError::Full(back)) => data = back,
                Err(error) => {
                    let closed = matches!(error, TrySendError::Closed(_));
                    return self.outcome(content, Err((closed, error.into_data())));
                }
            }
            self.sim.sleep(Duration::from_micros(pause)).await;
            pause = (pause * 2).min(SECOND);
        }
    }

    fn outcome(&self, content: Content, result: Result<(), (bool, Data)>) -> bool {
        match result {
            Ok(()) => {
                self.oracle.client_accepted(self.number, content);
                true
            }
            Err((closed, back)) => {
                if back != data(content) {
                    self.oracle.violation("another message was given back".to_owned());
                }
                match closed {
                    true => self.oracle.client_refused(self.number),
                    false => self.oracle.client_too_large(self.number, content),
                }
                !closed
            }
        }
    }
}

fn data(content: Content) -> Data {
    match std::str::from_utf8(content.bytes) {
        Ok(text) if content.text => Data::Text(text.into()),
        _ => Data::Binary(content.bytes.into()),
    }
}
