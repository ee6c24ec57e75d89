//! What the drivers write to the log: through `tracing` where that feature is on, nowhere where it is off.
//!
//! The machines log nothing; they report. A session is named by the first characters of its id, which tell it from
//! others and give nothing away. Whatever a peer has said is escaped, so that nobody forges a line or talks to a
//! terminal. `docs/logs.md` is the page for users: its targets, spans and fields are those here.

mod client;
mod handlers;
#[cfg(feature = "tracing")]
mod hub;
mod pace;
mod scope;
mod session;

use core::any::Any;
use core::fmt;

pub(crate) use client::ClientLog;
pub(crate) use handlers::handler_failed;
#[cfg(feature = "tracing")]
pub(crate) use hub::witness;
pub(crate) use pace::Pace;
pub(crate) use scope::Scope;
pub(crate) use session::SessionLog;

/// `log!(level, "area", field = value, "message {}", …)`, as in `tracing`; the target is `sansocket::area`. Fields have names.
macro_rules! log {
    ($level:ident, $area:literal, $($args:tt)+) => {{
        #[cfg(feature = "tracing")]
        tracing::$level!(target: concat!("sansocket::", $area), $($args)+);
        // The arguments are looked at either way, so that a feature can not make one unused.
        #[cfg(not(feature = "tracing"))]
        if false {
            $crate::runtime::log::look_at!($($args)+);
        }
    }};
}

#[cfg(not(feature = "tracing"))]
macro_rules! look_at {
    ($field:ident = ? $value:expr, $($rest:tt)+) => {
        let _unseen = &$value;
        $crate::runtime::log::look_at!($($rest)+);
    };
    ($field:ident = % $value:expr, $($rest:tt)+) => {
        let _unseen = &$value;
        $crate::runtime::log::look_at!($($rest)+);
    };
    ($field:ident = $value:expr, $($rest:tt)+) => {
        let _unseen = &$value;
        $crate::runtime::log::look_at!($($rest)+);
    };
    ($($message:tt)+) => {
        let _unseen = ::std::format_args!($($message)+);
    };
}

pub(crate) use log;
#[cfg(not(feature = "tracing"))]
pub(crate) use look_at;

use crate::engineio::Sid;

/// Without the feature nothing is kept of what is only for the log.
#[cfg(not(feature = "tracing"))]
const _: () = assert!(size_of::<Scope>() + size_of::<SessionLog>() + size_of::<ClientLog>() + size_of::<Pace>() == 0);

/// The first characters of an id: no more than a third of it, which is six of those that are drawn.
pub(crate) fn prefix(id: &str) -> &str {
    let length = (id.len() / 3).min(6);
    // An application's own ids may have characters of several bytes.
    (0..=length).rev().find_map(|end| id.get(..end)).unwrap_or_default()
}

/// The first characters of a session's id.
pub(crate) fn of_sid(sid: &Sid) -> &str {
    prefix(sid.as_str())
}

/// How much of a text stands in a line.
const MAX_TEXT: usize = 300;

/// As much of a name that a peer has chosen as stands in a line; to be shown by `?`, which escapes it.
pub(crate) fn cut(name: &str) -> &str {
    let end = name.char_indices().nth(MAX_TEXT).map(|(end, _)| end);
    &name[..end.unwrap_or(name.len())]
}

/// A text that others have a hand in, such as an application's error about what a client has sent: it stays in its line,
/// can not talk to a terminal, and is cut where it is long.
pub(crate) struct Line<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Line<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;

        struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>, usize);

        impl fmt::Write for Escaping<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for character in text.chars() {
                    self.1 += 1;
                    match self.1 {
                        ..=MAX_TEXT => {}
                        // Whatever is longer: once.
                        _ if self.1 == MAX_TEXT + 1 => return self.0.write_char('…'),
                        _ => return Ok(()),
                    }
                    match character {
                        // Quotes and backslashes stand for themselves.
                        '"' | '\'' | '\\' => self.0.write_char(character)?,
                        _ => write!(self.0, "{}", character.escape_debug())?,
                    }
                }
                Ok(())
            }
        }

        write!(Escaping(f, 0), "{}", self.0)
    }
}

impl<T: fmt::Display> fmt::Debug for Line<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a panic says, where it says something.
pub(crate) fn words_of(panic: &(dyn Any + Send)) -> Line<&str> {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<std::string::String>().map(|text| &text[..]));
    Line(text.unwrap_or("no words"))
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn a_line_stays_one() {
        let forged = "no\n2026-01-01 WARN forged \u{1b}[31m \u{202e} \u{7f}\u{85}\u{2028}";
        let line = format!("{}", Line(forged));
        assert!(
            !line
                .chars()
                .any(|character| character.is_control() || "\u{202e}\u{2028}".contains(character))
        );
        assert!(line.starts_with("no\\n2026"), "{line}");
        assert_eq!(format!("{}", Line(r#"it's "so" \o/"#)), r#"it's "so" \o/"#);
        let long = format!("{}", Line("a".repeat(1000)));
        assert_eq!(long.chars().count(), MAX_TEXT + 1);
        let pieces = format!("{}", Line(format_args!("{}{}", "a".repeat(300), "b".repeat(300))));
        assert_eq!(pieces.chars().count(), MAX_TEXT + 1);
    }

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(cut("/chat"), "/chat");
        assert_eq!(cut(&"ä".repeat(1000)), "ä".repeat(MAX_TEXT));
    }

    #[test]
    fn a_prefix_is_a_third_at_most() {
        for (id, wanted) in [
            ("", ""),
            ("ab", ""),
            ("abcd", "a"),
            ("äöüß", "ä"),
            ("abcdefghijklmnopqrst", "abcdef"),
        ] {
            assert_eq!(prefix(id), wanted, "{id}");
        }
    }
}
