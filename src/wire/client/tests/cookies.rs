//! Cookies: which request they go with.

use super::*;

fn set(cookie: &str) -> String {
    format!("Set-Cookie: {cookie}\r\n")
}

/// Each of the three streams brings cookies, and all of them are sent with everything.
#[test]
fn cookies_of_each_stream_go_with_all() {
    let mut wire = Wire::new(options("http://host"), Config::default());
    assert_eq!(wire.request(POLL).get("cookie"), None);
    let cookies = set("a=1") + &set("b=2; Path=/; HttpOnly");
    wire.say(POLL, response(200, &cookies, open_packet("\"websocket\"")));
    wire.send("hello");
    let expected = ["a=1; b=2"; 3].map(Some);
    assert_eq!(
        [POLL, PUSH, WS]
            .map(|id| wire.request(id).get("cookie").map(String::from))
            .each_ref()
            .map(Option::as_deref),
        expected
    );
    wire.say(PUSH, response(200, &set("c=3"), "ok"));
    wire.say(WS, granted(&set("d=4")));
    wire.say(POLL, response(200, "", "6"));
    assert_eq!(wire.request(POLL).get("cookie"), Some("a=1; c=3; d=4; b=2"));
}

#[test]
fn a_cookie_has_a_path_and_an_end() {
    let mut wire = Wire::new(options("http://host/app/"), polling());
    wire.request(POLL);
    let cookies = [
        "own=1; Path=/app",
        "other=1; Path=/elsewhere",
        "deeper=1; Path=/app/deeper",
        "foreign=1; Domain=elsewhere.example",
        "short=1; Max-Age=1000",
        "over=1; Max-Age=0",
        "past=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "secret=1; Secure",
        "nothing",
    ];
    wire.say(POLL, response(200, &cookies.map(set).concat(), open_packet("")));
    assert_eq!(wire.request(POLL).get("cookie"), Some("own=1; short=1"));
    let cookies = set("short=; Max-Age=0") + &set("own=2; Path=/app");
    wire.say(POLL, response(200, &cookies, "6"));
    assert_eq!(wire.request(POLL).get("cookie"), Some("own=2"));
}

/// There is no network between, so there is nothing to be protected from.
#[test]
fn a_secure_cookie_goes_to_this_machine() {
    for (url, goes) in [
        ("http://127.0.0.1:3000", true),
        ("http://[::1]:3000", true),
        ("http://localhost", true),
        ("http://host", false),
        ("http://10.0.0.1", false),
    ] {
        let mut wire = Wire::new(options(url), polling());
        wire.request(POLL);
        wire.say(POLL, response(200, &set("a=1; Secure"), open_packet("")));
        assert_eq!(wire.request(POLL).get("cookie").is_some(), goes, "{url}");
    }
}

#[test]
fn those_that_are_given_come_first_in_one_header() {
    let mut given = options("http://host");
    given.add_header("Cookie", "mine=1").unwrap();
    given.add_header("cookie", "").unwrap();
    given.add_header("COOKIE", "mine=2; x").unwrap();
    let mut wire = Wire::new(given, Config::default());
    assert_eq!(wire.request(POLL).get("cookie"), Some("mine=1; mine=2; x"));
    wire.say(POLL, response(200, &set("a=1"), open_packet("\"websocket\"")));
    for id in [POLL, WS] {
        assert_eq!(wire.request(id).get("cookie"), Some("mine=1; mine=2; x; a=1"), "{id:?}");
    }
}

#[test]
fn those_of_a_refusal_go_with_the_next_transport() {
    let mut wire = Wire::new(
        options("http://host"),
        over(&[Transport::WebSocket, Transport::Polling]),
    );
    wire.request(WS);
    wire.say(WS, response(403, &set("a=1"), "no"));
    assert_eq!(wire.request(POLL).get("cookie"), Some("a=1"));

    let mut wire = Wire::new(options("http://host"), Config::default());
    wire.request(POLL);
    wire.say(POLL, response(503, &set("a=1"), "no"));
    assert_eq!(wire.request(WS).get("cookie"), Some("a=1"));
}

/// A proxy that refuses is not the server.
#[test]
fn a_proxys_refusal_of_a_tunnel_sets_none() {
    let mut given = options("http://host");
    given
        .set_proxies(&Proxies::always(Proxy::parse("proxy:3128").unwrap()))
        .unwrap();
    let mut wire = Wire::new(given, over(&[Transport::WebSocket, Transport::Polling]));
    wire.request(WS);
    wire.say(WS, response(403, &set("a=1"), "no"));
    assert_eq!(wire.request(POLL).get("cookie"), None);
}

#[test]
fn they_outlive_a_session() {
    let mut wire = Wire::new(options("http://host"), polling());
    wire.request(POLL);
    wire.say(POLL, response(200, &set("node=7"), open_packet("")));
    let cookies = wire.connection.take_cookies();
    let mut next = Wire::with_cookies(options("http://host"), websocket(), cookies);
    assert_eq!(next.request(WS).get("cookie"), Some("node=7"));
}

/// However many there are, a request has a head that servers take.
#[test]
fn they_do_not_make_a_request_too_long() {
    let mut wire = Wire::polled();
    for number in 0..100 {
        let many: String = (0..20)
            .map(|at| set(&format!("n{number}x{at}={}", "v".repeat(200))))
            .collect();
        wire.say(POLL, response(200, &many, "6"));
        let request = wire.request(POLL);
        let cookies = request.get("cookie").unwrap_or_default();
        assert!(
            cookies.len() <= crate::wire::client::MAX_COOKIE_BYTES + 200,
            "{}",
            cookies.len()
        );
        assert!(cookies.split("; ").count() <= crate::wire::client::MAX_COOKIES);
    }
}
