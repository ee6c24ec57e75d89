//! Clients that take too little.

use std::sync::mpsc;
use std::time::Duration;

use sansocket::Error;
use sansocket::runtime::socketio::{EmitError, Socket};
use sansocket::socketio::server::Config;

use crate::client::{Client, POLLING};
use crate::http::PATIENCE;
use crate::server::{Options, Server, options};
use crate::waiting::{block_on, wait_until};

/// Little is queued for a client.
fn small() -> Options {
    let mut config = Config::default();
    config.max_queue = 10_000;
    options().config(config).engine(|engine| engine.max_queue(10_000))
}

#[test]
fn emit_waits_for_room_and_try_emit_does_not() {
    let (says, told) = mpsc::channel();
    let server = Server::host(small(), |io| {
        io.of("/").on("flood", move |socket: Socket, count: usize| {
            let says = says.clone();
            async move {
                let text = "x".repeat(1000);
                for n in 0..count {
                    socket.emit("n", &(n, &text)).await?;
                }
                says.send(()).expect("the test waits");
                Ok::<_, Error>(())
            }
        });
    });
    // A client that polls takes nothing while it does not ask.
    let sid = crate::session::sid_of(server.get(POLLING).text());
    let target = format!("{POLLING}&sid={sid}");
    server.post(&target, "40").assert_ok("ok");
    assert!(server.get(&target).text().starts_with("40{"));
    server.post(&target, r#"42["flood",200]"#).assert_ok("ok");
    let socket = server.handle().of("/").sockets().remove(0);
    wait_until("the queue is full", || {
        matches!(socket.try_emit("one more", &()), Err(Error::Emit(EmitError::Full(_))))
    });
    assert!(told.recv_timeout(Duration::from_millis(50)).is_err());
    assert!(matches!(
        socket.emit_volatile("now", &()),
        Err(Error::Emit(EmitError::Full(_)))
    ));
    let mut next = 0;
    while next < 200 {
        for packet in server.get(&target).text().split('\x1e') {
            if packet.starts_with(r#"42["n","#) {
                assert!(packet.starts_with(&format!(r#"42["n",{next},"#)), "{packet:.20}");
                next += 1;
            }
        }
    }
    assert_eq!(told.recv_timeout(PATIENCE), Ok(()));
    server.post(&target, "1").assert_ok("ok");
    server.finish();
}

#[test]
fn volatile_events_go_out_at_once_or_not_at_all() {
    let server = Server::host(options(), |io| drop(io.of("/")));
    let sid = crate::session::sid_of(server.get(POLLING).text());
    let target = format!("{POLLING}&sid={sid}");
    server.post(&target, "40").assert_ok("ok");
    server.get(&target);
    let main = server.handle().of("/");
    let polling = main.sockets().remove(0);
    assert!(!polling.emit_volatile("lost", &()).expect("it is there"));
    block_on(main.all().volatile().emit("lost too", &())).expect("it can be sent");
    let mut waiting = server.connect();
    waiting.request("GET", &target, &[], None);
    wait_until("it goes out when the client waits for it", || {
        polling.emit_volatile("seen", &()).expect("it is there")
    });
    assert_eq!(waiting.response().text(), r#"42["seen"]"#);
    server.post(&target, "1").assert_ok("ok");

    let (mut client, id) = Client::join(&server);
    let socket = server.handle().socket(&id).expect("it is there");
    wait_until("nothing is queued", || {
        socket.emit_volatile("now", &()).expect("it is there")
    });
    client.expect(r#"2["now"]"#);
    server.finish();
}

#[test]
fn whoever_does_not_keep_up_with_broadcasts_is_thrown_out() {
    let server = Server::host(small(), |io| drop(io.of("/")));
    let sid = crate::session::sid_of(server.get(POLLING).text());
    let target = format!("{POLLING}&sid={sid}");
    server.post(&target, "40").assert_ok("ok");
    server.get(&target);
    let (mut client, _) = Client::join(&server);
    let main = server.handle().of("/");
    let text = "x".repeat(1000);
    for n in 0..100 {
        block_on(main.emit("n", &(n, &text))).expect("it can be sent");
        // This one keeps up.
        client.expect(&format!(r#"2["n",{n},"{text}"]"#));
    }
    wait_until("the other one is gone", || main.len() == 1);
    server.finish();
}
