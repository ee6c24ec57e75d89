//! The client's WebSocket: through the proxy, through the handshake, then frames.

use core::time::Duration;
use std::boxed::Box;
use std::io;
use std::vec::Vec;

use super::error::Refused;
use super::{ConnectError, Options};
use crate::engineio::client::Transmit;
use crate::engineio::{Sid, Transport};
use crate::time::Instant;
use crate::wire::http1::{MAX_RESPONSE_HEAD, RequestWriter, Response, ResponseLimits, ResponseReader};
use crate::wire::ws::{ClientHandshake, Frame, WebSocket};

/// How long the server may take to answer our close frame.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// The body of an answer that is no WebSocket: an error's words.
const MAX_REFUSAL: usize = 64 * 1024;

/// The client's WebSocket.
#[derive(Debug)]
pub(super) struct WsLane {
    state: State,
    /// Waits to be written.
    output: Vec<u8>,
    /// The server has until then to answer our close frame.
    closing: Option<Instant>,
    max_message: usize,
}

#[derive(Debug)]
enum State {
    None,
    /// A stream is wanted, and nobody has begun to connect it.
    Wanted,
    Connecting,
    /// The proxy is asked for a tunnel.
    Tunnel(ResponseReader),
    /// The server is asked for a WebSocket.
    Handshake(ResponseReader, ClientHandshake),
    Open(Box<WebSocket>),
    /// It is over but for what waits to be written.
    Over,
}

/// What has become of the WebSocket.
pub(super) enum Happening {
    /// It is open; the answer may hold cookies.
    Opened(Response),
    Frame(Frame),
    /// The server, or somebody in between, did not want it. The server's answer may hold cookies.
    Refused(ConnectError, Option<Response>),
    /// The peer has closed it, with this code if there was one.
    Closed(Option<u16>),
    Failed(ConnectError),
}

impl WsLane {
    pub(super) fn new(max_message: usize) -> Self {
        Self {
            state: State::None,
            output: Vec::new(),
            closing: None,
            max_message,
        }
    }

    pub(super) fn begin(&mut self) {
        self.state = State::Wanted;
        self.output = Vec::new();
        self.closing = None;
    }

    pub(super) fn poll_connect(&mut self) -> bool {
        let wanted = matches!(self.state, State::Wanted);
        if wanted {
            self.state = State::Connecting;
        }
        wanted
    }

    /// Whether another stream is wanted than the one that there may be.
    #[cfg(feature = "tls")]
    pub(super) fn wants_another(&self) -> bool {
        matches!(self.state, State::Wanted)
    }

    pub(super) fn wants_stream(&self) -> bool {
        match self.state {
            State::None => false,
            State::Over => !self.output.is_empty(),
            _ => true,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.closing
    }

    /// Whether the peer had its time to answer our close frame.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        let late = self.closing.is_some_and(|deadline| deadline <= now);
        if late {
            self.cancel();
        }
        late
    }

    pub(super) fn handle_connected(&mut self, options: &Options, sid: Option<&Sid>, cookies: Option<&str>) {
        if !matches!(self.state, State::Connecting) {
            return;
        }
        match &options.proxy {
            // A tunnel for TLS was dug before.
            Some(proxy) if !options.is_secure() => {
                let authority = options.target.authority_with_port();
                let mut request = RequestWriter::new(&mut self.output, "CONNECT", &authority);
                request.header("Host", &authority);
                if let Some(credentials) = proxy.credentials() {
                    request.header("Proxy-Authorization", credentials);
                }
                request.no_body();
                self.state = State::Tunnel(ResponseReader::new(limits(), "CONNECT"));
            }
            _ => self.shake_hands(options, sid, cookies),
        }
    }

    fn shake_hands(&mut self, options: &Options, sid: Option<&Sid>, cookies: Option<&str>) {
        let mut key = [0; 16];
        (options.entropy())(&mut key);
        let handshake = ClientHandshake::new(key);
        let target = options.request_target(Transport::WebSocket, sid, None);
        let mut request = RequestWriter::new(&mut self.output, "GET", &target);
        super::connection::write_headers(&mut request, options, cookies, &options.websocket_headers);
        request
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", handshake.key());
        if !options.websocket_protocols().is_empty() {
            request.header("Sec-WebSocket-Protocol", options.websocket_protocols().join(", "));
        }
        request.no_body();
        self.state = State::Handshake(ResponseReader::for_upgrade(limits()), handshake);
    }

    /// The next thing in what came, of which everything is used up when this answers `None`.
    pub(super) fn read(
        &mut self,
        bytes: &mut &[u8],
        options: &Options,
        sid: Option<&Sid>,
        cookies: Option<&str>,
    ) -> Option<Happening> {
        match &mut self.state {
            State::None | State::Wanted | State::Connecting | State::Over => {
                *bytes = &[];
                None
            }
            State::Tunnel(reader) => {
                let read = reader.read(bytes).transpose()?;
                self.tunnel(read.map_err(ConnectError::from), options, sid, cookies)
            }
            State::Handshake(reader, _) => {
                let read = reader.read(bytes).transpose()?;
                Some(self.answered(read.map_err(ConnectError::from), options))
            }
            State::Open(socket) => match socket.read(bytes, &mut self.output) {
                Ok(Some(Frame::Closed)) => {
                    let code = socket.peer_code();
                    self.state = State::Over;
                    self.closing = None;
                    Some(Happening::Closed(code))
                }
                Ok(frame) => frame.map(Happening::Frame),
                Err(error) => {
                    self.state = State::Over;
                    self.closing = None;
                    Some(Happening::Failed(error.into()))
                }
            },
        }
    }

    fn tunnel(
        &mut self,
        answer: Result<Response, ConnectError>,
        options: &Options,
        sid: Option<&Sid>,
        cookies: Option<&str>,
    ) -> Option<Happening> {
        let error = match answer {
            Ok(response) if (200..300).contains(&response.status) => {
                self.shake_hands(options, sid, cookies);
                return None;
            }
            Ok(response) => ConnectError::Refused(Refused::new(&response)),
            Err(error) => error,
        };
        self.cancel();
        Some(Happening::Refused(ConnectError::Proxy(Box::new(error)), None))
    }

    /// The server has answered, whatever with.
    fn answered(&mut self, answer: Result<Response, ConnectError>, options: &Options) -> Happening {
        let State::Handshake(_, handshake) = core::mem::replace(&mut self.state, State::None) else {
            unreachable!("only a handshake is answered");
        };
        let protocols: Vec<&str> = options.websocket_protocols().iter().map(|name| &name[..]).collect();
        match answer {
            Ok(response) => match handshake.check(&response, &protocols) {
                Ok(()) => {
                    let socket = WebSocket::client(self.max_message, options.entropy());
                    self.state = State::Open(Box::new(socket));
                    Happening::Opened(response)
                }
                Err(_) if !(200..300).contains(&response.status) && response.status != 101 => {
                    Happening::Refused(ConnectError::Refused(Refused::new(&response)), Some(response))
                }
                Err(error) => Happening::Failed(error.into()),
            },
            Err(error) => Happening::Failed(error),
        }
    }

    /// The peer's sending has ended.
    pub(super) fn handle_end(&mut self, options: &Options) -> Option<Happening> {
        if matches!(self.state, State::Wanted | State::Connecting) {
            // The end of a stream that is about to be dropped.
            return None;
        }
        let happening = match &mut self.state {
            State::Tunnel(reader) => {
                let error = match reader.handle_end() {
                    Ok(Some(response)) => ConnectError::Refused(Refused::new(&response)),
                    Ok(None) => ConnectError::WebSocketClosed(None),
                    Err(error) => error.into(),
                };
                Some(Happening::Refused(ConnectError::Proxy(Box::new(error)), None))
            }
            State::Handshake(reader, _) => {
                let answer = reader.handle_end().map_err(ConnectError::from).transpose();
                Some(match answer {
                    Some(answer) => match self.answered(answer, options) {
                        // A 101 and the end at once.
                        Happening::Opened(_) => Happening::Closed(None),
                        other => other,
                    },
                    None => Happening::Failed(ConnectError::WebSocketClosed(None)),
                })
            }
            State::Open(_) => Some(Happening::Closed(None)),
            State::None | State::Wanted | State::Connecting | State::Over => None,
        };
        self.cancel();
        happening
    }

    /// The stream could not be connected, or broke.
    pub(super) fn handle_failure(&mut self, error: ConnectError) -> Option<Happening> {
        if matches!(self.state, State::Wanted) {
            // That was the stream before the one that is wanted.
            return None;
        }
        let known = !matches!(self.state, State::None | State::Over);
        self.cancel();
        known.then_some(Happening::Failed(error))
    }

    pub(super) fn cancel(&mut self) {
        self.state = State::None;
        self.output = Vec::new();
        self.closing = None;
    }

    /// Does what the machine wants; answers whether the WebSocket has come to its end by it, which nobody else will tell.
    pub(super) fn transmit(&mut self, now: Instant, transmit: Transmit) -> bool {
        match (&mut self.state, transmit) {
            (State::Open(socket), Transmit::Packet(packet)) => {
                socket.write(&packet, &mut self.output);
                false
            }
            (State::Open(socket), Transmit::Close) => {
                socket.close(1000, &mut self.output);
                self.closing = Some(now + CLOSE_PATIENCE);
                false
            }
            (_, Transmit::Close) => {
                self.cancel();
                true
            }
            (_, Transmit::Packet(_)) => false,
        }
    }

    /// Moves out what waits to be written. No buffer stays behind.
    pub(super) fn poll_transmit(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() {
            core::mem::swap(out, &mut self.output);
        } else {
            out.append(&mut self.output);
        }
        self.output = Vec::new();
    }

    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// How many bytes wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.output.len()
    }
}

fn limits() -> ResponseLimits {
    ResponseLimits {
        max_head: MAX_RESPONSE_HEAD,
        max_body: MAX_REFUSAL,
    }
}

/// The words for a stream that breaks: `io::Error` alone does not say where.
pub(super) fn broke(error: io::Error) -> ConnectError {
    ConnectError::io("the WebSocket broke", error)
}
