//! Which pages may talk to the server (`--cors`), and what their browsers are told.

use crate::http::Response;
use crate::server::Server;
use crate::session::{POLLING, Session};
use crate::websocket::{WEBSOCKET, WebSocket, ask};

const FOREIGN: &str = "Origin: https://evil.example";

#[track_caller]
fn assert_varies_by_origin(response: &Response) {
    assert!(response.list("vary").contains(&"origin".to_owned()), "{response:?}");
}

#[test]
fn foreign_origin_is_refused_by_default() {
    let server = Server::start();
    let session = Session::open(&server);
    let port = server.address.port();
    for origin in [
        FOREIGN.to_owned(),
        "Origin: null".to_owned(),
        format!("Origin: http://localhost.evil.example:{port}"),
        format!("Origin: http://127.0.0.1.evil.example:{port}"),
        format!("Origin: http://127.0.0.1:{port}.evil.example"),
        format!("Origin: http://127.0.0.1:{}", port ^ 1),
        format!("Origin: http://evil.example/127.0.0.1:{port}"),
        format!("Origin: http://127.0.0.1:{port}@evil.example"),
    ] {
        let headers = [origin.as_str()];
        server.request("GET", POLLING, &headers, None).assert_error(3);
        server.request("GET", &session.target(), &headers, None).assert_error(3);
        server
            .request("POST", &session.target(), &headers, Some(b"4forged"))
            .assert_error(3);
        for target in [WEBSOCKET, &session.websocket_target()] {
            let (_connection, response) = ask(&server, target, &headers);
            response.assert_error(3);
        }
    }
    session.assert_echoes("nothing forged came in");
    session.close();
    server.finish();
}

#[test]
fn origin_equal_to_the_host_is_allowed_and_echoed() {
    let server = Server::start();
    let origin = format!("http://{}", server.address);
    let header = format!("Origin: {origin}");
    let response = server.request("GET", POLLING, &[&header], None);
    let session = Session::from_response(&server, &response);
    let posted = server.request("POST", &session.target(), &[&header], Some(b"4a"));
    posted.assert_ok("ok");
    for response in [&response, &posted] {
        assert_eq!(response.header("access-control-allow-origin"), Some(origin.as_str()));
        assert_eq!(response.header("access-control-allow-credentials"), Some("true"));
        assert_varies_by_origin(response);
    }
    session.close();
    let (connection, response) = ask(&server, WEBSOCKET, &[&header]);
    let mut websocket = WebSocket::granted(connection, &response);
    websocket.message();
    websocket.assert_echoes("same origin");
    websocket.close();
    server.finish();
}

#[test]
fn any_origin_is_echoed_with_a_star() {
    let server = Server::with(&["--cors", "*"]);
    let response = server.request("GET", POLLING, &[FOREIGN], None);
    let session = Session::from_response(&server, &response);
    assert_eq!(
        response.header("access-control-allow-origin"),
        Some("https://evil.example")
    );
    assert_varies_by_origin(&response);
    session.close();
    let (connection, response) = ask(&server, WEBSOCKET, &[FOREIGN]);
    let mut websocket = WebSocket::granted(connection, &response);
    websocket.message();
    websocket.close();
    server.finish();
}

#[test]
fn only_listed_origins_are_allowed() {
    let server = Server::with(&["--cors", "https://a.example,https://b.example:8443"]);
    for origin in ["https://a.example", "https://b.example:8443"] {
        let header = format!("Origin: {origin}");
        let response = server.request("GET", POLLING, &[&header], None);
        assert_eq!(response.header("access-control-allow-origin"), Some(origin));
        assert_varies_by_origin(&response);
        Session::from_response(&server, &response).close();
    }
    for origin in [
        "https://evil.example",
        "http://a.example",
        "https://a.example.evil.example",
        "https://a.example:444",
        "https://b.example",
        "https://evil.example,https://a.example",
        "null",
    ] {
        let header = format!("Origin: {origin}");
        server.request("GET", POLLING, &[&header], None).assert_error(3);
        let (_connection, response) = ask(&server, WEBSOCKET, &[&header]);
        response.assert_error(3);
    }
    server.finish();
}

#[test]
fn preflight_of_an_allowed_origin_is_answered() {
    for cors in ["*", "https://a.example"] {
        let server = Server::with(&["--cors", cors]);
        let session = Session::open(&server);
        for target in [POLLING, &session.target()] {
            let response = server.request(
                "OPTIONS",
                target,
                &[
                    "Origin: https://a.example",
                    "Access-Control-Request-Method: POST",
                    "Access-Control-Request-Headers: content-type",
                ],
                None,
            );
            assert_eq!(response.status, 204, "{response:?}");
            assert_eq!(
                response.header("access-control-allow-origin"),
                Some("https://a.example")
            );
            let methods = response.list("access-control-allow-methods");
            for method in ["get", "post"] {
                assert!(methods.contains(&method.to_owned()), "{response:?}");
            }
            assert_varies_by_origin(&response);
        }
        session.assert_echoes("a preflight does nothing to a session");
        session.close();
        server.finish();
    }
}

#[test]
fn cors_none_neither_checks_nor_answers() {
    let server = Server::with(&["--cors", "none"]);
    let response = server.request("GET", POLLING, &[FOREIGN], None);
    let session = Session::from_response(&server, &response);
    let posted = server.request("POST", &session.target(), &[FOREIGN], Some(b"4a"));
    posted.assert_ok("ok");
    for response in [&response, &posted] {
        assert_eq!(response.header("access-control-allow-origin"), None);
        assert_eq!(response.header("access-control-allow-credentials"), None);
    }
    session.close();
    let (connection, response) = ask(&server, WEBSOCKET, &[FOREIGN]);
    let mut websocket = WebSocket::granted(connection, &response);
    websocket.message();
    websocket.close();
    server.finish();
}
