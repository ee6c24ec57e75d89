//! One accepted connection, and what a server can do to it that no proper server would.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything is waited for that must come. Generous, for machines with other things to do.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long a server that has hung up goes on reading, so that its last words are not cut short by a reset.
const LINGER: Duration = Duration::from_secs(1);

pub struct Socket {
    /// `None` once it was reset or closed: whatever is written then is lost, as it would be.
    stream: Option<TcpStream>,
    pub unread: Vec<u8>,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    Bytes,
    Late,
    /// The client hung up, one way or the other.
    End,
}

impl Socket {
    pub fn new(stream: TcpStream) -> Self {
        // What a test writes in two pieces has to go out in two.
        stream.set_nodelay(true).expect("a TCP socket");
        Self {
            stream: Some(stream),
            unread: Vec::new(),
        }
    }

    /// Whether the bytes went out; a client that has hung up is free to have done so.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        match &mut self.stream {
            Some(stream) => stream.write_all(bytes.as_ref()).is_ok(),
            None => false,
        }
    }

    /// A byte at a time, until the client has had enough of it.
    pub fn trickle(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> bool {
        bytes.as_ref().iter().all(|byte| {
            thread::sleep(pause);
            self.write([*byte])
        })
    }

    pub fn read(&mut self, limit: Duration) -> Arrival {
        let Some(stream) = &mut self.stream else {
            return Arrival::End;
        };
        let limit = limit.max(Duration::from_millis(1));
        stream.set_read_timeout(Some(limit)).expect("a limit above zero");
        let mut buffer = [0; 16 * 1024];
        match stream.read(&mut buffer) {
            Ok(0) => Arrival::End,
            Ok(count) => {
                self.unread.extend(&buffer[..count]);
                Arrival::Bytes
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Arrival::Late,
            Err(error) if error.kind() == ErrorKind::Interrupted => Arrival::Bytes,
            Err(_) => Arrival::End,
        }
    }

    /// Waits until so many bytes are there to be taken.
    pub fn wait_for(&mut self, count: usize, deadline: Instant) -> Arrival {
        while self.unread.len() < count {
            match self.read(deadline.saturating_duration_since(Instant::now())) {
                Arrival::Bytes => {}
                Arrival::Late if Instant::now() < deadline => {}
                other => return other,
            }
        }
        Arrival::Bytes
    }

    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.unread.split_off(count);
        std::mem::replace(&mut self.unread, rest)
    }

    /// Says nothing and reads on until the client hangs up. Whether it did.
    pub fn wait_for_hangup(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.read(Duration::from_millis(50)) == Arrival::End {
                return true;
            }
        }
        false
    }

    /// Sends a FIN and can still read.
    pub fn finish_sending(&mut self) {
        if let Some(stream) = &self.stream {
            // It fails where the client has gone already.
            let _gone = stream.shutdown(Shutdown::Write);
        }
    }

    /// An orderly end.
    pub fn close(&mut self) {
        self.finish_sending();
        let deadline = Instant::now() + LINGER;
        while Instant::now() < deadline && self.read(Duration::from_millis(20)) != Arrival::End {}
        self.stream = None;
    }

    /// A RST instead of a FIN.
    pub fn reset(&mut self) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        // The standard library cannot ask for one; tokio can.
        stream.set_nonblocking(true).expect("a socket");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        runtime.expect("a runtime").block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).expect("a registered socket");
            stream.set_zero_linger().expect("a TCP socket");
        });
    }
}

pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
