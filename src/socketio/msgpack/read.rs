//! From MessagePack to JSON.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use smallvec::SmallVec;

use super::super::ATTACHMENT_OVERHEAD;
use super::super::args::Args;
use super::super::json::{JsonError, push_string};
use super::super::{Limits, PacketError};
use super::SYNTAX;

/// The largest number up to which every whole one is a float of its own.
const MAX_SAFE: f64 = 9_007_199_254_740_992.0;

/// One value, or the head of one that holds others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Item<'a> {
    Nil,
    /// JavaScript's, in a way of notepack's own.
    Undefined,
    Bool(bool),
    Uint(u64),
    /// Below zero.
    Int(i64),
    Float(f64),
    /// Said to be UTF-8.
    Str(&'a [u8]),
    Bin(&'a [u8]),
    Array(u32),
    Map(u32),
    /// Milliseconds since 1970, in a way of notepack's own.
    Date(i64),
    Ext(i8, &'a [u8]),
}

impl Item<'_> {
    pub(super) fn is_nothing(self) -> bool {
        matches!(self, Self::Nil | Self::Undefined)
    }

    /// The number, if it counts something.
    pub(super) fn whole(self) -> Option<u64> {
        match self {
            Self::Uint(number) => Some(number),
            Self::Float(number) if (0.0..=MAX_SAFE).contains(&number) && number as u64 as f64 == number => {
                Some(number as u64)
            }
            _ => None,
        }
    }
}

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) fn next(&mut self) -> Result<Item<'a>, PacketError> {
        let first = self.take(1)?[0];
        Ok(match first {
            0x00..=0x7f => Item::Uint(first.into()),
            0x80..=0x8f => Item::Map(u32::from(first & 0x0f)),
            0x90..=0x9f => Item::Array(u32::from(first & 0x0f)),
            0xa0..=0xbf => Item::Str(self.take(usize::from(first & 0x1f))?),
            0xc0 => Item::Nil,
            0xc1 => return Err(SYNTAX),
            0xc2 => Item::Bool(false),
            0xc3 => Item::Bool(true),
            0xc4..=0xc6 => Item::Bin(self.sized(first - 0xc4)?),
            0xc7..=0xc9 => {
                let length = self.length(first - 0xc7)?;
                self.ext(length)?
            }
            0xca => Item::Float(f32::from_be_bytes(self.array()?).into()),
            0xcb => Item::Float(f64::from_be_bytes(self.array()?)),
            0xcc => Item::Uint(u8::from_be_bytes(self.array()?).into()),
            0xcd => Item::Uint(u16::from_be_bytes(self.array()?).into()),
            0xce => Item::Uint(u32::from_be_bytes(self.array()?).into()),
            0xcf => Item::Uint(u64::from_be_bytes(self.array()?)),
            0xd0 => signed(i8::from_be_bytes(self.array()?).into()),
            0xd1 => signed(i16::from_be_bytes(self.array()?).into()),
            0xd2 => signed(i32::from_be_bytes(self.array()?).into()),
            0xd3 => signed(i64::from_be_bytes(self.array()?)),
            0xd4..=0xd8 => self.fixext(1 << (first - 0xd4))?,
            0xd9..=0xdb => Item::Str(self.sized(first - 0xd9)?),
            0xdc | 0xdd => Item::Array(self.length(first - 0xdc + 1)? as u32),
            0xde | 0xdf => Item::Map(self.length(first - 0xde + 1)? as u32),
            0xe0..=0xff => Item::Int(i64::from(first as i8)),
        })
    }

    /// Passes over one value with all that is in it, and says what it is.
    pub(super) fn skip(&mut self, max_depth: usize) -> Result<Item<'a>, PacketError> {
        let value = self.next()?;
        // How many values each open list still holds.
        let mut open: SmallVec<[u64; 16]> = SmallVec::new();
        let mut item = value;
        loop {
            if let Item::Array(count) | Item::Map(count) = item {
                if open.len() >= max_depth {
                    return Err(JsonError::TooDeep.into());
                }
                let each = if matches!(item, Item::Map(_)) { 2 } else { 1 };
                open.push(u64::from(count) * each);
            }
            while open.last() == Some(&0) {
                open.pop();
            }
            match open.last_mut() {
                Some(left) => *left -= 1,
                None => return Ok(value),
            }
            item = self.next()?;
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PacketError> {
        let taken = self.bytes[self.at..].get(..length).ok_or(SYNTAX)?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PacketError> {
        self.take(N)?.try_into().map_err(|_| SYNTAX)
    }

    /// A length of 1, 2 or 4 bytes.
    fn length(&mut self, size: u8) -> Result<usize, PacketError> {
        let bytes = self.take(1 << size)?;
        Ok(bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)))
    }

    fn sized(&mut self, size: u8) -> Result<&'a [u8], PacketError> {
        let length = self.length(size)?;
        self.take(length)
    }

    fn fixext(&mut self, length: usize) -> Result<Item<'a>, PacketError> {
        let kind = i8::from_be_bytes(self.array()?);
        let bytes = self.take(length)?;
        Ok(match (kind, bytes) {
            (0, [_]) => Item::Undefined,
            (0, &[a, b, c, d, e, f, g, h]) => Item::Date(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
            _ => Item::Ext(kind, bytes),
        })
    }

    /// An `ArrayBuffer` where the type is 0.
    fn ext(&mut self, length: usize) -> Result<Item<'a>, PacketError> {
        let kind = i8::from_be_bytes(self.array()?);
        let bytes = self.take(length)?;
        Ok(match kind {
            0 => Item::Bin(bytes),
            _ => Item::Ext(kind, bytes),
        })
    }
}

fn signed(number: i64) -> Item<'static> {
    u64::try_from(number).map_or(Item::Int(number), Item::Uint)
}

/// Writes the JSON of values that were looked through before.
pub(super) struct Translator<'a> {
    reader: Reader<'a>,
    whole: &'a Bytes,
    limits: &'a Limits,
    attachments: Vec<Bytes>,
}

/// A list that is open.
struct Open {
    left: u64,
    map: bool,
    /// Nothing was written into it yet.
    empty: bool,
}

impl<'a> Translator<'a> {
    pub(super) fn new(whole: &'a Bytes, at: usize, limits: &'a Limits) -> Self {
        Self {
            reader: Reader { bytes: whole, at },
            whole,
            limits,
            attachments: Vec::new(),
        }
    }

    pub(super) fn limits(&self) -> &'a Limits {
        self.limits
    }

    pub(super) fn next(&mut self) -> Result<Item<'a>, PacketError> {
        self.reader.next()
    }

    /// The head of an array, and how many values are in it.
    pub(super) fn array(&mut self) -> Result<u32, PacketError> {
        match self.reader.is_at_end() {
            true => Err(PacketError::InvalidPayload),
            false => match self.next()? {
                Item::Array(count) => Ok(count),
                _ => Err(PacketError::InvalidPayload),
            },
        }
    }

    /// So many values, as arguments.
    pub(super) fn elements(&mut self, count: u32) -> Result<Args, PacketError> {
        let mut out = String::new();
        for index in 0..count {
            if index > 0 {
                out.push(',');
            }
            self.push_value(&mut out, 1)?;
        }
        Ok(Args::from_elements(out.into(), core::mem::take(&mut self.attachments)))
    }

    /// One value that holds no bytes.
    pub(super) fn value(&mut self) -> Result<String, PacketError> {
        let mut out = String::new();
        if self.reader.is_at_end() {
            return Err(PacketError::InvalidPayload);
        }
        self.push_value(&mut out, 0)?;
        match self.attachments.is_empty() {
            true => Ok(out),
            false => Err(PacketError::InvalidPayload),
        }
    }

    fn push_value(&mut self, out: &mut String, depth: usize) -> Result<(), PacketError> {
        let mut open: SmallVec<[Open; 8]> = SmallVec::new();
        loop {
            // A placeholder is an object, and has its depth; what notepack knows no name for is a list with one in it.
            let mut within = 0;
            match self.reader.next()? {
                Item::Array(count) => {
                    out.push('[');
                    open.push(Open {
                        left: count.into(),
                        map: false,
                        empty: true,
                    });
                }
                Item::Map(count) => {
                    out.push('{');
                    open.push(Open {
                        left: count.into(),
                        map: true,
                        empty: true,
                    });
                }
                item => {
                    within = match item {
                        Item::Bin(_) => 1,
                        Item::Ext(..) => 2,
                        _ => 0,
                    };
                    self.push_scalar(item, out);
                }
            }
            if open.len() + depth + within > self.limits.max_depth {
                return Err(JsonError::TooDeep.into());
            }
            if out.len() + self.attachments.len() * ATTACHMENT_OVERHEAD > self.limits.max_packet {
                return Err(PacketError::TooLarge);
            }
            // What is full is closed; what is not goes on with its next value.
            loop {
                let Some(innermost) = open.last_mut() else {
                    return Ok(());
                };
                if innermost.left == 0 {
                    out.push(if innermost.map { '}' } else { ']' });
                    open.pop();
                    continue;
                }
                innermost.left -= 1;
                if !core::mem::take(&mut innermost.empty) {
                    out.push(',');
                }
                if innermost.map {
                    let key = self.reader.next()?;
                    push_key(key, out)?;
                }
                break;
            }
        }
    }

    fn push_scalar(&mut self, item: Item<'a>, out: &mut String) {
        match item {
            Item::Nil | Item::Undefined | Item::Array(_) | Item::Map(_) => out.push_str("null"),
            Item::Bool(true) => out.push_str("true"),
            Item::Bool(false) => out.push_str("false"),
            Item::Uint(number) => out.push_str(&format!("{number}")),
            Item::Int(number) => out.push_str(&format!("{number}")),
            Item::Float(number) => out.push_str(&number_text(number)),
            Item::Str(text) => push_string(&String::from_utf8_lossy(text), out),
            Item::Bin(bytes) => self.push_attachment(bytes, out),
            Item::Date(millis) => push_date(millis, out),
            Item::Ext(kind, bytes) => {
                // As notepack hands it out.
                out.push_str(&format!("[{kind},"));
                self.push_attachment(bytes, out);
                out.push(']');
            }
        }
    }

    fn push_attachment(&mut self, bytes: &[u8], out: &mut String) {
        out.push_str(&format!("{{\"_placeholder\":true,\"num\":{}}}", self.attachments.len()));
        self.attachments.push(self.whole.slice_ref(bytes));
    }
}

/// JavaScript makes texts of whatever is a key; of those that make sense we do too.
fn push_key(key: Item<'_>, out: &mut String) -> Result<(), PacketError> {
    match key {
        Item::Str(text) => push_string(&String::from_utf8_lossy(text), out),
        Item::Uint(number) => out.push_str(&format!("\"{number}\"")),
        Item::Int(number) => out.push_str(&format!("\"{number}\"")),
        _ => return Err(PacketError::InvalidPayload),
    }
    out.push(':');
    Ok(())
}

/// A float as JavaScript writes it in JSON: whole ones without a fraction, and those that are no number as `null`.
pub(super) fn number_text(number: f64) -> String {
    if (-MAX_SAFE..=MAX_SAFE).contains(&number) && number as i64 as f64 == number {
        return format!("{}", number as i64);
    }
    match number.is_finite() {
        true => format!("{number:?}"),
        false => String::from("null"),
    }
}

/// A date as JavaScript writes it in JSON. One that it can not count to is no date.
fn push_date(millis: i64, out: &mut String) {
    const MAX_DATE: u64 = 8_640_000_000_000_000;
    if millis.unsigned_abs() > MAX_DATE {
        out.push_str("null");
        return;
    }
    let (days, in_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    match year {
        0..=9999 => out.push_str(&format!("\"{year:04}")),
        _ => out.push_str(&format!("\"{}{:06}", if year < 0 { '-' } else { '+' }, year.abs())),
    }
    let (seconds, millis) = (in_day / 1000, in_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    out.push_str(&format!(
        "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z\""
    ));
}

/// Year, month and day of a day counted from 1970. Years are taken to begin in March, so that the day that comes and goes is
/// the last; 400 of them always have 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}
