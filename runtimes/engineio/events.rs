//! The event style: calls the handlers of one client.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::boxed::Box;
use std::vec::Vec;

use super::server::report;
use super::socket::{Sender, Socket};
use crate::engineio::{CloseReason, Data};
use crate::error::Result;
use crate::runtime::app::{BoxFuture, Panicked, caught, contained, drop_contained};

/// A handler, without its types.
type Handler<D, T> = Box<dyn Fn(Sender<D>, T) -> BoxFuture<Result<()>> + Send + Sync>;

/// What a handler came to.
type Handled = Result<Result<()>, Panicked>;

/// The handlers of the event style: see [`Builder::on_message`](super::Builder::on_message).
pub struct Events<D> {
    pub(super) connected: Option<Handler<D, ()>>,
    pub(super) message: Option<Handler<D, Data>>,
    pub(super) disconnect: Option<Handler<D, CloseReason>>,
    /// How many message handlers of one client run at once; one at least.
    pub(super) concurrency: usize,
}

/// None yet.
impl<D> From<()> for Events<D> {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl<D> Default for Events<D> {
    fn default() -> Self {
        Self {
            connected: None,
            message: None,
            disconnect: None,
            concurrency: 1,
        }
    }
}

impl<D> fmt::Debug for Events<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl<D: Send + Sync + 'static> Events<D> {
    /// Tells the handlers of one client, from its beginning to its end.
    pub(super) async fn run(&self, socket: Socket<D>) {
        if let Some(connected) = &self.connected {
            let sender = socket.sender();
            let handled = contained(async move { connected(sender, ()).await }).await;
            end(&socket, "connected", handled);
        }
        let mut attendant = Attendant {
            handlers: self,
            socket,
            running: Vec::new(),
            ended: false,
        };
        poll_fn(|cx| attendant.poll(cx)).await;
        let socket = &attendant.socket;
        if let Some(disconnect) = &self.disconnect {
            let reason = socket
                .closed()
                .map_or(CloseReason::ServerDisconnect, |closed| closed.reason);
            let handled = disconnect(socket.sender(), reason).await;
            report(socket.cell(), "disconnect", handled);
        }
    }
}

/// One client, while messages may come.
struct Attendant<'a, D> {
    handlers: &'a Events<D>,
    socket: Socket<D>,
    running: Vec<BoxFuture<Result<()>>>,
    /// The session is over, and every message was taken.
    ended: bool,
}

impl<D: Send + Sync + 'static> Attendant<'_, D> {
    /// Ready when the session is over, and with it all handlers of its messages.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut at = 0;
        while at < self.running.len() {
            match poll_handling(&mut self.running[at], cx) {
                Poll::Pending => at += 1,
                Poll::Ready(handled) => {
                    let over = self.running.remove(at);
                    self.end(over, handled);
                }
            }
        }
        // While as many run as may, no message is taken: then the client has to wait.
        while !self.ended && self.running.len() < self.handlers.concurrency {
            match self.socket.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(data)) => self.start(data, cx),
                Poll::Ready(None) => self.ended = true,
            }
        }
        if self.ended && self.running.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Starts the handler of a message. Most are over when they are polled for the first time.
    fn start(&mut self, data: Data, cx: &mut Context<'_>) {
        let Some(message) = &self.handlers.message else { return };
        let sender = self.socket.sender();
        match caught(|| message(sender, data)) {
            Ok(mut handling) => match poll_handling(&mut handling, cx) {
                Poll::Pending => self.running.push(handling),
                Poll::Ready(handled) => self.end(handling, handled),
            },
            Err(panicked) => end(&self.socket, "message", Err(panicked)),
        }
    }

    fn end(&self, over: BoxFuture<Result<()>>, handled: Handled) {
        let socket = &self.socket;
        // Its destructors are the application's too, and end none of the others.
        drop_contained(over, || socket.cell().count_panic());
        end(socket, "message", handled);
    }
}

/// Where it is cut off.
impl<D> Drop for Attendant<'_, D> {
    fn drop(&mut self) {
        for handling in self.running.drain(..) {
            drop_contained(handling, || self.socket.cell().count_panic());
        }
    }
}

fn poll_handling(handling: &mut BoxFuture<Result<()>>, cx: &mut Context<'_>) -> Poll<Handled> {
    match caught(|| handling.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    }
}

/// A handler has come to its end.
fn end<D>(socket: &Socket<D>, which: &str, handled: Handled) {
    match handled {
        Ok(handled) => report(socket.cell(), which, handled),
        Err(Panicked) => {
            socket.cell().count_panic();
            // The disconnect handler is told all the same, once it is over.
            socket.give_up();
        }
    }
}
