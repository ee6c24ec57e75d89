//! How sockets end, and what their handlers are told.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use sansocket::runtime::socketio::{AckError, Socket};

use crate::client::Client;
use crate::http::PATIENCE;
use crate::server::{Options, Server, options};
use crate::waiting::block_on;

/// Tells of each end: the reason, the rooms, and how many are left.
fn server(options: Options) -> (Server, Receiver<String>) {
    let (says, told) = mpsc::channel();
    let server = Server::host(options, |io| {
        let main = io.of("/").on_connect(|request| async move {
            request.join("a room");
            Ok(7_u8)
        });
        main.on("throw-out", |socket: Socket<u8>, close: bool| async move {
            socket.disconnect(close)
        });
        let asking = says.clone();
        main.on("ask", move |socket: Socket<u8>, ()| {
            let says = asking.clone();
            async move {
                let answer = socket.call::<u8>("question", &()).await;
                let ended = matches!(answer, Err(sansocket::Error::Ack(AckError::Disconnected)));
                says.send(format!("asked: {ended}")).expect("the test waits");
            }
        });
        main.on_disconnect(move |socket, reason| {
            let says = says.clone();
            async move {
                let room = socket.rooms()[1].to_string();
                let (data, left) = (*socket.data(), socket.namespace().len());
                says.send(format!(
                    "{reason}: {room}, {data}, {left} left, {}",
                    socket.is_connected()
                ))
                .map_err(|_| "the test is over")
            }
        });
    });
    (server, told)
}

#[track_caller]
fn expect(told: &Receiver<String>, reason: &str) {
    let wanted = format!("{reason}: a room, 7, 0 left, false");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(wanted));
}

#[test]
fn every_end_has_its_reason() {
    let (server, told) = server(
        options()
            .ping_interval(Duration::from_millis(300))
            .ping_timeout(Duration::from_millis(200)),
    );
    let (mut client, _) = Client::join(&server);
    client.send("1");
    expect(&told, "client namespace disconnect");
    client.enter("/", "");
    client.send(r#"2["throw-out",false]"#);
    expect(&told, "server namespace disconnect");
    client.expect("1");
    client.enter("/", "");
    client.send(r#"2["throw-out",true]"#);
    expect(&told, "server namespace disconnect");
    client.expect_end();

    let (mut client, _) = Client::join(&server);
    client.websocket.text("1");
    expect(&told, "transport close");
    let (client, _) = Client::join(&server);
    drop(client);
    expect(&told, "transport close");
    let (mut client, _) = Client::join(&server);
    client.send("2[");
    expect(&told, "forced close");
    let (mut client, _) = Client::join(&server);
    client.send("2/nowhere,[\"x\"]");
    expect(&told, "forced server close");
    let (_silent, _) = Client::join(&server);
    expect(&told, "ping timeout");

    // Whoever waits for an answer hears of the end first.
    let (mut client, _) = Client::join(&server);
    client.send(r#"2["ask"]"#);
    client.expect(r#"20["question"]"#);
    drop(client);
    let mut both = [told.recv_timeout(PATIENCE), told.recv_timeout(PATIENCE)].map(Result::unwrap);
    both.sort();
    assert_eq!(both, ["asked: true", "transport close: a room, 7, 0 left, false"]);
    server.finish();
}

#[test]
fn a_shutdown_tells_everybody() {
    let (server, told) = server(options());
    let (mut client, _) = Client::join(&server);
    let handle = server.handle();
    let ending = std::thread::spawn(move || block_on(handle.shutdown(PATIENCE)));
    assert_eq!(client.expect_end(), ["1"]);
    drop(client);
    expect(&told, "server shutting down");
    ending.join().expect("it ends");
    server.finish();
}

#[test]
fn a_cut_tells_nobody_and_leaves_nothing() {
    let (server, told) = server(options());
    let (mut client, _) = Client::join(&server);
    client.send(r#"2["ask"]"#);
    client.expect(r#"20["question"]"#);
    let handle = server.handle();
    block_on(handle.abort());
    client.expect_end();
    // The handlers are gone, and what they held.
    assert!(told.recv_timeout(PATIENCE).is_err());
    server.finish();
}
