//! `sansocket connect`.

mod conversation;
mod input;

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
use crate::tls::ClientTls;
use conversation::Conversation;

/// What may wait here for the server: scripts write as fast as they can.
const MAX_QUEUE: usize = 64_000_000;

#[derive(Args)]
#[command(after_help = "\
A DURATION is written 300ms, 25s or 2m.
With --json, stdin takes {\"send\":\"text\"}, {\"send_binary\":\"<base64>\"} and {\"close\":true}, and stdout says what happens, one
object a line. The end of stdin delivers what was sent, then closes.
HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are respected.
Exit status: 0 after a close that was asked for, 130 after Ctrl-C, 1 where connecting failed or the connection ended
otherwise, 2 for wrong usage.")]
pub struct Arguments {
    /// http://, https://, ws:// or wss://, a host, perhaps a port, user:password@, a path and a query
    url: String,
    /// What to speak
    #[arg(long, value_enum, default_value = "socket.io")]
    protocol: Protocol,
    /// The path below which Engine.IO lives, whatever the URL says [default: /engine.io/]
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
    /// How often to try again in a row, where connecting fails or the connection breaks: a number, or `forever`
    #[arg(long, value_parser = attempts, value_name = "N|forever", default_value = "0")]
    reconnect: Attempts,
    /// The delay before the first further try; it doubles from one to the next
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "1s")]
    reconnect_delay: Duration,
    /// The delay that doubling does not go beyond
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "5s")]
    reconnect_delay_max: Duration,
    /// How long one attempt may take, all transports together
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "20s")]
    timeout: Duration,
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
    /// Socket.IO (not yet)
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
        let backoff = Backoff::default()
            .delay(self.reconnect_delay)
            .max_delay(self.reconnect_delay_max);
        match self.reconnect {
            Attempts::Times(0) => builder,
            Attempts::Times(attempts) => builder.reconnect(backoff.attempts(attempts)),
            Attempts::Forever => builder.reconnect(backoff),
        }
    }
}

pub fn run(arguments: Arguments) -> ExitCode {
    if arguments.protocol == Protocol::SocketIo {
        crate::complain("Socket.IO is not there yet; say --protocol engine.io (see --help)");
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
