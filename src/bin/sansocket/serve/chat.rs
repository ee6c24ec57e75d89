//! `--app chat`: people in rooms, who talk, show each other files, and see on what transport everybody is.
//!
//! What the page and the server say to each other is in `chat/page/chat.js` too. A client joins the namespace `/` with the
//! auth payload `{"name", "room", "key"}`, of which only the name must be there. Then
//!
//! | it emits | which is |
//! |---|---|
//! | `say` text, ack | said to its room |
//! | `file` name, bytes, ack | shown to its room |
//! | `typing` yes or no | shown to its room; it may be lost |
//! | `enter` room, ack | to leave its room for another |
//! | `rooms`, ack | answered with `[[name, people], …]` |
//! | `upgraded` | a word on its new transport, of which the server knows better |
//!
//! and it is told `room` {you, room, people, limits} whenever it has entered one, `joined` person, `left` id why, `upgraded`
//! id transport, `typing` id yes or no, `said` person text time, and `file` person {name, type, time} bytes. A person is
//! {id, name, transport}. Acknowledgements are `{}`, or `{"error"}` with a sentence for people.
//!
//! Nothing is kept: whoever comes later has missed what was said.

mod label;
mod names;
mod pace;
mod page;
mod raster;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use sansocket::Result;
use sansocket::engineio::Transport;
use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::Builder;
use sansocket::runtime::socketio::{
    Ack, Args, Binary, ConnectRequest, DisconnectReason, Handle, Namespace, Refused, Server, Socket as AnySocket,
};
use serde_json::{Value, json};

use super::{Arguments, Running};
use label::label;
use names::{Name, Names};
use pace::Pace;

pub use page::{answer, check_path};

/// The longest name of a person or a room, in characters.
const NAME: usize = 24;
/// The longest name of a file, in characters.
const FILE_NAME: usize = 80;
/// The longest thing to say, in characters.
const TEXT: usize = 2_000;
/// The longest key, in bytes.
const KEY: usize = 64;
/// How many people fit into a room: what one says goes to all the others.
const PEOPLE: usize = 100;
/// How many rooms are told of.
const ROOMS: usize = 30;
/// Where one is who has not said where to.
const LOBBY: &str = "lobby";

/// A client that was let in.
type Socket = AnySocket<Person>;

/// What a handler answers: nothing in particular, or what was wrong, as a sentence for people.
type Answer = std::result::Result<(), &'static str>;

/// What the server knows of one of its clients.
struct Person {
    name: Name,
    room: Mutex<String>,
    /// What the others were last told.
    transport: Mutex<Transport>,
    pace: Mutex<Pace>,
    chat: Arc<Chat>,
}

/// What everybody shares.
struct Chat {
    names: Arc<Names>,
    /// The largest file, in bytes.
    max_file: usize,
    /// Whoever comes, goes or changes has this: so the others hear of it in one order, and a list of who is there fits what
    /// they are told next. It belongs to no runtime, though tokio brings it.
    door: tokio::sync::Mutex<()>,
}

pub async fn start<R: Runtime>(options: Builder<R>, arguments: &Arguments, address: &str) -> Result<Running> {
    let server = Server::builder_on(options.runtime().clone())
        .engine(|_| options)
        .connect_timeout(arguments.connect_timeout)
        .build();
    handlers(&server, arguments.max_payload);
    let server = server.bind(address).await?;
    Ok(Running {
        address: server.local_addr(),
        handle: server.engine(),
        io: Some(server.handle()),
        serving: Box::pin(server.serve()),
    })
}

fn handlers(io: &Handle, max_payload: usize) {
    let chat = Arc::new(Chat {
        names: Arc::default(),
        // Where there is only polling, bytes are sent as base64, which makes four of three.
        max_file: max_payload / 4 * 3 - max_payload / 100,
        door: tokio::sync::Mutex::default(),
    });
    let everybody = io.of("/");
    let people = everybody.clone().on_connect(move |request| {
        let (chat, everybody) = (chat.clone(), everybody.clone());
        async move { admit(chat, &everybody, &request) }
    });
    people
        .on_connected(arrive)
        .on_disconnect(leave)
        .on_any(look_at_transport)
        .on("say", |socket, text: String| async move {
            acknowledge(say(socket, text).await)
        })
        .on("file", |socket, (name, bytes): (String, Binary)| async move {
            acknowledge(show_file(socket, name, bytes).await)
        })
        .on("enter", |socket, room: String| async move {
            acknowledge(enter(socket, room).await)
        })
        .on("typing", typing)
        .on("rooms", |socket: Socket, ()| async move { Ack((rooms(&socket),)) });
}

fn acknowledge(answer: Answer) -> Ack<Value> {
    Ack(match answer {
        Ok(()) => json!({}),
        Err(why) => json!({"error": why}),
    })
}

// ---- who comes and goes ----

/// Decides on a client that wants to join: nobody is let in without a name, nor with somebody else's.
fn admit(chat: Arc<Chat>, everybody: &Namespace, request: &ConnectRequest) -> std::result::Result<Person, Refused> {
    let refuse = |code: &str, why: &str| Err(Refused::new(why).data(&json!({"code": code})));
    let auth: BTreeMap<String, String> = request.auth()?;
    let Some(name) = auth.get("name").and_then(|name| label(name, NAME)) else {
        return refuse("name", "A name has 1 to 24 characters.");
    };
    let Some(room) = label(auth.get("room").map_or(LOBBY, String::as_str), NAME) else {
        return refuse("room", "The name of a room has 1 to 24 characters.");
    };
    let key = auth.get("key").map_or("", String::as_str);
    if key.len() > KEY {
        return refuse("key", "That key is too long.");
    }
    if everybody.to(hall(&room)).count() >= PEOPLE {
        return refuse("full", "That room is full.");
    }
    let Some((name, former)) = chat.names.claim(&name, key, request.id()) else {
        return refuse("taken", "Somebody here has that name already.");
    };
    // The same browser again: its connection broke, and nobody has noticed yet.
    if let Some(former) = former.and_then(|former| everybody.socket(&former)) {
        former.disconnect(true);
    }
    Ok(Person {
        name,
        room: Mutex::new(room),
        transport: Mutex::new(Transport::Polling),
        pace: Mutex::default(),
        chat,
    })
}

async fn arrive(socket: Socket) -> Result<()> {
    let person = socket.data();
    let _door = person.chat.door.lock().await;
    // Whoever waited at the door may have turned back.
    if !socket.is_connected() {
        return Ok(());
    }
    go_in(&socket, &person.room()).await
}

async fn leave(socket: Socket, reason: DisconnectReason) -> Result<()> {
    let person = socket.data();
    let _door = person.chat.door.lock().await;
    let why = match reason {
        // Nobody misses this socket: there is another one.
        _ if !person.name.is_held() => "came back",
        DisconnectReason::PingTimeout | DisconnectReason::TransportError => "lost the connection",
        _ => "left",
    };
    go_out(&socket, &person.room(), why).await
}

async fn enter(socket: Socket, room: String) -> Answer {
    let person = socket.data();
    person.hurry(1)?;
    let room = label(&room, NAME).ok_or("The name of a room has 1 to 24 characters.")?;
    let _door = person.chat.door.lock().await;
    if !socket.is_connected() || room == person.room() {
        return Ok(());
    }
    if socket.namespace().to(hall(&room)).count() >= PEOPLE {
        return Err("That room is full.");
    }
    let former = std::mem::replace(&mut *locked(&person.room), room.clone());
    socket.leave(hall(&former));
    let moved = go_out(&socket, &former, "went to another room").await;
    moved.and(go_in(&socket, &room).await).map_err(|_| "That did not work.")
}

/// With the door in one's hand.
async fn go_in(socket: &Socket, room: &str) -> Result<()> {
    let person = socket.data();
    socket.join(hall(room));
    *locked(&person.transport) = socket.transport();
    let people: Vec<Value> = socket
        .namespace()
        .to(hall(room))
        .sockets()
        .iter()
        .map(introduce)
        .collect();
    let limits = json!({"name": NAME, "text": TEXT, "file": person.chat.max_file});
    // Without waiting: whoever reads slowly must not hold the door.
    socket.try_emit(
        "room",
        &json!({"you": introduce(socket), "room": room, "people": people, "limits": limits}),
    )?;
    socket.to(hall(room)).emit("joined", &introduce(socket)).await
}

/// With the door in one's hand.
async fn go_out(socket: &Socket, room: &str, why: &str) -> Result<()> {
    socket.to(hall(room)).emit("left", &(socket.id(), why)).await
}

/// Every event is an occasion to see whether its sender was upgraded: the session knows, and nobody has to be believed.
async fn look_at_transport(socket: Socket, _event: String, _args: Args) -> Result<()> {
    let person = socket.data();
    let now = socket.transport();
    if *locked(&person.transport) == now {
        return Ok(());
    }
    let _door = person.chat.door.lock().await;
    *locked(&person.transport) = now;
    let inside = socket.namespace().to(hall(&person.room()));
    inside.emit("upgraded", &(socket.id(), now.as_str())).await
}

// ---- what they do there ----

async fn say(socket: Socket, text: String) -> Answer {
    let person = socket.data();
    person.hurry(1)?;
    let text = text.trim();
    if text.is_empty() {
        return Err("There is nothing in it.");
    }
    if text.chars().count() > TEXT {
        return Err("That is too long.");
    }
    let others = socket.to(hall(&person.room()));
    let said = others.emit("said", &(introduce(&socket), text, now())).await;
    said.map_err(|_| "That did not work.")
}

async fn show_file(socket: Socket, name: String, bytes: Binary) -> Answer {
    let person = socket.data();
    person.hurry(4)?;
    if bytes.is_empty() {
        return Err("There is nothing in that file.");
    }
    if bytes.len() > person.chat.max_file {
        return Err("That file is too large.");
    }
    // What stands before a slash is nobody's business.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = label::shortened(name, FILE_NAME).unwrap_or_else(|| "file".into());
    // What it is called, or said to be, does not make it a picture.
    let kind = raster::kind_of(&bytes).unwrap_or("application/octet-stream");
    let about = json!({"name": name, "type": kind, "time": now()});
    let others = socket.to(hall(&person.room()));
    let shown = others.emit("file", &(introduce(&socket), about, bytes)).await;
    shown.map_err(|_| "That did not work.")
}

async fn typing(socket: Socket, is_typing: bool) -> Result<()> {
    let person = socket.data();
    if person.hurry(1).is_err() {
        return Ok(());
    }
    let others = socket.to(hall(&person.room())).volatile();
    others.emit("typing", &(socket.id(), is_typing)).await
}

/// The rooms with the most people in them.
fn rooms(socket: &Socket) -> Vec<(String, usize)> {
    if socket.data().hurry(2).is_err() {
        return Vec::new();
    }
    let namespace = socket.namespace();
    let names = namespace.rooms();
    let halls = names.iter().filter_map(|name| name.strip_prefix('#'));
    let mut rooms: Vec<_> = halls
        .map(|room| (room.to_owned(), namespace.to(hall(room)).count()))
        .collect();
    rooms.sort_by_key(|(_, people)| std::cmp::Reverse(*people));
    rooms.truncate(ROOMS);
    rooms
}

/// The server's room of a room of the chat. Every socket is in a room named by its id too, which must be out of reach.
fn hall(room: &str) -> String {
    format!("#{room}")
}

fn introduce(socket: &Socket) -> Value {
    json!({"id": socket.id(), "name": socket.data().name.text(), "transport": socket.transport().as_str()})
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Person {
    fn room(&self) -> String {
        locked(&self.room).clone()
    }

    /// One can do only so much in a short time.
    fn hurry(&self, cost: u32) -> Answer {
        match locked(&self.pace).allows(cost) {
            true => Ok(()),
            false => Err("That is too fast."),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
