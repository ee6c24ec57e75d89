//! Each option has an effect that can be seen on the wire.

use std::time::{Duration, Instant};

use sansocket::engineio::{CloseReason, Transport};
use sansocket::runtime::engineio::{ClientEvent, ErrorKind};

use crate::runtime::{self, ClientBuilder};
use sansocket::{Error, engineio};

use crate::client::{ENOUGH, Host, client, event, run, server, upgraded, within};
use crate::front::{self, Answer, Front, Kind, Request, Sink, open_packet, open_packet_with};

/// Opens, upgrades, sends one message by POST and has one poll under way: requests of every kind.
async fn every_request(
    change: impl FnOnce(ClientBuilder) -> ClientBuilder,
    url: impl FnOnce(&Front) -> String,
) -> Vec<Request> {
    let front = Front::start(|request| match request.kind() {
        Kind::Handshake => Answer::ok(open_packet(&["websocket"])),
        Kind::Post => Answer::ok("ok"),
        Kind::Upgrade => Answer::refused(400, "not today"),
        _ => Answer::Silence,
    });
    let client = change(client(&url(&front))).connect().await.unwrap();
    client.send("hello").await.unwrap();
    for kind in [Kind::Handshake, Kind::Poll, Kind::Post, Kind::Upgrade] {
        front.wait_for(|request| request.kind() == kind);
    }
    client.abort();
    front.requests()
}

#[test]
fn the_path() {
    run(async {
        let of_url = |path: &'static str| move |front: &Front| format!("{}{path}", front.url());
        for (requests, path) in [
            (every_request(|client| client, of_url("")).await, "/engine.io/"),
            (
                every_request(|client| client, of_url("/in/the/url")).await,
                "/in/the/url/",
            ),
            (
                every_request(|client| client.path("given"), of_url("/not/this")).await,
                "/given/",
            ),
            (every_request(|client| client.path("/"), of_url("")).await, "/"),
        ] {
            for request in requests {
                assert_eq!(request.path(), path);
            }
        }
    });
}

#[test]
fn headers_query_and_credentials() {
    run(async {
        let requests = every_request(
            |client| {
                client
                    .header("X-One", "1")
                    .header("x-two", " 2 ")
                    .header("User-Agent", "somebody")
                    .header("Cookie", "mine=1")
                    .query("a b", "c&d")
                    .query("e", "")
            },
            |front| front.url().replace("://", "://us%20er:p%3Aw@") + "/?url=1",
        )
        .await;
        for request in requests {
            assert_eq!(request.header("x-one"), Some("1"));
            assert_eq!(request.header("X-Two"), Some("2"));
            assert_eq!(request.header("user-agent"), Some("somebody"));
            assert_eq!(request.header("cookie"), Some("mine=1"));
            assert_eq!(request.header("authorization"), Some("Basic dXMgZXI6cDp3"));
            for (name, value) in [("url", "1"), ("a b", "c&d"), ("e", ""), ("EIO", "4")] {
                assert_eq!(request.parameter(name).as_deref(), Some(value), "{}", request.target);
            }
        }
    });
}

#[test]
fn transports_in_their_order() {
    run(async {
        for (transports, kinds) in [
            (&[Transport::Polling][..], &[Kind::Handshake][..]),
            (&[Transport::WebSocket], &[Kind::WebSocket]),
            (
                &[Transport::WebSocket, Transport::Polling, Transport::WebSocket],
                &[Kind::WebSocket, Kind::Handshake],
            ),
            (
                &[Transport::Polling, Transport::WebSocket],
                &[Kind::Handshake, Kind::WebSocket],
            ),
        ] {
            let front = Front::start(|_| Answer::refused(403, "nobody"));
            let connected = client(&front.url()).transports(transports).connect().await;
            assert!(matches!(connected, Err(Error::Connect(_))));
            let asked: Vec<Kind> = front.requests().iter().map(Request::kind).collect();
            assert_eq!(asked, kinds);
        }
    });
}

#[test]
fn no_upgrades() {
    run(async {
        let host = Host::echo(server()).await;
        let mut stays = client(&host.url).allow_upgrades(false).connect().await.unwrap();
        let mut moves = client(&host.url).connect().await.unwrap();
        upgraded(&mut moves).await;
        for _ in 0..3 {
            stays.send("a").await.unwrap();
            within("an echo", stays.recv()).await;
        }
        assert_eq!(stays.transport(), Transport::Polling);
        assert_eq!(moves.transport(), Transport::WebSocket);
        stays.close().await.unwrap();
        moves.close().await.unwrap();
        host.until_empty().await;
    });
}

#[test]
fn a_websocket_that_says_nothing_is_given_up() {
    run(async {
        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&["websocket"])),
            Kind::Post => Answer::ok("ok"),
            Kind::Poll => Answer::Late(Duration::from_millis(50), Box::new(Answer::ok("4still here"))),
            _ => Answer::Silence,
        });
        let begun = Instant::now();
        let timeout = Duration::from_millis(200);
        let mut client = client(&front.url()).upgrade_timeout(timeout).connect().await.unwrap();
        let error = loop {
            match event(&mut client).await {
                ClientEvent::UpgradeFailed(error) => break error,
                ClientEvent::Opened { .. } | ClientEvent::Message(_) => {}
                other => panic!("{other:?}"),
            }
        };
        assert!(begun.elapsed() >= timeout);
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert_eq!(within("a message", client.recv()).await, Some("still here".into()));
        client.close().await.unwrap();
    });
}

#[test]
fn an_upgrade_that_is_refused() {
    run(async {
        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&["websocket"])),
            Kind::Post => Answer::ok("ok"),
            Kind::Poll => Answer::Silence,
            _ => Answer::refused(418, "a teapot"),
        });
        let mut client = client(&front.url()).connect().await.unwrap();
        assert!(matches!(event(&mut client).await, ClientEvent::Opened { .. }));
        let ClientEvent::UpgradeFailed(error) = event(&mut client).await else {
            panic!("the upgrade has not failed");
        };
        let refused = error.refused().expect("a refusal");
        assert_eq!(
            (refused.status(), refused.message().as_deref()),
            (418, Some("a teapot"))
        );
        client.close().await.unwrap();
    });
}

#[test]
fn the_connect_timeout() {
    run(async {
        let front = Front::start(|_| Answer::Silence);
        for transport in [Transport::Polling, Transport::WebSocket] {
            let (begun, timeout) = (Instant::now(), Duration::from_millis(250));
            let connecting = client(&front.url()).transports(&[transport]).connect_timeout(timeout);
            let Err(Error::Connect(error)) = within("the timeout", connecting.connect()).await else {
                panic!("it has connected");
            };
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert!(begun.elapsed() >= timeout && begun.elapsed() < ENOUGH / 3);
        }
    });
}

#[test]
fn the_request_timeout() {
    run(async {
        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&[])),
            _ => Answer::Silence,
        });
        let timeout = Duration::from_millis(200);
        let mut client = client(&front.url()).request_timeout(timeout).connect().await.unwrap();
        assert!(matches!(event(&mut client).await, ClientEvent::Opened { .. }));
        let begun = Instant::now();
        client.send("a").await.unwrap();
        let ClientEvent::Closed { closed, error } = event(&mut client).await else {
            panic!("it is not closed");
        };
        assert!(begun.elapsed() >= timeout);
        assert_eq!((closed.reason, closed.in_doubt), (CloseReason::TransportError, 1));
        let error = error.expect("an error");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    });
}

#[test]
fn the_close_timeout() {
    run(async {
        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&[])),
            _ => Answer::Silence,
        });
        let timeout = Duration::from_millis(200);
        let mut client = client(&front.url()).close_timeout(timeout).connect().await.unwrap();
        let begun = Instant::now();
        within("the end", client.close()).await.unwrap();
        assert!(begun.elapsed() >= timeout);
        assert_eq!(client.closed().unwrap().reason, CloseReason::ClientDisconnect);
        assert_eq!(front.requests_of(Kind::Post)[0].text(), "1");
    });
}

#[test]
fn what_is_too_large_is_not_taken() {
    run(async {
        let large = format!("4{}", "x".repeat(2000));
        let packet = large.clone();
        let polling = front::polling(move |_| Answer::ok(packet.clone()));
        let websocket = front::on_websocket(move |mut websocket| {
            let _ = websocket.send(tungstenite::Message::text(large.clone()));
            while websocket.read().is_ok() {}
        });
        for (front, transport) in [(&polling, Transport::Polling), (&websocket, Transport::WebSocket)] {
            for (max_payload, fits) in [(10_000, true), (1_000, false)] {
                let builder = client(&front.url()).transports(&[transport]);
                let mut client = builder.max_payload(max_payload).connect().await.unwrap();
                assert!(matches!(event(&mut client).await, ClientEvent::Opened { .. }));
                match event(&mut client).await {
                    ClientEvent::Message(data) => assert!(fits && data.len() == 2000),
                    ClientEvent::Closed { closed, error } => {
                        assert!(!fits);
                        assert_eq!(closed.reason, CloseReason::TransportError);
                        assert_eq!(error.expect("an error").kind(), ErrorKind::Protocol);
                    }
                    other => panic!("{other:?}"),
                }
                client.abort();
            }
        }
    });
}

#[test]
fn what_goes_into_a_post() {
    run(async {
        let sink = Sink::start(40);
        for limit in [Some(2), None] {
            let mut config = engineio::client::Config::default();
            config.max_packets_per_request = limit.unwrap_or(config.max_packets_per_request);
            let before = sink.front.requests_of(Kind::Post).len();
            let builder = client(&sink.front.url()).config(config).allow_upgrades(false);
            let mut client = builder.start().unwrap();
            for number in 0..30 {
                client.send(format!("message {number}")).await.unwrap();
            }
            assert!(matches!(event(&mut client).await, ClientEvent::Opened { .. }));
            client.close().await.unwrap();
            let posts = &sink.front.requests_of(Kind::Post)[before..];
            let most = posts.iter().map(|post| post.text().split('\x1e').count()).max();
            let longest = posts.iter().map(|post| post.body.len()).max();
            assert!(longest <= Some(40), "{longest:?}");
            // Three messages and the close packet are within 40 bytes. How many wait for a POST is a matter of time.
            let expected = if limit.is_some() { 1..=2 } else { 3..=4 };
            assert!(expected.contains(&most.expect("there were POSTs")), "{most:?}");
        }
        assert_eq!(sink.messages().len(), 60);
    });
}

#[test]
fn where_random_numbers_come_from() {
    run(async {
        let sink = Sink::start(1000);
        let builder = client(&sink.front.url()).entropy(|bytes| bytes.fill(0));
        let mut client = builder.connect().await.unwrap();
        upgraded(&mut client).await;
        client.close().await.unwrap();
        let requests = sink.front.requests_of(Kind::Upgrade);
        assert_eq!(
            requests[0].header("sec-websocket-key"),
            Some("AAAAAAAAAAAAAAAAAAAAAA==")
        );
    });
}

#[test]
fn a_proxy() {
    run(async {
        let host = Host::echo(server()).await;
        let to = host.address;
        let proxy = Front::start(move |request| match request.kind() {
            Kind::Connect => Answer::Tunnel(to),
            _ => Answer::pass(to),
        });
        let with_user = proxy.url().replace("://", "://user:pw@");
        let mut client = client(&host.url).proxy(with_user).connect().await.unwrap();
        client.send("a").await.unwrap();
        assert_eq!(within("an echo", client.recv()).await, Some("a".into()));
        within("the upgrade", async {
            while client.transport() != Transport::WebSocket {
                runtime::pause(Duration::from_millis(3)).await;
            }
        })
        .await;
        client.close().await.unwrap();
        for request in proxy.requests() {
            assert_eq!(
                request.header("proxy-authorization"),
                Some("Basic dXNlcjpwdw=="),
                "{request:?}"
            );
            match request.kind() {
                Kind::Connect => assert_eq!(request.target, to.to_string()),
                _ => assert!(request.target.starts_with(&host.url), "{}", request.target),
            }
        }
        assert_eq!(proxy.requests_of(Kind::Connect).len(), 1);
        host.until_empty().await;
    });
}

/// The ping interval and its timeout are the server's to say.
#[test]
fn silence_of_the_server() {
    run(async {
        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet_with(&[], 200, 100)),
            _ => Answer::Silence,
        });
        let begun = Instant::now();
        let mut client = client(&front.url()).connect().await.unwrap();
        assert_eq!(within("the end", client.recv()).await, None);
        assert!(begun.elapsed() >= Duration::from_millis(300));
        assert_eq!(client.closed().unwrap().reason, CloseReason::PingTimeout);
    });
}

#[test]
fn options_that_can_not_be_used() {
    run(async {
        let url = "http://127.0.0.1:1";
        for (builder, named) in [
            (client(url).transports(&[]), "transports"),
            (client(url).path("a b"), "path"),
            (client(url).header("a b", "c"), "header"),
            (client(url).header("a", "b\r\nc: d"), "header"),
            (client(url).header("Content-Length", "3"), "header"),
            (client("http://"), "url"),
            (client("ftp://127.0.0.1"), "url"),
            (client("https://a..b"), "url"),
            (client("not a url"), "url"),
            (client(url).proxy("ftp://127.0.0.1:1"), "proxy"),
        ] {
            match builder.connect().await {
                Err(Error::Unusable { what, .. }) => assert_eq!(what, named),
                other => panic!("{named}: {other:?}"),
            }
        }
        assert!(matches!(client("nonsense").start(), Err(Error::Unusable { .. })));
        // What may hold secrets is in no log.
        let builder = client("http://user:secret@127.0.0.1:1").header("Authorization", "secret");
        let text = format!(
            "{:?}",
            builder.query("token", "secret").proxy("http://u:secret@127.0.0.1:1")
        );
        assert!(!text.contains("secret"), "{text}");
    });
}
