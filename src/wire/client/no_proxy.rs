//! The hosts that are reached without a proxy, in the notation that `curl` has for them.

use core::net::IpAddr;
use std::string::String;
use std::vec::Vec;

use super::Target;

/// What a variable `NO_PROXY` lists.
#[derive(Clone, Debug, Default)]
pub(super) struct NoProxy(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    hosts: Hosts,
    /// Only this port; every one if none.
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Hosts {
    All,
    /// This name and every one below it; lower case, without dots at its ends.
    Name(String),
    /// The addresses that share this many leading bits with this one.
    Block(IpAddr, u32),
}

impl NoProxy {
    /// Reads a list with commas or white space between its entries. What is no entry matches nothing.
    pub(super) fn parse(list: &str) -> Self {
        let entries = list.split(|c: char| c == ',' || c.is_whitespace());
        Self(entries.filter_map(Entry::parse).collect())
    }

    /// Whether this server is reached without a proxy. Names are not looked up: an address in the list is for URLs
    /// with that address in them.
    pub(super) fn contains(&self, target: &Target) -> bool {
        let name = target.host().trim_end_matches('.');
        let address = target.host().parse::<IpAddr>().ok();
        self.0.iter().any(|entry| {
            let host = match (&entry.hosts, address) {
                (Hosts::All, _) => true,
                (Hosts::Name(parent), None) => is_within(name, parent),
                (Hosts::Block(block, bits), Some(address)) => is_in_block(address, *block, *bits),
                _ => false,
            };
            host && entry.port.is_none_or(|port| port == target.port())
        })
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        // An address first: in IPv6 without brackets the last colon begins no port.
        if let Some(block) = block(text) {
            return Some(Self {
                hosts: block,
                port: None,
            });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let hosts = match block(host) {
            Some(block) => block,
            None if host == "*" => Hosts::All,
            None => {
                let name = host.trim_start_matches('.').trim_end_matches('.');
                // A name has neither: what has them is an address with a mistake in it.
                if name.is_empty() || name.contains([':', '/', '[', ']']) {
                    return None;
                }
                Hosts::Name(name.to_ascii_lowercase())
            }
        };
        Some(Self { hosts, port })
    }
}

/// An IP address, IPv6 with or without brackets, or a block of them in CIDR notation.
fn block(text: &str) -> Option<Hosts> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let address = match address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => IpAddr::V6(inner.parse().ok()?),
        None => address.parse().ok()?,
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some(Hosts::Block(address, bits))
}

/// Whether a name is this one or below it: at a dot, so that `badexample.com` is not within `example.com`.
fn is_within(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_in_block(address: IpAddr, block: IpAddr, bits: u32) -> bool {
    // No bits at all are a shift by the whole width, which has no result.
    match (address, block) {
        (IpAddr::V4(address), IpAddr::V4(block)) => {
            let difference = u32::from(address) ^ u32::from(block);
            difference.checked_shr(32 - bits).unwrap_or_default() == 0
        }
        (IpAddr::V6(address), IpAddr::V6(block)) => {
            let difference = u128::from(address) ^ u128::from(block);
            difference.checked_shr(128 - bits).unwrap_or_default() == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    /// Asks for `ws://` and the host, and where it has to be, its port.
    fn listed(list: &str, host: &str) -> bool {
        let target = Target::parse(&format!("ws://{host}/")).unwrap_or_else(|error| panic!("{host}: {error}"));
        NoProxy::parse(list).contains(&target)
    }

    #[track_caller]
    fn check(list: &str, inside: &[&str], outside: &[&str]) {
        for host in inside {
            assert!(listed(list, host), "{host} is in {list}");
        }
        for host in outside {
            assert!(!listed(list, host), "{host} is not in {list}");
        }
    }

    #[test]
    fn nothing_is_listed_by_nothing() {
        for list in ["", ",", " , ,", ".", ":80", "/8"] {
            check(list, &[], &["example.com", "localhost", "127.0.0.1", "[::1]"]);
        }
    }

    #[test]
    fn a_star_is_every_host() {
        check("*", &["example.com", "10.0.0.1", "[::1]:99"], &[]);
        check("a, *", &["example.com"], &[]);
        check("*:81", &["example.com:81"], &["example.com"]);
    }

    #[test]
    fn a_name_is_a_suffix_at_a_dot() {
        for list in [
            "example.com",
            ".example.com",
            "Example.COM.",
            " a ,\texample.com ",
            "a example.com",
        ] {
            check(
                list,
                &[
                    "example.com",
                    "EXAMPLE.com",
                    "www.example.com",
                    "a.b.example.com",
                    "example.com.",
                ],
                &["badexample.com", "example.org", "example.com.org", "com"],
            );
        }
        // As for curl, a star is a pattern only if it stands alone.
        check("*.example.com", &[], &["www.example.com"]);
    }

    #[test]
    fn a_port_narrows_an_entry() {
        check(
            "example.com:8080",
            &["example.com:8080", "a.example.com:8080"],
            &["example.com", "example.com:80"],
        );
        check("10.0.0.1:80", &["10.0.0.1"], &["10.0.0.1:81"]);
        check("[::1]:80", &["[::1]"], &["[::1]:81"]);
        check("10.0.0.0/8:81", &["10.9.9.9:81"], &["10.9.9.9"]);
        check("example.com:", &[], &["example.com"]);
        check("example.com:http", &[], &["example.com"]);
        check("example.com:65616", &[], &["example.com"]);
    }

    #[test]
    fn an_address_is_itself() {
        check(
            "10.0.0.1",
            &["10.0.0.1", "10.0.0.1:81"],
            &["10.0.0.2", "10.0.0.1.example", "[::ffff:10.0.0.1]"],
        );
        check("::1", &["[::1]", "[0:0:0:0:0:0:0:1]:81"], &["[::2]", "127.0.0.1"]);
        check("[2001:DB8::1]", &["[2001:db8::1]"], &["[2001:db8::2]"]);
        // The end of an address is no domain.
        check("0.0.1", &[], &["10.0.0.1"]);
        check("[10.0.0.1]", &[], &["10.0.0.1"]);
    }

    #[test]
    fn a_block_is_its_leading_bits() {
        check(
            "10.0.0.0/8",
            &["10.0.0.0", "10.255.255.255"],
            &["11.0.0.0", "9.255.255.255", "[a00::]"],
        );
        check("10.1.2.3/8", &["10.200.0.1"], &["11.0.0.1"]);
        check(
            "192.168.1.128/25",
            &["192.168.1.128", "192.168.1.255"],
            &["192.168.1.127"],
        );
        check("10.0.0.1/32", &["10.0.0.1"], &["10.0.0.0"]);
        check("0.0.0.0/0", &["10.0.0.1"], &["[::1]", "example.com"]);
        check("fd00::/8", &["[fd12::1]"], &["[fe00::1]", "253.0.0.1"]);
        check("[fe80::]/10", &["[fe80::1]", "[febf::1]"], &["[fec0::1]"]);
        check("2001:db8::1/128", &["[2001:db8::1]"], &["[2001:db8::2]"]);
        check("::/0", &["[::1]"], &["127.0.0.1"]);
        for mistake in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8", "example.com/8"] {
            check(mistake, &[], &["10.0.0.0", "10.0.0.1", "example.com"]);
        }
        check("::/129", &[], &["[::]"]);
    }
}
