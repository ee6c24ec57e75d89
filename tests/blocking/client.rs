//! The client without `async`.

use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sansocket::blocking::engineio::{Client, ClientEvent, ErrorKind};
use sansocket::engineio::{CloseReason, Data, Transport};

use crate::http::PATIENCE;
use crate::server::{Server, alone, options};

const CARRIERS: [&[Transport]; 3] = [
    &[Transport::Polling],
    &[Transport::WebSocket],
    &[Transport::Polling, Transport::WebSocket],
];

#[test]
fn it_sends_receives_and_closes() {
    let alone = alone();
    let server = Server::echo();
    let before = alone.threads();
    for transports in CARRIERS {
        let client = Client::builder(&server.url()).transports(transports);
        let mut client = client.connect().expect("a session");
        for number in 0..200 {
            client.send(format!("{number}")).expect("it is open");
            client.send(vec![number]).expect("it is open");
        }
        for number in 0..200 {
            assert_eq!(client.recv(), Some(format!("{number}").into()));
            assert_eq!(client.recv(), Some(vec![number].into()));
        }
        client.close().expect("nothing is left");
        assert_eq!(
            client.closed().map(|closed| closed.reason),
            Some(CloseReason::ClientDisconnect)
        );
    }
    server.wait_for_sessions(0);
    alone.wait_for_threads(before);
    server.finish(&alone);
}

#[test]
fn receiving_has_an_end_where_one_is_wanted() {
    let alone = alone();
    let server = Server::echo();
    let mut client = Client::connect(&server.url()).expect("a session");
    let begun = Instant::now();
    assert_eq!(client.recv_timeout(Duration::from_millis(50)), None);
    assert!(begun.elapsed() >= Duration::from_millis(50));
    client.send("hello").expect("it is open");
    assert_eq!(client.recv_timeout(PATIENCE), Some(Some("hello".into())));
    server.handle.shutdown(PATIENCE);
    assert_eq!(client.recv_timeout(PATIENCE), Some(None));
    assert_eq!(client.wait().reason, CloseReason::ServerDisconnect);
    client.close().expect("nothing was left");
    server.finish(&alone);
}

#[test]
fn what_happens_can_be_seen() {
    let alone = alone();
    let server = Server::echo();
    let mut client = Client::builder(&server.url()).start().expect("usable options");
    let opened = client.event();
    assert!(
        matches!(
            opened,
            Some(ClientEvent::Opened {
                transport: Transport::Polling,
                ..
            })
        ),
        "{opened:?}"
    );
    let upgraded = client.event();
    assert!(matches!(upgraded, Some(ClientEvent::Upgraded)), "{upgraded:?}");
    assert_eq!(client.transport(), Transport::WebSocket);
    let sender = client.sender();
    std::thread::spawn(move || sender.send("from another thread").expect("it is open"));
    assert_eq!(client.next(), Some("from another thread".into()));
    client.close().expect("nothing is left");
    server.finish(&alone);
}

#[test]
fn handlers_may_block_and_come_one_at_a_time() {
    let alone = alone();
    let server = Server::echo();
    let (note, notes) = mpsc::channel();
    let (connected, left) = (note.clone(), note.clone());
    let sender = Client::builder(&server.url())
        .on_connect(move |socket| {
            std::thread::sleep(Duration::from_millis(20));
            connected.send("connected".to_owned()).expect("the test");
            for number in 0..5 {
                socket.send(format!("{number}"))?;
            }
            Ok::<_, sansocket::Error>(())
        })
        .on_message(move |socket, message: Data| {
            // Were there two of them at a time, the second would overtake the first.
            let text = message.as_text().unwrap_or_default().to_owned();
            std::thread::sleep(Duration::from_millis(if text == "0" { 20 } else { 0 }));
            if text == "4" {
                socket.begin_close();
            }
            note.send(text).expect("the test");
        })
        .on_disconnect(move |_, closed| left.send(closed.reason.to_string()))
        .connect()
        .expect("a session");
    for expected in ["connected", "0", "1", "2", "3", "4", "client disconnect"] {
        assert_eq!(notes.recv_timeout(PATIENCE).as_deref(), Ok(expected));
    }
    assert_eq!(sender.wait().reason, CloseReason::ClientDisconnect);
    drop(sender);
    server.wait_for_sessions(0);
    alone.wait_for_threads(0);
    server.finish(&alone);
}

#[test]
fn connecting_has_its_time_and_no_more() {
    let alone = alone();
    let time = Duration::from_millis(200);
    let kind_of = |url: &str| {
        let begun = Instant::now();
        let refused = Client::builder(url).connect_timeout(time).no_proxy().connect();
        assert!(begun.elapsed() < time + Duration::from_secs(1), "{:?}", begun.elapsed());
        match refused {
            Err(sansocket::Error::Connect(error)) => error.kind(),
            other => panic!("{url}: {other:?}"),
        }
    };
    // Nobody listens; somebody listens and says nothing; nobody answers at all; a name that nobody has.
    assert_eq!(kind_of("http://127.0.0.1:1"), ErrorKind::Connection);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("its address");
    assert_eq!(kind_of(&format!("http://{address}")), ErrorKind::Timeout);
    let nobody = kind_of("http://nobody.invalid");
    assert!(
        matches!(nobody, ErrorKind::Connection | ErrorKind::Timeout),
        "{nobody:?}"
    );
    alone.wait_for_threads(0);
}

#[test]
fn a_client_that_is_dropped_closes_its_session() {
    let alone = alone();
    let (note, notes) = mpsc::channel();
    let options = options()
        .on_message(|_, _| {})
        .on_disconnect(move |_, reason| note.send(reason));
    let server = Server::events(options);
    drop(Client::connect(&server.url()).expect("a session"));
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(CloseReason::ClientDisconnect));
    alone.wait_for_threads(0);
    server.finish(&alone);
}
