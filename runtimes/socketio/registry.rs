//! All namespaces of a server.

use core::time::Duration;
use std::boxed::Box;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::vec::Vec;

use super::handlers::Handlers;
use super::namespace::NamespaceCore;
use super::socket::SocketCore;
use crate::engineio::{Sid, Str};
use crate::runtime::engineio::Handle as EngineHandle;
use crate::runtime::log::Pace;
use crate::socketio::RecoveryConfig;
use crate::socketio::server::Config;
use crate::time::Instant;
use crate::wire::Entropy;

type Matches = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// All namespaces of a server, and what its connections share.
pub(super) struct Registry {
    pub(super) config: Arc<Config>,
    /// How much is kept for sockets that come back, where that is wanted.
    pub(super) recovery: Option<RecoveryConfig>,
    /// A socket that comes back is let in unasked.
    pub(super) skips_middleware: bool,
    /// How many handlers of one connection run at once.
    pub(super) concurrency: usize,
    pub(super) entropy: Mutex<Entropy>,
    pub(super) engine: OnceLock<EngineHandle>,
    pub(super) closing: AtomicBool,
    pub(super) connections: AtomicUsize,
    /// Broadcasts, and how many sockets they were for.
    pub(super) broadcasts: AtomicU64,
    pub(super) deliveries: AtomicU64,
    /// How often the log tells of events that handlers do not take: a client can send them without end.
    pub(super) unfit: Pace,
    /// What time it was at last, in microseconds.
    latest: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    namespaces: BTreeMap<Str, Entry>,
    patterns: Vec<Arc<Pattern>>,
    /// Namespaces that nobody is in but who may come back, and until when that is possible.
    vacant: VecDeque<(Instant, Str)>,
}

struct Entry {
    core: Arc<NamespaceCore>,
    /// How many sockets are in it or want to be, of one that is only there for their sake.
    users: Option<usize>,
    /// It is among those that are looked at when their time has come: once, however often its clients come and go.
    is_vacant: bool,
}

struct Pattern {
    matches: Matches,
    handlers: Arc<Handlers>,
}

impl State {
    /// Takes out the namespaces to which nobody can come back any more, for dropping outside of the lock.
    fn forget_vacant(&mut self, now: Instant, away: Duration) -> Vec<Entry> {
        let mut forgotten = Vec::new();
        while self.vacant.front().is_some_and(|(until, _)| *until <= now) {
            let Some((_, name)) = self.vacant.pop_front() else {
                break;
            };
            let Some(entry) = self.namespaces.get_mut(&name) else {
                continue;
            };
            entry.is_vacant = false;
            if entry.users != Some(0) {
                continue;
            }
            if entry.core.remembers(now) {
                // Others have come and gone since.
                entry.is_vacant = true;
                self.vacant.push_back((now + away, name));
            } else {
                forgotten.extend(self.namespaces.remove(&name));
            }
        }
        forgotten
    }
}

impl Registry {
    pub(super) fn new(
        config: Config,
        recovery: Option<RecoveryConfig>,
        skips_middleware: bool,
        concurrency: usize,
        entropy: Entropy,
    ) -> Arc<Self> {
        Arc::new(Self {
            config: Arc::new(config),
            recovery,
            skips_middleware,
            concurrency: concurrency.max(1),
            entropy: Mutex::new(entropy),
            engine: OnceLock::new(),
            closing: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            broadcasts: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            unfit: Pace::default(),
            latest: AtomicU64::new(0),
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in a pattern's function leaves the state as it was.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(self: &Arc<Self>, name: Str, handlers: Arc<Handlers>) -> Arc<NamespaceCore> {
        let registry = Arc::downgrade(self);
        let recovery = self.recovery.clone().map(|config| {
            let tag = self.new_id();
            (config, std::format!("{}-", &tag[..6]).as_str().into())
        });
        Arc::new(NamespaceCore::new(
            name,
            handlers,
            registry,
            self.config.parser,
            recovery,
        ))
    }

    /// The namespace of this name, which is there from now on.
    pub(super) fn of(self: &Arc<Self>, name: Str) -> Arc<NamespaceCore> {
        let pattern = self.pattern(&name);
        let mut state = self.lock();
        if let Some(entry) = state.namespaces.get_mut(&name) {
            // It stays, now that somebody has asked for it.
            entry.users = None;
            return entry.core.clone();
        }
        let handlers = pattern.map(|pattern| pattern.handlers.clone()).unwrap_or_default();
        let core = self.make(name.clone(), handlers);
        let entry = Entry {
            core: core.clone(),
            users: None,
            is_vacant: false,
        };
        state.namespaces.insert(name, entry);
        core
    }

    /// Namespaces that come and go with their clients. What is returned holds their handlers, and is none itself.
    pub(super) fn matching(self: &Arc<Self>, matches: Matches) -> Arc<NamespaceCore> {
        let handlers = Arc::new(Handlers::default());
        let pattern = Pattern {
            matches,
            handlers: handlers.clone(),
        };
        self.lock().patterns.push(Arc::new(pattern));
        self.make(Str::new(), handlers)
    }

    /// The application's functions run without the lock.
    fn pattern(&self, name: &str) -> Option<Arc<Pattern>> {
        let patterns = self.lock().patterns.clone();
        patterns.into_iter().find(|pattern| (pattern.matches)(name))
    }

    /// The namespace that a client wants to join, if there is one. To be [released](Self::release), once.
    pub(super) fn enter(self: &Arc<Self>, name: &Str) -> Option<Arc<NamespaceCore>> {
        let known = |state: &mut State| {
            let entry = state.namespaces.get_mut(name)?;
            entry.users = entry.users.map(|users| users + 1);
            Some(entry.core.clone())
        };
        if let Some(core) = known(&mut self.lock()) {
            return Some(core);
        }
        let pattern = self.pattern(name)?;
        let mut state = self.lock();
        // Another client may have come before.
        if let Some(core) = known(&mut state) {
            return Some(core);
        }
        let forgotten = state.forget_vacant(self.now(), self.away());
        let core = self.make(name.clone(), pattern.handlers.clone());
        let entry = Entry {
            core: core.clone(),
            users: Some(1),
            is_vacant: false,
        };
        state.namespaces.insert(name.clone(), entry);
        drop(state);
        drop(forgotten);
        Some(core)
    }

    /// A socket is gone, or was not let in.
    pub(super) fn release(&self, name: &Str) {
        let mut state = self.lock();
        let Some(entry) = state.namespaces.get_mut(name) else {
            return;
        };
        if let Some(users) = &mut entry.users {
            *users = users.saturating_sub(1);
            if *users == 0 {
                let now = self.now();
                if !entry.core.remembers(now) {
                    let entry = state.namespaces.remove(name);
                    drop(state);
                    drop(entry);
                    return;
                }
                if !core::mem::replace(&mut entry.is_vacant, true) {
                    state.vacant.push_back((now + self.away(), name.clone()));
                }
                let forgotten = state.forget_vacant(now, self.away());
                drop(state);
                drop(forgotten);
            }
        }
    }

    /// How long a socket may be away: a millisecond at least, as where it is kept.
    fn away(&self) -> Duration {
        let limits = self.recovery.as_ref();
        limits
            .map_or(Duration::ZERO, |limits| limits.max_duration)
            .max(Duration::from_millis(1))
    }

    pub(super) fn namespaces(&self) -> Vec<Arc<NamespaceCore>> {
        self.lock()
            .namespaces
            .values()
            .map(|entry| entry.core.clone())
            .collect()
    }

    pub(super) fn socket(&self, id: &str) -> Option<Arc<SocketCore>> {
        self.namespaces().iter().find_map(|namespace| namespace.socket(id))
    }

    /// An id for a socket, that nobody can guess.
    pub(super) fn new_id(&self) -> Str {
        let mut entropy = [0; 15];
        (self.entropy.lock().unwrap_or_else(PoisonError::into_inner))(&mut entropy);
        Sid::from_entropy(entropy).as_str().into()
    }

    /// What time it is on the server's clock: for what no connection is asked about.
    pub(super) fn now(&self) -> Instant {
        let seen = self.engine.get().map_or(0, |engine| engine.now().as_micros());
        Instant::from_micros(self.latest.fetch_max(seen, Ordering::Relaxed).max(seen))
    }

    /// Somebody has looked at a connection's clock.
    pub(super) fn note_time(&self, now: Instant) {
        self.latest.fetch_max(now.as_micros(), Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// The server has ended: handlers that hold what holds them are let go.
    pub(super) fn end(&self) {
        let patterns = core::mem::take(&mut self.lock().patterns);
        for pattern in patterns {
            pattern.handlers.clear();
        }
        for namespace in self.namespaces() {
            namespace.handlers.clear();
            if let Some(memory) = &namespace.recovery {
                memory.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socketio::Stay;

    /// A registry that recovers, and one namespace of a pattern.
    fn registry() -> (Arc<Registry>, Str) {
        let mut count = 0;
        let entropy: Entropy = Box::new(move |bytes| {
            count += 1;
            bytes.fill(count);
        });
        let recovery = Some(Duration::from_secs(9).into());
        let registry = Registry::new(Config::default(), recovery, true, 1, entropy);
        registry.matching(Box::new(|_| true));
        (registry, "/room".into())
    }

    fn keep(core: &NamespaceCore, pid: &str) {
        let mut recovery = core.recovery().expect("it recovers");
        let data = recovery.memory().keep(Arc::new(()));
        recovery.keep(Instant::from_micros(1), pid, "id", [], Stay::default(), data);
    }

    #[test]
    fn coming_and_going_is_noted_once() {
        let (registry, name) = registry();
        for _ in 0..100 {
            let core = registry.enter(&name).expect("the pattern has it");
            keep(&core, "pid");
            registry.release(&name);
            assert_eq!(registry.lock().vacant.len(), 1);
        }
        // Looked at in its time, and again where somebody may come back still.
        registry.note_time(Instant::from_micros(9_000_001));
        let other: Str = "/other".into();
        registry.enter(&other).expect("the pattern has it");
        assert_eq!(registry.namespaces().len(), 1);
        assert!(registry.lock().vacant.is_empty());
    }
}
