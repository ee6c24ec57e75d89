//! A complete Engine.IO server on one thread, in a loop of one's own: `mio` says which sockets are ready, the library's
//! machines say what to write and when to be called again. No async runtime, no other thread, no unsafe code.
//!
//! Polling, WebSocket, upgrades, heartbeats and limits are those of `sansocket serve --app echo`.
//!
//! ```sh
//! cargo run --release --example own_loop_mio --features wire -- 127.0.0.1:3000
//! cargo run --features cli -- connect http://127.0.0.1:3000 --protocol engine.io
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Token};
use sansocket::engineio::{Config, Data, Event};
use sansocket::http::Endpoint;
use sansocket::time::Instant;
use sansocket::wire::{Cell, Connection, ConnectionEvent, Entropy, Hub, Limits};

/// The listener's token. Connections count from 1.
const LISTENER: Token = Token(0);

/// After how many turns a connection lets others run.
const TURNS: usize = 16;

/// What is to be looked at in this turn of the loop.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Task {
    Connection(usize),
    /// The application's side of a session.
    Session(usize),
    /// The next deadline has come nearer.
    Timers,
}

/// Tasks that the machines have asked for.
type Ready = Arc<Mutex<Vec<Task>>>;

/// What the machines take for a waker: it notes the task. The loop is awake whenever this is called.
struct Note(Task, Ready);

impl Wake for Note {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
    }
}

fn waker(task: Task, ready: &Ready) -> Waker {
    Waker::from(Arc::new(Note(task, ready.clone())))
}

/// One TCP connection.
struct Peer {
    stream: TcpStream,
    connection: Connection<()>,
    /// Output that the socket did not take.
    stuck: Vec<u8>,
    /// The peer's sending has ended, or ours.
    eof: bool,
    ended: bool,
    waker: Waker,
}

impl Peer {
    /// Does what can be done now. `Ok(false)`: the connection is over.
    fn run(&mut self, hub: &Hub<()>, input: &mut [u8], output: &mut Vec<u8>) -> io::Result<Turn> {
        for _ in 0..TURNS {
            let now = hub.now();
            output.clear();
            self.connection.handle_timeout(now, output);
            let deaf = !self.eof && !self.connection.wants_input(self.stuck.len());
            let read = !self.eof && !deaf && self.read(now, input, output)?;
            // The hub was told of no other paths and of no TLS, so there are no other events.
            if let Some(ConnectionEvent::Opened { cell, .. }) = self.connection.poll_event() {
                // The application first: what it answers is written with the rest.
                self.write(now, output)?;
                return Ok(Turn::Opened(cell));
            }
            let wrote = self.write(now, output)?;
            if self.connection.is_done() {
                return Ok(Turn::Over);
            }
            if !read && !wrote && self.connection.park(self.stuck.len(), deaf, &self.waker) {
                return Ok(Turn::Idle);
            }
        }
        Ok(Turn::Again)
    }

    fn read(&mut self, now: Instant, input: &mut [u8], output: &mut Vec<u8>) -> io::Result<bool> {
        match self.stream.read(input) {
            Ok(0) => {
                self.eof = true;
                self.connection.handle_end(now);
            }
            Ok(length) => self.connection.handle_input(now, &input[..length], output),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Writes until there is nothing more, or the socket takes no more; whether anything was written.
    fn write(&mut self, now: Instant, output: &mut Vec<u8>) -> io::Result<bool> {
        let mut any = false;
        // What was stuck comes first. Nothing is asked of the machines before it is out.
        self.stuck.append(output);
        loop {
            if self.stuck.is_empty() {
                self.connection.poll_transmit(now, &mut self.stuck);
            }
            if self.stuck.is_empty() {
                // An idle connection holds no buffer.
                self.stuck = Vec::new();
                break;
            }
            match self.stream.write(&self.stuck) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => {
                    any = true;
                    self.stuck.drain(..length);
                    if self.stuck.is_empty() {
                        self.connection.handle_written();
                    } else {
                        self.connection.handle_stuck(now, true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.connection.handle_stuck(now, false);
                    return Ok(any);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.connection.wants_end() && !self.ended {
            self.ended = true;
            self.stream.shutdown(Shutdown::Write)?;
        }
        Ok(any)
    }
}

/// What a turn of a connection came to.
enum Turn {
    /// A client wants a session.
    Opened(Arc<Cell<()>>),
    /// It has had its share of the time, and wants more.
    Again,
    /// It will be woken.
    Idle,
    Over,
}

/// The application's side of a session: an echo.
struct Echo {
    cell: Arc<Cell<()>>,
    /// Waits for room in the queue towards the client: a peer that does not read is not read from.
    message: Option<Data>,
    place: Option<u64>,
    waker: Waker,
}

impl Echo {
    /// Does what can be done now; whether the session goes on.
    fn run(&mut self) -> bool {
        let cx = &mut Context::from_waker(&self.waker);
        loop {
            match self.cell.poll_send(cx, &mut self.message, &mut self.place) {
                Poll::Pending => return true,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(unsent)) => eprintln!("not sent: {unsent}"),
            }
            match self.cell.poll_event(cx) {
                Poll::Pending => return true,
                Poll::Ready(Some(Event::Message(message))) => self.message = Some(message),
                Poll::Ready(Some(Event::Closed(closed))) => println!("a session is over: {}", closed.reason),
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => return false,
            }
        }
    }
}

struct Server {
    poll: mio::Poll,
    listener: TcpListener,
    hub: Arc<Hub<()>>,
    peers: HashMap<usize, Peer>,
    sessions: HashMap<usize, Echo>,
    next: usize,
    ready: Ready,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Server {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let epoch = std::time::Instant::now();
        let clock = move || Instant::from_micros(epoch.elapsed().as_micros() as u64);
        let entropy: Entropy = Box::new(|bytes| getrandom::fill(bytes).expect("the system has random bytes"));
        let hub = Hub::new(
            Config::default(),
            Endpoint::default(),
            Limits::default(),
            clock,
            entropy,
        );
        Ok(Self {
            poll,
            listener,
            hub: Arc::new(hub),
            peers: HashMap::new(),
            sessions: HashMap::new(),
            next: LISTENER.0,
            ready: Ready::default(),
            input: vec![0; 64 * 1024],
            output: Vec::new(),
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let timers = waker(Task::Timers, &self.ready);
        let mut tasks = Vec::new();
        loop {
            // One deadline for everything: all sessions and all connections.
            let deadline = self.hub.poll_timeout(&timers);
            let timeout = match (deadline, self.has_ready()) {
                (_, true) => Some(Duration::ZERO),
                (Some(deadline), false) => Some(deadline.saturating_duration_since(self.hub.now())),
                (None, false) => None,
            };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => result?,
            }
            self.hub.handle_timeout(self.hub.now());
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    Token(number) => self.run_connection(number),
                }
            }
            tasks.append(&mut self.ready.lock().unwrap_or_else(PoisonError::into_inner));
            for task in tasks.drain(..) {
                match task {
                    Task::Connection(number) => self.run_connection(number),
                    Task::Session(number) => self.run_session(number),
                    Task::Timers => {}
                }
            }
        }
    }

    fn has_ready(&self) -> bool {
        !self.ready.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, address)) => {
                    if let Err(error) = self.admit(stream, address) {
                        eprintln!("{address} is gone: {error}");
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // A peer that has gone again. Behind it there may be others, of whom nothing more would be heard.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                // Out of file descriptors: the others go on. Whoever waits is accepted with the next one who comes.
                Err(error) => return eprintln!("not accepted: {error}"),
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream, address: SocketAddr) -> io::Result<()> {
        self.next += 1;
        let number = self.next;
        stream.set_nodelay(true)?;
        let interests = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(number), interests)?;
        let peer = Peer {
            stream,
            connection: Connection::new(self.hub.clone(), address, self.hub.now()),
            stuck: Vec::new(),
            eof: false,
            ended: false,
            waker: waker(Task::Connection(number), &self.ready),
        };
        self.peers.insert(number, peer);
        self.run_connection(number);
        Ok(())
    }

    fn run_connection(&mut self, number: usize) {
        loop {
            // It may be over since somebody has asked for this.
            let Some(peer) = self.peers.get_mut(&number) else {
                return;
            };
            match peer.run(&self.hub, &mut self.input, &mut self.output) {
                Ok(Turn::Idle) => return,
                Ok(Turn::Again) => return peer.waker.wake_by_ref(),
                Ok(Turn::Opened(cell)) => self.open(cell),
                Ok(Turn::Over) => return drop(self.peers.remove(&number)),
                Err(_) => {
                    peer.connection.handle_failure(self.hub.now());
                    return drop(self.peers.remove(&number));
                }
            }
        }
    }

    /// A client wants a session.
    fn open(&mut self, cell: Arc<Cell<()>>) {
        cell.with(|session| session.accept(self.hub.now()));
        self.next += 1;
        let number = self.next;
        let echo = Echo {
            cell,
            message: None,
            place: None,
            waker: waker(Task::Session(number), &self.ready),
        };
        self.sessions.insert(number, echo);
        self.run_session(number);
    }

    fn run_session(&mut self, number: usize) {
        let Some(echo) = self.sessions.get_mut(&number) else {
            return;
        };
        if !echo.run() {
            self.sessions.remove(&number);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:3000".into());
    let mut server = Server::bind(address.parse()?)?;
    println!("listening on http://{}", server.listener.local_addr()?);
    server.run()?;
    Ok(())
}
