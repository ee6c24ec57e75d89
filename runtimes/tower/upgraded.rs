//! A connection that hyper has handed over.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use hyper::rt::{Read, ReadBuf, Write};
use hyper::upgrade::Upgraded;

use crate::runtime::Stream;

/// A connection that hyper has handed over, with what it had read too far.
pub(super) struct UpgradedStream {
    stream: Upgraded,
    /// What was written may stand in a buffer of theirs, such as that of TLS.
    unflushed: bool,
}

impl UpgradedStream {
    pub(super) fn new(stream: Upgraded) -> Self {
        Self {
            stream,
            unflushed: false,
        }
    }
}

impl Stream for UpgradedStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf.unfilled());
        polled.map_ok(|()| buf.filled().len())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = match Pin::new(&mut self.stream).poll_write(cx, buf) {
            Poll::Ready(Ok(written)) => written,
            other => return other,
        };
        self.unflushed = true;
        match self.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What could not be sent is taken all the same.
            _ => Poll::Ready(Ok(written)),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.unflushed = flushed.is_pending();
        flushed
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
