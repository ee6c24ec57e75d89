//! Peers that break the rules: some beside an honest visit, which must not suffer; some instead of one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::http_client::{Broken, HttpConnection, Response, request};
use super::oracle::{Oracle, key_of};
use super::packets::{Packet, field, parse_payload};
use super::peer::{Peer, timeout};
use super::plan::{Behaviour, Carrier, MILLI, SECOND, Script};
use super::rng::Rng;
use super::runtime::{End, Sim};
use super::websocket_client::{self as websocket, Incoming, Reader, raw_frame};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    // Beside an honest visit.
    SecondSocket,
    UpgradeUnprobed,
    ProbeForever,
    ProbeAndLeave,
    BadProbe,
    UnknownSession,
    // Instead of one.
    OverlappingGets,
    OverlappingPosts,
    BadPackets,
    BadSocketPackets,
    Garbage,
    BadHead,
    HugeHead,
    SlowHead,
    SlowBody,
    OversizedBody,
    EndlessChunks,
    BadFrames,
    AbortedPoll,
    Pipelined,
    PongFlood,
    SilentSocket,
    OpenAndLeave,
    RandomSteps,
}

use Mischief::*;

const ALL: [Mischief; 24] = [
    SecondSocket,
    UpgradeUnprobed,
    ProbeForever,
    ProbeAndLeave,
    BadProbe,
    UnknownSession,
    OverlappingGets,
    OverlappingPosts,
    BadPackets,
    BadSocketPackets,
    Garbage,
    BadHead,
    HugeHead,
    SlowHead,
    SlowBody,
    OversizedBody,
    EndlessChunks,
    BadFrames,
    AbortedPoll,
    Pipelined,
    PongFlood,
    SilentSocket,
    OpenAndLeave,
    RandomSteps,
];

impl Mischief {
    pub fn any(rng: &mut Rng) -> Self {
        *rng.pick(&ALL)
    }

    pub fn is_beside(self) -> bool {
        let beside = [
            SecondSocket,
            UpgradeUnprobed,
            ProbeForever,
            ProbeAndLeave,
            BadProbe,
            UnknownSession,
        ];
        beside.contains(&self)
    }

    /// The honest visit that it is done beside.
    pub fn adapt(self, mut script: Script, rng: &mut Rng) -> Script {
        script.carrier = match (self, script.carrier) {
            (SecondSocket, Carrier::Polling) => Carrier::Upgrade {
                after: rng.by_magnitude(0, 20),
            },
            (UpgradeUnprobed | ProbeForever | ProbeAndLeave | BadProbe, _) => Carrier::Polling,
            (_, carrier) => carrier,
        };
        script
    }
}

/// What an honest peer's evil twin does with the same session.
pub async fn beside(peer: &Peer) {
    let Some(mischief) = peer.mischief() else {
        return;
    };
    if mischief == SecondSocket {
        peer.until_probing().await;
    }
    peer.wait(peer.random() % (1 << (8 + peer.random() % 13))).await;
    if mischief == UnknownSession {
        unknown_session(peer).await;
        return;
    }
    let Some((end, answer)) = peer.raw_socket().await else {
        return;
    };
    let Ok(mut reader) = answer else {
        return;
    };
    let mut rng = Rng::new(peer.random());
    let oddities: [&[u8]; 7] = [b"2", b"4early", b"3probe", b"2probe2", b"", b"nonsense", b"1"];
    let first: &[u8] = match mischief {
        UpgradeUnprobed => b"5",
        BadProbe => oddities[rng.index(oddities.len())],
        _ => b"2probe",
    };
    let _ = end.write_all(&websocket::message(true, first, &mut rng)).await;
    if mischief == ProbeAndLeave {
        peer.wait(rng.by_magnitude(0, 18)).await;
        return;
    }
    if mischief == ProbeForever {
        match timeout(peer.sim(), peer.patience(), reader.next()).await {
            Some(Ok(Incoming::Text(bytes))) if bytes == b"3probe" => {}
            Some(Ok(Incoming::Close(_)) | Err(_)) => {}
            other => peer.complain(&format!("a probe was answered {other:?}")),
        }
    }
    // Refused before or after the 101: but not left open, and not answered like the first one.
    let ended = timeout(peer.sim(), peer.patience(), until_end(&mut reader)).await;
    match ended {
        None if end.fault().is_none() => peer.complain(&format!("{mischief:?}: the WebSocket stays open")),
        Some(Some(message)) => peer.complain(&format!("{mischief:?}: answered {message:?}")),
        _ => {}
    }
}

/// Reads to the end; the first message before it, if there is one.
async fn until_end(reader: &mut Reader) -> Option<Incoming> {
    loop {
        match reader.next().await {
            Ok(message @ (Incoming::Text(_) | Incoming::Binary(_))) => return Some(message),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

async fn unknown_session(peer: &Peer) {
    let target = "/engine.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAAAA";
    for method in ["GET", "POST"] {
        let bytes = request(method, target, "", b"4x", 0);
        let bytes = if method == "GET" {
            request("GET", target, "", b"", 0)
        } else {
            bytes
        };
        match peer.raw_exchange(&bytes).await {
            Some(response) if response.status == 400 => {}
            other => peer.complain(&format!("an unknown session was answered {other:?}")),
        }
    }
}

/// A peer with nothing but mischief in mind.
pub struct Villain {
    sim: Sim,
    oracle: Oracle,
    mischief: Mischief,
    start: u64,
    address: SocketAddr,
    visit: usize,
    rng: Rng,
}

impl Villain {
    pub fn new(sim: Sim, oracle: Oracle, script: &Script, address: SocketAddr, rng: Rng) -> Self {
        let visit = oracle.visit(false);
        let mischief = script.mischief.unwrap_or(RandomSteps);
        Self {
            sim,
            oracle,
            mischief,
            start: script.start,
            address,
            visit,
            rng,
        }
    }

    pub async fn run(mut self) {
        self.pause(self.start).await;
        let visit = self.visit;
        let mischief = self.mischief;
        self.sim
            .note(&[18, visit as u64], || format!("peer {visit}  is up to {mischief:?}"));
        // Everything here is bounded by its own deadlines; a villain that hangs is a bug of the simulation.
        let limit = 20 * self.patience();
        let sim = self.sim.clone();
        if timeout(&sim, limit, self.act()).await.is_none() {
            self.oracle.violation(format!("peer {visit} ({mischief:?}) hangs"));
        }
        let now = self.sim.micros();
        self.sim
            .note(&[19, visit as u64], || format!("peer {visit}  has done {mischief:?}"));
        self.oracle.edit_visit(visit, |visit| {
            visit.left_at = now;
            visit.excuse = Some("a villain".to_owned());
            visit.done = true;
        });
    }

    async fn act(&mut self) {
        match self.mischief {
            OverlappingGets => self.overlap("GET").await,
            OverlappingPosts => self.overlap("POST").await,
            BadPackets => self.bad_packets().await,
            BadSocketPackets => self.bad_socket_packets().await,
            Garbage => self.garbage().await,
            BadHead => self.bad_head().await,
            HugeHead => self.huge_head().await,
            SlowHead => {
                self.slow(b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nX-Slow: ")
                    .await
            }
            SlowBody => self.slow_body().await,
            OversizedBody => self.oversized().await,
            EndlessChunks => self.endless_chunks().await,
            BadFrames => self.bad_frames().await,
            AbortedPoll => self.aborted_poll().await,
            Pipelined => self.pipelined().await,
            PongFlood => self.pong_flood().await,
            SilentSocket => self.silent_socket().await,
            OpenAndLeave => {
                self.open().await;
            }
            _ => self.random_steps().await,
        }
    }

    fn patience(&self) -> u64 {
        self.oracle.plan.patience()
    }

    async fn pause(&self, micros: u64) {
        self.sim.sleep(Duration::from_micros(micros)).await;
    }

    async fn idle(&mut self, bits_low: u64, bits_high: u64) {
        let micros = self.rng.by_magnitude(bits_low, bits_high);
        self.pause(micros).await;
    }

    async fn dial(&self) -> Option<Arc<End>> {
        self.sim.dial(self.address).await.ok().map(Arc::new)
    }

    /// An answer or the end of the connection: either must come, and what comes must be HTTP.
    async fn answered(&self, connection: &mut HttpConnection, what: &str) -> Option<Response> {
        match timeout(&self.sim, self.patience(), connection.response()).await {
            Some(Ok(response)) => Some(response),
            Some(Err(Broken::Lost { .. })) => None,
            Some(Err(Broken::Invalid(why))) => {
                self.complain(&format!("{what}: {why}"));
                None
            }
            None => {
                if connection.end().fault().is_none() {
                    self.complain(&format!("{what}: neither answered nor closed"));
                }
                None
            }
        }
    }

    fn complain(&self, what: &str) {
        self.oracle
            .violation(format!("peer {} ({:?}): {what}", self.visit, self.mischief));
    }

    async fn send(&self, bytes: &[u8]) -> Option<HttpConnection> {
        let end = self.dial().await?;
        // A server that does not read on may have answered already.
        let _ = timeout(&self.sim, self.patience(), end.write_all(bytes)).await;
        Some(HttpConnection::new(end))
    }

    async fn ask(&self, bytes: &[u8], what: &str) -> Option<Response> {
        let mut connection = self.send(bytes).await?;
        self.answered(&mut connection, what).await
    }

    /// A polling session.
    async fn open(&self) -> Option<String> {
        let bytes = request("GET", "/engine.io/?EIO=4&transport=polling", "", b"", 0);
        let response = self.ask(&bytes, "a handshake").await?;
        if response.status != 200 {
            return None;
        }
        let packets = parse_payload(&response.body)?;
        let Some(Packet::Open(json)) = packets.first() else {
            self.complain("a handshake without an open packet");
            return None;
        };
        let sid = field(json, "sid")?.to_owned();
        self.oracle
            .edit_visit(self.visit, |visit| visit.key = Some(key_of(&sid)));
        Some(sid)
    }

    async fn open_socket(&self, query: &str) -> Option<(Arc<End>, Reader)> {
        let headers = format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n",
            websocket::KEY
        );
        let target = format!("/engine.io/?EIO=4&transport=websocket{query}");
        let mut connection = self.send(&request("GET", &target, &headers, b"", 0)).await?;
        let response = self.answered(&mut connection, "a WebSocket handshake").await?;
        if response.status != 101 {
            return None;
        }
        let (end, rest) = connection.into_rest();
        Some((end.clone(), Reader::new(end, rest)))
    }

    fn poll(&self, sid: &str) -> Vec<u8> {
        request(
            "GET",
            &format!("/engine.io/?EIO=4&transport=polling&sid={sid}"),
            "",
            b"",
            0,
        )
    }

    fn post(&self, sid: &str, body: &[u8]) -> Vec<u8> {
        let target = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
        request("POST", &target, "Content-Type: text/plain\r\n", body, 0)
    }

    /// What the session's first message must be; a villain's messages are checked like everybody's.
    fn first_message(&self, sid: &str) -> Vec<u8> {
        let content = self.oracle.expected(key_of(sid), super::content::Direction::Up, 0);
        let mut body = Vec::new();
        super::packets::Outgoing::Message(content).push_payload(true, &mut body);
        body
    }

    async fn overlap(&mut self, method: &str) {
        let Some(sid) = self.open().await else {
            return;
        };
        let bytes = match method {
            "GET" => self.poll(&sid),
            _ => self.post(&sid, b"3"),
        };
        let mut open = Vec::new();
        for _ in 0..self.rng.between(2, 4) {
            open.extend(self.send(&bytes).await);
            if self.rng.one_in(2) {
                self.idle(0, 16).await;
            }
        }
        for mut connection in open {
            if let Some(response) = self.answered(&mut connection, "an overlapping request").await {
                if ![200, 400].contains(&response.status) {
                    self.complain(&format!("an overlapping request was answered {}", response.status));
                }
            }
        }
    }

    async fn bad_packets(&mut self) {
        let Some(sid) = self.open().await else {
            return;
        };
        let mut poll = None;
        if self.rng.one_in(2) {
            poll = self.send(&self.poll(&sid)).await;
        }
        let bodies: [&[u8]; 20] = [
            b"abc",
            b"7",
            b"",
            b"\x1e",
            b"3\x1e",
            b"\x1e3",
            b"3\x1e\x1e3",
            b"b!!!!",
            b"bAAA",
            b"b=",
            b"4\xff\xfe",
            b"2",
            b"2probe",
            b"0{}",
            b"5",
            b"6",
            b"3probe",
            b"1\x1e1",
            b"1\x1e3",
            b"\xf0\x9f\xa6",
        ];
        let body = *self.rng.pick(&bodies);
        let response = self.ask(&self.post(&sid, body), "a bad packet").await;
        if let Some(response) = response {
            if ![200, 400].contains(&response.status) {
                self.complain(&format!("{} was answered {}", body.escape_ascii(), response.status));
            }
        }
        if let Some(mut poll) = poll {
            self.answered(&mut poll, "a poll beside a bad packet").await;
        }
    }

    async fn bad_socket_packets(&mut self) {
        let Some((end, mut reader)) = self.open_socket("").await else {
            return;
        };
        self.idle(0, 18).await;
        let bodies: [&[u8]; 9] = [b"abc", b"7", b"", b"2", b"2probe", b"0{}", b"5", b"6", b"b4AAA"];
        let body = *self.rng.pick(&bodies);
        let frame = websocket::message(true, body, &mut self.rng);
        let _ = end.write_all(&frame).await;
        // It may be taken as harmless; then the heartbeat ends it, as nobody answers.
        self.closed(&mut reader).await;
    }

    /// A connection of ours is ended by the server within its deadlines.
    async fn closed(&self, reader: &mut Reader) {
        let ended = async {
            loop {
                match reader.next().await {
                    Ok(_) => {}
                    Err(Broken::Lost { .. }) => return,
                    Err(Broken::Invalid(why)) => return self.complain(&why),
                }
            }
        };
        if timeout(&self.sim, self.patience(), ended).await.is_none() {
            self.complain("the WebSocket stays open");
        }
    }

    async fn hung_up(&self, end: &End, what: &str) {
        let mut buffer = [0; 1024];
        let ended = async { while !matches!(end.read(&mut buffer).await, Ok(0) | Err(_)) {} };
        if timeout(&self.sim, self.patience(), ended).await.is_none() {
            self.complain(&format!("{what}: the connection stays open"));
        }
    }

    async fn garbage(&mut self) {
        let Some(end) = self.dial().await else {
            return;
        };
        let mut bytes = vec![0; self.rng.by_magnitude(1, 15) as usize];
        self.rng.fill(&mut bytes);
        if self.rng.one_in(2) {
            // As a TLS client begins.
            bytes.splice(0..0, [0x16, 3, 1, 2, 0, 1]);
        }
        let _ = timeout(&self.sim, self.patience(), end.write_all(&bytes)).await;
        if self.rng.one_in(2) {
            end.close();
        }
        self.hung_up(&end, "garbage").await;
    }

    async fn bad_head(&mut self) {
        let target = "/engine.io/?EIO=4&transport=polling";
        let heads = [
            format!("GET {target} HTTP/1.1\r\n\r\n"),
            format!("GET {target} HTTP/1.1\nHost: x\n\n"),
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n"),
            format!("GET {target} HTTP/2.0\r\nHost: x\r\n\r\n"),
            format!("GET {target}\r\n\r\n"),
            format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n33"),
            format!(
                "POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            format!("POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
            format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
            format!("POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            format!("POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
            "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        ];
        let head = self.rng.pick(&heads).clone();
        self.ask(head.as_bytes(), "a bad head").await;
    }

    async fn huge_head(&mut self) {
        let mut head = b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n".to_vec();
        let many = self.rng.one_in(2);
        let lines = if many { 200 } else { 1 };
        let long = if many { 8 } else { 20_000 };
        for line in 0..lines {
            head.extend(format!("X-{line}: {}\r\n", "y".repeat(long)).bytes());
        }
        if self.rng.one_in(2) {
            head.extend(b"\r\n");
        }
        let Some(mut connection) = self.send(&head).await else {
            return;
        };
        if let Some(response) = self.answered(&mut connection, "a huge head").await {
            if response.status < 400 {
                self.complain(&format!("a huge head was answered {}", response.status));
            }
        }
    }

    /// A byte now and then, for ever: the server has to lose its patience.
    async fn slow(&mut self, beginning: &[u8]) {
        let Some(end) = self.dial().await else {
            return;
        };
        if end.write_all(beginning).await.is_err() {
            return;
        }
        let step = self.rng.by_magnitude(18, 22);
        let mut waited = 0;
        let mut buffer = [0; 1024];
        while waited < 2 * self.patience() + 120 * SECOND {
            match timeout(&self.sim, step, end.read(&mut buffer)).await {
                Some(Ok(0) | Err(_)) => return,
                Some(Ok(_)) => {}
                None => waited += step,
            }
            if end.write_all(b"z").await.is_err() {
                return;
            }
        }
        self.complain("the server waits for ever");
    }

    async fn slow_body(&mut self) {
        let Some(sid) = self.open().await else {
            return;
        };
        let whole = self.post(&sid, &[b'4'; 20_000]);
        self.slow(&whole[..whole.len() - 19_990]).await;
    }

    async fn oversized(&mut self) {
        let Some(sid) = self.open().await else {
            return;
        };
        let body = vec![b'4'; self.oracle.plan.max_payload + 1 + self.rng.by_magnitude(0, 10) as usize];
        let whole = self.post(&sid, &body);
        let part = if self.rng.one_in(2) {
            whole.len()
        } else {
            whole.len() - body.len()
        };
        if let Some(response) = self.ask(&whole[..part], "an oversized body").await {
            if response.status != 413 {
                self.complain(&format!("an oversized body was answered {}", response.status));
            }
        }
    }

    async fn endless_chunks(&mut self) {
        let Some(sid) = self.open().await else {
            return;
        };
        let body = vec![b'4'; 2 * self.oracle.plan.max_payload];
        let target = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
        let chunks = self.rng.between(1, 2_000) as usize;
        let whole = request("POST", &target, "", &body, chunks);
        if let Some(response) = self.ask(&whole, "endless chunks").await {
            if response.status != 413 {
                self.complain(&format!("endless chunks were answered {}", response.status));
            }
        }
    }

    async fn bad_frames(&mut self) {
        let probing = self.rng.one_in(3);
        let query = match probing {
            true => match self.open().await {
                Some(sid) => format!("&sid={sid}"),
                None => return,
            },
            false => String::new(),
        };
        let Some((end, mut reader)) = self.open_socket(&query).await else {
            return;
        };
        let mask = Some([1, 2, 3, 4]);
        let too_long = vec![b'4'; self.oracle.plan.max_payload + 100];
        let frames = [
            raw_frame(0x81, b"3", None),
            raw_frame(0xc1, b"3", mask),
            raw_frame(0x83, b"3", mask),
            raw_frame(0x80, b"3", mask),
            raw_frame(0x09, b"3", mask),
            raw_frame(0x89, &[0; 126], mask),
            raw_frame(0x81, b"4\xff", mask),
            raw_frame(0x88, b"\x03", mask),
            raw_frame(0x88, &[3, 0xec], mask),
            raw_frame(0x88, b"\x03\xe8\xff", mask),
            raw_frame(0x82, &too_long, mask),
            [raw_frame(0x01, b"4", mask), raw_frame(0x81, b"4", mask)].concat(),
            [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4].to_vec(),
        ];
        let bytes = self.rng.pick(&frames).clone();
        let _ = timeout(&self.sim, self.patience(), end.write_all(&bytes)).await;
        self.closed(&mut reader).await;
    }

    async fn aborted_poll(&mut self) {
        let Some(sid) = self.open().await else {
            return;
        };
        let surely = self.oracle.plan.slack() / 3;
        let sure = self.rng.one_in(2);
        if let Some(connection) = self.send(&self.poll(&sid)).await {
            match sure {
                true => self.pause(surely).await,
                false => self.idle(0, 20).await,
            }
            drop(connection);
        }
        match sure {
            true => self.pause(surely).await,
            false => self.idle(0, 20).await,
        }
        let after = self.ask(&self.poll(&sid), "a poll after an aborted one").await;
        // As in the reference, a poll that is given up ends the session; unless something came to answer it with.
        let silent = !matches!(self.oracle.plan.behaviour(key_of(&sid)), Behaviour::Push { .. });
        if let Some(response) = after.filter(|response| sure && silent && response.status != 400) {
            self.complain(&format!("the session outlived its aborted poll: {response:?}"));
        }
    }

    async fn pipelined(&mut self) {
        let Some(sid) = self.open().await else {
            return;
        };
        let count = self.rng.between(2, 8) as usize;
        let one = match self.rng.below(3) {
            0 => self.poll(&sid),
            1 => self.post(&sid, b"3"),
            _ => request("GET", "/nothing", "", b"", 0),
        };
        let Some(end) = self.dial().await else {
            return;
        };
        let _ = timeout(&self.sim, self.patience(), end.write_all(&one.repeat(count))).await;
        // Responses may stand one behind the other here, so they are not read by an `HttpConnection`.
        if self.rng.one_in(2) {
            end.close();
        }
        self.hung_up_or_idle(&end).await;
    }

    /// Reads what there is for a while, then leaves.
    async fn hung_up_or_idle(&self, end: &End) {
        let mut buffer = [0; 1024];
        let reading = async { while !matches!(end.read(&mut buffer).await, Ok(0) | Err(_)) {} };
        timeout(&self.sim, 30 * SECOND, reading).await;
    }

    async fn pong_flood(&mut self) {
        let Some(sid) = self.open().await else {
            return;
        };
        let body = ["3"; 2_000].join("\x1e");
        for _ in 0..3 {
            self.ask(&self.post(&sid, body.as_bytes()), "a flood of pongs").await;
        }
    }

    async fn silent_socket(&mut self) {
        let query = match self.rng.one_in(2) {
            true => match self.open().await {
                Some(sid) => format!("&sid={sid}"),
                None => return,
            },
            false => String::new(),
        };
        if let Some((_end, mut reader)) = self.open_socket(&query).await {
            self.closed(&mut reader).await;
        }
    }

    /// Any of the steps of a session, in any order, and every one of them given up at any moment.
    async fn random_steps(&mut self) {
        let Some(sid) = self.open().await else {
            return;
        };
        let mut open = Vec::new();
        let mut sockets = Vec::new();
        let mut posted = false;
        for _ in 0..self.rng.between(2, 12) {
            match self.rng.below(9) {
                0 | 1 => open.extend(self.send(&self.poll(&sid)).await),
                2 => open.extend(self.send(&self.post(&sid, b"3")).await),
                3 if !posted => {
                    posted = true;
                    open.extend(self.send(&self.post(&sid, &self.first_message(&sid))).await);
                }
                4 if !open.is_empty() => {
                    let index = self.rng.index(open.len());
                    drop(open.swap_remove(index));
                }
                5 => {
                    let limit = self.rng.by_magnitude(0, 20);
                    let query = format!("&sid={sid}");
                    sockets.extend(timeout(&self.sim, limit, self.open_socket(&query)).await.flatten());
                }
                6 | 7 if !sockets.is_empty() => {
                    let frames: [&[u8]; 5] = [b"2probe", b"2probe", b"5", b"3", b"1"];
                    let text = *self.rng.pick(&frames);
                    let frame = websocket::message(true, text, &mut self.rng);
                    let index = self.rng.index(sockets.len());
                    let (end, _) = &sockets[index];
                    timeout(&self.sim, SECOND, end.write_all(&frame)).await;
                }
                _ => open.extend(self.send(&self.post(&sid, b"1")).await),
            }
            self.idle(0, 17).await;
        }
        if self.rng.one_in(2) {
            for mut connection in open {
                self.answered(&mut connection, "one of many requests").await;
            }
        }
        self.pause(MILLI).await;
    }
}
