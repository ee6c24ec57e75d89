//! Where a server is.

use core::fmt;
use std::format;
use std::string::String;

use url::{Position, Url};

use super::authority::{self, Authority};
use crate::Error;

/// Where a server is: what a client reads out of its URL.
///
/// Its `Debug` shows neither credentials nor the query, which may hold a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// With the scheme of HTTP also for WebSocket: cookies and default ports are the same for both. Without
    /// credentials and fragment.
    url: Url,
    authority: Authority,
}

impl Target {
    /// Reads a URL with the scheme `http`, `https`, `ws` or `wss`. A fragment is dropped: it is not for servers.
    ///
    /// The URL is understood as browsers do: names are in lower case and international ones in their ASCII form, dot
    /// segments are resolved, and what may not be in a URL is percent-encoded.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`], with the name `url`: no scheme or another one, no host, a port of 0 or above 65535, a user
    /// name with a colon, anything else that is not a URL.
    pub fn parse(url: &str) -> Result<Self, Error> {
        read(url).map_err(|why| Error::Unusable { what: "url", why })
    }

    /// Whether it is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host: a name, or an IP address; IPv6 without brackets.
    pub fn host(&self) -> &str {
        self.authority.host()
    }

    /// The port; never 0. Unless given it is 80, or 443 over TLS.
    pub const fn port(&self) -> u16 {
        self.authority.port()
    }

    /// The path; `/` if none was given.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// The path, unless the URL has none or just `/`.
    pub fn path_given(&self) -> Option<&str> {
        Some(self.path()).filter(|path| *path != "/")
    }

    /// The query as it was written, still percent-encoded and without the `?`. `Some("")` if there was only the `?`.
    pub fn query(&self) -> Option<&str> {
        self.url.query()
    }

    /// The value of an `Authorization` header, if the URL has a user or a password: `Basic` and what follows it.
    pub fn credentials(&self) -> Option<&str> {
        self.authority.credentials()
    }

    /// The value of a `Host` header: IPv6 in brackets, and the port unless it is the scheme's default.
    pub fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }

    /// Host and port, for `CONNECT`: IPv6 in brackets, and the port always.
    pub fn authority_with_port(&self) -> String {
        format!(
            "{}:{}",
            &self.url[Position::BeforeHost..Position::AfterHost],
            self.port()
        )
    }

    /// The URL of a path on this server, for whoever judges by URLs. Anything behind a `?` is left out.
    pub(super) fn url_of(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_path(path.split('?').next().unwrap_or_default());
        url
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("is_secure", &self.is_secure())
            .field("authority", &self.authority())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

fn read(text: &str) -> Result<Target, &'static str> {
    // A URL parser takes the host of `localhost:3000` for a scheme, and misses no slashes in `http:localhost`.
    if !text.contains("://") {
        return Err("it has no scheme; it should begin with http://, https://, ws:// or wss://");
    }
    let mut url = authority::parse(text)?;
    let scheme = match url.scheme() {
        "http" | "ws" => "http",
        "https" | "wss" => "https",
        _ => return Err("its scheme is none of http, https, ws and wss"),
    };
    url.set_scheme(scheme)
        .map_err(|()| "its scheme can not be understood as that of HTTP")?;
    url.set_fragment(None);
    let authority = Authority::take(&mut url)?;
    Ok(Target { url, authority })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn refusal(url: &str) -> &'static str {
        match Target::parse(url) {
            Err(Error::Unusable { what: "url", why }) => why,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn the_scheme_decides_on_tls_and_on_the_port() {
        for (url, secure, port) in [
            ("http://h", false, 80),
            ("ws://h", false, 80),
            ("https://h", true, 443),
            ("wss://h", true, 443),
            ("WSS://h:80/", true, 80),
            ("ws://h:3000", false, 3000),
        ] {
            let target = target(url);
            assert_eq!((target.is_secure(), target.port()), (secure, port), "{url}");
            assert_eq!(target.host(), "h");
        }
        assert_eq!(target("ws://h"), target("http://h/#top"));
    }

    #[test]
    fn an_authority_leaves_out_the_default_port() {
        for (url, host, authority, with_port) in [
            ("ws://Example.COM:80/a", "example.com", "example.com", "example.com:80"),
            (
                "ws://example.com:443",
                "example.com",
                "example.com:443",
                "example.com:443",
            ),
            ("wss://example.com:443", "example.com", "example.com", "example.com:443"),
            ("http://user:secret@h:3000?q", "h", "h:3000", "h:3000"),
            ("https://[::1]", "::1", "[::1]", "[::1]:443"),
            (
                "http://[2001:DB8::1]:81/",
                "2001:db8::1",
                "[2001:db8::1]:81",
                "[2001:db8::1]:81",
            ),
            ("http://127.1/", "127.0.0.1", "127.0.0.1", "127.0.0.1:80"),
            (
                "http://bücher.example",
                "xn--bcher-kva.example",
                "xn--bcher-kva.example",
                "xn--bcher-kva.example:80",
            ),
        ] {
            let target = target(url);
            assert_eq!(target.host(), host, "{url}");
            assert_eq!(target.authority(), authority, "{url}");
            assert_eq!(target.authority_with_port(), with_port, "{url}");
        }
    }

    #[test]
    fn a_path_of_a_slash_is_none() {
        for (url, path, given) in [
            ("http://h", "/", None),
            ("http://h/", "/", None),
            ("http://h?x", "/", None),
            ("http://h/a/", "/a/", Some("/a/")),
            ("http://h/a%20b", "/a%20b", Some("/a%20b")),
            ("http://h/a/../b", "/b", Some("/b")),
        ] {
            assert_eq!((target(url).path(), target(url).path_given()), (path, given), "{url}");
        }
    }

    #[test]
    fn a_query_stays_as_it_was_written() {
        assert_eq!(target("http://h").query(), None);
        assert_eq!(target("http://h/?").query(), Some(""));
        assert_eq!(target("http://h/?a=b+c&a=%2f&#end").query(), Some("a=b+c&a=%2f&"));
    }

    #[test]
    fn nothing_that_is_given_can_break_out_of_a_request_head() {
        let target = target("http://h/a\r\nb c\x00?d\r\ne f\x01#\r\n");
        for part in [target.path(), target.query().expect("it has one"), target.authority()] {
            assert!(part.bytes().all(|byte| byte.is_ascii_graphic()), "{part:?}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_then_in_base64() {
        assert_eq!(target("http://h").credentials(), None);
        assert_eq!(target("http://@h").credentials(), None);
        for (url, credentials) in [
            ("http://aladdin:opensesame@h", "Basic YWxhZGRpbjpvcGVuc2VzYW1l"),
            ("http://me@h", "Basic bWU6"),
            ("http://:secret@h", "Basic OnNlY3JldA=="),
            ("http://a%40b:c%3Ad%2F@h", "Basic YUBiOmM6ZC8="),
            ("http://a:%FF+%@h", "Basic YTr/KyU="),
        ] {
            assert_eq!(target(url).credentials(), Some(credentials), "{url}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", target("http://someone:secret@h/path?token=hidden"));
        assert!(shown.contains("\"h\"") && shown.contains("/path"), "{shown}");
        for secret in ["someone", "secret", "token", "hidden", "Basic"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn what_is_not_a_servers_url_is_refused_with_a_reason() {
        for (url, why) in [
            ("", "scheme"),
            ("localhost:3000", "begin with http://"),
            ("example.com/path", "begin with http://"),
            ("http:localhost", "begin with http://"),
            ("//example.com", "scheme"),
            ("ftp://example.com", "none of http"),
            ("file:///etc/passwd", "none of http"),
            ("socket.io://example.com", "none of http"),
            ("http://", "no host"),
            ("http://user@/", "no host"),
            ("http://h:65536", "65535"),
            ("http://h:port", "65535"),
            ("http://h:0", "port 0"),
            ("http://[::1", "IP address"),
            ("http://1.2.3.4.5", "IP address"),
            ("http://exa mple.com", "valid name"),
            ("http://a%00b", "valid name"),
            ("http://a%3Ab:c@h", "colon"),
        ] {
            let refusal = refusal(url);
            assert!(refusal.contains(why), "{url}: {refusal}");
        }
    }

    #[test]
    fn the_url_of_a_path_has_nothing_else() {
        let target = target("wss://me:secret@h:444/app?token#top");
        assert_eq!(target.url_of("/engine.io/?EIO=4").as_str(), "https://h:444/engine.io/");
    }
}
