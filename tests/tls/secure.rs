//! `sansocket serve` with TLS, and other programs around it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::certificates::{Authority, Pair};
use crate::client::{Client, ENOUGH, signal, wait};
use crate::files::Files;
use crate::program::program;

/// A server over TLS, an authority that vouches for it, and where both have their files.
pub struct Secure {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
    pub files: Files,
    /// The authority's certificate.
    pub ca: String,
    pub authority: Authority,
}

impl Secure {
    /// One that everything is right with.
    #[track_caller]
    pub fn start() -> Self {
        let authority = Authority::new("sansocket's tests");
        let pair = authority.issue(&["localhost", "127.0.0.1", "::1"]);
        Self::with(authority, &pair, &[])
    }

    /// One with this certificate.
    #[track_caller]
    pub fn with(authority: Authority, pair: &Pair, flags: &[&str]) -> Self {
        let files = Files::new();
        let ca = files.authority("ca", &authority);
        let [cert, key] = files.pair("server", pair);
        let addr = ["--app", "echo", "--addr", "127.0.0.1:0", "--stats"];
        let mut child = program(&["serve"])
            .args(addr)
            .args(["--tls-cert", &cert, "--tls-key", &key])
            .args(flags.iter().map(|flag| if *flag == "CA" { &ca } else { *flag }))
            .env("RUST_LOG", "sansocket=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Arc::new(Mutex::new(String::new()));
        let mut stderr = child.stderr.take().expect("a piped stderr");
        let written = log.clone();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..length]);
                written.lock().expect("the log").push_str(&text);
            }
        });
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a piped stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line, or the end");
        let address = line.trim_end().strip_prefix("listening on https://");
        let address = address.and_then(|address| address.parse().ok());
        let log_so_far = || log.lock().expect("the log").clone();
        let address = address.unwrap_or_else(|| panic!("not the line that was agreed: {line:?} {}", log_so_far()));
        Self {
            child,
            address,
            log,
            files,
            ca,
            authority,
        }
    }

    pub fn url(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://{host}:{}", self.address.port())
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// A client that trusts it.
    #[track_caller]
    pub fn client(&self, url: &str, flags: &[&str]) -> Client {
        let mut all = vec!["--ca", &self.ca];
        all.extend(flags);
        Client::start(url, &all)
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// Waits for a line of its log with these words.
    #[track_caller]
    pub fn wait_for_log(&self, words: &str) {
        let deadline = Instant::now() + ENOUGH;
        while !self.log().contains(words) {
            assert!(Instant::now() < deadline, "{words:?} is not in the log: {}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Everything about it was in order: it serves, its log has nothing that was not looked for, and it ends.
    #[track_caller]
    pub fn finish(mut self) {
        assert!(!self.log().contains("panicked"), "{}", self.log());
        self.signal("TERM");
        assert_eq!(wait(&mut self.child).code(), Some(0));
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        // It may have ended already; both then fail, and that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs another program to its end, which must come by itself, and hands it this input.
#[track_caller]
pub fn run(name: &str, arguments: &[&str], input: &str) -> Output {
    use std::io::Write;

    let mut child = Command::new(name)
        .args(arguments)
        .env_remove("HTTPS_PROXY")
        .env_remove("https_proxy")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("please install {name}: {error}"));
    let mut stdin = child.stdin.take().expect("a piped stdin");
    // A program that has ended reads nothing more.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let deadline = Instant::now() + 2 * ENOUGH;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("{name} {arguments:?}: still running");
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("its output")
}

/// What it said on both.
pub fn said(output: &Output) -> String {
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}
