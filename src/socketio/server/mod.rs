//! The server's side of ONE connection: all its namespaces, over one Engine.IO session.

mod config;
mod reason;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use smallvec::SmallVec;

use super::acks::Acks;
use super::json::push_string;
use super::largest::Largest;
use super::outbox::{self, Outbox};
use super::packet::is_reserved;
use super::{AckError, AckToken, Args, Assembler, Body, EmitError, Encoded, Json, Key, Packet, PacketError, Transmit};
use crate::engineio::{Data, Str};
use crate::time::Instant;
pub use config::Config;
pub use reason::DisconnectReason;

/// The message of a refusal for a namespace that does not exist, as the JavaScript reference has it.
pub const INVALID_NAMESPACE: &str = "Invalid namespace";

/// What an event costs beside its arguments while it waits to be taken.
const EVENT_OVERHEAD: usize = 128;

/// What the application should know.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A client wants to join a namespace: to be answered with [`Connection::accept`] or [`Connection::refuse`].
    Connect {
        /// The socket that it would be.
        key: Key,
        /// The namespace, which need not exist.
        namespace: Str,
        /// A JSON object by which the application may judge, if the client sent one.
        auth: Option<Json>,
    },
    /// The client emitted an event.
    Event {
        /// The socket.
        key: Key,
        /// The event's name: never a reserved one.
        name: Str,
        /// What came with it.
        args: Args,
        /// With what to acknowledge it, if the client wants that.
        ack: Option<AckToken>,
    },
    /// The client acknowledged an event.
    Ack {
        /// The socket.
        key: Key,
        /// The number that [`Connection::emit_with_ack`] gave.
        id: u64,
        /// What came with it, or why it will not come. Each number is answered once.
        result: Result<Args, AckError>,
    },
    /// A socket that was accepted is gone. The last event of this socket.
    Disconnect {
        /// The socket.
        key: Key,
        /// Why.
        reason: DisconnectReason,
    },
}

/// How the client broke the rules: for logs. The machine has already drawn the consequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// What it sent is no packet.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// A packet for a namespace that it has not joined.
    #[error("a packet for a namespace that was not joined")]
    NotConnected,
    /// A CONNECT for a namespace that it has joined, or waits for.
    #[error("a second CONNECT for a namespace")]
    ConnectedAlready,
    /// A packet that only servers send.
    #[error("a packet that only servers send")]
    ServersOnly,
    /// More than [`Config::max_namespaces`].
    #[error("too many namespaces")]
    TooManyNamespaces,
}

#[derive(Debug)]
struct Socket {
    key: Key,
    namespace: Str,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The application has not answered. What it emits meanwhile goes out behind its yes.
    Pending(Vec<Encoded>),
    Connected,
    /// The application threw the client out. What the client sends before it knows means nothing, and is no offence.
    Left,
}

/// A [`State`] without what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Pending,
    Connected,
    Left,
}

/// The server's side of one connection: what a client's messages mean, and what is to be sent to it.
///
/// The methods are of four kinds:
///
/// - [`handle_data`](Self::handle_data), [`handle_timeout`](Self::handle_timeout), [`handle_closed`](Self::handle_closed):
///   something happened. Calls without a cause do nothing.
/// - [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout): what
///   the machine wants. Ask until the answer is `None`.
/// - [`accept`](Self::accept), [`refuse`](Self::refuse), [`emit`](Self::emit), [`ack`](Self::ack),
///   [`disconnect`](Self::disconnect), [`close`](Self::close) and the like: the application's commands.
/// - getters.
///
/// ```
/// use sansocket::socketio::server::{Config, Connection, Event};
/// use sansocket::socketio::{Args, Transmit};
/// use sansocket::time::Instant;
///
/// let now = Instant::from_micros(0);
/// let mut connection = Connection::new(Config::default(), now);
///
/// // 1. The client joins a namespace, the application lets it in, under an id that nobody can guess.
/// connection.handle_data(now, "0".into())?;
/// let Some(Event::Connect { key, .. }) = connection.poll_event() else { panic!("it wants to join") };
/// connection.accept(key, "mZX2gOGWiBCE", None);
/// assert_eq!(connection.poll_transmit(), Some(Transmit::Data(r#"0{"sid":"mZX2gOGWiBCE"}"#.into())));
///
/// // 2. It emits an event and wants an acknowledgement.
/// connection.handle_data(now, r#"27["add",1,2]"#.into())?;
/// let Some(Event::Event { args, ack: Some(ack), .. }) = connection.poll_event() else { panic!("it is an event") };
/// let (a, b): (i64, i64) = args.parse().unwrap();
/// connection.ack(ack, Args::encode(&(a + b)).unwrap()).unwrap();
/// assert_eq!(connection.poll_transmit(), Some(Transmit::Data("37[3]".into())));
/// # Ok::<(), sansocket::socketio::server::Violation>(())
/// ```
///
/// # What is promised
/// Events arrive in order and at most once, as Engine.IO's messages do. [`Event::Disconnect`] comes exactly once for each
/// socket that was accepted, and is its last. Each acknowledgement that is waited for is answered exactly once.
#[derive(Debug)]
pub struct Connection {
    config: Arc<Config>,
    assembler: Assembler,
    sockets: SmallVec<[Socket; 1]>,
    next_key: u64,
    acks: Acks,
    outbox: Outbox,
    /// What waits for sockets to be accepted, beside the outbox.
    early_cost: usize,
    events: VecDeque<Event>,
    events_cost: usize,
    link: Link,
    /// While no socket is connected: the end of patience.
    connect_deadline: Option<Instant>,
    /// While a packet lacks attachments: the end of patience.
    assembly_deadline: Option<Instant>,
    writable: bool,
}

/// What is known of the Engine.IO session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Open,
    /// It is to end: [`Transmit::Close`] has not been taken.
    Ending,
    Ended,
}

impl Connection {
    /// A connection whose Engine.IO session is open.
    pub fn new(config: impl Into<Arc<Config>>, now: Instant) -> Self {
        let config = config.into();
        Self {
            assembler: Assembler::new(config.parser),
            sockets: SmallVec::new(),
            next_key: 0,
            acks: Acks::default(),
            outbox: Outbox::default(),
            early_cost: 0,
            events: VecDeque::new(),
            events_cost: 0,
            link: Link::Open,
            connect_deadline: Some(now + config.connect_timeout),
            assembly_deadline: None,
            writable: true,
            config,
        }
    }

    // ---- the application's commands ----

    /// Lets a client into the namespace, under this id and, where its state can be recovered, this secret. Both must be
    /// impossible to guess, and unrelated to the Engine.IO session's id. What was emitted already goes out behind it.
    ///
    /// Says whether there still is somebody to let in.
    pub fn accept(&mut self, key: Key, sid: &str, pid: Option<&str>) -> bool {
        self.accept_back(key, sid, pid, Vec::new())
    }

    /// The same for a client whose state was [recovered](super::Recovery::restore): what it has missed goes out right
    /// behind the answer, also beyond [`Config::max_queue`].
    pub fn accept_back(&mut self, key: Key, sid: &str, pid: Option<&str>, missed: Vec<Encoded>) -> bool {
        let Some(socket) = self.sockets.iter_mut().find(|socket| socket.key == key) else {
            return false;
        };
        let State::Pending(early) = &mut socket.state else {
            return false;
        };
        let early = core::mem::take(early);
        socket.state = State::Connected;
        let mut json = String::with_capacity(sid.len() + 40);
        json.push_str("{\"sid\":");
        push_string(sid, &mut json);
        if let Some(pid) = pid {
            json.push_str(",\"pid\":");
            push_string(pid, &mut json);
        }
        json.push('}');
        let packet = Packet {
            namespace: socket.namespace.clone(),
            body: Body::Connect(Some(Json::trusted(json.into()))),
        };
        self.push(&packet);
        let largest = self.largest();
        for packet in missed.into_iter().filter(|packet| largest.takes(packet)) {
            self.outbox.push(packet);
        }
        for packet in early {
            self.early_cost -= outbox::cost(&packet);
            self.outbox.push(packet);
        }
        self.connect_deadline = None;
        self.assert_invariants();
        true
    }

    /// Turns a client away from the namespace; the connection stays. [`INVALID_NAMESPACE`] is the message where there is
    /// none of that name. What was emitted to it is dropped.
    ///
    /// Says whether there still was somebody to turn away.
    pub fn refuse(&mut self, key: Key, message: &str, data: Option<&Json>) -> bool {
        let pending = |socket: &Socket| socket.key == key && matches!(socket.state, State::Pending(_));
        let Some(index) = self.sockets.iter().position(pending) else {
            return false;
        };
        let socket = self.remove(index);
        let mut json = String::with_capacity(message.len() + 32);
        json.push_str("{\"message\":");
        push_string(message, &mut json);
        if let Some(data) = data {
            json.push_str(",\"data\":");
            json.push_str(data.as_str());
        }
        json.push('}');
        self.push(&Packet {
            namespace: socket.namespace,
            body: Body::ConnectError(Json::trusted(json.into())),
        });
        self.assert_invariants();
        true
    }

    /// Emits an event. Before the socket is accepted, it waits for that.
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitError`].
    pub fn emit(&mut self, key: Key, name: &str, args: Args) -> Result<(), EmitError> {
        self.check(key, name, args)
            .map(|args| self.emit_now(key, None, name, args))
    }

    /// The same, and gives the packet that goes out: for whoever [records](super::Recovery::record) it.
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitError`].
    pub fn emit_encoded(&mut self, key: Key, name: &str, args: Args) -> Result<Encoded, EmitError> {
        let args = self.check(key, name, args)?;
        let packet = self.config.parser.encode(&Packet {
            namespace: self.namespace(key).cloned().unwrap_or_default(),
            body: Body::Event {
                id: None,
                name: name.into(),
                args,
            },
        });
        self.push_for(key, packet.clone());
        Ok(packet)
    }

    /// Emits an event if it can go out at once, and says whether it can: nothing is queued, and the transport is
    /// [writable](Self::handle_writable).
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitError`].
    pub fn emit_volatile(&mut self, key: Key, name: &str, args: Args) -> Result<bool, EmitError> {
        let args = self.check(key, name, args)?;
        let now = self.is_writable() && self.is_connected(key);
        if now {
            self.emit_now(key, None, name, args);
        }
        Ok(now)
    }

    /// Emits an event that the client shall acknowledge, and says under which number [`Event::Ack`] will tell of it: once,
    /// within this time or [`Config::ack_timeout`].
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitError`].
    pub fn emit_with_ack(
        &mut self,
        now: Instant,
        key: Key,
        name: &str,
        args: Args,
        timeout: Option<Duration>,
    ) -> Result<u64, EmitError> {
        let args = self.check(key, name, args)?;
        if self.acks.len() >= self.config.max_pending_acks {
            return Err(EmitError::TooManyAcks(args));
        }
        let deadline = now + timeout.unwrap_or(self.config.ack_timeout);
        let id = self.acks.expect_next(key, Some(deadline));
        self.emit_now(key, Some(id), name, args);
        Ok(id)
    }

    /// Sends a packet that was encoded by this connection's parser, for the namespace of this socket: a broadcast. It
    /// says whether it was sent; one that is `volatile` only goes out if it can at once.
    ///
    /// Where the receivers shall acknowledge it, its number is one of [`BROADCAST_IDS`](super::BROADCAST_IDS), and
    /// [`expect_ack`](Self::expect_ack) is called too.
    pub fn send_encoded(&mut self, key: Key, packet: &Encoded, volatile: bool) -> bool {
        if !self.has_room()
            || !self.largest().takes(packet)
            || (volatile && !(self.is_writable() && self.is_connected(key)))
        {
            return false;
        }
        self.push_for(key, packet.clone())
    }

    /// Sends a packet as [`send_encoded`](Self::send_encoded) does, and waits for its acknowledgement, as
    /// [`expect_ack`](Self::expect_ack) does. Does neither where one of them is not possible; says whether it did both.
    pub fn call_encoded(
        &mut self,
        now: Instant,
        key: Key,
        packet: &Encoded,
        volatile: bool,
        id: u64,
        timeout: Option<Duration>,
    ) -> bool {
        self.has_socket(key)
            && self.acks.len() < self.config.max_pending_acks
            && self.send_encoded(key, packet, volatile)
            && self.expect_ack(now, key, id, timeout)
    }

    /// Waits for an acknowledgement of a packet that was sent already. Says whether it will be told of.
    pub fn expect_ack(&mut self, now: Instant, key: Key, id: u64, timeout: Option<Duration>) -> bool {
        let known = self.has_socket(key) && self.acks.len() < self.config.max_pending_acks;
        if known {
            let deadline = now + timeout.unwrap_or(self.config.ack_timeout);
            self.acks.expect(key, id, Some(deadline));
        }
        known
    }

    /// Acknowledges an event.
    ///
    /// # Errors
    /// Gives everything back: the socket is gone, the queue is full, or the arguments are too large.
    pub fn ack(&mut self, ack: AckToken, args: Args) -> Result<(), (AckToken, EmitError)> {
        if !self.is_connected(ack.key) {
            return Err((ack, EmitError::Disconnected(args)));
        }
        if !self.has_room() {
            return Err((ack, EmitError::Full(args)));
        }
        if !self.takes(ack.key, None, &args) {
            return Err((ack, EmitError::TooLarge(args)));
        }
        let id = Some(ack.id);
        self.push_body(ack.key, Body::Ack { id, args });
        Ok(())
    }

    /// Throws the client out of the namespace; the connection stays. Says whether it was in.
    pub fn disconnect(&mut self, now: Instant, key: Key) -> bool {
        let connected = self.is_connected(key);
        if connected {
            self.push_body(key, Body::Disconnect);
            self.disconnected(key, DisconnectReason::ServerNamespaceDisconnect);
            self.leave(now, key);
        }
        self.assert_invariants();
        connected
    }

    /// Throws the client out altogether: of every namespace, then the connection is closed.
    pub fn close(&mut self, now: Instant) {
        let keys: SmallVec<[Key; 4]> = self.connected().map(|(key, _)| key).collect();
        for key in keys {
            self.disconnect(now, key);
        }
        self.end(DisconnectReason::ServerNamespaceDisconnect);
    }

    /// The server ends: closes the connection. The client is not thrown out, so it will try to come back.
    pub fn shut_down(&mut self) {
        self.end(DisconnectReason::ServerShuttingDown);
    }

    // ---- what happened ----

    /// A message came.
    ///
    /// # Errors
    /// The client broke the rules: the machine has ended the connection.
    pub fn handle_data(&mut self, now: Instant, data: Data) -> Result<(), Violation> {
        if self.link != Link::Open {
            return Ok(());
        }
        let result = self.assemble(now, data);
        if let Err(violation) = result {
            self.end(match violation {
                Violation::Packet(_) => DisconnectReason::ForcedClose,
                _ => DisconnectReason::ForcedServerClose,
            });
        }
        self.assert_invariants();
        result
    }

    /// Does what is due at this time. Afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((key, id)) = self.acks.expired(now) {
            let result = Err(AckError::TimedOut);
            self.tell(Event::Ack { key, id, result });
        }
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if is_due(self.connect_deadline) {
            self.end(DisconnectReason::ForcedServerClose);
        } else if is_due(self.assembly_deadline) {
            self.end(DisconnectReason::ForcedClose);
        }
        self.assert_invariants();
        debug_assert!(self.poll_timeout().is_none_or(|deadline| deadline > now));
    }

    /// The Engine.IO session has ended. Nothing can be sent any more.
    pub fn handle_closed(&mut self, reason: DisconnectReason) {
        self.end(reason);
        self.link = Link::Ended;
        self.outbox.clear();
        self.assert_invariants();
    }

    /// Whether the transport could take a message at once: what volatile events go by. Until somebody says otherwise it can.
    pub fn handle_writable(&mut self, writable: bool) {
        self.writable = writable;
    }

    // ---- what the machine wants ----

    /// The next thing to do with the Engine.IO session. May answer something new after any other call.
    ///
    /// A message that can not be sent is to be [put back](Self::put_back): part of a packet must not be lost.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(data) = self.outbox.pop() {
            return Some(Transmit::Data(data));
        }
        if self.link == Link::Ending {
            self.link = Link::Ended;
            return Some(Transmit::Close);
        }
        None
    }

    /// The session had no room for the message that [`poll_transmit`](Self::poll_transmit) gave last: it will give it again.
    pub fn put_back(&mut self, data: Data) {
        self.outbox.put_back(data);
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has something.
    pub fn has_transmit(&self) -> bool {
        !self.outbox.is_empty() || self.link == Link::Ending
    }

    /// The next thing that the application should know. May answer something new after `handle_data`, `handle_timeout`
    /// and `handle_closed`, and after `disconnect`, `close` and `shut_down`.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.events_cost -= event_cost(&event);
        if self.events.is_empty() && self.events.capacity() > 32 {
            self.events = VecDeque::new();
        }
        Some(event)
    }

    /// Whether [`poll_event`](Self::poll_event) has something.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if at all: a connection with a socket on it, that waits for
    /// nothing, ends with the Engine.IO session.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.connect_deadline, self.assembly_deadline, self.acks.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    // ---- getters ----

    /// Whether more messages should be given to [`handle_data`](Self::handle_data). While it is false, leave them in the
    /// Engine.IO session: events wait to be taken, or answers to be sent.
    pub fn wants_input(&self) -> bool {
        self.events_cost < self.config.receive_window.max(1) && self.has_room()
    }

    /// Whether an emit would find room.
    pub fn has_room(&self) -> bool {
        self.queued() < self.config.max_queue.max(1)
    }

    /// What is queued towards the client costs this many bytes.
    pub fn queued(&self) -> usize {
        self.outbox.cost() + self.early_cost
    }

    /// Whether this socket is accepted, and not gone.
    pub fn is_connected(&self, key: Key) -> bool {
        self.connected().any(|(connected, _)| connected == key)
    }

    /// The sockets that are accepted and not gone, and their namespaces.
    pub fn connected(&self) -> impl Iterator<Item = (Key, &Str)> {
        self.sockets
            .iter()
            .filter(|socket| matches!(socket.state, State::Connected))
            .map(|socket| (socket.key, &socket.namespace))
    }

    /// The namespace of a socket, accepted or not, that is not gone.
    pub fn namespace(&self, key: Key) -> Option<&Str> {
        let socket = self.sockets.iter().find(|socket| socket.key == key)?;
        (!matches!(socket.state, State::Left)).then_some(&socket.namespace)
    }

    /// The parser that [`send_encoded`](Self::send_encoded) wants packets from.
    pub fn parser(&self) -> &'static dyn super::Parser {
        self.config.parser
    }

    /// Whether the connection has ended, or is about to: nothing that comes means anything any more.
    pub fn is_closed(&self) -> bool {
        self.link != Link::Open
    }

    // ---- what everything shares ----

    fn assemble(&mut self, now: Instant, data: Data) -> Result<(), Violation> {
        let packet = self.assembler.handle_data(data, &self.config.limits)?;
        self.assembly_deadline = None;
        let Some(packet) = packet else {
            self.assembly_deadline = Some(now + self.config.assembly_timeout);
            // Nothing is kept for a namespace that the client is not in.
            let partial = self.assembler.partial();
            return match partial.and_then(|partial| self.standing(&partial.namespace)) {
                Some((_, Standing::Connected | Standing::Left)) => Ok(()),
                Some((_, Standing::Pending)) | None => Err(Violation::NotConnected),
            };
        };
        self.handle_packet(now, packet)
    }

    fn handle_packet(&mut self, now: Instant, packet: Packet) -> Result<(), Violation> {
        let Packet { namespace, body } = packet;
        match (self.standing(&namespace), body) {
            (None | Some((_, Standing::Left)), Body::Connect(auth)) => self.handle_connect(namespace, auth),
            (Some(_), Body::Connect(_)) => Err(Violation::ConnectedAlready),
            (_, Body::ConnectError(_)) => Err(Violation::ServersOnly),
            (Some((_, Standing::Left)), _) => Ok(()),
            (None | Some((_, Standing::Pending)), _) => Err(Violation::NotConnected),
            (Some((key, Standing::Connected)), Body::Disconnect) => {
                self.disconnected(key, DisconnectReason::ClientNamespaceDisconnect);
                if let Some(index) = self.sockets.iter().position(|socket| socket.key == key) {
                    self.remove(index);
                }
                self.watch(now);
                Ok(())
            }
            (Some((key, Standing::Connected)), Body::Event { id, name, args }) => {
                let ack = id.map(|id| AckToken { key, id, epoch: 0 });
                self.tell(Event::Event { key, name, args, ack });
                Ok(())
            }
            (Some((key, Standing::Connected)), Body::Ack { id, args }) => {
                // One that nobody waits for came too late, or twice.
                if let Some(id) = id.filter(|&id| self.acks.resolve(key, id)) {
                    let result = Ok(args);
                    self.tell(Event::Ack { key, id, result });
                }
                Ok(())
            }
        }
    }

    fn handle_connect(&mut self, namespace: Str, auth: Option<Json>) -> Result<(), Violation> {
        self.sockets
            .retain(|socket| !(matches!(socket.state, State::Left) && socket.namespace == namespace));
        if self.sockets.len() >= self.config.max_namespaces {
            // Those that it was thrown out of are remembered for its sake only.
            match self
                .sockets
                .iter()
                .position(|socket| matches!(socket.state, State::Left))
            {
                Some(oldest) => drop(self.remove(oldest)),
                None => return Err(Violation::TooManyNamespaces),
            }
        }
        let key = Key(self.next_key);
        self.next_key += 1;
        self.sockets.push(Socket {
            key,
            namespace: namespace.clone(),
            state: State::Pending(Vec::new()),
        });
        self.tell(Event::Connect { key, namespace, auth });
        Ok(())
    }

    fn standing(&self, namespace: &str) -> Option<(Key, Standing)> {
        let socket = self.sockets.iter().find(|socket| &socket.namespace[..] == namespace)?;
        let standing = match socket.state {
            State::Pending(_) => Standing::Pending,
            State::Connected => Standing::Connected,
            State::Left => Standing::Left,
        };
        Some((socket.key, standing))
    }

    /// Whether something can be sent to this socket, or will be once it is accepted.
    fn has_socket(&self, key: Key) -> bool {
        self.link == Link::Open
            && self
                .sockets
                .iter()
                .any(|socket| socket.key == key && !matches!(socket.state, State::Left))
    }

    fn largest(&self) -> Largest {
        let (text, binary) = (self.config.max_message, self.config.max_message);
        Largest { text, binary }
    }

    fn takes(&self, key: Key, name: Option<&str>, args: &Args) -> bool {
        let namespace = self.namespace(key);
        namespace.is_some_and(|namespace| self.largest().takes_body(self.config.parser, namespace, name, args))
    }

    fn is_writable(&self) -> bool {
        self.writable && self.outbox.is_empty()
    }

    fn check(&self, key: Key, name: &str, args: Args) -> Result<Args, EmitError> {
        if is_reserved(name) {
            return Err(EmitError::ReservedName(args));
        }
        if !self.has_socket(key) {
            return Err(EmitError::Disconnected(args));
        }
        if !self.takes(key, Some(name), &args) {
            return Err(EmitError::TooLarge(args));
        }
        if !self.has_room() {
            return Err(EmitError::Full(args));
        }
        Ok(args)
    }

    fn emit_now(&mut self, key: Key, id: Option<u64>, name: &str, args: Args) {
        let name = name.into();
        self.push_body(key, Body::Event { id, name, args });
    }

    fn push_body(&mut self, key: Key, body: Body) {
        let Some(socket) = self.sockets.iter().find(|socket| socket.key == key) else {
            return;
        };
        let namespace = socket.namespace.clone();
        let packet = self.config.parser.encode(&Packet { namespace, body });
        self.push_for(key, packet);
    }

    fn push_for(&mut self, key: Key, packet: Encoded) -> bool {
        if !self.has_socket(key) {
            return false;
        }
        match self.sockets.iter_mut().find(|socket| socket.key == key) {
            Some(Socket {
                state: State::Pending(early),
                ..
            }) => {
                self.early_cost += outbox::cost(&packet);
                early.push(packet);
            }
            _ => self.outbox.push(packet),
        }
        true
    }

    fn push(&mut self, packet: &Packet) {
        self.outbox.push(self.config.parser.encode(packet));
    }

    fn tell(&mut self, event: Event) {
        self.events_cost += event_cost(&event);
        self.events.push_back(event);
    }

    /// The last that the application hears of a socket.
    fn disconnected(&mut self, key: Key, reason: DisconnectReason) {
        for id in self.acks.forget(key) {
            let result = Err(AckError::Disconnected);
            self.tell(Event::Ack { key, id, result });
        }
        self.tell(Event::Disconnect { key, reason });
    }

    fn leave(&mut self, now: Instant, key: Key) {
        if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.key == key) {
            socket.state = State::Left;
        }
        self.watch(now);
    }

    /// Without a socket, a connection is worth only so much time.
    fn watch(&mut self, now: Instant) {
        if self.link == Link::Open && self.connected().next().is_none() {
            self.connect_deadline.get_or_insert(now + self.config.connect_timeout);
        }
    }

    fn remove(&mut self, index: usize) -> Socket {
        let socket = self.sockets.remove(index);
        if let State::Pending(early) = &socket.state {
            self.early_cost -= early.iter().map(outbox::cost).sum::<usize>();
            // Whoever waits for an acknowledgement of what was never sent must hear of it too.
            for id in self.acks.forget(socket.key) {
                let key = socket.key;
                let result = Err(AckError::Disconnected);
                self.tell(Event::Ack { key, id, result });
            }
        }
        socket
    }

    fn end(&mut self, reason: DisconnectReason) {
        if self.link != Link::Open {
            return;
        }
        self.link = Link::Ending;
        self.connect_deadline = None;
        self.assembly_deadline = None;
        self.assembler = Assembler::new(self.config.parser);
        while !self.sockets.is_empty() {
            let socket = self.remove(0);
            if let State::Connected = socket.state {
                self.disconnected(socket.key, reason);
            }
        }
        self.assert_invariants();
    }

    /// What holds between any two calls. Looked at after each of them in debug builds: tests, fuzzing and simulation.
    fn assert_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let open = self.link == Link::Open;
        assert!(open || self.sockets.is_empty() && self.acks.len() == 0 && self.poll_timeout().is_none());
        assert!(
            !open || self.connected().next().is_some() || self.connect_deadline.is_some(),
            "a connection without a socket and without a deadline can leak"
        );
        assert!(self.assembler.partial().is_none() || self.assembly_deadline.is_some());
        assert!(self.sockets.len() <= self.config.max_namespaces.max(1));
        let costs: usize = self.events.iter().map(event_cost).sum();
        assert_eq!(costs, self.events_cost);
    }
}

fn event_cost(event: &Event) -> usize {
    EVENT_OVERHEAD
        + match event {
            Event::Connect { namespace, auth, .. } => {
                namespace.len() + auth.as_ref().map_or(0, |json| json.as_str().len())
            }
            Event::Event { name, args, .. } => name.len() + args.cost(),
            Event::Ack { result: Ok(args), .. } => args.cost(),
            Event::Ack { result: Err(_), .. } | Event::Disconnect { .. } => 0,
        }
}
