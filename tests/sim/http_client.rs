//! A client's HTTP/1.1: one request at a time on a connection that is kept, and a strict reading of what comes back.

use std::io;
use std::sync::Arc;

use super::runtime::End;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// The server is going to close this connection.
    pub last: bool,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Reset, or ended too early.
    Lost { anything: bool },
    /// The server sent something that is not HTTP, or not what was asked for.
    Invalid(String),
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Lost { anything: false }
    }
}

pub struct HttpConnection {
    end: Arc<End>,
    inbox: Vec<u8>,
}

/// A request as its bytes.
pub fn request(method: &str, target: &str, headers: &str, body: &[u8], chunks: usize) -> Vec<u8> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: server.sim\r\n{headers}").into_bytes();
    if method == "POST" && chunks > 0 {
        bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
        for chunk in body.chunks(body.len().div_ceil(chunks).max(1)) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
    } else {
        if method == "POST" {
            let length = format!("Content-Length: {}\r\n", body.len());
            bytes.extend_from_slice(length.as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
    }
    bytes
}

impl HttpConnection {
    pub fn new(end: Arc<End>) -> Self {
        Self { end, inbox: Vec::new() }
    }

    pub fn end(&self) -> &Arc<End> {
        &self.end
    }

    /// What was read behind the last response: the first bytes of a WebSocket, after a 101.
    pub fn into_rest(self) -> (Arc<End>, Vec<u8>) {
        (self.end, self.inbox)
    }

    pub async fn exchange(&mut self, request: &[u8]) -> Result<Response, Broken> {
        if !self.inbox.is_empty() {
            return Err(Broken::Invalid("bytes that belong to no response".to_owned()));
        }
        self.end.write_all(request).await?;
        self.response().await
    }

    /// The next response on this connection.
    pub async fn response(&mut self) -> Result<Response, Broken> {
        let mut searched = 0;
        let head = loop {
            let rest = &self.inbox[searched..];
            if let Some(at) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
                break searched + at + 4;
            }
            searched = self.inbox.len().saturating_sub(3);
            if self.inbox.len() > 16_384 {
                return Err(Broken::Invalid("an endless head".to_owned()));
            }
            self.more().await?;
        };
        let text = String::from_utf8(self.inbox[..head].to_vec());
        let text = text.map_err(|_| Broken::Invalid("a head that is not UTF-8".to_owned()))?;
        let (status, length, last) = parse_head(&text).map_err(Broken::Invalid)?;
        while self.inbox.len() < head + length {
            self.more().await?;
        }
        let body = self.inbox[head..head + length].to_vec();
        self.inbox.drain(..head + length);
        if status != 101 && !self.inbox.is_empty() {
            let stray = self.inbox.escape_ascii().to_string();
            return Err(Broken::Invalid(format!("bytes behind a response: {stray}")));
        }
        Ok(Response {
            status,
            head: text,
            body,
            last,
        })
    }

    async fn more(&mut self) -> Result<(), Broken> {
        let mut buffer = [0; 4096];
        let anything = !self.inbox.is_empty();
        match self.end.read(&mut buffer).await {
            Ok(0) | Err(_) => Err(Broken::Lost { anything }),
            Ok(n) => {
                self.inbox.extend_from_slice(&buffer[..n]);
                Ok(())
            }
        }
    }
}

fn parse_head(text: &str) -> Result<(u16, usize, bool), String> {
    let wrong = |what: &str| Err(format!("{what} in the response head {text:?}"));
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let status = lines.next().unwrap_or_default();
    let Some(status) = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)) else {
        return wrong("a bad status line");
    };
    let Ok(status) = status.parse::<u16>() else {
        return wrong("a bad status");
    };
    let mut length = None;
    let mut last = false;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            return wrong("a bad header");
        };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" if length.is_some() => return wrong("two lengths"),
            "content-length" => match value.parse() {
                Ok(number) => length = Some(number),
                Err(_) => return wrong("a bad length"),
            },
            "connection" => last |= value.eq_ignore_ascii_case("close"),
            "transfer-encoding" => return wrong("an unexpected transfer encoding"),
            _ => {}
        }
    }
    match (status, length) {
        (101 | 204, None | Some(0)) => Ok((status, 0, last)),
        (101 | 204, Some(_)) => wrong("a body that cannot be"),
        (_, Some(length)) => Ok((status, length, last)),
        (_, None) => wrong("no length"),
    }
}
