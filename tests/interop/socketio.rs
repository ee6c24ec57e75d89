//! npm `socket.io-client`, python-socketio and the crate `rust_socketio` against our server.

use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sansocket::runtime::socketio::{Ack, Handle, Server as LibraryServer, Socket};

use super::{
    Client, Js, PythonAsyncio, PythonSync, Running, SCRIPT_DEADLINE, START_DEADLINE, STATS_DEADLINE, STOP_DEADLINE,
    Server, manifest_folder,
};
use crate::runtime::{self, Any};
use crate::waiting::block_on;

/// Which client, over which transports, with which parser.
#[derive(Clone, Copy)]
struct Peer(Client, &'static str, &'static str);

impl Peer {
    fn run(self, name: &str, url: &str, more: &[&str]) -> Running {
        let Self(client, plan, parser) = self;
        // python-socketio's msgpack is no part of this: the parser's argument is npm's.
        let parser = if client == Js { &[parser][..] } else { &[] };
        client.run_at(&format!("socketio_{name}"), url, plan, &[parser, more].concat())
    }
}

/// What python-engineio says at last over polling may be lost, and its session is there until a ping is not answered.
const TIMES: [&str; 4] = ["--ping-interval", "2s", "--ping-timeout", "15s"];

fn server(peer: Peer, flags: &[&str]) -> Server {
    Server::start(&[&["--app", "socketio", "--parser", peer.2], &TIMES[..], flags].concat())
}

/// A script that does all by itself.
fn scenario(name: &str, peer: Peer, flags: &[&str], more: &[&str]) {
    let server = server(peer, flags);
    let mut script = peer.run(name, &server.url(), more);
    script.end_well(SCRIPT_DEADLINE);
    println!("{}", script.output());
    expect_nothing_kept(&server);
    server.expect_clean_end();
}

/// No socket in any namespace, and no room.
fn expect_nothing_kept(server: &Server) {
    wait_long("no socket and no room is kept", || {
        let stats: serde_json::Value = serde_json::from_str(&server.stats()).expect("JSON");
        let sockets = stats["sockets"].as_object().expect("a count for each namespace");
        stats["rooms"] == 0 && sockets.values().all(|count| *count == 0)
    });
}

/// Until the last ping has not been answered, where it comes to that.
#[track_caller]
fn wait_long(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + STATS_DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {STATS_DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn app(peer: Peer) {
    scenario("app", peer, &[], &[]);
}

fn namespaces(peer: Peer) {
    scenario("namespaces", peer, &[], &[]);
}

fn ten_thousand(peer: Peer) {
    scenario("ten_thousand", peer, &[], &[]);
}

fn restart(peer: Peer) {
    scenario("restart", peer, &[], &[]);
}

fn limit(peer: Peer) {
    scenario("limit", peer, &["--max-payload", "1000000"], &["1000000"]);
}

/// The server is told to stop while the client is connected: it is to try again.
fn stop(peer: Peer) {
    let mut server = server(peer, &[]);
    let mut script = peer.run("ends", &server.url(), &["stop"]);
    // The app has no `ping`: whoever waits for its answer would wait in vain.
    script.line_with("ready", SCRIPT_DEADLINE);
    server.terminate();
    server.running.end_well(STOP_DEADLINE);
    script.end_well(SCRIPT_DEADLINE);
}

/// The library's server, in this process, which notes why sockets have gone.
struct Hosted {
    url: String,
    handle: Handle,
    reasons: Receiver<String>,
    thread: JoinHandle<()>,
}

impl Hosted {
    fn start(parser: &str) -> Self {
        let parser: &'static dyn sansocket::socketio::Parser = match parser {
            "msgpack" => &sansocket::socketio::MSGPACK,
            _ => &sansocket::socketio::TEXT,
        };
        let server = LibraryServer::<Any>::builder()
            .parser(parser)
            // Thrown out, python-socketio's sync client polls no more, and says nothing.
            .engine(|engine| {
                engine
                    .ping_interval(Duration::from_secs(2))
                    .ping_timeout(Duration::from_secs(8))
            })
            .build();
        let (note, reasons) = mpsc::channel();
        server
            .of("/")
            .on("ping", |_, ()| async { Ack(()) })
            .on("throw-out", |socket: Socket, close: bool| async move {
                socket.disconnect(close);
            })
            .on_disconnect(move |_, reason| {
                let note = note.clone();
                async move { note.send(reason.to_string()) }
            });
        let handle = server.handle();
        let (says_ready, ready) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            runtime::block_on(true, async {
                let bound = server.bind("127.0.0.1:0").await.expect("a free port");
                says_ready.send(bound.local_addr()).expect("the test waits");
                bound.serve().await.expect("it ends in order");
            });
        });
        let address = ready.recv_timeout(START_DEADLINE).expect("the server starts");
        Self {
            url: format!("http://{address}"),
            handle,
            reasons,
            thread,
        }
    }

    /// The one socket has gone for one of these reasons, and nothing is kept.
    fn expect_end_for(self, expected: &[&str]) {
        let reason = self.reasons.recv_timeout(STATS_DEADLINE).expect("a socket goes");
        assert!(
            expected.contains(&reason.as_str()),
            "the server's reason: {reason}, not {expected:?}"
        );
        wait_long("the connection has ended", || self.handle.connections() == 0);
        assert_eq!(self.handle.stats().rooms, 0);
        block_on(self.handle.shutdown(Duration::from_millis(200)));
        self.thread.join().expect("the server ends");
        assert_eq!(self.reasons.try_iter().count(), 0, "a socket goes once");
    }
}

/// Both sides know who has ended it.
fn ends(peer: Peer, way: &str) {
    let server = Hosted::start(peer.2);
    let mut script = peer.run("ends", &server.url, &[way]);
    script.end_well(SCRIPT_DEADLINE);
    server.expect_end_for(match (way, peer.0, peer.1) {
        ("client", Js, _) | ("client", _, "polling") => &["client namespace disconnect"],
        // python-engineio closes the WebSocket while what its client said at last is still on the way to the writer.
        ("client", _, _) => &["client namespace disconnect", "transport close"],
        _ => &["server namespace disconnect"],
    });
}

/// Clients of every kind meet in one room.
#[test]
#[ignore = "needs Node.js and Python: run by tests/run interop"]
fn socketio_clients_of_all_languages_meet() {
    let server = Server::start(&[&["--app", "socketio"], &TIMES[..]].concat());
    let peers = [
        (Js, "polling"),
        (Js, "websocket"),
        (Js, "upgrade"),
        (PythonSync, "polling"),
        (PythonSync, "upgrade"),
        (PythonAsyncio, "websocket"),
        (PythonAsyncio, "upgrade"),
    ];
    let count = peers.len().to_string();
    let mut scripts: Vec<Running> = peers
        .iter()
        .enumerate()
        .map(|(index, (client, plan))| {
            let name = format!("{index} {plan} ä");
            Peer(*client, plan, "text").run("meeting", &server.url(), &[&name, &count])
        })
        .collect();
    for script in &mut scripts {
        script.end_well(SCRIPT_DEADLINE);
    }
    expect_nothing_kept(&server);
    server.expect_clean_end();
}

/// The crate `rust_socketio`, with and without async, over each transport.
fn rust_socketio(style: &str, plan: &str) {
    let folder = manifest_folder().join("target/interop/rust_socketio/debug");
    let server = Server::start(&[&["--app", "socketio"], &TIMES[..]].concat());
    let mut command = std::process::Command::new(folder.join("rust-socketio-interop"));
    command.args([style, &server.url(), plan]);
    let mut script = Running::start("rust_socketio", &mut command);
    script.end_well(SCRIPT_DEADLINE);
    println!("{}", script.output());
    expect_nothing_kept(&server);
    server.expect_clean_end();
}

/// One test for each line: its name, and the call that it is.
macro_rules! scenarios {
    ($($name:ident: $run:expr;)*) => {
        $(
            #[test]
            #[ignore = "needs Node.js, Python or rust_socketio: run by tests/run interop"]
            fn $name() {
                $run;
            }
        )*
    };
}

const JS: [Peer; 3] = [
    Peer(Js, "polling", "text"),
    Peer(Js, "websocket", "text"),
    Peer(Js, "upgrade", "text"),
];
const MSGPACK: [Peer; 2] = [Peer(Js, "polling", "msgpack"), Peer(Js, "upgrade", "msgpack")];
const PYTHON_SYNC: [Peer; 3] = [
    Peer(PythonSync, "polling", "text"),
    Peer(PythonSync, "websocket", "text"),
    Peer(PythonSync, "upgrade", "text"),
];
const PYTHON_ASYNCIO: [Peer; 3] = [
    Peer(PythonAsyncio, "polling", "text"),
    Peer(PythonAsyncio, "websocket", "text"),
    Peer(PythonAsyncio, "upgrade", "text"),
];

/// Over each transport, one after the other.
fn each(peers: &[Peer], run: impl Fn(Peer)) {
    for peer in peers {
        println!("over {}", peer.1);
        run(*peer);
    }
}

scenarios! {
    socketio_js_every_handler: each(&JS, app);
    socketio_js_msgpack_every_handler: each(&MSGPACK, app);
    socketio_python_sync_every_handler: each(&PYTHON_SYNC, app);
    socketio_python_asyncio_every_handler: each(&PYTHON_ASYNCIO, app);

    socketio_js_namespaces_refusals_and_timeouts: each(&JS, namespaces);
    socketio_js_msgpack_namespaces_refusals_and_timeouts: each(&MSGPACK, namespaces);
    socketio_python_sync_namespaces_refusals_and_timeouts: each(&PYTHON_SYNC, namespaces);
    socketio_python_asyncio_namespaces_refusals_and_timeouts: each(&PYTHON_ASYNCIO, namespaces);

    socketio_js_ten_thousand_each_way: each(&JS, ten_thousand);
    socketio_js_msgpack_ten_thousand_each_way: each(&MSGPACK, ten_thousand);
    socketio_python_sync_ten_thousand_each_way: each(&PYTHON_SYNC, ten_thousand);
    socketio_python_asyncio_ten_thousand_each_way: each(&PYTHON_ASYNCIO, ten_thousand);

    socketio_js_comes_back_after_a_restart: each(&JS, restart);
    socketio_js_msgpack_comes_back_after_a_restart: each(&MSGPACK, restart);
    socketio_python_sync_comes_back_after_a_restart: each(&PYTHON_SYNC, restart);
    socketio_python_asyncio_comes_back_after_a_restart: each(&PYTHON_ASYNCIO, restart);

    socketio_js_messages_up_to_the_limit: each(&JS, limit);
    socketio_js_msgpack_messages_up_to_the_limit: each(&MSGPACK, limit);
    socketio_python_sync_messages_up_to_the_limit: each(&PYTHON_SYNC, limit);
    socketio_python_asyncio_messages_up_to_the_limit: each(&PYTHON_ASYNCIO, limit);

    socketio_js_client_leaves: each(&JS, |peer| ends(peer, "client"));
    socketio_python_sync_client_leaves: each(&PYTHON_SYNC, |peer| ends(peer, "client"));
    socketio_python_asyncio_client_leaves: each(&PYTHON_ASYNCIO, |peer| ends(peer, "client"));
    socketio_js_is_thrown_out_of_a_namespace: each(&JS, |peer| ends(peer, "namespace"));
    socketio_js_msgpack_is_thrown_out_of_a_namespace: each(&MSGPACK, |peer| ends(peer, "namespace"));
    socketio_python_sync_is_thrown_out_of_a_namespace: each(&PYTHON_SYNC, |peer| ends(peer, "namespace"));
    socketio_python_asyncio_is_thrown_out_of_a_namespace: each(&PYTHON_ASYNCIO, |peer| ends(peer, "namespace"));
    socketio_js_is_thrown_out_for_good: each(&JS, |peer| ends(peer, "connection"));
    socketio_js_msgpack_is_thrown_out_for_good: each(&MSGPACK, |peer| ends(peer, "connection"));
    socketio_python_sync_is_thrown_out_for_good: each(&PYTHON_SYNC, |peer| ends(peer, "connection"));
    socketio_python_asyncio_is_thrown_out_for_good: each(&PYTHON_ASYNCIO, |peer| ends(peer, "connection"));
    socketio_js_server_stops: each(&JS, stop);
    socketio_python_sync_server_stops: each(&PYTHON_SYNC, stop);
    socketio_python_asyncio_server_stops: each(&PYTHON_ASYNCIO, stop);

    socketio_rust_polling: rust_socketio("sync", "polling");
    socketio_rust_websocket: rust_socketio("sync", "websocket");
    socketio_rust_upgrade: rust_socketio("sync", "upgrade");
    socketio_rust_async_polling: rust_socketio("asyncio", "polling");
    socketio_rust_async_websocket: rust_socketio("asyncio", "websocket");
    socketio_rust_async_upgrade: rust_socketio("asyncio", "upgrade");
}
