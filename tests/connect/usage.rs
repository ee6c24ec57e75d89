//! How it is called: what is explained, what is refused.

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::client::{ENOUGH, drain};
use crate::program::program;

/// Runs it to an end that must come by itself, without input.
#[track_caller]
fn run(arguments: &[&str]) -> Output {
    let mut child = program(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Help is longer than some pipes.
    let stdout = drain(child.stdout.take().expect("a piped stdout"));
    let stderr = drain(child.stderr.take().expect("a piped stderr"));
    let deadline = Instant::now() + ENOUGH;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("{arguments:?}: still running after {ENOUGH:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Output {
        status,
        stdout: stdout.join().expect("its reader").into_bytes(),
        stderr: stderr.join().expect("its reader").into_bytes(),
    }
}

/// One clear line on stderr, nothing on stdout, exit 2.
#[track_caller]
fn assert_refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    assert!(said.ends_with('\n') && said.trim().len() > 10, "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.is_empty(), "{arguments:?}: {stdout}");
    said
}

/// `--help` explains every flag, and says the defaults.
#[test]
fn help_explains_every_flag() {
    for arguments in [["connect", "--help"], ["help", "connect"]] {
        let output = run(&arguments);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
        for flag in [
            "--protocol",
            "--path",
            "--transports",
            "--no-upgrade",
            "--header",
            "--query",
            "--no-timestamps",
            "--timestamp-param",
            "--websocket-header",
            "--websocket-protocol",
            "--max-payload",
            "--max-websocket-message",
            "--upgrade-timeout",
            "--request-timeout",
            "--close-timeout",
            "--proxy",
            "--no-proxy",
            "--reconnect",
            "--reconnect-delay",
            "--reconnect-delay-max",
            "--timeout",
            "--json",
            "--runtime",
        ] {
            let is_flag = |line: &str| {
                let rest = line.trim_start().strip_prefix(flag);
                rest.is_some_and(|rest| !rest.starts_with('-'))
            };
            let line = text.lines().skip_while(|line| !is_flag(line)).take(2);
            let words: usize = line.map(|line| line.split_whitespace().count()).sum();
            assert!(words > 4, "{flag} is not explained:\n{text}");
        }
        for word in [
            "URL",
            "engine.io",
            "polling,websocket",
            "1s",
            "5s",
            "20s",
            "forever",
            "HTTP_PROXY",
        ] {
            assert!(text.contains(word), "{word}:\n{text}");
        }
    }
    let all = String::from_utf8(run(&["--help"]).stdout).expect("UTF-8");
    assert!(all.contains("connect"), "{all}");
}

/// A wrong flag or an unusable value is one clear line on stderr, and status 2; the value or the flag is named.
#[test]
fn a_wrong_call_is_one_line_and_status_2() {
    const URL: &str = "http://127.0.0.1:1";
    let wrong: [&[&str]; 34] = [
        &[],
        &[URL, "http://127.0.0.1:2"],
        &["127.0.0.1:3000x"],
        &["ftp://127.0.0.1"],
        &["file:///etc/passwd"],
        &["http://"],
        &["http://:80"],
        &["http://127.0.0.1:99999"],
        &["http://127.0.0.1:port"],
        &["http://[::1"],
        &["http://with space/"],
        &[URL, "--jsn"],
        &[URL, "--json=yes"],
        &[URL, "--transports"],
        &[URL, "--transports", ""],
        &[URL, "--transports", "polling,carrier"],
        &[URL, "--header", "nocolon"],
        &[URL, "--header", ": value"],
        &[URL, "--header", "Spa ce: value"],
        &[URL, "--header", "X: two\nlines"],
        &[URL, "--reconnect", "-1"],
        &[URL, "--reconnect", "often"],
        &[URL, "--reconnect-delay", "1"],
        &[URL, "--reconnect-delay", "soon"],
        &[URL, "--reconnect-delay-max", "1.5s"],
        &[URL, "--timeout", "20"],
        &[URL, "--timeout", "never"],
        &[URL, "--runtime", "rayon"],
        &[URL, "--websocket-header", "nocolon"],
        &[URL, "--max-payload", "much"],
        &[URL, "--max-websocket-message", "-1"],
        &[URL, "--request-timeout", "never"],
        &[URL, "--proxy", "ftp://127.0.0.1"],
        &[URL, "--json", "--json"],
    ];
    for rest in wrong {
        let arguments = [&["connect", "--protocol", "engine.io"], rest].concat();
        let said = assert_refused(&arguments);
        if let [.., value] = rest {
            // The value, or the name of the flag. (A value that begins like a flag is one, to the parser; and a URL is
            // the only thing of its kind.)
            let flag = match rest.len() {
                1 if !value.starts_with("--") => "url",
                length => rest[length.saturating_sub(2)].trim_start_matches('-'),
            };
            let begins = value.get(..6).unwrap_or(value);
            let is_named = [*value, flag, begins].iter().any(|name| said.contains(name));
            assert!(is_named, "{arguments:?}: {said}");
        }
    }
}

/// What only the library can say is said in its words.
#[test]
fn names_that_can_not_be_used() {
    for (flag, value, named) in [
        ("--timestamp-param", "sid", "timestamp_param"),
        ("--timestamp-param", "", "timestamp_param"),
        ("--websocket-protocol", "two words", "websocket_protocol"),
        ("--websocket-header", "Sec-WebSocket-Key: a", "websocket_header"),
    ] {
        for protocol in ["engine.io", "socket.io"] {
            let url = "http://127.0.0.1:1";
            let said = assert_refused(&["connect", "--protocol", protocol, url, flag, value]);
            assert!(said.contains(named), "{flag} {value}: {said}");
        }
    }
}

/// A wrong protocol is one.
#[test]
fn a_wrong_protocol_is_refused() {
    for protocol in ["", "eio", "http"] {
        assert_refused(&["connect", "--protocol", protocol, "http://127.0.0.1:1"]);
    }
}

/// A wrong call is the same with `--json`: there is nothing to open yet.
#[test]
fn a_wrong_call_with_json_is_the_same() {
    assert_refused(&["connect", "--protocol", "engine.io", "--json", "ftp://127.0.0.1"]);
    assert_refused(&["connect", "--protocol", "engine.io", "--json"]);
}

/// Logs go to stderr, as `RUST_LOG` says; stdout stays as agreed. They tell neither the session's id nor what was given
/// to get in.
#[test]
fn logs_go_to_stderr_and_tell_no_secret() {
    let server = crate::server::Server::start();
    let url = format!("http://ann:geheim@{}/?key=schluessel", server.address);
    let flags = ["--json", "--header", "X-Token: losung", "--query", "q=parole"];
    let mut child = crate::client::command(&url, &flags, &[("RUST_LOG", "trace")])
        .spawn()
        .expect("the program starts");
    drop(child.stdin.take());
    let stdout = drain(child.stdout.take().expect("a piped stdout"));
    let stderr = drain(child.stderr.take().expect("a piped stderr"));
    assert_eq!(crate::client::wait(&mut child).code(), Some(0));
    let (stdout, stderr) = (stdout.join().expect("its reader"), stderr.join().expect("its reader"));
    let mut sid = String::new();
    for line in stdout.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON, and nothing else");
        sid.push_str(event["sid"].as_str().unwrap_or_default());
    }
    assert!(!sid.is_empty(), "{stdout}");
    for secret in ["geheim", "YW5uOmdlaGVpbQ", "schluessel", "losung", "parole", &sid] {
        assert!(!stderr.contains(secret), "{secret}: {stderr}");
    }
    server.finish();
}

/// Nor does an error tell the password of its URL.
#[test]
fn errors_tell_no_password() {
    let ended = crate::client::Client::start("http://ann:geheim@127.0.0.1:1/", &[]).finish(1);
    assert!(!ended.stderr.contains("geheim"), "{}", ended.stderr);
    assert!(!ended.only_error().to_string().contains("geheim"));
}

/// Socket.IO is what is spoken by default.
#[test]
fn socket_io_is_the_default() {
    let arguments = ["connect", "http://127.0.0.1:1", "--namespace", "/a"];
    let engine = [&arguments[..], &["--protocol", "engine.io"]].concat();
    let said = assert_refused(&engine);
    assert!(said.contains("socket.io"), "it says what the flag is for: {said}");
    let socket = [&arguments[..], &["--auth", "no JSON"]].concat();
    let said = assert_refused(&socket);
    assert!(said.contains("--auth"), "the namespace is none of its concerns: {said}");
}
