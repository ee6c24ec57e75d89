//! A new session where one broke: when, how often, and what it carries on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sansocket::Error;
use sansocket::engineio::{CloseReason, Transport};
use sansocket::runtime::engineio::{Backoff, ClientEvent, ErrorKind, Handle, TrySendError};

use crate::runtime::{self, Client};

use crate::client::{WAYS, client, echo, event, quickly, run, until, url, within};
use crate::front::{Answer, Front, Kind, open_packet, open_packet_with};

/// A server on a tokio of its own, which can be gone without a word.
struct Mortal {
    runtime: tokio::runtime::Runtime,
    address: SocketAddr,
    handle: Handle,
}

impl Mortal {
    async fn start(address: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let address = address.to_owned();
        let bound = runtime.spawn(async move {
            loop {
                // The one before may hold the address for a moment.
                let server = sansocket::tokio::engineio::Server::builder();
                if let Ok(server) = server.bind(&address).await {
                    let answer = (server.local_addr(), server.handle());
                    tokio::spawn(server.serve(echo));
                    return answer;
                }
                runtime::pause(Duration::from_millis(5)).await;
            }
        });
        let (address, handle) = within("a server", bound).await.expect("no panic");
        Self {
            runtime,
            address,
            handle,
        }
    }

    fn die(self) -> String {
        self.runtime.shutdown_background();
        self.address.to_string()
    }
}

/// The next of these events, upgrades aside.
async fn next(client: &mut Client) -> ClientEvent {
    loop {
        match event(client).await {
            ClientEvent::Upgraded | ClientEvent::UpgradeFailed(_) => {}
            other => return other,
        }
    }
}

async fn until_open(client: &mut Client) {
    loop {
        match next(client).await {
            ClientEvent::Opened { .. } => return,
            ClientEvent::Failed(_) | ClientEvent::Reconnecting { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The server is there again on the same port; what was sent in between arrives, once and in order.
#[test]
fn a_server_that_is_restarted() {
    run(async {
        for way in WAYS {
            let mortal = Mortal::start("127.0.0.1:0").await;
            let mut client = client(&url(mortal.address))
                .transports(way)
                .reconnect(quickly(1_000))
                .connect()
                .await
                .unwrap();
            until_open(&mut client).await;
            let first = client.sid().expect("a session");
            client.send("before").await.unwrap();
            assert!(matches!(next(&mut client).await, ClientEvent::Message(data) if data == "before".into()));
            if way.len() == 2 {
                until("the upgrade", || client.transport() == Transport::WebSocket).await;
            }

            let address = mortal.die();
            let ClientEvent::Closed { closed, .. } = next(&mut client).await else {
                panic!("it is not closed");
            };
            let broken = [CloseReason::TransportClose, CloseReason::TransportError];
            assert!(broken.contains(&closed.reason), "{closed:?}");
            assert!(matches!(
                next(&mut client).await,
                ClientEvent::Reconnecting { attempt: 1, .. }
            ));
            assert_eq!(client.closed(), None);
            for number in 0..20 {
                client.send(number.to_string()).await.unwrap();
            }
            // At least one attempt finds nobody.
            loop {
                match next(&mut client).await {
                    ClientEvent::Failed(error) => break assert_eq!(error.kind(), ErrorKind::Connection),
                    ClientEvent::Reconnecting { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            let mortal = Mortal::start(&address).await;
            until_open(&mut client).await;
            for number in 0..20 {
                let message = next(&mut client).await;
                assert!(
                    matches!(&message, ClientEvent::Message(data) if *data == number.to_string().into()),
                    "{message:?}"
                );
            }
            assert_ne!(client.sid().expect("a session"), first);
            client.close().await.unwrap();
            until("no session is left", || mortal.handle.stats().sessions == 0).await;
            mortal.die();
        }
    });
}

/// `connect` waits for the last attempt, and says what became of it.
#[test]
fn attempts_are_exhausted() {
    run(async {
        let front = Front::start(|_| Answer::refused(503, "later"));
        let delay = Duration::from_millis(80);
        let backoff = Backoff::default()
            .attempts(3)
            .delay(delay)
            .max_delay(Duration::from_millis(100))
            .jitter(0.0);
        let begun = Instant::now();
        let builder = client(&front.url()).transports(&[Transport::Polling]);
        let Err(Error::Connect(error)) = within("an error", builder.reconnect(backoff).connect()).await else {
            panic!("it has connected");
        };
        assert_eq!(error.refused().map(|refused| refused.status()), Some(503));
        assert!(begun.elapsed() >= Duration::from_millis(280));
        let times: Vec<Instant> = front.requests().iter().map(|request| request.at).collect();
        assert_eq!(times.len(), 4);
        for (pair, wanted) in times.windows(2).zip([80, 100, 100]) {
            assert!(pair[1] - pair[0] >= Duration::from_millis(wanted), "{times:?}");
        }
    });
}

/// The stream of events tells all of it, in order.
#[test]
fn events_of_an_end_after_several_attempts() {
    run(async {
        let handshakes = AtomicUsize::new(0);
        let front = Front::start(move |request| match request.kind() {
            Kind::Handshake if handshakes.fetch_add(1, Ordering::SeqCst) == 0 => Answer::ok(open_packet(&[])),
            Kind::Handshake => Answer::refused(403, "no more"),
            Kind::Poll => Answer::HangUp,
            _ => Answer::ok("ok"),
        });
        let backoff = quickly(2);
        let builder = client(&front.url()).transports(&[Transport::Polling]);
        let mut client = builder.reconnect(backoff).connect().await.unwrap();
        let mut told = Vec::new();
        while let Some(event) = within("the end", client.event()).await {
            told.push(match event {
                ClientEvent::Opened { .. } => "open".to_owned(),
                ClientEvent::Closed { closed, error } => format!("closed {} {}", closed.reason, error.is_some()),
                ClientEvent::Reconnecting { attempt, .. } => format!("again {attempt}"),
                ClientEvent::Failed(error) => format!("failed {}", error.kind()),
                other => panic!("{other:?}"),
            });
        }
        let wanted = [
            "open",
            "closed transport error true",
            "again 1",
            "failed refused",
            "again 2",
            "failed refused",
        ];
        assert_eq!(told, wanted);
        assert_eq!(client.closed().map(|closed| closed.reason), Some(CloseReason::Refused));
        assert!(matches!(client.try_send("late"), Err(TrySendError::Closed(_))));
        client.close().await.unwrap();
    });
}

/// Not after our close, nor after the server's close packet, nor without being asked to.
#[test]
fn ends_that_are_ends() {
    run(async {
        for transport in [Transport::Polling, Transport::WebSocket] {
            let mortal = Mortal::start("127.0.0.1:0").await;
            let builder = || client(&url(mortal.address)).transports(&[transport]);
            let mut ours = builder().reconnect(quickly(1_000)).connect().await.unwrap();
            ours.close().await.unwrap();
            let theirs = builder().reconnect(quickly(1_000)).connect().await.unwrap();
            mortal.handle.disconnect(&theirs.sid().unwrap());
            let closed = within("the end", theirs.wait()).await;
            assert_eq!(closed.reason, CloseReason::ServerDisconnect);
            let dropped = builder().reconnect(quickly(1_000)).connect().await.unwrap();
            let sender = dropped.sender();
            drop(dropped);
            within("the end", sender.wait()).await;
            let aborted = builder().reconnect(quickly(1_000)).connect().await.unwrap();
            aborted.abort();
            within("the end", aborted.wait()).await;
            let opened = mortal.handle.stats().opened;
            assert_eq!(opened, 4);

            let alone = builder().connect().await.unwrap();
            mortal.die();
            let closed = within("the end", alone.wait()).await;
            assert_ne!(closed.reason, CloseReason::ServerDisconnect);
        }
    });
}

/// A WebSocket that a dead network has filled: what is sent after its end waits for the next session.
#[test]
fn sending_after_a_network_has_died() {
    run(async {
        let sessions = Arc::new(AtomicUsize::new(0));
        let count = sessions.clone();
        let front = Front::start(move |_| {
            let first = count.fetch_add(1, Ordering::SeqCst) == 0;
            Answer::websocket(move |mut websocket| {
                let times = if first { (200, 100) } else { (25_000, 20_000) };
                let open = open_packet_with(&[], times.0, times.1);
                let _ = websocket.send(tungstenite::Message::text(open));
                if first {
                    // It does not read, and says nothing.
                    std::thread::sleep(Duration::from_secs(9));
                }
                while websocket.read().is_ok() {}
            })
        });
        let mut client = client(&front.url())
            .transports(&[Transport::WebSocket])
            .max_queue(1_000_000)
            .reconnect(quickly(1_000))
            .connect()
            .await
            .unwrap();
        // Until what is written is stuck.
        let full = Instant::now();
        while full.elapsed() < Duration::from_millis(150) {
            let _full = client.try_send(vec![0; 100_000]);
            runtime::pause(Duration::from_millis(1)).await;
        }
        let begun = Instant::now();
        while sessions.load(Ordering::SeqCst) < 2 {
            match client.try_send("x") {
                Ok(()) | Err(TrySendError::Full(_)) => {}
                Err(other) => panic!("{other:?}, after {:?}, while {:?}", begun.elapsed(), client.closed()),
            }
            runtime::pause(Duration::from_millis(2)).await;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{:?} until the next session",
            begun.elapsed()
        );
        client.abort();
        let _end = within("the end", client.wait()).await;
        assert!(matches!(event(&mut client).await, ClientEvent::Opened { .. }));
    });
}

/// An application that does not take its messages holds the next sessions up; they have their whole time nevertheless.
#[test]
fn an_application_that_lags_behind() {
    run(async {
        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::ok(format!("{}\x1e4hello", open_packet(&[]))),
            Kind::Post => Answer::ok("ok"),
            _ => Answer::HangUp,
        });
        let timeout = Duration::from_millis(300);
        let builder = client(&front.url())
            .transports(&[Transport::Polling])
            .connect_timeout(timeout);
        let mut client = builder.reconnect(quickly(1_000)).connect().await.unwrap();
        until("as many sessions as are kept", || {
            front.requests_of(Kind::Handshake).len() >= 2
        })
        .await;
        // Longer than an attempt to connect may take.
        runtime::pause(Duration::from_millis(700)).await;
        let before = front.requests_of(Kind::Handshake).len();
        assert!(before <= 3, "{before} sessions whose messages nobody takes");
        let mut messages = 0;
        while messages < 6 {
            match next(&mut client).await {
                ClientEvent::Message(data) => {
                    assert_eq!(data, "hello".into());
                    messages += 1;
                }
                ClientEvent::Failed(error) => panic!("an attempt that was none: {error}"),
                _ => {}
            }
        }
        client.abort();
    });
}

/// Messages of a session that broke come before those of the next, and both before its end.
#[test]
fn messages_of_sessions_stay_in_order() {
    run(async {
        let handshakes = AtomicUsize::new(0);
        let front = Front::start(move |request| match request.kind() {
            Kind::Handshake => {
                let number = handshakes.fetch_add(1, Ordering::SeqCst);
                Answer::ok(format!("{}\x1e4a{number}\x1e4b{number}", open_packet(&[])))
            }
            Kind::Post => Answer::ok("ok"),
            _ => Answer::HangUp,
        });
        let builder = client(&front.url()).transports(&[Transport::Polling]);
        let mut client = builder.reconnect(quickly(1_000)).connect().await.unwrap();
        for number in 0..5 {
            for letter in ["a", "b"] {
                let message = within("a message", client.recv()).await;
                assert_eq!(message, Some(format!("{letter}{number}").into()));
            }
        }
        client.close().await.unwrap();
    });
}
