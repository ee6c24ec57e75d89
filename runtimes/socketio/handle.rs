//! A server from outside.

use core::time::Duration;
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet};
use std::string::{String, ToString as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::attend::attend;
use super::namespace::Namespace;
use super::pattern;
use super::registry::Registry;
use super::socket::Socket;
use crate::engineio::Str;
use crate::http::Request;
use crate::runtime::engineio::{Handle as EngineHandle, Socket as EngineSocket, Stats as EngineStats};
use crate::socketio::namespace_name;

/// A server from outside: its namespaces and its sockets. Cheap to clone, and to keep anywhere.
#[derive(Clone)]
pub struct Handle {
    pub(super) registry: Arc<Registry>,
}

impl core::fmt::Debug for Handle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Handle")
    }
}

/// Counts of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Of the Engine.IO sessions.
    pub engine: EngineStats,
    /// How many sockets are in each namespace.
    pub sockets: BTreeMap<String, usize>,
    /// How many rooms there are in all namespaces, those of the sockets' own ids included.
    pub rooms: usize,
    /// How many broadcasts there were. Each was encoded once, however many it was for.
    pub broadcasts: u64,
    /// For how many sockets all of them were.
    pub deliveries: u64,
}

impl Handle {
    /// The namespace of this name, which clients can join from now on. The `/` in front may be left out.
    ///
    /// It is given without a type of data: [`Namespace::on_connect`] and [`Namespace::with_data`] give it one.
    ///
    /// # Panics
    /// Where the name has a comma in it, which no packet can say.
    pub fn of(&self, name: &str) -> Namespace {
        let name = namespace_name(name).expect("the name of a namespace can not have a comma");
        Namespace::of(self.registry.of(name))
    }

    /// All namespaces whose names (with the slash) this function says yes to. They are made when the first client joins,
    /// and forgotten when the last has left. What is returned is for setting their handlers; nobody is in it itself.
    pub fn of_matching(&self, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Namespace {
        Namespace::of(self.registry.matching(Box::new(matches)))
    }

    /// All namespaces whose names (with the slash) are of this form, where `*` stands for any text: `/room-*`. They come and
    /// go as those of [`of_matching`](Self::of_matching) do.
    pub fn of_pattern(&self, pattern: &str) -> Namespace {
        let pattern = match pattern.starts_with('/') {
            true => String::from(pattern),
            false => std::format!("/{pattern}"),
        };
        self.of_matching(move |name| pattern::matches(&pattern, name))
    }

    /// The names of all namespaces that there are now.
    pub fn namespaces(&self) -> std::vec::Vec<Str> {
        let namespaces = self.registry.namespaces();
        namespaces.iter().map(|namespace| namespace.name.clone()).collect()
    }

    /// The socket of this id, in whatever namespace.
    pub fn socket(&self, id: &str) -> Option<Socket> {
        self.registry.socket(id).and_then(Socket::new)
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.registry.connections.load(Ordering::Relaxed)
    }

    /// How many sockets there are in all namespaces.
    pub fn socket_count(&self) -> usize {
        self.registry.namespaces().iter().map(|namespace| namespace.len()).sum()
    }

    /// Counts.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            engine: self
                .registry
                .engine
                .get()
                .map(|engine| engine.stats())
                .unwrap_or_default(),
            broadcasts: self.registry.broadcasts.load(Ordering::Relaxed),
            deliveries: self.registry.deliveries.load(Ordering::Relaxed),
            ..Stats::default()
        };
        for namespace in self.registry.namespaces() {
            stats.sockets.insert(namespace.name.to_string(), namespace.len());
            stats.rooms += BTreeSet::from_iter(namespace.rooms()).len();
        }
        stats
    }

    /// Throws every client out of every namespace and closes all connections. The server goes on.
    pub fn disconnect_all(&self) {
        for namespace in self.registry.namespaces() {
            Namespace::<()>::of(namespace).all().disconnect(true);
        }
    }

    /// Ends the server in order: every connection is closed, for the reason
    /// [`ServerShuttingDown`](super::DisconnectReason::ServerShuttingDown); handlers run to their end. What is not over after
    /// `patience` is cut off. Ready when the server has ended; at once where it does not serve.
    pub async fn shutdown(&self, patience: Duration) {
        self.registry.closing.store(true, Ordering::SeqCst);
        if let Some(engine) = self.registry.engine.get() {
            engine.shutdown(patience).await;
        }
    }

    /// Ready when the server has ended, whoever has ended it; at once where it does not serve.
    pub async fn ended(&self) {
        if let Some(engine) = self.registry.engine.get() {
            engine.ended().await;
        }
    }

    /// Ends the server at once, without a word to anybody.
    pub async fn abort(&self) {
        self.shutdown(Duration::ZERO).await;
    }

    /// Runs Socket.IO on a session of an Engine.IO server of one's own, to its end. `request` is what
    /// [`Socket::request`] will show.
    pub async fn attend<D: Send + Sync + 'static>(&self, socket: EngineSocket<D>, request: Option<Arc<Request>>) {
        attend(self.registry.clone(), socket, request).await;
    }

    /// The server whose sessions are given to [`attend`](Self::attend): what is shut down, and counted. Once.
    pub fn set_engine(&self, engine: EngineHandle) {
        // Whoever was first stays.
        let _first = self.registry.engine.set(engine);
    }

    /// Lets go of all handlers: for whoever has called [`attend`](Self::attend), when the server is over.
    pub fn forget_handlers(&self) {
        self.registry.end();
    }
}
