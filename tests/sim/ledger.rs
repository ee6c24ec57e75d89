//! What the clients of ours saw, and whether both ends can be right.
//!
//! A client's messages are one sequence across all of its sessions: what a session did not hand over is for the next one.
//! Which of them a session got is known to its server alone, and compared at the end.

use std::collections::BTreeSet;

use sansocket::engineio::{CloseReason, Closed, Data, Transport};
use sansocket::runtime::engineio::ClientEvent;

use super::client_plan::{ClientScript, Leaving};
use super::content::{Content, Direction, message};
use super::oracle::{Books, Oracle, Received, Session, key_of, takes_all};
use super::plan::{Behaviour, Family, SECOND};
use super::rng::mix;
use super::trace::digest;

/// A message as a number, kind included.
pub fn fingerprint(content: Received<'_>) -> u64 {
    mix(digest(content.bytes), u64::from(content.text) + 1)
}

pub fn received(data: &Data) -> Received<'_> {
    match data {
        Data::Text(text) => Received {
            text: true,
            bytes: text.as_bytes(),
        },
        Data::Binary(bytes) => Received { text: false, bytes },
    }
}

/// How many bytes a message is in a polling body, and on a WebSocket.
fn sizes(content: Received<'_>) -> (usize, usize) {
    let length = content.bytes.len();
    match content.text {
        true => (1 + length, 1 + length),
        false => (1 + length.div_ceil(3) * 4, length),
    }
}

/// One session of a client.
#[derive(Clone, Debug)]
pub struct Stay {
    pub key: u64,
    pub transport: Transport,
    pub received: u64,
    pub upgraded: bool,
    pub upgrade_failed: bool,
    pub closed: Option<Closed>,
    pub closed_at: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Chapter {
    /// No session is open, and one is going to be.
    #[default]
    Connecting,
    Open,
    /// Only another attempt can follow.
    Ended,
}

/// One client of ours.
#[derive(Clone, Debug, Default)]
pub struct Guest {
    chapter: Chapter,
    /// When the present attempt began.
    began: u64,
    /// It did not listen until then.
    caught_up_at: u64,
    /// Attempts in a row that have failed.
    failures: u32,
    pub stays: Vec<Stay>,
    next: u64,
    /// The messages that were taken from it, in order.
    accepted: Vec<u64>,
    /// Those of them that may turn out to be too large.
    large: BTreeSet<u64>,
    too_large: Vec<u64>,
    senders: u64,
    /// A message was refused because there is no session.
    refused: bool,
    pub left: Option<Leaving>,
    /// It left without looking at what had happened.
    blind: bool,
    over: Option<Closed>,
    unsent: Vec<u64>,
    pub done: bool,
}

impl Guest {
    fn open(&mut self) -> Option<&mut Stay> {
        match self.chapter {
            Chapter::Open => self.stays.last_mut(),
            Chapter::Connecting | Chapter::Ended => None,
        }
    }

    /// What did not turn out to be too large, as far as it was told.
    fn sequence(&self, books: &Books) -> Result<Vec<u64>, String> {
        let mut sequence = self.accepted.clone();
        for large in &self.too_large {
            match sequence.iter().position(|other| other == large) {
                Some(at) => drop(sequence.remove(at)),
                None => return Err("a message was given back that was never sent".to_owned()),
            }
        }
        if self.left == Some(Leaving::Drop) {
            // Nobody was there to be told of the others.
            let taken = |print: &u64| self.stays.iter().any(|stay| books.taken(stay.key).contains(print));
            sequence.retain(|print| !self.large.contains(print) || self.unsent.contains(print) || taken(print));
        }
        Ok(sequence)
    }

    /// Whether the messages of all sessions, and what was given back, can be what was sent.
    fn add_up(&self, books: &Books) -> Result<(), String> {
        let sequence = self.sequence(books)?;
        let end = sequence.len();
        // Where the next session may begin.
        let mut begins = BTreeSet::from([0]);
        for stay in &self.stays {
            let taken = books.taken(stay.key);
            let matching = begins.iter().filter(|from| sequence[**from..].starts_with(taken));
            let matching: Vec<_> = matching.copied().collect();
            if matching.is_empty() {
                let places = |print: &u64| sequence.iter().position(|other| other == print);
                let order: Vec<_> = taken.iter().map(places).collect();
                return Err(format!(
                    "session {:x} was to begin at one of {begins:?}, and got {order:?} of {end}",
                    stay.key
                ));
            }
            let session = books.sessions.get(&stay.key);
            let heard_all = session.is_some_and(|session| session.over_at.is_some() && takes_all(session.behaviour));
            let in_doubt = stay.closed.map_or(end, |closed| closed.in_doubt);
            let slack = if heard_all { in_doubt } else { end };
            begins = matching
                .iter()
                .map(|from| from + taken.len())
                .flat_map(|from| from..=(from + slack).min(end))
                .collect();
        }
        let rest = end.checked_sub(self.unsent.len());
        match rest.filter(|rest| begins.contains(rest)) {
            None => Err(format!(
                "{end} messages were sent, {} were given back, and what was not sent begins at one of {begins:?}",
                self.unsent.len()
            )),
            Some(rest) if sequence[rest..] != self.unsent => {
                Err("what was given back as unsent is not the end of what was sent".to_owned())
            }
            Some(_) => Ok(()),
        }
    }
}

impl Books {
    fn taken(&self, key: u64) -> &[u64] {
        self.sessions.get(&key).map_or(&[], |session| &session.taken)
    }
}

/// The number that a client's messages follow from.
fn client_key(seed: u64, number: usize) -> u64 {
    mix(seed ^ 0xc11e27, number as u64)
}

impl Oracle {
    pub fn client(&self, number: usize) -> &ClientScript {
        &self.plan.clients[number]
    }

    fn guest<T>(&self, number: usize, edit: impl FnOnce(&mut Guest) -> T) -> T {
        self.with(|books| edit(&mut books.guests[number]))
    }

    fn clean(&self) -> bool {
        self.plan.family == Family::BothClean
    }

    pub fn guest_begins(&self, number: usize, senders: u64) {
        let now = self.micros();
        self.guest(number, |guest| {
            guest.began = now;
            guest.senders = senders;
        });
    }

    /// A client that did not listen until now does.
    pub fn guest_listens(&self, number: usize) {
        let now = self.micros();
        self.guest(number, |guest| guest.caught_up_at = now);
    }

    /// The next message that a client sends.
    pub fn next_message(&self, number: usize) -> Content {
        let index = self.guest(number, |guest| {
            guest.next += 1;
            guest.next - 1
        });
        let key = client_key(self.plan.seed, number);
        message(key, self.plan.repertoire, Direction::Up, index)
    }

    pub fn client_accepted(&self, number: usize, content: Content) {
        let content = Received {
            text: content.text,
            bytes: content.bytes,
        };
        let print = fingerprint(content);
        let large = sizes(content).0 > self.plan.max_payload;
        let count = self.guest(number, |guest| {
            guest.accepted.push(print);
            if large {
                guest.large.insert(print);
            }
            guest.accepted.len() as u64
        });
        self.note(&[30, number as u64, count], || {
            format!("client {number} sends #{}, {} bytes", count - 1, content.bytes.len())
        });
    }

    /// A send was answered with "too large".
    pub fn client_too_large(&self, number: usize, content: Content) {
        let max_queue = self.client(number).max_queue;
        let content = Received {
            text: content.text,
            bytes: content.bytes,
        };
        if sizes(content).0 <= self.plan.max_payload && content.bytes.len() + 64 <= max_queue {
            self.violation(format!(
                "client {number}: {} bytes are no large message",
                content.bytes.len()
            ));
        }
    }

    /// A send was answered with "closed".
    pub fn client_refused(&self, number: usize) {
        self.guest(number, |guest| guest.refused = true);
    }

    pub fn sender_done(&self, number: usize) {
        self.guest(number, |guest| guest.senders -= 1);
    }

    pub fn client_leaves(&self, number: usize, leaving: Leaving) {
        self.note(&[31, number as u64], || format!("client {number} leaves: {leaving:?}"));
        self.guest(number, |guest| guest.left = Some(leaving));
    }

    /// A client is dropped in a session of which it may not have heard, nor of those before.
    pub fn client_leaves_blindly(&self, number: usize) {
        self.guest(number, |guest| guest.blind = true);
    }

    pub fn client_event(&self, number: usize, event: &ClientEvent) {
        self.note(&[32, number as u64], || {
            let what: String = format!("{event:?}").chars().take(200).collect();
            format!("client {number} hears {what}")
        });
        if let Err(wrong) = self.try_event(number, event) {
            let guest = self.guest(number, |guest| format!("{:?} {:?}", guest.chapter, guest.stays.last()));
            self.violation(format!("client {number}: {wrong}: {event:?} {guest}"));
        }
    }

    fn try_event(&self, number: usize, event: &ClientEvent) -> Result<(), &'static str> {
        let now = self.micros();
        let plan = self.plan.clone();
        let script = &plan.clients[number];
        let in_time = |guest: &Guest| {
            let late = now > guest.began + script.connect_timeout + plan.slack();
            !late || !script.is_prompt() || guest.left.is_some() || guest.caught_up_at == now
        };
        match event {
            ClientEvent::Opened { transport, sid } => self.guest(number, |guest| {
                if guest.chapter != Chapter::Connecting {
                    return Err("a session opens out of turn");
                }
                if !script.transports.contains(transport) {
                    return Err("opened on what was not wanted");
                }
                let timely = in_time(guest);
                guest.chapter = Chapter::Open;
                guest.failures = 0;
                guest.stays.push(Stay {
                    key: key_of(sid.as_str()),
                    transport: *transport,
                    received: 0,
                    upgraded: false,
                    upgrade_failed: false,
                    closed: None,
                    closed_at: 0,
                });
                if timely { Ok(()) } else { Err("opened too late") }
            }),
            ClientEvent::Message(data) => self.client_received(number, received(data)),
            ClientEvent::Upgraded | ClientEvent::UpgradeFailed(_) => {
                let failed = matches!(event, ClientEvent::UpgradeFailed(_));
                let stay = self.guest(number, |guest| {
                    let stay = guest.open()?;
                    let before = stay.clone();
                    stay.upgraded |= !failed;
                    stay.upgrade_failed |= failed;
                    Some(before)
                });
                let stay = stay.ok_or("an upgrade without a session")?;
                if stay.upgraded || stay.upgrade_failed {
                    return Err("the way to a WebSocket has two ends");
                }
                let wanted = script.upgrades && script.transports.contains(&Transport::WebSocket);
                if !wanted || stay.transport != Transport::Polling {
                    return Err("nobody wanted this upgrade");
                }
                if failed && self.clean() && !self.closes(stay.key) {
                    return Err("an upgrade failed for no reason");
                }
                Ok(())
            }
            ClientEvent::TooLarge(data) => {
                let content = received(data);
                let print = fingerprint(content);
                self.guest(number, |guest| guest.too_large.push(print));
                match sizes(content).0 > self.plan.max_payload {
                    true => Ok(()),
                    false => Err("this is not too large"),
                }
            }
            ClientEvent::Closed { closed, .. } => {
                let (stay, left, chapter) = self.guest(number, |guest| {
                    let chapter = guest.chapter;
                    let stay = guest.open().map(|stay| {
                        stay.closed = Some(*closed);
                        stay.closed_at = now;
                        stay.clone()
                    });
                    guest.chapter = Chapter::Ended;
                    (stay, guest.left, chapter)
                });
                match stay {
                    Some(stay) => self.may_end(&stay, left, closed.reason),
                    // It gave up connecting.
                    None if left.is_some() && chapter == Chapter::Connecting => Ok(()),
                    None => Err("a session ends that never began"),
                }
            }
            ClientEvent::Failed(_) => self.guest(number, |guest| {
                if guest.chapter != Chapter::Connecting {
                    return Err("an attempt fails out of turn");
                }
                let timely = in_time(guest);
                guest.chapter = Chapter::Ended;
                if !timely {
                    return Err("an attempt fails too late");
                }
                if self.clean() && guest.left.is_none() {
                    return Err("an attempt fails for no reason");
                }
                Ok(())
            }),
            ClientEvent::Reconnecting { attempt, delay } => self.guest(number, |guest| {
                let Some(reconnecting) = script.reconnecting else {
                    return Err("nobody wanted to reconnect");
                };
                // Of what happens while nobody listens, only the last notices are kept.
                let gap = guest.caught_up_at == now;
                if guest.chapter != Chapter::Ended && !gap {
                    return Err("an attempt before the end of the last one");
                }
                let last = guest
                    .stays
                    .last()
                    .and_then(|stay| stay.closed)
                    .filter(|_| guest.failures == 0);
                if last.is_some_and(|last| {
                    matches!(
                        last.reason,
                        CloseReason::ClientDisconnect | CloseReason::ServerDisconnect
                    )
                }) {
                    return Err("an end that was meant is no reason to reconnect");
                }
                guest.failures = if gap { *attempt } else { guest.failures + 1 };
                guest.chapter = Chapter::Connecting;
                let micros = delay.as_micros() as u64;
                guest.began = now + micros;
                let longest = reconnecting.max_delay.max(reconnecting.delay) * (100 + reconnecting.jitter) / 100 + 1;
                if *attempt != guest.failures || reconnecting.attempts.is_some_and(|most| *attempt > most) {
                    return Err("attempts are counted wrongly");
                }
                if micros > longest {
                    return Err("it waits for too long");
                }
                if guest.refused && script.is_prompt() && guest.left.is_none() {
                    return Err("a message was refused between two sessions");
                }
                Ok(())
            }),
            _ => Err("what is this"),
        }
    }

    fn closes(&self, key: u64) -> bool {
        matches!(self.plan.behaviour(key), Behaviour::CloseAfter { .. })
    }

    /// Where nothing fails, a session ends because somebody wants it to.
    fn may_end(&self, stay: &Stay, left: Option<Leaving>, reason: CloseReason) -> Result<(), &'static str> {
        if !self.clean() {
            return Ok(());
        }
        match reason {
            CloseReason::ClientDisconnect if left.is_some() => Ok(()),
            CloseReason::ServerDisconnect if self.closes(stay.key) => Ok(()),
            _ => Err("a session ends for no reason"),
        }
    }

    fn client_received(&self, number: usize, content: Received<'_>) -> Result<(), &'static str> {
        let stay = self.guest(number, |guest| {
            let stay = guest.open()?;
            stay.received += 1;
            Some((stay.key, stay.received - 1))
        });
        let (key, index) = stay.ok_or("a message without a session")?;
        let expected = match self.plan.behaviour(key) {
            Behaviour::Push { .. } => {
                let Content { text, bytes } = self.expected(key, Direction::Down, index);
                Some(fingerprint(Received { text, bytes }))
            }
            // An echo is what came up.
            _ => self.with(|books| books.taken(key).get(index as usize).copied()),
        };
        if expected != Some(fingerprint(content)) {
            return Err("another message was due");
        }
        let accepted = self.with(|books| books.sessions.get(&key).map_or(0, |session| session.accepted));
        if index >= accepted {
            return Err("so many were never sent");
        }
        Ok(())
    }

    /// Whether a client has sent and received everything that there is.
    pub fn client_complete(&self, number: usize) -> bool {
        self.with(|books| {
            let guest = &books.guests[number];
            let Some(stay) = guest.stays.last().filter(|_| guest.chapter == Chapter::Open) else {
                return false;
            };
            let Some(session) = books.sessions.get(&stay.key) else {
                return false;
            };
            let taken: usize = guest.stays.iter().map(|stay| books.taken(stay.key).len()).sum();
            let due = match session.behaviour {
                Behaviour::Push { count, .. } => count,
                Behaviour::Deaf { .. } => 0,
                _ => session.taken.len() as u64,
            };
            guest.senders == 0 && taken + guest.too_large.len() >= guest.accepted.len() && stay.received >= due
        })
    }

    /// A client has waited for long enough, and is not complete.
    pub fn client_waits_in_vain(&self, number: usize) {
        if self.clean() {
            let guest = self.guest(number, |guest| format!("{guest:?}"));
            self.violation(format!(
                "client {number}: not everything arrives where nothing fails: {guest}"
            ));
        }
    }

    /// No session was ever open.
    pub fn client_failed(&self, number: usize) {
        self.guest(number, |guest| guest.done = true);
        if self.clean() {
            self.violation(format!("client {number} can not connect where nothing fails"));
        }
    }

    /// A client has come to its end.
    pub fn client_over(&self, number: usize, closed: Closed, unsent: &[Data]) {
        self.note(&[33, number as u64], || format!("client {number} is over: {closed:?}"));
        let wrong = self.guest(number, |guest| {
            // What turned out to be too large, and of which no event told, comes before what is counted.
            let extra = unsent.len().saturating_sub(closed.unsent);
            let mut unsent_prints = unsent.iter().map(|data| fingerprint(received(data)));
            let too_large: Vec<_> = unsent_prints.by_ref().take(extra).collect();
            if too_large.iter().any(|print| !guest.large.contains(print)) {
                return Some("what is given back and not counted is not too large");
            }
            guest.too_large.extend(too_large);
            guest.unsent = unsent_prints.collect();
            guest.over = Some(closed);
            guest.done = true;
            // Whoever dropped it did not hear of the end.
            if guest.chapter == Chapter::Open {
                guest.chapter = Chapter::Ended;
                if let Some(stay) = guest.stays.last_mut() {
                    stay.closed = Some(closed);
                }
                if guest.left != Some(Leaving::Drop) {
                    return Some("a session ended, and nobody was told");
                }
            }
            let last = guest.stays.last().and_then(|stay| stay.closed);
            if guest.failures == 0 && last.is_some_and(|last| last != closed) && guest.left != Some(Leaving::Drop) {
                return Some("two stories of one end");
            }
            (closed.unsent > unsent.len()).then_some("unsent messages are counted wrongly")
        });
        if let Some(wrong) = wrong {
            self.violation(format!(
                "client {number}: {wrong}: {closed:?}, {} given back",
                unsent.len()
            ));
        }
    }

    /// How long a client that leaves may take to be over.
    pub fn farewell(&self, number: usize, leaving: Leaving) -> u64 {
        let script = self.client(number);
        let posts = match leaving {
            Leaving::Abort => 0,
            _ => self.guest(number, |guest| guest.accepted.len() as u64) + 2,
        };
        script.upgrade_timeout + (2 * posts + 1) * script.close_timeout + self.plan.slack()
    }

    /// What must be true of every client and its sessions when nothing can happen any more.
    pub fn settle_clients(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        self.with(|books| {
            for (number, guest) in books.guests.iter().enumerate() {
                let about = |what: &str| format!("client {number}: {what}: {guest:?}");
                if guest.over.is_some() && !guest.blind {
                    if let Err(what) = guest.add_up(books) {
                        wrong.push(about(&what));
                    }
                }
                for (at, stay) in guest.stays.iter().enumerate() {
                    let last = at + 1 == guest.stays.len();
                    if let Some(session) = books.sessions.get(&stay.key) {
                        let deaf = last && matches!(guest.left, Some(Leaving::Close | Leaving::Drop));
                        if let Some(what) = self.compare(number, guest, stay, session, deaf) {
                            wrong.push(format!("{what}: client {number} {stay:?} {session:?}"));
                        }
                    }
                }
            }
            let blind = books.guests.iter().any(|guest| guest.blind);
            for (key, session) in &books.sessions {
                let known = blind
                    || books
                        .guests
                        .iter()
                        .any(|guest| guest.stays.iter().any(|stay| stay.key == *key));
                if !known && (!session.taken.is_empty()) {
                    wrong.push(format!(
                        "messages came in session {key:x}, of which no client knows: {session:?}"
                    ));
                }
                if session.left_at.is_none() {
                    wrong.push(format!("the handler of session {key:x} is still there"));
                }
            }
        });
        wrong
    }

    /// Both sides of one session. `deaf`: the client did not take all that came.
    fn compare(
        &self,
        number: usize,
        guest: &Guest,
        stay: &Stay,
        session: &Session,
        deaf: bool,
    ) -> Option<&'static str> {
        let (plan, script) = (&self.plan, self.client(number));
        if stay.received > session.accepted {
            return Some("the client got more than was sent");
        }
        if let Some(report) = &session.report {
            if stay.received + report.unsent > session.accepted {
                return Some("a message was delivered and reported as unsent");
            }
            if !deaf && stay.received + report.unsent + report.in_doubt < session.accepted {
                return Some("a message was lost and not reported");
            }
        }
        let closed = stay.closed?;
        let heard_all = takes_all(session.behaviour) && session.over_at.is_some();
        if self.clean() && heard_all && matches!(guest.left, Some(Leaving::Close | Leaving::BeginClose | Leaving::Drop))
        {
            let reason = session.report.as_ref().map(|report| &report.reason[..]);
            if reason != Some("client disconnect") {
                return Some("the server did not hear that the client left in order");
            }
            if closed.unsent > 0 {
                return Some("a session that was closed in order has not sent everything");
            }
            let taken = session.taken.len() + guest.too_large.len();
            if guest.stays.len() == 1 && guest.left != Some(Leaving::Drop) && taken != guest.accepted.len() {
                return Some("a session that was closed in order has lost something");
            }
        }
        // Each side learns of the other's end.
        let prompt = matches!(session.behaviour, Behaviour::Echo | Behaviour::Push { .. });
        let heartbeat = plan.ping_interval + 2 * plan.ping_timeout;
        let over_at = session.over_at?;
        if prompt && stay.closed_at > 0 && over_at > stay.closed_at + plan.mourning() + script.close_timeout + SECOND {
            return Some("the session outlived its client for too long");
        }
        let farewell = 2 * heartbeat + script.request_timeout + self.plan.stall_timeout + 60 * SECOND;
        if script.is_prompt() && stay.closed_at > over_at + farewell + plan.slack() && guest.left.is_none() {
            return Some("the client outlived its session for too long");
        }
        None
    }
}
