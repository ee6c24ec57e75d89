//! Sessions of version 3: the client pings, payloads have lengths, and nothing that a client may send does harm.

use super::*;
use crate::engineio::Version;

fn newborn_of_3(carrier: Carrier) -> Scene {
    let sid = Sid::new("lv_VI97HAXpY6yYWAAAB").unwrap();
    let now = Instant::from_micros(5_000_000);
    let mut session = Session::of(Version::V3, config(), now, sid, carrier);
    session.accept(now);
    Scene { session, now }
}

fn polling_3() -> Scene {
    let mut scene = newborn_of_3(Carrier::Request(ReqId(0)));
    let open = scene.payload(0);
    assert_eq!(open, format!("{}:{OPEN}", OPEN.len()));
    scene
}

#[test]
fn a_ping_is_answered_and_none_is_sent() {
    let mut scene = polling_3();
    scene.input(Input::Get(ReqId(1))).unwrap();
    scene.now = scene.now + millis(1400);
    scene.session.handle_timeout(scene.now);
    assert_eq!(scene.answer(1), None, "a ping of the server's");
    // Many pings before the next poll are one pong.
    scene.input(Input::Post(ReqId(2), "1:21:26:2probe".into())).unwrap();
    assert_eq!(scene.answer(2), Some(Answer::Received));
    assert_eq!(scene.answer(1), Some(Answer::Payload("1:3".into())));
    // It has begun anew: the interval and the timeout together.
    assert_eq!(scene.session.poll_timeout(), Some(scene.now + millis(1500)));
    scene.now = scene.now + millis(1500);
    scene.session.handle_timeout(scene.now);
    assert_eq!(scene.session.closed().map(|closed| closed.reason), Some(PingTimeout));
}

#[test]
fn on_a_websocket_too() {
    let mut scene = newborn_of_3(Carrier::WebSocket);
    assert_eq!(scene.frames().len(), 1);
    scene.now = scene.now + millis(1000);
    scene.frame("2").unwrap();
    assert_eq!(scene.frames(), ["3"]);
    scene.input(Input::WsBinary(Bytes::from_static(&[4, 7]))).unwrap();
    scene.frame("b4AQI=").unwrap();
    assert_eq!(scene.session.poll_event(), Some(Event::Message(vec![7].into())));
    assert_eq!(scene.session.poll_event(), Some(Event::Message(vec![1, 2].into())));
    assert!(scene.input(Input::WsBinary(Bytes::from_static(&[2]))).is_err());
    assert_eq!(scene.session.closed().map(|closed| closed.reason), Some(ParseError));
}

#[test]
fn version_4_is_as_it_was() {
    let mut scene = polling();
    assert!(
        scene.input(Input::Post(ReqId(1), "2".into())).is_err(),
        "a ping of the client's"
    );
    let mut scene = polling();
    assert!(scene.input(Input::PostBinary(ReqId(1), "4a".into())).is_err());
}

/// Payloads that are right in some places and wrong in others, in any order. The session asserts its own invariants.
#[test]
fn whatever_comes_does_no_harm() {
    let mut state = 7_u64;
    let mut draw = move |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let parts: [&[u8]; 14] = [
        b"2:4a",
        b"1:2",
        b"1:1",
        b"10:b4AQIDBA==",
        "2:4\u{20ac}".as_bytes(),
        "3:4\u{1f600}".as_bytes(),
        "2:4\u{1f600}".as_bytes(),
        b":",
        b"9",
        &[0, 1, 255, b'2'],
        &[1, 0, 2, 255, 4, 9],
        &[1, 1, 255],
        &[255],
        &[0xf0, 0x9f],
    ];
    let mut taken = 0;
    for round in 0..20_000 {
        let mut scene = polling_3();
        for number in 1..4 {
            let mut body = Vec::new();
            for _ in 0..draw(4) {
                body.extend_from_slice(parts[draw(14) as usize]);
            }
            let (req, body) = (ReqId(round * 4 + number), Bytes::from(body));
            let _violation = match draw(4) {
                0 => scene.input(Input::PostBinary(req, body)),
                1 => scene.input(Input::WsBinary(body)),
                _ => scene.input(Input::Post(req, body)),
            };
            while let Some(event) = scene.session.poll_event() {
                taken += u64::from(matches!(event, Event::Message(_)));
            }
            let _answer = scene.answer(req.0);
        }
    }
    assert!(taken > 1000, "{taken}");
}
