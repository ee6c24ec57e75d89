//! WebSocket framing behind one seam: bytes in, whole messages out, and packets framed into the caller's buffer.
//!
//! Reading is `tungstenite`'s, driven from memory. What a server *writes* is not masked, so a frame is a header of a few
//! bytes in front of the packet, which is put together here without a copy in between.

use std::boxed::Box;
use std::io::{self, Read, Write};
use std::string::{String, ToString};
use std::vec::Vec;

use bytes::Bytes;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode as Code;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

use crate::engineio::{Packet, Str};
use crate::http::RequestView;

/// Measured: smaller and faster than both the default of 128 KiB and anything in between (`docs/performance.md`).
const READ_BUFFER: usize = 1024;

/// Messages up to this size are copied out of the read buffer: a few bytes must not keep a whole buffer alive.
const COPIED: usize = 1024;

/// A whole message, or the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(Str),
    /// A binary message.
    Binary(Bytes),
    /// The peer's close frame came. If ours had not been sent, it has been now.
    Closed,
}

/// The peer sent what is not WebSocket, or too much. Our close frame has been written; nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("WebSocket error, closed with {0}")]
pub struct FrameError(pub u16);

/// One WebSocket after its handshake, the server's end.
#[derive(Debug)]
pub struct WebSocket {
    context: Box<WebSocketContext>,
    /// Nothing is read any more: after an error or the peer's close frame.
    deaf: bool,
    /// Our close frame was written.
    closing: bool,
}

/// What `tungstenite` takes for a socket.
struct Memory<'a, 'b> {
    input: &'a mut &'b [u8],
    out: &'a mut Vec<u8>,
}

impl Read for Memory<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(buf)
    }
}

impl Write for Memory<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.out.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl WebSocket {
    /// A WebSocket that takes messages of at most `max_message` bytes.
    pub fn new(max_message: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        Self {
            context: Box::new(WebSocketContext::new(Role::Server, Some(config))),
            deaf: false,
            closing: false,
        }
    }

    /// The next message in `input`, of which everything is used up when this answers `None`. Replies (pongs, the answer
    /// to a close frame) are appended to `out`.
    ///
    /// # Errors
    /// See [`FrameError`]. Afterwards input is dropped unread.
    pub fn read(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<Option<Frame>, FrameError> {
        loop {
            if self.deaf {
                *input = &[];
                return Ok(None);
            }
            let message = self.context.read(&mut Memory { input, out });
            return Ok(Some(match message {
                Ok(Message::Text(text)) => Frame::Text(to_str(text.into())),
                Ok(Message::Binary(bytes)) if bytes.len() <= COPIED => Frame::Binary(Bytes::copy_from_slice(&bytes)),
                Ok(Message::Binary(bytes)) => Frame::Binary(bytes),
                // Pongs are written by the next read; nobody asked for those that come.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
                Ok(Message::Close(_)) => {
                    // The answer waits in the context; a context that is done says so with an error.
                    let _done = self.context.flush(&mut Memory { input, out });
                    self.deaf = true;
                    self.closing = true;
                    Frame::Closed
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => {
                    let code = close_code(&error);
                    self.close(code.into(), out);
                    self.deaf = true;
                    return Err(FrameError(code.into()));
                }
            }));
        }
    }

    /// Appends one packet in one frame. Nothing happens after our close frame.
    pub fn write(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        if self.closing {
            return;
        }
        match packet.as_binary() {
            Some(bytes) => {
                write_header(0x82, bytes.len(), out);
                out.extend_from_slice(bytes);
            }
            None => {
                write_header(0x81, packet.encoded_len(), out);
                packet.encode(out);
            }
        }
    }

    /// Appends our close frame, once.
    pub fn close(&mut self, code: u16, out: &mut Vec<u8>) {
        if self.closing {
            return;
        }
        self.closing = true;
        let frame = CloseFrame {
            code: Code::from(code),
            reason: Default::default(),
        };
        let mut memory = Memory {
            input: &mut &[][..],
            out,
        };
        // From memory, a close can only fail where the context has ended already.
        let _ended = self.context.close(&mut memory, Some(frame));
    }
}

/// The header of an unmasked frame, as servers send them (RFC 6455, section 5.2).
fn write_header(first: u8, length: usize, out: &mut Vec<u8>) {
    out.push(first);
    match length {
        0..=125 => out.push(length as u8),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

fn to_str(text: Bytes) -> Str {
    if text.len() <= COPIED {
        let text = core::str::from_utf8(&text).expect("the WebSocket layer has looked at it");
        return Str::from(text);
    }
    Str::try_from(text).expect("the WebSocket layer has looked at it")
}

fn close_code(error: &Error) -> Code {
    match error {
        Error::Capacity(_) => Code::Size,
        Error::Utf8(_) => Code::Invalid,
        _ => Code::Protocol,
    }
}

/// What a client must send to be given a WebSocket, and what it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    accept: String,
    protocol: Option<String>,
}

/// Why a WebSocket is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The key is missing or is no key.
    BadKey,
    /// Another version than 13, which the answer must name.
    UnsupportedVersion,
}

impl Handshake {
    /// Looks at a request that [wants a WebSocket](RequestView::wants_websocket).
    ///
    /// # Errors
    /// See [`HandshakeError`].
    pub fn read(request: &RequestView<'_>) -> Result<Self, HandshakeError> {
        if request.header("sec-websocket-version") != Some("13") {
            return Err(HandshakeError::UnsupportedVersion);
        }
        // 16 bytes in base64.
        let key = request.headers.get("sec-websocket-key").unwrap_or_default();
        let digits = key.strip_suffix(b"==").unwrap_or_default();
        if digits.len() != 22
            || !digits
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
        {
            return Err(HandshakeError::BadKey);
        }
        // A browser that named protocols fails the connection unless one of them is chosen. Any will do, as in the
        // JavaScript reference.
        let first = request
            .header("sec-websocket-protocol")
            .and_then(|list| list.split(',').next());
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let protocol = first
            .map(str::trim)
            .filter(|name| !name.is_empty() && name.bytes().all(token));
        Ok(Self {
            accept: tungstenite::handshake::derive_accept_key(key),
            protocol: protocol.map(ToString::to_string),
        })
    }

    /// The value of `Sec-WebSocket-Accept`.
    pub fn accept(&self) -> &str {
        &self.accept
    }

    /// The value of `Sec-WebSocket-Protocol`, where the client named protocols.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    /// A client's frame, masked.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_header(first, payload.len(), &mut out);
        out[1] |= 0x80;
        let mask = [1, 2, 3, 4];
        out.extend_from_slice(&mask);
        out.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        out
    }

    type Read = (Vec<Result<Frame, FrameError>>, Vec<u8>);

    fn read(bytes: &[u8], step: usize) -> Read {
        let mut socket = WebSocket::new(200);
        let (mut frames, mut out) = (Vec::new(), Vec::new());
        for mut part in bytes.chunks(step) {
            while let Some(frame) = socket.read(&mut part, &mut out).transpose() {
                frames.push(frame);
            }
            assert!(part.is_empty());
        }
        (frames, out)
    }

    #[test]
    fn messages_in_any_pieces() {
        let mut bytes = frame(0x81, b"hello");
        bytes.extend(frame(0x82, &[1, 2, 3]));
        bytes.extend(frame(0x01, b"a"));
        bytes.extend(frame(0x89, b"ping"));
        bytes.extend(frame(0x80, b"b"));
        bytes.extend(frame(0x88, &[3, 232]));
        bytes.extend(frame(0x81, b"after"));
        let frames = vec![
            Ok(Frame::Text("hello".into())),
            Ok(Frame::Binary(vec![1, 2, 3].into())),
            Ok(Frame::Text("ab".into())),
            Ok(Frame::Closed),
        ];
        let mut out = b"\x8a\x04ping".to_vec();
        out.extend_from_slice(&[0x88, 2, 3, 232]);
        for step in [1, 2, 5, 1000] {
            assert_eq!(read(&bytes, step), (frames.clone(), out.clone()), "{step}");
        }
    }

    #[test]
    fn errors_name_their_code_once() {
        let unmasked = vec![0x81, 1, b'a'];
        for (bytes, code) in [
            (unmasked, 1002),
            (frame(0xc1, b"a"), 1002),
            (frame(0x83, b"a"), 1002),
            (frame(0x80, b"a"), 1002),
            (frame(0x89, &[0; 126]), 1002),
            (frame(0x81, &[0xff]), 1007),
            (frame(0x82, &[0; 201]), 1009),
        ] {
            let mut bytes = bytes;
            bytes.extend(frame(0x81, b"after"));
            let (frames, out) = read(&bytes, 1000);
            assert_eq!(frames, [Err(FrameError(code))]);
            assert_eq!(out, [&[0x88, 2][..], &code.to_be_bytes()].concat());
        }
    }

    #[test]
    fn packets_in_frames() {
        let mut socket = WebSocket::new(100);
        let mut out = Vec::new();
        socket.write(&Packet::Message("hi".into()), &mut out);
        socket.write(&Packet::Message(vec![7; 200].into()), &mut out);
        let big = Packet::Message(vec![7; 70_000].into());
        socket.write(&big, &mut out);
        assert_eq!(out[..4], [0x81, 3, b'4', b'h']);
        assert_eq!(out[5..9], [0x82, 126, 0, 200]);
        assert_eq!(out[209..219], [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
        assert_eq!(out.len(), 219 + 70_000);
        socket.close(1000, &mut out);
        let length = out.len();
        socket.write(&Packet::Noop, &mut out);
        socket.close(1000, &mut out);
        assert_eq!(out.len(), length, "nothing follows the close frame");
    }
}
