//! `sansocket connect --protocol socket.io`.

mod conversation;
mod input;
mod values;

use std::process::ExitCode;

use sansocket::runtime::Runtime;
use sansocket::runtime::socketio::client::{Client, ClientBuilder};
use sansocket::tls::Connector;
use sansocket::wire::client::Target;

use super::{Arguments, MAX_QUEUE};
use conversation::Conversation;

pub async fn run<R: Runtime>(arguments: &Arguments, tls: Option<Connector>, runtime: R) -> ExitCode {
    let builder = builder(arguments, runtime);
    let builder = match tls {
        Some(tls) => builder.tls(tls),
        None => builder,
    };
    match builder.start_with_events() {
        Ok((client, events)) => Conversation::new(client, events, arguments).run().await,
        Err(error) => {
            crate::complain(&format!("{error} (see --help)"));
            ExitCode::from(2)
        }
    }
}

fn builder<R: Runtime>(arguments: &Arguments, runtime: R) -> ClientBuilder<R> {
    let mut builder = Client::builder_on(runtime, &arguments.url)
        .transports(&arguments.transports)
        .allow_upgrades(!arguments.no_upgrade)
        .connect_timeout(arguments.timeout)
        .max_offline(MAX_QUEUE)
        .engine(|engine| arguments.connection.apply(engine.max_queue(MAX_QUEUE)));
    // Unlike JavaScript's, the path of the URL is the endpoint's: namespaces have a flag of their own.
    let given = Target::parse(&arguments.url).ok();
    let given = given.as_ref().and_then(|target| target.path_given()).map(str::to_owned);
    if let Some(path) = arguments.path.clone().or(given) {
        builder = builder.path(path);
    }
    for (name, value) in &arguments.header {
        builder = builder.header(name, value);
    }
    for (name, value) in &arguments.query {
        builder = builder.query(name, value);
    }
    if let Some(parser) = arguments.parser {
        builder = builder.parser(parser.parser());
    }
    if let Some(auth) = &arguments.auth {
        builder = builder.auth(&auth.0);
    }
    if arguments.namespace.is_empty() {
        builder = builder.namespace("/");
    }
    for namespace in &arguments.namespace {
        builder = builder.namespace(namespace);
    }
    match arguments.backoff() {
        Some(backoff) => builder.reconnect(backoff),
        None => builder,
    }
}
