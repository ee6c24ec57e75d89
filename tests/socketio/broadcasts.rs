//! What is for many, and what is done with many.

use sansocket::Error;
use sansocket::runtime::socketio::{Ack, EmitError, Socket};

use crate::client::Client;
use crate::server::{Server, options};
use crate::waiting::{block_on, wait_until};

fn server() -> Server {
    Server::host(options(), |io| {
        io.of("/")
            .on("join", |socket: Socket, room: String| async move { socket.join(room) });
        io.of("/").on(
            "count",
            |socket: Socket, ()| async move { Ack(socket.namespace().len()) },
        );
    })
}

#[test]
fn rooms_and_exceptions_say_who_is_meant() {
    let server = server();
    let (mut a, _) = Client::join(&server);
    let (mut b, b_id) = Client::join(&server);
    let (mut c, _) = Client::join(&server);
    for (client, rooms) in [(&mut a, &["x"][..]), (&mut b, &["x", "y"]), (&mut c, &["y"])] {
        for room in rooms {
            assert_eq!(client.call(&format!(r#"["join","{room}"]"#)), "[]");
        }
    }
    let main = server.handle().of("/");
    let counts = [
        main.all().count(),
        main.to("x").count(),
        main.to("x").to("y").count(),
        main.to("x").except("y").count(),
        main.except(&b_id).count(),
        main.to(&b_id).count(),
        main.to("nowhere").count(),
    ];
    assert_eq!(counts, [3, 2, 3, 1, 2, 1, 0]);
    block_on(main.to("x").to("y").emit("both", &(1, "ä"))).expect("it can be sent");
    for client in [&mut a, &mut b, &mut c] {
        client.expect(r#"2["both",1,"ä"]"#);
    }
    block_on(main.to("x").except(&b_id).emit("one", &())).expect("it can be sent");
    a.expect(r#"2["one"]"#);
    block_on(main.emit("all", &())).expect("it can be sent");
    for client in [&mut a, &mut b, &mut c] {
        client.expect(r#"2["all"]"#);
    }
    let refused = block_on(main.emit("disconnect", &1));
    assert!(matches!(refused, Err(Error::Emit(EmitError::ReservedName(args))) if args.json() == "[1]"));
    server.finish();
}

#[test]
fn many_are_moved_and_thrown_out_at_once() {
    let server = server();
    let mut clients: Vec<_> = (0..20).map(|_| Client::join(&server).0).collect();
    let main = server.handle().of("/");
    main.all().join("everybody");
    let ids: Vec<String> = main.sockets().iter().map(|socket| socket.id().to_owned()).collect();
    assert_eq!(ids.len(), 20);
    for id in &ids[..15] {
        main.to(id).leave("everybody");
    }
    assert_eq!(main.to("everybody").count(), 5);
    assert_eq!(main.rooms().len(), 21);
    main.to("everybody").disconnect(false);
    assert_eq!(main.len(), 15);
    for client in &mut clients[15..] {
        client.expect("1");
    }
    main.all().disconnect(true);
    assert!(main.is_empty());
    for client in &mut clients[..15] {
        assert_eq!(client.expect_end(), ["41", "1"]);
    }
    wait_until("those who only left may stay", || server.handle().connections() == 5);
    server.finish();
}
