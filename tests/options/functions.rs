//! Options that are functions, through the library.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sansocket::engineio::Refusal;
use sansocket::http::{Cookie, Cors, Request, Response, StaticFiles, TrustedProxies};
use sansocket::runtime::engineio::Handle;

use crate::http::{self, Connection, PATIENCE};
use crate::runtime::{self, Builder};
use crate::session::{POLLING, sid_of};
use crate::websocket::upgrade_request;

/// A server of the library's that echoes, in a thread.
struct Host {
    address: SocketAddr,
    handle: Handle,
    thread: JoinHandle<()>,
}

impl Host {
    #[track_caller]
    fn start(options: Builder) -> Self {
        let (says, bound) = mpsc::channel();
        let thread = thread::spawn(move || {
            runtime::block_on(true, async {
                let server = options.bind("127.0.0.1:0").await.expect("a free port");
                says.send((server.local_addr(), server.handle()))
                    .expect("somebody waits");
                let serving = server.serve(|mut socket| async move {
                    while let Some(message) = socket.recv().await {
                        socket.send(message).await?;
                    }
                    Ok(())
                });
                serving.await.expect("the server ends in order");
            });
        });
        let (address, handle) = bound.recv_timeout(2 * PATIENCE).expect("the server starts");
        Self {
            address,
            handle,
            thread,
        }
    }

    #[track_caller]
    fn ask(&self, method: &str, target: &str, headers: &[&str]) -> http::Response {
        let mut connection = Connection::open(self.address);
        connection.request(method, target, headers, None);
        connection.response()
    }

    #[track_caller]
    fn get(&self, target: &str, headers: &[&str]) -> http::Response {
        self.ask("GET", target, headers)
    }

    #[track_caller]
    fn websocket(&self, headers: &[&str]) -> http::Response {
        let mut connection = Connection::open(self.address);
        let target = "/engine.io/?EIO=4&transport=websocket";
        let bytes = upgrade_request(connection.host(), target, headers);
        connection.send(bytes);
        connection.response()
    }

    fn finish(self) {
        let handle = self.handle.clone();
        runtime::block_on(false, async move { handle.shutdown(Duration::from_millis(100)).await });
        self.thread.join().expect("the server's thread");
    }
}

fn options() -> Builder {
    runtime::Server::builder()
}

#[test]
fn origins_by_a_function() {
    let host = Host::start(options().cors(Cors::when(|origin, request| {
        assert_ne!(origin, "https://panic.example");
        origin == "https://a.example" && request.header("x-key") == Some("1")
    })));
    let response = host.get(POLLING, &["Origin: https://a.example", "X-Key: 1"]);
    assert_eq!(
        (response.status, response.header("access-control-allow-origin")),
        (200, Some("https://a.example"))
    );
    for headers in [
        &["Origin: https://a.example"][..],
        &["Origin: https://b.example", "X-Key: 1"],
        &["Origin: https://panic.example", "X-Key: 1"],
    ] {
        host.get(POLLING, headers).assert_error(3);
        host.websocket(headers).assert_error(3);
    }
    assert_eq!(host.get(POLLING, &[]).status, 200);
    host.finish();
}

#[test]
fn cookies_by_a_function() {
    let host = Host::start(options().cookie_with(|request| {
        let name = request.query_value("name")?;
        Some(Cookie::new(name.into_owned()).max_age(Duration::from_secs(60)))
    }));
    let response = host.get(&format!("{POLLING}&name=chat"), &[]);
    let sid = sid_of(response.text());
    let cookie = format!("chat={sid}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
    assert_eq!(response.header("set-cookie"), Some(&cookie[..]));
    for none in ["", "&name=a%0d%0aX:%20y", "&name=a%20b", "&name="] {
        let response = host.get(&format!("{POLLING}{none}"), &[]);
        assert_eq!(
            (response.status, response.header("set-cookie"), response.header("x")),
            (200, None, None)
        );
    }
    host.finish();
}

#[test]
fn requests_are_refused_before_there_is_a_session() {
    let host = Host::start(options().allow_request(|request| match request.header("x-key") {
        Some("1") => Ok(()),
        Some("panic") => panic!("as the test wants it"),
        _ => Err(Refusal::new(401).json(&"who are you?")),
    }));
    for response in [host.get(POLLING, &[]), host.websocket(&[])] {
        assert_eq!((response.status, response.text()), (401, "\"who are you?\""));
        assert_eq!(response.header("content-type"), Some("application/json"));
    }
    assert_eq!(host.get(POLLING, &["X-Key: panic"]).status, 500);
    assert_eq!(host.handle.stats().opened, 0);
    let opened = host.get(POLLING, &["X-Key: 1"]);
    assert_eq!(opened.status, 200);
    // Once it is open nobody is asked.
    let target = format!("{POLLING}&sid={}", sid_of(opened.text()));
    let mut connection = Connection::open(host.address);
    connection.post(&target, "4a").assert_ok("ok");
    assert_eq!(host.websocket(&["X-Key: 1"]).status, 101);
    host.finish();
}

#[test]
fn ids_by_a_function() {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let host = Host::start(options().session_ids(|request| {
        match request.query_value("id") {
            Some(id) => id.into_owned(),
            // Each one twice.
            None => format!("id-{}", NEXT.fetch_add(1, Ordering::Relaxed) / 2),
        }
    }));
    for wanted in ["id-0", "id-1", "id-2"] {
        assert_eq!(sid_of(host.get(POLLING, &[]).text()), wanted);
    }
    for id in ["", "a%20b", "a%22", "a%0d%0a", "%c3%a4", &"a".repeat(65), "id-0"] {
        host.get(&format!("{POLLING}&id={id}"), &[]).assert_error(3);
    }
    assert_eq!(host.handle.stats().sessions, 3);
    host.finish();
}

#[test]
fn headers_by_a_function() {
    let host = Host::start(options().headers_with(|request, headers| {
        headers.add("X-Method", request.method);
        headers.add("X-Opens", if headers.opens_session() { "yes" } else { "no" });
        headers.add("X-Echo", &request.query_value("echo").unwrap_or_default());
    }));
    let response = host.get(&format!("{POLLING}&echo=a%0d%0aX-Bad:%20b"), &[]);
    assert_eq!(
        (response.header("x-opens"), response.header("x-method")),
        (Some("yes"), Some("GET"))
    );
    assert_eq!((response.header("x-echo"), response.header("x-bad")), (None, None));
    let response = host.get(&format!("{POLLING}&sid=x&echo=7"), &[]);
    assert_eq!(
        (response.header("x-opens"), response.header("x-echo")),
        (Some("no"), Some("7"))
    );
    assert_eq!(host.websocket(&[]).header("x-opens"), Some("yes"));
    host.finish();
}

#[test]
fn handlers_are_told_who_asks_behind_a_proxy() {
    let proxies = TrustedProxies::list(["127.0.0.1"]).expect("an address");
    let host = Host::start(
        options()
            .trusted_proxies(proxies)
            .fallback(|request: Request| async move {
                Response::new(200).body(format!("{} {}", request.client(), request.is_secure()))
            }),
    );
    let headers = ["X-Forwarded-For: 203.0.113.9, 192.0.2.1", "X-Forwarded-Proto: https"];
    assert_eq!(host.get("/who", &headers).text(), "192.0.2.1 true");
    assert_eq!(host.get("/who", &[]).text(), "127.0.0.1 false");
    host.finish();
}

#[test]
fn files_first_and_then_a_closure() {
    let directory = std::env::temp_dir().join(format!("sansocket-functions-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("a.txt"), "from a file").expect("a file");
    let files = StaticFiles::new()
        .route_as("/files", &directory, "x/y")
        .cache_control("max-age=60")
        .or(|request: Request| async move { Response::new(200).body(request.path().to_owned()) });
    let host = Host::start(options().fallback(files));
    let response = host.get("/files/a.txt", &[]);
    assert_eq!(
        (response.text(), response.header("content-type")),
        ("from a file", Some("x/y"))
    );
    assert_eq!(response.header("cache-control"), Some("max-age=60"));
    assert_eq!(host.get("/files/b.txt", &[]).text(), "/files/b.txt");
    host.finish();
    let host = Host::start(options().fallback(StaticFiles::new().route("/files", &directory)));
    assert_eq!(host.get("/files/a.txt", &[]).text(), "from a file");
    assert_eq!(host.get("/files/b.txt", &[]).status, 404);
    host.finish();
    std::fs::remove_dir_all(&directory).expect("a directory that can go");
}

#[test]
fn what_can_not_be_used_is_told_at_once() {
    for options in [
        options().cookie(Cookie::new("a;b")),
        options().header("X-A", "1\r\nX-B: 2"),
        options().initial_header("Content-Length", "1"),
    ] {
        let bound = runtime::block_on(false, options.bind("127.0.0.1:0"));
        assert!(matches!(bound, Err(sansocket::Error::Unusable { .. })), "{bound:?}");
    }
}
