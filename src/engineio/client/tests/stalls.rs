//! An application that does not keep up.

use super::*;

fn large() -> String {
    format!("4{}", "x".repeat(400))
}

#[test]
fn no_poll_is_made_while_the_application_does_not_keep_up() {
    let mut scene = polling();
    scene.got(&format!("{}\x1e4b", large())).unwrap();
    assert!(!scene.client.wants_input());
    assert_eq!(scene.requests(), NO_STRINGS);
    scene.send("a");
    assert_eq!(scene.requests(), ["POST 4a"], "what is sent goes out nonetheless");
    assert_eq!(scene.events().len(), 2);
    assert!(scene.client.wants_input());
    assert_eq!(scene.requests(), ["GET"]);
}

#[test]
fn the_stall_has_a_deadline_of_its_own() {
    let mut scene = polling();
    scene.got(&large()).unwrap();
    scene.wait(699);
    assert_eq!(scene.client.closed(), None);
    scene.wait(1);
    assert_eq!(scene.events().pop(), Some(closed(Stalled, 0, 0)));

    let mut scene = websocket();
    scene.frame(&large()).unwrap();
    assert!(!scene.client.wants_input());
    scene.wait(700);
    assert_eq!(scene.events().pop(), Some(closed(Stalled, 0, 0)));
    assert_eq!(scene.frames(), ["close frame"]);
    scene.assert_finished();
}

#[test]
fn without_a_time_of_its_own_it_lasts_as_long_as_a_ping_may() {
    let mut settings = config();
    settings.stall_timeout = None;
    let mut scene = websocket_with(settings, 1000);
    scene.wait(1000);
    scene.frame(&large()).unwrap();
    scene.wait(1499);
    assert_eq!(scene.client.closed(), None);
    scene.wait(1);
    assert_eq!(scene.client.closed().map(|closed| closed.reason), Some(Stalled));
}

#[test]
fn whoever_takes_something_is_not_stalled() {
    let mut scene = websocket();
    for _ in 0..10 {
        scene.frame(&large()).unwrap();
    }
    for _ in 0..9 {
        scene.wait(690);
        assert!(matches!(scene.client.poll_event(), Some(Event::Message(_))));
        assert!(!scene.client.wants_input());
        scene.client.handle_timeout(scene.now);
    }
    assert_eq!(scene.client.closed(), None);
    scene.wait(700);
    assert_eq!(scene.client.closed().map(|closed| closed.reason), Some(Stalled));
}

#[test]
fn a_ping_can_not_be_late_while_nothing_is_read() {
    let mut scene = websocket();
    scene.wait(1200);
    scene.frame(&large()).unwrap();
    scene.wait(600);
    assert_eq!(scene.client.closed(), None, "the ping was due");
    assert_eq!(scene.events().len(), 1);
    // Patience begins anew.
    scene.client.handle_timeout(scene.now);
    scene.wait(1499);
    assert_eq!(scene.events(), []);
    scene.wait(1);
    assert_eq!(scene.events(), [closed(PingTimeout, 0, 0)]);
}

#[test]
fn discarding_is_keeping_up() {
    let mut scene = polling();
    scene.got(&large()).unwrap();
    scene.client.discard_input();
    assert!(scene.client.wants_input());
    assert_eq!(scene.requests(), ["GET"]);
    scene.got(&format!("{}\x1e2", large())).unwrap();
    assert_eq!(scene.requests(), ["GET", "POST 3"]);
    assert_eq!(scene.events(), []);
    assert!(
        scene.got(&format!("{}\x1e7", large())).is_err(),
        "it must be valid all the same"
    );
    assert_eq!(scene.events(), [closed(ParseError, 0, 0)]);

    let mut scene = websocket();
    scene.frame("4a").unwrap();
    scene.client.discard_input();
    scene.frame("4b").unwrap();
    scene.input(Input::WsBinary(Bytes::from_static(b"c"))).unwrap();
    scene.frame("1").unwrap();
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 0)]);
    assert_eq!(scene.client.received(), 0);
}

#[test]
fn what_was_received_can_be_taken_after_the_end() {
    let mut scene = polling();
    scene.got("4a\x1e4b\x1e1").unwrap();
    scene.assert_over_with(&["a", "b"], closed(ServerDisconnect, 0, 0));
    let mut scene = polling();
    scene.got("4a\x1e4b").unwrap();
    scene.client.abort(scene.now);
    scene.assert_over_with(&["a", "b"], closed(ClientDisconnect, 0, 0));
}

#[test]
fn a_stalled_application_can_still_close() {
    let mut scene = polling();
    scene.got(&large()).unwrap();
    scene.send("a");
    scene.close();
    assert_eq!(scene.requests(), ["POST 4a"]);
    scene.posted();
    assert_eq!(scene.requests(), ["POST 1"]);
    scene.posted();
    assert_eq!(scene.events().pop(), Some(closed(ClientDisconnect, 0, 0)));
}

#[test]
fn a_stall_while_the_websocket_is_tried() {
    let mut scene = probed();
    scene.got(&large()).unwrap();
    assert_eq!(scene.frames(), ["5"]);
    scene.events();
    assert!(scene.client.wants_input());

    // The probe's deadline is met in the middle of a stall.
    let mut scene = probing();
    scene.got(&large()).unwrap();
    scene.wait(300);
    assert_eq!(scene.frames(), ["close frame"]);
    assert_eq!(scene.events().len(), 2);
    assert_eq!(scene.requests(), ["GET"]);
}

impl Scene {
    fn assert_over_with(&mut self, texts: &[&str], end: Event) {
        for text in texts {
            assert_eq!(self.client.poll_event(), Some(message(text)));
        }
        assert_eq!(self.client.poll_event(), Some(end));
        self.assert_finished();
    }
}
