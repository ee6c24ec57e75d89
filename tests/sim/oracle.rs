//! What everybody saw, and whether it can be true.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::content::{Content, Direction, message};
use super::executor::lock;
use super::ledger::{Guest, fingerprint};
use super::plan::{Behaviour, Family, Plan};
use super::rng::Rng;
use super::runtime::Sim;
use super::trace::digest;

/// The number that a session's id stands for.
pub fn key_of(sid: &str) -> u64 {
    Rng::new(digest(sid.as_bytes())).next()
}

/// How a session ended, as the application was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub reason: String,
    pub unsent: u64,
    pub in_doubt: u64,
}

/// The application's side of a session.
#[derive(Debug)]
pub struct Session {
    pub behaviour: Behaviour,
    pub received: u64,
    pub accepted: u64,
    pub report: Option<Report>,
    /// When `recv` said that it is over.
    pub over_at: Option<u64>,
    /// The handler is gone: returned, panicked or dropped.
    pub left_at: Option<u64>,
    /// What it received, where nothing else says what that must be.
    pub taken: Vec<u64>,
}

/// The client's side of a session.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    pub key: Option<u64>,
    /// Keeps the protocol; what it says about deliveries can be relied upon.
    pub honest: bool,
    /// Put on a carrier, at least in part.
    pub sent: u64,
    /// Answered with `ok`.
    pub confirmed: u64,
    pub received: u64,
    /// Why not everything has to have arrived.
    pub excuse: Option<String>,
    /// It said goodbye and was answered.
    pub orderly: bool,
    /// Its WebSocket was closed without a word: the server sees that at once.
    pub hung_up: bool,
    pub done: bool,
    pub left_at: u64,
}

#[derive(Default)]
pub struct Books {
    pub sessions: BTreeMap<u64, Session>,
    pub visits: Vec<Visit>,
    pub guests: Vec<Guest>,
    /// How often the server is still to come back.
    pub restarts: usize,
    pub violations: Vec<String>,
}

/// Where everybody writes down what they saw. Fails at the first thing that cannot be.
#[derive(Clone)]
pub struct Oracle {
    pub plan: Arc<Plan>,
    sim: Sim,
    books: Arc<Mutex<Books>>,
    broken: Arc<AtomicBool>,
}

impl Oracle {
    pub fn new(plan: Arc<Plan>, sim: Sim) -> Self {
        Self {
            plan,
            sim,
            books: Arc::default(),
            broken: Arc::default(),
        }
    }

    pub fn violation(&self, what: String) {
        self.sim.note(&[8], || format!("VIOLATION {what}"));
        lock(&self.books).violations.push(what);
        self.broken.store(true, Ordering::Relaxed);
    }

    pub fn micros(&self) -> u64 {
        self.sim.micros()
    }

    pub fn note(&self, facts: &[u64], words: impl FnOnce() -> String) {
        self.sim.note(facts, words);
    }

    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut lock(&self.books))
    }

    fn edit(&self, key: u64, edit: impl FnOnce(&mut Session)) {
        let known = self.with(|books| books.sessions.get_mut(&key).map(edit).is_some());
        if !known {
            self.violation(format!("something happened in session {key:x} before it began"));
        }
    }

    pub fn expected(&self, key: u64, direction: Direction, index: u64) -> Content {
        message(key, self.plan.repertoire, direction, index)
    }

    /// What an echo sends down is what came up.
    pub fn expected_down(&self, key: u64, index: u64) -> Content {
        let direction = match self.plan.behaviour(key) {
            Behaviour::Push { .. } => Direction::Down,
            _ => Direction::Up,
        };
        self.expected(key, direction, index)
    }

    // The application's entries.

    pub fn began(&self, key: u64) -> Behaviour {
        let behaviour = self.plan.behaviour(key);
        self.sim.note(&[9, key], || {
            format!("app     session {key:016x} begins: {behaviour:?}")
        });
        let session = Session {
            behaviour,
            received: 0,
            accepted: 0,
            report: None,
            over_at: None,
            left_at: None,
            taken: Vec::new(),
        };
        let before = self.with(|books| books.sessions.insert(key, session));
        if before.is_some() {
            self.violation(format!("two handlers for session {key:x}"));
        }
        behaviour
    }

    pub fn app_received(&self, key: u64, content: Received<'_>) {
        let mut index = 0;
        self.edit(key, |session| {
            index = session.received;
            session.received += 1;
        });
        self.sim.note(&[10, key, index], || {
            format!("app     session {key:016x} takes #{index}")
        });
        if self.plan.family.is_both() {
            // Which message is due is known at the end.
            self.edit(key, |session| session.taken.push(fingerprint(content)));
        }
        // Whoever sends something honestly has learnt the session's id before.
        let honest = self.with(|books| books.visits.iter().any(|visit| visit.honest && visit.key == Some(key)));
        let expected = self.expected(key, Direction::Up, index);
        if honest && !content.is(expected) {
            let what = self.describe(key, Direction::Up, index, content);
            self.violation(format!("the application got {what}"));
        }
        let over = self.with(|books| books.sessions.get(&key).is_some_and(|s| s.over_at.is_some()));
        if over {
            self.violation(format!("session {key:x} got a message after its end"));
        }
    }

    fn describe(&self, key: u64, direction: Direction, index: u64, content: Received<'_>) -> String {
        let same = |other: &u64| content.is(self.expected(key, direction, *other));
        let near = (index.saturating_sub(200)..index + 200)
            .filter(same)
            .collect::<Vec<_>>();
        format!("{content:?} where #{index} was due in session {key:x}; it is like {near:?}")
    }

    pub fn app_accepted(&self, key: u64) {
        self.edit(key, |session| session.accepted += 1);
    }

    pub fn app_over(&self, key: u64, report: Option<Report>) {
        let now = self.sim.micros();
        self.sim
            .note(&[11, key], || format!("app     session {key:016x} is over: {report:?}"));
        let mut twice = false;
        self.edit(key, |session| {
            twice = session.over_at.replace(now).is_some();
            session.report = report;
        });
        if twice {
            self.violation(format!("session {key:x} ended twice"));
        }
    }

    pub fn app_left(&self, key: u64) {
        let now = self.sim.micros();
        self.sim.note(&[12, key], || {
            format!("app     session {key:016x}: the handler is gone")
        });
        self.edit(key, |session| session.left_at = Some(now));
    }

    // The peers' entries.

    pub fn visit(&self, honest: bool) -> usize {
        self.with(|books| {
            books.visits.push(Visit {
                honest,
                ..Visit::default()
            });
            books.visits.len() - 1
        })
    }

    pub fn edit_visit<T>(&self, visit: usize, edit: impl FnOnce(&mut Visit) -> T) -> T {
        self.with(|books| edit(&mut books.visits[visit]))
    }

    pub fn excuse_all(&self, why: &str) {
        self.with(|books| {
            for visit in &mut books.visits {
                visit.excuse.get_or_insert_with(|| why.to_owned());
            }
        });
    }

    pub fn peer_received(&self, visit: usize, content: Received<'_>) {
        let (key, index) = self.edit_visit(visit, |visit| {
            visit.received += 1;
            (visit.key.unwrap_or_default(), visit.received - 1)
        });
        self.sim.note(&[13, key, index], || {
            format!("peer {visit}  session {key:016x} gets #{index}")
        });
        if !content.is(self.expected_down(key, index)) {
            let direction = match self.plan.behaviour(key) {
                Behaviour::Push { .. } => Direction::Down,
                _ => Direction::Up,
            };
            let what = self.describe(key, direction, index, content);
            self.violation(format!("peer {visit} got {what}"));
        }
        let accepted = self.with(|books| books.sessions.get(&key).map_or(0, |s| s.accepted));
        if index >= accepted {
            self.violation(format!("peer {visit} got #{index}, and only {accepted} were ever sent"));
        }
    }

    /// The sessions whose handlers are still there.
    pub fn attended(&self) -> usize {
        self.with(|books| {
            books
                .sessions
                .values()
                .filter(|session| session.left_at.is_none())
                .count()
        })
    }

    pub fn all_done(&self) -> bool {
        self.with(|books| {
            let gone = books.visits.iter().all(|visit| visit.done) && books.guests.iter().all(|guest| guest.done);
            gone && books.restarts == 0
        })
    }

    /// What must be true of every session when nothing can happen any more.
    pub fn settle(&self, shut_down: bool) {
        if self.plan.family.is_both() {
            return self.settle_clients().into_iter().for_each(|what| self.violation(what));
        }
        let mut wrong = Vec::new();
        self.with(|books| {
            let strangers = books.visits.iter().any(|visit| visit.key.is_none() && !visit.honest);
            for (&key, session) in &books.sessions {
                let visit = books.visits.iter().find(|visit| visit.key == Some(key));
                let about = |what: &str| format!("{what}: session {key:x} {session:?} {visit:?}");
                if session.left_at.is_none() {
                    wrong.push(about("the handler is still there"));
                }
                let (received, honest) = match visit {
                    Some(visit) => (visit.received, visit.honest),
                    None => (0, !strangers),
                };
                if let (Some(report), true) = (&session.report, honest) {
                    if received + report.unsent > session.accepted {
                        wrong.push(about("a message was delivered and reported as unsent"));
                    }
                    if received + report.unsent + report.in_doubt < session.accepted {
                        wrong.push(about("a message was lost and not reported"));
                    }
                }
                let Some(visit) = visit else {
                    continue;
                };
                if visit.honest && session.received > visit.sent {
                    wrong.push(about("the application got more than was sent"));
                }
                if visit.honest && received > session.accepted {
                    wrong.push(about("the peer got more than was sent"));
                }
                if session.over_at.is_none() && !shut_down && hears(session.behaviour) {
                    wrong.push(about("the handler was never told about the end"));
                }
                let deadline = visit.left_at + self.plan.mourning();
                let prompt = matches!(session.behaviour, Behaviour::Echo | Behaviour::Push { .. });
                if prompt && session.over_at.is_some_and(|at| at > deadline) {
                    wrong.push(about("the session outlived its peer for too long"));
                }
                let keeps_up = matches!(self.plan.family, Family::Clean | Family::Malicious);
                let notices = visit.left_at + self.plan.slack();
                if visit.hung_up && keeps_up && prompt && session.over_at.is_some_and(|at| at > notices) {
                    wrong.push(about("nobody noticed that the WebSocket was closed"));
                }
                let complete = visit.excuse.is_none() && visit.honest && !shut_down;
                if complete && visit.orderly && takes_all(session.behaviour) && session.received < visit.confirmed {
                    wrong.push(about("a confirmed message did not reach the application"));
                }
            }
        });
        for what in wrong {
            self.violation(what);
        }
    }
}

/// Whether a handler goes on until `recv` says that it is over.
fn hears(behaviour: Behaviour) -> bool {
    !matches!(
        behaviour,
        Behaviour::CloseAfter { .. } | Behaviour::PanicAfter { .. } | Behaviour::FailAfter { .. }
    )
}

pub fn takes_all(behaviour: Behaviour) -> bool {
    hears(behaviour)
}

/// A message as somebody got it.
#[derive(Clone, Copy)]
pub struct Received<'a> {
    pub text: bool,
    pub bytes: &'a [u8],
}

impl Received<'_> {
    pub fn is(&self, expected: Content) -> bool {
        self.text == expected.text && self.bytes == expected.bytes
    }
}

impl std::fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.text { "text" } else { "binary" };
        write!(f, "{kind} {}", super::trace::show(self.bytes))
    }
}
