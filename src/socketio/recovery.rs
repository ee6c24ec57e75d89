//! Connection state recovery, on the server: what is kept of sockets that went away without wanting to, and what they miss.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::time::Duration;

use super::{Encoded, Json, Selection};
use crate::engineio::Str;
use crate::time::Instant;

/// What an entry costs beside what it holds.
const ENTRY_OVERHEAD: usize = 128;

/// The limits of a [`Recovery`]. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryConfig {
    /// How long a socket may be away. 2 min.
    pub max_duration: Duration,
    /// How much is kept of what was sent. The oldest goes first; who would need it is not recovered. 16,000,000.
    pub max_log: usize,
    /// How much is kept of sockets that are away: their ids and rooms, and 128 for each. What the application's own data
    /// holds is not counted. The one that is away longest goes first. 4,000,000.
    pub max_kept: usize,
}

/// The defaults, for sockets that may be away so long.
impl From<Duration> for RecoveryConfig {
    fn from(max_duration: Duration) -> Self {
        Self {
            max_duration,
            ..Self::default()
        }
    }
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self {
            max_duration: Duration::from_secs(120),
            max_log: 16_000_000,
            max_kept: 4_000_000,
        }
    }
}

/// What a namespace remembers for sockets whose connection was lost, so that those who come back soon miss nothing: as in
/// the JavaScript reference, and with its clients.
///
/// Each event that is sent, to one or to many, has its place in the order of all, the offset, as an extra last argument. A
/// client that comes back shows the last offset that it has seen, and the secret that
/// [`accept`](super::server::Connection::accept) gave it. Events that want an acknowledgement, and volatile ones, are not
/// recorded.
///
/// Whoever holds it must let nobody record between a [`restore`](Self::restore) and the socket's being in its rooms again.
///
/// ```
/// use sansocket::socketio::{Args, Encoded, Recovery, RecoveryConfig, Selection};
/// use sansocket::time::Instant;
///
/// let now = Instant::from_micros(0);
/// let mut recovery = Recovery::new(RecoveryConfig::default());
/// let encode = |offset: &str| Encoded::new(format!(r#"2["news","{offset}"]"#).into(), vec![]);
///
/// // 1. Everything that is sent is recorded.
/// let all = Selection::all();
/// recovery.record(now, &all, encode); // the client has seen this, and its offset is "0"
/// // 2. A socket goes, and misses something.
/// recovery.keep(now, "secret", "id", ["news".into()], "its data");
/// recovery.record(now, &all, encode);
/// // 3. It comes back.
/// let back = recovery.restore(now, "secret", "0").unwrap();
/// assert_eq!((&back.sid[..], back.data, back.missed.len()), ("id", "its data", 1));
/// ```
#[derive(Debug)]
pub struct Recovery<T> {
    config: RecoveryConfig,
    /// What every offset begins with.
    tag: Str,
    log: VecDeque<Entry>,
    log_cost: usize,
    /// The offset of the next event. The log holds those right before it.
    next: u64,
    kept: BTreeMap<Str, Kept<T>>,
    by_age: BTreeSet<(Instant, Str)>,
    kept_cost: usize,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    selection: Selection,
    packet: Encoded,
}

impl Entry {
    fn cost(&self) -> usize {
        ENTRY_OVERHEAD + self.selection.cost() + self.packet.size()
    }
}

#[derive(Debug)]
struct Kept<T> {
    since: Instant,
    sid: Str,
    rooms: Vec<Str>,
    data: T,
}

impl<T> Kept<T> {
    fn cost(&self, pid: &str) -> usize {
        let rooms: usize = self.rooms.iter().map(|room| room.len() + size_of::<Str>()).sum();
        ENTRY_OVERHEAD + pid.len() + self.sid.len() + rooms
    }
}

/// A socket that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered<T> {
    /// The id that it had, and has again.
    pub sid: Str,
    /// The rooms that it was in, without its own.
    pub rooms: Vec<Str>,
    /// What the application kept of it.
    pub data: T,
    /// What it missed, in order: to be sent right behind the answer to its CONNECT.
    pub missed: Vec<Encoded>,
}

/// What a client that comes back shows in the payload of its CONNECT: its secret, and the last offset that it has seen.
pub fn recovery_request(auth: &Json) -> Option<(String, String)> {
    let text = |name: &str| Some(auth.field(name)?.text()?.into_owned());
    Some((text("pid")?, text("offset")?))
}

impl<T> Recovery<T> {
    /// Nothing to remember.
    pub fn new(config: RecoveryConfig) -> Self {
        Self {
            config,
            tag: Str::new(),
            log: VecDeque::new(),
            log_cost: 0,
            next: 0,
            kept: BTreeMap::new(),
            by_age: BTreeSet::new(),
            kept_cost: 0,
        }
    }

    /// The same, with offsets that begin with this text. Clients take the text that an event ends with for its offset,
    /// whether it is one or not: one that nobody else says keeps them from being given what they have seen.
    #[must_use]
    pub fn tagged(mut self, tag: &str) -> Self {
        self.tag = tag.into();
        self
    }

    /// The offset that the next event will have.
    pub fn next_offset(&self) -> String {
        let mut offset = String::from(&self.tag[..]);
        // A `String` takes whatever is written to it.
        let _ = write!(offset, "{}", self.next);
        offset
    }

    /// An event is sent to these: `encode` makes its packet, with the offset that it is given as the last argument.
    pub fn record(&mut self, now: Instant, selection: &Selection, encode: impl FnOnce(&str) -> Encoded) -> Encoded {
        let offset = self.next_offset();
        let packet = encode(&offset);
        self.next += 1;
        let entry = Entry {
            at: now,
            selection: selection.clone(),
            packet: packet.clone(),
        };
        self.log_cost += entry.cost();
        self.log.push_back(entry);
        self.forget_old(now);
        packet
    }

    /// A socket went, for a reason that [can be recovered from](super::server::DisconnectReason::is_recoverable). `rooms`
    /// are those that it was in, without its own.
    pub fn keep(&mut self, now: Instant, pid: &str, sid: &str, rooms: impl IntoIterator<Item = Str>, data: T) {
        self.drop_kept(pid);
        let pid = Str::from(pid);
        let kept = Kept {
            since: now,
            sid: sid.into(),
            rooms: rooms.into_iter().collect(),
            data,
        };
        self.kept_cost += kept.cost(&pid);
        self.by_age.insert((now, pid.clone()));
        self.kept.insert(pid, kept);
        self.forget_old(now);
    }

    /// A client came back with what [`recovery_request`] reads. `None`: too late, or unknown, and to be treated as a new one;
    /// nothing is kept of it either way.
    pub fn restore(&mut self, now: Instant, pid: &str, offset: &str) -> Option<Recovered<T>> {
        self.forget_old(now);
        let Kept { sid, rooms, data, .. } = self.drop_kept(pid)?;
        let missed = self.missed(&sid, &rooms, offset)?;
        Some(Recovered {
            sid,
            rooms,
            data,
            missed,
        })
    }

    /// What a socket of this id and in these rooms has missed since the event of this offset. `None` where that is not
    /// known any more.
    pub fn missed(&self, sid: &Str, rooms: &[Str], offset: &str) -> Option<Vec<Encoded>> {
        let first = self.next - self.log.len() as u64;
        let seen: u64 = offset.strip_prefix(&self.tag[..])?.parse().ok()?;
        let missed_from = seen.checked_add(1)?;
        if missed_from < first || missed_from > self.next {
            return None;
        }
        let skip = usize::try_from(missed_from - first).ok()?;
        let missed = self
            .log
            .iter()
            .skip(skip)
            .filter(|entry| entry.selection.includes(core::iter::once(sid).chain(rooms)));
        Some(missed.map(|entry| entry.packet.clone()).collect())
    }

    /// Whether a socket of this secret is away, and can come back.
    pub fn is_kept(&self, pid: &str) -> bool {
        self.kept.contains_key(pid)
    }

    /// Forgets what is too old. Afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.forget_old(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if at all.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let log = self.log.front().map(|entry| entry.at);
        let kept = self.by_age.first().map(|(since, _)| *since);
        log.into_iter().chain(kept).min().map(|oldest| self.end_of(oldest))
    }

    /// How many sockets are kept that are away.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether no socket is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn end_of(&self, since: Instant) -> Instant {
        since + self.config.max_duration.max(Duration::from_millis(1))
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some(oldest) = self.log.front() {
            if self.log_cost <= self.config.max_log && self.end_of(oldest.at) > now {
                break;
            }
            self.log_cost -= oldest.cost();
            self.log.pop_front();
        }
        if self.log.is_empty() && self.log.capacity() > 64 {
            self.log = VecDeque::new();
        }
        while let Some((since, pid)) = self.by_age.first() {
            if self.kept_cost <= self.config.max_kept && self.end_of(*since) > now {
                break;
            }
            let pid = pid.clone();
            self.drop_kept(&pid);
        }
    }

    fn drop_kept(&mut self, pid: &str) -> Option<Kept<T>> {
        let (pid, kept) = self.kept.remove_entry(pid)?;
        self.kept_cost -= kept.cost(&pid);
        self.by_age.remove(&(kept.since, pid));
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;
    use crate::engineio::Data;

    fn at(secs: u64) -> Instant {
        Instant::from_micros(secs * 1_000_000)
    }

    fn record(recovery: &mut Recovery<u8>, secs: u64, selection: &Selection) {
        let packet = recovery.record(at(secs), selection, |offset| Encoded::new(offset.into(), vec![]));
        assert_eq!(packet.count(), 1);
    }

    fn offsets(missed: &[Encoded]) -> Vec<String> {
        let text = |packet: &Encoded| match packet.messages().next() {
            Some(Data::Text(text)) => String::from(&text[..]),
            other => panic!("{other:?}"),
        };
        missed.iter().map(text).collect()
    }

    #[test]
    fn who_comes_back_gets_what_was_for_it() {
        let mut recovery = Recovery::new(RecoveryConfig::default());
        let all = Selection::all();
        for selection in [
            all.clone(),
            all.clone(),
            all.clone().to("news"),
            all.clone().to("other"),
            all.clone().to("id"),
            all.clone().except("news"),
            all.clone().to("id").except("id"),
            all.clone(),
        ] {
            record(&mut recovery, 1, &selection);
        }
        for (offset, missed) in [("0", &["1", "2", "4", "7"][..]), ("3", &["4", "7"]), ("7", &[])] {
            recovery.keep(at(1), "pid", "id", ["news".into()], 5);
            let back = recovery.restore(at(100), "pid", offset).unwrap();
            assert_eq!(
                (&back.sid[..], &back.rooms[..], back.data),
                ("id", &["news".into()][..], 5)
            );
            assert_eq!(offsets(&back.missed), missed);
            // Once.
            assert_eq!(recovery.restore(at(100), "pid", offset), None);
        }
        for nonsense in ["8", "18446744073709551615", "-1", "", "x", "99999999999999999999"] {
            recovery.keep(at(1), "pid", "id", [], 5);
            assert_eq!(recovery.restore(at(1), "pid", nonsense), None);
            assert!(recovery.is_empty());
        }
        assert_eq!(recovery.restore(at(1), "unknown", "0"), None);
    }

    #[test]
    fn time_and_memory_are_bounded() {
        let config = RecoveryConfig {
            max_log: 1000,
            max_kept: 1000,
            ..RecoveryConfig::default()
        };
        let mut recovery = Recovery::new(config);
        for index in 0..100 {
            record(&mut recovery, 1, &Selection::all());
            recovery.keep(at(1), &format!("pid{index:03}"), "id", ["room".into()], 1);
            assert!(recovery.log_cost <= 1000 && recovery.kept_cost <= 1000);
        }
        assert!(recovery.len() < 10 && recovery.log.len() < 10);
        assert_eq!(recovery.restore(at(1), "pid000", "99"), None);
        // What it missed is not there any more.
        assert_eq!(recovery.restore(at(1), "pid098", "0"), None);
        assert_eq!(
            offsets(&recovery.restore(at(1), "pid099", "97").unwrap().missed),
            ["98", "99"]
        );
        // Larger than all that may be kept: whoever has not seen it can not be recovered.
        recovery.keep(at(1), "late", "id", [], 1);
        let large = "x".repeat(2000);
        recovery.record(at(1), &Selection::all(), |_| Encoded::new(large[..].into(), vec![]));
        assert_eq!(recovery.restore(at(1), "late", "99"), None);
        recovery.keep(at(1), "late", "id", [], 1);
        assert!(recovery.restore(at(1), "late", "100").is_some());

        recovery.keep(at(2), "late", "id", [], 1);
        record(&mut recovery, 3, &Selection::all());
        assert_eq!(recovery.poll_timeout(), Some(at(121)));
        recovery.handle_timeout(at(121));
        assert_eq!(recovery.poll_timeout(), Some(at(122)));
        recovery.handle_timeout(at(123));
        assert!(recovery.is_empty());
        assert_eq!(
            (recovery.poll_timeout(), recovery.log_cost, recovery.kept_cost),
            (None, 0, 0)
        );
    }

    #[test]
    fn a_tag_tells_offsets_from_other_texts() {
        let mut recovery = Recovery::new(RecoveryConfig::from(Duration::from_secs(9))).tagged("t-");
        record(&mut recovery, 1, &Selection::all());
        assert_eq!(recovery.next_offset(), "t-1");
        for (offset, comes_back) in [("0", false), ("t-", false), ("t-0", true), ("t-2", false)] {
            recovery.keep(at(1), "pid", "id", [], 1);
            assert!(recovery.is_kept("pid"));
            assert_eq!(recovery.restore(at(9), "pid", offset).is_some(), comes_back, "{offset}");
            assert!(!recovery.is_kept("pid"));
        }
        recovery.keep(at(1), "pid", "id", [], 1);
        assert_eq!(recovery.restore(at(10), "pid", "t-0"), None);
    }

    #[test]
    fn requests() {
        let json = |text: &'static str| Json::new(text).unwrap();
        let request = recovery_request(&json("{\"pid\":\"p\",\"offset\":\"o\",\"token\":1}"));
        assert_eq!(request, Some(("p".into(), "o".into())));
        for other in [
            "{}",
            "{\"pid\":\"p\"}",
            "{\"pid\":1,\"offset\":\"o\"}",
            "{\"pid\":\"p\",\"offset\":null}",
            "[]",
        ] {
            assert_eq!(recovery_request(&json(other)), None);
        }
    }
}
