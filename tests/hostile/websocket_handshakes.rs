//! The HTTP half of a WebSocket, granted in wrong ways and odd ones.

use crate::client::{Client, Event, all};
use crate::frames::{FIN, PING, TEXT, frame};
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;
use crate::visit::{Next, Visit};

const WEBSOCKET: [&str; 2] = ["--transports", "websocket"];

type Bend = fn(&Visit) -> String;

#[test]
fn wrong_grants_are_refused() {
    let bends: [Bend; 16] = [
        // The accept key: of another, in other letters, none, two, none that is one.
        |visit| {
            visit
                .grant(&[])
                .replace(&visit.accept_key(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        },
        |visit| {
            visit
                .grant(&[])
                .replace(&visit.accept_key(), &visit.accept_key().to_ascii_lowercase())
        },
        |visit| visit.grant(&[]).replace("Sec-WebSocket-Accept", "X-Accept"),
        |visit| visit.grant(&[]).replace(&visit.accept_key(), ""),
        |visit| {
            let key = visit.request.header("sec-websocket-key").unwrap_or_default().to_owned();
            visit.grant(&[]).replace(&visit.accept_key(), &key)
        },
        // Upgraded to something else, or to nothing.
        |visit| visit.grant(&[]).replace("Upgrade: websocket\r\n", ""),
        |visit| visit.grant(&[]).replace("Upgrade: websocket", "Upgrade: h2c"),
        |visit| visit.grant(&[]).replace("Upgrade: websocket", "Upgrade: websockets"),
        |visit| visit.grant(&[]).replace("Connection: Upgrade\r\n", ""),
        |visit| visit.grant(&[]).replace("Connection: Upgrade", "Connection: close"),
        // What was not asked for.
        |visit| visit.grant(&["Sec-WebSocket-Extensions: permessage-deflate"]),
        |visit| visit.grant(&["Sec-WebSocket-Extensions: made-up; a=1"]),
        |visit| visit.grant(&["Sec-WebSocket-Protocol: chat"]),
        // Not the right status, or not the right version.
        |visit| visit.grant(&[]).replace("101 Switching Protocols", "200 OK"),
        |visit| {
            visit
                .grant(&["Content-Length: 0"])
                .replace("101 Switching Protocols", "204 No Content")
        },
        |visit| visit.grant(&[]).replace("HTTP/1.1", "HTTP/1.0"),
    ];
    let numbered: Vec<(usize, Bend)> = bends.into_iter().enumerate().collect();
    all(&numbered, |&(_, bend)| {
        let server = Server::start(Config::default(), move |visit| {
            let head = bend(visit);
            visit.write(head);
            // The rest is as it should be.
            let packet = visit.open_session();
            visit.text(&packet);
            visit.stay_silent()
        });
        // What a wrong answer says behind its head is not waited for.
        let arguments = [&WEBSOCKET[..], &["--timeout", "3s"]].concat();
        Client::connect(&server, &arguments).refused(&["protocol", "refused"]);
        assert_eq!(server.count(Kind::Direct), 1);
    });
}

#[test]
fn odd_grants_work() {
    let bends: [Bend; 6] = [
        |visit| {
            visit
                .grant(&[])
                .replace("Upgrade: websocket", "UPGRADE: WebSocket")
                .replace("Connection: Upgrade", "connection: keep-alive, upgrade")
                .replace("Sec-WebSocket-Accept", "sec-websocket-accept")
        },
        |visit| visit.grant(&["Server: old", "Date: whenever", "Set-Cookie: a=b"]),
        |visit| {
            visit
                .grant(&[])
                .replace("Switching Protocols", "Web Socket Protocol Handshake")
        },
        |visit| visit.grant(&[]).replace("101 Switching Protocols", "101"),
        |visit| "HTTP/1.1 100 Continue\r\n\r\n".to_owned() + &visit.grant(&[]),
        |visit| "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_owned() + &visit.grant(&[]),
    ];
    let numbered: Vec<(usize, Bend)> = bends.into_iter().enumerate().collect();
    all(&numbered, |&(_, bend)| {
        let server = Server::start(Config::default(), move |visit| {
            let head = bend(visit);
            visit.write(head);
            let packet = visit.open_session();
            visit.text(&packet);
            visit.serve_websocket()
        });
        let mut client = Client::connect(&server, &WEBSOCKET);
        client.opened("websocket");
        client.goes_on(&server);
        client.close();
    });
}

#[test]
fn doubtful_grants_work_or_are_refused() {
    let bends: [Bend; 9] = [
        |visit| visit.grant(&["Content-Length: 0"]),
        |visit| visit.grant(&["Content-Length: 5"]),
        |visit| visit.grant(&["Transfer-Encoding: chunked"]),
        |visit| visit.grant(&["Sec-WebSocket-Extensions:"]),
        |visit| visit.grant(&["Sec-WebSocket-Protocol:"]),
        |visit| visit.grant(&["Upgrade: websocket"]),
        |visit| visit.grant(&[&format!("Sec-WebSocket-Accept: {}", visit.accept_key())]),
        |visit| visit.grant(&["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]),
        |visit| visit.grant(&["Content-Encoding: gzip", "Sec-WebSocket-Version: 7, 8"]),
    ];
    let numbered: Vec<(usize, Bend)> = bends.into_iter().enumerate().collect();
    all(&numbered, |&(_, bend)| {
        let server = Server::start(Config::default(), move |visit| {
            let head = bend(visit);
            visit.write(head);
            let packet = visit.open_session();
            visit.text(&packet);
            visit.serve_websocket()
        });
        let mut client = Client::connect(&server, &WEBSOCKET);
        match client.next() {
            Event::Open { .. } => {
                client.goes_on(&server);
                client.close();
            }
            Event::Error { kind, .. } => {
                assert_eq!(kind, "protocol");
                client.ended(1);
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn frames_in_the_same_segment_as_the_head() {
    let server = Server::start(Config::default(), |visit| {
        let mut bytes = visit.grant(&[]).into_bytes();
        bytes.extend(frame(FIN | PING, b"first"));
        bytes.extend(frame(FIN | TEXT, visit.open_session().as_bytes()));
        bytes.extend(frame(FIN | TEXT, b"4one"));
        bytes.extend(frame(FIN | TEXT, b"4two"));
        // The beginning of another.
        bytes.extend([0x81, 6, b'4', b't']);
        visit.write(bytes);
        visit.sleep(50);
        visit.write("hree");
        visit.serve_websocket()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.text("one");
    client.text("two");
    client.text("three");
    client.goes_on(&server);
    client.close();
}

#[test]
fn a_byte_at_a_time() {
    let server = Server::start(Config::default(), |visit| {
        let mut bytes = visit.grant(&[]).into_bytes();
        bytes.extend(frame(FIN | TEXT, visit.open_session().as_bytes()));
        bytes.extend(frame(FIN | TEXT, b"4one"));
        visit.socket.trickle(bytes, std::time::Duration::from_millis(1));
        visit.serve_websocket()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.text("one");
    client.goes_on(&server);
    client.close();
}

#[test]
fn packets_around_the_open_packet() {
    // Before it there is no session; a second one is a parse error.
    for (first, kinds) in [("6", ["protocol"]), ("2", ["protocol"]), ("4early", ["protocol"])] {
        let server = Server::start(Config::default(), move |visit| {
            visit.accept();
            visit.text(first);
            let packet = visit.open_session();
            visit.text(&packet);
            visit.stay_silent()
        });
        Client::connect(&server, &WEBSOCKET).refused(&kinds);
    }
    let server = Server::start(Config::default(), |visit| {
        visit.open_directly();
        visit.text("4between");
        let packet = visit.open_session();
        visit.text(&packet);
        visit.text("4ghost");
        visit.stay_silent()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.text("between");
    client.error(&["protocol"]);
    client.closed(&["parse error"]);
    client.ended(1);
}

#[test]
fn each_asks_with_a_key_of_its_own() {
    // The server complains about one that it has seen before.
    let server = Server::usual(Config::default());
    for _ in 0..3 {
        let mut client = Client::connect(&server, &WEBSOCKET);
        client.opened("websocket");
        client.close();
    }
    assert_eq!(server.sessions(), 3);
}

#[test]
fn a_refusal_with_a_body_that_looks_like_frames() {
    let server = Server::start(Config::default(), |visit| {
        let mut body = frame(FIN | TEXT, visit.shared.config.open_packet("abc", false).as_bytes());
        body.extend(frame(FIN | TEXT, b"4ghost"));
        visit.answer("400 Bad Request", &["Upgrade: websocket", "Connection: Upgrade"], body);
        Next::Close
    });
    let message = Client::connect(&server, &WEBSOCKET).refused(&["refused"]);
    assert!(message.contains("400"), "{message}");
    assert!(message.len() < 1_000, "{message}");
}
