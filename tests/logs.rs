//! What stands in the log, and what does not: spans, events, escapes and secrets, on every runtime in one process.

#![cfg(all(feature = "cli", feature = "tower", unix))]

#[path = "logs/capture.rs"]
mod capture;
#[path = "logs/engineio.rs"]
mod engineio;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/runtime.rs"]
mod runtime;
#[path = "logs/socketio.rs"]
mod socketio;
#[path = "logs/threads.rs"]
mod threads;
#[path = "logs/tower.rs"]
mod tower;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// `each_runtime!(scenario)`: a test of that name for each of them.
macro_rules! each_runtime {
    ($scenario:ident) => {
        mod $scenario {
            use crate::runtime::Any;

            #[test]
            fn tokio() {
                super::$scenario(Any::Tokio(sansocket::tokio::Tokio));
            }

            #[test]
            fn smol() {
                super::$scenario(Any::Smol(sansocket::smol::Smol::default()));
            }

            #[test]
            fn async_std() {
                super::$scenario(Any::AsyncStd(sansocket::async_std::AsyncStd));
            }

            #[test]
            fn blocking() {
                super::$scenario(Any::Threads(sansocket::blocking::Threads::new()));
            }
        }
    };
}
use each_runtime;

/// One request on a connection of its own; answers everything that came.
fn ask(address: SocketAddr, method: &str, target: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it takes a request");
    let mut answer = String::new();
    // It may be reset behind its last word.
    let _end = stream.read_to_string(&mut answer);
    answer
}

/// The id in an open packet.
fn sid_of(answer: &str) -> String {
    let behind = answer.split_once(r#""sid":""#).expect("an open packet").1;
    behind.split('"').next().unwrap_or_default().to_owned()
}
