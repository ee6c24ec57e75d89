//! An answer to a request for another path than the endpoint's.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

#[cfg(feature = "wire")]
use super::FilePart;

/// A whole HTTP response.
///
/// ```
/// use sansocket::http::Response;
///
/// let page = Response::html("<!doctype html><title>hello</title>");
/// assert_eq!(page.status(), 200);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Vec<(Cow<'static, str>, String)>,
    body: Bytes,
    #[cfg(feature = "wire")]
    file: Option<FilePart>,
}

impl Response {
    /// A response with this status and an empty body. A status that HTTP does not know (below 200 or above 599) becomes
    /// 500.
    pub fn new(status: u16) -> Self {
        Self {
            status: if (200..=599).contains(&status) { status } else { 500 },
            headers: Vec::new(),
            body: Bytes::new(),
            #[cfg(feature = "wire")]
            file: None,
        }
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::new(404).header("Content-Type", "text/plain").body("Not Found")
    }

    /// 200 with a page.
    pub fn html(page: impl Into<Bytes>) -> Self {
        Self::new(200)
            .header("Content-Type", "text/html; charset=UTF-8")
            .body(page)
    }

    /// 200 with JSON text.
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self::new(200).header("Content-Type", "application/json").body(text)
    }

    /// Adds a header. One that would break the response apart (a line break in it, an empty name) is left out, and so
    /// are those which say how the body is sent: the server writes these itself.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let own = ["content-length", "transfer-encoding", "connection"];
        let safe = !name.is_empty()
            && name.bytes().all(token)
            && value.bytes().all(|byte| byte == b'\t' || byte >= b' ' && byte != 0x7f)
            && !own.iter().any(|own| name.eq_ignore_ascii_case(own));
        if safe {
            self.headers.push((name, value));
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body: a part of a file, which is read while it is sent. Wins over [`body`](Self::body).
    #[must_use]
    #[cfg(feature = "wire")]
    pub fn file(mut self, part: FilePart) -> Self {
        self.file = Some(part);
        self
    }

    /// The file that the body is read from.
    #[cfg(feature = "wire")]
    pub fn file_part(&self) -> Option<&FilePart> {
        self.file.as_ref()
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The headers, in the order in which they were added.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    /// The body's bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_can_not_break_the_response_apart() {
        let response = Response::new(200)
            .header("X-Good", "yes")
            .header("X-Bad", "a\r\nSet-Cookie: b")
            .header("X Bad", "a")
            .header("", "a")
            .header("Content-Length", "7");
        assert_eq!(response.headers().collect::<Vec<_>>(), [("X-Good", "yes")]);
    }
}
