//! The open packet's content, and the session id in it.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use smallvec::SmallVec;

use super::Transport;
use super::packet::PacketError;

/// What the server announces in the first packet of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The session's id.
    pub sid: Sid,
    /// What the session can be moved to. Names that this crate does not know are left out on decoding.
    pub upgrades: SmallVec<[Transport; 1]>,
    /// How often the server sends a ping. Whole milliseconds on the wire.
    pub ping_interval: Duration,
    /// How long the server waits for the pong; the client waits for the *next ping* for the sum of both.
    pub ping_timeout: Duration,
    /// The largest polling body and WebSocket message that the server takes, in bytes, where it says so.
    pub max_payload: Option<usize>,
}

/// How long the JSON text may be. A tree of JSON values is a hundred times as large as its text where the text is made for
/// it, and servers send a few hundred bytes.
const MAX_JSON: usize = 16 * 1024;

/// Times longer than this are refused in a handshake: more than three years is a mistake or an attack.
const MAX_MILLIS: u64 = 100_000_000_000;

impl Handshake {
    /// Appends the JSON text to `out`, its keys in the order of the JavaScript reference.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"sid\":\"");
        // A session id consists of characters that stand for themselves in JSON.
        out.extend_from_slice(self.sid.as_str().as_bytes());
        out.extend_from_slice(b"\",\"upgrades\":[");
        for (index, transport) in self.upgrades.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(transport.as_str().as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b"],\"pingInterval\":");
        push_number(self.ping_interval.as_millis(), out);
        out.extend_from_slice(b",\"pingTimeout\":");
        push_number(self.ping_timeout.as_millis(), out);
        if let Some(max_payload) = self.max_payload {
            out.extend_from_slice(b",\"maxPayload\":");
            push_number(max_payload as u128, out);
        }
        out.push(b'}');
    }

    /// Reads the JSON text. Keys that are not known are ignored.
    ///
    /// # Errors
    /// [`PacketError::InvalidHandshake`] for anything but an object with a usable `sid`, `pingInterval` and
    /// `pingTimeout`.
    pub fn decode(json: &str) -> Result<Self, PacketError> {
        let invalid = PacketError::InvalidHandshake;
        if json.len() > MAX_JSON {
            return Err(invalid);
        }
        let Ok(Value::Object(fields)) = serde_json::from_str(json) else {
            return Err(invalid);
        };
        let millis = |name| match fields.get(name).and_then(Value::as_u64) {
            Some(millis) if millis <= MAX_MILLIS => Ok(Duration::from_millis(millis)),
            _ => Err(invalid),
        };
        let sid = fields.get("sid").and_then(Value::as_str).ok_or(invalid)?;
        let upgrades = match fields.get("upgrades") {
            None => SmallVec::new(),
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(|name| Transport::from_name(name.as_str()?))
                .collect(),
            Some(_) => return Err(invalid),
        };
        let max_payload = match fields.get("maxPayload") {
            // JavaScript has no other way to write the `Infinity` of a server without a limit.
            None | Some(Value::Null) => None,
            Some(number) => {
                // A float too, which JavaScript writes where a number is very large; the conversion stops at the largest.
                let float = || number.as_f64().filter(|bytes| *bytes >= 0.0);
                let bytes = number
                    .as_u64()
                    .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
                Some(bytes.or_else(|| Some(float()? as usize)).ok_or(invalid)?)
            }
        };
        Ok(Self {
            sid: Sid::new(sid).ok_or(invalid)?,
            upgrades,
            ping_interval: millis("pingInterval")?,
            ping_timeout: millis("pingTimeout")?,
            max_payload,
        })
    }
}

fn push_number(number: u128, out: &mut Vec<u8>) {
    use core::fmt::Write;

    struct Out<'a>(&'a mut Vec<u8>);
    impl Write for Out<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    write!(Out(out), "{number}").expect("a Vec takes whatever is written");
}

/// The id of a session: a secret between one client and the server.
///
/// Whoever knows it can speak for the client, so it is not shown by `Debug` and never belongs into a log or to
/// other clients. It is 1 to 128 printable ASCII characters without `"` and `\`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid(SmallVec<[u8; 24]>);

impl Sid {
    /// Takes an id that somebody made; `None` where it is empty, too long or holds other characters.
    pub fn new(id: &str) -> Option<Self> {
        let usable = |byte: &u8| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'"' | b'\\');
        let fits = (1..=128).contains(&id.len()) && id.bytes().all(|byte| usable(&byte));
        fits.then(|| Self(SmallVec::from_slice(id.as_bytes())))
    }

    /// Makes an id of 20 URL-safe characters out of 120 bits that must be unpredictable.
    ///
    /// ```
    /// use sansocket::engineio::Sid;
    ///
    /// assert_eq!(Sid::from_entropy([0xff; 15]).as_str(), "____________________");
    /// ```
    pub fn from_entropy(entropy: [u8; 15]) -> Self {
        let mut id = SmallVec::from_elem(0, 20);
        URL_SAFE_NO_PAD
            .encode_slice(entropy, &mut id)
            .expect("15 bytes are 20 characters of base64");
        Self(id)
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).expect("only ASCII is let in")
    }
}

/// Says that there is an id, and not which: see the type.
impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sid(…)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    #[test]
    fn a_servers_nonsense_is_refused() {
        let good = r#"{"sid":"a","upgrades":[],"pingInterval":1,"pingTimeout":1,"maxPayload":5,"x":[]}"#;
        assert!(Handshake::decode(good).is_ok());
        for (from, to) in [
            (r#""sid":"a""#, r#""sid":1"#),
            (r#""sid":"a""#, r#""sid":"""#),
            (r#""sid":"a""#, r#""sid":"a b""#),
            (r#""sid":"a""#, r#""sid":"a\"b""#),
            (r#"[]"#, r#"{}"#),
            (r#""pingInterval":1,"#, ""),
            (r#""pingInterval":1"#, r#""pingInterval":-1"#),
            (r#""pingInterval":1"#, r#""pingInterval":1e300"#),
            (r#""pingTimeout":1"#, r#""pingTimeout":"1""#),
            (r#""maxPayload":5"#, r#""maxPayload":"5""#),
        ] {
            let json = good.replacen(from, to, 1);
            assert_eq!(Handshake::decode(&json), Err(PacketError::InvalidHandshake), "{json}");
        }
    }

    #[test]
    fn unknown_upgrades_are_left_out() {
        let json = r#"{"sid":"a","upgrades":["webtransport","websocket",7],"pingInterval":1,"pingTimeout":1}"#;
        let handshake = Handshake::decode(json).unwrap();
        assert_eq!(handshake.upgrades[..], [Transport::WebSocket]);
        assert_eq!(handshake.max_payload, None);
    }

    #[test]
    fn the_sid_is_not_shown() {
        let sid = Sid::new("topsecret").unwrap();
        assert_eq!(sid.as_str(), "topsecret");
        assert!(!format!("{sid:?}").contains("secret"));
        assert_eq!(Sid::new(&String::from_iter(core::iter::repeat_n('a', 129))), None);
    }
}
