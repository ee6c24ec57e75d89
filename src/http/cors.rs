//! Which web pages may talk to the server.

use alloc::string::String;
use alloc::vec::Vec;
use std::sync::Arc;

use super::RequestView;
use super::hook::{Hook, contained};

/// Which origins (web pages) may use the endpoint from a browser.
///
/// A request without an `Origin` header does not come from a web page, and is never refused. WebSocket requests are
/// looked at like all others: the browser does not protect them by itself.
///
/// By default only pages of the same host may. The comparison is of host and port, and of the scheme only where the
/// request came over TLS: behind a proxy that ends TLS the server sees `http` where the page says `https`, unless the proxy
/// is [trusted](super::TrustedProxies) and says so.
///
/// ```
/// use sansocket::http::{Cors, CorsAnswer, RequestView};
///
/// let cors = Cors::origins(["https://example.com"]);
/// for (origin, answer) in [
///     ("https://example.com", CorsAnswer::Allow),
///     ("https://evil.example", CorsAnswer::Refuse),
/// ] {
///     let headers = [("Origin", origin), ("Host", "chat.example.com")];
///     assert_eq!(cors.check(&RequestView::new("GET", "/engine.io/", &headers), None), answer);
/// }
/// let headers = [("Host", "chat.example.com")];
/// assert_eq!(cors.check(&RequestView::new("GET", "/engine.io/", &headers), None), CorsAnswer::NotAsked);
/// ```
#[derive(Clone, Debug)]
pub struct Cors {
    policy: Policy,
    credentials: bool,
}

type Decide = dyn Fn(&str, &RequestView<'_>) -> bool + Send + Sync;

#[derive(Clone, Debug)]
enum Policy {
    SameOrigin,
    Any,
    Unchecked,
    Listed(Vec<String>),
    When(Hook<Decide>),
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
    const fn new(policy: Policy) -> Self {
        Self {
            policy,
            credentials: true,
        }
    }

    /// Pages of the same host and port.
    pub const fn same_origin() -> Self {
        Self::new(Policy::SameOrigin)
    }

    /// Every page may, whoever wrote it, with the user's cookies.
    pub const fn any() -> Self {
        Self::new(Policy::Any)
    }

    /// No check, and no headers: somebody in front of the server does both.
    pub const fn unchecked() -> Self {
        Self::new(Policy::Unchecked)
    }

    /// These origins, written as browsers do: `https://example.com`, with a port where it is not the scheme's own.
    pub fn origins<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self::new(Policy::Listed(origins.into_iter().map(Into::into).collect()))
    }

    /// Those for which this says `true`, of the origin and the whole request. It is asked about every request that names an
    /// origin, on the thread that serves it: it must not wait for anything. A panic in it refuses the request.
    ///
    /// ```
    /// use sansocket::http::Cors;
    ///
    /// let cors = Cors::when(|origin, request| origin.ends_with(".example.com") && request.is_secure);
    /// ```
    pub fn when(decide: impl Fn(&str, &RequestView<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self::new(Policy::When(Hook(Arc::new(decide))))
    }

    /// Whether browsers may send cookies and HTTP authentication along from other origins. They may, unless this is
    /// `false`.
    #[must_use]
    pub const fn credentials(mut self, allow: bool) -> Self {
        self.credentials = allow;
        self
    }

    /// Whether browsers may send cookies and HTTP authentication along.
    pub const fn allows_credentials(&self) -> bool {
        self.credentials
    }

    /// Whether pages of any host are welcome.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.policy, Policy::Any | Policy::Unchecked)
    }

    /// Whom it lets in, in words, for whoever reads a log.
    #[cfg(feature = "wire")]
    pub(crate) fn accepted(&self) -> String {
        match &self.policy {
            Policy::SameOrigin => "pages of its own origin".into(),
            Policy::Any | Policy::Unchecked => "all pages".into(),
            Policy::Listed(origins) => alloc::format!("pages of {}", origins.join(", ")),
            Policy::When(_) => "pages that the application's function lets in".into(),
        }
    }

    /// Looks at a request. `forwarded_host` is the host that a trusted proxy was asked for; pages of that one are of the
    /// same host too.
    pub fn check(&self, request: &RequestView<'_>, forwarded_host: Option<&str>) -> CorsAnswer {
        let Some(origin) = request.headers.get("origin") else {
            return CorsAnswer::NotAsked;
        };
        // What is no text is no origin that anybody has allowed.
        self.check_origin(
            core::str::from_utf8(origin).unwrap_or_default(),
            request,
            forwarded_host,
        )
    }

    /// The same for an origin that was found out in another way than by the header.
    pub(super) fn check_origin(
        &self,
        origin: &str,
        request: &RequestView<'_>,
        forwarded_host: Option<&str>,
    ) -> CorsAnswer {
        let allowed = match &self.policy {
            Policy::Unchecked => return CorsAnswer::NotAsked,
            Policy::Any => true,
            Policy::Listed(origins) => origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin)),
            Policy::SameOrigin => [request.header("host"), forwarded_host]
                .into_iter()
                .flatten()
                .any(|host| is_same_host(origin, host, request.is_secure)),
            Policy::When(decide) => contained(|| decide(origin, request)).unwrap_or(false),
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

    fn check(cors: &Cors, origin: &str, host: Option<&str>, is_secure: bool) -> CorsAnswer {
        let headers = [("origin", origin), ("host", host.unwrap_or_default())];
        let known = if host.is_some() { 2 } else { 1 };
        let headers = &headers[..known];
        let mut request = RequestView::new("GET", "/", &headers);
        request.is_secure = is_secure;
        cors.check(&request, None)
    }

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
            assert_eq!(check(&cors, origin, Some(host), false), answer, "{origin} at {host}");
        }
        assert_eq!(check(&cors, "http://a.example", None, false), CorsAnswer::Refuse);
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
            assert_eq!(check(&cors, origin, Some(host), true), answer, "{origin} at {host}");
        }
    }

    #[test]
    fn any_and_unchecked() {
        assert_eq!(check(&Cors::any(), "null", None, false), CorsAnswer::Allow);
        assert_eq!(check(&Cors::unchecked(), "null", None, false), CorsAnswer::NotAsked);
    }

    #[test]
    fn a_function_decides_by_origin_and_request() {
        let cors = Cors::when(|origin, request| {
            assert_ne!(origin, "http://panic.example");
            origin == "http://a.example" && request.header("host") == Some("b.example")
        });
        for (origin, host, answer) in [
            ("http://a.example", "b.example", CorsAnswer::Allow),
            ("http://a.example", "c.example", CorsAnswer::Refuse),
            ("http://b.example", "b.example", CorsAnswer::Refuse),
            ("http://panic.example", "b.example", CorsAnswer::Refuse),
        ] {
            assert_eq!(check(&cors, origin, Some(host), false), answer, "{origin} at {host}");
        }
    }

    #[test]
    fn pages_of_the_host_that_a_proxy_was_asked_for_are_of_the_same_host() {
        let headers = [("origin", "https://a.example"), ("host", "10.0.0.1:3000")];
        let mut request = RequestView::new("GET", "/", &headers);
        request.is_secure = true;
        let cors = Cors::default();
        assert_eq!(cors.check(&request, Some("a.example")), CorsAnswer::Allow);
        assert_eq!(cors.check(&request, Some("b.example")), CorsAnswer::Refuse);
        assert_eq!(cors.check(&request, None), CorsAnswer::Refuse);
    }
}
