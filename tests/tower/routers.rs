//! Where in an axum application a server can stand.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use sansocket::engineio::Transport;
use sansocket::tokio::engineio::Server;

use crate::http::Connection;
use crate::{POLLING, assert_echoes, blocking, echo, serve};

const BOTH: [Transport; 2] = [Transport::Polling, Transport::WebSocket];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_place_where_it_is_seen() {
    let inner = Router::new().route("/health", get(|| async { "inner" }));
    let app = Router::new()
        .route("/health", get(|| async { "outer" }))
        // A path of its own: what is nested has lost the beginning of its paths, what is routed has not.
        .nest_service("/nested/engine.io", echo(Server::builder().path("/")).into_service())
        .nest_service("/api", tower_layer::Layer::layer(&echo(Server::builder()), inner))
        .route_service("/routed/", echo(Server::builder().path("/routed/")).into_service())
        .fallback_service(echo(Server::builder().path("/fallback/")).into_service());
    let address = serve(app).await;
    for path in ["/nested/engine.io/", "/api/engine.io/", "/routed/", "/fallback/"] {
        assert_echoes(&format!("http://{address}"), path, &BOTH).await;
    }
    blocking(move || {
        let mut connection = Connection::open(address);
        connection.get("/health").assert_ok("outer");
        connection.get("/api/health").assert_ok("inner");
        assert_eq!(connection.get("/api/nothing").status, 404);
        assert_eq!(connection.get("/nothing").status, 404);
    })
    .await;
}

/// axum takes a router's routes where that is nested in another or merged with it, and leaves behind a fallback that nobody
/// has set, with the layers around it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_of_an_inner_router_is_seen_where_that_has_a_fallback() {
    let without = Router::new().route("/health", get(|| async { "well" }));
    let with = Router::new().fallback(|| async { "nothing here" });
    let app = Router::new()
        .nest("/without", without.layer(echo(Server::builder())))
        .nest("/with", with.layer(echo(Server::builder())));
    let address = serve(app).await;
    assert_echoes(&format!("http://{address}"), "/with/engine.io/", &BOTH).await;
    blocking(move || {
        assert_eq!(Connection::open(address).get(&format!("/without{POLLING}")).status, 404);
        Connection::open(address).get("/without/health").assert_ok("well");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_layers_around_it() {
    // One that reads our answers whole and makes others of them, and one that does so with requests.
    let whole = from_fn(async |request: Request, next: Next| {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 100_000).await.expect("a body");
        let response = next.run(Request::from_parts(head, Body::from(body))).await;
        let (mut head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 100_000).await.expect("a body");
        head.headers.insert("x-length", body.len().into());
        axum::response::Response::from_parts(head, Body::from(body))
    });
    let app = Router::new().layer(echo(Server::builder())).layer(whole);
    let address = serve(app).await;
    let url = format!("http://{address}");
    for transports in [&BOTH[..], &BOTH[..1], &BOTH[1..]] {
        assert_echoes(&url, "/engine.io/", transports).await;
    }
    let length = blocking(move || {
        let response = Connection::open(address).get(POLLING);
        response.header("x-length").map(str::to_owned)
    });
    assert!(length.await.is_some());
}
