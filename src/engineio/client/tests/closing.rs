//! The end that the application wants: in order and at once, in every state.

use super::*;

#[test]
fn close_over_polling() {
    let mut scene = polling();
    scene.send("a");
    scene.close();
    assert_eq!(scene.client.phase(), Phase::Closing);
    assert_eq!(scene.requests(), ["POST 4a"]);
    assert_eq!(scene.events(), []);
    scene.posted();
    // Not with them: npm's server would drop the last of them.
    assert_eq!(scene.requests(), ["POST 1"]);
    scene.got("4x").unwrap();
    assert_eq!(scene.requests(), NO_STRINGS, "nobody waits for more");
    scene.posted();
    assert_eq!(scene.events(), [message("x"), closed(ClientDisconnect, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn close_behind_a_post_that_is_under_way() {
    let mut scene = polling();
    scene.send("a");
    scene.requests();
    scene.send("b");
    scene.close();
    assert_eq!(scene.requests(), NO_STRINGS);
    scene.posted();
    assert_eq!(scene.requests(), ["POST 4b"]);
    scene.posted();
    assert_eq!(scene.requests(), ["POST 1"]);
    scene.posted();
    assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
}

#[test]
fn polls_go_on_until_the_close_packet_is_on_its_way() {
    let mut scene = polling();
    scene.send("a");
    scene.requests();
    scene.close();
    scene.got("4x\x1e2").unwrap();
    assert_eq!(scene.requests(), ["GET"]);
    scene.posted();
    assert_eq!(scene.requests(), ["POST 3 1"]);
    scene.got("4y").unwrap();
    assert_eq!(scene.requests(), NO_STRINGS);
    assert_eq!(scene.events(), [message("x"), message("y")]);
    scene.posted();
    assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
}

#[test]
fn once_the_close_packet_was_handed_over_the_end_is_ours() {
    type End = fn(&mut Scene);
    let ends: &[End] = &[
        |scene| scene.posted(),
        |scene| scene.lose_post(),
        |scene| {
            let post = scene.post.take().unwrap();
            scene.input(Input::Refused(post)).unwrap();
        },
        |scene| {
            // The answer to the close packet has overtaken the answer to the request that it was in.
            scene.got("1").unwrap();
            assert_eq!(scene.client.closed(), None);
            scene.posted();
        },
        |scene| {
            scene.got("1").unwrap();
            scene.lose_post();
        },
        |scene| {
            scene.got("1").unwrap();
            scene.wait(400);
        },
        |scene| scene.client.abort(scene.now),
        |scene| scene.wait(400),
        |scene| {
            scene.lose_get();
            assert_eq!(scene.client.closed(), None);
            scene.posted();
        },
        |scene| {
            assert!(scene.got("7").is_err());
            assert_eq!(scene.client.closed(), None);
            scene.posted();
        },
        |scene| {
            assert!(scene.got("4a\x1e0{}").is_err());
            scene.posted();
        },
    ];
    for end in ends {
        let mut scene = polling();
        scene.send("a");
        scene.close();
        scene.requests();
        scene.posted();
        assert_eq!(scene.requests(), ["POST 1"]);
        end(&mut scene);
        assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
        scene.assert_finished();
    }
}

#[test]
fn before_it_was_handed_over_the_reason_is_what_happened() {
    type End = fn(&mut Scene);
    let ends: &[(CloseReason, usize, End)] = &[
        (TransportError, 1, |scene| scene.lose_post()),
        (TransportError, 1, |scene| scene.lose_get()),
        (ParseError, 1, |scene| assert!(scene.got("7").is_err())),
        (ServerDisconnect, 0, |scene| {
            scene.got("1").unwrap();
            scene.posted();
        }),
        (ServerDisconnect, 1, |scene| {
            scene.got("1").unwrap();
            scene.lose_post();
        }),
        (ClientDisconnect, 1, |scene| scene.client.abort(scene.now)),
        (ClientDisconnect, 1, |scene| scene.wait(400)),
    ];
    for (reason, in_doubt, end) in ends {
        let mut scene = polling();
        scene.send("a");
        scene.requests();
        scene.send("b");
        scene.close();
        end(&mut scene);
        assert_eq!(scene.events(), [closed(*reason, *in_doubt, 1)]);
        assert_eq!(scene.unsent(), ["b".into()]);
        scene.assert_finished();
    }
}

#[test]
fn closing_goes_on_while_something_moves() {
    let mut settings = config();
    settings.max_packets_per_request = 1;
    let mut scene = polling_with(settings, 1000);
    (0..5).for_each(|_| scene.send("a"));
    scene.close();
    for _ in 0..5 {
        assert_eq!(scene.requests(), ["POST 4a"]);
        scene.wait(399);
        scene.posted();
        scene.wait(399);
    }
    assert_eq!(scene.requests(), ["POST 1"]);
    scene.wait(399);
    assert_eq!(scene.events(), []);
    scene.wait(1);
    assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
}

#[test]
fn close_over_a_websocket() {
    for mut scene in [websocket(), upgraded()] {
        scene.send("a");
        scene.frame("2").unwrap();
        scene.close();
        assert_eq!(scene.frames(), ["3", "4a", "1", "close frame"]);
        assert_eq!(scene.events(), []);
        // What the server had sent by then still counts.
        scene.frame("4x").unwrap();
        scene.input(Input::WsBinary(Bytes::from_static(b"y"))).unwrap();
        scene.input(Input::WsClosed).unwrap();
        let events = [
            message("x"),
            Event::Message(Bytes::from_static(b"y").into()),
            closed(ClientDisconnect, 1, 0),
        ];
        assert_eq!(scene.events(), events);
        scene.assert_finished();
    }
}

#[test]
fn close_over_a_websocket_ends_whatever_the_server_does() {
    type End = fn(&mut Scene);
    let ends: &[End] = &[
        |scene| scene.input(Input::WsFailed).unwrap(),
        |scene| scene.frame("1").unwrap(),
        |scene| scene.wait(400),
        |scene| scene.client.abort(scene.now),
        |scene| {
            for nonsense in ["7", "", "0{}", "b!"] {
                assert!(scene.frame(nonsense).is_err());
            }
            assert_eq!(scene.client.closed(), None);
            scene.input(Input::WsClosed).unwrap();
        },
    ];
    for end in ends {
        let mut scene = websocket();
        scene.close();
        assert_eq!(scene.frames(), ["1", "close frame"]);
        end(&mut scene);
        assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
        scene.assert_finished();
    }
    // The close frame was not taken when it ended.
    let mut scene = websocket();
    scene.close();
    let packet = scene.client.poll_transmit(scene.now);
    assert_eq!(packet, Some(Transmit::Packet(Packet::Close)));
    scene.frame("1").unwrap();
    assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
    assert_eq!(scene.frames(), ["close frame"]);
    scene.assert_finished();
}

#[test]
fn a_websocket_that_ends_before_our_close_packet() {
    for (end, reason) in [
        (Input::WsClosed, TransportClose),
        (Input::WsFailed, TransportError),
        (Input::WsText("1".into()), ServerDisconnect),
        (Input::WsText("7".into()), ParseError),
    ] {
        let mut scene = websocket();
        scene.send("a");
        scene.close();
        _ = scene.input(end);
        assert_eq!(scene.events(), [closed(reason, 0, 1)]);
        scene.frames();
        scene.assert_finished();
    }
}

// ---- in every state ----

#[test]
fn close_while_connecting() {
    let mut scene = newborn(config());
    scene.send("a");
    scene.close();
    assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 1)]);
    scene.assert_finished();

    let mut scene = newborn(config());
    scene.requests();
    scene.close();
    scene.got(&open_packet("", 1000)).unwrap();
    assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
    assert_eq!(scene.client.handshake(), None);
    scene.assert_finished();

    for opened in [false, true] {
        let mut scene = newborn(only(Transport::WebSocket));
        scene.requests();
        if opened {
            scene.input(Input::WsOpen).unwrap();
        }
        scene.close();
        assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
        scene.frame(&open_packet("", 1000)).unwrap();
        assert_eq!(scene.frames(), ["close frame"]);
        scene.assert_finished();
    }
}

#[test]
fn close_before_the_websocket_is_asked_for() {
    let mut scene = newborn(config());
    scene.requests();
    scene.got(&open_packet(WEBSOCKET, 1000)).unwrap();
    scene.send("a");
    scene.close();
    assert_eq!(scene.requests(), ["GET", "POST 4a"]);
    scene.posted();
    assert_eq!(scene.requests(), ["POST 1"]);
    scene.posted();
    assert_eq!(
        scene.events(),
        [Event::Opened(Transport::Polling), closed(ClientDisconnect, 0, 0)]
    );
    scene.assert_finished();
}

#[test]
fn close_while_the_probe_is_not_answered() {
    let unprobed = || {
        let mut scene = opening();
        scene.input(Input::WsOpen).unwrap();
        scene
    };
    for mut scene in [opening(), unprobed(), probing()] {
        scene.send("a");
        scene.close();
        assert_eq!(scene.frames(), ["close frame"]);
        assert_eq!(scene.requests(), ["POST 4a"]);
        // Too late.
        scene.frame("3probe").unwrap();
        scene.input(Input::WsClosed).unwrap();
        scene.posted();
        assert_eq!(scene.requests(), ["POST 1"]);
        scene.posted();
        assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
        scene.assert_finished();
    }
}

#[test]
fn close_once_the_probe_is_answered_goes_over_the_websocket() {
    let mut scene = probed();
    scene.send("a");
    scene.close();
    assert_eq!((scene.requests(), scene.frames()), (vec![], vec![]));
    scene.got("4x").unwrap();
    assert_eq!(scene.frames(), ["5", "4a", "1", "close frame"]);
    scene.frame("4y").unwrap();
    scene.input(Input::WsClosed).unwrap();
    assert_eq!(
        scene.events(),
        [message("x"), message("y"), closed(ClientDisconnect, 1, 0)]
    );
    scene.assert_finished();
}

#[test]
fn close_and_then_the_websocket_dies_goes_over_polling() {
    for get_first in [false, true] {
        let mut scene = probed();
        scene.send("a");
        scene.close();
        if get_first {
            scene.got("6").unwrap();
        }
        scene.input(Input::WsFailed).unwrap();
        let requests = scene.requests();
        assert_eq!(requests.last().map(String::as_str), Some("POST 4a"));
        assert_eq!(requests.len(), 1 + usize::from(get_first));
        scene.posted();
        assert_eq!(scene.requests(), ["POST 1"]);
        scene.posted();
        assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
        scene.assert_finished();
    }
    // The POST that was under way is answered late.
    let mut scene = probing();
    scene.send("a");
    scene.requests();
    scene.frame("3probe").unwrap();
    scene.send("b");
    scene.close();
    scene.got("6").unwrap();
    assert_eq!(scene.frames(), NO_STRINGS);
    scene.wait(300);
    assert_eq!(scene.frames(), ["close frame"]);
    assert_eq!(scene.requests(), ["GET"]);
    scene.posted();
    assert_eq!(scene.requests(), ["POST 4b"]);
    scene.posted();
    assert_eq!(scene.requests(), ["POST 1"]);
    scene.posted();
    assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
}

#[test]
fn close_twice_is_close() {
    for mut scene in [polling(), websocket(), probing()] {
        scene.send("a");
        scene.close();
        scene.wait(300);
        scene.close();
        scene.wait(99);
        assert_eq!(scene.events(), []);
        scene.wait(1);
        assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 1)]);
        scene.close();
        assert_eq!(scene.events(), []);
    }
}

#[test]
fn abort_in_every_state() {
    let fresh = || newborn(config());
    let connecting = || {
        let mut scene = newborn(config());
        scene.requests();
        scene
    };
    let on_websocket = || {
        let mut scene = newborn(only(Transport::WebSocket));
        scene.requests();
        scene
    };
    let scenes = [
        (fresh(), false),
        (connecting(), false),
        (on_websocket(), true),
        (polling(), false),
        (websocket(), true),
        (opening(), true),
        (probing(), true),
        (probed(), true),
        (upgraded(), true),
    ];
    for (mut scene, has_websocket) in scenes {
        scene.send("a");
        scene.client.abort(scene.now);
        assert_eq!(scene.requests(), NO_STRINGS);
        assert_eq!(scene.frames().len(), usize::from(has_websocket));
        assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 1)]);
        assert_eq!(scene.unsent(), ["a".into()]);
        scene.client.abort(scene.now);
        scene.assert_finished();
    }
}

#[test]
fn closing_waits_while_bytes_move_and_not_for_ever() {
    let mut scene = polling();
    scene.send("a");
    scene.close();
    assert_eq!(scene.requests(), ["POST 4a"]);
    for time in [300, 399, 100] {
        scene.wait(time);
        assert_eq!(scene.events(), []);
        scene.client.handle_progress(scene.now);
    }
    // The time for a request is over.
    scene.wait(1);
    assert_eq!(scene.events(), [closed(ClientDisconnect, 1, 0)]);

    for mut scene in [polling(), websocket(), probed()] {
        let before = format!("{:?}", scene.client);
        scene.client.handle_progress(scene.now);
        assert_eq!(format!("{:?}", scene.client), before, "it is not closing");
        scene.client.abort(scene.now);
        let before = format!("{:?}", scene.client);
        scene.now = scene.now + millis(100);
        scene.client.handle_progress(scene.now);
        assert_eq!(format!("{:?}", scene.client), before, "it is over");
    }
}
