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

    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.unflushed {
            if let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx) {
                self.unflushed = false;
                return flushed;
            }
        }
        Ok(())
    }
}

impl Stream for UpgradedStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        // Whoever is woken because there is room again reads too, and may have nothing to write.
        self.flush(cx)?;
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
        self.flush(cx)?;
        Poll::Ready(Ok(written))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
