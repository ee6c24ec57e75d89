use alloc::format;
use alloc::vec;

use serde_json::{Value, json};

use super::super::json::well_formed;
use super::*;

fn limits() -> Limits {
    Limits::default()
}

fn bytes(hex: &str) -> Bytes {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len() / 2).map(|index| digits(2 * index)).collect()
}

fn packet(bytes: impl Into<Bytes>) -> Result<Packet, PacketError> {
    match MSGPACK.decode(Data::Binary(bytes.into()), &limits())? {
        Decoded::Whole(packet) => Ok(packet),
        other => panic!("{other:?}"),
    }
}

/// A packet as the table shows it.
fn shown(packet: &Packet) -> Value {
    let list = |name: Option<&str>, args: &Args| {
        let mut list: Vec<Value> = args.parse().unwrap();
        if !args.attachments().is_empty() {
            list.iter_mut().for_each(|value| put_back(value, args));
        }
        list.splice(0..0, name.map(|name| json!(name)));
        Value::Array(list)
    };
    let (packet_type, id, data) = match &packet.body {
        Body::Connect(payload) => (0, None, payload.as_ref().map(|json| json.parse().unwrap())),
        Body::Disconnect => (1, None, None),
        Body::Event { id, name, args } => (2, *id, Some(list(Some(name), args))),
        Body::Ack { id, args } => (3, *id, Some(list(None, args))),
        Body::ConnectError(payload) => (4, None, Some(payload.parse().unwrap())),
    };
    json!({ "type": packet_type, "nsp": &packet.namespace[..], "id": id, "data": data })
}

fn put_back(value: &mut Value, args: &Args) {
    match value {
        Value::Object(map) if map.get("_placeholder") == Some(&json!(true)) => {
            let number = map["num"].as_u64().unwrap() as usize;
            *value = json!({ "$binary": &args.attachments()[number][..] });
        }
        Value::Array(list) => list.iter_mut().for_each(|value| put_back(value, args)),
        Value::Object(map) => map.values_mut().for_each(|value| put_back(value, args)),
        _ => {}
    }
}

#[test]
fn known_answers_of_javascript() {
    let table: Vec<Value> = serde_json::from_str(&well_formed(include_str!("javascript.json"))).unwrap();
    assert!(table.len() > 40);
    for row in table {
        let hex = row["bytes"].as_str().unwrap();
        let ours = packet(bytes(hex));
        if !row["error"].is_null() {
            assert!(ours.is_err(), "{hex}: {ours:?}, and {}", row["error"]);
            continue;
        }
        let ours = ours.unwrap_or_else(|error| panic!("{hex}: {error}"));
        // Names are texts, numbers beyond what is exact may differ in their type.
        let mut expected = json!({ "type": row["type"], "nsp": row["nsp"], "id": row["id"], "data": row["data"] });
        if expected["data"][0].is_number() && row["type"] == 2 {
            expected["data"][0] = json!(format!("{}", expected["data"][0]));
        }
        let same = |value: &Value| {
            serde_json::to_string(value)
                .unwrap()
                .replace(".0,", ",")
                .replace(".0]", "]")
        };
        assert_eq!(same(&shown(&ours)), same(&expected), "{hex}");

        // And back: what it holds is what notepack would write, but for what JSON can not say.
        let again = MSGPACK.encode(&ours).messages().next().unwrap();
        assert_eq!(
            packet(Bytes::copy_from_slice(again.as_bytes())),
            Ok(ours.clone()),
            "{hex}"
        );
        let special = ["dates", "array buffer", "no numbers", "words", "surrogate"];
        let special = special.iter().any(|name| row["data"][0] == *name);
        if let (Some(encoded), false) = (row["encoded"].as_str(), special || row["data"][0].is_number()) {
            let holds = again
                .as_bytes()
                .windows(encoded.len() / 2)
                .any(|window| window == bytes(encoded));
            assert!(holds, "{encoded} is not in {:02x?}", again.as_bytes());
        }
    }
}

#[test]
fn bytes_are_not_copied() {
    let args = Args::new("[{\"_placeholder\":true,\"num\":0},[1]]", vec![vec![7; 100].into()]).unwrap();
    let event = Packet {
        namespace: "/".into(),
        body: Body::Event {
            id: None,
            name: "x".into(),
            args: args.clone(),
        },
    };
    let Some(Data::Binary(message)) = MSGPACK.encode(&event).messages().next() else {
        panic!("it is one binary message");
    };
    assert_eq!(packet(message.clone()), Ok(event));
    let Ok(Packet {
        body: Body::Event { args, .. },
        ..
    }) = packet(message.clone())
    else {
        panic!("it is an event");
    };
    let inside = message.as_ptr() as usize..message.as_ptr() as usize + message.len();
    assert!(inside.contains(&(args.attachments()[0].as_ptr() as usize)));
}

#[test]
fn placeholders_that_nobody_marked_stay_data() {
    let args = Args::new("[{\"_placeholder\":true,\"num\":0}]", vec![]).unwrap();
    let ack = Packet {
        namespace: "/".into(),
        body: Body::Ack { id: Some(1), args },
    };
    let message = MSGPACK.encode(&ack).messages().next().unwrap();
    assert_eq!(packet(Bytes::copy_from_slice(message.as_bytes())), Ok(ack));
}

/// `{type, nsp, data}` with these bytes for the data.
fn with_data(packet_type: u8, data: &[u8]) -> Vec<u8> {
    let mut out = b"\x83\xa4type".to_vec();
    out.push(packet_type);
    out.extend_from_slice(b"\xa3nsp\xa1/\xa4data");
    out.extend_from_slice(data);
    out
}

#[test]
fn nothing_recurses_and_nothing_grows() {
    let mut deep = vec![0x91; 100_000];
    deep.push(0xc0);
    for packet_type in 0..5 {
        let error = packet(with_data(packet_type, &deep)).unwrap_err();
        assert_eq!(error, PacketError::Json(JsonError::TooDeep));
    }
    let mut maps = Vec::new();
    for _ in 0..100_000 {
        maps.extend_from_slice(b"\x81\xa1a");
    }
    assert_eq!(packet(with_data(3, &maps)), Err(PacketError::Json(JsonError::TooDeep)));
    let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
    assert!(packet(with_data(3, &nested(100))).is_ok());
    assert!(packet(with_data(3, &nested(101))).is_err());
    // Nor on the way out.
    let mut lenient = limits();
    lenient.max_depth = usize::MAX;
    let Ok(Decoded::Whole(decoded)) = MSGPACK.decode(Data::Binary(with_data(3, &nested(50_000)).into()), &lenient)
    else {
        panic!("it is a packet");
    };
    let again = MSGPACK.encode(&decoded).messages().next().unwrap();
    assert_eq!(MSGPACK.decode(again, &lenient), Ok(Decoded::Whole(decoded)));

    // A list that says it is long, and a text that grows when it is written as JSON.
    for head in [
        &b"\xdd\xff\xff\xff\xff"[..],
        b"\xdf\xff\xff\xff\xff",
        b"\xdc\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ] {
        assert_eq!(packet(with_data(3, head)), Err(SYNTAX));
    }
    let mut small = limits();
    small.max_packet = 1000;
    let zeros = [&b"\x91\xd9\xf0"[..], &[0; 240]].concat();
    let message = Data::Binary(with_data(3, &zeros).into());
    assert_eq!(MSGPACK.decode(message, &small), Err(PacketError::TooLarge));
    let empty = [&b"\xdc\x00\x64"[..], &b"\xc4\x00".repeat(100)].concat();
    let message = Data::Binary(with_data(3, &empty).into());
    assert_eq!(MSGPACK.decode(message, &small), Err(PacketError::TooLarge));
}

#[test]
fn names_are_judged_as_elsewhere() {
    for (data, error) in [
        (&b"\x91\xa7connect"[..], PacketError::ReservedEvent),
        (b"\x90", PacketError::InvalidPayload),
        (b"\x91\xc0", PacketError::InvalidPayload),
        (b"\x91\x80", PacketError::InvalidPayload),
        (b"\xc0", PacketError::InvalidPayload),
    ] {
        assert_eq!(packet(with_data(2, data)), Err(error));
    }
    let long = [&b"\x91\xda\x04\x01"[..], &[b'x'; 1025]].concat();
    assert_eq!(packet(with_data(2, &long)), Err(PacketError::EventNameTooLong));
    assert_eq!(packet(Bytes::new()), Err(PacketError::Empty));
    assert_eq!(
        MSGPACK.decode("2[\"a\"]".into(), &limits()),
        Err(PacketError::UnexpectedText)
    );
}

#[test]
fn what_bytes_become_is_as_deep_as_it_looks() {
    let event = |lists: usize, last: &[u8]| {
        let nested = vec![0x91; lists];
        packet([b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e", &nested[..], last].concat())
    };
    // The list of arguments counts, and so does the placeholder that stands for the bytes.
    for (last, depth) in [(&b"\x01"[..], 0), (b"\xc4\x01\x07", 1), (b"\xd4\x05\x07", 2)] {
        let most = limits().max_depth - 1 - depth;
        let Body::Event { args, .. } = event(most, last).unwrap().body else {
            panic!("it is an event");
        };
        assert_eq!(Args::new(&args.json(), args.attachments().to_vec()).as_ref(), Ok(&args));
        assert!(event(most + 1, last).is_err());
    }
}
