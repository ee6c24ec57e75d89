//! Engine.IO on plain threads: what applications hold. Nothing here is async.

mod client;
mod fallback;
mod server;
mod socket;

pub use crate::runtime::engineio::{
    Backoff, ClientEvent, ClientHandlers, ConnectError, ErrorKind, Events, SendError, SessionInfo, Stats, TryRecvError,
    TrySendError,
};
pub use client::{Client, ClientBuilder, ClientSender};
pub use fallback::Fallback;
pub use server::{Builder, Handle, Server};
pub use socket::{Sender, Socket};

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use super::{Threads, block_on};
use crate::runtime::Runtime as _;

/// Waits for a future, but no longer than this.
fn wait_for<T>(future: impl Future<Output = T>, patience: Duration) -> Option<T> {
    let threads = Threads::new();
    let mut sleep = threads.sleep_until(threads.now() + patience);
    let mut future = pin!(future);
    block_on(poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        // Where the time is over already, and only others were given a turn: what is there is taken all the same.
        match core::pin::Pin::new(&mut sleep).poll(cx) {
            Poll::Ready(()) => Poll::Ready(match future.as_mut().poll(cx) {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            }),
            Poll::Pending => Poll::Pending,
        }
    }))
}
