//! Pings, pongs, and the watch over a server that pings no more.

use super::*;

#[test]
fn silence_ends_the_session() {
    for mut scene in [polling(), websocket()] {
        scene.wait(1499);
        assert_eq!(scene.events(), []);
        scene.wait(1);
        assert_eq!(scene.events(), [closed(PingTimeout, 0, 0)]);
        scene.frames();
        scene.assert_finished();
    }
}

#[test]
fn only_pings_hold_it_back() {
    let mut scene = polling();
    for body in ["4a", "6", "3", "5"] {
        scene.wait(300);
        scene.got(body).unwrap();
        scene.events();
        assert_eq!(scene.requests(), ["GET"]);
    }
    scene.wait(300);
    assert_eq!(scene.events(), [closed(PingTimeout, 0, 0)]);

    let mut scene = websocket();
    for frame in ["4a", "6", "3", "5"] {
        scene.wait(300);
        scene.frame(frame).unwrap();
        scene.events();
    }
    scene.wait(300);
    assert_eq!(scene.events(), [closed(PingTimeout, 0, 0)]);
}

#[test]
fn a_ping_begins_the_wait_anew_and_is_answered() {
    let mut scene = polling();
    for _ in 0..5 {
        scene.wait(1400);
        scene.got("2").unwrap();
        assert_eq!(scene.requests(), ["GET", "POST 3"]);
        scene.posted();
    }
    scene.wait(1499);
    assert_eq!(scene.events(), []);
    scene.wait(1);
    assert_eq!(scene.events(), [closed(PingTimeout, 0, 0)]);

    let mut scene = websocket();
    for _ in 0..5 {
        scene.wait(1400);
        scene.frame("2").unwrap();
        assert_eq!(scene.frames(), ["3"]);
    }
    scene.wait(1500);
    assert_eq!(scene.events(), [closed(PingTimeout, 0, 0)]);
}

#[test]
fn the_pong_brings_back_the_pings_text() {
    for (ping, pong) in [("2", "3"), ("2probe", "3probe"), ("2é😀 x", "3é😀 x")] {
        let mut scene = polling();
        scene.got(ping).unwrap();
        assert_eq!(scene.requests(), ["GET".to_string(), format!("POST {pong}")]);
        let mut scene = websocket();
        scene.frame(ping).unwrap();
        assert_eq!(scene.frames(), [pong]);
    }
}

#[test]
fn several_pings_are_answered_once() {
    let mut scene = polling();
    scene.send("m");
    scene.got("2a\x1e4x\x1e2b\x1e2c").unwrap();
    assert_eq!(scene.requests(), ["GET", "POST 3c 4m"]);
    assert_eq!(scene.events(), [message("x")]);
    scene.got("2d").unwrap();
    assert_eq!(scene.requests(), ["GET"]);
    scene.got("2e").unwrap();
    assert_eq!(scene.requests(), ["GET"]);
    scene.posted();
    assert_eq!(scene.requests(), ["POST 3e"]);

    let mut scene = websocket();
    scene.frame("2a").unwrap();
    scene.frame("2b").unwrap();
    scene.send("m");
    assert_eq!(scene.frames(), ["3b", "4m"]);
}

#[test]
fn a_ping_is_no_load() {
    let long = |length: usize| format!("2{}", "x".repeat(length));
    let mut scene = polling();
    scene.got(&long(1024)).unwrap();
    assert_eq!(scene.requests()[1].len(), "POST 3".len() + 1024);
    assert!(scene.got(&long(1025)).is_err());
    assert_eq!(scene.events(), [closed(ParseError, 0, 0)]);

    let mut scene = websocket();
    scene.frame(&long(1024)).unwrap();
    assert_eq!(scene.frames()[0].len(), 1 + 1024);
    assert!(scene.frame(&long(1025)).is_err());
    assert_eq!(scene.events(), [closed(ParseError, 0, 0)]);
}

#[test]
fn a_ping_that_comes_when_it_is_late_counts_if_nobody_looked() {
    let mut scene = polling();
    scene.now = scene.now + millis(1600);
    scene.got("2").unwrap();
    scene.client.handle_timeout(scene.now);
    assert_eq!(scene.events(), []);
    assert_eq!(scene.requests(), ["GET", "POST 3"]);
}

#[test]
fn pings_count_while_the_websocket_is_tried() {
    let mut scene = probing();
    scene.got("2a").unwrap();
    assert_eq!(scene.requests(), ["GET", "POST 3a"]);
    scene.frame("3probe").unwrap();
    // The last poll brings one: its pong goes out behind the upgrade.
    scene.got("2b").unwrap();
    assert_eq!(scene.requests(), NO_STRINGS);
    assert_eq!(scene.frames(), NO_STRINGS, "the POST is under way");
    scene.posted();
    assert_eq!(scene.frames(), ["5", "3b"]);

    // Or with a POST, where the upgrade fails.
    let mut scene = probed();
    scene.send("m");
    scene.got("2b").unwrap();
    scene.input(Input::WsFailed).unwrap();
    assert_eq!(scene.requests(), ["GET", "POST 3b 4m"]);
}
