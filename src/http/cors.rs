//! Which web pages may talk to the server.

use alloc::string::String;
use alloc::vec::Vec;

/// Which origins (web pages) may use the endpoint from a browser.
///
/// A request without an `Origin` header does not come from a web page, and is never refused. WebSocket requests are
/// looked at like all others: the browser does not protect them by itself.
///
/// By default only pages of the same host may. The comparison is of host and port, and of the scheme only where the
/// connection is TLS: behind a proxy that ends TLS the server sees `http` where the page says `https`.
///
/// ```
/// use sansocket::http::{Cors, CorsAnswer};
///
/// let cors = Cors::origins(["https://example.com"]);
/// assert_eq!(cors.check(Some("https://example.com"), None, true), CorsAnswer::Allow);
/// assert_eq!(cors.check(Some("https://evil.example"), None, true), CorsAnswer::Refuse);
/// assert_eq!(cors.check(None, None, true), CorsAnswer::NotAsked);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors(Policy);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Policy {
    SameOrigin,
    Any,
    Unchecked,
    Listed(Vec<String>),
}

/// What [`Cors::check`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CorsAnswer {
    /// No origin was named, or none is ever checked: go on, say nothing about it.
    NotAsked,
    /// Go on, and tell the browser that this origin may read the answer.
    Allow,
    /// Turn the request away.
    Refuse,
}

impl Cors {
    /// Pages of the same host and port.
    pub const fn same_origin() -> Self {
        Self(Policy::SameOrigin)
    }

    /// Every page may, whoever wrote it, with the user's cookies.
    pub const fn any() -> Self {
        Self(Policy::Any)
    }

    /// No check, and no headers: somebody in front of the server does both.
    pub const fn unchecked() -> Self {
        Self(Policy::Unchecked)
    }

    /// These origins, written as browsers do: `https://example.com`, with a port where it is not the scheme's own.
    pub fn origins<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self(Policy::Listed(origins.into_iter().map(Into::into).collect()))
    }

    /// Looks at a request's `Origin` and `Host`, and at whether its connection is TLS.
    pub fn check(&self, origin: Option<&str>, host: Option<&str>, is_secure: bool) -> CorsAnswer {
        let Some(origin) = origin else {
            return CorsAnswer::NotAsked;
        };
        let allowed = match &self.0 {
            Policy::Unchecked => return CorsAnswer::NotAsked,
            Policy::Any => true,
            Policy::Listed(origins) => origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin)),
            Policy::SameOrigin => host.is_some_and(|host| is_same_host(origin, host, is_secure)),
        };
        if allowed { CorsAnswer::Allow } else { CorsAnswer::Refuse }
    }
}

impl Default for Cors {
    fn default() -> Self {
        Self::same_origin()
    }
}

fn is_same_host(origin: &str, host: &str, is_secure: bool) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        // "null": a sandboxed page or a file.
        return false;
    };
    let default_port = match scheme {
        // A page that came without TLS may have been written by anybody on its way.
        "http" if is_secure => return false,
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |authority: &str| {
        authority
            .strip_suffix(default_port)
            .unwrap_or(authority)
            .to_ascii_lowercase()
    };
    bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_origin_compares_host_and_port() {
        let cors = Cors::default();
        for (origin, host, answer) in [
            ("http://a.example", "a.example", CorsAnswer::Allow),
            ("https://a.example", "a.example", CorsAnswer::Allow),
            ("https://A.example", "a.example:443", CorsAnswer::Allow),
            ("http://a.example:3000", "a.example:3000", CorsAnswer::Allow),
            ("http://a.example:3000", "a.example", CorsAnswer::Refuse),
            ("http://a.example", "a.example:3000", CorsAnswer::Refuse),
            ("http://b.example", "a.example", CorsAnswer::Refuse),
            ("http://a.example.evil", "a.example", CorsAnswer::Refuse),
            ("null", "a.example", CorsAnswer::Refuse),
            ("file://", "", CorsAnswer::Refuse),
        ] {
            assert_eq!(
                cors.check(Some(origin), Some(host), false),
                answer,
                "{origin} at {host}"
            );
        }
        assert_eq!(cors.check(Some("http://a.example"), None, false), CorsAnswer::Refuse);
    }

    #[test]
    fn over_tls_the_scheme_is_known() {
        let cors = Cors::default();
        for (origin, host, answer) in [
            ("https://a.example", "a.example", CorsAnswer::Allow),
            ("https://a.example:8443", "a.example:8443", CorsAnswer::Allow),
            ("http://a.example", "a.example", CorsAnswer::Refuse),
            ("http://a.example:8443", "a.example:8443", CorsAnswer::Refuse),
            ("https://b.example", "a.example", CorsAnswer::Refuse),
        ] {
            assert_eq!(cors.check(Some(origin), Some(host), true), answer, "{origin} at {host}");
        }
    }

    #[test]
    fn any_and_unchecked() {
        assert_eq!(Cors::any().check(Some("null"), None, false), CorsAnswer::Allow);
        assert_eq!(Cors::unchecked().check(Some("null"), None, false), CorsAnswer::NotAsked);
    }
}
