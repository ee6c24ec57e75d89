//! From JSON to MessagePack.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use super::super::args::placeholder_of;
use super::super::json::{Kind, Reader, Token, unescape};

/// Writes values, each in the shortest form, as notepack does.
pub(super) struct Writer {
    out: Vec<u8>,
}

/// What a JSON text holds, one after the other.
enum Piece<'a> {
    Array,
    Map,
    End,
    Key(&'a str),
    Value(Kind, &'a str),
    Attachment(&'a Bytes),
}

impl Writer {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            out: Vec::with_capacity(capacity),
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Checked JSON texts. MessagePack says how long a list is before what is in it, so each text is gone through twice:
    /// once to count.
    pub(super) fn json<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>, attachments: &'a [Bytes]) {
        for text in texts {
            // How long each list is, in the order in which they begin.
            let mut lengths: Vec<u32> = Vec::new();
            let mut open: Vec<usize> = Vec::new();
            walk(text, attachments, &mut |piece| {
                let begins = matches!(piece, Piece::Array | Piece::Map);
                if matches!(piece, Piece::End) {
                    open.pop();
                } else if !matches!(piece, Piece::Key(_)) {
                    if let Some(&innermost) = open.last() {
                        lengths[innermost] += 1;
                    }
                }
                if begins {
                    open.push(lengths.len());
                    lengths.push(0);
                }
            });
            let mut lengths = VecDeque::from(lengths);
            walk(text, attachments, &mut |piece| match piece {
                Piece::Array => self.array(lengths.pop_front().unwrap_or_default()),
                Piece::Map => self.map(lengths.pop_front().unwrap_or_default()),
                Piece::End => {}
                Piece::Key(key) => self.str(&unescape(key)),
                Piece::Value(kind, text) => self.scalar(kind, text),
                Piece::Attachment(bytes) => self.bin(bytes),
            });
        }
    }

    fn scalar(&mut self, kind: Kind, text: &str) {
        match kind {
            Kind::Null => self.out.push(0xc0),
            Kind::False => self.out.push(0xc2),
            Kind::True => self.out.push(0xc3),
            Kind::String => self.str(&unescape(text)),
            Kind::Number => self.number(text),
        }
    }

    /// Whole numbers as such, whichever way they are written.
    fn number(&mut self, text: &str) {
        if let Ok(number) = text.parse() {
            return self.uint(number);
        }
        if let Ok(number) = text.parse() {
            return self.int(number);
        }
        let float: f64 = text.parse().unwrap_or(f64::NAN);
        let whole = float as i64;
        if float.abs() <= 9_007_199_254_740_992.0 && whole as f64 == float {
            return match u64::try_from(whole) {
                Ok(number) => self.uint(number),
                Err(_) => self.int(whole),
            };
        }
        self.out.push(0xcb);
        self.out.extend_from_slice(&float.to_be_bytes());
    }

    pub(super) fn uint(&mut self, number: u64) {
        match number {
            0..=0x7f => self.out.push(number as u8),
            0x80..=0xff => self.out.extend_from_slice(&[0xcc, number as u8]),
            0x100..=0xffff => self.head(0xcd, &(number as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.head(0xce, &(number as u32).to_be_bytes()),
            _ => self.head(0xcf, &number.to_be_bytes()),
        }
    }

    /// Below zero.
    fn int(&mut self, number: i64) {
        match number {
            0.. => self.uint(number.unsigned_abs()),
            -0x20..=-1 => self.out.push(number as u8),
            -0x80..=-0x21 => self.out.extend_from_slice(&[0xd0, number as u8]),
            -0x8000..=-0x81 => self.head(0xd1, &(number as i16).to_be_bytes()),
            -0x8000_0000..=-0x8001 => self.head(0xd2, &(number as i32).to_be_bytes()),
            _ => self.head(0xd3, &number.to_be_bytes()),
        }
    }

    pub(super) fn str(&mut self, text: &str) {
        match text.len() {
            length @ 0..=0x1f => self.out.push(0xa0 | length as u8),
            length @ 0x20..=0xff => self.out.extend_from_slice(&[0xd9, length as u8]),
            length => self.long(length, 0xda),
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    fn bin(&mut self, bytes: &[u8]) {
        match bytes.len() {
            length @ 0..=0xff => self.out.extend_from_slice(&[0xc4, length as u8]),
            length => self.long(length, 0xc5),
        }
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn array(&mut self, length: u32) {
        match length {
            0..=0x0f => self.out.push(0x90 | length as u8),
            _ => self.long(length as usize, 0xdc),
        }
    }

    pub(super) fn map(&mut self, length: u32) {
        match length {
            0..=0x0f => self.out.push(0x80 | length as u8),
            _ => self.long(length as usize, 0xde),
        }
    }

    /// A length of two bytes, or, with the next type, of four.
    fn long(&mut self, length: usize, two_bytes: u8) {
        match u16::try_from(length) {
            Ok(length) => self.head(two_bytes, &length.to_be_bytes()),
            // What is longer than 4 GiB is longer than any limit, too.
            Err(_) => self.head(two_bytes + 1, &(length as u32).to_be_bytes()),
        }
    }

    fn head(&mut self, kind: u8, bytes: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(bytes);
    }
}

fn walk<'a>(text: &'a str, attachments: &'a [Bytes], visit: &mut dyn FnMut(Piece<'a>)) {
    let mut reader = Reader::new(text, usize::MAX);
    while let Ok(Some(token)) = reader.next() {
        match token {
            Token::BeginObject => {
                let start = reader.position() - 1;
                let number = match attachments {
                    [] => None,
                    _ => placeholder_of(&text[start..]),
                };
                match number.and_then(|number| attachments.get(number)) {
                    Some(attachment) => {
                        leave_object(&mut reader);
                        visit(Piece::Attachment(attachment));
                    }
                    None => visit(Piece::Map),
                }
            }
            Token::BeginArray => visit(Piece::Array),
            Token::EndObject | Token::EndArray => visit(Piece::End),
            Token::Key(range) => visit(Piece::Key(&text[range])),
            Token::Value(kind, range) => visit(Piece::Value(kind, &text[range])),
        }
    }
}

/// Passes over what is left of the object that was just begun.
fn leave_object(reader: &mut Reader<'_>) {
    let mut depth = 1usize;
    while depth > 0 {
        match reader.next() {
            Ok(Some(Token::BeginObject | Token::BeginArray)) => depth += 1,
            Ok(Some(Token::EndObject | Token::EndArray)) => depth -= 1,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}
