//! Row 33: inside of somebody else's application. What ASGI calls its lifespan is in the hands of the program: what is to be
//! there before anybody is let in is made before it serves, and what is to be done after everybody has gone stands behind that.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use sansocket::Error;
use tokio::net::TcpListener;

use crate::engine::options;
use crate::http::{Connection, PATIENCE};
use crate::runtime;
use crate::session::{POLLING, sid_of};

/// Asks, opens a session and waits for its end. Blocks.
fn client(address: SocketAddr, stop: tokio::sync::oneshot::Sender<()>) {
    let mut connection = Connection::open(address);
    connection.get("/health").assert_ok("well");
    assert_eq!(connection.get("/nothing").status, 404);
    let open = connection.get(POLLING);
    let target = format!("{POLLING}&sid={}", sid_of(open.text()));
    Connection::open(address).post(&target, "4hi").assert_ok("ok");
    connection.get(&target).assert_ok("4hi");
    connection.request("GET", &target, &[], None);
    stop.send(()).expect("it serves");
    connection.response().assert_ok("1");
}

#[test]
fn row_33_the_application_begins_and_ends() {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    tokio.block_on(async {
        let layer = options()
            .layer(|mut socket| async move {
                while let Some(message) = socket.recv().await {
                    socket.send(message).await?;
                }
                Ok(())
            })
            .expect("options of a layer");
        let (handle, ended) = (layer.handle(), layer.handle());
        let app = Router::new().route("/health", get(|| async { "well" })).layer(layer);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let clients = tokio::task::spawn_blocking(move || client(address, stop));
        let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
            let _stopped = stopped.await;
            handle.shutdown(PATIENCE).await;
        });
        serving.await.expect("it ends in order");
        ended.ended().await;
        assert_eq!(ended.stats().sessions, 0);
        clients.await.expect("the client has not panicked");
    });
}

/// A start that fails is an error of the program's own, before anybody was let in.
#[test]
fn row_33_a_start_that_fails() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    let bound = runtime::block_on(false, options().bind(&address));
    assert!(matches!(bound, Err(Error::Io(_))), "{bound:?}");
}
