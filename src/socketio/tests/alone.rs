//! One machine, and a peer that says anything, driven by operations read from bytes. The machines look at their invariants
//! after each call; beside that, `server` and `client` panic where an event comes that must not.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::engineio::{Data, Str};
use crate::socketio::client::{self, Auth, Client};
use crate::socketio::server::{self, Connection};
use crate::socketio::{AckToken, Args, EmitError, Json, Key, Transmit};
use crate::time::Instant;

/// What a peer may say; the detail makes the rest of it.
const TEXTS: [&str; 36] = [
    "0",
    "0/a,",
    "0/b?c,{\"x\":1}",
    "0{\"sid\":\"s\"}",
    "0/a,{\"sid\":\"t\",\"pid\":\"p\"}",
    "0{}",
    "0[]",
    "1",
    "1/a,",
    "1x",
    "2[\"e\"]",
    "2/a,[\"e\",1,\"offset\"]",
    "21[\"e\",{\"_placeholder\":true,\"num\":0}]",
    "2",
    "2[\"connect\"]",
    "2[",
    "30[]",
    "31[1]",
    "3/a,2[2]",
    "31073741824[]",
    "3",
    "4{\"message\":\"no\"}",
    "4/a,\"no\"",
    "4",
    "51-[\"e\",{\"_placeholder\":true,\"num\":0}]",
    "52-/a,3[\"e\"]",
    "51-[\"e\",{\"_placeholder\":true,\"num\":1}]",
    "51000000000-[\"e\"]",
    "50-[\"e\"]",
    "61-0[{\"_placeholder\":true,\"num\":0}]",
    "",
    "7",
    "2123456789012345678901234567890[\"e\"]",
    "2[\"e\",{\"__proto__\":\"\\ud800\"}]",
    "0/zz,",
    "2/zz,[\"e\"]",
];

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// What a peer says: one of the texts, bytes, or whatever the script has.
    fn data(&mut self) -> Option<Data> {
        let choice = self.next()?;
        Some(match choice {
            0..=199 => TEXTS[usize::from(choice) % TEXTS.len()].into(),
            200..=229 => vec![choice; usize::from(choice - 200) * 10].into(),
            _ => {
                let length = usize::from(self.next()?) % 40;
                let bytes: Vec<u8> = (0..length).map_while(|_| self.next()).collect();
                match String::from_utf8(bytes) {
                    Ok(text) => text.into(),
                    Err(error) => error.into_bytes().into(),
                }
            }
        })
    }
}

fn args(detail: u8) -> Args {
    match detail % 3 {
        0 => Args::default(),
        1 => Args::encode(&(detail, "text")).expect("it has a JSON form"),
        _ => Args::new("[{\"_placeholder\":true,\"num\":0}]", vec![vec![detail; 30].into()]).expect("it is an array"),
    }
}

/// Short times and small limits. Some of each are so small that they are met all the time.
fn set_up_server(config: &mut server::Config, kind: u8) {
    config.connect_timeout = millis(200);
    config.assembly_timeout = millis(100);
    config.ack_timeout = millis(50);
    config.max_namespaces = if kind & 1 != 0 { 2 } else { 10 };
    config.max_pending_acks = if kind & 2 != 0 { 2 } else { 100 };
    config.max_queue = if kind & 4 != 0 { 400 } else { 10_000 };
    config.receive_window = if kind & 8 != 0 { 1 } else { 1000 };
    config.limits.max_packet = if kind & 16 != 0 { 300 } else { 10_000 };
    config.limits.max_depth = if kind & 32 != 0 { 2 } else { 100 };
}

/// Short times and small limits. Some of each are so small that they are met all the time.
fn set_up_client(config: &mut client::Config, kind: u8) {
    config.connect_timeout = millis(200);
    config.assembly_timeout = millis(100);
    config.ack_timeout = millis(50);
    config.retries = u32::from(kind & 1);
    config.max_pending_acks = if kind & 2 != 0 { 2 } else { 100 };
    config.max_queue = if kind & 4 != 0 { 400 } else { 10_000 };
    config.max_offline = if kind & 8 != 0 { 400 } else { 10_000 };
    config.max_early = if kind & 16 != 0 { 200 } else { 1000 };
    config.limits.max_packet = if kind & 32 != 0 { 300 } else { 10_000 };
    if kind & 64 != 0 {
        config.when_full = client::WhenFull::DropOldest;
    }
}

/// Any operations on the server's machine.
pub fn server(script: &[u8]) {
    let mut script = Script(script);
    let kind = script.next().unwrap_or(0);
    let mut config = server::Config::default();
    set_up_server(&mut config, kind);
    let mut now = Instant::from_micros(1_000_000);
    let mut connection = Connection::new(config, now);
    let mut pending: Vec<Key> = Vec::new();
    let mut connected: BTreeSet<Key> = BTreeSet::new();
    let mut known: BTreeMap<Key, Str> = BTreeMap::new();
    let mut tokens: Vec<AckToken> = Vec::new();
    let mut waiting: BTreeSet<(Key, u64)> = BTreeSet::new();
    let mut closed = false;
    while let Some(operation) = script.next() {
        let detail = script.next().unwrap_or(0);
        let some = known.keys().nth(usize::from(detail >> 3) % known.len().max(1)).copied();
        match (operation % 20, some) {
            (0..=6, _) => {
                if let Some(data) = script.data().filter(|_| connection.wants_input()) {
                    let was_closed = connection.is_closed();
                    let result = connection.handle_data(now, data);
                    assert_eq!(result.is_err(), connection.is_closed() && !was_closed);
                }
            }
            (7 | 8, _) => {
                if let Some(key) = pending.pop() {
                    let there = match detail % 4 {
                        0 => {
                            connection.refuse(key, "no", None);
                            false
                        }
                        _ => connection.accept(key, "id", (detail & 4 != 0).then_some("pid")),
                    };
                    assert_eq!(connection.is_connected(key), there);
                    if there {
                        connected.insert(key);
                    }
                }
            }
            (9, Some(key)) => match connection.emit(key, "e", args(detail)) {
                Ok(()) => assert!(connected.contains(&key) || !connection.is_closed()),
                Err(error) => assert_eq!(error.into_args(), args(detail)),
            },
            (10, Some(key)) => {
                if let Ok(id) = connection.emit_with_ack(now, key, "e", args(detail), None) {
                    assert!(waiting.insert((key, id)));
                }
            }
            (11, Some(key)) => {
                let empty = !connection.has_transmit();
                let sent = connection.emit_volatile(key, "e", args(detail)) == Ok(true);
                assert!(!sent || (empty && connected.contains(&key)));
            }
            (12, _) => {
                if let Some(token) = tokens.pop() {
                    let alive = connected.contains(&token.key());
                    match connection.ack(token, args(detail)) {
                        Ok(()) => assert!(alive),
                        Err((token, EmitError::Full(_))) => tokens.push(token),
                        Err((token, _)) => assert!(!connection.is_connected(token.key())),
                    }
                }
            }
            (13, Some(key)) if detail < 60 => {
                assert_eq!(connection.disconnect(now, key), connected.contains(&key));
            }
            (14, _) if detail < 20 => connection.close(now),
            (14, _) if detail < 30 => connection.shut_down(),
            (14, _) if detail < 40 => connection.handle_closed(server::DisconnectReason::TransportError),
            (15, _) => connection.handle_writable(detail & 1 == 0),
            (16, _) => {
                now = now + millis(u64::from(detail));
                connection.handle_timeout(now);
            }
            (17, _) => {
                if let Some(deadline) = connection.poll_timeout() {
                    now = now.max(deadline);
                    connection.handle_timeout(now);
                    assert!(connection.poll_timeout().is_none_or(|deadline| deadline > now));
                }
            }
            _ => {
                for _ in 0..detail % 8 {
                    match connection.poll_transmit() {
                        Some(Transmit::Data(_)) => assert!(!closed, "something came behind the end"),
                        Some(Transmit::Close) => {
                            assert!(!closed && connection.is_closed());
                            closed = true;
                        }
                        None => break,
                    }
                }
            }
        }
        // Nothing is kept beyond what the limits say, and one packet.
        assert!(connection.queued() < 25_000);
        while let Some(event) = connection.poll_event() {
            match event {
                server::Event::Connect { key, namespace, .. } => {
                    assert!(known.insert(key, namespace).is_none());
                    pending.push(key);
                }
                server::Event::Event { key, ack, .. } => {
                    assert!(connected.contains(&key));
                    tokens.extend(ack);
                }
                server::Event::Ack { key, id, .. } => assert!(waiting.remove(&(key, id))),
                server::Event::Disconnect { key, .. } => {
                    assert!(connected.remove(&key));
                    assert!(
                        !waiting.iter().any(|(of, _)| *of == key),
                        "an acknowledgement was not answered"
                    );
                }
            }
        }
        if connection.is_closed() {
            assert!(connected.is_empty() && waiting.is_empty());
        }
    }
    connection.handle_closed(server::DisconnectReason::TransportClose);
    let left = core::iter::from_fn(|| connection.poll_event());
    let gone = left
        .filter(|event| matches!(event, server::Event::Disconnect { .. }))
        .count();
    assert_eq!(gone, connected.len());
    assert!(connection.poll_timeout().is_none() && !connection.has_transmit());
}

/// Any operations on the client's machine.
pub fn client(script: &[u8]) {
    let mut script = Script(script);
    let kind = script.next().unwrap_or(0);
    let mut config = client::Config::default();
    set_up_client(&mut config, kind);
    let mut now = Instant::from_micros(1_000_000);
    let mut client = Client::new(config);
    // Whether each is connected.
    let mut sockets: BTreeMap<Key, bool> = BTreeMap::new();
    let mut tokens: Vec<AckToken> = Vec::new();
    let mut waiting: BTreeSet<(Key, u64)> = BTreeSet::new();
    while let Some(operation) = script.next() {
        let detail = script.next().unwrap_or(0);
        let some = sockets
            .keys()
            .nth(usize::from(detail >> 3) % sockets.len().max(1))
            .copied();
        match (operation % 20, some) {
            (0..=6, _) => {
                if let Some(data) = script.data().filter(|_| client.wants_input()) {
                    if client.handle_data(now, data).is_err() {
                        assert!(sockets.keys().all(|&key| !client.is_connected(key)));
                    }
                }
            }
            (7, _) => client.handle_opened(now),
            (8, _) => {
                let auth = match detail % 3 {
                    0 => Auth::None,
                    1 => Auth::Value(Json::new("{\"a\":[1]}").expect("it is JSON")),
                    _ => Auth::Ask,
                };
                if let Ok(key) = client.connect(now, ["/", "/a", "/b?c"][usize::from(detail >> 2) % 3], auth) {
                    assert!(sockets.insert(key, false).is_none());
                }
            }
            (9, Some(key)) => {
                if let Err(error) = client.emit(key, "e", args(detail)) {
                    assert_eq!(error.into_args(), args(detail));
                }
            }
            (10, Some(key)) => {
                if let Ok(id) = client.emit_with_ack(now, key, "e", args(detail), None) {
                    assert!(waiting.insert((key, id)));
                }
            }
            (11, Some(key)) => {
                if let Ok(id) = client.emit_with_retries(now, key, "e", args(detail)) {
                    assert!(waiting.insert((key, id)));
                }
            }
            (12, _) => {
                if let Some(token) = tokens.pop() {
                    if let Err((token, EmitError::Full(_))) = client.ack(token, args(detail)) {
                        tokens.push(token);
                    }
                }
            }
            (13, Some(key)) if detail < 60 => {
                let was_connected = client.is_connected(key);
                assert!(client.disconnect(key));
                if !was_connected {
                    sockets.remove(&key);
                }
            }
            (14, _) if detail < 20 => {
                client.close();
                sockets.retain(|_, connected| *connected);
            }
            (14, _) if detail < 80 => client.handle_closed(client::DisconnectReason::TransportError),
            (15, Some(key)) => {
                client.authenticate(key, None);
                client.handle_writable(detail & 1 == 0);
            }
            (16, _) => {
                now = now + millis(u64::from(detail));
                client.handle_timeout(now);
            }
            (17, _) => {
                if let Some(deadline) = client.poll_timeout() {
                    now = now.max(deadline);
                    client.handle_timeout(now);
                    assert!(client.poll_timeout().is_none_or(|deadline| deadline > now));
                }
            }
            _ => {
                for _ in 0..detail % 8 {
                    match client.poll_transmit() {
                        Some(Transmit::Data(data)) if detail & 64 != 0 => {
                            client.put_back(data);
                            break;
                        }
                        Some(_) => {}
                        None => break,
                    }
                }
            }
        }
        assert!(client.queued() < 25_000 && client.waiting() < 45_000);
        while let Some(event) = client.poll_event() {
            use client::Event;
            match event {
                Event::AuthWanted { .. } | Event::ConnectTimeout { .. } | Event::Unsent { .. } => {}
                Event::Connect { key, .. } => {
                    let former = sockets.insert(key, true);
                    assert_eq!(former, Some(false));
                }
                Event::ConnectError { key, .. } => {
                    let former = sockets.remove(&key);
                    assert_eq!(former, Some(false));
                }
                Event::Event { key, ack, .. } => {
                    assert_eq!(sockets.get(&key), Some(&true));
                    tokens.extend(ack);
                }
                Event::Ack { key, id, .. } => assert!(waiting.remove(&(key, id)), "answered twice"),
                Event::Disconnect { key, reason } => {
                    let former = match reason.is_final() {
                        true => sockets.remove(&key),
                        false => sockets.insert(key, false),
                    };
                    assert_eq!(former, Some(true), "{key:?}");
                }
            }
        }
    }
    client.close();
    client.handle_closed(client::DisconnectReason::TransportClose);
    while let Some(event) = client.poll_event() {
        if let client::Event::Ack { key, id, .. } = event {
            assert!(waiting.remove(&(key, id)), "answered twice");
        }
    }
    assert!(waiting.is_empty(), "an acknowledgement was not answered");
    assert!(client.poll_timeout().is_none() && client.sockets().next().is_none());
    let _ = format!("{client:?}");
}
