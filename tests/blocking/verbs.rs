//! The verbs of a handle, a socket and a client without `async`: that they are there, and do what the async ones do.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sansocket::blocking::engineio::{Client, Socket, TrySendError};
use sansocket::engineio::{Data, Packet, Sid, Transport};
use sansocket::http::Request;
use sansocket::{Category, Error, SendError, TryRecvError};

use crate::http::PATIENCE;
use crate::server::{Server, alone, options, wait_until};

/// The next message, without waiting for it any longer than it takes to ask.
#[track_caller]
fn take(client: &mut Client) -> Data {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match client.try_recv() {
            Ok(message) => return message,
            Err(error) => assert_eq!(error, TryRecvError::Empty),
        }
        assert!(Instant::now() < deadline, "no message came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_handle_does_on_threads_what_it_does_elsewhere() {
    let alone = alone();
    let options = options().on_connect(|request: Request| {
        assert!(request.tls().is_none());
        Ok(Mutex::new(request.query_value("name").unwrap_or_default()))
    });
    let server = Server::accepting(options, |mut socket: Socket<Mutex<String>>| {
        assert_eq!(
            socket.try_recv().map_err(|error| error.category()),
            Err(Category::QueueEmpty)
        );
        while let Some(message) = socket.recv() {
            let number: u32 = message.json()?;
            socket.send_json(&[number, number + 1])?;
        }
        assert_eq!(socket.try_recv(), Err(TryRecvError::Closed));
        Ok(())
    });
    let handle = &server.handle;
    let url = format!("http://{}", server.address);
    let mut client = Client::builder(&url).query("name", "ann").connect().expect("a session");
    let one = client.sid().expect("it is open");
    let nobody = Sid::new("AAAAAAAAAAAAAAAAAAAA").expect("an id");

    assert_eq!(client.try_recv(), Err(TryRecvError::Empty));
    client.send_json(&5).expect("it is open");
    assert_eq!(take(&mut client).json::<[u32; 2]>().expect("two numbers"), [5, 6]);

    let socket = handle.socket::<Mutex<String>>(&one).expect("it is there");
    assert_eq!(*socket.data().lock().expect("its name"), "ann");
    drop(socket);
    assert!(handle.socket::<()>(&one).is_none());

    let info = handle.session_info(&one).expect("it is there");
    assert_eq!(handle.session_infos().len(), 1);
    assert!(info.client.is_some_and(|client| client.is_loopback()));
    wait_until("the upgrade", || handle.transport(&one) == Some(Transport::WebSocket));

    handle.send(&one, "sent").expect("there is room");
    handle
        .send_packet(&one, Packet::Message("packet".into()))
        .expect("there is room");
    handle.send_packet(&one, Packet::Noop).expect("always");
    assert_eq!(
        handle.broadcast(Data::from_json(&BTreeMap::from([("a", 1)])).expect("JSON")),
        []
    );
    assert_eq!(
        handle.broadcast_to([&one, &nobody], "some"),
        [(nobody.clone(), TrySendError::Closed("some".into()))]
    );
    for expected in ["sent", "packet", r#"{"a":1}"#, "some"] {
        assert_eq!(take(&mut client), expected.into());
    }
    assert_eq!(handle.send(&nobody, "x"), Err(SendError::Closed("x".into())));
    let error = handle
        .send_packet(&one, Packet::Upgrade)
        .expect_err("it is not ours to send");
    assert_eq!(error.category(), Category::InvalidArgument);

    handle.disconnect_all();
    let closed = client.wait();
    assert_eq!(closed.reason.as_python_client(), "server disconnect");
    let error = Error::from(client.try_recv().expect_err("it is over"));
    assert_eq!((error.category(), error.may_retry()), (Category::Closed, false));
    client.close().expect("it has ended");
    server.wait_for_sessions(0);
    server.finish(&alone);
}
