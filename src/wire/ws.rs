//! WebSocket framing behind one seam: bytes in, whole messages out, and packets framed into the caller's buffer.
//!
//! Nearly every frame is a whole, small message and comes in one piece: that is unmasked and handed out right here,
//! without a buffer. All others (fragments, control frames, frames in pieces, frames with something wrong
//! in them) are read by `tungstenite`, driven from memory, one frame at a time; its context lives only as long as such a
//! frame does, so an idle connection has none. Both ways must come to the same: a fuzz target feeds the same bytes whole,
//! which takes the short way, and one by one, which takes the other.
//!
//! What is *written* is put together here without a copy in between: a header of a few bytes, and the packet behind it. A
//! client masks it where it stands.

#[cfg(test)]
mod client_tests;
mod handshake;
mod masks;

use std::boxed::Box;
use std::io::{self, Read, Write};
use std::string::{String, ToString};
use std::vec::Vec;

use bytes::Bytes;
use smallvec::SmallVec;
use tungstenite::protocol::frame::coding::CloseCode as Code;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

use crate::engineio::{Data, Packet, Str, Version, v3};
use crate::http::RequestView;
use crate::wire::Entropy;
pub use handshake::{ClientHandshake, UpgradeError};
use masks::{Mask, Masks};

/// Measured: smaller and faster than both the default of 128 KiB and anything in between (`docs/performance.md`).
const READ_BUFFER: usize = 1024;

/// Messages up to this size are copied out of the read buffer: a few bytes must not keep a whole buffer alive.
const COPIED: usize = 1024;

/// A longer message is refused whatever the limit says: memory for a whole frame is asked for when its header comes, and a
/// peer must not be able to ask for more than there is.
const MOST: usize = 1 << 30;

/// The longest header: two bytes, a length of eight, a mask of four.
const MAX_HEADER: usize = 14;

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

/// One WebSocket after its handshake.
#[derive(Debug)]
pub struct WebSocket {
    /// No more than `MOST`.
    max_message: u32,
    /// Reads what does not come whole and simple.
    context: Option<Box<WebSocketContext>>,
    /// The beginning of a header that has not come whole.
    header: SmallVec<[u8; MAX_HEADER]>,
    /// How many bytes the context still has to be given of its frame.
    missing: u64,
    /// Whether a fragmented message is under way once that frame is complete.
    fragmented_then: bool,
    /// Whether one is under way now.
    fragmented: bool,
    /// Nothing is read any more: after an error or the peer's close frame.
    deaf: bool,
    /// Our close frame was written.
    closing: bool,
    /// The peer takes no binary frames.
    text_only: bool,
    /// The peer speaks version 3: messages in binary have their type before them.
    typed: bool,
    /// What the peer's close frame says.
    peer_code: Option<u16>,
    /// What the client's end masks its frames with; the server's end has none.
    masks: Option<Box<Masks>>,
}

/// What a frame says of itself (RFC 6455, section 5.2).
#[derive(Clone, Copy, Debug)]
struct Header {
    /// How long the header is.
    length: usize,
    /// How long the payload is.
    payload: u64,
    first: u8,
    mask: Option<Mask>,
}

impl Header {
    /// Reads the header at the front of `bytes`, if all of it is there.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (payload, at) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
            127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
            short => (u64::from(short), 2),
        };
        let (mask, length) = if second & 0x80 == 0 {
            (None, at)
        } else {
            (Some(bytes.get(at..at + 4)?.try_into().ok()?), at + 4)
        };
        Some(Self {
            length,
            payload,
            first,
            mask,
        })
    }

    /// Whether it is a message in one frame with nothing remarkable about it. Clients must mask, servers must not.
    fn is_simple(&self, from_client: bool) -> bool {
        matches!(self.first, 0x81 | 0x82) && self.mask.is_some() == from_client
    }

    /// Whether a fragmented message is under way behind this frame, where one is (or is not) before it.
    fn fragmented_then(&self, before: bool) -> bool {
        let is_control = self.first & 0x08 != 0;
        let is_final = self.first & 0x80 != 0;
        if is_control { before } else { !is_final }
    }
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
    /// The server's end, which takes messages of at most `max_message` bytes.
    pub fn new(max_message: usize) -> Self {
        Self {
            max_message: max_message.min(MOST) as u32,
            context: None,
            header: SmallVec::new(),
            missing: 0,
            fragmented_then: false,
            fragmented: false,
            deaf: false,
            closing: false,
            text_only: false,
            typed: false,
            peer_code: None,
            masks: None,
        }
    }

    /// The client's end, which takes messages of at most `max_message` bytes. Its masks are made of bytes from `entropy`,
    /// which nobody may be able to guess (RFC 6455, section 10.3).
    pub fn client(max_message: usize, entropy: Entropy) -> Self {
        Self {
            masks: Some(Box::new(Masks::new(entropy))),
            ..Self::new(max_message)
        }
    }

    /// The code in the peer's close frame, once [`Frame::Closed`] was read, if it has one.
    pub fn peer_code(&self) -> Option<u16> {
        self.peer_code
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
            }
            if input.is_empty() {
                return Ok(None);
            }
            let read = if self.missing > 0 {
                let most = usize::try_from(self.missing).unwrap_or(usize::MAX);
                let part = take(input, most);
                self.missing -= part.len() as u64;
                self.feed(part, out)?
            } else {
                self.begin(input, out)?
            };
            if read.is_some() {
                return Ok(read);
            }
        }
    }

    /// A frame begins, or its header goes on.
    fn begin(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<Option<Frame>, FrameError> {
        if self.header.is_empty() {
            let Some(header) = Header::read(input) else {
                self.header.extend_from_slice(take(input, MAX_HEADER));
                return Ok(None);
            };
            if let Some(frame) = self.read_simple(header, input, out)? {
                return Ok(Some(frame));
            }
            self.missing = header.payload.saturating_add(header.length as u64);
            self.fragmented_then = header.fragmented_then(self.fragmented);
            return Ok(None);
        }
        let header = loop {
            if let Some(header) = Header::read(&self.header) {
                break header;
            }
            match take(input, 1) {
                [] => return Ok(None),
                byte => self.header.extend_from_slice(byte),
            }
        };
        self.missing = header.payload;
        self.fragmented_then = header.fragmented_then(self.fragmented);
        let bytes = core::mem::take(&mut self.header);
        self.feed(&bytes, out)
    }

    /// The short way: a message in one frame, which is there as a whole.
    fn read_simple(
        &mut self,
        header: Header,
        input: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Frame>, FrameError> {
        let length = usize::try_from(header.payload).unwrap_or(usize::MAX);
        let whole = length <= input.len() - header.length;
        let simple = header.is_simple(self.masks.is_none());
        if !simple || !whole || self.fragmented || length > self.max_message as usize {
            return Ok(None);
        }
        take(input, header.length);
        let mut payload = take(input, length).to_vec();
        if let Some(mask) = header.mask {
            apply_mask(&mut payload, mask);
        }
        if header.first == 0x82 {
            return Ok(Some(Frame::Binary(payload.into())));
        }
        match String::from_utf8(payload) {
            Ok(text) => Ok(Some(Frame::Text(text.into()))),
            Err(_) => Err(self.fail(Code::Invalid, out)),
        }
    }

    /// The long way: gives the context bytes of its frame.
    fn feed(&mut self, part: &[u8], out: &mut Vec<u8>) -> Result<Option<Frame>, FrameError> {
        let max_message = self.max_message as usize;
        let role = match self.masks {
            None => Role::Server,
            Some(_) => Role::Client,
        };
        let context = self.context.get_or_insert_with(|| {
            let config = WebSocketConfig::default()
                .read_buffer_size(READ_BUFFER)
                .write_buffer_size(0)
                .max_message_size(Some(max_message))
                .max_frame_size(Some(max_message));
            Box::new(WebSocketContext::new(role, Some(config)))
        });
        // Nothing follows our close frame, no pong and no second close frame.
        let mut unwanted = Vec::new();
        let out = if self.closing { &mut unwanted } else { out };
        let mut input = part;
        let mut frame = None;
        loop {
            match context.read(&mut Memory { input: &mut input, out }) {
                Ok(Message::Text(text)) => frame = Some(Frame::Text(to_str(text.into()))),
                Ok(Message::Binary(bytes)) => frame = Some(Frame::Binary(to_bytes(bytes))),
                // Pongs are written by the next read; nobody asked for those that come.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Ok(Message::Close(frame)) => {
                    self.peer_code = frame.map(|frame| frame.code.into());
                    // The answer waits in the context; a context that is done says so with an error.
                    let _done = context.flush(&mut Memory { input: &mut input, out });
                    self.closing = true;
                    self.stop();
                    return Ok(Some(Frame::Closed));
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(self.fail(close_code(&error), out)),
            }
        }
        if self.missing == 0 {
            self.fragmented = self.fragmented_then;
            if !self.fragmented {
                self.context = None;
            }
        }
        Ok(frame)
    }

    /// What came can not be understood, and neither can anything behind it.
    fn fail(&mut self, code: Code, out: &mut Vec<u8>) -> FrameError {
        self.close(code.into(), out);
        self.stop();
        FrameError(code.into())
    }

    fn stop(&mut self) {
        self.deaf = true;
        self.context = None;
        self.header = SmallVec::new();
    }

    /// Appends one packet in one frame. Nothing happens after our close frame.
    pub fn write(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        if self.closing {
            return;
        }
        if self.typed {
            if let Packet::Message(data @ Data::Binary(bytes)) = packet {
                return self.write_typed(data, bytes, out);
            }
        }
        let mask = self.next_mask();
        let payload = match packet.as_binary().filter(|_| !self.text_only) {
            Some(bytes) => {
                let payload = write_header(0x82, bytes.len(), mask, out);
                out.extend_from_slice(bytes);
                payload
            }
            None => {
                let payload = write_header(0x81, packet.encoded_len(), mask, out);
                packet.encode(out);
                payload
            }
        };
        if let Some(mask) = mask {
            apply_mask(&mut out[payload..], mask);
        }
    }

    fn write_typed(&mut self, data: &Data, bytes: &[u8], out: &mut Vec<u8>) {
        if self.text_only {
            let mut text = Vec::new();
            v3::encode_message(data, &mut text);
            write_header(0x81, text.len(), None, out);
            out.extend_from_slice(&text);
        } else {
            write_header(0x82, bytes.len() + 1, None, out);
            out.push(4);
            out.extend_from_slice(bytes);
        }
    }

    /// The peer speaks this version. (Only a server's end may be told so: nothing of version 3 is masked.)
    pub fn set_version(&mut self, version: Version) {
        self.typed = version == Version::V3;
    }

    /// Binary messages are sent as text in base64 from now on: for clients of old, which ask for that with `b64=1`.
    pub fn set_text_only(&mut self, text_only: bool) {
        self.text_only = text_only;
    }

    /// Appends our close frame, once.
    pub fn close(&mut self, code: u16, out: &mut Vec<u8>) {
        if self.closing {
            return;
        }
        self.closing = true;
        let mask = self.next_mask();
        let payload = write_header(0x88, 2, mask, out);
        out.extend_from_slice(&code.to_be_bytes());
        if let Some(mask) = mask {
            apply_mask(&mut out[payload..], mask);
        }
    }

    fn next_mask(&mut self) -> Option<Mask> {
        self.masks.as_mut().map(|masks| masks.draw())
    }
}

fn take<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(most.min(bytes.len()));
    *bytes = rest;
    taken
}

/// Puts a client's mask on, or takes it off (RFC 6455, section 5.3), eight bytes at a time.
fn apply_mask(payload: &mut [u8], mask: Mask) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        word.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

/// Writes the header of a frame (RFC 6455, section 5.2); answers where its payload begins.
fn write_header(first: u8, length: usize, mask: Option<Mask>, out: &mut Vec<u8>) -> usize {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    out.push(first);
    match length {
        0..=125 => out.push(masked | length as u8),
        126..=0xffff => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if let Some(mask) = mask {
        out.extend_from_slice(&mask);
    }
    out.len()
}

fn to_str(text: Bytes) -> Str {
    if text.len() <= COPIED {
        let text = core::str::from_utf8(&text).expect("the WebSocket layer has looked at it");
        return Str::from(text);
    }
    Str::try_from(text).expect("the WebSocket layer has looked at it")
}

fn to_bytes(bytes: Bytes) -> Bytes {
    if bytes.len() <= COPIED {
        return Bytes::copy_from_slice(&bytes);
    }
    bytes
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
        let mask = [1, 2, 3, 4];
        write_header(first, payload.len(), Some(mask), &mut out);
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
    fn masks_of_every_length() {
        for length in 0..40 {
            let plain: Vec<u8> = (0..length).collect();
            for frame_of in [0x81, 0x82] {
                let (frames, _) = read(&frame(frame_of, &plain), 1000);
                let expected = match frame_of {
                    0x81 => Frame::Text(core::str::from_utf8(&plain).unwrap().into()),
                    _ => Frame::Binary(plain.clone().into()),
                };
                assert_eq!(frames, [Ok(expected)]);
            }
        }
    }

    #[test]
    fn an_idle_websocket_holds_no_buffer() {
        let mut socket = WebSocket::new(100);
        let mut out = Vec::new();
        let bytes = frame(0x81, b"hello");
        let mut fragments = frame(0x01, b"a");
        fragments.extend(frame(0x80, b"b"));
        fragments.extend(frame(0x89, b"ping"));
        for (bytes, step) in [(&bytes, 100), (&bytes, 1), (&fragments, 100), (&fragments, 3)] {
            for mut part in bytes.chunks(step) {
                while socket.read(&mut part, &mut out).unwrap().is_some() {}
            }
            assert!(socket.context.is_none());
            assert!(socket.header.is_empty());
        }
    }

    #[test]
    fn nothing_is_answered_after_our_close_frame() {
        let mut socket = WebSocket::new(100);
        let mut out = Vec::new();
        socket.close(1000, &mut out);
        assert_eq!(out, [0x88, 2, 3, 232]);
        let bytes = frame(0x88, &[3, 232]);
        let ping = frame(0x89, b"ping");
        assert_eq!(socket.read(&mut &ping[..], &mut out), Ok(None));
        assert_eq!(socket.read(&mut &bytes[..], &mut out), Ok(Some(Frame::Closed)));
        assert_eq!(out.len(), 4, "nothing follows the close frame");
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
