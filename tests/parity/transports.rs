//! Rows 21 to 26: WebSockets, and how a session gets there.

use std::sync::mpsc::RecvTimeoutError;

use crate::engine::options;
use crate::host::{Hosted, Note, echo};
use crate::http::PATIENCE;
use crate::session::Session;
use crate::websocket::{Message, WEBSOCKET, WebSocket, ask};

#[test]
fn row_21_a_session_that_begins_on_a_websocket() {
    let server = echo(&[]);
    let mut websocket = WebSocket::connect(&server, WEBSOCKET);
    let Message::Text(open) = websocket.message() else {
        panic!("the open packet is text");
    };
    assert!(open.starts_with("0{") && open.contains(r#""upgrades":[],"#), "{open}");
    websocket.assert_echoes("text");
    for bytes in [&b"\x01\x02"[..], b""] {
        websocket.binary(bytes);
        assert_eq!(websocket.message(), Message::Binary(bytes.to_vec()));
    }
    websocket.close();
    server.finish();
}

#[test]
fn row_22_the_upgrade() {
    let server = echo(&[]);
    let session = Session::open(&server);
    let mut waiting = session.park();
    let mut websocket = session.websocket();
    websocket.text("2probe");
    websocket.assert_text("3probe");
    waiting.response().assert_ok("6");
    websocket.text("5");
    websocket.assert_echoes("here");
    session.get().assert_error(3);
    session.post("4there").assert_error(3);
    let (again_connection, again) = ask(&server, &session.websocket_target(), &[]);
    again.assert_error(3);
    drop(again_connection);
    websocket.assert_echoes("still here");
    websocket.close();
    server.finish();
}

#[test]
fn row_23_a_wrong_probe_costs_nothing_but_its_websocket() {
    let server = echo(&[]);
    let session = Session::open(&server);
    let mut wrong = session.websocket();
    wrong.text("2wrong");
    wrong.assert_closes();
    drop(wrong);
    session.assert_echoes("after a wrong probe");
    let mut wrong = session.probe();
    wrong.text("4wrong");
    wrong.assert_closes();
    drop(wrong);
    session.assert_echoes("after a wrong second packet");
    session.close();
    server.finish();
}

#[test]
fn row_24_what_was_queued_comes_on_the_websocket() {
    let server = echo(&[]);
    let session = Session::open(&server);
    session.send("4one");
    let mut websocket = session.probe();
    session.send("4two\x1ebAQID\x1e4three");
    websocket.text("5");
    websocket.assert_text("4one");
    websocket.assert_text("4two");
    assert_eq!(websocket.message(), Message::Binary(vec![1, 2, 3]));
    websocket.assert_text("4three");
    websocket.close();
    server.finish();
}

/// Python says `transport close`. Ours says `transport error`, as the reference does.
#[test]
fn row_25_a_message_above_the_limit_ends_it() {
    let (hosted, notes) = Hosted::noting(options().max_payload(1000));
    let mut websocket = WebSocket::open(&hosted.server);
    websocket.binary(&[0; 1000]);
    assert_eq!(websocket.message(), Message::Binary(vec![0; 1000]));
    websocket.binary(&[0; 1001]);
    assert_eq!(websocket.assert_closes(), Some(1009));
    drop(websocket);
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(Note::Message(vec![0; 1000].into())));
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(Note::End("transport error")));
    hosted.finish();
    assert_eq!(notes.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
}

/// Python ignores it. Ours ends the session, as the reference does.
#[test]
fn row_26_an_unknown_packet_ends_it() {
    let (hosted, notes) = Hosted::noting(options());
    let mut websocket = WebSocket::open(&hosted.server);
    websocket.text("9what");
    websocket.assert_closes();
    drop(websocket);
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(Note::End("server disconnect")));
    hosted.finish();
}
