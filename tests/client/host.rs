//! The library's server on the runtime under test, and deadlines. The test itself is on tokio, whatever the runtime.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sansocket::engineio::Transport;
use sansocket::runtime::engineio::{Backoff, ClientEvent, Handle, Socket};

use crate::runtime::{self, Builder, Client, ClientBuilder, Server};

/// How long anything may take that takes no time.
pub const ENOUGH: Duration = Duration::from_secs(15);

/// The ways on which a session may be carried: by polling alone, by a WebSocket alone, by both.
pub const WAYS: [&[Transport]; 3] = [
    &[Transport::Polling],
    &[Transport::WebSocket],
    &[Transport::Polling, Transport::WebSocket],
];

pub fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Runs a test on several threads.
#[track_caller]
pub fn run<Fut: Future<Output = ()>>(test: Fut) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    drive(&runtime, test);
    runtime.shutdown_timeout(ENOUGH);
}

/// Runs a test on several threads, and again with everything in one thread. It may not block then.
#[track_caller]
pub fn run_on_both<Fut: Future<Output = ()>>(test: impl Fn() -> Fut) {
    run(test());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    drive(&runtime, test());
}

#[track_caller]
fn drive<Fut: Future<Output = ()>>(runtime: &tokio::runtime::Runtime, test: Fut) {
    let ended = runtime.block_on(async { tokio::time::timeout(2 * ENOUGH, test).await });
    assert!(ended.is_ok(), "the test does not end");
}

pub async fn within<F: Future>(what: &'static str, future: F) -> F::Output {
    match tokio::time::timeout(ENOUGH, future).await {
        Ok(output) => output,
        Err(_) => panic!("not within {ENOUGH:?}: {what}"),
    }
}

/// Waits until `condition` holds, for what no event tells of.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + ENOUGH;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {ENOUGH:?}: {what}");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Waits until a number has stopped growing, and answers it.
pub async fn until_still(what: &str, number: impl Fn() -> usize) -> usize {
    let still = Duration::from_millis(300);
    let deadline = Instant::now() + ENOUGH;
    let (mut last, mut since) = (number(), Instant::now());
    while since.elapsed() < still {
        assert!(Instant::now() < deadline, "does not stop: {what}, {last} by now");
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = number();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

/// The options of a client, whatever the environment says of proxies.
pub fn client(url: &str) -> ClientBuilder {
    Client::builder(url).no_proxy()
}

/// Again at once, so often.
pub fn quickly(attempts: u32) -> Backoff {
    Backoff::default()
        .attempts(attempts)
        .delay(Duration::from_millis(30))
        .max_delay(Duration::from_millis(60))
}

/// A server that is served on the runtime under test.
pub struct Host {
    pub address: SocketAddr,
    pub url: String,
    pub handle: Handle,
}

impl Host {
    /// With a handler for each session.
    pub async fn serve<F, Fut>(options: Builder, handler: F) -> Self
    where
        F: Fn(Socket) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = sansocket::Result<()>> + Send + 'static,
    {
        Self::serve_at("127.0.0.1:0", options, handler).await
    }

    /// At this address, which may have been in use until a moment ago.
    pub async fn serve_at<F, Fut>(address: &str, options: Builder, handler: F) -> Self
    where
        F: Fn(Socket) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = sansocket::Result<()>> + Send + 'static,
    {
        let server = options.bind(address).await.expect("a free port");
        let (address, handle) = (server.local_addr(), server.handle());
        self::serve(server.serve(handler));
        let url = url(address);
        Self { address, url, handle }
    }

    /// Sends every message back as it came.
    pub async fn echo(options: Builder) -> Self {
        Self::serve(options, echo).await
    }

    pub async fn until_empty(&self) {
        until("no session is left", || self.handle.stats().sessions == 0).await;
    }
}

/// Serves on the runtime under test.
pub fn serve(serving: impl Future<Output = sansocket::Result<()>> + Send + 'static) {
    runtime::spawn(async move { serving.await.expect("serving never fails") });
}

/// Sends every message back as it came.
pub async fn echo(mut socket: Socket) -> sansocket::Result<()> {
    while let Some(message) = socket.recv().await {
        socket.send(message).await?;
    }
    Ok(())
}

/// The ordinary options of a server.
pub fn server() -> Builder {
    Server::builder()
}

/// The next thing that happens.
pub async fn event(client: &mut Client) -> ClientEvent {
    within("an event", client.event()).await.expect("an event")
}

/// Waits until the session is upgraded.
pub async fn upgraded(client: &mut Client) {
    loop {
        match event(client).await {
            ClientEvent::Upgraded => return,
            ClientEvent::Opened { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}
