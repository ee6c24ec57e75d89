//! What a session's responses and its open packet look like (section 1.2 of the notes).

use crate::server::Server;
use crate::session::{POLLING, Session, sid_of};
use crate::websocket::{Message, WEBSOCKET, WebSocket};

#[test]
fn poll_response_headers() {
    let server = Server::start();
    let session = Session::open(&server);
    session.send("4caf\u{e9}");
    for response in [server.get(POLLING), session.get()] {
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(
            response.header("content-length"),
            Some(response.body.len().to_string().as_str())
        );
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("transfer-encoding"), None);
        assert_eq!(response.header("content-encoding"), None);
        if response.text().starts_with('0') {
            Session::from_response(&server, &response).close();
        }
    }
    session.close();
    server.finish();
}

#[test]
fn post_response_headers() {
    let server = Server::start();
    let session = Session::open(&server);
    let response = session.post("4a");
    response.assert_ok("ok");
    assert_eq!(response.header("content-type"), Some("text/html"));
    assert_eq!(response.header("content-length"), Some("2"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    session.close();
    server.finish();
}

#[test]
fn no_cookie_and_no_cors_headers_by_default() {
    let server = Server::start();
    let session = Session::open(&server);
    for response in [server.get(POLLING), session.post("4a"), session.get()] {
        assert_eq!(response.header("set-cookie"), None);
        assert_eq!(response.header("access-control-allow-origin"), None);
        if response.text().starts_with('0') {
            Session::from_response(&server, &response).close();
        }
    }
    session.close();
    server.finish();
}

#[test]
fn old_browsers_get_their_xss_filter_turned_off() {
    let server = Server::start();
    for agent in [
        "User-Agent: Mozilla/5.0 (compatible;MSIE 9.0; Windows NT 6.1)",
        "User-Agent: Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko",
    ] {
        let response = server.request("GET", POLLING, &[agent], None);
        assert_eq!(response.header("x-xss-protection"), Some("0"), "{agent}");
        let session = Session::from_response(&server, &response);
        let response = server.request("POST", &session.target(), &[agent], Some(b"4a"));
        assert_eq!(response.header("x-xss-protection"), Some("0"), "{agent}");
        session.close();
    }
    let response = server.request("GET", POLLING, &["User-Agent: curl/8.0"], None);
    assert_eq!(response.header("x-xss-protection"), None);
    Session::from_response(&server, &response).close();
    server.finish();
}

#[track_caller]
fn assert_open_packet(packet: &str, rest: &str) {
    let sid = sid_of(packet);
    assert_eq!(packet, format!(r#"0{{"sid":"{sid}",{rest}}}"#));
}

#[test]
fn open_packet_has_the_defaults_in_the_order_of_the_reference() {
    let server = Server::start();
    let limits = r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000"#;
    let session = Session::open(&server);
    assert_open_packet(&session.open_packet, &format!(r#""upgrades":["websocket"],{limits}"#));
    session.close();
    let mut websocket = WebSocket::connect(&server, WEBSOCKET);
    let Message::Text(packet) = websocket.message() else {
        panic!("the open packet is text");
    };
    assert_open_packet(&packet, &format!(r#""upgrades":[],{limits}"#));
    websocket.close();
    server.finish();
}

#[test]
fn open_packet_says_what_was_configured() {
    let server = Server::with(&[
        "--ping-interval",
        "1500ms",
        "--ping-timeout",
        "2s",
        "--max-payload",
        "4321",
        "--no-upgrades",
    ]);
    let session = Session::open(&server);
    assert_open_packet(
        &session.open_packet,
        r#""upgrades":[],"pingInterval":1500,"pingTimeout":2000,"maxPayload":4321"#,
    );
    session.close();
    server.finish();
}

#[test]
fn open_packet_offers_no_upgrade_where_websocket_is_disabled() {
    let server = Server::with(&["--transports", "polling"]);
    let session = Session::open(&server);
    assert!(
        session.open_packet.contains(r#""upgrades":[],"#),
        "{}",
        session.open_packet
    );
    session.close();
    server.finish();
}

#[test]
fn sids_are_long_url_safe_and_share_no_counter() {
    let server = Server::impatient();
    let mut connection = server.connect();
    let sids: Vec<String> = (0..200).map(|_| sid_of(connection.get(POLLING).text())).collect();
    for sid in &sids {
        assert!(sid.len() >= 20, "{sid}");
        assert!(
            sid.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'),
            "{sid}"
        );
    }
    // A counter or a clock would show as a place that hardly changes: at 200 random ids, 12 different
    // characters in each place are far below what chance brings. The last one may carry fewer than
    // six bits.
    let length = sids[0].len();
    for place in 0..length {
        let mut seen: Vec<u8> = sids.iter().map(|sid| sid.as_bytes()[place]).collect();
        let neighbours_alike = seen.windows(2).filter(|pair| pair[0] == pair[1]).count();
        seen.sort_unstable();
        seen.dedup();
        let is_last = place + 1 == length;
        let (least, most_alike) = if is_last { (2, 150) } else { (12, 40) };
        assert!(
            seen.len() >= least && neighbours_alike <= most_alike,
            "place {place}: {} characters, {neighbours_alike} alike in a row",
            seen.len()
        );
    }
    server.finish();
}
