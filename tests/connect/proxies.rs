//! `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`: requests go through the proxy in absolute form, WebSockets
//! by `CONNECT`.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::client::{CARRIERS, Client, url};
use crate::front::{Answer, Front, Kind, Request};
use crate::server::Server;

/// A name that nobody has (RFC 2606): only a proxy can know what is meant.
const NOWHERE: &str = "http://nowhere.invalid:8080";

/// A proxy that takes every name for this server.
fn proxy(server: SocketAddr) -> Front {
    Front::start(move |request| match request.kind() {
        Kind::Connect => Answer::Tunnel(server),
        _ => Answer::pass(server),
    })
}

/// The same for those who know a password.
fn locked_proxy(server: SocketAddr, user: &str) -> Front {
    let wanted = format!("Basic {}", STANDARD.encode(user));
    Front::start(move |request| match request.kind() {
        _ if request.header("proxy-authorization") != Some(&wanted) => {
            Answer::reply(407, &["Proxy-Authenticate: Basic realm=\"here\""], "who are you?")
        }
        Kind::Connect => Answer::Tunnel(server),
        _ => Answer::pass(server),
    })
}

#[track_caller]
fn assert_converses(url: &str, flags: &[&str], environment: &[(&str, &str)]) {
    let mut client = Client::start_in(url, flags, environment);
    client.next("open");
    if flags.is_empty() {
        client.until("upgrade");
    }
    client.assert_echoes("hello");
    client.close();
}

fn is_absolute(request: &Request) -> bool {
    request.target.starts_with("http://nowhere.invalid:8080/engine.io/?")
        && request.header("host") == Some("nowhere.invalid:8080")
}

/// `HTTP_PROXY`: polls in absolute form, and the name is the proxy's business.
#[test]
fn polls_go_through_the_proxy_in_absolute_form() {
    let server = Server::start();
    let proxy = proxy(server.address);
    let environment = [("HTTP_PROXY", &*proxy.url())];
    assert_converses(NOWHERE, &["--transports", "polling"], &environment);
    let requests = proxy.requests();
    assert!(requests.len() > 2);
    for request in &requests {
        assert!(is_absolute(request), "{request:?}");
    }
    server.finish();
}

/// `CONNECT` for the WebSocket, and within it the request as ever.
#[test]
fn a_websocket_goes_through_the_proxy_by_connect() {
    let server = Server::start();
    let address = server.address;
    let inner = Front::start(move |_| Answer::pass(address));
    let proxy = proxy(inner.address);
    let environment = [("HTTP_PROXY", &*proxy.url())];
    assert_converses(NOWHERE, &["--transports", "websocket"], &environment);
    let requests = proxy.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].method, "CONNECT");
    assert_eq!(requests[0].target, "nowhere.invalid:8080");
    assert_eq!(requests[0].header("host"), Some("nowhere.invalid:8080"));
    let within = &inner.requests()[0];
    assert!(within.target.starts_with("/engine.io/?"), "{within:?}");
    assert_eq!(within.header("host"), Some("nowhere.invalid:8080"));
    server.finish();
}

/// A session that is upgraded needs both.
#[test]
fn an_upgrade_goes_through_the_proxy() {
    let server = Server::start();
    let proxy = proxy(server.address);
    let environment = [("HTTP_PROXY", &*proxy.url())];
    assert_converses(NOWHERE, &[], &environment);
    let requests = proxy.requests();
    let (connects, rest): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.method == "CONNECT");
    assert_eq!(connects.len(), 1);
    assert!(!rest.is_empty() && rest.into_iter().all(is_absolute), "{requests:?}");
    server.finish();
}

/// `ALL_PROXY` where there is no `HTTP_PROXY`; where there is one, that one.
#[test]
fn all_proxy_is_for_what_has_no_other() {
    let server = Server::start();
    for carrier in CARRIERS {
        let proxy = proxy(server.address);
        assert_converses(NOWHERE, carrier, &[("ALL_PROXY", &*proxy.url())]);
        assert!(!proxy.requests().is_empty());
        let nobody = [("ALL_PROXY", "http://127.0.0.1:1"), ("HTTP_PROXY", &*proxy.url())];
        assert_converses(NOWHERE, carrier, &nobody);
    }
    server.finish();
}

/// `HTTPS_PROXY` is not for `http`.
#[test]
fn https_proxy_is_not_for_http() {
    let server = Server::start();
    let proxy = proxy(server.address);
    for carrier in CARRIERS {
        assert_converses(&url(server.address), carrier, &[("HTTPS_PROXY", &*proxy.url())]);
    }
    assert_eq!(proxy.requests().len(), 0);
    server.finish();
}

/// An empty variable is none.
#[test]
fn an_empty_variable_is_no_proxy() {
    let server = Server::start();
    let empty = [("HTTP_PROXY", ""), ("ALL_PROXY", ""), ("NO_PROXY", "")];
    assert_converses(&url(server.address), &[], &empty);
    server.finish();
}

/// `NO_PROXY` names what is reached directly: an address, a name, everything; for polls and WebSockets.
#[test]
fn no_proxy_is_reached_directly() {
    let server = Server::start();
    let proxy = proxy(server.address);
    let by_address = url(server.address);
    let by_name = format!("http://localhost:{}", server.address.port());
    for (url, exceptions) in [
        (&by_address, "127.0.0.1"),
        (&by_address, "example.com, 127.0.0.1"),
        (&by_address, "*"),
        (&by_name, "localhost"),
        (&by_name, "LOCALHOST,example.com"),
    ] {
        for carrier in CARRIERS {
            let environment = [("HTTP_PROXY", &*proxy.url()), ("NO_PROXY", exceptions)];
            assert_converses(url, carrier, &environment);
        }
    }
    assert_eq!(proxy.requests().len(), 0);
    server.finish();
}

/// What `NO_PROXY` does not name goes through the proxy; a domain stands for what is below it, and no more.
#[test]
fn no_proxy_is_no_more_than_it_says() {
    let server = Server::start();
    for exceptions in ["example.com", "where.invalid", "127.0.0.1,localhost", "invalid.nowhere"] {
        let proxy = proxy(server.address);
        let environment = [("HTTP_PROXY", &*proxy.url()), ("NO_PROXY", exceptions)];
        assert_converses(NOWHERE, &["--transports", "polling"], &environment);
        assert!(proxy.requests().iter().all(is_absolute), "{exceptions}");
    }
    server.finish();
}

/// A user and a password of the proxy's URL go to the proxy, with polls and `CONNECT`, and no further.
#[test]
fn a_proxys_password_goes_to_the_proxy_alone() {
    let server = Server::start();
    let address = server.address;
    for carrier in CARRIERS {
        let inner = Front::start(move |_| Answer::pass(address));
        let proxy = locked_proxy(inner.address, "ann:p@ss");
        let with_user = format!("http://ann:p%40ss@{}", proxy.address);
        assert_converses(NOWHERE, carrier, &[("HTTP_PROXY", &with_user)]);
        for request in proxy.requests() {
            assert!(request.header("proxy-authorization").is_some(), "{request:?}");
            assert_eq!(request.header("authorization"), None, "{request:?}");
        }
        for request in inner.requests() {
            assert_eq!(request.header("authorization"), None, "{request:?}");
            assert_eq!(request.header("proxy-authorization"), None, "{request:?}");
        }
    }
    server.finish();
}

/// What is for the server, its password and the headers given, is not told to the proxy in `CONNECT`.
#[test]
fn a_servers_password_is_not_for_the_proxy() {
    let server = Server::start();
    let address = server.address;
    let inner = Front::start(move |_| Answer::pass(address));
    let proxy = proxy(inner.address);
    let flags = ["--transports", "websocket", "--header", "X-Token: secret"];
    let with_user = "http://ann:pass@nowhere.invalid:8080";
    assert_converses(with_user, &flags, &[("HTTP_PROXY", &*proxy.url())]);
    let connect = &proxy.requests()[0];
    assert_eq!(connect.header("authorization"), None);
    assert_eq!(connect.header("x-token"), None);
    let within = &inner.requests()[0];
    assert!(within.header("authorization").is_some());
    assert_eq!(within.header("x-token"), Some("secret"));
    server.finish();
}

/// A proxy that says no is an error of kind `proxy`.
#[test]
fn a_proxy_that_wants_a_password_is_named() {
    let server = Server::start();
    let proxy = locked_proxy(server.address, "ann:pass");
    for carrier in CARRIERS {
        let ended = Client::start_in(NOWHERE, carrier, &[("HTTP_PROXY", &*proxy.url())]).finish(1);
        assert_eq!(ended.only_error()["kind"], "proxy");
    }
    assert_eq!(server.stats().opened, 0);
    server.finish();
}

/// So is one that is not there, and one that cannot reach the server.
#[test]
fn a_proxy_that_fails_is_named() {
    for carrier in CARRIERS {
        let ended = Client::start_in(NOWHERE, carrier, &[("HTTP_PROXY", "http://127.0.0.1:1")]).finish(1);
        assert_eq!(ended.only_error()["kind"], "proxy");
    }
    let helpless = Front::start(|_| Answer::reply(502, &[], "no such server"));
    let flags = ["--transports", "websocket"];
    let ended = Client::start_in(NOWHERE, &flags, &[("HTTP_PROXY", &*helpless.url())]).finish(1);
    assert_eq!(ended.only_error()["kind"], "proxy");
}

/// A proxy that lets no WebSocket through: `upgrade_error`, and the session polls on.
#[test]
fn a_proxy_without_connect_leaves_polling() {
    let server = Server::start();
    let address = server.address;
    let proxy = Front::start(move |request| match request.kind() {
        Kind::Connect => Answer::reply(403, &[], "no tunnels"),
        _ => Answer::pass(address),
    });
    let mut client = Client::start_in(NOWHERE, &[], &[("HTTP_PROXY", &*proxy.url())]);
    client.next("open");
    client.next("upgrade_error");
    client.assert_echoes("hello");
    client.close();
    server.finish();
}

/// A proxy's silence is within `--timeout`.
#[test]
fn a_silent_proxy_is_a_timeout() {
    let silent = Front::start(|_| Answer::Silence);
    for carrier in CARRIERS {
        let flags = [carrier, &["--timeout", "500ms"]].concat();
        let ended = Client::start_in(NOWHERE, &flags, &[("HTTP_PROXY", &*silent.url())]).finish(1);
        assert_eq!(ended.only_error()["kind"], "timeout");
    }
}
