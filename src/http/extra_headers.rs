//! Headers of the application's own on the endpoint's responses.

use alloc::string::String;

use super::cookie::is_token;

/// Headers that the application adds to one of the endpoint's responses.
#[derive(Debug, Default)]
pub struct ExtraHeaders {
    lines: String,
    opens_session: bool,
}

impl ExtraHeaders {
    pub(super) fn new(opens_session: bool) -> Self {
        Self {
            lines: String::new(),
            opens_session,
        }
    }

    /// Whether the response will be the first one of a session, where there is to be one.
    pub fn opens_session(&self) -> bool {
        self.opens_session
    }

    /// Adds a header. One that would break the response apart is left out, and so are those which the server writes itself:
    /// they say what the body is and how it is sent.
    pub fn add(&mut self, name: &str, value: &str) -> &mut Self {
        if is_usable(name, value) {
            push_line(&mut self.lines, name, value);
        }
        self
    }

    pub(super) fn into_lines(self) -> String {
        self.lines
    }
}

pub(super) fn push_line(lines: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        lines.push_str(part);
    }
}

/// What the server itself writes.
const OWN: [&str; 6] = [
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "upgrade",
];

/// Whether this is a header that an application may add.
pub(super) fn is_usable(name: &str, value: &str) -> bool {
    let prefix = name.get(..14).unwrap_or_default();
    is_token(name)
        && value.bytes().all(|byte| byte == b'\t' || byte >= b' ' && byte != 0x7f)
        && !OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
        && !prefix.eq_ignore_ascii_case("sec-websocket-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_the_response_apart() {
        let mut headers = ExtraHeaders::new(false);
        headers
            .add("X-Good", "yes")
            .add("X-Bad", "a\r\nSet-Cookie: b")
            .add("X-Bad", "a\nb")
            .add("X Bad", "a")
            .add("X-Bad:", "a")
            .add("", "a")
            .add("Content-length", "7")
            .add("Sec-WebSocket-Accept", "a")
            .add("Set-Cookie", "a=b");
        assert_eq!(headers.into_lines(), "X-Good: yes\r\nSet-Cookie: a=b\r\n");
    }
}
