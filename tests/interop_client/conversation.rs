//! The order of events that the program promises, whatever the scenario.

use serde_json::Value;

/// The events that are looked at. There may be more, which a script ignores.
pub const KNOWN: [&str; 7] = [
    "open",
    "upgrade",
    "upgrade_error",
    "message",
    "error",
    "close",
    "reconnecting",
];

/// `open`, what belongs to the connection, `close`; between connections `reconnecting`. To be asked at the end.
pub fn check(events: &[Value]) {
    let mut is_open = false;
    let mut attempt = 0;
    // In a row, about the connection: a message that was refused is another matter.
    let mut errors = 0;
    for (position, event) in events.iter().enumerate() {
        let name = event["event"].as_str().expect("the reader has looked");
        if name == "error" && event["kind"] != "too_large" {
            errors += 1;
        } else {
            errors = 0;
        }
        let fits = match name {
            "error" => errors <= 1,
            "open" => {
                attempt = 0;
                !std::mem::replace(&mut is_open, true)
            }
            "upgrade" | "upgrade_error" | "message" => is_open,
            "close" => std::mem::replace(&mut is_open, false),
            "reconnecting" => {
                attempt += 1;
                !is_open && event["attempt"] == attempt && event["delay_ms"].is_u64()
            }
            _ => true,
        };
        assert!(fits, "event {position} is out of order: {event}");
    }
    assert!(!is_open, "the last connection has no close");
}
