//! A server that answers each request as its test says: by itself, wrongly, never, or by passing it on to a real one.
//!
//! The same thing is a proxy, where the test says so: it takes requests in absolute form and `CONNECT` too.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tungstenite::protocol::Role;

use crate::client::ENOUGH;
use crate::http::{Connection, find};

/// How long a connection may be idle before its thread gives it up.
const IDLE: Duration = Duration::from_secs(30);

pub type WebSocket = tungstenite::WebSocket<TcpStream>;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// When its head was there.
    pub at: Instant,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Handshake,
    Poll,
    Post,
    WebSocket,
    /// The WebSocket of a session that polls.
    Upgrade,
    Connect,
}

impl Request {
    pub fn kind(&self) -> Kind {
        let has_sid = self.parameter("sid").is_some();
        match self.method.as_str() {
            "CONNECT" => Kind::Connect,
            "POST" => Kind::Post,
            _ if self.header("upgrade").is_some() && has_sid => Kind::Upgrade,
            _ if self.header("upgrade").is_some() => Kind::WebSocket,
            _ if has_sid => Kind::Poll,
            _ => Kind::Handshake,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let header = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    /// A parameter of the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (_, value) = pairs.find(|(key, _)| percent_decoded(key) == name)?;
        Some(percent_decoded(value))
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of UTF-8")
    }

    fn bytes(&self, target: &str) -> Vec<u8> {
        let mut head = format!("{} {target} HTTP/1.1\r\n", self.method);
        for (name, value) in &self.headers {
            // These are between the client and the proxy.
            if !name.to_ascii_lowercase().starts_with("proxy-") {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let escaped = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        (bytes, rest) = match (first, escaped) {
            (b'%', Some(byte)) => ([&bytes[..], &[byte]].concat(), &tail[2..]),
            (b'+', _) => ([&bytes[..], b" "].concat(), tail),
            _ => ([&bytes[..], &[*first]].concat(), tail),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub enum Answer {
    Reply {
        status: u16,
        headers: Vec<String>,
        body: String,
    },
    /// Whatever the server there answers, with these headers besides.
    Pass {
        to: SocketAddr,
        headers: Vec<String>,
    },
    /// As a proxy: bytes both ways, from now on.
    Tunnel(SocketAddr),
    /// After so long.
    Late(Duration, Box<Answer>),
    /// These bytes, and then the end.
    Raw(Vec<u8>),
    /// These bytes, and then nothing.
    Part(Vec<u8>),
    /// Never.
    Silence,
    HangUp,
    /// Granted; then the test has it.
    WebSocket(Box<dyn FnOnce(WebSocket) + Send>),
}

impl Answer {
    pub fn ok(body: impl Into<String>) -> Self {
        Self::reply(200, &[], body)
    }

    pub fn reply(status: u16, headers: &[&str], body: impl Into<String>) -> Self {
        Self::Reply {
            status,
            headers: headers.iter().map(|&header| header.to_owned()).collect(),
            body: body.into(),
        }
    }

    /// As Engine.IO's servers refuse.
    pub fn refused(status: u16, message: &str) -> Self {
        let body = json!({"code": 4, "message": message}).to_string();
        Self::reply(status, &["Content-Type: application/json"], body)
    }

    pub fn part(bytes: &str) -> Self {
        Self::Part(bytes.into())
    }

    pub fn pass(to: SocketAddr) -> Self {
        Self::Pass {
            to,
            headers: Vec::new(),
        }
    }

    pub fn websocket(serve: impl FnOnce(WebSocket) + Send + 'static) -> Self {
        Self::WebSocket(Box::new(serve))
    }
}

/// The sid of all sessions that no real server has opened.
pub const SID: &str = "a-sid-of-the-front";

/// An open packet.
pub fn open_packet(upgrades: &[&str]) -> String {
    open_packet_with(upgrades, 25_000, 20_000)
}

/// With these times, in milliseconds.
pub fn open_packet_with(upgrades: &[&str], interval: u64, timeout: u64) -> String {
    let handshake = json!({
        "sid": SID,
        "upgrades": upgrades,
        "pingInterval": interval,
        "pingTimeout": timeout,
        "maxPayload": 1_000_000,
    });
    format!("0{handshake}")
}

/// A session that polls: it opens, takes what is posted, and has its polls answered like this.
pub fn polling(poll: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Front {
    Front::start(move |request| match request.kind() {
        Kind::Handshake => Answer::ok(open_packet(&[])),
        Kind::Post => Answer::ok("ok"),
        Kind::Poll => poll(request),
        _ => Answer::refused(400, "no such thing here"),
    })
}

/// A session on a WebSocket, which is the test's after the open packet.
pub fn on_websocket(serve: impl Fn(WebSocket) + Clone + Send + Sync + 'static) -> Front {
    Front::start(move |_| {
        let serve = serve.clone();
        Answer::websocket(move |mut websocket| {
            let _ = websocket.send(tungstenite::Message::text(open_packet(&[])));
            serve(websocket);
        })
    })
}

/// A server of both transports and the upgrade that keeps what it is sent, and sends nothing: it shows what was
/// delivered, whatever becomes of the echo.
pub struct Sink {
    pub front: Front,
    packets: Arc<Mutex<Vec<String>>>,
}

impl Sink {
    /// It says that it takes so many bytes at once.
    pub fn start(max_payload: usize) -> Self {
        let packets = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&packets);
        let open = json!({
            "sid": SID,
            "upgrades": ["websocket"],
            "pingInterval": 25_000,
            "pingTimeout": 20_000,
            "maxPayload": max_payload,
        });
        let open = format!("0{open}");
        let front = Front::start(move |request| match request.kind() {
            Kind::Handshake => Answer::ok(open.clone()),
            // Whatever it is needed for: a poll must not wait once the probe is answered.
            Kind::Poll => Answer::Late(Duration::from_millis(30), Box::new(Answer::ok("6"))),
            Kind::Post => {
                let packets = request.text().split('\x1e').map(ToOwned::to_owned);
                kept.lock().expect("the packets").extend(packets);
                Answer::ok("ok")
            }
            kind => {
                let (kept, open) = (Arc::clone(&kept), open.clone());
                Answer::websocket(move |mut websocket| {
                    if kind == Kind::WebSocket {
                        let _ = websocket.send(tungstenite::Message::text(open));
                    }
                    while let Ok(message) = websocket.read() {
                        let packet = match message {
                            tungstenite::Message::Text(text) => text.to_string(),
                            tungstenite::Message::Binary(bytes) => format!("b{} bytes", bytes.len()),
                            _ => continue,
                        };
                        if packet == "2probe" {
                            let _ = websocket.send(tungstenite::Message::text("3probe"));
                        }
                        kept.lock().expect("the packets").push(packet);
                    }
                })
            }
        });
        Self { front, packets }
    }

    /// Everything that came.
    pub fn packets(&self) -> Vec<String> {
        self.packets.lock().expect("the packets").clone()
    }

    /// What was delivered so far: messages of text without their type, others by it.
    pub fn messages(&self) -> Vec<String> {
        let mut messages = self.packets();
        messages.retain(|packet| packet.starts_with(['4', 'b']));
        let text = |packet: String| packet.strip_prefix('4').map(ToOwned::to_owned).unwrap_or(packet);
        messages.into_iter().map(text).collect()
    }

    /// Waits for the last of so many: a client may be gone before its last frame was read.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<String> {
        let deadline = Instant::now() + ENOUGH;
        loop {
            let messages = self.messages();
            if messages.len() >= count || Instant::now() > deadline {
                assert_eq!(messages.len(), count);
                return messages;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// The listener. Every connection has a thread, which ends with it.
pub struct Front {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
}

impl Front {
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let answer: Arc<Handler> = Arc::new(answer);
        let (seen, over) = (Arc::clone(&requests), Arc::clone(&is_over));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &seen, &*answer));
            }
        });
        Self {
            address,
            requests,
            is_over,
        }
    }

    pub fn url(&self) -> String {
        crate::client::url(self.address)
    }

    /// What was asked for so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("the requests").clone()
    }

    pub fn requests_of(&self, kind: Kind) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.kind() == kind);
        requests
    }

    /// Waits for the first request that is so.
    #[track_caller]
    pub fn wait_for(&self, what: impl Fn(&Request) -> bool) -> Request {
        let deadline = Instant::now() + ENOUGH;
        loop {
            if let Some(request) = self.requests().into_iter().find(&what) {
                return request;
            }
            assert!(Instant::now() < deadline, "no such request: {:?}", self.requests());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Its thread waits for a connection, and looks after that.
        let _ = TcpStream::connect(self.address);
    }
}

/// One connection, until either side ends it. An error is the end of it, whoever made it.
fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &Handler) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(IDLE));
    let mut buffer = Vec::new();
    while let Some(request) = next_request(&mut stream, &mut buffer) {
        seen.lock().expect("the requests").push(request.clone());
        let answer = answer(&request);
        if write_answer(&mut stream, &request, answer).is_none() {
            return;
        }
    }
}

fn next_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        match find(buffer, b"\r\n\r\n") {
            Some(at) => break at,
            None => fill(stream, buffer)?,
        }
    };
    let at = Instant::now();
    let head: Vec<u8> = buffer.drain(..end + 4).collect();
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.trim_end().split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(Some(0), |(_, value)| value.parse().ok())?;
    while buffer.len() < length {
        fill(stream, buffer)?;
    }
    Some(Request {
        method,
        target,
        headers,
        body: buffer.drain(..length).collect(),
        at,
    })
}

fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 16 * 1024];
    match stream.read(&mut chunk) {
        Ok(length @ 1..) => buffer.extend_from_slice(&chunk[..length]),
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        _ => return None,
    }
    Some(())
}

/// `None` where the connection is over.
fn write_answer(stream: &mut TcpStream, request: &Request, answer: Answer) -> Option<()> {
    match answer {
        Answer::Reply { status, headers, body } => write_reply(stream, status, &headers, body.as_bytes()),
        Answer::Pass { to, headers } if request.header("upgrade").is_some() => {
            let mut server = TcpStream::connect(to).ok()?;
            server.write_all(&request.bytes(origin_form(&request.target))).ok()?;
            drop(headers);
            splice(stream, &server)
        }
        Answer::Pass { to, mut headers } => {
            // A server that is down is a connection that ends.
            drop(TcpStream::connect(to).ok()?);
            let mut server = Connection::open(to);
            server.send_if_open(request.bytes(origin_form(&request.target)), ENOUGH);
            let response = server.response_within(IDLE).ok()?;
            let theirs = response.headers.iter().filter(|(name, _)| {
                !name.eq_ignore_ascii_case("content-length") && !name.eq_ignore_ascii_case("transfer-encoding")
            });
            headers.extend(theirs.map(|(name, value)| format!("{name}: {value}")));
            write_reply(stream, response.status, &headers, &response.body)
        }
        Answer::Tunnel(to) => {
            let server = TcpStream::connect(to).ok()?;
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
            splice(stream, &server)
        }
        Answer::Late(delay, answer) => {
            thread::sleep(delay);
            write_answer(stream, request, *answer)
        }
        Answer::Raw(bytes) => {
            stream.write_all(&bytes).ok()?;
            None
        }
        Answer::Part(bytes) => {
            stream.write_all(&bytes).ok()?;
            write_answer(stream, request, Answer::Silence)
        }
        Answer::Silence => {
            while fill(stream, &mut Vec::new()).is_some() {}
            None
        }
        Answer::HangUp => None,
        Answer::WebSocket(serve) => {
            let accept = tungstenite::handshake::derive_accept_key(request.header("sec-websocket-key")?.as_bytes());
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).ok()?;
            let stream = stream.try_clone().ok()?;
            serve(tungstenite::WebSocket::from_raw_socket(stream, Role::Server, None));
            None
        }
    }
}

fn write_reply(stream: &mut TcpStream, status: u16, headers: &[String], body: &[u8]) -> Option<()> {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).ok()
}

/// What a proxy was asked for, as the server wants it.
fn origin_form(target: &str) -> &str {
    let Some(rest) = target.strip_prefix("http://") else {
        return target;
    };
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// Bytes both ways until both have ended.
fn splice(client: &TcpStream, server: &TcpStream) -> Option<()> {
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let up = thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (server.try_clone().ok()?, client.try_clone().ok()?);
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = up.join();
    None
}
