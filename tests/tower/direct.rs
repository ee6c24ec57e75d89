//! The service called by hand: whatever a host may do with requests, futures and bodies, and what a request may look like that
//! no host of these tests makes.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use sansocket::engineio::{CloseReason, Closed, Sid};
use sansocket::http::Cors;
use sansocket::tokio::Tokio;
use sansocket::tokio::engineio::{Builder, Server};
use sansocket::tower::{Layer, NotFound, Service};
use sansocket::wire::Limits;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tower_layer::Layer as _;
use tower_service::Service as _;

use crate::http::PATIENCE;
use crate::{POLLING, echo, wait_for_sessions};

fn request(method: Method, target: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(target).header("Host", "a");
    request.body(body.into()).expect("a request")
}

fn get(target: &str) -> Request<Body> {
    request(Method::GET, target, Body::empty())
}

async fn bytes_of(body: impl HttpBody<Data = Bytes, Error = Infallible>) -> Vec<u8> {
    let mut body = pin!(body);
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.unwrap_or_else(|never| match never {});
        whole.extend_from_slice(frame.data_ref().expect("data"));
    }
    whole
}

async fn answer(service: &mut Service<Tokio, NotFound>, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    poll_fn(|cx| tower_service::Service::<Request<Body>>::poll_ready(service, cx))
        .await
        .expect("it is ready");
    let response = tokio::time::timeout(PATIENCE, service.call(request)).await;
    let Ok(response) = response.expect("an answer in time");
    let (head, body) = response.into_parts();
    let text = String::from_utf8(bytes_of(body).await).expect("text");
    (head.status, head.headers, text)
}

/// Opens a session; the target of its requests.
async fn open(service: &mut Service<Tokio, NotFound>) -> String {
    let (status, _, text) = answer(service, get(POLLING)).await;
    assert_eq!(status, 200, "{text}");
    format!("{POLLING}&sid={}", text.split('"').nth(3).expect("a sid"))
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Tells how each session ended.
fn telling(options: Builder) -> (Layer<Tokio>, UnboundedReceiver<Closed>) {
    let (tell, told) = unbounded_channel();
    let layer = options.layer(move |mut socket| {
        let tell = tell.clone();
        async move {
            while socket.recv().await.is_some() {}
            let _test_over = tell.send(socket.closed().expect("it is over"));
            Ok(())
        }
    });
    (layer.expect("options of a layer"), told)
}

#[tokio::test]
async fn what_does_not_reach_the_client_is_told() {
    let (layer, mut told) = telling(Server::builder());
    let handle = layer.handle();
    let mut service = layer.into_service();
    let send = |target: &str, message: &str| {
        let sid = Sid::new(target.rsplit('=').next().expect("a sid")).expect("a sid");
        handle.try_send(&sid, message).expect("there is room");
    };
    // Reason, messages that were not sent, messages in doubt.
    let mut end = async || {
        let end = tokio::time::timeout(PATIENCE, told.recv()).await;
        let closed = end.expect("in time").expect("an end");
        (closed.reason, closed.unsent, closed.in_doubt)
    };
    let lost = |unsent, in_doubt| (CloseReason::TransportError, unsent, in_doubt);

    // The answer is dropped before its body is asked for, by whatever stands around.
    let target = open(&mut service).await;
    send(&target, "one");
    let Ok(response) = service.call(get(&target)).await;
    assert_eq!(response.body().size_hint().exact(), Some(4));
    drop(response);
    assert_eq!(end().await, lost(0, 1));

    // The body was taken: what becomes of it nobody knows, until the client comes back.
    let target = open(&mut service).await;
    send(&target, "one");
    assert_eq!(answer(&mut service, get(&target)).await.2, "4one");
    drop(service.call(request(Method::POST, &target, Body::new(Broken(&[], 0)))));
    let mut posting = Box::pin(service.call(request(Method::POST, &target, "1")));
    assert!(poll_once(posting.as_mut()).is_ready());
    assert_eq!(end().await, (CloseReason::ClientDisconnect, 0, 1));

    // It does, which shows that the answer to its first poll has arrived; and the second is given up.
    let target = open(&mut service).await;
    send(&target, "one");
    assert_eq!(answer(&mut service, get(&target)).await.2, "4one");
    let mut held = Box::pin(service.call(get(&target)));
    assert!(poll_once(held.as_mut()).is_pending());
    drop(held);
    assert_eq!(end().await, lost(0, 0));

    // A message comes while a poll is held, and the client goes before the host looks again.
    let target = open(&mut service).await;
    let mut held = Box::pin(service.call(get(&target)));
    assert!(poll_once(held.as_mut()).is_pending());
    send(&target, "one");
    drop(held);
    assert_eq!(end().await, lost(1, 0));

    // A request that is never looked at.
    let target = open(&mut service).await;
    send(&target, "one");
    drop(service.call(get(&target)));
    assert_eq!(end().await, lost(1, 0));
    wait_for_sessions(&handle, 0).await;
}

/// A body that ends badly, comes to nothing, or brings what it brings.
struct Broken(&'static [Option<&'static str>], usize);

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let Some(part) = self.0.get(self.1).copied() else {
            return Poll::Pending;
        };
        self.1 += 1;
        Poll::Ready(Some(match part {
            Some(part) => Ok(http_body::Frame::data(part.into())),
            None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }))
    }
}

#[tokio::test]
async fn bodies_that_do_not_come_leave_the_session_alone() {
    let mut limits = Limits::default();
    limits.body_timeout = Duration::from_millis(50);
    let mut service = echo(Server::builder().max_payload(10).limits(limits)).into_service();
    let target = open(&mut service).await;
    for (parts, expected) in [
        (&[Some("4a"), None][..], 400),
        (&[None], 400),
        (&[], 408),
        (&[Some("4a"), Some("")], 408),
        (&[Some("4aaaaaaaaaa")], 413),
        (&[Some("4aaaaa"), Some(""), Some("aaaaa")], 413),
    ] {
        let body = Body::new(Broken(parts, 0));
        let (status, _, text) = answer(&mut service, request(Method::POST, &target, body)).await;
        assert_eq!(status, expected, "{parts:?}: {text}");
    }
    let (status, _, _) = answer(&mut service, request(Method::POST, &target, "4b")).await;
    assert_eq!(status, 200);
    assert_eq!(answer(&mut service, get(&target)).await.2, "4b");
}

/// Where a buffer of the host's lives on, it is told here.
struct Buffer {
    bytes: Vec<u8>,
    _held: Arc<()>,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[tokio::test]
async fn a_small_message_keeps_no_large_buffer() {
    // Nobody takes the messages.
    let layer = Server::builder().layer(|socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
        Ok(())
    });
    let mut service = layer.expect("options of a layer").into_service();
    let target = open(&mut service).await;
    let held = Arc::new(());
    let buffer = Buffer {
        bytes: [&b"4a"[..], &[b'x'; 100_000]].concat(),
        _held: held.clone(),
    };
    let body = Bytes::from_owner(buffer).slice(..2);
    let (status, _, _) = answer(&mut service, request(Method::POST, &target, body)).await;
    assert_eq!(status, 200);
    assert_eq!(Arc::strong_count(&held), 1, "the buffer lives as long as the message");
}

const UPGRADE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
];

#[tokio::test]
async fn a_connection_that_can_not_become_a_websocket_is_refused_one() {
    let layer = echo(Server::builder());
    let handle = layer.handle();
    let mut service = layer.into_service();
    let session = open(&mut service).await.replace("=polling", "=websocket");
    for target in ["/engine.io/?EIO=4&transport=websocket", &session] {
        let mut request = get(target);
        for (name, value) in UPGRADE {
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        let (status, headers, text) = answer(&mut service, request).await;
        assert_eq!((status.as_u16(), headers.get("upgrade")), (400, None), "{text}");
    }
    assert_eq!(handle.stats().sessions, 1);
    // The client stays with what it has.
    let target = session.replace("=websocket", "=polling");
    assert_eq!(answer(&mut service, request(Method::POST, &target, "4a")).await.0, 200);
    assert_eq!(answer(&mut service, get(&target)).await.2, "4a");
}

#[tokio::test]
async fn polling_over_http_2() {
    let mut service = echo(Server::builder().cors(Cors::same_origin())).into_service();
    let of_h2 = |mut request: Request<Body>| {
        // The host stands in the URI, and headers know nothing of connections.
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove("host");
        *request.uri_mut() = format!("https://a.example{}", request.uri()).parse().expect("a URI");
        request
    };
    let with_origin = |mut request: Request<Body>, origin: &str| {
        request.headers_mut().insert("origin", origin.parse().expect("a value"));
        of_h2(request)
    };
    let (status, headers, text) = answer(&mut service, with_origin(get(POLLING), "http://a.example")).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(headers["access-control-allow-origin"], "http://a.example");
    let target = format!("{POLLING}&sid={}", text.split('"').nth(3).expect("a sid"));
    for (request, expected) in [(request(Method::POST, &target, "4a"), "ok"), (get(&target), "4a")] {
        let (status, headers, text) = answer(&mut service, of_h2(request)).await;
        assert_eq!((status.as_u16(), &text[..]), (200, expected));
        assert!(!headers.contains_key("connection"), "{headers:?}");
    }
    // What ends a connection of HTTP/1.1 says nothing of it here.
    let (status, headers, _) = answer(&mut service, with_origin(get(POLLING), "http://b.example")).await;
    assert_eq!((status.as_u16(), headers.get("connection")), (400, None));
    // A WebSocket over HTTP/2 is asked for in this way.
    let websocket = request(
        Method::CONNECT,
        &target.replace("=polling", "=websocket"),
        Body::empty(),
    );
    assert_eq!(answer(&mut service, of_h2(websocket)).await.0, 400);
    assert_eq!(
        answer(&mut service, of_h2(request(Method::POST, &target, "4b")))
            .await
            .2,
        "ok"
    );
}

/// TLS is the layer's to know, or a trusted proxy's to say; the URI is whoever's.
#[tokio::test]
async fn a_uri_does_not_prove_tls() {
    let ask = async |layer: Layer<Tokio>| {
        let mut request = get(&format!("https://a{POLLING}"));
        let page = "https://a".parse().expect("a value");
        request.headers_mut().insert("origin", page);
        answer(&mut layer.into_service(), request).await.2
    };
    let telling = || {
        let builder = Server::builder().cors(Cors::when(|_, request| request.is_secure));
        echo(builder)
    };
    assert!(ask(telling()).await.contains("Bad request"));
    assert!(ask(telling().secure()).await.contains("sid"));
}

#[tokio::test]
async fn clients_of_version_3() {
    let mut service = echo(Server::builder().eio3(true)).into_service();
    let polling = "/engine.io/?EIO=3&transport=polling";
    let (status, _, text) = answer(&mut service, get(polling)).await;
    assert_eq!(status, 200, "{text}");
    let (length, packet) = text.split_once(':').expect("a length");
    assert!(packet.starts_with("0{\"sid\":"), "{text}");
    assert_eq!(length.parse(), Ok(packet.len()));
    let target = format!("{polling}&sid={}", packet.split('"').nth(3).expect("a sid"));
    assert_eq!(
        answer(&mut service, request(Method::POST, &target, "3:4aü1:2")).await.2,
        "ok"
    );
    let (_, _, text) = answer(&mut service, get(&target)).await;
    // The pong and the echo, in one answer or in two.
    let text = match text.contains("4aü") {
        true => text,
        false => text + &answer(&mut service, get(&target)).await.2,
    };
    assert_eq!(text, "1:33:4aü");
    let mut binary = request(Method::POST, &target, &b"\x01\x03\xff\x04\x01\x02"[..]);
    let octets = "application/octet-stream".parse().expect("a value");
    binary.headers_mut().insert("content-type", octets);
    assert_eq!(answer(&mut service, binary).await.2, "ok");
    assert_eq!(answer(&mut service, get(&target)).await.2, "6:b4AQI=");
    // A session is asked for in its own version.
    let other = target.replace("EIO=3", "EIO=4");
    assert_eq!(answer(&mut service, get(&other)).await.0, 400);
}

/// A service that is only ready where it was asked, as those behind a limit are.
struct Limited {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Limited {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            calls: self.calls.clone(),
        }
    }
}

impl tower_service::Service<Request<Body>> for Limited {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "it was not asked whether it is ready");
        self.calls.fetch_add(1, Ordering::Relaxed);
        assert_eq!(request.uri().path(), "/other");
        std::future::ready(Ok(Response::new(request.into_body())))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_called() {
    let calls = Arc::new(AtomicUsize::new(0));
    let inner = Limited {
        ready: false,
        calls: calls.clone(),
    };
    let service = echo(Server::builder()).layer(inner);
    assert_eq!(service.handle().stats().sessions, 0);
    for _ in 0..2 {
        let mut service = service.clone();
        for (target, body) in [(POLLING, None), ("/other", Some("as it came"))] {
            let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await;
            let Ok(response) = service
                .call(request(Method::GET, target, body.unwrap_or_default()))
                .await;
            let text = axum::body::to_bytes(Body::new(response.into_body()), 1000)
                .await
                .expect("a body");
            match body {
                Some(body) => assert_eq!(text, body),
                None => assert!(text.starts_with(b"0{")),
            }
        }
    }
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}
