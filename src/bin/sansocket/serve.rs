//! `sansocket serve`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::{Args, ValueEnum};
use sansocket::engineio::Transport;
use sansocket::http::{Cors, Endpoint, Request, Response};
use sansocket::tokio::engineio::{Builder, Handle, Server, Stats};
use tokio::sync::mpsc;

use crate::arguments::{self, Runtime};

/// How long sessions have to end after Ctrl-C or SIGTERM.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How long the answer to `/__restart` has to reach its client.
const RESTART_GRACE: Duration = Duration::from_millis(20);

#[derive(Args)]
#[command(after_help = "\
A DURATION is written 300ms, 25s or 2m; a SIZE 1000000, 64kB or 1MB (powers of ten).
Logs go to stderr, as RUST_LOG says (RUST_LOG=debug). Ctrl-C and SIGTERM close every session in order.
Exit status: 0 after such an end, 1 where the address can not be used, 2 for wrong usage.")]
pub struct Arguments {
    /// What to serve; without it, the echo server with a page at `/` to try it on
    #[arg(long)]
    app: Option<App>,
    /// The address to listen on; port 0 is any free one
    #[arg(long, default_value = "127.0.0.1:3000")]
    addr: String,
    /// The path below which Engine.IO lives
    #[arg(long, default_value = "/engine.io/")]
    path: String,
    /// The runtime to run on
    #[arg(long, value_enum, default_value = "tokio")]
    runtime: Runtime,
    /// How many threads serve; as many as there are cores unless it is given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// How often a ping is sent
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "25s")]
    ping_interval: Duration,
    /// How long to wait for a pong
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "20s")]
    ping_timeout: Duration,
    /// How long a WebSocket may take to prove itself and upgrade
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "10s")]
    upgrade_timeout: Duration,
    /// The largest message that is taken, in bytes
    #[arg(long, value_parser = arguments::size, value_name = "SIZE", default_value = "1000000")]
    max_payload: usize,
    /// The transports that a session may be opened on
    #[arg(long, value_parser = transport, value_delimiter = ',', default_value = "polling,websocket")]
    transports: Vec<Transport>,
    /// Keep sessions on the transport that they were opened on
    #[arg(long)]
    no_upgrades: bool,
    /// Which web pages may use the server: `same-origin`, `*`, `none` (no check), or a list of origins
    #[arg(long, value_parser = cors, default_value = "same-origin", value_name = "ORIGINS")]
    cors: Cors,
    /// Do not compress responses (nothing is compressed so far)
    #[arg(long)]
    no_compression: bool,
    /// Answer `GET /__stats` with counts, and `GET /__restart?down=MS` with a restart (for testing clients)
    #[arg(long)]
    stats: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum App {
    /// Every message is sent back as it came
    Echo,
}

fn transport(name: &str) -> Result<Transport, String> {
    Transport::from_name(name).ok_or_else(|| "a transport is polling or websocket".into())
}

fn cors(text: &str) -> Result<Cors, String> {
    Ok(match text {
        "same-origin" => Cors::same_origin(),
        "*" => Cors::any(),
        "none" => Cors::unchecked(),
        list => {
            let origins: Vec<&str> = list.split(',').map(str::trim).collect();
            let is_origin = |origin: &&str| {
                origin
                    .split_once("://")
                    .is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'))
            };
            if !origins.iter().all(is_origin) {
                return Err("an origin is written https://example.com, without a path".into());
            }
            Cors::origins(origins)
        }
    })
}

pub fn run(arguments: Arguments) -> ExitCode {
    match arguments.runtime {
        Runtime::Tokio => {}
    }
    // There is nothing to switch off: the flag is known so that scripts which give it go on working.
    let _nothing_is_compressed = arguments.no_compression;
    let threads = match arguments.threads {
        Some(threads) => threads.into(),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let mut runtime = if threads == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    if threads > 1 {
        runtime.worker_threads(threads);
    }
    let served = match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(serve(&arguments)),
        Err(error) => Err(error.into()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (named, status) = match error {
                sansocket::Error::Unusable { what: "address", .. } => (true, 2),
                sansocket::Error::Unusable { .. } => (false, 2),
                _ => (true, 1),
            };
            match named {
                true => crate::complain(&format!("{}: {error}", arguments.addr)),
                false => crate::complain(&error.to_string()),
            }
            ExitCode::from(status)
        }
    }
}

async fn serve(arguments: &Arguments) -> sansocket::Result<()> {
    let stopped = stop_signal()?;
    tokio::pin!(stopped);
    let mut address = arguments.addr.clone();
    let mut counted = Stats::default();
    let mut first = true;
    loop {
        let (restart, mut restarting) = mpsc::unbounded_channel();
        let page = Arc::new(Page {
            arguments_stats: arguments.stats,
            shows_page: arguments.app.is_none(),
            endpoint: endpoint_path(&arguments.path),
            counted,
            handle: Mutex::new(None),
            restart,
        });
        let server = options(arguments)
            .fallback({
                let page = page.clone();
                move |request| {
                    let response = page.answer(&request);
                    async move { response }
                }
            })
            .bind(&address)
            .await?;
        let handle = server.handle();
        page.set_handle(&handle);
        // After a restart it is the same port again, also where any was asked for.
        address = server.local_addr().to_string();
        if first {
            announce(server.local_addr());
            first = false;
        }
        let serving = server.serve(|mut socket| async move {
            while let Some(message) = socket.recv().await {
                // To the end also where the client wants no answers any more: what it sent is counted.
                let _gone = socket.send(message).await;
            }
            Ok(())
        });
        tokio::pin!(serving);
        let down = tokio::select! {
            served = &mut serving => return served,
            () = &mut stopped => {
                let (served, ()) = tokio::join!(serving, handle.shutdown(PATIENCE));
                return served;
            }
            down = restarting.recv() => down.unwrap_or_default(),
        };
        tokio::time::sleep(RESTART_GRACE).await;
        let (served, ()) = tokio::join!(serving, handle.abort());
        served?;
        let stats = handle.stats();
        counted.opened += stats.opened;
        counted.closed += stats.closed;
        counted.received += stats.received;
        counted.sent += stats.sent;
        tokio::select! {
            () = tokio::time::sleep(down) => {}
            () = &mut stopped => return Ok(()),
        }
    }
}

fn options(arguments: &Arguments) -> Builder {
    Server::builder()
        .path(&arguments.path)
        .ping_interval(arguments.ping_interval)
        .ping_timeout(arguments.ping_timeout)
        .upgrade_timeout(arguments.upgrade_timeout)
        .max_payload(arguments.max_payload)
        .transports(&arguments.transports)
        .allow_upgrades(!arguments.no_upgrades)
        .cors(arguments.cors.clone())
}

/// The path as the server understands it: with slashes at both ends.
fn endpoint_path(path: &str) -> String {
    let mut endpoint = Endpoint::default();
    endpoint.set_path(path);
    endpoint.path().to_owned()
}

/// Scripts wait for this line: it is flushed, and only then is it true.
fn announce(address: SocketAddr) {
    use std::io::Write;

    let mut stdout = std::io::stdout().lock();
    // A closed stdout is no reason not to serve.
    let _unseen = writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());
}

#[cfg(unix)]
fn stop_signal() -> sansocket::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> sansocket::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            // It can not be noticed here: whoever wants to stop the program ends it.
            std::future::pending::<()>().await;
        }
    })
}

/// What is served beside the endpoint.
struct Page {
    arguments_stats: bool,
    shows_page: bool,
    endpoint: String,
    /// What was counted before the last restart.
    counted: Stats,
    handle: Mutex<Option<Handle>>,
    restart: mpsc::UnboundedSender<Duration>,
}

impl Page {
    fn set_handle(&self, handle: &Handle) {
        *self.handle.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(handle.clone());
    }

    fn answer(&self, request: &Request) -> Response {
        match (request.method(), request.path()) {
            ("GET", "/__stats") if self.arguments_stats => Response::json(self.stats()),
            ("GET", "/__restart") if self.arguments_stats => {
                let down = request.query_value("down").and_then(|down| down.parse().ok());
                // Nobody listens where the server is ending already.
                let _ending = self.restart.send(Duration::from_millis(down.unwrap_or(0)));
                Response::json("{}")
            }
            ("GET" | "HEAD", "/") if self.shows_page => {
                Response::html(include_str!("page.html").replace("/engine.io/", &self.endpoint))
            }
            _ => Response::not_found(),
        }
    }

    fn stats(&self) -> String {
        let handle = self
            .handle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        let stats = handle.map(|handle| handle.stats()).unwrap_or_default();
        format!(
            r#"{{"sessions":{},"opened":{},"closed":{},"received":{},"sent":{}}}"#,
            stats.sessions,
            self.counted.opened + stats.opened,
            self.counted.closed + stats.closed,
            self.counted.received + stats.received,
            self.counted.sent + stats.sent,
        )
    }
}
