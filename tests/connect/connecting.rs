//! How one attempt is made: the URL, what every request carries, time, redirects.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::client::{CARRIERS, Client, url};
use crate::front::{self, Answer, Front, Kind, Request};
use crate::server::Server;

/// A server behind a front that only looks, a conversation with it by this URL, and all that was asked for.
#[track_caller]
fn requests_of(serve: &[&str], flags: &[&str], url_of: impl Fn(&Front) -> String) -> Vec<Request> {
    let server = Server::with(serve);
    let address = server.address;
    let front = Front::start(move |_| Answer::pass(address));
    let mut client = Client::start(&url_of(&front), flags);
    client.next("open");
    if flags.is_empty() {
        client.until("upgrade");
    }
    client.assert_echoes("hello");
    client.close();
    server.wait_for_sessions(0);
    front.requests()
}

/// Every request of all kinds is so; and there was at least one of each of these kinds.
#[track_caller]
fn assert_all(requests: &[Request], kinds: &[Kind], holds: impl Fn(&Request) -> bool) {
    for request in requests {
        assert!(holds(request), "{request:?}");
    }
    for kind in kinds {
        let found = requests.iter().any(|request| request.kind() == *kind);
        assert!(found, "no {kind:?} in {requests:?}");
    }
}

const POLLING: [Kind; 3] = [Kind::Handshake, Kind::Poll, Kind::Post];
const UPGRADED: [Kind; 3] = [Kind::Handshake, Kind::Poll, Kind::Upgrade];

/// The default path is Engine.IO's, also where the URL has a bare `/`; and the parameters are those of version 4.
#[test]
fn the_default_path_is_engine_ios() {
    for end in ["", "/"] {
        let requests = requests_of(&[], &[], |front| format!("{}{end}", front.url()));
        assert_all(&requests, &UPGRADED, |request| {
            let transport = match request.kind() {
                Kind::WebSocket | Kind::Upgrade => "websocket",
                _ => "polling",
            };
            request.path() == "/engine.io/"
                && request.parameter("EIO").as_deref() == Some("4")
                && request.parameter("transport").as_deref() == Some(transport)
        });
    }
}

/// A path of the URL is used.
#[test]
fn a_path_of_the_url_is_used() {
    let requests = requests_of(&["--path", "/live/"], &[], |front| format!("{}/live/", front.url()));
    assert_all(&requests, &UPGRADED, |request| request.path() == "/live/");
}

/// `--path` wins over the URL's.
#[test]
fn the_path_flag_wins() {
    let flags = ["--path", "/live/", "--transports", "polling"];
    let requests = requests_of(&["--path", "/live/"], &flags, |front| format!("{}/other/", front.url()));
    assert_all(&requests, &POLLING, |request| request.path() == "/live/");
}

/// A query of the URL is kept, on every request.
#[test]
fn a_query_of_the_url_is_kept() {
    let requests = requests_of(&[], &[], |front| format!("{}/?token=a%20b&room=7", front.url()));
    assert_all(&requests, &UPGRADED, |request| {
        request.parameter("token").as_deref() == Some("a b") && request.parameter("room").as_deref() == Some("7")
    });
}

/// `--query k=v`, more than once, is on every request, beside the URL's, and escaped where it has to be.
#[test]
fn query_flags_are_on_every_request() {
    for carrier in CARRIERS {
        let flags = [&["--query", "token=a b&c=d#e", "--query", "room=ü"], carrier].concat();
        let server = Server::start();
        let address = server.address;
        let front = Front::start(move |_| Answer::pass(address));
        let mut client = Client::start(&format!("{}/?first=1", front.url()), &flags);
        client.next("open");
        client.assert_echoes("hello");
        client.close();
        assert_all(&front.requests(), &[], |request| {
            request.parameter("first").as_deref() == Some("1")
                && request.parameter("token").as_deref() == Some("a b&c=d#e")
                && request.parameter("room").as_deref() == Some("ü")
        });
        server.finish();
    }
}

/// `--header 'K: V'`, more than once, is on every request, a WebSocket's too.
#[test]
fn header_flags_are_on_every_request() {
    for carrier in CARRIERS {
        let headers = ["--header", "X-First: one", "--header", "Authorization: Bearer a:b"];
        let flags = [&headers[..], carrier].concat();
        let server = Server::start();
        let address = server.address;
        let front = Front::start(move |_| Answer::pass(address));
        let mut client = Client::start(&front.url(), &flags);
        client.next("open");
        client.assert_echoes("hello");
        client.close();
        assert_all(&front.requests(), &[], |request| {
            request.header("x-first") == Some("one") && request.header("authorization") == Some("Bearer a:b")
        });
        server.finish();
    }
}

/// A user and a password of the URL are basic authentication on every request, decoded, and nowhere else.
#[test]
fn a_user_of_the_url_is_basic_authentication() {
    let wanted = format!("Basic {}", STANDARD.encode("ann:p@ss wörd"));
    let requests = requests_of(&[], &[], |front| {
        format!("http://ann:p%40ss%20w%C3%B6rd@{}", front.address)
    });
    assert_all(&requests, &UPGRADED, |request| {
        request.header("authorization") == Some(&wanted)
            && !request.target.contains("ann")
            && request.header("host").is_some_and(|host| !host.contains('@'))
    });
}

/// `Host` is the URL's, with its port; a name is looked up.
#[test]
fn the_host_is_the_urls() {
    let requests = requests_of(&[], &["--transports", "polling"], |front| {
        format!("http://localhost:{}", front.address.port())
    });
    assert_all(&requests, &POLLING, |request| {
        request
            .header("host")
            .and_then(|host| host.strip_prefix("localhost:"))
            .is_some_and(|port| port.parse::<u16>().is_ok())
    });
}

/// `ws://` names the same server as `http://`.
#[test]
fn ws_is_http() {
    let server = Server::start();
    for carrier in CARRIERS {
        let mut client = Client::start(&format!("ws://{}", server.address), carrier);
        client.next("open");
        client.assert_echoes("hello");
        client.close();
    }
    server.finish();
}

/// `--runtime` is taken.
#[test]
fn a_runtime_may_be_named() {
    let server = Server::start();
    for runtime in ["tokio", "smol", "async-std", "blocking"] {
        let mut client = Client::open(&server, &["--runtime", runtime]);
        client.assert_echoes("hello");
        client.close();
    }
    server.finish();
}

/// `--timeout` bounds the attempt where the server takes the connection and says nothing.
#[test]
fn a_silent_server_is_a_timeout() {
    let silent = Front::start(|_| Answer::Silence);
    for carrier in CARRIERS {
        let flags = [carrier, &["--timeout", "1s"]].concat();
        let already = silent.requests().len();
        let ended = Client::start(&silent.url(), &flags).finish(1);
        assert_eq!(ended.only_error()["kind"], "timeout");
        assert!(ended.lasted >= Duration::from_secs(1), "{:?}", ended.lasted);
        let since_asked = silent.requests()[already].at.elapsed();
        assert!(since_asked < Duration::from_millis(1900), "{since_asked:?}");
    }
}

/// The same where it says too little: half a head, half a body, a WebSocket without an open packet.
#[test]
fn a_halting_server_is_a_timeout() {
    type Halt = fn() -> Answer;
    let halts: [(Halt, &[&str]); 4] = [
        (|| Answer::part("HTTP/1.1 200 OK\r\nContent-Le"), CARRIERS[0]),
        (
            || Answer::part("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n0{"),
            CARRIERS[0],
        ),
        (|| Answer::part("HTTP/1.1 101 Switching Protocols\r\n"), CARRIERS[1]),
        (
            || Answer::websocket(|mut websocket| while websocket.read().is_ok() {}),
            CARRIERS[1],
        ),
    ];
    for (halt, carrier) in halts {
        let front = Front::start(move |_| halt());
        let flags = [carrier, &["--timeout", "600ms"]].concat();
        let ended = Client::start(&front.url(), &flags).finish(1);
        assert_eq!(ended.only_error()["kind"], "timeout");
    }
}

/// It bounds all transports together: what the first has used up is not there for the second.
#[test]
fn the_timeout_is_for_all_transports_together() {
    let front = Front::start(|request| match request.kind() {
        Kind::WebSocket => Answer::Late(Duration::from_millis(700), Box::new(Answer::refused(400, "no"))),
        _ => Answer::Silence,
    });
    let flags = ["--transports", "websocket,polling", "--timeout", "1s"];
    let ended = Client::start(&front.url(), &flags).finish(1);
    ended.only_error();
    assert_eq!(front.requests_of(Kind::Handshake).len(), 1, "it fell back");
    let since_asked = front.requests()[0].at.elapsed();
    assert!(since_asked < Duration::from_millis(1650), "{since_asked:?}");
}

/// A timeout does not bound the connection, once it is there.
#[test]
fn the_timeout_is_over_once_connected() {
    let server = Server::start();
    for carrier in &CARRIERS[..2] {
        let flags = [carrier, &["--timeout", "700ms"][..]].concat();
        let mut client = Client::start(&url(server.address), &flags);
        client.next("open");
        // Nothing tells that a deadline did not strike, so time it is.
        std::thread::sleep(Duration::from_millis(1_000));
        client.assert_echoes("still here");
        client.close();
    }
    server.finish();
}

/// Redirects are refused with a clear error, and nothing is asked of where they lead.
#[test]
fn a_redirect_is_refused() {
    let elsewhere = Front::start(|_| Answer::ok(front::open_packet(&[])));
    let location = format!("Location: {}/engine.io/?EIO=4&transport=polling", elsewhere.url());
    for status in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let front = Front::start(move |_| Answer::reply(status, &[&location], ""));
        for carrier in &CARRIERS[..2] {
            let ended = Client::start(&front.url(), carrier).finish(1);
            let error = ended.only_error();
            let message = error["message"].as_str().expect("a message").to_lowercase();
            assert!(message.contains("redirect"), "{error}");
            assert!(
                ["refused", "protocol"].map(Into::into).contains(&error["kind"]),
                "{error}"
            );
            assert!(ended.stderr.to_lowercase().contains("redirect"), "{}", ended.stderr);
        }
    }
    assert_eq!(elsewhere.requests().len(), 0);
}
