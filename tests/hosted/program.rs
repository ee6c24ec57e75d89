//! `sansocket serve`, as far as the suites of its protocol go, inside of axum or of hyper (`SANSOCKET_HOST`): for
//! `SANSOCKET_PROGRAM`.

#[allow(dead_code, reason = "the program wants more of it")]
#[path = "../../src/bin/sansocket/arguments.rs"]
mod arguments;
#[allow(dead_code, reason = "the program wants more of it")]
#[path = "../../src/bin/sansocket/signals.rs"]
mod signals;
#[allow(dead_code, reason = "it is served elsewhere here")]
#[path = "../../src/bin/sansocket/serve/socketio.rs"]
mod socketio;

use std::convert::Infallible;
use std::future::{Future, IntoFuture as _};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use clap::{Parser as _, ValueEnum};
use hyper_util::rt::{TokioIo, TokioTimer};
use sansocket::engineio::Transport;
use sansocket::http::Cors;
use sansocket::runtime::engineio::Handle;
use sansocket::runtime::socketio::Handle as SocketIoHandle;
use sansocket::socketio::{MSGPACK, Parser, TEXT};
use sansocket::tokio::engineio::Server;
use sansocket::tokio::{Tokio, socketio as io};
use sansocket::tower::Layer;
use tokio::net::TcpListener;
use tower_layer::Layer as _;
use tower_service::Service as _;

const PATIENCE: Duration = Duration::from_millis(1200);

#[derive(clap::Parser)]
struct Arguments {
    verb: String,
    #[arg(long, value_enum)]
    app: App,
    #[arg(long)]
    addr: String,
    #[arg(long)]
    runtime: Option<String>,
    #[arg(long, value_parser = arguments::duration, default_value = "25s")]
    ping_interval: Duration,
    #[arg(long, value_parser = arguments::duration, default_value = "20s")]
    ping_timeout: Duration,
    #[arg(long, value_parser = arguments::duration, default_value = "10s")]
    upgrade_timeout: Duration,
    #[arg(long, value_parser = arguments::duration, default_value = "45s")]
    connect_timeout: Duration,
    #[arg(long, value_enum, default_value = "text")]
    parser: ParserName,
    #[arg(long, default_value = "64")]
    concurrency: usize,
    #[arg(long, value_parser = arguments::size, default_value = "1000000")]
    max_payload: usize,
    #[arg(long, value_parser = transport, value_delimiter = ',', default_value = "polling,websocket")]
    transports: Vec<Transport>,
    #[arg(long)]
    no_upgrades: bool,
    #[arg(long, default_value = "same-origin")]
    cors: String,
    #[arg(long)]
    stats: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum App {
    Echo,
    Socketio,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ParserName {
    Text,
    Msgpack,
}

impl ParserName {
    fn parser(self) -> &'static dyn Parser {
        match self {
            Self::Text => &TEXT,
            Self::Msgpack => &MSGPACK,
        }
    }
}

/// What the program's app would be.
#[allow(dead_code, reason = "it is served elsewhere here")]
struct Running {
    address: SocketAddr,
    handle: Handle,
    io: Option<SocketIoHandle>,
    serving: Pin<Box<dyn Future<Output = sansocket::Result<()>> + Send>>,
}

fn transport(name: &str) -> Result<Transport, String> {
    Transport::from_name(name).ok_or_else(|| "a transport is polling or websocket".into())
}

fn cors(text: &str) -> Cors {
    match text {
        "same-origin" => Cors::same_origin(),
        "*" => Cors::any(),
        "none" => Cors::unchecked(),
        list => Cors::origins(list.split(',')),
    }
}

fn layer(arguments: &Arguments) -> sansocket::Result<(Layer<Tokio>, Option<SocketIoHandle>)> {
    let options = Server::builder()
        .path(match arguments.app {
            App::Echo => "/engine.io/",
            App::Socketio => "/socket.io/",
        })
        .ping_interval(arguments.ping_interval)
        .ping_timeout(arguments.ping_timeout)
        .upgrade_timeout(arguments.upgrade_timeout)
        .max_payload(arguments.max_payload)
        .transports(&arguments.transports)
        .allow_upgrades(!arguments.no_upgrades)
        .cors(cors(&arguments.cors).credentials(true));
    match arguments.app {
        App::Echo => {
            let layer = options.layer(|mut socket| async move {
                while let Some(message) = socket.recv().await {
                    let _gone = socket.send(message).await;
                }
                Ok(())
            })?;
            Ok((layer, None))
        }
        App::Socketio => {
            let server = io::Server::builder()
                .engine(|_| options)
                .connect_timeout(arguments.connect_timeout)
                .parser(arguments.parser.parser())
                .concurrency(arguments.concurrency)
                .build();
            socketio::namespaces(&server);
            let handle = server.handle();
            Ok((server.layer()?, Some(handle)))
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let mut signals = signals::Signals::new(None)?;
    let (layer, io) = layer(&arguments)?;
    let handle = layer.handle();
    let listener = TcpListener::bind(&arguments.addr).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let stats = {
        let (handle, io) = (handle.clone(), io.clone());
        move || {
            let stats = handle.stats();
            let sockets = io.as_ref().map(socketio::stats).unwrap_or_default();
            let text = format!(
                r#"{{"sessions":{},"opened":{},"closed":{},"received":{},"sent":{}{sockets}}}"#,
                stats.sessions, stats.opened, stats.closed, stats.received, stats.sent,
            );
            async move { ([("content-type", "application/json")], text) }
        }
    };
    let router = Router::new().route("/__stats", get(stats));
    let serving: Pin<Box<dyn Future<Output = std::io::Result<()>>>> = match std::env::var("SANSOCKET_HOST").as_deref() {
        Ok("hyper") => Box::pin(with_hyper(listener, layer, router)),
        _ => Box::pin(with_axum(listener, layer, router)),
    };
    let ending = async {
        signals.next().await;
        match &io {
            Some(io) => io.shutdown(PATIENCE).await,
            None => handle.shutdown(PATIENCE).await,
        }
        // Requests that do not come to their end hold up HTTP servers.
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    tokio::select! {
        served = serving => served?,
        () = ending => {}
    }
    Ok(())
}

async fn with_axum(listener: TcpListener, layer: Layer<Tokio>, router: Router) -> std::io::Result<()> {
    let app = router.layer(layer.peer_in::<ConnectInfo<SocketAddr>>());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).into_future().await
}

async fn with_hyper(listener: TcpListener, layer: Layer<Tokio>, router: Router) -> std::io::Result<()> {
    let service = layer.layer(router);
    loop {
        let (stream, peer) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer);
                let mut service = service.clone();
                async move {
                    let response = service.call(request.map(axum::body::Body::new)).await;
                    Ok::<_, Infallible>(response.unwrap_or_else(|never| match never {}))
                }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            let _ended = pin!(connection).await;
        });
    }
}
