//! A namespace: its handlers, and who is in it.

use core::future::Future;
use core::ops::Deref;
use core::time::Duration;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use serde_core::de::DeserializeOwned;

use super::{Broadcast, Socket};
use crate::engineio::Str;
use crate::error::Result;
use crate::runtime::blocking::{Threads, block_on};
use crate::runtime::engineio::Outcome;
use crate::runtime::socketio as generic;
use crate::runtime::socketio::{Ack, DisconnectReason, Passage, Refused, Reply};
use crate::socketio::{Args, FromArgs, IntoArgs};

type BoxError = std::boxed::Box<dyn core::error::Error + Send + Sync>;

/// A client that wants to join a namespace, for the connect handler to say yes or no to. A cheap clone.
#[derive(Clone, Debug)]
pub struct ConnectRequest(generic::ConnectRequest);

impl Deref for ConnectRequest {
    type Target = generic::ConnectRequest;

    fn deref(&self) -> &generic::ConnectRequest {
        &self.0
    }
}

impl ConnectRequest {
    /// Emits an event which the client gets once it is accepted, before all others; never, where it is refused.
    ///
    /// # Errors
    /// As those of [`Socket::emit`].
    pub fn emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<()> {
        block_on(self.0.emit(event, args))
    }
}

/// A namespace: its handlers, which may block, and everybody who is in it. A cheap clone.
///
/// `D` is what its connect handler returns for each client, and its handlers find in [`Socket::data`]. A panic in a handler
/// ends that client's connection and nothing else.
#[derive(Clone, Debug)]
pub struct Namespace<D = ()> {
    namespace: generic::Namespace<D>,
    threads: Threads,
}

impl Namespace {
    /// Asks this handler about each client that wants to join. `Ok` is the socket's data, `Err` what the client is told
    /// instead. The handlers that are set on what this returns are given that data.
    ///
    /// It may block: the client waits meanwhile. A panic in it refuses the client.
    pub fn on_connect<D, F>(&self, connect: F) -> Namespace<D>
    where
        D: Send + Sync + 'static,
        F: Fn(ConnectRequest) -> Result<D, Refused> + Send + Sync + 'static,
    {
        let (connect, threads) = (Arc::new(connect), self.threads.clone());
        let namespace = self.namespace.on_connect(move |request| {
            let (connect, threads) = (connect.clone(), threads.clone());
            async move {
                let decided = threads.offload(move || connect(ConnectRequest(request))).await;
                decided.unwrap_or_else(|_no_thread| Err(Refused::new("the server is overloaded")))
            }
        });
        Namespace::new(namespace, self.threads.clone())
    }
}

impl<D: Send + Sync + 'static> Namespace<D> {
    pub(super) fn new(namespace: generic::Namespace<D>, threads: Threads) -> Self {
        Self { namespace, threads }
    }

    /// The same namespace, for whoever knows its data's type.
    pub fn with_data<T: Send + Sync + 'static>(&self) -> Namespace<T> {
        Namespace::new(self.namespace.with_data(), self.threads.clone())
    }

    /// Its name, with the slash.
    pub fn name(&self) -> &str {
        self.namespace.name()
    }

    /// Asks this function too about each client that wants to join: all of them in the order in which they were added, then
    /// the connect handler. The first to refuse is the last that is asked. It may block; a panic in it refuses the client.
    pub fn middleware<F>(&self, middleware: F) -> &Self
    where
        F: Fn(ConnectRequest) -> Result<(), Refused> + Send + Sync + 'static,
    {
        let (middleware, threads) = (Arc::new(middleware), self.threads.clone());
        self.namespace.middleware(move |request| {
            let (middleware, threads) = (middleware.clone(), threads.clone());
            async move {
                let decided = threads.offload(move || middleware(ConnectRequest(request))).await;
                decided.unwrap_or_else(|_no_thread| Err(Refused::new("the server is overloaded")))
            }
        });
        self
    }

    /// Asks this function about each event, before its handler is called, and with what it says: see [`Passage`] and the
    /// async [`Namespace::intercept`](generic::Namespace::intercept). It may block.
    pub fn intercept<P, F>(&self, interceptor: F) -> &Self
    where
        F: Fn(Socket<D>, String, Args) -> P + Send + Sync + 'static,
        P: Passage + 'static,
    {
        let interceptor = threaded(&self.threads, move |(socket, name, args): (_, _, Args)| {
            interceptor(Socket(socket), name, args.clone()).into_passage(args)
        });
        self.namespace
            .intercept(move |socket, name, args| interceptor((socket, name, args)));
        self
    }

    /// Shows this function every event that is sent to a client: see the async
    /// [`Namespace::on_any_outgoing`](generic::Namespace::on_any_outgoing). It must not block.
    pub fn on_any_outgoing<F>(&self, shows: F) -> &Self
    where
        F: Fn(&Socket<D>, &str, &Args) + Send + Sync + 'static,
    {
        self.namespace
            .on_any_outgoing(move |socket, name, args| shows(&Socket(socket.clone()), name, args));
        self
    }

    /// Calls this handler with each event of this name, and answers with what it returns. It replaces the one before.
    ///
    /// The arguments are what the closure says that they are; see the async [`Namespace::on`](generic::Namespace::on).
    pub fn on<A, R, F>(&self, event: &str, handler: F) -> &Self
    where
        F: Fn(Socket<D>, A) -> R + Send + Sync + 'static,
        R: Reply + 'static,
        A: FromArgs + Send + 'static,
    {
        let handler = threaded(&self.threads, move |(socket, args)| {
            handler(Socket(socket), args).into_reply()
        });
        self.namespace.on(event, move |socket, args: A| {
            let handling = handler((socket, args));
            async move { handling.await.map(Ack) }
        });
        self
    }

    /// Shows this handler every event, before the event's own handler is called. It acknowledges nothing.
    pub fn on_any<O, F>(&self, handler: F) -> &Self
    where
        F: Fn(Socket<D>, String, Args) -> O + Send + Sync + 'static,
        O: Outcome + 'static,
    {
        let handler = threaded(&self.threads, move |(socket, name, args)| {
            Ok(handler(Socket(socket), name, args).into_result()?)
        });
        self.namespace
            .on_any(move |socket, name, args| handler((socket, name, args)));
        self
    }

    /// Calls this handler with each event that has none of its own, and answers with what it returns.
    pub fn on_other<R, F>(&self, handler: F) -> &Self
    where
        F: Fn(Socket<D>, String, Args) -> R + Send + Sync + 'static,
        R: Reply + 'static,
    {
        let handler = threaded(&self.threads, move |(socket, name, args)| {
            handler(Socket(socket), name, args).into_reply()
        });
        self.namespace.on_other(move |socket, name, args| {
            let handling = handler((socket, name, args));
            async move { handling.await.map(Ack) }
        });
        self
    }

    /// Calls this handler with each socket that was accepted, before its first event.
    pub fn on_connected<O, F>(&self, handler: F) -> &Self
    where
        F: Fn(Socket<D>) -> O + Send + Sync + 'static,
        O: Outcome + 'static,
    {
        let handler = threaded(&self.threads, move |socket| Ok(handler(Socket(socket)).into_result()?));
        self.namespace.on_connected(handler);
        self
    }

    /// Calls this handler when a socket that was accepted is gone: once, and after its last event. Its rooms are still
    /// known.
    pub fn on_disconnect<O, F>(&self, handler: F) -> &Self
    where
        F: Fn(Socket<D>, DisconnectReason) -> O + Send + Sync + 'static,
        O: Outcome + 'static,
    {
        let handler = threaded(&self.threads, move |(socket, reason)| {
            Ok(handler(Socket(socket), reason).into_result()?)
        });
        self.namespace
            .on_disconnect(move |socket, reason| handler((socket, reason)));
        self
    }

    /// Everybody in it.
    pub fn all(&self) -> Broadcast<D> {
        Broadcast(self.namespace.all())
    }

    /// Whoever is in a room.
    pub fn to(&self, room: impl AsRef<str>) -> Broadcast<D> {
        self.all().to(room)
    }

    /// The same: for what is done with all of them, such as [`join`](Broadcast::join).
    pub fn in_room(&self, room: impl AsRef<str>) -> Broadcast<D> {
        self.to(room)
    }

    /// Everybody in it, on this server, where there are all of them at present.
    pub fn local(&self) -> Broadcast<D> {
        self.all().local()
    }

    /// Everybody in it whose transport takes an event at once.
    pub fn volatile(&self) -> Broadcast<D> {
        self.all().volatile()
    }

    /// Everybody leaves a room, but for a socket whose id it is. Says how many did.
    pub fn close_room(&self, room: impl AsRef<str>) -> usize {
        self.namespace.close_room(room)
    }

    /// Everybody who is not in a room.
    pub fn except(&self, room: impl AsRef<str>) -> Broadcast<D> {
        self.all().except(room)
    }

    /// Emits an event to everybody in it: see [`Broadcast::emit`].
    ///
    /// # Errors
    /// As there.
    pub fn emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<()> {
        self.all().emit(event, args)
    }

    /// Emits an event to everybody in it and waits for all acknowledgements: see [`Broadcast::call_all`].
    ///
    /// # Errors
    /// As there.
    pub fn call_all<T: DeserializeOwned>(
        &self,
        timeout: Duration,
        event: &str,
        args: &(impl IntoArgs + ?Sized),
    ) -> Result<Vec<(Socket<D>, Result<T>)>> {
        self.all().call_all(timeout, event, args)
    }

    /// Everybody in it, in the order in which they came.
    pub fn sockets(&self) -> Vec<Socket<D>> {
        self.all().sockets()
    }

    /// The socket of this id.
    pub fn socket(&self, id: &str) -> Option<Socket<D>> {
        self.namespace.socket(id).map(Socket)
    }

    /// How many sockets are in it.
    pub fn len(&self) -> usize {
        self.namespace.len()
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.namespace.is_empty()
    }

    /// The names of all rooms that somebody is in, those of the sockets' ids included.
    pub fn rooms(&self) -> Vec<Str> {
        self.namespace.rooms()
    }
}

/// The async form of a handler that may block.
fn threaded<I, O, F>(
    threads: &Threads,
    handler: F,
) -> impl Fn(I) -> core::pin::Pin<std::boxed::Box<dyn Future<Output = Result<O, BoxError>> + Send>>
+ Send
+ Sync
+ use<I, O, F>
where
    I: Send + 'static,
    O: Send + 'static,
    F: Fn(I) -> Result<O, BoxError> + Send + Sync + 'static,
{
    let (handler, threads) = (Arc::new(handler), threads.clone());
    move |input| {
        let (handler, threads) = (handler.clone(), threads.clone());
        std::boxed::Box::pin(async move { threads.offload(move || handler(input)).await? })
    }
}
