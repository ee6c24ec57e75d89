//! Servers that take their time, within the limits and beyond them.

use std::time::Duration;

use crate::client::{Client, all};
use crate::frames::{FIN, TEXT, frame};
use crate::request::Kind;
use crate::server::Server;
use crate::session::{Config, Framing};
use crate::visit::Next;

/// It ends by `--timeout`, not before 500 ms and not long after.
#[track_caller]
fn times_out(server: &Server, transport: &str) {
    let mut client = Client::connect(server, &["--timeout", "500ms", "--transports", transport]);
    client.error(&["timeout"]);
    client.ended(1);
    let elapsed = client.elapsed();
    assert!(elapsed >= Duration::from_millis(450), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(4), "{elapsed:?}");
}

#[test]
fn slow_answers_are_answers() {
    for transport in ["polling", "websocket"] {
        let server = Server::start(Config::default(), |visit| {
            visit.sleep(300);
            Next::Usual
        });
        let mut client = Client::connect(&server, &["--transports", transport]);
        client.opened(transport);
        client.goes_on(&server);
        client.close();
    }
}

#[test]
fn a_trickle_is_an_answer() {
    let server = Server::start(Config::default().framed(Framing::Trickled), |_| Next::Usual);
    let mut client = Client::connect(&server, &["--timeout", "5s"]);
    client.opened("polling");
    client.goes_on(&server);
    client.close();
}

#[test]
fn silent_after_the_accept() {
    all(
        &["polling", "websocket", "polling,websocket", "websocket,polling"],
        |transports| {
            let server = Server::accepting(|_, socket| {
                socket.wait_for_hangup();
            });
            times_out(&server, transports);
        },
    );
}

#[test]
fn never_accepted() {
    // The kernel completes the connection; nobody takes it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let mut client = Client::connect_to(&format!("http://{address}"), &["--timeout", "500ms"]);
    client.error(&["timeout"]);
    client.ended(1);
    assert!(client.elapsed() < Duration::from_secs(4), "{:?}", client.elapsed());
}

#[test]
fn a_head_that_drips_beyond_the_timeout() {
    for transport in ["polling", "websocket"] {
        let server = Server::start(Config::default(), |visit| {
            let head = format!("HTTP/1.1 200 OK\r\nX-Slow: {}\r\n", "x".repeat(1_000));
            visit.socket.trickle(head, Duration::from_millis(20));
            visit.stay_silent()
        });
        times_out(&server, transport);
    }
}

#[test]
fn a_body_that_drips_beyond_the_timeout() {
    let server = Server::start(Config::default(), |visit| {
        visit.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while visit.write("1\r\n0\r\n") && !visit.shared.is_stopping() {
            visit.sleep(20);
        }
        Next::Close
    });
    times_out(&server, "polling");
}

#[test]
fn a_websocket_that_drips_beyond_the_timeout() {
    let server = Server::start(Config::default(), |visit| {
        visit.accept();
        let packet = visit.shared.config.open_packet(&"x".repeat(500), false);
        visit
            .socket
            .trickle(frame(FIN | TEXT, packet.as_bytes()), Duration::from_millis(20));
        visit.stay_silent()
    });
    times_out(&server, "websocket");
}

#[test]
fn a_websocket_without_an_open_packet() {
    let server = Server::start(Config::default(), |visit| {
        visit.accept();
        visit.stay_silent()
    });
    times_out(&server, "websocket");
}

#[test]
fn interim_answers_without_end() {
    for transport in ["polling", "websocket"] {
        let server = Server::start(Config::default(), |visit| {
            while visit.write("HTTP/1.1 102 Processing\r\n\r\n") && !visit.shared.is_stopping() {
                visit.sleep(50);
            }
            Next::Close
        });
        let mut client = Client::connect(&server, &["--timeout", "500ms", "--transports", transport]);
        // Enough of them may be too many.
        client.error(&["timeout", "protocol"]);
        client.ended(1);
        assert!(client.elapsed() < Duration::from_secs(4), "{:?}", client.elapsed());
    }
}

#[test]
fn the_timeout_is_for_connecting_only() {
    // Longer silences later are the business of the heartbeat.
    for transport in ["polling", "websocket"] {
        let server = Server::usual(Config::default());
        let mut client = Client::connect(&server, &["--timeout", "700ms", "--transports", transport]);
        client.opened(transport);
        assert_eq!(client.next_within(Duration::from_millis(1_000)), None);
        client.goes_on(&server);
        client.close();
        assert_eq!(server.count(Kind::Open) + server.count(Kind::Direct), 1);
    }
}

#[test]
fn the_slow_first_transport_leaves_time_for_the_second() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Open => {
            visit.sleep(300);
            visit.answer("500 Internal Server Error", &[], "")
        }
        _ => {
            visit.sleep(300);
            Next::Usual
        }
    });
    let mut client = Client::connect(&server, &["--timeout", "5s"]);
    client.opened("websocket");
    client.goes_on(&server);
    client.close();
}
