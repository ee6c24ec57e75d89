//! What the fuzzers do with their bytes. Each target is a plain function: a program for `cargo fuzz` calls it with whatever
//! that comes up with, and a test calls it with the corpus.
//!
//! `cargo +nightly fuzz run session` fuzzes, `cargo test --manifest-path fuzz/Cargo.toml` runs every target over its
//! corpus once, and `cargo run --manifest-path fuzz/Cargo.toml --example seeds` writes the files that a corpus begins with.

#![forbid(unsafe_code)]

extern crate alloc;

// Under these names, the models find them here and in the crate alike.
use sansocket::{engineio, socketio, time};

#[path = "../../src/engineio/session/tests/model.rs"]
mod model;

#[path = "../../src/socketio/tests/alone.rs"]
mod alone;
#[path = "../../src/socketio/tests/pair.rs"]
mod pair;

mod client;
mod client_wire;
mod hosted;
mod options;
mod packets;
mod payload_v3;
pub mod seeds;
mod socketio_packets;
mod static_files;
mod wire;

/// One packet: bytes that may be one, and one that is.
pub fn packet(data: &[u8]) {
    packets::text(data);
    packets::made_up(data);
}

/// A polling body: bytes that may be one, and one that is.
pub fn payload(data: &[u8]) {
    packets::body(data);
    packets::made_up_body(data);
}

/// A polling body of version 3, in both framings: bytes that may be one, and one that is.
pub fn payload_v3(data: &[u8]) {
    payload_v3::body(data);
    payload_v3::made_up_body(data);
}

/// What the server's options make of a request, which is written as text: method and target, then a header on each line. And
/// the same text as a payload in scripts and forms.
pub fn options(data: &[u8]) {
    let data = &data[..data.len().min(2000)];
    options::request(data);
    options::scripts_and_forms(data);
}

/// A request for a file, written in the same way.
pub fn static_files(data: &[u8]) {
    static_files::run(&data[..data.len().min(2000)]);
}

/// Any operations on a session of version 3.
pub fn session_v3(data: &[u8]) {
    model::run_of(engineio::Version::V3, &data[..data.len().min(1 + 2 * 400)]);
}

/// Any operations on a session, beside an account of what must hold.
pub fn session(data: &[u8]) {
    model::run(&data[..data.len().min(1 + 2 * 400)]);
}

/// Any operations on a client, beside an account of what must hold.
pub fn client(data: &[u8]) {
    client::run(&data[..data.len().min(1000)]);
}

/// A client with its byte streams, and any server at the other ends.
pub fn client_wire(data: &[u8]) {
    client_wire::run(&data[..data.len().min(2000)]);
}

/// Requests, in any pieces. The first byte says in which.
pub fn http1(data: &[u8]) {
    wire::in_any_pieces(data, wire::requests);
}

/// Requests that somebody else's HTTP server reads and answers, beside an account of what must hold.
pub fn hosted(data: &[u8]) {
    hosted::run(&data[..data.len().min(2 * 400)]);
}

/// A client's end of a WebSocket, in any pieces. The first byte says in which.
pub fn websocket(data: &[u8]) {
    wire::in_any_pieces(data, wire::frames);
}

/// A Socket.IO packet as text: bytes that may be one, and one that is.
pub fn socketio_text(data: &[u8]) {
    socketio_packets::text(data);
    socketio_packets::made_up(data);
}

/// A Socket.IO packet as MessagePack.
pub fn socketio_msgpack(data: &[u8]) {
    socketio_packets::msgpack(data);
}

/// Any operations on the server's end of Socket.IO, and a client that says anything.
pub fn socketio_server(data: &[u8]) {
    alone::server(&data[..data.len().min(1000)]);
}

/// Any operations on the client's end of Socket.IO, and a server that says anything.
pub fn socketio_client(data: &[u8]) {
    alone::client(&data[..data.len().min(1000)]);
}

/// Both ends of Socket.IO, over a connection that is cut and made again, beside an account of what must hold.
pub fn socketio_pair(data: &[u8]) {
    pair::run(&data[..data.len().min(1 + 2 * 400)]);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::seeds;

    /// The seeds as they are now, and whatever lies in the corpus beside them.
    fn run_all(name: &str, target: fn(&[u8])) {
        let (_, seeds) = seeds::all().into_iter().find(|(target, _)| *target == name).unwrap();
        seeds.iter().for_each(|seed| target(seed));
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        for entry in fs::read_dir(corpus).into_iter().flatten() {
            target(&fs::read(entry.unwrap().path()).unwrap());
        }
    }

    #[test]
    fn packet() {
        run_all("packet", super::packet);
    }

    #[test]
    fn payload() {
        run_all("payload", super::payload);
    }

    #[test]
    fn payload_v3() {
        run_all("payload_v3", super::payload_v3);
    }

    #[test]
    fn session_v3() {
        run_all("session_v3", super::session_v3);
    }

    #[test]
    fn options() {
        run_all("options", super::options);
    }

    #[test]
    fn static_files() {
        run_all("static_files", super::static_files);
    }

    #[test]
    fn session() {
        run_all("session", super::session);
    }

    #[test]
    fn client() {
        run_all("client", super::client);
    }

    #[test]
    fn client_wire() {
        run_all("client_wire", super::client_wire);
    }

    #[test]
    fn http1() {
        run_all("http1", super::http1);
    }

    #[test]
    fn hosted() {
        run_all("hosted", super::hosted);
        // And what nobody has thought of, the same each time.
        let scripts = std::env::var("SANSOCKET_FUZZ_SCRIPTS").map_or(100, |scripts| scripts.parse().unwrap());
        let mut state = 1_u64;
        for _ in 0..scripts {
            let bytes: Vec<u8> = (0..600)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    (state >> 40) as u8
                })
                .collect();
            super::hosted(&bytes);
        }
    }

    #[test]
    fn websocket() {
        run_all("websocket", super::websocket);
    }

    #[test]
    fn socketio_text() {
        run_all("socketio_text", super::socketio_text);
    }

    #[test]
    fn socketio_msgpack() {
        run_all("socketio_msgpack", super::socketio_msgpack);
    }

    #[test]
    fn socketio_server() {
        run_all("socketio_server", super::socketio_server);
    }

    #[test]
    fn socketio_client() {
        run_all("socketio_client", super::socketio_client);
    }

    #[test]
    fn socketio_pair() {
        run_all("socketio_pair", super::socketio_pair);
    }
}
