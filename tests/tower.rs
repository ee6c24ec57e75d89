//! What there is to see only inside of somebody else's application: other paths, several servers, addresses, limits, ends.
//!
//! What a server does for its clients is in the suites that take their host from `SANSOCKET_HOST`.

#![cfg(all(feature = "cli", feature = "tower"))]

#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "protocol/http.rs"]
mod http;

#[path = "tower/direct.rs"]
mod direct;
#[path = "tower/routers.rs"]
mod routers;
#[path = "tower/upgrades.rs"]
mod upgrades;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use sansocket::Error;
use sansocket::engineio::{Data, Transport};
use sansocket::http::{Request, Response, TlsInfo};
use sansocket::tokio::Tokio;
use sansocket::tokio::engineio::{Builder, Client, Handle, Server};
use sansocket::tokio::socketio;
use sansocket::tower::Layer;
use sansocket::wire::Limits;
use tokio::net::TcpListener;

use crate::http::{Connection, PATIENCE};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";

fn echo(options: Builder) -> Layer<Tokio> {
    let layer = options.layer(|mut socket| async move {
        while let Some(message) = socket.recv().await {
            socket.send(message).await?;
        }
        Ok(())
    });
    layer.expect("options of a layer")
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its port");
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// What blocks, such as the clients written by hand.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work);
    done.await.expect("it has not panicked")
}

async fn assert_echoes(url: &str, path: &str, transports: &[Transport]) {
    let mut client = Client::builder(url)
        .path(path)
        .transports(transports)
        .connect()
        .await
        .expect("a session");
    for message in ["one", "two"] {
        client.send(message).await.expect("it is open");
        assert_eq!(client.recv().await, Some(Data::from(message)));
    }
    client.close().await.expect("it ends in order");
}

async fn wait_for_sessions(handle: &Handle, wanted: u64) {
    let begun = Instant::now();
    loop {
        let stats = handle.stats();
        // One that has gone is counted a moment later.
        if stats.sessions == wanted && stats.opened == stats.closed + wanted {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{stats:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_servers_and_what_is_beside_them() {
    let (first, second) = (echo(Server::builder()), echo(Server::builder().path("/second/")));
    let (one, two) = (first.handle(), second.handle());
    let io = socketio::Server::new();
    io.of("/").on("double", |_, n: i64| async move { socketio::Ack(n * 2) });
    let third = io.handle();
    let app = Router::new()
        .route("/health", get(|| async { "well" }))
        .route("/length", post(|body: String| async move { body.len().to_string() }))
        .layer(first)
        .layer(second)
        .layer(io.layer().expect("options of a layer"));
    let address = serve(app).await;
    let url = format!("http://{address}");

    for transports in [
        &[Transport::Polling, Transport::WebSocket][..],
        &[Transport::Polling],
        &[Transport::WebSocket],
    ] {
        assert_echoes(&url, "/engine.io/", transports).await;
        assert_echoes(&url, "/second/", transports).await;
    }
    let client = socketio::Client::connect(&url).await.expect("a socket");
    assert_eq!(client.call::<i64>("double", &21).await.expect("an answer"), 42);
    assert_eq!(third.connections(), 1);
    blocking(move || {
        let mut connection = Connection::open(address);
        connection.get("/health").assert_ok("well");
        connection.post("/length", "twelve bytes").assert_ok("12");
        // Not below the path, though it begins like it.
        assert_eq!(connection.get("/engine.io").status, 404);
        connection.get("/engine.io/?EIO=4&transport=none").assert_error(0);
        connection.get("/health").assert_ok("well");
    })
    .await;
    for handle in [&one, &two] {
        wait_for_sessions(handle, 0).await;
        assert_eq!((handle.stats().opened, handle.stats().closed), (3, 3));
    }
    // One ends, the other goes on.
    one.shutdown(PATIENCE).await;
    one.ended().await;
    assert_echoes(&url, "/second/", &[Transport::WebSocket]).await;
    let refused = blocking(move || Connection::open(address).get(POLLING).status).await;
    assert_eq!(refused, 503);
    client.disconnect();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_see_the_request_and_the_peer() {
    let known = Server::builder()
        .on_connect(|request: Request| async move { Ok(request) })
        .layer(|socket| async move {
            let request = socket.data();
            let header = request.header("x-test").unwrap_or_default();
            let text = format!(
                "{} {} {header} {}",
                request.client(),
                request.query_value("q").unwrap_or_default(),
                request.is_secure()
            );
            socket.send(text).await?;
            Ok(())
        })
        .expect("options of a layer")
        .peer_in::<ConnectInfo<SocketAddr>>();
    let unknown = Server::builder()
        .path("/unknown/")
        .max_sessions_per_address(1)
        .on_connect(|request: Request| async move { Ok(request.peer()) })
        .layer(|socket| async move {
            socket.send(socket.data().to_string()).await?;
            Ok(())
        })
        .expect("options of a layer")
        .secure();
    // What an HTTP server with TLS knows, and its program passes on.
    let encrypted = Server::builder()
        .path("/encrypted/")
        .on_connect(|request: Request| async move { Ok(request) })
        .layer(|socket| async move {
            let name = socket.data().tls().and_then(|tls| tls.server_name.clone());
            socket.send_json(&(name, socket.data().is_secure())).await
        })
        .expect("options of a layer");
    let tell = |mut request: axum::extract::Request, next: axum::middleware::Next| {
        let mut tls = TlsInfo::default();
        tls.server_name = Some("example.org".into());
        request.extensions_mut().insert(tls);
        next.run(request)
    };
    // Only the service within is told.
    let app = Router::new().layer(encrypted).layer(axum::middleware::from_fn(tell));
    let address = serve(app.layer(known).layer(unknown)).await;
    let url = format!("http://{address}");
    let mut client = Client::builder(&url)
        .query("q", "a b")
        .header("X-Test", "yes")
        .connect()
        .await
        .expect("a session");
    assert_eq!(client.recv().await, Some(Data::from("127.0.0.1 a b yes false")));
    let mut encrypted = Client::builder(&url)
        .path("/encrypted/")
        .connect()
        .await
        .expect("a session");
    assert_eq!(encrypted.recv().await, Some(Data::from(r#"["example.org",true]"#)));
    let mut others = Vec::new();
    for _ in 0..2 {
        let mut client = Client::builder(&url)
            .path("/unknown/")
            .connect()
            .await
            .expect("nobody is counted");
        let nowhere = SocketAddr::from((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
        assert_eq!(client.recv().await, Some(Data::from(nowhere.to_string())));
        others.push(client);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_have_their_limits() {
    let mut limits = Limits::default();
    limits.body_timeout = Duration::from_millis(50);
    let layer = echo(Server::builder().max_payload(1000));
    let impatient = echo(Server::builder().path("/impatient/").limits(limits));
    let handles = [layer.handle(), impatient.handle()];
    let address = serve(Router::new().layer(layer).layer(impatient)).await;
    blocking(move || {
        let open = |path: &str| {
            let polling = POLLING.replace("/engine.io/", path);
            let response = Connection::open(address).get(&polling);
            let sid = response.text().split('"').nth(3).expect("a sid").to_owned();
            format!("{polling}&sid={sid}")
        };
        let target = open("/engine.io/");
        let most = format!("4{}", "x".repeat(999));
        Connection::open(address).post(&target, &most).assert_ok("ok");
        assert_eq!(Connection::open(address).post(&target, format!("{most}x")).status, 413);
        // In pieces, and nobody says beforehand how many.
        for (pieces, status) in [(2, 200), (3, 413)] {
            let mut connection = Connection::open(address);
            let host = connection.host().to_owned();
            connection.send(format!(
                "POST {target} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
            ));
            for _ in 0..pieces {
                connection.send(format!("190\r\n4{}\r\n", "y".repeat(399)));
            }
            connection.send_if_open("0\r\n\r\n", PATIENCE);
            assert_eq!(connection.response().status, status);
        }
        // One that does not come.
        let late = open("/impatient/");
        let mut connection = Connection::open(address);
        let host = connection.host().to_owned();
        connection.send(format!(
            "POST {late} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\n4"
        ));
        assert_eq!(connection.response().status, 408);
        // A poll has none.
        let mut connection = Connection::open(address);
        connection.request("GET", &target, &[], Some(b"body"));
        assert_eq!(connection.response().status, 400);
        // The session has seen nothing of these, and goes on.
        let polled = Connection::open(address).get(&target);
        assert!(polled.text().starts_with(&most), "{polled:?}");
        Connection::open(address).post(&target, "1").assert_ok("ok");
        // This one may be too slow on a busy machine, and its session goes on all the same.
        while Connection::open(address).post(&late, "1").status == 408 {}
    })
    .await;
    for handle in &handles {
        wait_for_sessions(handle, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_ends_every_session_at_once() {
    let layer = echo(Server::builder());
    let handle = layer.handle();
    let address = serve(Router::new().route("/health", get(|| async { "well" })).layer(layer)).await;
    let url = format!("http://{address}");
    let mut clients = Vec::new();
    for transport in [Transport::Polling, Transport::WebSocket] {
        clients.push(
            Client::builder(&url)
                .transports(&[transport])
                .connect()
                .await
                .expect("a session"),
        );
    }
    handle.abort().await;
    for client in &mut clients {
        let ended = tokio::time::timeout(PATIENCE, client.recv()).await;
        assert_eq!(ended.expect("it is told"), None);
    }
    assert_eq!(handle.stats().sessions, 0);
    blocking(move || Connection::open(address).get("/health").assert_ok("well")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_service_there_is_no_server() {
    let held = Arc::new(());
    let token = held.clone();
    let layer = Server::builder().layer(move |mut socket| {
        let token = token.clone();
        async move {
            while socket.recv().await.is_some() {}
            drop(token);
            Ok(())
        }
    });
    let layer = layer.expect("options of a layer");
    let handle = layer.handle();
    let service = layer.clone().into_service();
    drop(layer);
    assert_eq!(Arc::strong_count(&held), 2);
    drop(service);
    tokio::time::timeout(PATIENCE, handle.ended()).await.expect("it ends");
    let begun = Instant::now();
    while Arc::strong_count(&held) > 1 {
        assert!(begun.elapsed() < PATIENCE, "its handlers are kept");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_the_applications_is_refused() {
    let with_fallback = Server::builder().fallback(|_: Request| async { Response::not_found() });
    let refused = with_fallback.layer(|_| async { Ok(()) });
    assert!(
        matches!(refused, Err(Error::Unusable { what: "fallback", .. })),
        "{refused:?}"
    );
    let counting = Server::builder().max_connections_per_address(1);
    let refused = counting.layer(|_| async { Ok(()) });
    let what = "max_connections_per_address";
    assert!(
        matches!(refused, Err(Error::Unusable { what: named, .. }) if named == what),
        "{refused:?}"
    );
    let refused = Server::builder().max_payload(0).layer(|_| async { Ok(()) });
    assert!(
        matches!(
            refused,
            Err(Error::Unusable {
                what: "max_payload",
                ..
            })
        ),
        "{refused:?}"
    );
}

/// Dozens of clients, half of which leave without a word, on both transports.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_clients_that_go() {
    // A request whose connection ends with it may never come to us: then the heartbeat finds out.
    let beat = Duration::from_millis(300);
    let layer = echo(Server::builder().ping_interval(beat).ping_timeout(beat));
    let handle = layer.handle();
    let address = serve(Router::new().layer(layer)).await;
    let threads: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || {
                for turn in 0..5 {
                    let mut connection = Connection::open(address);
                    let response = connection.get(POLLING);
                    let sid = response.text().split('"').nth(3).expect("a sid").to_owned();
                    let target = format!("{POLLING}&sid={sid}");
                    if (number + turn) % 2 == 0 {
                        // On a busy machine, the heartbeat may have been faster.
                        let status = connection.post(&target, "1").status;
                        assert!(matches!(status, 200 | 400), "{status}");
                    } else {
                        // A poll that nobody waits for any more.
                        connection.request("GET", &target, &[], None);
                        drop(connection);
                    }
                }
            })
        })
        .collect();
    blocking(move || {
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("it has not panicked"))
    })
    .await;
    wait_for_sessions(&handle, 0).await;
    assert_eq!((handle.stats().opened, handle.stats().closed), (40, 40));
}
