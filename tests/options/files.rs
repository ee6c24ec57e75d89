//! `--static`: files beside the endpoint.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::http::{PATIENCE, Response};
use crate::server::Server;

/// More than a socket's buffers and the server's turns hold.
const LARGE: usize = 20_000_000;

/// A directory for one test, which is gone after it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sansocket-static-{}-{number}", std::process::id());
        let this = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(this.0.join("public/sub")).expect("a directory");
        this.write("secret.txt", b"secret");
        this.write("public/index.html", b"<p>index");
        this.write("public/app.js", b"0123456789");
        this.write("public/sub/index.html", b"<p>sub");
        this.write("public/empty.txt", b"");
        this
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).expect("a file");
    }

    fn serve(&self) -> Server {
        let path = |name: &str| self.0.join(name).display().to_string();
        Server::with(&[
            "--static",
            &format!("/={}", path("public/index.html")),
            "--static",
            &format!("/static={}", path("public")),
            "--static",
            &format!("/data.bin={}", path("secret.txt")),
        ])
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn assert_body(response: &Response, content_type: &str, body: &str) {
    assert_eq!(
        (response.status, response.text(), response.header("content-type")),
        (200, body, Some(content_type)),
        "{response:?}"
    );
}

#[test]
fn files_and_directories() {
    let directory = Directory::new();
    let server = directory.serve();
    assert_body(&server.get("/"), "text/html; charset=UTF-8", "<p>index");
    assert_body(&server.get("/?x=1"), "text/html; charset=UTF-8", "<p>index");
    assert_body(&server.get("/static/"), "text/html; charset=UTF-8", "<p>index");
    assert_body(&server.get("/static/sub/"), "text/html; charset=UTF-8", "<p>sub");
    assert_body(
        &server.get("/static/app.js"),
        "text/javascript; charset=UTF-8",
        "0123456789",
    );
    assert_body(
        &server.get("/static/%61pp.js?v=2"),
        "text/javascript; charset=UTF-8",
        "0123456789",
    );
    assert_body(&server.get("/static/empty.txt"), "text/plain; charset=UTF-8", "");
    assert_body(&server.get("/data.bin"), "text/plain; charset=UTF-8", "secret");
    let redirect = server.get("/static/sub");
    assert_eq!((redirect.status, redirect.header("location")), (308, Some("./sub/")));
    for target in [
        "/index.html",
        "/static/missing",
        "/staticfoo",
        "/data.bin/",
        "/engine.io",
    ] {
        assert_eq!(server.get(target).status, 404, "{target}");
    }
    // What the program itself serves there is still there.
    assert_eq!(server.get("/__stats").status, 200);
    server.finish();
}

#[test]
fn nothing_leads_out() {
    let directory = Directory::new();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../secret.txt", directory.0.join("public/link.txt")).expect("a link");
    let server = directory.serve();
    for target in [
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/%2e%2e%2fsecret.txt",
        "/static/..%5csecret.txt",
        "/static/sub/../../secret.txt",
        "/static/link.txt",
        "/static//etc/passwd",
        "/static/app.js%00",
        "//static/app.js",
    ] {
        let response = server.get(target);
        assert_eq!((response.status, response.text()), (404, "Not Found"), "{target}");
    }
    server.finish();
}

#[test]
fn conditions_ranges_and_heads() {
    let directory = Directory::new();
    let server = directory.serve();
    let target = "/static/app.js";
    let whole = server.get(target);
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let etag = whole.header("etag").expect("a tag").to_owned();
    let modified = whole.header("last-modified").expect("a date").to_owned();
    for condition in [
        format!("If-None-Match: {etag}"),
        format!("If-Modified-Since: {modified}"),
    ] {
        let response = server.request("GET", target, &[&condition], None);
        assert_eq!((response.status, response.header("etag")), (304, Some(&etag[..])));
        // The connection goes on after a response without a body.
        let mut connection = server.connect();
        connection.request("GET", target, &[&condition], None);
        assert_eq!(connection.response_without_body().status, 304);
        assert_eq!(connection.get(target).text(), "0123456789");
    }
    let part = server.request("GET", target, &["Range: bytes=2-4"], None);
    assert_eq!((part.status, part.text()), (206, "234"));
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    let part = server.request("GET", target, &["Range: bytes=-3"], None);
    assert_eq!((part.status, part.text()), (206, "789"));
    let none = server.request("GET", target, &["Range: bytes=10-"], None);
    assert_eq!((none.status, none.header("content-range")), (416, Some("bytes */10")));
    let several = server.request("GET", target, &["Range: bytes=0-1,3-4"], None);
    assert_eq!((several.status, several.text()), (200, "0123456789"));
    let head = server.request("HEAD", target, &[], None);
    assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
    assert_eq!(head.header("etag"), Some(&etag[..]));
    let post = server.request("POST", target, &[], Some(b"x"));
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
    // Another file has another tag.
    directory.write("public/app.js", b"9876543210!");
    let response = server.request("GET", target, &[&format!("If-None-Match: {etag}")], None);
    assert_eq!((response.status, response.text()), (200, "9876543210!"));
    server.finish();
}

#[test]
fn a_large_file_is_sent_as_it_is_read() {
    let directory = Directory::new();
    let bytes: Vec<u8> = (0..LARGE).map(|at| (at / 7) as u8).collect();
    directory.write("public/large", &bytes);
    let server = directory.serve();
    server.get("/static/app.js");
    let before = server.peak_memory();
    let mut connection = server.connect();
    // The second is asked for before the first has come.
    connection.request("GET", "/static/large", &[], None);
    connection.request("GET", "/static/large", &["Range: bytes=1000000-1999999"], None);
    let whole = connection.response_within(6 * PATIENCE).expect("the whole file");
    assert_eq!(whole.status, 200);
    assert!(whole.body == bytes, "other bytes than the file has");
    let part = connection.response();
    assert_eq!(part.status, 206);
    assert!(
        part.body == bytes[1_000_000..2_000_000],
        "other bytes than the file has there"
    );

    // Clients that do not read cost the server no memory, and nobody else any time.
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut connection = server.connect();
        connection.request("GET", "/static/large", &[], None);
        connection.wait_for_unread();
        slow.push(connection);
    }
    assert_eq!(server.get("/static/app.js").text(), "0123456789");
    server.assert_memory_flat(before);
    drop(slow);
    server.finish();
}

#[test]
fn a_file_that_gets_shorter_breaks_the_connection() {
    let directory = Directory::new();
    directory.write("public/large", &vec![b'a'; LARGE]);
    let server = directory.serve();
    let mut connection = server.connect();
    connection.request("GET", "/static/large", &[], None);
    connection.wait_for_unread();
    let mut file = fs::File::create(directory.0.join("public/large")).expect("the file");
    file.write_all(b"short").expect("a shorter file");
    let deadline = std::time::Instant::now() + 4 * PATIENCE;
    let ended = connection.take(2 * LARGE, deadline);
    assert!(ended.is_err(), "more bytes than there were");
    assert!(
        std::time::Instant::now() < deadline,
        "nobody told that no more would come"
    );
    server.finish();
}
