//! How values are written on the command line.

use std::time::Duration;

use clap::ValueEnum;

/// The runtime to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RuntimeName {
    Tokio,
    Smol,
    AsyncStd,
    /// Plain threads, without an async runtime
    #[cfg(unix)]
    Blocking,
}

/// `300ms`, `25s`, `2m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err("a duration is written 300ms, 25s or 2m".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a duration is written 300ms, 25s or 2m")?;
    match number.checked_mul(millis) {
        Some(millis) if millis <= 100_000_000_000 => Ok(Duration::from_millis(millis)),
        _ => Err("that is longer than anybody waits".into()),
    }
}

/// `1000000`, `64kB`, `1MB` (powers of ten).
pub fn size(text: &str) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let bytes = match unit {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err("a size is written 1000000, 64kB or 1MB".into()),
    };
    let number: usize = number.parse().map_err(|_| "a size is written 1000000, 64kB or 1MB")?;
    number
        .checked_mul(bytes)
        .ok_or_else(|| "that is more than there is".into())
}

/// A number of things of which there has to be one at least.
pub fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err("say a number, 1 or more".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("25s"), Ok(Duration::from_secs(25)));
        for wrong in [
            "",
            "25",
            "s",
            "-1s",
            "1.5s",
            "1h",
            "99999999999999999999s",
            "99999999999999999s",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("1000000"), Ok(1_000_000));
        assert_eq!(size("1MB"), Ok(1_000_000));
        for wrong in ["", "MB", "-1", "1MiB", "99999999999999999999", "9999999999999GB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
