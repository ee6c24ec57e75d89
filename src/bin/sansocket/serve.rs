//! `sansocket serve`.

mod bench;
mod chat;
mod echo;
mod socketio;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::{Args, ValueEnum};
use sansocket::engineio::Transport;
use sansocket::http::{Compression, Cors, Endpoint, Request, Response};
use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::{Builder, Handle, Server, Stats};
use sansocket::runtime::socketio::Handle as SocketIoHandle;
use sansocket::socketio::{MSGPACK, Parser, TEXT};
use sansocket::tls::Acceptor;
use tokio::sync::mpsc;

use crate::arguments::{self, RuntimeName};
use crate::options::HttpOptions;
use crate::runtimes::{self, Job};
use crate::signals::Signals;
use crate::tls::ServerTls;

/// How long sessions have to end after Ctrl-C or SIGTERM. What is left then is cut off, which may take half a second more;
/// the whole end takes less than two.
const PATIENCE: Duration = Duration::from_millis(1200);

/// How long the answer to `/__restart` has to reach its client.
const RESTART_GRACE: Duration = Duration::from_millis(60);

#[derive(Args)]
#[command(after_help = "\
A DURATION is written 300ms, 25s or 2m; a SIZE 1000000, 64kB or 1MB (powers of ten).
Logs go to stderr, as RUST_LOG says: RUST_LOG=info for who comes and goes, sansocket::connection=debug for refused
requests and TLS; warnings and errors unless it says anything. Ctrl-C and SIGTERM close every session in order.
Exit status: 0 after such an end, 1 where the address can not be used, 2 for wrong usage.")]
pub struct Arguments {
    /// What to serve
    #[arg(long, value_enum, default_value = "chat")]
    app: App,
    /// The address to listen on; port 0 is any free one
    #[arg(long, default_value = "127.0.0.1:3000")]
    addr: String,
    /// The path below which the app lives: `/socket.io/` for chat and socketio, `/engine.io/` for echo; bench has both. May be
    /// repeated: then it lives below each
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
    /// The runtime to run on
    #[arg(long, value_enum, default_value = "tokio", value_name = "RUNTIME")]
    runtime: RuntimeName,
    /// How many threads serve, on tokio and smol; as many as there are cores unless it is given
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
    /// How long a Socket.IO client may take to join a namespace
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "45s")]
    connect_timeout: Duration,
    /// How Socket.IO packets are written, on the app socketio
    #[arg(long, value_enum, default_value = "text")]
    parser: ParserName,
    /// How many handlers may run at once for one client, on the app socketio; 1 runs them one after the other
    #[arg(long, value_name = "N", default_value = "64", value_parser = arguments::positive)]
    concurrency: usize,
    /// The largest message that is taken, in bytes
    #[arg(long, value_parser = arguments::size, value_name = "SIZE", default_value = "1000000")]
    max_payload: usize,
    /// How much may wait for one client, in bytes, before its app has to wait too
    #[arg(long, value_parser = arguments::size, value_name = "SIZE", default_value = "4MB")]
    max_queue: usize,
    /// The transports that a session may be opened on
    #[arg(long, value_parser = transport, value_delimiter = ',', default_value = "polling,websocket")]
    transports: Vec<Transport>,
    /// Keep sessions on the transport that they were opened on
    #[arg(long)]
    no_upgrades: bool,
    /// Which web pages may use the server: `same-origin`, `*`, `none` (no check), or a list of origins
    #[arg(long, value_parser = cors, default_value = "same-origin", value_name = "ORIGINS")]
    cors: Cors,
    #[command(flatten)]
    http: HttpOptions,
    #[command(flatten)]
    tls: ServerTls,
    /// Answer `GET /__stats` with counts, and `GET /__restart?down=MS` with a restart (for testing clients)
    #[arg(long)]
    stats: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum App {
    /// Socket.IO: rooms to talk in, with a page for it at `/`
    Chat,
    /// Engine.IO: every message is sent back as it came
    Echo,
    /// Socket.IO, with the handlers that test suites want
    Socketio,
    /// Engine.IO's echo and Socket.IO's `echo` and `broadcast`, for load generators
    Bench,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ParserName {
    /// JSON text, with bytes beside it: what every client speaks
    Text,
    /// As npm's socket.io-msgpack-parser does
    Msgpack,
}

impl ParserName {
    pub fn parser(self) -> &'static dyn Parser {
        match self {
            Self::Text => &TEXT,
            Self::Msgpack => &MSGPACK,
        }
    }
}

impl App {
    fn default_path(self) -> &'static str {
        match self {
            Self::Echo | Self::Bench => "/engine.io/",
            Self::Chat | Self::Socketio => "/socket.io/",
        }
    }
}

impl Arguments {
    /// The first is the one that pages are told of.
    fn path(&self) -> &str {
        self.paths.first().map_or(self.app.default_path(), String::as_str)
    }
}

/// An app that listens.
struct Running {
    address: SocketAddr,
    handle: Handle,
    /// Of the apps that speak Socket.IO.
    io: Option<SocketIoHandle>,
    serving: Serving,
}

type Serving = Pin<Box<dyn Future<Output = sansocket::Result<()>> + Send>>;

impl Running {
    /// Ends it in order.
    fn shutdown(&self) -> impl Future<Output = ()> + use<> {
        let (handle, io) = (self.handle.clone(), self.io.clone());
        async move {
            match io {
                Some(io) => io.shutdown(PATIENCE).await,
                None => handle.shutdown(PATIENCE).await,
            }
        }
    }
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
    let threads = match arguments.threads {
        Some(threads) => threads.into(),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let tls = match arguments.tls.acceptor() {
        Ok(tls) => tls,
        Err(why) => {
            crate::complain(&why.to_string());
            return ExitCode::from(2);
        }
    };
    // One thread alone does it all.
    let workers = if threads == 1 { 0 } else { threads };
    let served = runtimes::run_on(arguments.runtime, workers, Serve(&arguments, tls));
    match served.map_err(Into::into).and_then(|served| served) {
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

struct Serve<'a>(&'a Arguments, Option<Acceptor>);

impl Job for Serve<'_> {
    type Output = sansocket::Result<()>;

    async fn run<R: Runtime>(self, runtime: R) -> sansocket::Result<()> {
        serve(runtime, self.0, self.1).await
    }
}

async fn serve<R: Runtime>(runtime: R, arguments: &Arguments, tls: Option<Acceptor>) -> sansocket::Result<()> {
    let mut signals = Signals::new(None)?;
    if let Some(tls) = &tls {
        arguments.tls.reload_on_signal(tls)?;
    }
    let endpoint = endpoint_path(arguments.path());
    if arguments.app == App::Chat {
        chat::check_path(&endpoint)?;
        for path in &arguments.paths {
            chat::check_path(&endpoint_path(path))?;
        }
    }
    let mut address = arguments.addr.clone();
    let mut counted = Stats::default();
    let mut first = true;
    loop {
        let (restart, mut restarting) = mpsc::unbounded_channel();
        let page = Arc::new(Page {
            arguments_stats: arguments.stats,
            shows_chat: arguments.app == App::Chat,
            endpoint: endpoint.clone(),
            counted,
            handles: Mutex::new(None),
            restart,
        });
        let mut options = options(runtime.clone(), arguments);
        if let Some(tls) = &tls {
            options = options.tls(tls.clone());
        }
        let options = options.fallback({
            let page = page.clone();
            arguments.http.static_files().or(move |request: Request| {
                let response = page.answer(&request);
                async move { response }
            })
        });
        let mut running = match arguments.app {
            App::Chat => chat::start(options, arguments, &address).await?,
            App::Echo => echo::start(options, &address).await?,
            App::Socketio => socketio::start(options, arguments, &address).await?,
            App::Bench => bench::start(options, arguments, &address).await?,
        };
        page.set_handles(&running);
        // After a restart it is the same port again, also where any was asked for.
        address = running.address.to_string();
        if first {
            announce(running.address, tls.is_some());
            first = false;
        }
        let ending = running.shutdown();
        let down = tokio::select! {
            served = &mut running.serving => return served,
            _ = signals.next() => {
                let (served, ()) = tokio::join!(running.serving, ending);
                return served;
            }
            down = restarting.recv() => down.unwrap_or_default(),
        };
        runtime.sleep_until(runtime.now() + RESTART_GRACE).await;
        let (served, ()) = tokio::join!(running.serving, running.handle.abort());
        served?;
        let stats = running.handle.stats();
        counted.opened += stats.opened;
        counted.closed += stats.closed;
        counted.received += stats.received;
        counted.sent += stats.sent;
        tokio::select! {
            () = runtime.sleep_until(runtime.now() + down) => {}
            _ = signals.next() => return Ok(()),
        }
    }
}

fn options<R: Runtime>(runtime: R, arguments: &Arguments) -> Builder<R> {
    let options = Server::builder_on(runtime)
        .path(arguments.path())
        .ping_interval(arguments.ping_interval)
        .ping_timeout(arguments.ping_timeout)
        .upgrade_timeout(arguments.upgrade_timeout)
        .max_payload(arguments.max_payload)
        .max_queue(arguments.max_queue)
        .transports(&arguments.transports)
        .allow_upgrades(!arguments.no_upgrades)
        .cors(arguments.cors.clone().credentials(arguments.http.credentials()));
    let options = arguments.http.apply(options);
    let others = arguments.paths.iter().skip(1);
    let options = others.fold(options, |options, path| options.also_path(path));
    match arguments.app {
        // Nothing else on the path of what is measured.
        App::Bench => options.compression(Compression::off()),
        _ => options,
    }
}

/// The path as the server understands it: with slashes at both ends.
fn endpoint_path(path: &str) -> String {
    let mut endpoint = Endpoint::default();
    endpoint.set_path(path);
    endpoint.path().to_owned()
}

/// Scripts wait for this line: it is flushed, and only then is it true.
fn announce(address: SocketAddr, is_secure: bool) {
    use std::io::Write;

    let mut stdout = std::io::stdout().lock();
    // A closed stdout is no reason not to serve.
    let scheme = if is_secure { "https" } else { "http" };
    let _unseen = writeln!(stdout, "listening on {scheme}://{address}").and_then(|()| stdout.flush());
}

/// What is served beside the endpoint.
struct Page {
    arguments_stats: bool,
    shows_chat: bool,
    endpoint: String,
    /// What was counted before the last restart.
    counted: Stats,
    handles: Mutex<Option<(Handle, Option<SocketIoHandle>)>>,
    restart: mpsc::UnboundedSender<Duration>,
}

impl Page {
    fn set_handles(&self, running: &Running) {
        let handles = (running.handle.clone(), running.io.clone());
        *self.handles.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(handles);
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
            _ if self.shows_chat => chat::answer(request, &self.endpoint).unwrap_or_else(Response::not_found),
            _ => Response::not_found(),
        }
    }

    fn stats(&self) -> String {
        let handles = self
            .handles
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        let (handle, io) = handles.unzip();
        let stats = handle.map(|handle| handle.stats()).unwrap_or_default();
        format!(
            r#"{{"sessions":{},"opened":{},"closed":{},"received":{},"sent":{}{}}}"#,
            stats.sessions,
            self.counted.opened + stats.opened,
            self.counted.closed + stats.closed,
            self.counted.received + stats.received,
            self.counted.sent + stats.sent,
            io.flatten().map(|io| socketio::stats(&io)).unwrap_or_default(),
        )
    }
}
