//! The options of a client, and its handlers.

use core::time::Duration;
use std::boxed::Box;
use std::io;
use std::os::fd::OwnedFd;
use std::string::{String, ToString};
use std::sync::Arc;

use serde_core::Serialize;

use super::handlers::{Calling, Handlers, OnEvent};
use super::{Client, ClientSocket, SimpleClient};
use crate::Backoff;
use crate::engineio::Transport;
use crate::runtime::DialTarget;
use crate::runtime::blocking::socket::dialing;
use crate::runtime::blocking::{Threads, block_on};
use crate::runtime::engineio as engine;
use crate::runtime::engineio::Outcome;
use crate::runtime::log::{Line, handler_failed, log};
use crate::runtime::socketio::Reply;
use crate::runtime::socketio::client as generic;
use crate::socketio::{Args, FromArgs, Parser, namespace_name};
use generic::{Config, ConnectFailed, DisconnectReason, WhenFull};

/// The options of a client, and its handlers.
///
/// Sizes are bytes. Handlers may block: they have a thread of their own, which calls them one after the other, in the order
/// of what happened. Acknowledgements are taken in beside them, so a handler may wait for one; what else comes meanwhile is
/// kept up to some 4 MB, and then the server is made to wait. Handlers of events hold for all namespaces of the client,
/// unless they were set [for one](Self::on_in). A panic in one ends that call and nothing else.
#[derive(Debug)]
#[must_use = "options do nothing until they connect"]
pub struct ClientBuilder {
    builder: generic::ClientBuilder<Threads>,
    threads: Threads,
    handlers: Option<Handlers>,
    connect_timeout: Duration,
}

impl ClientBuilder {
    pub(super) fn new(url: &str) -> Self {
        let threads = Threads::new();
        Self {
            builder: generic::Client::builder_on(threads.clone(), url),
            threads,
            handlers: None,
            // The async client's.
            connect_timeout: Duration::from_secs(20),
        }
    }

    // ---- connecting ----

    /// Connects, and waits until the sockets of all namespaces were let in.
    ///
    /// # Errors
    /// As the async [`ClientBuilder::connect`](generic::ClientBuilder::connect).
    pub fn connect(self) -> Result<Client, ConnectFailed> {
        let client = self.start()?;
        block_on(client.client.joined())?;
        Ok(client)
    }

    /// Connects as [`connect`](Self::connect) does, a client that is asked for events. Handlers are not called.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_simple(self) -> Result<SimpleClient, ConnectFailed> {
        let client = block_on(self.builder.connect_simple())?;
        Ok(SimpleClient::new(client, self.threads))
    }

    /// Begins to connect. What is emitted meanwhile waits.
    ///
    /// # Errors
    /// [`ConnectFailed::Unusable`]: an option that can not be used, or the system has no more threads.
    pub fn start(self) -> Result<Client, ConnectFailed> {
        let Some(handlers) = self.handlers else {
            // Without them, nothing that comes is kept for anybody.
            return Ok(Client::new(self.builder.start()?, self.threads));
        };
        let (client, events) = self.builder.start_with_events()?;
        let calling = Calling::new(handlers, self.connect_timeout);
        let scope = events.scope();
        let started = self.threads.begin(move || scope.run(|| calling.run(events)));
        started.map_err(|error| ConnectFailed::Unusable {
            what: "thread for handlers",
            why: error.to_string(),
        })?;
        Ok(Client::new(client, self.threads))
    }

    // ---- handlers ----

    fn handlers(&mut self) -> &mut Handlers {
        self.handlers.get_or_insert_default()
    }

    /// Calls this handler with each event of this name; its arguments are typed by the closure, a tuple for several. What
    /// it returns is the acknowledgement, where one is wanted: see [`Reply`]. An event with other arguments goes to the
    /// log, and is not acknowledged.
    pub fn on<A, P, F>(self, event: &str, handler: F) -> Self
    where
        F: Fn(ClientSocket, A) -> P + Send + 'static,
        P: Reply,
        A: FromArgs,
    {
        self.handle(None, event, handler)
    }

    /// The same for one namespace: before a handler for all of them.
    pub fn on_in<A, P, F>(self, namespace: &str, event: &str, handler: F) -> Self
    where
        F: Fn(ClientSocket, A) -> P + Send + 'static,
        P: Reply,
        A: FromArgs,
    {
        let namespace = namespace_name(namespace).map_or_else(|_| namespace.into(), |name| name.to_string());
        self.handle(Some(namespace), event, handler)
    }

    fn handle<A, P, F>(mut self, namespace: Option<String>, event: &str, handler: F) -> Self
    where
        F: Fn(ClientSocket, A) -> P + Send + 'static,
        P: Reply,
        A: FromArgs,
    {
        let name = event.to_string();
        let on: OnEvent = Box::new(move |socket, args: Args| {
            let typed = match args.parse::<A>() {
                Ok(typed) => typed,
                Err(error) => {
                    log!(
                        warn,
                        "handlers",
                        error = %Line(error),
                        "{name:?} came with other arguments than its handler takes"
                    );
                    return None;
                }
            };
            match handler(socket, typed).into_reply() {
                Ok(args) => Some(args),
                Err(error) => {
                    handler_failed(&std::format!("the handler of {name:?}"), &*error);
                    None
                }
            }
        });
        let handlers = self.handlers().events.entry(event.to_string()).or_default();
        handlers.insert(namespace, on);
        self
    }

    /// Calls this handler with every event, before the event's own.
    pub fn on_any<F, O>(mut self, handler: F) -> Self
    where
        F: Fn(ClientSocket, String, Args) -> O + Send + 'static,
        O: Outcome,
    {
        self.handlers().any = Some(Box::new(move |socket, name, args| {
            handler(socket, name, args).into_result()
        }));
        self
    }

    /// Calls this handler when a socket was let in; with reconnection, each time.
    pub fn on_connect<F, O>(mut self, handler: F) -> Self
    where
        F: Fn(ClientSocket) -> O + Send + 'static,
        O: Outcome,
    {
        self.handlers().connect = Some(Box::new(move |socket| handler(socket).into_result()));
        self
    }

    /// Calls this handler when a socket that was let in is not there any more; with reconnection, each time.
    pub fn on_disconnect<F, O>(mut self, handler: F) -> Self
    where
        F: Fn(ClientSocket, DisconnectReason) -> O + Send + 'static,
        O: Outcome,
    {
        self.handlers().disconnect = Some(Box::new(move |socket, reason| handler(socket, reason).into_result()));
        self
    }

    /// Gives this handler each event that will not be sent after all: as the async
    /// [`ClientBuilder::on_unsent`](generic::ClientBuilder::on_unsent).
    pub fn on_unsent<F, O>(mut self, handler: F) -> Self
    where
        F: Fn(ClientSocket, String, Args) -> O + Send + 'static,
        O: Outcome,
    {
        self.handlers().unsent = Some(Box::new(move |socket, name, args| {
            handler(socket, name, args).into_result()
        }));
        self
    }

    /// Calls this handler when an attempt to connect has failed, or a socket was not let in. A server that refuses a socket
    /// is not asked again: as in JavaScript, that takes a new one.
    pub fn on_connect_error<F, O>(mut self, handler: F) -> Self
    where
        F: Fn(ConnectFailed) -> O + Send + 'static,
        O: Outcome,
    {
        self.handlers().connect_error = Some(Box::new(move |failure| handler(failure).into_result()));
        self
    }

    // ---- options ----

    /// What is shown to be let into each namespace: a value whose JSON is an object. Another one is refused when the client
    /// is to connect.
    pub fn auth<T: Serialize + ?Sized>(mut self, auth: &T) -> Self {
        self.builder = self.builder.auth(auth);
        self
    }

    /// The same, asked for anew with each connection and namespace, on a thread of its own: it may block. While it does,
    /// the CONNECT waits, within [`connect_timeout`](Self::connect_timeout).
    pub fn auth_with<T, F>(mut self, auth: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Serialize + Send + 'static,
    {
        let (auth, threads) = (Arc::new(auth), self.threads.clone());
        self.builder = self.builder.auth_with(move || {
            let (auth, threads) = (auth.clone(), threads.clone());
            async move { threads.offload_patiently(move || auth()).await }
        });
        self
    }

    /// How long one attempt may take: all transports, and the server's answers to the CONNECTs. 20 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self.builder = self.builder.connect_timeout(timeout);
        self
    }

    /// Sets any other option of the Engine.IO client: as the async
    /// [`ClientBuilder::engine`](generic::ClientBuilder::engine).
    pub fn engine(
        mut self,
        set: impl FnOnce(engine::ClientBuilder<Threads>) -> engine::ClientBuilder<Threads>,
    ) -> Self {
        self.builder = self.builder.engine(set);
        self
    }

    /// Makes the client's streams by this function, which may block: as the
    /// [`ClientBuilder::dial_with`](crate::runtime::blocking::engineio::ClientBuilder::dial_with) of Engine.IO.
    pub fn dial_with<F, S>(mut self, dial: F) -> Self
    where
        F: Fn(DialTarget) -> io::Result<S> + Send + Sync + 'static,
        S: Into<OwnedFd> + 'static,
    {
        self.builder = self.builder.dial_with(dialing(&self.threads, dial));
        self
    }

    /// Whom to trust, and what certificate to show, where the URL says `https` or `wss`.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, connector: crate::wire::tls::Connector) -> Self {
        self.builder = self.builder.tls(connector);
        self
    }
}

/// Options that are those of the async client.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*);)*) => {
        impl ClientBuilder {
            $(
                $(#[$doc])*
                ///
                #[doc = concat!("As [`ClientBuilder::", stringify!($name), "`](generic::ClientBuilder::", stringify!($name), ").")]
                pub fn $name(mut self, $($argument: $type),*) -> Self {
                    self.builder = self.builder.$name($($argument),*);
                    self
                }
            )*
        }
    };
}

options! {
    /// A namespace to join, in place of the one that the URL's path names; called again, one more.
    namespace(namespace: impl Into<String>);
    /// Connects again where the connection broke or could not be made, the first one included.
    reconnect(backoff: Backoff);
    /// How long to wait for acknowledgements where nothing else is said. 60 s.
    ack_timeout(timeout: Duration);
    /// How often an event with retries is sent again. 3.
    retries(retries: u32);
    /// How many bytes may wait, for all namespaces together, while they are not connected. 4,000,000.
    max_offline(bytes: usize);
    /// What happens to an event that finds no room there. It is refused.
    when_full(when_full: WhenFull);
    /// How packets become messages: the server's must be the same.
    parser(parser: &'static dyn Parser);
    /// All limits of the sockets, in place of those that were set before.
    config(config: Config);
    /// The endpoint's path. `/socket.io/`.
    path(path: impl Into<String>);
    /// What a connection may be opened on, in the order in which it is tried. Polling, then WebSocket.
    transports(transports: &[Transport]);
    /// Whether a connection that polls is moved to a WebSocket, where the server offers it. It is.
    allow_upgrades(allow: bool);
    /// One more header in every request.
    header(name: impl Into<String>, value: impl Into<String>);
    /// One more parameter in the query of every request.
    query(name: impl Into<String>, value: impl Into<String>);
    /// Whether each polling GET has a parameter with a number that no other has, against caches. It has.
    timestamp_requests(stamp: bool);
    /// The name of that parameter, `t`.
    timestamp_param(name: impl Into<String>);
    /// One more header in requests for a WebSocket, and in no others.
    websocket_header(name: impl Into<String>, value: impl Into<String>);
    /// Protocols that are offered for what goes over the WebSocket, the best one first.
    websocket_protocols(names: impl IntoIterator<Item = impl Into<String>>);
    /// The largest WebSocket message that is taken from the server.
    max_websocket_message(bytes: usize);
    /// Goes through this HTTP proxy, whatever the environment says.
    proxy(url: impl Into<String>);
    /// Goes through no proxy, whatever the environment says.
    no_proxy();
}
