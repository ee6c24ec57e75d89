//! How a response is cut out of the stream: every right way works, every wrong one is an error.

use std::time::Duration;

use crate::client::{Client, Event, all};
use crate::deflate::{bomb, gzip};
use crate::request::Kind;
use crate::server::Server;
use crate::session::{Config, Framing};
use crate::visit::{Next, Visit};

#[test]
fn every_right_way_works() {
    let framings = [
        Framing::Length,
        Framing::Chunked,
        Framing::Bytewise,
        Framing::Trickled,
        Framing::Old,
        Framing::Closing,
        Framing::Gzip,
        Framing::GzipChunked,
        Framing::Interim,
        Framing::Shouting,
    ];
    all(&framings, |framing| {
        let server = Server::usual(Config::default().framed(*framing));
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        let mut expected = Vec::new();
        for round in 0..5 {
            client.send(&format!("up {round}"));
            expected.push(format!("4up {round}"));
            let down = format!("down {round} é€😀 {}", "x".repeat(round * 50));
            server.push(&format!("4{down}"));
            client.text(&down);
        }
        server.wait_for_messages(&expected.iter().map(String::as_str).collect::<Vec<_>>());
        client.close();
        if matches!(framing, Framing::Old | Framing::Closing) {
            let requests = server.shared.state().kinds.len();
            assert!(server.connections() >= requests, "{framing:?}: a connection for each");
        }
    });
}

/// Responses that no client can make sense of. `0` stands for a session that could otherwise begin.
const NONSENSE: [&str; 34] = [
    "HTTP/1.1\r\n\r\n",
    "HTTP/1.1 \r\n\r\n",
    "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 -200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "ICY 200 OK\r\nContent-Length: 0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: you\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA Name: with a space\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n0",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n0",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n0",
    "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n0",
    "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n0",
    "HTTP/1.1 200 OK\r\nContent-Length: 1.5\r\n\r\n0",
    "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n0",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n0",
    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n0",
    "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n0",
    "HTTP/1.1 200 OK\r\nContent-Length: 70000000\r\n\r\n0",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n0",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n0",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n0",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n01234\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000001\r\n0",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n0",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n01234\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: rot13, chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n",
];

#[test]
fn nonsense_is_refused_at_once_in_a_handshake() {
    all(&NONSENSE, |&answer| {
        let server = Server::answering(answer);
        let mut client = Client::connect(&server, &["--transports", "polling"]);
        client.error(&["protocol", "too_large"]);
        client.ended(1);
        let elapsed = client.elapsed();
        assert!(elapsed < Duration::from_secs(5), "{answer:?}: waited {elapsed:?}");
        assert_eq!(server.shared.state().kinds, [Kind::Open]);
    });
}

#[test]
fn nonsense_ends_a_session_at_once() {
    all(&NONSENSE, |&answer| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Poll => {
                visit.write(answer);
                visit.stay_silent()
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        client.failed(&["transport error"]);
        client.ended(1);
        assert!(client.elapsed() < Duration::from_secs(5), "{answer:?}");
        assert_eq!(server.count(Kind::Poll), 1);
    });
}

#[test]
fn nonsense_in_answer_to_a_post_ends_the_session() {
    all(&NONSENSE, |&answer| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Post => {
                visit.take_payload();
                visit.write(answer);
                visit.stay_silent()
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        client.send("once");
        client.failed(&["transport error"]);
        client.ended_in_doubt(&[1]);
        server.assert_messages(&["4once"]);
    });
}

/// A session opens with this in place of the plain `200` and its length.
fn opened_by(head: &'static str, body: fn(String) -> Vec<u8>) -> Server {
    Server::start(Config::default(), move |visit| match visit.kind {
        Kind::Open => {
            let packet = visit.open_session();
            let mut bytes = head.replace("{}", &packet.len().to_string()).into_bytes();
            bytes.extend(body(packet));
            visit.write(bytes);
            // (A server that hangs up without having said so has a test of its own.)
            if head.contains("close") || head.contains("HTTP/1.0 200 OK\r\n\r\n") {
                return Next::Close;
            }
            Next::KeepAlive
        }
        _ => Next::Usual,
    })
}

/// It goes on, or it is refused; which of them is a matter of taste.
#[track_caller]
fn works_or_is_refused(server: &Server, arguments: &[&str]) {
    let mut client = Client::connect(server, arguments);
    match client.next() {
        Event::Open { sid, .. } => {
            assert_eq!(sid, server.sid());
            client.goes_on(server);
            client.close();
        }
        Event::Error { kind, .. } => {
            assert!(["protocol", "refused", "connection"].contains(&kind.as_str()), "{kind}");
            client.ended(1);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn doubtful_heads_work_or_are_refused() {
    let heads = [
        "HTTP/1.1 200 OK\nContent-Length: {}\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Length: {}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: {}, {}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: {}\r\n\r\n",
        "HTTP/1.1  200  OK\r\nContent-Length: {}\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : {}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: \u{e9}\r\nContent-Length: {}\r\n\r\n",
        "HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n",
        "HTTP/1.1 200 \u{e9}\r\nContent-Length: {}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: {}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: {}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 000000{}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: upgrade, what, close\r\nUpgrade: h2\r\nContent-Length: {}\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\r\n",
    ];
    all(&heads, |&head| {
        works_or_is_refused(&opened_by(head, String::into_bytes), &["--transports", "polling"]);
    });
}

#[test]
fn a_length_and_chunks_at_once_are_no_way_in() {
    // Whoever believes the length would take what is behind it for another response.
    let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n4ghost";
    for order in [
        ["Content-Length: 6", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 6"],
    ] {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Poll if visit.nth == 0 => {
                let [first, second] = order;
                visit.write(format!(
                    "HTTP/1.1 200 OK\r\n{first}\r\n{second}\r\n\r\n5\r\n4real\r\n0\r\n\r\n{smuggled}"
                ));
                Next::KeepAlive
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        match client.next() {
            Event::Text(text) => {
                assert_eq!(text, "real");
                client.goes_on(&server);
                client.close();
            }
            Event::Error { kind, .. } => {
                assert_eq!(kind, "protocol");
                client.closed(&["transport error"]);
                client.ended(1);
            }
            Event::Close(reason) => {
                assert_eq!(reason, "transport error");
                client.ended(1);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_comes_behind_a_response_belongs_to_none() {
    let answers: [&str; 4] = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n4realHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n4ghost",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n4real\x1e4ghost",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n4real\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n4real\r\n0\r\n\r\n6\r\n4ghost\r\n0\r\n\r\n",
    ];
    all(&answers, |&answer| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Poll if visit.nth == 0 => {
                visit.write(answer);
                Next::KeepAlive
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        // Such a server may be left; what it sent may not be taken for what it is not.
        match client.next() {
            Event::Text(text) => assert_eq!(text, "real"),
            Event::Error { kind, .. } => {
                assert_eq!(kind, "protocol", "{answer:?}");
                client.closed(&["transport error", "parse error"]);
                client.ended(1);
                return;
            }
            other => panic!("{answer:?}: {other:?}"),
        }
        server.push("4next");
        match client.next() {
            Event::Text(text) => {
                assert_eq!(text, "next", "{answer:?}");
                client.close();
            }
            Event::Error { kind, .. } => {
                assert_eq!(kind, "protocol", "{answer:?}");
                client.closed(&["transport error", "parse error"]);
                client.ended(1);
            }
            Event::Close(reason) => {
                assert_eq!(reason, "transport error", "{answer:?}");
                client.ended(1);
            }
            other => panic!("{answer:?}: {other:?}"),
        }
    });
}

/// A poll is answered by these bytes; the session must not outlive it.
#[track_caller]
fn ends_the_session(answer: &[u8]) {
    let answer = answer.to_vec();
    let server = Server::start(Config::default(), move |visit| match visit.kind {
        Kind::Poll => {
            visit.write(&answer);
            Next::Close
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.failed(&["transport error", "parse error"]);
    client.ended(1);
    assert_eq!(server.count(Kind::Poll), 1, "asked again");
}

fn encoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn gzip_that_is_none_ends_the_session() {
    let whole = gzip(b"4hello");
    let mut wrong_checksum = whole.clone();
    let at = wrong_checksum.len() - 8;
    wrong_checksum[at] ^= 1;
    let mut wrong_size = whole.clone();
    *wrong_size.last_mut().expect("bytes") ^= 1;
    let bodies = [
        b"4hello".to_vec(),
        b"\x1f\x8b".to_vec(),
        b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x07\xff\xff\xff".to_vec(),
        whole[..12].to_vec(),
        whole[..whole.len() - 9].to_vec(),
        whole[..whole.len() - 4].to_vec(),
        wrong_checksum,
        wrong_size,
        Vec::new(),
    ];
    all(&bodies, |body| ends_the_session(&encoded("gzip", body)));
}

#[test]
fn encodings_nobody_asked_for_end_the_session() {
    for encoding in ["br", "zstd", "compress", "gzip, gzip", "made-up"] {
        ends_the_session(&encoded(encoding, b"4hello"));
    }
}

#[test]
fn a_gzip_bomb_is_refused() {
    let body = bomb(80_000_000);
    assert!(body.len() < 600_000, "that is no bomb: {}", body.len());
    ends_the_session(&encoded("gzip", &body));
}

#[test]
fn gzip_in_pieces_works() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Poll if visit.nth == 0 => {
            let text = format!("4{}", "again and ".repeat(20_000));
            let bytes = encoded("gzip", &gzip(text.as_bytes()));
            for piece in bytes.chunks(3_001) {
                visit.write(piece);
                visit.sleep(1);
            }
            Next::KeepAlive
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.text(&"again and ".repeat(20_000));
    client.goes_on(&server);
    client.close();
}

#[test]
fn a_huge_head_is_refused() {
    fn flood(visit: &mut Visit) -> Next {
        visit.write("HTTP/1.1 200 OK\r\n");
        for at in 0..40_000 {
            if !visit.write(format!("X-Header-{at}: {}\r\n", "x".repeat(200))) {
                return Next::Close;
            }
        }
        visit.complain("eight MB of a head were taken");
        Next::Close
    }
    fn line(visit: &mut Visit) -> Next {
        visit.write("HTTP/1.1 200 OK\r\nX: ");
        for _ in 0..8_000 {
            if !visit.write([b'x'; 1000]) {
                return Next::Close;
            }
        }
        visit.complain("eight MB of a header were taken");
        Next::Close
    }
    fn interim(visit: &mut Visit) -> Next {
        for _ in 0..400_000 {
            if !visit.write("HTTP/1.1 102 Processing\r\n\r\n") {
                return Next::Close;
            }
        }
        visit.complain("400000 interim responses were taken");
        Next::Close
    }
    let floods: [fn(&mut Visit) -> Next; 3] = [flood, line, interim];
    for transport in ["polling", "websocket"] {
        for flood in floods {
            let server = Server::start(Config::default(), flood);
            let client = Client::connect(&server, &["--transports", transport, "--timeout", "5s"]);
            client.refused(&["protocol", "too_large"]);
        }
    }
}

#[test]
fn an_announced_flood_is_refused_at_once() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n4";
    let server = Server::start(Config::default(), move |visit| match visit.kind {
        Kind::Poll => {
            visit.write(answer);
            visit.stay_silent()
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.error(&["protocol"]);
    client.closed(&["transport error"]);
    client.ended(1);
    assert!(client.elapsed() < Duration::from_secs(5));
}
