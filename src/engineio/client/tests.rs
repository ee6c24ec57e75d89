//! What a client does, step by step: one test for each promise in the documentation of `Client` and for each thing that a
//! server or a network can do to it. At the end, many random conversations with our own session.

extern crate std;

mod closing;
mod connecting;
mod heartbeat;
mod model;
mod polling;
mod spurious;
mod stalls;
mod too_large;
mod upgrade;
mod websocket;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use bytes::Bytes;

use super::*;
use CloseReason::{
    ClientDisconnect, ConnectTimeout, ParseError, PingTimeout, Refused, ServerDisconnect, Stalled, TransportClose,
    TransportError,
};

/// A client, the time, and short words for what happens.
struct Scene {
    client: Client,
    now: Instant,
    /// The requests that are under way.
    get: Option<ReqId>,
    post: Option<ReqId>,
}

const NO_STRINGS: [&str; 0] = [];

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn config() -> Config {
    Config {
        connect_timeout: millis(1000),
        upgrade_timeout: millis(300),
        request_timeout: millis(800),
        close_timeout: millis(400),
        stall_timeout: Some(millis(700)),
        max_queue: 10_000,
        receive_window: 300,
        ..Config::default()
    }
}

fn only(transport: Transport) -> Config {
    Config {
        transports: [transport].into_iter().collect(),
        ..config()
    }
}

/// An open packet: the upgrades it offers, and the `maxPayload` it announces.
fn open_packet(upgrades: &str, max_payload: usize) -> String {
    format!(
        "0{{\"sid\":\"lv_VI97HAXpY6yYWAAAB\",\"upgrades\":[{upgrades}],\"pingInterval\":1000,\"pingTimeout\":500,\
         \"maxPayload\":{max_payload}}}"
    )
}

const WEBSOCKET: &str = "\"websocket\"";

fn closed(reason: CloseReason, in_doubt: usize, unsent: usize) -> Event {
    Event::Closed(Closed {
        reason,
        unsent,
        in_doubt,
    })
}

fn message(text: &str) -> Event {
    Event::Message(text.into())
}

fn bytes(count: usize) -> Data {
    Data::from(vec![7; count])
}

fn text(count: usize) -> Data {
    Data::from("x".repeat(count))
}

fn newborn(config: Config) -> Scene {
    let now = Instant::from_micros(5_000_000);
    Scene {
        client: Client::new(config, now),
        now,
        get: None,
        post: None,
    }
}

/// Polls, and no WebSocket is offered; a GET is under way.
fn polling_with(config: Config, max_payload: usize) -> Scene {
    let mut scene = newborn(config);
    assert_eq!(scene.requests(), ["GET"]);
    scene.got(&open_packet("", max_payload)).unwrap();
    assert_eq!(scene.events(), [Event::Opened(Transport::Polling)]);
    assert_eq!(scene.requests(), ["GET"]);
    scene
}

fn polling() -> Scene {
    polling_with(config(), 1000)
}

/// A session that began on its WebSocket.
fn websocket_with(mut config: Config, max_payload: usize) -> Scene {
    config.transports = [Transport::WebSocket].into_iter().collect();
    let mut scene = newborn(config);
    assert_eq!(scene.requests(), ["WebSocket"]);
    scene.input(Input::WsOpen).unwrap();
    scene.frame(&open_packet("", max_payload)).unwrap();
    assert_eq!(scene.events(), [Event::Opened(Transport::WebSocket)]);
    scene
}

fn websocket() -> Scene {
    websocket_with(config(), 1000)
}

/// Polls; a WebSocket is being opened, and a GET is under way.
fn opening_with(max_payload: usize) -> Scene {
    let mut scene = newborn(config());
    assert_eq!(scene.requests(), ["GET"]);
    scene.got(&open_packet(WEBSOCKET, max_payload)).unwrap();
    assert_eq!(scene.events(), [Event::Opened(Transport::Polling)]);
    assert_eq!(scene.requests(), ["WebSocket", "GET"]);
    scene
}

/// The probe was sent; a GET is under way.
fn probing_with(max_payload: usize) -> Scene {
    let mut scene = opening_with(max_payload);
    scene.input(Input::WsOpen).unwrap();
    assert_eq!(scene.frames(), ["2probe"]);
    scene
}

/// The probe was answered; a GET is under way.
fn probed_with(max_payload: usize) -> Scene {
    let mut scene = probing_with(max_payload);
    scene.frame("3probe").unwrap();
    scene
}

fn opening() -> Scene {
    opening_with(1000)
}

fn probing() -> Scene {
    probing_with(1000)
}

fn probed() -> Scene {
    probed_with(1000)
}

/// Moved to its WebSocket.
fn upgraded() -> Scene {
    let mut scene = probed();
    scene.got("6").unwrap();
    assert_eq!(scene.frames(), ["5"]);
    assert_eq!(scene.events(), [Event::Upgraded]);
    scene
}

impl Scene {
    fn input(&mut self, input: Input) -> Result<(), Violation> {
        self.client.handle_input(self.now, input)
    }

    /// What is to be asked for, in words; the requests are under way then.
    fn requests(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        while let Some(request) = self.client.poll_request(self.now) {
            words.push(match request {
                Request::Get(req) => {
                    assert_eq!(self.get.replace(req), None, "two GETs");
                    "GET".to_string()
                }
                Request::Post(req, body) => {
                    assert_eq!(self.post.replace(req), None, "two POSTs");
                    let body = String::from_utf8(body.into()).unwrap();
                    format!("POST {}", body.replace('\x1e', " "))
                }
                Request::WebSocket => "WebSocket".to_string(),
            });
        }
        words
    }

    /// The GET's answer.
    fn got(&mut self, body: &str) -> Result<(), Violation> {
        let get = self.get.take().expect("a GET is under way");
        self.input(Input::Response(get, body.to_string().into()))
    }

    /// The POST's answer.
    fn posted(&mut self) {
        let post = self.post.take().expect("a POST is under way");
        assert_eq!(self.input(Input::Response(post, "ok".into())), Ok(()));
    }

    fn lose_get(&mut self) {
        let get = self.get.take().expect("a GET is under way");
        self.input(Input::Failed(get)).unwrap();
    }

    fn lose_post(&mut self) {
        let post = self.post.take().expect("a POST is under way");
        self.input(Input::Failed(post)).unwrap();
    }

    fn frame(&mut self, text: &str) -> Result<(), Violation> {
        self.input(Input::WsText(text.into()))
    }

    fn send(&mut self, text: &str) {
        self.client.send(text.into()).unwrap();
    }

    fn close(&mut self) {
        self.client.close(self.now);
    }

    /// What the WebSocket is given.
    fn frames(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        while let Some(transmit) = self.client.poll_transmit(self.now) {
            words.push(match transmit {
                Transmit::Packet(packet) => match packet.as_binary() {
                    Some(bytes) => format!("{} bytes", bytes.len()),
                    None => {
                        let mut text = Vec::new();
                        packet.encode(&mut text);
                        String::from_utf8(text).unwrap()
                    }
                },
                Transmit::Close => "close frame".to_string(),
            });
        }
        words
    }

    fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.client.poll_event()).collect()
    }

    fn unsent(&mut self) -> Vec<Data> {
        self.client.take_unsent().collect()
    }

    /// Lets time pass as a good driver does: every deadline is met.
    fn wait(&mut self, time: u64) {
        let end = self.now + millis(time);
        while let Some(deadline) = self.client.poll_timeout().filter(|&deadline| deadline <= end) {
            self.now = self.now.max(deadline);
            self.client.handle_timeout(self.now);
            assert!(self.client.poll_timeout().is_none_or(|next| next > self.now));
        }
        self.now = end;
    }

    /// Everything is taken, and the client may be forgotten.
    fn assert_finished(&mut self) {
        assert!(self.client.is_finished());
        assert_eq!(self.client.poll_timeout(), None);
        assert_eq!(self.client.poll_event(), None);
        assert_eq!(self.requests(), NO_STRINGS);
        assert_eq!(self.frames(), NO_STRINGS);
    }
}
