//! Handlers that block have threads of their own, and are in the same spans.

use sansocket::blocking::{engineio, socketio};

use crate::capture::{self, wait_for};

#[test]
fn handlers_on_threads() {
    let _turn = capture::begin();
    let server = engineio::Server::builder()
        .on_connect(|_request| {
            tracing::info!(target: "app", "connect handler");
            Ok(())
        })
        .on_message(|sender, data| {
            tracing::info!(target: "app", "message handler");
            let _gone = sender.send(data);
        })
        .bind("127.0.0.1:0")
        .expect("a free port");
    let (address, handle) = (server.local_addr(), server.handle());
    let serving = std::thread::spawn(move || server.serve().expect("serving never fails"));
    let mut client = engineio::Client::connect(&format!("http://{address}")).expect("a session");
    client.send("hello").expect("it is open");
    assert!(client.recv().is_some());
    client.close().expect("it ends in order");
    for text in ["connect handler", "message handler"] {
        let line = wait_for("app", text);
        assert!(
            line.of_span("session", "sid").is_some_and(|sid| sid.len() == 6),
            "{line:?}"
        );
    }
    wait_for("sansocket::engineio::server", "session closed");
    handle.shutdown(std::time::Duration::from_secs(10));
    serving.join().expect("it has ended");
}

#[test]
fn sockets_on_threads() {
    let _turn = capture::begin();
    let io = socketio::Server::new();
    let main = io.of("/");
    main.on("say", |socket: socketio::Socket, text: String| {
        tracing::info!(target: "app", "event handler");
        socket.emit("said", &text)
    });
    let bound = io.bind("127.0.0.1:0").expect("a free port");
    let (address, handle) = (bound.local_addr(), bound.handle());
    let serving = std::thread::spawn(move || bound.serve().expect("serving never fails"));
    let client = socketio::Client::builder(&format!("http://{address}"))
        .on(
            "said",
            |_socket, _text: String| tracing::info!(target: "app", "a client's handler"),
        )
        // That nobody is there any more is no error of this handler's.
        .on_disconnect(|socket, _reason| socket.emit("farewell", &()))
        .connect()
        .expect("a socket");
    client.emit("say", "hello").expect("there is room");
    let line = wait_for("app", "event handler");
    assert!(line.is_in("socket") && line.is_in("session"), "{line:?}");
    let line = wait_for("app", "a client's handler");
    assert!(
        line.of_span("client", "server")
            .is_some_and(|server| server.contains("127.0.0.1")),
        "{line:?}"
    );
    client.close();
    let ended = wait_for("sansocket::handlers", "a handler has ended: ");
    assert_eq!(ended.level, tracing::Level::DEBUG);
    handle.shutdown(std::time::Duration::from_secs(10));
    serving.join().expect("it has ended");
}
