//! The server whose handlers are plain functions: they may block.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sansocket::blocking::socketio::{Ack, Refused, Server as Threaded, Socket};
use sansocket::http::{Request, Response, StaticFiles};

use crate::client::Client;
use crate::http::{Connection, PATIENCE};
use crate::server::Server;

#[test]
fn handlers_without_async_do_the_same() {
    // Files need no option of Engine.IO's to be served.
    let files = StaticFiles::new().route("/manifest", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let files = files.or(|_: Request| Response::new(418));
    let io = Threaded::builder().fallback(files).build();
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

    let file = Connection::open(address).get("/manifest");
    assert!(file.status == 200 && file.text().contains("sansocket"), "{file:?}");
    assert_eq!(Connection::open(address).get("/nothing").status, 418);

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

#[test]
fn everything_else_works_without_async() {
    let io = Threaded::builder().recovery(PATIENCE).build();
    let main = io.of("/");
    main.middleware(|request| {
        let auth: serde_json::Value = request.auth()?;
        match auth["token"].as_str() {
            Some("wrong") => Err(Refused::new("wrong token")),
            _ => {
                request.join("all");
                Ok(())
            }
        }
    });
    let main = main.on_connect(|request| Ok(request.id().len()));
    main.intercept(|_, event, _| {
        thread::sleep(Duration::from_millis(1));
        event != "dropped"
    });
    let (says, told) = mpsc::channel();
    main.on_any_outgoing(move |socket, event, args| {
        let note = format!("{} {event}{}", socket.data(), args.json());
        let _nobody = says.send(note);
    });
    main.on_other(|_, event, _| Ack(event))
        .on("who", |socket: Socket<usize>, ()| {
            Ack((socket.recovered(), *socket.data(), socket.is_in("all")))
        })
        .on("sum", |socket: Socket<usize>, ()| {
            let answers = socket
                .namespace()
                .to("all")
                .call_all::<i64>(Duration::from_secs(2), "number", &())?;
            let known = answers.iter().filter_map(|(_, answer)| answer.as_ref().ok());
            Ok::<_, sansocket::Error>(Ack((answers.len(), known.sum::<i64>())))
        });
    io.of_pattern("/room-*");
    let bound = io.bind("127.0.0.1:0").expect("a free port");
    let (address, handle) = (bound.local_addr(), bound.handle());
    let serving = thread::spawn(move || bound.serve());
    let server = Server::elsewhere(address);

    let mut a = Client::open(&server);
    a.send(r#"0{"token":"wrong"}"#);
    a.expect(r#"4{"message":"wrong token"}"#);
    let enter = |client: &mut Client, auth: &str| -> (String, String) {
        client.send(&format!("0{auth}"));
        let answer = client.next();
        let json: serde_json::Value = serde_json::from_str(&answer[1..]).expect("JSON");
        let text = |name: &str| json[name].as_str().expect("a text").to_owned();
        (text("sid"), text("pid"))
    };
    let identity = enter(&mut a, "");
    let mut b = Client::open(&server);
    enter(&mut b, "");
    a.send(r#"25["dropped"]"#);
    assert_eq!(a.call(r#"["other"]"#), r#"["other"]"#);
    assert_eq!(a.call(r#"["who"]"#), "[false,20,true]");

    // One of two answers.
    a.send(r#"27["sum"]"#);
    let packet = a.next();
    b.expect(&packet);
    let id = packet
        .strip_prefix('2')
        .and_then(|rest| rest.strip_suffix(r#"["number"]"#));
    a.send(&format!("3{}[5]", id.expect("a call")));
    a.expect("37[2,5]");
    for _ in 0..2 {
        assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("20 number[]"));
    }

    // It goes, and comes back to what it missed.
    let main = handle.of("/");
    main.in_room("all").emit("one", &1).expect("it can be sent");
    let packet = a.next();
    let offset = packet
        .strip_prefix(r#"2["one",1,""#)
        .and_then(|rest| rest.strip_suffix("\"]"));
    let offset = offset.expect("an offset").to_owned();
    drop(a);
    while handle.socket_count() == 2 {
        thread::sleep(Duration::from_millis(2));
    }
    main.in_room("all").emit("two", &2).expect("it can be sent");
    let mut a = Client::open(&server);
    let auth = format!(r#"{{"pid":"{}","offset":"{offset}"}}"#, identity.1);
    assert_eq!(enter(&mut a, &auth), identity);
    assert!(a.next().starts_with(r#"2["two",2,""#));
    assert_eq!(a.call(r#"["who"]"#), "[true,20,true]");
    a.send("0/room-1,");
    assert!(a.next().starts_with("0/room-1,{"));
    assert_eq!((main.close_room("all"), handle.stats().broadcasts), (2, 3));
    handle.shutdown(PATIENCE / 10);
    serving.join().expect("nothing panicked").expect("it ends in order");
}
