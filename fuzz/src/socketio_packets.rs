use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use sansocket::engineio::{Data, Str};
use sansocket::socketio::{Args, Assembler, Binary, Body, Limits, MSGPACK, Packet, PacketError, Parser, TEXT};
use serde_json::Value;

/// More lenient than usual, where one parser allows what the other must pass on.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_attachments = 10_000;
    limits
}

fn assemble(
    parser: &'static dyn Parser,
    messages: impl IntoIterator<Item = Data>,
) -> Result<Option<Packet>, PacketError> {
    let mut assembler = Assembler::new(parser);
    let mut packet = None;
    for message in messages {
        assert_eq!(packet, None, "something comes behind the packet");
        packet = assembler.handle_data(message, &limits())?;
    }
    Ok(packet)
}

/// A packet comes back the same.
fn there_and_back(parser: &'static dyn Parser, packet: &Packet) {
    let encoded = parser.encode(packet);
    assert_eq!(encoded.messages().count(), encoded.count());
    assert_eq!(
        encoded.messages().map(|message| message.len()).sum::<usize>(),
        encoded.size()
    );
    assert_eq!(assemble(parser, encoded.messages()).as_ref(), Ok(&Some(packet.clone())));
}

fn args_of(packet: &Packet) -> Option<&Args> {
    match &packet.body {
        Body::Event { args, .. } | Body::Ack { args, .. } => Some(args),
        Body::Connect(_) | Body::Disconnect | Body::ConnectError(_) => None,
    }
}

/// What can be read from a packet is what its text says.
fn look_inside(packet: &Packet) {
    let Some(args) = args_of(packet) else {
        return;
    };
    assert_eq!(args.is_empty(), args.iter().next().is_none());
    assert_eq!(Args::new(&args.json(), args.attachments().to_vec()).as_ref(), Ok(args));
    if let Ok(values) = args.parse::<Vec<Value>>() {
        assert_eq!(values.len(), args.len());
        for (index, value) in values.iter().enumerate().take(20) {
            assert_eq!(args.get::<Value>(index).ok().as_ref(), Some(value));
        }
    }
    let _ = args.parse::<(Option<Binary>, Option<String>)>();
    let _ = args.parse::<Vec<Binary>>();
}

/// Whatever can be decoded can be encoded, and comes back the same.
pub fn text(data: &[u8]) {
    let Ok(text) = Str::try_from(Bytes::copy_from_slice(data)) else {
        return;
    };
    let mut assembler = Assembler::new(&TEXT);
    let mut packet = assembler.handle_data(Data::Text(text), &limits());
    for byte in 0..=u8::MAX {
        match packet {
            Ok(None) if assembler.partial().is_some() => {
                packet = assembler.handle_data(vec![byte; 3].into(), &limits());
            }
            _ => break,
        }
    }
    if let Ok(Some(packet)) = packet {
        look_inside(&packet);
        there_and_back(&TEXT, &packet);
    }
}

/// Whatever can be decoded can be encoded, by either parser, and comes back the same.
pub fn msgpack(data: &[u8]) {
    let message = Data::Binary(Bytes::copy_from_slice(data));
    let Ok(Some(packet)) = assemble(&MSGPACK, [message]) else {
        return;
    };
    look_inside(&packet);
    // Who makes placeholders of his own beside bytes can not expect them to stay what they are.
    let honest = args_of(&packet).is_none_or(|args| {
        args.attachments().is_empty() || args.json().matches("_placeholder").count() == args.attachments().len()
    });
    if honest {
        there_and_back(&MSGPACK, &packet);
        if packet.namespace.starts_with('/') && !packet.namespace.contains(',') {
            there_and_back(&TEXT, &packet);
        }
    }
}

/// Values come back the same, by either parser.
pub fn made_up(data: &[u8]) {
    let Ok((name, texts, numbers, floats, files)) = any_values(&mut Unstructured::new(data)) else {
        return;
    };
    let files: Vec<Binary> = files.into_iter().map(Binary::from).collect();
    let args = Args::encode(&(&texts, numbers, &floats, &files)).expect("it has a JSON form");
    for parser in [&TEXT as &'static dyn Parser, &MSGPACK] {
        let packet = Packet {
            namespace: "/made/up".into(),
            body: Body::Event {
                id: Some(numbers.1),
                name: format!("event {name}").into(),
                args: args.clone(),
            },
        };
        let back = assemble(parser, parser.encode(&packet).messages());
        let Ok(Some(Packet {
            body: Body::Event { name, args, .. },
            ..
        })) = back
        else {
            assert_eq!(back, Err(PacketError::EventNameTooLong));
            return;
        };
        let values: (Vec<String>, (i64, u64), Vec<f64>, Vec<Binary>) = args.parse().expect("it was one of these");
        assert_eq!((&values.0, values.1, &values.3), (&texts, numbers, &files));
        for (there, back) in floats.iter().zip(values.2) {
            assert!((there - back).abs() <= there.abs() * 1e-12);
        }
        assert!(name.starts_with("event "));
    }
}

type Values = (String, Vec<String>, (i64, u64), Vec<f64>, Vec<Vec<u8>>);

fn any_values(source: &mut Unstructured<'_>) -> arbitrary::Result<Values> {
    let (name, texts, numbers, floats, files): Values = Arbitrary::arbitrary(source)?;
    let floats = floats.into_iter().filter(|float| float.is_finite()).collect();
    Ok((name, texts, numbers, floats, files))
}
