//! What the log says of one session of a server.

use core::fmt;
use core::net::SocketAddr;

#[cfg(feature = "tracing")]
use super::Scope;
use super::log;
use crate::engineio::{CloseReason, Closed, Sid, Transport};

/// What the log knows of a session. Without the feature `tracing` that is nothing; with it, nothing is allocated where nobody
/// wants to see the session's span.
#[derive(Debug, Default)]
pub(crate) struct SessionLog {
    #[cfg(feature = "tracing")]
    life: std::sync::OnceLock<std::boxed::Box<Life>>,
}

#[cfg(feature = "tracing")]
#[derive(Debug)]
struct Life {
    scope: Scope,
    peer: Option<SocketAddr>,
    /// The log is read by people: their clock, and not the driver's.
    begun: std::time::Instant,
}

#[cfg(feature = "tracing")]
impl SessionLog {
    /// A client wants a session. Its span stands alone: it outlives the connection that has asked for it.
    pub(crate) fn begin(&self, sid: &Sid, peer: Option<SocketAddr>) {
        let span = tracing::info_span!(
            target: "sansocket::engineio::server",
            parent: None,
            "session",
            sid = super::of_sid(sid),
            peer = peer.map(tracing::field::display),
        );
        let scope = Scope::of(span);
        if scope.is_seen() {
            let life = Life {
                scope,
                peer,
                begun: std::time::Instant::now(),
            };
            // It begins once.
            let _first = self.life.set(std::boxed::Box::new(life));
        }
    }

    /// Runs code in the session's span.
    pub(crate) fn run<T>(&self, code: impl FnOnce() -> T) -> T {
        match self.life.get() {
            Some(life) => life.scope.run(code),
            None => code(),
        }
    }

    fn peer(&self) -> Option<tracing::field::DisplayValue<SocketAddr>> {
        self.life.get()?.peer.map(tracing::field::display)
    }

    fn millis(&self) -> Option<u64> {
        let millis = self.life.get()?.begun.elapsed().as_millis();
        Some(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

#[cfg(not(feature = "tracing"))]
#[allow(clippy::unused_self, reason = "as with the feature")]
impl SessionLog {
    pub(crate) const fn begin(&self, _sid: &Sid, _peer: Option<SocketAddr>) {}

    pub(crate) fn run<T>(&self, code: impl FnOnce() -> T) -> T {
        code()
    }

    const fn peer(&self) -> Option<u64> {
        None
    }

    const fn millis(&self) -> Option<u64> {
        None
    }
}

#[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "nobody witnesses anything"))]
impl SessionLog {
    /// The application has let it in.
    pub(crate) fn opened(&self, transport: Transport) {
        let transport = transport.as_str();
        self.run(|| {
            log!(
                info,
                "engineio::server",
                transport = transport,
                peer = self.peer(),
                "session opened"
            )
        });
    }

    /// The application has not.
    pub(crate) fn refused(&self, status: u16) {
        self.run(|| {
            log!(
                info,
                "engineio::server",
                status = status,
                peer = self.peer(),
                "session refused by the application"
            )
        });
    }

    /// It has moved from polling to its WebSocket.
    pub(crate) fn upgraded(&self) {
        self.run(|| log!(info, "engineio::server", transport = "websocket", "session upgraded"));
    }

    /// It has not, and goes on with polling.
    pub(crate) fn upgrade_failed(&self) {
        self.run(|| {
            log!(
                info,
                "engineio::server",
                transport = "polling",
                "session not upgraded, it goes on with polling"
            )
        });
    }

    /// The client has broken the rules.
    pub(crate) fn violated(&self, violation: &dyn fmt::Display) {
        self.run(
            || log!(debug, "engineio::server", violation = %super::Line(violation), "the client broke the protocol"),
        );
    }

    /// It is over.
    pub(crate) fn closed(&self, closed: Closed) {
        let reason = closed.reason.as_str();
        self.run(|| match closed.reason {
            // It never was open, which was said.
            CloseReason::Refused => log!(debug, "engineio::server", reason = reason, "session closed"),
            _ => log!(
                info,
                "engineio::server",
                reason = reason,
                unsent = closed.unsent,
                in_doubt = closed.in_doubt,
                duration_ms = self.millis(),
                "session closed"
            ),
        });
    }
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_where_nobody_looks() {
        let quiet = tracing::subscriber::NoSubscriber::default();
        tracing::subscriber::with_default(quiet, || {
            let log = SessionLog::default();
            log.begin(&Sid::from_entropy([7; 15]), Some(([127, 0, 0, 1], 1).into()));
            assert!(log.life.get().is_none());
            assert_eq!(log.run(|| 7), 7);
        });
    }
}
