//! Rows 7 to 10 and 13: messages by polling.

use sansocket::engineio::Data;

use crate::engine::options;
use crate::host::{Hosted, Note, echo};
use crate::http::PATIENCE;
use crate::session::Session;

#[test]
fn row_7_a_message_and_its_answer() {
    let (hosted, notes) = Hosted::noting(options());
    let session = Session::open(&hosted.server);
    session.post("4hi").assert_ok("ok");
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(Note::text("hi")));
    session.get().assert_ok("4hi");
    session.close();
    hosted.finish();
}

#[test]
fn row_8_several_packets_in_one_post() {
    let (hosted, notes) = Hosted::noting(options());
    let session = Session::open(&hosted.server);
    session.send("4a\x1e4b\x1ebAQID");
    for wanted in [Data::from("a"), Data::from("b"), Data::from(vec![1, 2, 3])] {
        assert_eq!(notes.recv_timeout(PATIENCE), Ok(Note::Message(wanted)));
    }
    assert_eq!(session.receive(3), ["4a", "4b", "bAQID"]);
    session.close();
    hosted.finish();
}

/// Python refuses the 17th. Ours takes any number, and sends no more than Python's client takes.
#[test]
fn row_9_any_number_of_packets_is_taken_and_sixteen_are_sent() {
    let server = echo(&[]);
    let session = Session::open(&server);
    let packets: Vec<String> = (0..40).map(|number| format!("4{number}")).collect();
    session.send(packets.join("\x1e"));
    let mut received = Vec::new();
    while received.len() < packets.len() {
        let response = session.get();
        let packets: Vec<String> = response.text().split('\x1e').map(str::to_owned).collect();
        assert!(packets.len() <= 16, "{response:?}");
        received.extend(packets);
    }
    assert_eq!(received, packets);
    session.close();
    server.finish();
}

/// Python answers 400 and closes the session. Ours answers 413, and the session lives.
#[test]
fn row_10_a_body_of_the_limit_and_one_byte_more() {
    let server = echo(&[]);
    let session = Session::open(&server);
    let body = format!("4{}", "x".repeat(999_999));
    session.post(&body).assert_ok("ok");
    assert_eq!(session.receive(1), [&body[..]]);
    assert_eq!(session.post(format!("{body}x")).status, 413);
    session.assert_echoes("alive");
    session.close();
    server.finish();
}

#[test]
fn row_13_what_waits_is_fetched_at_once() {
    let hosted = Hosted::echo(options());
    let session = Session::open(&hosted.server);
    let (sid, handle) = (hosted.engine.sid(), &hosted.engine.handle);
    handle.try_send(&sid, "one").expect("there is room");
    handle.try_send(&sid, "two").expect("there is room");
    session.get().assert_ok("4one\x1e4two");
    session.close();
    hosted.finish();
}
