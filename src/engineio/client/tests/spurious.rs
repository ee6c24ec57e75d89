//! Calls without a cause do nothing.

use super::*;

fn shown(scene: &Scene) -> String {
    format!("{:?}", scene.client)
}

fn about_requests(req: u64) -> Vec<Input> {
    vec![
        Input::Response(ReqId(req), Bytes::from_static(b"4a\x1e2")),
        Input::Response(ReqId(req), Bytes::from_static(b"\xff")),
        Input::Response(ReqId(req), open_packet("", 10).into()),
        Input::Refused(ReqId(req)),
        Input::Failed(ReqId(req)),
    ]
}

fn about_websockets() -> Vec<Input> {
    vec![
        Input::WsOpen,
        Input::WsText("3probe".into()),
        Input::WsText("4a".into()),
        Input::WsText("1".into()),
        Input::WsText("".into()),
        Input::WsText(open_packet("", 10).into()),
        Input::WsBinary(Bytes::from_static(b"a")),
        Input::WsRefused,
        Input::WsClosed,
        Input::WsFailed,
    ]
}

fn assert_ignored(scene: &mut Scene, inputs: Vec<Input>) {
    let before = shown(scene);
    for input in inputs {
        assert_eq!(scene.input(input.clone()), Ok(()), "{input:?}");
        assert_eq!(shown(scene), before, "{input:?}");
    }
}

fn connecting() -> Scene {
    let mut scene = newborn(config());
    scene.requests();
    scene
}

/// A WebSocket is wanted, and nobody has asked.
fn wanted() -> Scene {
    let mut scene = connecting();
    scene.got(&open_packet(WEBSOCKET, 1000)).unwrap();
    scene
}

#[test]
fn requests_that_nobody_made() {
    let scenes = [
        newborn(config()),
        newborn(only(Transport::WebSocket)),
        connecting(),
        wanted(),
        polling(),
        websocket(),
        opening(),
        probing(),
        probed(),
        upgraded(),
    ];
    for mut scene in scenes {
        scene.send("a");
        for req in [0, 99] {
            assert_ignored(&mut scene, about_requests(req));
        }
    }
}

#[test]
fn requests_that_were_answered() {
    let mut scene = polling();
    scene.send("a");
    scene.requests();
    let (get, post) = (scene.get.unwrap(), scene.post.unwrap());
    scene.got("6").unwrap();
    scene.posted();
    scene.send("b");
    scene.requests();
    assert_ignored(&mut scene, about_requests(get.0));
    assert_ignored(&mut scene, about_requests(post.0));
}

#[test]
fn a_websocket_that_nobody_asked_for() {
    for mut scene in [
        newborn(config()),
        newborn(only(Transport::WebSocket)),
        connecting(),
        wanted(),
        polling(),
    ] {
        assert_ignored(&mut scene, about_websockets());
    }
}

#[test]
fn a_websocket_opens_once() {
    for mut scene in [websocket(), probing(), probed(), upgraded()] {
        assert_ignored(&mut scene, vec![Input::WsOpen]);
    }
}

#[test]
fn everything_after_the_end() {
    let over = |mut scene: Scene| {
        scene.send("a");
        scene.client.abort(scene.now);
        scene.frames();
        scene
    };
    for scene in [polling(), websocket(), opening(), probing(), probed(), upgraded()] {
        let (get, post) = (scene.get, scene.post);
        let mut scene = over(scene);
        for req in get.into_iter().chain(post) {
            assert_ignored(&mut scene, about_requests(req.0));
        }
        // But for its end, which may be told.
        let inputs = about_websockets()
            .into_iter()
            .filter(|input| !matches!(input, Input::WsRefused | Input::WsClosed | Input::WsFailed));
        assert_ignored(&mut scene, inputs.collect());
        scene.input(Input::WsClosed).unwrap();
        assert_ignored(&mut scene, about_websockets());
        let before = shown(&scene);
        scene.wait(100_000);
        scene.client.handle_timeout(scene.now);
        scene.close();
        scene.client.abort(scene.now);
        assert_eq!((scene.requests(), scene.frames()), (vec![], vec![]));
        assert_eq!(shown(&scene), before);
        assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 1)]);
        scene.assert_finished();
    }
}

#[test]
fn timeouts_that_are_not_due() {
    for mut scene in [
        newborn(config()),
        connecting(),
        wanted(),
        polling(),
        websocket(),
        opening(),
        probing(),
        probed(),
        upgraded(),
    ] {
        let before = shown(&scene);
        for _ in 0..3 {
            scene.client.handle_timeout(scene.now);
        }
        assert_eq!(shown(&scene), before);
        let deadline = scene.client.poll_timeout().unwrap();
        scene
            .client
            .handle_timeout(Instant::from_micros(deadline.as_micros() - 1));
        assert_eq!(shown(&scene), before);
    }
}

#[test]
fn asking_again_changes_nothing() {
    for mut scene in [
        connecting(),
        polling(),
        websocket(),
        opening(),
        probing(),
        probed(),
        upgraded(),
    ] {
        scene.requests();
        scene.frames();
        scene.events();
        let before = shown(&scene);
        scene.requests();
        scene.frames();
        scene.events();
        assert_eq!(scene.unsent(), []);
        assert_eq!(shown(&scene), before);
    }
}

#[test]
fn a_late_driver_finds_a_later_deadline() {
    // Years late, in every state: `poll_timeout` is later than now, and the session ends.
    for mut scene in [
        newborn(config()),
        connecting(),
        wanted(),
        polling(),
        websocket(),
        opening(),
        probing(),
        probed(),
        upgraded(),
    ] {
        scene.send("a");
        for _ in 0..10 {
            let Some(deadline) = scene.client.poll_timeout() else {
                break;
            };
            scene.now = deadline + Duration::from_secs(100_000_000);
            scene.client.handle_timeout(scene.now);
            assert!(scene.client.poll_timeout().is_none_or(|next| next > scene.now));
        }
        assert!(scene.client.is_finished());
        assert!(matches!(scene.events().last(), Some(Event::Closed(_))));
    }
}
