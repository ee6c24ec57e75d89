//! What a server's hub sees, as lines of the log.

use core::time::Duration;
use std::boxed::Box;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::{Line, log};
use crate::runtime::app::App;
use crate::wire::{Sight, Witness};

/// How often the log tells that a limit is reached. Who comes then is refused by the thousand.
const PAUSE: Duration = Duration::from_secs(10);

/// Tells of a limit once, and later how often it was met since.
#[derive(Default)]
struct Limit(Mutex<(Option<Instant>, u64)>);

impl Limit {
    /// How many more were refused since the last time; `None` where it is not yet time to tell.
    fn meet(&self) -> Option<u64> {
        let (told, more) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| told.elapsed() < PAUSE) {
            *more += 1;
            return None;
        }
        *told = Some(Instant::now());
        Some(core::mem::take(more))
    }
}

/// Who writes down what a hub sees.
pub(crate) fn witness() -> Witness<App> {
    let (sessions, connections) = (Limit::default(), Limit::default());
    Box::new(move |sight| match sight {
        Sight::Upgraded(app) => app.log.upgraded(),
        Sight::UpgradeFailed(app) => app.log.upgrade_failed(),
        Sight::Closed(app, closed) => app.log.closed(closed),
        Sight::Violation(app, violation) => app.log.violated(violation),
        Sight::Refused { peer, status, reason } => {
            let peer = peer.map(tracing::field::display);
            log!(debug, "connection", status, peer, reason = %Line(reason), "request refused");
        }
        Sight::Declined { peer, status } => {
            let peer = peer.map(tracing::field::display);
            log!(info, "connection", status, peer, "request refused by the application");
        }
        Sight::Full {
            peer,
            status,
            sessions: of_sessions,
        } => {
            let (limit, what, option) = match (of_sessions, status) {
                (true, 429) => (&sessions, "sessions of one address", "max_sessions_per_address"),
                (true, _) => (&sessions, "sessions", "max_sessions"),
                (false, 429) => (
                    &connections,
                    "connections from one address",
                    "max_connections_per_address",
                ),
                (false, _) => (&connections, "connections", "max_connections"),
            };
            let peer = peer.map(tracing::field::display);
            match limit.meet() {
                Some(more_since) => log!(
                    warn,
                    "connection",
                    status,
                    peer,
                    limit = option,
                    more_since,
                    "there are as many {what} as there may be: who comes now is refused"
                ),
                None => log!(
                    debug,
                    "connection",
                    status,
                    peer,
                    limit = option,
                    "refused: too many {what}"
                ),
            }
        }
    })
}
