//! Inside of whose HTTP server the server under test is: none, unless the environment says so (`SANSOCKET_HOST`: `axum` or
//! `hyper`).

use std::convert::Infallible;
use std::future::{Future, IntoFuture as _};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sansocket::runtime::engineio::Handle;
use sansocket::tower::Layer;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower_service::Service;

use crate::runtime::Any;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    Axum,
    Hyper,
}

pub type Serving = Pin<Box<dyn Future<Output = sansocket::Result<()>> + Send>>;

/// Whose HTTP server it is, where it is not our own.
pub fn host() -> Option<Host> {
    match std::env::var("SANSOCKET_HOST").as_deref() {
        Ok("axum") => Some(Host::Axum),
        Ok("hyper") => Some(Host::Hyper),
        Ok("") | Err(_) => None,
        Ok(other) => panic!("no such host: {other}"),
    }
}

/// Serves it on a free port until it has ended.
pub async fn serve(host: Host, layer: Layer<Any>) -> (SocketAddr, Handle, Serving) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (address, handle) = (listener.local_addr().expect("its port"), layer.handle());
    let serving: Serving = match host {
        Host::Axum => Box::pin(with_axum(listener, layer)),
        Host::Hyper => Box::pin(with_hyper(listener, layer)),
    };
    (address, handle, serving)
}

async fn with_axum(listener: TcpListener, layer: Layer<Any>) -> sansocket::Result<()> {
    let handle = layer.handle();
    let app = Router::new()
        .route("/health", get(|| async { "ok" }))
        .layer(layer.peer_in::<ConnectInfo<SocketAddr>>())
        .into_make_service_with_connect_info::<SocketAddr>();
    let ended = handle.clone();
    let served = axum::serve(listener, app).with_graceful_shutdown(async move { ended.ended().await });
    tokio::select! {
        served = served.into_future() => served.map_err(sansocket::Error::Io),
        () = impatience(handle) => Ok(()),
    }
}

async fn with_hyper(listener: TcpListener, layer: Layer<Any>) -> sansocket::Result<()> {
    let handle = layer.handle();
    // Dropped with this future, and all connections with it.
    let mut connections = JoinSet::new();
    let service = layer.into_service();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted.map_err(sansocket::Error::Io)?,
            () = handle.ended() => break,
        };
        let (service, handle) = (service.clone(), handle.clone());
        connections.spawn(async move {
            let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer);
                let mut service = service.clone();
                async move { Ok::<_, Infallible>(service.call(request).await.unwrap_or_else(|never| match never {})) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            let mut connection = pin!(connection);
            tokio::select! {
                // How it ends is the client's to see.
                _ended = connection.as_mut() => return,
                () = handle.ended() => connection.as_mut().graceful_shutdown(),
            }
            let _ended = connection.await;
        });
        while connections.try_join_next().is_some() {}
    }
    drop((listener, service));
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        () = impatience(handle) => {}
    }
    Ok(())
}

/// A request that is never sent to its end holds up the end of an HTTP server for as long as that likes.
async fn impatience(handle: Handle) {
    handle.ended().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
}
