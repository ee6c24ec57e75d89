//! `--app socketio`: a Socket.IO server with the handlers that test suites want.

use std::time::Duration;

use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::Builder;
use sansocket::runtime::socketio::{Ack, AckError, Args, ConnectRequest, Handle, Namespace, Refused, Server, Socket};
use sansocket::{Error, Result};
use serde_json::{Value, json};

use super::{Arguments, Running};

pub async fn start<R: Runtime>(options: Builder<R>, arguments: &Arguments, address: &str) -> Result<Running> {
    let server = Server::builder_on(options.runtime().clone())
        .engine(|_| options)
        .connect_timeout(arguments.connect_timeout)
        .parser(arguments.parser.parser())
        .concurrency(arguments.concurrency)
        .build();
    namespaces(&server);
    let server = server.bind(address).await?;
    let io = server.handle();
    Ok(Running {
        address: server.local_addr(),
        handle: server.engine(),
        io: Some(io),
        serving: Box::pin(server.serve()),
    })
}

pub fn namespaces(io: &Handle) {
    for namespace in [io.of("/"), io.of("/custom"), io.of_matching(is_dynamic)] {
        handlers(&namespace.on_connect(|request| async move { welcome(&request).await }));
    }
    handlers(&io.of("/auth").on_connect(|request| async move {
        let auth: Value = request.auth()?;
        if auth["token"] != "secret" {
            return Err(Refused::new("unauthorized"));
        }
        welcome(&request).await
    }));
    io.of("/reject")
        .on_connect(|_| async { Err::<(), _>(Refused::new("nope").data(&json!({"code": 7}))) });
}

/// `/dyn-<digits>`
fn is_dynamic(name: &str) -> bool {
    name.strip_prefix("/dyn-")
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Shows the client what it has sent to be judged by.
async fn welcome(request: &ConnectRequest) -> Result<(), Refused> {
    let auth = match request.auth_json() {
        Some(auth) => Args::from(auth.clone()),
        None => Args::encode(&json!({})).map_err(|_| Refused::new("internal error"))?,
    };
    // Whoever has gone meanwhile needs none.
    let _gone = request.emit("auth", &auth).await;
    Ok(())
}

fn handlers(namespace: &Namespace) {
    namespace
        .on("message", |socket, args: Args| async move {
            socket.emit("message-back", &args).await
        })
        .on("message-with-ack", |_, args: Args| async move { Ack(args) })
        .on("join", |socket, room: String| async move { socket.join(room) })
        .on("leave", |socket, room: String| async move { socket.leave(room) })
        .on("to-room", |socket, args: Args| async move {
            let room: String = args.get(0)?;
            socket.to(room).emit("room-msg", &without_first(&args)?).await
        })
        .on("in-room", |socket, args: Args| async move {
            let room: String = args.get(0)?;
            let room = socket.namespace().to(room);
            room.emit("room-msg", &without_first(&args)?).await
        })
        .on("broadcast", |socket, args: Args| async move {
            socket.broadcast().emit("broadcast", &args).await
        })
        .on("emit-all", |socket, args: Args| async move {
            socket.namespace().emit("all", &args).await
        })
        .on("disconnect-me", |socket, args: Args| async move {
            socket.disconnect(args.get(0).unwrap_or(false));
        })
        .on("ask-me", |socket, args: Args| async move {
            let answer: Args = socket.call_args("question", &args).await?;
            socket.emit("answer", &answer).await
        })
        .on("ask-me-timeout", ask_me_timeout)
        .on("who", |socket, ()| async move { Ack(who(&socket)) })
        .on("count", |socket, ()| async move { Ack(socket.namespace().len()) })
        .on("burst", |socket, count: u64| async move {
            for n in 0..count {
                socket.emit("n", &n).await?;
            }
            Ok::<_, Error>(())
        });
}

async fn ask_me_timeout(socket: Socket, millis: u64) -> Result<()> {
    let question = socket.call_args::<Args>("question", &());
    match question.timeout(Duration::from_millis(millis)).await {
        Ok(answer) => socket.emit("answer", &answer).await,
        Err(Error::Ack(AckError::TimedOut)) => socket.emit("ask-timeout", &()).await,
        Err(error) => Err(error),
    }
}

fn who(socket: &Socket) -> Value {
    let mut rooms = socket.rooms();
    rooms.retain(|room| &room[..] != socket.id());
    rooms.sort_unstable();
    let rooms: Vec<&str> = rooms.iter().map(|room| &room[..]).collect();
    json!({"id": socket.id(), "rooms": rooms})
}

/// All arguments but the first, binary ones too.
fn without_first(args: &Args) -> Result<Args> {
    let rest: Vec<&str> = args.iter().skip(1).collect();
    let rest = Args::new(&format!("[{}]", rest.join(",")), args.attachments().to_vec());
    rest.map_err(Error::application)
}

/// What `/__stats` says of Socket.IO: the end of an object.
pub fn stats(io: &Handle) -> String {
    let stats = io.stats();
    format!(r#","sockets":{},"rooms":{}"#, json!(stats.sockets), stats.rooms)
}
