//! What is between a stream and what is spoken on it: a proxy's tunnel, TLS.

use std::boxed::Box;
use std::io;
use std::mem;
use std::vec::Vec;

use super::error::Refused;
use super::{ConnectError, Connection, Options, StreamId};
use crate::time::Instant;
use crate::wire::http1::{MAX_RESPONSE_HEAD, RequestWriter, ResponseLimits, ResponseReader};
use crate::wire::tls::{Connector, TlsConnection};

/// The body of a proxy's answer that is no tunnel.
const MAX_REFUSAL: usize = 64 * 1024;

/// What is between a stream and what is spoken on it.
#[derive(Debug, Default)]
pub(super) enum Way {
    /// To a server without TLS nothing has to be. To others there is no stream, or none that is of any use: nothing that is
    /// meant for TLS goes or comes without it.
    #[default]
    Nothing,
    /// The proxy is asked for a tunnel, through which TLS goes.
    Tunnel(Box<Tunnel>),
    Tls(Box<TlsConnection>),
}

#[derive(Debug)]
pub(super) struct Tunnel {
    reader: ResponseReader,
    output: Vec<u8>,
}

impl Tunnel {
    fn new(options: &Options) -> Self {
        let authority = options.target.authority_with_port();
        let mut output = Vec::new();
        let mut request = RequestWriter::new(&mut output, "CONNECT", &authority);
        request.header("Host", &authority);
        if let Some(credentials) = options.proxy.as_ref().and_then(|proxy| proxy.credentials()) {
            request.header("Proxy-Authorization", credentials);
        }
        request.no_body();
        let limits = ResponseLimits {
            max_head: MAX_RESPONSE_HEAD,
            max_body: MAX_REFUSAL,
        };
        let reader = ResponseReader::new(limits, "CONNECT");
        Self { reader, output }
    }

    /// Whether there is a tunnel; what the server says already is left in `bytes`.
    fn read(&mut self, bytes: &mut &[u8]) -> Result<bool, ConnectError> {
        match self.reader.read(bytes)? {
            None => Ok(false),
            Some(response) if (200..300).contains(&response.status) => Ok(true),
            Some(response) => Err(ConnectError::Refused(Refused::new(&response))),
        }
    }

    fn handle_end(&mut self) -> ConnectError {
        match self.reader.handle_end() {
            Ok(Some(response)) => ConnectError::Refused(Refused::new(&response)),
            Ok(None) => ConnectError::Http(crate::wire::http1::ResponseError::NothingCame),
            Err(error) => error.into(),
        }
    }
}

fn by_proxy(error: ConnectError) -> ConnectError {
    ConnectError::Proxy(Box::new(error))
}

impl Options {
    fn start_tls(&self) -> Result<Way, ConnectError> {
        let connector = match &self.tls {
            Some(connector) => connector.clone(),
            None => {
                Connector::platform().map_err(|error| ConnectError::io("cannot connect", io::Error::other(error)))?
            }
        };
        let connection = connector.connect(self.target.host()).map_err(ConnectError::Tls)?;
        Ok(Way::Tls(Box::new(connection)))
    }
}

impl Connection {
    fn way(&mut self, id: StreamId) -> &mut Way {
        &mut self.ways[id as usize]
    }

    /// Whether a stream is spoken on as it is.
    fn is_bare(&self, id: StreamId) -> bool {
        matches!(self.ways[id as usize], Way::Nothing) && !self.options.is_secure()
    }

    /// The stream that there was is of no use any more.
    pub(super) fn forget_way(&mut self, id: StreamId) {
        self.stuck[id as usize] = false;
        *self.way(id) = Way::Nothing;
    }

    /// A stream is connected, on which there is nothing yet.
    pub(super) fn begin_way(&mut self, now: Instant, id: StreamId) {
        if !self.options.is_secure() {
            return;
        }
        if self.options.is_proxied() {
            *self.way(id) = Way::Tunnel(Box::new(Tunnel::new(&self.options)));
        } else {
            self.begin_tls(now, id);
        }
    }

    fn begin_tls(&mut self, now: Instant, id: StreamId) {
        match self.options.start_tls() {
            Ok(way) => *self.way(id) = way,
            Err(error) => {
                self.forget_way(id);
                self.fail(now, id, error);
            }
        }
    }

    pub(super) fn handle_input_on_way(&mut self, now: Instant, id: StreamId, bytes: &[u8]) {
        if self.is_bare(id) {
            return self.deliver(now, id, bytes);
        }
        match &mut self.ways[id as usize] {
            Way::Nothing => {}
            Way::Tls(_) => self.handle_records(now, id, bytes),
            Way::Tunnel(tunnel) => {
                let mut rest = bytes;
                match tunnel.read(&mut rest) {
                    Ok(false) => {}
                    Ok(true) => {
                        self.begin_tls(now, id);
                        self.handle_records(now, id, rest);
                    }
                    Err(error) => {
                        self.forget_way(id);
                        self.fail(now, id, by_proxy(error));
                    }
                }
            }
        }
    }

    fn handle_records(&mut self, now: Instant, id: StreamId, bytes: &[u8]) {
        let Way::Tls(tls) = self.way(id) else { return };
        if tls.has_ended() {
            return;
        }
        let mut plain = Vec::new();
        let read = tls.handle_input(bytes, &mut plain);
        let has_ended = tls.has_ended();
        if !plain.is_empty() {
            self.deliver(now, id, &plain);
        }
        match read {
            Ok(()) if has_ended => self.end(now, id),
            Ok(()) => {}
            Err(error) => self.fail(now, id, ConnectError::Tls(error)),
        }
    }

    pub(super) fn handle_end_on_way(&mut self, now: Instant, id: StreamId) {
        if self.is_bare(id) {
            return self.end(now, id);
        }
        match mem::take(self.way(id)) {
            Way::Nothing => {}
            Way::Tunnel(mut tunnel) => self.fail(now, id, by_proxy(tunnel.handle_end())),
            Way::Tls(tls) if tls.has_ended() => {}
            Way::Tls(mut tls) => match tls.handle_end() {
                Ok(()) => self.end(now, id),
                Err(error) => self.fail(now, id, ConnectError::Tls(error)),
            },
        }
    }

    /// What a stream that broke has to do with what was on it.
    pub(super) fn explain_break(&mut self, id: StreamId, error: io::Error) -> Result<ConnectError, io::Error> {
        match mem::take(self.way(id)) {
            Way::Nothing => Err(error),
            Way::Tunnel(_) => Ok(by_proxy(ConnectError::io("the connection broke", error))),
            Way::Tls(tls) if tls.lacks_certificate() => {
                Ok(ConnectError::Tls(crate::wire::tls::TlsError::CertificateRequired))
            }
            Way::Tls(tls) if tls.is_handshaking() => {
                Ok(ConnectError::io("the connection broke in the TLS handshake", error))
            }
            Way::Tls(_) => Err(error),
        }
    }

    pub(super) fn transmit_on_way(&mut self, now: Instant, id: StreamId, out: &mut Vec<u8>) {
        if self.is_bare(id) {
            return self.collect(now, id, out);
        }
        self.stuck[id as usize] = false;
        let start = out.len();
        let is_ready = match self.way(id) {
            Way::Nothing => false,
            Way::Tunnel(tunnel) => {
                out.append(&mut tunnel.output);
                false
            }
            Way::Tls(tls) => !tls.is_handshaking() && !tls.has_failed(),
        };
        if is_ready {
            self.collect(now, id, out);
        } else {
            self.pump(now);
        }
        let ends = is_ready && (!self.lane_wants_stream(id) || self.wants_another(id));
        let Way::Tls(tls) = self.way(id) else {
            if is_ready {
                out.truncate(start);
            }
            return;
        };
        if is_ready {
            tls.seal(start, out);
        }
        if ends {
            tls.close();
        }
        tls.poll_transmit(out);
    }

    /// Whether the stream that there is has no use any more, because another one is wanted.
    fn wants_another(&self, id: StreamId) -> bool {
        match id {
            StreamId::Poll => self.poll.wants_another(),
            StreamId::Push => self.push.wants_another(),
            StreamId::WebSocket => self.websocket.wants_another(),
        }
    }

    /// Whether the server is still to be told that nothing more will come. One that does not even take what is before that
    /// is owed nothing: who waits for it would wait for as long as it likes.
    pub(super) fn owes_goodbye(&self, id: StreamId) -> bool {
        if self.stuck[id as usize] {
            return false;
        }
        match &self.ways[id as usize] {
            Way::Tls(tls) => !tls.is_handshaking() && !tls.has_failed() && !tls.is_closed(),
            Way::Nothing | Way::Tunnel(_) => false,
        }
    }

    /// What a stream still waits for that is not ready for the first request, as an error of somebody who has waited long
    /// enough.
    pub(super) fn late_on_way(&self) -> Option<ConnectError> {
        self.ways.iter().find_map(|way| match way {
            Way::Nothing => None,
            Way::Tunnel(_) => Some(by_proxy(ConnectError::Timeout("it did not answer in time"))),
            Way::Tls(tls) => (tls.is_handshaking() && !tls.has_failed())
                .then_some(ConnectError::Timeout("the TLS handshake was not over in time")),
        })
    }
}

#[cfg(test)]
mod tests;
