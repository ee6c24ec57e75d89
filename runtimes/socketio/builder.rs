//! The options of a server.

use core::fmt;
use core::time::Duration;
use std::boxed::Box;
use std::sync::{Arc, Mutex, PoisonError};

use super::handle::Handle;
use super::registry::Registry;
use super::server::Server;
use crate::engineio::Transport;
use crate::http::Cors;
use crate::runtime::Runtime;
use crate::runtime::engineio::{Builder as EngineBuilder, Fallback};
use crate::socketio::Parser;
use crate::socketio::RecoveryConfig;
use crate::socketio::server::Config;
use crate::wire::{Entropy, Limits};

/// How many handlers of one client run at once.
const CONCURRENCY: usize = 64;

/// The options of a server: those of the Engine.IO server below it, and its own. Sizes are bytes.
pub struct Builder<R> {
    engine: EngineBuilder<R>,
    config: Config,
    recovery: Option<RecoveryConfig>,
    skips_middleware: bool,
    concurrency: usize,
    entropy: Entropy,
}

impl<R> fmt::Debug for Builder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("engine", &self.engine)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> Builder<R> {
    /// The defaults, on this runtime.
    pub fn new(runtime: R) -> Self {
        Self {
            engine: EngineBuilder::new(runtime).path("/socket.io/"),
            config: Config::default(),
            recovery: None,
            skips_middleware: true,
            concurrency: CONCURRENCY,
            entropy: Box::new(crate::runtime::engineio::os_entropy),
        }
    }

    /// The server, which listens once it is [bound](Server::bind).
    pub fn build(self) -> Server<R> {
        let handle = Handle {
            registry: Registry::new(
                self.config,
                self.recovery,
                self.skips_middleware,
                self.concurrency,
                self.entropy,
            ),
        };
        Server::with(self.engine, handle)
    }

    /// Options of the Engine.IO server that have no method here: `|engine| engine.max_queue(1_000_000)`.
    #[must_use]
    pub fn engine(mut self, change: impl FnOnce(EngineBuilder<R>) -> EngineBuilder<R>) -> Self {
        self.engine = change(self.engine);
        self
    }

    /// All limits and times of Socket.IO connections, in place of those that were set before.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How packets become messages. JSON text, which every client speaks unless it is told otherwise.
    #[must_use]
    pub fn parser(mut self, parser: &'static dyn Parser) -> Self {
        self.config.parser = parser;
        self
    }

    /// How long a connection may be without a namespace that it has joined. 45 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long to wait for acknowledgements where a call does not say. 60 s.
    #[must_use]
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.config.ack_timeout = timeout;
        self
    }

    /// Lets sockets whose connection was lost have their state back when they return soon: their id, their rooms, their data,
    /// and the events that were meant for them meanwhile. Not done unless it is asked for.
    ///
    /// A time is how long they may be away; [`RecoveryConfig`] has all limits, which are those of each namespace. Each event
    /// is sent with one more argument, its offset; events that want an acknowledgement, and volatile ones, are not kept.
    /// Whoever has missed more than half of [`max_queue`](Config::max_queue) is somebody new, and so is a client that was
    /// sent no event before. What is too old is let go with the next event, join or leave of the namespace.
    #[must_use]
    pub fn recovery(mut self, limits: impl Into<RecoveryConfig>) -> Self {
        self.recovery = Some(limits.into());
        self
    }

    /// Whether a socket that comes back is let in without asking [`Namespace::middleware`](super::Namespace::middleware) and
    /// [`Namespace::on_connect`](super::Namespace::on_connect), with the data that it had. It is. Where it is not, the
    /// handler's value is its data.
    #[must_use]
    pub fn recovery_skips_middleware(mut self, skip: bool) -> Self {
        self.skips_middleware = skip;
        self
    }

    /// How many handlers of one client run at once. They start in the order of their events; where so many run, the next
    /// waits, and what the client sends after it. 64; with 1 they run strictly one after the other, and one that awaits an
    /// answer of its own client still gets it.
    #[must_use]
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.concurrency = handlers;
        self
    }

    /// How often a ping is sent. 25 s.
    #[must_use]
    pub fn ping_interval(self, interval: Duration) -> Self {
        self.engine(|engine| engine.ping_interval(interval))
    }

    /// How long to wait for a pong. 20 s.
    #[must_use]
    pub fn ping_timeout(self, timeout: Duration) -> Self {
        self.engine(|engine| engine.ping_timeout(timeout))
    }

    /// How long a WebSocket may take to prove itself and upgrade. 10 s.
    #[must_use]
    pub fn upgrade_timeout(self, timeout: Duration) -> Self {
        self.engine(|engine| engine.upgrade_timeout(timeout))
    }

    /// The largest polling body and WebSocket message that is taken. 1,000,000 bytes.
    #[must_use]
    pub fn max_payload(self, bytes: usize) -> Self {
        self.engine(|engine| engine.max_payload(bytes))
    }

    /// Whether sessions that poll may move to a WebSocket. They may.
    #[must_use]
    pub fn allow_upgrades(self, allow: bool) -> Self {
        self.engine(|engine| engine.allow_upgrades(allow))
    }

    /// On which transports a session may be opened. Both.
    #[must_use]
    pub fn transports(self, transports: &[Transport]) -> Self {
        self.engine(|engine| engine.transports(transports))
    }

    /// The path below which Socket.IO lives. `/socket.io/`.
    #[must_use]
    pub fn path(self, path: &str) -> Self {
        self.engine(|engine| engine.path(path))
    }

    /// Which web pages may use the server. Those of the same host.
    #[must_use]
    pub fn cors(self, cors: Cors) -> Self {
        self.engine(|engine| engine.cors(cors))
    }

    /// All limits and times of TCP connections, in place of those that were set before.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.engine(|engine| engine.limits(limits))
    }

    /// Answers requests for other paths: an async closure, or [`StaticFiles`](crate::http::StaticFiles). Without it they get
    /// 404.
    ///
    /// The type of a closure's argument has to be written: `|request: Request| async move { … }`.
    #[must_use]
    pub fn fallback(self, fallback: impl Fallback<R>) -> Self {
        self.engine(|engine| engine.fallback(fallback))
    }

    /// Where ids come from: bytes that nobody can predict. The operating system's, unless a simulation brings its own.
    #[must_use]
    pub fn entropy(mut self, fill: impl FnMut(&mut [u8]) + Send + 'static) -> Self {
        let fill = Arc::new(Mutex::new(fill));
        self.engine = self.engine.entropy(entropy_of(fill.clone()));
        self.entropy = Box::new(entropy_of(fill));
        self
    }

    /// Serves `https` and `wss`, and nothing else: see [the Engine.IO server's](EngineBuilder::tls).
    #[must_use]
    #[cfg(feature = "tls")]
    pub fn tls(self, acceptor: crate::wire::tls::Acceptor) -> Self {
        self.engine(|engine| engine.tls(acceptor))
    }
}

/// One source for two who draw from it.
fn entropy_of<F: FnMut(&mut [u8]) + Send + 'static>(fill: Arc<Mutex<F>>) -> impl FnMut(&mut [u8]) + Send + 'static {
    move |bytes| (fill.lock().unwrap_or_else(PoisonError::into_inner))(bytes)
}
