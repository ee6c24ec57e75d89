//! The options of a client.

use core::fmt;
use core::future::Future;
use core::time::Duration;
use std::boxed::Box;
use std::io;
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use smallvec::SmallVec;

use super::events::ClientHandlers;
use super::{Client, ClientSender};
use crate::Backoff;
use crate::engineio::client::Config;
use crate::engineio::{Closed, Data, Transport};
use crate::error::{Error, Result};
use crate::runtime::client::{ClientTask, Shared};
use crate::runtime::dial::{DialTarget, Dialer, dialer};
use crate::runtime::engineio::builder::os_entropy;
use crate::runtime::engineio::server::Outcome;
use crate::runtime::{Runtime, Stream};
use crate::wire::Entropy;
use crate::wire::client::{Cookies, Options, Proxies, Proxy};

/// The options of a client, and its handlers in the event style.
///
/// `H` is `()` until a handler is set; from then on [`connect`](Self::connect) returns no [`Client`] to receive from, but a
/// [`ClientSender`].
///
/// Sizes are bytes. The limits and times behind these options are described on [`Config`].
#[must_use = "options do nothing until they connect"]
pub struct ClientBuilder<R, H = ()> {
    runtime: R,
    url: String,
    config: Config,
    path: Option<String>,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    stamps: bool,
    stamp: Option<String>,
    websocket: ForWebSocket,
    proxy: Wanted,
    dialer: Option<Dialer>,
    #[cfg(feature = "tls")]
    tls: Option<crate::wire::tls::Connector>,
    backoff: Option<Backoff>,
    entropy: Entropy,
    handlers: H,
}

/// What is for WebSockets alone.
#[derive(Default)]
struct ForWebSocket {
    headers: Vec<(String, String)>,
    protocols: Vec<String>,
    max_message: Option<usize>,
}

/// Which proxy is wanted.
#[derive(Clone, Debug)]
enum Wanted {
    /// The one that the environment names.
    Environment,
    None,
    This(String),
}

/// What a session is made of: options that were looked at.
pub(in crate::runtime) struct Parts<R> {
    runtime: R,
    options: Options,
    config: Config,
    dialer: Option<Dialer>,
}

impl<R: Runtime> Parts<R> {
    /// Begins to connect, with no further session after this one.
    pub(in crate::runtime) fn start(&self, cookies: Cookies) -> Client<R> {
        let shared = self.shared(None, cookies);
        self.spawn(&shared);
        Client::new(shared)
    }

    /// Starts the task that does the work.
    fn spawn(&self, shared: &Arc<Shared>) {
        let task = ClientTask::new(self.runtime.clone(), shared.clone(), self.dialer.clone());
        self.runtime.spawn(task);
    }

    /// Random bytes, from where the session has its own.
    pub(in crate::runtime) fn entropy(&self) -> Entropy {
        self.options.entropy()
    }

    fn shared(&self, backoff: Option<Backoff>, cookies: Cookies) -> Arc<Shared> {
        let runtime = self.runtime.clone();
        let clock = Box::new(move || runtime.now());
        let shared = Shared::new(self.options.clone(), self.config.clone(), backoff, clock, cookies);
        Arc::new(shared)
    }
}

impl<R, H> fmt::Debug for ClientBuilder<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL, headers, the query and the proxy may hold what belongs into no log.
        f.debug_struct("ClientBuilder")
            .field("config", &self.config)
            .field("path", &self.path)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> ClientBuilder<R> {
    pub(super) fn new(runtime: R, url: &str) -> Self {
        Self {
            runtime,
            url: url.to_string(),
            config: Config::default(),
            path: None,
            headers: Vec::new(),
            query: Vec::new(),
            stamps: true,
            stamp: None,
            websocket: ForWebSocket::default(),
            proxy: Wanted::Environment,
            dialer: None,
            #[cfg(feature = "tls")]
            tls: None,
            backoff: None,
            entropy: Box::new(os_entropy),
            handlers: (),
        }
    }

    /// Connects, and waits until the session is open; with reconnection, until the last attempt has failed.
    ///
    /// # Errors
    /// [`Error::Connect`]: what became of the first of the transports; with reconnection, in the last attempt.
    /// [`Error::Unusable`]: an option that can not be used.
    pub async fn connect(self) -> Result<Client<R>> {
        let mut client = self.start()?;
        super::opened(&mut client).await?;
        Ok(client)
    }

    /// Begins to connect. How it goes is told by [`Client::event`]; messages can be sent at once, and wait.
    ///
    /// # Errors
    /// [`Error::Unusable`]: an option that can not be used.
    pub fn start(self) -> Result<Client<R>> {
        let (shared, parts, ()) = self.prepare()?;
        parts.spawn(&shared);
        Ok(Client::new(shared))
    }
}

impl<R: Runtime, H: Into<ClientHandlers>> ClientBuilder<R, H> {
    /// Calls this handler with each message, one at a time, in order.
    pub fn on_message<F, Fut>(self, message: F) -> ClientBuilder<R, ClientHandlers>
    where
        F: Fn(ClientSender, Data) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let mut this = self.with_handlers();
        this.handlers.message = Some(Box::new(move |sender, data| {
            let handled = message(sender, data);
            Box::pin(async move { handled.await.into_result() })
        }));
        this
    }

    /// Calls this handler when a session is open; with reconnection, each time.
    pub fn on_connect<F, Fut>(self, connect: F) -> ClientBuilder<R, ClientHandlers>
    where
        F: Fn(ClientSender) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let mut this = self.with_handlers();
        this.handlers.connect = Some(Box::new(move |sender| {
            let handled = connect(sender);
            Box::pin(async move { handled.await.into_result() })
        }));
        this
    }

    /// Calls this handler when a session that was open is over, after its last message; with reconnection, each time.
    pub fn on_disconnect<F, Fut>(self, disconnect: F) -> ClientBuilder<R, ClientHandlers>
    where
        F: Fn(ClientSender, Closed) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let mut this = self.with_handlers();
        this.handlers.disconnect = Some(Box::new(move |sender, closed| {
            let handled = disconnect(sender, closed);
            Box::pin(async move { handled.await.into_result() })
        }));
        this
    }

    fn with_handlers(self) -> ClientBuilder<R, ClientHandlers> {
        ClientBuilder {
            runtime: self.runtime,
            url: self.url,
            config: self.config,
            path: self.path,
            headers: self.headers,
            query: self.query,
            stamps: self.stamps,
            stamp: self.stamp,
            websocket: self.websocket,
            proxy: self.proxy,
            dialer: self.dialer,
            #[cfg(feature = "tls")]
            tls: self.tls,
            backoff: self.backoff,
            entropy: self.entropy,
            handlers: self.handlers.into(),
        }
    }
}

impl<R: Runtime> ClientBuilder<R, ClientHandlers> {
    /// Connects, and waits until the session is open; with reconnection, until the last attempt has failed. The handlers
    /// run in a task of their own, until the last session is over or the client is told to close.
    ///
    /// # Errors
    /// [`Error::Connect`]: what became of the first of the transports; with reconnection, in the last attempt.
    /// [`Error::Unusable`]: an option that can not be used.
    pub async fn connect(self) -> Result<ClientSender> {
        let (shared, parts, handlers) = self.prepare()?;
        parts.spawn(&shared);
        let mut client = Client::<R>::new(shared);
        super::opened(&mut client).await?;
        let sender = client.sender();
        let handling = sender.shared.begin_handling();
        parts.runtime.spawn(handlers.run(client, handling));
        Ok(sender)
    }
}

impl<R: Runtime, H> ClientBuilder<R, H> {
    /// What is behind these options.
    fn prepare(self) -> Result<(Arc<Shared>, Parts<R>, H)> {
        let (parts, backoff, handlers) = self.parts("/engine.io/")?;
        let shared = parts.shared(backoff, Cookies::default());
        Ok((shared, parts, handlers))
    }

    /// What sessions one after the other are made of, each by [`Parts::start`]; `path` where neither the URL nor an option
    /// names one.
    pub(in crate::runtime) fn parts(self, path: &str) -> Result<(Parts<R>, Option<Backoff>, H)> {
        let mut options = Options::new(&self.url, path, self.entropy)?;
        if let Some(path) = &self.path {
            options.set_path(path)?;
        }
        for (name, value) in &self.query {
            options.add_query(name, value)?;
        }
        for (name, value) in &self.headers {
            options.add_header(name, value)?;
        }
        if let Some(name) = &self.stamp {
            options.set_stamp(Some(name))?;
        }
        if !self.stamps {
            options.set_stamp(None)?;
        }
        for (name, value) in &self.websocket.headers {
            options.add_websocket_header(name, value)?;
        }
        for name in &self.websocket.protocols {
            options.add_websocket_protocol(name)?;
        }
        if let Some(bytes) = self.websocket.max_message {
            options.set_max_websocket_message(bytes);
        }
        let proxies = match &self.proxy {
            // Whoever makes the streams knows where they have to go.
            Wanted::Environment if self.dialer.is_some() => Proxies::none(),
            Wanted::Environment => Proxies::from_vars(|name| std::env::var(name).ok()),
            Wanted::None => Proxies::none(),
            Wanted::This(url) => Proxies::always(Proxy::parse(url)?),
        };
        options.set_proxies(&proxies)?;
        #[cfg(feature = "tls")]
        match self.tls {
            Some(connector) => options.set_tls(connector),
            None if options.is_secure() => options.set_tls(crate::wire::tls::Connector::platform()?),
            None => {}
        }
        if self.config.transports.is_empty() {
            return Err(Error::Unusable {
                what: "transports",
                why: "there must be one at least",
            });
        }
        let parts = Parts {
            runtime: self.runtime,
            options,
            config: self.config,
            dialer: self.dialer,
        };
        Ok((parts, self.backoff, self.handlers))
    }

    /// What a session may be opened on, in the order in which it is tried. Polling, then WebSocket.
    pub fn transports(mut self, transports: &[Transport]) -> Self {
        let mut all = SmallVec::new();
        for transport in transports {
            if !all.contains(transport) {
                all.push(*transport);
            }
        }
        self.config.transports = all;
        self
    }

    /// Whether a session that polls is moved to a WebSocket, where the server offers it. It is.
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.config.upgrades = allow;
        self
    }

    /// The endpoint's path, whatever the URL says. `/engine.io/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// One more header in every request. The client writes those itself that say how a request is sent.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// One more parameter in the query of every request.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Whether each polling GET has a parameter with a number that no other has, so that no cache between here and the
    /// server answers it. It has, as with the other implementations. POSTs are not answered from caches, and neither are
    /// WebSockets.
    pub fn timestamp_requests(mut self, stamp: bool) -> Self {
        self.stamps = stamp;
        self
    }

    /// The name of that parameter, `t`. Where the URL or [`query`](Self::query) has one of this name, that stands, and there
    /// is no other.
    pub fn timestamp_param(mut self, name: impl Into<String>) -> Self {
        self.stamp = Some(name.into());
        self
    }

    /// One more header in requests for a WebSocket, and in no others. It stands for a [`header`](Self::header) of the same
    /// name.
    pub fn websocket_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.websocket.headers.push((name.into(), value.into()));
        self
    }

    /// Protocols that are offered for what goes over the WebSocket (`Sec-WebSocket-Protocol`), the best one first. What the
    /// server has chosen, [`ClientSender::websocket_protocol`] says; Engine.IO is what is spoken, whatever it is.
    pub fn websocket_protocols(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.websocket.protocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// The largest WebSocket message that is taken from the server, where that is not [`max_payload`](Self::max_payload): a
    /// polling body holds many messages, and this is the limit of one. A larger one ends the session.
    pub fn max_websocket_message(mut self, bytes: usize) -> Self {
        self.websocket.max_message = Some(bytes);
        self
    }

    /// Makes the client's streams by this function, in place of the runtime: through a SOCKS proxy, from a certain address,
    /// to a Unix socket. It is called for each stream, at most three at a time: two for polling, one for the WebSocket.
    /// TLS, a given [`proxy`](Self::proxy) and HTTP are spoken over what it makes. The environment's proxies are not asked.
    ///
    /// It may take as long as whatever needs the stream: the [`connect_timeout`](Self::connect_timeout), for a WebSocket of
    /// an open session the [`upgrade_timeout`](Self::upgrade_timeout), for a POST the
    /// [`request_timeout`](Self::request_timeout), for a GET the server's ping interval and timeout together. Then its
    /// future is dropped. What it fails with is in the [`ConnectError`](crate::wire::client::ConnectError), as if the
    /// system had said it.
    pub fn dial_with<F, Fut, S>(mut self, dial: F) -> Self
    where
        F: Fn(DialTarget) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<S>> + Send + 'static,
        S: Stream,
    {
        self.dialer = Some(dialer(dial));
        self
    }

    /// Goes through this HTTP proxy, `http://user:password@host:port`, whatever the environment says.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Wanted::This(url.into());
        self
    }

    /// Goes through no proxy, whatever the environment says. Otherwise `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and
    /// `NO_PROXY` are respected, as [`Proxies::from_vars`] describes.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = Wanted::None;
        self
    }

    /// Whom to trust, and what certificate to show, where the URL says `https` or `wss`. Unless this is called, the client
    /// trusts whom the operating system trusts.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, connector: crate::wire::tls::Connector) -> Self {
        self.tls = Some(connector);
        self
    }

    /// Begins a new session where one broke or could not be opened; the first one included. Never after a close of ours,
    /// nor after a close packet of the server's.
    pub fn reconnect(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// How long it may take until the session is open, all transports together. 20 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long the way from polling to a WebSocket may take. 10 s.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.config.upgrade_timeout = timeout;
        self
    }

    /// How long the server may take to answer a POST. 45 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = timeout;
        self
    }

    /// How long, once the session is closing, nothing may happen before it is given up. 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.config.close_timeout = timeout;
        self
    }

    /// The largest polling body and WebSocket message that is taken from the server. 64,000,000.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.config.max_payload = bytes;
        self
    }

    /// How much may be queued towards the server. 4,000,000.
    pub fn max_queue(mut self, bytes: usize) -> Self {
        self.config.max_queue = bytes;
        self
    }

    /// All limits and times of sessions, in place of those that were set before.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Where random bytes come from: WebSocket keys and masks, and the jitter of delays. The operating system's, unless
    /// this is called; a simulation has its own. They must be such that nobody can guess them.
    pub fn entropy(mut self, fill: impl FnMut(&mut [u8]) + Send + 'static) -> Self {
        self.entropy = Box::new(fill);
        self
    }
}
