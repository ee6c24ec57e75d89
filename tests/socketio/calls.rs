//! One event to many, and the acknowledgement of each.

use std::thread;
use std::time::Duration;

use sansocket::Error;
use sansocket::runtime::socketio::{Ack, AckError, Args, EmitError, Socket};

use crate::client::{Client, POLLING};
use crate::http::PATIENCE;
use crate::server::{Server, options};
use crate::waiting::block_on;

fn server() -> Server {
    Server::host(options(), |io| {
        io.of("/")
            .on("join", |socket: Socket, room: String| async move { socket.join(room) });
    })
}

/// The number under which an event wants to be acknowledged.
#[track_caller]
fn id_of(packet: &str, event: &str) -> String {
    let id = packet.strip_prefix('2').and_then(|rest| rest.strip_suffix(event));
    id.unwrap_or_else(|| panic!("not {event}: {packet}")).to_owned()
}

#[test]
fn everybody_answers_is_late_or_gone() {
    let server = server();
    let (mut a, a_id) = Client::join(&server);
    let (mut b, b_id) = Client::join(&server);
    let (mut silent, silent_id) = Client::join(&server);
    let (mut leaver, leaver_id) = Client::join(&server);
    let (mut muted, _) = Client::join(&server);
    for client in [&mut a, &mut b, &mut silent, &mut leaver, &mut muted] {
        assert_eq!(client.call(r#"["join","room"]"#), "[]");
    }
    assert_eq!(muted.call(r#"["join","muted"]"#), "[]");
    let room = server.handle().of("/").to("room").except("muted");
    let asking = thread::spawn(move || {
        let patience = Duration::from_millis(400);
        block_on(room.call_all::<i64>("double", &21).timeout(patience))
    });
    // It is encoded once: everybody sees the same number.
    let packet = a.next();
    let id = id_of(&packet, r#"["double",21]"#);
    for client in [&mut b, &mut silent, &mut leaver] {
        client.expect(&packet);
    }
    b.send(&format!("3{id}[\"what?\"]"));
    leaver.send("1");
    a.send(&format!("3{id}[42]"));
    // A second answer, and one of somebody who was not asked, mean nothing.
    a.send(&format!("3{id}[43]"));
    muted.send(&format!("3{id}[44]"));
    let answers = asking.join().expect("no panic").expect("it can be sent");
    let ids: Vec<&str> = answers.iter().map(|(socket, _)| socket.id()).collect();
    assert_eq!(ids, [&a_id, &b_id, &silent_id, &leaver_id]);
    let mut results = answers.into_iter().map(|(_, answer)| answer);
    assert!(matches!(results.next(), Some(Ok(42))));
    assert!(matches!(results.next(), Some(Err(Error::Decode(_)))));
    assert!(matches!(results.next(), Some(Err(Error::Ack(AckError::TimedOut)))));
    assert!(matches!(results.next(), Some(Err(Error::Ack(AckError::Disconnected)))));

    let main = server.handle().of("/");
    let nobody = block_on(main.to("nowhere").call_all::<i64>("double", &1)).expect("it can be sent");
    assert!(nobody.is_empty());
    let refused = block_on(main.call_all::<i64>("connect", &1));
    assert!(matches!(refused, Err(Error::Emit(EmitError::ReservedName(_)))));
    // The next call has another number, and may be dropped.
    drop(main.call_all::<i64>("never sent", &()));
    let asking = thread::spawn(move || block_on(main.to(&a_id).call_all_args::<Args>("pair", &("x", 1))));
    let packet = a.next();
    let other = id_of(&packet, r#"["pair","x",1]"#);
    assert_ne!(other, id);
    a.send(&format!("3{other}[\"y\",2]"));
    let answers = asking.join().expect("no panic").expect("it can be sent");
    assert_eq!(answers[0].1.as_ref().expect("it has answered").json(), r#"["y",2]"#);
    server.finish();
}

#[test]
fn a_handler_may_ask_everybody_its_own_client_too() {
    for concurrency in [1, 64] {
        let server = Server::host(options().concurrency(concurrency), |io| {
            io.of("/").on("sum", |socket: Socket, ()| async move {
                let answers = socket.namespace().call_all::<i64>("number", &()).await?;
                let numbers = answers.into_iter().map(|(_, answer)| answer.unwrap_or(1000));
                Ok::<_, Error>(Ack(numbers.sum::<i64>()))
            });
        });
        let mut clients: Vec<_> = (0..5).map(|_| Client::join(&server).0).collect();
        clients[0].send(r#"27["sum"]"#);
        for (n, client) in clients.iter_mut().enumerate() {
            let id = id_of(&client.next(), r#"["number"]"#);
            client.send(&format!("3{id}[{n}]"));
        }
        clients[0].expect("37[10]");
        server.finish();
    }
}

#[test]
fn an_end_of_the_server_ends_the_waiting() {
    let server = server();
    let (mut client, _) = Client::join(&server);
    let main = server.handle().of("/");
    let asking = thread::spawn(move || block_on(main.call_all::<i64>("number", &())));
    id_of(&client.next(), r#"["number"]"#);
    block_on(server.handle().abort());
    let answers = asking.join().expect("no panic").expect("it was sent");
    assert!(matches!(answers[0].1, Err(Error::Ack(AckError::Disconnected))));
    server.finish();
}

#[test]
fn who_can_not_be_sent_a_volatile_call_is_not_waited_for() {
    let server = server();
    let sid = crate::session::sid_of(server.get(POLLING).text());
    let target = format!("{POLLING}&sid={sid}");
    server.post(&target, "40").assert_ok("ok");
    server.get(&target);
    let main = server.handle().of("/");
    let answers = block_on(main.volatile().call_all::<i64>("number", &()).timeout(PATIENCE * 4));
    let answers = answers.expect("it can be sent");
    assert!(matches!(answers[0].1, Err(Error::Ack(AckError::NotSent))));
    server.post(&target, "1").assert_ok("ok");
    server.finish();
}
