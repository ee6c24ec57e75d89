//! Everything that is written to the log of this process, in the order of its writing.

use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub struct Line {
    pub level: Level,
    pub target: String,
    /// The spans around it, the outermost first: `name{field=value …}`.
    pub spans: Vec<String>,
    /// The message, and behind it ` field=value` for each field.
    pub text: String,
}

impl Line {
    pub fn is_in(&self, span: &str) -> bool {
        self.spans.iter().any(|own| own.starts_with(&format!("{span}{{")))
    }

    /// The value of a field of a span around it.
    pub fn of_span(&self, span: &str, field: &str) -> Option<&str> {
        let own = self.spans.iter().find(|own| own.starts_with(&format!("{span}{{")))?;
        let behind = own.split_once(&format!("{field}="))?.1;
        behind.split([' ', '}']).next()
    }
}

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());

fn lines() -> MutexGuard<'static, Vec<Line>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One test at a time: they share the log.
pub struct Turn(#[allow(dead_code, reason = "it is held, not used")] MutexGuard<'static, ()>);

pub fn begin() -> Turn {
    static TURN: Mutex<()> = Mutex::new(());
    static START: Once = Once::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    START.call_once(|| {
        let subscriber = Registry::default().with(Capture);
        tracing::subscriber::set_global_default(subscriber).expect("nobody else has set one");
    });
    lines().clear();
    Turn(turn)
}

pub fn all() -> Vec<Line> {
    lines().clone()
}

/// The first line of this target with this in it, as soon as there is one.
#[track_caller]
pub fn wait_for(target: &str, text: &str) -> Line {
    wait_for_in("", target, text)
}

/// The same of one session.
#[track_caller]
pub fn wait_for_in(sid: &str, target: &str, text: &str) -> Line {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = lines()
            .iter()
            .filter(|line| sid.is_empty() || line.of_span("session", "sid") == Some(sid))
            .find(|line| line.target == target && line.text.contains(text))
            .cloned();
        if let Some(found) = found {
            return found;
        }
        assert!(Instant::now() < deadline, "no {text:?} of {target} in {:#?}", all());
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// How often something that is told every ten seconds may have been told since then: once, unless the machine is very busy.
pub fn most_told_since(then: Instant) -> usize {
    1 + usize::try_from(then.elapsed().as_secs() / 10).expect("a test is short")
}

/// Nothing in the log says more than one line, or talks to a terminal; and nothing tells a secret.
#[track_caller]
pub fn assert_tells_nothing(secrets: &[&str]) {
    for line in all() {
        let whole = format!("{line:?}");
        for text in line.spans.iter().chain([&line.text]) {
            assert!(!text.chars().any(char::is_control), "{whole}");
        }
        for secret in secrets {
            assert!(!secret.is_empty() && !whole.contains(secret), "{secret}: {whole}");
        }
    }
}

struct Capture;

struct Written(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let span = context.span(id).expect("a span that has just begun");
        let written = format!("{}{{{}}}", span.name(), fields.rest.trim_start());
        span.extensions_mut().insert(Written(written));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let target = event.metadata().target();
        if !target.starts_with("sansocket") && target != "app" {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root());
        let spans = spans.filter_map(|span| Some(span.extensions().get::<Written>()?.0.clone()));
        let line = Line {
            level: *event.metadata().level(),
            target: target.to_owned(),
            spans: spans.collect(),
            text: fields.message + &fields.rest,
        };
        lines().push(line);
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _infallible = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.rest, " {name}={value:?}"),
        };
    }

    /// As it is: whoever writes JSON escapes it, and whoever writes lines may not.
    fn record_str(&mut self, field: &Field, value: &str) {
        let _infallible = write!(self.rest, " {}={value}", field.name());
    }
}
