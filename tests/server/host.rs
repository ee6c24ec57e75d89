//! Hosts the server under test on the runtime under test, in a thread.

use std::future::Future;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sansocket::engineio::Sid;
use sansocket::runtime::engineio::{Events, Handle, Socket, Stats};

use crate::hosting::{self, Serving};
use crate::http::{Connection, PATIENCE, Response};
use crate::runtime::{self, Builder};
use crate::waiting::{Gate, block_on, wait_until};

/// The two kinds of tokio: everything in one thread, or tasks that move between several. The others have one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    Current,
    Multi,
}

pub const FLAVOURS: [Flavour; 2] = [Flavour::Current, Flavour::Multi];

/// What a handler holds for as long as it is there.
pub type Token = Arc<()>;

/// A server that is served.
pub struct Server {
    pub address: SocketAddr,
    pub handle: Handle,
    /// Cloned into handlers and data: whether anything of them is left can be counted.
    tokens: Token,
    /// How many of them there are where no session is.
    at_rest: usize,
    /// Drops the future that serves.
    dropping: Gate,
    /// Ends the runtime, which goes on when the server has ended.
    stopping: Gate,
    /// Whether serving came to its end (`true`) or was dropped.
    ended: Receiver<bool>,
    thread: Option<JoinHandle<()>>,
    /// Where Linux tells what the runtime's thread has used.
    task: Option<PathBuf>,
}

/// The ordinary options.
pub fn options() -> Builder {
    runtime::Server::builder()
}

/// The options of a server whose sessions end quickly when their client is silent.
pub fn impatient() -> Builder {
    options()
        .ping_interval(Duration::from_millis(300))
        .ping_timeout(Duration::from_millis(200))
}

impl Server {
    /// In the accept style. The handler is given a token for as long as it runs.
    #[track_caller]
    pub fn accepting<D, F, Fut>(flavour: Flavour, options: Builder<D>, handler: F) -> Self
    where
        D: Send + Sync + 'static,
        F: Fn(Socket<D>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = sansocket::Result<()>> + Send + 'static,
    {
        let tokens = Token::default();
        let token = tokens.clone();
        let handler = move |socket| {
            let token = token.clone();
            let handling = handler(socket);
            async move {
                let result = handling.await;
                drop(token);
                result
            }
        };
        Self::host(flavour, tokens, async move {
            if let Some(host) = hosting::host() {
                return hosting::serve(host, options.layer(handler).expect("options of a layer")).await;
            }
            let server = options.bind(&fresh_address()).await.expect("a free port");
            let (address, handle) = (server.local_addr(), server.handle());
            let serving = server.serve(handler);
            (address, handle, Box::pin(serving) as Serving)
        })
    }

    /// In the event style. The handlers and the data may hold clones of `tokens`, and nobody else.
    #[track_caller]
    pub fn events<D: Send + Sync + 'static>(flavour: Flavour, tokens: Token, options: Builder<D, Events<D>>) -> Self {
        Self::host(flavour, tokens, async move {
            if let Some(host) = hosting::host() {
                return hosting::serve(host, options.layer().expect("options of a layer")).await;
            }
            let server = options.bind(&fresh_address()).await.expect("a free port");
            let (address, handle) = (server.local_addr(), server.handle());
            (address, handle, Box::pin(server.serve()) as Serving)
        })
    }

    /// Sends every message back as it came.
    #[track_caller]
    pub fn echo(flavour: Flavour, options: Builder) -> Self {
        Self::accepting(flavour, options, |mut socket| async move {
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
            }
            Ok(())
        })
    }

    #[track_caller]
    fn host<F>(flavour: Flavour, tokens: Token, bound: F) -> Self
    where
        F: Future<Output = (SocketAddr, Handle, Serving)> + Send + 'static,
    {
        let (dropping, stopping) = (Gate::default(), Gate::default());
        let (drop_it, stop) = (dropping.clone(), stopping.clone());
        let (says_ended, ended) = mpsc::channel();
        let (says_ready, ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            runtime::block_on(flavour == Flavour::Multi, async {
                let (address, handle, serving) = bound.await;
                let _unseen = says_ready.send((address, handle, thread_path()));
                serve(serving, &drop_it, &says_ended).await;
                // What the server may have left behind would go on now, and be seen.
                stop.pass().await;
            });
        });
        let Ok((address, handle, task)) = ready.recv_timeout(PATIENCE) else {
            panic!("the server did not start");
        };
        Self {
            address,
            handle,
            at_rest: Arc::strong_count(&tokens),
            tokens,
            dropping,
            stopping,
            ended,
            thread: Some(thread),
            task,
        }
    }

    #[track_caller]
    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.connect().get(target)
    }

    #[track_caller]
    pub fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Response {
        self.connect().post(target, body)
    }

    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }

    /// The id of the only session.
    #[track_caller]
    pub fn sid(&self) -> Sid {
        let sids = self.handle.sessions();
        let [sid] = &sids[..] else {
            panic!("{} sessions", sids.len());
        };
        sid.clone()
    }

    #[track_caller]
    pub fn wait_for_sessions(&self, wanted: u64) {
        wait_until("as many sessions as there should be", || {
            let stats = self.stats();
            stats.sessions == wanted && stats.opened == stats.closed + stats.sessions
        });
    }

    /// How many handlers there are, and data that holds a token.
    pub fn tokens(&self) -> usize {
        Arc::strong_count(&self.tokens).saturating_sub(self.at_rest)
    }

    pub fn no_token_left(&self) -> bool {
        Arc::strong_count(&self.tokens) == 1
    }

    #[track_caller]
    pub fn wait_for_tokens(&self, wanted: usize) {
        wait_until("as many handlers as there should be", || self.tokens() == wanted);
    }

    /// How long the runtime's thread has been running, where the system tells. All there is to know of a
    /// [`Flavour::Current`]; the other runtimes' threads are everybody's.
    pub fn cpu_time(&self) -> Option<Duration> {
        if !runtime::is_tokio() {
            return None;
        }
        let text = std::fs::read_to_string(self.task.as_ref()?.join("schedstat")).ok()?;
        let nanos = text.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    }

    /// Drops the future that serves.
    pub fn drop_serving(&self) {
        self.dropping.open();
        assert_eq!(self.ended.recv_timeout(PATIENCE), Ok(false));
    }

    /// Serving has come to its end, or does so soon.
    #[track_caller]
    pub fn assert_ends(&self) {
        assert_eq!(self.ended.recv_timeout(PATIENCE), Ok(true), "the server goes on");
    }

    /// Nothing of the server is left: no session, no handler, nobody who listens.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        wait_until("no handler and no data is left", || self.no_token_left());
        self.wait_for_sessions(0);
        assert!(self.handle.sessions().is_empty());
        // A program that another test starts meanwhile has the socket too, until it is that program.
        wait_until("nobody listens any more", || TcpStream::connect(self.address).is_err());
    }

    /// The end of every test in which the server goes on: no session stayed behind, it ends when it is asked to, and
    /// nothing of it is left.
    #[track_caller]
    pub fn finish(self) {
        self.wait_for_sessions(0);
        block_on(self.handle.shutdown(PATIENCE));
        self.assert_ends();
        self.close();
    }

    /// The end of every test in which the server has ended.
    #[track_caller]
    pub fn close(mut self) {
        self.assert_nothing_left();
        self.stopping.open();
        let thread = self.thread.take().expect("nobody has waited for it yet");
        thread.join().expect("the runtime has not panicked");
    }
}

async fn serve(serving: Serving, drop_it: &Gate, says_ended: &Sender<bool>) {
    let ended = tokio::select! {
        served = serving => {
            served.expect("serving never fails");
            true
        }
        () = drop_it.pass() => false,
    };
    let _unseen = says_ended.send(ended);
}

/// Every server has an address of its own, where the system has more than one: a port that it has left would else be given to
/// another test's, and somebody would still listen.
fn fresh_address() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    match cfg!(target_os = "linux") {
        true => format!("127.0.2.{}:0", NEXT.fetch_add(1, Ordering::Relaxed).clamp(1, 254)),
        false => "127.0.0.1:0".to_owned(),
    }
}

/// `/proc/PID/task/TID` of this thread.
fn thread_path() -> Option<PathBuf> {
    let path = std::fs::read_link("/proc/thread-self").ok()?;
    Some(PathBuf::from("/proc").join(path))
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a test that failed: the runtime must not go on beside the others.
        self.dropping.open();
        self.stopping.open();
    }
}
