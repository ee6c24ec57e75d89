//! One socket of a client: one namespace, over all the connections that come and go.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::json::push_string;
use super::super::{Args, Json, Key};
use super::Event;
use super::queue::Emit;
use crate::engineio::Str;
use crate::time::Instant;

/// A last argument that is longer is no offset, and is not kept.
const MAX_OFFSET: usize = 256;

/// What a client shows to be let into a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// This JSON object, each time.
    Value(Json),
    /// The application is asked each time, by [`Event::AuthWanted`].
    Ask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There is no connection, or the server has yet to answer a CONNECT of a socket that was here before.
    Waiting,
    /// The application was asked for what to show.
    Authenticating,
    /// The CONNECT was sent.
    Connecting,
    Connected,
}

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) key: Key,
    pub(super) namespace: Str,
    pub(super) auth: Auth,
    pub(super) state: State,
    /// While joining: when to say that it takes long.
    pub(super) deadline: Option<Instant>,
    pub(super) sid: Option<Str>,
    /// What the server knows the socket's state by, if it keeps it, and the last event that was seen.
    pub(super) pid: Option<Str>,
    pub(super) offset: Option<Str>,
    /// The server knew both, the last time that it let the socket in.
    pub(super) recovered: bool,
    /// Counts the times that it was connected.
    pub(super) epoch: u64,
    /// What came before the answer to the CONNECT.
    pub(super) early: Vec<Event>,
    pub(super) early_cost: usize,
    /// What was emitted while it was not connected.
    pub(super) offline: VecDeque<Emit>,
    pub(super) retries: VecDeque<Retry>,
}

/// An event that is sent until it is acknowledged. Only the first of a socket's is on its way.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) emit: Emit,
    pub(super) tries: u32,
    pub(super) on_its_way: bool,
}

impl Socket {
    pub(super) fn new(key: Key, namespace: Str, auth: Auth) -> Self {
        Self {
            key,
            namespace,
            auth,
            state: State::Waiting,
            deadline: None,
            sid: None,
            pid: None,
            offset: None,
            recovered: false,
            epoch: 0,
            early: Vec::new(),
            early_cost: 0,
            offline: VecDeque::new(),
            retries: VecDeque::new(),
        }
    }

    /// The payload of a CONNECT: what the application shows, and where its state is to be taken up.
    pub(super) fn payload(&self, auth: Option<&Json>) -> Option<Json> {
        let Some(pid) = &self.pid else {
            return auth.cloned();
        };
        let mut out = String::from("{\"pid\":");
        push_string(pid, &mut out);
        if let Some(offset) = &self.offset {
            out.push_str(",\"offset\":");
            push_string(offset, &mut out);
        }
        // Of keys that come twice the last counts: the application's.
        let auth = auth.map_or("", |auth| auth.as_str().trim());
        let inner = auth.strip_prefix('{').map_or("", str::trim_start);
        match inner {
            "" | "}" => out.push('}'),
            inner => {
                out.push(',');
                out.push_str(inner);
            }
        }
        Some(Json::trusted(out.into()))
    }

    /// With connection state recovery, the last argument of an event says where it stands in the order of all.
    pub(super) fn note_offset(&mut self, args: &Args) {
        if self.pid.is_none() {
            return;
        }
        let last = args
            .iter()
            .last()
            .filter(|last| last.len() <= MAX_OFFSET && last.starts_with('"'));
        if let Some(last) = last {
            self.offset = Some(super::super::json::unescape(last).as_ref().into());
        }
    }

    /// What waits for a connection, or is kept to be sent again.
    pub(super) fn cost(&self) -> usize {
        let retries = self.retries.iter().map(|retry| &retry.emit);
        self.offline.iter().chain(retries).map(Emit::cost).sum()
    }

    pub(super) fn is_joining(&self) -> bool {
        matches!(self.state, State::Authenticating | State::Connecting)
    }

    pub(super) fn drop_early(&mut self) {
        self.early = Vec::new();
        self.early_cost = 0;
    }
}
