//! Requests for other paths than the endpoint's.

use std::sync::mpsc;
use std::time::Duration;

use crate::runtime::{self, Builder};
use sansocket::http::{Request, Response};

use crate::hosting;
use crate::http::{Connection, NoAnswer, PATIENCE};
use crate::server::{FLAVOURS, Flavour, Server, Token, options};
use crate::session::Session;
use crate::waiting::{Gate, wait_until};
use crate::websocket::{WebSocket, ask};

/// Says what was asked, some of it later than the rest.
fn telling(options: Builder) -> Builder {
    options.fallback(|request: Request| async move {
        if request.path() == "/slow" {
            runtime::sleep(Duration::from_millis(20)).await;
        }
        let body = format!(
            "{} {} {} {}",
            request.method(),
            request.path(),
            request.query(),
            String::from_utf8_lossy(request.body())
        );
        Response::new(if request.path() == "/teapot" { 418 } else { 200 })
            .header("X-Path", request.path())
            .body(body)
    })
}

#[test]
fn it_sees_the_request_and_answers_it() {
    if hosting::host().is_some() {
        // Other paths are those of the application around.
        return;
    }
    for flavour in FLAVOURS {
        let server = Server::echo(flavour, telling(options()));
        server.get("/a?b=c").assert_ok("GET /a b=c ");
        server.post("/form", "x=y").assert_ok("POST /form  x=y");
        server.get("/slow").assert_ok("GET /slow  ");
        assert_eq!(server.get("/teapot").status, 418);
        assert_eq!(server.get("/engine.io").text(), "GET /engine.io  ");
        let response = server.get("/engine.iox/?EIO=4&transport=polling");
        assert_eq!(response.header("x-path"), Some("/engine.iox/"));
        server.get("/engine.io/?EIO=4&transport=none").assert_error(0);

        let mut connection = server.connect();
        connection.request("PUT", "/chunked", &["Transfer-Encoding: chunked"], None);
        connection.send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        connection.response().assert_ok("PUT /chunked  abcde");
        let mut connection = server.connect();
        connection.request("POST", "/large", &["Content-Length: 1000001"], None);
        assert_eq!(connection.response().status, 413);
        drop(connection);
        // A WebSocket for somewhere else is an ordinary request.
        let response = ask(&server, "/elsewhere", &[]).1;
        response.assert_ok("GET /elsewhere  ");
        server.finish();
    }
}

#[test]
fn head_has_the_length_and_no_body() {
    if hosting::host().is_some() {
        // Other paths are those of the application around.
        return;
    }
    let server = Server::echo(Flavour::Current, telling(options()));
    let mut connection = server.connect();
    connection.request("HEAD", "/a", &[], None);
    let response = connection.response_without_body();
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-length"), Some("9"));
    // Nothing stands in the way of the next answer.
    connection.get("/b").assert_ok("GET /b  ");
    server.finish();
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    if hosting::host().is_some() {
        // Other paths are those of the application around.
        return;
    }
    for flavour in FLAVOURS {
        let server = Server::echo(flavour, telling(options()));
        let mut connection = server.connect();
        for number in 0..20 {
            let path = if number % 3 == 0 { "/slow" } else { "/fast" };
            connection.get(path).assert_ok(&format!("GET {path}  "));
        }
        // Several at once are answered one after another, the slow ones too.
        let host = connection.host().to_owned();
        let mut bytes = Vec::new();
        for path in ["/slow", "/fast", "/slow", "/fast"] {
            bytes.extend(crate::http::request("GET", path, &host, &[], None));
        }
        connection.send(bytes);
        for path in ["/slow", "/fast", "/slow", "/fast"] {
            connection.response().assert_ok(&format!("GET {path}  "));
        }
        // And the endpoint on the same connection.
        let response = connection.get("/engine.io/?EIO=4&transport=polling");
        let session = Session::from_response(&server, &response);
        connection.post(&session.target(), "4hello").assert_ok("ok");
        connection.get(&session.target()).assert_ok("4hello");
        connection.post(&session.target(), "1").assert_ok("ok");
        connection.request("GET", "/last", &["Connection: close"], None);
        connection.response().assert_ok("GET /last  ");
        connection.assert_closed();
        drop(connection);
        server.finish();
    }
}

#[test]
fn a_large_response_arrives_whole_at_a_slow_reader() {
    if hosting::host().is_some() {
        // Other paths are those of the application around.
        return;
    }
    const SIZE: usize = 12_000_000;

    for flavour in FLAVOURS {
        let options = options().fallback(|_| async {
            let body: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
            Response::new(200).body(body)
        });
        let server = Server::echo(flavour, options);
        let mut connection = server.connect();
        connection.request("GET", "/large", &[], None);
        connection.wait_for_unread();
        // Others are served while it is stuck.
        let session = Session::open(&server);
        session.assert_echoes("meanwhile");
        session.close();
        let response = connection.response_within(4 * PATIENCE).expect("a response");
        assert_eq!(response.body.len(), SIZE);
        assert!(
            response
                .body
                .iter()
                .enumerate()
                .all(|(at, byte)| *byte == (at % 251) as u8)
        );
        connection.request("HEAD", "/large", &[], None);
        assert_eq!(
            connection.response_without_body().header("content-length"),
            Some("12000000")
        );
        server.finish();
    }
}

#[test]
fn without_it_there_is_nothing_else() {
    if hosting::host().is_some() {
        // Other paths are those of the application around.
        return;
    }
    let server = Server::echo(Flavour::Current, options());
    for target in ["/", "/a", "/engine.io"] {
        let response = server.get(target);
        assert_eq!((response.status, response.text()), (404, "Not Found"));
    }
    let (_connection, response) = ask(&server, "/", &[]);
    assert_eq!(response.status, 404);
    server.finish();
}

#[test]
fn an_answer_that_nobody_waits_for_is_given_up() {
    if hosting::host().is_some() {
        // Other paths are those of the application around.
        return;
    }
    let never = Gate::default();
    let waits = Token::default();
    let (held, pass) = (waits.clone(), never.clone());
    let options = options().fallback(move |_| {
        let (token, gate) = (held.clone(), pass.clone());
        async move {
            gate.pass().await;
            drop(token);
            Response::new(200)
        }
    });
    let server = Server::echo(Flavour::Multi, options);
    let mut connection = server.connect();
    connection.request("GET", "/never", &[], None);
    wait_until("it is asked", || Token::strong_count(&waits) == 3);
    drop(connection);
    wait_until("it is given up", || Token::strong_count(&waits) == 2);
    server.finish();
    assert_eq!(Token::strong_count(&waits), 1);
}

#[test]
fn a_panic_in_it_is_answered_with_500() {
    if hosting::host().is_some() {
        // Other paths are those of the application around.
        return;
    }
    for flavour in FLAVOURS {
        let options = options().fallback(|request: Request| {
            assert_ne!(request.path(), "/panic-at-once", "a panic on purpose");
            async move {
                assert_ne!(request.path(), "/panic", "a panic on purpose");
                Response::new(200)
            }
        });
        let server = Server::echo(flavour, options);
        let mut websocket = WebSocket::open(&server);
        for path in ["/panic", "/panic-at-once"] {
            let mut connection = server.connect();
            connection.request("GET", path, &[], None);
            let answer = connection.response_within(PATIENCE).map(|response| response.status);
            assert_eq!(answer, Ok(500), "{path}");
        }
        assert_eq!(server.get("/").status, 200);
        websocket.assert_echoes("the server goes on");
        websocket.close();
        server.finish();
    }
}

#[test]
fn it_is_asked_for_each_request_once() {
    if hosting::host().is_some() {
        // Other paths are those of the application around.
        return;
    }
    let (note, notes) = mpsc::channel();
    let options = options().fallback(move |request: Request| {
        note.send(request.path().to_owned()).expect("the test");
        async { Response::new(204) }
    });
    let server = Server::echo(Flavour::Current, options);
    let mut connection: Connection = server.connect();
    for path in ["/a", "/b"] {
        assert_eq!(connection.get(path).status, 204);
    }
    assert_eq!(notes.try_iter().collect::<Vec<_>>(), ["/a", "/b"]);
    connection.send("GET /c HTTP/1.1\r\n");
    assert!(matches!(
        connection.response_within(Duration::from_millis(100)),
        Err(NoAnswer::Late)
    ));
    assert_eq!(notes.try_iter().count(), 0);
    drop(connection);
    server.finish();
}
