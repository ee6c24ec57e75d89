use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Waker;
use core::time::Duration;
use std::boxed::Box;
use std::format;
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use super::*;
use crate::engineio::{CloseReason, Config, Event};
use crate::http::Endpoint;
use crate::wire::tls::tests::certificates::Authority;
use crate::wire::tls::tests::{identity, trusting};
use crate::wire::tls::{ClientOptions, Connector, ServerOptions};
use crate::wire::{Cell, Hub, Limits};

/// A server, one connection to it, and the TLS of a client, in a time that only tests move.
struct Scene {
    micros: Arc<AtomicU64>,
    hub: Arc<Hub<()>>,
    connection: Connection<()>,
    client: TlsConnection,
    said: Vec<u8>,
}

fn scene_of(options: ServerOptions, client: ClientOptions) -> Scene {
    let micros = Arc::new(AtomicU64::new(0));
    let clock = {
        let micros = micros.clone();
        move || Instant::from_micros(micros.load(Ordering::Relaxed))
    };
    let acceptor = Acceptor::new(options).unwrap();
    let entropy = Box::new(|bytes: &mut [u8]| bytes.fill(7));
    let hub = Hub::new(
        Config::default(),
        Endpoint::default(),
        Limits::default(),
        clock,
        entropy,
    );
    let hub = Arc::new(hub.keep_requests(true).with_tls(Some(acceptor)));
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    Scene {
        micros,
        connection: Connection::new(hub.clone(), peer, hub.now()),
        hub,
        client: Connector::new(client).unwrap().connect("localhost").unwrap(),
        said: Vec::new(),
    }
}

fn scene() -> Scene {
    let authority = Authority::new("authority");
    let options = ServerOptions::new(identity(&authority.issue(&["localhost"])));
    scene_of(options, trusting(&authority))
}

impl Scene {
    fn now(&self) -> Instant {
        self.hub.now()
    }

    /// Carries what there is to carry, both ways.
    fn carry(&mut self) {
        loop {
            let (mut up, mut down) = (Vec::new(), Vec::new());
            self.client.poll_transmit(&mut up);
            let now = self.now();
            if !up.is_empty() {
                self.connection.handle_input(now, &up, &mut down);
            }
            self.connection.poll_transmit(now, &mut down);
            self.connection.handle_written();
            if up.is_empty() && down.is_empty() {
                return;
            }
            self.client.handle_input(&down, &mut self.said).unwrap();
        }
    }

    fn send(&mut self, text: &str) {
        self.carry();
        let mut up = Vec::new();
        self.client.send(text.as_bytes(), &mut up);
        let mut down = Vec::new();
        let now = self.now();
        self.connection.handle_input(now, &up, &mut down);
        self.client.handle_input(&down, &mut self.said).unwrap();
        self.carry();
    }

    fn said(&mut self) -> String {
        self.carry();
        String::from_utf8_lossy(&core::mem::take(&mut self.said)).into_owned()
    }

    /// A session over a WebSocket.
    fn open(&mut self) -> Arc<Cell<()>> {
        self.send(
            "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        );
        let Some(ConnectionEvent::Opened { cell, request, .. }) = self.connection.poll_event() else {
            panic!("a session was asked for");
        };
        assert!(request.is_some_and(|request| request.is_secure()));
        let now = self.now();
        cell.with(|session| session.accept(now));
        assert!(self.said().starts_with("HTTP/1.1 101 "));
        cell
    }

    fn failure(&mut self) -> Option<(String, bool)> {
        match self.connection.poll_event() {
            Some(ConnectionEvent::TlsFailed { error, in_handshake }) => Some((error.to_string(), in_handshake)),
            None => None,
            Some(other) => panic!("{other:?}"),
        }
    }
}

fn reason(cell: &Cell<()>) -> Option<CloseReason> {
    cell.with(|session| {
        while let Some(event) = session.poll_event() {
            if let Event::Closed(closed) = event {
                return Some(closed.reason);
            }
        }
        None
    })
}

#[test]
fn requests_are_read_and_answered() {
    let mut scene = scene();
    assert!(scene.connection.is_secure());
    scene.send("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let Some(ConnectionEvent::Opened { cell, .. }) = scene.connection.poll_event() else {
        panic!("a session was asked for");
    };
    let now = scene.now();
    cell.with(|session| session.accept(now));
    assert!(scene.said().starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(scene.hub.stats().failed_handshakes, 0);
    assert!(!scene.client.has_ended(), "the connection is kept");
}

#[test]
fn the_last_answer_is_followed_by_close_notify() {
    let mut scene = scene();
    scene.send("GET /elsewhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(scene.said().starts_with("HTTP/1.1 404 "));
    assert!(scene.client.has_ended() && scene.connection.wants_end());
}

#[test]
fn pages_without_tls_are_foreign() {
    for (origin, allowed) in [("https://localhost", true), ("http://localhost", false)] {
        let mut scene = scene();
        scene.send(&format!(
            "OPTIONS /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\r\n"
        ));
        let said = scene.said();
        assert_eq!(
            said.contains("Access-Control-Allow-Origin"),
            allowed,
            "{origin}: {said}"
        );
    }
}

#[test]
fn an_end_in_order_is_told_from_a_cut() {
    for (in_order, expected) in [
        (true, CloseReason::TransportClose),
        (false, CloseReason::TransportError),
    ] {
        let mut scene = scene();
        let cell = scene.open();
        let now = scene.now();
        if in_order {
            scene.client.close();
            scene.carry();
            assert!(scene.client.has_ended(), "it is answered");
        } else {
            scene.connection.handle_end(now);
            assert_eq!(
                scene.failure(),
                Some((TlsError::Truncated.to_string(), false)),
                "it is told"
            );
        }
        assert_eq!(reason(&cell), Some(expected));
        assert!(scene.connection.is_done());
        assert_eq!(scene.hub.stats().failed_handshakes, 0);
    }
}

#[test]
fn records_that_were_changed_end_the_session() {
    let mut scene = scene();
    let cell = scene.open();
    let mut up = Vec::new();
    scene.client.send(b"x", &mut up);
    let last = up.len() - 1;
    up[last] ^= 1;
    let (now, mut down) = (scene.now(), Vec::new());
    scene.connection.handle_input(now, &up, &mut down);
    assert_eq!(reason(&cell), Some(CloseReason::TransportError));
    assert!(scene.failure().is_some_and(|(_, in_handshake)| !in_handshake));
    scene.connection.poll_transmit(now, &mut down);
    let told = scene.client.handle_input(&down, &mut Vec::new()).unwrap_err();
    assert!(told.to_string().contains("BadRecordMac"), "{told}");
}

/// What is wrong behind a request must not let the answer out as it is, nor let it pass for written.
#[test]
fn nothing_is_said_without_tls() {
    let mut scene = scene();
    scene.carry();
    let mut up = Vec::new();
    let request = "GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n";
    scene.client.send(request.as_bytes(), &mut up);
    scene.client.send(request.as_bytes(), &mut up);
    let last = up.len() - 1;
    up[last] ^= 1;
    let (now, mut down) = (scene.now(), Vec::new());
    scene.connection.handle_input(now, &up, &mut down);
    scene.connection.poll_transmit(now, &mut down);
    assert!(!down.windows(4).any(|window| window == b"HTTP"), "{down:?}");
    let mut said = Vec::new();
    let told = scene.client.handle_input(&down, &mut said).unwrap_err();
    assert!(told.to_string().contains("BadRecordMac"), "{told}");
    assert!(said.is_empty() && scene.connection.is_done());
}

#[test]
fn http_without_tls_is_told_so() {
    let mut scene = scene();
    let (now, mut out) = (scene.now(), Vec::new());
    scene
        .connection
        .handle_input(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &mut out);
    scene.connection.poll_transmit(now, &mut out);
    let said = String::from_utf8(out).unwrap();
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("https://"), "{said}");
    assert!(scene.connection.wants_end());
    assert_eq!(scene.failure(), Some((TlsError::PlainHttp.to_string(), true)));
    assert_eq!(scene.hub.stats().failed_handshakes, 1);
    let mut out = Vec::new();
    scene.connection.handle_input(now, b"GET / HTTP/1.1\r\n\r\n", &mut out);
    scene.connection.handle_end(now);
    assert!(out.is_empty() && scene.connection.is_done());
    assert_eq!((scene.failure(), scene.hub.stats().failed_handshakes), (None, 1));
}

#[test]
fn a_handshake_has_its_time() {
    // Who says nothing is no failure.
    for (says, failures) in [(true, 1), (false, 0)] {
        let mut scene = scene();
        let (mut hello, mut down) = (Vec::new(), Vec::new());
        scene.client.poll_transmit(&mut hello);
        let now = scene.now();
        if says {
            scene.connection.handle_input(now, &hello, &mut down);
        }
        // Nor does it help to take the answer slowly.
        scene.connection.handle_stuck(now, true);
        let _parked = scene.connection.park(1, false, Waker::noop());
        let limit = Limits::default().head_timeout;
        scene.micros.store(limit.as_micros() as u64, Ordering::Relaxed);
        let now = scene.now();
        scene.connection.handle_timeout(now, &mut down);
        assert!(scene.connection.is_done());
        assert_eq!(scene.hub.stats().failed_handshakes, failures);
        assert_eq!(scene.failure().is_some(), says);
    }
    // Nor is a second one given to who is through.
    let mut scene = scene();
    scene.carry();
    assert!(!scene.client.is_handshaking());
    let after = Limits::default().head_timeout + Duration::from_secs(1);
    scene.micros.store(after.as_micros() as u64, Ordering::Relaxed);
    let (now, mut down) = (scene.now(), Vec::new());
    scene.connection.handle_timeout(now, &mut down);
    assert!(scene.connection.is_done());
    assert_eq!(scene.hub.stats().failed_handshakes, 0);
}

#[test]
fn a_refusal_reaches_the_client() {
    let authority = Authority::new("authority");
    let options = ServerOptions::new(identity(&authority.issue(&["localhost"])));
    let options = options.require_client_certificates(crate::wire::tls::tests::roots(&authority));
    let mut scene = scene_of(options, trusting(&authority));
    let now = scene.now();
    let mut told = None;
    while told.is_none() {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        scene.client.poll_transmit(&mut up);
        assert!(!up.is_empty(), "it goes on until somebody says no");
        scene.connection.handle_input(now, &up, &mut down);
        scene.connection.poll_transmit(now, &mut down);
        told = scene.client.handle_input(&down, &mut scene.said).err();
    }
    assert_eq!(told, Some(TlsError::CertificateRequired));
    assert_eq!(scene.failure(), Some((TlsError::NoCertificate.to_string(), true)));
    assert!(
        !scene.connection.is_done() && scene.connection.wants_end(),
        "the alert is to arrive"
    );
    scene.connection.handle_end(now);
    assert!(scene.connection.is_done());
}

#[test]
fn applications_see_who_a_client_is() {
    let authority = Authority::new("authority");
    let pair = authority.issue(&["client.example"]);
    let options = ServerOptions::new(identity(&authority.issue(&["localhost"])));
    let options = options.allow_client_certificates(crate::wire::tls::tests::roots(&authority));
    let mut scene = scene_of(options, trusting(&authority).identity(identity(&pair)));
    scene.send("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let Some(ConnectionEvent::Opened { request, .. }) = scene.connection.poll_event() else {
        panic!("a session was asked for");
    };
    let request = request.expect("the hub keeps requests");
    let certificate = request.client_certificate().expect("a certificate was shown");
    assert!(certificate.windows(14).any(|window| window == b"client.example"));
    let tls = request.tls().expect("it came over TLS");
    assert_eq!(tls.protocol.as_deref(), Some("TLSv1.3"));
    assert!(
        tls.cipher_suite
            .as_deref()
            .is_some_and(|suite| suite.starts_with("TLS13_"))
    );
    assert_eq!(tls.server_name.as_deref(), Some("localhost"));
    assert_eq!(tls.alpn.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(tls.certificates.first(), Some(certificate));
}
