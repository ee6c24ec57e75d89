//! From polling to a WebSocket, and back where that fails: nothing lost, doubled or out of order.

use super::*;

#[test]
fn the_whole_way() {
    let mut scene = newborn(config());
    scene.requests();
    scene.got(&open_packet(WEBSOCKET, 1000)).unwrap();
    assert_eq!(scene.requests(), ["WebSocket", "GET"]);
    assert_eq!(scene.frames(), NO_STRINGS);
    scene.input(Input::WsOpen).unwrap();
    assert_eq!(scene.frames(), ["2probe"]);
    assert_eq!(scene.client.transport(), Transport::Polling);
    scene.frame("3probe").unwrap();
    assert_eq!(scene.frames(), NO_STRINGS, "the poll is not released");
    scene.got("6").unwrap();
    assert_eq!(scene.requests(), NO_STRINGS);
    assert_eq!(scene.frames(), ["5"]);
    assert_eq!(scene.client.transport(), Transport::WebSocket);
    assert_eq!(scene.events(), [Event::Opened(Transport::Polling), Event::Upgraded]);
    scene.frame("4x").unwrap();
    assert_eq!(scene.events(), [message("x")]);
    assert_eq!(scene.requests(), NO_STRINGS);
}

#[test]
fn the_upgrade_waits_for_every_request_that_is_under_way() {
    for get_first in [true, false] {
        let mut scene = probing();
        scene.send("a");
        assert_eq!(scene.requests(), ["POST 4a"]);
        scene.send("b");
        scene.frame("3probe").unwrap();
        for get in [get_first, !get_first] {
            assert_eq!((scene.requests(), scene.frames()), (vec![], vec![]));
            if get {
                scene.got("4x").unwrap();
            } else {
                scene.posted();
            }
        }
        assert_eq!(scene.requests(), NO_STRINGS);
        assert_eq!(scene.frames(), ["5", "4b"]);
        // What the last poll brought stands before what the WebSocket brings.
        scene.frame("4y").unwrap();
        assert_eq!(scene.events(), [Event::Upgraded, message("x"), message("y")]);
    }
    // None is under way.
    let mut scene = probing();
    scene.got("6").unwrap();
    scene.frame("3probe").unwrap();
    assert_eq!(scene.frames(), ["5"]);
    assert_eq!(scene.requests(), NO_STRINGS);
}

#[test]
fn polls_go_on_until_the_probe_is_answered() {
    let mut scene = probing();
    for _ in 0..3 {
        scene.got("6").unwrap();
        assert_eq!(scene.requests(), ["GET"]);
    }
    scene.send("a");
    assert_eq!(scene.requests(), ["POST 4a"]);
    scene.posted();
    scene.frame("3probe").unwrap();
    scene.got("4x").unwrap();
    assert_eq!(scene.requests(), NO_STRINGS);
    assert_eq!(scene.frames(), ["5"]);
}

#[test]
fn messages_sent_at_any_moment_arrive_once_and_in_order() {
    // At which step each message is sent is a bit of a number.
    const STEPS: usize = 8;
    for moments in 0..1 << STEPS {
        for fails_at in 0..=STEPS {
            let mut scene = newborn(config());
            let mut arrived = Vec::new();
            let mut sent = 0;
            let mut turn = |scene: &mut Scene, step: usize| {
                if moments & (1 << step) != 0 {
                    scene.send(&sent.to_string());
                    sent += 1;
                }
                let mut carried = scene.requests();
                carried.extend(scene.frames());
                for words in carried {
                    let packets = words.strip_prefix("POST ").unwrap_or(&words).split(' ');
                    arrived.extend(packets.filter_map(|packet| packet.strip_prefix('4')).map(String::from));
                }
                if fails_at == step && (2..6).contains(&step) {
                    scene.input(Input::WsFailed).unwrap();
                }
            };
            turn(&mut scene, 0);
            scene.got(&open_packet(WEBSOCKET, 1000)).unwrap();
            turn(&mut scene, 1);
            turn(&mut scene, 2);
            scene.input(Input::WsOpen).unwrap();
            turn(&mut scene, 3);
            scene.frame("3probe").unwrap();
            turn(&mut scene, 4);
            if scene.post.is_some() {
                scene.posted();
            }
            turn(&mut scene, 5);
            scene.got("6").unwrap();
            turn(&mut scene, 6);
            if scene.post.is_some() {
                scene.posted();
            }
            turn(&mut scene, 7);
            if scene.post.is_some() {
                scene.posted();
            }
            turn(&mut scene, STEPS);
            let expected: Vec<String> = (0..sent).map(|number: usize| number.to_string()).collect();
            assert_eq!(arrived, expected, "{moments:b} {fails_at}");
            let failed = scene.events().contains(&Event::UpgradeFailed);
            assert_eq!(failed, (2..6).contains(&fails_at));
            assert_eq!(scene.client.closed(), None);
        }
    }
}

#[test]
fn a_websocket_that_dies_leaves_a_session_that_polls() {
    for end in [Input::WsRefused, Input::WsFailed, Input::WsClosed] {
        let unopened = || {
            let mut scene = newborn(config());
            scene.requests();
            scene.got(&open_packet(WEBSOCKET, 1000)).unwrap();
            assert_eq!(scene.client.poll_request(scene.now), Some(Request::WebSocket));
            scene.events();
            assert_eq!(scene.requests(), ["GET"]);
            scene
        };
        let unprobed = || {
            let mut scene = opening();
            scene.input(Input::WsOpen).unwrap();
            scene
        };
        for mut scene in [unopened(), unprobed(), probing(), probed()] {
            scene.send("a");
            scene.input(end.clone()).unwrap();
            assert_eq!(scene.frames(), NO_STRINGS, "it is over already");
            assert_eq!(scene.requests(), ["POST 4a"]);
            assert_eq!(scene.events(), [Event::UpgradeFailed]);
            scene.got("4x\x1e2").unwrap();
            scene.posted();
            assert_eq!(scene.requests(), ["GET", "POST 3"], "and no second try");
            assert_eq!(scene.events(), [message("x")]);
            assert_eq!(scene.client.transport(), Transport::Polling);
            // It has ended; nothing of it counts.
            scene.frame("3probe").unwrap();
            scene.frame("4never").unwrap();
            scene.input(Input::WsBinary(Bytes::from_static(b"never"))).unwrap();
            scene.input(Input::WsClosed).unwrap();
            assert_eq!(
                (scene.events(), scene.frames(), scene.requests()),
                (vec![], vec![], vec![])
            );
        }
    }
}

#[test]
fn a_websocket_that_says_the_wrong_thing_is_given_up() {
    let unprobed = || {
        let mut scene = opening();
        scene.input(Input::WsOpen).unwrap();
        scene
    };
    let all = [
        "", "2", "2probe", "3", "3prob", "3probe ", "4a", "5", "6", "1", "0{}", "7", "b!",
    ];
    for text in all {
        // An answer to what was not asked is no answer.
        for mut scene in [unprobed(), probing()] {
            assert_eq!(scene.frame(text), Err(Violation::BadProbe), "{text}");
            assert_given_up(&mut scene);
        }
    }
    let mut scene = unprobed();
    assert_eq!(scene.frame("3probe"), Err(Violation::BadProbe));
    assert_given_up(&mut scene);
    for text in ["", "2", "2probe", "4a", "5", "1", "0{}", "7"] {
        let mut scene = probed();
        assert_eq!(scene.frame(text), Err(Violation::BadProbe), "{text}");
        assert_given_up(&mut scene);
    }
    for mut scene in [unprobed(), probing(), probed()] {
        let result = scene.input(Input::WsBinary(Bytes::from_static(b"3probe")));
        assert_eq!(result, Err(Violation::BadProbe));
        assert_given_up(&mut scene);
    }
}

/// The WebSocket is told to end, and polling goes on.
fn assert_given_up(scene: &mut Scene) {
    assert_eq!(scene.frames(), ["close frame"]);
    assert_eq!(scene.events(), [Event::UpgradeFailed]);
    scene.got("4x").unwrap();
    scene.send("a");
    assert_eq!(scene.requests(), ["GET", "POST 4a"]);
    assert_eq!(scene.events(), [message("x")]);
    scene.frame("3probe").unwrap();
    scene.input(Input::WsClosed).unwrap();
    assert_eq!(
        (scene.events(), scene.frames(), scene.requests()),
        (vec![], vec![], vec![])
    );
}

#[test]
fn noise_after_the_probes_answer_is_harmless() {
    let mut scene = probed();
    for text in ["3probe", "3", "6"] {
        scene.frame(text).unwrap();
    }
    scene.got("6").unwrap();
    assert_eq!(scene.frames(), ["5"]);
    assert_eq!(scene.events(), [Event::Upgraded]);
}

#[test]
fn a_try_has_a_deadline() {
    // The WebSocket does not open; it does not answer; the last poll is not released; the POST is not answered.
    let with_post = || {
        let mut scene = probing();
        scene.send("p");
        scene.requests();
        scene.frame("3probe").unwrap();
        scene.got("6").unwrap();
        scene
    };
    for (mut scene, get) in [
        (opening(), true),
        (probing(), true),
        (probed(), true),
        (with_post(), false),
    ] {
        scene.send("a");
        scene.wait(299);
        assert_eq!((scene.events(), scene.frames()), (vec![], vec![]));
        scene.wait(1);
        assert_eq!(scene.events(), [Event::UpgradeFailed]);
        assert_eq!(scene.frames(), ["close frame"]);
        assert_eq!(scene.requests(), [if get { "POST 4a" } else { "GET" }]);
        scene.posted();
        scene.got("4x").unwrap();
        assert_eq!(scene.events(), [message("x")]);
        // The WebSocket's end may come late, or never.
        scene.wait(500);
        scene.input(Input::WsClosed).unwrap();
        assert_eq!(scene.client.closed(), None);
    }
}

#[test]
fn a_try_is_shorter_than_the_servers_patience() {
    let mut settings = config();
    settings.upgrade_timeout = millis(60_000);
    let mut scene = newborn(settings);
    scene.requests();
    scene.got(&open_packet(WEBSOCKET, 1000)).unwrap();
    scene.requests();
    scene.wait(1000);
    scene.got("2").unwrap();
    scene.requests();
    scene.wait(499);
    assert_eq!(scene.events(), [Event::Opened(Transport::Polling)]);
    scene.wait(1);
    assert_eq!(scene.events(), [Event::UpgradeFailed]);
}

#[test]
fn a_lost_request_ends_the_session_whatever_the_websocket_does() {
    for mut scene in [opening(), probing(), probed()] {
        scene.send("a");
        scene.lose_get();
        assert_eq!(scene.events(), [closed(TransportError, 0, 1)]);
        assert_eq!(scene.frames(), ["close frame"]);
        scene.assert_finished();
    }
}

#[test]
fn the_servers_goodbye_while_it_is_tried() {
    for mut scene in [opening(), probing(), probed()] {
        scene.got("4x\x1e1").unwrap();
        assert_eq!(scene.events(), [message("x"), closed(ServerDisconnect, 0, 0)]);
        assert_eq!(scene.frames(), ["close frame"]);
        scene.assert_finished();
    }
}

#[test]
fn frames_before_the_websocket_is_open_are_ignored() {
    let mut scene = opening();
    scene.frame("3probe").unwrap();
    scene.frame("4a").unwrap();
    scene.input(Input::WsBinary(Bytes::from_static(b"a"))).unwrap();
    assert_eq!((scene.events(), scene.frames()), (vec![], vec![]));
    scene.input(Input::WsOpen).unwrap();
    assert_eq!(scene.frames(), ["2probe"]);
}

/// While the probe is answered and a POST is not, nothing can bring a ping: that the session could not be pinged is no
/// reason to end it the moment it goes back to polling.
#[test]
fn a_try_that_is_given_up_leaves_time_for_a_ping() {
    let mut settings = config();
    settings.upgrade_timeout = millis(60_000);
    settings.request_timeout = millis(60_000);
    let mut scene = newborn(settings);
    scene.requests();
    scene.got(&open_packet(WEBSOCKET, 1000)).unwrap();
    scene.requests();
    scene.input(Input::WsOpen).unwrap();
    assert_eq!(scene.frames(), ["2probe"]);
    scene.send("a");
    assert_eq!(scene.requests(), ["POST 4a"]);
    scene.frame("3probe").unwrap();
    scene.got("6").unwrap();
    scene.wait(1500);
    assert_eq!(
        scene.events(),
        [Event::Opened(Transport::Polling), Event::UpgradeFailed]
    );
    assert_eq!(scene.requests(), ["GET"]);
    scene.got("2").unwrap();
}
