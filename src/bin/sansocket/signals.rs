//! Signals that ask for the end, on whatever runtime.

use std::io;
use std::time::Duration;

use tokio::sync::mpsc;

/// Someone asks for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// The exit status of a program that it has ended, as shells have it.
    pub fn status(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// The signals from here on.
pub struct Signals(mpsc::UnboundedReceiver<Signal>);

impl Signals {
    /// From here on they do not end the program by themselves; but where `patience` is given, the second one does, after so
    /// long, whatever the rest of the program waits for.
    #[cfg(unix)]
    pub fn new(patience: Option<Duration>) -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};

        let (sender, receiver) = mpsc::unbounded_channel();
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        // It ends with the program.
        std::thread::Builder::new().spawn(move || {
            for (before, number) in signals.forever().enumerate() {
                let signal = match number {
                    SIGINT => Signal::Interrupt,
                    _ => Signal::Terminate,
                };
                // Nobody may listen any more.
                let _heard = sender.send(signal);
                if let Some(patience) = patience.filter(|_| before > 0) {
                    std::thread::sleep(patience);
                    std::process::exit(signal.status().into());
                }
            }
        })?;
        Ok(Self(receiver))
    }

    /// Elsewhere the system ends the program.
    #[cfg(not(unix))]
    pub fn new(_patience: Option<Duration>) -> io::Result<Self> {
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
