//! What the fuzzers do with their bytes. Each target is a plain function: a program for `cargo fuzz` calls it with whatever
//! that comes up with, and a test calls it with the corpus.
//!
//! `cargo +nightly fuzz run session` fuzzes, `cargo test --manifest-path fuzz/Cargo.toml` runs every target over its
//! corpus once, and `cargo run --manifest-path fuzz/Cargo.toml --example seeds` writes the files that a corpus begins with.

#![forbid(unsafe_code)]

extern crate alloc;

// Under these names, the model of a session finds them here and in the crate alike.
use sansocket::{engineio, time};

#[path = "../../src/engineio/session/tests/model.rs"]
mod model;

mod client;
mod client_wire;
mod packets;
pub mod seeds;
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

/// A client's end of a WebSocket, in any pieces. The first byte says in which.
pub fn websocket(data: &[u8]) {
    wire::in_any_pieces(data, wire::frames);
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
    fn websocket() {
        run_all("websocket", super::websocket);
    }
}
