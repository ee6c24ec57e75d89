//! Pages of other origins, beyond what `protocol` asks: credentials, proxies, the log.

use std::thread;
use std::time::{Duration, Instant};

use crate::http::{PATIENCE, Response};
use crate::server::Server;
use crate::session::{POLLING, Session};
use crate::websocket::{WEBSOCKET, ask};

const CREDENTIALS: &str = "access-control-allow-credentials";

#[track_caller]
fn allowed(server: &Server, headers: &[&str]) -> Response {
    let response = server.request("GET", POLLING, headers, None);
    Session::from_response(server, &response).close();
    assert!(response.header("access-control-allow-origin").is_some(), "{response:?}");
    response
}

#[test]
fn credentials_can_be_left_out() {
    let server = Server::with(&["--cors", "https://a.example", "--no-cors-credentials"]);
    let response = allowed(&server, &["Origin: https://a.example"]);
    assert_eq!(response.header(CREDENTIALS), None);
    let preflight = server.request("OPTIONS", POLLING, &["Origin: https://a.example"], None);
    assert_eq!((preflight.status, preflight.header(CREDENTIALS)), (204, None));
    server.finish();
}

#[test]
fn what_proxies_say_counts_only_where_they_are_trusted() {
    let forwarded = [
        "Origin: https://a.example",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: a.example, b.example",
    ];
    let server = Server::start();
    server.request("GET", POLLING, &forwarded, None).assert_error(3);
    server.finish();

    let server = Server::with(&["--trust-proxy", "10.0.0.0/8"]);
    server.request("GET", POLLING, &forwarded, None).assert_error(3);
    server.finish();

    let server = Server::with(&["--trust-proxy", "10.0.0.0/8,127.0.0.1"]);
    let response = allowed(&server, &forwarded);
    assert_eq!(
        response.header("access-control-allow-origin"),
        Some("https://a.example")
    );
    // The client had TLS: a page that came without it is another origin.
    let mut without = forwarded;
    without[0] = "Origin: http://a.example";
    server.request("GET", POLLING, &without, None).assert_error(3);
    without[0] = "Origin: https://b.example";
    server.request("GET", POLLING, &without, None).assert_error(3);
    server.finish();
}

#[test]
fn a_refused_origin_is_logged_with_the_remedy_once() {
    let server = Server::start();
    for _ in 0..3 {
        server
            .request("GET", POLLING, &["Origin: https://evil.example"], None)
            .assert_error(3);
        let (_connection, response) = ask(&server, WEBSOCKET, &["Origin: https://evil.example"]);
        response.assert_error(3);
    }
    let deadline = Instant::now() + PATIENCE;
    while !server.log().contains("https://evil.example") {
        assert!(Instant::now() < deadline, "nothing in the log: {}", server.log());
        thread::sleep(Duration::from_millis(5));
    }
    let log = server.log();
    assert!(log.contains("--cors https://evil.example"), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
    server.finish();
}

#[test]
fn the_log_can_not_be_filled_or_forged() {
    let server = Server::start();
    for number in 0..100 {
        let origin = format!("Origin: https://{number}.{}.example", "a".repeat(1000));
        server.request("GET", POLLING, &[&origin], None).assert_error(3);
    }
    let log = server.log();
    assert!(log.lines().count() <= 32 && log.len() < 32 * 2000, "{log}");
    server.finish();
    let server = Server::start();
    for origin in ["https://a\u{1b}[31m.example", "https://b.example$(reboot)"] {
        let response = server.request("GET", POLLING, &[&format!("Origin: {origin}")], None);
        assert!(response.status == 400, "{response:?}");
    }
    // It is told as far as it is an origin: somebody may well take the command from there.
    let deadline = Instant::now() + PATIENCE;
    while !server.log().contains("--cors https://b.example;") {
        assert!(Instant::now() < deadline, "not in the log: {}", server.log());
        thread::sleep(Duration::from_millis(5));
    }
    let log = server.log();
    assert!(!log.contains('\u{1b}') && !log.contains("reboot"), "{log}");
    server.finish();
}

#[test]
fn the_page_of_a_refused_script_is_named_as_it_would_be_let_in() {
    let server = Server::start();
    let headers = [
        "Sec-Fetch-Site: cross-site",
        "Referer: https://evil.example/page?secret=1",
    ];
    server
        .request("GET", &format!("{POLLING}&j=0"), &headers, None)
        .assert_error(3);
    let deadline = Instant::now() + PATIENCE;
    while !server.log().contains("--cors https://evil.example;") {
        assert!(Instant::now() < deadline, "not in the log: {}", server.log());
        thread::sleep(Duration::from_millis(5));
    }
    assert!(!server.log().contains("secret"), "{}", server.log());
    server.finish();
}
