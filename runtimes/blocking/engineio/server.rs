//! The server on threads.

use core::borrow::Borrow;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::borrow::Cow;
use std::boxed::Box;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::{Fallback, SendError, Sender, SessionInfo, Socket, Stats, TrySendError};
use crate::engineio::{CloseReason, Config, Data, Packet, Refusal, Sid, Transport};
use crate::error::Result;
use crate::http::{Compression, Cookie, Cors, ExtraHeaders, Request, RequestView, Response, TrustedProxies};
use crate::runtime::app::BoxFuture;
use crate::runtime::blocking::{Threads, block_on};
use crate::runtime::engineio as generic;
use crate::runtime::engineio::{Events, Outcome};
use crate::wire::Limits;

/// A server that listens, and serves once [`serve`](Self::serve) is called.
pub struct Server<D = (), H = ()> {
    server: generic::Server<Threads, D, H>,
    threads: Threads,
}

/// The options of a server, and its handlers in the event style. Handlers may block: they have threads of their own.
///
/// `D` is what [`on_connect`](Self::on_connect) returns for each session. `H` is `()` until a handler is set; from then
/// on the server's [`serve`](Server::serve) takes none.
#[must_use = "options do nothing until they are bound"]
pub struct Builder<D = (), H = ()> {
    builder: generic::Builder<Threads, D, H>,
    threads: Threads,
}

impl<D: Send + Sync + 'static, H> fmt::Debug for Server<D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(f)
    }
}

impl<D, H> fmt::Debug for Builder<D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.builder.fmt(f)
    }
}

impl Server {
    /// Listens with the default options on an address, such as `127.0.0.1:3000`; port 0 is any free one.
    ///
    /// # Errors
    /// As [`Builder::bind`].
    pub fn bind(address: &str) -> Result<Self> {
        Self::builder().bind(address)
    }

    /// The options.
    pub fn builder() -> Builder {
        let threads = Threads::new();
        Builder {
            builder: generic::Server::builder_on(threads.clone()),
            threads,
        }
    }
}

impl Builder {
    /// For what is built on a server's options.
    pub(in crate::runtime::blocking) fn around(builder: generic::Builder<Threads>, threads: Threads) -> Self {
        Self { builder, threads }
    }

    pub(in crate::runtime::blocking) fn into_inner(self) -> generic::Builder<Threads> {
        self.builder
    }

    /// Asks this handler about each client. `Ok` is the session's data, `Err` what the client is told instead. It comes
    /// before the other handlers, which are given that data.
    ///
    /// It may block: the client waits meanwhile, for [`Config::accept_timeout`] at most. A panic in it refuses the client
    /// with 500.
    pub fn on_connect<D, F>(self, connect: F) -> Builder<D>
    where
        D: Send + Sync + 'static,
        F: Fn(Request) -> Result<D, Refusal> + Send + Sync + 'static,
    {
        let (connect, threads) = (Arc::new(connect), self.threads.clone());
        let builder = self.builder.on_connect(move |request| {
            let (connect, threads) = (connect.clone(), threads.clone());
            async move {
                let decided = threads.offload(move || connect(request)).await;
                decided.unwrap_or_else(|_no_thread| Err(Refusal::new(503)))
            }
        });
        Builder {
            builder,
            threads: self.threads,
        }
    }
}

impl<D: Send + Sync + 'static, H: Into<Events<D>>> Builder<D, H> {
    /// Calls this handler with each session that was accepted, before its first message.
    ///
    /// As [`Builder::on_connected`](generic::Builder::on_connected). It has a thread of its own: which is faster, its first
    /// message or the open packet, is the system's business.
    pub fn on_connected<F, O>(self, connected: F) -> Builder<D, Events<D>>
    where
        F: Fn(Sender<D>) -> O + Send + Sync + 'static,
        O: Outcome + 'static,
    {
        let connected = handler(&self.threads, move |sender, ()| connected(sender));
        Builder {
            builder: self.builder.on_connected(move |sender| connected(sender, ())),
            threads: self.threads,
        }
    }

    /// Calls this handler with each message: one at a time for each client, in order, unless
    /// [`concurrency`](Self::concurrency) allows more.
    pub fn on_message<F, O>(self, message: F) -> Builder<D, Events<D>>
    where
        F: Fn(Sender<D>, Data) -> O + Send + Sync + 'static,
        O: Outcome + 'static,
    {
        Builder {
            builder: self.builder.on_message(handler(&self.threads, message)),
            threads: self.threads,
        }
    }

    /// How many message handlers of one client run at once, each on a thread of its own: so many threads any client can
    /// occupy. 1 (and 0): strictly one after the other. With more, they are started in the order of their messages, but which
    /// thread is faster is the system's business.
    pub fn concurrency(self, handlers: usize) -> Builder<D, Events<D>> {
        Builder {
            builder: self.builder.concurrency(handlers),
            threads: self.threads,
        }
    }

    /// Calls this handler when a session that was accepted is over, once, after its last message and the end of all other
    /// handlers.
    pub fn on_disconnect<F, O>(self, disconnect: F) -> Builder<D, Events<D>>
    where
        F: Fn(Sender<D>, CloseReason) -> O + Send + Sync + 'static,
        O: Outcome + 'static,
    {
        Builder {
            builder: self.builder.on_disconnect(handler(&self.threads, disconnect)),
            threads: self.threads,
        }
    }
}

/// The async form of a handler that may block.
fn handler<D, T, F, O>(
    threads: &Threads,
    handler: F,
) -> impl Fn(generic::Sender<D>, T) -> BoxFuture<Result<()>> + Send + Sync + use<D, T, F, O>
where
    D: Send + Sync + 'static,
    T: Send + 'static,
    F: Fn(Sender<D>, T) -> O + Send + Sync + 'static,
    O: Outcome + 'static,
{
    let (handler, threads) = (Arc::new(handler), threads.clone());
    move |sender, what| {
        let (handler, threads) = (handler.clone(), threads.clone());
        Box::pin(async move {
            threads
                .offload_patiently(move || handler(Sender::new(sender), what).into_result())
                .await
        })
    }
}

/// Options that are those of the async server.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),+);)*) => {
        $(
            $(#[$doc])*
            ///
            #[doc = concat!("As [`Builder::", stringify!($name), "`](generic::Builder::", stringify!($name), ").")]
            pub fn $name(mut self, $($argument: $type),+) -> Self {
                self.builder = self.builder.$name($($argument),+);
                self
            }
        )*
    };
}

impl<D: Send + Sync + 'static, H> Builder<D, H> {
    options! {
        /// How often a ping is sent.
        ping_interval(interval: Duration);
        /// Added to the announced ping interval only.
        ping_interval_grace(grace: Duration);
        /// How long to wait for the pong.
        ping_timeout(timeout: Duration);
        /// How long a WebSocket may take to prove itself and upgrade.
        upgrade_timeout(timeout: Duration);
        /// The largest polling body and WebSocket message that is taken.
        max_payload(bytes: usize);
        /// How much may be queued towards one client.
        max_queue(bytes: usize);
        /// Whether a polling session may move to a WebSocket.
        allow_upgrades(allow: bool);
        /// What a session may be opened on.
        transports(transports: &[Transport]);
        /// The endpoint's path.
        path(path: &str);
        /// Which web pages may use the server.
        cors(cors: Cors);
        /// Whether scripts (JSONP) are answered.
        jsonp(serve: bool);
        /// Proxies whose word is taken for the client's address, scheme and host.
        trusted_proxies(proxies: TrustedProxies);
        /// Which polling responses are compressed.
        compression(compression: Compression);
        /// A cookie with the session's id.
        cookie(cookie: Cookie);
        /// The same, made for each request.
        cookie_with(make: impl Fn(&RequestView<'_>) -> Option<Cookie> + Send + Sync + 'static);
        /// A header of every response of the endpoint.
        header(name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>);
        /// A header of the first response of each session.
        initial_header(name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>);
        /// Has this add headers to each response.
        headers_with(add: impl Fn(&RequestView<'_>, &mut ExtraHeaders) + Send + Sync + 'static);
        /// Asks this about each request that would open a session, before there is one.
        allow_request(allow: impl Fn(&RequestView<'_>) -> Result<(), Refusal> + Send + Sync + 'static);
        /// Has this make the ids of sessions.
        session_ids(make: impl Fn(&RequestView<'_>) -> String + Send + Sync + 'static);
        /// How many sessions there may be at a time.
        max_sessions(sessions: usize);
        /// How many sessions there may be for one address.
        max_sessions_per_address(sessions: usize);
        /// How many connections there may be at a time.
        max_connections(connections: usize);
        /// How many connections there may be from one address.
        max_connections_per_address(connections: usize);
        /// All limits and times of a session.
        config(config: Config);
        /// The limits of a connection.
        limits(limits: Limits);
        /// Where random bytes come from.
        entropy(fill: impl FnMut(&mut [u8]) + Send + 'static);
    }

    /// Whether clients of Engine.IO 3 are served beside those of 4.
    ///
    /// As [`Builder::eio3`](generic::Builder::eio3).
    #[cfg(feature = "v3")]
    pub fn eio3(mut self, serve: bool) -> Self {
        self.builder = self.builder.eio3(serve);
        self
    }

    /// Serves `https` and `wss`, and nothing else.
    ///
    /// As [`Builder::tls`](generic::Builder::tls).
    #[cfg(feature = "tls")]
    pub fn tls(mut self, acceptor: crate::wire::tls::Acceptor) -> Self {
        self.builder = self.builder.tls(acceptor);
        self
    }

    /// Answers requests for other paths than the endpoint's: a closure, which may block, or
    /// [`StaticFiles`](crate::http::StaticFiles).
    ///
    /// The type of a closure's argument has to be written: `|request: Request| …`.
    pub fn fallback(mut self, fallback: impl Fallback) -> Self {
        let (fallback, threads) = (Arc::new(fallback), self.threads.clone());
        self.builder = self.builder.fallback(move |request: Request| {
            let (fallback, threads) = (fallback.clone(), threads.clone());
            async move {
                let answered = threads.offload(move || fallback.answer(request)).await;
                answered.unwrap_or_else(|_no_thread| Response::new(503))
            }
        });
        self
    }

    /// Listens on an address, such as `127.0.0.1:3000`; port 0 is any free one.
    ///
    /// # Errors
    /// As the async [`Builder::bind`](generic::Builder::bind).
    pub fn bind(self, address: &str) -> Result<Server<D, H>> {
        let server = block_on(self.builder.bind(address))?;
        Ok(Server {
            server,
            threads: self.threads,
        })
    }
}

impl<D: Send + Sync + 'static, H> Server<D, H> {
    /// The address that the server listens on, with the real port where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// The server from outside: to count and close sessions, and to end it.
    pub fn handle(&self) -> Handle {
        Handle(self.server.handle())
    }
}

impl<D: Send + Sync + 'static> Server<D> {
    /// Serves on the calling thread: runs `handler` for each session on a thread of its own, with the socket to receive
    /// from. Returns when the server was [shut down](Handle::shutdown) and its threads have ended.
    ///
    /// A handler that returns has dropped its socket, which closes the session. It is not cancelled when the client
    /// leaves: `recv` returns `None`, and the handler comes to its own end. An error goes to the log. A panic ends its
    /// session and no other.
    ///
    /// # Errors
    /// None at present.
    pub fn serve<F>(self, handler: F) -> Result<()>
    where
        F: Fn(Socket<D>) -> Result<()> + Send + Sync + 'static,
    {
        let (handler, threads) = (Arc::new(handler), self.threads.clone());
        let served = block_on(self.server.serve(move |socket| {
            let (handler, threads) = (handler.clone(), threads.clone());
            async move { threads.offload(move || handler(Socket::new(socket))).await? }
        }));
        self.threads.join();
        served
    }
}

impl<D: Send + Sync + 'static> Server<D, Events<D>> {
    /// Serves on the calling thread, with the handlers that were set: see [`Builder::on_message`]. Returns when the server
    /// was [shut down](Handle::shutdown) and its threads have ended.
    ///
    /// A client has a thread for its handlers only while one of them runs.
    ///
    /// # Errors
    /// None at present.
    pub fn serve(self) -> Result<()> {
        let served = block_on(self.server.serve());
        self.threads.join();
        served
    }
}

/// A server from outside: cheap to clone, and to keep anywhere.
#[derive(Clone, Debug)]
pub struct Handle(generic::Handle);

impl Handle {
    /// Counts.
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// The ids of all sessions, in the order in which they were opened.
    pub fn sessions(&self) -> Vec<Sid> {
        self.0.sessions()
    }

    /// What can be told about each session, in the order in which they were opened.
    pub fn session_infos(&self) -> Vec<SessionInfo> {
        self.0.session_infos()
    }

    /// What can be told about one session; `None` where it does not exist.
    pub fn session_info(&self, sid: &Sid) -> Option<SessionInfo> {
        self.0.session_info(sid)
    }

    /// What carries a session's messages at the moment; `None` where it does not exist.
    pub fn transport(&self, sid: &Sid) -> Option<Transport> {
        self.0.transport(sid)
    }

    /// One session with its data, for whoever knows its id: as the async [`Handle::socket`](generic::Handle::socket).
    pub fn socket<D: Send + Sync + 'static>(&self, sid: &Sid) -> Option<Sender<D>> {
        self.0.socket(sid).map(Sender::new)
    }

    /// Sends a message to one session, waiting for room in its queue.
    ///
    /// # Errors
    /// Gives the message back: see [`SendError`]; a session that does not exist is [`SendError::Closed`].
    pub fn send(&self, sid: &Sid, message: impl Into<Data>) -> Result<(), SendError> {
        block_on(self.0.send(sid, message))
    }

    /// Sends a packet that is the application's to send: as the async
    /// [`Handle::send_packet`](generic::Handle::send_packet).
    ///
    /// # Errors
    /// [`Error::Unusable`](crate::Error::Unusable) for packets that the session sends itself.
    pub fn send_packet(&self, sid: &Sid, packet: Packet) -> Result<()> {
        block_on(self.0.send_packet(sid, packet))
    }

    /// Sends a message to every session that is open, waits for nobody, and gives back whom it was not sent to: as the async
    /// [`Handle::broadcast`](generic::Handle::broadcast).
    pub fn broadcast(&self, message: impl Into<Data>) -> Vec<(Sid, TrySendError)> {
        self.0.broadcast(message)
    }

    /// The same for some sessions: as the async [`Handle::broadcast_to`](generic::Handle::broadcast_to).
    pub fn broadcast_to<S: Borrow<Sid>>(
        &self,
        sids: impl IntoIterator<Item = S>,
        message: impl Into<Data>,
    ) -> Vec<(Sid, TrySendError)> {
        self.0.broadcast_to(sids, message)
    }

    /// Sends a message to one session, if there is room for it now.
    ///
    /// # Errors
    /// Gives the message back: see [`TrySendError`]; a session that does not exist is [`TrySendError::Closed`].
    pub fn try_send(&self, sid: &Sid, message: impl Into<Data>) -> Result<(), TrySendError> {
        self.0.try_send(sid, message)
    }

    /// Ends one session in order. Does nothing where it does not exist.
    pub fn disconnect(&self, sid: &Sid) {
        self.0.disconnect(sid);
    }

    /// Ends all sessions in order. The server goes on, and clients can come back at once.
    pub fn disconnect_all(&self) {
        self.0.disconnect_all();
    }

    /// Ends the server in order, as the async [`Handle::shutdown`](generic::Handle::shutdown) does, and waits for that. Not
    /// to be called on the server's own threads: a handler that waits for its own end waits until `patience` is over.
    pub fn shutdown(&self, patience: Duration) {
        block_on(self.0.shutdown(patience));
    }

    /// Ends the server at once, without a word to anybody: connections are cut.
    pub fn abort(&self) {
        block_on(self.0.abort());
    }
}
