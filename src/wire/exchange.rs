//! What is to be known of a request when it is answered, whoever has read it.

use std::boxed::Box;
use std::string::String;

use crate::engineio::{Transport, Version};
use crate::http::{Coding, CorsAnswer, Endpoint, Look, RequestView, Route, SessionRequest};

/// What must be remembered of a request until it is answered.
#[derive(Default)]
pub(super) struct Exchange {
    pub(super) keep_alive: bool,
    pub(super) head_only: bool,
    /// The browser is one whose XSS filter must be told to leave text alone.
    pub(super) filters_xss: bool,
    /// The origin that may read the answer.
    pub(super) origin: Option<Box<str>>,
    /// How a long answer is to be compressed.
    pub(super) coding: Option<Coding>,
    /// The client takes no binary frames.
    pub(super) text_only: bool,
    pub(super) version: Version,
    /// What few requests have: a connection must be small.
    extras: Option<Box<Extras>>,
}

/// What few requests have.
#[derive(Default)]
struct Extras {
    /// The number of the function that the answer is to call.
    jsonp: Option<u64>,
    /// The application's header lines for this answer.
    lines: Option<String>,
    /// Those for the first answer of a session.
    initial: Option<String>,
}

impl Exchange {
    /// What a request wants its answer to be like, over a connection that ends with it.
    pub(super) fn new(endpoint: &Endpoint, view: &RequestView<'_>, look: &Look<'_>) -> Self {
        let terms = endpoint.terms();
        let route = &look.route;
        let polls = matches!(
            route,
            Route::Open(Transport::Polling)
                | Route::Session {
                    request: SessionRequest::Poll,
                    ..
                }
        );
        let accepted = || view.header("accept-encoding").and_then(Coding::preferred);
        let mut exchange = Self {
            head_only: view.method == "HEAD",
            filters_xss: view
                .header("user-agent")
                .is_some_and(|name| name.contains(";MSIE") || name.contains("Trident/")),
            origin: view
                .header("origin")
                .filter(|_| look.origin == CorsAnswer::Allow)
                .map(Into::into),
            coding: (polls && terms.compression().is_on()).then(accepted).flatten(),
            version: look.version.unwrap_or_default(),
            ..Self::default()
        };
        exchange.set_jsonp(look.jsonp);
        if *route != Route::NotOurs {
            exchange.set_lines(terms.lines_for(view, matches!(route, Route::Open(_))));
            exchange.text_only = !polls && matches!(view.query_value("b64").as_deref(), Some("1" | "true"));
        }
        exchange
    }

    pub(super) fn set_jsonp(&mut self, index: Option<u64>) {
        if index.is_some() {
            self.extras.get_or_insert_default().jsonp = index;
        }
    }

    pub(super) fn set_lines(&mut self, lines: Option<String>) {
        if lines.is_some() {
            self.extras.get_or_insert_default().lines = lines;
        }
    }

    pub(super) fn set_initial(&mut self, lines: Option<String>) {
        if lines.is_some() {
            self.extras.get_or_insert_default().initial = lines;
        }
    }

    pub(super) fn jsonp(&self) -> Option<u64> {
        self.extras.as_ref()?.jsonp
    }

    pub(super) fn lines(&self) -> &str {
        let lines = self.extras.as_ref().and_then(|extras| extras.lines.as_deref());
        lines.unwrap_or_default()
    }

    pub(super) fn initial(&self) -> &str {
        let lines = self.extras.as_ref().and_then(|extras| extras.initial.as_deref());
        lines.unwrap_or_default()
    }
}
