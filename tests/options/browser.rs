//! Chromium, on a page of another origin.

use std::process::Command;

use crate::server::Server;

/// Wants Node.js, Chromium, and `tests/interop/setup.sh` before it.
#[test]
#[ignore = "wants Chromium"]
fn a_page_of_another_origin() {
    let directory = std::env::temp_dir().join(format!("sansocket-browser-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).expect("a file");
    write("index.html", "<!doctype html><script src=\"/static/app.js\"></script>");
    write("app.js", "document.title = 'from a file';");
    let files = directory.display();
    let page = Server::with(&[
        "--static",
        &format!("/={files}/index.html"),
        "--static",
        &format!("/static={files}"),
    ]);
    let origin = format!("http://{}", page.address);
    // What a browser has opened and left is over soon.
    let impatient = ["--cookie", "io", "--ping-interval", "1s", "--ping-timeout", "1s"];
    let open = Server::with(&[&["--cors", &origin][..], &impatient].concat());
    let strict = Server::start();
    let output = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/options/browser.mjs"))
        .args([
            &origin,
            &format!("http://{}", open.address),
            &format!("http://{}", strict.address),
        ])
        .output()
        .expect("node runs");
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{errors}");
    // Whoever wrote the page finds out why.
    assert!(strict.log().contains(&format!("--cors {origin}")), "{}", strict.log());
    assert_eq!(strict.stats().opened, 0);
    for server in [page, open, strict] {
        server.finish();
    }
    let _left_behind = std::fs::remove_dir_all(&directory);
}
