//! `sansocket connect`.

mod conversation;
mod input;
mod options;
mod output;
mod socketio;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use sansocket::Backoff;
use sansocket::engineio::Transport;
use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::{Client, ClientBuilder};
use sansocket::tls::Connector;

use crate::arguments::{self, RuntimeName};
use crate::runtimes::{self, Job};
use crate::serve::ParserName;
use crate::tls::ClientTls;
use conversation::Conversation;
use options::ConnectionOptions;

/// What may wait here for the server: scripts write as fast as they can.
const MAX_QUEUE: usize = 64_000_000;

#[derive(Args)]
#[command(after_help = "\
A DURATION is written 300ms, 25s or 2m.
With --json, stdout says what happens and stdin takes what to do, one object a line. For Socket.IO:
  {\"emit\":\"name\",\"args\":[…],\"namespace\":\"/\"}, with \"ack\":7 and perhaps \"timeout_ms\":500 to want an acknowledgement;
  {\"ack\":3,\"args\":[…],\"namespace\":\"/\"} to answer an event that wants one;
  {\"connect\":\"/ns\",\"auth\":{…}}, {\"disconnect\":\"/ns\"}, {\"close\":true}. Bytes are {\"$binary\":\"<base64>\"}.
For Engine.IO: {\"send\":\"text\"}, {\"send_binary\":\"<base64>\"}, {\"close\":true}.
Without --json, a line is a message; for Socket.IO an event's name and its arguments as JSON, or one text. The end of stdin delivers what was sent, then closes.
HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are respected, unless --proxy or --no-proxy is given.
Exit status: 0 after a close that was asked for, 130 after Ctrl-C, 1 where connecting failed or the connection ended
otherwise, 2 for wrong usage.")]
pub struct Arguments {
    /// http://, https://, ws:// or wss://, a host, perhaps a port, user:password@, a path and a query
    url: String,
    /// What to speak
    #[arg(long, value_enum, default_value = "socket.io")]
    protocol: Protocol,
    /// The path below which the server lives, whatever the URL says [default: /socket.io/ or /engine.io/]
    #[arg(long)]
    path: Option<String>,
    /// The transports to try, in this order
    #[arg(long, value_parser = transport, value_delimiter = ',', default_value = "polling,websocket")]
    transports: Vec<Transport>,
    /// Stay on the transport that the session was opened on
    #[arg(long)]
    no_upgrade: bool,
    /// One more header in every request; may be repeated
    #[arg(long, value_parser = header, value_name = "'NAME: VALUE'")]
    header: Vec<(String, String)>,
    /// One more parameter in the query of every request; may be repeated
    #[arg(long, value_parser = query, value_name = "NAME=VALUE")]
    query: Vec<(String, String)>,
    /// What to show to be let into the namespaces: a JSON object (Socket.IO)
    #[arg(long, value_parser = auth, value_name = "JSON")]
    auth: Option<Auth>,
    /// A namespace to join, in place of /; may be repeated (Socket.IO)
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Vec<String>,
    /// Print only events of this name; may be repeated (Socket.IO)
    #[arg(long, value_name = "NAME")]
    event: Vec<String>,
    /// How Socket.IO packets are written: as the server does it [default: text]
    #[arg(long, value_enum)]
    parser: Option<ParserName>,
    /// How often to try again in a row, where connecting fails or the connection breaks: a number, or `forever`
    #[arg(long, value_parser = attempts, value_name = "N|forever", default_value = "0")]
    reconnect: Attempts,
    /// The delay before the first further try; it doubles from one to the next
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "1s")]
    reconnect_delay: Duration,
    /// The delay that doubling does not go beyond
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "5s")]
    reconnect_delay_max: Duration,
    /// How long one attempt may take, all transports together, and for Socket.IO the answer to the CONNECT
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "20s")]
    timeout: Duration,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    tls: ClientTls,
    /// One JSON object a line on stdin and stdout, for scripts
    #[arg(long)]
    json: bool,
    /// The runtime to run on
    #[arg(long, value_enum, default_value = "tokio", value_name = "RUNTIME")]
    runtime: RuntimeName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// Engine.IO
    #[value(name = "engine.io")]
    EngineIo,
    /// Socket.IO
    #[value(name = "socket.io")]
    SocketIo,
}

/// How often to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempts {
    Forever,
    Times(u32),
}

fn transport(name: &str) -> Result<Transport, String> {
    Transport::from_name(name).ok_or_else(|| "a transport is polling or websocket".into())
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.is_empty() => Ok((name.trim().into(), value.trim().into())),
        _ => Err("a header is written 'Name: value'".into()),
    }
}

fn query(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("a parameter is written name=value".into()),
    }
}

/// What is shown to be let in.
#[derive(Clone, Debug)]
struct Auth(serde_json::Value);

fn auth(text: &str) -> Result<Auth, String> {
    match serde_json::from_str(text) {
        Ok(value @ serde_json::Value::Object(_)) => Ok(Auth(value)),
        Ok(_) => Err("it must be a JSON object".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn attempts(text: &str) -> Result<Attempts, String> {
    if text == "forever" {
        return Ok(Attempts::Forever);
    }
    let number = text.parse().map_err(|_| "say a number, or forever")?;
    Ok(Attempts::Times(number))
}

impl Arguments {
    fn builder<R: Runtime>(&self, runtime: R) -> ClientBuilder<R> {
        let mut builder = Client::builder_on(runtime, &self.url)
            .transports(&self.transports)
            .allow_upgrades(!self.no_upgrade)
            .connect_timeout(self.timeout)
            .max_queue(MAX_QUEUE);
        if let Some(path) = &self.path {
            builder = builder.path(path);
        }
        for (name, value) in &self.header {
            builder = builder.header(name, value);
        }
        for (name, value) in &self.query {
            builder = builder.query(name, value);
        }
        builder = self.connection.apply(builder);
        match self.backoff() {
            Some(backoff) => builder.reconnect(backoff),
            None => builder,
        }
    }

    fn backoff(&self) -> Option<Backoff> {
        let backoff = Backoff::default()
            .delay(self.reconnect_delay)
            .max_delay(self.reconnect_delay_max);
        match self.reconnect {
            Attempts::Times(0) => None,
            Attempts::Times(attempts) => Some(backoff.attempts(attempts)),
            Attempts::Forever => Some(backoff),
        }
    }

    /// What was said that is nothing to Engine.IO.
    fn superfluous(&self) -> Option<&'static str> {
        match self.protocol {
            Protocol::SocketIo => None,
            Protocol::EngineIo if self.auth.is_some() => Some("--auth"),
            Protocol::EngineIo if !self.namespace.is_empty() => Some("--namespace"),
            Protocol::EngineIo if !self.event.is_empty() => Some("--event"),
            Protocol::EngineIo if self.parser.is_some() => Some("--parser"),
            Protocol::EngineIo => None,
        }
    }
}

pub fn run(arguments: Arguments) -> ExitCode {
    if let Some(flag) = arguments.superfluous() {
        crate::complain(&format!("{flag} is for --protocol socket.io (see --help)"));
        return ExitCode::from(2);
    }
    let tls = match arguments.tls.connector() {
        Ok(tls) => tls,
        Err(why) => {
            crate::complain(&why.to_string());
            return ExitCode::from(2);
        }
    };
    // The conversation may wait for a terminal; the client's own task, on another thread, must not.
    match runtimes::run_on(arguments.runtime, 1, Talking(&arguments, tls)) {
        Ok(exit) => exit,
        Err(error) => {
            crate::complain(&format!("cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}

struct Talking<'a>(&'a Arguments, Option<Connector>);

impl Job for Talking<'_> {
    type Output = ExitCode;

    async fn run<R: Runtime>(self, runtime: R) -> ExitCode {
        if self.0.protocol == Protocol::SocketIo {
            return socketio::run(self.0, self.1, runtime).await;
        }
        let builder = match self.1 {
            Some(tls) => self.0.builder(runtime).tls(tls),
            None => self.0.builder(runtime),
        };
        match builder.start() {
            Ok(client) => Conversation::new(client, self.0.json).run().await,
            Err(error) => {
                crate::complain(&format!("{error} (see --help)"));
                ExitCode::from(2)
            }
        }
    }
}
