//! On which terms requests are served, beside the rules of the protocol: what the application says.

use alloc::borrow::Cow;
use alloc::string::String;
use std::sync::Arc;

use super::cookie::Cookie;
use super::extra_headers::{ExtraHeaders, is_usable, push_line};
use super::hook::{Hook, contained};
use super::{Compression, RequestView, TrustedProxies};
use crate::engineio::{ErrorCode, Refusal, Sid};
use crate::error::{Error, Result};

type MakeCookie = dyn Fn(&RequestView<'_>) -> Option<Cookie> + Send + Sync;
type AddHeaders = dyn Fn(&RequestView<'_>, &mut ExtraHeaders) + Send + Sync;
type Allow = dyn Fn(&RequestView<'_>) -> Result<(), Refusal> + Send + Sync;
type MakeId = dyn Fn(&RequestView<'_>) -> String + Send + Sync;

/// How long an id of the application's own may be.
const MAX_ID: usize = 64;

/// What an application says about the requests of its endpoint, and adds to the responses.
///
/// Its functions are called on the thread that serves the request, and must not wait for anything. A panic in one costs
/// that request and no other.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    proxies: TrustedProxies,
    compression: Compression,
    cookie: Option<CookieSource>,
    every_lines: String,
    first_lines: String,
    /// The first header that can not be one.
    unusable: Option<Mistake>,
    add_headers: Option<Hook<AddHeaders>>,
    allow: Option<Hook<Allow>>,
    make_id: Option<Hook<MakeId>>,
}

/// A mistake of the application's, kept until the server is bound.
type Mistake = (&'static str, &'static str);

#[derive(Clone, Debug)]
enum CookieSource {
    Fixed(Cookie),
    PerRequest(Hook<MakeCookie>),
}

impl Terms {
    /// Whom to believe about requests that were passed on. Nobody.
    pub fn set_trusted_proxies(&mut self, proxies: TrustedProxies) {
        self.proxies = proxies;
    }

    /// Whom to believe.
    pub fn proxies(&self) -> &TrustedProxies {
        &self.proxies
    }

    /// Which polling responses are compressed. Those of 1,024 bytes and more.
    pub fn set_compression(&mut self, compression: Compression) {
        self.compression = compression;
    }

    /// Which responses are compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The cookie in the response that opens a session by polling. None.
    pub fn set_cookie(&mut self, cookie: Cookie) {
        self.cookie = Some(CookieSource::Fixed(cookie));
    }

    /// The same, made for each request; one that can not be one is left out.
    pub fn set_cookie_with(&mut self, make: impl Fn(&RequestView<'_>) -> Option<Cookie> + Send + Sync + 'static) {
        self.cookie = Some(CookieSource::PerRequest(Hook(Arc::new(make))));
    }

    /// Adds a header to every response of the endpoint; [`check`](Self::check) tells where it can not be one.
    pub fn add_header(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) {
        let (name, value) = (name.into(), value.into());
        if self.is_header(&name, &value) {
            push_line(&mut self.every_lines, &name, &value);
        }
    }

    /// Adds a header to the first response of each session: the first payload, or the one that opens a WebSocket.
    pub fn add_initial_header(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) {
        let (name, value) = (name.into(), value.into());
        if self.is_header(&name, &value) {
            push_line(&mut self.first_lines, &name, &value);
        }
    }

    fn is_header(&mut self, name: &str, value: &str) -> bool {
        let usable = is_usable(name, value);
        if !usable {
            self.unusable = Some(("header", "it can not be one, or is one that the server writes itself"));
        }
        usable
    }

    /// Has this add headers to the response of each request.
    pub fn set_headers_with(&mut self, add: impl Fn(&RequestView<'_>, &mut ExtraHeaders) + Send + Sync + 'static) {
        self.add_headers = Some(Hook(Arc::new(add)));
    }

    /// Asks this about each request that would open a session, before there is one.
    pub fn set_allow_request(
        &mut self,
        allow: impl Fn(&RequestView<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
    ) {
        self.allow = Some(Hook(Arc::new(allow)));
    }

    /// Has this make the ids of sessions.
    pub fn set_session_ids(&mut self, make: impl Fn(&RequestView<'_>) -> String + Send + Sync + 'static) {
        self.make_id = Some(Hook(Arc::new(make)));
    }

    /// Whether everything that is said can be done.
    ///
    /// # Errors
    /// [`Error::Unusable`] for a header or a cookie that can not be one.
    pub fn check(&self) -> Result<()> {
        if let Some((what, why)) = self.unusable {
            return Err(Error::Unusable { what, why });
        }
        if let Some(CookieSource::Fixed(cookie)) = &self.cookie {
            cookie.header(&Sid::from_entropy([0; 15]))?;
        }
        Ok(())
    }

    /// What the application says to a request that would open a session.
    ///
    /// # Errors
    /// The refusal that the client gets: 500 where the application has panicked.
    pub fn allow(&self, request: &RequestView<'_>) -> Result<(), Refusal> {
        match &self.allow {
            Some(allow) => contained(|| allow(request)).unwrap_or_else(|| Err(Refusal::new(500))),
            None => Ok(()),
        }
    }

    /// An id of the application's own; `None` where it makes none.
    ///
    /// # Errors
    /// The one that was made can not be used: it is empty or longer than 64 characters, or has others than
    /// `A-Z a-z 0-9 - . _ ~`, which stand for themselves in a URL, a cookie and JSON.
    pub fn session_id(&self, request: &RequestView<'_>) -> Option<Result<Sid, ErrorCode>> {
        let make = self.make_id.as_ref()?;
        let usable = |id: &String| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            id.len() <= MAX_ID && id.bytes().all(plain)
        };
        let id = contained(|| make(request)).filter(usable);
        Some(id.and_then(|id| Sid::new(&id)).ok_or(ErrorCode::BadRequest))
    }

    /// The header lines of every response.
    pub fn lines(&self) -> &str {
        &self.every_lines
    }

    /// The header lines that the application adds to the response of this request.
    pub fn lines_for(&self, request: &RequestView<'_>, opens_session: bool) -> Option<String> {
        let add = self.add_headers.as_ref()?;
        let mut headers = ExtraHeaders::new(opens_session);
        contained(|| add(request, &mut headers))?;
        Some(headers.into_lines()).filter(|lines| !lines.is_empty())
    }

    /// The header lines of the response that opens a session, with the cookie where there is one.
    pub fn initial_lines(&self, request: &RequestView<'_>, cookie_for: Option<&Sid>) -> Option<String> {
        let cookie = cookie_for.and_then(|sid| match self.cookie.as_ref()? {
            CookieSource::Fixed(cookie) => cookie.header(sid).ok(),
            CookieSource::PerRequest(make) => contained(|| make(request))??.header(sid).ok(),
        });
        let mut lines = self.first_lines.clone();
        if let Some(cookie) = cookie {
            push_line(&mut lines, "Set-Cookie", &cookie);
        }
        Some(lines).filter(|lines| !lines.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [(&str, &str); 1] = [("Host", "a.example")];

    fn request() -> RequestView<'static> {
        RequestView::new("GET", "/engine.io/?x=1", &NONE)
    }

    #[test]
    fn mistakes_are_told() {
        let mut terms = Terms::default();
        terms.set_cookie(Cookie::new("io"));
        terms.add_header("X-A", "1");
        assert!(terms.check().is_ok());
        terms.add_initial_header("X-B", "1\r\nX-C: 2");
        assert!(terms.check().is_err());
        assert_eq!(terms.initial_lines(&request(), None), None);
        let mut terms = Terms::default();
        terms.set_cookie(Cookie::new("a b"));
        assert!(terms.check().is_err());
    }

    #[test]
    fn what_the_application_makes_is_looked_at() {
        let sid = Sid::new("abc").unwrap();
        let mut terms = Terms::default();
        terms.set_cookie_with(|request| Some(Cookie::new("io").path(request.path.replace('e', ";"))));
        assert_eq!(terms.initial_lines(&request(), Some(&sid)), None);
        terms.set_cookie_with(|request| Some(Cookie::new("io").path(alloc::string::String::from(request.path))));
        let lines = terms.initial_lines(&request(), Some(&sid));
        assert_eq!(
            lines.as_deref(),
            Some("Set-Cookie: io=abc; Path=/engine.io/; HttpOnly; SameSite=Lax\r\n")
        );
        for (id, usable) in [
            ("abc", true),
            ("a-._~9", true),
            ("", false),
            ("a b", false),
            ("a;b", false),
            ("a\r\n", false),
            ("a&b", false),
            ("\u{e4}", false),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
        ] {
            let made = String::from(id);
            terms.set_session_ids(move |_| made.clone());
            let id = terms.session_id(&request()).unwrap();
            assert_eq!(id.is_ok(), usable, "{id:?}");
        }
    }

    #[test]
    fn a_panic_costs_one_request() {
        let mut terms = Terms::default();
        terms.set_allow_request(|_| panic!("as a test"));
        terms.set_session_ids(|_| panic!("as a test"));
        terms.set_headers_with(|_, _| panic!("as a test"));
        terms.set_cookie_with(|_| panic!("as a test"));
        assert_eq!(terms.allow(&request()).unwrap_err().status(), 500);
        assert_eq!(terms.session_id(&request()), Some(Err(ErrorCode::BadRequest)));
        assert_eq!(terms.lines_for(&request(), true), None);
        assert_eq!(terms.initial_lines(&request(), Some(&Sid::new("a").unwrap())), None);
    }
}
