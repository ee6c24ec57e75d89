//! Both ends of a session in one function: no sockets, no clock, no threads. What one machine wants to send is handed to the
//! other, and time is a number.
//!
//! It needs no feature at all, so that it runs wherever `alloc` does:
//!
//! ```sh
//! cargo run --no-default-features --features std --example memory
//! ```

use sansocket::engineio::client::{self, Client, Request};
use sansocket::engineio::{self, Answer, Carrier, Event, Input, Session, Sid, Transmit};
use sansocket::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = Instant::from_micros(0);
    let mut config = client::Config::default();
    config.upgrades = false;
    let mut client = Client::new(config, now);
    let mut server: Option<Session> = None;
    // The requests that were not answered yet.
    let mut waiting = Vec::new();
    client.send("hello".into())?;

    let mut echo = None;
    while echo.is_none() {
        // The client's requests are the server's input.
        while let Some(request) = client.poll_request(now) {
            let (req, input) = match request {
                Request::Get(req) => (req, Input::Get(req)),
                Request::Post(req, body) => (req, Input::Post(req, body)),
                other => unreachable!("it was told to stay with polling, and wants {other:?}"),
            };
            waiting.push(req);
            match &mut server {
                Some(session) => session.handle_input(now, input)?,
                None => {
                    // In earnest, an id that nobody can guess.
                    let sid = Sid::from_entropy([7; 15]);
                    let config = engineio::Config::default();
                    server
                        .insert(Session::new(config, now, sid, Carrier::Request(req)))
                        .accept(now);
                }
            }
        }
        let session = server.as_mut().expect("the first request has opened it");

        // The server's application.
        while let Some(event) = session.poll_event() {
            if let Event::Message(message) = event {
                println!("the server is sent {message:?}");
                session.send(message)?;
            }
        }

        // The server's answers are the client's input.
        let mut answers = Vec::new();
        waiting.retain(|&req| match session.poll_transmit(now, Carrier::Request(req)) {
            Some(Transmit::Response { answer, .. }) => {
                answers.push((req, answer));
                false
            }
            _ => true,
        });
        for (req, answer) in answers {
            let input = match answer {
                Answer::Payload(body) => client::Input::Response(req, body),
                Answer::Received => client::Input::Response(req, "ok".into()),
                // An error, whichever it is.
                _ => client::Input::Refused(req),
            };
            client.handle_input(now, input)?;
        }

        // The client's application.
        while let Some(event) = client.poll_event() {
            println!("the client is told {event:?}");
            if let client::Event::Message(message) = event {
                echo = Some(message);
            }
        }
    }

    let session = server.expect("there was an echo");
    println!("the server wants to be called at {:?}", session.poll_timeout());
    println!("the client wants to be called at {:?}", client.poll_timeout());
    Ok(())
}
