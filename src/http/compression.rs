//! Which responses are compressed, and how.

/// Whether polling responses are compressed. (WebSockets never are.)
///
/// Those of at least 1,024 bytes are, with gzip or deflate, where the client asks for it: that is what browsers do, and so
/// does nearly every HTTP client. Where nothing of what is secret in a response may be guessed from its size, by whoever
/// can have other text put into the same response and watch the network, switch it off.
///
/// ```
/// use sansocket::http::{Coding, Compression};
///
/// let compression = Compression::default().threshold(4096);
/// assert_eq!(compression.coding(10_000, Some("gzip, deflate, br")), Some(Coding::Gzip));
/// assert_eq!(compression.coding(1_000, Some("gzip")), None);
/// assert_eq!(Compression::off().coding(10_000, Some("gzip")), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    threshold: Option<usize>,
    level: u8,
}

/// A content coding (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`.
    Gzip,
    /// `deflate`: the format of zlib.
    Deflate,
}

impl Coding {
    /// Its name in headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// What a client wants by its `Accept-Encoding`; `None` where that is nothing of what there is.
    ///
    /// Of several, the one that it wants most (`q`), and the first of those.
    pub fn preferred(accept_encoding: &str) -> Option<Self> {
        let mut best: Option<(Self, u16)> = None;
        let (mut any, mut identity) = (None, None);
        let (mut gzip, mut deflate) = (false, false);
        for item in accept_encoding.split(',') {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let quality = parts
                .find_map(|part| {
                    part.split_once('=')
                        .filter(|(key, _)| key.trim().eq_ignore_ascii_case("q"))
                })
                .map_or(Some(1000), |(_, value)| thousandths(value.trim()));
            // What can not be understood is not wanted.
            let quality = quality.unwrap_or(0);
            let coding = if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                gzip = true;
                Self::Gzip
            } else if name.eq_ignore_ascii_case("deflate") {
                deflate = true;
                Self::Deflate
            } else {
                if name == "*" {
                    any = Some(quality);
                } else if name.eq_ignore_ascii_case("identity") {
                    identity = Some(quality);
                }
                continue;
            };
            if quality > best.map_or(0, |(_, quality)| quality) {
                best = Some((coding, quality));
            }
        }
        if let Some(quality) = any {
            let rest = match (gzip, deflate) {
                (false, _) => Some(Self::Gzip),
                (true, false) => Some(Self::Deflate),
                (true, true) => None,
            };
            if let Some(coding) = rest.filter(|_| quality > best.map_or(0, |(_, quality)| quality)) {
                best = Some((coding, quality));
            }
        }
        let (coding, quality) = best?;
        identity.is_none_or(|identity| identity <= quality).then_some(coding)
    }
}

/// `0.5` as 500: a number from 0 to 1 with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let scale = [1000, 100, 10, 1][decimals.len()];
    let decimals: u16 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    match whole {
        "0" => Some(decimals * scale),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

impl Compression {
    /// Nothing is compressed.
    pub const fn off() -> Self {
        Self {
            threshold: None,
            level: 0,
        }
    }

    /// From how many bytes on a response is compressed. 1,024. (Does nothing where compression is off.)
    #[must_use]
    pub const fn threshold(mut self, bytes: usize) -> Self {
        if self.threshold.is_some() {
            self.threshold = Some(bytes);
        }
        self
    }

    /// How much work to spend, from 1 to 9. 4.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = match level {
            0 => 1,
            1..=9 => level,
            _ => 9,
        };
        self
    }

    #[cfg(feature = "wire")]
    pub(crate) const fn work(&self) -> u8 {
        self.level
    }

    /// Whether responses of this size may differ by what the client accepts.
    pub fn covers(&self, bytes: usize) -> bool {
        self.threshold.is_some_and(|threshold| bytes >= threshold)
    }

    /// Whether anything is compressed.
    pub const fn is_on(&self) -> bool {
        self.threshold.is_some()
    }

    /// How a response of this size is to be sent to a client with this `Accept-Encoding`; `None`: as it is.
    pub fn coding(&self, bytes: usize, accept_encoding: Option<&str>) -> Option<Coding> {
        accept_encoding
            .filter(|_| self.covers(bytes))
            .and_then(Coding::preferred)
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            threshold: Some(1024),
            level: 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_prefers() {
        use Coding::{Deflate, Gzip};
        for (accepted, coding) in [
            ("gzip", Some(Gzip)),
            ("GZIP", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("deflate", Some(Deflate)),
            ("gzip, deflate, br, zstd", Some(Gzip)),
            ("deflate, gzip", Some(Deflate)),
            ("br;q=1.0, gzip;q=0.8, deflate;q=0.9", Some(Deflate)),
            ("gzip;q=0", None),
            ("gzip;q=0.000", None),
            ("gzip;q=0, deflate", Some(Deflate)),
            ("gzip ; Q=0.001", Some(Gzip)),
            ("*", Some(Gzip)),
            ("*;q=0", None),
            ("gzip;q=0, *", Some(Deflate)),
            ("gzip;q=0, deflate;q=0, *", None),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip;q=0.5", Some(Gzip)),
            ("identity;q=0", None),
            ("br", None),
            ("gzip;q=2", None),
            ("gzip;q=x", None),
            ("gzip;q=0.1234", None),
            ("gzipped", None),
            ("", None),
            (",,;=,", None),
        ] {
            assert_eq!(Coding::preferred(accepted), coding, "{accepted}");
        }
    }

    #[test]
    fn the_threshold_is_inclusive() {
        let compression = Compression::default();
        assert_eq!(compression.coding(1024, Some("gzip")), Some(Coding::Gzip));
        assert_eq!(compression.coding(1023, Some("gzip")), None);
        assert_eq!(compression.coding(1024, None), None);
        assert!(!Compression::off().threshold(1).is_on());
    }
}
