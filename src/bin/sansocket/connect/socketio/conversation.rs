//! The conversation with a Socket.IO server: what happens is said on stdout, and what comes on stdin is done.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending};
use std::pin::Pin;
use std::process::ExitCode;

use sansocket::engineio::{CloseReason, Transport};
use sansocket::runtime::Runtime;
use sansocket::runtime::socketio::client::{
    AckError, AckToken, Client, ClientEvent, ClientEvents, ClientSocket, ConnectFailed, EmitError,
};
use sansocket::socketio::Args;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::Arguments;
use super::super::conversation::{Asked, LAST_WORDS, next_line, next_signal};
use super::super::input::lines;
use super::super::output::{Output, printable, reason};
use super::input::{Emit, Line, parse};
use super::values::text_of;
use crate::signals::Signals;

/// How many events may wait for their answers; of more, the oldest can not be answered any more.
const MAX_UNANSWERED: usize = 100_000;

type Answering = Pin<Box<dyn Future<Output = Result<(), EmitError>> + Send>>;
type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

pub struct Conversation<R> {
    client: Client<R>,
    events: ClientEvents,
    out: Output,
    /// Only these events are printed; all of them if there are none.
    wanted: BTreeSet<String>,
    auth: Option<Value>,
    /// The sockets, and whether they are connected.
    sockets: BTreeMap<String, (ClientSocket, bool)>,
    /// Where events go that say nothing else.
    first: String,
    /// The numbers that stdin knows the awaited acknowledgements by.
    awaited: BTreeMap<(String, u64), u64>,
    /// The events that want an answer.
    unanswered: BTreeMap<(String, u64), AckToken>,
    open: bool,
    asked: Asked,
    /// The client was told to close, and not only found to be closed.
    closing: bool,
    /// An event, and when there may be room for it.
    held: Option<(Emit, Waiting)>,
    /// An acknowledgement that waits for room.
    answering: Option<Answering>,
    /// How many events were not delivered, as has been said.
    lost: usize,
    /// How the last session ended, or why there was none.
    ended: Option<String>,
    /// The last session ended as it should.
    in_order: Option<bool>,
}

impl<R: Runtime> Conversation<R> {
    pub fn new(client: Client<R>, events: ClientEvents, arguments: &Arguments) -> Self {
        let mut names = arguments.namespace.clone();
        if names.is_empty() {
            names.push("/".into());
        }
        let sockets = names.iter().filter_map(|name| client.of(name));
        let sockets = sockets.map(|socket| (socket.namespace().to_owned(), (socket, false)));
        Self {
            first: client.namespace().to_owned(),
            sockets: sockets.collect(),
            client,
            events,
            out: Output::new(arguments.json),
            wanted: arguments.event.iter().cloned().collect(),
            auth: arguments.auth.as_ref().map(|auth| auth.0.clone()),
            awaited: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            open: false,
            asked: Asked::Nothing,
            closing: false,
            held: None,
            answering: None,
            lost: 0,
            ended: None,
            in_order: None,
        }
    }

    pub async fn run(mut self) -> ExitCode {
        let mut lines = Some(lines(self.out.json, parse));
        // Without them, the system ends the program as it ends others.
        let mut signals = Signals::new(Some(LAST_WORDS)).ok();
        loop {
            // Nothing is read while something waits for room, nor once the conversation is to end.
            let listens = self.held.is_none() && self.answering.is_none() && self.asked == Asked::Nothing;
            tokio::select! {
                event = self.events.next() => match event {
                    Some(event) => self.handle_event(event),
                    None => break,
                },
                () = room(&mut self.held), if self.held.is_some() => {
                    if let Some((emit, _)) = self.held.take() {
                        self.emit(emit);
                    }
                }
                answered = answer(&mut self.answering), if self.answering.is_some() => {
                    self.answering = None;
                    match answered {
                        Ok(()) => {}
                        Err(EmitError::TooLarge(args)) => {
                            self.too_large(&format!("an acknowledgement with {}", start_of(&args)));
                        }
                        Err(error) => self.not_delivered("an acknowledgement", &error.to_string()),
                    }
                }
                line = next_line(&mut lines), if listens => self.handle_line(line, &mut lines),
                signal = next_signal(&mut signals) => self.interrupt(signal.status()),
            }
            if self.out.is_closed() {
                // Nobody listens any more.
                self.ask(Asked::Close);
            }
            self.close_if_asked();
        }
        self.finish(lines)
    }

    // ---- stdin ----

    fn handle_line(&mut self, line: Option<Line>, lines: &mut Option<mpsc::Receiver<Line>>) {
        match line {
            Some(Line::Emit(emit)) => self.emit(emit),
            Some(Line::Ack { id, args, namespace }) => self.answer(id, args, namespace),
            Some(Line::Connect { namespace, auth }) => self.connect(&namespace, auth),
            Some(Line::Disconnect { namespace }) => match self.client.of(&namespace) {
                Some(socket) => {
                    self.sockets.remove(socket.namespace());
                    socket.disconnect();
                }
                None => self
                    .out
                    .error("usage", &format!("there is no socket for {namespace:?}")),
            },
            Some(Line::Close) => self.ask(Asked::Close),
            Some(Line::Wrong(why)) => self.out.error("usage", &why),
            None => {
                *lines = None;
                self.ask(Asked::EndOfInput);
            }
        }
    }

    fn connect(&mut self, namespace: &str, auth: Option<Value>) {
        let joined = match auth.or_else(|| self.auth.clone()) {
            Some(auth) => self.client.join_with(namespace, &auth),
            None => self.client.join(namespace),
        };
        match joined {
            Ok(socket) => {
                self.sockets.insert(socket.namespace().to_owned(), (socket, false));
            }
            Err(ConnectFailed::Closed) => {
                let why = format!("{namespace:?} can not be joined: the connection has ended");
                self.out.error("connection", &why);
            }
            Err(error) => self
                .out
                .error("usage", &format!("{namespace:?} can not be joined: {error}")),
        }
    }

    fn emit(&mut self, emit: Emit) {
        let namespace = emit.namespace.clone().unwrap_or_else(|| self.first.clone());
        let Some(socket) = self.client.of(&namespace) else {
            let why = format!("there is no socket for {namespace:?}");
            return self.not_delivered(&name_of(&emit.name, &emit.args), &why);
        };
        let args = emit.args.clone();
        let emitted = match emit.ack {
            None => socket.try_emit(&emit.name, args).map(|()| None),
            Some(_) => socket.emit_with_ack(&emit.name, args, emit.timeout).map(Some),
        };
        match emitted {
            Ok(id) => {
                if let (Some(id), Some(own)) = (id, emit.ack) {
                    self.awaited.insert((socket.namespace().to_owned(), id), own);
                }
            }
            Err(EmitError::Full(_)) if socket.is_connected() => {
                self.held = Some((emit, Box::pin(async move { socket.ready().await })));
            }
            Err(EmitError::ReservedName(_)) => {
                let why = format!("not sent: {:?} is no name for an event: it is reserved", emit.name);
                self.out.error("usage", &why);
            }
            Err(error) => self.not_delivered(&name_of(&emit.name, &emit.args), &error.to_string()),
        }
    }

    fn answer(&mut self, id: u64, args: Args, namespace: Option<String>) {
        let namespace = namespace.unwrap_or_else(|| self.first.clone());
        let Some(token) = self.unanswered.remove(&(namespace.clone(), id)) else {
            let why = format!("no event of {namespace:?} waits for an acknowledgement with the number {id}");
            return self.out.error("usage", &why);
        };
        match self.client.of(&namespace) {
            Some(socket) => {
                self.answering = Some(Box::pin(async move { socket.ack(token, args).await }));
            }
            None => self.not_delivered(&format!("the acknowledgement {id}"), "its socket is gone"),
        }
    }

    fn not_delivered(&mut self, what: &str, why: &str) {
        self.lost += 1;
        self.out.error("connection", &format!("not delivered: {what}: {why}"));
    }

    fn too_large(&mut self, what: &str) {
        let why = format!("not sent: {what}: it is larger than the server takes, base64 counted over polling");
        self.out.error("too_large", &why);
    }

    // ---- the end ----

    fn ask(&mut self, asked: Asked) {
        if self.asked == Asked::Nothing || self.asked == Asked::EndOfInput {
            self.asked = asked;
        }
    }

    fn interrupt(&mut self, status: u8) {
        if matches!(self.asked, Asked::Signal(_)) {
            // Whoever asks twice does not want to wait.
            self.client.abort();
        }
        self.asked = Asked::Signal(status);
    }

    fn close_if_asked(&mut self) {
        let settled = self.held.is_none() && self.answering.is_none() && self.awaited.is_empty();
        let connected = self.sockets.values().filter(|(_, connected)| *connected).count();
        let close = match self.asked {
            Asked::Nothing => false,
            // What was read is delivered first; and an input that is empty from the start still connects.
            Asked::EndOfInput => settled && connected > 0 && connected == self.sockets.len(),
            // Whoever is still connecting gives up.
            Asked::Close => settled || connected == 0,
            Asked::Signal(_) => true,
        };
        // A client that is closed already has another reason for it.
        if close && !self.closing && !self.sockets.is_empty() {
            self.closing = true;
            self.client.begin_close();
        }
    }

    // ---- what happens ----

    fn handle_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Opened { transport, sid } => {
                self.open = true;
                self.ended = None;
                self.out.opened(sid.as_str(), transport.as_str());
            }
            ClientEvent::Upgraded => self.out.upgraded(),
            ClientEvent::UpgradeFailed(error) => self.out.upgrade_error(&error.to_string()),
            ClientEvent::Connect { socket, sid, recovered } => {
                let namespace = socket.namespace();
                let json = || json!({"event": "connect", "namespace": namespace, "id": sid, "recovered": recovered});
                self.out.say(json, "32", || {
                    format!("in {} as {}", printable(namespace), printable(&sid))
                });
                self.sockets.insert(namespace.to_owned(), (socket, true));
            }
            ClientEvent::ConnectError { socket, refused } => {
                let data = refused.data.and_then(|data| serde_json::from_str(data.as_str()).ok());
                self.refused(&socket, &refused.message, data);
            }
            ClientEvent::ConnectTimeout { socket } => {
                self.refused(&socket, "the server has not answered in time", None);
            }
            ClientEvent::Event {
                socket,
                name,
                args,
                ack,
            } => self.event(&socket, &name, &args, ack),
            ClientEvent::Ack { socket, id, result } => self.acknowledged(&socket, id, result),
            ClientEvent::Unsent {
                name, args, too_large, ..
            } => {
                let what = name_of(&name, &args);
                if too_large {
                    self.too_large(&what);
                } else {
                    self.not_delivered(&what, "the connection ended");
                }
            }
            ClientEvent::Disconnect { socket, reason } => {
                let namespace = socket.namespace().to_owned();
                let words = reason.as_str();
                let json = || json!({"event": "disconnect", "namespace": namespace, "reason": words});
                self.out
                    .say(json, "33", || format!("out of {}: {words}", printable(&namespace)));
                self.unanswered.retain(|(of, _), _| *of != namespace);
                if reason.is_final() {
                    self.gone(&namespace, &format!("disconnected from {namespace}: {words}"));
                } else if let Some((_, connected)) = self.sockets.get_mut(&namespace) {
                    *connected = false;
                }
            }
            ClientEvent::Closed {
                reason: why,
                transport,
                in_doubt,
                error,
            } => {
                // On a WebSocket nothing confirms anything, and nothing is to be made of that.
                let doubted = if transport == Transport::Polling { in_doubt } else { 0 };
                let error = error.map(|error| (error.kind().as_str(), error.to_string()));
                self.closed(why, in_doubt, doubted, error);
            }
            ClientEvent::Failed(error) => {
                self.out.error(error.kind().as_str(), &error.to_string());
                self.ended = Some(format!("no connection: {error}"));
                self.in_order = None;
            }
            ClientEvent::Reconnecting { attempt, delay } => {
                // That end was not the last word.
                self.in_order = None;
                self.out.reconnecting(attempt, delay);
            }
            _ => {}
        }
    }

    fn refused(&mut self, socket: &ClientSocket, message: &str, data: Option<Value>) {
        let namespace = socket.namespace();
        let json = || json!({"event": "connect_error", "namespace": namespace, "message": message, "data": data});
        self.out.say(json, "31", || {
            let data = data.as_ref().map_or(String::new(), |data| format!(" {data}"));
            format!("not let into {}: {}{data}", printable(namespace), printable(message))
        });
        let why = format!("not let into {namespace}: {message}");
        self.gone(namespace, &why);
    }

    /// A socket is gone for good.
    fn gone(&mut self, namespace: &str, why: &str) {
        self.sockets.remove(namespace);
        if self.sockets.is_empty() && !self.closing {
            self.ended = Some(why.to_owned());
        }
    }

    fn event(&mut self, socket: &ClientSocket, name: &str, args: &Args, ack: Option<AckToken>) {
        if !self.wanted.is_empty() && !self.wanted.contains(name) {
            return;
        }
        let namespace = socket.namespace();
        let text = text_of(args);
        let id = ack.as_ref().map(AckToken::id);
        if self.out.json {
            let ack = id.map_or(String::new(), |id| format!(",\"ack\":{id}"));
            let (namespace, name) = (Value::from(namespace), Value::from(name));
            self.out.line(&format!(
                "{{\"event\":\"event\",\"namespace\":{namespace},\"name\":{name},\"args\":{text}{ack}}}"
            ));
        } else {
            let (namespace, sign) = (label(namespace), if id.is_some() { " (wants an ack)" } else { "" });
            self.out.say(
                || Value::Null,
                "36",
                || printable(&format!("< {namespace}{name} {text}{sign}")),
            );
        }
        if let Some(token) = ack {
            if self.unanswered.len() >= MAX_UNANSWERED {
                self.unanswered.pop_first();
            }
            self.unanswered.insert((namespace.to_owned(), token.id()), token);
        }
    }

    fn acknowledged(&mut self, socket: &ClientSocket, id: u64, result: Result<Args, AckError>) {
        let namespace = socket.namespace();
        let Some(own) = self.awaited.remove(&(namespace.to_owned(), id)) else {
            return;
        };
        match result {
            Ok(args) => {
                let text = text_of(&args);
                if self.out.json {
                    let namespace = Value::from(namespace);
                    self.out.line(&format!(
                        "{{\"event\":\"ack\",\"id\":{own},\"args\":{text},\"namespace\":{namespace}}}"
                    ));
                } else {
                    self.out
                        .say(|| Value::Null, "36", || printable(&format!("< ack {own} {text}")));
                }
            }
            Err(error) => {
                let message = error.to_string();
                let json = || json!({"event": "ack_timeout", "id": own, "namespace": namespace, "message": message});
                self.out.say(json, "33", || format!("ack {own}: {message}"));
            }
        }
    }

    fn closed(&mut self, why: CloseReason, in_doubt: usize, doubted: usize, error: Option<(&'static str, String)>) {
        self.open = false;
        let words = reason(why);
        if let Some((kind, message)) = &error {
            self.out.error(kind, message);
        }
        let json = || json!({"event": "close", "reason": words, "in_doubt": in_doubt});
        self.out.say(json, "33", || format!("closed: {words}"));
        if doubted > 0 && self.closing {
            self.lost += doubted;
            let message = format!("{doubted} messages may not have arrived: the server did not confirm them");
            self.out.error("connection", &message);
        }
        self.in_order = Some(why == CloseReason::ClientDisconnect && error.is_none());
        let fallback = match error {
            Some((_, error)) => format!("the connection ended: {words}: {error}"),
            None => format!("the connection ended: {words}"),
        };
        // What was said of the last socket says more than that we hung up then.
        if why != CloseReason::ClientDisconnect || self.ended.is_none() {
            self.ended = Some(fallback);
        }
    }

    fn finish(mut self, mut lines: Option<mpsc::Receiver<Line>>) -> ExitCode {
        if let Some((emit, _)) = self.held.take() {
            self.not_delivered(&name_of(&emit.name, &emit.args), "the connection ended");
        }
        // What was read already, and came too late.
        while let Some(Ok(line)) = lines.as_mut().map(mpsc::Receiver::try_recv) {
            match line {
                Line::Emit(emit) => self.not_delivered(&name_of(&emit.name, &emit.args), "the connection ended"),
                Line::Ack { id, .. } => {
                    self.not_delivered(&format!("the acknowledgement {id}"), "the connection ended")
                }
                Line::Connect { namespace, .. } => {
                    let why = format!("{namespace:?} can not be joined: the connection has ended");
                    self.out.error("connection", &why);
                }
                Line::Wrong(why) => self.out.error("usage", &why),
                Line::Disconnect { .. } | Line::Close => {}
            }
        }
        if let Some(error) = self.out.error.take() {
            crate::complain(&format!("cannot write to stdout: {error}"));
            return ExitCode::FAILURE;
        }
        if let Asked::Signal(status) = self.asked {
            crate::complain("ended by a signal");
            return ExitCode::from(status);
        }
        let delivered = self.closing && self.lost == 0;
        let fine = match self.asked {
            Asked::Close => delivered && self.in_order != Some(false),
            // Without a session there was no close: nobody has given up the attempt to connect, and it has failed.
            Asked::EndOfInput => delivered && self.in_order == Some(true),
            Asked::Nothing | Asked::Signal(_) => false,
        };
        if fine {
            return ExitCode::SUCCESS;
        }
        let why = self.ended.as_deref().unwrap_or("the connection ended");
        let lost = match self.lost {
            0 => String::new(),
            count => format!(" ({count} messages not delivered)"),
        };
        crate::complain(&format!("{}{lost}", printable(why)));
        ExitCode::FAILURE
    }
}

async fn room(held: &mut Option<(Emit, Waiting)>) {
    match held {
        Some((_, waiting)) => waiting.as_mut().await,
        None => pending().await,
    }
}

async fn answer(answering: &mut Option<Answering>) -> Result<(), EmitError> {
    match answering {
        Some(answering) => answering.as_mut().await,
        None => pending().await,
    }
}

/// Names a namespace to people, unless it is the one that everybody knows.
fn label(namespace: &str) -> String {
    if namespace == "/" {
        String::new()
    } else {
        format!("{namespace} ")
    }
}

/// Enough of an event to know it by.
fn name_of(name: &str, args: &Args) -> String {
    format!("event {name:?} with {}", start_of(args))
}

fn start_of(args: &Args) -> String {
    let text = text_of(args);
    let start: String = text.chars().take(60).collect();
    let dots = if start.len() < text.len() { "…" } else { "" };
    format!("{start}{dots}")
}
