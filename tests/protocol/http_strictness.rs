//! HTTP/1.1 to the letter: what could be understood in two ways is refused and the connection closed,
//! what the letter allows works.

use std::time::{Duration, Instant};

use crate::http::{Connection, NoAnswer, PATIENCE, Response};
use crate::server::Server;
use crate::session::{POLLING, Session, settle};
use crate::websocket::{KEY, WEBSOCKET};

/// These bytes get a clean refusal, and then the connection is closed.
#[track_caller]
fn assert_refused(server: &Server, bytes: impl AsRef<[u8]>) -> u16 {
    let bytes = bytes.as_ref();
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    let mut connection = server.connect();
    connection.send(bytes);
    let response = connection
        .response_within(PATIENCE)
        .unwrap_or_else(|reason| panic!("{reason:?} instead of a refusal of {shown:?}"));
    assert!(
        matches!(response.status, 400..=499 | 501 | 505),
        "{shown:?} got {response:?}"
    );
    connection.assert_closed();
    response.status
}

/// A handshake's head with one line more, or one in place of another.
fn head(lines: &str) -> String {
    format!("GET {POLLING} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

/// Ends the session that a served handshake has opened.
#[track_caller]
fn close_opened(server: &Server, response: &Response) {
    Session::from_response(server, response).close();
}

#[test]
fn content_length_with_transfer_encoding_is_refused() {
    let server = Server::start();
    let session = Session::open(&server);
    for lines in [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Content-Length: 0", "transfer-encoding: chunked"],
    ] {
        let mut bytes = session.bytes("POST", &lines, None);
        bytes.extend_from_slice(b"2\r\n4a\r\n0\r\n\r\n");
        assert_refused(&server, bytes);
    }
    session.assert_echoes("nothing came of it");
    session.close();
    server.finish();
}

#[test]
fn two_content_lengths_are_refused() {
    let server = Server::start();
    let session = Session::open(&server);
    for lines in [
        &["Content-Length: 2", "Content-Length: 3"][..],
        &["Content-Length: 2", "Content-Length: 2"],
        &["Content-Length: 2, 2"],
        &["Content-Length: 2,3"],
    ] {
        let mut bytes = session.bytes("POST", lines, None);
        bytes.extend_from_slice(b"4a");
        assert_refused(&server, bytes);
    }
    session.assert_echoes("nothing came of it");
    session.close();
    server.finish();
}

#[test]
fn content_length_that_is_no_number_is_refused() {
    let server = Server::start();
    let session = Session::open(&server);
    for length in [
        "",
        "+2",
        "-2",
        "2x",
        "x",
        "0x2",
        "2 2",
        "2.0",
        "\"2\"",
        "99999999999999999999999",
    ] {
        let header = format!("Content-Length: {length}");
        let mut bytes = session.bytes("POST", &[&header], None);
        bytes.extend_from_slice(b"4a");
        assert_refused(&server, bytes);
    }
    session.assert_echoes("nothing came of it");
    session.close();
    server.finish();
}

#[test]
fn any_transfer_encoding_but_chunked_is_refused() {
    let server = Server::start();
    let session = Session::open(&server);
    for lines in [
        &["Transfer-Encoding: gzip, chunked"][..],
        &["Transfer-Encoding: chunked, gzip"],
        &["Transfer-Encoding: chunked, chunked"],
        &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        &["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        &["Transfer-Encoding: identity"],
        &["Transfer-Encoding: xchunked"],
        &["Transfer-Encoding: \"chunked\""],
        &["Transfer-Encoding: chunked;q=1"],
        &["Transfer-Encoding: \x0bchunked"],
        &["Transfer-Encoding:"],
    ] {
        let mut bytes = session.bytes("POST", lines, None);
        bytes.extend_from_slice(b"2\r\n4a\r\n0\r\n\r\n");
        assert_refused(&server, bytes);
    }
    session.assert_echoes("nothing came of it");
    session.close();
    server.finish();
}

#[test]
fn bare_line_feeds_are_refused() {
    let server = Server::start();
    assert_refused(&server, head("").replace("\r\n", "\n"));
    assert_refused(&server, head("X: y\n"));
    assert_refused(&server, head("X: y\nZ: a\r\n"));
    assert_refused(&server, head("").replacen("\r\n", "\n", 1));
    assert_refused(&server, head("X: a\rb\r\n"));
    server.finish();
}

#[test]
fn folded_headers_are_refused() {
    let server = Server::start();
    assert_refused(&server, head("X: a\r\n b\r\n"));
    assert_refused(&server, head("X: a\r\n\tb: c\r\n"));
    assert_refused(&server, format!("GET {POLLING} HTTP/1.1\r\n Host: localhost\r\n\r\n"));
    server.finish();
}

#[test]
fn missing_or_second_host_is_refused() {
    let server = Server::start();
    assert_refused(&server, format!("GET {POLLING} HTTP/1.1\r\n\r\n"));
    assert_refused(&server, format!("GET {POLLING} HTTP/1.1\r\nX-Host: localhost\r\n\r\n"));
    assert_refused(&server, head("Host: other.example\r\n"));
    assert_refused(&server, head("host: localhost\r\n"));
    server.finish();
}

#[test]
fn malformed_headers_are_refused() {
    let server = Server::start();
    for line in [
        "X : y",
        "X\t: y",
        "Content-Length : 5",
        " X: y",
        "no colon",
        ": no name",
        "X\0: y",
        "X: a\0b",
        "X: \x7f",
        "(X): y",
        "X\u{e9}: y",
    ] {
        assert_refused(&server, head(&format!("{line}\r\n")));
    }
    server.finish();
}

#[test]
fn malformed_request_lines_are_refused() {
    let server = Server::start();
    for line in [
        format!("GET  {POLLING} HTTP/1.1"),
        format!("GET {POLLING}  HTTP/1.1"),
        format!("GET {POLLING} HTTP/1.1 x"),
        format!(" GET {POLLING} HTTP/1.1"),
        format!("G(T {POLLING} HTTP/1.1"),
        format!("GET {POLLING} HTTP/1"),
        format!("GET {POLLING} http/1.1"),
        format!("GET {POLLING} HTTP/11.1"),
        format!("GET {POLLING} FTP/1.1"),
        format!("GET {POLLING}"),
        "GET HTTP/1.1".to_owned(),
        "GET".to_owned(),
        "GET /engine.io/?a b HTTP/1.1".to_owned(),
        "GET /engine.io/\x01 HTTP/1.1".to_owned(),
    ] {
        assert_refused(&server, format!("{line}\r\nHost: localhost\r\n\r\n"));
    }
    server.finish();
}

#[test]
fn other_http_versions_are_refused() {
    let server = Server::start();
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/9.9"] {
        assert_refused(&server, format!("GET {POLLING} {version}\r\nHost: localhost\r\n\r\n"));
    }
    server.finish();
}

#[test]
fn http_1_0_is_refused_or_answered_and_closed() {
    let server = Server::start();
    for lines in ["", "Host: localhost\r\n"] {
        let mut connection = server.connect();
        connection.send(format!("GET {POLLING} HTTP/1.0\r\n{lines}\r\n"));
        let response = connection.response();
        connection.assert_closed();
        if response.status == 200 {
            assert_eq!(response.header("transfer-encoding"), None);
            close_opened(&server, &response);
        } else {
            assert!(matches!(response.status, 400..=499 | 505), "{response:?}");
        }
    }
    let mut connection = server.connect();
    connection.send(format!(
        "GET {WEBSOCKET} HTTP/1.0\r\nHost: localhost\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    ));
    let response = connection.response();
    assert!(matches!(response.status, 400..=499 | 505), "{response:?}");
    server.finish();
}

#[test]
fn absolute_and_other_targets_are_refused_or_handled() {
    let server = Server::start();
    for target in [
        format!("http://localhost{POLLING}"),
        format!("https://other.example{POLLING}"),
        "*".to_owned(),
        "localhost:80".to_owned(),
        "engine.io/".to_owned(),
        "?EIO=4&transport=polling".to_owned(),
        format!("{POLLING}#fragment"),
    ] {
        let mut connection = server.connect();
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let response = connection.response();
        if response.status == 200 {
            close_opened(&server, &response);
        } else {
            assert!(matches!(response.status, 400..=499 | 501), "{target}: {response:?}");
        }
    }
    server.finish();
}

#[test]
fn too_large_heads_are_refused_with_431() {
    let server = Server::start();
    let long = "x".repeat(9 * 1024);
    assert_eq!(assert_refused(&server, head(&format!("X: {long}\r\n"))), 431);
    assert_eq!(assert_refused(&server, head(&format!("{long}: x\r\n"))), 431);
    let many: String = (0..600).map(|n| format!("X-{n}: 12345678\r\n")).collect();
    assert_eq!(assert_refused(&server, head(&many)), 431);
    // A target that long is the head's fault as well.
    let status = assert_refused(
        &server,
        format!("GET {POLLING}&x={long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    );
    assert!(matches!(status, 414 | 431), "{status}");
    server.finish();
}

#[test]
fn more_than_64_headers_are_refused_with_431() {
    let server = Server::start();
    let lines = |count: u32| -> String { (0..count).map(|n| format!("X-{n}: y\r\n")).collect() };
    let mut connection = server.connect();
    connection.send(head(&lines(63)));
    close_opened(&server, &connection.response());
    assert_eq!(assert_refused(&server, head(&lines(64))), 431);
    server.finish();
}

#[test]
fn head_of_nearly_8_kib_is_served() {
    let server = Server::start();
    let mut connection = server.connect();
    connection.send(head(&format!("X: {}\r\n", "x".repeat(8000))));
    close_opened(&server, &connection.response());
    server.finish();
}

/// Heads without end, of each kind: the server hangs up long before it has kept them.
#[test]
fn endless_heads_are_cut_off() {
    let server = Server::start();
    let before = server.peak_memory();
    let no_line_end = "x".repeat(4096);
    let headers = "X: y\r\n".repeat(700);
    let empty_lines = "\r\n".repeat(2048);
    for (start, more) in [
        ("", &no_line_end),
        ("GET /", &no_line_end),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nX: ", &no_line_end),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n", &headers),
        ("", &empty_lines),
    ] {
        let mut connection = server.connect();
        connection.send(start);
        let mut taken = 0;
        while taken < 4096 && connection.send_if_open(more, Duration::from_millis(500)) {
            taken += 1;
            let answer = connection.response_within(Duration::from_micros(1));
            if !matches!(answer, Err(NoAnswer::Late)) {
                break;
            }
        }
        assert!(taken < 4096, "16 MB of {start:?} and so on were taken");
    }
    server.assert_memory_flat(before);
    server.finish();
}

#[test]
fn garbage_is_refused() {
    let server = Server::start();
    // The start of a TLS handshake, HTTP/2's preface, SSH, bytes of all kinds.
    assert_refused(&server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\xde\xad\xbe\xef");
    assert_refused(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_refused(&server, b"SSH-2.0-OpenSSH_9.7\r\n\r\n");
    assert_refused(&server, [0; 64]);
    assert_refused(&server, [0xff; 64]);
    assert_refused(&server, b"\x81\x85\x00\x00\x00\x004hello");
    let mut state = 0x9e37_79b9_u32;
    for _ in 0..20 {
        let mut bytes: Vec<u8> = (0..300)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state as u8
            })
            .collect();
        // So that it is refused at the latest when its first line ends.
        bytes.extend_from_slice(b"\r\n\r\n");
        assert_refused(&server, bytes);
    }
    server.finish();
}

#[test]
fn malformed_chunks_are_refused() {
    let server = Server::start();
    let session = Session::open(&server);
    let long_extension = format!("2;{}\r\n4a\r\n0\r\n\r\n", "x".repeat(20_000));
    for body in [
        "x\r\n4a\r\n0\r\n\r\n",
        "\r\n4a\r\n0\r\n\r\n",
        "-2\r\n4a\r\n0\r\n\r\n",
        "+2\r\n4a\r\n0\r\n\r\n",
        "0x2\r\n4a\r\n0\r\n\r\n",
        " 2\r\n4a\r\n0\r\n\r\n",
        "2\n4a\r\n0\r\n\r\n",
        "2\r\n4abc\r\n0\r\n\r\n",
        "2\r\n4a0\r\n\r\n\r\n",
        "2\r\n4a\n0\r\n\r\n",
        "ffffffffffffffffff\r\n4a\r\n0\r\n\r\n",
        "10000000000000002\r\n4a\r\n0\r\n\r\n",
        &long_extension,
    ] {
        let mut bytes = session.bytes("POST", &["Transfer-Encoding: chunked"], None);
        bytes.extend_from_slice(body.as_bytes());
        assert_refused(&server, bytes);
    }
    session.assert_echoes("nothing came of it");
    session.close();
    server.finish();
}

#[test]
fn chunked_bodies_work() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut connection = server.connect();
    for (body, packet) in [
        ("2\r\n4a\r\n0\r\n\r\n", "4a"),
        ("1\r\n4\r\n1\r\nb\r\n0\r\n\r\n", "4b"),
        ("0002\r\n4c\r\n000\r\n\r\n", "4c"),
        ("A\r\n4012345678\r\n0\r\n\r\n", "4012345678"),
        ("2;name=value\r\n4d\r\n0\r\n\r\n", "4d"),
        ("2\r\n4e\r\n0\r\nTrailer: x\r\n\r\n", "4e"),
    ] {
        // In one piece and byte by byte, all on the same connection.
        for piece in [body.len(), 1] {
            connection.send(session.bytes("POST", &["Transfer-Encoding: chunked"], None));
            for bytes in body.as_bytes().chunks(piece) {
                connection.send(bytes);
            }
            connection.response().assert_ok("ok");
            assert_eq!(session.receive(1), [packet]);
        }
    }
    session.close();
    server.finish();
}

#[test]
fn byte_at_a_time_delivery_works() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut connection = server.connect();
    for byte in session.bytes("POST", &[], Some("4slow caf\u{e9}".as_bytes())) {
        connection.send([byte]);
    }
    connection.response().assert_ok("ok");
    assert_eq!(session.receive(1), ["4slow caf\u{e9}"]);
    session.close();
    server.finish();
}

#[test]
fn headers_are_understood_in_any_case() {
    let server = Server::start();
    let session = Session::open(&server);
    let target = session.target();
    let mut connection = server.connect();
    connection.send(format!(
        "POST {target} HTTP/1.1\r\nhOST:localhost\r\ncontent-LENGTH:  \t2 \r\n\r\n4a"
    ));
    connection.response().assert_ok("ok");
    assert_eq!(session.receive(1), ["4a"]);
    session.close();
    server.finish();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let mut connection = server.connect();
    let host = connection.host().to_owned();
    let get = |target: &str| crate::http::request("GET", target, &host, &[], None);

    // Handshakes, with something else between them.
    connection.send([get(POLLING), get("/nowhere"), get(POLLING)].concat());
    let first = Session::from_response(&server, &connection.response());
    assert_eq!(connection.response().status, 404);
    let second = Session::from_response(&server, &connection.response());
    assert_ne!(first.sid, second.sid);
    second.close();

    // Two POSTs and the poll for what they bring.
    connection.send(
        [
            first.bytes("POST", &[], Some(b"4one")),
            first.bytes("POST", &[], Some(b"4two")),
        ]
        .concat(),
    );
    connection.response().assert_ok("ok");
    connection.response().assert_ok("ok");
    assert_eq!(first.receive(2), ["4one", "4two"]);
    connection.send([first.bytes("POST", &[], Some(b"4three")), first.bytes("GET", &[], None)].concat());
    connection.response().assert_ok("ok");
    connection.response().assert_ok("4three");

    // Many.
    let many: Vec<u8> = (0..50)
        .flat_map(|number| first.bytes("POST", &[], Some(format!("4{number}").as_bytes())))
        .collect();
    connection.send(many);
    for _ in 0..50 {
        connection.response().assert_ok("ok");
    }
    let expected: Vec<String> = (0..50).map(|number| format!("4{number}")).collect();
    assert_eq!(first.receive(50), expected);
    first.close();
    server.finish();
}

#[test]
fn request_behind_a_waiting_poll_waits_its_turn() {
    // A ping ends the poll. (A message would come with another POST, which the one behind must not overlap.)
    let server = Server::with(&["--ping-interval", "400ms"]);
    let session = Session::open(&server);
    let mut connection = server.connect();
    connection.send(
        [
            session.bytes("GET", &[], None),
            session.bytes("POST", &[], Some(b"4behind")),
        ]
        .concat(),
    );
    connection.assert_silent(Duration::from_millis(80));
    connection.response().assert_ok("2");
    connection.response().assert_ok("ok");
    assert_eq!(session.receive(1), ["4behind"]);
    session.close();
    server.finish();
}

#[test]
fn connections_are_kept_alive() {
    let server = Server::start();
    let mut connection = server.connect();
    let response = connection.get(POLLING);
    let session = Session::from_response(&server, &response);
    for number in 0..100 {
        let packet = format!("4{number}");
        connection.post(&session.target(), &packet).assert_ok("ok");
        connection.get(&session.target()).assert_ok(&packet);
    }
    session.close();
    server.finish();
}

#[test]
fn connection_close_is_honoured() {
    let server = Server::start();
    let session = Session::open(&server);
    for header in ["Connection: close", "connection: Close", "Connection: x, close"] {
        let mut connection = server.connect();
        connection.request("POST", &session.target(), &[header], Some(b"4a"));
        connection.response().assert_ok("ok");
        connection.assert_closed();
        let mut connection = server.connect();
        connection.request("GET", &session.target(), &[header], None);
        connection.response().assert_ok("4a");
        connection.assert_closed();
        let mut connection = server.connect();
        connection.request("GET", "/nowhere", &[header], None);
        assert_eq!(connection.response().status, 404);
        connection.assert_closed();
    }
    session.close();
    server.finish();
}

#[test]
fn expect_100_continue_does_not_hang() {
    let server = Server::start();
    let session = Session::open(&server);
    let header = ["Expect: 100-continue", "Content-Length: 7"];

    // A patient client waits for the interim response, if only for a while.
    let mut connection = server.connect();
    connection.send(session.bytes("POST", &header, None));
    let response = connection.response_without_body();
    assert_eq!(response.status, 100, "{response:?}");
    connection.send("4patien");
    connection.response().assert_ok("ok");
    assert_eq!(session.receive(1), ["4patien"]);

    // An impatient one sends its body at once.
    let mut connection = server.connect();
    let mut bytes = session.bytes("POST", &header, None);
    bytes.extend_from_slice(b"4hasty!");
    connection.send(bytes);
    connection.response().assert_ok("ok");
    assert_eq!(session.receive(1), ["4hasty!"]);

    // Nobody wants a body that is too large.
    let mut connection = server.connect();
    let header = ["Expect: 100-continue", "Content-Length: 1000001"];
    connection.send(session.bytes("POST", &header, None));
    assert_eq!(connection.response().status, 413);

    let mut connection = server.connect();
    connection.request("GET", "/nowhere", &["Expect: 200-miracle"], None);
    assert!(matches!(connection.response().status, 404 | 417));
    session.close();
    server.finish();
}

#[test]
fn body_of_a_get_is_not_taken_for_a_request() {
    let server = Server::start();
    let mut connection = server.connect();
    let host = connection.host().to_owned();
    let smuggled = crate::http::request("GET", POLLING, &host, &[], None);
    connection.request("GET", "/nowhere", &[], Some(&smuggled));
    let response = connection.response();
    assert!((400..500).contains(&response.status), "{response:?}");
    settle();
    assert_eq!(server.stats().opened, 0);
    server.finish();
}

#[test]
fn empty_lines_before_a_request_are_refused_or_passed_over() {
    let server = Server::start();
    let mut connection = server.connect();
    connection.send(format!("\r\n{}", head("")));
    let response = connection.response();
    if response.status == 200 {
        close_opened(&server, &response);
    } else {
        assert_eq!(response.status, 400);
        connection.assert_closed();
    }
    server.finish();
}

/// Waits for a slow request's end: 408 or nothing, but closed, and when.
fn wait_for_end(connection: &mut Connection, since: Instant, limit: Duration) -> Duration {
    match connection.response_within(limit) {
        Ok(response) => {
            assert_eq!(response.status, 408);
            connection.assert_closed();
        }
        Err(reason) => assert_ne!(reason, NoAnswer::Late, "still open after {limit:?}"),
    }
    since.elapsed()
}

/// A head that trickles in, one that stopped, a body that stopped, and a connection that never says
/// anything: the first two have ten seconds, and none of them keeps anybody else waiting meanwhile.
#[test]
fn slow_heads_and_bodies_block_nobody_and_heads_end_by_their_deadline() {
    let server = Server::start();
    let session = Session::open(&server);
    let since = Instant::now();
    let silent = server.connect();
    let mut stopped = server.connect();
    stopped.send("GET /engine.io/?EIO=4&trans");
    let mut trickling = server.connect();
    trickling.send("GET /engine.io/ HTTP/1.1\r\n");
    let mut stopped_upgrade = server.connect();
    stopped_upgrade.send(format!("GET {WEBSOCKET} HTTP/1.1\r\nHost: localhost\r\nUpgrade: web"));
    let slow = Session::open(&server);
    let mut body = server.connect();
    body.send(slow.bytes("POST", &["Content-Length: 20"], None));
    body.send("4half");

    // Others do not notice; and a byte now and then does not buy more time.
    while since.elapsed() < Duration::from_secs(8) {
        trickling.send("X");
        server.assert_serves();
        session.assert_echoes("meanwhile");
        std::thread::sleep(Duration::from_millis(400));
    }
    let limit = Duration::from_secs(4);
    for connection in [&mut stopped, &mut trickling, &mut stopped_upgrade] {
        let elapsed = wait_for_end(connection, since, limit);
        assert!(elapsed < Duration::from_secs(12), "{elapsed:?}");
    }
    drop((silent, body));
    for session in [session, slow] {
        session.assert_echoes("after all");
        session.close();
    }
    server.finish();
}
