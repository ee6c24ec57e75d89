//! nginx in front of two servers, as `docs/behind-a-proxy.md` says: what it has there is what is run here.
//!
//! Wants nginx and Node.js, and `tests/interop/setup.sh` before it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::certificates::Authority;
use crate::curl::{Answer, curl_with};
use crate::directory::Files;
use crate::http::PATIENCE;
use crate::program::program;
use crate::server::Server;
use crate::session::POLLING;

const GUIDE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/behind-a-proxy.md"));

/// What stands in the guide between a line ```` ```language ```` and the end of that.
#[track_caller]
fn block(language: &str) -> &'static str {
    let begin = format!("```{language}\n");
    let (_, rest) = GUIDE.split_once(&begin).expect("the guide has one");
    rest.split("```").next().unwrap_or_default()
}

/// The flags of the guide's server of this name, as far as they are not every server's of these tests.
#[track_caller]
fn flags(node: &str) -> Vec<String> {
    let named = format!("node={node};");
    let line = block("sh").lines().find(|line| line.contains(&named));
    let line = line.expect("a command for it").replace("sansocket serve ", "");
    // As a shell has it: what is between quotes is one.
    let mut words = vec![String::new()];
    for (number, part) in line.split('\'').enumerate() {
        for c in part.chars() {
            match c {
                ' ' if number % 2 == 0 => words.push(String::new()),
                c => words.last_mut().expect("a word").push(c),
            }
        }
    }
    for flag in ["--addr", "--app"] {
        let at = words.iter().position(|word| word == flag).expect("the guide names it");
        words.drain(at..at + 2);
    }
    words
}

/// Replaces what has to be there.
#[track_caller]
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in {text}");
    text.replace(from, to)
}

/// What is something else than in the guide.
type Changes<'a> = &'a [(&'a str, &'a str)];

/// nginx, the servers behind it, and an authority that vouches for it.
struct Site {
    nodes: Vec<Option<Server>>,
    nginx: Child,
    port: u16,
    files: Files,
    folder: String,
    ca: String,
}

impl Site {
    /// `more` flags for each server, beside the guide's, and something else in nginx's configuration.
    #[track_caller]
    fn start(more: &[&str], changes: Changes<'_>) -> Self {
        let nodes = ["a", "b"].map(|node| {
            let flags = flags(node);
            let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
            Server::with(&flags)
        });
        Self::of(nodes.into(), changes)
    }

    #[track_caller]
    fn of(nodes: Vec<Server>, changes: Changes<'_>) -> Self {
        let files = Files::new();
        let authority = Authority::new("sansocket's tests");
        let ca = files.authority("ca", &authority);
        let [cert, key] = files.pair(
            "site",
            &authority.issue(&["chat.example.com", "localhost", "127.0.0.1"]),
        );
        let folder = ca.replace("/ca.pem", "");
        // It is given a socket that listens, as to a newer nginx that takes over: there is no port that somebody else could
        // have taken before it.
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let addresses: Vec<SocketAddr> = nodes.iter().map(|node| node.address).collect();
        let mut guide = block("nginx").to_owned();
        for (from, to) in changes {
            guide = replaced(&guide, from, to);
        }
        guide = replaced(&guide, "listen 443 ssl;", &format!("listen 127.0.0.1:{port} ssl;"));
        guide = replaced(&guide, "/etc/ssl/chat.example.com.pem", &cert);
        guide = replaced(&guide, "/etc/ssl/chat.example.com.key", &key);
        guide = replaced(&guide, "127.0.0.1:3001", &addresses[0].to_string());
        guide = replaced(&guide, "127.0.0.1:3002", &addresses[1].to_string());
        // It would become another user, who may not write there.
        let user = match fs::metadata("/proc/self").map(|this| this.uid()) {
            Ok(0) => "user root;",
            _ => "",
        };
        let configuration = format!(
            "daemon off;\n{user}\nworker_processes 1;\npid {folder}/pid;\nerror_log stderr notice;\n\
             events {{ worker_connections 512; }}\n\
             http {{\n\
             log_format nodes '$upstream_addr $status $request_method \"$http_upgrade\" $request_uri';\n\
             access_log {folder}/access nodes;\n\
             client_body_temp_path {folder}/body;\nproxy_temp_path {folder}/proxy;\nfastcgi_temp_path {folder}/fastcgi;\n\
             uwsgi_temp_path {folder}/uwsgi;\nscgi_temp_path {folder}/scgi;\n\
             {guide}}}\n"
        );
        let file = files.write("nginx.conf", &configuration);
        // Debian keeps it where not everybody looks.
        let nginx = match fs::exists("/usr/sbin/nginx") {
            Ok(true) => "/usr/sbin/nginx",
            _ => "nginx",
        };
        let nginx = Command::new(nginx)
            .args(["-p", &folder, "-e", "stderr", "-c", &file])
            .env("NGINX", "0;")
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .stderr(Stdio::from(
                fs::File::create(format!("{folder}/errors")).expect("a file"),
            ))
            .spawn()
            .unwrap_or_else(|error| panic!("{error}; tests/interop/setup.sh installs nginx"));
        Self {
            nodes: nodes.into_iter().map(Some).collect(),
            nginx,
            port,
            files,
            folder,
            ca,
        }
    }

    fn origin(&self) -> String {
        format!("https://chat.example.com:{}", self.port)
    }

    /// curl, from an address of this machine.
    #[track_caller]
    fn curl_with(&self, from: &str, arguments: &[&str], target: &str, body: &[u8]) -> Answer {
        let resolve = format!("chat.example.com:{}:127.0.0.1", self.port);
        let url = format!("{}{target}", self.origin());
        let mut all = vec!["--cacert", &self.ca, "--resolve", &resolve, "--interface", from];
        all.extend(arguments);
        all.push(&url);
        curl_with(&all, body)
    }

    #[track_caller]
    fn curl(&self, from: &str, arguments: &[&str], target: &str) -> Answer {
        self.curl_with(from, arguments, target, b"")
    }

    #[track_caller]
    fn post(&self, target: &str, body: &[u8]) -> Answer {
        let arguments = ["-H", "Content-Type: text/plain", "--data-binary", "@-"];
        self.curl_with("127.0.0.1", &arguments, target, body)
    }

    /// Runs a script that trusts it.
    #[track_caller]
    fn node(&self, script: &str, arguments: &[&str]) -> String {
        let output = Command::new("node")
            .arg(format!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/{}"), script))
            .arg(format!("https://127.0.0.1:{}", self.port))
            .args(arguments)
            .env("NODE_EXTRA_CA_CERTS", &self.ca)
            .output()
            .expect("node runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{arguments:?}: {said}{errors}{}",
            self.errors()
        );
        said
    }

    /// The program's own client says something, and hears it.
    #[track_caller]
    fn talk(&self, flags: &[&str]) {
        let url = format!("https://127.0.0.1:{}", self.port);
        let mut child = program(&["connect", "--protocol", "engine.io", &url, "--ca", &self.ca])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("a piped stdin");
        stdin.write_all(b"through nginx\n").expect("it reads");
        let mut stdout = child.stdout.take().expect("a piped stdout");
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains("through nginx") {
            let mut chunk = [0; 1024];
            // Its own patience ends, where there is nothing.
            let length = stdout.read(&mut chunk).expect("its output");
            assert!(length > 0, "{flags:?}: {}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&chunk[..length]);
        }
        drop(stdin);
        assert!(child.wait().expect("its end").success(), "{flags:?}");
    }

    fn errors(&self) -> String {
        fs::read_to_string(format!("{}/errors", self.folder)).unwrap_or_default()
    }

    /// Which servers each session was at, and how many of its requests were for a WebSocket. nginx tells of a request when it
    /// is over.
    fn sessions(&self) -> BTreeMap<String, (BTreeSet<String>, usize)> {
        let log = fs::read_to_string(format!("{}/access", self.folder)).expect("the log");
        let mut sessions = BTreeMap::<String, (BTreeSet<String>, usize)>::new();
        for line in log.lines() {
            let Some((_, sid)) = line.split_once("&sid=") else {
                continue;
            };
            let sid = sid.split(['&', ' ']).next().unwrap_or_default();
            let session = sessions.entry(sid.to_owned()).or_default();
            session.0.insert(line.split(' ').next().unwrap_or_default().to_owned());
            session.1 += usize::from(line.contains("\"websocket\""));
        }
        sessions
    }

    /// Everything about it was in order.
    #[track_caller]
    fn finish(mut self) {
        let nodes: Vec<Server> = self.nodes.iter_mut().filter_map(Option::take).collect();
        for node in nodes {
            node.wait_for_sessions(0);
            node.signal("TERM");
        }
        self.stop();
        let errors = self.errors();
        for word in ["[alert]", "[crit]", "[emerg]"] {
            assert!(!errors.contains(word), "{errors}");
        }
    }

    /// In order: what it has started ends with it.
    fn stop(&mut self) {
        if self.nginx.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        let _ended = Command::new("kill").arg(self.nginx.id().to_string()).status();
        let deadline = Instant::now() + PATIENCE;
        while self.nginx.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- stderr of nginx ---\n{}", self.errors());
        }
        self.stop();
    }
}

/// nginx's default is the server's own address: then only what else it says of the host helps.
const NO_HOST: (&str, &str) = ("proxy_set_header Host $http_host;", "");

/// Pings come often enough for a test, and pongs may be late on a busy machine.
const LIVELY: [&str; 4] = ["--ping-interval", "250ms", "--ping-timeout", "10s"];

#[test]
#[ignore = "wants nginx"]
fn curl_sees_one_site() {
    let folder = Files::new();
    let page = folder.write("index.html", &"<p>0123456789".repeat(100));
    let route = format!("/={page}");
    for changes in [&[][..], &[NO_HOST]] {
        let site = Site::start(&["--cookie", "io", "--static", &route], changes);
        let here = "127.0.0.1";
        let origin = format!("Origin: {}", site.origin());
        let opened = site.curl(here, &["-H", &origin], POLLING);
        let sid = opened.sid();
        assert_eq!(opened.header("access-control-allow-origin"), Some(&site.origin()[..]));
        let cookies = opened.all("set-cookie");
        let session = format!("io={sid}; Path=/; HttpOnly; Secure; SameSite=Lax");
        assert!(cookies.contains(&&session[..]), "{cookies:?}");
        assert!(cookies.iter().any(|cookie| cookie.starts_with("node=")), "{cookies:?}");
        assert_eq!(cookies.len(), 2);
        for other in ["http://chat.example.com", "https://evil.example"] {
            assert_eq!(
                site.curl(here, &["-H", &format!("Origin: {other}")], POLLING).status,
                400,
                "{other}"
            );
        }
        let preflight = site.curl(here, &["-X", "OPTIONS", "-H", &origin], POLLING);
        assert_eq!(preflight.status, 204);

        // What waits for something is answered when that comes.
        let target = format!("{POLLING}&sid={sid}");
        thread::scope(|scope| {
            let poll = scope.spawn(|| site.curl(here, &["--compressed"], &target));
            assert_eq!(site.post(&target, b"4hello").text(), "ok");
            assert_eq!(poll.join().expect("it was answered").text(), "4hello");
        });
        let message = format!("4{}", "abc ".repeat(5_000));
        assert_eq!(site.post(&target, message.as_bytes()).text(), "ok");
        let polled = site.curl(here, &["--compressed"], &target);
        assert!(polled.text() == message, "{polled:?}");
        assert_eq!(polled.header("content-encoding"), Some("deflate"));

        // As much as the server takes, and what it is that refuses more.
        let mut largest = vec![b'a'; 1_000_000];
        largest[0] = b'4';
        assert_eq!(site.post(&target, &largest).text(), "ok");
        assert!(site.curl(here, &[], &target).body == largest);
        largest.push(b'a');
        let refused = site.post(&target, &largest);
        assert!(
            refused.status == 413 && !refused.text().contains("nginx"),
            "{refused:?}"
        );
        assert_eq!(site.post(&target, b"1").text(), "ok");

        let part = site.curl(here, &["-r", "3-5"], "/");
        assert_eq!((part.status, part.text()), (206, "012"));
        assert_eq!(site.curl(here, &["-z", &page], "/").status, 304);
        let tag = site.curl(here, &[], "/").header("etag").expect("a tag").to_owned();
        let unchanged = site.curl(here, &["-H", &format!("If-None-Match: {tag}")], "/");
        assert_eq!((unchanged.status, unchanged.text()), (304, ""));
        site.finish();
    }
}

#[test]
#[ignore = "wants nginx"]
fn what_is_not_trusted_does_not_help() {
    // As in the guide, but without the flag.
    let nodes = ["a", "b"].map(|node| {
        let mut flags = flags(node);
        let at = flags
            .iter()
            .position(|flag| flag == "--trust-proxy")
            .expect("it is there");
        flags.drain(at..at + 2);
        flags.push("--cookie".into());
        flags.push("io".into());
        Server::with(&flags.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let site = Site::of(nodes.into(), &[NO_HOST]);
    let origin = format!("Origin: {}", site.origin());
    assert_eq!(site.curl("127.0.0.1", &["-H", &origin], POLLING).status, 400);
    let opened = site.curl("127.0.0.1", &[], POLLING);
    let session = format!("io={}; Path=/; HttpOnly; SameSite=Lax", opened.sid());
    assert!(opened.all("set-cookie").contains(&&session[..]), "{opened:?}");
    assert_eq!(site.post(&format!("{POLLING}&sid={}", opened.sid()), b"1").text(), "ok");
    site.finish();
}

#[test]
#[ignore = "wants nginx"]
fn nginx_compresses_nothing_twice() {
    let folder = Files::new();
    let page = folder.write("index.html", &"<p>0123456789".repeat(100));
    let compresses = "gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1;";
    let site = Site::start(
        &["--static", &format!("/={page}")],
        &[("proxy_buffering off;", compresses)],
    );
    let here = "127.0.0.1";
    let sid = site.curl(here, &[], POLLING).sid();
    let target = format!("{POLLING}&sid={sid}");
    // The one is large enough for the server, the other only for nginx.
    for length in [20_000, 500] {
        let message = format!("4{}", "a".repeat(length));
        assert_eq!(site.post(&target, message.as_bytes()).text(), "ok");
        let polled = site.curl(here, &["--compressed"], &target);
        assert!(polled.text() == message, "{polled:?}");
        // The first that curl names; nginx knows no other.
        let coding = if length > 1_000 { "deflate" } else { "gzip" };
        assert_eq!(polled.header("content-encoding"), Some(coding));
    }
    assert_eq!(site.post(&target, b"1").text(), "ok");
    // It makes a tag of its own of the server's, which the server knows again.
    let whole = site.curl(here, &["--compressed"], "/");
    let tag = whole.header("etag").expect("a tag").to_owned();
    assert!(
        tag.starts_with("W/") && whole.header("content-encoding") == Some("gzip"),
        "{whole:?}"
    );
    let condition = format!("If-None-Match: {tag}");
    assert_eq!(site.curl(here, &["--compressed", "-H", &condition], "/").status, 304);
    site.finish();
}

#[test]
#[ignore = "wants nginx"]
fn limits_are_for_those_behind_it() {
    let limits = ["--max-sessions-per-address", "1", "--max-connections-per-address", "1"];
    let site = Site::start(&limits, &[]);
    let mut opened = Vec::new();
    for person in ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"] {
        let answer = site.curl(person, &[], POLLING);
        // All its requests lead to one server: it has brought no cookie.
        opened.push(format!("{POLLING}&sid={}", answer.sid()));
        let node = answer.all("set-cookie")[0]
            .split(';')
            .next()
            .expect("a cookie")
            .to_owned();
        for forged in ["127.0.0.9", "192.0.2.1, 192.0.2.2", "unknown", "\u{ff}"] {
            let forged = format!("X-Forwarded-For: {forged}");
            let refused = site.curl(person, &["-H", &forged, "-b", &node], POLLING);
            assert_eq!(refused.status, 429, "{refused:?}");
        }
        // Others are not hurt by that.
        let target = opened.last().expect("a session");
        let posted = site.curl(person, &["-d", "1"], target);
        assert_eq!(posted.text(), "ok");
        opened.pop();
        let again = site.curl(person, &["-H", "X-Forwarded-For: 127.0.0.2", "-b", &node], POLLING);
        opened.push(format!("{POLLING}&sid={}", again.sid()));
        let cookie = format!("Cookie: {node}");
        assert_eq!(
            site.curl(person, &["-H", &cookie, "-d", "4a"], opened.last().expect("one"))
                .text(),
            "ok"
        );
    }
    // nginx has had more connections than one, of course.
    for (person, target) in ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"].iter().zip(&opened) {
        assert_eq!(site.curl(person, &["-d", "1"], target).text(), "ok");
    }
    site.finish();
}

#[test]
#[ignore = "wants nginx"]
fn a_session_stays_where_it_was_opened() {
    let site = Site::start(&["--cookie", "io"], &[]);
    let mut opened = BTreeSet::new();
    for number in 10..18 {
        let from = format!("127.0.0.{number}");
        let jar = site.files.write(&format!("jar{number}"), "");
        let sid = site.curl(&from, &["-c", &jar], POLLING).sid();
        let target = format!("{POLLING}&sid={sid}");
        // Its cookie leads it back wherever it comes from now; without one, it has to come from where it was.
        for from in ["127.0.0.100", "127.0.0.101", "127.0.0.102"] {
            assert_eq!(site.curl(from, &["-b", &jar, "-d", "4a"], &target).text(), "ok");
        }
        assert_eq!(site.curl(&from, &[], &target).text(), "4a\u{1e}4a\u{1e}4a");
        assert_eq!(site.curl(&from, &["-d", "1"], &target).text(), "ok");
        opened.insert(sid);
    }
    // So does an upgrade: npm's client, from many addresses, with and without cookies.
    let said = site.node("options/nginx.mjs", &["upgrades"]);
    let upgraded: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(upgraded.len(), 12, "{said}");
    let deadline = Instant::now() + PATIENCE;
    // The log has them when they are over.
    while !upgraded
        .iter()
        .all(|&sid| site.sessions().get(sid).is_some_and(|seen| seen.1 == 1))
    {
        assert!(Instant::now() < deadline, "{said} {:?}", site.sessions());
        thread::sleep(Duration::from_millis(20));
    }
    let sessions = site.sessions();
    assert!(opened.iter().all(|sid| sessions.contains_key(sid)), "{sessions:?}");
    assert!(sessions.values().all(|(nodes, _)| nodes.len() == 1), "{sessions:?}");
    let used: BTreeSet<&String> = sessions.values().flat_map(|(nodes, _)| nodes).collect();
    assert_eq!(used.len(), 2, "all were sent to one server: {sessions:?}");
    site.finish();
}

#[test]
#[ignore = "wants nginx"]
fn where_one_server_has_gone_the_other_serves() {
    let mut site = Site::start(&[], &[]);
    for node in ["node=a", "node=b"] {
        let opened = site.curl("127.0.0.1", &["-b", node], POLLING);
        assert!(opened.all("set-cookie")[0].starts_with(node), "{opened:?}");
        let target = format!("{POLLING}&sid={}", opened.sid());
        let closed = site.curl("127.0.0.1", &["-b", node, "-d", "1"], &target);
        assert_eq!(closed.text(), "ok");
    }
    let mut gone = site.nodes[0].take().expect("it is there");
    gone.signal("TERM");
    gone.assert_exits();
    for cookie in ["node=a", "node=b", "node=nobody"] {
        let opened = site.curl("127.0.0.1", &["-b", cookie], POLLING);
        assert!(opened.all("set-cookie")[0].starts_with("node=b;"), "{opened:?}");
        let target = format!("{POLLING}&sid={}", opened.sid());
        assert_eq!(
            site.curl("127.0.0.1", &["-b", "node=b", "-d", "1"], &target).text(),
            "ok"
        );
    }
    site.finish();
}

#[test]
#[ignore = "wants nginx and Node.js"]
fn clients_talk_through_it() {
    let site = Site::start(&[], &[]);
    // Whether it buffers does not matter: what it waits for comes as a whole.
    let buffering = Site::start(&[], &[("proxy_buffering off;", "")]);
    thread::scope(|scope| {
        for (site, plan) in [
            (&site, "polling"),
            (&site, "websocket"),
            (&site, "upgrade"),
            (&buffering, "polling"),
        ] {
            scope.spawn(move || site.node("interop/js/echo.mjs", &[plan]));
        }
        // Ours.
        for flags in [&["--transports", "polling"][..], &["--transports", "websocket"], &[]] {
            site.talk(flags);
        }
    });
    site.finish();
    buffering.finish();
}

#[test]
#[ignore = "wants nginx and Node.js"]
fn pings_keep_it_patient() {
    let lively = Site::start(&LIVELY, &[("proxy_read_timeout 60s;", "proxy_read_timeout 2s;")]);
    // Pings that come too late for it.
    let late = Site::start(&[], &[("proxy_read_timeout 60s;", "proxy_read_timeout 1s;")]);
    thread::scope(|scope| {
        scope.spawn(|| lively.node("options/nginx.mjs", &["idle"]));
        scope.spawn(|| late.node("options/nginx.mjs", &["cut"]));
    });
    lively.finish();
    // A client whose poll nginx has given up is waited for by the server still: it has no way to know.
    for node in late.nodes.iter().flatten() {
        assert!(node.stats().sessions <= 1);
    }
}

/// What the guide says of those who leave something out.
#[test]
#[ignore = "wants nginx"]
fn what_is_left_out_is_missed() {
    let site = Site::start(
        &[],
        &[
            ("hash $remote_addr consistent;", ""),
            ("proxy_set_header Upgrade $http_upgrade;", ""),
            ("proxy_set_header Connection $connection_upgrade;", ""),
        ],
    );
    let here = "127.0.0.1";
    // Now to the one, now to the other.
    let opened = site.curl(here, &[], POLLING);
    let target = format!("{POLLING}&sid={}", opened.sid());
    let statuses = [(); 4].map(|()| site.curl(here, &["-d", "4a"], &target).status);
    assert!(statuses.contains(&200) && statuses.contains(&400), "{statuses:?}");
    let node = opened.all("set-cookie")[0];
    let cookie = format!("Cookie: {}", node.split(';').next().expect("a cookie"));
    assert_eq!(site.curl(here, &["-H", &cookie, "-d", "1"], &target).text(), "ok");
    // A request for a WebSocket is an ordinary one to the server.
    let wanted = [
        "-H",
        "Connection: Upgrade",
        "-H",
        "Upgrade: websocket",
        "-H",
        "Sec-WebSocket-Version: 13",
        "-H",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let refused = site.curl(here, &wanted, "/engine.io/?EIO=4&transport=websocket");
    assert_eq!(
        (refused.status, refused.text()),
        (400, r#"{"code":3,"message":"Bad request"}"#)
    );
    site.finish();
}

/// nginx's own answer comes in place of a server's, where the request is larger than nginx lets through.
#[test]
#[ignore = "wants nginx"]
fn what_nginx_refuses_is_larger_than_the_servers_limit() {
    let site = Site::start(&["--max-payload", "3MB"], &[]);
    let sid = site.curl("127.0.0.1", &[], POLLING).sid();
    let target = format!("{POLLING}&sid={sid}");
    let refused = site.post(&target, &vec![b'4'; 2_000_000]);
    assert!(refused.status == 413 && refused.text().contains("nginx"), "{refused:?}");
    assert_eq!(site.post(&target, b"1").text(), "ok");
    site.finish();
    let larger = ("proxy_buffering off;", "client_max_body_size 3m;");
    let site = Site::start(&["--max-payload", "3MB"], &[larger]);
    let sid = site.curl("127.0.0.1", &[], POLLING).sid();
    let target = format!("{POLLING}&sid={sid}");
    assert_eq!(site.post(&target, &vec![b'4'; 2_000_000]).text(), "ok");
    assert_eq!(site.post(&target, b"1").text(), "ok");
    site.finish();
}
