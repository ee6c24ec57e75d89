//! A body on its way in: of known length, in chunks, or up to the end of the stream.

use std::vec::Vec;

use super::{Framing, HttpError};

/// How long one line of a chunked body (a size, a trailer) may be.
const MAX_CHUNK_LINE: usize = 256;

/// How many bytes the trailers of a chunked body may have. They are read and dropped.
const MAX_TRAILERS: usize = 4096;

/// A body on its way in.
#[derive(Debug)]
pub struct BodyReader {
    state: BodyState,
    body: Vec<u8>,
    /// How many bytes of the body have come.
    length: usize,
    max: usize,
    /// Whether anybody wants to have it.
    kept: bool,
}

#[derive(Debug)]
enum BodyState {
    /// This many bytes of a body of known length are missing.
    Length(usize),
    /// The line with a chunk's size, as far as it has come.
    ChunkSize(Vec<u8>),
    /// This many bytes of a chunk are missing.
    Chunk(usize),
    /// The line break behind a chunk, of which this many bytes were seen.
    ChunkEnd(usize),
    /// Trailers: the line so far, and how many bytes of trailers there were.
    Trailers(Vec<u8>, usize),
    /// Whatever comes.
    UntilEnd,
    Done,
}

impl BodyReader {
    /// Begins to read a body of at most `max` bytes.
    ///
    /// # Errors
    /// The declared length is above the limit already.
    pub fn new(framing: Framing, max: usize) -> Result<Self, HttpError> {
        let state = match framing {
            Framing::Empty => BodyState::Done,
            Framing::Length(length) => match usize::try_from(length) {
                Ok(0) => BodyState::Done,
                Ok(length) if length <= max => BodyState::Length(length),
                _ => return Err(HttpError::BodyTooLarge),
            },
            Framing::Chunked => BodyState::ChunkSize(Vec::new()),
            Framing::UntilEnd => BodyState::UntilEnd,
        };
        Ok(Self {
            state,
            body: Vec::new(),
            length: 0,
            max,
            kept: true,
        })
    }

    /// Reads to the end of the body, and keeps nothing of it.
    #[must_use]
    pub fn discarding(mut self) -> Self {
        self.kept = false;
        self
    }

    fn push(&mut self, part: &[u8]) {
        self.length += part.len();
        if self.kept {
            self.body.extend_from_slice(part);
        }
    }

    /// Takes what belongs to the body from the front of `bytes`; answers whether the body is complete.
    ///
    /// # Errors
    /// The body is too long, or its chunks are malformed. Nothing more can be read from the connection.
    pub fn read(&mut self, bytes: &mut &[u8]) -> Result<bool, HttpError> {
        loop {
            match &mut self.state {
                BodyState::Done => return Ok(true),
                BodyState::UntilEnd => {
                    let part = take(bytes, self.max - self.length);
                    self.push(part);
                    if !bytes.is_empty() {
                        return Err(HttpError::BodyTooLarge);
                    }
                    return Ok(false);
                }
                BodyState::Length(missing) => {
                    let part = take(bytes, *missing);
                    *missing -= part.len();
                    let complete = *missing == 0;
                    self.push(part);
                    if !complete {
                        return Ok(false);
                    }
                    self.state = BodyState::Done;
                }
                BodyState::Chunk(missing) => {
                    let part = take(bytes, *missing);
                    *missing -= part.len();
                    let complete = *missing == 0;
                    self.push(part);
                    if !complete {
                        return Ok(false);
                    }
                    self.state = BodyState::ChunkEnd(0);
                }
                BodyState::ChunkEnd(seen) => {
                    for &byte in take(bytes, 2 - *seen) {
                        if byte != b"\r\n"[*seen] {
                            return Err(HttpError::Malformed);
                        }
                        *seen += 1;
                    }
                    if *seen < 2 {
                        return Ok(false);
                    }
                    self.state = BodyState::ChunkSize(Vec::new());
                }
                BodyState::ChunkSize(line) => {
                    if !read_line(bytes, line)? {
                        return Ok(false);
                    }
                    let size = chunk_size(line)?;
                    if size > self.max - self.length {
                        return Err(HttpError::BodyTooLarge);
                    }
                    self.state = match size {
                        0 => BodyState::Trailers(Vec::new(), 0),
                        size => BodyState::Chunk(size),
                    };
                }
                BodyState::Trailers(line, total) => {
                    if !read_line(bytes, line)? {
                        return Ok(false);
                    }
                    *total += line.len();
                    if *total > MAX_TRAILERS {
                        return Err(HttpError::HeadTooLarge);
                    }
                    if line.is_empty() {
                        self.state = BodyState::Done;
                    } else {
                        line.clear();
                    }
                }
            }
        }
    }

    /// Tells that the stream has ended; answers whether the body is complete.
    pub fn handle_end(&mut self) -> bool {
        if matches!(self.state, BodyState::UntilEnd) {
            self.state = BodyState::Done;
        }
        matches!(self.state, BodyState::Done)
    }

    /// The body, once it is complete.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

fn take<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(most.min(bytes.len()));
    *bytes = rest;
    taken
}

/// Moves bytes up to a line break into `line`, without the break; answers whether it has come.
fn read_line(bytes: &mut &[u8], line: &mut Vec<u8>) -> Result<bool, HttpError> {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    line.extend_from_slice(take(
        bytes,
        end.map_or(bytes.len(), |at| at + 1).min(MAX_CHUNK_LINE + 2),
    ));
    if line.len() > MAX_CHUNK_LINE {
        return Err(HttpError::Malformed);
    }
    if line.last() != Some(&b'\n') {
        return Ok(false);
    }
    if !line.ends_with(b"\r\n") {
        return Err(HttpError::Malformed);
    }
    line.truncate(line.len() - 2);
    Ok(true)
}

/// The size in front of a chunk. Extensions behind a semicolon are ignored.
fn chunk_size(line: &[u8]) -> Result<usize, HttpError> {
    let digits = line
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii_end();
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(HttpError::Malformed);
    }
    let digits = core::str::from_utf8(digits).map_err(|_| HttpError::Malformed)?;
    usize::from_str_radix(digits, 16).map_err(|_| HttpError::Malformed)
}
