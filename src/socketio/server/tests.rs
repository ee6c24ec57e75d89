use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;

use super::super::{BROADCAST_IDS, JsonError, Parser as _, TEXT};
use super::*;

fn at(secs: u64) -> Instant {
    Instant::from_micros(secs * 1_000_000)
}

fn args(json: &str) -> Args {
    Args::new(json, vec![]).unwrap()
}

fn connection() -> Connection {
    Connection::new(Config::default(), at(0))
}

/// With one socket, in `/`.
fn connected() -> (Connection, Key) {
    let mut connection = connection();
    let key = join(&mut connection, "0");
    sent(&mut connection);
    (connection, key)
}

fn join(connection: &mut Connection, packet: &str) -> Key {
    connection.handle_data(at(0), packet.into()).unwrap();
    match connection.poll_event() {
        Some(Event::Connect { key, .. }) => {
            assert!(connection.accept(key, "id", None));
            key
        }
        other => panic!("{other:?}"),
    }
}

/// What is to be sent, as text; bytes in brackets.
fn sent(connection: &mut Connection) -> Vec<String> {
    core::iter::from_fn(|| connection.poll_transmit())
        .map(|transmit| match transmit {
            Transmit::Data(Data::Text(text)) => text.to_string(),
            Transmit::Data(Data::Binary(bytes)) => format!("{:?}", &bytes[..]),
            Transmit::Close => "CLOSE".to_string(),
        })
        .collect()
}

fn events(connection: &mut Connection) -> Vec<Event> {
    core::iter::from_fn(|| connection.poll_event()).collect()
}

fn receive(connection: &mut Connection, text: &str) -> Result<(), Violation> {
    connection.handle_data(at(1), text.into())
}

#[test]
fn namespaces_are_joined_one_by_one() {
    let mut connection = connection();
    receive(&mut connection, "0{\"token\":\"x\"}").unwrap();
    receive(&mut connection, "0/admin?a=b,").unwrap();
    let mut events = events(&mut connection).into_iter();
    let Some(Event::Connect { key, namespace, auth }) = events.next() else {
        panic!("it wants to join");
    };
    assert_eq!((&namespace[..], auth.unwrap().as_str()), ("/", "{\"token\":\"x\"}"));
    let Some(Event::Connect {
        key: admin,
        namespace,
        auth: None,
    }) = events.next()
    else {
        panic!("it wants to join");
    };
    assert_eq!(&namespace[..], "/admin?a=b");
    assert!(!connection.is_connected(key));
    assert!(connection.accept(admin, "s\"id", Some("secret")));
    assert!(connection.accept(key, "id", None));
    assert!(!connection.accept(key, "id", None) && !connection.refuse(key, "no", None));
    assert_eq!(
        sent(&mut connection),
        [
            "0/admin?a=b,{\"sid\":\"s\\\"id\",\"pid\":\"secret\"}",
            "0{\"sid\":\"id\"}"
        ]
    );
    assert_eq!(connection.connected().count(), 2);
}

#[test]
fn refusals_leave_the_connection() {
    let mut connection = connection();
    for (namespace, data, answer) in [
        ("0/x,", None, "4/x,{\"message\":\"no\"}"),
        ("0", Some("{\"code\":7}"), "4{\"message\":\"no\",\"data\":{\"code\":7}}"),
        ("0/x,", Some("null"), "4/x,{\"message\":\"no\",\"data\":null}"),
    ] {
        receive(&mut connection, namespace).unwrap();
        let Some(Event::Connect { key, .. }) = connection.poll_event() else {
            panic!("it wants to join");
        };
        // What was emitted meanwhile is nobody's any more.
        connection.emit(key, "early", Args::default()).unwrap();
        assert!(connection.queued() > 0);
        let data = data.map(|data| Json::new(data).unwrap());
        assert!(connection.refuse(key, "no", data.as_ref()));
        assert!(!connection.refuse(key, "no", None) && !connection.accept(key, "id", None));
        assert_eq!(sent(&mut connection), [answer]);
        assert_eq!(connection.queued(), 0);
        assert!(connection.emit(key, "late", Args::default()).is_err());
    }
    // It still has its time to join something.
    assert_eq!(connection.poll_timeout(), Some(at(45)));
}

#[test]
fn what_is_emitted_early_follows_the_connect() {
    let mut connection = connection();
    receive(&mut connection, "0").unwrap();
    let Some(Event::Connect { key, .. }) = connection.poll_event() else {
        panic!("it wants to join");
    };
    connection.emit(key, "first", args("[1]")).unwrap();
    let id = connection
        .emit_with_ack(at(1), key, "second", args("[]"), None)
        .unwrap();
    assert_eq!(connection.emit_volatile(key, "lost", args("[]")), Ok(false));
    assert_eq!(sent(&mut connection), Vec::<String>::new());
    connection.accept(key, "id", None);
    assert_eq!(
        sent(&mut connection),
        ["0{\"sid\":\"id\"}", "2[\"first\",1]", "20[\"second\"]"]
    );
    assert_eq!(id, 0);
}

#[test]
fn events_and_acknowledgements_both_ways() {
    let (mut connection, key) = connected();
    receive(&mut connection, "2[\"a\",1]").unwrap();
    receive(&mut connection, "27[\"b\"]").unwrap();
    receive(&mut connection, "51-8[\"c\",{\"_placeholder\":true,\"num\":0}]").unwrap();
    assert_eq!(connection.poll_timeout(), Some(at(61)));
    connection.handle_data(at(1), vec![1, 2].into()).unwrap();
    assert_eq!(connection.poll_timeout(), None);
    let mut tokens = Vec::new();
    let names: Vec<String> = events(&mut connection)
        .into_iter()
        .map(|event| match event {
            Event::Event {
                name,
                ack,
                key: of,
                args,
            } => {
                assert_eq!(of, key);
                tokens.extend(ack);
                format!("{name}{}{}", args.json(), args.attachments().len())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["a[1]0", "b[]0", "c[{\"_placeholder\":true,\"num\":0}]1"]);
    let [first, second] = <[AckToken; 2]>::try_from(tokens).unwrap();
    assert_eq!((first.id(), second.id(), second.key()), (7, 8, key));
    let binary = Args::new("[{\"_placeholder\":true,\"num\":0}]", vec![vec![9].into()]).unwrap();
    connection.ack(second, binary).unwrap();
    connection.ack(first, Args::default()).unwrap();
    assert_eq!(
        sent(&mut connection),
        ["61-8[{\"_placeholder\":true,\"num\":0}]", "[9]", "37[]"]
    );

    // Ours: each answered once, and only by the right number.
    let a = connection.emit_with_ack(at(1), key, "x", args("[]"), None).unwrap();
    let b = connection
        .emit_with_ack(at(1), key, "y", args("[2]"), Some(Duration::from_secs(5)))
        .unwrap();
    assert_eq!(
        sent(&mut connection),
        [format!("2{a}[\"x\"]"), format!("2{b}[\"y\",2]")]
    );
    assert_eq!(connection.poll_timeout(), Some(at(6)));
    for text in ["3[\"nobody\"]", "399[]", &format!("3{a}[true]"), &format!("3{a}[true]")] {
        receive(&mut connection, text).unwrap();
    }
    connection.handle_timeout(at(5));
    connection.handle_timeout(at(6));
    receive(&mut connection, &format!("3{b}[\"late\"]")).unwrap();
    assert_eq!(
        events(&mut connection),
        [
            Event::Ack {
                key,
                id: a,
                result: Ok(args("[true]"))
            },
            Event::Ack {
                key,
                id: b,
                result: Err(AckError::TimedOut)
            },
        ]
    );
    assert_eq!(connection.poll_timeout(), None);
}

#[test]
fn broadcasts_are_encoded_elsewhere() {
    let (mut connection, key) = connected();
    let id = BROADCAST_IDS.start;
    let packet = TEXT.encode(&Packet {
        namespace: "/".into(),
        body: Body::Event {
            id: Some(id),
            name: "news".into(),
            args: args("[1]"),
        },
    });
    assert!(connection.send_encoded(key, &packet, false));
    assert!(connection.expect_ack(at(0), key, id, None));
    // Not now: something waits to go out.
    assert!(!connection.send_encoded(key, &packet, true));
    assert_eq!(sent(&mut connection), [format!("2{id}[\"news\",1]")]);
    assert!(connection.send_encoded(key, &packet, true));
    sent(&mut connection);
    connection.handle_writable(false);
    assert!(!connection.send_encoded(key, &packet, true));
    assert_eq!(connection.emit_volatile(key, "x", args("[]")), Ok(false));
    connection.handle_writable(true);
    assert_eq!(connection.emit_volatile(key, "x", args("[]")), Ok(true));
    receive(&mut connection, &format!("3{id}[\"got it\"]")).unwrap();
    assert_eq!(events(&mut connection).len(), 1);
    connection.disconnect(at(1), key);
    assert!(!connection.send_encoded(key, &packet, false) && !connection.expect_ack(at(1), key, id, None));
}

/// What the client must not do, and with which words its sockets end: as in the JavaScript reference.
#[test]
fn violations_end_the_connection() {
    use DisconnectReason::{ForcedClose, ForcedServerClose};
    let packet = |error| Violation::Packet(error);
    for (text, violation, reason) in [
        ("0", Violation::ConnectedAlready, ForcedServerClose),
        ("0{}", Violation::ConnectedAlready, ForcedServerClose),
        ("4{\"message\":\"x\"}", Violation::ServersOnly, ForcedServerClose),
        ("2/x,[\"a\"]", Violation::NotConnected, ForcedServerClose),
        ("3/x,1[]", Violation::NotConnected, ForcedServerClose),
        ("1/x,", Violation::NotConnected, ForcedServerClose),
        ("51-/x,[\"a\"]", Violation::NotConnected, ForcedServerClose),
        ("2[\"connect\"]", packet(PacketError::ReservedEvent), ForcedClose),
        ("2{}", packet(PacketError::InvalidPayload), ForcedClose),
        ("0/y,[]", packet(PacketError::InvalidPayload), ForcedClose),
        ("0/y,{", packet(PacketError::Json(JsonError::Syntax)), ForcedClose),
        (
            "51-[\"a\",{\"_placeholder\":true,\"num\":7}]",
            packet(PacketError::InvalidPlaceholder),
            ForcedClose,
        ),
        ("50-[\"a\"]", packet(PacketError::InvalidAttachments), ForcedClose),
        (
            "51000000000-[\"a\"]",
            packet(PacketError::TooManyAttachments),
            ForcedClose,
        ),
        ("9", packet(PacketError::UnknownType), ForcedClose),
        ("", packet(PacketError::Empty), ForcedClose),
    ] {
        let (mut connection, key) = connected();
        let id = connection.emit_with_ack(at(1), key, "asked", args("[]"), None).unwrap();
        assert_eq!(receive(&mut connection, text), Err(violation), "{text}");
        assert!(connection.is_closed() && connection.poll_timeout().is_none());
        // Once closed, nothing means anything.
        receive(&mut connection, text).unwrap();
        connection.handle_timeout(at(1000));
        connection.handle_closed(DisconnectReason::TransportClose);
        assert_eq!(
            events(&mut connection),
            [
                Event::Ack {
                    key,
                    id,
                    result: Err(AckError::Disconnected)
                },
                Event::Disconnect { key, reason },
            ],
            "{text}"
        );
        assert!(!connection.has_transmit());
    }
    let (mut connection, _) = connected();
    assert_eq!(
        connection.handle_data(at(1), vec![1].into()),
        Err(packet(PacketError::UnexpectedBinary))
    );
    let (mut connection, key) = connected();
    connection.emit(key, "last words", args("[]")).unwrap();
    receive(&mut connection, "51-[\"a\"]").unwrap();
    assert_eq!(
        receive(&mut connection, "2[\"a\"]"),
        Err(packet(PacketError::UnexpectedText))
    );
    assert_eq!(sent(&mut connection), ["2[\"last words\"]", "CLOSE"]);
}

#[test]
fn nobody_may_talk_before_being_let_in() {
    for text in ["2[\"a\"]", "31[]", "1", "51-[\"a\"]"] {
        let mut connection = connection();
        receive(&mut connection, "0").unwrap();
        assert_eq!(receive(&mut connection, text), Err(Violation::NotConnected));
        let Some(Event::Connect { key, .. }) = connection.poll_event() else {
            panic!("it wants to join");
        };
        // There is nobody to let in any more, and nobody who was in.
        assert!(!connection.accept(key, "id", None));
        assert_eq!(connection.poll_event(), None);
        assert_eq!(sent(&mut connection), ["CLOSE"]);
    }
    let mut connection = connection();
    receive(&mut connection, "0").unwrap();
    assert_eq!(receive(&mut connection, "0"), Err(Violation::ConnectedAlready));
}

#[test]
fn the_client_leaves_and_comes_back_as_another() {
    let (mut connection, key) = connected();
    receive(&mut connection, "27[\"a\"]").unwrap();
    receive(&mut connection, "1").unwrap();
    let mut all = events(&mut connection);
    let reason = DisconnectReason::ClientNamespaceDisconnect;
    assert_eq!(all.pop(), Some(Event::Disconnect { key, reason }));
    let Some(Event::Event { ack: Some(ack), .. }) = all.pop() else {
        panic!("it is an event");
    };
    // The connection is not closed: it may join something else, within its time.
    assert_eq!(connection.poll_timeout(), Some(at(46)));
    let again = join(&mut connection, "0");
    assert_ne!(key, again);
    assert_eq!(connection.poll_timeout(), None);
    // What is late does not reach who came after.
    let (ack, error) = connection.ack(ack, args("[5]")).unwrap_err();
    assert_eq!((ack.id(), error), (7, EmitError::Disconnected(args("[5]"))));
    assert_eq!(
        connection.emit(key, "x", args("[6]")).unwrap_err().into_args(),
        args("[6]")
    );
    assert!(!connection.disconnect(at(1), key));
    assert_eq!(sent(&mut connection), ["0{\"sid\":\"id\"}"]);
}

#[test]
fn who_is_thrown_out_does_not_know_it_yet() {
    let (mut connection, key) = connected();
    let admin = join(&mut connection, "0/admin,");
    sent(&mut connection);
    assert!(connection.disconnect(at(1), key) && !connection.disconnect(at(1), key));
    let reason = DisconnectReason::ServerNamespaceDisconnect;
    assert_eq!(events(&mut connection), [Event::Disconnect { key, reason }]);
    assert_eq!(sent(&mut connection), ["1"]);
    // On its way already: it must not cost the client its other namespaces.
    for text in ["2[\"a\"]", "31[]", "51-[\"b\",{\"_placeholder\":true,\"num\":0}]"] {
        receive(&mut connection, text).unwrap();
    }
    connection.handle_data(at(1), vec![1].into()).unwrap();
    receive(&mut connection, "1").unwrap();
    assert_eq!(events(&mut connection), []);
    assert!(connection.is_connected(admin));
    let again = join(&mut connection, "0");
    assert!(connection.is_connected(again));
}

#[test]
fn closing_throws_out_of_everything() {
    let (mut connection, key) = connected();
    let admin = join(&mut connection, "0/admin,");
    receive(&mut connection, "0/pending,").unwrap();
    sent(&mut connection);
    events(&mut connection);
    connection.close(at(1));
    connection.close(at(1));
    connection.shut_down();
    let reason = DisconnectReason::ServerNamespaceDisconnect;
    let gone = [
        Event::Disconnect { key, reason },
        Event::Disconnect { key: admin, reason },
    ];
    assert_eq!(events(&mut connection), gone);
    assert_eq!(sent(&mut connection), ["1", "1/admin,", "CLOSE"]);
    connection.handle_closed(DisconnectReason::ForcedClose);
    assert!(!connection.has_event() && !connection.has_transmit());
}

#[test]
fn a_shutdown_lets_the_client_come_back() {
    let (mut connection, key) = connected();
    connection.shut_down();
    let reason = DisconnectReason::ServerShuttingDown;
    assert_eq!(events(&mut connection), [Event::Disconnect { key, reason }]);
    assert_eq!(sent(&mut connection), ["CLOSE"]);
}

#[test]
fn the_end_of_the_session_is_told_to_every_socket_once() {
    use crate::engineio::CloseReason;
    for (reason, words) in [
        (CloseReason::TransportClose, "transport close"),
        (CloseReason::ClientDisconnect, "transport close"),
        (CloseReason::TransportError, "transport error"),
        (CloseReason::PingTimeout, "ping timeout"),
        (CloseReason::ParseError, "parse error"),
        (CloseReason::ServerDisconnect, "forced close"),
    ] {
        let (mut connection, key) = connected();
        let admin = join(&mut connection, "0/admin,");
        receive(&mut connection, "0/pending,").unwrap();
        events(&mut connection);
        connection.handle_closed(reason.into());
        connection.handle_closed(DisconnectReason::ForcedClose);
        let gone = events(&mut connection);
        assert!(
            matches!(gone[..], [Event::Disconnect { key: a, .. }, Event::Disconnect { key: b, .. }] if a == key && b == admin)
        );
        for event in gone {
            let Event::Disconnect { reason, .. } = event else {
                unreachable!()
            };
            assert_eq!(reason.to_string(), words);
        }
        assert_eq!((sent(&mut connection).len(), connection.poll_timeout()), (0, None));
    }
}

#[test]
fn deadlines() {
    // Nobody joins.
    let mut connection = connection();
    assert_eq!(connection.poll_timeout(), Some(at(45)));
    receive(&mut connection, "0").unwrap();
    // That the application has not answered is no excuse.
    assert_eq!(connection.poll_timeout(), Some(at(45)));
    connection.handle_timeout(at(45));
    assert_eq!(sent(&mut connection), ["CLOSE"]);
    assert_eq!(connection.poll_timeout(), None);

    // Attachments that never come, or come slowly.
    let (mut connection, key) = connected();
    receive(&mut connection, "52-[\"a\"]").unwrap();
    connection.handle_data(at(50), vec![1].into()).unwrap();
    assert_eq!(connection.poll_timeout(), Some(at(110)));
    connection.handle_timeout(at(109));
    assert!(!connection.is_closed());
    connection.handle_timeout(at(110));
    let reason = DisconnectReason::ForcedClose;
    assert_eq!(events(&mut connection), [Event::Disconnect { key, reason }]);
}

#[test]
fn what_a_client_makes_us_hold_is_bounded() {
    let config = Arc::new(Config {
        max_namespaces: 3,
        max_queue: 1000,
        receive_window: 500,
        max_pending_acks: 2,
        ..Config::default()
    });

    // Namespaces, those it was thrown out of included.
    let mut connection = Connection::new(Arc::clone(&config), at(0));
    for index in 0..20 {
        let key = join(&mut connection, &format!("0/n{index},"));
        sent(&mut connection);
        connection.disconnect(at(1), key);
        events(&mut connection);
        assert!(connection.sockets.len() <= 3);
    }
    for index in 0..3 {
        receive(&mut connection, &format!("0/m{index},")).unwrap();
    }
    assert_eq!(receive(&mut connection, "0/m3,"), Err(Violation::TooManyNamespaces));

    // Events that nobody takes, answers that do not leave.
    let mut connection = Connection::new(Arc::clone(&config), at(0));
    let key = join(&mut connection, "0");
    let mut taken = 0;
    while connection.wants_input() {
        receive(&mut connection, "21[\"a\"]").unwrap();
        taken += 1;
    }
    assert!(taken < 10);
    let mut tokens: Vec<AckToken> = Vec::new();
    for event in events(&mut connection) {
        if let Event::Event { ack: Some(ack), .. } = event {
            tokens.push(ack);
        }
    }
    assert!(connection.wants_input());
    while connection.has_room() {
        connection
            .emit(key, "x", args("[\"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\"]"))
            .unwrap();
    }
    assert!(!connection.wants_input());
    assert_eq!(
        connection.emit(key, "x", args("[1]")),
        Err(EmitError::Full(args("[1]")))
    );
    let (token, error) = connection.ack(tokens.pop().unwrap(), args("[1]")).unwrap_err();
    assert_eq!(error, EmitError::Full(args("[1]")));
    sent(&mut connection);
    connection.ack(token, args("[1]")).unwrap();

    // Acknowledgements that never come.
    for _ in 0..2 {
        connection.emit_with_ack(at(0), key, "x", args("[]"), None).unwrap();
    }
    let refused = connection.emit_with_ack(at(0), key, "x", args("[2]"), None);
    assert_eq!(refused, Err(EmitError::TooManyAcks(args("[2]"))));
    assert!(!connection.expect_ack(at(0), key, 5, None));
}

#[test]
fn what_the_session_does_not_take_is_never_begun() {
    let config = Config {
        max_message: 60,
        ..Config::default()
    };
    let mut connection = Connection::new(config, at(0));
    let key = join(&mut connection, "0");
    sent(&mut connection);
    let large = Args::new("[{\"_placeholder\":true,\"num\":0}]", vec![vec![1; 61].into()]).unwrap();
    assert_eq!(
        connection.emit(key, "x", large.clone()),
        Err(EmitError::TooLarge(large.clone()))
    );
    let escaped = "\n".repeat(40);
    assert_eq!(
        connection.emit(key, &escaped, args("[]")),
        Err(EmitError::TooLarge(args("[]")))
    );
    let packet = TEXT.encode(&Packet {
        namespace: "/".into(),
        body: Body::Ack {
            id: Some(1),
            args: large.clone(),
        },
    });
    assert!(!connection.send_encoded(key, &packet, false));
    receive(&mut connection, "27[\"a\"]").unwrap();
    let Some(Event::Event { ack: Some(ack), .. }) = connection.poll_event() else {
        panic!("it wants an acknowledgement");
    };
    let (ack, error) = connection.ack(ack, large.clone()).unwrap_err();
    assert_eq!(error, EmitError::TooLarge(large));
    connection.ack(ack, args("[1]")).unwrap();
    assert_eq!(sent(&mut connection), ["37[1]"]);
}

#[test]
fn reserved_names_are_refused() {
    let (mut connection, key) = connected();
    for name in super::super::RESERVED_EVENTS {
        assert_eq!(
            connection.emit(key, name, args("[1]")),
            Err(EmitError::ReservedName(args("[1]")))
        );
    }
    connection.emit(key, "error", args("[]")).unwrap();
}

#[test]
fn part_of_a_packet_is_not_lost() {
    let (mut connection, key) = connected();
    let binary = Args::new("[]", vec![vec![1].into(), vec![2].into()]).unwrap();
    connection.emit(key, "x", binary).unwrap();
    let Some(Transmit::Data(first)) = connection.poll_transmit() else {
        panic!("there is a message");
    };
    connection.put_back(first);
    connection.close(at(1));
    assert_eq!(sent(&mut connection), ["52-[\"x\"]", "[1]", "[2]", "1", "CLOSE"]);
}
