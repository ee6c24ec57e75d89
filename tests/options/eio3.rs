//! `--eio3`: clients of Engine.IO 3 beside those of 4.

use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sansocket::engineio::CloseReason;
use sansocket::runtime::engineio::Handle;

use crate::http::{PATIENCE, Response};
use crate::runtime;
use crate::server::Server;
use crate::session::{POLLING, Session, sid_of};
use crate::websocket::{BINARY, FIN, Message, WebSocket, ask};

const POLLING_3: &str = "/engine.io/?EIO=3&transport=polling";
const WEBSOCKET_3: &str = "/engine.io/?EIO=3&transport=websocket";

/// The packets of a payload of text.
#[track_caller]
fn packets(response: &Response) -> Vec<String> {
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
    let mut rest: Vec<u16> = response.text().encode_utf16().collect();
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let colon = rest.iter().position(|&unit| unit == u16::from(b':')).expect("a length");
        let length: usize = String::from_utf16_lossy(&rest[..colon])
            .parse()
            .expect("a length of digits");
        let end = colon + 1 + length;
        packets.push(String::from_utf16(&rest[colon + 1..end]).expect("whole characters"));
        rest.drain(..end);
    }
    packets
}

/// Opens a session; its target.
#[track_caller]
fn open(server: &Server) -> String {
    let opened = packets(&server.get(POLLING_3));
    assert_eq!(opened.len(), 1, "{opened:?}");
    format!("{POLLING_3}&sid={}", sid_of(&opened[0]))
}

/// Polls until so many packets came.
#[track_caller]
fn poll(server: &Server, target: &str, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(packets(&server.get(target)));
    }
    all
}

fn binary(server: &Server, target: &str, body: &[u8]) -> Response {
    server.request("POST", target, &["Content-Type: application/octet-stream"], Some(body))
}

#[test]
fn lengths_are_of_characters() {
    let server = Server::with(&["--eio3"]);
    let target = open(&server);
    server
        .post(&target, "6:4hello2:4\u{20ac}3:4\u{1f600}3:4\u{1e}:")
        .assert_ok("ok");
    assert_eq!(
        poll(&server, &target, 4),
        ["4hello", "4\u{20ac}", "4\u{1f600}", "4\u{1e}:"]
    );
    server.post(&target, "10:b4AQIDBA==").assert_ok("ok");
    assert_eq!(poll(&server, &target, 1), ["b4AQIDBA=="]);
    let body = [&[0, 4, 255][..], "4\u{20ac}".as_bytes(), &[1, 0, 3, 255, 4, 1, 2]].concat();
    binary(&server, &target, &body).assert_ok("ok");
    assert_eq!(poll(&server, &target, 2), ["4\u{20ac}", "b4AQI="]);
    server.post(&target, "1:1").assert_ok("ok");
    server.finish();
}

#[test]
fn the_client_pings() {
    // Together they are how long the server waits, of which a busy machine may need most.
    let patience = Duration::from_millis(2000);
    let server = Server::with(&["--eio3", "--ping-interval", "200ms", "--ping-timeout", "1800ms"]);
    let target = open(&server);
    let begun = Instant::now();
    let mut last_ping = begun;
    while begun.elapsed() < patience + Duration::from_millis(200) {
        last_ping = Instant::now();
        server.post(&target, "6:2probe").assert_ok("ok");
        assert_eq!(poll(&server, &target, 1), ["3"]);
        std::thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(server.stats().sessions, 1);
    // No ping of the server's, and an end where there is none of the client's.
    assert_eq!(packets(&server.get(&target)), ["1"]);
    assert!(last_ping.elapsed() >= patience, "{:?}", last_ping.elapsed());
    server.finish();
}

#[test]
fn on_a_websocket() {
    let server = Server::with(&["--eio3"]);
    let mut websocket = WebSocket::connect(&server, WEBSOCKET_3);
    assert!(matches!(websocket.message(), Message::Text(open) if open.starts_with("0{")));
    websocket.text("4hello");
    assert_eq!(websocket.message(), Message::Text("4hello".into()));
    websocket.frame(FIN | BINARY, &[4, 1, 2, 3]);
    assert_eq!(websocket.message(), Message::Binary(vec![4, 1, 2, 3]));
    websocket.text("b4AQID");
    assert_eq!(websocket.message(), Message::Binary(vec![4, 1, 2, 3]));
    websocket.text("2");
    assert_eq!(websocket.message(), Message::Text("3".into()));
    websocket.close();

    let mut websocket = WebSocket::connect(&server, &format!("{WEBSOCKET_3}&b64=1"));
    websocket.message();
    websocket.text("b4AQID");
    assert_eq!(websocket.message(), Message::Text("b4AQID".into()));
    websocket.close();
    server.finish();
}

#[test]
fn upgrades() {
    let server = Server::with(&["--eio3"]);
    let target = open(&server);
    let mut waiting = server.connect();
    waiting.request("GET", &target, &[], None);
    let mut websocket = WebSocket::connect(&server, &target.replace("transport=polling", "transport=websocket"));
    websocket.text("2probe");
    assert_eq!(websocket.message(), Message::Text("3probe".into()));
    assert_eq!(packets(&waiting.response()), ["6"]);
    server.post(&target, "3:4hi").assert_ok("ok");
    websocket.text("5");
    assert_eq!(websocket.message(), Message::Text("4hi".into()));
    websocket.close();
    server.finish();
}

#[test]
fn jsonp() {
    let server = Server::with(&["--eio3"]);
    let text = |response: Response| -> Response {
        let call = response.text();
        let argument = call.strip_prefix("___eio[0](").and_then(|rest| rest.strip_suffix(");"));
        let payload: String = serde_json::from_str(argument.expect("the call")).expect("a string");
        Response {
            headers: vec![("Content-Type".into(), "text/plain; charset=UTF-8".into())],
            body: payload.into_bytes(),
            ..response
        }
    };
    let opened = packets(&text(server.get(&format!("{POLLING_3}&j=0&b64=1"))));
    let target = format!("{POLLING_3}&sid={}&j=0&b64=1", sid_of(&opened[0]));
    server.post(&target, "d=5%3A4a%5Cnbc").assert_ok("ok");
    assert_eq!(packets(&text(server.get(&target))), ["4a\nbc"]);
    server.post(&target, "d=1%3A1").assert_ok("ok");
    server.finish();
}

#[test]
fn what_is_no_payload_ends_the_session() {
    let server = Server::with(&["--eio3"]);
    for body in [
        "",
        "4hello",
        "6:4hell",
        "0:",
        "-1:4",
        "99999999999999999999:4",
        "2:4\u{1f600}",
        "1:9",
        "6:4hello\u{1e}",
    ] {
        let target = open(&server);
        server.post(&target, body).assert_error(3);
        server.get(&target).assert_error(1);
    }
    for body in [
        &[0, 255, b'4'][..],
        &[2, 1, 255, b'4'],
        &[0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 255, b'4'],
        &[1, 1, 255, 2],
    ] {
        let target = open(&server);
        binary(&server, &target, body).assert_error(3);
    }
    for frame in [&[][..], &[1], &[0, 1]] {
        let mut websocket = WebSocket::connect(&server, WEBSOCKET_3);
        websocket.message();
        websocket.frame(FIN | BINARY, frame);
        assert!(matches!(websocket.message(), Message::Close(_)));
    }
    server.finish();
}

#[test]
fn both_versions_beside_each_other() {
    let server = Server::with(&["--eio3"]);
    let old = open(&server);
    let new = Session::open(&server);
    new.assert_echoes("version 4");
    // A session can only be asked for in its own.
    server.get(&old.replace("EIO=3", "EIO=4")).assert_error(3);
    server.get(&new.target().replace("EIO=4", "EIO=3")).assert_error(3);
    let (_connection, response) = ask(&server, &new.websocket_target().replace("EIO=4", "EIO=3"), &[]);
    response.assert_error(3);
    server.get(&POLLING.replace("EIO=4", "EIO=5")).assert_error(5);
    server.post(&old, "1:1").assert_ok("ok");
    new.close();
    server.finish();
}

#[test]
fn without_the_flag_they_are_refused() {
    let server = Server::start();
    server.get(POLLING_3).assert_error(5);
    server.get("/engine.io/?transport=polling").assert_error(5);
    let (_connection, response) = ask(&server, WEBSOCKET_3, &[]);
    response.assert_error(5);
    server.finish();
}

/// Runs a script with npm's `engine.io-client@3`; what it printed.
#[track_caller]
fn node(script: &str, arguments: &[&str]) -> String {
    let output = Command::new("node")
        .arg(format!(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/options/eio3/{}"),
            script
        ))
        .args(arguments)
        .output()
        .expect("node runs");
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{arguments:?}: {said}{errors}");
    println!("{said}");
    said.into_owned()
}

/// A server of the library's that knows the word `close-me`, and notes why sessions end.
struct Closing {
    url: String,
    handle: Handle,
    reasons: Receiver<CloseReason>,
    thread: JoinHandle<()>,
}

impl Closing {
    #[track_caller]
    fn start() -> Self {
        let (note, reasons) = mpsc::channel();
        let (says, bound) = mpsc::channel();
        let thread = thread::spawn(move || {
            runtime::block_on(false, async {
                let server = runtime::Server::builder()
                    .eio3(true)
                    .on_message(|sender, message| async move {
                        if message.as_text() == Some("close-me") {
                            sender.close();
                            return Ok(());
                        }
                        sender.send(message).await
                    })
                    .on_disconnect(move |_, reason| {
                        let note = note.clone();
                        async move { note.send(reason) }
                    })
                    .bind("127.0.0.1:0")
                    .await
                    .expect("a free port");
                says.send((server.local_addr(), server.handle()))
                    .expect("somebody waits");
                server.serve().await.expect("the server ends in order");
            });
        });
        let (address, handle) = bound.recv_timeout(2 * PATIENCE).expect("the server starts");
        Self {
            url: format!("http://{address}"),
            handle,
            reasons,
            thread,
        }
    }

    #[track_caller]
    fn expect(&self, expected: CloseReason, plan: &str) {
        let reason = self.reasons.recv_timeout(2 * PATIENCE).expect("a session ends");
        assert_eq!(reason, expected, "{plan}");
    }

    #[track_caller]
    fn finish(self) {
        let handle = self.handle.clone();
        runtime::block_on(false, async move { handle.shutdown(Duration::from_secs(1)).await });
        self.thread.join().expect("the server's thread");
        assert_eq!(self.reasons.try_iter().count(), 0, "a session ends once");
    }
}

/// The list of `tests/interop`, of npm's `engine.io-client@3`. Wants Node.js, and `npm ci --prefix tests/options/eio3`.
#[track_caller]
fn talks(plans: &[&str]) {
    let server = Server::with(&["--eio3", "--ping-interval", "300ms", "--ping-timeout", "10s"]);
    let closing = Closing::start();
    for plan in plans {
        let said = node(
            "interop.mjs",
            &[&format!("http://{}", server.address), &closing.url, plan],
        );
        assert_eq!(said.lines().count(), 7, "{said}");
        closing.expect(CloseReason::ServerDisconnect, plan);
        // Over a WebSocket this client sends no close packet either: it closes the WebSocket.
        let polls = plan.starts_with("polling");
        closing.expect(
            match polls {
                true => CloseReason::ClientDisconnect,
                false => CloseReason::TransportClose,
            },
            plan,
        );
    }
    closing.finish();
    server.finish();
}

#[test]
#[ignore = "wants Node.js and a package of npm"]
fn the_client_of_npm_by_polling() {
    talks(&["polling"]);
}

#[test]
#[ignore = "wants Node.js and a package of npm"]
fn the_client_of_npm_on_a_websocket() {
    talks(&["websocket", "websocket in base64"]);
}

#[test]
#[ignore = "wants Node.js and a package of npm"]
fn the_client_of_npm_with_an_upgrade() {
    talks(&["upgrade"]);
}

#[test]
#[ignore = "wants Node.js and a package of npm"]
fn the_client_of_npm_is_refused_without_the_flag() {
    let server = Server::start();
    node("refused.mjs", &[&format!("http://{}", server.address)]);
    assert_eq!(server.stats().opened, 0);
    server.finish();
}
