//! Spans: whose doing a line of the log is.

use core::future::Future;
use core::net::SocketAddr;

/// A span, in which code is run. Without the feature `tracing` it is nothing, and takes no room.
///
/// It is entered only while code runs that does not wait: a future, each time that it is polled.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

#[cfg(feature = "tracing")]
impl Scope {
    pub(super) fn of(span: tracing::Span) -> Self {
        Self { span }
    }

    /// None.
    pub(crate) fn none() -> Self {
        Self::of(tracing::Span::none())
    }

    /// The one in which this is called, for code that goes on elsewhere.
    pub(crate) fn current() -> Self {
        Self::of(tracing::Span::current())
    }

    /// One TCP connection of a server.
    pub(crate) fn connection(peer: SocketAddr) -> Self {
        Self::of(tracing::debug_span!(target: "sansocket::connection", parent: None, "connection", %peer))
    }

    /// One client, with all its sessions. `server` is the host of its URL, perhaps with a port, and nothing else of it.
    pub(crate) fn client(server: &str) -> Self {
        Self::of(tracing::info_span!(target: "sansocket::engineio::client", "client", server = ?server))
    }

    /// One client of a Socket.IO server in one namespace, inside of its session.
    pub(crate) fn socket(namespace: &str, id: &str) -> Self {
        let id = super::prefix(id);
        Self::of(
            tracing::info_span!(target: "sansocket::socketio::server", "socket", namespace = ?super::cut(namespace), id),
        )
    }

    /// Whether anybody wants to see it.
    pub(super) fn is_seen(&self) -> bool {
        !self.span.is_disabled()
    }

    /// Runs code in it.
    pub(crate) fn run<T>(&self, code: impl FnOnce() -> T) -> T {
        self.span.in_scope(code)
    }

    /// A future that runs in it.
    pub(crate) fn around<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        tracing::Instrument::instrument(future, self.span.clone())
    }
}

#[cfg(not(feature = "tracing"))]
#[allow(clippy::unused_self, reason = "as with the feature")]
impl Scope {
    pub(crate) const fn none() -> Self {
        Self {}
    }

    pub(crate) const fn current() -> Self {
        Self {}
    }

    pub(crate) const fn connection(_peer: SocketAddr) -> Self {
        Self {}
    }

    pub(crate) const fn client(_server: &str) -> Self {
        Self {}
    }

    pub(crate) const fn socket(_namespace: &str, _id: &str) -> Self {
        Self {}
    }

    pub(crate) fn run<T>(&self, code: impl FnOnce() -> T) -> T {
        code()
    }

    pub(crate) const fn around<F: Future>(&self, future: F) -> F {
        future
    }
}
