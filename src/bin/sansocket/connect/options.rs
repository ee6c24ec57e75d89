//! The flags of `sansocket connect` about the connection, whatever is spoken on it.

use std::time::Duration;

use clap::Args;
use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::ClientBuilder;

use crate::arguments;

#[derive(Args)]
pub struct ConnectionOptions {
    /// Do not make each polling GET another one than those before it, for caches, by a number in its query
    #[arg(long)]
    no_timestamps: bool,
    /// The parameter of the query that this number is in
    #[arg(long, value_name = "NAME", default_value = "t", conflicts_with = "no_timestamps")]
    timestamp_param: String,
    /// One more header in requests for a WebSocket, in place of a --header of the same name; may be repeated
    #[arg(long, value_parser = super::header, value_name = "'NAME: VALUE'")]
    websocket_header: Vec<(String, String)>,
    /// A protocol to offer for the WebSocket (Sec-WebSocket-Protocol), the best one first; may be repeated
    #[arg(long, value_name = "NAME")]
    websocket_protocol: Vec<String>,
    /// The largest polling body and WebSocket message to take from the server
    #[arg(long, value_parser = arguments::size, value_name = "SIZE", default_value = "64MB")]
    max_payload: usize,
    /// The largest WebSocket message to take from the server [default: as --max-payload]
    #[arg(long, value_parser = arguments::size, value_name = "SIZE")]
    max_websocket_message: Option<usize>,
    /// How long the way from polling to a WebSocket may take
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "10s")]
    upgrade_timeout: Duration,
    /// How long the server may take to answer a POST
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "45s")]
    request_timeout: Duration,
    /// How long a session that is closing may do nothing before it is given up
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "5s")]
    close_timeout: Duration,
    /// Go through this HTTP proxy, whatever the environment says: http://user:password@host:port
    #[arg(long, value_name = "URL", conflicts_with = "no_proxy")]
    proxy: Option<String>,
    /// Go through no proxy, whatever the environment says
    #[arg(long)]
    no_proxy: bool,
}

impl ConnectionOptions {
    /// Tells the client.
    pub fn apply<R: Runtime>(&self, options: ClientBuilder<R>) -> ClientBuilder<R> {
        let mut options = options
            .timestamp_requests(!self.no_timestamps)
            .timestamp_param(&self.timestamp_param)
            .websocket_protocols(&self.websocket_protocol)
            .max_payload(self.max_payload)
            .upgrade_timeout(self.upgrade_timeout)
            .request_timeout(self.request_timeout)
            .close_timeout(self.close_timeout);
        for (name, value) in &self.websocket_header {
            options = options.websocket_header(name, value);
        }
        if let Some(bytes) = self.max_websocket_message {
            options = options.max_websocket_message(bytes);
        }
        match &self.proxy {
            Some(url) => options.proxy(url),
            None if self.no_proxy => options.no_proxy(),
            None => options,
        }
    }
}
