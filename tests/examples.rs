//! The examples that are programs run, and do what they say.

#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use sansocket::engineio::Transport;
use sansocket::tokio::engineio::Client;

/// How long anything may take that takes no time.
const ENOUGH: Duration = Duration::from_secs(20);

/// An example, which Cargo has built beside this test.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("the test is a program");
    let target = test.ancestors().nth(2).expect("it is in target/debug/deps");
    let program: PathBuf = target.join("examples").join(name);
    assert!(
        program.exists(),
        "{} is not built: `cargo build --examples --features cli`",
        program.display()
    );
    Command::new(program)
}

#[track_caller]
fn output_of(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{status}\n{out}\n{err}");
    assert_eq!(err, "");
    out.into_owned()
}

/// A server that is an example, which ends with the test.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(name: &str) -> Self {
        let mut command = example(name);
        let mut process = command
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let stdout = process.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it listens");
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .expect("it says where it listens")
            .to_owned();
        Self { process, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _over = self.process.kill();
        let _over = self.process.wait();
    }
}

#[test]
fn from_memory_to_memory() {
    let out = output_of(example("memory"));
    assert!(out.contains("the server is sent Text(\"hello\")"), "{out}");
    assert!(out.contains("the client is told Message(Text(\"hello\"))"), "{out}");
}

#[test]
fn a_fifth_runtime() {
    let out = output_of(example("fifth_runtime"));
    for number in 0..10 {
        assert!(out.contains(&format!("message {number}")), "{out}");
    }
    assert!(out.contains("WebSocket"), "{out}");
}

#[test]
fn a_server_and_a_client_on_loops_of_their_own() {
    let server = Server::start("own_loop_mio");
    let mut client = example("own_loop_client");
    client.args([&server.url, "2"]);
    let out = output_of(client);
    assert!(out.contains("playing over Polling"), "{out}");
    assert!(out.contains("now over a WebSocket"), "{out}");
    assert!(out.contains("over: client disconnect"), "{out}");
    assert!(!out.contains("what went wrong"), "{out}");
}

#[tokio::test]
async fn a_loop_of_ones_own_serves_whoever_comes() {
    let server = Server::start("own_loop_mio");
    let ways: [&[Transport]; 3] = [
        &[Transport::Polling],
        &[Transport::WebSocket],
        &[Transport::Polling, Transport::WebSocket],
    ];
    let large = "x".repeat(500_000);
    let talk = async {
        let mut clients = Vec::new();
        for number in 0..150 {
            let builder = Client::builder(&server.url).transports(ways[number % 3]);
            clients.push(builder.connect().await.expect("it is let in"));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(number.to_string()).await.expect("it is open");
            client.send(large.as_str()).await.expect("it is open");
        }
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.recv().await, Some(number.to_string().into()));
            assert_eq!(client.recv().await, Some(large.as_str().into()));
        }
        for mut client in clients {
            client.close().await.expect("it is open");
        }
    };
    tokio::time::timeout(ENOUGH, talk).await.expect("in time");
}

#[tokio::test]
async fn inside_of_axum() {
    use sansocket::tokio::socketio::Client;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let server = Server::start("axum");
    let request = async |head: &str, body: &str| {
        let address = server.url.trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let request = format!(
            "{head} HTTP/1.0\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut response = String::new();
        stream.read_to_string(&mut response).await.expect("it is text");
        response
    };
    let talk = async {
        let (sender, mut said) = tokio::sync::mpsc::unbounded_channel();
        let client = Client::builder(&server.url).on("said", move |_socket, (message,): (serde_json::Value,)| {
            sender.send(message["text"].to_string()).expect("the test");
            async {}
        });
        let client = client.connect().await.expect("it is let in");
        let message = serde_json::json!({"who": "Ada", "text": "hello"});
        assert_eq!(client.call::<u64>("say", &message).await.expect("an answer"), 1);
        assert_eq!(said.recv().await.as_deref(), Some("\"hello\""));
        let response = request("POST /say", r#"{"who":"curl","text":"hello too"}"#).await;
        assert!(response.ends_with("\r\n\r\n2"), "{response}");
        assert_eq!(said.recv().await.as_deref(), Some("\"hello too\""));
        let response = request("GET /count", "").await;
        assert!(response.ends_with("\r\n\r\n2"), "{response}");
        let response = request("GET /nowhere", "").await;
        assert!(response.starts_with("HTTP/1.0 404"), "{response}");
    };
    tokio::time::timeout(ENOUGH, talk).await.expect("in time");
}

#[test]
fn a_chat() {
    let server = Server::start("socketio_server");
    let run = |name: &str, says: &str| {
        let mut client = example("socketio_client");
        let mut process = client
            .args([&server.url, name, "lobby"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut typed = process.stdin.take().expect("it is piped");
        typed.write_all(says.as_bytes()).expect("it reads");
        drop(typed);
        let output = process.wait_with_output().expect("it ends");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("it is text")
    };
    let out = run("Ada", "hello\n");
    assert!(out.starts_with("present: Ada\nAda: hello\nbye to Ada\n"), "{out}");
    assert_eq!(run("", ""), "not let in: who are you?\n");
}
