//! Inside of somebody else's application.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use sansocket::engineio::{Data, Transport};
use sansocket::tokio::engineio::{Client, Server};

use crate::capture::{self, wait_for, wait_for_in};

const SERVER: &str = "sansocket::engineio::server";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::await_holding_lock, reason = "the next test waits until this one is over")]
async fn sessions_and_refusals_inside_of_axum() {
    let _turn = capture::begin();
    let layer = Server::builder().layer(|mut socket| async move {
        while let Some(message) = socket.recv().await {
            tracing::info!(target: "app", "a handler");
            socket.send(message).await?;
        }
        Ok(())
    });
    let layer = layer.expect("options of a layer").peer_in::<ConnectInfo<SocketAddr>>();
    let app = Router::new()
        .layer(layer)
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its port");
    tokio::spawn(async move { axum::serve(listener, app).await });

    for transport in [Transport::Polling, Transport::WebSocket] {
        let url = format!("http://{address}");
        let client = Client::builder(&url).transports(&[transport]).allow_upgrades(false);
        let mut client = client.connect().await.expect("a session");
        client.send("hello").await.expect("it is open");
        assert_eq!(client.recv().await, Some(Data::from("hello")));
        let sid = client.sid().expect("it is open");
        client.close().await.expect("it ends in order");
        let opened = wait_for(SERVER, &format!("session opened transport={transport}"));
        assert_eq!(opened.of_span("session", "sid"), Some(&sid.as_str()[..6]));
        assert!(
            opened
                .of_span("session", "peer")
                .is_some_and(|peer| peer.starts_with("127.0.0.1:"))
        );
        capture::assert_tells_nothing(&[sid.as_str()]);
    }
    assert!(wait_for("app", "a handler").is_in("session"));
    // Both: the next test begins with none of these lines.
    for transport in [Transport::Polling, Transport::WebSocket] {
        let opened = wait_for(SERVER, &format!("session opened transport={transport}"));
        let sid = opened.of_span("session", "sid").expect("a span");
        wait_for_in(sid, SERVER, "session closed reason=client disconnect");
    }
    let target = "/engine.io/?EIO=4&transport=polling";
    let refused = move || crate::ask(address, "GET", target, "Origin: https://evil.example\r\n", "");
    let answer = tokio::task::spawn_blocking(refused).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    crate::engineio::assert_refused_origin();
}
