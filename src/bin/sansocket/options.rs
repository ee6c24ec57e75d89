//! The flags of `sansocket serve` about HTTP: who may ask, how it is answered, what is served beside the endpoint.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sansocket::engineio::Sid;
use sansocket::http::{Compression, Cookie, StaticFiles, TrustedProxies};
use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::Builder;

use crate::arguments;

#[derive(Args)]
pub struct HttpOptions {
    /// Do not let browsers send cookies along from pages of other origins
    #[arg(long)]
    no_cors_credentials: bool,
    /// Set a cookie of this name, with the session's id in it, when a session is opened by polling
    #[arg(long, value_parser = cookie_name, value_name = "NAME")]
    cookie: Option<String>,
    /// Do not compress polling responses
    #[arg(long)]
    no_compression: bool,
    /// From which size on polling responses are compressed
    #[arg(long, value_parser = arguments::size, value_name = "SIZE", default_value = "1024")]
    compression_threshold: usize,
    /// Add this to the announced ping interval, so that clients wait a little longer for a ping that is late
    #[arg(long, value_parser = arguments::duration, value_name = "DURATION", default_value = "0ms")]
    ping_interval_grace: Duration,
    /// Add a header to every response of the endpoint (may be repeated)
    #[arg(long = "header", value_parser = header, value_name = "NAME: VALUE")]
    headers: Vec<(String, String)>,
    /// Add a header to the first response of each session (may be repeated)
    #[arg(long = "initial-header", value_parser = header, value_name = "NAME: VALUE")]
    initial_headers: Vec<(String, String)>,
    /// Proxies whose X-Forwarded-For, -Proto and -Host are believed: addresses, networks (10.0.0.0/8), or `*`
    #[arg(long = "trust-proxy", value_parser = proxies, value_name = "ADDRESSES")]
    proxies: Option<TrustedProxies>,
    /// How many sessions there may be at a time
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    max_sessions: usize,
    /// How many sessions there may be for one address; behind a proxy, see --trust-proxy
    #[arg(long, value_name = "N")]
    max_sessions_per_address: Option<usize>,
    /// How many connections there may be at a time
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    max_connections: usize,
    /// How many connections there may be from one address (trusted proxies are not counted)
    #[arg(long, value_name = "N")]
    max_connections_per_address: Option<usize>,
    /// Serve a file or a directory under a path: `/=index.html`, `/static=public` (may be repeated)
    #[arg(long = "static", value_parser = route, value_name = "URL=PATH")]
    files: Vec<(String, PathBuf)>,
    /// Serve clients of Engine.IO 3 (of before 2020) too
    #[arg(long)]
    eio3: bool,
}

fn cookie_name(name: &str) -> Result<String, String> {
    match Cookie::new(name.to_owned()).header(&Sid::from_entropy([0; 15])) {
        Ok(_) => Ok(name.to_owned()),
        Err(_) => Err("that can not be the name of a cookie".into()),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) => Ok((name.to_owned(), value.trim().to_owned())),
        None => Err("a header is written 'Name: value'".into()),
    }
}

fn proxies(text: &str) -> Result<TrustedProxies, String> {
    match text {
        "*" => Ok(TrustedProxies::any()),
        list => TrustedProxies::list(list.split(',')).map_err(|error| error.to_string()),
    }
}

fn route(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((url, path)) if url.starts_with('/') && !path.is_empty() => Ok((url.to_owned(), path.into())),
        _ => Err("a route is written /path=file or /path=directory".into()),
    }
}

impl HttpOptions {
    /// Whether browsers may send cookies along from other origins.
    pub fn credentials(&self) -> bool {
        !self.no_cors_credentials
    }

    /// What is served beside the endpoint.
    pub fn static_files(&self) -> StaticFiles {
        let routes = self.files.iter();
        routes.fold(StaticFiles::new(), |files, (url, path)| files.route(url, path))
    }

    /// Tells the server.
    pub fn apply<R: Runtime>(&self, options: Builder<R>) -> Builder<R> {
        let compression = match self.no_compression {
            true => Compression::off(),
            false => Compression::default().threshold(self.compression_threshold),
        };
        let mut options = options
            .compression(compression)
            .eio3(self.eio3)
            .ping_interval_grace(self.ping_interval_grace)
            .max_sessions(self.max_sessions)
            .max_connections(self.max_connections);
        if let Some(name) = self.cookie.clone() {
            // What comes over TLS must not go out without it.
            options = options.cookie_with(move |request| Some(Cookie::new(name.clone()).secure(request.is_secure)));
        }
        for (name, value) in self.headers.iter().cloned() {
            options = options.header(name, value);
        }
        for (name, value) in self.initial_headers.iter().cloned() {
            options = options.initial_header(name, value);
        }
        if let Some(proxies) = self.proxies.clone() {
            options = options.trusted_proxies(proxies);
        }
        if let Some(most) = self.max_sessions_per_address {
            options = options.max_sessions_per_address(most);
        }
        if let Some(most) = self.max_connections_per_address {
            options = options.max_connections_per_address(most);
        }
        options
    }
}
