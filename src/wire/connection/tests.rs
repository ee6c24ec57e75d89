use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::format;
use std::string::String;

use super::*;
use crate::engineio::{Config, Data};
use crate::http::Endpoint;
use crate::wire::Limits;

/// A server and one connection to it, in a time that only tests move.
struct Scene {
    micros: Arc<AtomicU64>,
    hub: Arc<Hub<()>>,
    connection: Connection<()>,
    out: Vec<u8>,
}

fn scene() -> Scene {
    scene_with(Limits::default())
}

fn scene_with(limits: Limits) -> Scene {
    let micros = Arc::new(AtomicU64::new(0));
    let clock = {
        let micros = micros.clone();
        move || Instant::from_micros(micros.load(Ordering::Relaxed))
    };
    let mut next = 0_u8;
    let entropy = Box::new(move |bytes: &mut [u8]| {
        next += 1;
        bytes.fill(next);
    });
    let hub = Hub::new(Config::default(), Endpoint::default(), limits, clock, entropy);
    let hub = Arc::new(hub.with_fallback(true));
    let connection = connection(&hub);
    Scene {
        micros,
        hub,
        connection,
        out: Vec::new(),
    }
}

fn connection(hub: &Arc<Hub<()>>) -> Connection<()> {
    Connection::new(hub.clone(), SocketAddr::from(([127, 0, 0, 1], 1)), hub.now())
}

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

const OPEN: &str = "/engine.io/?EIO=4&transport=polling";

impl Scene {
    fn now(&self) -> Instant {
        self.hub.now()
    }

    fn wait(&mut self, time: Duration) {
        self.micros.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
        let now = self.now();
        self.hub.handle_timeout(now);
        self.connection.handle_timeout(now, &mut self.out);
    }

    fn input(&mut self, bytes: &str) {
        let now = self.now();
        self.connection.handle_input(now, bytes.as_bytes(), &mut self.out);
        self.connection.poll_transmit(now, &mut self.out);
    }

    /// What is to be written; not yet known to be.
    fn output(&mut self) -> String {
        self.connection.poll_transmit(self.hub.now(), &mut self.out);
        String::from_utf8(mem::take(&mut self.out)).expect("responses are text here")
    }

    fn written(&mut self) -> String {
        let output = self.output();
        self.connection.handle_written();
        output
    }

    /// Opens a session that polls, and answers with it and its target.
    fn open(&mut self) -> (Arc<Cell<()>>, String) {
        self.input(&get(OPEN, ""));
        let Some(ConnectionEvent::Opened { cell, .. }) = self.connection.poll_event() else {
            panic!("a session was asked for");
        };
        let now = self.now();
        cell.with(|session| session.accept(now));
        assert!(self.written().starts_with("HTTP/1.1 200 OK"));
        let target = cell.look(|session| format!("{OPEN}&sid={}", session.sid().as_str()));
        (cell, target)
    }
}

#[test]
fn a_response_is_not_cut_off_while_the_peer_takes_it() {
    for headers in ["Connection: close\r\n", ""] {
        let mut scene = scene();
        let (cell, target) = scene.open();
        cell.with(|session| session.send(Data::from("x"))).unwrap();
        scene.input(&get(&target, headers));
        assert!(scene.output().ends_with("4x"));
        let now = scene.now();
        scene.connection.handle_stuck(now, true);
        for _ in 0..40 {
            scene.wait(Duration::from_secs(5));
            assert!(!scene.connection.is_done(), "it is still being written");
            let now = scene.now();
            scene.connection.handle_stuck(now, true);
        }
        scene.wait(Limits::default().write_timeout);
        assert!(
            scene.connection.is_done(),
            "and at last nothing of it was taken any more"
        );
    }
}

#[test]
fn a_shutdown_does_not_cut_off_a_response() {
    let mut scene = scene();
    let (cell, target) = scene.open();
    scene.input(&get(&target, ""));
    let now = scene.now();
    cell.with(|session| session.close(now));
    assert!(scene.output().ends_with("\r\n\r\n1"));
    scene.connection.handle_stuck(now, true);
    scene.connection.handle_shutdown(now);
    assert!(!scene.connection.is_done());
    scene.connection.handle_written();
    assert!(scene.connection.wants_end());
}

#[test]
fn a_request_behind_another_confirms_nothing_before_its_answer_is_written() {
    let mut scene = scene();
    let (cell, target) = scene.open();
    cell.with(|session| session.send(Data::from("x"))).unwrap();
    scene.input(&(get(&target, "") + &get(&target, "")));
    assert!(scene.output().ends_with("4x"));
    assert!(!scene.connection.has_backlog());
    let now = scene.now();
    scene.connection.handle_failure(now);
    drop(scene.connection);
    let closed = cell.look(Session::closed).expect("its poll was cut");
    assert_eq!((closed.in_doubt, closed.unsent), (1, 0));
}

#[test]
fn a_request_behind_another_is_answered_after_it() {
    let mut scene = scene();
    let (cell, target) = scene.open();
    cell.with(|session| session.send(Data::from("x"))).unwrap();
    scene.input(&(get(&target, "") + &get(&target, "")));
    assert!(scene.written().ends_with("4x"));
    assert!(scene.connection.has_backlog());
    cell.with(|session| session.send(Data::from("y"))).unwrap();
    assert!(scene.written().ends_with("4y"));
}

#[test]
fn whoever_waits_for_a_session_that_is_over_gets_an_answer() {
    let mut scene = scene();
    let (cell, target) = scene.open();
    scene.input(&get(&target, ""));
    let now = scene.now();
    cell.with(|session| session.abort(now));
    // Its carrier could not ask for the answer for longer than the session keeps it.
    scene.hub.handle_timeout(now + Duration::from_secs(31));
    scene.hub.handle_timeout(now + Duration::from_secs(31));
    assert!(cell.look(Session::is_finished));
    assert!(scene.written().contains("Session ID unknown"));
}

#[test]
fn whoever_waits_for_a_websocket_of_a_session_that_is_over_gets_an_answer() {
    let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let mut scene = scene();
    scene.input(&get("/engine.io/?EIO=4&transport=websocket", headers));
    let Some(ConnectionEvent::Opened { cell, .. }) = scene.connection.poll_event() else {
        panic!("a session");
    };
    // Nobody accepts it in time, and its carrier does not ask for as long as it keeps the refusal.
    let now = scene.now();
    for seconds in [31, 62, 93] {
        scene.hub.handle_timeout(now + Duration::from_secs(seconds));
    }
    assert!(cell.look(Session::is_finished));
    assert!(scene.written().starts_with("HTTP/1.1 503"));
}

#[test]
fn a_length_of_zero_is_no_body() {
    let mut scene = scene();
    let (_cell, target) = scene.open();
    scene.input(&get(&target, "Content-Length: 0\r\n"));
    assert_eq!(scene.written(), "", "it waits");
}

#[test]
fn a_request_for_a_websocket_has_no_body() {
    let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nContent-Length: 9\r\n";
    let mut scene = scene();
    scene.input(&get("/engine.io/?EIO=4&transport=websocket", headers));
    assert!(scene.written().starts_with("HTTP/1.1 400"));
    assert!(scene.connection.poll_event().is_none());
}

#[test]
fn a_status_without_a_body_has_none() {
    let mut scene = scene();
    scene.input(&get("/other", ""));
    assert!(matches!(
        scene.connection.poll_event(),
        Some(ConnectionEvent::Fallback(_))
    ));
    let now = scene.now();
    let response = Response::new(204).body("never seen");
    scene.connection.respond(now, &response, &mut scene.out);
    assert_eq!(scene.written(), "HTTP/1.1 204 No Content\r\n\r\n");
    scene.input(&get("/other", ""));
    assert!(scene.connection.has_event(), "the connection goes on");
}

#[test]
fn who_has_no_place_is_told_so_and_has_little_time() {
    let limits = Limits {
        max_connections: Some(0),
        ..Limits::default()
    };
    let patience = limits.linger_timeout;
    let mut scene = scene_with(limits);
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let admit = |scene: &mut Scene| {
        scene.connection = Connection::admit(scene.hub.clone(), peer, scene.now()).expect("somebody who tells");
    };
    for (method, body) in [("GET", r#"{"code":4,"message":"Too many connections"}"#), ("HEAD", "")] {
        admit(&mut scene);
        scene.input(&get("/", "").replacen("GET", method, 1));
        let response = scene.written();
        assert!(response.starts_with("HTTP/1.1 503"), "{response}");
        assert!(response.ends_with(&format!("\r\n\r\n{body}")), "{response}");
    }
    admit(&mut scene);
    scene.input("GET / HT");
    scene.wait(patience);
    assert!(scene.written().starts_with("HTTP/1.1 408"));
}

#[test]
fn an_oversized_body_is_refused_in_words_that_a_page_may_read() {
    let mut scene = scene();
    let (_cell, target) = scene.open();
    let origin = "Origin: http://a\r\nContent-Length: 1000001\r\n";
    scene.input(&get(&target, origin).replacen("GET", "POST", 1));
    let response = scene.written();
    assert!(response.starts_with("HTTP/1.1 413"), "{response}");
    assert!(
        response.contains("Access-Control-Allow-Origin: http://a\r\n"),
        "{response}"
    );
}
