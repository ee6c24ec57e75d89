use core::fmt::Debug;

use sansocket::wire::http1::{BodyReader, HttpError, read_head};
use sansocket::wire::ws::{Frame, FrameError, WebSocket};

/// Small enough that a fuzzer finds it.
const MAX_HEAD: usize = 600;
const MAX_BODY: usize = 100;

/// However bytes are cut into pieces, the same comes out.
pub fn in_any_pieces<T: Debug + PartialEq>(data: &[u8], read: fn(&mut dyn Iterator<Item = &[u8]>) -> T) {
    let Some((&pieces, bytes)) = data.split_first() else {
        return;
    };
    let bytes = &bytes[..bytes.len().min(4000)];
    let whole = read(&mut core::iter::once(bytes));
    assert_eq!(read(&mut bytes.chunks(1)), whole, "byte by byte");
    assert_eq!(
        read(&mut bytes.chunks(usize::from(pieces).max(2))),
        whole,
        "in pieces of one size"
    );
    let mut rest = bytes;
    let mut state = u32::from(pieces);
    let mut random_pieces = core::iter::from_fn(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Some pieces are empty.
        let (piece, left) = rest.split_at(((state >> 24) as usize % 40).min(rest.len()));
        let go_on = !rest.is_empty();
        rest = left;
        go_on.then_some(piece)
    });
    assert_eq!(read(&mut random_pieces), whole, "in random pieces");
}

/// Everything that can be seen of requests, and how it ended.
pub fn requests(pieces: &mut dyn Iterator<Item = &[u8]>) -> (Vec<String>, Option<HttpError>) {
    let mut seen = Vec::new();
    let end = read_requests(pieces, &mut seen).err();
    (seen, end)
}

fn read_requests(pieces: &mut dyn Iterator<Item = &[u8]>, seen: &mut Vec<String>) -> Result<(), HttpError> {
    let mut buffer = Vec::new();
    let mut body: Option<BodyReader> = None;
    let mut keep_alive = true;
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            if let Some(mut reader) = body.take() {
                let mut rest = &buffer[..];
                let complete = reader.read(&mut rest)?;
                let used = buffer.len() - rest.len();
                assert!(complete || rest.is_empty(), "bytes were left where more were wanted");
                buffer.drain(..used);
                if !complete {
                    body = Some(reader);
                    break;
                }
                let taken = reader.into_body();
                assert!(taken.len() <= MAX_BODY);
                seen.push(format!("{taken:?}"));
                if !keep_alive {
                    return Ok(());
                }
            }
            let head = read_head(&buffer, MAX_HEAD, |head, length| {
                keep_alive = head.keep_alive;
                (format!("{head:?}"), head.framing, length)
            })?;
            let Some((head, framing, length)) = head else {
                break;
            };
            assert!((1..=MAX_HEAD).contains(&length));
            buffer.drain(..length);
            seen.push(head);
            body = Some(BodyReader::new(framing, MAX_BODY)?);
        }
    }
    Ok(())
}

/// What a WebSocket reads, and what it answers by itself.
pub fn frames(pieces: &mut dyn Iterator<Item = &[u8]>) -> (Vec<Result<Frame, FrameError>>, Vec<u8>) {
    let mut socket = WebSocket::new(MAX_BODY);
    let (mut frames, mut out) = (Vec::new(), Vec::new());
    for mut piece in pieces {
        while let Some(frame) = socket.read(&mut piece, &mut out).transpose() {
            if let Ok(Frame::Text(text)) = &frame {
                assert!(text.len() <= MAX_BODY);
            }
            let over = matches!(frame, Ok(Frame::Closed) | Err(_));
            frames.push(frame);
            if over {
                // Nothing comes after the end, whatever follows it.
                assert_eq!(socket.read(&mut piece, &mut out), Ok(None));
            }
        }
        assert!(piece.is_empty(), "bytes were left");
    }
    (frames, out)
}
