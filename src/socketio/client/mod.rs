//! The client's side: several namespaces on one connection, and what outlives the connection.

mod config;
mod queue;
mod reason;
mod socket;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::acks::Acks;
use super::largest::Largest;
use super::packet::{is_reserved, namespace_name};
use super::{AckError, AckToken, Args, Assembler, Body, EmitError, Json, Key, Packet, PacketError, Transmit};
use crate::engineio::{Data, Str};
use crate::time::Instant;
pub use config::{Config, WhenFull};
use queue::{Emit, Popped, Queue};
pub use reason::DisconnectReason;
pub use socket::Auth;
use socket::{Retry, Socket, State};

/// What an event costs beside its arguments while it waits to be taken.
const EVENT_OVERHEAD: usize = 128;

/// What the application should know.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A socket is about to join its namespace: to be answered with [`Client::authenticate`].
    AuthWanted {
        /// The socket.
        key: Key,
    },
    /// The server let a socket in.
    Connect {
        /// The socket.
        key: Key,
        /// The id that the server knows it by; another one each time, unless its state was recovered.
        sid: Str,
        /// The server has kept its rooms and its data over a lost connection, and sends what it has missed.
        recovered: bool,
    },
    /// The server turned a socket away. The last event of this socket: it joins nothing any more.
    ConnectError {
        /// The socket.
        key: Key,
        /// The server's words.
        message: Str,
        /// What came with them.
        data: Option<Json>,
    },
    /// The server has not answered a CONNECT within [`Config::connect_timeout`]. If it does yet, that counts; the
    /// application may end the socket, or the connection.
    ConnectTimeout {
        /// The socket.
        key: Key,
    },
    /// The server emitted an event.
    Event {
        /// The socket.
        key: Key,
        /// The event's name: never a reserved one.
        name: Str,
        /// What came with it. With connection state recovery, the last is the offset.
        args: Args,
        /// With what to acknowledge it, if the server wants that.
        ack: Option<AckToken>,
    },
    /// The server acknowledged an event.
    Ack {
        /// The socket.
        key: Key,
        /// The number that the emit gave.
        id: u64,
        /// What came with it, or why it will not come. Each number is answered once.
        result: Result<Args, AckError>,
    },
    /// An event that waited for a connection will not be sent, and is given back.
    Unsent {
        /// The socket.
        key: Key,
        /// The number that the emit gave, if an acknowledgement was wanted. Where that was still waited for,
        /// [`Event::Ack`] with [`NotSent`](AckError::NotSent) came just before.
        id: Option<u64>,
        /// The event's name.
        name: Str,
        /// What would have come with it.
        args: Args,
    },
    /// A socket that was connected is not any more. Where the reason is [final](DisconnectReason::is_final), the last event
    /// of this socket; else it joins again when there is a connection.
    Disconnect {
        /// The socket.
        key: Key,
        /// Why.
        reason: DisconnectReason,
    },
}

/// How the server broke the rules: for logs. The machine has already drawn the consequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// What it sent is no packet.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// A CONNECT for a socket that is connected.
    #[error("a second CONNECT for a namespace")]
    ConnectedAlready,
    /// More than [`Config::max_early`] before the answer to a CONNECT.
    #[error("too many events before the answer to a CONNECT")]
    TooEarly,
}

/// Why a namespace can not be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// A comma can not be part of the name.
    #[error("a namespace's name can not have a comma")]
    Unusable,
    /// The client has a socket for it.
    #[error("there is a socket for this namespace already")]
    Taken,
}

/// What an event that came back means: see [`Client::handle_returned`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It is sent again: there is nothing to tell.
    Kept,
    /// Its acknowledgement was waited for, and is no more: that it was not sent is to be told.
    Waited,
    /// What became of its acknowledgement was told, or is among the events: whether it arrived is not known.
    Told,
}

/// What is known of the Engine.IO session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// There is none, or it is not open yet.
    Down,
    Open,
    /// It is to end: [`Transmit::Close`] has not been taken.
    Ending,
    /// It is to end, whoever drives it knows; [`Client::handle_closed`] has not been called.
    Ended,
}

/// The client's side of Socket.IO: its sockets, one for each namespace, over Engine.IO sessions that come and go.
///
/// It makes no connection and does not know how. Whoever drives it says when an Engine.IO session is open, what comes on
/// it and when it has ended, and opens another if it likes: sockets join their namespaces again by themselves, and what
/// was emitted meanwhile follows.
///
/// The methods are of four kinds:
///
/// - [`handle_opened`](Self::handle_opened), [`handle_data`](Self::handle_data),
///   [`handle_timeout`](Self::handle_timeout), [`handle_closed`](Self::handle_closed): something happened. Calls without
///   a cause do nothing.
/// - [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout): what
///   the machine wants. Ask until the answer is `None`.
/// - [`connect`](Self::connect), [`emit`](Self::emit), [`ack`](Self::ack), [`disconnect`](Self::disconnect),
///   [`close`](Self::close) and the like: the application's commands.
/// - getters.
///
/// ```
/// use sansocket::socketio::client::{Auth, Client, Config, Event};
/// use sansocket::socketio::{Args, Transmit};
/// use sansocket::time::Instant;
///
/// let now = Instant::from_micros(0);
/// let mut client = Client::new(Config::default());
/// let key = client.connect(now, "/", Auth::None).unwrap();
///
/// // 1. What is emitted now waits.
/// let id = client.emit_with_ack(now, key, "add", Args::encode(&(1, 2)).unwrap(), None).unwrap();
///
/// // 2. There is a connection: the socket joins its namespace.
/// client.handle_opened(now);
/// assert_eq!(client.poll_transmit(), Some(Transmit::Data("0".into())));
/// client.handle_data(now, r#"0{"sid":"mZX2gOGWiBCE"}"#.into())?;
/// assert!(matches!(client.poll_event(), Some(Event::Connect { .. })));
///
/// // 3. What has waited follows, and is answered.
/// assert_eq!(client.poll_transmit(), Some(Transmit::Data(r#"20["add",1,2]"#.into())));
/// client.handle_data(now, "30[3]".into())?;
/// let result = Ok(Args::encode(&3).unwrap());
/// assert_eq!(client.poll_event(), Some(Event::Ack { key, id, result }));
/// # Ok::<(), sansocket::socketio::client::Violation>(())
/// ```
///
/// # What is promised
/// Events of one socket are sent in the order of their emits, at most once; those of
/// [`emit_with_retries`](Self::emit_with_retries), in an order of their own, until they are acknowledged or given up. An
/// event that was never sent goes out on the next connection or is given back. One that was, when the connection is lost,
/// is in doubt: only an acknowledgement tells. Each acknowledgement that is waited for is answered exactly once.
#[derive(Debug)]
pub struct Client {
    config: Arc<Config>,
    assembler: Assembler,
    sockets: Vec<Socket>,
    /// Namespaces of sockets that ended while the server had not answered: its answer is for them.
    ghosts: Vec<Str>,
    /// Namespaces that were left on this connection: what still comes of them is for nobody.
    left: Vec<Str>,
    next_key: u64,
    acks: Acks,
    queue: Queue,
    /// What waits for connections.
    offline_cost: usize,
    events: VecDeque<Event>,
    events_cost: usize,
    largest: Largest,
    /// When something was last said to happen, for what has to go on without being told the time.
    clock: Instant,
    link: Link,
    /// While a packet lacks attachments: the end of patience.
    assembly_deadline: Option<Instant>,
    writable: bool,
}

impl Client {
    /// A client without sockets and without a connection.
    pub fn new(config: impl Into<Arc<Config>>) -> Self {
        let config = config.into();
        Self {
            assembler: Assembler::new(config.parser),
            sockets: Vec::new(),
            ghosts: Vec::new(),
            left: Vec::new(),
            next_key: 0,
            acks: Acks::default(),
            queue: Queue::default(),
            offline_cost: 0,
            events: VecDeque::new(),
            events_cost: 0,
            largest: Largest {
                text: usize::MAX,
                binary: usize::MAX,
            },
            clock: Instant::from_micros(0),
            link: Link::Down,
            assembly_deadline: None,
            writable: true,
            config,
        }
    }

    // ---- the application's commands ----

    /// A socket for a namespace: it joins as soon as there is a connection, and again with each that comes after.
    ///
    /// # Errors
    /// See [`NamespaceError`].
    pub fn connect(&mut self, now: Instant, namespace: &str, auth: Auth) -> Result<Key, NamespaceError> {
        let namespace = namespace_name(namespace).map_err(|_| NamespaceError::Unusable)?;
        if self.sockets.iter().any(|socket| socket.namespace == namespace) {
            return Err(NamespaceError::Taken);
        }
        let key = Key(self.next_key);
        self.next_key += 1;
        self.sockets.push(Socket::new(key, namespace, auth));
        self.join(now, self.sockets.len() - 1);
        self.assert_invariants();
        Ok(key)
    }

    /// Answers [`Event::AuthWanted`]. Says whether the socket still waits for it.
    pub fn authenticate(&mut self, key: Key, auth: Option<&Json>) -> bool {
        match self.index(key) {
            Some(index) if self.sockets[index].state == State::Authenticating => {
                self.send_connect(index, auth);
                true
            }
            _ => false,
        }
    }

    /// What the socket will show from the next time on.
    pub fn set_auth(&mut self, key: Key, auth: Auth) {
        if let Some(index) = self.index(key) {
            self.sockets[index].auth = auth;
        }
    }

    /// Emits an event; while the socket is not connected, it waits for that.
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitError`].
    pub fn emit(&mut self, key: Key, name: &str, args: Args) -> Result<(), EmitError> {
        let (index, args) = self.check(key, name, args)?;
        let emit = new_emit(key, None, name, args);
        self.emit_or_wait(index, emit)
    }

    /// Emits an event if it can go out at once, and says whether it can: the socket is connected, nothing is queued, and
    /// the transport is [writable](Self::handle_writable).
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitError`].
    pub fn emit_volatile(&mut self, key: Key, name: &str, args: Args) -> Result<bool, EmitError> {
        let (index, args) = self.check(key, name, args)?;
        let now = self.writable && self.queue.is_empty() && self.is_connected(key);
        if now {
            let mut emit = new_emit(key, None, name, args);
            emit.volatile = true;
            self.emit_or_wait(index, emit)?;
        }
        Ok(now)
    }

    /// Emits an event that the server shall acknowledge, and says under which number [`Event::Ack`] will tell of it: once,
    /// within this time or [`Config::ack_timeout`]. The time passes while it waits for a connection; an event that is too
    /// late then is not sent.
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
        let (index, args) = self.check(key, name, args)?;
        if self.acks.len() >= self.config.max_pending_acks {
            return Err(EmitError::TooManyAcks(args));
        }
        let deadline = now + timeout.unwrap_or(self.config.ack_timeout);
        let id = self.acks.expect_next(key, Some(deadline));
        let result = self.emit_or_wait(index, new_emit(key, Some(id), name, args));
        if result.is_err() {
            self.acks.resolve(key, id);
        }
        self.assert_invariants();
        result.map(|()| id)
    }

    /// Emits an event that is sent again until the server acknowledges it: after each [`Config::ack_timeout`] and with each
    /// new connection, up to [`Config::retries`] times. [`Event::Ack`] tells of it once, under this number.
    ///
    /// One after the other: the next of the socket's is sent when this one is settled. The server may see it more than
    /// once; an id among the arguments lets it tell.
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitError`].
    pub fn emit_with_retries(&mut self, now: Instant, key: Key, name: &str, args: Args) -> Result<u64, EmitError> {
        let (index, args) = self.check(key, name, args)?;
        if self.acks.len() >= self.config.max_pending_acks {
            return Err(EmitError::TooManyAcks(args));
        }
        let mut emit = new_emit(key, None, name, args);
        emit.retried = true;
        if emit.cost() > self.config.max_offline {
            // There will never be room for it.
            return Err(EmitError::TooLarge(emit.args));
        }
        if self.offline_cost + emit.cost() > self.config.max_offline {
            return Err(EmitError::Full(emit.args));
        }
        // Its time begins with the first try.
        let id = self.acks.expect_next(key, None);
        emit.id = Some(id);
        self.offline_cost += emit.cost();
        self.sockets[index].retries.push_back(Retry {
            emit,
            tries: 0,
            on_its_way: false,
        });
        self.try_next(now, index);
        self.assert_invariants();
        Ok(id)
    }

    /// Nobody waits for this acknowledgement any more: [`Event::Ack`] will not tell of it, and it takes no place among
    /// [`Config::max_pending_acks`]. The event itself goes out as it would have; one that is sent until it is acknowledged
    /// goes on to be.
    pub fn forget_ack(&mut self, key: Key, id: u64) {
        let retried = |socket: &Socket| socket.retries.iter().any(|retry| retry.emit.id == Some(id));
        if !self.index(key).is_some_and(|index| retried(&self.sockets[index])) {
            self.acks.resolve(key, id);
        }
        self.assert_invariants();
    }

    /// Acknowledges an event.
    ///
    /// # Errors
    /// Gives everything back: the connection that the event came on is gone, the queue is full, or the arguments are too
    /// large.
    pub fn ack(&mut self, ack: AckToken, args: Args) -> Result<(), (AckToken, EmitError)> {
        let connected =
            |socket: &&Socket| socket.key == ack.key && socket.epoch == ack.epoch && socket.state == State::Connected;
        let Some(socket) = self.sockets.iter().find(connected) else {
            return Err((ack, EmitError::Disconnected(args)));
        };
        if !self.has_room() {
            return Err((ack, EmitError::Full(args)));
        }
        if !self
            .largest
            .takes_body(self.config.parser, &socket.namespace, None, &args)
        {
            return Err((ack, EmitError::TooLarge(args)));
        }
        let namespace = socket.namespace.clone();
        let id = Some(ack.id);
        self.queue.push(Packet {
            namespace,
            body: Body::Ack { id, args },
        });
        Ok(())
    }

    /// Ends a socket: it leaves its namespace, and does not come back. What was emitted while it was connected still goes
    /// out (if the connection is lost before, it is given back even later); what waited is given back. The last one to go
    /// ends the connection. Says whether there was such a socket.
    pub fn disconnect(&mut self, key: Key) -> bool {
        let Some(index) = self.index(key) else {
            return false;
        };
        let socket = &self.sockets[index];
        let namespace = socket.namespace.clone();
        let state = socket.state;
        if state == State::Connecting {
            self.ghosts.push(namespace.clone());
        }
        self.remove(index);
        if state == State::Connected {
            self.send_disconnect(namespace);
            let reason = DisconnectReason::IoClientDisconnect;
            self.tell(Event::Disconnect { key, reason });
        }
        self.assert_invariants();
        true
    }

    /// Ends all sockets, and the connection.
    pub fn close(&mut self) {
        while let Some(socket) = self.sockets.first() {
            self.disconnect(socket.key);
        }
        self.hang_up();
        self.assert_invariants();
    }

    // ---- what happened ----

    /// An Engine.IO session is open. Sockets join their namespaces.
    pub fn handle_opened(&mut self, now: Instant) {
        if self.link == Link::Open {
            return;
        }
        self.link = Link::Open;
        self.writable = true;
        for index in 0..self.sockets.len() {
            self.join(now, index);
        }
        self.assert_invariants();
    }

    /// A message came.
    ///
    /// # Errors
    /// The server broke the rules: the machine has ended the connection. Its sockets join again on the next.
    pub fn handle_data(&mut self, now: Instant, data: Data) -> Result<(), Violation> {
        if self.link != Link::Open {
            return Ok(());
        }
        self.clock = now;
        let result = self.assemble(now, data);
        if result.is_err() {
            self.lose(DisconnectReason::ParseError);
            self.link = Link::Ending;
        }
        self.assert_invariants();
        result
    }

    /// Does what is due at this time. Afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.clock = now;
        while let Some((key, id)) = self.acks.expired(now) {
            self.handle_late_ack(now, key, id);
        }
        for index in 0..self.sockets.len() {
            let socket = &mut self.sockets[index];
            if socket.deadline.is_some_and(|deadline| deadline <= now) {
                socket.deadline = None;
                let key = socket.key;
                self.tell(Event::ConnectTimeout { key });
            }
        }
        if self.assembly_deadline.is_some_and(|deadline| deadline <= now) {
            self.lose(DisconnectReason::ParseError);
            self.link = Link::Ending;
        }
        self.assert_invariants();
        debug_assert!(self.poll_timeout().is_none_or(|deadline| deadline > now));
    }

    /// The Engine.IO session has ended, or never opened. Sockets wait for the next one; [`close`](Self::close) them if there
    /// will be none.
    pub fn handle_closed(&mut self, reason: DisconnectReason) {
        self.lose(reason);
        self.link = Link::Down;
        self.assert_invariants();
    }

    /// What the server takes as one message, of which the first byte is Engine.IO's; `base64` where bytes travel as text:
    /// over polling. What is known of one server holds until something else is said. An event that is larger is refused or,
    /// where it waits already, given back, as a whole: part of a packet must not be lost.
    pub fn handle_max_payload(&mut self, bytes: usize, base64: bool) {
        let text = bytes.saturating_sub(1);
        let binary = if base64 { text / 4 * 3 } else { bytes };
        self.largest = Largest { text, binary };
    }

    /// Whether the transport could take a message at once: what volatile events go by. Until somebody says otherwise, a
    /// connection can.
    pub fn handle_writable(&mut self, writable: bool) {
        self.writable = writable;
    }

    // ---- what the machine wants ----

    /// The next thing to do with the Engine.IO session. May answer something new after any other call.
    ///
    /// A message that can not be sent is to be [put back](Self::put_back): part of a packet must not be lost.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if matches!(self.link, Link::Down | Link::Ended) {
            return None;
        }
        while let Some(popped) = self.queue.pop(self.config.parser, self.largest) {
            match popped {
                Popped::Data(data) => return Some(Transmit::Data(data)),
                Popped::TooLarge(emit) => self.give_up(emit),
            }
        }
        if self.link == Link::Ending {
            self.link = Link::Ended;
            return Some(Transmit::Close);
        }
        None
    }

    /// The session had no room for the message that [`poll_transmit`](Self::poll_transmit) gave last: it will give it again.
    pub fn put_back(&mut self, data: Data) {
        if matches!(self.link, Link::Open | Link::Ending) {
            self.queue.put_back(data);
        }
    }

    /// All messages of an event with an acknowledgement were taken, and have come back from a session that did not send them:
    /// because they are too large for the server, or because it ended, and then before [`handle_closed`](Self::handle_closed)
    /// says so. What was emitted to be sent again is, unless it is too large.
    pub fn handle_returned(&mut self, key: Key, id: u64, too_large: bool) -> Returned {
        let index = self.index(key);
        let first = index.and_then(|index| Some((index, self.sockets[index].retries.front_mut()?)));
        if let Some((index, first)) = first.filter(|(_, first)| first.emit.id == Some(id)) {
            let tries = first.tries;
            if !too_large {
                // This was no try.
                first.tries = tries.saturating_sub(1);
                return Returned::Kept;
            }
            self.settle_retry(index);
            self.acks.resolve(key, id);
            if tries > 1 {
                // A former try may have arrived.
                let result = Err(AckError::Disconnected);
                self.tell(Event::Ack { key, id, result });
            }
            self.try_next(self.clock, index);
            self.assert_invariants();
            return if tries > 1 { Returned::Told } else { Returned::Waited };
        }
        match self.acks.resolve(key, id) {
            true => Returned::Waited,
            false => Returned::Told,
        }
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has something.
    pub fn has_transmit(&self) -> bool {
        self.link == Link::Ending || (self.link == Link::Open && !self.queue.is_empty())
    }

    /// The next thing that the application should know. May answer something new after any other call but getters.
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

    /// When to call [`handle_timeout`](Self::handle_timeout), if at all.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let joining = self.sockets.iter().filter_map(|socket| socket.deadline).min();
        [joining, self.assembly_deadline, self.acks.deadline()]
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

    /// Whether an emit on a connected socket would find room.
    pub fn has_room(&self) -> bool {
        self.queue.cost() < self.config.max_queue.max(1)
    }

    /// What is queued on the connection costs this many bytes.
    pub fn queued(&self) -> usize {
        self.queue.cost()
    }

    /// What waits for connections, and for acknowledgements of what is sent again, costs this many bytes.
    pub fn waiting(&self) -> usize {
        self.offline_cost
    }

    /// Whether this socket is connected.
    pub fn is_connected(&self, key: Key) -> bool {
        self.index(key)
            .is_some_and(|index| self.sockets[index].state == State::Connected)
    }

    /// The id that the server knows a connected socket by.
    pub fn sid(&self, key: Key) -> Option<&Str> {
        self.sockets[self.index(key)?].sid.as_ref()
    }

    /// Whether the server has kept this socket's rooms and data when it was let in last, and sends what it has missed.
    pub fn is_recovered(&self, key: Key) -> bool {
        self.index(key).is_some_and(|index| self.sockets[index].recovered)
    }

    /// The namespace of a socket.
    pub fn namespace(&self, key: Key) -> Option<&Str> {
        Some(&self.sockets[self.index(key)?].namespace)
    }

    /// Whether there is a socket, and no Engine.IO session for it: whoever drives this should open one.
    pub fn wants_connection(&self) -> bool {
        self.link == Link::Down && !self.sockets.is_empty()
    }

    /// The sockets, connected or not, and their namespaces.
    pub fn sockets(&self) -> impl Iterator<Item = (Key, &Str)> {
        self.sockets.iter().map(|socket| (socket.key, &socket.namespace))
    }

    // ---- joining and leaving ----

    fn join(&mut self, now: Instant, index: usize) {
        self.clock = now;
        let socket = &mut self.sockets[index];
        if self.link != Link::Open || socket.state != State::Waiting || self.ghosts.contains(&socket.namespace) {
            return;
        }
        socket.deadline = Some(now + self.config.connect_timeout);
        match socket.auth.clone() {
            Auth::None => self.send_connect(index, None),
            Auth::Value(json) => self.send_connect(index, Some(&json)),
            Auth::Ask => {
                socket.state = State::Authenticating;
                let key = socket.key;
                self.tell(Event::AuthWanted { key });
            }
        }
    }

    fn send_connect(&mut self, index: usize, auth: Option<&Json>) {
        let socket = &mut self.sockets[index];
        socket.state = State::Connecting;
        let packet = Packet {
            namespace: socket.namespace.clone(),
            body: Body::Connect(socket.payload(auth)),
        };
        self.queue.push(packet);
    }

    fn send_disconnect(&mut self, namespace: Str) {
        if self.link == Link::Open && !self.left.contains(&namespace) {
            self.left.push(namespace.clone());
        }
        let body = Body::Disconnect;
        self.queue.push(Packet { namespace, body });
    }

    /// The connection is of no use any more. Events that were not begun wait for the next.
    fn lose(&mut self, reason: DisconnectReason) {
        self.assembler = Assembler::new(self.config.parser);
        self.assembly_deadline = None;
        self.ghosts.clear();
        self.left.clear();
        for emit in self.queue.take() {
            match self.index(emit.key) {
                Some(index) => self.keep(index, emit),
                // It was told of already; a former try may have been sent.
                None if emit.retried || emit.volatile => {}
                None => self.tell_unsent(emit),
            }
        }
        for index in 0..self.sockets.len() {
            let socket = &mut self.sockets[index];
            socket.deadline = None;
            socket.sid = None;
            socket.drop_early();
            let key = socket.key;
            if core::mem::replace(&mut socket.state, State::Waiting) == State::Connected {
                self.lose_acks(index);
                self.tell(Event::Disconnect { key, reason });
            }
        }
    }

    /// An event was not begun, and can not be now.
    fn keep(&mut self, index: usize, emit: Emit) {
        let socket = &mut self.sockets[index];
        if emit.volatile {
            return;
        }
        if !emit.retried {
            self.offline_cost += emit.cost();
            socket.offline.push_back(emit);
            return;
        }
        // It is kept already where it is sent again from; this was no try.
        if let Some(first) = socket.retries.front_mut().filter(|first| first.emit.id == emit.id) {
            first.tries = first.tries.saturating_sub(1);
        }
    }

    /// The server will acknowledge nothing that was sent on a lost connection. What is sent again has lost a try.
    fn lose_acks(&mut self, index: usize) {
        let socket = &mut self.sockets[index];
        let key = socket.key;
        if let Some(first) = socket.retries.front_mut() {
            first.on_its_way = false;
            if first.tries > self.config.retries {
                self.settle_retry(index);
            }
        }
        let socket = &self.sockets[index];
        let retries = socket.retries.iter().map(|retry| &retry.emit);
        let waiting: BTreeSet<u64> = socket
            .offline
            .iter()
            .chain(retries)
            .filter_map(|emit| emit.id)
            .collect();
        for id in self.acks.of(key) {
            if !waiting.contains(&id) {
                self.acks.resolve(key, id);
                let result = Err(AckError::Disconnected);
                self.tell(Event::Ack { key, id, result });
            }
        }
        if let Some(first) = self.sockets[index].retries.front() {
            // Its time begins anew with the next try.
            self.acks.expect(key, first.emit.id.unwrap_or_default(), None);
        }
    }

    /// A socket is gone for good: what was never sent is given back.
    fn remove(&mut self, index: usize) {
        let socket = self.sockets.remove(index);
        self.offline_cost -= socket.cost();
        let key = socket.key;
        let never_tried = socket.retries.into_iter().filter(|retry| retry.tries == 0);
        let waiting: Vec<Emit> = socket
            .offline
            .into_iter()
            .chain(never_tried.map(|retry| retry.emit))
            .collect();
        for emit in waiting {
            self.tell_unsent(emit);
        }
        for id in self.acks.forget(key) {
            let result = Err(AckError::Disconnected);
            self.tell(Event::Ack { key, id, result });
        }
        if self.sockets.is_empty() {
            self.hang_up();
        }
    }

    /// A socket is gone for good because the server wants it: it must get nothing more for it.
    fn remove_unwanted(&mut self, index: usize, last: Event) {
        let socket = &self.sockets[index];
        let (key, namespace) = (socket.key, socket.namespace.clone());
        for emit in self.queue.take_of(key, &namespace) {
            self.keep(index, emit);
        }
        self.remove(index);
        self.tell(last);
    }

    fn hang_up(&mut self) {
        if self.link == Link::Open {
            self.link = Link::Ending;
            self.assembler = Assembler::new(self.config.parser);
            self.assembly_deadline = None;
            self.ghosts.clear();
            self.left.clear();
        }
    }

    // ---- what comes ----

    fn assemble(&mut self, now: Instant, data: Data) -> Result<(), Violation> {
        let packet = self.assembler.handle_data(data, &self.config.limits)?;
        self.assembly_deadline = None;
        match packet {
            Some(packet) => self.handle_packet(now, packet),
            None => {
                self.assembly_deadline = Some(now + self.config.assembly_timeout);
                Ok(())
            }
        }
    }

    fn handle_packet(&mut self, now: Instant, packet: Packet) -> Result<(), Violation> {
        let Packet { namespace, body } = packet;
        let answers = matches!(body, Body::Connect(_) | Body::ConnectError(_));
        if let Some(ghost) = self.ghosts.iter().position(|ghost| *ghost == namespace) {
            if answers {
                self.ghosts.remove(ghost);
                self.handle_answer_to_ghost(now, namespace, &body);
            }
            return Ok(());
        }
        // Nobody here asked for anything else, and it does no harm.
        let Some(index) = self.sockets.iter().position(|socket| socket.namespace == namespace) else {
            return Ok(());
        };
        let key = self.sockets[index].key;
        match (self.sockets[index].state, body) {
            (State::Connecting, Body::Connect(payload)) => self.handle_connect(now, index, payload.as_ref()),
            (State::Connected, Body::Connect(_)) => return Err(Violation::ConnectedAlready),
            (State::Connecting, Body::ConnectError(payload)) => {
                let (message, data) = refusal(&payload);
                self.remove_unwanted(index, Event::ConnectError { key, message, data });
            }
            (State::Connected, Body::Disconnect | Body::ConnectError(_)) => {
                let reason = DisconnectReason::IoServerDisconnect;
                self.remove_unwanted(index, Event::Disconnect { key, reason });
            }
            (State::Connected, Body::Event { id, name, args }) => self.handle_event(index, id, name, args),
            (State::Connecting, Body::Event { id, name, args }) if !self.left.contains(&namespace) => {
                // A server may be quicker with an event than with its answer; it is told behind it.
                let socket = &mut self.sockets[index];
                let epoch = socket.epoch + 1;
                let ack = id.map(|id| AckToken { key, id, epoch });
                let event = Event::Event { key, name, args, ack };
                socket.early_cost += event_cost(&event);
                if socket.early_cost > self.config.max_early {
                    return Err(Violation::TooEarly);
                }
                socket.early.push(event);
            }
            (State::Connected, Body::Ack { id: Some(id), args }) => self.handle_ack(now, index, id, args),
            // What else comes before the answer is for a socket that was here before.
            (State::Waiting | State::Authenticating | State::Connecting, _) | (_, Body::Ack { .. }) => {}
        }
        Ok(())
    }

    /// The socket that asked is gone; if it was let in, it leaves. Whoever came after it may join now.
    fn handle_answer_to_ghost(&mut self, now: Instant, namespace: Str, answer: &Body) {
        let index = self.sockets.iter().position(|socket| socket.namespace == namespace);
        if let Body::Connect(_) = answer {
            self.send_disconnect(namespace);
        }
        if let Some(index) = index {
            self.join(now, index);
        }
    }

    fn handle_connect(&mut self, now: Instant, index: usize, payload: Option<&Json>) {
        let text = |name: &str| -> Option<Str> { Some(payload?.field(name)?.text()?.as_ref().into()) };
        let socket = &mut self.sockets[index];
        let key = socket.key;
        let Some(sid) = text("sid") else {
            let message = Str::from_static("the server does not speak Socket.IO v5: it gave no id");
            self.remove_unwanted(
                index,
                Event::ConnectError {
                    key,
                    message,
                    data: None,
                },
            );
            return;
        };
        let pid = text("pid");
        let recovered = pid.is_some() && pid == socket.pid;
        if !recovered {
            // It is a place in another order.
            socket.offset = None;
        }
        socket.pid = pid;
        socket.recovered = recovered;
        socket.sid = Some(sid.clone());
        socket.state = State::Connected;
        socket.deadline = None;
        socket.epoch += 1;
        let early = core::mem::take(&mut socket.early);
        socket.drop_early();
        let namespace = socket.namespace.clone();
        let offline = core::mem::take(&mut socket.offline);
        self.tell(Event::Connect { key, sid, recovered });
        for event in early {
            if let Event::Event { args, ack: None, .. } = &event {
                self.sockets[index].note_offset(args);
            }
            self.tell(event);
        }
        for emit in offline {
            self.offline_cost -= emit.cost();
            self.queue.push_emit(namespace.clone(), emit);
        }
        self.try_next(now, index);
    }

    fn handle_event(&mut self, index: usize, id: Option<u64>, name: Str, args: Args) {
        let socket = &mut self.sockets[index];
        let (key, epoch) = (socket.key, socket.epoch);
        // An event that wants an acknowledgement is not sent again, so it has no place in the order.
        if id.is_none() {
            socket.note_offset(&args);
        }
        let ack = id.map(|id| AckToken { key, id, epoch });
        self.tell(Event::Event { key, name, args, ack });
    }

    fn handle_ack(&mut self, now: Instant, index: usize, id: u64, args: Args) {
        let socket = &self.sockets[index];
        let key = socket.key;
        let place = socket.retries.iter().position(|retry| retry.emit.id == Some(id));
        match place {
            Some(0) if socket.retries[0].tries > 0 => self.settle_retry(index),
            // What was never sent can not be acknowledged.
            Some(_) => return,
            None => {}
        }
        // One that nobody waits for came too late, or twice.
        if self.acks.resolve(key, id) {
            let result = Ok(args);
            self.tell(Event::Ack { key, id, result });
        }
        self.try_next(now, index);
    }

    // ---- what goes ----

    fn handle_late_ack(&mut self, now: Instant, key: Key, id: u64) {
        let Some(index) = self.index(key) else {
            return;
        };
        let socket = &mut self.sockets[index];
        match socket.retries.front_mut().filter(|first| first.emit.id == Some(id)) {
            Some(first) if first.tries <= self.config.retries => {
                first.on_its_way = false;
                self.acks.expect(key, id, None);
                self.try_next(now, index);
                return;
            }
            Some(_) => self.settle_retry(index),
            None => {
                // What still waits for a connection is too late for it.
                let place = socket.offline.iter().position(|emit| emit.id == Some(id));
                if let Some(emit) = place.and_then(|place| socket.offline.remove(place)) {
                    self.offline_cost -= emit.cost();
                }
            }
        }
        let result = Err(AckError::TimedOut);
        self.tell(Event::Ack { key, id, result });
        self.try_next(now, index);
    }

    /// The first event that is sent again need not be any more.
    fn settle_retry(&mut self, index: usize) {
        if let Some(retry) = self.sockets[index].retries.pop_front() {
            self.offline_cost -= retry.emit.cost();
        }
    }

    /// Sends the first event that is sent until it is acknowledged, unless it is on its way.
    fn try_next(&mut self, now: Instant, index: usize) {
        let socket = &mut self.sockets[index];
        if socket.state != State::Connected {
            return;
        }
        let Some(first) = socket.retries.front_mut().filter(|first| !first.on_its_way) else {
            return;
        };
        first.on_its_way = true;
        first.tries += 1;
        let emit = first.emit.clone();
        let (key, id) = (emit.key, emit.id.unwrap_or_default());
        self.acks.expect(key, id, Some(now + self.config.ack_timeout));
        // The former try may not even have been begun.
        if !self.queue.has_emit(key, id) {
            self.queue.push_emit(socket.namespace.clone(), emit);
        }
    }

    fn check(&self, key: Key, name: &str, args: Args) -> Result<(usize, Args), EmitError> {
        if is_reserved(name) {
            return Err(EmitError::ReservedName(args));
        }
        let Some(index) = self.index(key) else {
            return Err(EmitError::Disconnected(args));
        };
        let namespace = &self.sockets[index].namespace;
        match self
            .largest
            .takes_body(self.config.parser, namespace, Some(name), &args)
        {
            true => Ok((index, args)),
            false => Err(EmitError::TooLarge(args)),
        }
    }

    fn emit_or_wait(&mut self, index: usize, emit: Emit) -> Result<(), EmitError> {
        let socket = &self.sockets[index];
        if socket.state == State::Connected {
            if !self.has_room() {
                return Err(EmitError::Full(emit.args));
            }
            self.queue.push_emit(socket.namespace.clone(), emit);
            return Ok(());
        }
        let fits = |cost: usize| cost + emit.cost() <= self.config.max_offline;
        if !fits(self.offline_cost) {
            let own: usize = socket.offline.iter().map(Emit::cost).sum();
            if self.config.when_full == WhenFull::Refuse || !fits(self.offline_cost - own) {
                return Err(EmitError::Full(emit.args));
            }
        }
        while self.offline_cost + emit.cost() > self.config.max_offline {
            let Some(oldest) = self.sockets[index].offline.pop_front() else {
                break;
            };
            self.offline_cost -= oldest.cost();
            self.tell_unsent(oldest);
        }
        self.offline_cost += emit.cost();
        self.sockets[index].offline.push_back(emit);
        Ok(())
    }

    /// An event that waited turned out to be larger than what the server takes.
    fn give_up(&mut self, emit: Option<Emit>) {
        let Some(emit) = emit else {
            return;
        };
        if emit.retried {
            let Some(index) = self.index(emit.key) else {
                return;
            };
            let first = self.sockets[index].retries.front();
            let Some(tries) = first.filter(|first| first.emit.id == emit.id).map(|first| first.tries) else {
                return;
            };
            self.settle_retry(index);
            self.try_next(self.clock, index);
            let (key, id) = (emit.key, emit.id.unwrap_or_default());
            if tries > 1 {
                // A former try may have arrived.
                self.acks.resolve(key, id);
                let result = Err(AckError::Disconnected);
                self.tell(Event::Ack { key, id, result });
                return;
            }
        }
        self.tell_unsent(emit);
    }

    fn tell_unsent(&mut self, emit: Emit) {
        let Emit {
            key, id, name, args, ..
        } = emit;
        if let Some(id) = id.filter(|&id| self.acks.resolve(key, id)) {
            let result = Err(AckError::NotSent);
            self.tell(Event::Ack { key, id, result });
        }
        self.tell(Event::Unsent { key, id, name, args });
    }

    fn tell(&mut self, event: Event) {
        self.events_cost += event_cost(&event);
        self.events.push_back(event);
    }

    fn index(&self, key: Key) -> Option<usize> {
        self.sockets.iter().position(|socket| socket.key == key)
    }

    /// What holds between any two calls. Looked at after each of them in debug builds: tests, fuzzing and simulation.
    fn assert_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let open = self.link == Link::Open;
        for socket in &self.sockets {
            assert!(open || socket.state == State::Waiting);
            assert!(!open || socket.state != State::Waiting || self.ghosts.contains(&socket.namespace));
            assert_eq!(socket.state == State::Connected, socket.sid.is_some());
            let first = socket.retries.front();
            let goes_on = first.is_none_or(|first| first.on_its_way);
            assert!(goes_on || socket.state != State::Connected, "nobody would send it");
            assert!(socket.state != State::Connected || socket.offline.is_empty());
            assert!(socket.deadline.is_none() || socket.is_joining());
            assert!(
                socket
                    .retries
                    .iter()
                    .skip(1)
                    .all(|retry| retry.tries == 0 && !retry.on_its_way)
            );
        }
        assert!(open || (self.ghosts.is_empty() && self.left.is_empty() && self.assembly_deadline.is_none()));
        assert!(self.assembler.partial().is_none() || self.assembly_deadline.is_some());
        let offline: usize = self.sockets.iter().map(Socket::cost).sum();
        assert_eq!(offline, self.offline_cost);
        let costs: usize = self.events.iter().map(event_cost).sum();
        assert_eq!(costs, self.events_cost);
    }
}

fn new_emit(key: Key, id: Option<u64>, name: &str, args: Args) -> Emit {
    Emit {
        key,
        id,
        name: name.into(),
        args,
        retried: false,
        volatile: false,
    }
}

/// What a CONNECT_ERROR says: an object with a message, or the message alone.
fn refusal(payload: &Json) -> (Str, Option<Json>) {
    let message = payload.field("message").unwrap_or_else(|| payload.clone());
    let message = message.text().unwrap_or_default().as_ref().into();
    (message, payload.field("data"))
}

fn event_cost(event: &Event) -> usize {
    EVENT_OVERHEAD
        + match event {
            Event::Event { name, args, .. } | Event::Unsent { name, args, .. } => name.len() + args.cost(),
            Event::Ack { result: Ok(args), .. } => args.cost(),
            Event::ConnectError { message, data, .. } => {
                message.len() + data.as_ref().map_or(0, |json| json.as_str().len())
            }
            Event::Connect { sid, .. } => sid.len(),
            Event::AuthWanted { .. }
            | Event::ConnectTimeout { .. }
            | Event::Ack { result: Err(_), .. }
            | Event::Disconnect { .. } => 0,
        }
}
