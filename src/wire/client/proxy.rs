//! The HTTP proxies on the way to a server.

use core::fmt;
use std::borrow::Cow;
use std::format;
use std::string::String;

use super::Target;
use super::authority::{self, Authority};
use super::no_proxy::NoProxy;
use crate::Error;

/// An HTTP proxy, spoken to without TLS. Its `Debug` does not show the credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    authority: Authority,
}

impl Proxy {
    /// Reads `http://user:password@host:port`, of which only the host is needed. The scheme may be missing, as it often
    /// is in environment variables. A path is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`], with the name `proxy`: proxies over TLS, SOCKS, anything else that is not such a URL.
    pub fn parse(text: &str) -> Result<Self, Error> {
        read(text).map_err(|why| Error::Unusable { what: "proxy", why })
    }

    /// The host: a name, or an IP address; IPv6 without brackets.
    pub fn host(&self) -> &str {
        self.authority.host()
    }

    /// The port; never 0. Unless given it is 80, as for any other URL of this scheme (`curl` takes 1080).
    pub const fn port(&self) -> u16 {
        self.authority.port()
    }

    /// The value of a `Proxy-Authorization` header, if there is a user or a password: `Basic` and what follows it.
    pub fn credentials(&self) -> Option<&str> {
        self.authority.credentials()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("host", &self.host())
            .field("port", &self.port())
            .finish_non_exhaustive()
    }
}

fn read(text: &str) -> Result<Proxy, &'static str> {
    let text = text.trim();
    let text = if text.contains("://") {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("http://{text}"))
    };
    let mut url = authority::parse(&text)?;
    match url.scheme() {
        "http" => {}
        "https" => return Err("a proxy that is itself spoken to over TLS is not supported"),
        scheme if scheme.starts_with("socks") => return Err("SOCKS is not supported, only HTTP proxies are"),
        _ => return Err("its scheme is not http"),
    }
    Ok(Proxy {
        authority: Authority::take(&mut url)?,
    })
}

/// Which proxy leads to which server.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    plain: Setting,
    secure: Setting,
    except: NoProxy,
}

/// A variable's value that can not be used is kept as such: it is a mistake only of who would need it.
type Setting = Option<Result<Proxy, Unusable>>;

#[derive(Clone, Copy, Debug)]
struct Unusable {
    variable: &'static str,
    why: &'static str,
}

impl Proxies {
    /// No proxy for any server. This is also the default.
    pub fn none() -> Self {
        Self::default()
    }

    /// This proxy for every server.
    pub fn always(proxy: Proxy) -> Self {
        Self {
            plain: Some(Ok(proxy.clone())),
            secure: Some(Ok(proxy)),
            except: NoProxy::default(),
        }
    }

    /// What the environment asks for. `variable` is asked for the value of one variable; with
    /// `|name| std::env::var(name).ok()` it is the process's own environment.
    ///
    /// - `HTTP_PROXY` is for `http` and `ws`, `HTTPS_PROXY` for `https` and `wss`, and `ALL_PROXY` for both where the
    ///   first is not set.
    /// - `NO_PROXY` lists servers that are reached without one, with commas between: a host name for itself and all
    ///   below it, with or without a dot in front; an IP address; a block of them (`10.0.0.0/8`, `fd00::/8`); each may
    ///   have a `:port` behind it. `*` is every host. Nothing is listed unasked, not even `localhost`. What is none of
    ///   these matches no host.
    ///
    /// Each may be in lower case, which counts before the other. An empty value counts as not set. `HTTP_PROXY` in
    /// capitals is ignored where `REQUEST_METHOD` is set: in a CGI program it is a header that the client chose.
    pub fn from_vars(variable: impl Fn(&str) -> Option<String>) -> Self {
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let find = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| {
                if is_cgi && name == "HTTP_PROXY" {
                    return None;
                }
                variable(name)
                    .filter(|value| !value.trim().is_empty())
                    .map(|value| (name, value))
            })
        };
        let setting = |names| -> Setting {
            let (variable, value) = find(names)?;
            Some(read(&value).map_err(|why| Unusable { variable, why }))
        };
        let all = setting(["all_proxy", "ALL_PROXY"]);
        Self {
            plain: setting(["http_proxy", "HTTP_PROXY"]).or_else(|| all.clone()),
            secure: setting(["https_proxy", "HTTPS_PROXY"]).or(all),
            except: find(["no_proxy", "NO_PROXY"])
                .map(|(_, list)| NoProxy::parse(&list))
                .unwrap_or_default(),
        }
    }

    /// The proxy for this server, if any.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`], with the name of the variable, if the one for this server has a value that
    /// [`Proxy::parse`] refuses.
    pub fn for_target(&self, target: &Target) -> Result<Option<&Proxy>, Error> {
        if self.except.contains(target) {
            return Ok(None);
        }
        match if target.is_secure() { &self.secure } else { &self.plain } {
            None => Ok(None),
            Some(Ok(proxy)) => Ok(Some(proxy)),
            Some(Err(Unusable { variable, why })) => Err(Error::Unusable { what: variable, why }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn proxy(text: &str) -> Proxy {
        Proxy::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::from_vars(|name| {
            variables
                .iter()
                .find(|(set, _)| *set == name)
                .map(|(_, value)| (*value).to_string())
        })
    }

    /// The host of the proxy that is used, or the error in words.
    fn way(proxies: &Proxies, url: &str) -> String {
        let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        match proxies.for_target(&target) {
            Ok(Some(proxy)) => proxy.host().to_string(),
            Ok(None) => "direct".to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_proxy_is_a_host_and_perhaps_more() {
        for (text, host, port) in [
            ("http://proxy:3128", "proxy", 3128),
            ("HTTP://proxy:3128/", "proxy", 3128),
            ("proxy:3128", "proxy", 3128),
            (" proxy ", "proxy", 80),
            ("http://proxy", "proxy", 80),
            ("user:secret@proxy:3128", "proxy", 3128),
            ("127.0.0.1:8080", "127.0.0.1", 8080),
            ("[::1]:8080", "::1", 8080),
            ("http://[::1]", "::1", 80),
        ] {
            assert_eq!((proxy(text).host(), proxy(text).port()), (host, port), "{text}");
        }
    }

    #[test]
    fn a_proxys_credentials_are_basic_ones_that_debug_does_not_show() {
        assert_eq!(proxy("proxy:1").credentials(), None);
        let proxy = proxy("http://aladdin:open%73esame@proxy:3128");
        assert_eq!(proxy.credentials(), Some("Basic YWxhZGRpbjpvcGVuc2VzYW1l"));
        for shown in [format!("{proxy:?}"), format!("{:?}", Proxies::always(proxy))] {
            assert!(shown.contains("3128"), "{shown}");
            for secret in ["aladdin", "esame", "Basic", "YWxh"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }

    #[test]
    fn what_is_not_an_http_proxy_is_refused_with_a_reason() {
        for (text, why) in [
            ("https://proxy", "TLS"),
            ("socks5h://proxy:1080", "SOCKS"),
            ("socks://proxy:1080", "SOCKS"),
            ("ftp://proxy", "not http"),
            ("", "no host"),
            ("http://", "no host"),
            ("proxy:0", "port 0"),
            ("proxy:99999", "65535"),
            ("pro xy", "valid name"),
            ("a%3ab:c@proxy", "colon"),
        ] {
            match Proxy::parse(text) {
                Err(Error::Unusable {
                    what: "proxy",
                    why: given,
                }) => assert!(given.contains(why), "{text}: {given}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn none_and_always_are_for_every_server() {
        for url in ["http://a", "wss://a", "ws://localhost", "https://127.0.0.1"] {
            assert_eq!(way(&Proxies::none(), url), "direct");
            assert_eq!(way(&proxies(&[]), url), "direct");
            assert_eq!(way(&Proxies::always(proxy("p:1")), url), "p");
        }
    }

    #[test]
    fn the_scheme_decides_on_the_variable() {
        let both = proxies(&[
            ("HTTP_PROXY", "plain:1"),
            ("HTTPS_PROXY", "secure:1"),
            ("ALL_PROXY", "all:1"),
        ]);
        let http = proxies(&[("HTTP_PROXY", "plain:1"), ("ALL_PROXY", "all:1")]);
        let only = proxies(&[("HTTP_PROXY", "plain:1")]);
        for (plain, secure) in [("http://a", "https://a"), ("ws://a", "wss://a")] {
            assert_eq!([way(&both, plain), way(&both, secure)], ["plain", "secure"]);
            assert_eq!([way(&http, plain), way(&http, secure)], ["plain", "all"]);
            assert_eq!([way(&only, plain), way(&only, secure)], ["plain", "direct"]);
        }
    }

    #[test]
    fn lower_case_counts_first_and_empty_is_not_set() {
        let two = [("HTTP_PROXY", "upper:1"), ("http_proxy", "lower:1")];
        assert_eq!(way(&proxies(&two), "ws://a"), "lower");
        assert_eq!(way(&proxies(&[two[0], ("http_proxy", " ")]), "ws://a"), "upper");
        assert_eq!(
            way(&proxies(&[("HTTP_PROXY", ""), ("ALL_PROXY", "all:1")]), "ws://a"),
            "all"
        );
        assert_eq!(
            way(&proxies(&[two[0], ("NO_PROXY", "*"), ("no_proxy", "b")]), "ws://a"),
            "upper"
        );
        assert_eq!(
            way(&proxies(&[two[0], ("NO_PROXY", "*"), ("no_proxy", "")]), "ws://a"),
            "direct"
        );
    }

    #[test]
    fn a_cgi_program_is_not_told_its_proxy_by_a_client() {
        let cgi = |name, value| proxies(&[("REQUEST_METHOD", "GET"), (name, value)]);
        assert_eq!(way(&cgi("HTTP_PROXY", "evil:1"), "ws://a"), "direct");
        assert_eq!(way(&cgi("http_proxy", "lower:1"), "ws://a"), "lower");
        assert_eq!(way(&cgi("HTTPS_PROXY", "secure:1"), "wss://a"), "secure");
        assert_eq!(way(&cgi("ALL_PROXY", "all:1"), "ws://a"), "all");
    }

    #[test]
    fn exceptions_go_directly() {
        let proxies = proxies(&[("ALL_PROXY", "all:1"), ("NO_PROXY", "example.com, 10.0.0.0/8")]);
        assert_eq!(way(&proxies, "wss://www.example.com"), "direct");
        assert_eq!(way(&proxies, "ws://10.1.2.3"), "direct");
        assert_eq!(way(&proxies, "ws://localhost"), "all");
    }

    #[test]
    fn an_unusable_value_is_an_error_only_where_it_would_be_used() {
        let proxies = proxies(&[
            ("https_proxy", "socks5://me:secret@p"),
            ("ALL_PROXY", "https://p"),
            ("NO_PROXY", "example.com"),
        ]);
        let (secure, plain) = (way(&proxies, "wss://a"), way(&proxies, "ws://a"));
        assert!(
            secure.starts_with("unusable https_proxy:") && secure.contains("SOCKS"),
            "{secure}"
        );
        assert!(
            plain.starts_with("unusable ALL_PROXY:") && plain.contains("TLS"),
            "{plain}"
        );
        assert_eq!(way(&proxies, "wss://example.com"), "direct");
        assert!(!format!("{proxies:?}{secure}").contains("secret"));
    }
}
