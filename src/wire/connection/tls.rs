//! TLS below the requests: records in, records out.

use core::sync::atomic::Ordering;
use std::vec::Vec;

use super::{Connection, ConnectionEvent};
use crate::http::TlsInfo;
use crate::time::Instant;
use crate::wire::http1::ResponseWriter;
use crate::wire::tls::{Acceptor, TlsConnection, TlsError};

/// The TLS of one connection.
pub(super) struct Tls {
    connection: TlsConnection,
    /// Why it failed, for whoever asks.
    failure: Option<(TlsError, bool)>,
    /// It was noted that it failed. What follows from that is no news.
    noted: bool,
}

impl Tls {
    pub(super) fn new(acceptor: &Acceptor) -> Self {
        Self {
            connection: acceptor.accept(),
            failure: None,
            noted: false,
        }
    }
}

impl<E: Default + Send + Sync + 'static> Connection<E> {
    /// Bytes came, which are TLS's.
    pub(super) fn handle_records(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(tls) = &mut self.tls else { return };
        if tls.connection.has_failed() {
            // The peer has been told why, and is waited for.
            return;
        }
        // A record begins with a number that no method of HTTP begins with.
        if tls.connection.is_untouched() && bytes.first().is_some_and(u8::is_ascii_uppercase) {
            return self.answer_plain_http(now, out);
        }
        let was_handshaking = tls.connection.is_handshaking();
        let mut plain = Vec::new();
        let read = tls.connection.handle_input(bytes, &mut plain);
        // The handshake's answer stands before that to a request.
        tls.connection.poll_transmit(out);
        let has_ended = tls.connection.has_ended();
        let start = out.len();
        // Where something is wrong, what stood before it is not answered: nothing could be said any more.
        if !plain.is_empty() && read.is_ok() {
            self.handle_plain(now, &plain, out);
        }
        self.seal(start, out);
        match read {
            // After close_notify nothing more comes, whatever TCP says.
            Ok(()) if has_ended => self.handle_end(now),
            Ok(()) => {}
            Err(error) => {
                self.note(error, was_handshaking);
                if was_handshaking {
                    // The alert is to arrive.
                    self.drain(now);
                } else {
                    self.handle_failure(now);
                }
            }
        }
    }

    /// A client that does not know that this is TLS is told in a language that it knows.
    fn answer_plain_http(&mut self, now: Instant, out: &mut Vec<u8>) {
        self.note(TlsError::PlainHttp, true);
        let mut writer = ResponseWriter::new(out, 400);
        writer.header("Content-Type", "text/plain");
        writer.body(b"This port speaks HTTPS: use https:// or wss://\n", false, false);
        if let Some(tls) = &mut self.tls {
            tls.connection.give_up();
        }
        self.drain(now);
    }

    fn note(&mut self, error: TlsError, in_handshake: bool) {
        let Some(tls) = &mut self.tls else { return };
        if core::mem::replace(&mut tls.noted, true) {
            return;
        }
        if in_handshake {
            self.hub.failed_handshakes.fetch_add(1, Ordering::Relaxed);
        }
        tls.failure = Some((error, in_handshake));
    }

    /// Whether the TCP connection, which has ended, should not have. A peer that has come and gone without a word is none to
    /// speak of.
    pub(super) fn is_truncated(&mut self) -> bool {
        let Some(tls) = &mut self.tls else { return false };
        if tls.connection.is_untouched() {
            return false;
        }
        let was_handshaking = tls.connection.is_handshaking();
        match tls.connection.handle_end() {
            Ok(()) => false,
            Err(error) => {
                self.note(error, was_handshaking);
                true
            }
        }
    }

    /// Reading or writing has failed.
    pub(super) fn note_break(&mut self) {
        let Some(tls) = &self.tls else { return };
        if tls.connection.is_handshaking() && !tls.connection.is_untouched() && !tls.connection.has_failed() {
            self.note(TlsError::EndedEarly, true);
        }
    }

    /// Whether the connection's time is over, and it is still in the handshake. There is no patience with that.
    pub(super) fn is_late_for_tls(&mut self) -> bool {
        let Some(tls) = &self.tls else { return false };
        let late = tls.connection.is_handshaking() && !tls.connection.has_failed();
        if late && !tls.connection.is_untouched() {
            self.note(TlsError::Late, true);
        }
        late
    }

    /// What was appended to `out` from `start` on goes out as records; behind the last of it, close_notify.
    pub(super) fn seal(&mut self, start: usize, out: &mut Vec<u8>) {
        let ends = self.wants_end();
        let Some(tls) = &mut self.tls else { return };
        if tls.connection.has_failed() {
            // An alert at most.
            out.truncate(start);
            return tls.connection.poll_transmit(out);
        }
        tls.connection.seal(start, out);
        if ends && !tls.connection.is_closed() {
            tls.connection.close();
            tls.connection.poll_transmit(out);
        }
    }

    pub(super) fn take_tls_failure(&mut self) -> Option<ConnectionEvent<E>> {
        let (error, in_handshake) = self.tls.as_mut()?.failure.take()?;
        Some(ConnectionEvent::TlsFailed { error, in_handshake })
    }

    pub(super) fn has_tls_failure(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.failure.is_some())
    }

    pub(super) fn tls_info(&self) -> Option<TlsInfo> {
        Some(self.tls.as_ref()?.connection.info())
    }
}

#[cfg(test)]
mod tests;
