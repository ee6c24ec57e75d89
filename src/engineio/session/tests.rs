//! One test for each row of the design's table and for each promise in the documentation of `Session`; at the end, many
//! random sequences of operations against an account that is kept beside the session.

extern crate std;

mod model;
mod v3;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::time::Duration;

use bytes::Bytes;

use super::*;
use crate::engineio::{ErrorCode, PacketError};
use CloseReason::{
    ClientDisconnect, ParseError, PingTimeout, ServerDisconnect, Stalled, TransportClose, TransportError,
};

/// A session, the time, and short words for what happens.
struct Scene {
    session: Session,
    now: Instant,
}

const OPEN: &str = "0{\"sid\":\"lv_VI97HAXpY6yYWAAAB\",\"upgrades\":[\"websocket\"],\"pingInterval\":1000,\
                    \"pingTimeout\":500,\"maxPayload\":1000000}";
const OPEN_ON_WEBSOCKET: &str = "0{\"sid\":\"lv_VI97HAXpY6yYWAAAB\",\"upgrades\":[],\"pingInterval\":1000,\
                                 \"pingTimeout\":500,\"maxPayload\":1000000}";

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn config() -> Config {
    Config {
        ping_interval: millis(1000),
        ping_timeout: millis(500),
        upgrade_timeout: millis(300),
        accept_timeout: millis(200),
        close_timeout: millis(400),
        stall_timeout: Some(millis(700)),
        max_queue: 1000,
        receive_window: 300,
        ..Config::default()
    }
}

fn closed(reason: CloseReason, in_doubt: usize, unsent: usize) -> Event {
    Event::Closed(Closed {
        reason,
        unsent,
        in_doubt,
    })
}

fn message(text: &str) -> Event {
    Event::Message(text.into())
}

fn bad_request() -> Option<Answer> {
    Some(Answer::Error(ErrorCode::BadRequest))
}

/// What request 0 or the WebSocket asked for and nobody has accepted.
fn newborn(config: Config, carrier: Carrier) -> Scene {
    let sid = Sid::new("lv_VI97HAXpY6yYWAAAB").unwrap();
    let now = Instant::from_micros(5_000_000);
    Scene {
        session: Session::new(config, now, sid, carrier),
        now,
    }
}

/// An open session that polls; the open packet went out with request 0.
fn polling_with(config: Config) -> Scene {
    let mut scene = newborn(config, Carrier::Request(ReqId(0)));
    scene.session.accept(scene.now);
    assert!(scene.payload(0).starts_with("0{"));
    scene
}

fn polling() -> Scene {
    polling_with(config())
}

/// An open session on a WebSocket; the open packet went out.
fn websocket_with(config: Config) -> Scene {
    let mut scene = newborn(config, Carrier::WebSocket);
    scene.session.accept(scene.now);
    assert_eq!(scene.frames().len(), 1);
    scene
}

fn websocket() -> Scene {
    websocket_with(config())
}

/// A session that polls while a WebSocket has proved to work.
fn probed() -> Scene {
    let mut scene = polling();
    scene.input(Input::WsOpen).unwrap();
    scene.frame("2probe").unwrap();
    assert_eq!(scene.frames(), ["3probe"]);
    scene
}

impl Scene {
    fn input(&mut self, input: Input) -> Result<(), Violation> {
        self.session.handle_input(self.now, input)
    }

    fn get(&mut self, req: u64) {
        self.input(Input::Get(ReqId(req))).unwrap();
    }

    fn post(&mut self, req: u64, body: &str) -> Result<(), Violation> {
        self.input(Input::Post(ReqId(req), body.to_string().into()))
    }

    fn frame(&mut self, text: &str) -> Result<(), Violation> {
        self.input(Input::WsText(text.into()))
    }

    fn send(&mut self, text: &str) {
        self.session.send(text.into()).unwrap();
    }

    fn answer(&mut self, req: u64) -> Option<Answer> {
        match self.session.poll_transmit(self.now, Carrier::Request(ReqId(req)))? {
            Transmit::Response { req: answered, answer } => {
                assert_eq!(answered, ReqId(req));
                Some(answer)
            }
            other => panic!("{other:?} for a request"),
        }
    }

    /// The packets in the answer to a GET.
    fn payload(&mut self, req: u64) -> String {
        match self.answer(req) {
            Some(Answer::Payload(body)) => String::from_utf8(body.into()).unwrap().replace('\x1e', " "),
            other => panic!("{other:?} for a GET"),
        }
    }

    /// What the WebSocket is given.
    fn frames(&mut self) -> Vec<String> {
        let session = &mut self.session;
        core::iter::from_fn(|| {
            Some(match session.poll_transmit(self.now, Carrier::WebSocket)? {
                Transmit::Packet(packet) => match packet.as_binary() {
                    Some(bytes) => format!("{bytes:?}"),
                    None => {
                        let mut text = Vec::new();
                        packet.encode(&mut text);
                        String::from_utf8(text).unwrap()
                    }
                },
                Transmit::Close => "close frame".into(),
                other => format!("{other:?}"),
            })
        })
        .collect()
    }

    fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// Lets time pass as a good driver does: every deadline is met.
    fn wait(&mut self, time: u64) {
        let end = self.now + millis(time);
        while let Some(deadline) = self.session.poll_timeout().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.session.handle_timeout(self.now);
            assert!(self.session.poll_timeout().is_none_or(|next| next > self.now));
        }
        self.now = end;
    }

    /// Everything is taken, and the session may be forgotten.
    fn assert_finished(&mut self) {
        assert!(self.session.is_finished());
        assert_eq!(self.session.poll_timeout(), None);
        assert_eq!(self.session.poll_event(), None);
    }
}

// ---- accepting ----

#[test]
fn nothing_is_answered_before_accept_and_sends_ride_behind_the_open_packet() {
    let mut scene = newborn(config(), Carrier::Request(ReqId(0)));
    scene.send("a");
    assert_eq!(scene.answer(0), None);
    assert_eq!(scene.session.phase(), Phase::Accepting);
    scene.session.accept(scene.now);
    scene.send("b");
    assert_eq!(scene.payload(0), format!("{OPEN} 4a 4b"));
    assert_eq!(scene.answer(0), None);
}

#[test]
fn what_is_held_back_goes_out_together() {
    let mut scene = newborn(config(), Carrier::Request(ReqId(0)));
    scene.send("a");
    scene.session.accept_held(scene.now);
    scene.session.send_noop();
    assert_eq!(scene.answer(0), None);
    assert!(!scene.session.has_transmit(Carrier::Request(ReqId(0))));
    assert!(!scene.session.is_writable());
    scene.send("b");
    scene.session.release();
    assert!(scene.session.has_transmit(Carrier::Request(ReqId(0))));
    assert_eq!(scene.payload(0), format!("{OPEN} 4a 4b"));

    let mut scene = newborn(config(), Carrier::WebSocket);
    scene.session.accept_held(scene.now);
    scene.session.send_noop();
    scene.send("a");
    assert_eq!(scene.frames(), [""; 0]);
    assert!(!scene.session.has_transmit(Carrier::WebSocket));
    scene.session.close(scene.now);
    assert_eq!(scene.frames(), [""; 0]);
    scene.session.release();
    assert_eq!(scene.frames(), [OPEN_ON_WEBSOCKET, "4a", "1", "close frame"]);
}

#[test]
fn what_is_held_back_can_be_aborted() {
    let mut scene = newborn(config(), Carrier::Request(ReqId(0)));
    scene.session.accept_held(scene.now);
    scene.session.abort(scene.now);
    assert_eq!(scene.payload(0), "1");
    assert!(scene.session.is_finished());
    // Nothing is held where nothing could be accepted.
    scene.session.accept_held(scene.now);
    scene.session.release();
    assert!(scene.session.is_finished());
}

#[test]
fn what_is_held_back_stays_so_until_it_is_released() {
    let mut scene = newborn(config(), Carrier::Request(ReqId(0)));
    scene.session.accept_held(scene.now);
    scene.session.accept_held(scene.now);
    scene.session.accept(scene.now);
    assert_eq!(scene.answer(0), None);
    scene.session.release();
    assert_eq!(scene.payload(0), OPEN);
}

#[test]
fn nothing_is_held_back_for_ever() {
    for (closing, reason) in [(false, PingTimeout), (true, ServerDisconnect)] {
        let mut scene = newborn(config(), Carrier::Request(ReqId(0)));
        scene.session.accept_held(scene.now);
        scene.send("a");
        if closing {
            scene.session.close(scene.now);
        }
        while scene.session.closed().is_none() {
            assert_eq!(scene.answer(0), None);
            scene.now = scene
                .session
                .poll_timeout()
                .expect("a session that lives has a deadline");
            scene.session.handle_timeout(scene.now);
        }
        assert_eq!(scene.payload(0), "1");
        assert_eq!(scene.events(), [closed(reason, 0, 1)]);
        assert!(scene.session.is_finished());
    }
}

#[test]
fn a_direct_websocket_is_offered_no_upgrade() {
    let mut scene = newborn(config(), Carrier::WebSocket);
    scene.send("a");
    assert_eq!(scene.frames(), [""; 0]);
    scene.session.accept(scene.now);
    assert_eq!(scene.frames(), [OPEN_ON_WEBSOCKET, "4a"]);
    assert_eq!(scene.session.transport(), Transport::WebSocket);
}

#[test]
fn the_open_packet_tells_the_configuration() {
    let mut settings = config();
    settings.upgrades = false;
    settings.ping_interval_grace = millis(50);
    settings.max_payload = 77;
    let mut scene = newborn(settings, Carrier::Request(ReqId(0)));
    scene.session.accept(scene.now);
    let open = scene.payload(0);
    assert!(open.contains(r#""upgrades":[],"pingInterval":1050,"#), "{open}");
    assert!(open.contains(r#""maxPayload":77"#), "{open}");
}

#[test]
fn a_refused_poll_gets_the_refusal_and_gives_messages_back() {
    let mut scene = newborn(config(), Carrier::Request(ReqId(0)));
    scene.send("a");
    let refusal = Refusal::new(401).message("who?");
    scene.session.refuse(scene.now, refusal.clone());
    scene.session.accept(scene.now);
    assert_eq!(scene.answer(0), Some(Answer::Refused(refusal)));
    assert_eq!(scene.events(), [closed(CloseReason::Refused, 0, 1)]);
    assert_eq!(scene.session.take_unsent().collect::<Vec<_>>(), ["a".into()]);
    scene.assert_finished();
}

#[test]
fn a_refused_websocket_is_never_opened() {
    let mut scene = newborn(config(), Carrier::WebSocket);
    scene.session.refuse(scene.now, Refusal::new(401));
    assert!(!scene.session.is_finished());
    let transmit = scene.session.poll_transmit(scene.now, Carrier::WebSocket);
    assert_eq!(transmit, Some(Transmit::Refuse(Refusal::new(401))));
    assert_eq!(scene.events(), [closed(CloseReason::Refused, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn refuse_after_accept_does_nothing() {
    let mut scene = polling();
    scene.session.refuse(scene.now, Refusal::default());
    assert_eq!(scene.session.phase(), Phase::Open);
}

#[test]
fn close_while_accepting_is_a_refusal() {
    let mut scene = newborn(config(), Carrier::Request(ReqId(0)));
    scene.session.close(scene.now);
    assert_eq!(scene.answer(0), Some(Answer::Refused(Refusal::default())));
    assert_eq!(scene.events(), [closed(CloseReason::Refused, 0, 0)]);
}

#[test]
fn an_application_that_does_not_decide_is_decided_for() {
    let mut scene = newborn(config(), Carrier::Request(ReqId(0)));
    scene.wait(199);
    assert_eq!(scene.answer(0), None);
    scene.wait(1);
    assert_eq!(scene.answer(0), Some(Answer::Refused(Refusal::new(503))));
    assert_eq!(scene.events(), [closed(CloseReason::Refused, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn a_client_that_leaves_while_accepting() {
    let mut scene = newborn(config(), Carrier::Request(ReqId(0)));
    scene.input(Input::Gone(ReqId(0))).unwrap();
    assert_eq!(scene.events(), [closed(TransportError, 0, 0)]);
    scene.assert_finished();

    let mut scene = newborn(config(), Carrier::WebSocket);
    scene.input(Input::WsClosed).unwrap();
    assert_eq!(scene.events(), [closed(TransportClose, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn nothing_is_served_while_accepting() {
    let mut scene = newborn(config(), Carrier::Request(ReqId(0)));
    assert_eq!(scene.input(Input::Get(ReqId(1))), Err(Violation::UnexpectedRequest));
    assert_eq!(scene.post(2, "4a"), Err(Violation::UnexpectedRequest));
    assert_eq!(scene.input(Input::WsOpen), Err(Violation::UnexpectedWebSocket));
    assert_eq!((scene.answer(1), scene.answer(2)), (bad_request(), bad_request()));
    scene.session.accept(scene.now);
    assert_eq!(scene.payload(0), OPEN);
    assert_eq!(scene.events(), []);
}

// ---- polling ----

#[test]
fn a_get_is_answered_at_once_where_something_is_queued() {
    let mut scene = polling();
    scene.send("a");
    scene.session.send(vec![1, 2, 3].into()).unwrap();
    assert!(!scene.session.has_transmit(Carrier::Request(ReqId(1))));
    scene.get(1);
    assert!(scene.session.has_transmit(Carrier::Request(ReqId(1))));
    assert_eq!(scene.payload(1), "4a bAQID");
    assert_eq!(scene.session.sent(), 2);
}

#[test]
fn a_get_waits_where_nothing_is_queued() {
    let mut scene = polling();
    scene.get(1);
    assert_eq!(scene.answer(1), None);
    scene.send("a");
    assert_eq!(scene.answer(2), None);
    assert_eq!(scene.payload(1), "4a");
    scene.get(2);
    assert_eq!(scene.answer(2), None);
}

#[test]
fn a_response_holds_so_many_packets_and_so_many_bytes() {
    let mut settings = config();
    settings.max_queue = 4000;
    let mut scene = polling_with(settings);
    (0..17).for_each(|_| scene.send(""));
    scene.get(1);
    assert_eq!(scene.payload(1), ["4"; 16].join(" "));
    scene.get(2);
    assert_eq!(scene.payload(2), "4");

    let mut settings = config();
    settings.max_response = 4;
    let mut scene = polling_with(settings);
    ["aa", "b", "c"].into_iter().for_each(|text| scene.send(text));
    scene.get(1);
    assert_eq!(scene.payload(1), "4aa 4b");
    scene.get(2);
    assert_eq!(scene.payload(2), "4c");
}

#[test]
fn two_gets_at_a_time_end_the_session() {
    let mut scene = polling();
    scene.get(1);
    assert_eq!(scene.input(Input::Get(ReqId(2))), Err(Violation::Overlap));
    assert_eq!((scene.payload(1), scene.answer(2)), ("1".into(), bad_request()));
    assert_eq!(scene.events(), [closed(TransportError, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn two_posts_at_a_time_end_the_session() {
    let mut scene = polling();
    scene.get(1);
    scene.post(2, "4a").unwrap();
    assert_eq!(scene.post(3, "4b"), Err(Violation::Overlap));
    let taken = Some(Answer::Received);
    assert_eq!((scene.answer(2), scene.answer(3)), (taken, bad_request()));
    assert_eq!(scene.payload(1), "1");
    assert_eq!(scene.events(), [message("a"), closed(TransportError, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn a_waiting_get_whose_client_leaves_takes_nothing_with_it() {
    let mut scene = polling();
    scene.get(1);
    scene.send("a");
    scene.input(Input::Gone(ReqId(1))).unwrap();
    assert_eq!(scene.answer(1), None);
    assert_eq!(scene.events(), [closed(TransportError, 0, 1)]);
    assert_eq!(scene.session.take_unsent().collect::<Vec<_>>(), ["a".into()]);
    scene.assert_finished();
}

#[test]
fn the_end_of_a_request_that_is_not_there_means_nothing() {
    let mut scene = polling();
    scene.input(Input::Gone(ReqId(0))).unwrap();
    scene.input(Input::Gone(ReqId(9))).unwrap();
    assert_eq!(scene.events(), []);
}

#[test]
fn a_response_that_was_cut_leaves_its_messages_in_doubt() {
    let mut scene = polling();
    scene.get(1);
    scene.send("a");
    scene.send("b");
    assert_eq!(scene.payload(1), "4a 4b");
    scene.send("c");
    scene.input(Input::Failed(ReqId(1))).unwrap();
    assert_eq!(scene.events(), [closed(TransportError, 2, 1)]);
    scene.assert_finished();
}

#[test]
fn the_next_get_confirms_the_response_before() {
    let mut scene = polling();
    scene.get(1);
    scene.send("a");
    assert_eq!(scene.payload(1), "4a");
    scene.get(2);
    scene.session.abort(scene.now);
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 0)]);
}

#[test]
fn a_post_is_answered_and_its_messages_come_in_order() {
    let mut scene = polling();
    scene.post(1, "4a\x1ebAQID\x1e6\x1e4\x1e4é😀").unwrap();
    assert_eq!(scene.answer(1), Some(Answer::Received));
    let bytes = Event::Message(vec![1, 2, 3].into());
    assert_eq!(scene.events(), [message("a"), bytes, message(""), message("é😀")]);
    assert_eq!(scene.session.received(), 4);
    scene.post(2, "4b").unwrap();
    assert_eq!(scene.answer(2), Some(Answer::Received));
}

#[test]
fn a_post_is_refused_whole() {
    for (body, violation) in [
        ("", Violation::Packet(PacketError::Empty)),
        ("4a\x1e", Violation::Packet(PacketError::Empty)),
        ("4a\x1e7", Violation::Packet(PacketError::UnknownType)),
        ("4a\x1ebA", Violation::Packet(PacketError::InvalidBase64)),
        ("4a\x1e2", Violation::UnexpectedPacket),
    ] {
        let mut scene = polling();
        scene.get(1);
        assert_eq!(scene.post(2, body), Err(violation), "{body:?}");
        assert_eq!((scene.payload(1), scene.answer(2)), ("1".into(), bad_request()));
        let reason = if violation == Violation::UnexpectedPacket {
            TransportError
        } else {
            ParseError
        };
        assert_eq!(scene.events(), [closed(reason, 0, 0)], "{body:?}");
        scene.assert_finished();
    }
    let mut scene = polling();
    let result = scene.input(Input::Post(ReqId(1), Bytes::from_static(b"4\xff")));
    assert_eq!(result, Err(Violation::Packet(PacketError::NotUtf8)));
    assert_eq!(scene.answer(1), bad_request());
}

#[test]
fn packets_without_a_meaning_are_skipped_even_where_they_are_malformed() {
    let mut scene = polling();
    scene.post(1, "0\x1e4a\x1e0{}\x1e5\x1e6\x1e3\x1e4b").unwrap();
    assert_eq!(scene.answer(1), Some(Answer::Received));
    assert_eq!(scene.events(), [message("a"), message("b")]);
}

#[test]
fn a_close_packet_in_a_post_ends_the_session() {
    let mut scene = polling();
    scene.get(1);
    scene.post(2, "4a\x1e1\x1e4b\x1ejunk").unwrap();
    assert_eq!(
        (scene.payload(1), scene.answer(2)),
        ("6".into(), Some(Answer::Received))
    );
    assert_eq!(scene.events(), [message("a"), closed(ClientDisconnect, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn a_post_is_held_until_the_application_takes_messages() {
    let mut scene = polling();
    scene
        .post(1, &format!("4{}\x1e4{}", "a".repeat(200), "b".repeat(200)))
        .unwrap();
    assert!(!scene.session.wants_input());
    assert_eq!(scene.answer(1), None);
    assert_eq!(scene.session.poll_event(), Some(message(&"a".repeat(200))));
    assert!(scene.session.wants_input());
    assert_eq!(scene.answer(1), Some(Answer::Received));
    assert_eq!(scene.events(), [message(&"b".repeat(200))]);
}

#[test]
fn a_held_post_whose_client_leaves_ends_the_session_and_keeps_what_it_said() {
    let mut scene = polling();
    let text = "a".repeat(400);
    scene.post(1, &format!("4{text}")).unwrap();
    assert_eq!(scene.answer(1), None);
    scene.input(Input::Gone(ReqId(1))).unwrap();
    assert_eq!(scene.events(), [message(&text), closed(TransportError, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn messages_are_decoded_as_they_are_taken() {
    let mut scene = polling();
    scene.post(1, &["4"; 1000].join("\x1e")).unwrap();
    assert_eq!(scene.session.received(), 0);
    for taken in 1..=1000 {
        assert_eq!(scene.session.poll_event(), Some(message("")));
        assert_eq!(scene.session.received(), taken);
    }
    assert_eq!(scene.events(), []);
    assert!(!scene.session.has_event());
}

#[test]
fn requests_after_the_end_are_told_so() {
    let mut scene = polling();
    scene.session.abort(scene.now);
    assert_eq!(scene.input(Input::Get(ReqId(1))), Err(Violation::UnexpectedRequest));
    assert_eq!(scene.post(2, "4a"), Err(Violation::UnexpectedRequest));
    assert!(!scene.session.is_finished());
    assert_eq!(scene.answer(1), Some(Answer::Error(ErrorCode::SessionUnknown)));
    assert_eq!(scene.answer(2), Some(Answer::Error(ErrorCode::SessionUnknown)));
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 0)]);
    scene.assert_finished();
}

// ---- the upgrade ----

#[test]
fn a_second_websocket_is_refused_and_the_first_goes_on() {
    let mut scene = polling();
    scene.input(Input::WsOpen).unwrap();
    assert_eq!(scene.input(Input::WsOpen), Err(Violation::UnexpectedWebSocket));
    scene.frame("2probe").unwrap();
    assert_eq!(scene.input(Input::WsOpen), Err(Violation::UnexpectedWebSocket));
    assert_eq!(scene.frames(), ["3probe"]);
    scene.frame("5").unwrap();
    assert_eq!(scene.input(Input::WsOpen), Err(Violation::UnexpectedWebSocket));
    assert_eq!(scene.events(), [Event::Upgraded]);
}

#[test]
fn a_websocket_is_refused_where_none_can_be_had() {
    let mut settings = config();
    settings.upgrades = false;
    let mut without_upgrades = polling_with(settings);
    let mut closing = polling();
    closing.session.close(closing.now);
    let mut over = polling();
    over.session.abort(over.now);
    for scene in [&mut without_upgrades, &mut closing, &mut over, &mut websocket()] {
        assert_eq!(scene.input(Input::WsOpen), Err(Violation::UnexpectedWebSocket));
    }
}

#[test]
fn messages_go_on_by_polling_until_the_probe() {
    let mut scene = polling();
    scene.get(1);
    scene.input(Input::WsOpen).unwrap();
    scene.send("a");
    assert_eq!(scene.frames(), [""; 0]);
    assert_eq!(scene.payload(1), "4a");
}

#[test]
fn the_probe_releases_the_poll_and_holds_messages_back() {
    let mut scene = polling();
    scene.get(1);
    scene.input(Input::WsOpen).unwrap();
    scene.frame("2probe").unwrap();
    scene.send("a");
    assert_eq!(scene.frames(), ["3probe"]);
    assert_eq!(scene.payload(1), "6");
    scene.get(2);
    assert_eq!(scene.payload(2), "6");
    assert_eq!(scene.frames(), [""; 0]);
    assert_eq!(scene.session.transport(), Transport::Polling);
}

#[test]
fn the_upgrade_keeps_the_order_and_sends_nothing_twice() {
    let mut scene = polling();
    scene.get(1);
    scene.send("a");
    assert_eq!(scene.payload(1), "4a");
    scene.get(2);
    scene.input(Input::WsOpen).unwrap();
    scene.frame("2probe").unwrap();
    scene.send("b");
    scene.post(3, "4from the client").unwrap();
    assert_eq!(
        (scene.payload(2), scene.answer(3)),
        ("6".into(), Some(Answer::Received))
    );
    scene.frame("5").unwrap();
    scene.send("c");
    scene.frame("4by WebSocket").unwrap();
    assert_eq!(scene.frames(), ["3probe", "4b", "4c"]);
    assert_eq!(scene.session.transport(), Transport::WebSocket);
    let events = [Event::Upgraded, message("from the client"), message("by WebSocket")];
    assert_eq!(scene.events(), events);
}

#[test]
fn requests_after_the_upgrade_are_refused_and_the_session_goes_on() {
    let mut scene = probed();
    scene.frame("5").unwrap();
    assert_eq!(scene.input(Input::Get(ReqId(1))), Err(Violation::UnexpectedRequest));
    assert_eq!(scene.post(2, "4a"), Err(Violation::UnexpectedRequest));
    assert_eq!((scene.answer(1), scene.answer(2)), (bad_request(), bad_request()));
    assert_eq!(scene.events(), [Event::Upgraded]);
}

/// The session polls, and messages that were held back come out.
fn assert_polls_again(mut scene: Scene, after: &str) {
    assert_eq!(scene.session.transport(), Transport::Polling, "{after}");
    scene.get(77);
    assert_eq!(scene.payload(77), "4held back", "{after}");
    assert_eq!(scene.events(), [], "{after}");
}

#[test]
fn a_wrong_frame_ends_the_probe_only() {
    for frame in ["4a", "2", "2prob", "3probe", "5", "", "1"] {
        let mut scene = polling();
        scene.send("held back");
        scene.input(Input::WsOpen).unwrap();
        assert_eq!(scene.frame(frame), Err(Violation::BadProbe));
        assert_eq!(scene.frame("2probe"), Ok(()), "it is not listened to any more");
        assert_eq!(scene.frames(), ["close frame"]);
        assert_polls_again(scene, frame);
    }
    for frame in ["4a", "2probe", "6"] {
        let mut scene = probed();
        scene.send("held back");
        assert_eq!(scene.frame(frame), Err(Violation::BadProbe));
        assert_eq!(scene.frames(), ["close frame"]);
        assert_polls_again(scene, frame);
    }
    let mut scene = probed();
    scene.send("held back");
    assert_eq!(scene.input(Input::WsBinary(Bytes::new())), Err(Violation::BadProbe));
    assert_polls_again(scene, "binary");
}

#[test]
fn the_end_of_the_websocket_ends_the_probe_only() {
    for end in [Input::WsClosed, Input::WsFailed] {
        let mut scene = probed();
        scene.send("held back");
        scene.input(end.clone()).unwrap();
        assert_eq!(scene.frames(), [""; 0]);
        assert_polls_again(scene, "the end");
    }
}

#[test]
fn a_probe_takes_only_so_long() {
    let mut scene = polling();
    scene.input(Input::WsOpen).unwrap();
    scene.send("held back");
    scene.wait(299);
    scene.frame("2probe").unwrap();
    assert_eq!(scene.frames(), ["3probe"]);
    scene.wait(1);
    assert_eq!(scene.frames(), ["close frame"]);
    assert_eq!(scene.frame("5"), Ok(()), "too late, and ignored");
    assert_polls_again(scene, "time-out");
}

#[test]
fn a_new_probe_may_come_after_the_old_websocket_has_ended() {
    let mut scene = probed();
    scene.wait(300);
    assert_eq!(scene.input(Input::WsOpen), Err(Violation::UnexpectedWebSocket));
    assert_eq!(scene.frames(), ["close frame"]);
    assert_eq!(scene.input(Input::WsOpen), Err(Violation::UnexpectedWebSocket));
    scene.input(Input::WsClosed).unwrap();
    scene.input(Input::WsOpen).unwrap();
    scene.frame("2probe").unwrap();
    scene.frame("5").unwrap();
    assert_eq!(scene.frames(), ["3probe"]);
    assert_eq!(scene.events(), [Event::Upgraded]);
}

#[test]
fn close_ends_a_probe_that_was_not_answered_and_goes_out_by_polling() {
    let mut scene = polling();
    scene.input(Input::WsOpen).unwrap();
    scene.send("a");
    scene.session.close(scene.now);
    assert_eq!(scene.frames(), ["close frame"]);
    scene.get(1);
    assert_eq!(scene.payload(1), "4a");
    scene.get(2);
    assert_eq!(scene.payload(2), "1");
}

#[test]
fn close_after_the_probe_was_answered_goes_out_on_the_websocket() {
    let mut scene = probed();
    scene.send("a");
    scene.session.close(scene.now);
    assert_eq!(scene.frames(), [""; 0]);
    scene.get(1);
    assert_eq!(scene.payload(1), "6", "the client polls no more");
    scene.frame("5").unwrap();
    assert_eq!(scene.frames(), ["4a", "1", "close frame"]);
}

#[test]
fn close_after_a_probe_that_leads_nowhere_goes_out_by_polling() {
    let mut scene = probed();
    scene.send("a");
    scene.session.close(scene.now);
    let probe_over = scene.session.poll_timeout().expect("the probe has a deadline");
    scene.session.handle_timeout(probe_over);
    assert_eq!(scene.frames(), ["close frame"]);
    scene.get(1);
    assert_eq!(scene.payload(1), "4a");
    scene.get(2);
    assert_eq!(scene.payload(2), "1");
}

// ---- on the WebSocket ----

#[test]
fn frames_both_ways() {
    let mut scene = websocket();
    scene.send("a");
    scene.session.send(vec![1].into()).unwrap();
    assert_eq!(scene.frames(), ["4a", r#"b"\x01""#]);
    scene.frame("4b").unwrap();
    scene.input(Input::WsBinary(Bytes::from_static(b"c"))).unwrap();
    scene.frame("bAQID").unwrap();
    for nothing in ["0{}", "0", "5", "6", "3"] {
        scene.frame(nothing).unwrap();
    }
    let bytes = |bytes: &'static [u8]| Event::Message(bytes.into());
    assert_eq!(scene.events(), [message("b"), bytes(b"c"), bytes(&[1, 2, 3])]);
}

#[test]
fn a_bad_frame_ends_the_session() {
    for (frame, violation, reason) in [
        ("", Violation::Packet(PacketError::Empty), ParseError),
        ("9", Violation::Packet(PacketError::UnknownType), ParseError),
        ("b!", Violation::Packet(PacketError::InvalidBase64), ParseError),
        ("2", Violation::UnexpectedPacket, TransportError),
    ] {
        let mut scene = websocket();
        assert_eq!(scene.frame(frame), Err(violation));
        assert_eq!(scene.frames(), ["close frame"]);
        assert_eq!(scene.events(), [closed(reason, 0, 0)]);
        scene.assert_finished();
    }
}

#[test]
fn a_close_packet_on_the_websocket() {
    let mut scene = websocket();
    scene.frame("4a").unwrap();
    scene.frame("1").unwrap();
    scene.frame("4never said").unwrap();
    assert_eq!(scene.frames(), ["close frame"]);
    assert_eq!(scene.events(), [message("a"), closed(ClientDisconnect, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn the_end_of_the_websocket_is_the_end_of_the_session() {
    for (end, reason) in [(Input::WsClosed, TransportClose), (Input::WsFailed, TransportError)] {
        let mut scene = websocket();
        scene.send("a");
        assert_eq!(scene.frames(), ["4a"]);
        scene.send("b");
        scene.input(end).unwrap();
        assert_eq!(scene.events(), [closed(reason, 1, 1)]);
        scene.assert_finished();
    }
}

// ---- the heartbeat ----

#[test]
fn the_first_ping_comes_after_one_interval() {
    let mut scene = websocket();
    scene.wait(999);
    assert_eq!(scene.frames(), [""; 0]);
    scene.wait(1);
    assert_eq!(scene.frames(), ["2"]);
    assert_eq!(scene.frames(), [""; 0]);
}

#[test]
fn a_ping_answers_the_waiting_get_and_stands_before_messages() {
    let mut scene = polling();
    scene.get(1);
    scene.wait(1000);
    scene.send("a");
    assert_eq!(scene.payload(1), "2 4a");
}

#[test]
fn the_pings_keep_their_pace_whatever_else_is_said() {
    let mut scene = websocket();
    let start = scene.now;
    let mut pings = Vec::new();
    for step in 0..30 {
        scene.wait(100);
        scene.frame("4busy").unwrap();
        scene.send("busy");
        if scene.frames().contains(&"2".into()) {
            pings.push(scene.now.saturating_duration_since(start).as_millis());
            scene.wait(step % 5 * 10);
            scene.frame("3").unwrap();
            scene.now = start + millis(100 * (step + 1));
        }
        scene.events();
    }
    assert_eq!(pings, [1000, 2000, 3000]);
}

#[test]
fn one_ping_at_a_time() {
    let mut settings = config();
    settings.ping_timeout = millis(5000);
    let mut scene = websocket_with(settings);
    scene.wait(4900);
    assert_eq!(scene.frames(), ["2"]);
    scene.frame("3").unwrap();
    // The next one is overdue.
    scene.wait(1);
    assert_eq!(scene.frames(), ["2"]);
}

#[test]
fn patience_ends_on_time() {
    let mut waiting = polling();
    waiting.get(1);
    for mut scene in [websocket(), polling(), waiting] {
        scene.wait(1499);
        assert_eq!(scene.events(), []);
        scene.wait(1);
        assert_eq!(scene.events(), [closed(PingTimeout, 0, 0)]);
    }
}

#[test]
fn a_timed_out_get_is_told_to_close() {
    let mut scene = polling();
    scene.get(1);
    scene.wait(1000);
    assert_eq!(scene.payload(1), "2");
    scene.get(2);
    scene.wait(500);
    assert_eq!(scene.payload(2), "1");
}

#[test]
fn another_packet_extends_the_wait_once() {
    let mut scene = websocket();
    scene.wait(1000);
    scene.frames();
    scene.wait(400);
    scene.frame("4a").unwrap();
    scene.wait(400);
    scene.frame("4b").unwrap();
    scene.wait(99);
    assert_eq!(scene.events(), [message("a"), message("b")]);
    scene.wait(1);
    assert_eq!(scene.events(), [closed(PingTimeout, 0, 0)]);
}

#[test]
fn pongs_that_nobody_asked_for_are_ignored() {
    let mut scene = websocket();
    (0..100).for_each(|_| scene.frame("3").unwrap());
    scene.wait(999);
    assert_eq!(scene.frames(), [""; 0]);
    scene.wait(1);
    (0..100).for_each(|_| scene.frame("3").unwrap());
    assert_eq!(
        scene.frames(),
        ["2"],
        "pongs before the ping is on its way do not count"
    );
    (0..100).for_each(|_| scene.frame("3").unwrap());
    scene.wait(999);
    assert_eq!(scene.frames(), [""; 0]);
    scene.wait(1);
    assert_eq!(scene.frames(), ["2"]);
}

#[test]
fn a_pong_confirms_what_went_before_its_ping() {
    let mut scene = websocket();
    scene.send("a");
    scene.frames();
    scene.wait(1000);
    scene.send("b");
    assert_eq!(scene.frames(), ["2", "4b"]);
    scene.frame("3").unwrap();
    scene.session.abort(scene.now);
    assert_eq!(scene.events(), [closed(ServerDisconnect, 1, 0)]);
}

#[test]
fn a_ping_that_can_not_go_out_while_probing_is_not_held_against_the_client() {
    let mut settings = config();
    settings.upgrade_timeout = millis(3000);
    let mut scene = polling_with(settings);
    scene.input(Input::WsOpen).unwrap();
    scene.frame("2probe").unwrap();
    assert_eq!(scene.frames(), ["3probe"]);
    scene.wait(2500);
    scene.frame("5").unwrap();
    assert_eq!(scene.events(), [Event::Upgraded]);
    assert_eq!(scene.frames(), ["2"]);
    scene.wait(499);
    assert_eq!(scene.events(), []);
    scene.wait(1);
    assert_eq!(scene.events(), [closed(PingTimeout, 0, 0)]);
}

// ---- a slow application ----

#[test]
fn patience_is_suspended_while_we_take_no_input_and_begins_anew() {
    let mut scene = websocket();
    scene.wait(1000);
    assert_eq!(scene.frames(), ["2"]);
    scene.frame(&format!("4{}", "a".repeat(400))).unwrap();
    assert!(!scene.session.wants_input());
    scene.wait(650);
    assert_eq!(scene.events().len(), 1);
    assert!(scene.session.wants_input());
    scene.wait(499);
    assert_eq!(scene.events(), []);
    scene.wait(1);
    assert_eq!(scene.events(), [closed(PingTimeout, 0, 0)]);
}

#[test]
fn an_application_that_takes_nothing_at_all_is_given_up() {
    let mut scene = websocket();
    let text = "a".repeat(400);
    scene.frame(&format!("4{text}")).unwrap();
    scene.wait(699);
    assert_eq!(scene.session.closed(), None);
    scene.wait(1);
    assert_eq!(scene.frames(), ["close frame"]);
    assert_eq!(scene.events(), [message(&text), closed(Stalled, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn an_application_that_is_slow_but_takes_messages_is_not_given_up() {
    let mut settings = config();
    settings.receive_window = 1;
    let mut scene = polling_with(settings);
    scene.get(1);
    scene.post(2, &["4a"; 10].join("\x1e")).unwrap();
    for _ in 0..10 {
        scene.wait(500);
        assert_eq!(scene.session.poll_event(), Some(message("a")));
    }
    assert_eq!(scene.session.closed(), None);
}

#[test]
fn an_application_that_discards_input_is_not_waited_for() {
    let mut scene = polling();
    let body = format!("4{}", "a".repeat(400));
    scene.post(1, &body).unwrap();
    assert_eq!(scene.answer(1), None);
    scene.session.discard_input();
    assert_eq!(scene.answer(1), Some(Answer::Received));
    scene.post(2, &body).unwrap();
    assert_eq!(scene.answer(2), Some(Answer::Received));
    assert_eq!(scene.events(), []);
    scene.send("still open");
    scene.get(3);
    assert_eq!(scene.payload(3), "4still open");
    scene.get(5);
    scene.post(4, "4a\x1e1").unwrap();
    assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
}

// ---- the queue ----

#[test]
fn a_full_queue_gives_the_message_back_and_tells_of_room() {
    // Each message counts 64 more than its bytes; the limit is 1000.
    let mut scene = websocket();
    let data = Data::from("a".repeat(186));
    (0..4).for_each(|_| scene.session.send(data.clone()).unwrap());
    assert!(!scene.session.is_blocked());
    assert_eq!(scene.session.send("b".into()), Err(SendError::Full("b".into())));
    assert!(scene.session.is_blocked());
    let take = |scene: &mut Scene| scene.session.poll_transmit(scene.now, Carrier::WebSocket).unwrap();
    take(&mut scene);
    assert_eq!(scene.events(), [], "a quarter is free");
    take(&mut scene);
    assert_eq!(scene.events(), [Event::Writable]);
    assert!(!scene.session.is_blocked());
    scene.frames();
    assert_eq!(scene.events(), [], "told once");
}

#[test]
fn a_message_larger_than_the_queue_is_refused_for_good() {
    let mut scene = websocket();
    let data = Data::from("a".repeat(937));
    assert_eq!(scene.session.send(data.clone()), Err(SendError::TooLarge(data)));
    assert!(!scene.session.is_blocked());
    scene.session.send("a".repeat(936).into()).unwrap();
}

#[test]
fn room_that_is_used_up_is_not_reported() {
    let mut scene = websocket();
    let data = Data::from("a".repeat(936));
    scene.session.send(data.clone()).unwrap();
    scene.session.send("b".into()).unwrap_err();
    scene.frames();
    scene.session.send(data.clone()).unwrap();
    scene.session.send("b".into()).unwrap_err();
    assert_eq!(scene.events(), []);
    scene.frames();
    assert_eq!(scene.events(), [Event::Writable]);
}

#[test]
fn nothing_can_be_sent_once_the_session_is_closing() {
    let mut scene = websocket();
    scene.session.close(scene.now);
    assert_eq!(scene.session.send("a".into()), Err(SendError::Closed("a".into())));
    scene.session.abort(scene.now);
    assert_eq!(scene.session.send("a".into()), Err(SendError::Closed("a".into())));
    assert_eq!(SendError::Closed("a".into()).into_data(), "a".into());
}

// ---- the end ----

#[test]
fn close_answers_the_waiting_get() {
    let mut scene = polling();
    scene.get(1);
    scene.session.close(scene.now);
    assert_eq!(scene.session.phase(), Phase::Closing);
    assert_eq!(scene.payload(1), "1");
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn close_without_a_get_waits_for_polls_that_fetch_the_rest() {
    let mut settings = config();
    settings.max_queue = 4000;
    let mut scene = polling_with(settings);
    (0..32).for_each(|_| scene.send(""));
    scene.session.close(scene.now);
    for req in [1, 2] {
        scene.wait(100);
        scene.get(req);
        assert_eq!(scene.payload(req), ["4"; 16].join(" "));
        assert_eq!(scene.events(), []);
    }
    scene.get(3);
    assert_eq!(scene.payload(3), "1");
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn the_close_packet_comes_behind_the_last_messages_and_not_with_them() {
    let mut scene = polling();
    scene.get(1);
    scene.send("a");
    scene.send("b");
    scene.session.close(scene.now);
    assert_eq!(scene.payload(1), "4a 4b");
    assert_eq!(scene.events(), []);
    // Whoever asks for more has had them.
    scene.get(2);
    assert_eq!(scene.payload(2), "1");
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn who_does_not_fetch_the_close_packet_is_in_doubt_about_the_last_messages() {
    let mut scene = polling();
    scene.send("a");
    scene.session.close(scene.now);
    scene.get(1);
    assert_eq!(scene.payload(1), "4a");
    scene.wait(399);
    assert_eq!(scene.events(), []);
    scene.wait(1);
    assert_eq!(scene.events(), [closed(ServerDisconnect, 1, 0)]);
    scene.assert_finished();
}

#[test]
fn close_waits_only_so_long() {
    let mut scene = polling();
    scene.send("a");
    scene.session.close(scene.now);
    scene.wait(399);
    assert_eq!(scene.events(), []);
    scene.wait(1);
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 1)]);
    scene.assert_finished();
}

#[test]
fn messages_are_taken_while_closing() {
    let mut scene = polling();
    scene.session.close(scene.now);
    scene.post(1, "4a").unwrap();
    assert_eq!(scene.answer(1), Some(Answer::Received));
    assert_eq!(scene.events(), [message("a")]);
}

#[test]
fn close_on_a_websocket_flushes_says_so_and_waits_for_its_end() {
    let mut scene = websocket();
    scene.send("a");
    scene.session.close(scene.now);
    assert_eq!(scene.frames(), ["4a", "1", "close frame"]);
    assert_eq!(scene.events(), []);
    scene.input(Input::WsClosed).unwrap();
    assert_eq!(
        scene.events(),
        [closed(ServerDisconnect, 1, 0)],
        "its end may have crossed ours"
    );
    scene.assert_finished();
}

#[test]
fn a_websocket_that_breaks_while_closing_leaves_doubt() {
    let mut scene = websocket();
    scene.send("a");
    scene.session.close(scene.now);
    scene.frames();
    scene.input(Input::WsFailed).unwrap();
    assert_eq!(scene.events(), [closed(ServerDisconnect, 1, 0)]);
    scene.assert_finished();
}

#[test]
fn a_websocket_that_ends_before_it_was_told_to_leaves_doubt() {
    let mut scene = websocket();
    scene.send("a");
    assert_eq!(scene.frames(), ["4a"]);
    scene.send("b");
    scene.session.close(scene.now);
    scene.input(Input::WsClosed).unwrap();
    assert_eq!(scene.events(), [closed(ServerDisconnect, 1, 1)]);
}

#[test]
fn a_websocket_that_never_ends_is_not_waited_for() {
    let mut scene = websocket();
    scene.session.close(scene.now);
    scene.frames();
    scene.wait(400);
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn abort_ends_at_once() {
    let mut scene = polling();
    scene.get(1);
    scene.send("a");
    scene.session.abort(scene.now);
    assert_eq!(scene.payload(1), "1");
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 1)]);
    scene.assert_finished();

    let mut scene = websocket();
    scene.send("a");
    scene.session.abort(scene.now);
    assert_eq!(scene.frames(), ["close frame"]);
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 1)]);
    scene.assert_finished();
}

#[test]
fn unsent_messages_are_given_back_in_order_and_only_at_the_end() {
    let mut scene = polling();
    ["a", "b", "c"].into_iter().for_each(|text| scene.send(text));
    assert_eq!(scene.session.take_unsent().count(), 0);
    scene.session.abort(scene.now);
    let unsent: Vec<Data> = scene.session.take_unsent().collect();
    assert_eq!(unsent, ["a".into(), "b".into(), "c".into()]);
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 3)]);
}

#[test]
fn the_end_is_told_once_and_after_everything_else() {
    let mut scene = probed();
    scene.frame("5").unwrap();
    scene.frame("4a").unwrap();
    scene.session.abort(scene.now);
    scene.session.close(scene.now);
    scene.input(Input::WsFailed).unwrap();
    assert!(scene.session.has_event());
    let end = closed(ServerDisconnect, 0, 0);
    assert_eq!(scene.events(), [Event::Upgraded, message("a"), end]);
    scene.wait(10_000);
    assert_eq!(scene.events(), []);
    assert!(!scene.session.has_event());
}

#[test]
fn no_room_is_told_of_after_the_end() {
    let mut scene = websocket();
    scene.session.send("a".repeat(936).into()).unwrap();
    scene.session.send("b".into()).unwrap_err();
    scene.session.abort(scene.now);
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 1)]);
    assert_eq!(scene.session.take_unsent().count(), 1);
    assert_eq!(scene.frames(), ["close frame"]);
    scene.assert_finished();
}

#[test]
fn an_answer_that_nobody_takes_is_forgotten() {
    let mut scene = polling();
    scene.get(1);
    scene.session.abort(scene.now);
    scene.wait(399);
    assert!(!scene.session.is_finished());
    scene.wait(1);
    assert_eq!(scene.answer(1), None);
    assert_eq!(scene.events(), [closed(ServerDisconnect, 0, 0)]);
    scene.assert_finished();
}

#[test]
fn an_answer_whose_client_left_is_forgotten() {
    let mut scene = polling();
    scene.get(1);
    scene.session.abort(scene.now);
    scene.input(Input::Gone(ReqId(1))).unwrap();
    assert!(scene.session.is_finished());
}

#[test]
fn times_of_zero_end_things_and_never_spin() {
    let mut settings = config();
    settings.close_timeout = Duration::ZERO;
    let mut scene = polling_with(settings.clone());
    scene.get(1);
    scene.wait(1500);
    assert_eq!(scene.session.closed().unwrap().reason, PingTimeout);
    scene.wait(1);
    scene.session.abort(scene.now);
    scene.wait(1);
    assert!(scene.session.is_finished());

    settings.accept_timeout = Duration::ZERO;
    settings.ping_interval = Duration::ZERO;
    settings.ping_timeout = Duration::ZERO;
    settings.stall_timeout = Some(Duration::ZERO);
    settings.upgrade_timeout = Duration::ZERO;
    for accepted in [true, false] {
        let mut scene = newborn(settings.clone(), Carrier::WebSocket);
        if accepted {
            scene.session.accept(scene.now);
        }
        scene.wait(10);
        assert!(scene.session.is_finished());
    }
}

#[test]
fn times_without_end_do_not_overflow() {
    let mut settings = config();
    settings.ping_interval = Duration::MAX;
    settings.ping_timeout = Duration::MAX;
    settings.ping_interval_grace = Duration::MAX;
    settings.close_timeout = Duration::MAX;
    settings.accept_timeout = Duration::MAX;
    settings.stall_timeout = None;
    let mut scene = websocket_with(settings);
    scene.frame(&format!("4{}", "a".repeat(400))).unwrap();
    scene.wait(100_000_000);
    assert_eq!(scene.session.closed(), None);
}

#[test]
fn nobody_upgrades_before_the_open_packet_was_fetched() {
    let mut scene = newborn(config(), Carrier::Request(ReqId(0)));
    scene.session.accept(scene.now);
    assert_eq!(scene.input(Input::WsOpen), Err(Violation::UnexpectedWebSocket));
}

#[test]
fn probes_that_fail_do_not_keep_a_silent_client_alive() {
    let mut scene = polling();
    scene.wait(1000);
    for _ in 0..20 {
        if scene.input(Input::WsOpen).is_ok() {
            scene.wait(100);
            scene.input(Input::WsClosed).unwrap();
        }
    }
    assert_eq!(scene.session.closed().map(|closed| closed.reason), Some(PingTimeout));
}

#[test]
fn pings_go_on_while_the_application_stalls_and_the_first_pong_counts() {
    let mut settings = config();
    settings.stall_timeout = Some(millis(60_000));
    let mut scene = websocket_with(settings);
    scene.send("a");
    scene.frame(&format!("4{}", "x".repeat(400))).unwrap();
    assert!(!scene.session.wants_input());
    scene.wait(1000);
    assert_eq!(scene.frames(), ["2", "4a"]);
    for _ in 0..3 {
        scene.send("b");
        scene.wait(1000);
        assert_eq!(scene.frames(), ["2", "4b"]);
    }
    // Four pongs were stuck behind what was not read. The first is for the first ping, which stood before all messages.
    assert_eq!(scene.events().len(), 1);
    for _ in 0..4 {
        scene.frame("3").unwrap();
    }
    scene.session.abort(scene.now);
    assert_eq!(scene.events(), [closed(ServerDisconnect, 4, 0)]);
}

#[test]
fn a_small_message_does_not_keep_the_body_that_it_came_in() {
    let mut scene = polling();
    let body = format!("4a\x1e{}", "6\x1e".repeat(10_000) + "4b");
    scene.post(1, &body).unwrap();
    for text in ["a", "b"] {
        let Some(Event::Message(Data::Text(message))) = scene.session.poll_event() else {
            panic!("there is a message");
        };
        assert_eq!(message, text);
        assert!(
            message
                .into_bytes()
                .try_into_mut()
                .is_ok_and(|bytes| bytes.capacity() < 100)
        );
    }
}

// ---- whatever happens ----

/// SplitMix64. Any seed is a good one.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Says which seed it was, so that `model::run(&script(seed))` (or `run_of`) can be run alone.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("seed {}", self.0);
        }
    }
}

#[test]
fn whatever_happens_the_account_is_right() {
    for seed in 0..5000 {
        let _named = Named(seed);
        model::run(&script(seed));
        model::run_of(Version::V3, &script(seed));
    }
}

fn script(seed: u64) -> Vec<u8> {
    let mut rng = Rng(seed);
    let operations = 1 + rng.next() % 80;
    (0..=2 * operations).map(|_| rng.next() as u8).collect()
}

#[test]
fn a_noop_releases_a_poll_that_waits_and_nothing_else() {
    let mut scene = polling();
    scene.session.send_noop();
    scene.get(1);
    assert_eq!(scene.answer(1), None, "no poll was waiting");
    scene.session.send_noop();
    scene.session.send_noop();
    assert_eq!(scene.payload(1), "6");
    scene.get(2);
    assert_eq!(scene.answer(2), None);
    scene.send("a");
    scene.session.send_noop();
    assert_eq!(scene.payload(2), "4a", "it has something better");
}

#[test]
fn a_noop_is_one_frame_of_an_open_websocket() {
    let mut scene = websocket();
    scene.send("a");
    assert!(!scene.session.has_transmit(Carrier::Request(ReqId(1))));
    scene.session.send_noop();
    scene.session.send_noop();
    assert!(scene.session.has_transmit(Carrier::WebSocket));
    assert_eq!(scene.frames(), ["6", "4a"]);
    assert!(!scene.session.has_transmit(Carrier::WebSocket));

    let mut scene = probed();
    scene.session.send_noop();
    assert_eq!(scene.frames(), [""; 0], "it is not open yet");
}
