//! Chromium, on a page of another origin.

use std::process::Command;

use crate::certificates;
use crate::directory::Files;
use crate::server::Server;

/// Wants Node.js, Chromium, and before it `tests/interop/setup.sh` and `npm ci --prefix tests/options/eio3`.
#[test]
#[ignore = "wants Chromium"]
fn a_page_of_another_origin() {
    let files = Files::new();
    let index = files.write("index.html", "<!doctype html><script src=\"/static/app.js\"></script>");
    let script = files.write("app.js", "document.title = 'from a file';");
    let public = script.replace("/app.js", "");
    let [index, public] = [format!("/={index}"), format!("/static={public}")];
    let eio3 = concat!(
        "/eio3.js=",
        env!("CARGO_MANIFEST_DIR"),
        "/tests/options/eio3/node_modules/engine.io-client/engine.io.js"
    );
    let pages = ["--static", &index, "--static", &public, "--static", eio3];
    let page = Server::with(&pages);
    let origin = format!("http://{}", page.address);
    // What a browser has opened and left is over soon.
    let impatient = ["--cookie", "io", "--ping-interval", "1s", "--ping-timeout", "1s"];
    let open = Server::with(&[&["--cors", &origin, "--eio3"][..], &impatient].concat());
    let strict = Server::start();
    let [cert, key] = files.pair("server", &certificates::self_signed(&["localhost", "127.0.0.1"]));
    let tls = ["--tls-cert", &cert, "--tls-key", &key];
    let secure_page = Server::with(&[&tls[..], &pages].concat());
    let port = secure_page.address.port();
    let origins = format!("https://app.example.com:{port},https://localhost:{port}");
    let secure = Server::with(&[&tls[..], &impatient, &["--cors", &origins]].concat());
    let output = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/options/browser.mjs"))
        .args([
            &origin,
            &format!("http://{}", open.address),
            &format!("http://{}", strict.address),
            &port.to_string(),
            &secure.address.port().to_string(),
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
    for mut server in [secure_page, secure] {
        server.signal("TERM");
        server.assert_exits();
    }
}
