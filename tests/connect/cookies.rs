//! Cookies set by any response are sent with later polls and the WebSocket.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::client::Client;
use crate::front::{Answer, Front, Kind, Request};
use crate::server::Server;

/// The cookies of a request, each `name=value`.
fn cookies(request: &Request) -> Vec<&str> {
    let value = request.header("cookie").unwrap_or_default();
    value
        .split(';')
        .map(str::trim)
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// A front that sets these cookies with the first answer to such a request.
fn setting(server: &Server, kind: Kind, lines: &'static [&'static str]) -> Front {
    let address = server.address;
    let count = AtomicUsize::new(0);
    Front::start(move |request| {
        let is_first = request.kind() == kind && count.fetch_add(1, Ordering::Relaxed) == 0;
        let headers = lines
            .iter()
            .filter(|_| is_first)
            .map(|line| format!("Set-Cookie: {line}"));
        Answer::Pass {
            to: address,
            headers: headers.collect(),
        }
    })
}

/// Of the handshake: on every later GET and POST.
#[test]
fn a_cookie_of_the_handshake_is_sent_with_polls() {
    let server = Server::start();
    let front = setting(
        &server,
        Kind::Handshake,
        &["affinity=one; Path=/; HttpOnly; SameSite=Lax", "second=2"],
    );
    let mut client = Client::start(&front.url(), &["--transports", "polling"]);
    client.next("open");
    client.assert_echoes("hello");
    client.close();
    let requests = front.requests();
    assert_eq!(cookies(&requests[0]), [""; 0]);
    for request in &requests[1..] {
        let mut found = cookies(request);
        found.sort_unstable();
        assert_eq!(found, ["affinity=one", "second=2"], "{request:?}");
    }
    server.finish();
}

/// And with the WebSocket of the upgrade.
#[test]
fn a_cookie_of_the_handshake_is_sent_with_the_websocket() {
    let server = Server::start();
    let front = setting(&server, Kind::Handshake, &["affinity=one; Path=/"]);
    let mut client = Client::start(&front.url(), &[]);
    client.next("open");
    client.until("upgrade");
    client.assert_echoes("hello");
    client.close();
    let upgrade = front.wait_for(|request| request.kind() == Kind::Upgrade);
    assert_eq!(cookies(&upgrade), ["affinity=one"]);
    server.finish();
}

/// Of a later response, a poll's or a POST's: on what comes after it.
#[test]
fn a_cookie_of_any_response_is_sent() {
    let server = Server::start();
    for kind in [Kind::Poll, Kind::Post] {
        let front = setting(&server, kind, &["late=yes"]);
        let mut client = Client::start(&front.url(), &["--transports", "polling"]);
        client.next("open");
        client.assert_echoes("one");
        client.assert_echoes("two");
        client.close();
        let requests = front.requests();
        assert_eq!(cookies(&requests[0]), [""; 0]);
        let last = requests.last().expect("requests");
        assert_eq!(cookies(last), ["late=yes"], "{requests:?}");
    }
    server.finish();
}

/// Of a refused transport: sent with the next one.
#[test]
fn a_cookie_of_a_refusal_is_sent_with_the_next_transport() {
    let server = Server::with(&["--no-upgrades"]);
    let address = server.address;
    let front = Front::start(move |request| match request.kind() {
        Kind::WebSocket => Answer::reply(403, &["Set-Cookie: seen=once"], "no"),
        _ => Answer::pass(address),
    });
    let mut client = Client::start(&front.url(), &["--transports", "websocket,polling"]);
    client.next("open");
    client.assert_echoes("hello");
    client.close();
    let handshake = front.wait_for(|request| request.kind() == Kind::Handshake);
    assert_eq!(cookies(&handshake), ["seen=once"]);
    server.finish();
}

/// The newest value of a name counts, and a cookie that was taken back is not sent.
#[test]
fn a_cookie_can_change_and_go() {
    let server = Server::start();
    let address = server.address;
    let posts = AtomicUsize::new(0);
    let front = Front::start(move |request| {
        let lines: &[&str] = match request.kind() {
            Kind::Handshake => &["Set-Cookie: a=1", "Set-Cookie: b=1"],
            Kind::Post => match posts.fetch_add(1, Ordering::Relaxed) {
                0 => &["Set-Cookie: a=2"],
                1 => &["Set-Cookie: b=; Max-Age=0"],
                _ => &[],
            },
            _ => &[],
        };
        Answer::Pass {
            to: address,
            headers: lines.iter().map(|&line| line.to_owned()).collect(),
        }
    });
    let mut client = Client::start(&front.url(), &["--transports", "polling"]);
    client.next("open");
    for text in ["one", "two", "three"] {
        client.assert_echoes(text);
    }
    client.close();
    let posts = front.requests_of(Kind::Post);
    assert!(cookies(&posts[0]).contains(&"a=1") && cookies(&posts[0]).contains(&"b=1"));
    assert_eq!(cookies(posts.last().expect("a POST")), ["a=2"]);
    server.finish();
}
