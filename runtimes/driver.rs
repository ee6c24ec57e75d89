//! The one async driver: it pumps bytes between a [`Stream`] and a [`Connection`], and knows nothing of either.

use core::future::Future;
use core::mem;
use core::net::{IpAddr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll};
use std::boxed::Box;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread_local;
use std::vec;
use std::vec::Vec;

use super::app::{App, BoxFuture, Runner, drop_contained};
use super::log::{Line, Scope, log, words_of};
use super::tasks::Tasks;
use super::{Runtime, Stream};
use crate::engineio::Refusal;
use crate::http::{FilePart, Request, Response};
use crate::time::Instant;
use crate::wire::{Cell, Connection, ConnectionEvent, Hub, UNNAMED_SITE};

/// How much is read at once. Per thread, not per connection.
const READ: usize = 64 * 1024;

/// How much is read at once by a thread that is one of thousands, until it has more to read.
#[cfg(all(feature = "blocking", unix))]
const READ_AT_FIRST: usize = 4 * 1024;

/// How much of a file is read at once.
const PIECE: usize = 64 * 1024;

/// After how many turns a connection lets others run.
const TURNS: usize = 32;

/// Of how many refused origins the log tells.
const REFUSED_ORIGINS: usize = 32;

/// Makes the future that runs the application's code for a new session.
pub(crate) type MakeApp = Box<dyn Fn(&Arc<Cell<App>>, Option<Request>) -> BoxFuture<()> + Send + Sync>;

/// Answers requests for other paths.
pub(crate) type Fallback = Box<dyn Fn(Request) -> BoxFuture<Response> + Send + Sync>;

/// What all tasks of a server share.
pub(crate) struct Shared<R> {
    pub(crate) runtime: R,
    pub(crate) hub: Arc<Hub<App>>,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) make_app: MakeApp,
    pub(crate) fallback: Option<Arc<Fallback>>,
    /// Origins that were refused, and that the log has shown.
    pub(crate) refused_origins: Mutex<Vec<Box<str>>>,
}

impl<R> Shared<R> {
    /// Tells the log of each origin once: whoever develops a page has to see why it can not connect, and nobody may fill
    /// the log.
    pub(crate) fn note_refused_origin(&self, origin: &str) {
        let mut seen = self.refused_origins.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = seen.len() < REFUSED_ORIGINS && !seen.iter().any(|seen| **seen == *origin);
        if is_new {
            seen.push(origin.into());
        }
        drop(seen);
        if is_new && origin == UNNAMED_SITE {
            log!(
                warn,
                "connection",
                accepted = %Line(self.hub.endpoint().cors().accepted()),
                "a page of another site was refused, which does not tell its origin: nobody can name it"
            );
        } else if is_new {
            log!(
                warn,
                "connection",
                origin = ?origin,
                accepted = %Line(self.hub.endpoint().cors().accepted()),
                "a page of {origin} was refused: it is of another origin than those that this server accepts. To let it in, \
                 name it: Builder::cors(Cors::origins([\"{origin}\"])), or --cors {origin}; behind a proxy, see TrustedProxies"
            );
        } else {
            log!(debug, "connection", origin = ?origin, "a page was refused");
        }
    }
}

/// Tells the log of a proxy behind which people share one place: else nobody would see why they are shut out.
pub(crate) fn note_suspected_proxy(address: IpAddr) {
    log!(
        warn,
        "connection",
        "a limit per address has refused somebody who comes from {address} with X-Forwarded-For: if that is a proxy of yours, all \
         who are behind it count as one. Name it: TrustedProxies::list([\"{address}\"]), or --trust-proxy {address}"
    );
}

impl<R: Runtime> Shared<R> {
    /// Runs the application's code for a new session, in a task of its own until a WebSocket's takes it.
    pub(crate) fn begin(&self, cell: Arc<Cell<App>>, request: Option<Request>, peer: Option<SocketAddr>) {
        begin_log(&cell, peer);
        cell.extra.set((self.make_app)(&cell, request));
        self.runtime.spawn(self.tasks.track(SessionTask(cell)));
    }
}

/// The session's lines in the log begin.
fn begin_log(cell: &Cell<App>, peer: Option<SocketAddr>) {
    cell.look(|session| cell.extra.log.begin(session.sid(), peer));
}

/// The buffers of a turn. They belong to the thread: an idle connection has none.
pub(crate) struct Scratch {
    pub(crate) input: Vec<u8>,
    output: Vec<u8>,
}

impl Scratch {
    /// So much was read at once: there may be more than the buffer holds.
    pub(crate) fn handle_read(&mut self, length: usize) {
        if length == self.input.len() && length < READ {
            self.input = vec![0; READ];
        }
    }
}

thread_local! {
    static SCRATCH: core::cell::Cell<Option<Box<Scratch>>> = const { core::cell::Cell::new(None) };
    /// How large this thread's input buffer is at first.
    static AT_FIRST: core::cell::Cell<usize> = const { core::cell::Cell::new(READ) };
}

/// This thread is one of thousands: its buffer is small until it has much to read.
#[cfg(all(feature = "blocking", unix))]
pub(crate) fn begin_small() {
    AT_FIRST.set(READ_AT_FIRST);
}

pub(crate) fn take_scratch() -> Box<Scratch> {
    SCRATCH.take().or_else(spare_scratch).unwrap_or_else(|| {
        Box::new(Scratch {
            input: vec![0; AT_FIRST.get()],
            output: Vec::new(),
        })
    })
}

/// Buffers of threads that sleep, for others.
#[cfg(all(feature = "blocking", unix))]
#[allow(clippy::vec_box, reason = "each goes into a thread's place as it is, by its pointer")]
static SPARE: std::sync::Mutex<Vec<Box<Scratch>>> = std::sync::Mutex::new(Vec::new());

/// How many buffers are kept for threads that wake.
#[cfg(all(feature = "blocking", unix))]
const SPARES: usize = 16;

/// The thread is going to sleep: where there are as many threads as connections, a buffer for each would be too much.
#[cfg(all(feature = "blocking", unix))]
pub(crate) fn park_scratch() {
    if let Some(scratch) = SCRATCH.take() {
        let mut spare = SPARE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if spare.len() < SPARES {
            spare.push(scratch);
        }
    }
}

#[cfg(all(feature = "blocking", unix))]
fn spare_scratch() -> Option<Box<Scratch>> {
    SPARE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop()
}

#[cfg(not(all(feature = "blocking", unix)))]
fn spare_scratch() -> Option<Box<Scratch>> {
    None
}

pub(crate) fn give_scratch_back(mut scratch: Box<Scratch>) {
    scratch.output.clear();
    // One large message must not be remembered for ever.
    scratch.output.shrink_to(4 * READ);
    SCRATCH.set(Some(scratch));
}

/// One connection's task. Its stream is one of the runtime's, or somebody else's.
pub(crate) struct ConnectionTask<R: Runtime, S = <R as Runtime>::Stream> {
    shared: Arc<Shared<R>>,
    stream: S,
    connection: Connection<App>,
    scope: Scope,
    /// The session did not want what the stream has: nobody waits for the stream, which must be read again when it does.
    deaf: bool,
    /// Output that the stream did not take.
    stuck: Vec<u8>,
    /// Our sending was ended.
    ended: bool,
    /// The peer's sending was ended.
    eof: bool,
    /// The connection was told of the shutdown.
    told: bool,
    fallback: Option<BoxFuture<Response>>,
    /// A body that is being sent.
    body: Option<Box<Body>>,
    /// The application's code that this task runs: once it carries the session, it runs it to its end, also when the
    /// connection is over before.
    app: Option<Arc<Cell<App>>>,
}

/// A body that is read piece by piece.
struct Body {
    part: FilePart,
    at: u64,
    reading: Option<BoxFuture<io::Result<Vec<u8>>>>,
}

impl Body {
    fn new(part: FilePart) -> Self {
        Self {
            part,
            at: 0,
            reading: None,
        }
    }

    fn poll_piece<R: Runtime>(&mut self, runtime: &R, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        let reading = self.reading.get_or_insert_with(|| {
            let (part, at, runtime) = (self.part.clone(), self.at, runtime.clone());
            Box::pin(async move { runtime.offload(move || part.read(at, PIECE)).await? })
        });
        let Poll::Ready(piece) = reading.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        self.reading = None;
        if let Ok(piece) = &piece {
            self.at += piece.len() as u64;
        }
        Poll::Ready(piece)
    }
}

/// What a turn came to.
enum Turn {
    /// Something happened: another one.
    Again,
    /// Nothing did: sleep.
    Idle,
    Over,
}

impl<R: Runtime, S: Stream> ConnectionTask<R, S> {
    pub(crate) fn new(shared: Arc<Shared<R>>, stream: S, connection: Connection<App>) -> Self {
        Self {
            shared,
            stream,
            scope: Scope::connection(connection.peer()),
            connection,
            deaf: false,
            stuck: Vec::new(),
            ended: false,
            eof: false,
            told: false,
            fallback: None,
            body: None,
            app: None,
        }
    }

    /// Has these bytes written before all others.
    #[cfg(feature = "tower")]
    pub(crate) fn with_first(mut self, bytes: Vec<u8>) -> Self {
        self.stuck = bytes;
        self
    }

    fn run(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<()> {
        self.connection.unpark();
        // Whatever has woken the task may have been for any part of it; later turns know what has happened.
        let mut woken = true;
        for _ in 0..TURNS {
            match self.turn(cx, scratch, woken) {
                Turn::Again => woken = false,
                Turn::Over => return Poll::Ready(()),
                Turn::Idle => {
                    if self.connection.park(self.stuck.len(), self.deaf, cx.waker()) {
                        return Poll::Pending;
                    }
                    woken = true;
                }
            }
        }
        // Others want to run too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once, runs the application's code on what came, writes once what it and the sessions want to say.
    fn turn(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch, woken: bool) -> Turn {
        let now = self.shared.hub.now();
        if woken && self.look_around(now, cx, scratch).is_err() {
            return self.fail();
        }
        let read = match self.read(now, cx, scratch) {
            Ok(read) => read,
            Err(_) => return self.fail(),
        };
        let mut asked = false;
        while let Some(event) = self.connection.poll_event() {
            self.handle_event(event);
            asked = true;
        }
        if !read && !woken && !asked && self.body.is_none() {
            return Turn::Idle;
        }
        self.run_app(cx);
        // The application may have taken its time.
        let now = self.shared.hub.now();
        self.run_fallback(now, cx, scratch);
        self.run_body(now, cx, scratch);
        let wrote = match self.write(now, cx, scratch) {
            Ok(wrote) => wrote,
            Err(_) => return self.fail(),
        };
        if self.connection.is_done() {
            return Turn::Over;
        }
        if read || wrote || self.connection.has_event() {
            Turn::Again
        } else {
            Turn::Idle
        }
    }

    /// What does not come with bytes: deadlines, a shutdown, an answer of the fallback's, room in the stream.
    fn look_around(&mut self, now: Instant, cx: &mut Context<'_>, scratch: &mut Scratch) -> io::Result<()> {
        if !self.told && self.shared.hub.is_closing() && self.shared.hub.is_empty() {
            self.told = true;
            self.connection.handle_shutdown(now);
        }
        let out = if self.stuck.is_empty() {
            &mut scratch.output
        } else {
            &mut self.stuck
        };
        self.connection.handle_timeout(now, out);
        if let Poll::Ready(Err(error)) = self.stream.poll_flush(cx) {
            return Err(error);
        }
        if self.stuck.is_empty() {
            return Ok(());
        }
        // What was stuck first; nothing new is taken from the sessions before it is out.
        let written = write(&mut self.stream, &self.stuck, cx)?;
        self.stuck.drain(..written);
        if self.stuck.is_empty() {
            self.stuck = Vec::new();
            self.connection.handle_written();
        } else {
            self.connection.handle_stuck(now, written > 0);
        }
        Ok(())
    }

    /// Reads once; whether something came.
    fn read(&mut self, now: Instant, cx: &mut Context<'_>, scratch: &mut Scratch) -> io::Result<bool> {
        self.deaf = !self.eof && !self.connection.wants_input(self.stuck.len());
        if self.eof || self.deaf {
            return Ok(false);
        }
        match self.stream.poll_read(cx, &mut scratch.input) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => {
                self.eof = true;
                self.connection.handle_end(now);
            }
            Poll::Ready(Ok(length)) => {
                let out = if self.stuck.is_empty() {
                    &mut scratch.output
                } else {
                    &mut self.stuck
                };
                self.connection.handle_input(now, &scratch.input[..length], out);
                scratch.handle_read(length);
            }
            Poll::Ready(Err(error)) => return Err(error),
        }
        Ok(true)
    }

    /// Writes what there is to say, as far as the stream takes it; whether there was anything.
    fn write(&mut self, now: Instant, cx: &mut Context<'_>, scratch: &mut Scratch) -> io::Result<bool> {
        if !self.stuck.is_empty() {
            return Ok(false);
        }
        let out = &mut scratch.output;
        let mut any = false;
        loop {
            self.connection.poll_transmit(now, out);
            if out.is_empty() {
                break;
            }
            // A server that is cut off says no goodbyes. What was collected may be one only where this is seen already.
            if self.shared.tasks.is_aborted() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            any = true;
            let written = write(&mut self.stream, out, cx)?;
            if written == out.len() {
                self.connection.handle_written();
            } else {
                self.stuck = out[written..].to_vec();
                self.connection.handle_stuck(now, true);
            }
            out.clear();
            // Requests that were sent before the answer to the one in front of them come now.
            if !self.stuck.is_empty() || !self.connection.has_backlog() {
                break;
            }
        }
        if self.connection.wants_end() && self.stuck.is_empty() && !self.ended {
            match self.stream.poll_close(cx) {
                Poll::Ready(Ok(())) => self.ended = true,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {}
            }
        }
        Ok(any)
    }

    fn fail(&mut self) -> Turn {
        let now = self.shared.hub.now();
        self.connection.handle_failure(now);
        #[cfg(feature = "tls")]
        if let Some(event @ ConnectionEvent::TlsFailed { .. }) = self.connection.poll_event() {
            self.handle_event(event);
        }
        Turn::Over
    }

    fn handle_event(&mut self, event: ConnectionEvent<App>) {
        match event {
            ConnectionEvent::Opened { cell, request, carried } => {
                if carried {
                    begin_log(&cell, Some(self.connection.peer()));
                    cell.extra.set((self.shared.make_app)(&cell, request));
                    self.app = Some(cell);
                } else {
                    self.shared.begin(cell, request, Some(self.connection.peer()));
                }
            }
            ConnectionEvent::OriginRefused { origin } => self.shared.note_refused_origin(&origin),
            ConnectionEvent::ProxySuspected { address } => note_suspected_proxy(address),
            #[cfg(feature = "tls")]
            ConnectionEvent::TlsFailed { error, in_handshake } => {
                let (peer, error) = (self.connection.peer(), Line(error));
                // Whoever scans the net can do that to every server: it is counted, and nothing to be told at every level.
                match in_handshake {
                    true => log!(debug, "connection", peer = %peer, "TLS handshake failed: {error}"),
                    false => log!(debug, "connection", peer = %peer, "TLS failed: {error}"),
                }
            }
            ConnectionEvent::Fallback(request) => {
                // A hub that hands these out was made with a fallback.
                self.fallback = self.shared.fallback.clone().map(|fallback| {
                    // Asked when it is polled, where a panic is contained.
                    Box::pin(async move { fallback(request).await }) as BoxFuture<Response>
                });
            }
        }
    }

    /// Asks for the answer to a request for another path, but not for the next one before the last is out.
    fn run_fallback(&mut self, now: Instant, cx: &mut Context<'_>, scratch: &mut Scratch) {
        if !self.stuck.is_empty() {
            return;
        }
        let Some(answer) = &mut self.fallback else { return };
        let response = match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(response)) => response,
            Err(panic) => {
                log!(error, "handlers", panic = %words_of(&*panic), "a fallback has panicked");
                self.shared.hub.count_panic();
                Response::new(500)
            }
        };
        if let Some(answer) = self.fallback.take() {
            drop_contained(answer, || self.shared.hub.count_panic());
        }
        self.connection.respond(now, &response, &mut scratch.output);
        if self.connection.wants_body() {
            self.body = response.file_part().cloned().map(|part| Box::new(Body::new(part)));
        }
    }

    /// Asks for the next piece of a body, but not before the last one is out.
    fn run_body(&mut self, now: Instant, cx: &mut Context<'_>, scratch: &mut Scratch) {
        if !self.connection.wants_body() {
            self.body = None;
            return;
        }
        let Some(body) = self.body.as_mut().filter(|_| self.stuck.is_empty()) else {
            return;
        };
        match body.poll_piece(&self.shared.runtime, cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(piece)) => self.connection.send_body(now, &piece, &mut scratch.output),
            Poll::Ready(Err(error)) => {
                log!(warn, "connection", "a file can not be read to its end: {error}");
                self.connection.break_off_body();
            }
        }
    }

    fn run_app(&mut self, cx: &mut Context<'_>) {
        if self.app.is_none() {
            self.app = self.connection.carries().cloned();
        }
        if let Some(cell) = &self.app {
            // It stays here when it is over, so that it is not taken up again.
            let _over = cell.extra.poll(cx, Runner::Carrier, || cell.count_panic());
        }
    }
}

impl<R: Runtime, S: Stream> Future for ConnectionTask<R, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut scratch = take_scratch();
        let scope = mem::replace(&mut this.scope, Scope::none());
        let polled = scope.run(|| this.run(cx, &mut scratch));
        this.scope = scope;
        give_scratch_back(scratch);
        if polled.is_pending() {
            return Poll::Pending;
        }
        // The connection is over. Code of the application's that this task has begun to run is run to its end, but not
        // by a task that holds a dead connection.
        if let Some(cell) = this.app.take().filter(|cell| !cell.extra.is_done()) {
            let rest = CarriedTask(cell);
            this.shared.runtime.spawn(this.shared.tasks.track(rest));
        }
        Poll::Ready(())
    }
}

impl<R: Runtime, S> Drop for ConnectionTask<R, S> {
    fn drop(&mut self) {
        if let Some(cell) = &self.app {
            cell.extra.clear(|| cell.count_panic());
        }
    }
}

/// Writes as much as the stream takes.
fn write<S: Stream>(stream: &mut S, bytes: &[u8], cx: &mut Context<'_>) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.poll_write(cx, &bytes[written..]) {
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(length)) => written += length,
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => break,
        }
    }
    Ok(written)
}

/// Runs the application's code for a session that polls, until it is over or the session has moved to a WebSocket.
struct SessionTask(Arc<Cell<App>>);

impl Future for SessionTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.extra.poll(cx, Runner::Session, || self.0.count_panic())
    }
}

impl Drop for SessionTask {
    fn drop(&mut self) {
        if !self.0.extra.is_adopted() {
            self.0.extra.clear(|| self.0.count_panic());
            // Where the runtime could not start it, nobody else would ever answer the client.
            let now = self.0.now();
            self.0.with(|session| session.refuse(now, Refusal::new(503)));
        }
    }
}

/// Runs the rest of the application's code for a session whose WebSocket is gone.
struct CarriedTask(Arc<Cell<App>>);

impl Future for CarriedTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.extra.poll(cx, Runner::Carrier, || self.0.count_panic())
    }
}

impl Drop for CarriedTask {
    fn drop(&mut self) {
        self.0.extra.clear(|| self.0.count_panic());
    }
}

/// The deadlines of all sessions and connections of a server: one sleeper for all of them.
pub(crate) struct Clock<R: Runtime> {
    shared: Arc<Shared<R>>,
    sleep: Option<(Instant, Pin<Box<R::Sleep>>)>,
}

impl<R: Runtime> Clock<R> {
    pub(crate) fn new(shared: Arc<Shared<R>>) -> Self {
        Self { shared, sleep: None }
    }

    /// Does what is due, and sees to it that it is called again in time.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            let now = self.shared.runtime.now();
            self.shared.hub.handle_timeout(now);
            let Some(next) = self.shared.hub.poll_timeout(cx.waker()) else {
                self.sleep = None;
                return;
            };
            if self.sleep.as_ref().is_none_or(|(until, _)| *until != next) {
                self.sleep = Some((next, Box::pin(self.shared.runtime.sleep_until(next))));
            }
            let Some((_, sleep)) = &mut self.sleep else {
                return;
            };
            match sleep.as_mut().poll(cx) {
                Poll::Pending => return,
                Poll::Ready(()) => self.sleep = None,
            }
        }
    }
}
