//! What a browser has already, and which part it wants (RFC 9110, sections 13 and 14).

use alloc::format;
use alloc::string::String;
use core::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a file is known by.
#[derive(Clone, Debug)]
pub(super) struct Validators {
    pub(super) etag: String,
    /// In whole seconds, as HTTP has it.
    pub(super) modified: Option<SystemTime>,
    pub(super) length: u64,
}

/// What is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All of it: 200.
    Whole,
    /// This part: 206.
    Part(Range<u64>),
    /// The client has it: 304.
    NotModified,
    /// It is not what the client thinks that it is: 412.
    Failed,
    /// There is no such part: 416.
    Unsatisfiable,
}

impl Validators {
    pub(super) fn new(length: u64, modified: Option<SystemTime>) -> Self {
        let since = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
        Self {
            etag: format!("\"{length:x}-{:x}\"", since.unwrap_or_default().as_nanos()),
            modified: since.map(|since| UNIX_EPOCH + Duration::from_secs(since.as_secs())),
            length,
        }
    }

    /// Looks at a request's conditions, in the order that is prescribed.
    pub(super) fn judge<'a>(&self, is_get: bool, header: impl Fn(&str) -> Option<&'a str>) -> Verdict {
        let since = |name| header(name).and_then(|date| httpdate::parse_http_date(date).ok());
        if let Some(tags) = header("if-match") {
            if !self.is_one_of(tags, false) {
                return Verdict::Failed;
            }
        } else if let (Some(date), Some(modified)) = (since("if-unmodified-since"), self.modified) {
            if modified > date {
                return Verdict::Failed;
            }
        }
        if let Some(tags) = header("if-none-match") {
            if self.is_one_of(tags, true) {
                return Verdict::NotModified;
            }
        } else if let (Some(date), Some(modified)) = (since("if-modified-since"), self.modified) {
            if modified <= date {
                return Verdict::NotModified;
            }
        }
        let Some(range) = header("range").filter(|_| is_get) else {
            return Verdict::Whole;
        };
        // A part of something else than what the client has the rest of is of no use.
        let same = match header("if-range") {
            None => true,
            // A date may begin with the W of a Wednesday.
            Some(tag) if tag.starts_with('"') || tag.starts_with("W/") => tag == self.etag,
            Some(date) => self.modified.is_some() && httpdate::parse_http_date(date).ok() == self.modified,
        };
        if same { self.part(range) } else { Verdict::Whole }
    }

    fn is_one_of(&self, tags: &str, weakly: bool) -> bool {
        let bare = |tag: &'_ str| -> bool {
            let tag = if weakly {
                tag.strip_prefix("W/").unwrap_or(tag)
            } else {
                tag
            };
            tag == self.etag
        };
        tags.trim() == "*" || tags.split(',').any(|tag| bare(tag.trim()))
    }

    /// One range. Of several the whole is given, as it may be: nobody needs them, and they make much work of few bytes.
    fn part(&self, range: &str) -> Verdict {
        let number = |text: &str| match text {
            _ if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) => None,
            // More digits than fit are behind every end.
            _ => Some(text.parse().unwrap_or(u64::MAX)),
        };
        let range = range
            .split_once('=')
            .filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
        let Some((first, last)) = range.and_then(|(_, range)| range.trim().split_once('-')) else {
            return Verdict::Whole;
        };
        let range = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(self.length),
            (Some(first), None) if last.is_empty() => first..self.length,
            (None, Some(last)) if first.is_empty() => self.length - last.min(self.length)..self.length,
            _ => return Verdict::Whole,
        };
        if range.is_empty() {
            Verdict::Unsatisfiable
        } else {
            Verdict::Part(range)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn judge(headers: &[(&str, &str)]) -> Verdict {
        let modified = UNIX_EPOCH + Duration::from_millis(784_111_777_500);
        let validators = Validators::new(100, Some(modified));
        let tag = validators.etag.clone();
        validators.judge(true, |name| {
            let found = headers.iter().find(|header| header.0 == name)?;
            Some(if found.1 == "TAG" { &tag } else { found.1 })
        })
    }

    #[test]
    fn what_the_client_has() {
        use Verdict::{Failed, NotModified, Whole};
        let weak = format!("W/{}", Validators::new(100, None).etag);
        assert_ne!(judge(&[("if-none-match", &weak)]), NotModified);
        for (headers, verdict) in [
            (&[("if-none-match", "TAG")][..], NotModified),
            (&[("if-none-match", "\"x\", *")], Whole),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"x\"")], Whole),
            (&[("if-modified-since", DATE)], NotModified),
            (&[("if-modified-since", LATER)], NotModified),
            (&[("if-modified-since", EARLIER)], Whole),
            (&[("if-modified-since", "yesterday")], Whole),
            (&[("if-none-match", "\"x\""), ("if-modified-since", LATER)], Whole),
            (&[("if-match", "TAG")], Whole),
            (&[("if-match", "*")], Whole),
            (&[("if-match", "\"x\"")], Failed),
            (&[("if-unmodified-since", DATE)], Whole),
            (&[("if-unmodified-since", EARLIER)], Failed),
        ] {
            assert_eq!(judge(headers), verdict, "{headers:?}");
        }
    }

    #[test]
    fn parts() {
        use Verdict::{Part, Unsatisfiable, Whole};
        for (range, verdict) in [
            ("bytes=0-0", Part(0..1)),
            ("bytes=0-99", Part(0..100)),
            ("bytes=90-1000", Part(90..100)),
            ("bytes=90-", Part(90..100)),
            ("bytes=-10", Part(90..100)),
            ("bytes=-1000", Part(0..100)),
            ("Bytes=99-99999999999999999999999", Part(99..100)),
            ("bytes=100-", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=2-1", Whole),
            ("bytes=0-1,5-6", Whole),
            ("bytes=", Whole),
            ("bytes=-", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("lines=0-1", Whole),
            ("0-1", Whole),
        ] {
            assert_eq!(judge(&[("range", range)]), verdict, "{range}");
        }
        let range = [("range", "bytes=0-0"), ("if-range", "Wed, 09 Nov 1994 08:49:37 GMT")];
        let modified = UNIX_EPOCH + Duration::from_secs(784_370_977);
        let of_a_wednesday = Validators::new(100, Some(modified));
        let header = |name: &str| range.iter().find(|header| header.0 == name).map(|header| header.1);
        assert_eq!(of_a_wednesday.judge(true, header), Part(0..1));
        for (if_range, verdict) in [
            ("TAG", Part(0..1)),
            ("\"x\"", Whole),
            ("W/\"x\"", Whole),
            (DATE, Part(0..1)),
            (LATER, Whole),
        ] {
            let headers = [("range", "bytes=0-0"), ("if-range", if_range)];
            assert_eq!(judge(&headers), verdict, "{if_range}");
        }
    }
}
