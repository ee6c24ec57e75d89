//! A request as the program sent it.

use std::time::{Duration, Instant};

use crate::socket::{Arrival, Socket, find};

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A polling handshake.
    Open,
    Poll,
    Post,
    /// A WebSocket for a session that there is.
    Upgrade,
    /// A WebSocket as a session's first transport.
    Direct,
    Other,
}

impl Request {
    /// The next one on this connection, or `None` where the client hung up.
    pub fn take(socket: &mut Socket, limit: Duration) -> Option<Result<Self, String>> {
        let deadline = Instant::now() + limit;
        let head_length = loop {
            if let Some(end) = find(&socket.unread, b"\r\n\r\n") {
                break end + 4;
            }
            let wanted = socket.unread.len() + 1;
            if socket.wait_for(wanted, deadline) != Arrival::Bytes {
                return None;
            }
        };
        let head = socket.take(head_length);
        let mut request = match Self::parse(&head) {
            Ok(request) => request,
            Err(complaint) => return Some(Err(complaint)),
        };
        let length = request.header("content-length").map_or(Ok(0), str::parse);
        let Ok(length) = length else {
            return Some(Err(format!("a wrong Content-Length: {request:?}")));
        };
        if request.method == "POST" && request.header("content-length").is_none() {
            return Some(Err(format!("a POST without a Content-Length: {request:?}")));
        }
        if socket.wait_for(length, deadline) != Arrival::Bytes {
            return None;
        }
        request.body = socket.take(length);
        Some(Ok(request))
    }

    fn parse(head: &[u8]) -> Result<Self, String> {
        let head = std::str::from_utf8(head).map_err(|_| "a head that is not UTF-8".to_owned())?;
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let &[method, target, "HTTP/1.1"] = &words[..] else {
            return Err(format!("a wrong request line: {head:?}"));
        };
        let headers = lines.map(|line| {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| format!("a wrong header line: {line:?}"))?;
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        let request = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers.collect::<Result<_, String>>()?,
            body: Vec::new(),
        };
        for once in ["host", "content-length", "cookie", "sec-websocket-key"] {
            if request.headers.iter().filter(|(name, _)| name == once).count() > 1 {
                return Err(format!("{once} twice: {head:?}"));
            }
        }
        if request.header("host").is_none() {
            return Err(format!("no Host: {head:?}"));
        }
        Ok(request)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The cookies that came with it, in an order that does not depend on the client.
    pub fn cookies(&self) -> Vec<&str> {
        let mut cookies: Vec<&str> = self.header("cookie").unwrap_or_default().split("; ").collect();
        cookies.retain(|cookie| !cookie.is_empty());
        cookies.sort_unstable();
        cookies
    }

    /// A value of the query, decoded.
    pub fn query(&self, key: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == key).map(|(_, value)| decoded(value))
    }

    pub fn kind(&self) -> Kind {
        let is_ours = self.target.starts_with("/engine.io/?") && self.query("EIO").as_deref() == Some("4");
        let transport = self.query("transport").unwrap_or_default();
        let has_sid = self.query("sid").is_some();
        match (self.method.as_str(), transport.as_str()) {
            _ if !is_ours => Kind::Other,
            ("GET", "polling") if has_sid => Kind::Poll,
            ("GET", "polling") => Kind::Open,
            ("POST", "polling") if has_sid => Kind::Post,
            ("GET", "websocket") if has_sid => Kind::Upgrade,
            ("GET", "websocket") => Kind::Direct,
            _ => Kind::Other,
        }
    }
}

fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut plain = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let escaped = match bytes[at] {
            b'%' => value.get(at + 1..at + 3),
            _ => None,
        };
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}
