//! One TLS connection.

use core::fmt;
use core::mem;
use std::format;
use std::io::{BufRead as _, Write as _};
use std::string::ToString;
use std::vec::Vec;

use bytes::Bytes;
use rustls::{Connection, ProtocolVersion};

use super::TlsError;
use super::connector::take_unanswered;
use crate::http::TlsInfo;

/// The first byte of a connection that is TLS: that of a handshake's record, or of an alert's.
const RECORDS: [u8; 2] = [22, 21];

/// One TLS connection, either end, without the socket: from an [`Acceptor`](super::Acceptor) or a
/// [`Connector`](super::Connector).
///
/// What comes goes into [`handle_input`](Self::handle_input), which gives what it says. What is to be sent goes into
/// [`send`](Self::send), once [the handshake is over](Self::is_handshaking). After both, and at the beginning,
/// [`poll_transmit`](Self::poll_transmit) has what is to be written.
///
/// While nothing is under way it holds 4 KiB, and what `rustls` remembers of the handshake; while a record is under way, that
/// record, which is 16 KiB at most, or a message of the handshake, 64 KiB at most.
pub struct TlsConnection {
    rustls: Connection,
    /// The first byte that came.
    first: Option<u8>,
    state: State,
    /// The peer wanted a certificate, and there was none.
    unanswered: bool,
    /// Something that it says was understood: it has accepted who we are.
    accepted: bool,
    closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The peer has ended its sending, in order.
    Ended,
    Failed,
}

impl fmt::Debug for TlsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnection")
            .field("state", &self.state)
            .field("is_handshaking", &self.is_handshaking())
            .finish_non_exhaustive()
    }
}

impl TlsConnection {
    pub(super) fn new(mut rustls: Connection) -> Self {
        // What is handed in is encrypted and taken out at once. A limit would cut something off.
        rustls.set_buffer_limit(None);
        Self {
            rustls,
            first: None,
            state: State::Open,
            unanswered: false,
            accepted: false,
            closed: false,
        }
    }

    #[cfg(test)]
    pub(super) fn rustls(&self) -> &Connection {
        &self.rustls
    }

    /// Bytes came: what they say is appended to `plain`. All of them are taken.
    ///
    /// # Errors
    /// The connection is over, and the reason is told once. What came before is in `plain` all the same, and there may be an
    /// alert to transmit.
    pub fn handle_input(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), TlsError> {
        let mut rest = bytes;
        while !rest.is_empty() && self.state == State::Open {
            self.first = self.first.or(rest.first().copied());
            let read = self.rustls.read_tls(&mut rest);
            let _earlier = take_unanswered();
            let processed = self.rustls.process_new_packets();
            self.unanswered |= take_unanswered();
            self.accepted |= self.take_plain(plain);
            match processed {
                Ok(state) if state.peer_has_closed() => self.state = State::Ended,
                Ok(_) if read.is_ok() => {}
                // Never: whatever is complete was taken out, and messages that are too large are errors of their own.
                Ok(_) => return Err(self.fail(TlsError::Protocol("a message is larger than it may be".into()))),
                Err(error) => {
                    let error = self.explain(error);
                    return Err(self.fail(error));
                }
            }
        }
        Ok(())
    }

    fn take_plain(&mut self, plain: &mut Vec<u8>) -> bool {
        let before = plain.len();
        let mut reader = self.rustls.reader();
        // An error says that there is nothing, which is none here.
        while let Ok(chunk) = reader.fill_buf() {
            if chunk.is_empty() {
                break;
            }
            plain.extend_from_slice(chunk);
            let length = chunk.len();
            reader.consume(length);
        }
        plain.len() > before
    }

    fn explain(&self, error: rustls::Error) -> TlsError {
        let is_record = self.first.is_some_and(|first| RECORDS.contains(&first));
        if !is_record && self.rustls.is_handshaking() {
            return TlsError::NotTls;
        }
        let is_alert = matches!(error, rustls::Error::AlertReceived(_));
        match TlsError::new(error) {
            TlsError::Version => TlsError::Version,
            _ if is_alert && self.lacks_certificate() => TlsError::CertificateRequired,
            error => error,
        }
    }

    /// The peer does not speak TLS: nothing more is taken from it.
    pub(crate) fn give_up(&mut self) {
        self.state = State::Failed;
    }

    fn fail(&mut self, error: TlsError) -> TlsError {
        self.state = State::Failed;
        error
    }

    /// The peer's sending has ended (TCP's FIN).
    ///
    /// # Errors
    /// It has not said so before: something may be missing.
    pub fn handle_end(&mut self) -> Result<(), TlsError> {
        if self.state != State::Open {
            return Ok(());
        }
        self.state = State::Ended;
        Err(if self.lacks_certificate() {
            TlsError::CertificateRequired
        } else if self.is_handshaking() {
            TlsError::EndedEarly
        } else {
            TlsError::Truncated
        })
    }

    /// Whether the peer wanted a certificate that there was not, and has accepted nothing since: where it breaks the
    /// connection now, that is the likely reason. Under TLS 1.3 it can not say so before our handshake is over.
    pub fn lacks_certificate(&self) -> bool {
        self.unanswered && !self.accepted
    }

    /// Whether the handshake is under way. Nothing can be sent before it is over.
    pub fn is_handshaking(&self) -> bool {
        self.rustls.is_handshaking()
    }

    /// Whether the connection has failed: there may still be an alert to transmit, and nothing after that.
    pub fn has_failed(&self) -> bool {
        self.state == State::Failed
    }

    /// Whether the peer has ended its sending: nothing more comes.
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Whether nothing has come so far.
    pub fn is_untouched(&self) -> bool {
        self.first.is_none()
    }

    /// Encrypts, and appends to `out` what is to be written. Does nothing before the handshake is over and after
    /// [`close`](Self::close).
    pub fn send(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        if !plain.is_empty() && !self.closed && !self.is_handshaking() {
            // It is a memory without a limit.
            let _written = self.rustls.writer().write_all(plain);
        }
        self.poll_transmit(out);
    }

    /// The same in place: what is in `out` from `start` on is replaced.
    pub(crate) fn seal(&mut self, start: usize, out: &mut Vec<u8>) {
        if out.len() > start && !self.closed && !self.is_handshaking() {
            let _written = self.rustls.writer().write_all(&out[start..]);
        }
        out.truncate(start);
        self.poll_transmit(out);
    }

    /// Appends to `out` what is to be written: of the handshake, an answer of the protocol's, an alert. May have something
    /// new after every other call.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) {
        while self.rustls.wants_write() {
            if self.rustls.write_tls(out).is_err() {
                break;
            }
        }
    }

    /// Says that nothing more will be sent: close_notify. Once; [`poll_transmit`](Self::poll_transmit) has it then.
    pub fn close(&mut self) {
        if !mem::replace(&mut self.closed, true) && self.state != State::Failed {
            self.rustls.send_close_notify();
        }
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// What both ends have agreed upon, and who the peer is, as far as the handshake has come.
    pub fn info(&self) -> TlsInfo {
        let version = self.rustls.protocol_version().map(|version| match version {
            ProtocolVersion::TLSv1_2 => "TLSv1.2".to_string(),
            ProtocolVersion::TLSv1_3 => "TLSv1.3".to_string(),
            other => format!("{other:?}"),
        });
        let suite = self.rustls.negotiated_cipher_suite();
        let certificates = self.rustls.peer_certificates().unwrap_or_default();
        let certificates = certificates
            .iter()
            .map(|certificate| Bytes::copy_from_slice(certificate));
        TlsInfo {
            protocol: version,
            cipher_suite: suite.map(|suite| format!("{:?}", suite.suite())),
            server_name: match &self.rustls {
                Connection::Server(server) => server.server_name().map(ToString::to_string),
                Connection::Client(_) => None,
            },
            alpn: self.rustls.alpn_protocol().map(Bytes::copy_from_slice),
            certificates: certificates.collect(),
        }
    }

    /// The peer's certificate, in DER, where it has shown one and the handshake has come to that.
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        let certificates = self.rustls.peer_certificates()?;
        certificates.first().map(|certificate| &certificate[..])
    }
}
