//! What every request of a client says: where it goes, and with which headers.

use std::format;
use std::string::{String, ToString};
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::Vec;

use super::{Proxies, Proxy, Target};
use crate::engineio::{Sid, Transport};
use crate::error::{Error, Result};
use crate::wire::Entropy;
use crate::wire::http1::{is_header_name, is_header_value};

/// Headers that the client writes itself.
const OWN_HEADERS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Parameters that the client writes itself.
const OWN_PARAMETERS: &[&str] = &["EIO", "sid", "transport"];

/// What every request of a client says: where it goes, and with which headers.
#[derive(Clone)]
pub struct Options {
    pub(super) target: Target,
    path: String,
    query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) proxy: Option<Proxy>,
    entropy: Arc<Mutex<Entropy>>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<crate::wire::tls::Connector>,
}

impl core::fmt::Debug for Options {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Query and headers hold what belongs into no log.
        f.debug_struct("Options")
            .field("target", &self.target)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Requests to this URL, without a proxy. Its path is the endpoint's, or `path` where it has none; its query goes into
    /// every request; its user and password become basic authentication. The client's random bytes come from `entropy`,
    /// which nobody may be able to guess.
    ///
    /// # Errors
    /// The URL can not be used.
    pub fn new(url: &str, path: &str, entropy: Entropy) -> Result<Self> {
        let target = Target::parse(url)?;
        if target.is_secure() && !cfg!(feature = "tls") {
            return Err(Error::Unusable {
                what: "url",
                why: "https and wss need the feature `tls`, which this program was built without",
            });
        }
        #[cfg(feature = "tls")]
        if target.is_secure() && rustls::pki_types::ServerName::try_from(target.host()).is_err() {
            return Err(Error::Unusable {
                what: "url",
                why: "a host of this name can not have a certificate",
            });
        }
        let mut options = Self {
            path: String::new(),
            query: without_own(target.query().unwrap_or_default()),
            target,
            headers: Vec::new(),
            proxy: None,
            entropy: Arc::new(Mutex::new(entropy)),
            #[cfg(feature = "tls")]
            tls: None,
        };
        let given = options.target.path_given().map(ToString::to_string);
        options.set_path(given.as_deref().unwrap_or(path))?;
        Ok(options)
    }

    /// The endpoint's path, whatever the URL says. A slash at the end is added.
    ///
    /// # Errors
    /// It holds what no path holds.
    pub fn set_path(&mut self, path: &str) -> Result<()> {
        let path = path.trim_matches('/');
        if !path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#')
        {
            return Err(Error::Unusable {
                what: "path",
                why: "a path is ASCII without spaces; write the rest with %",
            });
        }
        self.path = match path {
            "" => "/".to_string(),
            path => format!("/{path}/"),
        };
        Ok(())
    }

    /// One more parameter in the query of every request.
    ///
    /// # Errors
    /// It is one that the client writes itself.
    pub fn add_query(&mut self, name: &str, value: &str) -> Result<()> {
        if OWN_PARAMETERS.contains(&name) {
            return Err(Error::Unusable {
                what: "query",
                why: "the client writes this parameter itself",
            });
        }
        if !self.query.is_empty() {
            self.query.push('&');
        }
        push_encoded(&mut self.query, name);
        self.query.push('=');
        push_encoded(&mut self.query, value);
        Ok(())
    }

    /// One more header in every request.
    ///
    /// # Errors
    /// It is no header, or one that the client writes itself.
    pub fn add_header(&mut self, name: &str, value: &str) -> Result<()> {
        let unusable = |why| Err(Error::Unusable { what: "header", why });
        if !is_header_name(name) {
            return unusable("a name is letters, digits and some signs, without spaces");
        }
        if !is_header_value(value) {
            return unusable("a value is one line of text");
        }
        let own = name.len() >= 14 && name[..14].eq_ignore_ascii_case("sec-websocket-");
        if own || OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return unusable("the client writes this header itself");
        }
        self.headers.push((name.to_string(), value.trim().to_string()));
        Ok(())
    }

    /// Goes through a proxy, if these want one for the URL.
    ///
    /// # Errors
    /// The proxy's address can not be used.
    pub fn set_proxies(&mut self, proxies: &Proxies) -> Result<()> {
        self.proxy = proxies.for_target(&self.target)?.cloned();
        Ok(())
    }

    /// Which host and port the client's streams have to be connected to: the proxy's, or the server's.
    pub fn peer(&self) -> (&str, u16) {
        match &self.proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (self.target.host(), self.target.port()),
        }
    }

    /// How TLS is spoken, where it is. Without it, with [`Connector::platform`](crate::wire::tls::Connector::platform).
    #[cfg(feature = "tls")]
    pub fn set_tls(&mut self, connector: crate::wire::tls::Connector) {
        self.tls = Some(connector);
    }

    /// Whether TLS is spoken.
    pub fn is_secure(&self) -> bool {
        self.target.is_secure()
    }

    /// Whether requests are made of a proxy, in place of the server: without TLS, where there is one.
    pub(super) fn is_asked_of_proxy(&self) -> bool {
        self.is_proxied() && !self.is_secure()
    }

    /// Whether streams are connected to a proxy.
    pub fn is_proxied(&self) -> bool {
        self.proxy.is_some()
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The host of the URL, and its port where it is not the scheme's own; for logs.
    pub(crate) fn server(&self) -> &str {
        self.target.authority()
    }

    /// The target of a request in origin form.
    pub(super) fn request_target(&self, transport: Transport, sid: Option<&Sid>) -> String {
        let mut target = format!("{}?", self.path);
        if !self.query.is_empty() {
            target.push_str(&self.query);
            target.push('&');
        }
        target.push_str("EIO=4&transport=");
        target.push_str(transport.as_str());
        if let Some(sid) = sid {
            target.push_str("&sid=");
            push_encoded(&mut target, sid.as_str());
        }
        target
    }

    /// The source of random bytes, for others who need some.
    pub fn entropy(&self) -> Entropy {
        let entropy = self.entropy.clone();
        std::boxed::Box::new(move |bytes| {
            let mut entropy = entropy.lock().unwrap_or_else(PoisonError::into_inner);
            (*entropy)(bytes);
        })
    }
}

/// A query without the parameters that the client writes itself. A URL out of a browser's tools often has them, and
/// servers differ in which of two values counts.
fn without_own(query: &str) -> String {
    let others = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !OWN_PARAMETERS.contains(&name)
    });
    others.collect::<Vec<_>>().join("&")
}

/// Appends text as it may stand in a query (RFC 3986, section 2.3).
fn push_encoded(out: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;

    use super::*;

    fn options(url: &str) -> Options {
        Options::new(url, "/engine.io/", Box::new(|_| ())).expect("a URL that can be used")
    }

    #[test]
    fn targets_of_requests() {
        let sid = Sid::new("a&b+c").unwrap();
        for (url, target) in [
            ("http://host", "/engine.io/?EIO=4&transport=polling&sid=a%26b%2Bc"),
            ("http://host/", "/engine.io/?EIO=4&transport=polling&sid=a%26b%2Bc"),
            (
                "ws://host/my/path?x=1&y",
                "/my/path/?x=1&y&EIO=4&transport=polling&sid=a%26b%2Bc",
            ),
        ] {
            assert_eq!(options(url).request_target(Transport::Polling, Some(&sid)), target);
        }
        let mut given = options("http://host/other");
        given.set_path("here").unwrap();
        given.add_query("a b", "é&").unwrap();
        assert!(given.add_query("sid", "x").is_err());
        assert_eq!(
            given.request_target(Transport::WebSocket, None),
            "/here/?a%20b=%C3%A9%26&EIO=4&transport=websocket"
        );
        given.set_path("/").unwrap();
        assert!(given.request_target(Transport::Polling, None).starts_with("/?"));
        assert!(given.set_path("/a b").is_err());
    }

    #[test]
    fn headers_that_can_not_be_given() {
        let mut options = options("http://host");
        options.add_header("X-Test", "  a, b ").unwrap();
        assert_eq!(options.headers, [("X-Test".to_string(), "a, b".to_string())]);
        for (name, value) in [
            ("", "a"),
            ("a b", "a"),
            ("a", "b\r\nc: d"),
            ("Content-Length", "1"),
            ("Sec-WebSocket-Key", "a"),
            ("upgrade", "h2c"),
        ] {
            assert!(options.add_header(name, value).is_err(), "{name}");
        }
    }
}
