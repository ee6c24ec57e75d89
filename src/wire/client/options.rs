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

/// Parameters of the protocol that the client does not write, and that change what servers answer.
const OTHER_PARAMETERS: &[&str] = &["b64", "j"];

/// What every request of a client says: where it goes, and with which headers.
#[derive(Clone)]
pub struct Options {
    pub(super) target: Target,
    path: String,
    query: String,
    pub(super) headers: Vec<(String, String)>,
    /// The parameter that makes every GET another one.
    stamp: Option<String>,
    pub(super) websocket_headers: Vec<(String, String)>,
    websocket_protocols: Vec<String>,
    max_websocket_message: Option<usize>,
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
            stamp: Some("t".to_string()),
            websocket_headers: Vec::new(),
            websocket_protocols: Vec::new(),
            max_websocket_message: None,
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

    /// The parameter by which every polling GET is another one, so that no cache answers it with what another one was
    /// answered; `None` for no such parameter. `t`, as in the other implementations.
    ///
    /// # Errors
    /// It is one that the protocol has another use for, or empty.
    pub fn set_stamp(&mut self, name: Option<&str>) -> Result<()> {
        let taken = |name: &str| name.is_empty() || OWN_PARAMETERS.contains(&name) || OTHER_PARAMETERS.contains(&name);
        if name.is_some_and(taken) {
            return Err(Error::Unusable {
                what: "timestamp_param",
                why: "the protocol has another use for this parameter",
            });
        }
        self.stamp = name.map(ToString::to_string);
        Ok(())
    }

    /// One more header in every request.
    ///
    /// # Errors
    /// It is no header, or one that the client writes itself.
    pub fn add_header(&mut self, name: &str, value: &str) -> Result<()> {
        self.headers.push(header("header", name, value)?);
        Ok(())
    }

    /// One more header in requests for a WebSocket. Headers [of every request](Self::add_header) that have the same name
    /// are left out there.
    ///
    /// # Errors
    /// As [`add_header`](Self::add_header).
    pub fn add_websocket_header(&mut self, name: &str, value: &str) -> Result<()> {
        self.websocket_headers.push(header("websocket_header", name, value)?);
        Ok(())
    }

    /// One more protocol that is offered for what goes over the WebSocket, the best one first (RFC 6455, section 1.9).
    ///
    /// # Errors
    /// It is no name of a protocol, or is there twice.
    pub fn add_websocket_protocol(&mut self, name: &str) -> Result<()> {
        let unusable = |why| {
            Err(Error::Unusable {
                what: "websocket_protocol",
                why,
            })
        };
        // Both are tokens.
        if !is_header_name(name) {
            return unusable("a name is letters, digits and some signs, without spaces");
        }
        if self.websocket_protocols.iter().any(|known| known == name) {
            return unusable("it can be offered once");
        }
        self.websocket_protocols.push(name.to_string());
        Ok(())
    }

    /// The largest WebSocket message that is taken, in bytes, in place of
    /// [`Config::max_payload`](crate::engineio::client::Config::max_payload).
    pub fn set_max_websocket_message(&mut self, bytes: usize) {
        self.max_websocket_message = Some(bytes);
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

    pub(super) fn websocket_protocols(&self) -> &[String] {
        &self.websocket_protocols
    }

    pub(super) fn max_websocket_message(&self) -> Option<usize> {
        self.max_websocket_message
    }

    /// Whether GETs are to be stamped. Not by a parameter that the application has its own use for.
    pub(super) fn stamps(&self) -> bool {
        self.stamp.as_ref().is_some_and(|stamp| {
            let mut name = String::new();
            push_encoded(&mut name, stamp);
            let mut pairs = self.query.split('&');
            !pairs.any(|pair| pair.split('=').next() == Some(&name))
        })
    }

    /// The target of a request in origin form.
    pub(super) fn request_target(&self, transport: Transport, sid: Option<&Sid>, stamp: Option<u64>) -> String {
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
        if let (Some(name), Some(stamp)) = (&self.stamp, stamp) {
            target.push('&');
            push_encoded(&mut target, name);
            target.push_str(&format!("={stamp:x}"));
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

/// A header that users may give.
fn header(what: &'static str, name: &str, value: &str) -> Result<(String, String)> {
    let unusable = |why| Err(Error::Unusable { what, why });
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
    Ok((name.to_string(), value.trim().to_string()))
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
            assert_eq!(
                options(url).request_target(Transport::Polling, Some(&sid), None),
                target
            );
        }
        let mut given = options("http://host/other");
        given.set_path("here").unwrap();
        given.add_query("a b", "é&").unwrap();
        assert!(given.add_query("sid", "x").is_err());
        assert_eq!(
            given.request_target(Transport::WebSocket, None, None),
            "/here/?a%20b=%C3%A9%26&EIO=4&transport=websocket"
        );
        given.set_path("/").unwrap();
        assert!(given.request_target(Transport::Polling, None, None).starts_with("/?"));
        assert!(given.set_path("/a b").is_err());
    }

    #[test]
    fn stamps() {
        let of = |options: &Options| options.request_target(Transport::Polling, None, Some(0x1f));
        let mut options = options("http://host/?x=1");
        assert!(options.stamps());
        assert_eq!(of(&options), "/engine.io/?x=1&EIO=4&transport=polling&t=1f");
        options.set_stamp(Some("no cache")).unwrap();
        assert_eq!(of(&options), "/engine.io/?x=1&EIO=4&transport=polling&no%20cache=1f");
        options.add_query("no cache", "mine").unwrap();
        assert!(!options.stamps());
        options.set_stamp(Some("x")).unwrap();
        assert!(!options.stamps(), "it is in the URL");
        for taken in ["", "sid", "EIO", "transport", "j", "b64"] {
            assert!(options.set_stamp(Some(taken)).is_err(), "{taken}");
        }
        options.set_stamp(None).unwrap();
        assert!(!options.stamps());
        assert!(!of(&options).contains("1f"));
    }

    #[test]
    fn protocols_that_can_not_be_offered() {
        let mut options = options("http://host");
        options.add_websocket_protocol("chat").unwrap();
        for name in ["", "two words", "a,b", "chat", "é"] {
            assert!(options.add_websocket_protocol(name).is_err(), "{name}");
        }
        assert_eq!(options.websocket_protocols(), ["chat"]);
        assert!(options.add_websocket_header("Sec-WebSocket-Protocol", "a").is_err());
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
