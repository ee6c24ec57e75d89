//! The server under test: the program's echo, or one of the library's with handlers of the test's own.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use sansocket::engineio::Data;

use crate::engine::{self, Flavour, Token};
use crate::http::Response;
use crate::runtime::Builder;
use crate::server::Server;

/// The times of a server whose sessions have to end by themselves.
pub const INTERVAL: Duration = Duration::from_millis(300);

/// `sansocket serve --app echo`.
#[track_caller]
pub fn echo(flags: &[&str]) -> Server {
    Server::app("echo", flags)
}

#[track_caller]
pub fn ask(server: &Server, method: &str, target: &str, headers: &[&str], body: Option<&[u8]>) -> Response {
    let mut connection = server.connect();
    connection.request(method, target, headers, body);
    connection.response()
}

#[track_caller]
pub fn get(server: &Server, target: &str, headers: &[&str]) -> Response {
    ask(server, "GET", target, headers, None)
}

/// A server of the library's, for clients written by hand.
pub struct Hosted {
    pub engine: engine::Server,
    pub server: Server,
}

impl Hosted {
    #[track_caller]
    pub fn start(engine: engine::Server) -> Self {
        let server = Server::elsewhere(engine.address);
        Self { engine, server }
    }

    /// Sends everything back.
    #[track_caller]
    pub fn echo(options: Builder) -> Self {
        Self::start(engine::Server::echo(Flavour::Multi, options))
    }

    /// In the event style: sends everything back, and notes what its handlers are told.
    #[track_caller]
    pub fn noting(options: Builder) -> (Self, Receiver<Note>) {
        let (note, notes) = mpsc::channel();
        let end = note.clone();
        let options = options
            .on_message(move |socket, message: Data| {
                // The test may have seen enough.
                let _unseen = note.send(Note::Message(message.clone()));
                async move { socket.send(message).await }
            })
            .on_disconnect(move |_, reason| {
                let _unseen = end.send(Note::End(reason.as_python_server()));
                async {}
            });
        let engine = engine::Server::events(Flavour::Multi, Token::default(), options);
        (Self::start(engine), notes)
    }

    #[track_caller]
    pub fn finish(self) {
        self.engine.finish();
    }
}

/// What a handler was told; the end in Python's words.
#[derive(Debug, PartialEq, Eq)]
pub enum Note {
    Message(Data),
    End(&'static str),
}

impl Note {
    pub fn text(text: &str) -> Self {
        Self::Message(text.to_owned().into())
    }
}
