use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::vec;

use serde_json::{Value, json};

use super::super::{Assembler, TEXT};
use super::*;

fn limits() -> Limits {
    Limits::default()
}

/// A message, and attachments of one byte each as long as some are missing: as the script does that made the table.
fn assemble(text: &str) -> Result<Packet, PacketError> {
    let mut assembler = Assembler::new(&TEXT);
    let mut packet = assembler.handle_data(text.into(), &limits())?;
    for byte in 0.. {
        match packet {
            Some(packet) => return Ok(packet),
            None => packet = assembler.handle_data(vec![byte].into(), &limits())?,
        }
    }
    unreachable!("the limit ends it")
}

/// A packet as the table shows it.
fn shown(packet: &Packet) -> Value {
    let data = |name: Option<&str>, args: &Args| {
        let mut list: Vec<Value> = args.parse().unwrap_or_else(|_| vec![json!("Infinity")]);
        if !args.attachments().is_empty() {
            list.iter_mut().for_each(|value| put_back(value, args));
        }
        list.splice(
            0..0,
            name.map(|name| name.parse().map_or_else(|_| json!(name), Value::Number)),
        );
        Value::Array(list)
    };
    let (packet_type, id, data) = match &packet.body {
        Body::Connect(payload) => (0, None, payload.as_ref().map(|json| json.parse().unwrap())),
        Body::Disconnect => (1, None, None),
        Body::Event { id, name, args } => (2, *id, Some(data(Some(name), args))),
        Body::Ack { id, args } => (3, *id, Some(data(None, args))),
        Body::ConnectError(payload) => (4, None, Some(payload.parse().unwrap())),
    };
    json!({ "type": packet_type, "nsp": &packet.namespace[..], "id": id, "data": data })
}

fn put_back(value: &mut Value, args: &Args) {
    if value.get("_placeholder") == Some(&json!(true)) {
        let number = value["num"].as_f64().unwrap() as usize;
        *value = json!({ "$binary": &args.attachments()[number][..] });
        return;
    }
    match value {
        Value::Array(list) => list.iter_mut().for_each(|value| put_back(value, args)),
        Value::Object(map) => map.values_mut().for_each(|value| put_back(value, args)),
        _ => {}
    }
}

/// Where JavaScript takes what is no number for a number, we do not; and where numbers or surrogates are beyond what its
/// types, or Rust's, can say.
const DIFFERENT: [(&str, Option<PacketError>); 12] = [
    ("2\u{feff}[\"a\"]", Some(PacketError::Json(JsonError::Syntax))),
    ("", Some(PacketError::Empty)),
    ("1 ", Some(PacketError::InvalidPayload)),
    ("2 [\"a\"]", None),
    ("2\t7[\"a\"]", Some(PacketError::Json(JsonError::Syntax))),
    (
        "51e0-[\"a\",{\"_placeholder\":true,\"num\":0}]",
        Some(PacketError::InvalidAttachments),
    ),
    (
        "50x1-[\"a\",{\"_placeholder\":true,\"num\":0}]",
        Some(PacketError::InvalidAttachments),
    ),
    (
        "5 1-[\"a\",{\"_placeholder\":true,\"num\":0}]",
        Some(PacketError::InvalidAttachments),
    ),
    ("2100000000000000000000000[\"a\"]", Some(PacketError::InvalidId)),
    (
        "51-[\"a\",{\"_placeholder\":true,\"num\":0.5}]",
        Some(PacketError::InvalidPlaceholder),
    ),
    ("2[\"a\",1e400]", None),
    ("2[\"a\",12345678901234567890]", None),
];

#[test]
fn known_answers_of_javascript() {
    let table = include_str!("javascript.json");
    let table: Vec<Value> = serde_json::from_str(&json::well_formed(table)).unwrap();
    assert!(table.len() > 150);
    for mut row in table {
        let text = row["text"].as_str().unwrap().to_owned();
        let ours = assemble(&text);
        if let Some((_, error)) = DIFFERENT.iter().find(|(different, _)| *different == text) {
            assert_eq!(ours.err(), *error, "{text}");
            continue;
        }
        if !row["error"].is_null() {
            assert!(ours.is_err(), "{text}: {ours:?}, and {}", row["error"]);
            continue;
        }
        let ours = ours.unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut shown = shown(&ours);
        let row = row.as_object_mut().unwrap();
        row.remove("text");
        row.entry("id").or_insert(Value::Null);
        if [0, 1].contains(&row["type"].as_i64().unwrap()) || row["type"] == 4 {
            // An id means nothing there.
            row["id"] = Value::Null;
        }
        if !row.contains_key("data") {
            // JavaScript knows "no arguments at all".
            let nothing = [Value::Null, json!([]), json!([""]), json!({})];
            assert!(nothing.contains(&shown["data"]), "{text}: {shown}");
            shown.as_object_mut().unwrap().remove("data");
        }
        if row.get("data").is_some_and(|data| data[0].is_number()) {
            // An event's name is text to us.
            let same = row["data"][0].as_f64() == shown["data"][0].as_f64();
            assert!(same, "{text}: {shown}");
            row.remove("data");
            shown.as_object_mut().unwrap().remove("data");
        }
        assert_eq!(Value::Object(row.clone()), shown, "{text}");
    }
}

#[test]
fn what_we_write_javascript_writes() {
    let event = |namespace: &str, id, name: &str, args: &str, attachments| Packet {
        namespace: namespace.into(),
        body: Body::Event {
            id,
            name: name.into(),
            args: Args::new(args, attachments).unwrap(),
        },
    };
    let bytes = || vec![vec![1u8].into(), vec![2u8].into()];
    let packet = |namespace: &str, body| Packet {
        namespace: namespace.into(),
        body,
    };
    let object = |text: &'static str| Json::new(text).unwrap();
    for (packet, texts, attachments) in [
        (packet("/", Body::Connect(None)), "0", 0),
        (
            packet("/admin", Body::Connect(Some(object("{\"sid\":\"x\"}")))),
            "0/admin,{\"sid\":\"x\"}",
            0,
        ),
        (packet("/admin?a=b", Body::Connect(None)), "0/admin?a=b,", 0),
        (packet("/", Body::Disconnect), "1", 0),
        (packet("/admin", Body::Disconnect), "1/admin,", 0),
        (event("/", None, "hello", "[1]", vec![]), "2[\"hello\",1]", 0),
        (
            event("/a", Some(456), "q\"\n", "[]", vec![]),
            "2/a,456[\"q\\\"\\n\"]",
            0,
        ),
        (
            event(
                "/",
                Some(0),
                "up",
                "[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]",
                bytes(),
            ),
            "52-0[\"up\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]",
            2,
        ),
        (
            packet(
                "/a",
                Body::Ack {
                    id: Some(u64::MAX),
                    args: Args::default(),
                },
            ),
            "3/a,18446744073709551615[]",
            0,
        ),
        (
            packet(
                "/a",
                Body::Ack {
                    id: Some(7),
                    args: Args::new("[{\"_placeholder\":true,\"num\":1}]", bytes()).unwrap(),
                },
            ),
            "62-/a,7[{\"_placeholder\":true,\"num\":1}]",
            2,
        ),
        (
            packet("/", Body::ConnectError(object("{\"message\":\"no\"}"))),
            "4{\"message\":\"no\"}",
            0,
        ),
    ] {
        let encoded = TEXT.encode(&packet);
        let messages: Vec<Data> = encoded.messages().collect();
        assert_eq!(messages[0].as_text(), Some(texts));
        assert_eq!((messages.len(), encoded.count()), (1 + attachments, 1 + attachments));
        assert_eq!(encoded.size(), messages.iter().map(Data::len).sum::<usize>());
        let mut assembler = Assembler::new(&TEXT);
        let mut decoded = None;
        for message in messages {
            assert_eq!(decoded, None);
            decoded = assembler.handle_data(message, &limits()).unwrap();
        }
        assert_eq!(decoded, Some(packet));
    }
}

#[test]
fn limits_are_kept() {
    let decode = |text: &str| TEXT.decode(text.into(), &limits()).err();
    assert_eq!(decode(&format!("2/{},[\"a\"]", "n".repeat(1023))), None);
    assert_eq!(
        decode(&format!("2/{},[\"a\"]", "n".repeat(1024))),
        Some(PacketError::InvalidNamespace)
    );
    assert_eq!(decode(&format!("2[\"{}\"]", "n".repeat(1024))), None);
    assert_eq!(
        decode(&format!("2[\"{}\"]", "n".repeat(1025))),
        Some(PacketError::EventNameTooLong)
    );
    assert_eq!(decode("218446744073709551615[\"a\"]"), None);
    for id in [
        "18446744073709551616",
        "123456789012345678901234567890",
        "000000000000000000001",
    ] {
        assert_eq!(decode(&format!("2{id}[\"a\"]")), Some(PacketError::InvalidId));
        assert_eq!(decode(&format!("3{id}[]")), Some(PacketError::InvalidId));
    }
    for count in ["11", "1000000000", "99999999999999999999999999999999"] {
        assert_eq!(
            decode(&format!("5{count}-[\"a\"]")),
            Some(PacketError::TooManyAttachments)
        );
        assert_eq!(decode(&format!("6{count}-[]")), Some(PacketError::TooManyAttachments));
    }
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(decode(&format!("2[\"a\",{}]", nested(99))), None);
    for depth in [100, 20_000, 100_000] {
        let deep = nested(depth);
        for text in [
            format!("2[\"a\",{deep}]"),
            format!("3[{deep}]"),
            format!("51-[\"a\",{deep}]"),
            format!("0{{\"a\":{deep}}}"),
        ] {
            assert_eq!(decode(&text), Some(PacketError::Json(JsonError::TooDeep)));
        }
    }
}

#[test]
fn a_packet_is_bounded_while_it_is_assembled() {
    let mut small = limits();
    small.max_packet = 1000;
    small.max_attachments = usize::MAX;
    let mut assembler = Assembler::new(&TEXT);
    assert_eq!(
        assembler.handle_data(format!("2[\"{}\"]", "x".repeat(1000)).into(), &small),
        Err(PacketError::TooLarge)
    );
    // A number of attachments costs nothing until they come, and empty ones are not for nothing.
    assert_eq!(assembler.handle_data("51000000000-[\"a\"]".into(), &small), Ok(None));
    let end = (0..1_000_000).find_map(|_| assembler.handle_data(Vec::new().into(), &small).err());
    assert_eq!(end, Some(PacketError::TooLarge));
    assert_eq!((assembler.held(), assembler.partial()), (0, None));
}

#[test]
fn nothing_else_fits_between_a_packet_and_its_attachments() {
    let mut assembler = Assembler::new(&TEXT);
    assert_eq!(
        assembler.handle_data(vec![1].into(), &limits()),
        Err(PacketError::UnexpectedBinary)
    );
    assert_eq!(assembler.handle_data("51-[\"a\"]".into(), &limits()), Ok(None));
    assert!(assembler.held() > 0);
    assert_eq!(&assembler.partial().unwrap().namespace[..], "/");
    assert_eq!(
        assembler.handle_data("2[\"a\"]".into(), &limits()),
        Err(PacketError::UnexpectedText)
    );
    assert_eq!(assembler.held(), 0);
}

#[test]
fn arguments_are_not_copied() {
    let text = Str::from(format!("2/admin,12[\"name\" , \"{}\" ]", "x".repeat(500)));
    let start = text.as_ptr() as usize;
    let Ok(Decoded::Whole(packet)) = TEXT.decode(Data::Text(text), &limits()) else {
        panic!("it is a packet");
    };
    let Body::Event { args, .. } = packet.body else {
        panic!("it is an event");
    };
    assert_eq!(
        args.elements().as_ptr() as usize,
        start + "2/admin,12[\"name\" , ".len()
    );
    assert_eq!(args.elements().len(), 502);
}
