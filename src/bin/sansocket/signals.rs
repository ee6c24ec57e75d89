//! Signals that ask for the end, on whatever runtime.

use std::io;

use tokio::sync::mpsc;

/// Someone asks for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// The signals from here on.
pub struct Signals(mpsc::UnboundedReceiver<Signal>);

impl Signals {
    /// From here on they do not end the program by themselves.
    #[cfg(unix)]
    pub fn new() -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};

        let (sender, receiver) = mpsc::unbounded_channel();
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        // It ends with the program, or where nobody listens any more.
        std::thread::Builder::new().spawn(move || {
            for number in signals.forever() {
                let signal = if number == SIGINT {
                    Signal::Interrupt
                } else {
                    Signal::Terminate
                };
                if sender.send(signal).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self(receiver))
    }

    /// Elsewhere the system ends the program.
    #[cfg(not(unix))]
    pub fn new() -> io::Result<Self> {
        Ok(Self(mpsc::unbounded_channel().1))
    }

    /// The next one. Cancel-safe.
    pub async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}
