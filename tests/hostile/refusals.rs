//! Handshakes that are refused with a status.

use crate::client::{Client, all};
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;
use crate::visit::Next;

const TRANSPORTS: [&str; 2] = ["polling", "websocket"];

#[test]
fn the_status_is_named() {
    let statuses = [
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "407 Proxy Authentication Required",
        "413 Content Too Large",
        "426 Upgrade Required",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "599 Made Up",
    ];
    let page = "<html><head><title>no</title></head>\r\n<body>\u{1b}[31mnot here\0</body></html>";
    all(&statuses, |&status| {
        for transport in TRANSPORTS {
            for body in ["", page] {
                let server = Server::start(Config::default(), move |visit| {
                    visit.answer(status, &["Content-Type: text/html", "Retry-After: 1"], body)
                });
                let message = Client::connect(&server, &["--transports", transport]).refused(&["refused"]);
                assert!(message.contains(&status[..3]), "{message}");
                assert_eq!(server.shared.state().kinds.len(), 1, "asked again");
            }
        }
    });
}

#[test]
fn any_framing_of_the_refusal_will_do() {
    let answers = [
        "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n0\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nno!",
        "HTTP/1.0 403 Forbidden\r\n\r\nno!",
        "HTTP/1.1 403\r\nContent-Length: 0\r\n\r\n",
        // The body does not come whole, but the status has.
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 3000\r\n\r\nno!",
        "HTTP/1.1 403 Forbidden\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nno!",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    ];
    all(&answers, |&answer| {
        for transport in TRANSPORTS {
            let server = Server::start(Config::default(), move |visit| {
                visit.write(answer);
                Next::Close
            });
            let message = Client::connect(&server, &["--transports", transport]).refused(&["refused"]);
            assert!(message.contains("403"), "{message}");
        }
    });
}

#[test]
fn an_endless_page_does_not_hold_it_up() {
    for transport in TRANSPORTS {
        let server = Server::start(Config::default(), |visit| {
            visit.write("HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n");
            while visit.write([b'x'; 1000]) {
                visit.sleep(5);
                if visit.shared.is_stopping() {
                    break;
                }
            }
            Next::Close
        });
        let client = Client::connect(&server, &["--transports", transport, "--timeout", "1s"]);
        client.refused(&["refused", "timeout"]);
    }
}

#[test]
fn the_reason_in_a_json_body_is_told() {
    let reasons = [
        (r#"{"code":0,"message":"Transport unknown"}"#, "Transport unknown"),
        (r#"{"code":4,"message":"you are banned"}"#, "you are banned"),
        (
            r#"{"code":"5","message":"Unsupported protocol version"}"#,
            "Unsupported protocol version",
        ),
    ];
    all(&reasons, |&(body, reason)| {
        for transport in TRANSPORTS {
            for header in [
                "Content-Type: application/json",
                "Content-Type: application/json; charset=utf-8",
            ] {
                let server = Server::start(Config::default(), move |visit| {
                    visit.answer("400 Bad Request", &[header], body)
                });
                let message = Client::connect(&server, &["--transports", transport]).refused(&["refused"]);
                assert!(message.contains(reason) && message.contains("400"), "{message}");
            }
        }
    });
}

#[test]
fn json_that_makes_no_sense_is_a_refusal_all_the_same() {
    let long = format!(r#"{{"code":3,"message":"{}"}}"#, "long ".repeat(100_000));
    let deep = format!(r#"{{"message":{}"#, "[".repeat(100_000));
    let bodies = [
        r#"{"code":3}"#,
        r#"{"message":7}"#,
        r#"{"message":{"a":"b"}}"#,
        r#"{"code":3,"message":"#,
        "[]",
        "null",
        "\"text\"",
        "{}",
        &long,
        &deep,
    ];
    all(&bodies, |body| {
        let body = body.to_string();
        let server = Server::start(Config::default(), move |visit| {
            visit.answer("400 Bad Request", &["Content-Type: application/json"], &body)
        });
        let message = Client::connect(&server, &["--transports", "polling"]).refused(&["refused"]);
        assert!(message.contains("400"), "{message}");
        assert!(message.len() < 10_000, "nobody reads {} bytes", message.len());
    });
}

#[test]
fn a_servers_words_do_not_drive_the_terminal() {
    // (That stderr is one line without control characters is checked wherever a program ends.)
    let bodies = [
        r#"{"code":4,"message":"first\nsecond\r\nthird"}"#,
        r#"{"code":4,"message":"\u001b]0;title\u0007\u001b[2J\u001b[31mred\u0000"}"#,
        r#"{"code":4,"message":"\u009b31m"}"#,
    ];
    all(&bodies, |body| {
        let body = body.to_string();
        let server = Server::start(Config::default(), move |visit| {
            visit.answer("403 Forbidden", &["Content-Type: application/json"], &body)
        });
        let message = Client::connect(&server, &["--transports", "polling"]).refused(&["refused"]);
        assert!(message.contains("403"), "{message}");
    });
}

#[test]
fn redirects_are_refused_and_named() {
    let statuses = [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ];
    all(&statuses, |&status| {
        for transport in TRANSPORTS {
            // What is behind the question mark may be the request's own, with secrets in it, and is not shown.
            for (location, shown) in [
                ("/engine.io/?moved", "/engine.io/ "),
                ("https://other.example/engine.io/", "https://other.example/engine.io/ "),
            ] {
                let server = Server::start(Config::default(), move |visit| {
                    visit.answer(status, &[&format!("Location: {location}")], "")
                });
                let message = Client::connect(&server, &["--transports", transport]).refused(&["refused"]);
                assert!(message.contains(&status[..3]) && message.contains(shown), "{message}");
                assert_eq!(server.shared.state().kinds.len(), 1, "nobody follows it");
            }
        }
    });
}

#[test]
fn a_redirect_to_nowhere_is_refused() {
    let headers: [&[&str]; 4] = [
        &[],
        &["Location:"],
        &["Location: a", "Location: b"],
        &["Location: http://[::1/\u{e9}%zz"],
    ];
    all(&headers, |headers| {
        let headers = headers.to_vec();
        let server = Server::start(Config::default(), move |visit| visit.answer("302 Found", &headers, ""));
        let client = Client::connect(&server, &["--transports", "polling"]);
        client.refused(&["refused", "protocol"]);
    });
}

#[test]
fn other_statuses_are_no_open_packet() {
    let statuses = [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 199 Hm\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 600 Odder\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n",
    ];
    all(&statuses, |&answer| {
        let server = Server::start(Config::default(), move |visit| {
            visit.write(answer);
            Next::Close
        });
        let client = Client::connect(&server, &["--transports", "polling"]);
        client.refused(&["refused", "protocol", "connection"]);
        assert_eq!(server.count(Kind::Open), 1);
    });
}
