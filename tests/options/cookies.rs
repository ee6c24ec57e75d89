//! `--cookie`.

use crate::server::Server;
use crate::session::{POLLING, Session};
use crate::websocket::{WEBSOCKET, ask};

#[test]
fn the_first_response_of_a_session_sets_it() {
    let server = Server::with(&["--cookie", "io"]);
    let response = server.get(POLLING);
    let session = Session::from_response(&server, &response);
    let cookie = format!("io={}; Path=/; HttpOnly; SameSite=Lax", session.sid);
    assert_eq!(response.header("set-cookie"), Some(&cookie[..]));
    let posted = session.post("4a");
    let polled = session.get();
    for later in [posted, polled] {
        assert_eq!((later.status, later.header("set-cookie")), (200, None));
    }
    session.close();
    let (connection, response) = ask(&server, WEBSOCKET, &[]);
    assert_eq!((response.status, response.header("set-cookie")), (101, None));
    drop(connection);
    let response = server.get("/engine.io/?EIO=3&transport=polling");
    assert_eq!((response.status, response.header("set-cookie")), (400, None));
    server.finish();
}

#[test]
fn behind_a_trusted_proxy_with_tls_it_is_secure() {
    let server = Server::with(&["--cookie", "io", "--trust-proxy", "127.0.0.1"]);
    let response = server.request("GET", POLLING, &["X-Forwarded-Proto: https"], None);
    let cookie = response.header("set-cookie").expect("a cookie");
    assert!(cookie.contains("; Secure"), "{cookie}");
    Session::from_response(&server, &response).close();
    server.finish();
}

#[test]
fn there_is_none_by_default() {
    let server = Server::start();
    let response = server.get(POLLING);
    assert_eq!(response.header("set-cookie"), None);
    Session::from_response(&server, &response).close();
    server.finish();
}
