//! A session on its WebSocket.

use super::*;

#[test]
fn messages_both_ways() {
    for mut scene in [websocket(), upgraded()] {
        scene.send("a");
        scene.client.send(bytes(3)).unwrap();
        scene.send("");
        assert_eq!(scene.frames(), ["4a", "3 bytes", "4"]);
        scene.frame("4x\x1ey").unwrap();
        scene.input(Input::WsBinary(Bytes::from_static(&[1, 2]))).unwrap();
        scene.frame("bAQID").unwrap();
        scene.frame("4").unwrap();
        let events = [
            message("x\x1ey"),
            Event::Message(vec![1, 2].into()),
            Event::Message(vec![1, 2, 3].into()),
            message(""),
        ];
        assert_eq!(scene.events(), events);
        assert_eq!(scene.requests(), NO_STRINGS);
    }
}

#[test]
fn nothing_confirms_messages() {
    type End = fn(&mut Scene);
    let ends: &[(CloseReason, End)] = &[
        (TransportClose, |scene| scene.input(Input::WsClosed).unwrap()),
        (TransportError, |scene| scene.input(Input::WsFailed).unwrap()),
        (ServerDisconnect, |scene| scene.frame("1").unwrap()),
        (ParseError, |scene| assert!(scene.frame("7").is_err())),
        (ParseError, |scene| assert!(scene.frame("").is_err())),
        (ParseError, |scene| assert!(scene.frame("b!").is_err())),
        (ParseError, |scene| assert!(scene.frame("0{}").is_err())),
        (PingTimeout, |scene| scene.wait(1500)),
        (ClientDisconnect, |scene| scene.client.abort(scene.now)),
    ];
    for (reason, end) in ends {
        for mut scene in [websocket(), upgraded()] {
            scene.send("a");
            scene.frames();
            scene.frame("2").unwrap();
            assert_eq!(scene.frames(), ["3"]);
            scene.send("b");
            scene.frame("4x").unwrap();
            end(&mut scene);
            assert_eq!(scene.events(), [message("x"), closed(*reason, 1, 1)]);
            assert_eq!(scene.unsent(), ["b".into()]);
            scene.frames();
            scene.assert_finished();
        }
    }
}

#[test]
fn what_was_confirmed_over_polling_stays_confirmed() {
    let mut scene = probed();
    scene.got("6").unwrap();
    assert_eq!(scene.frames(), ["5"]);
    scene.send("b");
    scene.frames();
    scene.input(Input::WsClosed).unwrap();
    assert_eq!(scene.events(), [Event::Upgraded, closed(TransportClose, 1, 0)]);

    let mut scene = probing();
    scene.send("a");
    assert_eq!(scene.requests(), ["POST 4a"]);
    scene.frame("3probe").unwrap();
    scene.posted();
    scene.got("6").unwrap();
    scene.send("b");
    assert_eq!(scene.frames(), ["5", "4b"]);
    scene.input(Input::WsClosed).unwrap();
    assert_eq!(scene.events(), [Event::Upgraded, closed(TransportClose, 1, 0)]);
}

#[test]
fn a_websocket_that_ends_needs_no_close_frame() {
    let mut scene = websocket();
    scene.input(Input::WsClosed).unwrap();
    assert_eq!(scene.events(), [closed(TransportClose, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn a_close_frame_that_nobody_takes_is_forgotten() {
    let mut scene = websocket();
    scene.frame("1").unwrap();
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 0)]);
    assert!(!scene.client.is_finished());
    scene.wait(399);
    assert!(!scene.client.is_finished());
    scene.wait(1);
    scene.assert_finished();
}
