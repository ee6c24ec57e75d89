//! The servers that we did not write. What their small application does and prints is in `servers/application.md`.

use std::env;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::Running;

/// Python's start is the slowest, and the machine may be busy.
const START: Duration = Duration::from_secs(20);
const WAIT: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// npm `engine.io`.
    EngineIo,
    /// `python-engineio`'s `AsyncServer` under uvicorn.
    Asgi,
    /// The same, with uvicorn's other WebSocket.
    AsgiWsproto,
    /// `python-engineio`'s `Server` under werkzeug, with threads.
    Wsgi,
}

impl Kind {
    pub fn is_python(self) -> bool {
        self != Kind::EngineIo
    }
}

pub struct Server {
    pub running: Running,
    pub port: u16,
}

impl Server {
    pub fn start(kind: Kind, options: &[&str]) -> Server {
        Server::start_at(0, kind, options)
    }

    pub fn start_at(port: u16, kind: Kind, options: &[&str]) -> Server {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop_client/servers");
        let script = |name: &str, more: &[&str]| {
            let mut command = Command::new(python());
            // No __pycache__ in the source tree.
            command.arg("-B").arg(folder.join(name)).args(more);
            command
        };
        let mut command = match kind {
            Kind::EngineIo => {
                let mut command = Command::new("node");
                command.arg(folder.join("engine_io.mjs"));
                command
            }
            Kind::Asgi => script("asgi.py", &[]),
            Kind::AsgiWsproto => script("asgi.py", &["--websocket", "wsproto"]),
            Kind::Wsgi => script("wsgi.py", &[]),
        };
        command.args(["--port", &port.to_string()]).args(options);
        let mut running = Running::start(&format!("{kind:?}"), &mut command);
        let line = running.line_with("listening on ", START);
        let port = line
            .rsplit(' ')
            .next()
            .and_then(|port| port.parse().ok())
            .expect("a port at the end of the line");
        Server { running, port }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn line_with(&mut self, text: &str) -> String {
        self.running.line_with(text, WAIT)
    }

    /// Waits for the end of the session: the server's reason, and how many messages it had got.
    pub fn closed(&mut self) -> (String, usize) {
        let line = self.line_with("closed ");
        let parts = line
            .strip_prefix("closed ")
            .and_then(|line| line.split_once(" messages="));
        let (reason, messages) = parts.unwrap_or_else(|| panic!("an unusual line: {line}"));
        (reason.to_owned(), messages.parse().expect("a number"))
    }

    /// The request lines that were read so far.
    pub fn requests(&self) -> Vec<&str> {
        let lines = self.running.seen.iter();
        lines.filter_map(|line| line.strip_prefix("request ")).collect()
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

fn python() -> PathBuf {
    env::var_os("SANSOCKET_PYTHON").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop/venv/bin/python"),
        PathBuf::from,
    )
}
