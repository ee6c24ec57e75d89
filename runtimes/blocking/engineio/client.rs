//! The client on threads.

use core::ops::Deref;
use core::time::Duration;
use std::boxed::Box;
use std::io;
use std::os::fd::OwnedFd;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use serde_core::Serialize;

use super::{Backoff, ClientEvent, SendError, TryRecvError, TrySendError, wait_for};
use crate::engineio::{Closed, Data, Sid, Transport};
use crate::error::Result;
use crate::runtime::DialTarget;
use crate::runtime::app::BoxFuture;
use crate::runtime::blocking::socket::dialing;
use crate::runtime::blocking::{Threads, block_on};
use crate::runtime::engineio as generic;
use crate::runtime::engineio::{ClientHandlers, Outcome};

/// A client, for whoever receives its messages. Everything else is on [`ClientSender`], to which it dereferences.
///
/// A thread of its own does the work. Dropping it closes the session in order: what is queued goes out first, without
/// anybody waiting for it.
#[derive(Debug)]
#[must_use = "a client that is dropped closes its session"]
pub struct Client {
    client: generic::Client<Threads>,
    sender: ClientSender,
    threads: Threads,
}

/// A client, for whoever sends: a cheap clone of what [`Client`] holds, for other threads.
#[derive(Clone, Debug)]
pub struct ClientSender(generic::ClientSender);

impl Deref for Client {
    type Target = ClientSender;

    fn deref(&self) -> &ClientSender {
        &self.sender
    }
}

/// The messages, until the last session is over.
impl Iterator for Client {
    type Item = Data;

    fn next(&mut self) -> Option<Data> {
        self.recv()
    }
}

impl Client {
    /// Connects with the default options: polling first, then a WebSocket.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`].
    pub fn connect(url: &str) -> Result<Self> {
        Self::builder(url).connect()
    }

    /// The options of a client of this server.
    pub fn builder(url: &str) -> ClientBuilder {
        let threads = Threads::new();
        ClientBuilder {
            builder: generic::Client::builder_on(threads.clone(), url),
            threads,
        }
    }

    fn new(client: generic::Client<Threads>, threads: Threads) -> Self {
        let sender = ClientSender(client.sender());
        Self {
            client,
            sender,
            threads,
        }
    }

    /// The next message; `None` when the last session is over and everything that came was taken. Waits as long as it
    /// takes.
    pub fn recv(&mut self) -> Option<Data> {
        block_on(self.client.recv())
    }

    /// The next message, as [`recv`](Self::recv), but waits no longer than this; the outer `None` is that time.
    #[allow(clippy::option_option, reason = "the two say different things")]
    pub fn recv_timeout(&mut self, patience: Duration) -> Option<Option<Data>> {
        wait_for(self.client.recv(), patience)
    }

    /// The next message, if it is there already. Waits for nothing.
    ///
    /// # Errors
    /// See [`TryRecvError`]; it turns into [`Error`](crate::Error) with `?`.
    pub fn try_recv(&mut self) -> Result<Data, TryRecvError> {
        self.client.try_recv()
    }

    /// The next thing that happens, messages included; `None` after the last one.
    pub fn event(&mut self) -> Option<ClientEvent> {
        block_on(self.client.event())
    }

    /// A clone for other threads. Sending does not keep the session open: it closes when the `Client` is dropped.
    pub fn sender(&self) -> ClientSender {
        self.sender.clone()
    }

    /// Ends the session in order, and waits until it and its threads have ended: as the async
    /// [`Client::close`](generic::Client::close).
    ///
    /// # Errors
    /// [`Error::Unsent`](crate::Error::Unsent) where not everything was handed to a transport.
    pub fn close(&mut self) -> Result<()> {
        let closed = block_on(self.client.close());
        self.threads.join();
        closed
    }

    /// Messages that will not be sent: as the async [`Client::take_unsent`](generic::ClientSender::take_unsent).
    pub fn take_unsent(&mut self) -> Vec<Data> {
        self.client.take_unsent()
    }
}

impl ClientSender {
    /// Sends a message, waiting for room in the queue: as the async [`ClientSender::send`](generic::ClientSender::send).
    ///
    /// # Errors
    /// Gives the message back: see [`SendError`].
    pub fn send(&self, message: impl Into<Data>) -> Result<(), SendError> {
        block_on(self.0.send(message))
    }

    /// Sends a value as a text message that holds its JSON: as the async
    /// [`ClientSender::send_json`](generic::ClientSender::send_json).
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode): the value has no JSON form. [`Error::Send`](crate::Error::Send) gives the
    /// message back.
    pub fn send_json<T: Serialize + ?Sized>(&self, value: &T) -> Result<()> {
        block_on(self.0.send_json(value))
    }

    /// Sends a message if there is room for it now.
    ///
    /// # Errors
    /// Gives the message back: see [`TrySendError`].
    pub fn try_send(&self, message: impl Into<Data>) -> Result<(), TrySendError> {
        self.0.try_send(message)
    }

    /// Ends the session in order: what is queued goes out, then a close packet. Does not wait for it. There will be no
    /// further session.
    pub fn begin_close(&self) {
        self.0.begin_close();
    }

    /// Ends the session at once. What is queued is not sent. There will be no further session.
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Waits until the last session is over, and says how it was.
    pub fn wait(&self) -> Closed {
        block_on(self.0.wait())
    }

    /// The end of the last session, once it has come.
    pub fn closed(&self) -> Option<Closed> {
        self.0.closed()
    }

    /// The session's id, while there is one: a secret between this client and the server.
    pub fn sid(&self) -> Option<Sid> {
        self.0.sid()
    }

    /// What carries the session's messages at the moment, or what is tried while connecting.
    pub fn transport(&self) -> Transport {
        self.0.transport()
    }

    /// Which of the [offered protocols](ClientBuilder::websocket_protocols) the server has chosen for the session's WebSocket;
    /// `None` while the session polls, and where it has chosen none.
    pub fn websocket_protocol(&self) -> Option<String> {
        self.0.websocket_protocol()
    }

    /// The largest message or polling body that the server takes, where it has said so.
    pub fn max_payload(&self) -> Option<usize> {
        self.0.max_payload()
    }

    /// Once the last session is over: the messages that were never handed to a transport, in order.
    pub fn take_unsent(&self) -> Vec<Data> {
        self.0.take_unsent()
    }
}

/// The options of a client, and its handlers in the event style. Handlers may block: they have threads of their own.
#[derive(Debug)]
#[must_use = "options do nothing until they connect"]
pub struct ClientBuilder<H = ()> {
    builder: generic::ClientBuilder<Threads, H>,
    threads: Threads,
}

impl ClientBuilder {
    /// Connects, and waits until the session is open; with reconnection, until the last attempt has failed.
    ///
    /// # Errors
    /// As the async [`ClientBuilder::connect`](generic::ClientBuilder::connect).
    pub fn connect(self) -> Result<Client> {
        let client = block_on(self.builder.connect())?;
        Ok(Client::new(client, self.threads))
    }

    /// Begins to connect. How it goes is told by [`Client::event`]; messages can be sent at once, and wait.
    ///
    /// # Errors
    /// [`Error::Unusable`](crate::Error::Unusable): an option that can not be used.
    pub fn start(self) -> Result<Client> {
        let client = self.builder.start()?;
        Ok(Client::new(client, self.threads))
    }
}

impl<H: Into<ClientHandlers>> ClientBuilder<H> {
    /// Calls this handler with each message, one at a time, in order.
    pub fn on_message<F, O>(self, message: F) -> ClientBuilder<ClientHandlers>
    where
        F: Fn(ClientSender, Data) -> O + Send + Sync + 'static,
        O: Outcome + 'static,
    {
        ClientBuilder {
            builder: self.builder.on_message(handler(&self.threads, message)),
            threads: self.threads,
        }
    }

    /// Calls this handler when a session is open; with reconnection, each time.
    pub fn on_connect<F, O>(self, connect: F) -> ClientBuilder<ClientHandlers>
    where
        F: Fn(ClientSender) -> O + Send + Sync + 'static,
        O: Outcome + 'static,
    {
        let connect = handler(&self.threads, move |sender, ()| connect(sender));
        ClientBuilder {
            builder: self.builder.on_connect(move |sender| connect(sender, ())),
            threads: self.threads,
        }
    }

    /// Calls this handler when a session that was open is over, after its last message; with reconnection, each time.
    pub fn on_disconnect<F, O>(self, disconnect: F) -> ClientBuilder<ClientHandlers>
    where
        F: Fn(ClientSender, Closed) -> O + Send + Sync + 'static,
        O: Outcome + 'static,
    {
        ClientBuilder {
            builder: self.builder.on_disconnect(handler(&self.threads, disconnect)),
            threads: self.threads,
        }
    }
}

impl ClientBuilder<ClientHandlers> {
    /// Connects, and waits until the session is open; with reconnection, until the last attempt has failed. The handlers
    /// run one at a time, until the last session is over or the client is told to close.
    ///
    /// # Errors
    /// As the async [`ClientBuilder::connect`](generic::ClientBuilder::connect).
    pub fn connect(self) -> Result<ClientSender> {
        block_on(self.builder.connect()).map(ClientSender)
    }
}

/// The async form of a handler that may block.
fn handler<T, F, O>(
    threads: &Threads,
    handler: F,
) -> impl Fn(generic::ClientSender, T) -> BoxFuture<Result<()>> + Send + Sync + use<T, F, O>
where
    T: Send + 'static,
    F: Fn(ClientSender, T) -> O + Send + Sync + 'static,
    O: Outcome + 'static,
{
    let (handler, threads) = (Arc::new(handler), threads.clone());
    move |sender, what| {
        let (handler, threads) = (handler.clone(), threads.clone());
        Box::pin(async move {
            threads
                .offload_patiently(move || handler(ClientSender(sender), what).into_result())
                .await
        })
    }
}

/// Options that are those of the async client.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*);)*) => {
        $(
            $(#[$doc])*
            ///
            #[doc = concat!("As [`ClientBuilder::", stringify!($name), "`](generic::ClientBuilder::", stringify!($name), ").")]
            pub fn $name(mut self, $($argument: $type),*) -> Self {
                self.builder = self.builder.$name($($argument),*);
                self
            }
        )*
    };
}

impl<H> ClientBuilder<H> {
    /// Whom to trust, and what certificate to show, where the URL says `https` or `wss`.
    ///
    /// As [`ClientBuilder::tls`](generic::ClientBuilder::tls).
    #[cfg(feature = "tls")]
    pub fn tls(mut self, connector: crate::wire::tls::Connector) -> Self {
        self.builder = self.builder.tls(connector);
        self
    }

    /// Makes the client's streams by this function: TCP or Unix sockets that are connected, with options of your own, from a
    /// certain address, through a SOCKS proxy. It is called for each stream, on a thread of its own, so it may block. TLS, a
    /// given proxy and HTTP are spoken over what it makes. The environment's proxies are not asked.
    ///
    /// It should have a time limit of its own: when the client's own is over, as in the async
    /// [`ClientBuilder::dial_with`](generic::ClientBuilder::dial_with), nobody waits for it any more, but nobody can
    /// interrupt it either.
    pub fn dial_with<F, S>(mut self, dial: F) -> Self
    where
        F: Fn(DialTarget) -> io::Result<S> + Send + Sync + 'static,
        S: Into<OwnedFd> + 'static,
    {
        self.builder = self.builder.dial_with(dialing(&self.threads, dial));
        self
    }

    options! {
        /// What a session may be opened on, in the order in which it is tried.
        transports(transports: &[Transport]);
        /// Whether a session that polls is moved to a WebSocket.
        allow_upgrades(allow: bool);
        /// The endpoint's path, whatever the URL says.
        path(path: impl Into<String>);
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
        /// The largest WebSocket message that is taken, where that is not `max_payload`.
        max_websocket_message(bytes: usize);
        /// Goes through this HTTP proxy.
        proxy(url: impl Into<String>);
        /// Goes through no proxy, whatever the environment says.
        no_proxy();
        /// Begins a new session where one broke or could not be opened.
        reconnect(backoff: Backoff);
        /// How long it may take until the session is open.
        connect_timeout(timeout: Duration);
        /// How long the way from polling to a WebSocket may take.
        upgrade_timeout(timeout: Duration);
        /// How long the server may take to answer a POST.
        request_timeout(timeout: Duration);
        /// How long a session that is closing may do nothing.
        close_timeout(timeout: Duration);
        /// The largest polling body and WebSocket message that is taken.
        max_payload(bytes: usize);
        /// How much may be queued towards the server.
        max_queue(bytes: usize);
        /// All limits and times.
        config(config: crate::engineio::client::Config);
        /// Where random bytes come from.
        entropy(fill: impl FnMut(&mut [u8]) + Send + 'static);
    }
}
