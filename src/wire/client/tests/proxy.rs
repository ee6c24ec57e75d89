//! Through a proxy: whole URLs for polls, a tunnel for the WebSocket.

use super::*;

fn proxied(url: &str, proxy: &str) -> Options {
    let mut options = options(url);
    let proxies = Proxies::always(Proxy::parse(proxy).expect("a proxy that can be used"));
    options.set_proxies(&proxies).expect("a proxy for every server");
    options
}

#[test]
fn streams_lead_to_the_proxy() {
    assert_eq!(proxied("http://host", "http://[::1]:3128").peer(), ("::1", 3128));
    assert_eq!(proxied("http://host", "proxy").peer(), ("proxy", 80));
}

#[test]
fn polls_name_the_whole_url() {
    let mut wire = Wire::new(
        proxied("http://me:secret@[::1]:3000/?x", "http://you:hidden@proxy:3128"),
        polling(),
    );
    let get = wire.request(POLL);
    assert_eq!(
        get.line,
        "GET http://[::1]:3000/engine.io/?x&EIO=4&transport=polling&t=70707070707 HTTP/1.1"
    );
    assert_eq!(get.get("host"), Some("[::1]:3000"));
    assert_eq!(get.get("authorization"), Some("Basic bWU6c2VjcmV0"));
    assert_eq!(get.get("proxy-authorization"), Some("Basic eW91OmhpZGRlbg=="));
    wire.say(POLL, response(200, "", open_packet("")));
    wire.send("a");
    let post = wire.request(PUSH);
    assert_eq!(
        post.line,
        "POST http://[::1]:3000/engine.io/?x&EIO=4&transport=polling&sid=a%26b HTTP/1.1"
    );
    assert_eq!(
        (post.get("proxy-authorization"), &post.body[..]),
        (Some("Basic eW91OmhpZGRlbg=="), "4a")
    );
}

/// Some proxies pass on that the server keeps its connection, and do not keep ours.
#[test]
fn each_poll_has_a_stream_of_its_own() {
    let mut wire = Wire::new(proxied("http://host", "proxy:3128"), polling());
    assert_eq!(wire.request(POLL).get("connection"), Some("close"));
    wire.say(POLL, response(200, "Keep-Alive: timeout=60\r\n", open_packet("")));
    for _ in 0..3 {
        assert!(wire.wants(POLL), "a new one for each");
        assert!(wire.written(POLL).is_empty());
        // The old one ends; that is nobody's loss.
        wire.end(POLL);
        wire.connection.handle_connected(wire.now, POLL);
        wire.request(POLL);
        wire.say(POLL, response(200, "", "6"));
    }
    assert_eq!(wire.connection.look().closed(), None);
}

/// The proxy learns where to, and its own password; the server learns nothing of it.
#[test]
fn a_tunnel_tells_no_more_than_it_must() {
    let mut given = proxied("ws://me:secret@[::1]/?token=hidden", "http://you:hidden@proxy:3128");
    given.add_header("X-Token", "hidden").unwrap();
    given.add_header("Cookie", "hidden=1").unwrap();
    let mut wire = Wire::new(given, websocket());
    wire.connect(WS);
    let connect = String::from_utf8(wire.written(WS)).unwrap();
    let expected = "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\nProxy-Authorization: Basic eW91OmhpZGRlbg==\r\n\r\n";
    assert_eq!(connect, expected);
    // A length means nothing here.
    wire.say_bytewise(
        WS,
        "HTTP/1.1 200 Connected\r\nContent-Length: 99\r\nSet-Cookie: proxy=1\r\n\r\n",
    );
    let request = wire.request(WS);
    assert_eq!(
        request.line,
        "GET /engine.io/?token=hidden&EIO=4&transport=websocket HTTP/1.1"
    );
    assert_eq!(request.get("host"), Some("[::1]"));
    assert_eq!(request.get("authorization"), Some("Basic bWU6c2VjcmV0"));
    assert_eq!(request.get("x-token"), Some("hidden"));
    assert_eq!(request.get("cookie"), Some("hidden=1"));
    assert_eq!(request.get("proxy-authorization"), None);
    wire.say(
        WS,
        [granted("").into_bytes(), text(&open_packet("")), text("4a")].concat(),
    );
    assert!(matches!(wire.event(), Some(Event::Opened(Transport::WebSocket))));
    assert_eq!(wire.messages(), [Data::from("a")]);
}

#[test]
fn an_upgrade_in_a_tunnel() {
    let mut wire = Wire::new(proxied("http://host", "proxy:3128"), Config::default());
    wire.request(POLL);
    wire.say(
        POLL,
        response(200, "Set-Cookie: node=7\r\n", open_packet("\"websocket\"")),
    );
    wire.request(POLL);
    assert_eq!(wire.request(WS).line, "CONNECT host:80 HTTP/1.1");
    wire.say(WS, "HTTP/1.0 200 OK\r\n\r\n");
    let request = wire.request(WS);
    assert_eq!(
        request.line,
        "GET /engine.io/?EIO=4&transport=websocket&sid=a%26b HTTP/1.1"
    );
    assert_eq!(request.get("cookie"), Some("node=7"));
    wire.say(WS, granted(""));
    assert_eq!(wire.frames(), [Frame::Text("2probe".into())]);
}

/// What goes wrong before the tunnel is there is the proxy's doing, whatever it is.
#[test]
fn tunnels_that_are_not_dug() {
    let cases: [(&str, Act, &str, Option<u16>); 8] = [
        ("nobody", |wire| wire.refuse(WS), "proxy: cannot connect: ", None),
        (
            "a password",
            |wire| {
                wire.request(WS);
                wire.say(WS, response(407, "Proxy-Authenticate: Basic\r\n", "no"));
            },
            "proxy: the server refused with status 407",
            Some(407),
        ),
        (
            "no tunnels",
            |wire| {
                wire.request(WS);
                wire.say(WS, response(403, "", r#""not to there""#));
            },
            "proxy: the server refused with status 403: not to there",
            Some(403),
        ),
        (
            "a redirect",
            |wire| {
                wire.request(WS);
                wire.say(WS, response(302, "Location: http://login/\r\n", ""));
            },
            "proxy: the server redirects to http://login/",
            Some(302),
        ),
        (
            "the end",
            |wire| {
                wire.request(WS);
                wire.end(WS);
            },
            "proxy: the connection ended before a response came",
            None,
        ),
        (
            "an end in the middle",
            |wire| {
                wire.request(WS);
                wire.say(WS, "HTTP/1.1 200 OK\r\n");
                wire.end(WS);
            },
            "proxy: the connection ended in the middle of a response",
            None,
        ),
        (
            "no HTTP",
            |wire| {
                wire.request(WS);
                wire.say(WS, b"\x05\xff");
            },
            "proxy: malformed HTTP response",
            None,
        ),
        (
            "101",
            |wire| {
                wire.request(WS);
                wire.say(WS, granted(""));
            },
            "proxy: ",
            Some(101),
        ),
    ];
    for (name, fail, words, status) in cases {
        let mut wire = Wire::new(proxied("http://host", "proxy:3128"), websocket());
        fail(&mut wire);
        let (_, error) = wire.closed();
        let error = error.unwrap_or_else(|| panic!("{name}: nobody says what"));
        assert_eq!(error.kind(), ErrorKind::Proxy, "{name}: {error}");
        assert!(error.to_string().starts_with(words), "{name}: {error}");
        assert_eq!(error.refused().map(|refused| refused.status()), status, "{name}");
        assert!(wire.written(WS).is_empty() && wire.connection.is_finished(), "{name}");
    }
}

/// Behind the proxy there is the server.
#[test]
fn what_the_server_does_is_not_the_proxys_doing() {
    let mut wire = Wire::new(proxied("http://host", "proxy:3128"), websocket());
    wire.request(WS);
    wire.say(WS, "HTTP/1.1 200 OK\r\n\r\n");
    wire.request(WS);
    wire.say(WS, response(407, "", "no"));
    let (_, kind, told) = wire.told();
    assert_eq!(kind, Some(ErrorKind::Refused), "{told}");

    // Of what comes in answer to a poll, only this status is the proxy's for certain.
    for (status, kind) in [
        (401, ErrorKind::Refused),
        (502, ErrorKind::Refused),
        (407, ErrorKind::Proxy),
    ] {
        let mut wire = Wire::new(proxied("http://host", "proxy:3128"), polling());
        wire.request(POLL);
        wire.say(POLL, response(status, "", "no"));
        let (_, error, told) = wire.told();
        assert_eq!(error, Some(kind), "{told}");
        assert!(told.contains(&status.to_string()), "{told}");
    }
    let mut wire = Wire::new(proxied("http://host", "proxy:3128"), polling());
    wire.refuse(POLL);
    let (_, error, told) = wire.told();
    assert_eq!(error, Some(ErrorKind::Proxy), "{told}");
}

#[test]
fn a_proxy_without_tunnels_leaves_polling() {
    let mut wire = Wire::new(proxied("http://host", "proxy:3128"), Config::default());
    wire.request(POLL);
    wire.say(POLL, response(200, "", open_packet("\"websocket\"")));
    assert!(matches!(wire.event(), Some(Event::Opened(_))));
    wire.request(POLL);
    wire.request(WS);
    wire.say(WS, response(405, "", "no"));
    assert_eq!(wire.event(), Some(Event::UpgradeFailed));
    assert_eq!(wire.connection.take_upgrade_error().kind(), ErrorKind::Proxy);
    wire.send("a");
    assert_eq!(wire.request(PUSH).body, "4a");
}
