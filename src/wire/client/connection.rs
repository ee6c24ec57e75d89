//! All that a client has between its machine and its byte streams.

use core::fmt;
use std::boxed::Box;
use std::io;
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use super::error::Refused;
use super::http::{Done, HttpLane};
use super::websocket::{Happening, WsLane, broke};
use super::{ConnectError, Cookies, Options};
use crate::engineio::client::{Client, Config, Event, Input, Request};
use crate::engineio::state::Phase;
use crate::engineio::{CloseReason, ReqId, Transport, Violation};
use crate::time::Instant;
use crate::wire::http1::{RequestWriter, Response};
use crate::wire::ws::Frame;

/// How much output is taken from the machine at once.
const TURN: usize = 16 * 1024;

/// One of the byte streams that a client may have at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamId {
    /// Carries the GETs that wait.
    Poll,
    /// Carries the POSTs.
    Push,
    /// Carries the WebSocket.
    WebSocket,
}

impl StreamId {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Poll, Self::Push, Self::WebSocket];
}

/// All that one session of a client has between its machine and its byte streams: requests on two keep-alive connections,
/// and a WebSocket on a third.
///
/// Whoever drives it connects the streams that it [wants](Self::poll_connect) to the [peer](Options::peer), carries bytes
/// both ways, and drops the streams that it [does not want](Self::wants_stream) any more.
///
/// The application's commands are those of the [`machine`](Self::machine); its events come out of
/// [`poll_event`](Self::poll_event).
pub struct Connection {
    pub(super) options: Arc<Options>,
    machine: Client,
    cookies: Cookies,
    pub(super) poll: HttpLane,
    pub(super) push: HttpLane,
    pub(super) websocket: WsLane,
    /// What became of the first transport, while connecting; what ended the session, once it was open.
    error: Option<ConnectError>,
    upgrade_error: Option<ConnectError>,
    opened: bool,
    /// The number of the last GET that was stamped.
    stamp: Option<u64>,
    /// What the server chose of the protocols that were offered to it.
    protocol: Option<String>,
    /// What the WebSocket was last given to write is not known to be written.
    unwritten: bool,
    #[cfg(feature = "tls")]
    pub(super) ways: [super::secure::Way; 3],
    /// Which streams do not take what they were last given to write.
    #[cfg(feature = "tls")]
    pub(super) stuck: [bool; 3],
}

/// Requests that wait to be written hold passwords and cookies, which belong into no log.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("options", &self.options)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// A client that wants to connect.
    pub fn new(options: Arc<Options>, config: Arc<Config>, now: Instant, cookies: Cookies) -> Self {
        let max = config.max_payload;
        let max_message = options.max_websocket_message().unwrap_or(max);
        let keeps = !options.is_asked_of_proxy();
        Self {
            options,
            machine: Client::new(config, now),
            cookies,
            poll: HttpLane::new(max, keeps),
            push: HttpLane::new(max, keeps),
            websocket: WsLane::new(max_message),
            error: None,
            upgrade_error: None,
            opened: false,
            stamp: None,
            protocol: None,
            unwritten: false,
            #[cfg(feature = "tls")]
            ways: Default::default(),
            #[cfg(feature = "tls")]
            stuck: [false; 3],
        }
    }

    /// The machine, for the application's commands and for its getters. What becomes of it is found out by the next call of
    /// one of the `poll_*` here.
    pub fn machine(&mut self) -> &mut Client {
        &mut self.machine
    }

    /// The machine, to look at.
    pub fn look(&self) -> &Client {
        &self.machine
    }

    /// The next thing that the application should know, as [`Client::poll_event`] has it.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.machine.poll_event()
    }

    /// Behind [`Event::Closed`]: what went wrong, where something did. While connecting, what became of the first transport.
    pub fn take_error(&mut self) -> Option<ConnectError> {
        let closed = self.machine.closed();
        let error = self.error.take().filter(|_| {
            // What went wrong behind a goodbye matters to nobody, unless messages were lost by it.
            closed.is_none_or(|closed| {
                let orderly = matches!(
                    closed.reason,
                    CloseReason::ClientDisconnect | CloseReason::ServerDisconnect
                );
                !orderly || closed.unsent > 0 || closed.in_doubt > 0
            })
        });
        #[cfg(feature = "tls")]
        let error = error.or_else(|| {
            let late = closed.is_some_and(|closed| closed.reason == CloseReason::ConnectTimeout);
            late.then(|| self.late_on_way()).flatten()
        });
        error.or(match closed.map(|closed| closed.reason) {
            Some(CloseReason::ConnectTimeout) => Some(ConnectError::Timeout("the session was not open in time")),
            // Nothing has broken, and nobody has said anything: a POST was not answered.
            Some(CloseReason::TransportError) => Some(ConnectError::Timeout("a request was not answered in time")),
            _ => None,
        })
    }

    /// Behind [`Event::UpgradeFailed`]: what went wrong.
    pub fn take_upgrade_error(&mut self) -> ConnectError {
        let late = ConnectError::Timeout("the WebSocket took too long to prove itself");
        self.upgrade_error.take().unwrap_or(late)
    }

    /// Which of the protocols that were [offered](Options::add_websocket_protocol) the server has chosen, where the session
    /// has moved to a WebSocket or was opened on one.
    pub fn websocket_protocol(&self) -> Option<&str> {
        let protocol = self.protocol.as_deref();
        protocol.filter(|_| self.machine.transport() == Transport::WebSocket)
    }

    /// The cookies, for the next session.
    pub fn take_cookies(&mut self) -> Cookies {
        core::mem::take(&mut self.cookies)
    }

    // ---- streams ----

    /// Whether this stream is to be connected, anew if there is one already. Asks once.
    pub fn poll_connect(&mut self, now: Instant, id: StreamId) -> bool {
        self.pump(now);
        #[cfg(feature = "tls")]
        if self.owes_goodbye(id) {
            // The stream before it has to be ended in order; then it is its turn.
            return false;
        }
        let wanted = match id {
            StreamId::Poll => self.poll.poll_connect(),
            StreamId::Push => self.push.poll_connect(),
            StreamId::WebSocket => self.websocket.poll_connect(),
        };
        #[cfg(feature = "tls")]
        if wanted {
            self.forget_way(id);
        }
        wanted
    }

    /// Whether this stream has a use. Drop it where it has none, once what it was given to write is written; and drop all
    /// of them once [it is finished](Self::is_finished).
    pub fn wants_stream(&self, id: StreamId) -> bool {
        #[cfg(feature = "tls")]
        if self.owes_goodbye(id) {
            return true;
        }
        self.lane_wants_stream(id)
    }

    pub(super) fn lane_wants_stream(&self, id: StreamId) -> bool {
        match id {
            StreamId::Poll => self.poll.wants_stream(),
            StreamId::Push => self.push.wants_stream(),
            StreamId::WebSocket => self.websocket.wants_stream(),
        }
    }

    /// Whether to read from this stream. Where not, leave the bytes in the kernel.
    pub fn wants_input(&self, id: StreamId) -> bool {
        match id {
            StreamId::Poll | StreamId::Push => true,
            // Answers to pings that the server does not read are not heaped up.
            StreamId::WebSocket => {
                // No message comes on a WebSocket that is being tried, and it must not fail for a slow application.
                let takes = self.machine.transport() == Transport::Polling || self.machine.wants_input();
                // What waits for TLS, or for a proxy, waits for what is to be read.
                takes && (!self.websocket.is_open() || self.websocket.waiting() < TURN)
            }
        }
    }

    /// The stream is connected.
    pub fn handle_connected(&mut self, now: Instant, id: StreamId) {
        match id {
            StreamId::Poll => self.poll.handle_connected(),
            StreamId::Push => self.push.handle_connected(),
            StreamId::WebSocket => {
                let cookies = self.cookie_header();
                let sid = self.machine.sid();
                self.websocket.handle_connected(&self.options, sid, cookies.as_deref());
            }
        }
        #[cfg(feature = "tls")]
        self.begin_way(now, id);
        self.pump(now);
    }

    /// The stream could not be connected.
    pub fn handle_connect_failed(&mut self, now: Instant, id: StreamId, error: io::Error) {
        let mut error = ConnectError::io("cannot connect", error);
        if self.options.is_proxied() {
            error = ConnectError::Proxy(Box::new(error));
        }
        self.fail(now, id, error);
    }

    /// The stream broke.
    pub fn handle_failure(&mut self, now: Instant, id: StreamId, error: io::Error) {
        #[cfg(feature = "tls")]
        let error = match self.explain_break(id, error) {
            Ok(explained) => return self.fail(now, id, explained),
            Err(error) => error,
        };
        let error = match id {
            StreamId::Poll | StreamId::Push => ConnectError::io("the connection broke", error),
            StreamId::WebSocket => broke(error),
        };
        self.fail(now, id, error);
    }

    pub(super) fn fail(&mut self, now: Instant, id: StreamId, error: ConnectError) {
        match id {
            StreamId::Poll => {
                let done = self.poll.handle_failure(error);
                self.finish(now, done);
            }
            StreamId::Push => {
                let done = self.push.handle_failure(error);
                self.finish(now, done);
            }
            StreamId::WebSocket => {
                if let Some(happening) = self.websocket.handle_failure(error) {
                    self.handle_happening(now, happening);
                }
            }
        }
        self.pump(now);
    }

    /// Bytes came on a stream.
    pub fn handle_input(&mut self, now: Instant, id: StreamId, bytes: &[u8]) {
        // A server that still talks has not got to our goodbye yet.
        self.machine.handle_progress(now);
        #[cfg(feature = "tls")]
        self.handle_input_on_way(now, id, bytes);
        #[cfg(not(feature = "tls"))]
        self.deliver(now, id, bytes);
        self.pump(now);
    }

    /// What is spoken came.
    pub(super) fn deliver(&mut self, now: Instant, id: StreamId, mut bytes: &[u8]) {
        match id {
            StreamId::Poll => {
                let done = self.poll.handle_input(now, bytes);
                self.finish(now, done);
            }
            StreamId::Push => {
                let done = self.push.handle_input(now, bytes);
                self.finish(now, done);
            }
            StreamId::WebSocket => {
                while !bytes.is_empty() {
                    let cookies = if self.websocket.is_open() {
                        None
                    } else {
                        self.cookie_header()
                    };
                    let sid = self.machine.sid();
                    match self.websocket.read(&mut bytes, &self.options, sid, cookies.as_deref()) {
                        Some(happening) => self.handle_happening(now, happening),
                        None => continue,
                    }
                }
            }
        }
    }

    /// The peer's sending on a stream has ended.
    pub fn handle_end(&mut self, now: Instant, id: StreamId) {
        #[cfg(feature = "tls")]
        self.handle_end_on_way(now, id);
        #[cfg(not(feature = "tls"))]
        self.end(now, id);
        self.pump(now);
    }

    /// Nothing more comes on a stream.
    pub(super) fn end(&mut self, now: Instant, id: StreamId) {
        match id {
            StreamId::Poll => {
                let done = self.poll.handle_end();
                self.finish(now, done);
            }
            StreamId::Push => {
                let done = self.push.handle_end();
                self.finish(now, done);
            }
            StreamId::WebSocket => {
                if let Some(happening) = self.websocket.handle_end(&self.options) {
                    self.handle_happening(now, happening);
                }
            }
        }
    }

    /// Appends what is to be written to a stream; about 16 KiB, or one message, at a time. Call it again once that is
    /// written.
    pub fn poll_transmit(&mut self, now: Instant, id: StreamId, out: &mut Vec<u8>) {
        #[cfg(feature = "tls")]
        self.transmit_on_way(now, id, out);
        #[cfg(not(feature = "tls"))]
        self.collect(now, id, out);
    }

    /// Appends what is to be said.
    pub(super) fn collect(&mut self, now: Instant, id: StreamId, out: &mut Vec<u8>) {
        self.pump(now);
        match id {
            StreamId::Poll => {
                let _req = self.poll.poll_transmit(out);
            }
            StreamId::Push => {
                if let Some(req) = self.push.poll_transmit(out) {
                    self.machine.handle_leaving(req);
                }
            }
            StreamId::WebSocket => {
                self.unwritten = false;
                while self.websocket.is_open() && self.websocket.output().len() < TURN {
                    let Some(transmit) = self.machine.poll_transmit(now) else {
                        break;
                    };
                    self.websocket.transmit(now, transmit);
                }
                self.websocket.poll_transmit(out);
                self.unwritten = !out.is_empty();
                // The upgrade packet may have made room for requests, and a full queue.
                self.pump(now);
            }
        }
    }

    /// Some bytes were written to a stream.
    pub fn handle_written(&mut self, now: Instant) {
        self.machine.handle_progress(now);
    }

    /// A stream does not take all that [`poll_transmit`](Self::poll_transmit) gave, for now. Where it has no use any more,
    /// it is not kept for a goodbye that would have to wait behind that; nothing else depends on it.
    pub fn handle_stuck(&mut self, id: StreamId) {
        #[cfg(feature = "tls")]
        {
            self.stuck[id as usize] = true;
        }
        #[cfg(not(feature = "tls"))]
        let _ = id;
    }

    // ---- time ----

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` once [it is finished](Self::is_finished). May be
    /// another time after any other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_finished() {
            return None;
        }
        let machine = self.machine.poll_timeout();
        let websocket = self.websocket.poll_timeout().filter(|_| !self.says_goodbye());
        machine.into_iter().chain(websocket).min()
    }

    /// Does what is due at this time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let closing = self.says_goodbye();
        if !closing && self.websocket.handle_timeout(now) {
            self.tell(now, Input::WsClosed);
        }
        self.machine.handle_timeout(now);
        if closing && self.unwritten && self.machine.closed().is_some() {
            self.note(ConnectError::Timeout(
                "the server did not take all that was sent in time",
            ));
        }
        self.pump(now);
    }

    /// Whether the session is over. What [`poll_transmit`](Self::poll_transmit) still gives is a last word: write as much
    /// of it as the stream takes at once, and wait for nothing.
    pub fn is_finished(&self) -> bool {
        self.machine.is_finished()
    }

    // ---- what everything shares ----

    /// Makes the requests that the machine wants.
    pub(super) fn pump(&mut self, now: Instant) {
        // No request follows once the session is over, or on its WebSocket.
        if self.machine.phase() == Phase::Closed || self.machine.transport() == Transport::WebSocket {
            self.poll.cancel();
            self.push.cancel();
        }
        // A session that is over does not wait for room on its WebSocket.
        if !self.websocket.is_open() || self.machine.phase() == Phase::Closed {
            while let Some(transmit) = self.machine.poll_transmit(now) {
                if self.websocket.transmit(now, transmit) {
                    self.tell(now, Input::WsClosed);
                }
            }
        }
        while let Some(request) = self.machine.poll_request(now) {
            match request {
                Request::Get(req) => {
                    let stamp = self.next_stamp();
                    let bytes = self.request("GET", stamp, None);
                    self.poll.begin(now, req, bytes);
                }
                Request::Post(req, body) => {
                    let bytes = self.request("POST", None, Some(&body));
                    self.machine.handle_waiting(req);
                    self.push.begin(now, req, bytes);
                }
                Request::WebSocket => {
                    self.upgrade_error = None;
                    self.protocol = None;
                    self.websocket.begin();
                }
            }
        }
    }

    fn cookie_header(&self) -> Option<String> {
        self.cookies.header(&self.options.target, self.options.path())
    }

    /// What makes the next GET another one than all before it. Not the time, which is the same on two machines, or on one
    /// whose clock was set back: chance at first, for caches keep what other clients were answered, and then counting.
    fn next_stamp(&mut self) -> Option<u64> {
        if !self.options.stamps() {
            return None;
        }
        let stamp = match self.stamp {
            Some(last) => last.wrapping_add(1),
            None => {
                let mut random = [0; 8];
                (self.options.entropy())(&mut random[..6]);
                u64::from_le_bytes(random)
            }
        };
        self.stamp = Some(stamp);
        self.stamp
    }

    /// A whole request over polling.
    fn request(&self, method: &str, stamp: Option<u64>, body: Option<&[u8]>) -> Vec<u8> {
        let options = &self.options;
        let mut bytes = Vec::with_capacity(512 + body.map_or(0, <[u8]>::len));
        let mut target = options.request_target(Transport::Polling, self.machine.sid(), stamp);
        if options.is_asked_of_proxy() {
            // What a proxy is sent is a whole URL (RFC 9112, section 3.2.2).
            target = std::format!("http://{}{target}", options.target.authority());
        }
        let mut request = RequestWriter::new(&mut bytes, method, &target);
        let cookies = self.cookie_header();
        write_headers(&mut request, options, cookies.as_deref(), &[]);
        if let Some(proxy) = options.proxy.as_ref().filter(|_| options.is_asked_of_proxy()) {
            if let Some(credentials) = proxy.credentials() {
                request.header("Proxy-Authorization", credentials);
            }
            // Tinyproxy passes on that the server keeps its connection, and does not keep ours. A request that is
            // already on its way then is lost, and none may be made twice.
            request.header("Connection", "close");
        }
        request.header("Accept-Encoding", "gzip, deflate");
        match body {
            Some(body) => request.header("Content-Type", "text/plain; charset=UTF-8").body(body),
            None => request.no_body(),
        }
        bytes
    }

    /// A request has come to its end.
    fn finish(&mut self, now: Instant, done: Option<Done>) {
        let Some(Done { req, result }) = done else { return };
        let input = match result {
            Ok(response) => self.answer(req, response),
            Err(error) => {
                self.note(error);
                Input::Failed(req)
            }
        };
        self.tell(now, input);
    }

    fn answer(&mut self, req: ReqId, response: Response) -> Input {
        self.keep_cookies(&response);
        if (200..300).contains(&response.status) {
            return Input::Response(req, response.body);
        }
        let refused = ConnectError::Refused(Refused::new(&response));
        // The only status that is the proxy's for certain.
        let by_proxy = response.status == 407 && self.options.is_asked_of_proxy();
        self.note(if by_proxy {
            ConnectError::Proxy(Box::new(refused))
        } else {
            refused
        });
        Input::Refused(req)
    }

    fn keep_cookies(&mut self, response: &Response) {
        for cookie in response.all("set-cookie") {
            self.cookies.store(&self.options.target, self.options.path(), cookie);
        }
    }

    fn handle_happening(&mut self, now: Instant, happening: Happening) {
        match happening {
            Happening::Opened(response) => {
                self.keep_cookies(&response);
                let protocol = response.all("sec-websocket-protocol").next();
                let protocol = protocol.and_then(|name| core::str::from_utf8(name).ok());
                self.protocol = protocol.map(ToString::to_string);
                self.tell(now, Input::WsOpen);
            }
            Happening::Frame(Frame::Text(text)) => self.tell(now, Input::WsText(text)),
            Happening::Frame(Frame::Binary(bytes)) => self.tell(now, Input::WsBinary(bytes)),
            // The lane has made something else of it.
            Happening::Frame(Frame::Closed) => {}
            Happening::Refused(error, response) => {
                if let Some(response) = response {
                    self.keep_cookies(&response);
                }
                self.note_websocket(error);
                self.tell(now, Input::WsRefused);
            }
            Happening::Closed(code) => {
                // The end of an open session is not an error.
                if self.is_upgrading() || !self.opened {
                    self.note_websocket(ConnectError::WebSocketClosed(code));
                }
                self.tell(now, Input::WsClosed);
            }
            Happening::Failed(error) => {
                self.note_websocket(error);
                self.tell(now, Input::WsFailed);
            }
        }
    }

    /// Whether the session is closing on its WebSocket. How long the server may take is the machine's to say then.
    fn says_goodbye(&self) -> bool {
        self.machine.phase() == Phase::Closing && self.machine.transport() == Transport::WebSocket
    }

    fn is_upgrading(&self) -> bool {
        self.opened && self.machine.transport() == Transport::Polling
    }

    fn note(&mut self, error: ConnectError) {
        self.error.get_or_insert(error);
    }

    fn note_websocket(&mut self, error: ConnectError) {
        if self.is_upgrading() {
            self.upgrade_error = Some(error);
        } else {
            self.note(error);
        }
    }

    fn tell(&mut self, now: Instant, input: Input) {
        let mut understood = false;
        match self.machine.handle_input(now, input) {
            Ok(()) => understood = true,
            Err(violation @ Violation::BadProbe) => self.upgrade_error = Some(violation.into()),
            Err(violation) => self.note(violation.into()),
        }
        if !self.opened && self.machine.handshake().is_some() {
            self.opened = true;
            // What became of the transports before this one does not matter any more.
            if understood {
                self.error = None;
            }
        }
    }
}

/// The headers that every request has. `others` are those that this kind of request has besides; they stand for headers of
/// every request that have the same name.
pub(super) fn write_headers(
    request: &mut RequestWriter<'_>,
    options: &Options,
    cookies: Option<&str>,
    others: &[(String, String)],
) {
    let replaced = |name: &str| others.iter().any(|other| other.0.eq_ignore_ascii_case(name));
    let every = options.headers.iter().filter(|header| !replaced(&header.0));
    let headers: Vec<_> = every.chain(others).collect();
    let given = |name: &'static str| {
        let named = move |header: &&(String, String)| header.0.eq_ignore_ascii_case(name);
        headers.iter().copied().filter(named)
    };
    if given("host").next().is_none() {
        request.header("Host", options.target.authority());
    }
    if given("user-agent").next().is_none() {
        request.header("User-Agent", concat!("sansocket/", env!("CARGO_PKG_VERSION")));
    }
    if given("accept").next().is_none() {
        request.header("Accept", "*/*");
    }
    if given("authorization").next().is_none() {
        if let Some(credentials) = options.target.credentials() {
            request.header("Authorization", credentials);
        }
    }
    // One header for all cookies (RFC 6265, section 5.4): those that were given, and those that servers have set.
    let all = given("cookie").map(|header| &header.1[..]).chain(cookies);
    let all: Vec<&str> = all.filter(|cookies| !cookies.is_empty()).collect();
    if !all.is_empty() {
        request.header("Cookie", all.join("; "));
    }
    for (name, value) in headers {
        if !name.eq_ignore_ascii_case("cookie") {
            request.header(name, value);
        }
    }
}
