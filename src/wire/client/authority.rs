//! Host, port and credentials out of a URL: what a server's address and a proxy's have in common.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use url::{ParseError, Url};

/// Where to connect, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authority {
    host: String,
    port: u16,
    credentials: Option<String>,
}

impl Authority {
    /// Takes these parts out of `url`. The credentials do not stay behind in it.
    pub(super) fn take(url: &mut Url) -> Result<Self, &'static str> {
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(NO_HOST)?;
        // Only an IPv6 address has brackets, which belong to the URL and not to the address.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_string();
        let port = url.port_or_known_default().ok_or("it has no port")?;
        if port == 0 {
            return Err("nobody listens on port 0");
        }
        let credentials = basic(url)?;
        url.set_username("").map_err(|()| NO_HOST)?;
        url.set_password(None).map_err(|()| NO_HOST)?;
        Ok(Self {
            host,
            port,
            credentials,
        })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn credentials(&self) -> Option<&str> {
        self.credentials.as_deref()
    }
}

const NO_HOST: &str = "it has no host";

/// Reads a URL; what is wrong with it in words that never repeat it, as it may hold a password.
pub(super) fn parse(text: &str) -> Result<Url, &'static str> {
    Url::parse(text).map_err(|error| match error {
        ParseError::EmptyHost => NO_HOST,
        ParseError::InvalidPort => "its port is not a number up to 65535",
        ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address => "its host is not a valid IP address",
        ParseError::IdnaError | ParseError::InvalidDomainCharacter => "its host is not a valid name",
        _ => "it is not a URL",
    })
}

/// The value of a header for HTTP's Basic authentication; none if the URL has neither user nor password.
fn basic(url: &Url) -> Result<Option<String>, &'static str> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
    // The first colon ends the name, so the server would take the rest of such a name for the password.
    if pair.contains(&b':') {
        return Err("its user name has a colon");
    }
    pair.push(b':');
    pair.extend(percent_decode_str(url.password().unwrap_or_default()));
    Ok(Some(format!("Basic {}", STANDARD.encode(pair))))
}
