//! The options of a client, and its handlers.

use core::fmt;
use core::future::Future;
use core::time::Duration;
use std::boxed::Box;
use std::io;
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use serde_core::Serialize;

use super::driver::{Driver, Plan};
use super::handlers::{Handlers, OnAuth, ask};
use super::shared::Shared;
use super::{Client, ClientEvents, ClientSocket, Config, ConnectFailed, DisconnectReason, SimpleClient, WhenFull};
use crate::Backoff;
use crate::engineio::Transport;
use crate::runtime::engineio as engine;
use crate::runtime::engineio::Outcome;
use crate::runtime::log::{Line, handler_failed, log};
use crate::runtime::socketio::Reply;
use crate::runtime::{DialTarget, Runtime, Stream};
use crate::socketio::client::{Auth, Client as Machine};
use crate::socketio::{Args, FromArgs, Json, Key, Parser, namespace_name};
use crate::wire::client::Target;

/// The options of a client, and its handlers.
///
/// Sizes are bytes. Handlers are started in the order of what happened, and run concurrently: one that waits for an
/// acknowledgement holds up nobody. Where those that run hold 16 MB, each its arguments and 1,000 bytes more, the server is
/// made to wait, and acknowledgements with it, until some have ended. Those of events hold for all namespaces of the client,
/// unless they were set [for one](Self::on_in).
#[must_use = "options do nothing until they connect"]
pub struct ClientBuilder<R> {
    runtime: R,
    url: String,
    engine: engine::ClientBuilder<R>,
    path: Option<String>,
    namespaces: Vec<String>,
    auth: Option<Result<Shown, ConnectFailed>>,
    config: Config,
    timeout: Duration,
    backoff: Option<Backoff>,
    handlers: Handlers,
}

/// What is shown to be let in.
enum Shown {
    Value(Json),
    Asked(OnAuth),
}

impl<R> fmt::Debug for ClientBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is shown to be let in belongs into no log, nor does the URL.
        f.debug_struct("ClientBuilder")
            .field("namespaces", &self.namespaces)
            .field("config", &self.config)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> ClientBuilder<R> {
    pub(super) fn new(runtime: R, url: &str) -> Self {
        Self {
            engine: engine::Client::builder_on(runtime.clone(), url),
            runtime,
            url: url.to_string(),
            path: None,
            namespaces: Vec::new(),
            auth: None,
            config: Config::default(),
            timeout: Duration::from_secs(20),
            backoff: None,
            handlers: Handlers::default(),
        }
    }

    // ---- connecting ----

    /// Connects, and waits until the sockets of all namespaces were let in.
    ///
    /// # Errors
    /// [`ConnectFailed::Refused`]: the server does not let one of them in; the client is closed then, and nothing is tried
    /// again. [`ConnectFailed::TimedOut`]: it has not answered for one of them in time. [`ConnectFailed::Connection`]: there
    /// is no connection; with reconnection, that of the last attempt. [`ConnectFailed::Unusable`],
    /// [`ConnectFailed::BadNamespace`]: an option that can not be used; nothing was tried.
    pub async fn connect(self) -> Result<Client<R>, ConnectFailed> {
        let client = self.start()?;
        client.joined().await?;
        Ok(client)
    }

    /// Connects as [`connect`](Self::connect) does, a client that is asked for events. Handlers are not called.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_simple(self) -> Result<SimpleClient<R>, ConnectFailed> {
        let runtime = self.runtime.clone();
        let (client, events) = self.start_with_events()?;
        client.joined().await?;
        Ok(SimpleClient::new(client, events, runtime))
    }

    /// Begins to connect. What is emitted meanwhile waits.
    ///
    /// # Errors
    /// [`ConnectFailed::Unusable`]: an option that can not be used.
    pub fn start(self) -> Result<Client<R>, ConnectFailed> {
        let (driver, runtime, socket) = self.prepare(false)?;
        runtime.spawn(driver);
        Ok(Client::new(socket))
    }

    /// Begins to connect, and tells all that happens in place of calling handlers.
    ///
    /// # Errors
    /// [`ConnectFailed::Unusable`]: an option that can not be used.
    pub fn start_with_events(self) -> Result<(Client<R>, ClientEvents), ConnectFailed> {
        let (driver, runtime, socket) = self.prepare(true)?;
        let shared = socket.shared().clone();
        runtime.spawn(driver);
        Ok((Client::new(socket), ClientEvents { shared }))
    }

    fn prepare(self, streams: bool) -> Result<(Driver<R>, R, ClientSocket), ConnectFailed> {
        let target = Target::parse(&self.url)?;
        let mut namespaces = self.namespaces;
        if namespaces.is_empty() {
            namespaces.push(target.path_given().unwrap_or("/").to_string());
        }
        let (auth, asked) = match self.auth.transpose()? {
            None => (Auth::None, None),
            Some(Shown::Value(json)) => (Auth::Value(json), None),
            Some(Shown::Asked(ask)) => (Auth::Ask, Some(ask)),
        };
        let engine = self.engine.path(self.path.as_deref().unwrap_or("/socket.io/"));
        let engine = engine.connect_timeout(self.timeout);
        let (parts, _none, ()) = engine.parts("/socket.io/")?;
        let mut config = self.config;
        config.connect_timeout = self.timeout;
        let parser = config.parser;
        let mut machine = Machine::new(config);
        let now = self.runtime.now();
        let mut keys: Vec<Key> = Vec::new();
        for namespace in &namespaces {
            keys.push(machine.connect(now, namespace, auth.clone())?);
        }
        let runtime = self.runtime.clone();
        let clock = {
            let runtime = runtime.clone();
            Box::new(move || runtime.now())
        };
        let shared = Arc::new(Shared::new(machine, streams, clock, parts.scope()));
        // All of them now: of a socket that was turned away, the machine does not know the namespace any more.
        let sockets: Vec<ClientSocket> = keys.into_iter().map(|key| shared.socket(key)).collect();
        let Some(socket) = sockets.into_iter().next() else {
            // There is one namespace at least.
            return Err(ConnectFailed::Closed);
        };
        let plan = Plan {
            runtime: runtime.clone(),
            parts,
            backoff: self.backoff,
            timeout: self.timeout,
            parser,
            handlers: self.handlers,
            auth: asked,
            streams,
        };
        Ok((Driver::new(plan, shared), runtime, socket))
    }

    // ---- Socket.IO ----

    /// A namespace to join, in place of the one that the URL's path names; called again, one more. The first one's socket
    /// is the client's. Without any, it is `/`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespaces.push(namespace.into());
        self
    }

    /// What is shown to be let into each namespace: a value whose JSON is an object. Another one is refused when the client
    /// is to connect.
    pub fn auth<T: Serialize + ?Sized>(mut self, auth: &T) -> Self {
        self.auth = Some(shown(auth).map(Shown::Value));
        self
    }

    /// The same, asked for anew with each connection and namespace. While it waits, so does the CONNECT, within
    /// [`connect_timeout`](Self::connect_timeout). A value that can not be shown goes to the log, and none is.
    pub fn auth_with<T, F, Fut>(mut self, auth: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Serialize,
    {
        let asked: OnAuth = Arc::new(move || {
            let asked = auth();
            Box::pin(async move {
                match shown(&asked.await) {
                    Ok(json) => Some(json),
                    Err(error) => {
                        log!(error, "socketio::client", "nothing is shown to be let in: {error}");
                        None
                    }
                }
            })
        });
        let contained: OnAuth = Arc::new(move || Box::pin(ask(asked.clone())));
        self.auth = Some(Ok(Shown::Asked(contained)));
        self
    }

    /// Connects again where the connection broke or could not be made, the first one included: by default after 1 s, then
    /// twice as long each time up to 5 s, each with up to half of it more or less. Never after [`close`](Client::close), and
    /// a socket that either side disconnected, or that was refused, does not join again.
    pub fn reconnect(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// How long one attempt may take: all transports, and the server's answers to the CONNECTs. 20 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long to wait for acknowledgements where nothing else is said. 60 s.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.config.ack_timeout = timeout;
        self
    }

    /// How often a call [with retries](super::Call::with_retries) is sent again. 3.
    pub fn retries(mut self, retries: u32) -> Self {
        self.config.retries = retries;
        self
    }

    /// How much may wait, for all namespaces together, while they are not connected. 4,000,000.
    pub fn max_offline(mut self, bytes: usize) -> Self {
        self.config.max_offline = bytes;
        self
    }

    /// What happens to an event that finds no room there. It is refused.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.config.when_full = when_full;
        self
    }

    /// How packets become messages: the server's must be the same.
    pub fn parser(mut self, parser: &'static dyn Parser) -> Self {
        self.config.parser = parser;
        self
    }

    /// All limits of the sockets, in place of those that were set before.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    // ---- handlers ----

    /// Calls this handler with each event of this name; its arguments are typed by the closure, a tuple for several. What
    /// it returns is the acknowledgement, where one is wanted: see [`Reply`]. An event with other arguments goes to the
    /// log, and is not acknowledged.
    pub fn on<A, P, F, Fut>(self, event: &str, handler: F) -> Self
    where
        F: Fn(ClientSocket, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = P> + Send + 'static,
        P: Reply,
        A: FromArgs + Send,
    {
        self.handle(None, event, handler)
    }

    /// The same for one namespace: before a handler for all of them.
    pub fn on_in<A, P, F, Fut>(self, namespace: &str, event: &str, handler: F) -> Self
    where
        F: Fn(ClientSocket, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = P> + Send + 'static,
        P: Reply,
        A: FromArgs + Send,
    {
        let namespace = namespace_name(namespace).map_or_else(|_| namespace.into(), |name| name.to_string());
        self.handle(Some(namespace), event, handler)
    }

    fn handle<A, P, F, Fut>(mut self, namespace: Option<String>, event: &str, handler: F) -> Self
    where
        F: Fn(ClientSocket, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = P> + Send + 'static,
        P: Reply,
        A: FromArgs + Send,
    {
        let name = event.to_string();
        let on = Arc::new(move |socket: ClientSocket, args: Args| -> super::handlers::Answer {
            let handled = match args.parse::<A>() {
                Ok(typed) => handler(socket, typed),
                Err(error) => {
                    log!(
                        warn,
                        "handlers",
                        error = %Line(error),
                        "{name:?} came with other arguments than its handler takes"
                    );
                    return Box::pin(async { None });
                }
            };
            let name = name.clone();
            Box::pin(async move {
                match handled.await.into_reply() {
                    Ok(args) => Some(args),
                    Err(error) => {
                        handler_failed(&std::format!("the handler of {name:?}"), &*error);
                        None
                    }
                }
            })
        });
        let handlers = self.handlers.events.entry(event.to_string()).or_default();
        handlers.insert(namespace, on);
        self
    }

    /// Calls this handler with every event, before the event's own.
    pub fn on_any<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(ClientSocket, String, Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.handlers.any = Some(Arc::new(move |socket, name, args| {
            let handled = handler(socket, name, args);
            Box::pin(async move { handled.await.into_result() })
        }));
        self
    }

    /// Calls this handler when a socket was let in; with reconnection, each time.
    pub fn on_connect<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(ClientSocket) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.handlers.connect = Some(Arc::new(move |socket| {
            let handled = handler(socket);
            Box::pin(async move { handled.await.into_result() })
        }));
        self
    }

    /// Calls this handler when a socket that was let in is not there any more; with reconnection, each time.
    pub fn on_disconnect<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(ClientSocket, DisconnectReason) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.handlers.disconnect = Some(Arc::new(move |socket, reason| {
            let handled = handler(socket, reason);
            Box::pin(async move { handled.await.into_result() })
        }));
        self
    }

    /// Gives this handler each event that will not be sent after all: its socket ended while it waited, it had to
    /// [make room](WhenFull::DropOldest), its connection broke before it was handed over for good, or it is larger than the
    /// server takes. Events of calls are given back by those.
    pub fn on_unsent<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(ClientSocket, String, Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.handlers.unsent = Some(Arc::new(move |socket, name, args| {
            let handled = handler(socket, name, args);
            Box::pin(async move { handled.await.into_result() })
        }));
        self
    }

    /// Calls this handler when an attempt to connect has failed, or a socket was not let in. A server that refuses a socket
    /// is not asked again: as in JavaScript, that takes a new one.
    pub fn on_connect_error<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(ConnectFailed) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.handlers.connect_error = Some(Arc::new(move |failure| {
            let handled = handler(failure);
            Box::pin(async move { handled.await.into_result() })
        }));
        self
    }

    // ---- Engine.IO ----

    /// Sets any other option of the Engine.IO client. What this builder has an option of its own for is that one's: the
    /// path, the time to connect, reconnection.
    pub fn engine(mut self, set: impl FnOnce(engine::ClientBuilder<R>) -> engine::ClientBuilder<R>) -> Self {
        self.engine = set(self.engine);
        self
    }

    /// The endpoint's path. `/socket.io/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// What a connection may be opened on, in the order in which it is tried. Polling, then WebSocket.
    pub fn transports(self, transports: &[Transport]) -> Self {
        self.engine(|engine| engine.transports(transports))
    }

    /// Whether a connection that polls is moved to a WebSocket, where the server offers it. It is.
    pub fn allow_upgrades(self, allow: bool) -> Self {
        self.engine(|engine| engine.allow_upgrades(allow))
    }

    /// One more header in every request.
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.engine(|engine| engine.header(name, value))
    }

    /// One more parameter in the query of every request.
    pub fn query(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.engine(|engine| engine.query(name, value))
    }

    /// Whether each polling GET has a parameter with a number that no other has, against caches. It has.
    pub fn timestamp_requests(self, stamp: bool) -> Self {
        self.engine(|engine| engine.timestamp_requests(stamp))
    }

    /// The name of that parameter, `t`: see [`timestamp_param`](engine::ClientBuilder::timestamp_param).
    pub fn timestamp_param(self, name: impl Into<String>) -> Self {
        self.engine(|engine| engine.timestamp_param(name))
    }

    /// One more header in requests for a WebSocket, and in no others.
    pub fn websocket_header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.engine(|engine| engine.websocket_header(name, value))
    }

    /// Protocols that are offered for what goes over the WebSocket, the best one first:
    /// [`Client::websocket_protocol`](super::Client::websocket_protocol) says what the server has chosen.
    pub fn websocket_protocols(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.engine(|engine| engine.websocket_protocols(names))
    }

    /// The largest WebSocket message that is taken from the server: see
    /// [`max_websocket_message`](engine::ClientBuilder::max_websocket_message).
    pub fn max_websocket_message(self, bytes: usize) -> Self {
        self.engine(|engine| engine.max_websocket_message(bytes))
    }

    /// Makes the client's streams by this function, in place of the runtime: see
    /// [`dial_with`](engine::ClientBuilder::dial_with).
    pub fn dial_with<F, Fut, S>(self, dial: F) -> Self
    where
        F: Fn(DialTarget) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<S>> + Send + 'static,
        S: Stream,
    {
        self.engine(|engine| engine.dial_with(dial))
    }

    /// Goes through this HTTP proxy, whatever the environment says.
    pub fn proxy(self, url: impl Into<String>) -> Self {
        self.engine(|engine| engine.proxy(url))
    }

    /// Goes through no proxy, whatever the environment says.
    pub fn no_proxy(self) -> Self {
        self.engine(engine::ClientBuilder::no_proxy)
    }

    /// Whom to trust, and what certificate to show, where the URL says `https` or `wss`.
    #[cfg(feature = "tls")]
    pub fn tls(self, connector: crate::wire::tls::Connector) -> Self {
        self.engine(|engine| engine.tls(connector))
    }
}

/// What is shown to be let in: a server takes an object and nothing else.
pub(super) fn shown<T: Serialize + ?Sized>(auth: &T) -> Result<Json, ConnectFailed> {
    let unusable = |why: String| ConnectFailed::Unusable { what: "auth", why };
    let json = Json::encode(auth).map_err(|error| unusable(error.to_string()))?;
    match json.as_str().trim_start().starts_with('{') {
        true => Ok(json),
        false => Err(unusable("its JSON is no object".to_string())),
    }
}
