//! How much a server can make a client hold, and do.

use core::fmt::{Debug, Write};

use super::super::http::HttpLane;
use super::super::websocket::{Happening, WsLane};
use super::*;
use crate::engineio::ReqId;

struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// About how many bytes somebody holds: all of them are in the `Debug` text, as the numbers of a list. (A connection's own
/// text shows no bytes of its lanes, for the sake of logs.)
fn held(holder: &impl Debug) -> usize {
    let mut text = Length(0);
    write!(text, "{holder:?}").expect("lengths can be added");
    // "120, " for an x.
    text.0 / 5
}

/// All that a lane or a connection is beside its buffers.
const REST: usize = 1000;

const MAX: usize = 50_000;

/// What a server can fill: a lane that waits for a response, or for a WebSocket.
#[derive(Debug)]
enum Lane {
    Http(HttpLane),
    WebSocket(WsLane, Box<Options>),
}

impl Lane {
    fn http() -> Self {
        let mut lane = HttpLane::new(MAX, true);
        lane.begin(Instant::from_micros(0), ReqId(1), Vec::from(b"GET / HTTP/1.1\r\n\r\n"));
        assert!(lane.poll_connect());
        lane.handle_connected();
        let _req = lane.poll_transmit(&mut Vec::new());
        Self::Http(lane)
    }

    fn websocket() -> Self {
        let (mut lane, options) = (WsLane::new(MAX), options("http://host"));
        lane.begin();
        assert!(lane.poll_connect());
        lane.handle_connected(&options, None, None);
        lane.output().clear();
        Self::WebSocket(lane, Box::new(options))
    }

    /// What went wrong with these bytes, if anything.
    fn say(&mut self, mut bytes: &[u8]) -> Option<String> {
        match self {
            Self::Http(lane) => match lane.handle_input(Instant::from_micros(0), bytes)?.result {
                Ok(response) => Some(format!("status {}", response.status)),
                Err(error) => Some(error.to_string()),
            },
            Self::WebSocket(lane, options) => {
                while !bytes.is_empty() {
                    if let Some(Happening::Failed(error) | Happening::Refused(error, _)) =
                        lane.read(&mut bytes, options, None, None)
                    {
                        return Some(error.to_string());
                    }
                }
                None
            }
        }
    }

    /// Says something until that goes wrong; answers how much was held at most, and what went wrong.
    fn flood(&mut self, part: &[u8]) -> (usize, String) {
        let mut most = 0;
        for _ in 0..10_000 {
            if let Some(error) = self.say(part) {
                return (most, error);
            }
            most = most.max(held(self));
        }
        (most, String::from("nothing"))
    }
}

fn limited(mut config: Config) -> Config {
    config.max_payload = MAX;
    config.receive_window = 1000;
    config
}

#[test]
fn a_head_without_end() {
    let kilobyte = [b'x'; 1024];
    for lane in [Lane::http, Lane::websocket] {
        for start in ["HTTP/1.1 200 OK\r\nA: ", "HTTP/1.1 100 Continue\r\nA: "] {
            let mut lane = lane();
            assert_eq!(lane.say(start.as_bytes()), None);
            let (most, error) = lane.flood(&kilobyte);
            assert!((15_000..16 * 1024 + REST).contains(&most), "{most} bytes");
            assert_eq!(error, "response head too large");
            assert!(held(&lane) < REST);
        }
    }
}

#[test]
fn interim_answers_without_end() {
    for mut lane in [Lane::http(), Lane::websocket()] {
        let (most, error) = lane.flood(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
        assert!(most < REST, "{most} bytes");
        assert_eq!(error, "too many interim responses");
    }
}

#[test]
fn a_body_without_end() {
    for (start, expected) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "response body too large"),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
            "response body too large",
        ),
        // Whatever is wrong with a refusal's body, it is a refusal.
        ("HTTP/1.1 500 No\r\n\r\n", "status 500"),
    ] {
        let mut lane = Lane::http();
        assert_eq!(lane.say(start.as_bytes()), None);
        let (most, error) = lane.flood(&[b'x'; 1024]);
        assert!((MAX - 2000..MAX + 3 * REST).contains(&most), "{start:?}: {most} bytes");
        assert_eq!(error, expected);
        assert!(held(&lane) < REST, "{start:?}: {} bytes", held(&lane));
    }
}

/// A chunk for each byte, with as much around it as may be.
#[test]
fn chunks_that_hold_nothing() {
    let mut lane = Lane::http();
    lane.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("1;{}\r\nx\r\n", "y".repeat(250));
    for _ in 0..2000 {
        assert_eq!(lane.say(chunk.as_bytes()), None);
    }
    assert!(held(&lane) < 2000 + REST, "{} bytes", held(&lane));
    lane.say(b"0\r\n");
    let (most, error) = lane.flood(format!("T: {}\r\n", "y".repeat(200)).as_bytes());
    assert!(most < 2000 + 2 * REST, "{most} bytes");
    assert_eq!(error, "response head too large");
}

/// A page in answer to a handshake is an error's words, and never a load.
#[test]
fn a_refusal_of_a_websocket_without_end() {
    let mut lane = Lane::websocket();
    lane.say(b"HTTP/1.1 404 Not Found\r\n\r\n");
    let (most, error) = lane.flood(&[b'x'; 1024]);
    assert!(most < 64 * 1024 + 3 * REST, "{most} bytes");
    assert!(error.contains("404"), "{error}");
}

#[test]
fn a_message_without_end() {
    let mut lane = Lane::websocket();
    lane.say(granted("").as_bytes());
    lane.say(&frame(0x01, b"4"));
    let (most, error) = lane.flood(&frame(0x00, &[b'x'; 1000]));
    assert!(most < 2 * MAX + 3 * REST, "{most} bytes");
    assert!(error.contains("1009"), "{error}");
    assert!(held(&lane) < REST, "{} bytes", held(&lane));
}

/// Says something on the WebSocket for as long as the client reads it.
fn flood(wire: &mut Wire, part: &[u8]) {
    for _ in 0..10_000 {
        if wire.connection.wants_input(WS) {
            wire.say(WS, part);
        }
    }
}

/// An application that takes nothing stops the reading, on a WebSocket and over polling.
#[test]
fn messages_that_nobody_takes() {
    let mut wire = Wire::new(options("http://host"), limited(websocket()));
    wire.request(WS);
    wire.say(WS, granted(""));
    wire.say(WS, text(&open_packet("")));
    flood(&mut wire, &text(&format!("4{}", "x".repeat(100))));
    assert!(!wire.connection.wants_input(WS), "it reads no more");
    let most = held(&wire.connection);
    assert!(most < 1000 + 2 * REST, "{most} bytes");
    assert!(wire.connection.look().closed().is_none());
    wire.event();
    assert!(wire.messages().len() < 20);
    assert!(wire.connection.wants_input(WS));

    let mut wire = Wire::new(options("http://host"), limited(polling()));
    wire.open("");
    wire.say(POLL, response(200, "", format!("4{}", "x".repeat(MAX - 1))));
    assert!(wire.written(POLL).is_empty(), "no poll is begun");
    assert!(
        held(&wire.connection) < MAX + 2 * REST,
        "{} bytes",
        held(&wire.connection)
    );
    assert_eq!(wire.messages().len(), 1);
    assert!(wire.request(POLL).line.starts_with("GET "));
}

/// Answers to pings are not heaped up while the server does not read them.
#[test]
fn pings_to_a_stream_that_takes_nothing() {
    let mut wire = Wire::websocket();
    flood(&mut wire, &frame(0x89, &[b'x'; 125]));
    assert!(!wire.connection.wants_input(WS), "it reads no more");
    assert!(wire.written(WS).len() < 20_000);
    assert!(wire.connection.wants_input(WS));
    // Engine.IO's own: one answer serves them all.
    flood(&mut wire, &text("2"));
    assert_eq!(wire.frames(), [Frame::Text("3".into())]);

    let mut wire = Wire::polled();
    wire.say(POLL, response(200, "", ["2"; 10_000].join("\x1e")));
    assert_eq!(wire.request(PUSH).body, "3");
}

/// What is written at once is a turn's worth, or one message.
#[test]
fn output_comes_in_turns() {
    let mut wire = Wire::websocket();
    for _ in 0..100 {
        wire.send("x".repeat(1000));
    }
    wire.send("y".repeat(100_000));
    let (mut turns, mut all) = (0, 0);
    loop {
        let mut out = Vec::new();
        wire.connection.poll_transmit(wire.now, WS, &mut out);
        if out.is_empty() {
            break;
        }
        assert!(out.len() < 16 * 1024 + 100_020, "{} bytes at once", out.len());
        all += out.len();
        turns += 1;
    }
    assert!(turns >= 6 && all > 200_000, "{all} bytes in {turns} turns");
    assert!(held(&wire.connection) < REST);
}

/// An idle connection holds no buffers.
#[test]
fn what_is_done_is_let_go_of() {
    let mut wire = Wire::polled();
    for _ in 0..5 {
        wire.send("x".repeat(100_000));
        wire.request(PUSH);
        wire.say(PUSH, response(200, "", "y".repeat(100_000)));
        wire.say(POLL, response(200, "", format!("4{}", "z".repeat(100_000))));
        assert_eq!(wire.messages().len(), 1);
        wire.request(POLL);
        assert!(held(&wire.connection) < REST, "{} bytes", held(&wire.connection));
    }
}
