//! Engine.IO, both ends.

use std::io::{BufRead, BufReader, Write};
use std::time::Instant;

use sansocket::Backoff;
use sansocket::engineio::{Data, Refusal, Transport};
use sansocket::http::Request;
use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::{Client, ClientEvent, Server};
use sansocket::wire::Limits;
use tracing::Level;

use crate::capture::{self, wait_for};
use crate::runtime::Any;
use crate::{ask, each_runtime, sid_of};

const SERVER: &str = "sansocket::engineio::server";
const CLIENT: &str = "sansocket::engineio::client";
const CONNECTION: &str = "sansocket::connection";
const HANDLERS: &str = "sansocket::handlers";
const POLLING: &str = "/engine.io/?EIO=4&transport=polling";

/// What peers and errors say to have a line of their own in the log.
const FORGED: &str = "no\n2026-01-01T00:00:00Z ERROR forged \u{1b}[31m\r";

type Failure = Box<dyn std::error::Error + Send + Sync>;

each_runtime!(a_life);

/// A session from its request to its end, and what its handlers do.
fn a_life(any: Any) {
    let _turn = capture::begin();
    any.clone().block_on(true, async {
        let server = Server::builder_on(any.clone())
            .on_connect(|request: Request| async move {
                tracing::info!(target: "app", "connect handler");
                match request.query_value("no") {
                    None => Ok(()),
                    Some(_) => Err(Refusal::new(401).message(FORGED)),
                }
            })
            .concurrency(2)
            .on_connected(|_| async { tracing::info!(target: "app", "connected handler") })
            .on_message(|sender, data: Data| async move {
                tracing::info!(target: "app", "message handler");
                match data.as_text() {
                    Some("fail") => return Err(Failure::from(FORGED)),
                    Some("panic") => panic!("{FORGED}"),
                    _ => {}
                }
                Ok(sender.send(data).await?)
            })
            .on_disconnect(|sender, _reason| async move {
                tracing::info!(target: "app", "disconnect handler");
                // That nobody is there any more is no error of this handler's.
                sender.send("farewell").await
            })
            .bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let (address, handle) = (server.local_addr(), server.handle());
        any.spawn(async move { server.serve().await.expect("serving never fails") });

        let url = format!("http://ann:geheim@{address}/?token=schluessel");
        let mut client = Client::builder_on(any.clone(), &url)
            .header("X-Token", "losung")
            .query("q", "parole")
            .connect()
            .await
            .expect("a session");
        let sid = client.sid().expect("it is open");
        while !matches!(client.event().await, Some(ClientEvent::Upgraded)) {}
        for message in ["fail", "well"] {
            client.send(message).await.expect("it is open");
        }
        assert_eq!(client.recv().await, Some(Data::from("well")));
        client.send("panic").await.expect("it is open");
        assert_eq!(client.recv().await, None);

        // ---- the server's side ----
        let opened = wait_for(SERVER, "session opened");
        assert_eq!(opened.level, Level::INFO);
        assert!(
            opened.text.contains("transport=polling") && opened.text.contains("peer=127.0.0.1:"),
            "{opened:?}"
        );
        let prefix = opened.of_span("session", "sid").expect("a span").to_owned();
        assert_eq!(prefix, sid.as_str()[..6]);
        assert!(
            opened
                .of_span("session", "peer")
                .is_some_and(|peer| peer.starts_with("127.0.0.1:"))
        );
        let closed = wait_for(SERVER, "session closed");
        assert!(
            closed.text.contains("reason=server disconnect unsent=0 in_doubt="),
            "{closed:?}"
        );
        assert!(closed.text.contains("duration_ms="), "{closed:?}");
        let own = [
            opened,
            wait_for(SERVER, "session upgraded transport=websocket"),
            closed,
            wait_for("app", "connect handler"),
            wait_for("app", "connected handler"),
            wait_for("app", "message handler"),
            wait_for("app", "disconnect handler"),
            wait_for(HANDLERS, "the disconnect handler has ended: "),
            wait_for(HANDLERS, "the message handler returned an error"),
            wait_for(HANDLERS, "a handler has panicked"),
        ];
        for line in &own {
            assert_eq!(line.of_span("session", "sid"), Some(&prefix[..]), "{line:?}");
        }
        let [.., failed, panicked] = own;
        assert_eq!((failed.level, panicked.level), (Level::WARN, Level::ERROR));
        assert!(
            failed.text.contains(&format!("sid={prefix}")),
            "also without its span: {failed:?}"
        );
        assert!(
            failed
                .text
                .contains("error=no\\n2026-01-01T00:00:00Z ERROR forged \\u{1b}[31m\\r"),
            "{failed:?}"
        );
        assert!(panicked.text.contains("panic=no\\n2026"), "{panicked:?}");
        assert_eq!((handle.stats().handler_errors, handle.stats().handler_panics), (1, 1));

        // ---- the client's ----
        let server = format!("\"{address}\"");
        for text in [
            "session opened",
            "session upgraded transport=websocket",
            "session closed reason=server disconnect",
        ] {
            let line = wait_for(CLIENT, text);
            assert_eq!(
                (line.level, line.of_span("client", "server")),
                (Level::INFO, Some(&server[..])),
                "{line:?}"
            );
        }

        // ---- who is refused, and who breaks the rules ----
        assert!(ask(address, "GET", &format!("{POLLING}&no=1"), "", "").starts_with("HTTP/1.1 401"));
        let refused = wait_for(SERVER, "session refused by the application");
        assert!(
            refused.level == Level::INFO && refused.text.contains("status=401"),
            "{refused:?}"
        );
        assert!(ask(address, "GET", &format!("{POLLING}&sid=nobody%0aforged"), "", "").starts_with("HTTP/1.1 400"));
        let unknown = wait_for(CONNECTION, "reason=Session ID unknown");
        assert_eq!(unknown.level, Level::DEBUG);
        assert!(
            unknown
                .of_span("connection", "peer")
                .is_some_and(|peer| peer.starts_with("127.0.0.1:")),
            "{unknown:?}"
        );
        let other = sid_of(&ask(address, "GET", POLLING, "", ""));
        let posted = ask(
            address,
            "POST",
            &format!("{POLLING}&sid={other}"),
            "",
            "4one\u{1e}9\n\u{1b}forged",
        );
        assert!(posted.starts_with("HTTP/1.1 400"), "{posted}");
        let violated = wait_for(SERVER, "the client broke the protocol");
        assert_eq!(
            (violated.level, violated.of_span("session", "sid")),
            (Level::DEBUG, Some(&other[..6]))
        );
        wait_for(SERVER, "reason=parse error");
        for _ in 0..2 {
            ask(address, "GET", POLLING, "Origin: https://evil.example\r\n", "");
        }
        assert_refused_origin();

        capture::assert_tells_nothing(&[
            sid.as_str(),
            &other,
            "geheim",
            "YW5uOmdlaGVpbQ",
            "schluessel",
            "losung",
            "parole",
            "nobody",
        ]);
        handle.shutdown(std::time::Duration::from_secs(10)).await;
    });
}

/// It is named once, with what the server would take and what helps.
#[track_caller]
pub fn assert_refused_origin() {
    let warned = wait_for(CONNECTION, "a page of https://evil.example was refused");
    assert_eq!(warned.level, Level::WARN);
    assert!(warned.text.contains("accepted=pages of its own origin"), "{warned:?}");
    let remedy = "Builder::cors(Cors::origins([\"https://evil.example\"]))";
    assert!(warned.text.contains(remedy), "{warned:?}");
    let warnings = capture::all()
        .into_iter()
        .filter(|line| line.text.contains("a page of"));
    assert_eq!(warnings.count(), 1);
}

/// A client that finds nobody says how often it tries, and how long it waits.
#[test]
fn reconnecting() {
    let _turn = capture::begin();
    let any = Any::Tokio(sansocket::tokio::Tokio);
    any.clone().block_on(true, async {
        // It is kept, and never accepts.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = nobody.local_addr().expect("its port");
        let backoff = Backoff::default()
            .attempts(2)
            .delay(std::time::Duration::from_millis(1));
        let client = Client::builder_on(any.clone(), &format!("http://{address}"))
            .connect_timeout(std::time::Duration::from_millis(30))
            .reconnect(backoff)
            .connect()
            .await;
        assert!(client.is_err());
        for attempt in 1..=2 {
            let line = wait_for(CLIENT, &format!("client reconnects attempt={attempt} delay="));
            assert!(line.level == Level::INFO && line.is_in("client"), "{line:?}");
            assert!(line.text.contains("reason=connect timeout"), "{line:?}");
        }
        wait_for(CLIENT, "no session could be opened reason=connect timeout");
    });
}

/// What servers say of a session and of a request goes no further: not its whole id, and not the query.
#[test]
fn what_servers_say_of_secrets() {
    let _turn = capture::begin();
    let any = Any::Tokio(sansocket::tokio::Tokio);
    let open = r#"0{"sid":"whole-session-id","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100}"#;
    let unknown = r#""Invalid session whole-session-id""#;
    let redirect = "Location: https://else.example/engine.io/?EIO=4&token=schluessel\r\n";
    let answers = [("200", "", open), ("400", "", unknown), ("307", redirect, "")];
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its port");
    let server = std::thread::spawn(move || {
        for (status, header, body) in answers {
            let (stream, _) = listener.accept().expect("a client");
            let mut reader = BufReader::new(&stream);
            let mut line = String::new();
            while reader.read_line(&mut line).expect("a request") > 2 {
                line.clear();
            }
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status} X\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            (&stream).write_all(answer.as_bytes()).expect("it takes an answer");
        }
    });
    any.clone().block_on(true, async {
        let url = format!("http://{address}/?token=schluessel");
        let connect = || {
            Client::builder_on(any.clone(), &url)
                .transports(&[Transport::Polling])
                .connect()
        };
        let mut client = connect().await.expect("a session");
        assert_eq!(client.recv().await, None);
        wait_for(
            CLIENT,
            "error=the server refused with status 400: Invalid session whole",
        );
        connect().await.expect_err("a redirect");
        wait_for(CLIENT, "redirects to https://else.example/engine.io/ with status 307");
    });
    server.join().expect("all were answered");
    capture::assert_tells_nothing(&["whole-session-id", "schluessel"]);
}

/// However many come, the log tells of them once.
#[test]
fn a_limit_is_told_once() {
    let _turn = capture::begin();
    let any = Any::Tokio(sansocket::tokio::Tokio);
    any.clone().block_on(true, async {
        let mut limits = Limits::default();
        limits.max_sessions = Some(0);
        let server = Server::builder_on(any.clone()).limits(limits);
        let server = server.bind("127.0.0.1:0").await.expect("a free port");
        let (address, handle) = (server.local_addr(), server.handle());
        any.spawn(async move {
            server
                .serve(|_socket| async { Ok(()) })
                .await
                .expect("serving never fails")
        });
        let begun = Instant::now();
        for _ in 0..5 {
            assert!(ask(address, "GET", POLLING, "", "").starts_with("HTTP/1.1 503"));
        }
        let told = wait_for(CONNECTION, "there are as many sessions as there may be");
        assert!(
            told.level == Level::WARN && told.text.contains("limit=max_sessions"),
            "{told:?}"
        );
        let warnings = capture::all().into_iter().filter(|line| line.level <= Level::WARN);
        assert!(warnings.count() <= capture::most_told_since(begun));
        handle.shutdown(std::time::Duration::from_secs(10)).await;
    });
}
