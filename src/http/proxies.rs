//! Whom to believe about a request that somebody else has passed on.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::RequestView;
use crate::error::{Error, Result};

/// Proxies whose word is taken for what they were asked: `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
///
/// None are trusted by default: any client may send these headers. Trust an address only where nobody but the proxy can
/// connect from it, and where the proxy *sets* the headers and does not merely pass them on.
///
/// ```
/// use sansocket::http::TrustedProxies;
///
/// let proxies = TrustedProxies::list(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])?;
/// assert!(proxies.trusts("10.1.2.3".parse()?));
/// assert!(!proxies.trusts("192.0.2.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    any: bool,
    networks: Vec<(IpAddr, u8)>,
}

impl TrustedProxies {
    /// Nobody is believed.
    pub const fn none() -> Self {
        Self {
            any: false,
            networks: Vec::new(),
        }
    }

    /// Whoever connects is a proxy of ours: for servers that nothing else can reach.
    ///
    /// Of a row of proxies only the last one is known by that. Whom it was asked by is then taken for the client: whatever
    /// stands before that in `X-Forwarded-For`, a client can have written. Where there are several, [`list`](Self::list) them.
    pub const fn any() -> Self {
        Self {
            any: true,
            networks: Vec::new(),
        }
    }

    /// Those with these addresses, or in these networks (`10.0.0.0/8`).
    ///
    /// # Errors
    /// [`Error::Unusable`] for what is no address and no network.
    pub fn list<S: AsRef<str>>(networks: impl IntoIterator<Item = S>) -> Result<Self> {
        let unusable = Error::Unusable {
            what: "trusted_proxies",
            why: "an address is written 192.0.2.1, a network 10.0.0.0/8",
        };
        let networks = networks
            .into_iter()
            .map(|network| network_of(network.as_ref()))
            .collect::<Option<_>>();
        match networks {
            Some(networks) => Ok(Self { any: false, networks }),
            None => Err(unusable),
        }
    }

    /// Whether whoever has this address is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.any
            || self
                .networks
                .iter()
                .any(|&(network, length)| contains(network, length, address))
    }

    fn trusts_peer_of(&self, request: &RequestView<'_>) -> bool {
        request.peer.is_some_and(|peer| self.trusts(peer))
    }

    /// The address of whoever has sent the request first, as far as those are believed who have passed it on.
    pub fn client(&self, request: &RequestView<'_>) -> Option<IpAddr> {
        Some(self.farthest(request)?.0)
    }

    /// The address that what the request wants is counted for. None where nobody but proxies is known: it is a proxy's own
    /// request, or the proxy does not say whose it is, and what all people behind it have together must not shut them out.
    #[cfg(any(test, feature = "wire"))]
    pub(crate) fn counted(&self, request: &RequestView<'_>) -> Option<IpAddr> {
        let (address, is_proxy) = self.farthest(request)?;
        (!is_proxy).then_some(address)
    }

    /// The farthest address that is known by a word that is believed, and whether it is a proxy's.
    fn farthest(&self, request: &RequestView<'_>) -> Option<(IpAddr, bool)> {
        let mut farthest = request.peer?.to_canonical();
        if !self.trusts(farthest) {
            return Some((farthest, false));
        }
        // Each proxy has appended whom it was asked by. Who is not believed can have written whatever stands before that,
        // in whatever encoding: each item is looked at alone.
        let mut lines: Vec<&[u8]> = Vec::new();
        request.headers.each("x-forwarded-for", &mut |line| lines.push(line));
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(|&byte| byte == b','));
        for hop in hops {
            let Some(address) = core::str::from_utf8(hop).ok().and_then(address_of) else {
                break;
            };
            farthest = address;
            if self.any || !self.trusts(farthest) {
                return Some((farthest, false));
            }
        }
        Some((farthest, true))
    }

    /// Whether the client has TLS to the proxy, by a word that is believed.
    pub fn says_secure(&self, request: &RequestView<'_>) -> bool {
        let first = first_of(request, "x-forwarded-proto");
        first.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss"))
            && self.trusts_peer_of(request)
    }

    /// The host that the proxy was asked for, by a word that is believed.
    pub fn host<'a>(&self, request: &RequestView<'a>) -> Option<&'a str> {
        first_of(request, "x-forwarded-host").filter(|_| self.trusts_peer_of(request))
    }
}

/// The first item of a list in a header: what the proxy next to the client has said.
fn first_of<'a>(request: &RequestView<'a>, name: &str) -> Option<&'a str> {
    let value = core::str::from_utf8(request.headers.get(name)?).ok()?;
    value.split(',').map(str::trim).next().filter(|item| !item.is_empty())
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => match text.split_once(':') {
            Some((address, port)) if !port.contains(':') => address,
            _ => text,
        },
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn network_of(text: &str) -> Option<(IpAddr, u8)> {
    let text = text.trim();
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address = address.parse::<IpAddr>().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(most);
    if length > most {
        return None;
    }
    // Addresses are looked at in the shortest form: an IPv4 one that is written as IPv6 would never be met.
    match address.to_canonical() {
        IpAddr::V4(inside) if address.is_ipv6() => Some((inside.into(), length.checked_sub(96)?)),
        _ => Some((address, length)),
    }
}

fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    let same = |a: u128, b: u128, bits: u8| {
        let differing = bits - length.min(bits);
        // A shift by all bits is none.
        a.checked_shr(differing.into()).unwrap_or(0) == b.checked_shr(differing.into()).unwrap_or(0)
    };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => same(network.to_bits().into(), address.to_bits().into(), 32),
        (IpAddr::V6(network), IpAddr::V6(address)) => same(network.to_bits(), address.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn request<'a>(headers: &'a &'a [(&'a str, &'a str)], peer: &str) -> RequestView<'a> {
        let mut request = RequestView::new("GET", "/", headers);
        request.peer = Some(peer.parse().unwrap());
        request
    }

    fn counted(proxies: &TrustedProxies, headers: &[(&str, &str)], peer: &str) -> Option<alloc::string::String> {
        let counted = proxies.counted(&request(&headers, peer));
        counted.map(|address| address.to_string())
    }

    fn client(proxies: &TrustedProxies, headers: &[(&str, &str)], peer: &str) -> alloc::string::String {
        proxies.client(&request(&headers, peer)).unwrap().to_string()
    }

    #[test]
    fn networks() {
        let proxies = TrustedProxies::list(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "0.0.0.0/32"]).unwrap();
        for (address, trusted) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("::ffff:10.0.0.1", true),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(proxies.trusts(address.parse().unwrap()), trusted, "{address}");
        }
        assert!(
            TrustedProxies::list(["0.0.0.0/0"])
                .unwrap()
                .trusts("8.8.8.8".parse().unwrap())
        );
        let mapped = TrustedProxies::list(["::ffff:192.0.2.1", "::ffff:10.0.0.0/104"]).unwrap();
        for (address, trusted) in [("192.0.2.1", true), ("10.9.9.9", true), ("11.0.0.1", false)] {
            assert_eq!(mapped.trusts(address.parse().unwrap()), trusted, "{address}");
        }
        for wrong in [
            "",
            "a",
            "::ffff:10.0.0.0/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "::/129",
            "10.0.0.1/-1",
        ] {
            assert!(TrustedProxies::list([wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_part_is_believed_that_proxies_have_written() {
        let proxies = TrustedProxies::list(["10.0.0.0/8"]).unwrap();
        for (forwarded, peer, expected) in [
            ("1.1.1.1", "2.2.2.2", "2.2.2.2"),
            ("1.1.1.1", "10.0.0.1", "1.1.1.1"),
            ("9.9.9.9, 1.1.1.1", "10.0.0.1", "1.1.1.1"),
            ("9.9.9.9, 1.1.1.1, 10.0.0.2", "10.0.0.1", "1.1.1.1"),
            ("1.1.1.1:4711", "10.0.0.1", "1.1.1.1"),
            ("[2001:db8::1]:4711", "10.0.0.1", "2001:db8::1"),
            ("2001:db8::1", "10.0.0.1", "2001:db8::1"),
            ("9.9.9.9, unknown", "10.0.0.1", "10.0.0.1"),
            ("10.0.0.3", "10.0.0.1", "10.0.0.3"),
        ] {
            let headers = [("X-Forwarded-For", forwarded)];
            assert_eq!(client(&proxies, &headers, peer), expected, "{forwarded} from {peer}");
        }
        let two_lines = [("X-Forwarded-For", "9.9.9.9"), ("X-Forwarded-For", "1.1.1.1")];
        assert_eq!(client(&proxies, &two_lines, "10.0.0.1"), "1.1.1.1");
        assert_eq!(client(&TrustedProxies::none(), &two_lines, "10.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn whoever_connects_is_believed_about_one_address() {
        for (forwarded, expected) in [
            ("1.1.1.1", "1.1.1.1"),
            ("9.9.9.9, 1.1.1.1", "1.1.1.1"),
            ("9.9.9.9, unknown", "10.0.0.1"),
        ] {
            let headers = [("X-Forwarded-For", forwarded)];
            assert_eq!(
                client(&TrustedProxies::any(), &headers, "10.0.0.1"),
                expected,
                "{forwarded}"
            );
        }
    }

    #[test]
    fn proxies_are_not_counted() {
        let proxies = TrustedProxies::list(["10.0.0.0/8"]).unwrap();
        for (forwarded, peer, expected) in [
            (None, "2.2.2.2", Some("2.2.2.2")),
            (Some("1.1.1.1"), "2.2.2.2", Some("2.2.2.2")),
            (Some("1.1.1.1"), "10.0.0.1", Some("1.1.1.1")),
            (Some("9.9.9.9, 1.1.1.1"), "10.0.0.1", Some("1.1.1.1")),
            // It does not say whom it was asked by.
            (None, "10.0.0.1", None),
            (Some(""), "10.0.0.1", None),
            (Some("unknown"), "10.0.0.1", None),
            // It looks after its servers itself.
            (Some("10.0.0.1"), "10.0.0.1", None),
        ] {
            let headers: Vec<_> = forwarded.map(|value| ("X-Forwarded-For", value)).into_iter().collect();
            assert_eq!(
                counted(&proxies, &headers, peer).as_deref(),
                expected,
                "{forwarded:?} from {peer}"
            );
        }
    }

    #[test]
    fn where_all_are_proxies_those_they_tell_of_are_counted() {
        let any = TrustedProxies::any();
        assert_eq!(counted(&any, &[], "10.0.0.1"), None);
        let forwarded = [("X-Forwarded-For", "9.9.9.9, 1.1.1.1")];
        assert_eq!(counted(&any, &forwarded, "10.0.0.1").as_deref(), Some("1.1.1.1"));
    }

    #[test]
    fn what_a_client_has_written_can_not_hide_it() {
        struct Bytes(&'static [u8]);
        impl crate::http::Headers for Bytes {
            fn get(&self, name: &str) -> Option<&[u8]> {
                (name == "x-forwarded-for").then_some(self.0)
            }
        }
        let proxies = TrustedProxies::list(["10.0.0.0/8"]).unwrap();
        for line in [
            &b"\xff, 1.1.1.1"[..],
            b"\xc3,1.1.1.1",
            b",,, , 1.1.1.1",
            b"unknown, 1.1.1.1",
            b"\0, 1.1.1.1, 10.0.0.2",
        ] {
            let headers = Bytes(line);
            let mut request = RequestView::new("GET", "/", &headers);
            request.peer = Some("10.0.0.1".parse().unwrap());
            assert_eq!(proxies.counted(&request), Some("1.1.1.1".parse().unwrap()), "{line:?}");
        }
    }

    #[test]
    fn scheme_and_host_are_the_first_ones() {
        let headers = [
            ("X-Forwarded-Proto", "https, http"),
            ("X-Forwarded-Host", "a.example, b.example"),
        ];
        let headers = &headers[..];
        let request = request(&headers, "10.0.0.1");
        let trusting = TrustedProxies::any();
        assert!(trusting.says_secure(&request));
        assert_eq!(trusting.host(&request), Some("a.example"));
        assert!(!TrustedProxies::none().says_secure(&request));
        assert_eq!(TrustedProxies::none().host(&request), None);
    }
}
