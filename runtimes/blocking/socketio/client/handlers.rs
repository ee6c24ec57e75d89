//! The application's handlers, which may block, and the thread that calls them.

use core::fmt;
use core::time::Duration;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString};

use super::ClientSocket;
use crate::error::Result;
use crate::runtime::blocking::block_on;
use crate::runtime::log::{Line, handler_failed, log, words_of};
use crate::runtime::socketio::client as generic;
use crate::socketio::{AckToken, Args, EmitError};
use generic::{ClientEvent, ConnectFailed, DisconnectReason};

type Answer = Option<Args>;

/// `None` where it has failed, which it has said in the log.
pub(super) type OnEvent = Box<dyn Fn(ClientSocket, Args) -> Answer + Send>;
pub(super) type OnAny = Box<dyn Fn(ClientSocket, String, Args) -> Result<()> + Send>;
pub(super) type OnConnect = Box<dyn Fn(ClientSocket) -> Result<()> + Send>;
pub(super) type OnDisconnect = Box<dyn Fn(ClientSocket, DisconnectReason) -> Result<()> + Send>;
pub(super) type OnConnectError = Box<dyn Fn(ConnectFailed) -> Result<()> + Send>;

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

/// Calls handlers, one after the other, until the last thing has happened.
pub(super) struct Calling {
    handlers: Handlers,
    connect_timeout: Duration,
    /// Whether any socket was let in on the present connection.
    joined: bool,
}

impl Calling {
    pub(super) fn new(handlers: Handlers, connect_timeout: Duration) -> Self {
        Self {
            handlers,
            connect_timeout,
            joined: false,
        }
    }

    pub(super) fn run(mut self, mut events: generic::ClientEvents) {
        while let Some(event) = block_on(events.next()) {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: ClientEvent) {
        let handlers = &self.handlers;
        match event {
            ClientEvent::Opened { .. } => self.joined = false,
            ClientEvent::Event {
                socket,
                name,
                args,
                ack,
            } => self.tell_event(&socket, &name, args, ack),
            ClientEvent::Connect { socket, .. } => {
                self.joined = true;
                call(handlers.connect.as_ref(), |handler| handler(ClientSocket(socket)));
            }
            ClientEvent::Disconnect { socket, reason } => {
                call(handlers.disconnect.as_ref(), |handler| {
                    handler(ClientSocket(socket), reason)
                });
            }
            ClientEvent::ConnectError { refused, .. } => self.tell_failure(refused.into()),
            ClientEvent::ConnectTimeout { socket } => {
                let namespace = socket.namespace().to_string();
                self.tell_failure(ConnectFailed::TimedOut(namespace, self.connect_timeout));
            }
            ClientEvent::Failed(error) => self.tell_failure(error.into()),
            ClientEvent::Closed { error: Some(error), .. } if !self.joined => self.tell_failure(error.into()),
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
            ClientEvent::Unsent { socket, name, args, .. } => match &handlers.unsent {
                Some(_) => call(handlers.unsent.as_ref(), |handler| {
                    handler(ClientSocket(socket), name, args)
                }),
                None => log!(
                    warn,
                    "socketio::client",
                    "{name:?} to {:?} was not sent",
                    socket.namespace()
                ),
            },
            _ => {}
        }
    }

    fn tell_failure(&self, failure: ConnectFailed) {
        call(self.handlers.connect_error.as_ref(), |handler| handler(failure));
    }

    fn tell_event(&self, socket: &generic::ClientSocket, name: &str, args: Args, ack: Option<AckToken>) {
        call(self.handlers.any.as_ref(), |handler| {
            handler(ClientSocket(socket.clone()), name.to_string(), args.clone())
        });
        let Some(handlers) = self.handlers.events.get(name) else {
            return;
        };
        let own = handlers
            .iter()
            .find(|(of, _)| of.as_deref() == Some(socket.namespace()));
        let Some(handler) = own.map(|(_, handler)| handler).or_else(|| handlers.get(&None)) else {
            return;
        };
        let answer = contained(|| handler(ClientSocket(socket.clone()), args)).flatten();
        let (Some(answer), Some(token)) = (answer, ack) else {
            return;
        };
        match block_on(socket.ack(token, answer)) {
            Ok(()) | Err(EmitError::Disconnected(_)) => {}
            Err(error) => log!(warn, "socketio::client", error = %Line(error), "{name:?} was not acknowledged"),
        }
    }
}

/// Calls a handler whose result says no more than whether it has failed.
fn call<H>(handler: Option<&H>, call: impl FnOnce(&H) -> Result<()>) {
    let Some(handler) = handler else {
        return;
    };
    if let Some(Err(error)) = contained(|| call(handler)) {
        handler_failed("a handler", &error);
    }
}

/// Runs the application's code. A panic in it is the end of that call, and of nothing else.
fn contained<T>(run: impl FnOnce() -> T) -> Option<T> {
    // What it leaves behind is the application's own, which knows what it does.
    let result = catch_unwind(AssertUnwindSafe(run));
    match result {
        Ok(result) => Some(result),
        Err(panic) => {
            log!(error, "handlers", panic = %words_of(&*panic), "a handler has panicked");
            None
        }
    }
}
