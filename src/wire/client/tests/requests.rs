//! What is in a request.

use super::*;

#[test]
fn a_get_and_a_post() {
    let mut wire = Wire::new(options("http://host/?x=1"), polling());
    wire.connect(POLL);
    let agent = concat!("sansocket/", env!("CARGO_PKG_VERSION"));
    let get = String::from_utf8(wire.written(POLL)).unwrap();
    let expected = format!(
        "GET /engine.io/?x=1&EIO=4&transport=polling&t=70707070707 HTTP/1.1\r\n\
         Host: host\r\nUser-Agent: {agent}\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
    );
    assert_eq!(get, expected);
    wire.say(POLL, response(200, "", open_packet("")));
    wire.send("hé");
    let get = wire.request(POLL);
    assert_eq!(
        get.line,
        "GET /engine.io/?x=1&EIO=4&transport=polling&sid=a%26b&t=70707070708 HTTP/1.1"
    );
    wire.connect(PUSH);
    let post = String::from_utf8(wire.written(PUSH)).unwrap();
    let expected = format!(
        "POST /engine.io/?x=1&EIO=4&transport=polling&sid=a%26b HTTP/1.1\r\n\
         Host: host\r\nUser-Agent: {agent}\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n\
         Content-Type: text/plain; charset=UTF-8\r\nContent-Length: 4\r\n\r\n4hé"
    );
    assert_eq!(post, expected);
}

#[test]
fn a_websocket() {
    let mut wire = Wire::new(options("ws://host:3000/path?x=1"), websocket());
    wire.connect(WS);
    let request = wire.request(WS);
    assert_eq!(request.line, "GET /path/?x=1&EIO=4&transport=websocket HTTP/1.1");
    let names = ["host", "user-agent", "accept", "connection", "upgrade"];
    assert_eq!(request.names()[..5], names);
    assert_eq!(request.names()[5..], ["sec-websocket-version", "sec-websocket-key"]);
    assert_eq!(request.get("host"), Some("host:3000"));
    assert_eq!(request.get("connection"), Some("Upgrade"));
    assert_eq!(request.get("upgrade"), Some("websocket"));
    assert_eq!(request.get("sec-websocket-version"), Some("13"));
    assert_eq!(request.get("sec-websocket-key"), Some("BwcHBwcHBwcHBwcHBwcHBw=="));
    assert_eq!(request.body, "", "no body, and nothing before the answer");
}

/// Caches know a GET by its URL. What a POST or a WebSocket is answered, none of them keeps.
#[test]
fn every_get_is_another_one() {
    let mut wire = Wire::new(options("http://host"), Config::default());
    let stamp = |wire: &mut Wire, id| {
        let line = wire.request(id).line;
        line.split_once("&t=")
            .map(|(_, rest)| rest.split(' ').next().unwrap_or_default().to_string())
    };
    assert_eq!(stamp(&mut wire, POLL).as_deref(), Some("70707070707"));
    wire.say(POLL, response(200, "", open_packet("\"websocket\"")));
    wire.send("hello");
    assert_eq!(stamp(&mut wire, POLL).as_deref(), Some("70707070708"));
    assert_eq!(stamp(&mut wire, PUSH), None);
    assert_eq!(stamp(&mut wire, WS), None);
    wire.say(POLL, response(200, "", "4a"));
    assert_eq!(stamp(&mut wire, POLL).as_deref(), Some("70707070709"));
}

#[test]
fn what_is_for_websockets_alone() {
    let mut options = options("http://host");
    options.add_header("X-Both", "1").unwrap();
    options.add_header("X-Other", "everywhere").unwrap();
    options.add_websocket_header("x-other", "there").unwrap();
    options.add_websocket_header("User-Agent", "there too").unwrap();
    options.add_websocket_protocol("chat").unwrap();
    options.add_websocket_protocol("superchat").unwrap();
    let mut wire = Wire::new(options, Config::default());
    let get = wire.request(POLL);
    assert_eq!((get.get("x-both"), get.get("x-other")), (Some("1"), Some("everywhere")));
    assert_eq!(get.get("sec-websocket-protocol"), None);
    wire.say(POLL, response(200, "", open_packet("\"websocket\"")));
    let websocket = wire.request(WS);
    assert_eq!(
        (websocket.get("x-both"), websocket.get("x-other")),
        (Some("1"), Some("there"))
    );
    assert_eq!(websocket.get("user-agent"), Some("there too"));
    assert_eq!(websocket.get("sec-websocket-protocol"), Some("chat, superchat"));
}

#[test]
fn the_host_of_an_address() {
    for (url, host, peer) in [
        ("http://[::1]", "[::1]", ("::1", 80)),
        ("ws://[2001:DB8::1]:3000", "[2001:db8::1]:3000", ("2001:db8::1", 3000)),
        ("http://127.0.0.1:80", "127.0.0.1", ("127.0.0.1", 80)),
        ("ws://EXAMPLE.com:443", "example.com:443", ("example.com", 443)),
    ] {
        for (transport, id) in [(Transport::Polling, POLL), (Transport::WebSocket, WS)] {
            let options = options(url);
            assert_eq!(options.peer(), peer);
            let mut wire = Wire::new(options, over(&[transport]));
            assert_eq!(wire.request(id).get("host"), Some(host), "{url} over {transport:?}");
        }
    }
}

/// Of what everybody has, each once: what is given counts.
#[test]
fn headers_that_are_given_stand_for_ours() {
    for (transport, id) in [(Transport::Polling, POLL), (Transport::WebSocket, WS)] {
        let mut options = options("http://me:secret@host");
        for (name, value) in [
            ("HOST", "other"),
            ("user-agent", "mine"),
            ("aCCept", "text/plain"),
            ("Authorization", "Bearer token"),
            ("Origin", "http://here"),
            ("X-Many", "1"),
            ("X-Many", "2"),
            ("X-Tab", "a\tb"),
            ("X-Empty", ""),
        ] {
            options.add_header(name, value).expect("a header that may be given");
        }
        let mut wire = Wire::new(options, over(&[transport]));
        let request = wire.request(id);
        for (name, value) in [
            ("host", "other"),
            ("user-agent", "mine"),
            ("accept", "text/plain"),
            ("authorization", "Bearer token"),
            ("origin", "http://here"),
            ("x-tab", "a\tb"),
            ("x-empty", ""),
        ] {
            assert_eq!(request.get(name), Some(value), "{transport:?}");
        }
        let many = request.headers.iter().filter(|(name, _)| name == "x-many");
        assert_eq!(many.map(|(_, value)| &value[..]).collect::<Vec<_>>(), ["1", "2"]);
    }
}

#[test]
fn headers_that_say_how_a_request_is_sent_are_not_given() {
    let mut options = options("http://host");
    for name in [
        "Accept-Encoding",
        "connection",
        "CONTENT-LENGTH",
        "Content-Type",
        "Keep-Alive",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "sec-websocket-extensions",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-",
    ] {
        let error = options.add_header(name, "a").expect_err(name).to_string();
        assert_eq!(error, "unusable header: the client writes this header itself");
    }
    for value in ["a\r\nX: y", "a\nb", "a\0", "\x7f", "\r"] {
        assert!(options.add_header("X-Test", value).is_err(), "{value:?}");
    }
    for name in ["", "X Test", "X:", "X\r\n", "é", "(x)"] {
        assert!(options.add_header(name, "a").is_err(), "{name:?}");
    }
    // Nothing of them has stayed behind.
    let mut wire = Wire::new(options, polling());
    let request = wire.request(POLL);
    assert_eq!(request.names(), ["host", "user-agent", "accept", "accept-encoding"]);
}

#[test]
fn a_user_of_the_url_is_in_every_request() {
    let basic = Some("Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let mut wire = Wire::new(options("http://aladdin:open%20sesame@host"), Config::default());
    assert_eq!(wire.request(POLL).get("authorization"), basic);
    wire.say(POLL, response(200, "", open_packet("\"websocket\"")));
    wire.send("hello");
    for id in [POLL, PUSH, WS] {
        let request = wire.request(id);
        assert_eq!(request.get("authorization"), basic, "{id:?}");
        assert!(!request.line.contains("aladdin"), "{id:?}");
    }
}

#[test]
fn a_query_is_in_every_request() {
    let mut options = options("http://host/a/b/?token=a%20b&c");
    options.add_query("naïve", "=&#\r\n").expect("an ordinary parameter");
    options.set_stamp(None).expect("none is always possible");
    let mut wire = Wire::new(options, Config::default());
    let query = "/a/b/?token=a%20b&c&na%C3%AFve=%3D%26%23%0D%0A&EIO=4&transport=";
    assert_eq!(wire.request(POLL).line, format!("GET {query}polling HTTP/1.1"));
    wire.say(POLL, response(200, "", open_packet("\"websocket\"")));
    wire.send("hello");
    for (id, what) in [
        (POLL, ("GET", "polling")),
        (PUSH, ("POST", "polling")),
        (WS, ("GET", "websocket")),
    ] {
        let (method, transport) = what;
        let line = format!("{method} {query}{transport}&sid=a%26b HTTP/1.1");
        assert_eq!(wire.request(id).line, line);
    }
}
