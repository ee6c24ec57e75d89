//! An HTTP/1.1 client that sends exactly the bytes it is given, and reads answers strictly.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long anything may take that should come at once: generous, since the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The server closed the connection in an orderly way.
    Closed,
    /// The connection was reset.
    Reset,
    /// Nothing (or only a part) came in time.
    Late,
}

/// The head of a response and its body, decoded from its transfer coding.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, which may come at most once.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} came twice: {self:?}");
        first
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a response body of UTF-8")
    }

    #[track_caller]
    pub fn assert_ok(&self, body: &str) {
        assert_eq!((self.status, self.text()), (200, body), "{self:?}");
    }

    /// This is one of Engine.IO's own errors: number code, JSON, 400.
    #[track_caller]
    pub fn assert_error(&self, code: usize) {
        let message = [
            "Transport unknown",
            "Session ID unknown",
            "Bad handshake method",
            "Bad request",
            "Forbidden",
            "Unsupported protocol version",
        ][code];
        let expected = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        assert_eq!((self.status, self.text()), (400, expected.as_str()), "{self:?}");
        let content_type = self.header("content-type").unwrap_or_default();
        assert!(content_type.starts_with("application/json"), "{self:?}");
    }

    /// The names listed in a comma-separated header, in lower case.
    #[track_caller]
    pub fn list(&self, name: &str) -> Vec<String> {
        let value = self.header(name).unwrap_or_default();
        value.split(',').map(|item| item.trim().to_ascii_lowercase()).collect()
    }
}

/// A request as a well-behaved client writes it; `headers` are whole lines without their ends.
pub fn request(method: &str, target: &str, host: &str, headers: &[&str], body: Option<&[u8]>) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    if let Some(body) = body {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    bytes
}

/// One TCP connection, with what was read from it and not yet understood.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    host: String,
}

impl Connection {
    #[track_caller]
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).expect("a connection")
    }

    /// A connection to a server that may have stopped listening.
    #[track_caller]
    pub fn try_open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        Ok(Self {
            stream,
            buffer: Vec::new(),
            host: address.to_string(),
        })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .write_all(bytes.as_ref())
            .expect("the server takes what is sent");
    }

    /// Sends although the server may have hung up, or may not read: false when it was not all taken
    /// within `limit` a write.
    pub fn send_if_open(&mut self, bytes: impl AsRef<[u8]>, limit: Duration) -> bool {
        self.stream.set_write_timeout(Some(limit)).expect("a write timeout");
        let sent = self.stream.write_all(bytes.as_ref()).is_ok();
        self.stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        sent
    }

    #[track_caller]
    pub fn request(&mut self, method: &str, target: &str, headers: &[&str], body: Option<&[u8]>) {
        let bytes = request(method, target, &self.host, headers, body);
        self.send(bytes);
    }

    #[track_caller]
    pub fn get(&mut self, target: &str) -> Response {
        self.request("GET", target, &[], None);
        self.response()
    }

    #[track_caller]
    pub fn post(&mut self, target: &str, body: impl AsRef<[u8]>) -> Response {
        self.request("POST", target, &[], Some(body.as_ref()));
        self.response()
    }

    /// The next final response; interim ones (1xx but not 101) are passed over.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        match self.response_within(PATIENCE) {
            Ok(response) => response,
            Err(reason) => panic!("no response: {reason:?}, got {:?}", self.unread()),
        }
    }

    pub fn response_within(&mut self, limit: Duration) -> Result<Response, NoAnswer> {
        let deadline = Instant::now() + limit;
        loop {
            let mut response = self.head(deadline)?;
            if response.status == 100 {
                continue;
            }
            if response.status != 101 {
                self.body(&mut response, deadline)?;
            }
            return Ok(response);
        }
    }

    /// A response that may have no body whatever its headers say: to HEAD, or an interim one.
    #[track_caller]
    pub fn response_without_body(&mut self) -> Response {
        match self.head(Instant::now() + PATIENCE) {
            Ok(response) => response,
            Err(reason) => panic!("no response: {reason:?}, got {:?}", self.unread()),
        }
    }

    fn head(&mut self, deadline: Instant) -> Result<Response, NoAnswer> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            self.fill(deadline)?;
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = std::str::from_utf8(&head[..end]).expect("a response head of ASCII");
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        assert!(
            status_line.starts_with("HTTP/1.1 ") || status_line.starts_with("HTTP/1.0 "),
            "not a status line: {status_line:?}"
        );
        let status = status_line[9..12].parse().expect("a status of digits");
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').expect("a colon in a header");
                assert!(!name.is_empty() && name.trim() == name, "not a header: {line:?}");
                (name.to_owned(), value.trim().to_owned())
            })
            .collect();
        Ok(Response {
            status,
            headers,
            body: Vec::new(),
        })
    }

    fn body(&mut self, response: &mut Response, deadline: Instant) -> Result<(), NoAnswer> {
        if response.status == 204 || response.status == 304 {
            return Ok(());
        }
        if let Some(length) = response.header("content-length") {
            let length: usize = length.parse().expect("a length of digits");
            response.body = self.take(length, deadline)?;
            return Ok(());
        }
        if let Some(coding) = response.header("transfer-encoding") {
            assert_eq!(coding, "chunked");
            loop {
                let line = self.line(deadline)?;
                let size = usize::from_str_radix(&line, 16).expect("a chunk size");
                response.body.extend(self.take(size, deadline)?);
                assert_eq!(self.line(deadline)?, "", "the end of a chunk");
                if size == 0 {
                    return Ok(());
                }
            }
        }
        // Neither: it lasts as long as the connection.
        loop {
            match self.fill(deadline) {
                Ok(()) => {}
                Err(NoAnswer::Closed) => {
                    response.body = std::mem::take(&mut self.buffer);
                    return Ok(());
                }
                Err(reason) => return Err(reason),
            }
        }
    }

    fn line(&mut self, deadline: Instant) -> Result<String, NoAnswer> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
                self.buffer.drain(..at + 2);
                return Ok(line);
            }
            self.fill(deadline)?;
        }
    }

    /// The next bytes, whatever they mean.
    pub fn take(&mut self, length: usize, deadline: Instant) -> Result<Vec<u8>, NoAnswer> {
        while self.buffer.len() < length {
            self.fill(deadline)?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn fill(&mut self, deadline: Instant) -> Result<(), NoAnswer> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(NoAnswer::Late);
        }
        self.stream.set_read_timeout(Some(left)).expect("a read timeout");
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(NoAnswer::Closed),
            Ok(length) => {
                self.buffer.extend_from_slice(&chunk[..length]);
                Ok(())
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Err(NoAnswer::Late),
                ErrorKind::Interrupted => self.fill(deadline),
                _ => Err(NoAnswer::Reset),
            },
        }
    }

    fn unread(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// The server has nothing more to say and hangs up.
    #[track_caller]
    pub fn assert_closed(&mut self) {
        self.assert_closed_within(PATIENCE);
    }

    #[track_caller]
    pub fn assert_closed_within(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        assert_eq!(self.unread(), "", "nothing was to follow");
        match self.fill(deadline) {
            Err(NoAnswer::Closed | NoAnswer::Reset) => {}
            Err(NoAnswer::Late) => panic!("the connection is still open after {limit:?}"),
            Ok(()) => panic!("instead of the end came {:?}", self.unread()),
        }
    }

    /// Nothing comes for so long, and the connection stays open.
    #[track_caller]
    pub fn assert_silent(&mut self, time: Duration) {
        assert_eq!(self.unread(), "");
        assert_eq!(
            self.fill(Instant::now() + time),
            Err(NoAnswer::Late),
            "instead of silence came {:?}",
            self.unread()
        );
    }

    /// No more will be sent; answers may still come.
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("a half-closed connection");
    }

    /// Waits until the server has sent something, and leaves it in the kernel.
    #[track_caller]
    pub fn wait_for_unread(&mut self) {
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        let mut byte = [0];
        let count = self.stream.peek(&mut byte).expect("something from the server");
        assert_eq!(count, 1, "the server hung up");
    }

    /// Ends the connection by a reset. Linux sends one when a socket is closed while received bytes
    /// were never read, so the caller has to see to it that the server has something to say.
    #[track_caller]
    pub fn reset(mut self) {
        self.wait_for_unread();
    }
}

pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
