//! Servers that we did not write.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

pub struct Foreign {
    child: Child,
    /// Its end is the server's.
    _stdin: Option<ChildStdin>,
    pub url: String,
}

#[derive(Clone, Copy)]
pub enum Kind {
    Node,
    NodeWithRecovery,
    NodeWithMsgpack,
    Python,
}

impl Foreign {
    pub fn start(kind: Kind) -> Self {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/socketio_client/servers");
        let mut command = match kind {
            Kind::Node | Kind::NodeWithRecovery | Kind::NodeWithMsgpack => {
                let mut command = Command::new("node");
                command.arg(format!("{here}/server.mjs"));
                match kind {
                    Kind::NodeWithRecovery => drop(command.arg("--recovery")),
                    Kind::NodeWithMsgpack => drop(command.arg("--msgpack")),
                    Kind::Node | Kind::Python => {}
                }
                command
            }
            Kind::Python => {
                let default = concat!(env!("CARGO_MANIFEST_DIR"), "/target/interop/venv/bin/python");
                let python = std::env::var("SANSOCKET_PYTHON").unwrap_or_else(|_| default.into());
                let mut command = Command::new(python);
                command.arg(format!("{here}/server.py"));
                command
            }
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/interop/setup.sh installs what this needs");
        let mut port = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut port).unwrap();
        let port: u16 = port.trim().parse().expect("the server says its port");
        Self {
            _stdin: child.stdin.take(),
            child,
            url: format!("http://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
