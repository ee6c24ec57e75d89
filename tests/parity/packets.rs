//! Row 31: what a packet is.

use sansocket::engineio::{Data, Packet, PacketError};
use serde_json::{Value, json};

fn message(text: &str) -> Result<Packet, PacketError> {
    Ok(Packet::Message(Data::from(text)))
}

/// Python guesses whether a text is JSON, and hands over a number where somebody has sent digits. Ours hands over the text,
/// and whoever wants JSON says so.
#[test]
fn row_31_what_a_packet_says() {
    let digits = "7".repeat(101);
    for (packet, meaning) in [
        (r#"4{"a":1}"#, message(r#"{"a":1}"#)),
        ("45", message("5")),
        ("4-5", message("-5")),
        ("4", message("")),
        (&format!("4{digits}"), message(&digits)),
        ("bAQID", Ok(Packet::Message(vec![1, 2, 3].into()))),
        ("b", Ok(Packet::Message(Data::from(Vec::new())))),
        ("1", Ok(Packet::Close)),
        ("2probe", Ok(Packet::Ping("probe".into()))),
        ("3probe", Ok(Packet::Pong("probe".into()))),
        ("5", Ok(Packet::Upgrade)),
        ("6", Ok(Packet::Noop)),
        ("", Err(PacketError::Empty)),
    ] {
        assert_eq!(Packet::decode(packet.into()), meaning, "{packet:.20}");
    }
    for wrong in ["7", "9", "x", "\u{664}", "b!", "bA", "0", "0[]"] {
        assert!(Packet::decode(wrong.into()).is_err(), "{wrong}");
    }
    assert_eq!(Data::from(r#"{"a":1}"#).json::<Value>().expect("JSON"), json!({"a": 1}));
    assert_eq!(Data::from("5").json::<u8>().expect("JSON"), 5);
    assert_eq!(Data::from("-5").json::<i8>().expect("JSON"), -5);
    assert!(Data::from(digits).json::<u64>().is_err());
    assert!(Data::from("hi").json::<Value>().is_err());
    let written = Data::from_json(&json!({"a": [true, null]})).expect("it has a JSON form");
    assert_eq!(written, Data::from(r#"{"a":[true,null]}"#));
    // Bytes are a message or nothing: the type has no place for any other.
    let mut out = Vec::new();
    Packet::Message(vec![1, 2, 3].into()).encode(&mut out);
    assert_eq!(out, b"bAQID");
}
