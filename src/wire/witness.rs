//! What a hub sees that a log should tell. It writes none itself: a driver does.

use core::fmt::Display;
use core::net::IpAddr;

use crate::engineio::Closed;
#[cfg(feature = "tracing")]
use crate::engineio::state::Phase;
#[cfg(feature = "tracing")]
use crate::engineio::{Session, Transport};

/// Something that a log should tell. `E` is what the driver keeps beside the session.
#[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "nobody looks"))]
pub(crate) enum Sight<'a, E> {
    /// The session has moved to its WebSocket.
    Upgraded(&'a E),
    /// It has not, and goes on with polling.
    UpgradeFailed(&'a E),
    /// It is over.
    Closed(&'a E, Closed),
    /// Its client has broken the rules.
    Violation(&'a E, &'a dyn Display),
    /// A request that the endpoint does not serve, whatever the application thinks.
    Refused {
        peer: Option<IpAddr>,
        status: u16,
        reason: &'a dyn Display,
    },
    /// A request that a function of the application's does not want.
    Declined { peer: Option<IpAddr>, status: u16 },
    /// There are as many sessions, or connections, as there may be.
    Full {
        peer: Option<IpAddr>,
        status: u16,
        sessions: bool,
    },
}

/// Is shown what there is to see; no lock is held meanwhile.
#[cfg(feature = "tracing")]
pub(crate) type Witness<E> = std::boxed::Box<dyn Fn(Sight<'_, E>) + Send + Sync>;

/// Whether anybody listens to what changes in a session, which is told at the level of info. It is asked with each message,
/// and costs a look at one number.
#[cfg(feature = "tracing")]
pub(super) fn is_awake() -> bool {
    use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
    STATIC_MAX_LEVEL >= LevelFilter::INFO && LevelFilter::current() >= LevelFilter::INFO
}

/// What a session looked like before something happened to it.
#[cfg(feature = "tracing")]
#[derive(Clone, Copy)]
pub(super) struct Glimpse {
    transport: Transport,
    probing: bool,
    closed: bool,
}

/// What has become of it.
#[cfg(feature = "tracing")]
#[derive(Default)]
pub(super) struct Change {
    upgraded: bool,
    upgrade_failed: bool,
    closed: Option<Closed>,
}

#[cfg(feature = "tracing")]
impl Glimpse {
    pub(super) fn of(session: &Session) -> Self {
        Self {
            transport: session.transport(),
            probing: session.is_probing(),
            closed: session.closed().is_some(),
        }
    }

    pub(super) fn compare(self, session: &Session) -> Change {
        let transport = session.transport();
        Change {
            upgraded: self.transport != transport,
            // One that is closing has given it up.
            upgrade_failed: self.probing
                && !session.is_probing()
                && transport == Transport::Polling
                && session.phase() == Phase::Open,
            closed: session.closed().filter(|_| !self.closed),
        }
    }
}

#[cfg(feature = "tracing")]
impl Change {
    pub(super) fn show<E>(self, witness: &Witness<E>, extra: &E) {
        if self.upgraded {
            witness(Sight::Upgraded(extra));
        }
        if self.upgrade_failed {
            witness(Sight::UpgradeFailed(extra));
        }
        if let Some(closed) = self.closed {
            witness(Sight::Closed(extra, closed));
        }
    }
}
