//! Handlers of the library: what they are given, in which order they run, and what becomes of what they return.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use sansocket::Error;
use sansocket::runtime::socketio::{Ack, AckError, Args, Binary, Namespace, Refused, Socket};

use crate::client::Client;
use crate::http::PATIENCE;
use crate::server::{Server, options};
use crate::waiting::Gate;

/// What [`Client::expect_nothing`] asks for.
fn count<D: Send + Sync + 'static>(namespace: &Namespace<D>) {
    namespace.on(
        "count",
        |socket: Socket<D>, ()| async move { Ack(socket.namespace().len()) },
    );
}

#[derive(Debug, PartialEq, Eq)]
struct User {
    name: String,
}

#[test]
fn arguments_and_answers_have_types() {
    let server = Server::host(options(), |io| {
        let chat = io.of("/");
        chat.on("add", |_, (a, b): (i64, i64)| async move { Ack(a + b) });
        chat.on("length", |_, (name, file): (String, Binary)| async move {
            Ack(format!("{name} has {} bytes", file.len()))
        });
        chat.on(
            "maybe",
            |_, (a, b): (i64, Option<i64>)| async move { Ack(b.unwrap_or(a)) },
        );
        chat.on("list", |_, list: Vec<i64>| async move { Ack((list,)) });
        chat.on("nothing", |_, ()| async {});
        chat.on("fail", |_, ()| async { Err::<Ack<u8>, _>("no such luck") });
        count(&chat);
    });
    let (mut client, _) = Client::join(&server);
    assert_eq!(client.call(r#"["add",1,2]"#), "[3]");
    assert_eq!(client.call(r#"["add",1,2,"more"]"#), "[3]");
    assert_eq!(client.call(r#"["maybe",1]"#), "[1]");
    assert_eq!(client.call(r#"["list",1,2]"#), "[[1,2]]");
    assert_eq!(client.call(r#"["nothing"]"#), "[]");
    client.send(r#"51-4["length","x",{"_placeholder":true,"num":0}]"#);
    client.send_binary(&[0; 300]);
    client.expect(r#"34["x has 300 bytes"]"#);
    for wrong in [
        r#"["add",1]"#,
        r#"["add","1",2]"#,
        r#"["length","x","y"]"#,
        r#"["fail"]"#,
    ] {
        client.send(&format!("27{wrong}"));
    }
    client.expect_nothing();
    server.finish();
}

#[test]
fn the_connect_handlers_value_is_the_sockets_data() {
    #[allow(clippy::type_complexity, reason = "it is only written here")]
    let server = Server::host(options(), |io| {
        let chat = io.of("/").on_connect(|request| async move {
            let auth: serde_json::Value = request.auth()?;
            let name = auth["name"]
                .as_str()
                .ok_or_else(|| Refused::new("who are you?").data(&7))?;
            assert_eq!(request.request().expect("it is kept").path(), "/socket.io/");
            request.join("users");
            let _gone = request.emit("welcome", &(request.id(),)).await;
            Ok(User { name: name.to_owned() })
        });
        chat.on("name", |socket: Socket<User>, ()| async move {
            Ack(socket.data().name.clone())
        });
        chat.on_connected(|socket| async move { socket.emit("connected", &socket.rooms()[1..].len()).await });
        count(&chat);
        // Whoever asks for the namespace again may do without the type, or say it.
        io.of("/").on("untyped", |socket: Socket, ()| async move {
            let typed = socket.with_data::<User>().expect("it is a user's");
            assert!(socket.with_data::<u8>().is_none());
            Ack(typed.data().name.len())
        });
    });
    let mut client = Client::open(&server);
    client.send("0{\"nobody\":1}");
    client.expect(r#"4{"message":"who are you?","data":7}"#);
    let id = client.enter("/", r#"{"name":"ada"}"#);
    client.expect(&format!(r#"2["welcome","{id}"]"#));
    client.expect(r#"2["connected",1]"#);
    assert_eq!(client.call(r#"["name"]"#), r#"["ada"]"#);
    assert_eq!(client.call(r#"["untyped"]"#), "[3]");

    let io = server.handle();
    let socket = io.socket(&id).expect("it is there");
    assert_eq!(socket.with_data::<User>().expect("a user").data().name, "ada");
    assert_eq!(io.of("/").with_data::<User>().to("users").sockets().len(), 1);
    socket.try_emit("from outside", &()).expect("there is room");
    client.expect(r#"2["from outside"]"#);
    assert!(io.socket("nobody").is_none());
    server.finish();
}

#[test]
fn a_handler_may_await_an_answer_of_its_own_client() {
    for concurrency in [1, 64] {
        let server = Server::host(options().concurrency(concurrency), |io| {
            io.of("/").on("double", |socket: Socket, ()| async move {
                let n: i64 = socket.call("number", &()).timeout(Duration::from_secs(5)).await?;
                Ok::<_, Error>(Ack(n * 2))
            });
            io.of("/").on("several", |socket: Socket, ()| async move {
                let (a, b): (String, i64) = socket.call_args("pair", &("x", 1)).await?;
                Ok::<_, Error>(Ack(format!("{a}{b}")))
            });
            io.of("/").on("late", |socket: Socket, ()| async move {
                let call = socket.call::<i64>("number", &()).timeout(Duration::from_millis(30));
                Ack(matches!(call.await, Err(Error::Ack(AckError::TimedOut))))
            });
        });
        let (mut client, _) = Client::join(&server);
        client.send(r#"21["double"]"#);
        client.expect(r#"20["number"]"#);
        client.send("30[21]");
        client.expect("31[42]");
        client.send(r#"22["several"]"#);
        client.expect(r#"21["pair","x",1]"#);
        client.send(r#"31["y",2]"#);
        client.expect(r#"32["y2"]"#);
        client.send(r#"23["late"]"#);
        client.expect(r#"22["number"]"#);
        client.expect("33[true]");
        server.finish();
    }
}

#[test]
fn handlers_start_in_order_and_run_side_by_side() {
    let gate = Gate::default();
    let opener = gate.clone();
    let server = Server::host(options(), |io| {
        io.of("/").on("wait", move |_, ()| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Ack("waited")
            }
        });
        io.of("/").on("open", move |_, ()| {
            opener.open();
            async { Ack("opened") }
        });
    });
    let (mut client, _) = Client::join(&server);
    client.send(r#"21["wait"]"#);
    client.send(r#"22["open"]"#);
    let mut answers = [client.next(), client.next()];
    answers.sort();
    assert_eq!(answers, [r#"31["waited"]"#, r#"32["opened"]"#]);
    server.finish();
}

#[test]
fn handlers_run_one_after_the_other_on_request() {
    let running = Arc::new(AtomicUsize::new(0));
    let server = Server::host(options().concurrency(1), |io| {
        io.of("/").on("work", move |_, n: u64| {
            let running = running.clone();
            async move {
                assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "another one runs");
                crate::runtime::sleep(Duration::from_millis(2)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ack(n)
            }
        });
    });
    let (mut client, _) = Client::join(&server);
    for n in 0..100 {
        client.send(&format!(r#"2{n}["work",{n}]"#));
    }
    for n in 0..100 {
        client.expect(&format!("3{n}[{n}]"));
    }
    server.finish();
}

#[test]
fn catch_all_handlers_see_what_they_should() {
    let (says, seen) = mpsc::channel();
    let server = Server::host(options(), |io| {
        let chat = io.of("/");
        chat.on("known", |_, ()| async {});
        chat.on_any(move |_, event, args| {
            let says = says.clone();
            async move {
                says.send(format!("{event} {}", args.json()))
                    .map_err(|_| "the test is over")
            }
        });
        chat.on_other(|_, event, args: Args| async move { Ack((event, args.len())) });
    });
    let (mut client, _) = Client::join(&server);
    assert_eq!(client.call(r#"["known",1]"#), "[]");
    assert_eq!(client.call(r#"["unknown",1,2]"#), r#"["unknown",2]"#);
    let seen: Vec<String> = (0..2)
        .map(|_| seen.recv_timeout(PATIENCE).expect("it was seen"))
        .collect();
    assert_eq!(seen, ["known [1]", "unknown [1,2]"]);
    server.finish();
}

#[test]
fn a_panic_ends_its_own_connection_and_no_other() {
    let server = Server::host(options(), |io| {
        io.of("/").on("panic", |_, wanted: Option<bool>| async move {
            assert!(wanted.is_some(), "on purpose");
        });
        count(&io.of("/"));
        io.of("/strict").on_connect(|request| async move {
            assert!(request.auth_json().is_some(), "on purpose");
            Ok(())
        });
    });
    let (mut witness, _) = Client::join(&server);
    let (mut client, _) = Client::join(&server);
    client.send(r#"21["panic"]"#);
    assert_eq!(client.expect_end(), ["41", "1"]);
    witness.send("0/strict,");
    witness.expect(r#"4/strict,{"message":"internal error"}"#);
    crate::waiting::wait_until("only one is left", || server.handle().connections() == 1);
    assert_eq!(witness.call(r#"["count"]"#), "[1]");
    server.finish();
}
