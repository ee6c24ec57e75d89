//! The flags of `sansocket serve` about HTTP: who may ask, how it is answered, what is served beside the endpoint.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sansocket::engineio::Sid;
use sansocket::http::{Compression, Cookie, SameSite, StaticFiles, TrustedProxies};
use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::Builder;

use crate::arguments;

#[derive(Args)]
pub struct HttpOptions {
    /// Do not let browsers send cookies along from pages of other origins
    #[arg(long)]
    no_cors_credentials: bool,
    /// Set a cookie of this name, with the session's id in it, when a session is opened by polling. Attributes may follow, in
    /// place of `Path=/; HttpOnly; SameSite=Lax`: `io; Path=/chat; Domain=a.example; Max-Age=3600; HttpOnly=false; Secure;
    /// Partitioned; SameSite=None`
    #[arg(long, value_parser = cookie, value_name = "NAME[; ATTRIBUTE]")]
    cookie: Option<Cookie>,
    /// Do not compress polling responses
    #[arg(long)]
    no_compression: bool,
    /// Do not answer scripts (JSONP), which pages of other sites can load
    #[arg(long)]
    no_jsonp: bool,
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

/// `io`, or `io; Secure; Max-Age=3600`: a name, and attributes as `Set-Cookie` has them.
fn cookie(text: &str) -> Result<Cookie, String> {
    let mut parts = text.split(';').map(str::trim);
    let mut cookie = Cookie::new(parts.next().unwrap_or_default().to_owned());
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        cookie = attribute(cookie, name.trim(), value.trim())
            .ok_or_else(|| format!("a cookie has no attribute '{part}'"))?;
    }
    // An id of the usual length shows whether all of it can stand in a header.
    let shown = cookie.header(&Sid::from_entropy([0; 15]));
    shown.map(|_| cookie).map_err(|error| error.to_string())
}

fn attribute(cookie: Cookie, name: &str, value: &str) -> Option<Cookie> {
    let flag = || match value {
        "" | "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    Some(match &name.to_ascii_lowercase()[..] {
        "path" => cookie.path(value.to_owned()),
        "domain" => cookie.domain(value.to_owned()),
        "max-age" => cookie.max_age(Duration::from_secs(value.parse().ok()?)),
        "samesite" => cookie.same_site(match &value.to_ascii_lowercase()[..] {
            "strict" => SameSite::Strict,
            "lax" => SameSite::Lax,
            "none" => SameSite::None,
            _ => return None,
        }),
        "httponly" => cookie.http_only(flag()?),
        "secure" => cookie.secure(flag()?),
        "partitioned" => cookie.partitioned(flag()?),
        _ => return None,
    })
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
            .jsonp(!self.no_jsonp)
            .eio3(self.eio3)
            .ping_interval_grace(self.ping_interval_grace)
            .max_sessions(self.max_sessions)
            .max_connections(self.max_connections);
        if let Some(cookie) = self.cookie.clone() {
            // What comes over TLS must not go out without it.
            options = options.cookie_with(move |request| match request.is_secure {
                true => Some(cookie.clone().secure(true)),
                false => Some(cookie.clone()),
            });
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
