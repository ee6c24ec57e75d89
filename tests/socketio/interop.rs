//! npm `socket.io-client` against what only the library's servers do. Needs node and what `tests/interop/setup.sh node`
//! installs: `cargo test --features cli --test socketio -- --ignored interop`.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sansocket::Error;
use sansocket::runtime::socketio::{Ack, Socket};

use crate::server::{Server, options};

/// A scenario's own waits end after 20 s, with a sentence; this one ends a script that cannot.
const SCRIPT_DEADLINE: Duration = Duration::from_secs(60);

/// One test for each line: its name, and the call that it is.
macro_rules! scenarios {
    ($($name:ident: $run:expr;)*) => {
        $(
            #[test]
            #[ignore = "needs npm's socket.io-client"]
            fn $name() {
                $run;
            }
        )*
    };
}

scenarios! {
    js_polling_recovery: recovery("polling");
    js_websocket_recovery: recovery("websocket");
    js_upgrade_recovery: recovery("upgrade");
    js_polling_server_side: server_side("polling");
    js_websocket_server_side: server_side("websocket");
    js_upgrade_server_side: server_side("upgrade");
}

#[track_caller]
fn run(script: &str, server: &Server, plan: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/js");
    let mut child = Command::new("node")
        .arg(format!("{folder}/{script}.mjs"))
        .arg(format!("http://{}", server.address))
        .arg(plan)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tests/interop/setup.sh installs what this needs");
    let deadline = Instant::now() + SCRIPT_DEADLINE;
    let status = loop {
        match child.try_wait().expect("a child") {
            Some(status) => break status,
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            None => {
                let _ended = child.kill();
                break child.wait().expect("a child");
            }
        }
    };
    let mut output = String::new();
    for mut pipe in [
        Box::new(child.stdout.take().expect("a pipe")) as Box<dyn Read>,
        Box::new(child.stderr.take().expect("a pipe")),
    ] {
        pipe.read_to_string(&mut output).expect("text");
    }
    assert!(status.success(), "{script} {plan}: {status}\n{output}");
    println!("{output}");
}

/// A client's engine is closed under it: it comes back, and has missed nothing.
fn recovery(plan: &str) {
    let server = Server::host(options().recovery(Duration::from_secs(60)), |io| {
        let main = io.of("/").on_connect(|request| async move {
            assert!(!request.recovered(), "whoever comes back is not asked about");
            Ok(request.id().to_owned())
        });
        main.on("join", |socket: Socket<String>, room: String| async move {
            socket.join(room)
        });
        main.on("who", |socket: Socket<String>, ()| async move {
            let rooms: Vec<String> = socket.rooms()[1..].iter().map(ToString::to_string).collect();
            Ack((socket.recovered(), socket.data().clone(), rooms))
        });
        // Says these to a room as soon as this socket is away.
        main.on(
            "say-when-away",
            |socket: Socket<String>, (id, room, count): (String, String, u32)| async move {
                let main = socket.namespace();
                let away = loop {
                    match main.socket(&id) {
                        Some(there) if there.is_connected() => {
                            crate::runtime::sleep(Duration::from_millis(2)).await;
                        }
                        _ => break Ack(true),
                    }
                };
                for n in 0..count {
                    main.to(&room).emit("missed", &(n, "text")).await?;
                }
                main.to(&id).emit("own", &()).await?;
                Ok::<_, Error>(away)
            },
        );
        main.on("say", |socket: Socket<String>, room: String| async move {
            socket.namespace().to(&room).emit("said", &1).await
        });
    });
    run("socketio_recovery", &server, plan);
    server.finish();
}

/// What a server may do with its sockets: last words, throwing them out, asking all of them.
fn server_side(plan: &str) {
    let server = Server::host(options(), |io| {
        let main = io.of("/");
        main.on("throw-out", |socket: Socket, (words, close): (u32, bool)| async move {
            for n in 0..words {
                socket.emit("word", &n).await?;
            }
            socket.disconnect(close);
            Ok::<_, Error>(())
        });
        main.on("ask-all", |socket: Socket, ()| async move {
            let main = socket.namespace();
            let asking = main
                .call_all::<i64>("number", &"of what?")
                .timeout(Duration::from_millis(600));
            let answers = asking.await?;
            let answers: Vec<_> = answers
                .iter()
                .map(|(socket, answer)| (socket.id().to_owned(), answer.as_ref().ok().copied()))
                .collect();
            Ok::<_, Error>(Ack((answers,)))
        });
        main.middleware(|request| async move {
            let auth: serde_json::Value = request.auth()?;
            match auth["token"].as_str() {
                Some("wrong") => Err(sansocket::runtime::socketio::Refused::new("wrong token").data(&auth)),
                _ => Ok(()),
            }
        });
        io.of_pattern("/room-*");
    });
    run("socketio_server_side", &server, plan);
    server.finish();
}
