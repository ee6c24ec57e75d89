//! The cookies of one client.

use core::fmt;
use std::string::{String, ToString};
use std::vec::Vec;

use cookie_store::{Cookie, CookieStore, RawCookie};

use super::Target;

/// How many cookies a client keeps.
pub const MAX_COOKIES: usize = 64;

/// How many bytes of cookies a client keeps: names, values, domains and paths of all of them.
pub const MAX_COOKIE_BYTES: usize = 16 * 1024;

/// The cookies of one client, in memory only. Its `Debug` does not show them.
///
/// They are kept and sent as RFC 6265 has it, by the clock of the system. `ws` and `wss` count as `http` and `https`.
/// `Secure` cookies also go to loopback addresses and `localhost` without TLS. Public suffixes are not known: share
/// cookies only between servers that trust each other.
#[derive(Clone, Default)]
pub struct Cookies {
    store: CookieStore,
}

impl Cookies {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps what one `Set-Cookie` header says, in the answer to a request to this server for this path. A query behind
    /// the path is ignored.
    ///
    /// Ignored are values that are no cookie, that this server may not set, that are not UTF-8, or that have control
    /// characters. So are, once there are [`MAX_COOKIES`] or [`MAX_COOKIE_BYTES`], further ones and larger values for
    /// those that are there; the ones that are there stay as they were.
    pub fn store(&mut self, target: &Target, path: &str, set_cookie: &[u8]) {
        // The store only marks what has expired; unless it were dropped, a server could fill memory with it.
        self.drop_expired();
        let Some(received) = core::str::from_utf8(set_cookie).ok().and_then(known_parts) else {
            return;
        };
        let url = target.url_of(path);
        let Ok(cookie) = Cookie::try_from_raw_cookie(&received, &url) else {
            return;
        };
        if cookie.is_expired() || self.has_room_for(&cookie) {
            // Nobody waits for the answer: a cookie that is refused is one that is not sent.
            let _ = self.store.insert(cookie, &url);
        }
    }

    /// The value of a `Cookie` header for a request to this server for this path; none if there is no cookie for it. At
    /// most [`MAX_COOKIE_BYTES`] and three bytes for each cookie.
    ///
    /// The most specific paths come first, then the order is that of names.
    pub fn header(&self, target: &Target, path: &str) -> Option<String> {
        let mut cookies = self.store.matches(&target.url_of(path));
        cookies.sort_by(|a, b| {
            b.path
                .len()
                .cmp(&a.path.len())
                .then_with(|| a.name().cmp(b.name()))
                .then_with(|| domain(a).cmp(domain(b)))
        });
        let mut header = String::new();
        for cookie in cookies {
            if !header.is_empty() {
                header.push_str("; ");
            }
            header.push_str(cookie.name());
            header.push('=');
            header.push_str(cookie.value());
        }
        Some(header).filter(|header| !header.is_empty())
    }

    fn drop_expired(&mut self) {
        let expired: Vec<_> = (self.store.iter_any())
            .filter(|cookie| cookie.is_expired())
            .map(|cookie| {
                (
                    domain(cookie).to_string(),
                    String::from(&cookie.path),
                    cookie.name().to_string(),
                )
            })
            .collect();
        for (domain, path, name) in expired {
            self.store.remove(&domain, &path, &name);
        }
    }

    fn has_room_for(&self, cookie: &Cookie<'_>) -> bool {
        // A cookie replaces the one of the same name, domain and path.
        let others = (self.store.iter_any())
            .filter(|held| (held.name(), domain(held), &held.path) != (cookie.name(), domain(cookie), &cookie.path));
        let (count, bytes) = others.fold((1, size(cookie)), |(count, bytes), held| {
            (count + 1, bytes + size(held))
        });
        count <= MAX_COOKIES && bytes <= MAX_COOKIE_BYTES
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookies")
            .field("count", &self.store.iter_any().count())
            .finish_non_exhaustive()
    }
}

/// Reads a `Set-Cookie` header into a cookie that holds no more than is counted: a parsed one keeps the whole header.
fn known_parts(header: &str) -> Option<RawCookie<'static>> {
    let parsed = RawCookie::parse(header).ok()?;
    let (name, value) = parsed.name_value();
    // They go into a header as they are, where a line break would begin another one.
    if name.chars().chain(value.chars()).any(char::is_control) {
        return None;
    }
    let mut cookie = RawCookie::new(name.to_string(), value.to_string());
    if let Some(domain) = parsed.domain() {
        cookie.set_domain(domain.to_string());
    }
    // Any other path counts as none.
    if let Some(path) = parsed.path().filter(|path| path.starts_with('/')) {
        cookie.set_path(path.to_string());
    }
    cookie.set_secure(parsed.secure());
    cookie.set_http_only(parsed.http_only());
    cookie.set_max_age(parsed.max_age());
    if let Some(expires) = parsed.expires() {
        cookie.set_expires(expires);
    }
    Some(cookie)
}

/// The domain as the store files it.
fn domain<'a>(cookie: &'a Cookie<'_>) -> &'a str {
    use cookie_store::CookieDomain::{Empty, HostOnly, NotPresent, Suffix};
    match &cookie.domain {
        HostOnly(domain) | Suffix(domain) => domain,
        Empty | NotPresent => "",
    }
}

fn size(cookie: &Cookie<'_>) -> usize {
    cookie.name().len() + cookie.value().len() + domain(cookie).len() + cookie.path.len()
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    /// What is sent to `to` of the cookies that `from` sets, each a URL.
    fn sent(from: &str, set: &[&str], to: &str) -> String {
        let mut cookies = Cookies::new();
        let from = target(from);
        for set in set {
            cookies.store(&from, from.path(), set.as_bytes());
        }
        let to = target(to);
        cookies.header(&to, to.path()).unwrap_or_default()
    }

    #[test]
    fn a_cookie_comes_back_to_its_server() {
        for url in [
            "http://h",
            "wss://h:444/engine.io/",
            "ws://10.0.0.1:3000/a/b",
            "http://[::1]:3000",
            "ws://LOCALHOST",
        ] {
            assert_eq!(sent(url, &["a=b"], url), "a=b", "{url}");
            assert_eq!(sent(url, &["a=b; Domain=other.example"], url), "", "{url}");
        }
        assert_eq!(sent("ws://h", &["a=b"], "http://h:99/x"), "a=b");
        assert_eq!(sent("ws://h", &["a=b"], "ws://g"), "");
        assert_eq!(sent("ws://h", &["a=b"], "ws://sub.h"), "");
        assert_eq!(sent("ws://h", &[], "ws://h"), "");
    }

    #[test]
    fn values_come_back_as_they_were() {
        for cookie in ["a=", "a=\"b c\"", "a=b=c,d", "a=%20%3B", "ä=ö"] {
            assert_eq!(sent("ws://h", &[cookie], "ws://h"), cookie);
        }
        assert_eq!(sent("ws://h", &["  a = b  ; Unknown=x"], "ws://h"), "a=b");
    }

    #[test]
    fn the_most_specific_path_comes_first() {
        let set = [
            "b=1; Path=/",
            "a=2; Path=/",
            "c=3; Path=/x/y",
            "b=4; Path=/x",
            "a=5; Path=/",
        ];
        assert_eq!(sent("ws://h/x/y", &set, "ws://h/x/y/z"), "c=3; b=4; a=5; b=1");
    }

    #[test]
    fn domain_and_path_say_where_it_goes() {
        let domain = ["a=b; Domain=.example.com"];
        for (to, goes) in [
            ("ws://www.example.com", true),
            ("ws://example.com", true),
            ("ws://a.example.com", true),
            ("ws://badexample.com", false),
        ] {
            assert_eq!(sent("ws://www.example.com", &domain, to).is_empty(), !goes, "{to}");
        }
        assert_eq!(sent("ws://example.org", &domain, "ws://example.com"), "");
        for (set, to, goes) in [
            ("a=b; Path=/x", "ws://h/x/y", true),
            ("a=b; Path=/x", "ws://h/xy", false),
            ("a=b; Path=/x", "ws://h", false),
            // Without a usable path it is the directory of the request's.
            ("a=b", "ws://h/dir/other", true),
            ("a=b; Path=x", "ws://h/dir/other", true),
            ("a=b", "ws://h/other", false),
        ] {
            assert_eq!(sent("ws://h/dir/file", &[set], to).is_empty(), !goes, "{set} {to}");
        }
    }

    #[test]
    fn a_query_is_no_part_of_the_path() {
        let (mut cookies, h) = (Cookies::new(), target("ws://h"));
        cookies.store(&h, "/engine.io/?EIO=4&x=/y/", b"a=b");
        assert_eq!(cookies.header(&h, "/engine.io/?EIO=4").as_deref(), Some("a=b"));
        assert_eq!(cookies.header(&h, "/?/engine.io/"), None);
    }

    #[test]
    fn secure_cookies_need_tls_and_http_only_ones_do_not_mind_websocket() {
        assert_eq!(sent("wss://h", &["a=b; Secure"], "wss://h"), "a=b");
        assert_eq!(sent("wss://h", &["a=b; Secure"], "https://h"), "a=b");
        assert_eq!(sent("wss://h", &["a=b; Secure"], "ws://h"), "");
        assert_eq!(sent("ws://localhost", &["a=b; Secure"], "ws://localhost"), "a=b");
        assert_eq!(sent("ws://h", &["a=b; HttpOnly; SameSite=None"], "ws://h"), "a=b");
    }

    #[test]
    fn an_expired_cookie_is_gone() {
        for gone in ["Max-Age=0", "Max-Age=-1", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"] {
            let gone = format!("a=; {gone}");
            assert_eq!(sent("ws://h", &["a=b", "c=d", &gone], "ws://h"), "c=d", "{gone}");
            assert_eq!(sent("ws://h", &["a=b", &gone, "a=new"], "ws://h"), "a=new", "{gone}");
        }
        for stays in [
            "Max-Age=1000",
            "Max-Age=9999999999999999999999",
            "Max-Age=x",
            "Expires=never",
        ] {
            assert_eq!(sent("ws://h", &[&format!("a=b; {stays}")], "ws://h"), "a=b", "{stays}");
        }
        // Max-Age counts before Expires.
        assert_eq!(
            sent(
                "ws://h",
                &["a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=9"],
                "ws://h"
            ),
            "a=b"
        );
    }

    #[test]
    fn what_is_no_cookie_is_ignored() {
        for set in ["", ";", "a", "=b", " =b; Path=/", "a; b=c"] {
            assert_eq!(sent("ws://h", &[set], "ws://h"), "", "{set:?}");
        }
        let (mut cookies, h) = (Cookies::new(), target("ws://h"));
        cookies.store(&h, "/", b"a=\xff");
        assert_eq!(cookies.header(&h, "/"), None);
    }

    #[test]
    fn control_characters_never_get_into_a_header() {
        for code in (0..0x20).chain(0x7f..0xa0) {
            let control = char::from(code);
            for set in [
                format!("a=b{control}c"),
                format!("a{control}b=c"),
                format!("a=\"{control}\""),
            ] {
                assert_eq!(sent("ws://h", &[&set], "ws://h"), "", "{set:?}");
            }
        }
        assert_eq!(sent("ws://h", &["a=b\r\nX-Evil: 1"], "ws://h"), "");
        // White space around a value is no part of it.
        assert_eq!(sent("ws://h", &["a=b\r\n"], "ws://h"), "a=b");
    }

    #[test]
    fn there_is_a_limit_to_their_number() {
        let (mut cookies, h) = (Cookies::new(), target("ws://h"));
        for number in 0..MAX_COOKIES + 10 {
            cookies.store(&h, "/", format!("n{number:03}=1; Max-Age=1000").as_bytes());
        }
        let count = |cookies: &Cookies| cookies.header(&h, "/").map_or(0, |header| header.split("; ").count());
        assert_eq!(count(&cookies), MAX_COOKIES);
        cookies.store(&h, "/", b"n000=2");
        let header = cookies.header(&h, "/").expect("there are cookies");
        assert!(
            header.starts_with("n000=2; n001=1") && !header.contains("n064"),
            "{header}"
        );
        // One that goes makes room for one that comes.
        cookies.store(&h, "/", b"n000=; Max-Age=0");
        assert_eq!(count(&cookies), MAX_COOKIES - 1);
        cookies.store(&h, "/", b"n064=3");
        cookies.store(&h, "/", b"n065=3");
        assert_eq!(count(&cookies), MAX_COOKIES);
        assert!(
            cookies
                .header(&h, "/")
                .is_some_and(|header| header.ends_with("n063=1; n064=3"))
        );
    }

    #[test]
    fn there_is_a_limit_to_their_bytes() {
        let (mut cookies, h) = (Cookies::new(), target("ws://h"));
        // Beside the value there are one byte each of name, domain and path.
        let most = "x".repeat(MAX_COOKIE_BYTES - 3);
        cookies.store(&h, "/", format!("a={most}x").as_bytes());
        assert_eq!(cookies.header(&h, "/"), None);
        cookies.store(&h, "/", format!("a={most}").as_bytes());
        cookies.store(&h, "/", b"b=");
        assert_eq!(cookies.header(&h, "/"), Some(format!("a={most}")));
        cookies.store(&h, "/", format!("a={most}y").as_bytes());
        assert_eq!(cookies.header(&h, "/"), Some(format!("a={most}")));
        cookies.store(&h, "/", b"a=small");
        cookies.store(&h, "/", b"b=");
        assert_eq!(cookies.header(&h, "/").as_deref(), Some("a=small; b="));
    }

    #[test]
    fn set_and_expired_names_do_not_pile_up() {
        let (mut cookies, h) = (Cookies::new(), target("ws://h"));
        for number in 0..1000 {
            cookies.store(&h, "/", format!("n{number}=1").as_bytes());
            cookies.store(&h, "/", format!("n{number}=; Max-Age=0").as_bytes());
        }
        assert!(cookies.store.iter_any().count() <= 1);
        assert_eq!(cookies.header(&h, "/"), None);
    }

    #[test]
    fn debug_shows_no_cookie() {
        let (mut cookies, h) = (Cookies::new(), target("ws://h"));
        cookies.store(&h, "/", b"session=secret");
        let shown = format!("{cookies:?}");
        assert!(
            shown.contains('1') && !shown.contains("secret") && !shown.contains("session"),
            "{shown}"
        );
    }
}
