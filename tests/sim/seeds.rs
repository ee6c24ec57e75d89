//! Many worlds one after the other, and the one line that repeats the one that failed.

use std::any::Any;
use std::cell::RefCell;
use std::env;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::abort;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use super::plan::{Family, Plan};
use super::rng::mix;
use super::world::{self, Outcome};

thread_local! {
    /// The first panic in the world that this thread runs. The server catches those of its handlers, as it should;
    /// here they must not go unnoticed.
    static PANIC: RefCell<Option<Option<String>>> = const { RefCell::new(None) };
}

fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let ours = PANIC.with_borrow_mut(|seen| match seen {
                Some(first) => {
                    first.get_or_insert_with(|| info.to_string());
                    true
                }
                None => false,
            });
            if !ours {
                usual(info);
            }
        }));
    });
}

/// One world; a panic anywhere in it is its failure.
fn world(family: Family, seed: u64, verbose: bool) -> Result<Outcome, String> {
    watch_panics();
    PANIC.set(Some(None));
    let result = panic::catch_unwind(AssertUnwindSafe(|| world::run(Plan::new(family, seed), verbose)));
    let panicked = PANIC.take().flatten();
    match (panicked, result) {
        (Some(message), _) => Err(message),
        (None, Ok(result)) => result,
        (None, Err(payload)) => Err(words(&*payload)),
    }
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".to_owned())
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.replace('_', "").parse(),
    };
    Some(number.unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// The line that repeats a world.
fn replay(family: Family, seed: u64) -> String {
    let test = family.test();
    format!(
        "replay: SANSOCKET_SIM_SEED={seed:#x} SANSOCKET_SIM_TRACE=1 cargo test --features tokio --test sim {test} -- --nocapture"
    )
}

/// Names the seed of a world that hangs for real: in a deadlock no virtual clock helps.
struct Watchdog(Arc<AtomicU64>);

/// No world takes a hundredth of it.
const PATIENCE: Duration = Duration::from_secs(60);

impl Watchdog {
    fn new(family: Family) -> Self {
        let seed = Arc::new(AtomicU64::new(0));
        let watched = Arc::downgrade(&seed);
        thread::spawn(move || {
            let mut since = Instant::now();
            let mut last = 0;
            while let Some(seed) = watched.upgrade().map(|seed| seed.load(Ordering::Relaxed)) {
                if seed != last {
                    (last, since) = (seed, Instant::now());
                }
                if since.elapsed() > PATIENCE {
                    let _ = writeln!(io::stderr(), "a world hangs\n{}", replay(family, seed));
                    abort();
                }
                thread::sleep(Duration::from_millis(200));
            }
        });
        Self(seed)
    }
}

/// Worlds of a family until it has had its share (in percent) of the sessions.
pub fn run(family: Family, share: u64) {
    if let Some(seed) = number("SANSOCKET_SIM_SEED") {
        let verbose = env::var_os("SANSOCKET_SIM_TRACE").is_some_and(|value| value != "0");
        let watchdog = Watchdog::new(family);
        watchdog.0.store(seed, Ordering::Relaxed);
        println!("{:?}", must(family, seed, verbose));
        return;
    }
    let sessions = number("SANSOCKET_SIM_SESSIONS").unwrap_or(2_000) * share / 100;
    let base = number("SANSOCKET_SIM_BASE").unwrap_or(0);
    let begun = Instant::now();
    let watchdog = Watchdog::new(family);
    let mut total = Outcome::default();
    let mut worlds = 0;
    while total.sessions < sessions {
        let seed = mix(mix(base, family as u64), worlds);
        watchdog.0.store(seed, Ordering::Relaxed);
        total.add(&must(family, seed, false));
        worlds += 1;
    }
    // Past the test harness, which shows what is printed only where a test fails.
    let _ = writeln!(
        io::stderr(),
        "{}: {} sessions in {worlds} worlds, {:.1} virtual hours, {} messages, {} recovered, {} MB, {} polls, faults {:?}, {:.1} s",
        family.test(),
        total.sessions,
        total.micros as f64 / 3.6e9,
        total.messages,
        total.recovered,
        total.bytes / 1_000_000,
        total.polls,
        total.faults,
        begun.elapsed().as_secs_f64(),
    );
}

/// A world that must keep its promises.
pub fn must(family: Family, seed: u64, verbose: bool) -> Outcome {
    world(family, seed, verbose).unwrap_or_else(|violation| {
        println!("{}", replay(family, seed));
        panic!("{violation}");
    })
}
