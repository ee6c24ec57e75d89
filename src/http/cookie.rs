//! The cookie that a session is opened with.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::Write;
use core::time::Duration;

use crate::engineio::Sid;
use crate::error::{Error, Result};

/// A cookie that holds the session's id, for load balancers that send a client to the same server each time.
///
/// The server itself never reads it. By default it is `io=<sid>; Path=/; HttpOnly; SameSite=Lax`, and lasts as long as the
/// browser.
///
/// ```
/// use sansocket::engineio::Sid;
/// use sansocket::http::{Cookie, SameSite};
///
/// let cookie = Cookie::new("sid").path("/engine.io/").same_site(SameSite::Strict).secure(true);
/// let sid = Sid::new("abc").unwrap();
/// assert_eq!(
///     cookie.header(&sid).unwrap(),
///     "sid=abc; Path=/engine.io/; HttpOnly; Secure; SameSite=Strict"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a cookie is set by the server that is given it"]
pub struct Cookie {
    name: Cow<'static, str>,
    path: Option<Cow<'static, str>>,
    domain: Option<Cow<'static, str>>,
    max_age: Option<Duration>,
    same_site: Option<SameSite>,
    http_only: bool,
    secure: bool,
    partitioned: bool,
}

/// With which requests from other sites a browser sends a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// With none.
    Strict,
    /// With those that lead the user to this site.
    Lax,
    /// With all; browsers want such a cookie to be [`secure`](Cookie::secure).
    None,
}

impl Cookie {
    /// A cookie of this name.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            path: Some(Cow::Borrowed("/")),
            domain: None,
            max_age: None,
            same_site: Some(SameSite::Lax),
            http_only: true,
            secure: false,
            partitioned: false,
        }
    }

    /// The paths that it is sent to: this one and all below it. `/`; an empty one leaves the choice to the browser.
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = Some(path.into()).filter(|path| !path.is_empty());
        self
    }

    /// The host that it is sent to, with all hosts below it. Without one: this host alone.
    pub fn domain(mut self, domain: impl Into<Cow<'static, str>>) -> Self {
        self.domain = Some(domain.into()).filter(|domain| !domain.is_empty());
        self
    }

    /// How long a browser keeps it, in whole seconds; as long as it runs, unless this is set.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// With which requests from other sites it is sent. `Lax`; `None` (Rust's) leaves the choice to the browser.
    pub fn same_site(mut self, same_site: impl Into<Option<SameSite>>) -> Self {
        self.same_site = same_site.into();
        self
    }

    /// Whether scripts of the page can not read it. They can not.
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Whether it is sent over TLS only. It is not.
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Whether a page within another site's page has a cookie of its own for each such site; browsers want such a cookie to be
    /// [`secure`](Self::secure).
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// The value of `Set-Cookie`.
    ///
    /// # Errors
    /// [`Error::Unusable`] where a part would not be understood as that part, or would break the header apart; and for
    /// `SameSite=None` or `Partitioned` without `Secure`, which browsers do not take.
    pub fn header(&self, sid: &Sid) -> Result<String> {
        let unusable = |why| Err(Error::Unusable { what: "cookie", why });
        if !is_token(&self.name) {
            return unusable("its name is empty or has a character that a name must not have");
        }
        let attribute = |text: &str| text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b';');
        if ![&self.path, &self.domain]
            .into_iter()
            .flatten()
            .all(|text| attribute(text))
        {
            return unusable("its path or domain has a character that would end it");
        }
        if self.same_site == Some(SameSite::None) && !self.secure {
            return unusable("browsers take SameSite=None only with Secure");
        }
        if self.partitioned && !self.secure {
            return unusable("browsers take Partitioned only with Secure");
        }
        if sid.as_str().contains([',', ';']) {
            return unusable("the session's id has a character that a value must not have");
        }
        let mut header = String::new();
        let _never_fails = write!(header, "{}={}", self.name, sid.as_str());
        if let Some(path) = &self.path {
            let _never_fails = write!(header, "; Path={path}");
        }
        if let Some(domain) = &self.domain {
            let _never_fails = write!(header, "; Domain={domain}");
        }
        if let Some(age) = self.max_age {
            let _never_fails = write!(header, "; Max-Age={}", age.as_secs());
        }
        for (set, name) in [
            (self.http_only, "; HttpOnly"),
            (self.secure, "; Secure"),
            (self.partitioned, "; Partitioned"),
        ] {
            if set {
                header.push_str(name);
            }
        }
        header.push_str(match self.same_site {
            Some(SameSite::Strict) => "; SameSite=Strict",
            Some(SameSite::Lax) => "; SameSite=Lax",
            Some(SameSite::None) => "; SameSite=None",
            None => "",
        });
        Ok(header)
    }
}

/// Whether this may be the name of a cookie or a header (RFC 9110, section 5.6.2).
pub(super) fn is_token(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cookie: &Cookie) -> Option<String> {
        cookie.header(&Sid::new("abc").unwrap()).ok()
    }

    #[test]
    fn attributes() {
        let cookie = Cookie::new("io");
        assert_eq!(
            header(&cookie).as_deref(),
            Some("io=abc; Path=/; HttpOnly; SameSite=Lax")
        );
        let bare = cookie.clone().path("").same_site(None).http_only(false);
        assert_eq!(header(&bare).as_deref(), Some("io=abc"));
        let all = cookie
            .path("/a b")
            .domain("example.com")
            .max_age(Duration::from_millis(3_600_999))
            .secure(true)
            .partitioned(true)
            .same_site(SameSite::None);
        assert_eq!(
            header(&all).as_deref(),
            Some("io=abc; Path=/a b; Domain=example.com; Max-Age=3600; HttpOnly; Secure; Partitioned; SameSite=None")
        );
    }

    #[test]
    fn nothing_breaks_the_header_apart() {
        for wrong in ["", "a b", "a=b", "a;b", "a\r\nX: y", "\u{e4}"] {
            assert_eq!(header(&Cookie::new(wrong)), None, "{wrong:?}");
        }
        for wrong in ["/; Secure", "/\r\nSet-Cookie: a=b", "/\0", "/\u{e4}"] {
            assert_eq!(header(&Cookie::new("io").path(wrong)), None, "{wrong:?}");
            assert_eq!(header(&Cookie::new("io").domain(wrong)), None, "{wrong:?}");
        }
        assert_eq!(header(&Cookie::new("io").same_site(SameSite::None)), None);
        assert_eq!(header(&Cookie::new("io").partitioned(true)), None);
        assert!(Cookie::new("io").header(&Sid::new("a;b").unwrap()).is_err());
    }
}
