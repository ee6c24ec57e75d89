use core::net::SocketAddr;
use std::string::{String, ToString};
use std::sync::Arc;

use super::*;
use crate::engineio::client::{Config, Event};
use crate::engineio::{Data, Transport};
use crate::http::Endpoint;
use crate::wire::client::{ErrorKind, Proxies, Proxy};
use crate::wire::tls::tests::certificates::{Authority, Time};
use crate::wire::tls::tests::{identity, roots, trusting};
use crate::wire::tls::{Acceptor, ServerOptions, TlsError};
use crate::wire::{Connection as Peer, ConnectionEvent, Hub, Limits};

const NOW: Instant = Instant::from_micros(0);

/// A client, a server, and what the streams between them carry.
struct World {
    now: Instant,
    client: Connection,
    hub: Arc<Hub<()>>,
    peers: [Option<Peer<()>>; 3],
    /// A proxy that has not been asked yet stands before these.
    proxied: [bool; 3],
    /// What the proxies were asked.
    asked: Vec<String>,
    cells: Vec<Arc<crate::wire::Cell<()>>>,
    events: Vec<Event>,
    /// How many streams of each kind there were.
    connects: [u32; 3],
    /// What went wrong with TLS at the server.
    failures: Vec<TlsError>,
}

fn world(options: ServerOptions, tls: Connector, proxy: Option<&str>) -> World {
    let mut next = 0;
    let entropy = Box::new(move |bytes: &mut [u8]| {
        next += 1;
        bytes.fill(next);
    });
    let limits = Limits::default();
    let hub = Hub::new(Default::default(), Endpoint::default(), limits, || NOW, entropy);
    let hub = Arc::new(hub.with_tls(Some(Acceptor::new(options).unwrap())));
    let random = Box::new(|bytes: &mut [u8]| bytes.fill(1));
    let mut options = Options::new("https://localhost:3000", "/engine.io/", random).unwrap();
    options.set_tls(tls);
    if let Some(proxy) = proxy {
        let proxies = Proxies::always(Proxy::parse(proxy).unwrap());
        options.set_proxies(&proxies).unwrap();
    }
    let client = Connection::new(Arc::new(options), Arc::new(Config::default()), NOW, Default::default());
    World {
        now: NOW,
        client,
        hub,
        peers: [None, None, None],
        proxied: [proxy.is_some(); 3],
        asked: Vec::new(),
        cells: Vec::new(),
        events: Vec::new(),
        connects: [0; 3],
        failures: Vec::new(),
    }
}

impl World {
    /// One round of everything; whether anything happened.
    fn turn(&mut self) -> bool {
        let mut busy = false;
        for id in StreamId::ALL {
            let at = id as usize;
            if self.client.poll_connect(self.now, id) {
                self.connects[at] += 1;
                if let Some(mut last) = self.peers[at].take() {
                    last.handle_end(self.now);
                    self.failures.extend(failure(&mut last));
                }
                let peer = SocketAddr::from(([127, 0, 0, 1], 1));
                self.peers[at] = Some(Peer::new(self.hub.clone(), peer, self.now));
                self.client.handle_connected(self.now, id);
                busy = true;
            }
            let Some(peer) = &mut self.peers[at] else { continue };
            let (mut up, mut down) = (Vec::new(), Vec::new());
            self.client.poll_transmit(self.now, id, &mut up);
            self.client.handle_written(self.now);
            if !self.client.wants_stream(id) {
                // A client that ends a stream has said so before.
                if !up.is_empty() {
                    peer.handle_input(self.now, &up, &mut Vec::new());
                }
                peer.handle_end(self.now);
                self.failures.extend(failure(peer));
                self.peers[at] = None;
                continue;
            }
            if !up.is_empty() && self.proxied[at] {
                self.proxied[at] = false;
                self.asked.push(String::from_utf8(up).unwrap());
                self.client
                    .handle_input(self.now, id, b"HTTP/1.1 200 Connected\r\n\r\n");
                busy = true;
                continue;
            }
            if !up.is_empty() {
                peer.handle_input(self.now, &up, &mut down);
            }
            while let Some(event) = peer.poll_event() {
                match event {
                    ConnectionEvent::Opened { cell, .. } => {
                        cell.with(|session| session.accept(self.now));
                        self.cells.push(cell);
                    }
                    ConnectionEvent::TlsFailed { error, .. } => self.failures.push(error),
                    other => panic!("{other:?}"),
                }
            }
            peer.poll_transmit(self.now, &mut down);
            peer.handle_written();
            busy |= !up.is_empty() || !down.is_empty();
            if !down.is_empty() {
                self.client.handle_input(self.now, id, &down);
            }
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
        busy
    }

    fn run(&mut self) {
        for _ in 0..100 {
            if !self.turn() {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    fn has(&self, event: &Event) -> bool {
        self.events
            .iter()
            .any(|seen| std::format!("{seen:?}") == std::format!("{event:?}"))
    }

    fn error(&mut self) -> ConnectError {
        self.client.take_error().expect("something went wrong")
    }
}

fn failure(peer: &mut Peer<()>) -> Option<TlsError> {
    match peer.poll_event() {
        Some(ConnectionEvent::TlsFailed { error, .. }) => Some(error),
        _ => None,
    }
}

/// Whatever goes wrong, no request goes to anybody as it is.
#[track_caller]
fn assert_silent(world: &mut World) {
    for id in StreamId::ALL {
        let mut out = Vec::new();
        world.client.poll_transmit(NOW, id, &mut out);
        assert!(out.is_empty(), "{}", String::from_utf8_lossy(&out));
    }
}

fn good() -> World {
    let authority = Authority::new("authority");
    let options = ServerOptions::new(identity(&authority.issue(&["localhost"])));
    world(options, Connector::new(trusting(&authority)).unwrap(), None)
}

#[test]
fn a_session_over_tls_is_opened_upgraded_and_closed() {
    let mut world = good();
    world.run();
    assert!(world.has(&Event::Opened(Transport::Polling)) && world.has(&Event::Upgraded));
    let text = Data::from("x".repeat(100_000));
    world.client.machine().send(text.clone()).unwrap();
    let cell = world.cells[0].clone();
    cell.with(|session| session.send(text.clone())).unwrap();
    world.run();
    assert!(world.has(&Event::Message(text.clone())));
    let received = cell.with(|session| session.poll_event());
    assert!(matches!(
        received,
        Some(crate::engineio::Event::Upgraded | crate::engineio::Event::Message(_))
    ));
    world.client.machine().close(NOW);
    world.run();
    assert!(world.client.is_finished());
    assert!(
        world.peers.iter().all(Option::is_none),
        "every stream was ended in order"
    );
    assert_eq!(world.failures, []);
}

/// A stream that has lain idle for long is not used again, but it is ended in order.
#[test]
fn a_stream_that_is_replaced_is_ended_in_order() {
    let mut world = good();
    let config = Config {
        upgrades: false,
        ..Config::default()
    };
    world.client = Connection::new(world.client.options.clone(), Arc::new(config), NOW, Default::default());
    for streams in 1..4 {
        world.client.machine().send(Data::from("x")).unwrap();
        world.run();
        assert_eq!(world.connects[StreamId::Push as usize], streams);
        world.now = world.now + core::time::Duration::from_secs(6);
    }
    assert_eq!(world.failures, []);
}

/// Who is waited for is who is named.
#[test]
fn a_proxy_that_says_nothing_is_to_blame() {
    let authority = Authority::new("authority");
    let options = ServerOptions::new(identity(&authority.issue(&["localhost"])));
    let tls = Connector::new(trusting(&authority)).unwrap();
    let mut world = world(options, tls, Some("http://proxy.example:8080"));
    assert!(world.client.poll_connect(NOW, StreamId::Poll));
    world.client.handle_connected(NOW, StreamId::Poll);
    world.client.poll_transmit(NOW, StreamId::Poll, &mut Vec::new());
    while let Some(deadline) = world.client.poll_timeout() {
        world.client.handle_timeout(deadline);
    }
    let error = world.error();
    assert_eq!(error.kind(), ErrorKind::Proxy);
    assert_eq!(error.to_string(), "proxy: it did not answer in time");
}

/// A server that answers and does not read on must not keep the client from its next request.
#[test]
fn a_stream_that_is_stuck_is_replaced_without_a_goodbye() {
    let mut world = good();
    let config = Config {
        upgrades: false,
        ..Config::default()
    };
    world.client = Connection::new(world.client.options.clone(), Arc::new(config), NOW, Default::default());
    world.client.machine().send(Data::from("x")).unwrap();
    world.run();
    world.now = world.now + core::time::Duration::from_secs(6);
    world.client.machine().send(Data::from("x")).unwrap();
    assert!(
        !world.client.poll_connect(world.now, StreamId::Push),
        "first the goodbye"
    );
    world.client.handle_stuck(StreamId::Push);
    assert!(world.client.poll_connect(world.now, StreamId::Push));
}

/// What is to be said once the handshake is over does not keep the client from reading the handshake.
#[test]
fn a_long_request_waits_for_the_handshake_and_not_the_other_way_round() {
    let world = good();
    let mut options = (*world.client.options).clone();
    options.add_header("X-Long", &"x".repeat(20_000)).unwrap();
    let config = Config {
        transports: [Transport::WebSocket].into_iter().collect(),
        ..Config::default()
    };
    let mut client = Connection::new(Arc::new(options), Arc::new(config), NOW, Default::default());
    assert!(client.poll_connect(NOW, StreamId::WebSocket));
    client.handle_connected(NOW, StreamId::WebSocket);
    let mut out = Vec::new();
    client.poll_transmit(NOW, StreamId::WebSocket, &mut out);
    assert!(!out.is_empty() && client.wants_input(StreamId::WebSocket));
}

#[test]
fn a_proxy_digs_a_tunnel_for_every_stream() {
    let authority = Authority::new("authority");
    let options = ServerOptions::new(identity(&authority.issue(&["localhost"])));
    let tls = Connector::new(trusting(&authority)).unwrap();
    let mut world = world(options, tls, Some("http://user:secret@proxy.example:8080"));
    world.run();
    world.client.machine().send(Data::from("x")).unwrap();
    world.run();
    assert!(world.has(&Event::Upgraded));
    assert!(world.asked.len() >= 2);
    for asked in &world.asked {
        assert!(asked.starts_with("CONNECT localhost:3000 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("Proxy-Authorization: Basic "), "{asked}");
        assert!(
            !asked.contains("engine.io"),
            "the proxy sees nothing of what goes through: {asked}"
        );
    }
}

#[test]
fn a_proxy_that_refuses_is_to_blame() {
    for (answer, words) in [
        (&b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"[..], "407"),
        (
            b"HTTP/1.1 302 No\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n",
            "redirect",
        ),
        (b"nonsense\r\n\r\n", "proxy"),
    ] {
        let authority = Authority::new("authority");
        let options = ServerOptions::new(identity(&authority.issue(&["localhost"])));
        let tls = Connector::new(trusting(&authority)).unwrap();
        let mut world = world(options, tls, Some("proxy.example"));
        assert!(world.client.poll_connect(NOW, StreamId::Poll));
        world.client.handle_connected(NOW, StreamId::Poll);
        world.client.handle_input(NOW, StreamId::Poll, answer);
        let error = world.error();
        assert_eq!(error.kind(), ErrorKind::Proxy);
        assert!(error.to_string().contains(words), "{error}");
        assert!(!world.client.wants_stream(StreamId::Poll));
        assert_silent(&mut world);
    }
}

#[test]
fn a_bad_certificate_is_one_clear_error() {
    let authority = Authority::new("authority");
    let options = ServerOptions::new(identity(&authority.issue_at(&["localhost"], Time::Past)));
    let mut world = world(options, Connector::new(trusting(&authority)).unwrap(), None);
    world.run();
    assert!(world.client.is_finished());
    let error = world.error();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert_eq!(
        error.to_string(),
        "TLS with the server failed: its certificate has expired"
    );
    let told = TlsError::Refused("it has expired, or is not valid yet");
    assert_eq!(world.failures, [told.clone(), told], "each transport was tried");
    assert_eq!(world.hub.stats().failed_handshakes, 2);
}

#[test]
fn a_missing_certificate_is_named_however_the_server_says_so() {
    let authority = Authority::new("authority");
    let options = || {
        let options = ServerOptions::new(identity(&authority.issue(&["localhost"])));
        options.require_client_certificates(roots(&authority))
    };
    let tls = || Connector::new(trusting(&authority)).unwrap();
    let mut told = world(options(), tls(), None);
    told.run();
    // A server that cuts the connection instead of saying why.
    let mut reset = world(options(), tls(), None);
    let id = StreamId::Poll;
    assert!(reset.client.poll_connect(NOW, id));
    reset.client.handle_connected(NOW, id);
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let mut peer: Peer<()> = Peer::new(reset.hub.clone(), peer, NOW);
    let (mut up, mut down) = (Vec::new(), Vec::new());
    reset.client.poll_transmit(NOW, id, &mut up);
    peer.handle_input(NOW, &up, &mut down);
    reset.client.handle_input(NOW, id, &down);
    reset
        .client
        .handle_failure(NOW, id, io::ErrorKind::ConnectionReset.into());
    for mut world in [told, reset] {
        assert_silent(&mut world);
        let error = world.error();
        assert!(
            matches!(error, ConnectError::Tls(TlsError::CertificateRequired)),
            "{error}"
        );
        assert_eq!(error.kind(), ErrorKind::Tls);
    }
}

#[test]
fn a_cut_is_told_from_an_end() {
    let mut world = good();
    world.run();
    let id = StreamId::WebSocket;
    world.client.handle_end(NOW, id);
    let error = world.error();
    assert!(matches!(error, ConnectError::Tls(TlsError::Truncated)), "{error}");
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(!world.client.wants_stream(id), "nobody is left to be told");
    // And in the middle of a handshake.
    let mut world = good();
    assert!(world.client.poll_connect(NOW, StreamId::Poll));
    world.client.handle_connected(NOW, StreamId::Poll);
    assert!(world.client.late_on_way().is_some());
    world.client.handle_end(NOW, StreamId::Poll);
    let error = world.error();
    assert!(matches!(error, ConnectError::Tls(TlsError::EndedEarly)), "{error}");
    assert_silent(&mut world);
}

/// A body that reaches to the end of the connection is whole only where that end was said.
#[test]
fn a_body_that_was_cut_is_not_taken_for_whole() {
    let authority = Authority::new("authority");
    let pair = identity(&authority.issue(&["localhost"]));
    for in_order in [true, false] {
        let mut world = world(pair.clone().into(), Connector::new(trusting(&authority)).unwrap(), None);
        let mut server = Acceptor::new(pair.clone()).unwrap().accept();
        let id = StreamId::Poll;
        assert!(world.client.poll_connect(NOW, id));
        world.client.handle_connected(NOW, id);
        let mut request = Vec::new();
        while request.is_empty() {
            let (mut up, mut down) = (Vec::new(), Vec::new());
            world.client.poll_transmit(NOW, id, &mut up);
            server.handle_input(&up, &mut request).unwrap();
            server.poll_transmit(&mut down);
            world.client.handle_input(NOW, id, &down);
        }
        let open = br#"0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
        let mut down = Vec::new();
        server.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", &mut down);
        server.send(open, &mut down);
        if in_order {
            server.close();
            server.poll_transmit(&mut down);
        }
        world.client.handle_input(NOW, id, &down);
        world.client.handle_end(NOW, id);
        let opened = world.client.look().handshake().is_some();
        assert_eq!(opened, in_order);
        if !in_order {
            assert!(matches!(world.error(), ConnectError::Tls(TlsError::Truncated)));
        }
    }
}
