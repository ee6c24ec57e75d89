//! Row 30: what an application keeps of a session, and what it can ask by a session's id.

use std::sync::Mutex;

use sansocket::engineio::{Sid, Transport};
use sansocket::http::Request;

use crate::engine::{self, Flavour, options};
use crate::host::Hosted;
use crate::session::{POLLING, Session};
use crate::waiting::wait_until;

/// What Python would keep in a `dict`.
#[derive(Default)]
struct Profile {
    name: String,
    messages: usize,
}

/// Answers every message with the name and how many there have been.
fn hosted() -> Hosted {
    let options = options().on_connect(|request: Request| async move {
        let name = request.query_value("name").unwrap_or_default();
        Ok(Mutex::new(Profile { name, messages: 0 }))
    });
    Hosted::start(engine::Server::accepting(
        Flavour::Multi,
        options,
        |mut socket| async move {
            while socket.recv().await.is_some() {
                let answer = {
                    let mut profile = socket.data().lock().expect("nobody panics under it");
                    profile.messages += 1;
                    format!("{} {}", profile.name, profile.messages)
                };
                socket.send(answer).await?;
            }
            Ok(())
        },
    ))
}

#[test]
fn row_30_data_of_a_session() {
    let hosted = hosted();
    let handle = hosted.engine.handle.clone();
    let response = hosted.server.get(&format!("{POLLING}&name=ada"));
    let session = Session::from_response(&hosted.server, &response);
    let other = Session::open(&hosted.server);
    let sid = Sid::new(&session.sid).expect("the server made it");
    session.send("4hi");
    assert_eq!(session.receive(1), ["4ada 1"]);
    {
        let found = handle.socket::<Mutex<Profile>>(&sid).expect("it is there");
        let mut profile = found.data().lock().expect("nobody panics under it");
        assert_eq!((profile.name.as_str(), profile.messages), ("ada", 1));
        // Changed in its place, and replaced.
        profile.messages = 40;
        *profile = Profile {
            name: "grace".into(),
            ..std::mem::take(&mut profile)
        };
    }
    session.send("4hi");
    assert_eq!(session.receive(1), ["4grace 41"]);
    other.send("4hi");
    assert_eq!(other.receive(1), ["4 1"]);

    assert!(handle.socket::<String>(&sid).is_none(), "it is of another type");
    let nobody = Sid::new("nobody").expect("an id");
    assert!(handle.socket::<Mutex<Profile>>(&nobody).is_none());
    session.close();
    wait_until("it is forgotten", || handle.socket::<Mutex<Profile>>(&sid).is_none());
    other.close();
    drop(handle);
    hosted.finish();
}

#[test]
fn row_30_the_transport_of_a_session() {
    let hosted = Hosted::echo(options());
    let session = Session::open(&hosted.server);
    let sid = Sid::new(&session.sid).expect("the server made it");
    let handle = &hosted.engine.handle;
    assert_eq!(handle.sessions(), std::slice::from_ref(&sid));
    assert_eq!(handle.transport(&sid), Some(Transport::Polling));
    let websocket = session.upgrade();
    assert_eq!(handle.transport(&sid), Some(Transport::WebSocket));
    assert_eq!(handle.transport(&Sid::new("nobody").expect("an id")), None);
    websocket.close();
    hosted.engine.wait_for_sessions(0);
    assert_eq!(handle.transport(&sid), None);
    hosted.finish();
}
