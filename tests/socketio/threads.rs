//! The server whose handlers are plain functions: they may block.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sansocket::blocking::socketio::{Ack, Refused, Server as Threaded, Socket};

use crate::client::Client;
use crate::http::PATIENCE;
use crate::server::Server;

#[test]
fn handlers_without_async_do_the_same() {
    let io = Threaded::builder().build();
    let main = io.of("/").on_connect(|request| {
        let auth: serde_json::Value = request.auth()?;
        let name = auth["name"].as_str().ok_or_else(|| Refused::new("who are you?"))?;
        request.join("users");
        let _gone = request.emit("welcome", &name);
        Ok(name.to_owned())
    });
    let (says, told) = mpsc::channel();
    main.on("add", |_, (a, b): (i64, i64)| Ack(a + b))
        .on("name", |socket: Socket<String>, ()| Ack(socket.data().clone()))
        .on("double", |socket: Socket<String>, ()| {
            let n: i64 = socket.call("number", &())?;
            Ok::<_, sansocket::Error>(Ack(n * 2))
        })
        .on("late", |socket: Socket<String>, ()| {
            let answer = socket.call_within::<i64>(Duration::from_millis(30), "number", &());
            Ack(answer.is_err())
        })
        .on("to-users", |socket: Socket<String>, text: String| {
            socket.to("users").emit("said", &(socket.data(), text))
        })
        .on("block", |_, millis: u64| {
            thread::sleep(Duration::from_millis(millis));
            Ack(millis)
        })
        .on_disconnect(move |socket, reason| says.send(format!("{} {reason} {}", socket.data(), socket.rooms().len())));
    let bound = io.bind("127.0.0.1:0").expect("a free port");
    let (address, handle) = (bound.local_addr(), bound.handle());
    let serving = thread::spawn(move || bound.serve());
    let server = Server::elsewhere(address);

    let mut a = Client::open(&server);
    a.send("0");
    a.expect(r#"4{"message":"who are you?"}"#);
    a.enter("/", r#"{"name":"ada"}"#);
    a.expect(r#"2["welcome","ada"]"#);
    let mut b = Client::open(&server);
    b.enter("/", r#"{"name":"bob"}"#);
    b.expect(r#"2["welcome","bob"]"#);
    assert_eq!(a.call(r#"["add",1,2]"#), "[3]");
    assert_eq!(a.call(r#"["name"]"#), r#"["ada"]"#);
    a.send(r#"27["double"]"#);
    a.expect(r#"20["number"]"#);
    a.send("30[21]");
    a.expect("37[42]");
    a.send(r#"28["late"]"#);
    a.expect(r#"21["number"]"#);
    a.expect("38[true]");
    a.send(r#"2["to-users","hi"]"#);
    b.expect(r#"2["said","ada","hi"]"#);
    // One after the other for one client, and nobody else waits.
    a.send(r#"21["block",300]"#);
    a.send(r#"22["block",0]"#);
    assert_eq!(b.call(r#"["add",1,1]"#), "[2]");
    a.expect("31[300]");
    a.expect("32[0]");
    assert_eq!(handle.of("/").to("users").count(), 2);
    b.send("1");
    assert_eq!(
        told.recv_timeout(PATIENCE),
        Ok("bob client namespace disconnect 2".to_owned())
    );
    drop(b);
    let ending = thread::spawn(move || handle.shutdown(PATIENCE));
    a.expect_end();
    assert_eq!(told.recv_timeout(PATIENCE), Ok("ada server shutting down 2".to_owned()));
    ending.join().expect("it ends");
    serving.join().expect("nothing panicked").expect("it ends in order");
    // The handlers are gone, and what they held.
    assert!(told.recv_timeout(PATIENCE).is_err());
}
