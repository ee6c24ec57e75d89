//! Rows 14 to 20: what HTTP carries beside packets.

use std::io::Read;
use std::time::Duration;

use flate2::read::{GzDecoder, ZlibDecoder};
use sansocket::http::{Cookie, Cors, SameSite};

use crate::engine::options;
use crate::host::{Hosted, ask, echo, get};
use crate::session::{POLLING, Session, sid_of};

const ALLOWED: &str = "access-control-allow-origin";
const FOREIGN: &str = "Origin: https://evil.example";

/// Python says 405, and 200 to `OPTIONS`. Ours says what the reference says.
#[test]
fn row_14_other_methods_and_preflights() {
    let server = echo(&["--cors", "https://a.example"]);
    let session = Session::open(&server);
    ask(&server, "PUT", POLLING, &[], Some(b"4a")).assert_error(2);
    ask(&server, "PUT", &session.target(), &[], Some(b"4a")).assert_error(3);
    let headers = [
        "Origin: https://a.example",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: x-one, content-type",
    ];
    let preflight = ask(&server, "OPTIONS", POLLING, &headers, None);
    assert_eq!((preflight.status, preflight.text()), (204, ""));
    let methods = preflight.list("access-control-allow-methods");
    assert!(["get", "post"].iter().all(|method| methods.contains(&(*method).into())));
    assert_eq!(
        preflight.header("access-control-allow-headers"),
        Some("x-one, content-type")
    );
    session.close();
    server.finish();
}

#[test]
fn row_15_origins() {
    // The same host, by default.
    let server = echo(&[]);
    let own = format!("Origin: http://{}", server.address);
    let allowed = get(&server, POLLING, &[&own]);
    assert_eq!(allowed.header(ALLOWED), own.strip_prefix("Origin: "));
    Session::from_response(&server, &allowed).close();
    get(&server, POLLING, &[FOREIGN]).assert_error(3);
    server.finish();
    // Any, no check, a list.
    for (flag, foreign, header) in [
        ("*", 200, Some("https://evil.example")),
        ("none", 200, None),
        ("https://a.example", 400, None),
    ] {
        let server = echo(&["--cors", flag]);
        let response = get(&server, POLLING, &[FOREIGN]);
        assert_eq!((response.status, response.header(ALLOWED)), (foreign, header), "{flag}");
        let listed = get(&server, POLLING, &["Origin: https://a.example"]);
        assert_eq!(listed.status, 200, "{flag}");
        for response in [response, listed].iter().filter(|response| response.status == 200) {
            Session::from_response(&server, response).close();
        }
        server.finish();
    }
    // A function of the origin and the request.
    let hosted = Hosted::echo(options().cors(Cors::when(|origin, request| {
        origin == "https://evil.example" && request.query_value("let") == Some("in".into())
    })));
    get(&hosted.server, POLLING, &[FOREIGN]).assert_error(3);
    let response = get(&hosted.server, &format!("{POLLING}&let=in"), &[FOREIGN]);
    assert_eq!(response.header(ALLOWED), Some("https://evil.example"));
    Session::from_response(&hosted.server, &response).close();
    hosted.finish();
}

/// Python believes everybody. Ours believes proxies that are named.
#[test]
fn row_16_what_a_proxy_says_of_the_origin() {
    let forwarded = [
        "Origin: https://a.b",
        "X-Forwarded-Proto: https, http",
        "X-Forwarded-Host: a.b, inner.example",
    ];
    let server = echo(&["--trust-proxy", "127.0.0.1"]);
    let response = get(&server, POLLING, &forwarded);
    assert_eq!(response.header(ALLOWED), Some("https://a.b"));
    Session::from_response(&server, &response).close();
    server.finish();
    let server = echo(&[]);
    get(&server, POLLING, &forwarded).assert_error(3);
    server.finish();
}

#[test]
fn row_17_no_credentials() {
    const CREDENTIALS: &str = "access-control-allow-credentials";
    for (flags, value) in [
        (&["--cors", "*"][..], Some("true")),
        (&["--cors", "*", "--no-cors-credentials"], None),
    ] {
        let server = echo(flags);
        let response = get(&server, POLLING, &[FOREIGN]);
        assert_eq!(response.header(CREDENTIALS), value);
        Session::from_response(&server, &response).close();
        server.finish();
    }
}

/// Python takes the first coding that it knows. Ours takes the one that is preferred.
#[test]
fn row_18_compression() {
    let message = format!("4{}", "abc ".repeat(300));
    let poll = |flags: &[&str], message: &str, accept: &str| {
        let server = echo(flags);
        let session = Session::open(&server);
        session.send(message);
        let response = get(&server, &session.target(), &[&format!("Accept-Encoding: {accept}")]);
        session.close();
        server.finish();
        let mut plain = String::new();
        let coding = response.header("content-encoding").map(str::to_owned);
        match coding.as_deref() {
            Some("gzip") => GzDecoder::new(&response.body[..]).read_to_string(&mut plain),
            Some(_) => ZlibDecoder::new(&response.body[..]).read_to_string(&mut plain),
            None => (&response.body[..]).read_to_string(&mut plain),
        }
        .expect("a body that can be decoded");
        assert_eq!(plain, message);
        coding
    };
    assert_eq!(poll(&[], &message, "gzip").as_deref(), Some("gzip"));
    assert_eq!(poll(&[], &message, "br, deflate").as_deref(), Some("deflate"));
    assert_eq!(poll(&[], &message, "br"), None);
    assert_eq!(poll(&[], "4short", "gzip"), None);
    assert_eq!(poll(&["--no-compression"], &message, "gzip"), None);
    let low = ["--compression-threshold", "100"];
    assert_eq!(poll(&low, &message[..100], "gzip").as_deref(), Some("gzip"));
    assert_eq!(poll(&low, &message[..99], "gzip"), None);
}

/// Python's cookie may be read by scripts, unless it is told otherwise. Ours may not, as the reference's.
#[test]
fn row_19_cookies() {
    let server = echo(&["--cookie", "sid"]);
    let response = server.get(POLLING);
    let sid = sid_of(response.text());
    let cookie = format!("sid={sid}; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(response.header("set-cookie"), Some(&cookie[..]));
    Session::from_response(&server, &response).close();
    server.finish();
    let server = echo(&[]);
    let response = server.get(POLLING);
    assert_eq!(response.header("set-cookie"), None);
    Session::from_response(&server, &response).close();
    server.finish();
    // All of Python's attributes, of a function for each request.
    let hosted = Hosted::echo(options().cookie_with(|request| {
        let cookie = Cookie::new("io").path("/chat").domain("a.example").secure(true);
        let age = request.query_value("age")?.parse().ok()?;
        Some(
            cookie
                .max_age(Duration::from_secs(age))
                .same_site(SameSite::Strict)
                .http_only(false),
        )
    }));
    let response = hosted.server.get(&format!("{POLLING}&age=60"));
    let cookie = format!(
        "io={}; Path=/chat; Domain=a.example; Max-Age=60; Secure; SameSite=Strict",
        sid_of(response.text())
    );
    assert_eq!(response.header("set-cookie"), Some(&cookie[..]));
    Session::from_response(&hosted.server, &response).close();
    let response = hosted.server.get(POLLING);
    assert_eq!(response.header("set-cookie"), None);
    Session::from_response(&hosted.server, &response).close();
    hosted.finish();
}

#[test]
fn row_20_jsonp() {
    let server = echo(&[]);
    let argument = |text: &str| {
        let argument = text
            .strip_prefix("___eio[233](")
            .and_then(|rest| rest.strip_suffix(");"));
        let argument = argument.unwrap_or_else(|| panic!("not the call: {text}"));
        serde_json::from_str::<String>(argument).expect("a string in quotes")
    };
    let open = server.get(&format!("{POLLING}&j=233"));
    let target = format!("{POLLING}&sid={}&j=233", sid_of(&argument(open.text())));
    assert!(open.text().contains(r#"{\"sid\":\""#), "{open:?}");
    server.post(&target, "d=4%22x%22").assert_ok("ok");
    assert_eq!(argument(server.get(&target).text()), "4\"x\"");
    server.get(&format!("{POLLING}&j=abc")).assert_error(3);
    server.post(&target, "d=1").assert_ok("ok");
    server.finish();
}
