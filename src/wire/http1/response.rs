//! Responses, written into the caller's buffer.

use std::vec::Vec;

/// The words that go with a status.
fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        304 => "Not Modified",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        // The words have no meaning, and may be missing (RFC 9112, section 4).
        _ => "",
    }
}

/// Writes responses into the caller's buffer.
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> ResponseWriter<'a> {
    /// Writes the status line.
    pub fn new(out: &'a mut Vec<u8>, status: u16) -> Self {
        if status == 200 {
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        } else {
            out.extend_from_slice(b"HTTP/1.1 ");
            push_number(out, status.into());
            out.push(b' ');
            out.extend_from_slice(reason(status).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Self { out }
    }

    /// Goes on with a head whose status line stands in `out` already.
    pub fn continue_head(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Writes one header. The caller has made sure that there is no line break in it.
    pub fn header(&mut self, name: &str, value: &str) -> &mut Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Writes headers that are complete lines already.
    pub fn lines(&mut self, lines: &str) -> &mut Self {
        self.out.extend_from_slice(lines.as_bytes());
        self
    }

    /// Ends the head, with the body behind it unless the request was a HEAD.
    pub fn body(&mut self, body: &[u8], keep_alive: bool, head_only: bool) {
        if !keep_alive {
            self.lines("Connection: close\r\n");
        }
        self.lines("Content-Length: ");
        push_number(self.out, body.len());
        self.lines("\r\n\r\n");
        if !head_only {
            self.out.extend_from_slice(body);
        }
    }

    /// Ends the head of a response whose body of this length somebody else writes.
    pub fn length(&mut self, length: u64, keep_alive: bool) {
        if !keep_alive {
            self.lines("Connection: close\r\n");
        }
        self.lines(&std::format!("Content-Length: {length}\r\n\r\n"));
    }

    /// Ends the head of a response that has no body by its status (1xx, 204).
    pub fn no_body(&mut self) {
        self.lines("\r\n");
    }
}

pub(super) fn push_number(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
