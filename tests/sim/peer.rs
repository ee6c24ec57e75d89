//! An honest Engine.IO v4 client: it does what the JavaScript client does, on whatever network it got.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use super::executor::lock;
use super::http_client::{Broken, HttpConnection, Response, request};
use super::manner::Manner;
use super::mischief;
use super::network::Fault;
use super::oracle::{Oracle, Received, key_of};
use super::packets::{Outgoing, Packet, field, parse_payload, parse_text};
use super::plan::{Behaviour, Carrier, Ending, MILLI, SECOND, Script};
use super::rng::{Rng, mix};
use super::runtime::{End, Sim};
use super::websocket_client::{self as websocket, Incoming, Reader};

/// How the visit came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// We said goodbye, and were answered.
    Orderly,
    /// The server said goodbye.
    ServerClosed,
    /// A request or the WebSocket failed, and the client gave up, as it must.
    Lost,
    Refused,
    /// We left without a word.
    Left,
    Vanished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Polling,
    /// Between the probe's answer and the upgrade packet: nothing new is begun on either carrier.
    Pausing,
    WebSocket,
}

struct State {
    outbox: VecDeque<Outgoing>,
    way: Way,
    /// Something that only an upgraded client sends was written to the WebSocket.
    settled: bool,
    /// The WebSocket of our own probe is open.
    probing: bool,
    getting: bool,
    posting: bool,
    closing: bool,
    sid: String,
    key: u64,
    opened_at: u64,
    pings: u64,
    last_ping: u64,
    over: Option<Over>,
    /// The connections on which the session depends, and depended.
    vital: Vec<usize>,
    /// All that were ever made.
    dialed: Vec<usize>,
    changed: bool,
}

pub struct Peer {
    sim: Sim,
    oracle: Oracle,
    script: Script,
    address: SocketAddr,
    visit: usize,
    manner: Manner,
    state: Mutex<State>,
    rng: Mutex<Rng>,
}

/// Why a request has no answer.
enum Trouble {
    Refused,
    Silent,
    Broken(Broken),
}

/// A connection that may be used again, and since when it is idle.
type Line = Option<(HttpConnection, u64)>;

pub async fn timeout<T>(sim: &Sim, micros: u64, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut sleep = pin!(sim.sleep(Duration::from_micros(micros)));
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        sleep.as_mut().poll(cx).map(|()| None)
    })
    .await
}

impl Peer {
    pub fn new(sim: Sim, oracle: Oracle, script: Script, address: SocketAddr, rng: Rng) -> Self {
        let visit = oracle.visit(true);
        let manner = Manner::of(mix(mix(oracle.plan.seed, 0x3a22e2), visit as u64));
        Self {
            sim,
            oracle,
            script,
            address,
            visit,
            manner,
            state: Mutex::new(State {
                outbox: VecDeque::new(),
                way: Way::Polling,
                settled: false,
                probing: false,
                getting: false,
                posting: false,
                closing: false,
                sid: String::new(),
                key: 0,
                opened_at: 0,
                pings: 0,
                last_ping: 0,
                over: None,
                vital: Vec::new(),
                dialed: Vec::new(),
                changed: false,
            }),
            rng: Mutex::new(rng),
        }
    }

    pub async fn run(self) {
        self.pause(self.script.start).await;
        let leaves = self.script.leaves_at.unwrap_or(u64::MAX / 2);
        if timeout(&self.sim, leaves, self.live()).await.is_none() {
            self.excuse("it left early");
            self.over(match self.script.ending {
                Ending::Vanish => Over::Vanished,
                _ => Over::Left,
            });
        }
        let (over, settled) = self.look(|state| (state.over, state.settled));
        if over == Some(Over::Vanished) {
            // Its connections were dropped in this very microsecond: nobody has heard of it yet.
            for &id in &self.look(|state| state.dialed.clone()) {
                self.sim.with(|kernel| kernel.vanish(id));
            }
        }
        let now = self.sim.micros();
        self.sim.note(&[14, self.visit as u64], || {
            format!("peer {}  is gone: {over:?}", self.visit)
        });
        self.oracle.edit_visit(self.visit, |visit| {
            visit.left_at = now;
            visit.orderly = over == Some(Over::Orderly);
            visit.hung_up = over == Some(Over::Left) && settled;
            visit.done = true;
        });
    }

    // State, excuses and blame.

    fn edit<T>(&self, edit: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        state.changed = true;
        edit(&mut state)
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&lock(&self.state))
    }

    /// All loops of a peer are one task, polled again whenever its state changed: nobody has to be woken.
    async fn until(&self, mut condition: impl FnMut(&State) -> bool) {
        poll_fn(|_| match condition(&lock(&self.state)) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    async fn pause(&self, micros: u64) {
        if micros > 0 {
            self.sim.sleep(Duration::from_micros(micros)).await;
        }
    }

    fn excuse(&self, why: &str) {
        self.oracle.edit_visit(self.visit, |visit| {
            visit.excuse.get_or_insert_with(|| why.to_owned());
        });
    }

    fn excused(&self) -> bool {
        let fault = self.look(|state| {
            let faults = |id: &usize| self.sim.with(|kernel| kernel.network.fault_of(*id));
            state.vital.iter().find_map(faults)
        });
        if let Some(fault) = fault.filter(|fault| *fault != Fault::Vanished) {
            self.excuse(&format!("{fault:?} on its connection"));
        }
        self.oracle.edit_visit(self.visit, |visit| visit.excuse.is_some())
    }

    fn violation(&self, what: &str) {
        let about = self.look(|state| {
            format!(
                "peer {} ({:?}, {:?}, session {:x}, {:?}): {what}",
                self.visit,
                self.script.carrier,
                state.way,
                state.key,
                self.behaviour_of(state.key)
            )
        });
        self.oracle.violation(about);
    }

    /// Something went wrong that nothing explains, unless there is an excuse.
    fn blame(&self, what: &str) {
        if !self.excused() {
            self.violation(what);
        }
    }

    fn behaviour_of(&self, key: u64) -> Behaviour {
        self.oracle.plan.behaviour(key)
    }

    fn behaviour(&self) -> Behaviour {
        self.behaviour_of(self.look(|state| state.key))
    }

    fn over(&self, how: Over) {
        self.edit(|state| {
            state.over.get_or_insert(how);
        });
    }

    /// How many messages have to arrive, if nothing excuses a loss.
    fn expected(&self) -> Option<u64> {
        match self.behaviour() {
            Behaviour::Echo | Behaviour::Slow { .. } => Some(self.script.messages),
            Behaviour::Push { count, .. } => Some(count),
            Behaviour::CloseAfter { count } => Some(count.min(self.script.messages)),
            Behaviour::Deaf { .. } | Behaviour::PanicAfter { .. } | Behaviour::FailAfter { .. } => None,
        }
    }

    fn received(&self) -> u64 {
        self.oracle.edit_visit(self.visit, |visit| visit.received)
    }

    fn server_closed(&self) {
        let behaviour = self.behaviour();
        let received = self.received();
        match behaviour {
            Behaviour::CloseAfter { count } => {
                if received < count {
                    self.blame(&format!("the server closed after {received} of {count} messages"));
                }
            }
            Behaviour::PanicAfter { .. } | Behaviour::FailAfter { .. } => {}
            Behaviour::Deaf { .. } => {}
            _ if self.look(|state| state.closing) => {}
            _ => self.blame("the server closed the session without a reason"),
        }
        self.over(Over::ServerClosed);
    }

    // Requests.

    async fn dial(&self, matters: bool) -> Option<Arc<End>> {
        match self.sim.dial(self.address).await {
            Ok(end) => {
                self.edit(|state| {
                    state.dialed.push(end.id());
                    if matters {
                        state.vital.push(end.id());
                    }
                });
                Some(Arc::new(end))
            }
            Err(_) => None,
        }
    }

    async fn exchange(&self, line: &mut Line, bytes: &[u8]) -> Result<Response, Trouble> {
        let patience = self.oracle.plan.patience();
        let now = self.sim.micros();
        let idle = |since: u64| now.saturating_sub(since) < SECOND;
        let kept = line.take().filter(|(_, since)| self.script.keep && idle(*since));
        let mut connection = match kept {
            Some((connection, _)) => connection,
            None => HttpConnection::new(self.dial(true).await.ok_or(Trouble::Refused)?),
        };
        let answer = timeout(&self.sim, patience, connection.exchange(bytes)).await;
        match answer {
            None => {
                if connection.end().fault().is_none() {
                    self.violation(&format!("no answer to {}", super::trace::show(bytes)));
                }
                Err(Trouble::Silent)
            }
            Some(Err(broken)) => Err(Trouble::Broken(broken)),
            Some(Ok(response)) => {
                if !response.last {
                    *line = Some((connection, self.sim.micros()));
                }
                Ok(response)
            }
        }
    }

    fn target(&self, transport: &str) -> String {
        let sid = self.look(|state| state.sid.clone());
        let sid = if sid.is_empty() { sid } else { format!("&sid={sid}") };
        format!("/engine.io/?EIO=4&transport={transport}{sid}")
    }

    /// A request failed: the client gives the session up.
    fn lost(&self, trouble: &Trouble, what: &str) {
        match trouble {
            Trouble::Refused => {
                let listening = self.sim.with(|kernel| kernel.network.is_listening());
                if listening && self.oracle.plan.weather.faults > 0 {
                    self.excuse("a connection was refused");
                }
                self.blame(&format!("{what}: refused"));
            }
            Trouble::Silent => self.blame(&format!("{what}: no answer")),
            Trouble::Broken(Broken::Invalid(why)) => self.violation(&format!("{what}: {why}")),
            Trouble::Broken(Broken::Lost { anything }) => {
                let part = if *anything { " in the middle of the answer" } else { "" };
                self.blame(&format!("{what}: the connection was lost{part}"));
            }
        }
        self.over(Over::Lost);
    }

    /// The server says that it does not know this session, or does not like the request.
    fn rejected(&self, response: &Response, what: &str) {
        let closes = matches!(
            self.behaviour(),
            Behaviour::CloseAfter { .. }
                | Behaviour::PanicAfter { .. }
                | Behaviour::FailAfter { .. }
                | Behaviour::Deaf { .. }
        );
        if closes {
            self.excuse("rejected by a server that was closing");
        }
        let status = response.status;
        let body = String::from_utf8_lossy(&response.body).into_owned();
        self.blame(&format!("{what} was answered {status} {body}"));
        self.over(Over::Lost);
    }

    // The visit.

    async fn live(&self) {
        type Loop<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
        let mut loops: Vec<Loop<'_>> = vec![Box::pin(self.visit())];
        poll_fn(|cx| {
            loop {
                loops.retain_mut(|each| each.as_mut().poll(cx).is_pending());
                let mut state = lock(&self.state);
                if state.over.is_some() {
                    return Poll::Ready(());
                }
                if !std::mem::take(&mut state.changed) {
                    return Poll::Pending;
                }
            }
        })
        .await;
    }

    async fn visit(&self) {
        let opened_at = self.sim.micros();
        self.edit(|state| state.opened_at = opened_at);
        match self.script.carrier {
            Carrier::WebSocket => {
                let Some((end, mut reader)) = self.open_socket().await else {
                    return;
                };
                self.edit(|state| state.way = Way::WebSocket);
                together([
                    Box::pin(self.produce()) as Pin<Box<dyn Future<Output = ()> + Send + '_>>,
                    Box::pin(self.socket(end, &mut reader)),
                    Box::pin(self.watch()),
                    Box::pin(mischief::beside(self)),
                ])
                .await;
            }
            Carrier::Polling | Carrier::Upgrade { .. } => {
                let mut line = None;
                if !self.open_polling(&mut line).await {
                    return;
                }
                together([
                    Box::pin(self.produce()) as Pin<Box<dyn Future<Output = ()> + Send + '_>>,
                    Box::pin(self.polls(line)),
                    Box::pin(self.posts()),
                    Box::pin(self.upgrade()),
                    Box::pin(self.watch()),
                    Box::pin(mischief::beside(self)),
                ])
                .await;
            }
        }
    }

    fn refused(&self, response: &Response) {
        // An honest client is refused only where the application does that.
        if self.oracle.plan.family == super::plan::Family::Clean {
            self.violation(&format!("refused: {response:?}"));
        }
        if !(400..600).contains(&response.status) {
            self.violation(&format!("an odd refusal: {response:?}"));
        }
        self.excuse("refused");
        self.over(Over::Refused);
    }

    async fn open_polling(&self, line: &mut Line) -> bool {
        let response = match self.exchange(line, &self.poll()).await {
            Ok(response) => response,
            Err(trouble) => {
                self.lost(&trouble, "the handshake");
                return false;
            }
        };
        if response.status != 200 {
            self.refused(&response);
            return false;
        }
        let Some(packets) = self.packets(&response) else {
            return false;
        };
        let mut packets = packets.into_iter();
        let Some(Packet::Open(json)) = packets.next() else {
            self.violation(&format!("no open packet: {response:?}"));
            return false;
        };
        self.opened(&json, true);
        for packet in packets {
            self.take(packet);
        }
        true
    }

    fn poll(&self) -> Vec<u8> {
        let target = self.target("polling") + self.manner.query();
        request("GET", &target, &self.manner.headers(), b"", 0)
    }

    fn packets(&self, response: &Response) -> Option<Vec<Packet>> {
        let payload = self.manner.payload(response);
        let packets = payload.as_ref().ok().and_then(|payload| parse_payload(payload));
        if packets.is_none() {
            let body = super::trace::show(&response.body);
            let why = payload.err().unwrap_or_default();
            self.violation(&format!("an odd poll {body} {why}"));
        }
        packets
    }

    fn opened(&self, json: &str, polling: bool) {
        let plan = &self.oracle.plan;
        let sid = field(json, "sid").unwrap_or_default().to_owned();
        let announced = [
            ("pingInterval", plan.ping_interval / MILLI),
            ("pingTimeout", plan.ping_timeout / MILLI),
            ("maxPayload", plan.max_payload as u64),
        ];
        for (name, value) in announced {
            if field(json, name) != Some(&value.to_string()) {
                self.violation(&format!("{name} should be {value} in {json}"));
            }
        }
        let upgrades = json.contains(r#""upgrades":["websocket"]"#);
        if sid.is_empty() || upgrades != polling {
            self.violation(&format!("an odd open packet {json}"));
        }
        let now = self.sim.micros();
        let key = key_of(&sid);
        self.edit(|state| {
            state.sid = sid;
            state.key = key;
            state.last_ping = now;
        });
        self.oracle.edit_visit(self.visit, |visit| visit.key = Some(key));
        let visit = self.visit;
        self.sim.note(&[15, visit as u64, key], || {
            format!("peer {visit}  opened session {key:016x}")
        });
    }

    /// Hands in the messages, waits until everything has arrived, and leaves.
    async fn produce(&self) {
        let key = self.look(|state| state.key);
        for index in 0..self.script.messages {
            let spacing = lock(&self.rng).between(0, self.script.spacing);
            self.pause(spacing).await;
            self.until(|state| state.outbox.len() < 32).await;
            let content = self.oracle.expected(key, super::content::Direction::Up, index);
            self.edit(|state| state.outbox.push_back(Outgoing::Message(content)));
        }
        match self.expected() {
            None => {
                let while_ = lock(&self.rng).by_magnitude(10, 26);
                self.pause(while_).await;
                self.excuse("nothing in particular was to be expected");
            }
            Some(expected) => {
                let slow = match self.behaviour() {
                    Behaviour::Slow { pause } => pause + MILLI * 10,
                    Behaviour::Push { spacing, .. } => spacing + MILLI * 10,
                    _ => MILLI * 10,
                };
                let count = expected.max(self.script.messages) + 1;
                let limit = 2 * self.oracle.plan.patience() + slow * count + 60 * SECOND;
                let complete = self.until(|state| {
                    let all = state.outbox.is_empty() && !state.posting && state.way != Way::Pausing;
                    all && self.received() >= expected
                });
                if timeout(&self.sim, limit, complete).await.is_none() {
                    let received = self.received();
                    self.blame(&format!("only {received} of {expected} messages arrived"));
                }
                if let Behaviour::CloseAfter { count } = self.behaviour() {
                    if count <= self.script.messages {
                        // The server leaves first.
                        self.pause(self.oracle.plan.patience()).await;
                        self.blame("the handler returned, and the session was not closed");
                    }
                }
            }
        }
        self.pause(self.script.lingers).await;
        match self.script.ending {
            Ending::Drop => self.over(Over::Left),
            Ending::Vanish => self.over(Over::Vanished),
            Ending::Packet | Ending::Frame => {
                // As the JavaScript client does: an upgrade that is under way is finished first.
                self.until(|state| state.way != Way::Pausing && state.outbox.len() < 32)
                    .await;
                self.edit(|state| {
                    state.closing = true;
                    state.outbox.push_back(Outgoing::Close);
                });
            }
        }
    }

    fn take(&self, packet: Packet) {
        match packet {
            Packet::Noop => {}
            Packet::Close => self.server_closed(),
            Packet::Ping(data) => {
                if !data.is_empty() {
                    self.violation("a ping with data");
                }
                self.pinged();
            }
            Packet::Text(bytes) => self.message(true, &bytes),
            Packet::Binary(bytes) => self.message(false, &bytes),
            other => self.violation(&format!("an unexpected packet {other:?}")),
        }
    }

    fn message(&self, text: bool, bytes: &[u8]) {
        self.oracle.peer_received(self.visit, Received { text, bytes });
        self.edit(|_| ());
    }

    fn pinged(&self) {
        let now = self.sim.micros();
        let interval = self.oracle.plan.ping_interval;
        let (due, pings) = self.edit(|state| {
            state.pings += 1;
            state.last_ping = now;
            // Before messages that wait: a peer that posts them one by one would be late with it.
            state.outbox.push_front(Outgoing::Pong(Vec::new()));
            (state.opened_at + state.pings * interval, state.pings)
        });
        let visit = self.visit;
        self.sim
            .note(&[16, visit as u64], || format!("peer {visit}  is pinged"));
        if now < due {
            let early = due - now;
            self.violation(&format!("ping {pings} came {early} µs early"));
        }
    }

    /// The client's own watchdog: a server that does not ping is gone.
    async fn watch(&self) {
        let plan = &self.oracle.plan;
        loop {
            let patience = plan.ping_interval + plan.ping_timeout + plan.slack();
            let due = self.look(|state| state.last_ping) + patience;
            if self.sim.micros() >= due {
                if matches!(self.behaviour(), Behaviour::Slow { .. } | Behaviour::Deaf { .. }) {
                    self.excuse("the server takes no pongs, and so sends no pings");
                }
                if self.look(|state| state.closing) {
                    // Goodbye was said; the requests' own deadlines watch over the rest.
                    return;
                }
                self.blame("the server's pings are missing");
                self.over(Over::Lost);
                return;
            }
            self.sim.sleep_until_micros(due).await;
        }
    }

    /// Stops reading for a while, where the script says so.
    async fn doze(&self, dozed: &mut bool) {
        if let Some((after, long)) = self.script.dozes {
            if !*dozed && self.received() >= after {
                *dozed = true;
                self.excuse("it stopped reading");
                self.pause(long).await;
            }
        }
    }

    // Polling.

    async fn polls(&self, mut line: Line) {
        let mut dozed = false;
        loop {
            self.until(|state| state.way != Way::Pausing && !state.closing).await;
            if self.look(|state| state.way == Way::WebSocket) {
                return;
            }
            self.doze(&mut dozed).await;
            if self.look(|state| state.way != Way::Polling || state.closing) {
                continue;
            }
            self.edit(|state| state.getting = true);
            let result = self.exchange(&mut line, &self.poll()).await;
            let response = match result {
                Ok(response) if response.status == 200 => response,
                Ok(response) if self.look(|state| state.closing) => {
                    // It crossed our close packet.
                    self.poll_ended(response.status);
                    return;
                }
                Ok(response) => return self.rejected(&response, "a poll"),
                Err(trouble) => return self.lost(&trouble, "a poll"),
            };
            let Some(packets) = self.packets(&response) else {
                return;
            };
            if packets.len() > 16 {
                self.violation(&format!("{} packets in one response", packets.len()));
            }
            let idle = packets == [Packet::Noop];
            for packet in packets {
                self.take(packet);
            }
            if idle {
                // While a probe is under way every poll is answered at once.
                self.pause(5 * MILLI).await;
            }
            self.edit(|state| state.getting = false);
        }
    }

    fn poll_ended(&self, status: u16) {
        if status != 400 {
            self.blame(&format!("a poll of a closed session was answered {status}"));
        }
        self.edit(|state| state.getting = false);
    }

    async fn posts(&self) {
        let mut line = None;
        loop {
            self.until(|state| match state.way {
                Way::Polling => !state.outbox.is_empty(),
                Way::Pausing => false,
                Way::WebSocket => true,
            })
            .await;
            if self.look(|state| state.way == Way::WebSocket) {
                return;
            }
            let (body, messages, goodbye) = self.batch();
            self.edit(|state| state.posting = true);
            self.oracle.edit_visit(self.visit, |visit| visit.sent += messages);
            let headers = "Content-Type: text/plain;charset=UTF-8\r\n";
            let form = self.manner.form(&body, self.oracle.plan.max_payload);
            let target = self.target("polling") + form.as_ref().map_or("", |_| self.manner.query());
            let body = form.unwrap_or(body);
            let bytes = request("POST", &target, headers, &body, self.script.chunks);
            match self.exchange(&mut line, &bytes).await {
                Ok(response) if response.status == 200 && response.body == b"ok" => {}
                Ok(response) => return self.rejected(&response, "a post"),
                Err(trouble) => return self.lost(&trouble, "a post"),
            }
            self.oracle.edit_visit(self.visit, |visit| visit.confirmed += messages);
            self.edit(|state| state.posting = false);
            if goodbye {
                // The poll that waits has to be answered too.
                self.until(|state| !state.getting).await;
                self.over(Over::Orderly);
                return;
            }
        }
    }

    /// The body of the next POST: how many messages are in it, and whether it ends with a close packet.
    fn batch(&self) -> (Vec<u8>, u64, bool) {
        let limit = self.oracle.plan.max_payload;
        let (mut body, mut messages, mut packets, mut goodbye) = (Vec::new(), 0, 0, false);
        self.edit(|state| {
            while packets < self.script.batch {
                let Some(next) = state.outbox.pop_front() else {
                    break;
                };
                let before = body.len();
                next.push_payload(packets == 0, &mut body);
                if body.len() > limit && packets > 0 {
                    body.truncate(before);
                    state.outbox.push_front(next);
                    break;
                }
                packets += 1;
                messages += u64::from(matches!(next, Outgoing::Message(_)));
                goodbye |= next == Outgoing::Close;
            }
        });
        (body, messages, goodbye)
    }

    // WebSocket.

    /// The HTTP side of a WebSocket: the open connection, or why there is none.
    async fn handshake(&self, end: &Arc<End>) -> Result<Result<Reader, Response>, Trouble> {
        let headers = format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n",
            websocket::KEY
        );
        let bytes = request("GET", &self.target("websocket"), &headers, b"", 0);
        let mut connection = HttpConnection::new(end.clone());
        let exchange = connection.exchange(&bytes);
        let patience = self.oracle.plan.patience();
        let Some(answer) = timeout(&self.sim, patience, exchange).await else {
            if end.fault().is_none() {
                self.violation("no answer to a WebSocket handshake");
            }
            return Err(Trouble::Silent);
        };
        let response = answer.map_err(Trouble::Broken)?;
        if response.status != 101 {
            return Ok(Err(response));
        }
        if !response.head.to_ascii_lowercase().contains(&format!(
            "sec-websocket-accept: {}\r\n",
            websocket::ACCEPT.to_ascii_lowercase()
        )) {
            self.violation(&format!("an odd handshake {:?}", response.head));
        }
        let (end, rest) = connection.into_rest();
        Ok(Ok(Reader::new(end, rest)))
    }

    async fn open_socket(&self) -> Option<(Arc<End>, Reader)> {
        let Some(end) = self.dial(true).await else {
            self.lost(&Trouble::Refused, "the WebSocket");
            return None;
        };
        let mut reader = match self.handshake(&end).await {
            Ok(Ok(reader)) => reader,
            Ok(Err(response)) => {
                self.refused(&response);
                return None;
            }
            Err(trouble) => {
                self.lost(&trouble, "the WebSocket handshake");
                return None;
            }
        };
        let patience = self.oracle.plan.patience();
        match timeout(&self.sim, patience, reader.next()).await {
            Some(Ok(Incoming::Text(bytes))) => match parse_text(&bytes) {
                Some(Packet::Open(json)) => {
                    self.opened(&json, false);
                    return Some((end, reader));
                }
                _ => self.violation(&format!("no open packet but {}", super::trace::show(&bytes))),
            },
            Some(Ok(Incoming::Close(_))) if self.oracle.plan.family != super::plan::Family::Clean => {
                // Refused after the handshake: where it was not known before.
                self.excuse("refused");
                self.over(Over::Refused);
            }
            Some(Ok(other)) => self.violation(&format!("no open packet but {other:?}")),
            Some(Err(broken)) => self.lost(&Trouble::Broken(broken), "the open packet"),
            None => {
                if end.fault().is_none() {
                    self.violation("no open packet on a WebSocket");
                }
                self.lost(&Trouble::Silent, "the open packet");
            }
        }
        None
    }

    async fn upgrade(&self) {
        let Carrier::Upgrade { after } = self.script.carrier else {
            return;
        };
        self.pause(after).await;
        if self.look(|state| state.closing) {
            return;
        }
        // The session does not depend on this connection yet.
        let Some(end) = self.dial(false).await else {
            return;
        };
        let Some(mut reader) = self.probe(&end).await else {
            // The upgrade failed, and polling goes on with nothing lost.
            self.edit(|state| {
                state.probing = false;
                if state.way == Way::Pausing {
                    state.way = Way::Polling;
                }
            });
            return;
        };
        self.edit(|state| {
            state.vital.push(end.id());
            state.way = Way::WebSocket;
            state.outbox.push_front(Outgoing::Upgrade);
        });
        let visit = self.visit;
        self.sim.note(&[17, visit as u64], || format!("peer {visit}  upgrades"));
        self.socket(end, &mut reader).await;
    }

    /// Up to the moment before the upgrade packet.
    async fn probe(&self, end: &Arc<End>) -> Option<Reader> {
        let failed = |what: &str| {
            let closing = self.look(|state| state.closing || state.over.is_some());
            if end.fault().is_none() && !closing && !self.closing_server() {
                self.blame(what);
            }
        };
        let begun = self.sim.micros();
        let mut reader = match self.handshake(end).await {
            Ok(Ok(reader)) => reader,
            Ok(Err(response)) => {
                failed(&format!("an upgrade was refused: {response:?}"));
                return None;
            }
            Err(Trouble::Broken(Broken::Invalid(why))) => {
                self.violation(&why);
                return None;
            }
            Err(_) => {
                failed("the connection of an upgrade was lost");
                return None;
            }
        };
        self.edit(|state| state.probing = true);
        let (_, probe) = Outgoing::Probe.frame();
        let frame = websocket::message(true, &probe, &mut lock(&self.rng));
        if end.write_all(&frame).await.is_err() {
            failed("the connection of a probe was lost");
            return None;
        }
        let patience = self.oracle.plan.patience();
        match timeout(&self.sim, patience, reader.next()).await {
            Some(Ok(Incoming::Text(bytes))) if bytes == b"3probe" => {}
            Some(Ok(Incoming::Close(_)) | Err(Broken::Lost { .. })) => {
                failed("a probe was not answered but closed");
                return None;
            }
            None if end.fault().is_some() => return None,
            other => {
                self.violation(&format!("a probe was answered {other:?}"));
                return None;
            }
        }
        if self.look(|state| state.closing) {
            return None;
        }
        self.edit(|state| state.way = Way::Pausing);
        // What is under way on polling is waited for, and a WebSocket that dies meanwhile is no loss.
        let early = {
            let mut paused = pin!(self.until(|state| !state.getting && !state.posting));
            let mut early = pin!(reader.next());
            poll_fn(|cx| match paused.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => early.as_mut().poll(cx).map(Some),
            })
            .await
        };
        match early {
            None => {}
            Some(Ok(Incoming::Close(_)) | Err(Broken::Lost { .. })) => {
                // What polling still had under way may take longer than the server's patience with a probe.
                let plan = &self.oracle.plan;
                if self.sim.micros() < begun + plan.upgrade_timeout {
                    failed("the WebSocket was closed before the upgrade packet");
                }
                return None;
            }
            Some(other) => {
                self.violation(&format!("{other:?} before the upgrade packet"));
                return None;
            }
        }
        Some(reader)
    }

    /// The handler may be closing the session just now.
    fn closing_server(&self) -> bool {
        !matches!(
            self.behaviour(),
            Behaviour::Echo | Behaviour::Push { .. } | Behaviour::Slow { .. }
        )
    }

    /// The session on an open WebSocket, until its end.
    async fn socket(&self, end: Arc<End>, reader: &mut Reader) {
        together([
            Box::pin(self.write_frames(&end)) as Pin<Box<dyn Future<Output = ()> + Send + '_>>,
            Box::pin(self.read_frames(&end, reader)),
        ])
        .await;
    }

    async fn write_frames(&self, end: &Arc<End>) {
        loop {
            self.until(|state| !state.outbox.is_empty()).await;
            let Some(next) = self.edit(|state| state.outbox.pop_front()) else {
                continue;
            };
            let bytes = if next == Outgoing::Close && self.script.ending == Ending::Frame {
                websocket::control(websocket::CLOSE, &1000_u16.to_be_bytes(), &mut lock(&self.rng))
            } else {
                let (text, payload) = next.frame();
                websocket::message(text, &payload, &mut lock(&self.rng))
            };
            if matches!(next, Outgoing::Message(_)) {
                self.oracle.edit_visit(self.visit, |visit| visit.sent += 1);
            }
            if end.write_all(&bytes).await.is_err() {
                // What is still to be read is read first; the reading half knows how it ends.
                return;
            }
            self.edit(|state| state.settled = true);
        }
    }

    async fn read_frames(&self, end: &Arc<End>, reader: &mut Reader) {
        let mut dozed = false;
        let mut told = false;
        loop {
            self.doze(&mut dozed).await;
            let closing = self.look(|state| state.closing);
            let patience = self.oracle.plan.patience();
            let incoming = if told || closing {
                timeout(&self.sim, patience, reader.next()).await
            } else {
                // Woken up when we start to say goodbye: the answer to that has a deadline.
                let mut goodbye = pin!(self.until(|state| state.closing));
                let mut next = pin!(reader.next());
                let first = poll_fn(|cx| match next.as_mut().poll(cx) {
                    Poll::Ready(incoming) => Poll::Ready(Some(incoming)),
                    Poll::Pending => goodbye.as_mut().poll(cx).map(|()| None),
                })
                .await;
                if first.is_none() {
                    continue;
                }
                first
            };
            match incoming {
                None => {
                    if end.fault().is_none() {
                        self.violation("a WebSocket stays open after its end");
                    }
                    return self.over(Over::Lost);
                }
                Some(Ok(Incoming::Text(bytes))) => match parse_text(&bytes) {
                    Some(Packet::Close) => told = true,
                    Some(packet) => self.take(packet),
                    None => self.violation(&format!("an odd frame {}", super::trace::show(&bytes))),
                },
                Some(Ok(Incoming::Binary(bytes))) => self.message(false, &bytes),
                Some(Ok(Incoming::Ping(_) | Incoming::Pong(_))) => {}
                Some(Ok(Incoming::Close(code))) => {
                    if matches!(code, Some(1002 | 1003 | 1007 | 1009)) && !self.excused() {
                        self.violation(&format!("the server complains with {code:?}"));
                    }
                    let answer = websocket::control(websocket::CLOSE, b"", &mut lock(&self.rng));
                    let _ = timeout(&self.sim, patience, end.write_all(&answer)).await;
                    // The server ends the connection: RFC 6455, 7.1.1.
                    let end_of_stream = timeout(&self.sim, patience, reader.next()).await;
                    if end_of_stream.is_none() && end.fault().is_none() {
                        self.violation("the connection stays open after the WebSocket's close");
                    }
                    return self.socket_closed();
                }
                Some(Err(Broken::Invalid(why))) => {
                    self.violation(&why);
                    return self.over(Over::Lost);
                }
                Some(Err(Broken::Lost { .. })) => {
                    if !told && !closing {
                        self.blame("the WebSocket's connection was lost");
                        return self.over(Over::Lost);
                    }
                    return self.socket_closed();
                }
            }
        }
    }

    fn socket_closed(&self) {
        match self.look(|state| state.closing && state.outbox.is_empty()) {
            true => self.over(Over::Orderly),
            false => self.server_closed(),
        }
    }

    // What runs beside an honest visit.

    pub fn mischief(&self) -> Option<mischief::Mischief> {
        self.script.mischief
    }

    pub async fn raw_socket(&self) -> Option<(Arc<End>, Result<Reader, Response>)> {
        let end = self.dial(false).await?;
        let answer = self.handshake(&end).await.ok()?;
        Some((end, answer))
    }

    pub async fn raw_exchange(&self, bytes: &[u8]) -> Option<Response> {
        let end = self.dial(false).await?;
        let mut connection = HttpConnection::new(end);
        let patience = self.oracle.plan.patience();
        timeout(&self.sim, patience, connection.exchange(bytes)).await?.ok()
    }

    pub async fn until_probing(&self) {
        self.until(|state| state.probing || state.way == Way::WebSocket).await;
    }

    pub async fn wait(&self, micros: u64) {
        self.pause(micros).await;
    }

    pub fn random(&self) -> u64 {
        lock(&self.rng).next()
    }

    pub fn patience(&self) -> u64 {
        self.oracle.plan.patience()
    }

    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    pub fn complain(&self, what: &str) {
        self.blame(what);
    }
}

/// Runs several loops as one, until all of them have ended.
async fn together<'a, const N: usize>(loops: [Pin<Box<dyn Future<Output = ()> + Send + 'a>>; N]) {
    let mut loops = Vec::from(loops);
    poll_fn(|cx| {
        loops.retain_mut(|each| each.as_mut().poll(cx).is_pending());
        match loops.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}
