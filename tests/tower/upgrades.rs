//! Connections that become WebSockets, or do not, as the host has it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sansocket::engineio::{CloseReason, Transport};
use sansocket::tokio::Tokio;
use sansocket::tokio::engineio::{Client, Server};
use sansocket::tower::{NotFound, Service};
use sansocket::wire::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tower_service::Service as _;

use crate::http::{self, PATIENCE};
use crate::{echo, wait_for_sessions};

type Answering = Service<Tokio, NotFound>;

fn serving(
    service: &Answering,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = <Answering as tower_service::Service<hyper::Request<Incoming>>>::Response,
    Error = Infallible,
    Future: Send,
> + use<> {
    let service = service.clone();
    service_fn(move |request: hyper::Request<Incoming>| service.clone().call(request))
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its port");
    (listener, address)
}

/// hyper says that a connection could become another, and does not let it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_upgrades_leaves_clients_with_polling() {
    let layer = echo(Server::builder());
    let handle = layer.handle();
    let service = layer.into_service();
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serving(&service));
            tokio::spawn(async move {
                let _ended = connection.await;
            });
        }
    });
    let url = format!("http://{address}");
    let client = Client::builder(&url).transports(&[Transport::WebSocket]).connect();
    let refused = tokio::time::timeout(PATIENCE, client).await.expect("in time");
    assert!(refused.is_err());
    wait_for_sessions(&handle, 0).await;
    let mut client = Client::connect(&url).await.expect("a session");
    for message in ["one", "two", "three"] {
        client.send(message).await.expect("it is open");
        assert_eq!(client.recv().await, Some(message.into()));
    }
    assert_eq!(client.transport(), Transport::Polling);
    client.close().await.expect("it ends in order");
    wait_for_sessions(&handle, 0).await;
}

/// A stream that holds back what is written until it is flushed, as TLS may, and that can be told to take nothing or not to
/// flush.
struct Held {
    stream: DuplexStream,
    kept: Vec<u8>,
    gates: Gates,
}

#[derive(Clone, Default)]
struct Gates(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    shut: bool,
    waiting: Vec<Waker>,
}

impl Gates {
    fn shut(&self) {
        self.0.lock().expect("nobody panics").shut = true;
    }

    fn open(&self) {
        let waiting = {
            let mut state = self.0.lock().expect("nobody panics");
            state.shut = false;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().expect("nobody panics");
        if !state.shut {
            return Poll::Ready(());
        }
        state.waiting.push(cx.waker().clone());
        Poll::Pending
    }
}

impl Read for Held {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut TokioIo::new(&mut self.stream)).poll_read(cx, buf)
    }
}

impl Write for Held {
    fn poll_write(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.kept.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.gates.poll(cx).is_pending() {
            return Poll::Pending;
        }
        while !this.kept.is_empty() {
            match Pin::new(&mut TokioIo::new(&mut this.stream)).poll_write(cx, &this.kept) {
                Poll::Ready(Ok(length)) => drop(this.kept.drain(..length)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.as_mut().poll_flush(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut TokioIo::new(&mut self.stream)).poll_shutdown(cx),
            other => other,
        }
    }
}

/// The server lives as long as the service does: hyper lets go of a connection's when that is a WebSocket.
fn serve_held(service: &Answering) -> (DuplexStream, Gates) {
    let (client, stream) = tokio::io::duplex(1 << 20);
    let gates = Gates::default();
    let held = Held {
        stream,
        kept: Vec::new(),
        gates: gates.clone(),
    };
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(held, serving(service));
    tokio::spawn(async move {
        let _ended = connection.with_upgrades().await;
    });
    (client, gates)
}

/// Reads until it has seen this.
async fn read_until(client: &mut DuplexStream, end: &str) -> String {
    let mut seen = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&seen).contains(end) {
            let mut some = [0; 4096];
            let length = client.read(&mut some).await.expect("it is open");
            assert!(length > 0, "it has ended: {:?}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&some[..length]);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("in time");
    String::from_utf8_lossy(&seen).into_owned()
}

fn upgrade_request() -> Vec<u8> {
    let headers = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    http::request("GET", "/engine.io/?EIO=4&transport=websocket", "a", &headers, None)
}

/// A message in one frame, with a mask of zeros: text (1) or binary (2).
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len())
        .expect("a length of two bytes")
        .to_be_bytes();
    let header = [0x80 | opcode, 0x80 | 126, length[0], length[1], 0, 0, 0, 0];
    [&header, payload].concat()
}

#[tokio::test]
async fn what_a_stream_holds_back_goes_out_while_nothing_is_read() {
    let (give, mut senders) = unbounded_channel();
    let layer = Server::builder().layer(move |socket| {
        let give = give.clone();
        async move {
            // Nobody takes the messages.
            let _test_over = give.send(socket.sender());
            std::future::pending::<()>().await;
            drop(socket);
            Ok(())
        }
    });
    let layer = layer.expect("options of a layer");
    let handle = layer.handle();
    let service = layer.into_service();
    let (mut client, gates) = serve_held(&service);
    let upgrade = upgrade_request();
    client.write_all(&upgrade).await.expect("there is room");
    read_until(&mut client, "\"maxPayload\"").await;
    let sender = senders.recv().await.expect("a session");
    // More than the session takes: it is not read any more.
    let large = frame(2, &[0; 60_000]);
    for _ in 0..4 {
        client.write_all(&large).await.expect("there is room");
    }
    gates.shut();
    sender.send("held back").await.expect("it is open");
    // The task has written it, and goes to sleep.
    let begun = Instant::now();
    while handle.stats().sent == 0 {
        assert!(begun.elapsed() < PATIENCE, "it was not sent");
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    gates.open();
    read_until(&mut client, "held back").await;
}

/// A client that wants a WebSocket and does not take the answer holds up nothing for ever.
#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_up() {
    let mut limits = Limits::default();
    limits.write_timeout = Duration::from_millis(50);
    let (tell, mut told) = unbounded_channel();
    let layer = Server::builder().limits(limits).layer(move |mut socket| {
        let tell = tell.clone();
        async move {
            while socket.recv().await.is_some() {}
            let _test_over = tell.send(socket.closed().expect("it is over").reason);
            Ok(())
        }
    });
    let layer = layer.expect("options of a layer");
    let handle = layer.handle();
    let service = layer.into_service();
    let (mut client, gates) = serve_held(&service);
    gates.shut();
    let upgrade = upgrade_request();
    client.write_all(&upgrade).await.expect("there is room");
    let reason = tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time");
    assert_eq!(reason, Some(CloseReason::TransportError));
    wait_for_sessions(&handle, 0).await;
    // Nothing waits for it when the server ends.
    tokio::time::timeout(PATIENCE, handle.shutdown(Duration::from_secs(600)))
        .await
        .expect("in time");
}

/// What a client sends behind its request stands in a buffer of hyper's.
#[tokio::test]
async fn frames_that_come_with_the_request_are_read() {
    let layer = echo(Server::builder());
    let service = layer.into_service();
    let (mut client, _gates) = serve_held(&service);
    let mut bytes = upgrade_request();
    bytes.extend(frame(1, b"4early"));
    client.write_all(&bytes).await.expect("there is room");
    let seen = read_until(&mut client, "4early").await;
    assert!(seen.starts_with("HTTP/1.1 101"), "{seen}");
}
