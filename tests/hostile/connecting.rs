//! Connections that come to nothing.

use std::net::TcpListener;
use std::time::Duration;

use crate::client::{Client, all};
use crate::request::Request;
use crate::server::Server;
use crate::session::Config;
use crate::socket::{PATIENCE, Socket};
use crate::visit::Next;

const TRANSPORTS: [&[&str]; 3] = [
    &["--transports", "polling"],
    &["--transports", "websocket"],
    &["--transports", "polling,websocket"],
];

#[test]
fn nobody_listens() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("its address")
    };
    all(&TRANSPORTS, |arguments| {
        let message = Client::connect_to(&format!("http://{address}"), arguments).refused(&["connection"]);
        assert!(
            message.contains("refused") || message.contains(&address.port().to_string()),
            "{message}"
        );
    });
}

#[test]
fn hung_up_on_at_once() {
    all(&TRANSPORTS, |arguments| {
        let server = Server::accepting(|_, _| {});
        Client::connect(&server, arguments).refused(&["connection"]);
    });
}

#[test]
fn reset_at_once() {
    all(&TRANSPORTS, |arguments| {
        let server = Server::accepting(|_, socket| socket.reset());
        Client::connect(&server, arguments).refused(&["connection"]);
    });
}

#[test]
fn hung_up_on_after_the_request() {
    all(&TRANSPORTS, |arguments| {
        let server = Server::start(Config::default(), |_| Next::Close);
        Client::connect(&server, arguments).refused(&["connection"]);
    });
}

#[test]
fn reset_after_the_request() {
    all(&TRANSPORTS, |arguments| {
        let server = Server::start(Config::default(), |visit| visit.reset());
        Client::connect(&server, arguments).refused(&["connection"]);
    });
}

#[test]
fn half_closed_before_the_answer() {
    // It reads on, and a client that waits for more would wait for ever.
    fn half_close(socket: &mut Socket) {
        let _request = Request::take(socket, PATIENCE);
        socket.finish_sending();
        socket.wait_for_hangup();
    }
    all(&TRANSPORTS, |arguments| {
        let server = Server::accepting(|_, socket| half_close(socket));
        let mut client = Client::connect(&server, arguments);
        client.error(&["connection"]);
        client.ended(1);
        assert!(client.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn the_head_breaks_off() {
    let heads = [
        "H",
        "HTTP/1.1",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ];
    all(&heads, |&head| {
        for transport in ["polling", "websocket"] {
            let server = Server::start(Config::default(), move |visit| {
                visit.write(head);
                Next::Close
            });
            Client::connect(&server, &["--transports", transport]).refused(&["connection", "protocol"]);
        }
    });
}

#[test]
fn the_open_packet_breaks_off() {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 120\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 120\r\n\r\n0{\"sid\":\"abc\"",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n0{\"s",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n0{}\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n0{}\r\n0\r\n",
    ];
    all(&answers, |&answer| {
        for is_reset in [false, true] {
            let server = Server::start(Config::default(), move |visit| {
                visit.write(answer);
                if is_reset { visit.reset() } else { Next::Close }
            });
            let client = Client::connect(&server, &["--transports", "polling"]);
            client.refused(&["connection", "protocol"]);
        }
    });
}

#[test]
fn the_first_frame_breaks_off() {
    for bytes in [
        &b""[..],
        b"\x81",
        b"\x81\x7e\x10",
        b"\x81\x200{\"sid\"",
        b"\x01\x200{\"sid\"",
    ] {
        let server = Server::start(Config::default(), move |visit| {
            visit.accept();
            visit.write(bytes);
            Next::Close
        });
        let client = Client::connect(&server, &["--transports", "websocket"]);
        client.refused(&["connection", "protocol"]);
    }
}

#[test]
fn another_protocol_altogether() {
    let greetings: [&[u8]; 7] = [
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"220 mail.example ESMTP\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
        b"-ERR unknown command\r\n\r\n",
        b"\0\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\r\n\r\n",
        b"<!DOCTYPE html><html></html>\r\n\r\n",
        b"\r\n\r\n\r\n\r\n\r\n\r\n",
    ];
    all(&greetings, |greeting| {
        for transport in ["polling", "websocket"] {
            let greeting = greeting.to_vec();
            let server = Server::start(Config::default(), move |visit| {
                visit.write(&greeting);
                Next::Close
            });
            let client = Client::connect(&server, &["--transports", transport]);
            client.refused(&["protocol", "connection"]);
        }
    });
}
