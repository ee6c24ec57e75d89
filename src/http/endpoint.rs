//! What an HTTP request asks the endpoint for.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::{Cors, CorsAnswer, Terms};
use crate::engineio::{ErrorCode, Transport, Version};

/// The headers of a request, whichever HTTP implementation holds them.
pub trait Headers {
    /// The value of the first header of this name, which is compared without regard to case.
    fn get(&self, name: &str) -> Option<&[u8]>;

    /// Shows the values of all headers of this name, in their order. Unless there is more to tell, that of the first: whoever
    /// keeps several must show them, since a proxy that is trusted writes its `X-Forwarded-For` behind the client's.
    fn each<'a>(&'a self, name: &str, see: &mut dyn FnMut(&'a [u8])) {
        if let Some(value) = self.get(name) {
            see(value);
        }
    }
}

impl Headers for &[(&str, &str)] {
    fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.iter().find(|header| header.0.eq_ignore_ascii_case(name));
        found.map(|header| header.1.as_bytes())
    }

    fn each<'a>(&'a self, name: &str, see: &mut dyn FnMut(&'a [u8])) {
        let found = self.iter().filter(|header| header.0.eq_ignore_ascii_case(name));
        found.for_each(|header| see(header.1.as_bytes()));
    }
}

impl<const N: usize> Headers for [(&str, &str); N] {
    fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.iter().find(|header| header.0.eq_ignore_ascii_case(name));
        found.map(|header| header.1.as_bytes())
    }

    fn each<'a>(&'a self, name: &str, see: &mut dyn FnMut(&'a [u8])) {
        let found = self.iter().filter(|header| header.0.eq_ignore_ascii_case(name));
        found.for_each(|header| see(header.1.as_bytes()));
    }
}

/// A borrowed look at the head of a request.
#[derive(Clone, Copy)]
pub struct RequestView<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path of the target, as it came: still percent-encoded, without the query.
    pub path: &'a str,
    /// What follows the question mark; empty where there is none.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a dyn Headers,
    /// Whether it came over TLS: to this server, or to a proxy in front of it that is [trusted](super::TrustedProxies). One
    /// that is not may have ended TLS too.
    pub is_secure: bool,
    /// The address of the other end of its connection, the client's or the last proxy's, where it is known.
    pub peer: Option<IpAddr>,
}

impl<'a> RequestView<'a> {
    /// A request for a target (a path, and maybe a query) that came without TLS, from somewhere.
    pub fn new(method: &'a str, target: &'a str, headers: &'a dyn Headers) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            path,
            query,
            headers,
            is_secure: false,
            peer: None,
        }
    }

    /// A header that must be text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .get(name)
            .and_then(|value| core::str::from_utf8(value).ok())
    }

    /// Whether the request asks to go on as a WebSocket.
    pub fn wants_websocket(&self) -> bool {
        let has = |name, token: &str| {
            self.header(name)
                .is_some_and(|list| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(token)))
        };
        self.method == "GET" && has("connection", "upgrade") && has("upgrade", "websocket")
    }

    /// The value of a query parameter, percent-decoded; the last one where there are several, as in the JavaScript
    /// reference.
    pub fn query_value(&self, name: &str) -> Option<Cow<'a, str>> {
        let pairs = self
            .query
            .rsplit('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .filter(|(key, _)| percent_decoded(key) == name)
            .map(|(_, value)| percent_decoded(value))
            .next()
    }
}

/// What a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// Open a session on this transport.
    Open(Transport),
    /// Something for the session of this id, which may or may not exist.
    Session {
        /// The id, as the client says it.
        sid: Cow<'a, str>,
        /// What is asked of it.
        request: SessionRequest,
    },
    /// A browser asks whether it may ask: answer 204 with the CORS headers.
    Preflight,
    /// Turn it away with this error.
    Refuse(ErrorCode),
    /// Another path: somebody else's request.
    NotOurs,
}

/// What is asked of an existing session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionRequest {
    /// GET: packets for the client.
    Poll,
    /// POST: packets from the client.
    Push,
    /// Go on as a WebSocket.
    Upgrade,
    /// Nothing that a session serves: the error is 3 where the session exists.
    Invalid,
}

/// Where Engine.IO lives on a server, and on which terms.
#[derive(Clone, Debug)]
pub struct Endpoint {
    path: String,
    also: Vec<String>,
    polling: bool,
    websocket: bool,
    eio3: bool,
    jsonp: bool,
    cors: Cors,
    terms: Terms,
}

/// What [`Endpoint::look`] finds out about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look<'a> {
    /// What it is.
    pub route: Route<'a>,
    /// What is to be said about its origin.
    pub origin: CorsAnswer,
    /// The number of the function that the response is to call: see [`jsonp`](super::jsonp).
    pub jsonp: Option<u64>,
    /// The version of the protocol that the client says that it speaks, where the endpoint serves it. A session can only be
    /// asked for in its own.
    pub version: Option<Version>,
}

impl Default for Endpoint {
    fn default() -> Self {
        Self {
            path: "/engine.io/".into(),
            also: Vec::new(),
            polling: true,
            websocket: true,
            eio3: false,
            jsonp: true,
            cors: Cors::default(),
            terms: Terms::default(),
        }
    }
}

impl Endpoint {
    /// The path, `/engine.io/` unless it is set. Slashes at both ends are added where they are missing. The endpoint
    /// serves everything below it, as the references do.
    pub fn set_path(&mut self, path: &str) {
        self.path = with_slashes(path);
    }

    /// One more path, which is served like the first. A session belongs to all of them: which one it was opened on is for
    /// the application to see in its request.
    pub fn add_path(&mut self, path: &str) {
        self.also.push(with_slashes(path));
    }

    /// The path, with slashes at both ends.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path, and all that [`add_path`](Self::add_path) has added.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        core::iter::once(&self.path).chain(&self.also).map(|path| &path[..])
    }

    /// The transports that a session may be opened on; both unless they are set.
    pub fn set_transports(&mut self, transports: &[Transport]) {
        self.polling = transports.contains(&Transport::Polling);
        self.websocket = transports.contains(&Transport::WebSocket);
    }

    /// Whether a session may be opened on this transport, or moved to it.
    pub fn serves(&self, transport: Transport) -> bool {
        match transport {
            Transport::Polling => self.polling,
            Transport::WebSocket => self.websocket,
        }
    }

    /// Whether clients of version 3 are served too. They are not. A client that says nothing of a version is one of them.
    #[cfg(feature = "v3")]
    pub fn set_eio3(&mut self, serve: bool) {
        self.eio3 = serve;
    }

    /// Whether scripts (requests with `j=`) are answered; they are unless it is set. Pages of other sites can load scripts
    /// without an `Origin`: where cookies say who somebody is, and no client needs this, it is better off.
    pub fn set_jsonp(&mut self, serve: bool) {
        self.jsonp = serve;
    }

    /// Which web pages may use it; those of the same host unless it is set.
    pub fn set_cors(&mut self, cors: Cors) {
        self.cors = cors;
    }

    /// What else there is to say about requests and responses.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The same, to change it.
    pub fn terms_mut(&mut self) -> &mut Terms {
        &mut self.terms
    }

    /// Which web pages may use it.
    pub fn cors(&self) -> &Cors {
        &self.cors
    }

    /// Whether the request's origin may use the endpoint.
    pub fn check_origin(&self, request: &RequestView<'_>) -> CorsAnswer {
        self.cors.check(request, self.terms.proxies().host(request))
    }

    /// Says what a request is: see [`look`](Self::look).
    pub fn route<'a>(&self, request: &RequestView<'a>) -> Route<'a> {
        self.look(request).route
    }

    /// Finds out what there is to know about a request. The order of the checks is the JavaScript reference's: transport,
    /// origin, session or method, version.
    pub fn look<'a>(&self, request: &RequestView<'a>) -> Look<'a> {
        let mut look = Look {
            route: Route::NotOurs,
            origin: CorsAnswer::NotAsked,
            jsonp: None,
            version: match request.query_value("EIO").as_deref() {
                Some("4") => Some(Version::V4),
                Some("3") | None if self.eio3 => Some(Version::V3),
                _ => None,
            },
        };
        if !self.paths().any(|path| request.path.starts_with(path)) {
            return look;
        }
        look.origin = self.check_origin(request);
        let jsonp = match jsonp_index(request) {
            Ok(Some(_)) if !self.jsonp => Err(ErrorCode::BadRequest),
            index => index,
        };
        if let Ok(index) = jsonp {
            look.jsonp = index;
        }
        // A page needs nobody's leave to load a script from another site; but a browser tells that it does.
        if jsonp != Ok(None)
            && look.origin == CorsAnswer::NotAsked
            && !self.cors.is_open()
            && is_of_another_site(request)
        {
            let page = request.header("referer").and_then(origin_of).unwrap_or("null");
            let host = self.terms.proxies().host(request);
            if self.cors.check_origin(page, request, host) != CorsAnswer::Allow {
                look.origin = CorsAnswer::Refuse;
            }
        }
        look.route = match jsonp {
            Ok(_) => self.route_from(request, look.origin, look.version),
            Err(code) => Route::Refuse(code),
        };
        look
    }

    fn route_from<'a>(
        &self,
        request: &RequestView<'a>,
        origin_answer: CorsAnswer,
        version: Option<Version>,
    ) -> Route<'a> {
        let transport = match request
            .query_value("transport")
            .as_deref()
            .and_then(Transport::from_name)
        {
            Some(transport) if self.serves(transport) => transport,
            _ => return Route::Refuse(ErrorCode::TransportUnknown),
        };
        let origin = request.headers.get("origin");
        if origin.is_some_and(|origin| !origin.iter().all(|byte| matches!(byte, 0x21..=0x7e))) {
            return Route::Refuse(ErrorCode::BadRequest);
        }
        // The reference leaves foreign origins to the browser. Python's refuses them with 400, and so do we: a WebSocket
        // is not protected by the browser.
        if origin_answer == CorsAnswer::Refuse {
            return Route::Refuse(ErrorCode::BadRequest);
        }
        if request.method == "OPTIONS" && origin_answer == CorsAnswer::Allow {
            return Route::Preflight;
        }
        match request.query_value("sid") {
            Some(sid) if !sid.is_empty() => {
                let request = match (transport, request.method) {
                    // A session can only be asked for in its own version.
                    _ if version.is_none() => SessionRequest::Invalid,
                    (Transport::Polling, "GET") => SessionRequest::Poll,
                    (Transport::Polling, "POST") => SessionRequest::Push,
                    (Transport::WebSocket, _) if request.wants_websocket() => SessionRequest::Upgrade,
                    // The reference answers other methods with 500, which is a defect.
                    _ => SessionRequest::Invalid,
                };
                Route::Session { sid, request }
            }
            _ if request.method != "GET" => Route::Refuse(ErrorCode::BadHandshakeMethod),
            _ if version.is_none() => Route::Refuse(ErrorCode::UnsupportedVersion),
            _ if transport == Transport::WebSocket && !request.wants_websocket() => {
                Route::Refuse(ErrorCode::BadRequest)
            }
            _ => Route::Open(transport),
        }
    }
}

/// The number in `j=7`. Nothing but digits: the response is a program, and this is a part of it.
fn jsonp_index(request: &RequestView<'_>) -> Result<Option<u64>, ErrorCode> {
    match request.query_value("j") {
        Some(index) if !index.is_empty() => {
            let digits = index.len() <= 15 && index.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.then(|| index.parse().ok()).flatten();
            number.map(Some).ok_or(ErrorCode::BadRequest)
        }
        _ => Ok(None),
    }
}

/// Whether a browser says that a page of another site wants this.
fn is_of_another_site(request: &RequestView<'_>) -> bool {
    matches!(request.header("sec-fetch-site"), Some("cross-site" | "same-site"))
}

/// Scheme and host at the beginning of an address.
pub(crate) fn origin_of(address: &str) -> Option<&str> {
    let host = address.find("://")? + 3;
    let end = address[host..]
        .find(['/', '?', '#'])
        .map_or(address.len(), |at| host + at);
    Some(&address[..end])
}

fn with_slashes(path: &str) -> String {
    match path.trim_matches('/') {
        "" => "/".into(),
        name => alloc::format!("/{name}/"),
    }
}

/// Decodes `%41` and leaves what is no such thing; a text that would not be UTF-8 becomes one that matches nothing.
pub(super) fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| digit(bytes.get(at + 1)).zip(digit(bytes.get(at + 2))));
        match escaped.flatten() {
            Some((high, low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPGRADE: &[(&str, &str)] = &[("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket")];

    fn route(method: &str, target: &str, headers: &[(&'static str, &'static str)]) -> Route<'static> {
        let request = RequestView::new(method, target, &headers);
        match Endpoint::default().route(&request) {
            Route::Session { sid, request } => Route::Session {
                sid: Cow::Owned(sid.into_owned()),
                request,
            },
            Route::Open(transport) => Route::Open(transport),
            Route::Refuse(code) => Route::Refuse(code),
            Route::Preflight => Route::Preflight,
            Route::NotOurs => Route::NotOurs,
        }
    }

    fn session(request: SessionRequest) -> Route<'static> {
        Route::Session {
            sid: "x".into(),
            request,
        }
    }

    #[test]
    fn what_is_served() {
        use Transport::{Polling, WebSocket};
        for (method, target, headers, expected) in [
            (
                "GET",
                "/engine.io/?EIO=4&transport=polling",
                &[][..],
                Route::Open(Polling),
            ),
            (
                "GET",
                "/engine.io/extra?EIO=4&transport=polling&sid=",
                &[],
                Route::Open(Polling),
            ),
            (
                "GET",
                "/engine.io/?EIO=%34&transport=pollin%67",
                &[],
                Route::Open(Polling),
            ),
            (
                "GET",
                "/engine.io/?EIO=4&transport=websocket",
                UPGRADE,
                Route::Open(WebSocket),
            ),
            (
                "GET",
                "/engine.io/?EIO=4&transport=polling",
                UPGRADE,
                Route::Open(Polling),
            ),
            (
                "GET",
                "/engine.io/?EIO=4&transport=polling&sid=x",
                &[],
                session(SessionRequest::Poll),
            ),
            (
                "POST",
                "/engine.io/?EIO=4&transport=polling&sid=x",
                &[],
                session(SessionRequest::Push),
            ),
            (
                "GET",
                "/engine.io/?EIO=4&transport=websocket&sid=x",
                UPGRADE,
                session(SessionRequest::Upgrade),
            ),
            (
                "GET",
                "/engine.io/?EIO=4&transport=polling&sid=y&sid=x",
                &[],
                session(SessionRequest::Poll),
            ),
        ] {
            assert_eq!(route(method, target, headers), expected, "{method} {target}");
        }
    }

    #[test]
    fn what_is_refused() {
        use ErrorCode::{BadHandshakeMethod, BadRequest, TransportUnknown, UnsupportedVersion};
        for (method, target, headers, code) in [
            ("GET", "/engine.io/?EIO=4", &[][..], TransportUnknown),
            (
                "GET",
                "/engine.io/?EIO=4&transport=__proto__",
                UPGRADE,
                TransportUnknown,
            ),
            ("GET", "/engine.io/?EIO=4&transport=", &[], TransportUnknown),
            (
                "GET",
                "/engine.io/?EIO=4&transport=polling&transport=x",
                &[],
                TransportUnknown,
            ),
            (
                "GET",
                "/engine.io/?EIO=4&transport=polling",
                &[("origin", "a\u{7f}")],
                BadRequest,
            ),
            (
                "GET",
                "/engine.io/?EIO=4&transport=polling",
                &[("origin", "http://evil.example")],
                BadRequest,
            ),
            ("POST", "/engine.io/?EIO=4&transport=polling", &[], BadHandshakeMethod),
            (
                "OPTIONS",
                "/engine.io/?EIO=4&transport=polling",
                &[],
                BadHandshakeMethod,
            ),
            ("GET", "/engine.io/?transport=polling", &[], UnsupportedVersion),
            (
                "GET",
                "/engine.io/?EIO=3&transport=websocket",
                UPGRADE,
                UnsupportedVersion,
            ),
            ("GET", "/engine.io/?EIO=4&transport=websocket", &[], BadRequest),
        ] {
            assert_eq!(route(method, target, headers), Route::Refuse(code), "{method} {target}");
        }
        for (method, target) in [
            ("DELETE", "/engine.io/?EIO=4&transport=polling&sid=x"),
            ("GET", "/engine.io/?EIO=3&transport=polling&sid=x"),
            ("GET", "/engine.io/?transport=polling&sid=x"),
            ("GET", "/engine.io/?EIO=4&transport=websocket&sid=x"),
        ] {
            assert_eq!(
                route(method, target, &[]),
                session(SessionRequest::Invalid),
                "{method} {target}"
            );
        }
    }

    #[test]
    fn what_is_not_ours() {
        for target in ["/", "/engine.io?EIO=4&transport=polling", "/engine.iox/", "*"] {
            assert_eq!(route("GET", target, &[]), Route::NotOurs);
        }
    }

    #[test]
    fn a_preflight_is_answered_where_the_origin_may() {
        let headers = [("origin", "http://a.example"), ("host", "a.example")];
        let target = "/engine.io/?EIO=4&transport=polling";
        assert_eq!(route("OPTIONS", target, &headers), Route::Preflight);
    }

    #[test]
    fn only_digits_name_a_function() {
        let jsonp = |query: &str| {
            let target = alloc::format!("/engine.io/?EIO=4&transport=polling{query}");
            let headers = [("Host", "a.example")];
            let look = Endpoint::default().look(&RequestView::new("GET", &target, &headers));
            (look.jsonp, look.route == Route::Refuse(ErrorCode::BadRequest))
        };
        assert_eq!(jsonp(""), (None, false));
        assert_eq!(jsonp("&j="), (None, false));
        assert_eq!(jsonp("&j=233"), (Some(233), false));
        assert_eq!(jsonp("&j=007"), (Some(7), false));
        for wrong in ["abc", "-1", "+1", "1;alert(1)", "%31x", "1234567890123456"] {
            assert_eq!(jsonp(&alloc::format!("&j={wrong}")), (None, true), "{wrong}");
        }
    }

    #[test]
    fn scripts_of_other_sites_are_refused() {
        let target = "/engine.io/?EIO=4&transport=polling&j=0";
        let route = |cors: Cors, headers: &[(&str, &str)]| {
            let mut endpoint = Endpoint::default();
            endpoint.set_cors(cors);
            endpoint.route(&RequestView::new("GET", target, &headers)) == Route::Open(Transport::Polling)
        };
        let listed = || Cors::origins(["http://a.example"]);
        let foreign = [("Host", "b.example"), ("Sec-Fetch-Site", "cross-site")];
        assert!(!route(Cors::default(), &foreign));
        assert!(!route(listed(), &foreign));
        assert!(route(Cors::any(), &foreign));
        assert!(route(Cors::unchecked(), &foreign));
        assert!(route(Cors::default(), &[("Sec-Fetch-Site", "same-origin")]));
        let [host, site] = foreign;
        assert!(route(listed(), &[host, site, ("Referer", "http://a.example/page?x")]));
        assert!(!route(listed(), &[host, site, ("Referer", "http://a.example.evil/")]));
    }

    #[test]
    fn a_path_gets_its_slashes() {
        let mut endpoint = Endpoint::default();
        for (given, path) in [("chat", "/chat/"), ("/a/b/", "/a/b/"), ("/", "/")] {
            endpoint.set_path(given);
            assert_eq!(endpoint.path(), path);
        }
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        for (text, decoded) in [
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("a%41%", "aA%"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(percent_decoded(text), decoded);
        }
    }
}
