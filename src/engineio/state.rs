//! The transition tables: everything that decides which state follows is in this file, and the file does not know
//! whether it runs on a server or a client.
//!
//! Two small machines run side by side. [`Phase`] is the life of a session, [`Path`] is where its packets travel.
//! What is not in a table can not happen: the machines ask before they act, and answer a peer that wants the
//! impossible with a violation. The diagrams in `docs/architecture.md` are made from these tables by a test.

/// The life of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Known to both ends' transports, not yet to the application on the server's end.
    Accepting,
    /// Messages flow.
    Open,
    /// This end wants to stop: what is queued still goes out.
    Closing,
    /// Over. Nothing leaves this state.
    Closed,
}

/// What moves a session through its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhaseCause {
    /// The application (server) or the open packet (client) let the session begin.
    Accept,
    /// The application wants to end it in order.
    Close,
    /// It is over: refused, flushed, timed out, broken, closed by the peer, aborted.
    End,
}

/// Where the packets of a session travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// HTTP requests only.
    Polling,
    /// HTTP requests; a WebSocket was opened and has proved nothing yet.
    Probing,
    /// The WebSocket carried the probe both ways. Nothing is sent on either until it is decided.
    Probed,
    /// The WebSocket only, for the rest of the session.
    WebSocket,
}

/// What moves a session from one carrier to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathCause {
    /// A WebSocket was opened for a session that polls.
    Open,
    /// The probe went there and back.
    Probe,
    /// The upgrade packet.
    Upgrade,
    /// The WebSocket failed, proved unfit or took too long before the upgrade; or the session is closing.
    Fail,
}

/// The life of a session: from, cause, to.
pub const PHASES: &[(Phase, PhaseCause, Phase)] = &[
    (Phase::Accepting, PhaseCause::Accept, Phase::Open),
    (Phase::Accepting, PhaseCause::Close, Phase::Closed),
    (Phase::Accepting, PhaseCause::End, Phase::Closed),
    (Phase::Open, PhaseCause::Close, Phase::Closing),
    (Phase::Open, PhaseCause::End, Phase::Closed),
    (Phase::Closing, PhaseCause::End, Phase::Closed),
];

/// The way from polling to a WebSocket, and back where it fails: from, cause, to.
pub const PATHS: &[(Path, PathCause, Path)] = &[
    (Path::Polling, PathCause::Open, Path::Probing),
    (Path::Probing, PathCause::Probe, Path::Probed),
    (Path::Probing, PathCause::Fail, Path::Polling),
    (Path::Probed, PathCause::Upgrade, Path::WebSocket),
    (Path::Probed, PathCause::Fail, Path::Polling),
];

impl Phase {
    /// The phase that follows, or `None` where the cause means nothing in this phase.
    pub fn next(self, cause: PhaseCause) -> Option<Self> {
        look_up(PHASES, self, cause)
    }
}

impl Path {
    /// The path that follows, or `None` where the cause is not allowed on this path.
    pub fn next(self, cause: PathCause) -> Option<Self> {
        look_up(PATHS, self, cause)
    }
}

fn look_up<S: Copy + PartialEq, C: Copy + PartialEq>(table: &[(S, C, S)], from: S, cause: C) -> Option<S> {
    table
        .iter()
        .find(|row| row.0 == from && row.1 == cause)
        .map(|row| row.2)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use core::fmt::Debug;

    use super::*;

    fn diagram<S: Debug, C: Debug>(table: &[(S, C, S)]) -> String {
        let mut out = String::from("```mermaid\nstateDiagram-v2\n");
        for (from, cause, to) in table {
            out += &format!("    {from:?} --> {to:?}: {cause:?}\n");
        }
        out + "```\n"
    }

    /// The diagrams in the documentation are these tables. On failure, paste what the message shows.
    #[test]
    fn the_documentation_shows_these_tables() {
        let page = include_str!("../../docs/architecture.md");
        for diagram in [diagram(PHASES), diagram(PATHS)] {
            assert!(page.contains(&diagram), "docs/architecture.md lacks:\n{diagram}");
        }
    }

    #[test]
    fn each_question_has_one_answer() {
        for (index, (from, cause, _)) in PHASES.iter().enumerate() {
            assert!(!PHASES[..index].iter().any(|row| row.0 == *from && row.1 == *cause));
        }
        for (index, (from, cause, _)) in PATHS.iter().enumerate() {
            assert!(!PATHS[..index].iter().any(|row| row.0 == *from && row.1 == *cause));
        }
    }

    #[test]
    fn nothing_leaves_the_end() {
        assert!(PHASES.iter().all(|row| row.0 != Phase::Closed));
        assert!(PATHS.iter().all(|row| row.0 != Path::WebSocket));
    }
}
