//! Who is asked before a handler is: about clients, and about events.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use sansocket::runtime::socketio::{Ack, Args, Refused, Socket};
use serde_json::Value;

use crate::client::Client;
use crate::http::PATIENCE;
use crate::server::{Server, options};
use crate::waiting::{block_on, wait_until};

#[test]
fn middlewares_are_asked_in_order_until_one_refuses() {
    let (says, asked) = mpsc::channel();
    let server = Server::host(options(), |io| {
        let main = io.of("/");
        for name in ["first", "second"] {
            let says = says.clone();
            main.middleware(move |request| {
                let says = says.clone();
                async move {
                    says.send(name).expect("the test waits");
                    let auth: Value = request.auth()?;
                    if auth["refuse"] == name {
                        return Err(Refused::new(name).data(&["no", "way"]));
                    }
                    assert!(auth["panic"] != name, "on purpose");
                    request.join(name);
                    Ok(())
                }
            });
        }
        let main = main.on_connect(move |_| {
            says.send("handler").expect("the test waits");
            async { Ok(7_u8) }
        });
        main.on("rooms", |socket: Socket<u8>, ()| async move {
            Ack((*socket.data(), socket.rooms()[1..].join("+")))
        });
        io.of("/open");
    });
    let mut client = Client::open(&server);
    for (auth, answer, whom) in [
        (
            r#"{"refuse":"first"}"#,
            r#"4{"message":"first","data":["no","way"]}"#,
            1,
        ),
        (
            r#"{"refuse":"second"}"#,
            r#"4{"message":"second","data":["no","way"]}"#,
            2,
        ),
        (r#"{"panic":"second"}"#, r#"4{"message":"internal error"}"#, 2),
    ] {
        client.send(&format!("0{auth}"));
        client.expect(answer);
        let asked: Vec<_> = (0..whom)
            .map(|_| asked.recv_timeout(PATIENCE).expect("asked"))
            .collect();
        assert_eq!(asked, ["first", "second"][..whom]);
    }
    client.enter("/open", "");
    client.enter("/", "");
    let asked: Vec<_> = (0..3).map(|_| asked.recv_timeout(PATIENCE).expect("asked")).collect();
    assert_eq!(asked, ["first", "second", "handler"]);
    assert_eq!(client.call(r#"["rooms"]"#), r#"[7,"first+second"]"#);
    server.finish();
}

#[test]
fn interceptors_let_events_pass_or_not() {
    let (says, seen) = mpsc::channel();
    let server = Server::host(options(), |io| {
        let main = io.of("/");
        main.on_any(move |_, event, args| {
            let says = says.clone();
            async move {
                says.send(format!("{event}{}", args.json()))
                    .map_err(|_| "the test is over")
            }
        });
        main.intercept(|_, event, _| async move { event != "drop" });
        main.intercept(|socket: Socket, event, args: Args| async move {
            match &event[..] {
                "refuse" => Err("not allowed"),
                "double" => {
                    let n: i64 = args.get(0).map_err(|_| "no number")?;
                    Ok(Some(Args::encode(&(2 * n)).map_err(|_| "no JSON")?))
                }
                "out" => {
                    socket.disconnect(false);
                    Ok(Some(args))
                }
                "panic" => panic!("on purpose"),
                _ => Ok(Some(args)),
            }
        });
        main.on("strict", |socket: Socket, ()| async move {
            socket.intercept(|_, event, _| async move { event != "echo" });
            Ack(true)
        });
        main.on_other(|_, event, args: Args| async move { Ack((event, args.json())) });
    });
    let (mut client, id) = Client::join(&server);
    assert_eq!(client.call(r#"["echo",1]"#), r#"["echo","[1]"]"#);
    assert_eq!(client.call(r#"["double",21]"#), r#"["double","[42]"]"#);
    // Those that do not pass are not acknowledged.
    client.send(r#"25["drop"]"#);
    client.send(r#"26["refuse"]"#);
    client.send(r#"27["double","x"]"#);
    assert_eq!(client.call(r#"["strict"]"#), "[true]");
    client.send(r#"28["echo",1]"#);
    assert_eq!(client.call(r#"["other",1]"#), r#"["other","[1]"]"#);
    // It is one socket's own.
    let (mut other, _) = Client::join(&server);
    assert_eq!(other.call(r#"["echo",2]"#), r#"["echo","[2]"]"#);
    client.send(r#"29["out"]"#);
    client.expect("1");
    assert!(server.handle().socket(&id).is_none());
    other.send(r#"2["panic"]"#);
    assert_eq!(other.expect_end(), ["41", "1"]);
    // Whoever sees everything has seen those too.
    let seen: Vec<String> = (0..11).map(|_| seen.recv_timeout(PATIENCE).expect("seen")).collect();
    let expected = [
        "echo[1]",
        "double[21]",
        "drop[]",
        "refuse[]",
        r#"double["x"]"#,
        "strict[]",
        "echo[1]",
        "other[1]",
        "echo[2]",
        "out[]",
        "panic[]",
    ];
    assert_eq!(seen, expected);
    server.finish();
}

#[test]
fn what_is_sent_can_be_seen() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = seen.clone();
    let server = Server::host(options(), |io| {
        let main = io.of("/").on_connect(|request| async move {
            let _gone = request.emit("hello", &()).await;
            Ok(7_u8)
        });
        main.on_any_outgoing(move |socket, event, args| {
            let note = format!("{} {event}{}", socket.data(), args.json());
            notes.lock().expect("nobody panics").push(note);
        });
        main.on("ask", |socket: Socket<u8>, ()| async move {
            let _answer = socket.call::<u8>("question", &1).await;
        });
    });
    let (mut client, id) = Client::join(&server);
    client.expect(r#"2["hello"]"#);
    let (mut other, _) = Client::join(&server);
    other.expect(r#"2["hello"]"#);
    let main = server.handle().of("/").with_data::<u8>();
    let socket = main.socket(&id).expect("it is there");
    block_on(socket.emit("one", &1)).expect("it is there");
    socket.try_emit("two", &2).expect("it is there");
    block_on(main.emit("all", &())).expect("it can be sent");
    assert!(block_on(socket.emit("connect", &1)).is_err());
    for packet in [r#"2["one",1]"#, r#"2["two",2]"#, r#"2["all"]"#] {
        client.expect(packet);
    }
    wait_until("it can be lost", || {
        socket.emit_volatile("lost", &()).expect("it is there")
    });
    client.expect(r#"2["lost"]"#);
    client.send(r#"2["ask"]"#);
    client.expect(r#"20["question",1]"#);
    client.send("30[1]");
    let expected = [
        "7 one[1]",
        "7 two[2]",
        "7 all[]",
        "7 all[]",
        "7 lost[]",
        "7 question[1]",
    ];
    // What was emitted before there was any data is not shown to those who want it.
    assert_eq!(*seen.lock().expect("nobody panics"), expected);
    server.finish();
}
