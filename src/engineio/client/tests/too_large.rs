//! Messages that are larger than what the server takes.

use super::*;

fn given_back(data: Data) -> Event {
    Event::TooLarge(data)
}

#[test]
fn refused_where_the_limit_is_known() {
    let mut scene = polling_with(config(), 10);
    // As they are in a body: the type, and base64.
    assert_eq!(scene.client.send(text(9)), Ok(()));
    assert_eq!(scene.client.send(text(10)), Err(SendError::TooLarge(text(10))));
    assert_eq!(scene.client.send(bytes(6)), Ok(()));
    assert_eq!(scene.client.send(bytes(7)), Err(SendError::TooLarge(bytes(7))));
    assert_eq!(scene.requests(), ["POST 4xxxxxxxxx"]);

    // As they are in a frame.
    let mut scene = websocket_with(config(), 10);
    assert_eq!(scene.client.send(text(9)), Ok(()));
    assert_eq!(scene.client.send(text(10)), Err(SendError::TooLarge(text(10))));
    assert_eq!(scene.client.send(bytes(10)), Ok(()));
    assert_eq!(scene.client.send(bytes(11)), Err(SendError::TooLarge(bytes(11))));
    assert_eq!(scene.frames(), ["4xxxxxxxxx", "10 bytes"]);
}

#[test]
fn given_back_where_it_was_not_known() {
    let mut scene = newborn(config());
    for data in [text(1), text(10), bytes(6), bytes(7), text(2)] {
        scene.client.send(data).unwrap();
    }
    scene.requests();
    scene.got(&open_packet("", 10)).unwrap();
    assert_eq!(scene.requests(), ["GET", "POST 4x"]);
    scene.posted();
    assert_eq!(scene.requests(), ["POST bBwcHBwcH"]);
    scene.posted();
    assert_eq!(scene.requests(), ["POST 4xx"]);
    let events = [
        Event::Opened(Transport::Polling),
        given_back(text(10)),
        given_back(bytes(7)),
    ];
    assert_eq!(scene.events(), events);

    let mut scene = newborn(only(Transport::WebSocket));
    for data in [text(10), text(1), bytes(11), bytes(10)] {
        scene.client.send(data).unwrap();
    }
    scene.requests();
    scene.input(Input::WsOpen).unwrap();
    scene.frame(&open_packet("", 10)).unwrap();
    assert_eq!(scene.frames(), ["4x", "10 bytes"]);
    let events = [
        Event::Opened(Transport::WebSocket),
        given_back(text(10)),
        given_back(bytes(11)),
    ];
    assert_eq!(scene.events(), events);
}

#[test]
fn given_back_before_the_end_or_counted_in_it() {
    let mut scene = newborn(config());
    scene.client.send(text(10)).unwrap();
    scene.client.send(text(1)).unwrap();
    scene.client.send(text(11)).unwrap();
    scene.requests();
    scene.got(&open_packet("", 10)).unwrap();
    scene.requests();
    scene.client.abort(scene.now);
    let events = [
        Event::Opened(Transport::Polling),
        given_back(text(10)),
        closed(ClientDisconnect, 1, 1),
    ];
    assert_eq!(scene.events(), events);
    assert_eq!(scene.unsent(), [text(11)]);
}

/// A message that fits into a frame of ten bytes and not into a body of ten, and one behind it.
fn waiting(mut scene: Scene) -> Scene {
    scene.client.send(bytes(8)).unwrap();
    scene.send("behind");
    assert_eq!(scene.client.send(bytes(11)), Err(SendError::TooLarge(bytes(11))));
    assert_eq!(scene.requests(), NO_STRINGS);
    assert_eq!(scene.events(), []);
    scene
}

#[test]
fn what_only_a_websocket_takes_waits_for_it() {
    let mut scene = waiting(probing_with(10));
    // A pong need not wait.
    scene.got("2").unwrap();
    assert_eq!(scene.requests(), ["GET", "POST 3"]);
    scene.posted();
    scene.frame("3probe").unwrap();
    scene.got("6").unwrap();
    assert_eq!(scene.frames(), ["5", "8 bytes", "4behind"]);
    assert_eq!(scene.events(), [Event::Upgraded]);
}

#[test]
fn it_is_given_back_when_the_websocket_fails() {
    for scene in [opening_with(10), probing_with(10), probed_with(10)] {
        let mut scene = waiting(scene);
        scene.input(Input::WsFailed).unwrap();
        assert_eq!(scene.requests(), ["POST 4behind"]);
        assert_eq!(scene.events(), [Event::UpgradeFailed, given_back(bytes(8))]);
        assert_eq!(scene.client.send(bytes(8)), Err(SendError::TooLarge(bytes(8))));
    }
}

#[test]
fn it_is_given_back_when_the_session_closes_over_polling() {
    for scene in [opening_with(10), probing_with(10)] {
        let mut scene = waiting(scene);
        scene.close();
        assert_eq!(scene.requests(), ["POST 4behind"]);
        scene.posted();
        assert_eq!(scene.requests(), ["POST 1"]);
        scene.posted();
        assert_eq!(scene.events(), [given_back(bytes(8)), closed(ClientDisconnect, 0, 0)]);
    }
    let mut scene = waiting(probed_with(10));
    scene.close();
    scene.got("6").unwrap();
    assert_eq!(scene.frames(), ["5", "8 bytes", "4behind", "1", "close frame"]);
    scene.input(Input::WsClosed).unwrap();
    assert_eq!(scene.events(), [closed(ClientDisconnect, 2, 0)]);
}

#[test]
fn a_close_packet_goes_out_where_everything_is_given_back() {
    let mut scene = newborn(config());
    scene.client.send(text(10)).unwrap();
    scene.requests();
    scene.got(&open_packet("", 10)).unwrap();
    scene.close();
    assert_eq!(scene.requests(), ["GET", "POST 1"]);
    scene.posted();
    let events = [
        Event::Opened(Transport::Polling),
        given_back(text(10)),
        closed(ClientDisconnect, 0, 0),
    ];
    assert_eq!(scene.events(), events);
}

/// Whoever waits for room hears of it, though nothing was handed to a transport.
#[test]
fn room_that_comes_from_giving_back_is_reported() {
    let full = |transport| {
        let mut settings = only(transport);
        settings.max_queue = 100;
        let mut scene = newborn(settings);
        scene.client.send(text(20)).unwrap();
        assert!(matches!(scene.client.send(text(20)), Err(SendError::Full(_))));
        scene.requests();
        scene
    };
    let mut scene = full(Transport::WebSocket);
    scene.input(Input::WsOpen).unwrap();
    scene.frame(&open_packet("", 10)).unwrap();
    assert_eq!(scene.frames(), NO_STRINGS);
    let events = [
        Event::Opened(Transport::WebSocket),
        given_back(text(20)),
        Event::Writable,
    ];
    assert_eq!(scene.events(), events);

    let mut scene = full(Transport::Polling);
    scene.got(&open_packet("", 10)).unwrap();
    assert_eq!(scene.requests(), ["GET"]);
    let events = [Event::Opened(Transport::Polling), given_back(text(20)), Event::Writable];
    assert_eq!(scene.events(), events);
}
