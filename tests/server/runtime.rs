//! The runtime under test, as one type: which one it is, the environment says (`SANSOCKET_RUNTIME`; tokio by default).
//!
//! It stands on the public traits alone, as a runtime of somebody's own would.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sansocket::async_std::AsyncStd;
use sansocket::blocking::{self, Threads};
use sansocket::runtime::{Runtime, Stream, engineio};
use sansocket::smol::Smol;
use sansocket::time::Instant;
use sansocket::tokio::Tokio;

pub type Server<D = (), H = ()> = engineio::Server<Any, D, H>;
pub type Builder<D = (), H = ()> = engineio::Builder<Any, D, H>;
pub type Client = engineio::Client<Any>;
pub type ClientBuilder<H = ()> = engineio::ClientBuilder<Any, H>;

/// One of the runtimes.
#[derive(Clone, Debug)]
pub enum Any {
    Tokio(Tokio),
    Smol(Smol),
    AsyncStd(AsyncStd),
    Threads(Threads),
}

impl Default for Any {
    fn default() -> Self {
        static ANY: OnceLock<Any> = OnceLock::new();
        let any = ANY.get_or_init(|| match std::env::var("SANSOCKET_RUNTIME").as_deref() {
            Ok("tokio" | "") | Err(_) => Any::Tokio(Tokio),
            Ok("smol") => Any::Smol(Smol::default()),
            Ok("async-std") => Any::AsyncStd(AsyncStd),
            Ok("blocking") => Any::Threads(Threads::new()),
            Ok(other) => panic!("no such runtime: {other}"),
        });
        any.clone()
    }
}

/// Whether it is tokio, of which there are flavours, and which can be dropped.
pub fn is_tokio() -> bool {
    matches!(Any::default(), Any::Tokio(_))
}

/// Runs a future to its end on the calling thread.
pub fn block_on<F: Future>(more_threads: bool, future: F) -> F::Output {
    Any::default().block_on(more_threads, future)
}

impl Any {
    /// Runs a future to its end on the calling thread; on tokio, whatever it spawns too, or on two more threads.
    pub fn block_on<F: Future>(&self, more_threads: bool, future: F) -> F::Output {
        match self {
            Any::Tokio(_) => {
                let mut builder = match more_threads {
                    false => tokio::runtime::Builder::new_current_thread(),
                    true => tokio::runtime::Builder::new_multi_thread(),
                };
                if more_threads {
                    builder.worker_threads(2);
                }
                builder.enable_all().build().expect("a runtime").block_on(future)
            }
            Any::Smol(_) => smol::block_on(future),
            Any::AsyncStd(_) => async_std::task::block_on(future),
            Any::Threads(_) => blocking::block_on(future),
        }
    }
}

pub async fn sleep(duration: Duration) {
    let any = Any::default();
    any.sleep_until(any.now() + duration).await;
}

pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    Any::default().spawn(task);
}

pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What the future comes to; `None` where that takes longer.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    let (mut sleep, mut future) = (pin!(sleep(duration)), pin!(future));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
    })
    .await
}

pub struct AnyStream(Box<dyn Stream>);

impl Stream for AnyStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_close(cx)
    }
}

pub enum AnyListener {
    Tokio(<Tokio as Runtime>::Listener),
    Smol(<Smol as Runtime>::Listener),
    AsyncStd(<AsyncStd as Runtime>::Listener),
    Threads(<Threads as Runtime>::Listener),
}

/// The same on whichever it is.
macro_rules! on_each {
    ($any:expr, $runtime:ident => $what:expr) => {
        match $any {
            Any::Tokio($runtime) => $what,
            Any::Smol($runtime) => $what,
            Any::AsyncStd($runtime) => $what,
            Any::Threads($runtime) => $what,
        }
    };
    ($any:expr, $of:expr, $runtime:ident, $listener:ident => $what:expr) => {
        match ($any, $of) {
            (Any::Tokio($runtime), AnyListener::Tokio($listener)) => $what,
            (Any::Smol($runtime), AnyListener::Smol($listener)) => $what,
            (Any::AsyncStd($runtime), AnyListener::AsyncStd($listener)) => $what,
            (Any::Threads($runtime), AnyListener::Threads($listener)) => $what,
            _ => panic!("a listener of another runtime"),
        }
    };
}

impl Runtime for Any {
    type Stream = AnyStream;
    type Listener = AnyListener;
    type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn now(&self) -> Instant {
        on_each!(self, runtime => runtime.now())
    }

    fn sleep_until(&self, deadline: Instant) -> Self::Sleep {
        on_each!(self, runtime => Box::pin(runtime.sleep_until(deadline)))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        on_each!(self, runtime => runtime.spawn(task));
    }

    async fn offload<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        on_each!(self, runtime => runtime.offload(work).await)
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        on_each!(self, runtime => runtime.resolve(host, port).await)
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<AnyStream> {
        on_each!(self, runtime => runtime.connect(address).await.map(|stream| AnyStream(Box::new(stream))))
    }

    async fn bind(&self, address: SocketAddr) -> io::Result<AnyListener> {
        match self {
            Any::Tokio(runtime) => runtime.bind(address).await.map(AnyListener::Tokio),
            Any::Smol(runtime) => runtime.bind(address).await.map(AnyListener::Smol),
            Any::AsyncStd(runtime) => runtime.bind(address).await.map(AnyListener::AsyncStd),
            Any::Threads(runtime) => runtime.bind(address).await.map(AnyListener::Threads),
        }
    }

    fn local_addr(&self, listener: &AnyListener) -> io::Result<SocketAddr> {
        on_each!(self, listener, runtime, listener => runtime.local_addr(listener))
    }

    async fn accept(&self, listener: &AnyListener) -> io::Result<(AnyStream, SocketAddr)> {
        on_each!(self, listener, runtime, listener => {
            let (stream, peer) = runtime.accept(listener).await?;
            Ok((AnyStream(Box::new(stream)), peer))
        })
    }
}

/// Waits by a thread of its own: on whatever runtime whoever waits may be.
pub async fn pause(duration: Duration) {
    let deadline = std::time::Instant::now() + duration;
    // The last one counts: a handler moves from one task to another when its session is upgraded.
    let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
    let mut begun = false;
    poll_fn(|cx| {
        if std::time::Instant::now() >= deadline {
            return Poll::Ready(());
        }
        *waker.lock().expect("the waker") = Some(cx.waker().clone());
        if !begun {
            begun = true;
            let waker = waker.clone();
            std::thread::spawn(move || {
                std::thread::sleep(deadline.saturating_duration_since(std::time::Instant::now()));
                let waker = waker.lock().expect("the waker").take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            });
        }
        Poll::Pending
    })
    .await;
}
