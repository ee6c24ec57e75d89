//! The server: accepts connections, and runs the application's code for each session.

use core::fmt;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::Poll;
use core::time::Duration;
use std::boxed::Box;
use std::sync::Arc;

use super::builder::{self, Builder};
use super::events::Events;
use super::handle::{Control, Handle};
use super::socket::Socket;
use crate::engineio::state::Phase;
use crate::engineio::{Refusal, Session};
use crate::error::{Error, Result};
use crate::http::Request;
use crate::runtime::Runtime;
use crate::runtime::app::{App, BoxFuture};
use crate::runtime::driver::{Clock, ConnectionTask, MakeApp, Shared};
use crate::runtime::leaving::says_gone;
use crate::runtime::log::{Line, log, of_sid};
use crate::runtime::tasks::Tasks;
use crate::wire::{Cell, Connection, Hub};

/// How long to wait where a connection can not be accepted because the system has run out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections are accepted in a row. The same task sees to all deadlines and to the end of the server, also while
/// more connections come than can be accepted; not every runtime makes it come back by itself.
const ACCEPTED_IN_A_ROW: u32 = 64;

/// How long to wait for tasks that were told to end at once.
const LAST_PATIENCE: Duration = Duration::from_millis(500);

pub(super) type Connecting<D> = BoxFuture<Result<D, Refusal>>;

/// Who decides about clients.
pub(super) enum Connect<D> {
    /// Nobody: all are welcome.
    Anybody(fn() -> D),
    /// This handler.
    Ask(Box<dyn Fn(Request) -> Connecting<D> + Send + Sync>),
}

/// What a handler may return: nothing, or a result, whose error goes to the log.
#[diagnostic::on_unimplemented(
    message = "a handler returns `()` or a `Result<(), E>`",
    note = "`E` must be an error: it turns into `Box<dyn Error + Send + Sync>`"
)]
pub trait Outcome: Send {
    /// The same, with this crate's error.
    fn into_result(self) -> Result<()>;
}

impl Outcome for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl<E: Into<Box<dyn core::error::Error + Send + Sync>> + Send> Outcome for Result<(), E> {
    fn into_result(self) -> Result<()> {
        self.map_err(Error::application)
    }
}

/// A server that listens, and serves once [`serve`](Self::serve) is called.
pub struct Server<R: Runtime, D = (), H = ()> {
    runtime: R,
    listener: R::Listener,
    local_addr: SocketAddr,
    hub: Arc<Hub<App>>,
    ending: Ending,
    options: Builder<R, D, H>,
}

impl<R: Runtime, D, H> fmt::Debug for Server<R, D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

impl<R: Runtime + Default> Server<R> {
    /// Listens with the default options on an address, such as `127.0.0.1:3000`; port 0 is any free one.
    ///
    /// # Errors
    /// As [`Builder::bind`].
    pub async fn bind(address: &str) -> Result<Self> {
        Self::builder().bind(address).await
    }

    /// The options.
    pub fn builder() -> Builder<R> {
        Builder::new(R::default())
    }
}

impl<R: Runtime> Server<R> {
    /// The options of a server on a runtime that is a value.
    pub fn builder_on(runtime: R) -> Builder<R> {
        Builder::new(runtime)
    }
}

impl<R: Runtime, D: Send + Sync + 'static, H> Server<R, D, H> {
    pub(super) fn new(mut options: Builder<R, D, H>, listener: R::Listener) -> Result<Self> {
        let runtime = options.runtime.clone();
        let local_addr = runtime.local_addr(&listener)?;
        let hub = make_hub(&mut options);
        #[cfg(feature = "tls")]
        let hub = hub.with_tls(options.tls.take());
        Ok(Self {
            runtime,
            listener,
            local_addr,
            hub: Arc::new(hub),
            ending: Ending(Arc::default()),
            options,
        })
    }

    /// The address that the server listens on, with the real port where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The server from outside: to count and close sessions, and to end it.
    pub fn handle(&self) -> Handle {
        Handle::new(self.hub.clone(), self.ending.0.clone())
    }

    async fn run(self, make_app: MakeApp, fallback: Option<Arc<crate::runtime::driver::Fallback>>) -> Result<()> {
        let shared = share(self.runtime, self.hub, make_app, fallback);
        let accepting = accept(shared.clone(), self.listener);
        run(shared, self.ending, Some(Box::pin(accepting))).await;
        Ok(())
    }
}

fn make_hub<R: Runtime, D, H>(options: &mut Builder<R, D, H>) -> Hub<App> {
    builder::settle(options);
    let runtime = options.runtime.clone();
    let clock = move || runtime.now();
    let entropy = core::mem::replace(&mut options.entropy, Box::new(|_| ()));
    let hub = Hub::new(
        options.config.clone(),
        options.endpoint.clone(),
        options.limits.clone(),
        clock,
        entropy,
    );
    #[cfg(feature = "tracing")]
    let hub = hub.with_witness(crate::runtime::log::witness());
    hub.keep_requests(options.connect.wants_request())
        .with_fallback(options.fallback.is_some())
}

fn share<R>(
    runtime: R,
    hub: Arc<Hub<App>>,
    make_app: MakeApp,
    fallback: Option<Arc<crate::runtime::driver::Fallback>>,
) -> Arc<Shared<R>> {
    Arc::new(Shared {
        runtime,
        hub,
        tasks: Arc::new(Tasks::default()),
        make_app,
        fallback,
        refused_origins: std::sync::Mutex::default(),
    })
}

/// Sees to all deadlines of a server, and to its end, while it accepts connections; or while somebody else does.
async fn run<R: Runtime, A: Future<Output = ()>>(
    shared: Arc<Shared<R>>,
    ending: Ending,
    mut accepting: Option<Pin<Box<A>>>,
) {
    let control = ending.0.clone();
    // Whether this future comes to its end or is dropped: then nothing of the server is left running.
    let _end = End {
        hub: shared.hub.clone(),
        tasks: shared.tasks.clone(),
        _ending: ending,
    };
    let mut clock = Clock::new(shared.clone());
    let mut stopping: Option<(crate::time::Instant, Pin<Box<R::Sleep>>)> = None;
    let mut drained = false;
    poll_fn(|cx| {
        clock.poll(cx);
        let deadline = control.poll_deadline(cx);
        // Clients of sessions that are closing may come back for the rest until there are none.
        if let Some(accepting) = &mut accepting {
            // It never ends by itself.
            let _pending = accepting.as_mut().poll(cx);
        }
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        if !shared.hub.is_closing() {
            let now = shared.hub.now();
            if deadline <= now {
                return Poll::Ready(());
            }
            shared.hub.close(now);
        }
        if stopping.as_ref().is_none_or(|(until, _)| *until != deadline) {
            stopping = Some((deadline, Box::pin(shared.runtime.sleep_until(deadline))));
        }
        let over = stopping.as_mut().map(|(_, sleep)| sleep.as_mut().poll(cx));
        if over.is_some_and(|over| over.is_ready()) {
            return Poll::Ready(());
        }
        if !drained && shared.hub.poll_empty(cx).is_ready() {
            drained = true;
            // Whoever still comes is refused by the system, rather than left hanging.
            accepting = None;
            shared.tasks.wake_all();
        }
        if drained {
            shared.tasks.poll_idle(cx)
        } else {
            Poll::Pending
        }
    })
    .await;
    // What is left is cut off. It is gone when this is ready, unless a handler blocks its thread: nobody waits for that.
    shared.tasks.abort();
    let mut impatience = pin!(shared.runtime.sleep_until(shared.hub.now() + LAST_PATIENCE));
    poll_fn(|cx| {
        if impatience.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        shared.tasks.poll_idle(cx)
    })
    .await;
}

/// Accepts connections, for ever.
async fn accept<R: Runtime>(shared: Arc<Shared<R>>, listener: R::Listener) {
    let mut in_a_row = 0;
    loop {
        in_a_row += 1;
        if in_a_row > ACCEPTED_IN_A_ROW {
            in_a_row = 0;
            let mut given = false;
            poll_fn(|cx| {
                if core::mem::replace(&mut given, true) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
        match shared.runtime.accept(&listener).await {
            Ok((stream, peer)) => {
                let Some(connection) = Connection::admit(shared.hub.clone(), peer, shared.hub.now()) else {
                    // Which closes it.
                    log!(debug, "connection", peer = %peer, "too many connections: hung up");
                    drop(stream);
                    continue;
                };
                let task = ConnectionTask::new(shared.clone(), stream, connection);
                shared.runtime.spawn(shared.tasks.track(task));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                log!(error, "connection", "a connection can not be accepted: {error}");
                shared.runtime.sleep_until(shared.hub.now() + ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether an error of `accept` is that of a connection which has gone again: the next may be tried at once.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// Cuts off whatever is left of a server when it ends.
struct End {
    hub: Arc<Hub<App>>,
    tasks: Arc<Tasks>,
    // Told when all the rest has been done.
    _ending: Ending,
}

/// Tells the handles that the server has ended, also where it was dropped and never served.
struct Ending(Arc<Control>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // Without a word: no task runs again, to say goodbye.
        self.tasks.abort();
        self.hub.abort(self.hub.now());
    }
}

impl<R: Runtime, D: Send + Sync + 'static> Server<R, D> {
    /// Serves: runs `handler` for each session, with the socket to receive from. Ready when the server was
    /// [shut down](Handle::shutdown); dropping the future ends the server at once.
    ///
    /// What a handler sends before it waits for something rides behind the open packet, which waits that long: what computes
    /// for long at first, or blocks, keeps the client from its session.
    ///
    /// A handler that returns has dropped its socket, which closes the session. It is not cancelled when the client
    /// leaves: `recv` returns `None`, and the handler comes to its own end. An error goes to the log. A panic ends its
    /// session and no other.
    ///
    /// # Errors
    /// None at present.
    pub async fn serve<F, Fut>(mut self, handler: F) -> Result<()>
    where
        F: Fn(Socket<D>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let make_app = self.options.app_of(handler);
        let fallback = self.options.fallback.take().map(builder::share);
        self.run(make_app, fallback).await
    }
}

impl<R: Runtime, D: Send + Sync + 'static> Builder<R, D> {
    /// What runs this handler for each session.
    fn app_of<F, Fut>(&mut self, handler: F) -> MakeApp
    where
        F: Fn(Socket<D>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let (connect, handler) = self.take_connect(handler);
        Box::new(move |cell, request| {
            let (cell, connect, handler) = (cell.clone(), connect.clone(), handler.clone());
            Box::pin(async move {
                if let Some(socket) = open(cell.clone(), &connect, request).await {
                    let handled = begin(&cell, async { handler(socket).await }).await;
                    report(&cell, "session", handled);
                }
            })
        })
    }
}

impl<R: Runtime, D: Send + Sync + 'static> Server<R, D, Events<D>> {
    /// Serves with the handlers that were set: see [`Builder::on_message`]. Ready when the server was
    /// [shut down](Handle::shutdown); dropping the future ends the server at once.
    ///
    /// # Errors
    /// None at present.
    pub async fn serve(mut self) -> Result<()> {
        let make_app = self.options.app_of_events();
        let fallback = self.options.fallback.take().map(builder::share);
        self.run(make_app, fallback).await
    }
}

impl<R: Runtime, D: Send + Sync + 'static> Builder<R, D, Events<D>> {
    /// What runs the handlers for each session.
    fn app_of_events(&mut self) -> MakeApp {
        let handlers = core::mem::take(&mut self.handlers);
        let (connect, handlers) = self.take_connect(handlers);
        Box::new(move |cell, request| {
            let (cell, connect, handlers) = (cell.clone(), connect.clone(), handlers.clone());
            Box::pin(async move {
                if let Some(socket) = open(cell.clone(), &connect, request).await {
                    begin(&cell, handlers.run(socket)).await;
                }
            })
        })
    }
}

/// A server whose connections are somebody else's: it runs until it is shut down, or nobody can reach it any more.
#[cfg(feature = "tower")]
pub(in crate::runtime) struct Hosted<R: Runtime> {
    pub(in crate::runtime) shared: Arc<Shared<R>>,
    pub(in crate::runtime) handle: Handle,
    /// Whether the sessions of an address are counted, which must be known for that.
    pub(in crate::runtime) counts_addresses: bool,
}

#[cfg(feature = "tower")]
impl<R: Runtime> Hosted<R> {
    fn start<D, H, T>(
        mut options: Builder<R, D, H>,
        app_of: impl FnOnce(&mut Builder<R, D, H>) -> MakeApp,
        held: T,
    ) -> Result<Self>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
    {
        options.check()?;
        if options.fallback.is_some() {
            return Err(Error::Unusable {
                what: "fallback",
                why: "other paths are those of the application around",
            });
        }
        if options.limits.max_connections_per_address.is_some() {
            return Err(Error::Unusable {
                what: "max_connections_per_address",
                why: "connections are a matter of the HTTP server around",
            });
        }
        #[cfg(feature = "tls")]
        if options.tls.is_some() {
            return Err(Error::Unusable {
                what: "tls",
                why: "it is a matter of the HTTP server around",
            });
        }
        let counts_addresses = options.limits.max_sessions_per_address.is_some();
        let hub = Arc::new(make_hub(&mut options));
        let ending = Ending(Arc::default());
        let handle = Handle::new(hub.clone(), ending.0.clone());
        let make_app = app_of(&mut options);
        let shared = share(options.runtime, hub, make_app, None);
        let running = run(shared.clone(), ending, None::<Pin<Box<core::future::Pending<()>>>>);
        shared.runtime.spawn(async move {
            running.await;
            drop(held);
        });
        Ok(Self {
            shared,
            handle,
            counts_addresses,
        })
    }

    /// In the accept style. `held` is dropped when the server is over.
    pub(in crate::runtime) fn accepting<D, F, Fut, T>(options: Builder<R, D>, handler: F, held: T) -> Result<Self>
    where
        D: Send + Sync + 'static,
        F: Fn(Socket<D>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
        T: Send + 'static,
    {
        Self::start(options, |options| options.app_of(handler), held)
    }

    /// In the event style.
    pub(in crate::runtime) fn events<D: Send + Sync + 'static>(options: Builder<R, D, Events<D>>) -> Result<Self> {
        Self::start(options, Builder::app_of_events, ())
    }
}

/// Nobody holds the service any more, so no client can come, or come back: what is left of the server ends at once.
#[cfg(feature = "tower")]
impl<R: Runtime> Drop for Hosted<R> {
    fn drop(&mut self) {
        self.handle.cut();
    }
}

impl<R, D, H> Builder<R, D, H> {
    /// Shares the connect handler, and whatever comes after it, between all sessions.
    fn take_connect<T>(&mut self, then: T) -> (Arc<Connect<D>>, Arc<T>) {
        let nobody = Connect::Ask(Box::new(|_| Box::pin(async { Err(Refusal::default()) })));
        let connect = core::mem::replace(&mut self.connect, nobody);
        (Arc::new(connect), Arc::new(then))
    }
}

/// Runs the application's code for a session that was held back until it has sent what it sends at once.
async fn begin<T>(cell: &Cell<App>, code: impl Future<Output = T>) -> T {
    let mut held = Some(Held(cell));
    let mut code = pin!(code);
    poll_fn(|cx| {
        let polled = code.as_mut().poll(cx);
        // It has ended, or waits for something: the client does not.
        held = None;
        polled
    })
    .await
}

/// Lets go of a session, also where the application's code panics.
struct Held<'a>(&'a Cell<App>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.with(Session::release);
    }
}

/// Asks the connect handler, and tells the session its answer; what it says to the client is held back.
async fn open<D: Send + Sync + 'static>(
    cell: Arc<Cell<App>>,
    connect: &Connect<D>,
    request: Option<Request>,
) -> Option<Socket<D>> {
    let refusing = RefuseOnPanic(&cell);
    let decided = connect.ask(request).await;
    core::mem::forget(refusing);
    let now = cell.now();
    match decided {
        Ok(data) => {
            let data = Arc::new(data);
            let open = cell.with(|session| {
                session.accept_held(now);
                let open = session.phase() == Phase::Open;
                if open {
                    // Whoever knows the id finds the data: before the open packet, which tells it, can go out.
                    cell.extra.set_data(&data);
                }
                open
            });
            // Where the client has gone meanwhile, there was no session.
            let socket = open.then(|| Socket::new(cell, data))?;
            socket.cell().extra.log.opened(socket.transport());
            Some(socket)
        }
        Err(refusal) => {
            cell.extra.log.refused(refusal.status());
            cell.with(|session| session.refuse(now, refusal));
            None
        }
    }
}

/// Tells the log of a handler's error, and counts it.
pub(super) fn report(cell: &Cell<App>, which: &str, handled: Result<()>) {
    let Err(error) = handled else { return };
    let sid = cell.look(|session| session.sid().clone());
    // Lines that somebody must see to name their session themselves: its span is for those who want to see more.
    let sid = of_sid(&sid);
    if says_gone(&error) {
        log!(
            debug,
            "handlers",
            sid = sid,
            "the {which} handler has ended: {}",
            Line(error)
        );
        return;
    }
    cell.count_error();
    log!(warn, "handlers", sid = sid, error = %Line(error), "the {which} handler returned an error");
}

/// Refuses a session whose connect handler came to no answer: it has panicked, or was dropped.
struct RefuseOnPanic<'a>(&'a Cell<App>);

impl Drop for RefuseOnPanic<'_> {
    fn drop(&mut self) {
        let now = self.0.now();
        self.0.with(|session| session.refuse(now, Refusal::new(500)));
    }
}

#[cfg(test)]
mod tests {
    use core::task::{Context, Waker};
    use std::sync::Mutex;
    use std::task::Wake;
    use std::vec::Vec;

    use super::*;
    use crate::engineio::Config;
    use crate::http::Endpoint;
    use crate::time::Instant;
    use crate::wire::{ConnectionEvent, Limits};

    /// A connection that has something to write, and asks for the data of its session instead.
    struct Asking {
        cell: Arc<Cell<App>>,
        found: Mutex<Vec<Option<u8>>>,
    }

    impl Wake for Asking {
        fn wake(self: Arc<Self>) {
            let data = self.cell.extra.data::<u8>().map(|data| *data);
            self.found.lock().expect("nobody panics under it").push(data);
        }
    }

    #[test]
    fn data_is_there_before_the_open_packet_can_go_out() {
        let now = Instant::from_micros(1);
        let entropy = Box::new(|bytes: &mut [u8]| bytes.fill(1));
        let hub = Hub::new(
            Config::default(),
            Endpoint::default(),
            Limits::default(),
            move || now,
            entropy,
        );
        let peer = "127.0.0.1:1".parse().expect("an address");
        let mut connection = Connection::new(Arc::new(hub), peer, now);
        let (get, mut out) = (
            b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n",
            Vec::new(),
        );
        connection.handle_input(now, get, &mut out);
        let Some(ConnectionEvent::Opened { cell, .. }) = connection.poll_event() else {
            panic!("no session is asked for");
        };
        let asking = Arc::new(Asking {
            cell: cell.clone(),
            found: Mutex::default(),
        });
        assert!(connection.park(0, false, &asking.clone().into()));
        let connect = Connect::Anybody(|| 7_u8);
        let opened = pin!(open(cell.clone(), &connect, None)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(opened, Poll::Ready(Some(_))));
        // What the handler has said first would be behind the open packet now.
        cell.with(Session::release);
        assert_eq!(*asking.found.lock().expect("nobody panics under it"), [Some(7)]);
    }
}
