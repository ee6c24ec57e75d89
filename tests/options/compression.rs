//! Compressed polling responses.

use std::io::Read;

use flate2::read::{GzDecoder, ZlibDecoder};

use crate::http::Response;
use crate::server::Server;
use crate::session::Session;

/// Has the server send something of this size (one byte less is the message), and polls it like this.
#[track_caller]
fn poll(server: &Server, size: usize, accept: Option<&str>) -> (Response, Vec<u8>) {
    let session = Session::open(server);
    let message = format!("4{}", "abc ".repeat(size / 4 + 1))[..size].to_owned();
    session.send(&message);
    let accept = accept.map(|accept| format!("Accept-Encoding: {accept}"));
    let headers: Vec<&str> = accept.iter().map(String::as_str).collect();
    let response = server.request("GET", &session.target(), &headers, None);
    assert_eq!(response.status, 200, "{response:?}");
    session.close();
    let mut plain = Vec::new();
    match response.header("content-encoding") {
        Some("gzip") => GzDecoder::new(&response.body[..]).read_to_end(&mut plain).map(drop),
        Some("deflate") => ZlibDecoder::new(&response.body[..]).read_to_end(&mut plain).map(drop),
        Some(other) => panic!("{other}"),
        None => {
            plain.clone_from(&response.body);
            Ok(())
        }
    }
    .expect("a body that can be decoded");
    assert_eq!(plain, message.as_bytes());
    (response, plain)
}

#[test]
fn as_the_client_wants_it() {
    let server = Server::start();
    for (accept, coding) in [
        (Some("gzip"), Some("gzip")),
        (Some("deflate"), Some("deflate")),
        (Some("gzip, deflate, br"), Some("gzip")),
        (Some("gzip;q=0.5, deflate;q=0.8"), Some("deflate")),
        (Some("gzip;q=0"), None),
        (Some("br"), None),
        (None, None),
    ] {
        let (response, plain) = poll(&server, 20_000, accept);
        assert_eq!(response.header("content-encoding"), coding, "{accept:?}");
        assert_eq!(response.header("vary"), Some("Accept-Encoding"));
        assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert!(coding.is_none() || response.body.len() * 10 < plain.len());
    }
    server.finish();
}

#[test]
fn from_the_threshold_on() {
    let server = Server::start();
    let (response, _) = poll(&server, 1023, Some("gzip"));
    assert_eq!(
        (response.header("content-encoding"), response.header("vary")),
        (None, None)
    );
    let (response, _) = poll(&server, 1024, Some("gzip"));
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    server.finish();

    let server = Server::with(&["--compression-threshold", "5000"]);
    let (response, _) = poll(&server, 4999, Some("gzip"));
    assert_eq!(response.header("content-encoding"), None);
    let (response, _) = poll(&server, 5000, Some("gzip"));
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    server.finish();
}

#[test]
fn not_where_it_is_off_nor_where_it_does_not_help() {
    let server = Server::with(&["--no-compression"]);
    let (response, _) = poll(&server, 20_000, Some("gzip"));
    assert_eq!(
        (response.header("content-encoding"), response.header("vary")),
        (None, None)
    );
    server.finish();

    let server = Server::start();
    let session = Session::open(&server);
    let response = server.request("POST", &session.target(), &["Accept-Encoding: gzip"], Some(b"4a"));
    assert_eq!(response.header("content-encoding"), None);
    response.assert_ok("ok");
    session.close();
    server.finish();
}

#[test]
fn an_origin_is_told_of_too() {
    let server = Server::with(&["--cors", "*"]);
    let session = Session::open(&server);
    session.send(format!("4{}", "a".repeat(5000)));
    let headers = ["Origin: https://a.example", "Accept-Encoding: gzip"];
    let response = server.request("GET", &session.target(), &headers, None);
    assert_eq!(response.header("vary"), Some("Origin, Accept-Encoding"));
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    session.close();
    server.finish();
}

#[test]
fn memory_is_bounded() {
    let server = Server::start();
    poll(&server, 900_000, Some("gzip"));
    let before = server.peak_memory();
    for _ in 0..10 {
        poll(&server, 900_000, Some("gzip"));
        poll(&server, 900_000, Some("deflate"));
    }
    server.assert_memory_flat(before);
    server.finish();
}
