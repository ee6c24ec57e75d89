//! One client, as the application sees it.

use core::fmt;
use core::future::poll_fn;
use core::ops::Deref;
use core::task::{Context, Poll};
use std::sync::Arc;

use serde_core::Serialize;

use super::{SendError, TryRecvError, TrySendError};
use crate::engineio::{Closed, Data, Event, Session, Sid, Transport};
use crate::runtime::app::App;
use crate::wire::Cell;

/// How many messages are handed out in a row before others get a turn. One polling body of tiny packets holds half a
/// million: a handler that never waits would keep its thread for all of them, and would not be seen to end at a shutdown.
const IN_A_ROW: u32 = 1024;

/// One client, for whoever receives its messages. Everything else is on [`Sender`], to which it dereferences.
///
/// Dropping it closes the session in order: what is queued goes out first. Messages that come after that are dropped.
pub struct Socket<D = ()> {
    sender: Sender<D>,
    /// Messages that were handed out since the application last had to wait.
    in_a_row: u32,
}

/// One client, for whoever sends to it: a cheap clone of what [`Socket`] holds, for other tasks.
///
/// `D` is the session's data: what the connect handler returned.
pub struct Sender<D = ()> {
    cell: Arc<Cell<App>>,
    sid: Sid,
    data: Arc<D>,
}

impl<D> Clone for Sender<D> {
    fn clone(&self) -> Self {
        Self {
            cell: self.cell.clone(),
            sid: self.sid.clone(),
            data: self.data.clone(),
        }
    }
}

impl<D> fmt::Debug for Sender<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("sid", &self.sid).finish_non_exhaustive()
    }
}

impl<D> fmt::Debug for Socket<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("sid", &self.sid).finish_non_exhaustive()
    }
}

impl<D> Deref for Socket<D> {
    type Target = Sender<D>;

    fn deref(&self) -> &Sender<D> {
        &self.sender
    }
}

impl<D: Send + Sync + 'static> Sender<D> {
    /// That of a session which was given to the application, if its data is of this type.
    pub(super) fn find(cell: Arc<Cell<App>>, sid: &Sid) -> Option<Self> {
        let data = cell.extra.data()?;
        let sid = sid.clone();
        Some(Self { cell, sid, data })
    }
}

impl<D> Socket<D> {
    pub(super) fn new(cell: Arc<Cell<App>>, data: Arc<D>) -> Self {
        let sid = cell.look(|session| session.sid().clone());
        Self {
            sender: Sender { cell, sid, data },
            in_a_row: 0,
        }
    }

    /// The next message; `None` when the session is over and everything that came was taken. [`Sender::closed`] says why.
    ///
    /// Cancel-safe: a message is taken when the future is ready, and not before. While nobody calls this, at most
    /// [`Config::receive_window`](crate::engineio::Config::receive_window) bytes pile up before the client is made to
    /// wait.
    pub async fn recv(&mut self) -> Option<Data> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next message, for futures written by hand: see [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Data>> {
        if self.in_a_row == IN_A_ROW {
            self.in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            let Poll::Ready(event) = self.sender.cell.poll_event(cx) else {
                self.in_a_row = 0;
                return Poll::Pending;
            };
            match event {
                Some(Event::Message(data)) => {
                    self.in_a_row += 1;
                    return Poll::Ready(Some(data));
                }
                // Senders are woken by the cell; the transport can be asked for.
                Some(Event::Writable | Event::Upgraded) => {}
                Some(Event::Closed(_)) | None => return Poll::Ready(None),
            }
        }
    }

    /// The next message, if it is there already. Waits for nothing, so call [`recv`](Self::recv) where there is nothing else
    /// to do.
    ///
    /// # Errors
    /// See [`TryRecvError`]; it turns into [`Error`](crate::Error) with `?`.
    pub fn try_recv(&mut self) -> Result<Data, TryRecvError> {
        loop {
            let look = |session: &mut Session| (session.poll_event(), session.closed().is_some());
            match self.sender.cell.with(look) {
                (Some(Event::Message(data)), _) => return Ok(data),
                // Something that is no message: see above.
                (Some(_), _) => {}
                (None, true) => return Err(TryRecvError::Closed),
                (None, false) => return Err(TryRecvError::Empty),
            }
        }
    }

    /// A clone for other tasks. Sending does not keep the session open: it closes when the `Socket` is dropped.
    pub fn sender(&self) -> Sender<D> {
        self.sender.clone()
    }
}

impl<D> Socket<D> {
    /// Nobody will take any more messages.
    pub(super) fn give_up(&self) {
        let now = self.cell.now();
        self.cell.with(|session| {
            session.discard_input();
            session.close(now);
        });
    }
}

impl<D> Drop for Socket<D> {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl<D> Sender<D> {
    /// For what is built on sessions.
    pub(crate) fn cell(&self) -> &Arc<Cell<App>> {
        &self.cell
    }

    /// Sends a message, waiting for room in the session's queue. Text from `&str` and `String`, binary from `Vec<u8>`,
    /// `&[u8]` and [`Bytes`](bytes::Bytes).
    ///
    /// `Ok` means queued: it will be sent in order and at most once. [`closed`](Self::closed) counts what did not arrive,
    /// or may not have. A future that is dropped before it is ready has sent nothing.
    ///
    /// Over polling, the protocol separates packets by the character U+001E and knows no escape for it: text with that
    /// character in it arrives in pieces, and what stands behind it is taken for packets of the server's own. So never
    /// pass on such text from one client to another; send it as binary. (JSON never holds it: it writes `\u001e`.)
    ///
    /// # Errors
    /// Gives the message back: see [`SendError`].
    pub async fn send(&self, message: impl Into<Data>) -> Result<(), SendError> {
        send(&self.cell, message.into()).await
    }

    /// Sends a value as a text message that holds its JSON, as [`send`](Self::send) does: for clients that know no types.
    /// [`Data::json`] is the other way; [`Data::from_json`] makes the message alone, for the other ways to send.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode): the value has no JSON form. [`Error::Send`](crate::Error::Send) gives the
    /// message back.
    pub async fn send_json<T: Serialize + ?Sized>(&self, value: &T) -> crate::Result<()> {
        // Encoded at once: what waits need not be shared between threads.
        let message = Data::from_json(value);
        Ok(self.send(message?).await?)
    }

    /// Sends a message if there is room for it now.
    ///
    /// # Errors
    /// Gives the message back: see [`TrySendError`].
    pub fn try_send(&self, message: impl Into<Data>) -> Result<(), TrySendError> {
        let message = message.into();
        self.cell.with(|session| session.send(message))
    }

    /// Ends the session in order: what is queued goes out, then a close packet. Does not wait for it.
    pub fn close(&self) {
        let now = self.cell.now();
        self.cell.with(|session| session.close(now));
    }

    /// Ends the session at once. What is queued is not sent.
    pub fn abort(&self) {
        let now = self.cell.now();
        self.cell.with(|session| session.abort(now));
    }

    /// The session's data: what the connect handler returned.
    pub fn data(&self) -> &D {
        &self.data
    }

    /// The session's id: a secret between this client and the server. Do not show it to anybody else.
    pub fn sid(&self) -> &Sid {
        &self.sid
    }

    /// What carries the session's messages at the moment.
    pub fn transport(&self) -> Transport {
        self.cell.look(|session| session.transport())
    }

    /// The end, once it has come: why, and what it leaves open. `None` while the session lives or is still closing.
    pub fn closed(&self) -> Option<Closed> {
        self.cell.look(|session| session.closed())
    }

    /// Once the session is over: the messages that were never handed to a transport, in order. Gives each of them once.
    pub fn take_unsent(&self) -> std::vec::Vec<Data> {
        self.cell.with(|session| session.take_unsent().collect())
    }
}

/// Queues a message, once there is room.
pub(super) async fn send(cell: &Cell<App>, message: Data) -> Result<(), SendError> {
    let mut message = Some(message);
    let mut waiting = Waiting { cell, place: None };
    match poll_fn(|cx| cell.poll_send(cx, &mut message, &mut waiting.place)).await {
        Ok(()) => Ok(()),
        Err(TrySendError::TooLarge(data)) => Err(SendError::TooLarge(data)),
        Err(error) => Err(SendError::Closed(error.into_data())),
    }
}

/// The place of a sender that waits for room. It is free again when the sender does not wait any more.
struct Waiting<'a> {
    cell: &'a Cell<App>,
    place: Option<u64>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.cell.give_up_sending(place);
        }
    }
}
