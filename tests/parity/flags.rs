//! Flags of `sansocket serve` that no other suite tries.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use crate::client::Client;
use crate::host::echo;
use crate::http::{Connection, NoAnswer};
use crate::program::program;
use crate::server::Server;
use crate::session::{POLLING, Session, sid_of};

#[test]
fn every_runtime_may_be_named() {
    for runtime in ["tokio", "smol", "async-std", "blocking"] {
        let mut child = program(&["serve", "--runtime", runtime, "--app", "echo", "--addr", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a piped stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.trim_end().strip_prefix("listening on http://");
        let open = address.and_then(|address| Connection::open(address.parse().ok()?).get(POLLING).into());
        child.kill().expect("it has not ended by itself");
        child.wait().expect("a child");
        assert_eq!(open.map(|open| open.status), Some(200), "{runtime}: {line}");
    }
}

#[test]
fn a_cookie_has_attributes() {
    for (flag, written) in [
        ("io", "Path=/; HttpOnly; SameSite=Lax"),
        ("io; Secure; SameSite=None", "Path=/; HttpOnly; Secure; SameSite=None"),
        (
            "io; path=/chat; Domain=a.example; Max-Age=60; HttpOnly=false; Secure; Partitioned; samesite=strict",
            "Path=/chat; Domain=a.example; Max-Age=60; Secure; Partitioned; SameSite=Strict",
        ),
    ] {
        let server = echo(&["--cookie", flag]);
        let response = server.get(POLLING);
        let session = Session::from_response(&server, &response);
        let cookie = format!("io={}; {written}", session.sid);
        assert_eq!(response.header("set-cookie"), Some(&cookie[..]));
        session.close();
        server.finish();
    }
}

#[test]
fn several_paths_lead_to_the_same_sessions() {
    let server = echo(&["--path", "/one", "--path", "two/"]);
    let query = "?EIO=4&transport=polling";
    for path in ["/one/", "/two/"] {
        let open = server.get(&format!("{path}{query}"));
        let sid = sid_of(open.text());
        server.post(&format!("/one/{query}&sid={sid}"), "4hi").assert_ok("ok");
        server.get(&format!("/two/{query}&sid={sid}")).assert_ok("4hi");
        server.post(&format!("/two/{query}&sid={sid}"), "1").assert_ok("ok");
    }
    assert_eq!(server.get(POLLING).status, 404);
    server.finish();
}

/// What Python calls `async_handlers`: an event whose handler waits keeps the next one waiting, or not.
#[test]
fn handlers_run_beside_each_other_or_not() {
    for (flags, beside) in [(&[][..], true), (&["--concurrency", "1"], false)] {
        let server = Server::app("socketio", flags);
        let (mut client, _) = Client::join_app(&server);
        client.send(r#"2["ask-me"]"#);
        client.expect(r#"20["question"]"#);
        client.send(r#"21["message-with-ack",1]"#);
        if beside {
            client.expect("31[1]");
        }
        client.send(r#"30["answer"]"#);
        client.expect(r#"2["answer","answer"]"#);
        if !beside {
            client.expect("31[1]");
        }
        client.websocket.close();
        server.finish();
    }
}

#[test]
fn a_queue_has_its_limit() {
    let server = echo(&["--max-queue", "2kB", "--max-payload", "2kB"]);
    let session = Session::open(&server);
    let packet = format!("4{}", "x".repeat(1000));
    let (mut answered, mut held) = (0, None);
    while held.is_none() {
        assert!(
            answered < 100,
            "{answered} kB were taken in for a client that never polls"
        );
        let mut connection = server.connect();
        connection.request("POST", &session.target(), &[], Some(packet.as_bytes()));
        match connection.response_within(Duration::from_millis(300)) {
            Ok(response) => response.assert_ok("ok"),
            Err(NoAnswer::Late) => {
                held = Some(connection);
                continue;
            }
            Err(reason) => panic!("{reason:?}"),
        }
        answered += 1;
    }
    assert!(session.receive(answered + 1).iter().all(|message| *message == packet));
    held.expect("one is held").response().assert_ok("ok");
    session.close();
    server.finish();
}
