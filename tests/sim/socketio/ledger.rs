//! What both applications saw, and whether it can be true. Fails at the first thing that can not be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use sansocket::engineio::CloseReason;
use sansocket::runtime::socketio::DisconnectReason as ServerReason;
use sansocket::runtime::socketio::client::{ClientEvent, DisconnectReason};
use sansocket::socketio::{AckError, Args};

use crate::client_plan::Leaving;
use crate::executor::lock;
use crate::oracle::Oracle;
use crate::plan::{Family, Plan};

use super::content::{CLOSED, Kind, NAMESPACES, NOWHERE, Origin, Values, largest, values};
use super::plan::Script;

/// What the emit said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has not returned.
    Trying,
    Accepted,
    Refused,
}

#[derive(Clone, Debug)]
struct Emitted {
    kind: Kind,
    fate: Fate,
    at: u64,
    received: u32,
    given_back: bool,
    /// The receiver's application has acknowledged it.
    answered: bool,
    result: Option<Result<(), AckError>>,
}

/// A socket of the server's.
#[derive(Debug)]
struct Socket {
    client: usize,
    namespace: usize,
    sid: String,
    connected: bool,
    gone: Option<ServerReason>,
    /// The client was told that it is connected.
    met: bool,
    /// The server's application has nothing more to say.
    silent: bool,
    /// Not everything that is emitted to it has to arrive.
    leaky: bool,
    /// Its server ends, and cuts off what is not over in time.
    cut: bool,
    last_up: Option<u64>,
    last_retried: Option<u64>,
    last_down: Option<u64>,
    last_cast: Option<u64>,
}

/// One namespace of a client.
#[derive(Debug, Default)]
struct Membership {
    now: Option<usize>,
    over: bool,
    /// Not everything that it emits has to arrive, and nobody may say so.
    leaky: bool,
    /// The numbers under which acknowledgements will be told of, and the events.
    numbered: BTreeMap<u64, u64>,
}

#[derive(Debug, Default)]
struct Guest {
    memberships: [Membership; 3],
    talkers: u64,
    /// Futures that wait for acknowledgements.
    calls: u64,
    open: bool,
    pub sessions: u64,
    in_doubt: usize,
    left: Option<Leaving>,
    done: bool,
}

#[derive(Default)]
struct Books {
    emitted: BTreeMap<Origin, Vec<Emitted>>,
    casts: BTreeMap<(Origin, u64), BTreeSet<usize>>,
    sockets: Vec<Socket>,
    guests: Vec<Guest>,
    requests: u64,
    restarts: usize,
    /// The server is about to end.
    ending: bool,
    server_calls: u64,
    messages: u64,
}

/// A handle to the account.
#[derive(Clone)]
pub struct Ledger {
    pub oracle: Oracle,
    pub plan: Arc<Plan>,
    pub script: Arc<Script>,
    books: Arc<Mutex<Books>>,
}

fn namespace_of(name: &str) -> Option<usize> {
    NAMESPACES.iter().position(|other| *other == name)
}

fn expects_order(script: &Script, kind: Kind, client: bool) -> bool {
    // What waits for room is overtaken.
    let room = match kind {
        Kind::Call if client => script.client_queue,
        Kind::Call => script.server_queue,
        Kind::Retried => script.offline,
        Kind::Plain | Kind::Numbered | Kind::Volatile => return true,
    };
    room > 1_000_000
}

impl Ledger {
    pub fn new(oracle: Oracle, script: Script) -> Self {
        let plan = oracle.plan.clone();
        let mut books = Books::default();
        books.guests.resize_with(plan.clients.len(), Guest::default);
        books.restarts = plan.restarts.len();
        Self {
            oracle,
            plan,
            script: Arc::new(script),
            books: Arc::new(Mutex::new(books)),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.books)
    }

    fn is_clean(&self) -> bool {
        self.plan.family == Family::SocketioClean
    }

    fn judge(&self, who: &str, verdict: Result<(), String>) {
        if let Err(wrong) = verdict {
            self.oracle.violation(format!("{who}: {wrong}"));
        }
    }

    fn note(&self, number: u64, facts: &[u64], words: impl FnOnce() -> String) {
        let mut all = vec![number];
        all.extend(facts);
        self.oracle.note(&all, words);
    }

    // Both sides: emitting.

    /// Somebody is about to emit; the how many-th it is.
    pub fn emits(&self, origin: Origin, kind: Kind) -> u64 {
        let at = self.oracle.micros();
        let index = {
            let mut books = self.books();
            let all = books.emitted.entry(origin).or_default();
            all.push(Emitted {
                kind,
                fate: Fate::Trying,
                at,
                received: 0,
                given_back: false,
                answered: false,
                result: None,
            });
            all.len() as u64 - 1
        };
        self.note(40, &[origin.0, index], || format!("{origin:?} emits #{index} {kind:?}"));
        index
    }

    fn edit(&self, origin: Origin, index: u64, edit: impl FnOnce(&mut Emitted) -> Result<(), String>) {
        let verdict = {
            let mut books = self.books();
            match books
                .emitted
                .get_mut(&origin)
                .and_then(|all| all.get_mut(index as usize))
            {
                Some(emitted) => edit(emitted).map_err(|wrong| format!("{wrong}: {emitted:?}")),
                None => Err("it was never emitted".to_owned()),
            }
        };
        self.judge(&format!("{origin:?} #{index}"), verdict);
    }

    pub fn fate(&self, origin: Origin, index: u64, fate: Fate) {
        self.note(41, &[origin.0, index, fate as u64], || {
            format!("{origin:?} #{index} {fate:?}")
        });
        self.edit(origin, index, |emitted| {
            emitted.fate = fate;
            match fate {
                Fate::Refused if emitted.received > 0 => Err("it was delivered and refused".to_owned()),
                _ => Ok(()),
            }
        });
    }

    /// What came of an acknowledgement. `timeout`: within what time it was to come.
    pub fn resolves(&self, origin: Origin, index: u64, result: Result<(u64, u64), AckError>, timeout: Option<u64>) {
        let now = self.oracle.micros();
        let expected = super::content::answer(origin, index);
        self.note(42, &[origin.0, index], || {
            format!("{origin:?} #{index} is answered {result:?}")
        });
        self.edit(origin, index, |emitted| {
            if emitted.result.is_some() {
                return Err("an acknowledgement was told of twice".to_owned());
            }
            emitted.result = Some(result.map(drop));
            match result {
                Ok(_) if !emitted.answered => Err("nobody has acknowledged it".to_owned()),
                Ok(answer) if answer != expected => Err(format!("another acknowledgement: {answer:?}")),
                Ok(_) if emitted.given_back => Err("what was given back is acknowledged".to_owned()),
                Err(AckError::NotSent) if emitted.received > 0 => Err("not sent, and delivered".to_owned()),
                Err(AckError::TimedOut) if timeout.is_some_and(|timeout| now < emitted.at + timeout) => {
                    Err("timed out before its time".to_owned())
                }
                _ => Ok(()),
            }
        });
    }

    /// The receiver's application is about to acknowledge an event.
    pub fn answers(&self, origin: Origin, index: u64) {
        self.edit(origin, index, |emitted| {
            emitted.answered = true;
            Ok(())
        });
    }

    fn read(&self, name: &str, args: &Args) -> Result<Values, String> {
        let values: Values = args
            .parse()
            .map_err(|error| format!("{name} came with {args:?}: {error}"))?;
        Ok(values)
    }

    // The server's entries.

    pub fn request(&self) -> u64 {
        let mut books = self.books();
        books.requests += 1;
        books.requests
    }

    /// A client is let in.
    pub fn admits(&self, client: usize, namespace: usize, sid: &str) -> u64 {
        let mut books = self.books();
        let ending = books.ending;
        books.sockets.push(Socket {
            client,
            namespace,
            sid: sid.to_owned(),
            connected: false,
            gone: None,
            met: false,
            silent: false,
            leaky: ending,
            cut: ending,
            last_up: None,
            last_retried: None,
            last_down: None,
            last_cast: None,
        });
        books.sockets.len() as u64 - 1
    }

    pub fn connected(&self, number: u64) {
        self.note(43, &[number], || format!("socket {number} is connected"));
        let verdict = {
            let socket = &mut self.books().sockets[number as usize];
            match std::mem::replace(&mut socket.connected, true) || socket.gone.is_some() {
                true => Err("connected twice, or after its end".to_owned()),
                false => Ok(()),
            }
        };
        self.judge(&format!("socket {number}"), verdict);
    }

    pub fn disconnected(&self, number: u64, reason: ServerReason) {
        self.note(44, &[number], || format!("socket {number} is gone: {reason}"));
        let verdict = {
            let socket = &mut self.books().sockets[number as usize];
            let twice = socket.gone.replace(reason).is_some();
            // A connection that fails says nothing wrong.
            match reason {
                ServerReason::ParseError | ServerReason::ForcedServerClose => Err(format!("ended with {reason}")),
                _ if twice => Err("disconnected twice".to_owned()),
                _ if !socket.connected => Err("disconnected, and was never connected".to_owned()),
                _ => Ok(()),
            }
        };
        self.judge(&format!("socket {number}"), verdict);
    }

    /// The server's application throws it out, or breaks down: what comes of this client may be ignored.
    pub fn breaks(&self, number: u64, all: bool, downwards: bool) {
        let mut books = self.books();
        let (client, namespace) = (
            books.sockets[number as usize].client,
            books.sockets[number as usize].namespace,
        );
        for (at, membership) in books.guests[client].memberships.iter_mut().enumerate() {
            membership.leaky |= all || at == namespace;
        }
        for socket in books.sockets.iter_mut().filter(|socket| socket.client == client) {
            socket.leaky |= (all || socket.namespace == namespace) && downwards;
        }
    }

    /// The whole server is going to end.
    pub fn breaks_all(&self) {
        let mut books = self.books();
        for guest in &mut books.guests {
            guest
                .memberships
                .iter_mut()
                .for_each(|membership| membership.leaky = true);
        }
        for socket in &mut books.sockets {
            (socket.leaky, socket.cut) = (true, true);
        }
        books.ending = true;
    }

    pub fn falls_silent(&self, number: u64) {
        self.books().sockets[number as usize].silent = true;
    }

    pub fn server_received(&self, number: u64, name: &str, args: &Args) -> Option<(Origin, u64)> {
        let result = self.try_server_received(number, name, args);
        let found = result.as_ref().ok().copied();
        self.judge(&format!("socket {number}"), result.map(drop));
        found
    }

    fn try_server_received(&self, number: u64, name: &str, args: &Args) -> Result<(Origin, u64), String> {
        let got = self.read(name, args)?;
        let (origin, index) = (Origin(got.0), got.1);
        self.note(45, &[number, origin.0, index], || {
            format!("socket {number} takes {name} {origin:?} #{index}")
        });
        let mut books = self.books();
        let Books {
            emitted,
            sockets,
            messages,
            ..
        } = &mut *books;
        *messages += 1;
        let socket = &mut sockets[number as usize];
        if origin != Origin::client(socket.client, socket.namespace) {
            return Err(format!("{origin:?} is another client or namespace"));
        }
        if !socket.connected || socket.gone.is_some() {
            return Err(format!("#{index} came while it was not connected: {socket:?}"));
        }
        let event = emitted.get_mut(&origin).and_then(|all| all.get_mut(index as usize));
        let event = event.ok_or_else(|| format!("#{index} was never emitted"))?;
        if event.kind.event() != name || got != values(&self.plan, origin, index) {
            return Err(format!("#{index} has changed on its way: {name} {got:?}"));
        }
        if event.fate == Fate::Refused || event.given_back {
            return Err(format!("#{index} was given back: {event:?}"));
        }
        let most = match event.kind {
            Kind::Retried => self.script.retries + 1,
            _ => 1,
        };
        event.received += 1;
        if event.received > most {
            return Err(format!("#{index} came {} times: {event:?}", event.received));
        }
        let last = match event.kind {
            Kind::Retried => &mut socket.last_retried,
            _ => &mut socket.last_up,
        };
        if !expects_order(&self.script, event.kind, true) {
            return Ok((origin, index));
        }
        let again = event.kind == Kind::Retried && *last == Some(index);
        match last.replace(index) {
            Some(last) if last >= index && !again => Err(format!("#{index} came behind #{last}")),
            _ => Ok((origin, index)),
        }
    }

    pub fn server_call(&self, begins: bool) {
        let mut books = self.books();
        match begins {
            true => books.server_calls += 1,
            false => books.server_calls -= 1,
        }
    }

    /// A broadcast to these.
    pub fn casts(&self, origin: Origin, index: u64, to: impl Iterator<Item = u64>) {
        let to = to.map(|number| number as usize).collect();
        self.books().casts.insert((origin, index), to);
    }

    // The clients' entries.

    pub fn talkers(&self, client: usize, count: u64) {
        self.books().guests[client].talkers += count;
    }

    pub fn talker_done(&self, client: usize) {
        self.books().guests[client].talkers -= 1;
    }

    pub fn call(&self, client: usize, begins: bool) {
        let calls = &mut self.books().guests[client].calls;
        match begins {
            true => *calls += 1,
            false => *calls -= 1,
        }
    }

    /// An emit that an event will tell the acknowledgement of.
    pub fn numbered(&self, client: usize, namespace: usize, id: u64, index: u64) {
        let former = self.books().guests[client].memberships[namespace]
            .numbered
            .insert(id, index);
        if former.is_some() {
            self.oracle
                .violation(format!("client {client}: the number {id} is given twice"));
        }
    }

    /// It leaves a namespace.
    pub fn leaves_namespace(&self, client: usize, namespace: usize) {
        self.note(46, &[client as u64, namespace as u64], || {
            format!("client {client} leaves {}", NAMESPACES[namespace])
        });
        self.leak(client, Some(namespace));
    }

    fn leak(&self, client: usize, namespace: Option<usize>) {
        let mut books = self.books();
        let of_client = books.sockets.iter_mut().filter(|socket| socket.client == client);
        for socket in of_client.filter(|socket| namespace.is_none_or(|namespace| socket.namespace == namespace)) {
            socket.leaky = true;
        }
    }

    pub fn leaves(&self, client: usize, leaving: Leaving) {
        self.note(47, &[client as u64], || format!("client {client} leaves: {leaving:?}"));
        self.leak(client, None);
        let guest = &mut self.books().guests[client];
        guest.left = Some(leaving);
        if leaving == Leaving::Abort {
            guest
                .memberships
                .iter_mut()
                .for_each(|membership| membership.leaky = true);
        }
    }

    pub fn has_left(&self, client: usize) -> bool {
        let books = self.books();
        books.guests[client].left.is_some() || books.guests[client].done
    }

    pub fn client_event(&self, client: usize, event: &ClientEvent) -> Option<(Origin, u64)> {
        self.note(48, &[client as u64], || {
            let what: String = format!("{event:?}").chars().take(160).collect();
            format!("client {client} hears {what}")
        });
        match self.try_client_event(client, event) {
            Ok(found) => found,
            Err(wrong) => {
                let guest = format!("{:?}", self.books().guests[client]);
                self.oracle
                    .violation(format!("client {client}: {wrong}: {event:?} {guest}"));
                None
            }
        }
    }

    fn try_client_event(&self, client: usize, event: &ClientEvent) -> Result<Option<(Origin, u64)>, String> {
        let mut books = self.books();
        let books = &mut *books;
        let guest = &mut books.guests[client];
        match event {
            ClientEvent::Opened { .. } => {
                guest.sessions += 1;
                if std::mem::replace(&mut guest.open, true) {
                    return Err("a second session".to_owned());
                }
            }
            ClientEvent::Closed { reason, in_doubt, .. } => {
                guest.in_doubt += in_doubt;
                if !std::mem::replace(&mut guest.open, false) {
                    return Err("a session ends that was not open".to_owned());
                }
                if *reason == CloseReason::ParseError {
                    return Err("a parse error".to_owned());
                }
                if guest.memberships.iter().any(|membership| membership.now.is_some()) {
                    return Err("a socket was not told of the end".to_owned());
                }
                for socket in books.sockets.iter_mut().filter(|socket| socket.client == client) {
                    socket.leaky = true;
                }
            }
            ClientEvent::Connect { socket, sid, recovered } => {
                let namespace = namespace_of(socket.namespace()).ok_or("nobody is let in there")?;
                let found = books
                    .sockets
                    .iter_mut()
                    .enumerate()
                    .find(|(_, socket)| socket.sid == *sid);
                let (number, theirs) = found.ok_or("the server knows nothing of it")?;
                if (theirs.client, theirs.namespace) != (client, namespace) {
                    return Err("it is another one's".to_owned());
                }
                if std::mem::replace(&mut theirs.met, true) || *recovered {
                    return Err("it comes twice".to_owned());
                }
                let membership = &mut guest.memberships[namespace];
                if !guest.open || membership.over || membership.now.replace(number).is_some() {
                    return Err("connected out of turn".to_owned());
                }
            }
            ClientEvent::ConnectError { socket, refused } => {
                let data = refused.data.as_ref().map(|data| data.as_str().to_owned());
                let said = (&refused.message[..], data.as_deref());
                let expected = match socket.namespace() {
                    CLOSED => said == ("closed", Some("{\"code\":7}")),
                    NOWHERE => said == ("Invalid namespace", None),
                    _ => said == ("not you", None) || (said == ("internal error", None) && !self.is_clean()),
                };
                if !expected || refused.namespace != socket.namespace() {
                    return Err("another refusal".to_owned());
                }
                if let Some(namespace) = namespace_of(socket.namespace()) {
                    guest.memberships[namespace].over = true;
                }
            }
            ClientEvent::ConnectTimeout { socket } => {
                if let Some(namespace) = namespace_of(socket.namespace()) {
                    guest.memberships[namespace].over = true;
                }
                if self.is_clean() {
                    return Err("no answer".to_owned());
                }
            }
            ClientEvent::Disconnect { socket, reason } => {
                let namespace = namespace_of(socket.namespace()).ok_or("it was never let in there")?;
                let membership = &mut guest.memberships[namespace];
                if membership.now.take().is_none() {
                    return Err("it was not connected".to_owned());
                }
                membership.over |= reason.is_final();
                let wanted = membership.leaky || guest.left.is_some();
                match reason {
                    DisconnectReason::ParseError => return Err("a parse error".to_owned()),
                    DisconnectReason::IoServerDisconnect if !wanted => return Err("nobody threw it out".to_owned()),
                    DisconnectReason::TransportError | DisconnectReason::PingTimeout if self.is_clean() && !wanted => {
                        return Err("nothing was wrong".to_owned());
                    }
                    _ => {}
                }
            }
            ClientEvent::Ack { socket, id, result } => {
                let namespace = namespace_of(socket.namespace()).ok_or("nobody emits there")?;
                let index = guest.memberships[namespace].numbered.remove(id);
                let index = index.ok_or("nobody waits for this, or not any more")?;
                let result = match result {
                    Ok(args) => Ok(args.parse::<(u64, u64)>().map_err(|error| error.to_string())?),
                    Err(error) => Err(*error),
                };
                return Ok(
                    Some((Origin::client(client, namespace), index)).inspect(|&(origin, index)| {
                        self.later(books, origin, index, result);
                    }),
                );
            }
            ClientEvent::Unsent {
                socket,
                name,
                args,
                too_large,
            } => {
                let got = self.read(name, args)?;
                let namespace = namespace_of(socket.namespace()).ok_or("nobody emits there")?;
                let (origin, index) = (Origin(got.0), got.1);
                let event = books
                    .emitted
                    .get_mut(&origin)
                    .and_then(|all| all.get_mut(index as usize));
                let event = event.ok_or("it was never emitted")?;
                if origin != Origin::client(client, namespace) || got != values(&self.plan, origin, index) {
                    return Err("something else is given back".to_owned());
                }
                if std::mem::replace(&mut event.given_back, true) {
                    return Err(format!("it is given back twice: {event:?}"));
                }
                if event.received > 0 {
                    return Err(format!("it was delivered and is given back: {event:?}"));
                }
                let room = self.plan.max_payload.min(self.plan.clients[client].max_queue - 64);
                if *too_large && largest(&self.plan, origin, index) < room {
                    return Err("this is not too large".to_owned());
                }
            }
            ClientEvent::Event { socket, name, args, .. } => {
                let namespace = namespace_of(socket.namespace()).ok_or("nobody is let in there")?;
                let number = guest.memberships[namespace].now.ok_or("it is not connected")?;
                let found = self.client_received(books, number, namespace, name, args)?;
                return Ok(Some(found));
            }
            _ => {}
        }
        Ok(None)
    }

    /// The account of an acknowledgement that an event tells of, while the books are open.
    fn later(&self, books: &mut Books, origin: Origin, index: u64, result: Result<(u64, u64), AckError>) {
        let event = books
            .emitted
            .get_mut(&origin)
            .and_then(|all| all.get_mut(index as usize));
        let verdict = match event {
            None => Err("it was never emitted".to_owned()),
            Some(event) if event.result.is_some() => Err("an acknowledgement was told of twice".to_owned()),
            Some(event) => {
                event.result = Some(result.map(drop));
                match result {
                    Ok(_) if !event.answered => Err(format!("nobody has acknowledged it: {event:?}")),
                    Ok(answer) if answer != super::content::answer(origin, index) => {
                        Err(format!("another acknowledgement: {answer:?}"))
                    }
                    Err(AckError::NotSent) if event.received > 0 => Err(format!("not sent, and delivered: {event:?}")),
                    _ => Ok(()),
                }
            }
        };
        self.judge(&format!("{origin:?} #{index}"), verdict);
    }

    fn client_received(
        &self,
        books: &mut Books,
        number: usize,
        namespace: usize,
        name: &str,
        args: &Args,
    ) -> Result<(Origin, u64), String> {
        let got = self.read(name, args)?;
        let (origin, index) = (Origin(got.0), got.1);
        books.messages += 1;
        let socket = &mut books.sockets[number];
        let event = books
            .emitted
            .get_mut(&origin)
            .and_then(|all| all.get_mut(index as usize));
        let event = event.ok_or("it was never emitted")?;
        event.received += 1;
        if event.fate == Fate::Refused || got != values(&self.plan, origin, index) {
            return Err(format!("another event was emitted: {event:?} {got:?}"));
        }
        let last = if origin == Origin::broadcast(namespace) {
            let meant = books.casts.get(&(origin, index));
            if name != "cast" || !meant.is_some_and(|meant| meant.contains(&number)) {
                return Err(format!("it was for others: {meant:?}"));
            }
            &mut socket.last_cast
        } else {
            if origin != Origin::socket(number as u64) || name != event.kind.event() || event.received > 1 {
                return Err(format!("it is not for {number}, or comes again: {event:?}"));
            }
            &mut socket.last_down
        };
        if origin != Origin::broadcast(namespace) && !expects_order(&self.script, event.kind, false) {
            return Ok((origin, index));
        }
        match last.replace(index) {
            Some(last) if last >= index => Err(format!("#{index} came behind #{last}")),
            _ => Ok((origin, index)),
        }
    }

    pub fn client_done(&self, client: usize) {
        self.note(49, &[client as u64], || format!("client {client} is over"));
        let (calls, open) = {
            let guest = &mut self.books().guests[client];
            guest.done = true;
            (
                guest.memberships.iter().map(|m| m.numbered.len()).sum::<usize>(),
                guest.open,
            )
        };
        if calls > 0 || open {
            self.oracle.violation(format!(
                "client {client} is over, {calls} acknowledgements were not told of, open: {open}"
            ));
        }
    }

    // Both ends compared.

    /// What is missing of what must arrive, if nothing is to be lost.
    fn missing(&self, books: &Books, client: usize, upwards_only: bool) -> Vec<String> {
        let guest = &books.guests[client];
        let mut missing = Vec::new();
        for (namespace, membership) in guest.memberships.iter().enumerate() {
            let origin = Origin::client(client, namespace);
            for (index, event) in books.emitted.get(&origin).into_iter().flatten().enumerate() {
                let must = event.fate == Fate::Accepted && !event.given_back && !membership.leaky;
                let may_be_late = matches!(event.result, Some(Err(_)));
                if must && event.received == 0 && event.kind != Kind::Volatile && !may_be_late {
                    missing.push(format!("{origin:?} #{index} {event:?}"));
                }
            }
            let Some(number) = membership.now.filter(|_| !upwards_only) else {
                continue;
            };
            let socket = &books.sockets[number];
            if socket.leaky {
                continue;
            }
            if !socket.silent {
                missing.push(format!("socket {number} has more to say"));
            }
            let origin = Origin::socket(number as u64);
            for (index, event) in books.emitted.get(&origin).into_iter().flatten().enumerate() {
                let must = event.fate == Fate::Accepted && event.kind != Kind::Volatile;
                if must && event.received == 0 && !matches!(event.result, Some(Err(_))) {
                    missing.push(format!("{origin:?} #{index} {event:?}"));
                }
            }
            let origin = Origin::broadcast(namespace);
            for ((_, index), meant) in books.casts.range((origin, 0)..=(origin, u64::MAX)) {
                if meant.contains(&number) && socket.last_cast.is_none_or(|last| last < *index) {
                    missing.push(format!("broadcast {index}"));
                }
            }
        }
        missing
    }

    /// Whether everything that was begun has come to its end.
    pub fn is_complete(&self, client: usize) -> bool {
        let books = self.books();
        let guest = &books.guests[client];
        let waits = guest.calls > 0
            || guest
                .memberships
                .iter()
                .any(|membership| !membership.numbered.is_empty());
        guest.talkers == 0 && !waits && self.missing(&books, client, false).is_empty()
    }

    pub fn waits_in_vain(&self, client: usize) {
        let books = self.books();
        let guest = &books.guests[client];
        let leaky = guest
            .memberships
            .iter()
            .any(|membership| membership.leaky || membership.now.is_none());
        if !self.is_clean() || leaky {
            return;
        }
        let missing = self.missing(&books, client, false);
        let what = format!("client {client} waits in vain: {missing:?} {guest:?}");
        drop(books);
        self.oracle.violation(what);
    }

    pub fn restarted(&self) {
        let mut books = self.books();
        books.restarts -= 1;
        books.ending = false;
    }

    pub fn all_done(&self) -> bool {
        let books = self.books();
        books.restarts == 0 && books.guests.iter().all(|guest| guest.done)
    }

    /// How many sessions and messages there were.
    pub fn totals(&self) -> (u64, u64) {
        let books = self.books();
        (books.guests.iter().map(|guest| guest.sessions).sum(), books.messages)
    }

    pub fn settle(&self) {
        let mut wrong = Vec::new();
        let books = self.books();
        for (number, socket) in books.sockets.iter().enumerate() {
            if socket.connected && socket.gone.is_none() && !socket.cut {
                wrong.push(format!("socket {number} was never told of its end: {socket:?}"));
            }
            if socket.met && !socket.connected {
                wrong.push(format!("socket {number} is connected for its client only: {socket:?}"));
            }
        }
        for (origin, all) in &books.emitted {
            for (index, event) in all.iter().enumerate() {
                let waits = matches!(event.kind, Kind::Call | Kind::Numbered | Kind::Retried);
                if waits && event.fate == Fate::Accepted && event.result.is_none() {
                    wrong.push(format!("{origin:?} #{index} is in the air: {event:?}"));
                }
                if event.given_back && event.received > 0 {
                    wrong.push(format!("{origin:?} #{index} was given back and delivered: {event:?}"));
                }
                if event.fate == Fate::Trying {
                    wrong.push(format!("{origin:?} #{index}: the emit has never returned: {event:?}"));
                }
            }
        }
        for (client, guest) in books.guests.iter().enumerate() {
            let missing = self.missing(&books, client, true);
            let blind = matches!(guest.left, Some(Leaving::Abort));
            // Each event that is lost was in doubt when its connection was lost.
            if !blind && missing.len() > guest.in_doubt {
                wrong.push(format!(
                    "client {client}: {} in doubt, and lost: {missing:?}",
                    guest.in_doubt
                ));
            }
            if guest.calls > 0 || guest.talkers > 0 {
                wrong.push(format!("client {client}: somebody still waits: {guest:?}"));
            }
        }
        if books.server_calls > 0 {
            wrong.push(format!("{} calls of the server's still wait", books.server_calls));
        }
        drop(books);
        wrong.into_iter().for_each(|what| self.oracle.violation(what));
    }
}
