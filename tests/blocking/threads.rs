//! Threads: when they come, and that they go.

use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::http::PATIENCE;
use crate::server::{Server, alone, options, wait_until};
use crate::session::Session;
use crate::websocket::WebSocket;

#[test]
fn an_idle_connection_is_one_thread() {
    const COUNT: usize = 30;

    let alone = alone();
    let server = Server::events(options().on_message(|socket, message| socket.send(message)));
    let mut clients: Vec<WebSocket> = (0..COUNT).map(|_| WebSocket::open(&server)).collect();
    alone.wait_for_threads(COUNT);
    for client in &mut clients {
        client.assert_echoes("busy");
    }
    // Those that ran the handlers go after a while.
    alone.wait_for_threads(COUNT);
    drop(clients);
    alone.wait_for_threads(0);
    server.finish(&alone);
}

#[test]
fn a_handler_that_waits_for_messages_has_a_thread_of_its_own() {
    const COUNT: usize = 10;

    let alone = alone();
    let server = Server::echo();
    let clients: Vec<WebSocket> = (0..COUNT).map(|_| WebSocket::open(&server)).collect();
    alone.wait_for_threads(2 * COUNT);
    drop(clients);
    alone.wait_for_threads(0);
    server.finish(&alone);
}

#[test]
fn a_shutdown_joins_them_whatever_they_wait_for() {
    let alone = alone();
    let server = Server::echo();
    let sessions: Vec<Session<'_>> = (0..5).map(|_| Session::open(&server)).collect();
    let mut waiting: Vec<_> = sessions.iter().map(Session::park).collect();
    let mut websockets: Vec<WebSocket> = (0..5).map(|_| WebSocket::open(&server)).collect();
    // One that says nothing, and one that has not said all.
    let nothing = TcpStream::connect(server.address).expect("a connection");
    let mut half = server.connect();
    half.send("GET / HTTP/1.1\r\nHos");
    wait_until("all are there", || server.handle.stats().sessions == 10);

    let begun = Instant::now();
    let handle = server.handle.clone();
    let ending = std::thread::spawn(move || handle.shutdown(Duration::from_secs(2)));
    for connection in &mut waiting {
        connection.response().assert_ok("1");
    }
    for websocket in &mut websockets {
        websocket.assert_text("1");
        websocket.assert_closes();
    }
    drop((waiting, websockets, nothing, half));
    ending.join().expect("it ends");
    drop(sessions);
    server.finish(&alone);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn an_abort_joins_them_too() {
    let alone = alone();
    let (note, notes) = mpsc::channel();
    let server = Server::accepting(options(), move |mut socket| {
        while socket.recv().is_some() {}
        note.send(()).expect("the test");
        Ok(())
    });
    let websockets: Vec<WebSocket> = (0..5).map(|_| WebSocket::open(&server)).collect();
    server.wait_for_sessions(5);
    server.handle.abort();
    // Their handlers have come to their end before that.
    server.finish(&alone);
    assert_eq!(notes.try_iter().count(), 5);
    drop(websockets);
}

#[test]
fn a_handler_that_goes_on_is_not_waited_for() {
    let alone = alone();
    let (let_go, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = Server::accepting(options(), move |socket| {
        let _let_go = held.lock().expect("the only one").recv_timeout(PATIENCE);
        drop(socket);
        Ok(())
    });
    let websocket = WebSocket::open(&server);
    server.wait_for_sessions(1);
    let begun = Instant::now();
    server.handle.shutdown(Duration::from_millis(100));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    // It is the only one that is left.
    alone.wait_for_threads(1);
    let_go.send(()).expect("it waits");
    alone.wait_for_threads(0);
    drop(websocket);
    server.finish(&alone);
}
