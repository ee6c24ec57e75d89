//! The server on threads.

use core::net::SocketAddr;
use core::time::Duration;
use std::vec::Vec;

use super::{Namespace, RecoveryConfig, Socket, Stats};
use crate::engineio::{Str, Transport};
use crate::error::Result;
use crate::http::Cors;
use crate::runtime::blocking::engineio::{self, Fallback};
use crate::runtime::blocking::{Threads, block_on};
use crate::runtime::socketio as generic;
use crate::socketio::Parser;
use crate::socketio::server::Config;
use crate::wire::Limits;

/// A server: its namespaces are made and given handlers, then it is bound to an address and serves.
///
/// It dereferences to its [`Handle`], which can be cloned and kept anywhere.
#[derive(Debug)]
pub struct Server {
    server: generic::Server<Threads>,
    handle: Handle,
}

/// The options of a server: those of the Engine.IO server below it, and its own. Sizes are bytes.
#[must_use = "options do nothing until the server is built"]
#[derive(Debug)]
pub struct Builder {
    builder: generic::Builder<Threads>,
    threads: Threads,
}

impl core::ops::Deref for Server {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Server {
    /// A server with the default options.
    #[allow(
        clippy::new_without_default,
        reason = "a server is no value of which one would want an empty one"
    )]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// The options.
    pub fn builder() -> Builder {
        let threads = Threads::new();
        Builder {
            builder: generic::Server::builder_on(threads.clone()).concurrency(1),
            threads,
        }
    }

    /// The server from outside.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Listens on an address, such as `127.0.0.1:3000` or `localhost:3000`; port 0 is any free one.
    ///
    /// # Errors
    /// As the async [`Server::bind`](generic::Server::bind)'s.
    pub fn bind(self, address: &str) -> Result<Bound> {
        let bound = block_on(self.server.bind(address))?;
        Ok(Bound {
            bound,
            handle: self.handle,
        })
    }
}

/// Options that are those of the async server.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident($argument:ident: $type:ty);)*) => {
        $(
            $(#[$doc])*
            ///
            #[doc = concat!("As [`Builder::", stringify!($name), "`](generic::Builder::", stringify!($name), ").")]
            pub fn $name(mut self, $argument: $type) -> Self {
                self.builder = self.builder.$name($argument);
                self
            }
        )*
    };
}

impl Builder {
    options! {
        /// All limits and times of Socket.IO connections.
        config(config: Config);
        /// How packets become messages.
        parser(parser: &'static dyn Parser);
        /// How long a connection may be without a namespace that it has joined.
        connect_timeout(timeout: Duration);
        /// How long to wait for acknowledgements where a call does not say.
        ack_timeout(timeout: Duration);
        /// Lets sockets whose connection was lost have their state back when they return soon.
        recovery(limits: impl Into<RecoveryConfig>);
        /// Whether a socket that comes back is let in without asking middlewares and the connect handler.
        recovery_skips_middleware(skip: bool);
        /// How often a ping is sent.
        ping_interval(interval: Duration);
        /// How long to wait for the pong.
        ping_timeout(timeout: Duration);
        /// How long a WebSocket may take to prove itself and upgrade.
        upgrade_timeout(timeout: Duration);
        /// The largest polling body and WebSocket message that is taken.
        max_payload(bytes: usize);
        /// Whether a polling session may move to a WebSocket.
        allow_upgrades(allow: bool);
        /// What a session may be opened on.
        transports(transports: &[Transport]);
        /// The endpoint's path.
        path(path: &str);
        /// Which web pages may use the server.
        cors(cors: Cors);
        /// The limits of a TCP connection.
        limits(limits: Limits);
        /// Where random bytes come from.
        entropy(fill: impl FnMut(&mut [u8]) + Send + 'static);
    }

    /// How many handlers of one client run at once, each on a thread of its own. 1: strictly one after the other. With more,
    /// they are started in the order of their events, but which thread is faster is the system's business.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.builder = self.builder.concurrency(handlers);
        self
    }

    /// Serves `https` and `wss`, and nothing else.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, acceptor: crate::wire::tls::Acceptor) -> Self {
        self.builder = self.builder.tls(acceptor);
        self
    }

    /// Options of the Engine.IO server that have no method here: `|engine| engine.cookie(Cookie::new("io"))`.
    pub fn engine(mut self, change: impl FnOnce(engineio::Builder) -> engineio::Builder) -> Self {
        let threads = self.threads.clone();
        self.builder = self
            .builder
            .engine(|engine| change(engineio::Builder::around(engine, threads)).into_inner());
        self
    }

    /// Answers requests for other paths than the endpoint's: a closure, which may block, or
    /// [`StaticFiles`](crate::http::StaticFiles).
    ///
    /// The type of a closure's argument has to be written: `|request: Request| …`.
    pub fn fallback(self, fallback: impl Fallback) -> Self {
        self.engine(|engine| engine.fallback(fallback))
    }

    /// The server, which listens once it is [bound](Server::bind).
    pub fn build(self) -> Server {
        let server = self.builder.build();
        let handle = Handle {
            handle: server.handle(),
            threads: self.threads,
        };
        Server { server, handle }
    }
}

/// A server that listens, and serves once [`serve`](Self::serve) is called.
#[derive(Debug)]
pub struct Bound {
    bound: generic::Bound<Threads>,
    handle: Handle,
}

impl Bound {
    /// The address that the server listens on, with the real port where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.bound.local_addr()
    }

    /// The server from outside.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves on the calling thread. Returns when the server was [shut down](Handle::shutdown) and its threads have ended.
    ///
    /// # Errors
    /// None at present.
    pub fn serve(self) -> Result<()> {
        let served = block_on(self.bound.serve());
        self.handle.threads.join();
        served
    }
}

/// A server from outside: its namespaces and its sockets. Cheap to clone, and to keep anywhere.
#[derive(Clone, Debug)]
pub struct Handle {
    handle: generic::Handle,
    threads: Threads,
}

impl Handle {
    /// The namespace of this name, which clients can join from now on. The `/` in front may be left out.
    ///
    /// # Panics
    /// Where the name has a comma in it, which no packet can say.
    pub fn of(&self, name: &str) -> Namespace {
        Namespace::new(self.handle.of(name), self.threads.clone())
    }

    /// All namespaces whose names (with the slash) this function says yes to. It must not block. They are made when the
    /// first client joins, and forgotten when the last has left.
    pub fn of_matching(&self, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Namespace {
        Namespace::new(self.handle.of_matching(matches), self.threads.clone())
    }

    /// All namespaces whose names (with the slash) are of this form, where `*` stands for any text: `/room-*`. They come and
    /// go as those of [`of_matching`](Self::of_matching) do.
    pub fn of_pattern(&self, pattern: &str) -> Namespace {
        Namespace::new(self.handle.of_pattern(pattern), self.threads.clone())
    }

    /// The names of all namespaces that there are now.
    pub fn namespaces(&self) -> Vec<Str> {
        self.handle.namespaces()
    }

    /// The socket of this id, in whatever namespace.
    pub fn socket(&self, id: &str) -> Option<Socket> {
        self.handle.socket(id).map(Socket)
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.handle.connections()
    }

    /// How many sockets there are in all namespaces.
    pub fn socket_count(&self) -> usize {
        self.handle.socket_count()
    }

    /// Counts.
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }

    /// Throws every client out of every namespace and closes all connections. The server goes on.
    pub fn disconnect_all(&self) {
        self.handle.disconnect_all();
    }

    /// Ends the server in order, as the async [`Handle::shutdown`](generic::Handle::shutdown) does, and waits for that. Not
    /// to be called by handlers: one that waits for its own end waits until `patience` is over.
    pub fn shutdown(&self, patience: Duration) {
        block_on(self.handle.shutdown(patience));
    }

    /// Ends the server at once, without a word to anybody.
    pub fn abort(&self) {
        block_on(self.handle.abort());
    }
}
