//! What the log says of the sessions of a client.

use crate::wire::client::Connection;

/// What was told of a client's session. Without the feature `tracing` that is nothing.
#[derive(Debug, Default)]
pub(crate) struct ClientLog {
    #[cfg(feature = "tracing")]
    told: Told,
}

#[cfg(feature = "tracing")]
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    opened: bool,
    probing: bool,
    upgraded: bool,
    closed: bool,
}

/// Lines that are ready to be written.
#[must_use = "it writes nothing before it is told to"]
pub(crate) struct News {
    #[cfg(feature = "tracing")]
    lines: std::vec::Vec<Line>,
}

#[cfg(feature = "tracing")]
enum Line {
    Opened {
        sid: std::string::String,
        transport: crate::engineio::Transport,
    },
    Upgraded,
    UpgradeFailed(Option<std::string::String>),
    Closed {
        closed: crate::engineio::Closed,
        opened: bool,
        error: Option<std::string::String>,
    },
}

#[cfg(feature = "tracing")]
impl ClientLog {
    /// Looks at a session, under its lock; what is new is to be [written](News::write) without.
    pub(crate) fn look(&mut self, connection: &Connection) -> News {
        use std::string::ToString;

        use crate::engineio::Transport;

        let told = &mut self.told;
        let machine = connection.look();
        let mut lines = std::vec::Vec::new();
        let (transport, closed) = (machine.transport(), machine.closed());
        // Servers name the session that they do not know.
        let sid = machine.handshake().map(|handshake| &handshake.sid);
        let masked = |text: std::string::String| match sid {
            Some(sid) => text.replace(sid.as_str(), super::of_sid(sid)),
            None => text,
        };
        let text = |error: Option<&crate::wire::client::ConnectError>| error.map(|error| masked(error.to_string()));
        let [error, upgrade_error] = connection.errors();
        if let Some(handshake) = machine.handshake().filter(|_| !told.opened) {
            told.opened = true;
            told.upgraded = transport == Transport::WebSocket;
            let sid = super::of_sid(&handshake.sid).to_string();
            lines.push(Line::Opened { sid, transport });
        }
        if told.opened && !told.upgraded && transport == Transport::WebSocket {
            told.upgraded = true;
            lines.push(Line::Upgraded);
        }
        let gave_up = told.probing && !machine.is_probing() && !told.upgraded && closed.is_none();
        if gave_up && machine.phase() == crate::engineio::state::Phase::Open {
            lines.push(Line::UpgradeFailed(text(upgrade_error)));
        }
        told.probing = machine.is_probing();
        if let Some(closed) = closed.filter(|_| !told.closed) {
            told.closed = true;
            lines.push(Line::Closed {
                closed,
                opened: told.opened,
                error: text(error),
            });
        }
        News { lines }
    }

    /// Another session has begun.
    pub(crate) fn begin(&mut self) {
        self.told = Told::default();
    }
}

#[cfg(feature = "tracing")]
impl News {
    pub(crate) fn write(self) {
        use super::{Line as Escaped, log};

        for line in self.lines {
            match line {
                Line::Opened { sid, transport } => {
                    // The server has chosen it.
                    log!(info, "engineio::client", sid = ?sid, transport = transport.as_str(), "session opened");
                }
                Line::Upgraded => {
                    log!(info, "engineio::client", transport = "websocket", "session upgraded");
                }
                Line::UpgradeFailed(error) => {
                    let error = error.map(|error| tracing::field::display(Escaped(error)));
                    let transport = "polling";
                    log!(
                        info,
                        "engineio::client",
                        transport,
                        error,
                        "session not upgraded, it goes on with polling"
                    );
                }
                Line::Closed { closed, opened, error } => {
                    let error = error.map(|error| tracing::field::display(Escaped(error)));
                    let (reason, unsent, in_doubt) = (closed.reason.as_str(), closed.unsent, closed.in_doubt);
                    match opened {
                        true => log!(
                            info,
                            "engineio::client",
                            reason,
                            unsent,
                            in_doubt,
                            error,
                            "session closed"
                        ),
                        false => log!(info, "engineio::client", reason, error, "no session could be opened"),
                    }
                }
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
#[allow(
    clippy::unused_self,
    clippy::needless_pass_by_ref_mut,
    reason = "as with the feature"
)]
impl ClientLog {
    pub(crate) const fn look(&mut self, _connection: &Connection) -> News {
        News {}
    }

    pub(crate) const fn begin(&mut self) {}
}

#[cfg(not(feature = "tracing"))]
impl News {
    pub(crate) const fn write(self) {}
}
