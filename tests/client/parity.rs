//! What a user of python-engineio's client expects, row by row; the row's number is in the name. Where ours says or does it
//! otherwise, the test shows how.

use std::future::Future;
use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sansocket::engineio::{CloseReason, Transport};
use sansocket::runtime::engineio::{ClientEvent, ClientSender, ConnectError, ErrorKind, SendError, TrySendError};
use sansocket::{Error, Result};
use tungstenite::Message;

use crate::client::{client, event, run, within};
use crate::front::{Answer, Front, Kind, open_packet, open_packet_with};
use crate::runtime::{Client, ClientBuilder};

const EACH: [Transport; 2] = [Transport::Polling, Transport::WebSocket];

async fn error_of(builder: ClientBuilder) -> ConnectError {
    match within("an error", builder.connect()).await {
        Err(Error::Connect(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// A server that says one thing to everybody, whatever they ask.
fn saying(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Front {
    Front::start(move |_| answer())
}

// ---- 34: connecting that fails ----

/// Python has the decoded body for polling alone.
#[test]
fn row_34_a_refusal_has_status_and_body() {
    run(async {
        for transport in EACH {
            let json = &["Content-Type: application/json"];
            let front = saying(|| Answer::reply(401, json, r#"{"a": 1, "message": "not you"}"#));
            let error = error_of(client(&front.url()).transports(&[transport])).await;
            assert_eq!(error.kind(), ErrorKind::Refused);
            let refused = error.refused().expect("a refusal");
            assert_eq!(refused.status(), 401);
            let body: serde_json::Value = serde_json::from_slice(refused.body()).expect("the JSON");
            assert_eq!(body["a"], 1);
            assert_eq!(refused.message().as_deref(), Some("not you"));
            assert!(error.to_string().contains("401"), "{error}");
        }
    });
}

#[test]
fn row_34_a_404_without_json() {
    run(async {
        for transport in EACH {
            let front = saying(|| Answer::reply(404, &["Content-Type: text/html"], "<h1>no such page</h1>"));
            let error = error_of(client(&front.url()).transports(&[transport])).await;
            let refused = error.refused().expect("a refusal");
            assert_eq!((refused.status(), refused.message()), (404, None));
            assert_eq!(&refused.body()[..], b"<h1>no such page</h1>");
        }
    });
}

#[test]
fn row_34_something_else_than_an_open_packet() {
    run(async {
        // Another packet, nothing, something that is no packet, an open packet that tells nothing.
        for body in [
            "4hello",
            "6",
            "",
            "<html>hello</html>",
            "0",
            "0{}",
            "0[1]",
            "0{\"sid\":1}",
        ] {
            let front = saying(move || Answer::ok(body));
            let error = error_of(client(&front.url()).transports(&[Transport::Polling])).await;
            assert_eq!(error.kind(), ErrorKind::Protocol, "{body:?}: {error}");
            assert!(error.refused().is_none());
            let front = saying(move || {
                Answer::websocket(move |mut websocket| {
                    let _ = websocket.send(Message::text(body));
                    while websocket.read().is_ok() {}
                })
            });
            let error = error_of(client(&front.url()).transports(&[Transport::WebSocket])).await;
            assert_eq!(error.kind(), ErrorKind::Protocol, "{body:?}: {error}");
        }
    });
}

#[test]
fn row_34_nobody_is_there() {
    run(async {
        for transport in EACH {
            // Nobody may listen there but the system.
            let error = error_of(client("http://127.0.0.1:1").transports(&[transport])).await;
            assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        }
    });
}

/// `ValueError` there. Here connecting takes the options, and what it gives has nothing to connect with; and options that
/// can not be used are told before anything is tried.
#[test]
fn row_34_nobody_connects_twice() {
    fn takes<Fut: Future<Output = Result<Client>>>(_: impl Fn(ClientBuilder) -> Fut) {}
    takes(|options: ClientBuilder| options.connect());
    run(async {
        let none = client("http://127.0.0.1:1").transports(&[]).connect().await;
        assert!(
            matches!(none, Err(Error::Unusable { what: "transports", .. })),
            "{none:?}"
        );
    });
}

// ---- 35: what is asked for ----

fn upgrading() -> Front {
    Front::start(|request| match request.kind() {
        Kind::Handshake => Answer::ok(open_packet(&["websocket"])),
        Kind::Post => Answer::ok("ok"),
        Kind::Upgrade => Answer::refused(400, "not today"),
        _ => Answer::Silence,
    })
}

/// Opens, posts, polls, and tries a WebSocket.
async fn talk(front: &Front, options: ClientBuilder) {
    let client = options.connect().await.unwrap();
    client.send("hello").await.unwrap();
    for kind in [Kind::Handshake, Kind::Poll, Kind::Post, Kind::Upgrade] {
        front.wait_for(|request| request.kind() == kind);
    }
    client.abort();
}

/// Python drops the path of the URL; here it is the endpoint's, unless another one is given.
#[test]
fn row_35_the_query_is_kept_and_slashes_do_not_matter() {
    run(async {
        for path in ["custom", "/custom", "custom/", "/custom/"] {
            let front = upgrading();
            let url = format!("{}/?token=a%20b&flag", front.url());
            talk(&front, client(&url).path(path)).await;
            for request in front.requests() {
                assert!(
                    request.target.starts_with("/custom/?token=a%20b&flag&EIO=4&transport="),
                    "{}",
                    request.target
                );
            }
        }
    });
}

/// The first byte of TLS, whatever is to be spoken on it; `ws` may poll, and `https` may have a WebSocket.
#[test]
fn row_35_https_and_wss_are_tls() {
    run(async {
        for scheme in ["https", "wss", "http", "ws"] {
            for transport in EACH {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
                let address = listener.local_addr().expect("its address");
                let first = std::thread::spawn(move || {
                    let (mut stream, _) = listener.accept().expect("the client");
                    let mut first = [0];
                    stream.read_exact(&mut first).expect("a byte");
                    first[0]
                });
                let client = client(&format!("{scheme}://{address}"))
                    .transports(&[transport])
                    .start()
                    .unwrap();
                let first = within("a byte", tokio::task::spawn_blocking(|| first.join())).await;
                let expected = if scheme.ends_with('s') && scheme != "ws" {
                    0x16
                } else {
                    b'G'
                };
                assert_eq!(first.unwrap().unwrap(), expected, "{scheme} {transport}");
                client.abort();
            }
        }
    });
}

/// Python's is the time, also in the WebSocket's URL; JavaScript stamps POSTs too. No cache answers either.
#[test]
fn row_35_gets_are_stamped() {
    run(async {
        let front = upgrading();
        talk(&front, client(&front.url())).await;
        let stamp = |kind| {
            let request = front.wait_for(|request| request.kind() == kind);
            request.parameter("t")
        };
        let (first, second) = (stamp(Kind::Handshake).unwrap(), stamp(Kind::Poll).unwrap());
        assert!(!first.is_empty() && first != second, "{first} {second}");
        assert_eq!((stamp(Kind::Post), stamp(Kind::Upgrade)), (None, None));

        let front = upgrading();
        talk(&front, client(&front.url()).timestamp_param("fresh")).await;
        assert!(
            front
                .wait_for(|request| request.kind() == Kind::Poll)
                .parameter("fresh")
                .is_some()
        );
        assert!(front.requests().iter().all(|request| request.parameter("t").is_none()));

        let front = upgrading();
        talk(&front, client(&front.url()).timestamp_requests(false)).await;
        assert!(front.requests().iter().all(|request| request.parameter("t").is_none()));

        // What the application means by it is not ours to say.
        let front = upgrading();
        talk(&front, client(&front.url()).query("t", "mine")).await;
        assert!(
            front
                .requests()
                .iter()
                .all(|request| request.target.matches("t=mine").count() == 1)
        );
    });
}

// ---- 36: time, pings ----

/// The next end, and what went wrong.
async fn end(client: &mut Client) -> (CloseReason, Option<ConnectError>) {
    loop {
        match event(client).await {
            ClientEvent::Closed { closed, error } => return (closed.reason, error),
            ClientEvent::Opened { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A server that has fallen silent: no ping within its interval and timeout together. Python says `transport error`, with
/// other times for polling; the protocol and JavaScript say `ping timeout`.
#[test]
fn row_36_a_silent_server() {
    run(async {
        for transport in EACH {
            let front = Front::start(|request| match request.kind() {
                Kind::Handshake => Answer::ok(open_packet_with(&[], 150, 100)),
                Kind::WebSocket => Answer::websocket(|mut websocket| {
                    let _ = websocket.send(Message::text(open_packet_with(&[], 150, 100)));
                    while websocket.read().is_ok() {}
                }),
                _ => Answer::Silence,
            });
            let mut client = client(&front.url()).transports(&[transport]).connect().await.unwrap();
            assert_eq!(end(&mut client).await.0, CloseReason::PingTimeout, "{transport}");
        }
    });
}

/// A request that is not answered, or badly, ends the session: none is made twice.
#[test]
fn row_36_a_request_that_fails() {
    run(async {
        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&[])),
            _ => Answer::Silence,
        });
        let options = client(&front.url()).request_timeout(Duration::from_millis(100));
        let mut late = options.connect().await.unwrap();
        late.send("hello").await.unwrap();
        let (reason, error) = end(&mut late).await;
        assert_eq!(reason, CloseReason::TransportError);
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Timeout));

        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&[])),
            _ => Answer::refused(500, "broken"),
        });
        let mut refused = client(&front.url()).connect().await.unwrap();
        let (reason, error) = end(&mut refused).await;
        assert_eq!(reason, CloseReason::TransportError);
        assert_eq!(
            error.expect("a refusal").refused().map(|refused| refused.status()),
            Some(500)
        );
    });
}

#[test]
fn row_36_a_ping_s_text_comes_back() {
    run(async {
        let pinged = AtomicUsize::new(0);
        let front = Front::start(move |request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&[])),
            Kind::Post => Answer::ok("ok"),
            _ if pinged.fetch_add(1, Ordering::SeqCst) == 0 => Answer::ok("2x"),
            _ => Answer::Silence,
        });
        let polls = client(&front.url()).connect().await.unwrap();
        let post = front.wait_for(|request| request.kind() == Kind::Post);
        assert_eq!(post.text(), "3x");
        polls.abort();

        let (heard, hears) = std::sync::mpsc::channel();
        let front = saying(move || {
            let heard = heard.clone();
            Answer::websocket(move |mut websocket| {
                for packet in [open_packet(&[]), "2x".to_owned()] {
                    let _ = websocket.send(Message::text(packet));
                }
                let _ = heard.send(websocket.read().map(|message| message.to_string()));
            })
        });
        let options = client(&front.url()).transports(&[Transport::WebSocket]);
        let mut client = options.connect().await.unwrap();
        // The client's end follows the answer.
        assert_eq!(end(&mut client).await.0, CloseReason::TransportClose);
        let pong = within("a pong", tokio::task::spawn_blocking(move || hears.recv())).await;
        assert_eq!(pong.unwrap().unwrap().unwrap(), "3x");
    });
}

// ---- 37: the end ----

#[test]
fn row_37_the_server_closes() {
    run(async {
        for transport in EACH {
            let front = Front::start(|request| match request.kind() {
                Kind::Handshake => Answer::ok(open_packet(&[])),
                Kind::WebSocket => Answer::websocket(|mut websocket| {
                    for packet in [open_packet(&[]), "1".to_owned()] {
                        let _ = websocket.send(Message::text(packet));
                    }
                    while websocket.read().is_ok() {}
                }),
                _ => Answer::ok("1"),
            });
            let mut client = client(&front.url()).transports(&[transport]).connect().await.unwrap();
            let (reason, error) = end(&mut client).await;
            assert_eq!(
                (reason, reason.as_str()),
                (CloseReason::ServerDisconnect, "server disconnect")
            );
            assert!(error.is_none(), "{error:?}");
            assert!(within("the end of all", client.event()).await.is_none());
        }
    });
}

/// Handlers take the reason; whoever has no use for it writes `_`, so that there is one form. What is sent afterwards comes
/// back, where Python drops it in silence.
#[test]
fn row_37_the_client_closes_once() {
    run(async {
        for transport in EACH {
            let host = crate::client::Host::echo(crate::client::server()).await;
            let (told, reasons) = (
                Arc::new(AtomicUsize::new(0)),
                Arc::new(std::sync::Mutex::new(Vec::new())),
            );
            let (telling, noting) = (told.clone(), reasons.clone());
            let options = client(&host.url).transports(&[transport]);
            let sender: ClientSender = options
                .on_disconnect(move |_, closed| {
                    telling.fetch_add(1, Ordering::SeqCst);
                    noting.lock().unwrap().push(closed.reason.as_str());
                    async {}
                })
                .connect()
                .await
                .unwrap();
            sender.begin_close();
            sender.begin_close();
            assert_eq!(
                within("the end", sender.wait()).await.reason,
                CloseReason::ClientDisconnect
            );
            sender.begin_close();
            sender.abort();
            assert_eq!(
                (told.load(Ordering::SeqCst), &reasons.lock().unwrap()[..]),
                (1, &["client disconnect"][..])
            );
            assert_eq!(sender.send("late").await, Err(SendError::Closed("late".into())));
            assert_eq!(sender.try_send("late"), Err(TrySendError::Closed("late".into())));
            host.until_empty().await;
        }
    });
}
