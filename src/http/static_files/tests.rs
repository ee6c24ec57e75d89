use core::net::SocketAddr;
use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::http::{Headers, RequestView};

/// A directory for one test, which is gone after it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("sansocket-files-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join("public/sub")).unwrap();
        let this = Self(path);
        this.write("secret.txt", "secret");
        this.write("public/index.html", "<p>index");
        this.write("public/a b.txt", "0123456789");
        this.write("public/sub/index.html", "<p>sub");
        this.write("public/sub/x.js", "x");
        this
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn files(&self) -> StaticFiles {
        StaticFiles::new()
            .route("/", self.0.join("public/index.html"))
            .route("/static", self.0.join("public"))
            .route("/static/sub/deep/", self.0.join("public/sub/"))
            .route("/page/", self.0.join("public/a b.txt"))
            .route_as("/data", self.0.join("secret.txt"), "x/y")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

fn ask(files: &StaticFiles, method: &str, target: &str, headers: &[(&str, &str)]) -> Option<Response> {
    let view = RequestView::new(method, target, &headers);
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let lines = headers.iter().map(|header| (header.0, header.1.as_bytes()));
    files.answer(&Request::new(&view, lines, peer))
}

fn text(response: &Response) -> String {
    let part = response.file_part().expect("a file");
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < part.len() {
        let chunk = part.read(at, 3).unwrap();
        assert!(!chunk.is_empty());
        at += chunk.len() as u64;
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .headers()
        .find(|header| header.0 == name)
        .map(|header| header.1)
}

#[test]
fn routes() {
    let directory = Directory::new();
    let files = directory.files();
    for (path, found) in [
        ("/", Some("<p>index")),
        ("/static/", Some("<p>index")),
        ("/static/index.html", Some("<p>index")),
        ("/static/a%20b.txt", Some("0123456789")),
        ("/static/sub/", Some("<p>sub")),
        ("/static/sub/x.js", Some("x")),
        ("/static/sub/x.js?v=1", Some("x")),
        ("/static/sub/deep/x.js", Some("x")),
        ("/static/sub/deep/", Some("<p>sub")),
        ("/data", Some("secret")),
        ("/page/", Some("0123456789")),
        ("/index.html", None),
        ("/data/", None),
        ("/data/x", None),
        ("/staticfoo", None),
        ("/static/missing", None),
        ("/static/index.html/", None),
        ("/static/index.html/x", None),
        ("/static//index.html", None),
        ("//static/index.html", None),
        ("*", None),
        ("", None),
    ] {
        let response = ask(&files, "GET", path, &[]);
        assert_eq!(response.as_ref().map(text).as_deref(), found, "{path}");
    }
}

#[test]
fn the_root_may_be_a_directory() {
    let directory = Directory::new();
    let files = StaticFiles::new().route("/", directory.0.join("public"));
    for (path, found) in [
        ("/", Some("<p>index")),
        ("/sub/x.js", Some("x")),
        ("/sub/", Some("<p>sub")),
        ("/missing", None),
        ("/../secret.txt", None),
    ] {
        let response = ask(&files, "GET", path, &[]);
        assert_eq!(response.as_ref().map(text).as_deref(), found, "{path}");
    }
}

#[test]
fn nothing_leads_out() {
    let directory = Directory::new();
    let files = directory.files().route("/all", directory.0.join("public/sub"));
    for path in [
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/..%2fsecret.txt",
        "/static/..%5csecret.txt",
        "/static/..\\secret.txt",
        "/static/sub/../../secret.txt",
        "/static/./index.html",
        "/static/..",
        "/static/index.html%00.png",
        "/static/%2fetc%2fpasswd",
        "/static//etc/passwd",
        "/static/~/x",
    ] {
        assert!(ask(&files, "GET", path, &[]).is_none(), "{path}");
    }
}

#[cfg(unix)]
#[test]
fn links_lead_only_to_what_lies_below() {
    use std::os::unix::fs::symlink;

    let directory = Directory::new();
    let public = directory.0.join("public");
    symlink("../secret.txt", public.join("out.txt")).unwrap();
    symlink(&directory.0, public.join("up")).unwrap();
    symlink("sub/x.js", public.join("in.js")).unwrap();
    symlink("/dev/zero", public.join("zero")).unwrap();
    fs::create_dir(public.join("tricky")).unwrap();
    symlink("../../secret.txt", public.join("tricky/index.html")).unwrap();
    symlink(&public, directory.0.join("link")).unwrap();
    let files = directory
        .files()
        .route("/link", directory.0.join("link"))
        .route("/dev", "/dev");
    for path in [
        "/static/out.txt",
        "/static/up/secret.txt",
        "/static/tricky/",
        "/static/zero",
        "/dev/null",
    ] {
        assert!(ask(&files, "GET", path, &[]).is_none(), "{path}");
    }
    assert_eq!(text(&ask(&files, "GET", "/static/in.js", &[]).unwrap()), "x");
    assert_eq!(text(&ask(&files, "GET", "/link/sub/x.js", &[]).unwrap()), "x");
}

/// As if the link had been put there after the path was looked at.
#[cfg(unix)]
#[test]
fn what_was_swapped_is_not_opened() {
    use std::os::unix::fs::symlink;

    let directory = Directory::new();
    let root = fs::canonicalize(&directory.0).unwrap();
    let public = root.join("public");
    symlink("../secret.txt", public.join("out.txt")).unwrap();
    symlink("..", public.join("up")).unwrap();
    for swapped in ["out.txt", "up/secret.txt", "sub"] {
        assert!(open(&public.join(swapped)).is_none(), "{swapped}");
    }
    assert!(open(&public.join("index.html")).is_some());
    let elsewhere = File::open(root.join("secret.txt")).unwrap().metadata().unwrap();
    assert!(!is_at(&elsewhere, &public.join("index.html")));
}

#[test]
fn a_directory_wants_its_slash() {
    let directory = Directory::new();
    let files = directory.files();
    for (target, location) in [
        ("/static", "./static/"),
        ("/static/sub?a=b", "./sub/?a=b"),
        ("/%73tatic", "./%73tatic/"),
    ] {
        let response = ask(&files, "GET", target, &[]).unwrap();
        assert_eq!(
            (response.status(), header(&response, "Location")),
            (308, Some(location))
        );
    }
    directory.write("public/other.htm", "other");
    let files = files.index("other.htm");
    assert_eq!(text(&ask(&files, "GET", "/static/", &[]).unwrap()), "other");
    assert!(ask(&files, "GET", "/static/sub/", &[]).is_none());
}

#[test]
fn an_index_may_have_a_type_of_its_own() {
    let directory = Directory::new();
    let public = directory.0.join("public");
    let type_of = |files: &StaticFiles, path| {
        let response = ask(files, "GET", path, &[]).unwrap();
        header(&response, "Content-Type").map(String::from).unwrap()
    };
    let files = StaticFiles::new().route("/a", &public).route_as("/b", &public, "x/y");
    let typed = files.clone().index_as("index.html", "x/index");
    for path in ["/a/", "/a/sub/", "/b/"] {
        assert_eq!(type_of(&typed, path), "x/index", "{path}");
    }
    // It is that of directories, and not of all files of that name.
    assert_eq!(type_of(&typed, "/a/index.html"), "text/html; charset=UTF-8");
    assert_eq!(type_of(&files, "/b/"), "x/y");
    assert_eq!(type_of(&typed.index("index.html"), "/a/"), "text/html; charset=UTF-8");
}

#[test]
fn what_the_headers_say() {
    let directory = Directory::new();
    let files = directory.files();
    let response = ask(&files, "GET", "/static/a%20b.txt", &[]).unwrap();
    assert_eq!(header(&response, "Content-Type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(header(&response, "Cache-Control"), Some("no-cache"));
    let tag = String::from(header(&response, "ETag").unwrap());
    let date = String::from(header(&response, "Last-Modified").unwrap());
    assert_eq!(
        header(&ask(&files, "GET", "/data", &[]).unwrap(), "Content-Type"),
        Some("x/y")
    );
    for condition in [("If-None-Match", &tag), ("If-Modified-Since", &date)] {
        let condition = [(condition.0, &condition.1[..])];
        let response = ask(&files, "GET", "/static/a%20b.txt", &condition).unwrap();
        assert_eq!(response.status(), 304);
        assert_eq!(header(&response, "ETag"), Some(&tag[..]));
        assert_eq!(header(&response, "Content-Type"), None);
    }
    let response = ask(&files, "GET", "/static/a%20b.txt", &[("Range", "bytes=2-4")]).unwrap();
    assert_eq!((response.status(), &text(&response)[..]), (206, "234"));
    assert_eq!(header(&response, "Content-Range"), Some("bytes 2-4/10"));
    let response = ask(&files, "GET", "/static/a%20b.txt", &[("Range", "bytes=10-")]).unwrap();
    assert_eq!(response.status(), 416);
    assert_eq!(header(&response, "Content-Range"), Some("bytes */10"));
    let response = ask(&files, "HEAD", "/static/a%20b.txt", &[("Range", "bytes=2-4")]).unwrap();
    assert_eq!(response.status(), 200);
    let response = ask(&files, "POST", "/static/a%20b.txt", &[]).unwrap();
    assert_eq!(
        (response.status(), header(&response, "Allow")),
        (405, Some("GET, HEAD"))
    );
    assert!(ask(&files, "POST", "/static/missing", &[]).is_none());
}

/// `Headers` of a slice, which the requests of these tests are made of.
#[test]
fn headers_are_found_in_any_case() {
    let headers = &[("Host", "a"), ("host", "b")][..];
    assert_eq!(Headers::get(&headers, "HOST"), Some(&b"a"[..]));
    let mut all = Vec::new();
    Headers::each(&headers, "host", &mut |value| all.push(value));
    assert_eq!(all, [b"a", b"b"]);
}
