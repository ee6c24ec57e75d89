//! Rows 27 to 29: how a session lives and ends.

use std::time::{Duration, Instant};

use crate::engine::options;
use crate::host::{Hosted, INTERVAL, Note};
use crate::http::PATIENCE;
use crate::runtime::Builder;
use crate::session::Session;
use crate::websocket::WebSocket;

/// How long a pong may take: on a busy machine, those of the test take some time.
const PONG: Duration = Duration::from_secs(1);

fn impatient() -> Builder {
    options().ping_interval(INTERVAL).ping_timeout(PONG)
}

/// Python looks for it within twice the time; ours has a timer for each session.
#[test]
fn row_27_silence_is_an_end_and_pongs_are_life() {
    let (hosted, notes) = Hosted::noting(impatient());
    let begun = Instant::now();
    let mut websocket = WebSocket::open(&hosted.server);
    for _ in 0..2 {
        websocket.assert_text("2");
        // The second pong is to no ping, and brings none.
        websocket.text("3");
        websocket.text("3");
    }
    let third = {
        websocket.assert_text("2");
        Instant::now()
    };
    assert!(third - begun >= 3 * INTERVAL, "a ping too many");
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(Note::End("ping timeout")));
    assert!(begun.elapsed() >= 3 * INTERVAL + PONG, "given up too early");
    websocket.assert_closes();
    drop(websocket);
    hosted.finish();
}

#[test]
fn row_28_a_client_says_goodbye() {
    let (hosted, notes) = Hosted::noting(options());
    let session = Session::open(&hosted.server);
    let mut waiting = session.park();
    session.send("1");
    waiting.response().assert_ok("6");
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(Note::End("client disconnect")));
    session.get().assert_error(1);
    session.post("4late").assert_error(1);
    hosted.finish();
}

#[test]
fn row_29_the_server_says_goodbye() {
    let (hosted, notes) = Hosted::noting(options());
    let session = Session::open(&hosted.server);
    let mut waiting = session.park();
    hosted.engine.handle.disconnect(&hosted.engine.sid());
    waiting.response().assert_ok("1");
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(Note::End("server disconnect")));
    hosted.engine.wait_for_sessions(0);
    let mut websocket = WebSocket::open(&hosted.server);
    hosted.engine.handle.disconnect(&hosted.engine.sid());
    websocket.assert_text("1");
    websocket.assert_closes();
    drop(websocket);
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(Note::End("server disconnect")));
    // Everybody, on either transport; and whoever comes then is let in.
    let session = Session::open(&hosted.server);
    let mut waiting = session.park();
    let mut websocket = WebSocket::open(&hosted.server);
    hosted.engine.handle.disconnect_all();
    waiting.response().assert_ok("1");
    websocket.assert_text("1");
    websocket.assert_closes();
    drop(websocket);
    for _ in 0..2 {
        assert_eq!(notes.recv_timeout(PATIENCE), Ok(Note::End("server disconnect")));
    }
    Session::open(&hosted.server).close();
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(Note::End("client disconnect")));
    hosted.finish();
}
