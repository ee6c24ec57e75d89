//! The program from outside: how it is called, what it says, how it starts, ends and restarts.
//!
//! What goes over its sockets is the business of `protocol.rs`, whose server and clients are used here too.

#![cfg(feature = "cli")]

#[allow(dead_code, reason = "the other suite wants more of them")]
#[path = "protocol/http.rs"]
mod http;
#[path = "protocol/program.rs"]
mod program;
#[allow(dead_code, reason = "the other suite wants more of them")]
#[path = "protocol/server.rs"]
mod server;
#[allow(dead_code, reason = "the other suite wants more of them")]
#[path = "protocol/session.rs"]
mod session;
#[allow(dead_code, reason = "the other suite wants more of them")]
#[path = "protocol/websocket.rs"]
mod websocket;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Connection, PATIENCE};
use crate::server::Server;
use crate::session::{POLLING, Session};
use crate::websocket::{Message, WebSocket};

fn program(arguments: &[&str]) -> Command {
    let mut command = program::program(arguments);
    // Log lines have a variable of their own, which the caller may have set.
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs it to an end that must come by itself.
#[track_caller]
fn run(arguments: &[&str]) -> Output {
    let mut child = program(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("{arguments:?}: still running after {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("its output")
}

/// It says one line, on stderr, and gives this status.
#[track_caller]
fn assert_one_line(arguments: &[&str], status: i32) -> String {
    let output = run(arguments);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    assert!(said.ends_with('\n') && said.trim().len() > 10, "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    said
}

/// A running program, whatever it serves.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Running {
    #[track_caller]
    fn start(arguments: &[&str]) -> Self {
        Self::spawn(program(arguments))
    }

    /// With a limit that a shell sets, such as `-n 40`.
    #[cfg(unix)]
    #[track_caller]
    fn limited(limit: &str, arguments: &[&str]) -> Self {
        let program = program(arguments);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
        command.arg(program.get_program()).args(program.get_args());
        // What it has to say about that is not to stand among the results.
        command.env("RUST_LOG", "off").stdin(Stdio::null());
        Self::spawn(command)
    }

    #[track_caller]
    fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a piped stdout"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line, or the end");
        let address = line
            .strip_prefix("listening on http://")
            .and_then(|rest| rest.strip_suffix('\n'));
        let address = address.and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("not the line that was agreed: {line:?}");
        };
        Self { child, stdout, address }
    }

    #[track_caller]
    fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    #[track_caller]
    fn stats(&self) -> [u64; 5] {
        let response = self.connect().get("/__stats");
        assert_eq!(response.status, 200, "{response:?}");
        let text = response.text();
        ["sessions", "opened", "closed", "received", "sent"].map(|name| {
            let rest = text.split_once(&format!("\"{name}\":")).map(|(_, rest)| rest);
            let digits = rest.and_then(|rest| rest.split([',', '}']).next());
            digits
                .and_then(|digits| digits.parse().ok())
                .unwrap_or_else(|| panic!("{name} in {text}"))
        })
    }

    #[track_caller]
    fn terminate(mut self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(status.expect("kill runs").success());
        let deadline = Instant::now() + Duration::from_secs(2);
        let status = loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "still running after two seconds"),
            }
            thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(status.code(), Some(0));
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("the rest of its stdout");
        assert_eq!(rest, "", "one line is all that scripts were promised");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; both then fail, and that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// ---- how it is called ----

#[test]
fn help_explains_every_flag() {
    for arguments in [&["--help"][..], &["-h"], &["help"]] {
        let output = run(arguments);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
        assert!(text.contains("serve"), "{text}");
    }
    for arguments in [&["serve", "--help"][..], &["help", "serve"]] {
        let output = run(arguments);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let flags = [
            "--app",
            "--addr",
            "--path",
            "--runtime",
            "--threads",
            "--ping-interval",
            "--ping-timeout",
            "--upgrade-timeout",
            "--max-payload",
            "--transports",
            "--no-upgrades",
            "--cors",
            "--stats",
        ];
        for flag in flags {
            let line = text
                .lines()
                .skip_while(|line| !line.trim_start().starts_with(flag))
                .take(2);
            let words: usize = line.map(|line| line.split_whitespace().count()).sum();
            assert!(words > 4, "{flag} is not explained:\n{text}");
        }
        for default in ["127.0.0.1:3000", "25s", "20s", "10s", "1000000", "same-origin"] {
            assert!(text.contains(default), "{default}:\n{text}");
        }
    }
    let version = run(&["--version"]);
    assert_eq!(
        String::from_utf8_lossy(&version.stdout).trim(),
        format!("sansocket {}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_wrong_call_is_one_line_and_status_2() {
    let wrong: [&[&str]; 34] = [
        &[],
        &["swerve"],
        &["--addr", "127.0.0.1:0"],
        &["serve", "--adr", "127.0.0.1:0"],
        &["serve", "extra"],
        &["serve", "--app"],
        &["serve", "--app", "nothing"],
        &["serve", "--addr", "here"],
        &["serve", "--addr", "127.0.0.1"],
        &["serve", "--addr", "127.0.0.1:"],
        &["serve", "--addr", "127.0.0.1:99999"],
        &["serve", "--addr", ""],
        &["serve", "--runtime", "rayon"],
        &["serve", "--threads", "0"],
        &["serve", "--threads", "-1"],
        &["serve", "--threads", "many"],
        &["serve", "--threads", "100000"],
        &["serve", "--ping-interval", "25"],
        &["serve", "--ping-interval", "0s"],
        &["serve", "--ping-interval", "-1s"],
        &["serve", "--ping-interval", "1.5s"],
        &["serve", "--ping-interval", "99999999999999999999s"],
        &["serve", "--ping-timeout", ""],
        &["serve", "--upgrade-timeout", "soon"],
        &["serve", "--max-payload", "0"],
        &["serve", "--max-payload", "1MiB"],
        &["serve", "--max-payload", "99999999999GB"],
        &["serve", "--transports", ""],
        &["serve", "--transports", "polling,webtransport"],
        &["serve", "--cors", "example.com"],
        &["serve", "--cors", "https://example.com/path"],
        &["serve", "--stats", "--stats"],
        &["serve", "--stats=yes"],
        &["serve", "--no-upgrades", "--ping-interval"],
    ];
    for arguments in wrong {
        let said = assert_one_line(arguments, 2);
        assert!(!said.contains("panicked"), "{said}");
        // What is wrong is named.
        let named = arguments.last().filter(|value| value.len() > 2);
        if let Some(value) = named {
            let flag = arguments[arguments.len().saturating_sub(2)];
            // (A value that begins like a flag is one, to the parser.)
            let short = &value[..2];
            assert!(
                said.contains(value) || said.contains(flag) || said.contains(short),
                "{arguments:?}: {said}"
            );
        }
    }
}

#[test]
fn a_taken_port_is_one_line_and_status_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address").to_string();
    let said = assert_one_line(&["serve", "--addr", &address], 1);
    assert!(said.contains(&address), "{said}");
}

#[test]
fn an_address_of_another_machine_is_one_line_and_status_1() {
    // For documentation only (RFC 5737): nobody has it.
    let said = assert_one_line(&["serve", "--addr", "192.0.2.1:3000"], 1);
    assert!(said.contains("192.0.2.1:3000"), "{said}");
}

#[test]
fn it_says_where_it_listens() {
    let any = Running::start(&["serve", "--addr", "127.0.0.1:0"]);
    assert_ne!(any.address.port(), 0);
    let address = any.address.to_string();
    any.terminate();
    // The port is free again at once.
    let given = Running::start(&["serve", "--addr", &address]);
    assert_eq!(given.address.to_string(), address);
    given.terminate();
    let named = Running::start(&["serve", "--addr", "localhost:0"]);
    assert!(named.address.ip().is_loopback());
    assert_eq!(named.connect().get("/").status, 200);
    named.terminate();
}

#[test]
fn logs_go_to_stderr_and_name_no_session() {
    let mut child = program(&["serve", "--app", "echo", "--addr", "127.0.0.1:0"])
        .env("RUST_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a piped stdout"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on http://").expect("the line");
    let address: SocketAddr = address.parse().expect("an address");
    let opened = Connection::open(address).get(POLLING);
    let sid = crate::session::sid_of(opened.text());
    Connection::open(address)
        .post(&format!("{POLLING}&sid={sid}"), "4secret")
        .assert_ok("ok");
    Connection::open(address)
        .post(&format!("{POLLING}&sid={sid}"), "1")
        .assert_ok("ok");
    let status = Command::new("kill").arg(child.id().to_string()).status();
    assert!(status.expect("kill runs").success());
    let output = child.wait_with_output().expect("its output");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!log.contains(&sid), "{log}");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("the rest");
    assert_eq!(rest, "");
}

// ---- what it serves ----

#[test]
fn without_an_app_there_is_a_chat_with_its_page() {
    let plain = Running::start(&["serve", "--addr", "127.0.0.1:0"]);
    let page = plain.connect().get("/");
    assert_eq!(page.status, 200);
    let kind = page.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/html"), "{kind}");
    assert!(page.text().starts_with("<!doctype html>"), "{}", &page.text()[..100]);
    assert!(page.text().contains("\"/socket.io/\""));
    let mut connection = plain.connect();
    connection.request("HEAD", "/", &[], None);
    let head = connection.response_without_body();
    assert_eq!(
        head.header("content-length"),
        Some(page.body.len().to_string().as_str())
    );
    // It works without any other machine: each thing that it asks for is here.
    let named = page
        .text()
        .split(['"', '\''])
        .filter(|text| text.ends_with(".js") || text.ends_with(".css"));
    let named: Vec<&str> = named
        .chain(["/view.js", "/socketio.js", "/engineio.js", "/icon.svg"])
        .collect();
    assert!(named.len() > 5, "{named:?}");
    for file in named {
        let file = plain.connect().get(file);
        assert_eq!(file.status, 200);
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
    }
    for target in ["/index.html", "/other", "/__stats", "/__restart?down=1", "/socket.io"] {
        assert_eq!(plain.connect().get(target).status, 404, "{target}");
    }
    assert_eq!(plain.connect().post("/", "x").status, 404);
    plain.terminate();
}

#[test]
fn the_page_knows_another_path() {
    let elsewhere = Running::start(&["serve", "--addr", "127.0.0.1:0", "--path", "/live"]);
    let page = elsewhere.connect().get("/");
    assert!(page.text().contains("/live/") && !page.text().contains("/socket.io/"));
    let opened = elsewhere.connect().get("/live/?EIO=4&transport=polling");
    assert_eq!(opened.status, 200, "{opened:?}");
    let target = format!(
        "/live/?EIO=4&transport=polling&sid={}",
        crate::session::sid_of(opened.text())
    );
    elsewhere.connect().post(&target, "1").assert_ok("ok");
    assert_eq!(
        elsewhere.connect().get("/socket.io/?EIO=4&transport=polling").status,
        404
    );
    elsewhere.terminate();
    // The page stands there.
    assert_one_line(&["serve", "--addr", "127.0.0.1:0", "--path", "/"], 2);
}

#[test]
fn an_app_has_no_page() {
    let echo = Running::start(&["serve", "--app", "echo", "--addr", "127.0.0.1:0"]);
    for target in ["/", "/__stats", "/__restart"] {
        assert_eq!(echo.connect().get(target).status, 404, "{target}");
    }
    echo.terminate();
}

#[test]
fn any_number_of_threads_serves() {
    for threads in ["1", "4"] {
        let server = Server::with(&["--threads", threads]);
        let mut clients: Vec<WebSocket> = (0..20).map(|_| WebSocket::open(&server)).collect();
        let sessions: Vec<Session<'_>> = (0..20).map(|_| Session::open(&server)).collect();
        for client in &mut clients {
            client.assert_echoes("by WebSocket");
        }
        for session in &sessions {
            session.assert_echoes("by polling");
        }
        assert_eq!(server.stats().sessions, 40);
        clients.into_iter().for_each(WebSocket::close);
        for session in &sessions {
            session.close();
        }
        server.finish();
    }
}

/// The system has no file descriptor left for another connection: those that are there go on, and others are served as soon
/// as there is one again.
#[cfg(unix)]
#[test]
fn running_out_of_file_descriptors_is_survived() {
    let server = Running::limited("-n 60", &["serve", "--app", "echo", "--addr", "127.0.0.1:0", "--stats"]);
    let mut before = server.connect();
    assert_eq!(before.get("/__stats").status, 200);
    let mut many: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(server.address).expect("the system queues it"))
        .collect();
    // Nobody has said a word, so that nothing of them ends by itself.
    let mut one_more = server.connect();
    one_more.request("GET", "/__stats", &[], None);
    one_more.assert_silent(Duration::from_millis(300));
    assert_eq!(before.get("/__stats").status, 200);
    many.drain(..80);
    assert_eq!(one_more.response().status, 200);
    drop(many);
    assert_eq!(server.stats()[0], 0);
    server.terminate();
}

// ---- how it restarts ----

/// Asks for a restart on a connection of its own.
#[track_caller]
fn restart(server: &Running, down: &str) {
    let response = server.connect().get(&format!("/__restart{down}"));
    assert_eq!(response.status, 200, "{response:?}");
}

#[test]
fn a_restart_cuts_everything_and_comes_back_on_the_same_port() {
    let server = Running::start(&["serve", "--app", "echo", "--addr", "127.0.0.1:0", "--stats"]);
    let opened = server.connect().get(POLLING);
    let target = format!("{POLLING}&sid={}", crate::session::sid_of(opened.text()));
    server.connect().post(&target, "4hello").assert_ok("ok");
    server.connect().get(&target).assert_ok("4hello");
    let mut waiting = server.connect();
    waiting.request("GET", &target, &[], None);
    let mut websocket = server.connect();
    let bytes = websocket::upgrade_request(websocket.host(), websocket::WEBSOCKET, &[]);
    websocket.send(bytes);
    let response = websocket.response();
    let mut websocket = WebSocket::granted(websocket, &response);
    assert!(matches!(websocket.message(), Message::Text(_)));
    websocket.assert_echoes("hello");
    let mut kept = server.connect();
    assert_eq!(kept.get("/nowhere").status, 404);
    assert_eq!(server.stats(), [2, 2, 0, 2, 2]);

    let down = Duration::from_millis(600);
    restart(&server, "?down=600");
    let begun = Instant::now();
    // No answer, no close packet, no close frame.
    assert!(waiting.response_within(PATIENCE).is_err());
    assert_eq!(websocket.message(), Message::End);
    kept.assert_closed();
    assert!(begun.elapsed() < down, "cut after {:?}", begun.elapsed());
    while TcpStream::connect(server.address).is_ok() {
        assert!(begun.elapsed() < down / 2, "it still listens");
        thread::sleep(Duration::from_millis(5));
    }
    while TcpStream::connect(server.address).is_err() {
        assert!(begun.elapsed() < down + PATIENCE, "it does not come back");
        thread::sleep(Duration::from_millis(10));
    }
    let back = begun.elapsed();
    assert!(back > down - Duration::from_millis(100), "back after {back:?}");
    assert!(back < down + Duration::from_secs(1), "back after {back:?}");

    // The counts go on, the sessions do not.
    assert_eq!(server.stats(), [0, 2, 2, 2, 2]);
    server.connect().get(&target).assert_error(1);
    let opened = server.connect().get(POLLING);
    let target = format!("{POLLING}&sid={}", crate::session::sid_of(opened.text()));
    server.connect().post(&target, "4again").assert_ok("ok");
    server.connect().get(&target).assert_ok("4again");
    assert_eq!(server.stats(), [1, 3, 2, 3, 3]);
    server.connect().post(&target, "1").assert_ok("ok");
    server.terminate();
}

/// The whole answer to a request for the counts, from a server that may be down, or go down meanwhile.
fn stats_if_there(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET /__stats HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn a_restart_may_be_immediate_and_repeated() {
    let server = Running::start(&["serve", "--app", "echo", "--addr", "127.0.0.1:0", "--stats"]);
    for (round, down) in ["", "?down=0", "?down=nonsense", "?down=50"].into_iter().enumerate() {
        let opened = server.connect().get(POLLING);
        assert_eq!(opened.status, 200);
        restart(&server, down);
        let deadline = Instant::now() + PATIENCE;
        // While it ends, it may still accept.
        loop {
            assert!(Instant::now() < deadline, "round {round}: it does not come back");
            thread::sleep(Duration::from_millis(10));
            let Some(answer) = stats_if_there(server.address) else {
                continue;
            };
            let rounds = round + 1;
            let expected = format!(r#"{{"sessions":0,"opened":{rounds},"closed":{rounds},"received":0,"sent":0}}"#);
            if answer.ends_with(&expected) {
                break;
            }
        }
        assert_eq!(server.connect().get("/nowhere").status, 404);
    }
    server.terminate();
}

#[test]
fn it_can_be_stopped_while_it_is_down() {
    let server = Running::start(&["serve", "--addr", "127.0.0.1:0", "--stats"]);
    restart(&server, "?down=60000");
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(server.address).is_ok() {
        assert!(Instant::now() < deadline, "it does not go down");
        thread::sleep(Duration::from_millis(10));
    }
    server.terminate();
}

// ---- how it ends ----

#[test]
fn signals_end_it_with_everybody_told() {
    for signal in ["INT", "TERM"] {
        for threads in ["1", "4"] {
            let mut server = Server::with(&["--threads", threads]);
            let waiting: Vec<_> = (0..10)
                .map(|_| {
                    let session = Session::open(&server);
                    let mut connection = server.connect();
                    connection.request("GET", &session.target(), &[], None);
                    connection
                })
                .collect();
            let websockets: Vec<_> = (0..10).map(|_| WebSocket::open(&server)).collect();
            session::settle();
            server.signal(signal);
            for mut connection in waiting {
                connection.response().assert_ok("1");
            }
            for mut websocket in websockets {
                websocket.assert_text("1");
                assert_eq!(websocket.assert_closes(), Some(1000));
            }
            server.assert_exits();
        }
    }
}
