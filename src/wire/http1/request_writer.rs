//! Requests, written into the caller's buffer.

use std::vec::Vec;

use super::response::push_number;

/// Writes requests into the caller's buffer.
///
/// Nothing is looked at here: what users name is checked once, where they name it, with [`is_target`],
/// [`is_header_name`] and [`is_header_value`].
#[derive(Debug)]
pub struct RequestWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> RequestWriter<'a> {
    /// Writes the request line. What form the target has (`/path?query`, a whole URL for a proxy, `host:port` for
    /// CONNECT) is the caller's business.
    pub fn new(out: &'a mut Vec<u8>, method: &str, target: &str) -> Self {
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        Self { out }
    }

    /// Writes one header. The caller has made sure that there is no line break in it.
    pub fn header(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value.as_ref());
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Writes headers that are complete lines already.
    pub fn lines(&mut self, lines: &str) -> &mut Self {
        self.out.extend_from_slice(lines.as_bytes());
        self
    }

    /// Ends the head, with the body behind it.
    pub fn body(&mut self, body: &[u8]) {
        self.lines("Content-Length: ");
        push_number(self.out, body.len());
        self.lines("\r\n\r\n");
        self.out.extend_from_slice(body);
    }

    /// Ends the head of a request without a body.
    pub fn no_body(&mut self) {
        self.lines("\r\n");
    }
}

/// Whether this may stand as the target of a request line: neither empty, nor with a space, a control character or
/// anything outside of ASCII.
pub fn is_target(target: &str) -> bool {
    !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether this may stand as the name of a header: a token (RFC 9110, section 5.6.2). Methods are tokens, too.
pub fn is_header_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}

/// Whether this may stand as the value of a header: no control character but a tab, so that no line can end in it.
pub fn is_header_value(value: impl AsRef<[u8]>) -> bool {
    let mut bytes = value.as_ref().iter();
    bytes.all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}
