//! Our client against other people's servers: OpenSSL's and Python's.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::certificates::{Authority, Pair};
use crate::client::{CARRIERS, Client, ENOUGH};
use crate::files::Files;

const WEBSOCKET: [&str; 2] = ["--transports", "websocket"];

/// Another program that serves, read line by line.
struct Other {
    child: Child,
    lines: Receiver<String>,
}

impl Other {
    #[track_caller]
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("please install {name}: {error}"));
        let stdout: ChildStdout = child.stdout.take().expect("a piped stdout");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(ENOUGH).expect("a line")
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Scene {
    authority: Authority,
    files: Files,
    ca: String,
    pair: [String; 2],
}

fn scene() -> Scene {
    let authority = Authority::new("authority");
    let files = Files::new();
    let pair = authority.issue(&["localhost", "127.0.0.1"]);
    Scene {
        ca: files.authority("ca", &authority),
        pair: files.pair("server", &pair),
        authority,
        files,
    }
}

impl Scene {
    /// Python's echo server, and its URL.
    #[track_caller]
    fn python(&self, more: &[&str]) -> (Other, String) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/echo_server.py");
        let mut arguments = vec![script, &self.pair[0], &self.pair[1]];
        arguments.extend(more);
        let server = Other::start("python3", &arguments);
        let url = format!("wss://localhost:{}", server.line());
        (server, url)
    }

    /// OpenSSL's server of pages about itself.
    #[track_caller]
    fn openssl(&self, more: &[&str]) -> (Other, String) {
        let (cert, key, ca) = (&*self.pair[0], &*self.pair[1], &*self.ca);
        let mut arguments = vec![
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-www",
            "-cert",
            cert,
            "-key",
            key,
            "-CAfile",
            ca,
        ];
        arguments.extend(more);
        let server = Other::start("openssl", &arguments);
        loop {
            let line = server.line();
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                return (server, format!("https://{}", address.trim()));
            }
        }
    }

    fn client(&self, url: &str, flags: &[&str]) -> Client {
        let mut all = vec!["--ca", &*self.ca];
        all.extend(flags);
        Client::start(url, &all)
    }

    fn shown(&self, pair: &Pair) -> [String; 2] {
        self.files.pair("client", pair)
    }
}

#[test]
fn python_is_talked_with_and_told_the_end() {
    let scene = scene();
    let (server, url) = scene.python(&[]);
    for _ in 0..3 {
        let mut client = scene.client(&url, &WEBSOCKET);
        client.next("open");
        client.assert_echoes("hello");
        client.assert_echoes(&"x".repeat(50_000));
        client.close();
        assert_eq!(server.line(), "ended", "close_notify came before the end");
    }
}

#[test]
fn a_cut_is_not_an_end() {
    let scene = scene();
    let (server, url) = scene.python(&[]);
    let mut client = scene.client(&url, &WEBSOCKET);
    client.next("open");
    client.send("cut");
    let ended = client.finish(1);
    assert_eq!(
        ended.named("close")[0]["reason"],
        "transport error",
        "{:?}",
        ended.events
    );
    assert_eq!(server.line(), "cut off");
}

#[test]
fn python_wants_to_see_a_certificate() {
    let scene = scene();
    let (server, url) = scene.python(&[&scene.ca]);
    let ended = scene.client(&url, &WEBSOCKET).finish(1);
    let error = ended.only_error();
    assert_eq!(error["kind"], "tls");
    let words = "TLS with the server failed: it wants a client certificate, and there was none to show";
    assert_eq!(error["message"], words);
    assert!(server.line().starts_with("refused"));
    let [cert, key] = scene.shown(&scene.authority.issue(&["me"]));
    let mut client = scene.client(&url, &[&["--cert", &cert, "--key", &key], &WEBSOCKET[..]].concat());
    client.next("open");
    client.assert_echoes("hello");
    client.close();
    assert_eq!(server.line(), "ended");
}

#[test]
#[ignore = "needs tests/interop/setup.sh"]
fn the_reference_is_talked_with() {
    let scene = scene();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/engineio_server.mjs");
    let server = Other::start("node", &[script, &scene.pair[0], &scene.pair[1]]);
    let port = server.line();
    for flags in CARRIERS {
        let mut client = scene.client(&format!("https://127.0.0.1:{port}"), flags);
        client.next("open");
        if flags.is_empty() {
            client.until("upgrade");
        }
        client.assert_echoes("hello");
        client.assert_echoes(&"x".repeat(300_000));
        client.close();
    }
}

/// Its pages are no Engine.IO, but they come over TLS.
#[test]
fn openssl_serves_both_versions() {
    let scene = scene();
    for version in ["-tls1_2", "-tls1_3"] {
        let (_server, url) = scene.openssl(&[version]);
        let ended = scene.client(&url, &["--transports", "polling"]).finish(1);
        assert_eq!(ended.only_error()["kind"], "protocol", "{:?}", ended.events);
    }
}

#[test]
fn openssl_wants_to_see_a_certificate() {
    let scene = scene();
    let [cert, key] = scene.shown(&scene.authority.issue(&["me"]));
    for version in ["-tls1_2", "-tls1_3"] {
        let (_server, url) = scene.openssl(&[version, "-Verify", "2", "-verify_return_error"]);
        for transport in ["polling", "websocket"] {
            let ended = scene.client(&url, &["--transports", transport]).finish(1);
            let error = ended.only_error();
            let words = "TLS with the server failed: it wants a client certificate, and there was none to show";
            assert_eq!(
                (&error["kind"], &error["message"]),
                (&"tls".into(), &words.into()),
                "{version}"
            );
        }
        let flags = ["--cert", &cert, "--key", &key, "--transports", "polling"];
        let ended = scene.client(&url, &flags).finish(1);
        assert_eq!(ended.only_error()["kind"], "protocol", "{version}: {:?}", ended.events);
    }
}

#[test]
fn openssl_speaks_only_an_old_version() {
    let scene = scene();
    let (_server, url) = scene.openssl(&["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"]);
    let ended = scene.client(&url, &["--transports", "polling"]).finish(1);
    let error = ended.only_error();
    assert_eq!(error["kind"], "tls");
    assert_eq!(
        error["message"],
        "TLS with the server failed: it speaks neither TLS 1.2 nor TLS 1.3"
    );
}
