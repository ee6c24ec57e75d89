//! One keep-alive connection for requests of one kind, one at a time.

use core::time::Duration;
use std::vec::Vec;

use super::ConnectError;
use crate::engineio::ReqId;
use crate::time::Instant;
use crate::wire::http1::{MAX_RESPONSE_HEAD, Response, ResponseError, ResponseLimits, ResponseReader};

/// How long a connection may lie idle and still be used again, where the server does not say how long it keeps it. Many
/// keep theirs for 5 s. No request is ever repeated, so one that meets a connection's end would end the session.
const KEPT: Duration = Duration::from_secs(4);

/// The server's end of patience, less this, is ours.
const MARGIN: Duration = Duration::from_secs(1);

/// One keep-alive connection for requests of one kind, one at a time.
#[derive(Debug)]
pub(super) struct HttpLane {
    state: State,
    /// Waits for the stream.
    request: Option<(ReqId, Vec<u8>)>,
    /// Waits to be written.
    output: Vec<u8>,
    /// The stream has carried a request before this one.
    reused: bool,
    /// Whether a stream may carry more than one request.
    keeps: bool,
    max_body: usize,
}

#[derive(Debug)]
enum State {
    None,
    /// A stream is wanted, and nobody has begun to connect it.
    Wanted,
    Connecting,
    /// The next request may have the stream, until this time.
    Idle(Instant),
    Busy(ReqId, ResponseReader),
}

/// The end of a request.
pub(super) struct Done {
    pub(super) req: ReqId,
    pub(super) result: Result<Response, ConnectError>,
}

impl HttpLane {
    pub(super) fn new(max_body: usize, keeps: bool) -> Self {
        Self {
            keeps,
            state: State::None,
            request: None,
            output: Vec::new(),
            reused: false,
            max_body,
        }
    }

    /// Makes a request, whose bytes these are.
    pub(super) fn begin(&mut self, now: Instant, req: ReqId, bytes: Vec<u8>) {
        match self.state {
            State::Idle(until) if now < until => self.start(req, bytes, true),
            _ => {
                self.request = Some((req, bytes));
                self.state = State::Wanted;
            }
        }
    }

    fn start(&mut self, req: ReqId, bytes: Vec<u8>, reused: bool) {
        self.reused = reused;
        self.output = bytes;
        let limits = ResponseLimits {
            max_head: MAX_RESPONSE_HEAD,
            max_body: self.max_body,
        };
        // Both kinds of request, GET and POST, are answered with a body.
        self.state = State::Busy(req, ResponseReader::new(limits, "GET"));
    }

    pub(super) fn poll_connect(&mut self) -> bool {
        let wanted = matches!(self.state, State::Wanted);
        if wanted {
            self.state = State::Connecting;
        }
        wanted
    }

    /// Whether another stream is wanted than the one that there may be.
    #[cfg(feature = "tls")]
    pub(super) fn wants_another(&self) -> bool {
        matches!(self.state, State::Wanted)
    }

    pub(super) fn wants_stream(&self) -> bool {
        !matches!(self.state, State::None)
    }

    pub(super) fn handle_connected(&mut self) {
        if !matches!(self.state, State::Connecting) {
            return;
        }
        match self.request.take() {
            Some((req, bytes)) => self.start(req, bytes, false),
            None => self.state = State::None,
        }
    }

    pub(super) fn handle_input(&mut self, now: Instant, mut bytes: &[u8]) -> Option<Done> {
        // It answers nothing: what a server says to a stream that was idle for too long (408), or to every new one (503).
        let unasked = !self.output.is_empty();
        if unasked && self.start_over() {
            return None;
        }
        let (req, reader) = match &mut self.state {
            State::Busy(req, reader) => (*req, reader),
            State::Idle(_) => {
                // Nobody has asked for anything.
                self.state = State::None;
                return None;
            }
            // It comes from a stream that is about to be dropped.
            State::None | State::Wanted | State::Connecting => return None,
        };
        let result = reader.read(&mut bytes).transpose()?;
        self.state = match &result {
            Ok(response) if self.keeps && response.keep_alive && bytes.is_empty() && !unasked => {
                let kept = response
                    .idle_timeout
                    .map_or(KEPT, |theirs| theirs.saturating_sub(MARGIN));
                State::Idle(now + kept)
            }
            _ => State::None,
        };
        let result = match result {
            Ok(response) if unasked && response.status < 300 => Err(ResponseError::Malformed.into()),
            result => result.map_err(ConnectError::from),
        };
        if unasked {
            self.output = Vec::new();
        }
        Some(Done { req, result })
    }

    /// The end of a stream that was idle may come when the next request is there, and not written yet. That one is made on
    /// another stream: nothing is repeated by it. Whether it was one.
    fn start_over(&mut self) -> bool {
        let State::Busy(req, _) = &self.state else { return false };
        if self.output.is_empty() || !self.reused {
            return false;
        }
        self.request = Some((*req, core::mem::take(&mut self.output)));
        self.state = State::Wanted;
        true
    }

    /// The server's sending has ended.
    pub(super) fn handle_end(&mut self) -> Option<Done> {
        if self.start_over() {
            return None;
        }
        if matches!(self.state, State::Wanted | State::Connecting) {
            // The end of a stream that is about to be dropped.
            return None;
        }
        let State::Busy(req, mut reader) = core::mem::replace(&mut self.state, State::None) else {
            return None;
        };
        let result = reader.handle_end().map_err(ConnectError::from).transpose()?;
        Some(Done { req, result })
    }

    /// The stream could not be connected, or broke.
    pub(super) fn handle_failure(&mut self, error: ConnectError) -> Option<Done> {
        if self.start_over() {
            return None;
        }
        let req = match core::mem::replace(&mut self.state, State::None) {
            State::Busy(req, _) => req,
            State::Connecting => self.request.take()?.0,
            State::Wanted => {
                // That was the stream before the one that is wanted.
                self.state = State::Wanted;
                return None;
            }
            State::None | State::Idle(_) => return None,
        };
        Some(Done {
            req,
            result: Err(error),
        })
    }

    /// Whatever is under way is not wanted any more.
    pub(super) fn cancel(&mut self) {
        self.state = State::None;
        self.request = None;
        self.output = Vec::new();
    }

    /// Moves out what waits to be written; answers which request it is.
    pub(super) fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<ReqId> {
        if self.output.is_empty() {
            return None;
        }
        if out.is_empty() {
            core::mem::swap(out, &mut self.output);
        } else {
            out.append(&mut self.output);
        }
        self.output = Vec::new();
        match &self.state {
            State::Busy(req, _) => Some(*req),
            _ => None,
        }
    }
}
