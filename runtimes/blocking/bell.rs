//! What a thread that sleeps in `poll` hears.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

#[cfg(any(target_os = "linux", target_os = "android"))]
use eventfd::Pair;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use pair::Pair;

/// It rings until it is silenced.
pub(super) struct Bell(Pair);

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        Pair::new().map(Self)
    }

    pub(super) fn ring(&self) {
        // It can only be full, and then it rings already.
        let _rings = rustix::io::write(self.0.rung(), &1_u64.to_ne_bytes());
    }

    pub(super) fn silence(&self) {
        let _silent = rustix::io::read(self.0.heard(), &mut [0_u8; 512]);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.heard()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod eventfd {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::event::{EventfdFlags, eventfd};

    /// Both ends in one.
    pub(super) struct Pair(OwnedFd);

    impl Pair {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
        }

        pub(super) fn rung(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }

        pub(super) fn heard(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

// Everywhere else, and in tests, so that it is known to work.
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod pair {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;

    /// Two sockets that are connected with each other.
    pub(super) struct Pair {
        rung: UnixStream,
        heard: UnixStream,
    }

    impl Pair {
        pub(super) fn new() -> io::Result<Self> {
            let (rung, heard) = UnixStream::pair()?;
            rung.set_nonblocking(true)?;
            heard.set_nonblocking(true)?;
            Ok(Self { rung, heard })
        }

        pub(super) fn rung(&self) -> BorrowedFd<'_> {
            self.rung.as_fd()
        }

        pub(super) fn heard(&self) -> BorrowedFd<'_> {
            self.heard.as_fd()
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn is_heard(heard: &std::os::fd::BorrowedFd<'_>) -> bool {
        let mut fds = [PollFd::new(heard, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())) == Ok(1)
    }

    #[test]
    fn it_rings_until_it_is_silenced() {
        use std::os::fd::AsFd as _;

        let bell = super::Bell::new().expect("a bell");
        assert!(!is_heard(&bell.as_fd()));
        bell.ring();
        bell.ring();
        assert!(is_heard(&bell.as_fd()));
        bell.silence();
        assert!(!is_heard(&bell.as_fd()));
    }

    #[test]
    fn so_does_the_one_of_other_systems() {
        let pair = super::pair::Pair::new().expect("two sockets");
        assert!(!is_heard(&pair.heard()));
        for _ in 0..2 {
            rustix::io::write(pair.rung(), &1_u64.to_ne_bytes()).expect("room");
        }
        assert!(is_heard(&pair.heard()));
        rustix::io::read(pair.heard(), &mut [0_u8; 512]).expect("something");
        assert!(!is_heard(&pair.heard()));
    }
}
