//! The options of a server.

use core::fmt;
use core::future::{Future, ready};
use core::net::SocketAddr;
use core::time::Duration;
use std::borrow::Cow;
use std::boxed::Box;
use std::io;
use std::string::String;
use std::sync::Arc;

use super::events::Events;
use super::fallback::Fallback;
use super::server::{Connect, Outcome, Server};
use super::socket::Sender;
use crate::engineio::{CloseReason, Config, Data, Refusal, Transport};
use crate::error::{Error, Result};
use crate::http::{Compression, Cookie, Cors, Endpoint, ExtraHeaders, Request, RequestView, TrustedProxies};
use crate::runtime::Runtime;
use crate::runtime::driver;
use crate::wire::{Entropy, Limits};

/// Longer times are a mistake, and clients may not take them.
const MAX_ANNOUNCED: Duration = Duration::from_secs(100_000_000);

/// The options of a server, and its handlers in the event style.
///
/// `D` is what [`on_connect`](Self::on_connect) returns for each session. `H` is `()` until a handler is set; from then
/// on the server's [`serve`](Server::serve) takes none.
///
/// Sizes are bytes. The limits behind these options are described on [`Config`] and [`Limits`].
pub struct Builder<R, D = (), H = ()> {
    pub(super) runtime: R,
    pub(super) config: Config,
    pub(super) endpoint: Endpoint,
    pub(super) limits: Limits,
    pub(super) entropy: Entropy,
    pub(super) connect: Connect<D>,
    pub(super) fallback: Option<driver::Fallback>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<crate::wire::tls::Acceptor>,
    pub(super) handlers: H,
}

impl<R, D, H> fmt::Debug for Builder<R, D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("endpoint", &self.endpoint)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

pub(crate) fn os_entropy(bytes: &mut [u8]) {
    // Without it ids could be guessed: better no server than that.
    getrandom::fill(bytes).expect("the operating system has no random numbers");
}

impl<R: Runtime> Builder<R> {
    /// The defaults, on this runtime.
    pub fn new(runtime: R) -> Self {
        Self {
            runtime,
            config: Config::default(),
            endpoint: Endpoint::default(),
            limits: Limits::default(),
            entropy: Box::new(os_entropy),
            connect: Connect::Anybody(|| ()),
            fallback: None,
            #[cfg(feature = "tls")]
            tls: None,
            handlers: (),
        }
    }

    /// Asks this handler about each client. `Ok` is the session's data, `Err` what the client is told instead. It comes
    /// before the other handlers, which are given that data.
    ///
    /// It is async, and may ask a database: the client waits meanwhile, for [`Config::accept_timeout`] at most. A panic in
    /// it refuses the client with 500.
    pub fn on_connect<D, F, Fut>(self, connect: F) -> Builder<R, D>
    where
        D: Send + Sync + 'static,
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<D, Refusal>> + Send + 'static,
    {
        Builder {
            runtime: self.runtime,
            config: self.config,
            endpoint: self.endpoint,
            limits: self.limits,
            entropy: self.entropy,
            connect: Connect::Ask(Box::new(move |request| Box::pin(connect(request)))),
            fallback: self.fallback,
            #[cfg(feature = "tls")]
            tls: self.tls,
            handlers: (),
        }
    }
}

impl<R: Runtime, D: Send + Sync + 'static, H: Into<Events<D>>> Builder<R, D, H> {
    /// Calls this handler with each session that was accepted, before its first message: to send something as soon as a
    /// client is there. What is queued before it waits for something rides behind the open packet.
    ///
    /// Messages wait until it has ended. A panic in it ends the session. The open packet waits until it has ended or waits
    /// itself: what computes for long, or blocks, keeps the client from its session.
    #[must_use]
    pub fn on_connected<F, Fut>(self, connected: F) -> Builder<R, D, Events<D>>
    where
        F: Fn(Sender<D>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let mut this = self.with_events();
        this.handlers.connected = Some(Box::new(move |sender, ()| {
            let handled = connected(sender);
            Box::pin(async move { handled.await.into_result() })
        }));
        this
    }

    /// Calls this handler with each message: one at a time for each client, in order, unless
    /// [`concurrency`](Self::concurrency) allows more.
    #[must_use]
    pub fn on_message<F, Fut>(self, message: F) -> Builder<R, D, Events<D>>
    where
        F: Fn(Sender<D>, Data) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let mut this = self.with_events();
        this.handlers.message = Some(Box::new(move |sender, data| {
            let handled = message(sender, data);
            Box::pin(async move { handled.await.into_result() })
        }));
        this
    }

    /// How many message handlers of one client run at once. They start in the order of their messages; where so many run, the
    /// next waits, and what the client sends after it. 1 (and 0): strictly one after the other.
    ///
    /// They take turns in one task, so that one which computes holds up the others, and whenever anything happens each of them
    /// is polled: tens are fine, many thousands are slow. A client may have so many messages of
    /// [`max_payload`](Self::max_payload) in memory, besides those that wait.
    #[must_use]
    pub fn concurrency(self, handlers: usize) -> Builder<R, D, Events<D>> {
        let mut this = self.with_events();
        this.handlers.concurrency = handlers.max(1);
        this
    }

    /// Calls this handler when a session that was accepted is over, once, after its last message and the end of all other
    /// handlers.
    #[must_use]
    pub fn on_disconnect<F, Fut>(self, disconnect: F) -> Builder<R, D, Events<D>>
    where
        F: Fn(Sender<D>, CloseReason) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let mut this = self.with_events();
        this.handlers.disconnect = Some(Box::new(move |sender, reason| {
            let handled = disconnect(sender, reason);
            Box::pin(async move { handled.await.into_result() })
        }));
        this
    }

    fn with_events(self) -> Builder<R, D, Events<D>> {
        Builder {
            runtime: self.runtime,
            config: self.config,
            endpoint: self.endpoint,
            limits: self.limits,
            entropy: self.entropy,
            connect: self.connect,
            fallback: self.fallback,
            #[cfg(feature = "tls")]
            tls: self.tls,
            handlers: self.handlers.into(),
        }
    }
}

impl<R: Runtime, D: Send + Sync + 'static, H> Builder<R, D, H> {
    /// What the server will run on.
    pub fn runtime(&self) -> &R {
        &self.runtime
    }

    /// How often a ping is sent. 25 s.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.config.ping_interval = interval;
        self
    }

    /// Added to the announced ping interval only. None.
    #[must_use]
    pub fn ping_interval_grace(mut self, grace: Duration) -> Self {
        self.config.ping_interval_grace = grace;
        self
    }

    /// How long to wait for a pong. 20 s.
    #[must_use]
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.config.ping_timeout = timeout;
        self
    }

    /// How long a WebSocket may take to prove itself and upgrade. 10 s.
    #[must_use]
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.config.upgrade_timeout = timeout;
        self
    }

    /// The largest polling body and WebSocket message that is taken. 1,000,000 bytes.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.config.max_payload = bytes;
        self
    }

    /// How much may be queued for one client before `send` waits. 4,000,000 bytes.
    #[must_use]
    pub fn max_queue(mut self, bytes: usize) -> Self {
        self.config.max_queue = bytes;
        self
    }

    /// Whether sessions that poll may move to a WebSocket. They may.
    #[must_use]
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.config.upgrades = allow;
        self
    }

    /// On which transports a session may be opened. Both.
    #[must_use]
    pub fn transports(mut self, transports: &[Transport]) -> Self {
        self.endpoint.set_transports(transports);
        self
    }

    /// The path below which Engine.IO lives. `/engine.io/`.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.endpoint.set_path(path);
        self
    }

    /// One more path that is served like the first: see [`Endpoint::add_path`].
    #[must_use]
    pub fn also_path(mut self, path: &str) -> Self {
        self.endpoint.add_path(path);
        self
    }

    /// Which web pages may use the server. Those of the same host.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.endpoint.set_cors(cors);
        self
    }

    /// Whether scripts (JSONP) are answered. They are; see [`Endpoint::set_jsonp`].
    #[must_use]
    pub fn jsonp(mut self, serve: bool) -> Self {
        self.endpoint.set_jsonp(serve);
        self
    }

    /// Whether clients of Engine.IO 3 (of before 2020) are served beside those of 4. They are refused with error 5.
    #[must_use]
    #[cfg(feature = "v3")]
    pub fn eio3(mut self, serve: bool) -> Self {
        self.endpoint.set_eio3(serve);
        self
    }

    /// Proxies whose word is taken for the client's address, scheme and host. None.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.endpoint.terms_mut().set_trusted_proxies(proxies);
        self
    }

    /// Which polling responses are compressed (Python's `http_compression` and `compression_threshold`). Those of 1,024
    /// bytes and more.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.endpoint.terms_mut().set_compression(compression);
        self
    }

    /// A cookie with the session's id, in the response that opens a session by polling. None.
    #[must_use]
    pub fn cookie(mut self, cookie: Cookie) -> Self {
        self.endpoint.terms_mut().set_cookie(cookie);
        self
    }

    /// The same, made for each request; `None` sends none, and one that can not be a cookie is left out.
    ///
    /// This function, like those of [`headers_with`](Self::headers_with), [`allow_request`](Self::allow_request),
    /// [`session_ids`](Self::session_ids) and [`Cors::when`], runs on the thread that serves the request, and must not wait
    /// for anything. A panic in it costs that request and no other.
    #[must_use]
    pub fn cookie_with(mut self, make: impl Fn(&RequestView<'_>) -> Option<Cookie> + Send + Sync + 'static) -> Self {
        self.endpoint.terms_mut().set_cookie_with(make);
        self
    }

    /// A header of every response of the endpoint; may be called for several.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Self {
        self.endpoint.terms_mut().add_header(name, value);
        self
    }

    /// A header of the first response of each session; may be called for several.
    #[must_use]
    pub fn initial_header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Self {
        self.endpoint.terms_mut().add_initial_header(name, value);
        self
    }

    /// Has this add headers to each response, as the request has it. See [`cookie_with`](Self::cookie_with).
    #[must_use]
    pub fn headers_with(mut self, add: impl Fn(&RequestView<'_>, &mut ExtraHeaders) + Send + Sync + 'static) -> Self {
        self.endpoint.terms_mut().set_headers_with(add);
        self
    }

    /// Asks this about each request that would open a session, before there is one. See [`cookie_with`](Self::cookie_with);
    /// what has to ask somebody else is a matter for [`on_connect`](Builder::on_connect).
    #[must_use]
    pub fn allow_request(
        mut self,
        allow: impl Fn(&RequestView<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.endpoint.terms_mut().set_allow_request(allow);
        self
    }

    /// Has this make the ids of sessions (Python's `generate_id`), in place of 120 random bits. Whoever guesses an id speaks
    /// for its client. See [`cookie_with`](Self::cookie_with).
    ///
    /// An id is 1 to 64 characters of `A-Z a-z 0-9 - . _ ~`. Where there is a session of that id already, another is asked
    /// for, a few times; a client for whom there is none gets 400.
    #[must_use]
    pub fn session_ids(mut self, make: impl Fn(&RequestView<'_>) -> String + Send + Sync + 'static) -> Self {
        self.endpoint.terms_mut().set_session_ids(make);
        self
    }

    /// How many sessions there may be at a time: [`Limits::max_sessions`]. 1,000,000.
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.limits.max_sessions = Some(sessions);
        self
    }

    /// How many of them for one address: [`Limits::max_sessions_per_address`]. No limit. Behind a proxy, set
    /// [`trusted_proxies`](Self::trusted_proxies) too.
    #[must_use]
    pub fn max_sessions_per_address(mut self, sessions: usize) -> Self {
        self.limits.max_sessions_per_address = Some(sessions);
        self
    }

    /// How many connections there may be at a time: [`Limits::max_connections`]. 1,000,000.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.max_connections = Some(connections);
        self
    }

    /// How many of them from one address: [`Limits::max_connections_per_address`]. No limit. Behind a proxy, set
    /// [`trusted_proxies`](Self::trusted_proxies) too.
    #[must_use]
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.limits.max_connections_per_address = Some(connections);
        self
    }

    /// All limits and times of sessions, in place of those that were set before.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// All limits and times of connections, in place of those that were set before.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where session ids come from: bytes that nobody can predict. The operating system's, unless a simulation brings its
    /// own.
    #[must_use]
    pub fn entropy(mut self, fill: impl FnMut(&mut [u8]) + Send + 'static) -> Self {
        self.entropy = Box::new(fill);
        self
    }

    /// Answers requests for other paths: an async closure, or [`StaticFiles`](crate::http::StaticFiles). Without it they get
    /// 404.
    ///
    /// The type of a closure's argument has to be written: `|request: Request| async move { … }`.
    #[must_use]
    pub fn fallback(mut self, fallback: impl Fallback<R>) -> Self {
        let runtime = self.runtime.clone();
        self.fallback = Some(Box::new(move |request| fallback.answer(&runtime, request)));
        self
    }

    /// Serves `https` and `wss`, and nothing else. Keep a clone, to replace the certificates while the server runs:
    /// [`Acceptor::reload`](crate::wire::tls::Acceptor::reload).
    ///
    /// A client has [`Limits::head_timeout`] for the handshake and its first request. One that does not come through it is
    /// logged and [counted](crate::wire::Stats::failed_handshakes).
    #[must_use]
    #[cfg(feature = "tls")]
    pub fn tls(mut self, acceptor: crate::wire::tls::Acceptor) -> Self {
        self.tls = Some(acceptor);
        self
    }

    /// Listens on an address, such as `127.0.0.1:3000` or `localhost:3000`; port 0 is any free one.
    ///
    /// # Errors
    /// [`Error::Unusable`] for options that can not be used, [`Error::Io`] where the system refuses the address.
    pub async fn bind(self, address: &str) -> Result<Server<R, D, H>> {
        self.check()?;
        let listener = listen(&self.runtime, address).await?;
        Server::new(self, listener)
    }

    pub(super) fn check(&self) -> Result<()> {
        let unusable = |what, why| Err(Error::Unusable { what, why });
        let (polling, websocket) = (
            self.endpoint.serves(Transport::Polling),
            self.endpoint.serves(Transport::WebSocket),
        );
        if !polling && !websocket {
            return unusable("transports", "there is none");
        }
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'%');
        if !self.endpoint.paths().all(|path| path.bytes().all(plain)) {
            return unusable("path", "it has a character that a path does not show as it is");
        }
        self.endpoint.terms().check()?;
        if self.config.ping_timeout.is_zero() {
            return unusable("ping_timeout", "it is zero");
        }
        if self.config.max_payload == 0 {
            return unusable("max_payload", "nothing could be received");
        }
        if self.config.max_queue < 1024 {
            return unusable("max_queue", "hardly anything could be sent");
        }
        if self.config.ping_interval.is_zero() {
            return unusable("ping_interval", "it is zero");
        }
        let announced = [self.config.announced_interval(), self.config.ping_timeout];
        if announced.into_iter().any(|time| time > MAX_ANNOUNCED) {
            return unusable(
                "ping_interval",
                "with its grace, or the ping_timeout, it is longer than three years",
            );
        }
        Ok(())
    }
}

async fn listen<R: Runtime>(runtime: &R, address: &str) -> Result<R::Listener> {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return Ok(runtime.bind(address).await?);
    }
    let unusable = Error::Unusable {
        what: "address",
        why: "it is not of the form host:port",
    };
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(unusable);
    };
    let port = port.parse().map_err(|_| unusable)?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in runtime.resolve(host, port).await? {
        match runtime.bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

impl<D> Connect<D> {
    pub(super) fn ask(&self, request: Option<Request>) -> super::server::Connecting<D>
    where
        D: Send + 'static,
    {
        match (self, request) {
            (Self::Ask(connect), Some(request)) => connect(request),
            (Self::Ask(_), None) => unreachable!("the hub keeps requests where there is a connect handler"),
            (Self::Anybody(data), _) => Box::pin(ready(Ok(data()))),
        }
    }

    pub(super) fn wants_request(&self) -> bool {
        matches!(self, Self::Ask(_))
    }
}

/// The upgrade list, the announced transports and the endpoint must tell the same story.
pub(super) fn settle<R, D, H>(builder: &mut Builder<R, D, H>) {
    builder.config.upgrades &= builder.endpoint.serves(Transport::WebSocket);
}

pub(super) fn share<T>(value: T) -> Arc<T> {
    Arc::new(value)
}
