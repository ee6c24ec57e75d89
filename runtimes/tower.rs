//! Inside of other people's applications: a [`Layer`] and a [`Service`] for hyper, axum, tonic and whatever else speaks
//! `tower`. Their HTTP server reads requests and writes responses, on their port and under their TLS; what is below the
//! endpoint's path is served here, and everything else goes to the service within.
//!
#![cfg_attr(feature = "tokio", doc = "```no_run")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! use axum::{Router, routing::get};
//! use sansocket::tokio::socketio::Server;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let io = Server::new();
//! io.of("/").on("say", |socket, text: String| async move { socket.broadcast().emit("said", &text).await });
//!
//! let app = Router::new().route("/health", get(|| async { "ok" })).layer(io.layer()?);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `docs/inside-other-apps.md` is the guide: several servers, addresses of clients, shutdown, what is whose.
//!
//! A layer comes from [`Server::layer`](super::socketio::Server::layer) or from
//! [`Builder::layer`](super::engineio::Builder::layer). Sessions, deadlines, limits of bodies and WebSockets are the same as
//! those of a server that listens itself; limits of heads and of connections are the HTTP server's.

mod body;
mod request;
mod upgraded;

use core::fmt;
use core::future::{Future, Ready, ready};
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, Request, Response};

use super::Runtime;
use super::app::BoxFuture;
use super::engineio::{Builder, Events, Handle, Hosted, Socket};
use crate::error::Result;
use body::Ours;
pub use body::{Body, Text};

/// Any error.
type BoxError = std::boxed::Box<dyn core::error::Error + Send + Sync>;

type FindPeer = dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync;

/// Puts a server around a service. Cheap to clone; when the last clone is gone, and the last [`Service`] made with it, the
/// server ends, as one does whose `serve` is dropped.
pub struct Layer<R: Runtime> {
    hosted: Arc<Hosted<R>>,
    find_peer: Arc<FindPeer>,
    is_secure: bool,
}

impl<R: Runtime> Clone for Layer<R> {
    fn clone(&self) -> Self {
        Self {
            hosted: self.hosted.clone(),
            find_peer: self.find_peer.clone(),
            is_secure: self.is_secure,
        }
    }
}

impl<R: Runtime> fmt::Debug for Layer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("handle", &self.hosted.handle)
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> Layer<R> {
    pub(super) fn new(hosted: Hosted<R>) -> Self {
        Self {
            hosted: Arc::new(hosted),
            find_peer: Arc::new(|extensions| extensions.get::<SocketAddr>().copied()),
            is_secure: false,
        }
    }

    /// The Engine.IO server from outside. Shut it down before the application stops to accept connections: HTTP servers wait
    /// for polls that are under way, and know nothing of WebSockets.
    pub fn handle(&self) -> Handle {
        self.hosted.handle.clone()
    }

    /// Where a request has the address of the other end of its connection. Unless this is called: in its extensions, as a
    /// [`SocketAddr`]. axum has it as `ConnectInfo`:
    ///
    #[cfg_attr(feature = "tokio", doc = "```no_run")]
    #[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
    /// use std::net::SocketAddr;
    ///
    /// use axum::{Router, extract::ConnectInfo};
    /// use sansocket::tokio::socketio::Server;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = Server::new().layer()?.peer_in::<ConnectInfo<SocketAddr>>();
    /// let app = Router::new().layer(layer).into_make_service_with_connect_info::<SocketAddr>();
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// axum::serve(listener, app).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A peer that is not known has the address `0.0.0.0:0`, is no trusted proxy, and is not counted by the limits for one
    /// address.
    #[must_use]
    pub fn peer_in<T>(self) -> Self
    where
        T: core::ops::Deref<Target = SocketAddr> + Clone + Send + Sync + 'static,
    {
        self.peer_with(|extensions| extensions.get::<T>().map(|peer| **peer))
    }

    /// The same, where it is none of these.
    #[must_use]
    pub fn peer_with(mut self, find: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static) -> Self {
        self.find_peer = Arc::new(find);
        self
    }

    /// The HTTP server has TLS: pages of the same host are then those of `https`. Otherwise a request tells by its URI, by a
    /// [`TlsInfo`](crate::http::TlsInfo) in its extensions (which connect handlers are shown) or, of a trusted proxy, by its
    /// headers.
    #[must_use]
    pub fn secure(mut self) -> Self {
        self.is_secure = true;
        self
    }

    /// A service with nothing within: other paths get 404.
    pub fn into_service(self) -> Service<R, NotFound> {
        Service {
            layer: self,
            inner: NotFound,
        }
    }
}

impl<R: Runtime, S> tower_layer::Layer<S> for Layer<R> {
    type Service = Service<R, S>;

    fn layer(&self, inner: S) -> Service<R, S> {
        Service {
            layer: self.clone(),
            inner,
        }
    }
}

/// A server, and the service within it, which has all other paths.
pub struct Service<R: Runtime, S> {
    layer: Layer<R>,
    inner: S,
}

impl<R: Runtime, S: Clone> Clone for Service<R, S> {
    fn clone(&self) -> Self {
        Self {
            layer: self.layer.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<R: Runtime, S: fmt::Debug> fmt::Debug for Service<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<R, S, B, T> tower_service::Service<Request<B>> for Service<R, S>
where
    R: Runtime,
    S: tower_service::Service<Request<B>, Response = Response<T>>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body<T>>;
    type Error = S::Error;
    type Future = Responding<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let kind = match self.layer.take(request) {
            Ok(future) => Kind::Ours { future },
            Err(request) => Kind::Theirs {
                future: self.inner.call(request),
            },
        };
        Responding { kind }
    }
}

pin_project_lite::pin_project! {
    /// The response of a [`Service`], on its way.
    pub struct Responding<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project_lite::pin_project! {
    #[project = KindProjection]
    enum Kind<F> {
        Ours { future: BoxFuture<Response<Ours>> },
        Theirs { #[pin] future: F },
    }
}

impl<F> fmt::Debug for Responding<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Responding")
    }
}

impl<F, T, E> Future for Responding<F>
where
    F: Future<Output = Result<Response<T>, E>>,
{
    type Output = Result<Response<Body<T>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Ours { future } => future.as_mut().poll(cx).map(|response| Ok(response.map(Body::ours))),
            KindProjection::Theirs { future } => future.poll(cx).map_ok(|response| response.map(Body::theirs)),
        }
    }
}

/// Answers every request with 404.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotFound;

impl<B> tower_service::Service<Request<B>> for NotFound {
    type Response = Response<Text>;
    type Error = core::convert::Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<B>) -> Self::Future {
        let mut response = Response::new(Text::new(Bytes::from_static(b"Not Found")));
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        let plain = http::HeaderValue::from_static("text/plain");
        response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
        ready(Ok(response))
    }
}

impl<R: Runtime, D: Send + Sync + 'static> Builder<R, D> {
    /// Serves inside of an application of hyper's, axum's or any other that speaks `tower`, and runs `handler` for each
    /// session as [`Server::serve`](super::engineio::Server::serve) does: see [`tower`](crate::runtime::tower). The server
    /// runs from now on, on its runtime, where this must be called.
    ///
    /// # Errors
    /// [`Error::Unusable`](crate::Error::Unusable) for options that can not be used, among them a fallback and TLS, which
    /// are the application's.
    pub fn layer<F, Fut>(self, handler: F) -> Result<Layer<R>>
    where
        F: Fn(Socket<D>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        Hosted::accepting(self, handler, ()).map(Layer::new)
    }
}

impl<R: Runtime, D: Send + Sync + 'static> Builder<R, D, Events<D>> {
    /// The same with the handlers that were set: see [`on_message`](Self::on_message).
    ///
    /// # Errors
    /// [`Error::Unusable`](crate::Error::Unusable) for options that can not be used, among them a fallback and TLS, which
    /// are the application's.
    pub fn layer(self) -> Result<Layer<R>> {
        Hosted::events(self).map(Layer::new)
    }
}
