use core::net::SocketAddr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sansocket::http::{Request, RequestView, Response, StaticFiles};

use crate::options::Written;

/// What may be seen.
const FILES: [(&str, &str); 5] = [
    ("public/index.html", "<p>the first page"),
    ("public/a b.txt", "0123456789"),
    ("public/empty.txt", ""),
    ("public/sub/index.html", "<p>the second page"),
    ("public/sub/x.js", "x();"),
];

/// What may not.
const SECRET: &str = "secret";

fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        // One for all runs: whoever fuzzes must not fill the disk with them.
        let directory = std::env::temp_dir().join("sansocket-fuzz-files");
        make(&directory).expect("a directory");
        directory
    })
}

fn make(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory.join("public/sub"))?;
    fs::write(directory.join("secret.txt"), SECRET)?;
    for (name, text) in FILES {
        // What others read at the moment is not written anew.
        if fs::read(directory.join(name)).ok().as_deref() != Some(text.as_bytes()) {
            fs::write(directory.join(name), text)?;
        }
    }
    #[cfg(unix)]
    for (link, target) in [
        ("out.txt", "../secret.txt"),
        ("up", ".."),
        ("in.js", "sub/x.js"),
        ("loop", "loop"),
    ] {
        let link = directory.join("public").join(link);
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(target, link)?;
        }
    }
    Ok(())
}

fn files() -> StaticFiles {
    let below = |name: &str| directory().join(name);
    StaticFiles::new()
        .route("/", below("public/index.html"))
        .route("/static", below("public"))
        .route("/static/deep/", below("public/sub/"))
        .route_as("/a", below("public/a b.txt"), "x/y")
}

/// A request for a file: no path leads to one that is not served, and a part of a file is that part.
pub fn run(data: &[u8]) {
    let Some(mut written) = Written::read(data) else { return };
    let files = files();
    let tag = ask(&files, &Written::read(b"GET /a").expect("a request")).and_then(|response| {
        let tag = response.headers().find(|header| header.0 == "ETag")?.1;
        Some(tag.to_owned())
    });
    let tag = tag.expect("a file has a tag");
    for header in &mut written.headers {
        if header.1 == "TAG" {
            header.1 = &tag;
        }
    }
    let Some(response) = ask(&files, &written) else { return };
    let header = |name: &str| {
        response
            .headers()
            .find(|header| header.0 == name)
            .map(|header| header.1)
    };
    if let Some(location) = header("Location") {
        assert!(
            location.starts_with("./") && !location.contains(['\r', '\n']),
            "{location}"
        );
    }
    let Some(part) = response.file_part() else {
        assert!(matches!(response.status(), 304 | 308 | 405 | 412 | 416), "{response:?}");
        return;
    };
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < part.len() {
        let more = part.read(bytes.len() as u64, 7).expect("nobody writes");
        assert!(!more.is_empty());
        bytes.extend(more);
    }
    let text = String::from_utf8(bytes).expect("all files are text");
    assert!(header("ETag").is_some() && header("Content-Type").is_some());
    match response.status() {
        200 => assert!(FILES.iter().any(|file| file.1 == text), "{text}"),
        206 => {
            assert_eq!(written.method, "GET");
            let range = header("Content-Range").and_then(|range| range.strip_prefix("bytes "));
            let (range, length) = range.and_then(|range| range.split_once('/')).expect("a range");
            let (first, last) = range.split_once('-').expect("two ends");
            let number = |text: &str| text.parse::<usize>().expect("a number");
            let (first, last) = (number(first), number(last));
            let of = FILES
                .iter()
                .find(|file| file.1.len() == number(length) && file.1.get(first..=last) == Some(&text));
            assert!(of.is_some(), "{text} is not {range} of any file");
        }
        status => panic!("{status} with a body"),
    }
}

fn ask(files: &StaticFiles, written: &Written<'_>) -> Option<Response> {
    let headers = &written.headers[..];
    let view = RequestView::new(written.method, written.target, &headers);
    let lines = headers.iter().map(|header| (header.0, header.1.as_bytes()));
    files.answer(&Request::new(&view, lines, SocketAddr::from(([127, 0, 0, 1], 1))))
}
