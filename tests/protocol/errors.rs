//! Error codes, their bodies and the order of the checks (section 1.1 of the notes).

use crate::http::Response;
use crate::server::Server;
use crate::session::{POLLING, Session};
use crate::websocket::{WEBSOCKET, WebSocket, ask};

/// The answer to a request for a WebSocket, which must be refused before any 101.
#[track_caller]
fn refused(server: &Server, target: &str) -> Response {
    let (_connection, response) = ask(server, target, &[]);
    response
}

#[test]
fn code_0_for_a_missing_or_unknown_transport() {
    let server = Server::start();
    for transport in [
        "",
        "&transport",
        "&transport=",
        "&transport=foo",
        "&transport=Polling",
        "&transport=webtransport",
        "&transport=__proto__",
        "&transport=constructor",
        "&transport=toString",
        "&transport=polling%20",
        "&transport=polling&transport=foo",
    ] {
        let target = format!("/engine.io/?EIO=4{transport}");
        server.get(&target).assert_error(0);
        server.post(&target, "4a").assert_error(0);
        refused(&server, &target).assert_error(0);
    }
    server.finish();
}

#[test]
fn code_0_for_a_disabled_websocket() {
    let server = Server::with(&["--transports", "polling"]);
    refused(&server, WEBSOCKET).assert_error(0);
    server.get(WEBSOCKET).assert_error(0);
    let session = Session::open(&server);
    refused(&server, &session.websocket_target()).assert_error(0);
    session.assert_echoes("polling goes on");
    session.close();
    server.finish();
}

#[test]
fn code_0_for_disabled_polling() {
    let server = Server::with(&["--transports", "websocket"]);
    server.get(POLLING).assert_error(0);
    server.post(POLLING, "4a").assert_error(0);
    let (mut websocket, sid) = WebSocket::open_with_sid(&server);
    server.get(&format!("{POLLING}&sid={sid}")).assert_error(0);
    websocket.assert_echoes("the WebSocket goes on");
    websocket.close();
    server.finish();
}

#[test]
fn code_1_for_an_unknown_or_malformed_sid() {
    let server = Server::start();
    let long = "a".repeat(2000);
    for sid in [
        "unknown",
        "AAAAAAAAAAAAAAAAAAAA",
        "__proto__",
        "constructor",
        "hasOwnProperty",
        "..%2F..%2Fetc",
        "%00",
        "%C3%A9",
        "%ff",
        "%zz",
        "%",
        "+",
        "a=b",
        &long,
    ] {
        let target = format!("{POLLING}&sid={sid}");
        server.get(&target).assert_error(1);
        server.post(&target, "4a").assert_error(1);
        refused(&server, &format!("{WEBSOCKET}&sid={sid}")).assert_error(1);
    }
    server.finish();
}

#[test]
fn code_2_for_a_handshake_by_another_method_than_get() {
    let server = Server::start();
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        server.request(method, POLLING, &[], Some(b"")).assert_error(2);
    }
    server.request("OPTIONS", POLLING, &[], None).assert_error(2);
    server.request("BREW", POLLING, &[], Some(b"4a")).assert_error(2);
    server.finish();
}

#[test]
fn head_without_a_sid_is_refused_without_a_body() {
    let server = Server::start();
    let mut connection = server.connect();
    connection.request("HEAD", POLLING, &[], None);
    assert_eq!(connection.response_without_body().status, 400);
    // Had there been a body, it would be taken for the next response.
    connection.half_close();
    connection.assert_closed();
    server.finish();
}

#[test]
fn code_3_for_another_method_than_get_and_post_with_a_sid() {
    let server = Server::start();
    let session = Session::open(&server);
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        server
            .request(method, &session.target(), &[], Some(b"4a"))
            .assert_error(3);
    }
    let response = server.request("HEAD", &session.target(), &[], None);
    assert_eq!(response.status, 400);
    session.assert_echoes("and the session lives");
    session.close();
    server.finish();
}

#[test]
fn code_3_for_a_websocket_session_asked_for_without_an_upgrade() {
    let server = Server::start();
    server.get(WEBSOCKET).assert_error(3);
    let session = Session::open(&server);
    server.get(&session.websocket_target()).assert_error(3);
    server.post(&session.websocket_target(), "4a").assert_error(3);
    session.assert_echoes("and the session lives");
    session.close();
    server.finish();
}

#[test]
fn polling_handshake_with_an_upgrade_header_is_served_as_polling() {
    let server = Server::start();
    let (_connection, response) = ask(&server, POLLING, &[]);
    let session = Session::from_response(&server, &response);
    session.assert_echoes("plain polling");
    session.close();
    server.finish();
}

#[test]
fn code_5_for_a_missing_or_unsupported_version() {
    let server = Server::start();
    for version in [
        "",
        "EIO&",
        "EIO=&",
        "EIO=3&",
        "EIO=5&",
        "EIO=44&",
        "EIO=04&",
        "EIO=4.0&",
        "EIO=abc&",
        "EIO=__proto__&",
        "eio=4&",
        "EIO=4&EIO=3&",
    ] {
        server
            .get(&format!("/engine.io/?{version}transport=polling"))
            .assert_error(5);
        refused(&server, &format!("/engine.io/?{version}transport=websocket")).assert_error(5);
    }
    server.finish();
}

#[test]
fn code_3_for_a_version_that_differs_from_the_session() {
    let server = Server::start();
    let session = Session::open(&server);
    for version in ["", "EIO=3&", "EIO=abc&", "EIO=&", "EIO=5&"] {
        let target = format!("/engine.io/?{version}transport=polling&sid={}", session.sid);
        server.get(&target).assert_error(3);
        server.post(&target, "4lost").assert_error(3);
    }
    session.assert_echoes("and the session lives");
    session.close();
    server.finish();
}

#[test]
fn origin_with_invalid_characters_is_refused() {
    let server = Server::start();
    let session = Session::open(&server);
    for origin in ["Origin: http://a\x01.example", "Origin: \x7f", "Origin: a\0b"] {
        for target in [POLLING, &session.target()] {
            let response = server.request("GET", target, &[origin], None);
            assert_eq!(response.status, 400, "{response:?}");
        }
        let (_connection, response) = ask(&server, WEBSOCKET, &[origin]);
        assert_eq!(response.status, 400, "{response:?}");
    }
    session.assert_echoes("and the session lives");
    session.close();
    server.finish();
}

#[test]
fn checks_come_in_the_order_of_the_reference() {
    let server = Server::start();
    let session = Session::open(&server);
    // Transport before anything else.
    server
        .request("PUT", "/engine.io/?transport=foo&sid=unknown", &[], None)
        .assert_error(0);
    // The sid before the version and the method.
    server
        .request("PUT", "/engine.io/?transport=polling&sid=unknown", &[], None)
        .assert_error(1);
    // Without a sid, the method before the version.
    server
        .request("PUT", "/engine.io/?transport=polling", &[], None)
        .assert_error(2);
    server.post("/engine.io/?EIO=3&transport=polling", "").assert_error(2);
    // For a WebSocket: the sid before the version.
    refused(&server, "/engine.io/?EIO=3&transport=websocket&sid=unknown").assert_error(1);
    session.close();
    server.finish();
}

#[test]
fn empty_sid_is_no_sid() {
    let server = Server::start();
    let response = server.get(&format!("{POLLING}&sid="));
    let session = Session::from_response(&server, &response);
    session.close();
    server.post(&format!("{POLLING}&sid="), "4a").assert_error(2);
    let mut websocket = WebSocket::connect(&server, &format!("{WEBSOCKET}&sid="));
    websocket.message();
    websocket.assert_echoes("a session of its own");
    websocket.close();
    server.finish();
}

#[test]
fn last_of_duplicate_query_keys_wins() {
    let server = Server::start();
    for query in [
        "EIO=3&EIO=4&transport=polling",
        "EIO=4&transport=foo&transport=polling",
        "EIO=4&transport=websocket&transport=polling",
        "EIO=4&transport=polling&sid=unknown&sid=",
    ] {
        let response = server.get(&format!("/engine.io/?{query}"));
        Session::from_response(&server, &response).close();
    }
    let session = Session::open(&server);
    let sid = &session.sid;
    server.get(&format!("{POLLING}&sid={sid}&sid=unknown")).assert_error(1);
    server
        .post(&format!("{POLLING}&sid=unknown&sid={sid}"), "4last")
        .assert_ok("ok");
    assert_eq!(session.receive(1), ["4last"]);
    session.close();
    server.finish();
}

#[test]
fn query_values_are_percent_decoded() {
    let server = Server::start();
    for query in [
        "EIO=%34&transport=polling",
        "EIO=4&transport=%70%6Flling",
        "EIO=4&transport=polling&t=%zz&x=%",
    ] {
        let response = server.get(&format!("/engine.io/?{query}"));
        Session::from_response(&server, &response).close();
    }
    let session = Session::open(&server);
    let escaped: String = session.sid.bytes().map(|byte| format!("%{byte:02x}")).collect();
    server
        .post(&format!("{POLLING}&sid={escaped}"), "4escaped")
        .assert_ok("ok");
    assert_eq!(session.receive(1), ["4escaped"]);
    session.close();
    server.finish();
}

#[test]
fn odd_query_keys_do_no_harm() {
    let server = Server::start();
    for extra in [
        "&__proto__=x&constructor=y&__proto__[sid]=z",
        "&toString&hasOwnProperty=",
        "&&&=&=x&a==b",
        "&t=%00%ff",
        "&sid[]=x",
    ] {
        let response = server.get(&format!("{POLLING}{extra}"));
        Session::from_response(&server, &response).close();
    }
    server.finish();
}

#[test]
fn path_is_a_prefix() {
    let server = Server::start();
    let response = server.get("/engine.io/extra/deep?EIO=4&transport=polling");
    Session::from_response(&server, &response).close();
    let mut websocket = WebSocket::connect(&server, "/engine.io/extra?EIO=4&transport=websocket");
    websocket.message();
    websocket.assert_echoes("under a longer path");
    websocket.close();
    server.finish();
}

#[test]
fn other_paths_are_not_found_for_http_and_websockets() {
    let server = Server::start();
    for path in [
        "/engine.io?EIO=4&transport=polling",
        "/engine.io",
        "/?EIO=4&transport=polling",
        "/engine.iox/?EIO=4&transport=polling",
        "/Engine.io/?EIO=4&transport=polling",
        "//engine.io/?EIO=4&transport=polling",
        "/socket.io/?EIO=4&transport=polling",
        "/nowhere/engine.io/?EIO=4&transport=polling",
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
        assert_eq!(server.post(path, "4a").status, 404, "{path}");
        let path = path.replace("polling", "websocket");
        assert_eq!(refused(&server, &path).status, 404, "{path}");
    }
    server.finish();
}

#[test]
fn connection_goes_on_after_an_error() {
    let server = Server::start();
    let mut connection = server.connect();
    connection.get("/engine.io/?EIO=4").assert_error(0);
    connection.get(&format!("{POLLING}&sid=unknown")).assert_error(1);
    connection.post(POLLING, "4a").assert_error(2);
    assert_eq!(connection.get("/nowhere").status, 404);
    let response = connection.get(POLLING);
    Session::from_response(&server, &response).close();
    server.finish();
}
