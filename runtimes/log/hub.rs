//! What a server's hub sees, as lines of the log.

use std::boxed::Box;

use super::{Line, Pace, log};
use crate::runtime::app::App;
use crate::wire::{Sight, Witness};

/// Who writes down what a hub sees.
pub(crate) fn witness() -> Witness<App> {
    // One for each limit: whoever is refused by one of them must not hide that another is reached.
    let (sessions, of_address) = (Pace::default(), Pace::default());
    let (connections, from_address) = (Pace::default(), Pace::default());
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
            let (pace, what, option) = match (of_sessions, status) {
                (true, 429) => (&of_address, "sessions of one address", "max_sessions_per_address"),
                (true, _) => (&sessions, "sessions", "max_sessions"),
                (false, 429) => (
                    &from_address,
                    "connections from one address",
                    "max_connections_per_address",
                ),
                (false, _) => (&connections, "connections", "max_connections"),
            };
            let peer = peer.map(tracing::field::display);
            match pace.meet() {
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
