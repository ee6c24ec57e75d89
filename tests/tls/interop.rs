//! The clients of npm and PyPI against our server over TLS: the scenarios of `tests/interop`, which
//! `tests/interop/setup.sh` installs what they need for. Ignored where nobody asks for them, as those of `interop.rs` are.
//!
//! `SANSOCKET_PYTHON` is the Python with the clients (default `target/interop/venv/bin/python`).

use std::process::{Command, Stdio};

use crate::client::wait;
use crate::secure::Secure;

/// Each of these names the file of trusted certificates to one of the clients' libraries.
const VARIABLES: [&str; 4] = [
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "WEBSOCKET_CLIENT_CA_BUNDLE",
];

/// Runs a scenario to its end, over each plan of transports.
fn echoes(command: impl Fn() -> Command) {
    let server = Secure::start();
    for plan in ["polling", "websocket", "upgrade"] {
        let mut command = command();
        command.arg(server.url("https", "127.0.0.1")).arg(plan);
        command
            .envs(VARIABLES.map(|name| (name, &server.ca)))
            .stdin(Stdio::null());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{error}; tests/interop/setup.sh installs it"));
        let status = wait(&mut child);
        assert!(status.success(), "{plan}: {status}");
    }
    server.finish();
}

fn python(kind: &str) -> Command {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/interop/venv/bin/python");
    let python = std::env::var("SANSOCKET_PYTHON").unwrap_or_else(|_| folder.to_owned());
    let mut command = Command::new(python);
    command.args([
        "-B",
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/py/echo.py"),
        kind,
    ]);
    command
}

#[test]
#[ignore = "needs tests/interop/setup.sh"]
fn javascript() {
    echoes(|| {
        let mut command = Command::new("node");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/js/echo.mjs"));
        command
    });
}

#[test]
#[ignore = "needs tests/interop/setup.sh"]
fn python_sync() {
    echoes(|| python("sync"));
}

#[test]
#[ignore = "needs tests/interop/setup.sh"]
fn python_asyncio() {
    echoes(|| python("asyncio"));
}
