//! One request of the endpoint, from hyper's head to hyper's response.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;

use super::body::{Ours, Text};
use super::upgraded::UpgradedStream;
use super::{BoxError, Layer};
use crate::http::{Headers, RequestView, TlsInfo};
use crate::runtime::Runtime;
use crate::runtime::app::{App, BoxFuture};
use crate::runtime::driver::{ConnectionTask, Shared};
use crate::runtime::log::log;
use crate::wire::{Connection, ConnectionEvent, HostedHead, HostedRequest, Reply};

/// The headers as hyper has them. In HTTP/2 the host stands in the URI.
struct Heads<'a> {
    headers: &'a HeaderMap,
    authority: Option<&'a str>,
}

impl Headers for Heads<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        let value = self.headers.get(name).map(HeaderValue::as_bytes);
        value.or_else(|| {
            let is_host = name.eq_ignore_ascii_case(HOST.as_str());
            self.authority.filter(|_| is_host).map(str::as_bytes)
        })
    }

    fn each<'a>(&'a self, name: &str, see: &mut dyn FnMut(&'a [u8])) {
        let values = self.headers.get_all(name).iter();
        values.for_each(|value| see(value.as_bytes()));
    }
}

/// Whether a body follows: a GET with a body is no poll.
fn has_body(headers: &HeaderMap) -> bool {
    let empty = |length: &HeaderValue| length.as_bytes().iter().all(|&digit| digit == b'0');
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| !empty(length))
}

impl<R: Runtime> Layer<R> {
    /// Takes a request of the endpoint's; gives back all others.
    #[allow(
        clippy::result_large_err,
        reason = "what is given back is not worth an allocation each time"
    )]
    pub(super) fn take<B>(&self, mut request: Request<B>) -> Result<BoxFuture<Response<Ours>>, Request<B>>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let shared = &self.hosted.shared;
        let uri = request.uri();
        let heads = Heads {
            headers: request.headers(),
            authority: uri.authority().map(|authority| authority.as_str()),
        };
        let peer = (self.find_peer)(request.extensions());
        let tls = request.extensions().get::<TlsInfo>();
        let head = HostedHead {
            view: RequestView {
                method: request.method().as_str(),
                path: uri.path(),
                query: uri.query().unwrap_or_default(),
                headers: &heads,
                is_secure: self.is_secure || tls.is_some() || uri.scheme_str() == Some("https"),
                peer: None,
            },
            peer,
            tls,
            has_body: has_body(request.headers()),
            may_switch: request.extensions().get::<OnUpgrade>().is_some(),
        };
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
        let begun = HostedRequest::begin(&shared.hub, shared.hub.now(), &head, headers);
        let Some((hosted, event)) = begun else {
            return Err(request);
        };
        match event {
            Some(ConnectionEvent::Opened { cell, request, .. }) => shared.begin(cell, request),
            Some(ConnectionEvent::OriginRefused { origin }) => shared.note_refused_origin(&origin),
            _ => {}
        }
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let version = request.version();
        let body = request.into_body();
        Ok(Box::pin(answer(shared.clone(), hosted, body, upgrade, version)))
    }
}

/// Sees a request to its answer.
async fn answer<R, B>(
    shared: Arc<Shared<R>>,
    mut hosted: HostedRequest<App>,
    body: B,
    upgrade: Option<OnUpgrade>,
    version: Version,
) -> Response<Ours>
where
    R: Runtime,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    if hosted.wants_body() {
        match read(&shared, &hosted, body).await {
            Ok(body) => hosted.handle_body(shared.hub.now(), body),
            Err(status) => hosted.refuse_body(status),
        }
    } else {
        drop(body);
    }
    let mut reply = poll_fn(|cx| hosted.poll_reply(shared.hub.now(), cx.waker())).await;
    if let (Some((connection, first)), Some(upgrade)) = (reply.take_websocket(), upgrade) {
        let task = carry(shared.clone(), upgrade, connection, first);
        shared.runtime.spawn(shared.tasks.track(Box::pin(task)));
    }
    respond(reply, version)
}

/// Reads a body to its end, within the limits of its size and time.
///
/// # Errors
/// The status to answer with.
async fn read<R, B>(shared: &Shared<R>, hosted: &HostedRequest<App>, body: B) -> Result<Bytes, u16>
where
    R: Runtime,
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let max = hosted.max_body();
    if body.size_hint().lower() > max as u64 {
        return Err(413);
    }
    let mut late = pin!(shared.runtime.sleep_until(shared.hub.now() + hosted.body_timeout()));
    let mut body = pin!(body);
    let mut whole = Bytes::new();
    let mut parts = Vec::new();
    loop {
        let frame = poll_fn(|cx| match body.as_mut().poll_frame(cx) {
            Poll::Pending => late.as_mut().poll(cx).map(|()| Err(408_u16)),
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
        });
        let data = match frame.await? {
            None => break,
            Some(Ok(frame)) => frame.into_data(),
            Some(Err(error)) => {
                let error: BoxError = error.into();
                log!(debug, "a body can not be read: {error}");
                return Err(400);
            }
        };
        // Trailers have nothing to say.
        let Ok(mut data) = data else { continue };
        let length = data.remaining();
        if whole.len() + parts.len() + length > max {
            return Err(413);
        }
        if length == 0 {
            continue;
        }
        // Most bodies come in one piece, which needs no copy.
        if whole.is_empty() && parts.is_empty() {
            whole = data.copy_to_bytes(length);
            continue;
        }
        if parts.is_empty() {
            parts.extend_from_slice(&whole);
            whole = Bytes::new();
        }
        while data.has_remaining() {
            let length = data.chunk().len();
            parts.extend_from_slice(data.chunk());
            data.advance(length);
        }
    }
    Ok(if parts.is_empty() { whole } else { parts.into() })
}

/// Carries a session over a connection, once hyper has handed that over.
async fn carry<R: Runtime>(shared: Arc<Shared<R>>, upgrade: OnUpgrade, connection: Connection<App>, first: Vec<u8>) {
    match upgrade.await {
        Ok(upgraded) => {
            ConnectionTask::new(shared, UpgradedStream::new(upgraded), connection)
                .with_first(first)
                .await;
        }
        // The session is told when its connection is dropped.
        Err(error) => log!(debug, "a connection did not become a WebSocket: {error}"),
    }
}

fn respond(mut reply: Reply<App>, version: Version) -> Response<Ours> {
    let unwritten = reply.take_unwritten();
    let mut response = Response::new(Ours {
        text: Text::new(reply.body().clone()),
        unwritten,
    });
    *response.status_mut() = StatusCode::from_u16(reply.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    // HTTP/2 has no headers about connections.
    let of_connection = version <= Version::HTTP_11;
    let fitting = reply
        .headers()
        .filter(|(name, _)| of_connection || !name.eq_ignore_ascii_case(CONNECTION.as_str()));
    for (name, value) in fitting {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    response
}
