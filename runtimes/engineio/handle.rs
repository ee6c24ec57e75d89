//! A server from outside: who is there, and when it ends.

use core::borrow::Borrow;
use core::future::poll_fn;
use core::net::IpAddr;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use super::socket::{self, Sender};
use super::{SendError, Stats, TrySendError};
use crate::engineio::state::Phase;
use crate::engineio::{Data, Packet, Session, Sid, Transport};
use crate::error::{Error, Result};
use crate::runtime::app::App;
use crate::time::Instant;
use crate::wire::{Cell, Hub};

/// A server from outside: cheap to clone, and to keep anywhere.
#[derive(Clone, Debug)]
pub struct Handle {
    hub: Arc<Hub<App>>,
    control: Arc<Control>,
}

/// What can be told about a session without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id: a secret between this client and the server.
    pub sid: Sid,
    /// What carries its messages at the moment.
    pub transport: Transport,
    /// The address that has opened it, where it is known: [`Request::client`](crate::http::Request::client).
    pub client: Option<IpAddr>,
    /// How long ago it was asked for.
    pub age: Duration,
}

impl SessionInfo {
    fn of(cell: &Cell<App>) -> Self {
        let (sid, transport) = cell.look(|session| (session.sid().clone(), session.transport()));
        Self {
            sid,
            transport,
            client: cell.client(),
            age: cell.age(),
        }
    }
}

/// What the handles want, for the server to see.
#[derive(Debug, Default)]
pub(super) struct Control {
    state: Mutex<ControlState>,
}

#[derive(Debug, Default)]
struct ControlState {
    /// The server is to end, at the latest at this time.
    deadline: Option<Instant>,
    /// It has ended.
    ended: bool,
    server: Option<Waker>,
    waiting: Vec<Waker>,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, ControlState> {
        // Nothing that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server asks whether it is to end.
    pub(super) fn poll_deadline(&self, cx: &mut Context<'_>) -> Option<Instant> {
        let mut state = self.lock();
        if !state.server.as_ref().is_some_and(|server| server.will_wake(cx.waker())) {
            state.server = Some(cx.waker().clone());
        }
        state.deadline
    }

    /// The server is to end, at this time at the latest.
    pub(super) fn end_by(&self, deadline: Instant) {
        let server = {
            let mut state = self.lock();
            state.deadline = Some(state.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
            state.server.take()
        };
        if let Some(server) = server {
            server.wake();
        }
    }

    /// The server has ended.
    pub(super) fn end(&self) {
        let waiting = {
            let mut state = self.lock();
            state.ended = true;
            core::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Handle {
    pub(super) fn new(hub: Arc<Hub<App>>, control: Arc<Control>) -> Self {
        Self { hub, control }
    }

    /// Ends the server at once, and waits for nothing.
    #[cfg(feature = "tower")]
    pub(in crate::runtime) fn cut(&self) {
        self.control.end_by(self.hub.now());
    }

    /// What time it is on the server's clock.
    pub(crate) fn now(&self) -> Instant {
        self.hub.now()
    }

    /// Counts.
    pub fn stats(&self) -> Stats {
        self.hub.stats()
    }

    /// The ids of all sessions, in the order in which they were opened.
    pub fn sessions(&self) -> Vec<Sid> {
        let cells = self.hub.sessions();
        cells
            .iter()
            .map(|cell| cell.look(|session| session.sid().clone()))
            .collect()
    }

    /// What can be told about each session, in the order in which they were opened; those included that the application has
    /// not accepted yet.
    pub fn session_infos(&self) -> Vec<SessionInfo> {
        self.hub.sessions().iter().map(|cell| SessionInfo::of(cell)).collect()
    }

    /// What can be told about one session; `None` where it does not exist.
    pub fn session_info(&self, sid: &Sid) -> Option<SessionInfo> {
        self.hub.session(sid.as_str()).map(|cell| SessionInfo::of(&cell))
    }

    /// What carries a session's messages at the moment; `None` where it does not exist.
    pub fn transport(&self, sid: &Sid) -> Option<Transport> {
        let cell = self.hub.session(sid.as_str())?;
        Some(cell.look(Session::transport))
    }

    /// One session with its data, for whoever knows its id. `D` is what the connect handler returns; with another type, and
    /// where the session does not exist, is not accepted yet, or its handlers have ended, it is `None`.
    ///
    /// Data that changes stands behind a lock of its own, which lives as long as the session's handlers do:
    ///
    #[cfg_attr(feature = "tokio", doc = "```no_run")]
    #[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
    /// use std::sync::Mutex;
    ///
    /// use sansocket::engineio::Sid;
    /// use sansocket::tokio::engineio::{Handle, Server};
    ///
    /// #[derive(Clone, Default)]
    /// struct Profile {
    ///     name: String,
    ///     visits: u32,
    /// }
    ///
    /// fn rename(handle: &Handle, sid: &Sid, name: &str) -> Option<Profile> {
    ///     let socket = handle.socket::<Mutex<Profile>>(sid)?;
    ///     let mut profile = socket.data().lock().expect("nobody panics under this lock");
    ///     profile.name = name.to_string(); // changed in its place…
    ///     let copy = profile.clone(); // … taken …
    ///     *profile = Profile { visits: copy.visits + 1, ..copy.clone() }; // … or replaced
    ///     Some(copy)
    /// }
    ///
    /// # async fn serve() -> sansocket::Result<()> {
    /// let server = Server::builder()
    ///     .on_connect(|_request| async { Ok(Mutex::new(Profile::default())) })
    ///     .bind("127.0.0.1:3000")
    ///     .await?;
    /// let handle = server.handle();
    /// # let _ = (handle, rename);
    /// # Ok(())
    /// # }
    /// ```
    pub fn socket<D: Send + Sync + 'static>(&self, sid: &Sid) -> Option<Sender<D>> {
        Sender::find(self.hub.session(sid.as_str())?, sid)
    }

    /// Sends a message to one session, waiting for room in its queue: as [`Sender::send`].
    ///
    /// # Errors
    /// Gives the message back: see [`SendError`]; a session that does not exist is [`SendError::Closed`].
    pub async fn send(&self, sid: &Sid, message: impl Into<Data>) -> Result<(), SendError> {
        let message = message.into();
        match self.hub.session(sid.as_str()) {
            Some(cell) => socket::send(&cell, message).await,
            None => Err(SendError::Closed(message)),
        }
    }

    /// Sends a message to one session, if there is room for it now.
    ///
    /// # Errors
    /// Gives the message back: see [`TrySendError`]; a session that does not exist is [`TrySendError::Closed`].
    pub fn try_send(&self, sid: &Sid, message: impl Into<Data>) -> Result<(), TrySendError> {
        let message = message.into();
        match self.hub.session(sid.as_str()) {
            Some(cell) => cell.with(|session| session.send(message)),
            None => Err(TrySendError::Closed(message)),
        }
    }

    /// Sends a packet that is the application's to send: a message, as [`send`](Self::send); a noop, which means nothing to
    /// the client and passes through what lies in between, where a poll waits or there is a WebSocket; a close packet, as
    /// [`disconnect`](Self::disconnect). Noop and close do nothing where the session does not exist.
    ///
    /// # Errors
    /// [`Error::Unusable`] for all other packets: the session sends those itself, each when it is due, and one more of them
    /// would be a breach of the protocol. [`Error::Send`] as of [`send`](Self::send).
    pub async fn send_packet(&self, sid: &Sid, packet: Packet) -> Result<()> {
        match packet {
            Packet::Message(message) => self.send(sid, message).await?,
            Packet::Noop => {
                if let Some(cell) = self.hub.session(sid.as_str()) {
                    cell.with(Session::send_noop);
                }
            }
            Packet::Close => self.disconnect(sid),
            Packet::Open(_) | Packet::Ping(_) | Packet::Pong(_) | Packet::Upgrade => {
                return Err(Error::Unusable {
                    what: "packet",
                    why: "the session sends packets of this type itself",
                });
            }
        }
        Ok(())
    }

    /// Sends a message to every session that is open, and waits for nobody.
    ///
    /// It is made once, and all of them share its bytes: what a [`Data::from_json`] holds is encoded once, and a queue has no
    /// copy of its own. What is written is each session's: when its turn comes, the bytes go into a WebSocket's frame or a
    /// polling body, where binary ones are base64.
    ///
    /// Gives back whom it was not sent to, and why: as a rule because a client does not keep up and its queue is full. Whether
    /// such a client can do without it, only the application knows; one that can not should be
    /// [disconnected](Self::disconnect), so that it knows that it has missed something.
    pub fn broadcast(&self, message: impl Into<Data>) -> Vec<(Sid, TrySendError)> {
        let message = message.into();
        let cells = self.hub.sessions();
        let missed = cells.iter().filter_map(|cell| {
            cell.with(|session| match session.phase() {
                Phase::Open => missed_by(session.sid().clone(), session.send(message.clone())),
                Phase::Accepting | Phase::Closing | Phase::Closed => None,
            })
        });
        missed.collect()
    }

    /// The same for some sessions: those of a room of the application's own, or [those](Self::session_infos) that answer a
    /// question. One that does not exist is among those it was not sent to, as [`TrySendError::Closed`].
    ///
    /// ```no_run
    /// # use sansocket::engineio::Transport;
    /// # fn tell(handle: &sansocket::runtime::engineio::Handle) {
    /// let on_websocket = handle.session_infos().into_iter().filter(|info| info.transport == Transport::WebSocket);
    /// for (sid, why) in handle.broadcast_to(on_websocket.map(|info| info.sid), "hello") {
    ///     println!("one session has not got it: {why}");
    ///     handle.disconnect(&sid);
    /// }
    /// # }
    /// ```
    pub fn broadcast_to<S: Borrow<Sid>>(
        &self,
        sids: impl IntoIterator<Item = S>,
        message: impl Into<Data>,
    ) -> Vec<(Sid, TrySendError)> {
        let message = message.into();
        let missed = sids.into_iter().filter_map(|sid| {
            let sid = sid.borrow();
            missed_by(sid.clone(), self.try_send(sid, message.clone()))
        });
        missed.collect()
    }

    /// Ends one session in order; one that is not accepted yet is refused. Does nothing where it does not exist.
    pub fn disconnect(&self, sid: &Sid) {
        if let Some(cell) = self.hub.session(sid.as_str()) {
            let now = cell.now();
            cell.with(|session| session.close(now));
        }
    }

    /// Ends all sessions that there are at the moment in order; those that are not accepted yet are refused. The server goes
    /// on, and clients can come back at once.
    pub fn disconnect_all(&self) {
        for cell in self.hub.sessions() {
            let now = cell.now();
            cell.with(|session| session.close(now));
        }
    }

    /// Ends the server in order: no new session is opened, those there are get what is queued for them and are closed,
    /// their handlers run to their end. What is not over after `patience` is cut off. Ready when the server has ended.
    ///
    /// Clients of sessions that are being closed can still connect, to fetch the rest.
    pub async fn shutdown(&self, patience: Duration) {
        self.control.end_by(self.hub.now() + patience);
        self.ended().await;
    }

    /// Ready when the server has ended, whoever has ended it.
    pub async fn ended(&self) {
        poll_fn(|cx| {
            let mut state = self.control.lock();
            if state.ended {
                return Poll::Ready(());
            }
            if !state.waiting.iter().any(|waiting| waiting.will_wake(cx.waker())) {
                state.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Ends the server at once, without a word to anybody: connections are cut, handlers dropped.
    pub async fn abort(&self) {
        self.shutdown(Duration::ZERO).await;
    }
}

fn missed_by(sid: Sid, sent: Result<(), TrySendError>) -> Option<(Sid, TrySendError)> {
    sent.err().map(|error| (sid, error))
}
