//! The application's handlers, and how they are called: started in the order of what happened, run concurrently.

use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::String;
use std::sync::Arc;

use super::shared::{Shared, bytes_of};
use super::{ClientEvent, ClientSocket, ConnectFailed, DisconnectReason};
use crate::error::Result;
use crate::runtime::Runtime;
use crate::runtime::app::{BoxFuture, contained};
use crate::runtime::log::{Line, Scope, handler_failed, log};
use crate::socketio::{AckToken, Args, EmitError, Json};

/// What an event's handler answers; `None` where it has failed, which it has said in the log.
pub(super) type Answer = BoxFuture<Option<Args>>;

pub(super) type OnEvent = Arc<dyn Fn(ClientSocket, Args) -> Answer + Send + Sync>;
pub(super) type OnAny = Arc<dyn Fn(ClientSocket, String, Args) -> BoxFuture<Result<()>> + Send + Sync>;
pub(super) type OnConnect = Arc<dyn Fn(ClientSocket) -> BoxFuture<Result<()>> + Send + Sync>;
pub(super) type OnDisconnect = Arc<dyn Fn(ClientSocket, DisconnectReason) -> BoxFuture<Result<()>> + Send + Sync>;
pub(super) type OnConnectError = Arc<dyn Fn(ConnectFailed) -> BoxFuture<Result<()>> + Send + Sync>;
pub(super) type OnAuth = Arc<dyn Fn() -> BoxFuture<Option<Json>> + Send + Sync>;

#[derive(Default)]
pub(super) struct Handlers {
    /// By event, then by namespace; without one for all of them.
    pub(super) events: BTreeMap<String, BTreeMap<Option<String>, OnEvent>>,
    pub(super) any: Option<OnAny>,
    pub(super) connect: Option<OnConnect>,
    pub(super) disconnect: Option<OnDisconnect>,
    pub(super) unsent: Option<OnAny>,
    pub(super) connect_error: Option<OnConnectError>,
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handlers")
    }
}

/// Starts a task of the application's: up to where it first waits at once, so that what comes later starts later.
/// While it runs, it counts as holding so many bytes.
pub(super) fn start<R: Runtime>(
    runtime: &R,
    shared: &Arc<Shared>,
    bytes: usize,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let mut task = Box::pin(contained(task));
    // Whoever polls it next is told of anything that this waker was.
    let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    if polled.is_pending() {
        let running = Shared::begin_running(shared, bytes);
        let scope = Scope::current();
        runtime.spawn(scope.around(async move {
            let _running = running;
            let _panicked = task.await;
        }));
    }
}

/// Calls a handler whose result says no more than whether it has failed.
fn call<R: Runtime>(
    runtime: &R,
    shared: &Arc<Shared>,
    bytes: usize,
    handler: impl FnOnce() -> BoxFuture<Result<()>> + Send + 'static,
) {
    start(runtime, shared, bytes, async move {
        if let Err(error) = handler().await {
            handler_failed("a handler", &error);
        }
    });
}

impl Handlers {
    fn of(&self, name: &str, namespace: &str) -> Option<OnEvent> {
        let handlers = self.events.get(name)?;
        let own = handlers.iter().find(|(of, _)| of.as_deref() == Some(namespace));
        own.map(|(_, handler)| handler).or_else(|| handlers.get(&None)).cloned()
    }

    /// Calls who wants to know of this.
    pub(super) fn tell<R: Runtime>(&self, runtime: &R, shared: &Arc<Shared>, event: ClientEvent) {
        match event {
            ClientEvent::Event {
                socket,
                name,
                args,
                ack,
            } => self.tell_event(runtime, socket, name, args, ack),
            ClientEvent::Connect { socket, .. } => {
                if let Some(handler) = self.connect.clone() {
                    call(runtime, shared, 0, move || handler(socket));
                }
            }
            ClientEvent::Disconnect { socket, reason } => {
                if let Some(handler) = self.disconnect.clone() {
                    call(runtime, shared, 0, move || handler(socket, reason));
                }
            }
            ClientEvent::Ack {
                socket,
                id,
                result: Err(error),
            } => log!(
                warn,
                "socketio::client",
                "the event {id} to {:?} has no acknowledgement: {error}",
                socket.namespace()
            ),
            ClientEvent::Unsent { socket, name, args, .. } if self.unsent.is_some() => {
                if let Some(handler) = self.unsent.clone() {
                    call(runtime, shared, bytes_of(&args), move || handler(socket, name, args));
                }
            }
            ClientEvent::Unsent {
                socket,
                name,
                too_large,
                ..
            } => {
                let why = if too_large {
                    "it is larger than the server takes"
                } else {
                    "the connection or its socket ended"
                };
                log!(
                    warn,
                    "socketio::client",
                    "{name:?} to {:?} was not sent: {why}",
                    socket.namespace()
                );
            }
            _ => {}
        }
    }

    /// Calls who wants to know that there is no connection, or no way into a namespace.
    pub(super) fn tell_failure<R: Runtime>(&self, runtime: &R, shared: &Arc<Shared>, failure: ConnectFailed) {
        if let Some(handler) = self.connect_error.clone() {
            call(runtime, shared, 0, move || handler(failure));
        }
    }

    fn tell_event<R: Runtime>(
        &self,
        runtime: &R,
        socket: ClientSocket,
        name: String,
        args: Args,
        ack: Option<AckToken>,
    ) {
        let shared = &socket.shared().clone();
        let bytes = bytes_of(&args);
        if let Some(any) = self.any.clone() {
            let (socket, name, args) = (socket.clone(), name.clone(), args.clone());
            call(runtime, shared, bytes, move || any(socket, name, args));
        }
        let Some(handler) = self.of(&name, socket.namespace()) else {
            return;
        };
        start(runtime, shared, bytes, async move {
            let shared = socket.shared().clone();
            let Some(answer) = handler(socket, args).await else {
                return;
            };
            let Some(token) = ack else {
                return;
            };
            match shared.acknowledge(token, answer).await {
                Ok(()) | Err(EmitError::Disconnected(_)) => {}
                Err(error) => log!(warn, "socketio::client", error = %Line(error), "{name:?} was not acknowledged"),
            }
        });
    }
}

/// Asks for what to show, containing what may go wrong in that.
pub(super) async fn ask(auth: OnAuth) -> Option<Json> {
    let asked = pin!(contained(async move { auth().await }));
    asked.await.ok().flatten()
}
