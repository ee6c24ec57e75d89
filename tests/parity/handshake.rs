//! Rows 1 to 6, 11 and 12: how a session is opened, or not.

use sansocket::Error;
use sansocket::engineio::{Refusal, Transport};
use sansocket::http::Request;

use crate::engine::{self, Flavour};
use crate::host::{Hosted, echo, get};
use crate::http::Response;
use crate::runtime::{self, Client};
use crate::session::{POLLING, Session, sid_of};
use crate::waiting::Gate;
use crate::websocket::{WEBSOCKET, WebSocket};

#[test]
fn row_1_the_open_packet() {
    let server = echo(&[]);
    let response = server.get(POLLING);
    let sid = sid_of(response.text());
    assert_eq!(sid.len(), 20);
    let rest = r#""upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000"#;
    response.assert_ok(&format!(r#"0{{"sid":"{sid}",{rest}}}"#));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
    Session::from_response(&server, &response).close();
    server.finish();
}

#[test]
fn row_2_the_grace_is_announced() {
    let server = echo(&["--ping-interval", "25s", "--ping-interval-grace", "2s"]);
    let response = server.get(POLLING);
    assert!(response.text().contains(r#""pingInterval":27000,"#), "{response:?}");
    Session::from_response(&server, &response).close();
    server.finish();
}

#[test]
fn row_3_other_versions_are_refused() {
    let server = echo(&[]);
    for version in ["", "&EIO=3", "&EIO=5", "&EIO=four"] {
        let target = format!("/engine.io/?transport=polling{version}");
        server.get(&target).assert_error(5);
    }
    server.finish();
}

#[test]
fn row_4_transports_that_are_none() {
    let server = echo(&["--transports", "websocket"]);
    server.get("/engine.io/?EIO=4&transport=foo").assert_error(0);
    server.get(POLLING).assert_error(0);
    WebSocket::open(&server).close();
    server.finish();
}

#[test]
fn row_5_a_websocket_wants_an_upgrade() {
    let server = echo(&[]);
    server.get(WEBSOCKET).assert_error(3);
    for word in ["websocket", "WebSocket", "WEBSOCKET"] {
        let upgrade = format!("Upgrade: {word}");
        let key = format!("Sec-WebSocket-Key: {}", crate::websocket::KEY);
        let headers = ["Connection: Upgrade", &upgrade, "Sec-WebSocket-Version: 13", &key];
        assert_eq!(get(&server, WEBSOCKET, &headers).status, 101, "{word}");
    }
    server.finish();
}

#[test]
fn row_6_sessions_that_are_none() {
    let server = echo(&[]);
    let target = format!("{POLLING}&sid=nobody");
    server.get(&target).assert_error(1);
    server.post(&target, "4hi").assert_error(1);
    server.finish();
}

#[test]
fn row_11_a_greeting_rides_behind_the_open_packet() {
    // Held back until the greeting is there: on some runtimes the answer would be faster.
    let gate = Gate::default();
    let pass = gate.clone();
    let options = engine::options().on_connect(move |_| {
        let gate = pass.clone();
        async move {
            gate.pass().await;
            Ok(())
        }
    });
    let hosted = Hosted::start(engine::Server::accepting(
        Flavour::Multi,
        options,
        |mut socket| async move {
            while socket.recv().await.is_some() {}
            Ok(())
        },
    ));
    let mut connection = hosted.server.connect();
    connection.request("GET", POLLING, &[], None);
    hosted.engine.wait_for_sessions(1);
    let sid = hosted.engine.sid();
    hosted.engine.handle.try_send(&sid, "hello").expect("there is room");
    gate.open();
    let response = connection.response();
    let (open, rest) = response.text().split_once('\x1e').expect("more than an open packet");
    assert_eq!((sid_of(open).as_str(), rest), (sid.as_str(), "4hello"));
    Session::from_response(&hosted.server, &response).close();
    hosted.finish();
}

/// Python's handler says `False`, a value, nothing, or raises.
fn judge(request: &Request) -> Result<(), Refusal> {
    match request.query_value("answer").as_deref() {
        Some("false") => Err(Refusal::new(401).json("Unauthorized")),
        Some("value") => Err(Refusal::new(401).json(&serde_json::json!({"a": 1}))),
        Some("error") => Err(Refusal::new(401)),
        Some("panic") => panic!("a panic on purpose"),
        _ => Ok(()),
    }
}

#[test]
fn row_12_a_connect_handler_refuses() {
    let options = engine::options().on_connect(|request: Request| async move { judge(&request) });
    let hosted = Hosted::start(engine::Server::accepting(
        Flavour::Multi,
        options,
        |mut socket| async move {
            while socket.recv().await.is_some() {}
            Ok(())
        },
    ));
    let forbidden = r#"{"code":4,"message":"Forbidden"}"#;
    for (answer, status, body) in [
        ("false", 401, Some(r#""Unauthorized""#)),
        ("value", 401, Some(r#"{"a":1}"#)),
        ("error", 401, Some(forbidden)),
        // Which is a bug of the application's, and is called one.
        ("panic", 500, None),
    ] {
        let response: Response = hosted.server.get(&format!("{POLLING}&answer={answer}"));
        assert_eq!(response.status, status, "{response:?}");
        if let Some(body) = body {
            assert_eq!(response.text(), body);
            assert_eq!(response.header("content-type"), Some("application/json"));
        }
        // Our own client is told the same, on either transport.
        for transport in [Transport::Polling, Transport::WebSocket] {
            let client = Client::builder(&format!("http://{}", hosted.server.address))
                .no_proxy()
                .query("answer", answer)
                .transports(&[transport]);
            let Err(Error::Connect(error)) = runtime::block_on(false, client.connect()) else {
                panic!("{answer} lets clients in");
            };
            let refused = error.refused().expect("a refusal");
            assert_eq!(refused.status(), status);
            if let Some(body) = body {
                assert_eq!(&refused.body()[..], body.as_bytes());
            }
        }
    }
    Session::open(&hosted.server).close();
    hosted.finish();
}
