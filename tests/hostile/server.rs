//! A server on a port of its own, in threads, that follows a test's script and is well-behaved otherwise.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::request::{Kind, Request};
use crate::session::{Config, Shared, State};
use crate::socket::Socket;
use crate::visit::{Next, Visit};

/// How long a connection may be idle between two requests: longer than any test.
const IDLE: Duration = Duration::from_secs(120);

type Serve = Arc<dyn Fn(usize, &mut Socket, &Arc<Shared>) + Send + Sync>;

/// Ends with the test, which fails then where the server has something to complain about.
pub struct Server {
    pub address: SocketAddr,
    pub shared: Arc<Shared>,
}

impl Server {
    /// Well-behaved throughout.
    pub fn usual(config: Config) -> Self {
        Self::start(config, |_| Next::Usual)
    }

    /// Asks the script about each request.
    pub fn start(config: Config, script: impl Fn(&mut Visit) -> Next + Send + Sync + 'static) -> Self {
        Self::host(
            config,
            Arc::new(move |_, socket, shared| serve(socket, shared, &script)),
        )
    }

    /// Does as the script says with each connection, of which it is told the number, from 0.
    pub fn accepting(script: impl Fn(usize, &mut Socket) + Send + Sync + 'static) -> Self {
        Self::host(
            Config::default(),
            Arc::new(move |number, socket, _| script(number, socket)),
        )
    }

    /// Answers every request with these bytes, and keeps the connection open.
    pub fn answering(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::start(Config::default(), move |visit| {
            visit.write(&bytes);
            visit.stay_silent()
        })
    }

    fn host(config: Config, serve: Serve) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::new(config));
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if accepting.is_stopping() {
                    return;
                }
                let Ok(stream) = stream else { continue };
                accepting.change(|state| state.connections += 1);
                let (serve, shared) = (Arc::clone(&serve), Arc::clone(&accepting));
                thread::spawn(move || {
                    let mut socket = Socket::new(stream);
                    let served = catch_unwind(AssertUnwindSafe(|| serve(number, &mut socket, &shared)));
                    if served.is_err() {
                        shared.complain("a script panicked");
                    }
                    socket.close();
                });
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has the last session send this packet.
    #[track_caller]
    pub fn push(&self, packet: &str) {
        let count = self.shared.state().sessions.len();
        assert!(count > 0, "no session yet");
        self.shared.push(count - 1, packet);
    }

    #[track_caller]
    pub fn wait_for(&self, what: &str, condition: impl Fn(&State) -> bool) {
        if !self.shared.wait_until(condition) {
            let state = self.shared.state();
            panic!(
                "waited in vain for {what}; requests: {:?}, messages: {:?}, complaints: {:?}",
                state.kinds, state.messages, state.complaints
            );
        }
    }

    pub fn wait_for_request(&self, kind: Kind, count: usize) {
        self.wait_for(&format!("{count} of {kind:?}"), |state| count_of(state, kind) >= count);
    }

    /// These have come, over whatever session and transport, and no others.
    #[track_caller]
    pub fn wait_for_messages(&self, messages: &[&str]) {
        self.wait_for(&format!("{messages:?}"), |state| state.messages.len() >= messages.len());
        self.assert_messages(messages);
    }

    #[track_caller]
    pub fn assert_messages(&self, messages: &[&str]) {
        assert_eq!(self.shared.state().messages, messages, "what the server got");
    }

    /// How many requests of this kind there were.
    pub fn count(&self, kind: Kind) -> usize {
        count_of(&self.shared.state(), kind)
    }

    pub fn sessions(&self) -> usize {
        self.shared.state().sessions.len()
    }

    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    pub fn sid(&self) -> String {
        let state = self.shared.state();
        state.sessions.last().expect("a session").sid.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop();
        // The thread that accepts has to notice; where this fails, the process ends it.
        let _woken = TcpStream::connect(self.address);
        let complaints = self.shared.state().complaints.clone();
        if !complaints.is_empty() && !thread::panicking() {
            panic!("the server complains: {complaints:?}");
        } else if !complaints.is_empty() {
            eprintln!("the server complains: {complaints:?}");
        }
    }
}

fn count_of(state: &State, kind: Kind) -> usize {
    state.kinds.iter().filter(|known| **known == kind).count()
}

/// All requests of one connection.
fn serve(socket: &mut Socket, shared: &Arc<Shared>, script: &dyn Fn(&mut Visit) -> Next) {
    while let Some(request) = Request::take(socket, IDLE) {
        let request = match request {
            Ok(request) => request,
            Err(complaint) => return shared.complain(complaint),
        };
        let mut visit = visit(request, socket, shared);
        let next = match script(&mut visit) {
            Next::Usual => visit.usual(),
            other => other,
        };
        match next {
            Next::KeepAlive => {}
            _ => return,
        }
    }
}

fn visit<'a>(request: Request, socket: &'a mut Socket, shared: &Arc<Shared>) -> Visit<'a> {
    let kind = request.kind();
    if kind == Kind::Other {
        shared.complain(format!("nobody asks for this: {request:?}"));
    }
    let sid = request.query("sid");
    let (nth, session) = shared.change(|state| {
        let nth = count_of(state, kind);
        state.kinds.push(kind);
        let session = state
            .sessions
            .iter()
            .position(|session| Some(&session.sid) == sid.as_ref());
        (nth, session)
    });
    if sid.is_some() && session.is_none() {
        shared.complain(format!("an unknown session: {:?}", request.target));
    }
    if matches!(kind, Kind::Upgrade | Kind::Direct) {
        check_upgrade(&request, shared);
    }
    let counted = session.filter(|_| matches!(kind, Kind::Poll | Kind::Post));
    if let Some(session) = counted {
        shared.enter(session, kind);
    }
    Visit {
        kind,
        nth,
        request,
        socket,
        shared: Arc::clone(shared),
        session,
        is_counted: counted.is_some(),
    }
}

/// A client has to ask for a WebSocket in the one right way.
fn check_upgrade(request: &Request, shared: &Shared) {
    let lower = |name| request.header(name).unwrap_or_default().to_ascii_lowercase();
    let key = request.header("sec-websocket-key").unwrap_or_default().to_owned();
    let is_right = lower("upgrade") == "websocket"
        && lower("connection").contains("upgrade")
        && lower("sec-websocket-version") == "13"
        && key.len() == 24
        && key.ends_with("==");
    if !is_right {
        shared.complain(format!("a wrong upgrade request: {request:?}"));
    }
    let is_new = shared.change(|state| {
        let is_new = !state.keys.contains(&key);
        state.keys.push(key);
        is_new
    });
    if !is_new {
        shared.complain("the key of an earlier WebSocket");
    }
}
