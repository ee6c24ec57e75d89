//! Frames and packets on an open WebSocket.

use crate::client::{Client, all};
use crate::frames::{BINARY, CLOSE, CONTINUATION, FIN, Incoming, PING, PONG, TEXT, frame, header};
use crate::server::Server;
use crate::session::Config;
use crate::socket::PATIENCE;
use crate::visit::{Next, Visit};

const WEBSOCKET: [&str; 2] = ["--transports", "websocket"];

/// Opens a WebSocket and goes on with the script.
fn opened(script: impl Fn(&mut Visit) -> Next + Send + Sync + 'static) -> Server {
    Server::start(Config::default(), move |visit| {
        visit.open_directly();
        script(visit)
    })
}

#[test]
fn wrong_frames_end_it() {
    let cases: [Vec<u8>; 23] = [
        // Masked, as only clients do it.
        b"\x81\x82\0\0\0\x004a".to_vec(),
        b"\x89\x80\x01\x02\x03\x04".to_vec(),
        // Reserved bits and opcodes.
        frame(FIN | 0x40 | TEXT, b"4a"),
        frame(FIN | 0x20 | TEXT, b"4a"),
        frame(FIN | 0x10 | BINARY, b"4a"),
        frame(FIN | 0x40 | PING, b""),
        frame(FIN | 0x3, b"4a"),
        frame(FIN | 0x7, b"4a"),
        frame(FIN | 0xb, b""),
        frame(FIN | 0xf, b""),
        // Control frames in fragments, and too large ones.
        frame(PING, b""),
        frame(CLOSE, b""),
        frame(FIN | PING, &[b'x'; 126]),
        frame(FIN | PONG, &[b'x'; 300]),
        frame(FIN | CLOSE, &[3; 126]),
        // Wrong sequences.
        frame(FIN | CONTINUATION, b"4a"),
        frame(CONTINUATION, b"4a"),
        [frame(TEXT, b"4a"), frame(FIN | TEXT, b"4b")].concat(),
        [frame(TEXT, b"4a"), frame(BINARY, b"b")].concat(),
        // Lengths that are none, or that nobody can mean.
        header(FIN | TEXT, 1 << 63),
        header(FIN | TEXT, u64::MAX),
        header(FIN | BINARY, 1 << 40),
        [frame(TEXT, b"4a"), header(FIN | CONTINUATION, 1 << 40)].concat(),
    ];
    all(&cases, |bytes| {
        let bytes = bytes.clone();
        let server = opened(move |visit| {
            visit.text("4before");
            visit.write(&bytes);
            visit.text("4ghost");
            visit.stay_silent()
        });
        let mut client = Client::connect(&server, &WEBSOCKET);
        client.opened("websocket");
        client.text("before");
        client.error(&["protocol", "too_large"]);
        client.closed(&["parse error", "transport error"]);
        client.ended(1);
        assert_eq!(server.sessions(), 1);
    });
}

#[test]
fn text_that_is_none_ends_it() {
    let cases: [Vec<u8>; 7] = [
        frame(FIN | TEXT, b"4\xff"),
        frame(FIN | TEXT, b"\xff"),
        frame(FIN | TEXT, b"4\xc3"),
        frame(FIN | TEXT, b"4\xed\xa0\x80"),
        frame(FIN | TEXT, b"4\xc0\xaf"),
        frame(FIN | TEXT, b"4\xf4\x90\x80\x80"),
        [frame(TEXT, b"4\xc3"), frame(FIN | CONTINUATION, b"x")].concat(),
    ];
    all(&cases, |bytes| {
        let bytes = bytes.clone();
        let server = opened(move |visit| {
            visit.write(&bytes);
            visit.text("4ghost");
            visit.stay_silent()
        });
        let mut client = Client::connect(&server, &WEBSOCKET);
        client.opened("websocket");
        client.error(&["protocol"]);
        client.closed(&["parse error", "transport error"]);
        client.ended(1);
    });
}

#[test]
fn malformed_packets_are_parse_errors() {
    let second_open = Config::default().open_packet("other", false);
    let packets = [
        "",
        "7",
        "9x",
        "a",
        " 4a",
        "-",
        "\0",
        "é",
        "\x1e",
        "{}",
        &second_open,
        "0",
        "0{}",
    ];
    all(&packets, |packet| {
        let packet = packet.to_string();
        let server = opened(move |visit| {
            visit.text("4before");
            visit.text(&packet);
            visit.text("4ghost");
            visit.stay_silent()
        });
        let mut client = Client::connect(&server, &WEBSOCKET);
        client.opened("websocket");
        client.text("before");
        client.error(&["protocol"]);
        client.closed(&["parse error"]);
        client.ended(1);
    });
}

#[test]
fn harmless_packets_are_ignored() {
    let server = opened(|visit| {
        for harmless in ["3", "3probe", "6", "5", "3x", "6"] {
            visit.text(harmless);
        }
        visit.text("4after");
        visit.serve_websocket()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.text("after");
    client.goes_on(&server);
    client.close();
}

#[test]
fn a_record_separator_is_nothing_special_here() {
    let server = opened(|visit| {
        visit.text("4a\x1e4b");
        visit.serve_websocket()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.text("a\u{1e}4b");
    client.send("c\u{1e}4d");
    server.wait_for_messages(&["4c\u{1e}4d"]);
    client.close();
}

#[test]
fn every_right_way_to_send_a_message_works() {
    let server = opened(|visit| {
        // In fragments, empty ones among them, with control frames in between, a character cut in two.
        visit.frame(TEXT, b"4one \xc3");
        visit.frame(FIN | PING, b"between");
        visit.frame(CONTINUATION, b"");
        visit.frame(FIN | PONG, b"nobody asked");
        visit.frame(CONTINUATION, b"\xa9");
        visit.frame(FIN | CONTINUATION, b"");
        visit.frame(TEXT, b"");
        visit.frame(FIN | CONTINUATION, b"4two");
        // Binary ones: empty, whole, in fragments.
        visit.frame(FIN | BINARY, b"");
        visit.frame(FIN | BINARY, b"4\xff\0");
        visit.frame(BINARY, b"\x01");
        visit.frame(FIN | CONTINUATION, b"\x02");
        visit.frame(FIN | TEXT, b"4");
        // Each of the three ways to write a length.
        for length in [124, 125, 65_534, 65_535, 300_000] {
            visit.text(&format!("4{}", "x".repeat(length)));
        }
        // A byte at a time.
        let bytes = frame(FIN | TEXT, "4é slowly".as_bytes());
        visit.socket.trickle(bytes, std::time::Duration::from_millis(2));
        if visit.incoming(PATIENCE) != Incoming::Pong(b"between".to_vec()) {
            visit.complain("no pong for a ping between fragments");
        }
        visit.serve_websocket()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.text("one é");
    client.text("two");
    client.binary(b"");
    client.binary(b"4\xff\0");
    client.binary(b"\x01\x02");
    client.text("");
    for length in [124, 125, 65_534, 65_535, 300_000] {
        client.text(&"x".repeat(length));
    }
    client.text("é slowly");
    client.goes_on(&server);
    client.close();
}

#[test]
fn many_messages_in_one_segment() {
    let server = opened(|visit| {
        let bytes: Vec<u8> = (0..3_000)
            .flat_map(|number| frame(FIN | TEXT, format!("4{number}").as_bytes()))
            .collect();
        visit.write(bytes);
        visit.serve_websocket()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    for number in 0..3_000 {
        client.text(&number.to_string());
    }
    client.close();
}

#[test]
fn pings_of_the_websocket_are_answered_by_pongs() {
    let server = opened(|visit| {
        for payload in [&b""[..], b"\0\xff", &[b'x'; 125]] {
            visit.frame(FIN | PING, payload);
            match visit.incoming(PATIENCE) {
                Incoming::Pong(came) if came == payload => {}
                other => visit.complain(format!("instead of a pong came {other:?}")),
            }
        }
        visit.text("4done");
        visit.serve_websocket()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.text("done");
    client.close();
}

#[test]
fn a_flood_of_pings_drowns_nothing() {
    let server = opened(|visit| {
        let bytes: Vec<u8> = (0..20_000).flat_map(|_| frame(FIN | PING, &[b'x'; 100])).collect();
        // Two MB of pings whose pongs are not read until they are all sent, or until it is clear that they cannot be.
        visit.write(bytes);
        visit.text("4after");
        visit.serve_websocket()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.text("after");
    client.goes_on(&server);
    client.close();
}

#[test]
fn a_close_frame_is_answered_and_ends_it() {
    let payloads: [&[u8]; 7] = [
        b"",
        b"\x03\xe8",
        b"\x03\xe8bye",
        b"\x03\xe9going away",
        b"\x03\xea",
        b"\x03\xf3",
        b"\x0f\xa0my own",
    ];
    all(&payloads, |payload| {
        let payload = payload.to_vec();
        let server = opened(move |visit| {
            visit.text("4before");
            visit.frame(FIN | CLOSE, &payload);
            visit.text("4ghost");
            match visit.incoming(PATIENCE) {
                Incoming::Close(_) => {}
                other => visit.complain(format!("instead of a close frame came {other:?}")),
            }
            Next::Close
        });
        let mut client = Client::connect(&server, &WEBSOCKET);
        client.opened("websocket");
        client.text("before");
        client.failed(&["transport close"]);
        client.ended(1);
    });
}

#[test]
fn a_close_frame_that_is_none_ends_it_too() {
    let payloads: [&[u8]; 7] = [
        b"\x03",
        b"\0\0",
        b"\x03\xec",
        b"\x03\xed",
        b"\x03\xee",
        b"\x27\x10",
        b"\x03\xe8\xff",
    ];
    all(&payloads, |payload| {
        let payload = payload.to_vec();
        let server = opened(move |visit| {
            visit.frame(FIN | CLOSE, &payload);
            visit.stay_silent()
        });
        let mut client = Client::connect(&server, &WEBSOCKET);
        client.opened("websocket");
        client.failed(&["transport close", "transport error", "parse error"]);
        client.ended(1);
    });
}

#[test]
fn a_server_that_waits_for_the_client_to_hang_up() {
    // It closes, takes the answer and then does nothing: the program is not to wait for it for ever.
    let server = opened(|visit| {
        visit.frame(FIN | CLOSE, b"\x03\xe8");
        visit.stay_silent()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.failed(&["transport close"]);
    client.ended(1);
}

#[test]
fn an_end_without_a_close_frame() {
    let server = opened(|visit| {
        visit.text("4before");
        Next::Close
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.text("before");
    client.failed(&["transport close"]);
    client.ended(1);
}

#[test]
fn half_closed() {
    let server = opened(|visit| {
        visit.text("4before");
        visit.socket.finish_sending();
        visit.stay_silent()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.text("before");
    client.failed(&["transport close"]);
    client.ended(1);
}

#[test]
fn an_end_in_the_middle_of_a_message() {
    let rests: [&[u8]; 5] = [b"\x81", b"\x81\x7e", b"\x81\x05", b"\x81\x054gho", b"\x01\x064ghost"];
    all(&rests, |rest| {
        for is_reset in [false, true] {
            let rest = rest.to_vec();
            let server = opened(move |visit| {
                visit.write(&rest);
                if is_reset { visit.reset() } else { Next::Close }
            });
            let mut client = Client::connect(&server, &WEBSOCKET);
            match client.next() {
                // A reset may destroy what was on its way.
                crate::client::Event::Error { kind, .. } if is_reset => {
                    assert_eq!(kind, "connection");
                    client.ended(1);
                    continue;
                }
                crate::client::Event::Open { .. } => {}
                other => panic!("{other:?}"),
            }
            client.failed(&["transport close", "transport error"]);
            client.ended(1);
        }
    });
}

#[test]
fn reset() {
    let server = opened(|visit| {
        // Only when it is there: a reset may destroy what was on its way.
        visit.expect_text("4I am here");
        visit.reset()
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    client.send("I am here");
    client.failed(&["transport error", "transport close"]);
    client.ended(1);
}

#[test]
fn a_server_that_reads_nothing_holds_up_only_itself() {
    let config = Config::beating(300, 700).silent();
    let server = Server::start(config, |visit| {
        visit.open_directly();
        visit.shared.wait_until(|_| false);
        Next::Close
    });
    let mut client = Client::connect(&server, &WEBSOCKET);
    client.opened("websocket");
    for _ in 0..40 {
        client.send(&"x".repeat(100_000));
        if client.elapsed() > std::time::Duration::from_millis(800) {
            break;
        }
    }
    client.failed(&["ping timeout"]);
    client.ended_in_doubt(&[1]);
    // Its thread would wait for the messages of a test that is over.
    server.shared.stop();
}
