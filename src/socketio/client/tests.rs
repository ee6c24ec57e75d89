use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;

use super::*;

fn at(secs: u64) -> Instant {
    Instant::from_micros(secs * 1_000_000)
}

fn args(json: &str) -> Args {
    Args::new(json, vec![]).unwrap()
}

fn client() -> (Client, Key) {
    let mut client = Client::new(Config::default());
    let key = client.connect(at(0), "/", Auth::None).unwrap();
    (client, key)
}

/// Open, and in `/`.
fn connected() -> (Client, Key) {
    let (mut client, key) = client();
    reconnect(&mut client, "0{\"sid\":\"id\"}");
    (client, key)
}

fn reconnect(client: &mut Client, answer: &str) {
    client.handle_opened(at(0));
    sent(client);
    receive(client, answer);
    assert!(matches!(client.poll_event(), Some(Event::Connect { .. })));
}

fn receive(client: &mut Client, text: &str) {
    client.handle_data(at(1), text.into()).unwrap();
}

/// What is to be sent, as text; bytes in brackets.
fn sent(client: &mut Client) -> Vec<String> {
    core::iter::from_fn(|| client.poll_transmit())
        .map(|transmit| match transmit {
            Transmit::Data(Data::Text(text)) => text.to_string(),
            Transmit::Data(Data::Binary(bytes)) => format!("{:?}", &bytes[..]),
            Transmit::Close => "CLOSE".to_string(),
        })
        .collect()
}

fn events(client: &mut Client) -> Vec<Event> {
    core::iter::from_fn(|| client.poll_event()).collect()
}

fn unsent(key: Key, name: &str, json: &str) -> Event {
    unsent_call(key, None, name, json)
}

fn unsent_call(key: Key, id: Option<u64>, name: &str, json: &str) -> Event {
    let (name, args) = (name.into(), args(json));
    Event::Unsent { key, id, name, args }
}

fn gone(key: Key, reason: DisconnectReason) -> Event {
    Event::Disconnect { key, reason }
}

#[test]
fn several_namespaces_on_one_connection() {
    let mut client = Client::new(Config::default());
    let auth = Auth::Value(Json::new("{\"token\":1}").unwrap());
    let main = client.connect(at(0), "/", auth).unwrap();
    let chat = client.connect(at(0), "chat?a=b", Auth::None).unwrap();
    assert_eq!(
        client.connect(at(0), "/chat?a=b", Auth::None),
        Err(NamespaceError::Taken)
    );
    assert_eq!(client.connect(at(0), "a,b", Auth::None), Err(NamespaceError::Unusable));
    assert!(client.wants_connection());
    assert_eq!(sent(&mut client), Vec::<String>::new());
    client.handle_opened(at(0));
    client.handle_opened(at(0));
    assert_eq!(sent(&mut client), ["0{\"token\":1}", "0/chat?a=b,"]);
    let late = client.connect(at(5), "/late", Auth::None).unwrap();
    assert_eq!(sent(&mut client), ["0/late,"]);
    assert_eq!(client.poll_timeout(), Some(at(20)));
    receive(&mut client, "0/chat?a=b,{\"sid\":\"c\"}");
    receive(&mut client, "0{\"sid\":\"m\"}");
    receive(&mut client, "4/late,{\"message\":\"no\",\"data\":{\"code\":7}}");
    let data = Some(Json::new("{\"code\":7}").unwrap());
    assert_eq!(
        events(&mut client),
        [
            Event::Connect {
                key: chat,
                sid: "c".into(),
                recovered: false
            },
            Event::Connect {
                key: main,
                sid: "m".into(),
                recovered: false
            },
            Event::ConnectError {
                key: late,
                message: "no".into(),
                data
            },
        ]
    );
    assert_eq!(
        (client.sid(main).unwrap().to_string(), client.sid(late)),
        ("m".to_string(), None)
    );
    assert_eq!(client.sockets().count(), 2);
    assert_eq!(client.poll_timeout(), None);
    // Each for itself.
    receive(&mut client, "2/chat?a=b,[\"x\"]");
    receive(&mut client, "2/elsewhere,[\"x\"]");
    let Some(Event::Event { key, .. }) = client.poll_event() else {
        panic!("it is an event");
    };
    assert_eq!((key, client.poll_event()), (chat, None));
    receive(&mut client, "1/chat?a=b,");
    assert_eq!(events(&mut client), [gone(chat, DisconnectReason::IoServerDisconnect)]);
    assert!(client.disconnect(main) && !client.disconnect(main));
    assert_eq!(sent(&mut client), ["1", "CLOSE"]);
    assert_eq!(events(&mut client), [gone(main, DisconnectReason::IoClientDisconnect)]);
    client.handle_closed(DisconnectReason::TransportClose);
    assert!(!client.has_event() && !client.wants_connection());
}

#[test]
fn refusals_of_every_shape() {
    for (payload, message, data) in [
        ("{\"message\":\"no\"}", "no", None),
        ("{\"message\":\"\\u0041\",\"data\":[1]}", "A", Some("[1]")),
        ("\"Unable to connect\"", "Unable to connect", None),
        ("{}", "", None),
        ("{\"message\":1}", "", None),
        ("", "", None),
    ] {
        let (mut client, key) = client();
        client.emit(key, "waits", args("[1]")).unwrap();
        client.handle_opened(at(0));
        sent(&mut client);
        receive(&mut client, &format!("4{payload}"));
        let data = data.map(|data| Json::new(data).unwrap());
        let message = message.into();
        let end = Event::ConnectError { key, message, data };
        assert_eq!(events(&mut client), [unsent(key, "waits", "[1]"), end], "{payload}");
        // Nobody is left.
        assert_eq!(sent(&mut client), ["CLOSE"]);
        assert_eq!(client.emit(key, "x", args("[2]")).unwrap_err().into_args(), args("[2]"));
    }
    // A server of an older protocol.
    let (mut client, key) = client();
    client.handle_opened(at(0));
    receive(&mut client, "0");
    assert!(matches!(client.poll_event(), Some(Event::ConnectError { key: of, .. }) if of == key));
}

#[test]
fn fresh_authentication_each_time() {
    let mut client = Client::new(Config::default());
    let key = client.connect(at(0), "/", Auth::Ask).unwrap();
    assert!(!client.authenticate(key, None));
    for token in ["1", "2"] {
        client.handle_opened(at(0));
        assert_eq!(events(&mut client), [Event::AuthWanted { key }]);
        assert_eq!(sent(&mut client), Vec::<String>::new());
        let json = Json::new(format!("{{\"token\":{token}}}")).unwrap();
        assert!(client.authenticate(key, Some(&json)) && !client.authenticate(key, None));
        assert_eq!(sent(&mut client), [format!("0{{\"token\":{token}}}")]);
        receive(&mut client, "0{\"sid\":\"id\"}");
        client.handle_closed(DisconnectReason::TransportError);
        events(&mut client);
    }
    // The connection went while the application was thinking.
    client.handle_opened(at(0));
    client.handle_closed(DisconnectReason::TransportError);
    assert!(!client.authenticate(key, None));
    assert_eq!(events(&mut client), [Event::AuthWanted { key }]);
}

#[test]
fn events_and_acknowledgements_both_ways() {
    let (mut client, key) = connected();
    client.emit(key, "a", args("[1]")).unwrap();
    let binary = Args::new("[{\"_placeholder\":true,\"num\":0}]", vec![vec![9].into()]).unwrap();
    let first = client.emit_with_ack(at(1), key, "b", binary, None).unwrap();
    let second = client
        .emit_with_ack(at(1), key, "c", args("[]"), Some(Duration::from_secs(3)))
        .unwrap();
    assert_eq!(
        sent(&mut client),
        [
            "2[\"a\",1]",
            "51-0[\"b\",{\"_placeholder\":true,\"num\":0}]",
            "[9]",
            "21[\"c\"]"
        ]
    );
    assert_eq!(client.poll_timeout(), Some(at(4)));
    for text in ["30[true]", "30[true]", "37[]", "3[]"] {
        receive(&mut client, text);
    }
    client.handle_timeout(at(4));
    receive(&mut client, "31[\"late\"]");
    assert_eq!(
        events(&mut client),
        [
            Event::Ack {
                key,
                id: first,
                result: Ok(args("[true]"))
            },
            Event::Ack {
                key,
                id: second,
                result: Err(AckError::TimedOut)
            },
        ]
    );
    receive(&mut client, "27[\"number\"]");
    let Some(Event::Event { ack: Some(ack), .. }) = client.poll_event() else {
        panic!("it wants an acknowledgement");
    };
    client.ack(ack, args("[5]")).unwrap();
    assert_eq!(sent(&mut client), ["37[5]"]);
}

#[test]
fn acknowledgements_do_not_outlive_their_connection() {
    let (mut client, key) = connected();
    let id = client.emit_with_ack(at(1), key, "a", args("[]"), None).unwrap();
    receive(&mut client, "27[\"number\"]");
    let Some(Event::Event { ack: Some(ack), .. }) = client.poll_event() else {
        panic!("it wants an acknowledgement");
    };
    sent(&mut client);
    client.handle_closed(DisconnectReason::PingTimeout);
    assert_eq!(
        events(&mut client),
        [
            Event::Ack {
                key,
                id,
                result: Err(AckError::Disconnected)
            },
            gone(key, DisconnectReason::PingTimeout),
        ]
    );
    reconnect(&mut client, "0{\"sid\":\"id2\"}");
    let (ack, error) = client.ack(ack, args("[5]")).unwrap_err();
    assert_eq!((ack.id(), error), (7, EmitError::Disconnected(args("[5]"))));
    receive(&mut client, &format!("3{id}[]"));
    assert_eq!(sent(&mut client), Vec::<String>::new());
    assert_eq!(events(&mut client), []);
}

#[test]
fn what_waits_for_a_connection_follows_in_order() {
    let (mut client, key) = client();
    client.emit(key, "a", args("[1]")).unwrap();
    let id = client.emit_with_ack(at(0), key, "b", args("[2]"), None).unwrap();
    assert_eq!(client.emit_volatile(key, "lost", args("[]")), Ok(false));
    client.handle_opened(at(0));
    client.emit(key, "c", args("[3]")).unwrap();
    assert_eq!(sent(&mut client), ["0"]);
    receive(&mut client, "0{\"sid\":\"id\"}");
    client.emit(key, "d", args("[4]")).unwrap();
    assert_eq!(client.poll_transmit(), Some(Transmit::Data("2[\"a\",1]".into())));
    let Some(Transmit::Data(taken)) = client.poll_transmit() else {
        panic!("there is more");
    };
    assert_eq!(taken.as_text(), Some("20[\"b\",2]"));
    // What was handed over is in doubt, what was not goes out on the next connection.
    client.handle_closed(DisconnectReason::TransportError);
    events(&mut client);
    client.emit(key, "e", args("[5]")).unwrap();
    reconnect(&mut client, "0{\"sid\":\"id2\"}");
    assert_eq!(sent(&mut client), ["2[\"c\",3]", "2[\"d\",4]", "2[\"e\",5]"]);
    assert_eq!(client.waiting(), 0);
    let _ = id;
}

#[test]
fn what_is_volatile_goes_at_once_or_never() {
    let (mut client, key) = connected();
    assert_eq!(client.emit_volatile(key, "a", args("[]")), Ok(true));
    // Something waits.
    assert_eq!(client.emit_volatile(key, "b", args("[]")), Ok(false));
    client.handle_closed(DisconnectReason::TransportError);
    assert_eq!(events(&mut client), [gone(key, DisconnectReason::TransportError)]);
    reconnect(&mut client, "0{\"sid\":\"id\"}");
    client.handle_writable(false);
    assert_eq!(client.emit_volatile(key, "c", args("[]")), Ok(false));
    assert_eq!(sent(&mut client), Vec::<String>::new());
}

#[test]
fn what_is_too_late_is_not_sent() {
    let (mut client, key) = client();
    let id = client
        .emit_with_ack(at(0), key, "a", args("[]"), Some(Duration::from_secs(1)))
        .unwrap();
    client.emit(key, "b", args("[]")).unwrap();
    client.handle_timeout(at(1));
    let result = Err(AckError::TimedOut);
    assert_eq!(events(&mut client), [Event::Ack { key, id, result }]);
    reconnect(&mut client, "0{\"sid\":\"id\"}");
    assert_eq!(sent(&mut client), ["2[\"b\"]"]);
}

#[test]
fn what_waits_is_bounded_and_given_back() {
    let mut config = Config {
        max_offline: 500,
        ..Config::default()
    };
    let mut client = Client::new(config.clone());
    let key = client.connect(at(0), "/", Auth::None).unwrap();
    let mut count = 0;
    let error = loop {
        match client.emit(key, "x", args(&format!("[{count}]"))) {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((count, error), (3, EmitError::Full(args("[3]"))));
    assert!(client.emit_with_ack(at(0), key, "x", args("[]"), None).is_err());
    assert!(client.emit_with_retries(at(0), key, "x", args("[]")).is_err());
    assert_eq!(client.poll_timeout(), None);
    client.close();
    let back: Vec<Event> = (0..3).map(|index| unsent(key, "x", &format!("[{index}]"))).collect();
    assert_eq!(events(&mut client), back);
    assert_eq!(client.waiting(), 0);

    config.when_full = WhenFull::DropOldest;
    let mut client = Client::new(config);
    let key = client.connect(at(0), "/", Auth::None).unwrap();
    let id = client.emit_with_ack(at(0), key, "x", args("[0]"), None).unwrap();
    for index in 1..5 {
        client.emit(key, "x", args(&format!("[{index}]"))).unwrap();
    }
    let result = Err(AckError::NotSent);
    let back = [
        Event::Ack { key, id, result },
        unsent_call(key, Some(id), "x", "[0]"),
        unsent(key, "x", "[1]"),
    ];
    assert_eq!(events(&mut client), back);
    let large = args(&format!("[\"{}\"]", "x".repeat(500)));
    assert_eq!(client.emit(key, "x", large.clone()), Err(EmitError::Full(large)));
    reconnect(&mut client, "0{\"sid\":\"id\"}");
    assert_eq!(sent(&mut client), ["2[\"x\",2]", "2[\"x\",3]", "2[\"x\",4]"]);
}

#[test]
fn a_full_queue_refuses() {
    let config = Config {
        max_queue: 300,
        max_pending_acks: 1,
        ..Config::default()
    };
    let mut client = Client::new(config);
    let key = client.connect(at(0), "/", Auth::None).unwrap();
    reconnect(&mut client, "0{\"sid\":\"id\"}");
    while client.has_room() {
        client.emit(key, "x", args("[]")).unwrap();
    }
    assert!(!client.wants_input());
    assert_eq!(client.emit(key, "x", args("[1]")), Err(EmitError::Full(args("[1]"))));
    let refused = client.emit_with_ack(at(0), key, "x", args("[1]"), None);
    assert_eq!(refused, Err(EmitError::Full(args("[1]"))));
    sent(&mut client);
    client.emit_with_ack(at(0), key, "x", args("[1]"), None).unwrap();
    let refused = client.emit_with_ack(at(0), key, "x", args("[1]"), None);
    assert_eq!(refused, Err(EmitError::TooManyAcks(args("[1]"))));
    assert_eq!(
        client.emit(key, "connect", args("[1]")),
        Err(EmitError::ReservedName(args("[1]")))
    );
}

#[test]
fn what_the_server_does_not_take_is_never_begun() {
    let (mut client, key) = client();
    let large = format!("[\"{}\"]", "x".repeat(100));
    let bytes = |length| Args::new("[{\"_placeholder\":true,\"num\":0}]", vec![vec![1; length].into()]).unwrap();
    // Not known yet.
    let first = client.emit_with_ack(at(0), key, "a", args(&large), None).unwrap();
    client.emit(key, "b", args("[1]")).unwrap();
    let second = client.emit_with_retries(at(0), key, "c", bytes(90)).unwrap();
    let third = client.emit_with_retries(at(0), key, "d", args("[2]")).unwrap();
    client.handle_max_payload(100, true);
    reconnect(&mut client, "0{\"sid\":\"id\"}");
    assert_eq!(sent(&mut client), ["2[\"b\",1]", format!("2{third}[\"d\",2]").as_str()]);
    let not_sent = |id| Event::Ack {
        key,
        id,
        result: Err(AckError::NotSent),
    };
    let back = Event::Unsent {
        key,
        id: Some(second),
        name: "c".into(),
        args: bytes(90),
    };
    assert_eq!(
        events(&mut client),
        [
            not_sent(first),
            unsent_call(key, Some(first), "a", &large),
            not_sent(second),
            back
        ]
    );
    // Known.
    assert_eq!(
        client.emit(key, "a", args(&large)),
        Err(EmitError::TooLarge(args(&large)))
    );
    assert_eq!(client.emit(key, "a", bytes(73)), Err(EmitError::TooLarge(bytes(73))));
    client.emit(key, "a", bytes(72)).unwrap();
    client.handle_max_payload(100, false);
    client.emit(key, "a", bytes(100)).unwrap();
    assert_eq!(sent(&mut client).len(), 4);
    receive(&mut client, "27[\"number\"]");
    let Some(Event::Event { ack: Some(ack), .. }) = client.poll_event() else {
        panic!("it wants an acknowledgement");
    };
    let (ack, error) = client.ack(ack, args(&large)).unwrap_err();
    assert_eq!((ack.id(), error), (7, EmitError::TooLarge(args(&large))));
}

#[test]
fn never_again_after_an_explicit_end() {
    let (mut client, key) = connected();
    let other = client.connect(at(0), "/other", Auth::None).unwrap();
    let id = client.emit_with_ack(at(0), key, "a", args("[1]"), None).unwrap();
    client.emit(other, "never", args("[2]")).unwrap();
    sent(&mut client);
    client.handle_closed(DisconnectReason::TransportClose);
    client.emit(key, "never", args("[3]")).unwrap();
    events(&mut client);
    assert!(client.disconnect(key) && client.disconnect(other));
    assert_eq!(
        events(&mut client),
        [unsent(key, "never", "[3]"), unsent(other, "never", "[2]")]
    );
    client.handle_opened(at(0));
    assert_eq!(sent(&mut client), Vec::<String>::new());
    let _ = id;

    // Thrown out by the server.
    let (mut client, key) = connected();
    let other = client.connect(at(0), "/other", Auth::None).unwrap();
    sent(&mut client);
    client.emit(key, "too late", args("[1]")).unwrap();
    receive(&mut client, "1");
    let reason = DisconnectReason::IoServerDisconnect;
    assert_eq!(events(&mut client), [unsent(key, "too late", "[1]"), gone(key, reason)]);
    assert_eq!(client.poll_transmit(), None);
    client.handle_closed(DisconnectReason::TransportClose);
    client.handle_opened(at(0));
    assert_eq!(sent(&mut client), ["0/other,"]);
    let _ = other;
}

#[test]
fn an_answer_to_a_socket_that_is_gone() {
    let (mut client, main) = connected();
    let first = client.connect(at(0), "/n", Auth::None).unwrap();
    assert_eq!(sent(&mut client), ["0/n,"]);
    client.disconnect(first);
    let second = client.connect(at(0), "/n", Auth::None).unwrap();
    // The server has not answered yet: a second CONNECT would be an offence.
    assert_eq!(sent(&mut client), Vec::<String>::new());
    receive(&mut client, "2/n,[\"for the first\"]");
    receive(&mut client, "0/n,{\"sid\":\"1\"}");
    assert_eq!(sent(&mut client), ["1/n,", "0/n,"]);
    receive(&mut client, "0/n,{\"sid\":\"2\"}");
    let sid = "2".into();
    assert_eq!(
        events(&mut client),
        [Event::Connect {
            key: second,
            sid,
            recovered: false
        }]
    );

    client.disconnect(second);
    let third = client.connect(at(0), "/n", Auth::None).unwrap();
    client.disconnect(third);
    let fourth = client.connect(at(0), "/n", Auth::None).unwrap();
    assert_eq!(sent(&mut client), ["1/n,", "0/n,"]);
    receive(&mut client, "4/n,{\"message\":\"no\"}");
    assert_eq!(sent(&mut client), ["0/n,"]);
    assert!(client.is_connected(main) && !client.is_connected(fourth));
}

#[test]
fn servers_that_emit_before_they_answer() {
    let config = Config {
        max_early: 1000,
        ..Config::default()
    };
    let mut client = Client::new(config);
    let key = client.connect(at(0), "/", Auth::None).unwrap();
    client.handle_opened(at(0));
    sent(&mut client);
    receive(&mut client, "27[\"early\",\"x\"]");
    assert_eq!(events(&mut client), []);
    receive(&mut client, "0{\"sid\":\"id\"}");
    let mut all = events(&mut client);
    let Some(Event::Event { ack: Some(ack), .. }) = all.pop() else {
        panic!("the early event comes behind");
    };
    assert!(matches!(all[..], [Event::Connect { .. }]));
    client.ack(ack, args("[]")).unwrap();
    assert_eq!(sent(&mut client), ["37[]"]);

    client.handle_closed(DisconnectReason::TransportError);
    client.handle_opened(at(0));
    let too_many = (0..100).find_map(|_| client.handle_data(at(0), "2[\"early\"]".into()).err());
    assert_eq!(too_many, Some(Violation::TooEarly));
    events(&mut client);
    assert!(client.has_transmit() && !client.is_connected(key));
}

#[test]
fn violations_end_the_connection_and_not_the_socket() {
    let (mut client, key) = connected();
    client.emit(key, "waits", args("[]")).unwrap();
    assert!(client.handle_data(at(1), "2{}".into()).is_err());
    assert_eq!(events(&mut client), [gone(key, DisconnectReason::ParseError)]);
    assert_eq!(sent(&mut client), ["CLOSE"]);
    assert!(!client.wants_connection());
    client.handle_data(at(1), "2{}".into()).unwrap();
    client.handle_closed(DisconnectReason::TransportClose);
    assert_eq!(events(&mut client), []);
    assert!(client.wants_connection());
    reconnect(&mut client, "0{\"sid\":\"id\"}");
    assert_eq!(sent(&mut client), ["2[\"waits\"]"]);

    assert_eq!(
        client.handle_data(at(1), "0{\"sid\":\"x\"}".into()),
        Err(Violation::ConnectedAlready)
    );

    // Attachments that never come.
    let (mut client, key) = connected();
    receive(&mut client, "51-[\"a\"]");
    assert_eq!(client.poll_timeout(), Some(at(61)));
    client.handle_timeout(at(61));
    assert_eq!(events(&mut client), [gone(key, DisconnectReason::ParseError)]);
    assert_eq!(sent(&mut client), ["CLOSE"]);
}

#[test]
fn a_server_that_does_not_answer() {
    let (mut client, key) = client();
    client.handle_opened(at(0));
    assert_eq!(client.poll_timeout(), Some(at(20)));
    client.handle_timeout(at(20));
    assert_eq!(events(&mut client), [Event::ConnectTimeout { key }]);
    assert_eq!(client.poll_timeout(), None);
    receive(&mut client, "0{\"sid\":\"id\"}");
    assert!(client.is_connected(key));
}

#[test]
fn the_state_is_taken_up_where_it_was() {
    let mut client = Client::new(Config::default());
    let auth = Auth::Value(Json::new(" {\"token\":1}").unwrap());
    let key = client.connect(at(0), "/", auth).unwrap();
    reconnect(&mut client, "0{\"sid\":\"id\",\"pid\":\"p\\\"1\"}");
    let lose = |client: &mut Client| {
        client.handle_closed(DisconnectReason::TransportError);
        events(client);
        client.handle_opened(at(0));
        sent(client).remove(0)
    };
    assert_eq!(lose(&mut client), "0{\"pid\":\"p\\\"1\",\"token\":1}");
    receive(&mut client, "0{\"sid\":\"id\",\"pid\":\"p\\\"1\"}");
    let sid = "id".into();
    assert_eq!(
        events(&mut client),
        [Event::Connect {
            key,
            sid,
            recovered: true
        }]
    );
    assert!(client.is_recovered(key));
    receive(&mut client, "2[\"a\",1,\"offset1\"]");
    receive(&mut client, "2[\"b\",1,2]");
    receive(&mut client, "27[\"c\",\"not an offset\"]");
    receive(&mut client, &format!("2[\"d\",\"{}\"]", "x".repeat(1000)));
    assert_eq!(
        lose(&mut client),
        "0{\"pid\":\"p\\\"1\",\"offset\":\"offset1\",\"token\":1}"
    );
    // It could not be taken up: the place means nothing any more.
    receive(&mut client, "0{\"sid\":\"other\",\"pid\":\"p2\"}");
    let sid = "other".into();
    assert_eq!(
        events(&mut client),
        [Event::Connect {
            key,
            sid,
            recovered: false
        }]
    );
    assert!(!client.is_recovered(key));
    assert_eq!(lose(&mut client), "0{\"pid\":\"p2\",\"token\":1}");
    receive(&mut client, "0{\"sid\":\"other\"}");
    client.set_auth(key, Auth::None);
    assert_eq!(lose(&mut client), "0");
}

#[test]
fn sent_again_until_acknowledged() {
    let config = Config {
        retries: 2,
        ..Config::default()
    };
    let mut client = Client::new(config);
    let key = client.connect(at(0), "/", Auth::None).unwrap();
    let first = client.emit_with_retries(at(0), key, "a", args("[1]")).unwrap();
    let second = client.emit_with_retries(at(0), key, "b", args("[2]")).unwrap();
    assert_eq!(client.poll_timeout(), None);
    client.handle_opened(at(0));
    sent(&mut client);
    receive(&mut client, "0{\"sid\":\"id\"}");
    assert_eq!(sent(&mut client), ["20[\"a\",1]"]);
    // For what was not sent yet, an acknowledgement means nothing.
    receive(&mut client, "31[]");
    client.handle_timeout(at(61));
    assert_eq!(sent(&mut client), ["20[\"a\",1]"]);
    // Whichever try it is for.
    receive(&mut client, "30[true]");
    assert_eq!(sent(&mut client), ["21[\"b\",2]"]);
    receive(&mut client, "30[true]");
    let mut all = events(&mut client);
    assert_eq!(
        all.remove(1),
        Event::Ack {
            key,
            id: first,
            result: Ok(args("[true]"))
        }
    );
    assert_eq!(all.len(), 1);
    // A lost connection is a lost try.
    client.handle_closed(DisconnectReason::TransportError);
    reconnect_after_loss(&mut client);
    assert_eq!(sent(&mut client), ["21[\"b\",2]"]);
    client.handle_timeout(at(70));
    client.handle_timeout(at(200));
    assert_eq!(sent(&mut client), ["21[\"b\",2]"]);
    client.handle_timeout(at(300));
    let result = Err(AckError::TimedOut);
    assert_eq!(
        events(&mut client),
        [Event::Ack {
            key,
            id: second,
            result
        }]
    );
    assert_eq!((client.waiting(), client.poll_timeout()), (0, None));

    // The end: what was never tried is given back, what was is in doubt.
    let third = client.emit_with_retries(at(0), key, "c", args("[3]")).unwrap();
    let fourth = client.emit_with_retries(at(0), key, "d", args("[4]")).unwrap();
    client.close();
    assert_eq!(
        events(&mut client),
        [
            Event::Ack {
                key,
                id: fourth,
                result: Err(AckError::NotSent)
            },
            unsent_call(key, Some(fourth), "d", "[4]"),
            Event::Ack {
                key,
                id: third,
                result: Err(AckError::Disconnected)
            },
            gone(key, DisconnectReason::IoClientDisconnect),
        ]
    );
}

fn reconnect_after_loss(client: &mut Client) {
    events(client);
    reconnect(client, "0{\"sid\":\"id\"}");
}

#[test]
fn part_of_a_packet_is_not_lost() {
    let (mut client, key) = connected();
    let binary = Args::new("[]", vec![vec![1].into(), vec![2].into()]).unwrap();
    client.emit(key, "x", binary).unwrap();
    let Some(Transmit::Data(first)) = client.poll_transmit() else {
        panic!("there is a message");
    };
    client.put_back(first);
    client.close();
    assert_eq!(sent(&mut client), ["52-[\"x\"]", "[1]", "[2]", "1", "CLOSE"]);
}

#[test]
fn an_acknowledgement_that_nobody_waits_for_takes_no_place() {
    let config = Config {
        max_pending_acks: 1,
        ..Config::default()
    };
    let mut client = Client::new(config);
    let key = client.connect(at(0), "/", Auth::None).unwrap();
    let waits = client.emit_with_ack(at(0), key, "a", args("[]"), None).unwrap();
    client.forget_ack(key, waits);
    assert_eq!(client.poll_timeout(), None);
    reconnect(&mut client, "0{\"sid\":\"id\"}");
    for name in ["b", "c"] {
        let id = client.emit_with_ack(at(1), key, name, args("[]"), None).unwrap();
        assert!(client.emit_with_ack(at(1), key, name, args("[]"), None).is_err());
        client.forget_ack(key, id);
        receive(&mut client, &format!("3{id}[]"));
    }
    assert_eq!(sent(&mut client), ["20[\"a\"]", "21[\"b\"]", "22[\"c\"]"]);
    // What is sent until it is acknowledged goes on to be.
    let id = client.emit_with_retries(at(1), key, "d", args("[]")).unwrap();
    client.forget_ack(key, id);
    sent(&mut client);
    client.handle_timeout(at(61));
    assert_eq!(sent(&mut client), [format!("2{id}[\"d\"]")]);
    receive(&mut client, &format!("3{id}[]"));
    assert_eq!(client.waiting(), 0);
    let result = Ok(args("[]"));
    assert_eq!(events(&mut client), [Event::Ack { key, id, result }]);
}

#[test]
fn what_came_back_from_the_session_is_answered_once() {
    let config = Config {
        retries: 1,
        ..Config::default()
    };
    let mut client = Client::new(config);
    let key = client.connect(at(0), "/", Auth::None).unwrap();
    reconnect(&mut client, "0{\"sid\":\"id\"}");
    let once = client.emit_with_ack(at(0), key, "a", args("[]"), None).unwrap();
    let again = client.emit_with_retries(at(0), key, "b", args("[]")).unwrap();
    sent(&mut client);
    assert_eq!(client.handle_returned(key, once, false), Returned::Waited);
    assert_eq!(client.handle_returned(key, once, false), Returned::Told);
    // It was no try: there are two left.
    assert_eq!(client.handle_returned(key, again, false), Returned::Kept);
    client.handle_closed(DisconnectReason::TransportError);
    assert_eq!(events(&mut client), [gone(key, DisconnectReason::TransportError)]);
    reconnect(&mut client, "0{\"sid\":\"id\"}");
    assert_eq!(sent(&mut client), [format!("2{again}[\"b\"]")]);
    client.handle_timeout(at(100));
    assert_eq!(sent(&mut client), [format!("2{again}[\"b\"]")]);
    // It may have arrived, and the next is sent.
    let next = client.emit_with_retries(at(100), key, "c", args("[]")).unwrap();
    assert_eq!(client.handle_returned(key, again, true), Returned::Told);
    let result = Err(AckError::Disconnected);
    assert_eq!(events(&mut client), [Event::Ack { key, id: again, result }]);
    assert_eq!(sent(&mut client), [format!("2{next}[\"c\"]")]);
    assert_eq!(client.handle_returned(key, next, true), Returned::Waited);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn what_can_never_wait_for_its_acknowledgement_is_refused_for_good() {
    let config = Config {
        max_offline: 200,
        ..Config::default()
    };
    let mut client = Client::new(config);
    let key = client.connect(at(0), "/", Auth::None).unwrap();
    let large = format!("[\"{}\"]", "x".repeat(100));
    assert_eq!(
        client.emit_with_retries(at(0), key, "a", args(&large)),
        Err(EmitError::TooLarge(args(&large)))
    );
    client.emit_with_retries(at(0), key, "a", args("[1]")).unwrap();
    assert_eq!(
        client.emit_with_retries(at(0), key, "a", args("[1]")),
        Err(EmitError::Full(args("[1]")))
    );
}
