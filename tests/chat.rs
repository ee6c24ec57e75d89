//! `sansocket serve --app chat` from outside: what its clients are told, and what they can not do to each other.
//!
//! Its page is tried in a browser: `tests/interop.rs`. It runs on tokio, or on the runtime that `SANSOCKET_RUNTIME` names.

#![cfg(feature = "cli")]

// How to talk to it: the clients of the program's own tests.
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "socketio/client.rs"]
mod client;
#[path = "server/hosting.rs"]
mod hosting;
#[allow(dead_code, reason = "the other suite wants more of them")]
#[path = "protocol/http.rs"]
mod http;
#[path = "protocol/program.rs"]
mod program;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/runtime.rs"]
mod runtime;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "socketio/server.rs"]
mod server;
#[allow(dead_code, reason = "the other suite wants more of them")]
#[path = "protocol/session.rs"]
mod session;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/waiting.rs"]
mod waiting;
#[allow(dead_code, reason = "the other suite wants more of them")]
#[path = "protocol/websocket.rs"]
mod websocket;

use serde_json::{Value, json};

use crate::client::{Client, POLLING};
use crate::server::Server;

/// A client in a room, and its id.
struct Person {
    client: Client,
    id: String,
    name: String,
}

impl Person {
    /// Comes in with this auth payload, and is told where it is.
    #[track_caller]
    fn enter(server: &Server, auth: &Value) -> (Self, Value) {
        let mut client = Client::open(server);
        let id = client.enter("/", &auth.to_string());
        let name = auth["name"].as_str().expect("a name").to_owned();
        let mut person = Self { client, id, name };
        let room = person.next("room");
        (person, room)
    }

    #[track_caller]
    fn named(server: &Server, name: &str) -> Self {
        Self::enter(server, &json!({"name": name})).0
    }

    fn introduced(&self) -> Value {
        json!({"id": self.id, "name": self.name, "transport": "websocket"})
    }

    /// The next event, which is this one: its first argument.
    #[track_caller]
    fn next(&mut self, event: &str) -> Value {
        self.next_args(event).swap_remove(0)
    }

    #[track_caller]
    fn next_args(&mut self, event: &str) -> Vec<Value> {
        let packet = self.client.next();
        let start = packet.find('[').unwrap_or_else(|| panic!("not an event: {packet}"));
        let mut args: Vec<Value> = serde_json::from_str(&packet[start..]).expect("JSON");
        assert_eq!(args.remove(0), event, "{packet}");
        args
    }

    /// What an event is acknowledged with, which is the next packet.
    #[track_caller]
    fn call(&mut self, event: &Value) -> Value {
        let answer = self.client.call(&event.to_string());
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        answer[0].clone()
    }

    /// An event that is refused, in a sentence.
    #[track_caller]
    fn assert_refused(&mut self, event: &Value) {
        let answer = self.call(event);
        assert!(answer["error"].is_string(), "{answer}");
    }

    /// Everything before was handled, and nothing has come of it.
    #[track_caller]
    fn assert_nothing(&mut self) {
        assert!(self.call(&json!(["rooms"])).is_array());
    }
}

/// What a client is told that is not let in: the code.
#[track_caller]
fn refusal(server: &Server, auth: &Value) -> Value {
    let mut client = Client::open(server);
    client.send(&format!("0{auth}"));
    let answer = client.next();
    let error = answer.strip_prefix('4').expect("a refusal");
    let error: Value = serde_json::from_str(error).expect("JSON");
    assert!(error["message"].is_string(), "{error}");
    error["data"]["code"].clone()
}

#[test]
fn people_talk_in_a_room() {
    let server = Server::app("chat", &[]);
    let (mut ann, room) = Person::enter(&server, &json!({"name": "Ann"}));
    assert_eq!(room["room"], "lobby");
    assert_eq!(room["you"], ann.introduced());
    assert_eq!(room["people"], json!([ann.introduced()]));
    let (mut ben, room) = Person::enter(&server, &json!({"name": " Ben\u{200b}  Lee", "room": "lobby"}));
    ben.name = "Ben Lee".into();
    assert_eq!(room["people"], json!([ann.introduced(), ben.introduced()]));
    assert_eq!(ann.next("joined"), ben.introduced());

    ben.client.send(r#"2["typing",true]"#);
    assert_eq!(ann.next_args("typing"), [json!(ben.id), json!(true)]);
    assert_eq!(ben.call(&json!(["say", " <b>hello</b>\n"])), json!({}));
    let said = ann.next_args("said");
    assert_eq!(said[..2], [ben.introduced(), json!("<b>hello</b>")]);
    assert!(said[2].as_u64() > Some(1_600_000_000_000), "{said:?}");

    // Whoever is elsewhere hears nothing.
    let (mut eve, _) = Person::enter(&server, &json!({"name": "Eve", "room": "attic"}));
    assert_eq!(ann.call(&json!(["say", "hi"])), json!({}));
    assert_eq!(ben.next_args("said")[1], "hi");
    eve.assert_nothing();
    assert_eq!(eve.call(&json!(["rooms"])), json!([["lobby", 2], ["attic", 1]]));

    ben.client.send("1");
    assert_eq!(ann.next_args("left"), [json!(ben.id), json!("left")]);
    server.wait_for_stats(r#""sockets":{"/":2}"#);
    server.finish();
}

#[test]
fn a_room_can_be_changed() {
    let server = Server::app("chat", &[]);
    let mut ann = Person::named(&server, "Ann");
    let mut ben = Person::named(&server, "Ben");
    ann.next("joined");
    ann.client.send(r##"27["enter","#attic"]"##);
    let room = ann.next("room");
    assert_eq!(room["room"], "#attic");
    assert_eq!(room["people"], json!([ann.introduced()]));
    ann.client.expect("37[{}]");
    assert_eq!(ben.next_args("left")[0], json!(ann.id));
    // Where one is already, there is nothing to do.
    assert_eq!(ann.call(&json!(["enter", "#attic"])), json!({}));
    assert_eq!(ben.call(&json!(["say", "gone?"])), json!({}));
    ann.assert_nothing();
    for nowhere in [json!(["enter", ""]), json!(["enter", "x".repeat(25)])] {
        ann.assert_refused(&nowhere);
    }
    server.finish();
}

#[test]
fn the_others_see_an_upgrade() {
    let server = Server::app("chat", &[]);
    let mut ann = Person::named(&server, "Ann");
    let open = server.get(POLLING);
    let target = format!("{POLLING}&sid={}", session::sid_of(open.text()));
    server.post(&target, r#"40{"name":"Ben"}"#).assert_ok("ok");
    assert_eq!(ann.next("joined")["transport"], "polling");
    // What is waiting is fetched: no request may be under way any more.
    assert!(server.get(&target).text().contains("\"you\""));
    let mut websocket = websocket::WebSocket::connect(&server, &target.replace("polling", "websocket"));
    websocket.text("2probe");
    websocket.assert_text("3probe");
    websocket.text("5");
    // It is only a hint: whatever comes is one.
    websocket.text(r#"42["upgraded"]"#);
    assert_eq!(ann.next_args("upgraded")[1], "websocket");
    websocket.text(r#"42["upgraded"]"#);
    websocket.text(r#"42["say","there"]"#);
    let said = ann.next_args("said");
    assert_eq!(said[0]["transport"], "websocket");
    server.finish();
}

#[test]
fn files_are_what_their_bytes_are() {
    let server = Server::app("chat", &["--max-payload", "10000"]);
    let mut ann = Person::named(&server, "Ann");
    let (mut ben, room) = Person::enter(&server, &json!({"name": "Ben"}));
    ann.next("joined");
    let most = usize::try_from(room["limits"]["file"].as_u64().expect("a number")).expect("it fits");
    assert!(most * 4 / 3 < 10_000 && most > 7_000, "{most}");
    let png = b"\x89PNG\r\n\x1a\nand so on";
    let largest = vec![7; most];
    for (name, shown, bytes, kind) in [
        ("a.html", "a.html", &png[..], "image/png"),
        (
            "../../a.png",
            "a.png",
            b"<script>alert(1)</script>",
            "application/octet-stream",
        ),
        (
            "x.svg",
            "x.svg",
            b"<svg onload='alert(1)'/>",
            "application/octet-stream",
        ),
        ("\u{202e}gnp.exe", "gnp.exe", b"MZ", "application/octet-stream"),
        ("", "file", &largest, "application/octet-stream"),
    ] {
        let event = json!(["file", name, {"_placeholder": true, "num": 0}]);
        ben.client.send(&format!("51-3{event}"));
        ben.client.send_binary(bytes);
        ben.client.expect("33[{}]");
        let told = ann.next_args("file");
        assert_eq!(told[0], ben.introduced());
        assert_eq!((&told[1]["name"], &told[1]["type"]), (&json!(shown), &json!(kind)));
        ann.client.expect_binary(bytes);
    }
    for refused in [vec![], vec![7; most + 1]] {
        ben.client.send(r#"51-4["file","a",{"_placeholder":true,"num":0}]"#);
        ben.client.send_binary(&refused);
        assert!(ben.client.next().starts_with(r#"34[{"error""#));
    }
    server.finish();
}

#[test]
fn nobody_has_anothers_name() {
    let server = Server::app("chat", &[]);
    let (mut ann, _) = Person::enter(&server, &json!({"name": "Ann", "key": "k"}));
    let mut eve = Person::named(&server, "Eve");
    ann.next("joined");
    for taken in [
        json!({"name": "Ann"}),
        json!({"name": "aNN", "room": "attic"}),
        json!({"name": "A\u{ad}nn "}),
        json!({"name": "Ann", "key": "other"}),
        json!({"name": "Eve", "key": ""}),
    ] {
        assert_eq!(refusal(&server, &taken), "taken", "{taken}");
    }
    for (wrong, code) in [
        (json!({}), json!("name")),
        (json!({"name": "\u{200b}"}), json!("name")),
        (json!({"name": "x".repeat(25)}), json!("name")),
        (json!({"name": "X", "room": " "}), json!("room")),
        (json!({"name": "X", "key": "x".repeat(65)}), json!("key")),
        (json!({"name": ["Ann"]}), Value::Null),
    ] {
        assert_eq!(refusal(&server, &wrong), code, "{wrong}");
    }
    // The same tab, whose connection broke: it does not wait for its own ghost.
    let (mut back, _) = Person::enter(&server, &json!({"name": "Ann", "key": "k"}));
    let mut told = [eve.client.next(), eve.client.next()];
    // Two connections have no order between them.
    told.sort();
    assert!(told[0].contains("joined") && told[0].contains(&back.id), "{told:?}");
    assert_eq!(told[1], format!(r#"2["left","{}","came back"]"#, ann.id));
    let end = ann.client.expect_end();
    assert!(end.iter().any(|packet| packet == "41"), "{end:?}");
    // A name is free again when its owner has gone.
    back.client.send("1");
    assert_eq!(eve.next_args("left")[0], json!(back.id));
    drop(Person::named(&server, "Ann"));
    server.finish();
}

#[test]
fn nobody_reaches_into_another_room() {
    let server = Server::app("chat", &[]);
    let mut ann = Person::named(&server, "Ann");
    // A socket's id is a room of the server's.
    let id = ann.id.clone();
    let (mut eve, _) = Person::enter(&server, &json!({"name": "Eve", "room": id}));
    assert_eq!(eve.call(&json!(["say", "psst"])), json!({}));
    // Nor with events that only the server says, or arguments that nobody wants.
    for nonsense in [
        json!(["said", {"name": "Ann"}, "x", 1]),
        json!(["joined", {}]),
        json!(["say", 7]),
        json!(["say"]),
        json!(["file", "name", "no bytes"]),
        json!(["typing", "yes"]),
        json!(["enter", {"__proto__": {}}]),
    ] {
        eve.client.send(&format!("2{nonsense}"));
    }
    eve.assert_nothing();
    ann.assert_nothing();
    ann.assert_refused(&json!(["say", " \n "]));
    ann.assert_refused(&json!(["say", "x".repeat(2001)]));
    server.finish();
}

#[test]
fn nobody_drowns_the_others() {
    let server = Server::app("chat", &[]);
    let mut ann = Person::named(&server, "Ann");
    let mut eve = Person::named(&server, "Eve");
    ann.next("joined");
    for n in 0..500 {
        eve.client.send(&format!(r#"2{n}["say","x"]"#));
    }
    let answers: Vec<String> = (0..500).map(|_| eve.client.next()).collect();
    let said = answers.iter().filter(|answer| answer.ends_with("[{}]")).count();
    let refused = answers.iter().filter(|answer| answer.contains("[{\"error\":")).count();
    assert_eq!(said + refused, 500, "{answers:?}");
    eve.client.send("1");
    let mut heard = 0;
    loop {
        let packet = ann.client.next();
        match packet.contains("[\"said\"") {
            true => heard += 1,
            false => break assert!(packet.contains("[\"left\""), "{packet}"),
        }
    }
    assert_eq!(heard, said);
    // However long the 500 took, it was not a minute.
    assert!((30..500).contains(&heard), "{heard}");
    server.finish();
}

#[test]
fn a_room_has_room_for_so_many() {
    let server = Server::app("chat", &[]);
    let people: Vec<Person> = (0..100).map(|n| Person::named(&server, &format!("P{n}"))).collect();
    assert_eq!(refusal(&server, &json!({"name": "Ann"})), "full");
    let (mut ann, _) = Person::enter(&server, &json!({"name": "Ann", "room": "attic"}));
    ann.assert_refused(&json!(["enter", "lobby"]));
    drop(people);
    server.wait_for_stats(r#""sockets":{"/":1}"#);
    assert_eq!(ann.call(&json!(["rooms"])), json!([["attic", 1]]));
    server.finish();
}

#[test]
fn the_page_allows_itself_only_what_it_needs() {
    let server = Server::app("chat", &[]);
    let policy = |target: &str| {
        let page = server.get(target);
        assert_eq!(page.status, 200);
        page.header("content-security-policy").expect("a policy").to_owned()
    };
    let own = policy("/");
    assert!(
        own.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; "),
        "{own}"
    );
    assert!(own.contains("require-trusted-types-for 'script'"), "{own}");
    // A link that names a client lets in no script of just anybody's.
    let other = policy("/?client=https://evil.example/x.js");
    assert!(!other.contains("evil"), "{other}");
    assert!(other.contains("https://cdn.socket.io"), "{other}");
    server.finish();
}
