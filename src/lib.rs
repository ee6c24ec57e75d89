//! Socket.IO and Engine.IO with no socket inside: state machines that take bytes, time and random bytes, and give bytes,
//! events and one deadline. Runtimes are thin byte pumps around them.
//!
//! Most programs want a Socket.IO server or client of one of the runtimes:
//!
#![cfg_attr(feature = "tokio", doc = "```no_run")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! use sansocket::tokio::socketio::{Ack, Server};
//!
//! #[tokio::main]
//! async fn main() -> sansocket::Result<()> {
//!     let io = Server::new();
//!     let main = io.of("/");
//!     main.on("say", |socket, text: String| async move { socket.broadcast().emit("said", &text).await });
//!     main.on("add", |_socket, (a, b): (i64, i64)| async move { Ack(a + b) });
//!     io.bind("127.0.0.1:3000").await?.serve().await
//! }
//! ```
//!
//! `runtime::socketio` has more of it, and `docs/socketio.md` is the guide. What follows begins at the other end.
//!
//! # The run loop
//!
//! A [`Session`](engineio::Session) is the server's side of one client; [`Client`](engineio::client::Client) is the client's,
//! with an example of its own. Whoever drives it does three things, in any order
//! and as often as it likes: tells it what happened, asks it what it wants, and calls it again at its deadline.
//!
//! ```
//! use sansocket::engineio::{Answer, Carrier, Config, Data, Event, Input, ReqId, Session, Sid, Transmit};
//! use sansocket::time::Instant;
//!
//! // 1. A client asks for a session. Here it polls: its GET is a carrier, under a name that the driver gives.
//! let mut now = Instant::from_micros(0);
//! let (first, second, third) = (ReqId(1), ReqId(2), ReqId(3));
//! let sid = Sid::from_entropy([7; 15]); // use bytes that nobody can guess
//! let mut session = Session::new(Config::default(), now, sid, Carrier::Request(first));
//!
//! // 2. The application decides. Until then nothing is sent.
//! session.accept(now);
//!
//! // 3. Each carrier asks for what it should write.
//! let opened = session.poll_transmit(now, Carrier::Request(first));
//! assert!(matches!(opened, Some(Transmit::Response { answer: Answer::Payload(_), .. })));
//!
//! // 4. What arrives goes in: the next poll, and a message beside it.
//! session.handle_input(now, Input::Get(second))?;
//! session.handle_input(now, Input::Post(third, "4hello".into()))?;
//!
//! // 5. What it means comes out, until there is nothing more.
//! while let Some(event) = session.poll_event() {
//!     match event {
//!         Event::Message(message) => session.send(message)?,
//!         Event::Closed(closed) => println!("over: {}", closed.reason),
//!         _ => {}
//!     }
//! }
//! let echo = session.poll_transmit(now, Carrier::Request(second));
//! assert_eq!(echo, Some(Transmit::Response { req: second, answer: Answer::Payload("4hello".into()) }));
//! let done = session.poll_transmit(now, Carrier::Request(third));
//! assert_eq!(done, Some(Transmit::Response { req: third, answer: Answer::Received }));
//!
//! // 6. One deadline, until the session is finished: the first ping is due after 25 s.
//! now = session.poll_timeout().expect("a session that is not finished has a deadline");
//! assert_eq!(now.as_micros(), 25_000_000);
//! session.handle_timeout(now);
//! assert!(session.poll_timeout().is_some_and(|later| later > now));
//! # Ok::<(), sansocket::Error>(())
//! ```
//!
//! The names of methods say what kind they are: `handle_*` tells, `poll_*` asks, plain verbs are the application's commands.
//! Calls without a cause do nothing, and the order of calls between two `handle_*` changes nothing. Time comes from the
//! driver as an [`Instant`](time::Instant); no clock is read in here.
//!
//! Programs that want Engine.IO alone use a server of one of the runtimes:
//!
#![cfg_attr(feature = "tokio", doc = "```no_run")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! use sansocket::tokio::engineio::Server;
//!
//! #[tokio::main]
//! async fn main() -> sansocket::Result<()> {
//!     let server = Server::bind("127.0.0.1:3000").await?;
//!     server
//!         .serve(|mut socket| async move {
//!             while let Some(message) = socket.recv().await {
//!                 socket.send(message).await?;
//!             }
//!             Ok(())
//!         })
//!         .await
//! }
//! ```
//!
//! and a client:
//!
#![cfg_attr(feature = "tokio", doc = "```no_run")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! use sansocket::tokio::engineio::Client;
//!
//! #[tokio::main]
//! async fn main() -> sansocket::Result<()> {
//!     let mut client = Client::connect("http://127.0.0.1:3000").await?;
//!     client.send("hello").await?;
//!     println!("{:?}", client.recv().await);
//!     client.close().await
//! }
//! ```
//!
//! # What is where
//!
//! Each layer knows only those below it.
//!
//! | module | what it holds | feature |
//! | --- | --- | --- |
//! | `tokio`, `smol`, `async_std` | the types of servers and clients on that runtime, in `socketio` and `engineio` | `tokio`, `smol`, `async-std` |
//! | `blocking` | servers and clients on plain threads, without `async` | `blocking` |
//! | `runtime::socketio` | Socket.IO on any runtime: `Server`, `Namespace`, `Socket`, `Broadcast`; `client::Client` | `wire` |
//! | `runtime::engineio` | Engine.IO on any runtime: `Server`, `Socket`, `Sender`, `Handle`, `Client` | `wire` |
//! | `tower` | both as a service and a layer, inside of hyper, axum and whatever else speaks `tower` | `tower` |
//! | `runtime` | the traits that a runtime brings, the async drivers | `wire` |
//! | `tls` | certificates and trust of servers and clients, for `https` and `wss` | `tls` |
//! | `wire` | HTTP/1.1, WebSocket, one TCP connection, the hub with all sessions, a client's streams: bytes in, bytes out | `wire` |
//! | `http` | what a request asks for, who may ask, refusals; no state | `std` |
//! | [`engineio`] | packets, payloads, the machines of both ends and their state tables | none |
//! | [`socketio`] | packets, arguments, namespaces, acknowledgements, rooms, the machines of both ends | none |
//! | [`time`] | moments, as numbers that the driver brings | none |
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | none | the core: `no_std` with `alloc`. I/O in it is a compile error |
//! | `std` (default) | `http`, [`Error`]'s I/O variant |
//! | `msgpack` | [`socketio`]'s parser that speaks with npm `socket.io-msgpack-parser` |
//! | `wire` | `wire` and `runtime`, over `httparse` and `tungstenite` |
//! | `tokio`, `smol`, `async-std` | the module of that runtime; brings `wire` |
//! | `blocking` | the module `blocking`, on Unix; brings `wire` |
//! | `tower` | the module of that name, on the runtime that is chosen beside it; brings `wire` |
//! | `tls` | `https` and `wss` for both ends, on every runtime: the module `tls`, over `rustls` |
//! | `v3` | Engine.IO 3 beside 4 on servers, where it is switched on: `Builder::eio3` |
//! | `tracing` | log lines of the drivers |
//! | `cli` | the program `sansocket`, with every runtime there is |
//!
//! Features only add API: any set of them builds, and none changes what another does.
//!
//! # Errors
//!
//! Each says [what kind it is](Category), [who can do something about it](Blame) and whether another try can help. A peer that breaks the protocol is a [`Violation`](engineio::Violation), for logs: the session
//! has already drawn the consequences. A message that will not be sent is given back, in [`SendError`] or
//! [`engineio::SendError`]; an event's arguments in [`socketio::EmitError`]. An acknowledgement that does not come is a
//! [`socketio::AckError`]. A client that can not connect says why in a `ConnectError`,
//! one of Socket.IO's in a `ConnectFailed`. How a session ended, and how many messages did not arrive for certain, is told once, by
//! [`Event::Closed`](engineio::Event::Closed). Panics are bugs of this crate, never an answer to what a peer sends.

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod backoff;
pub mod engineio;
mod error;
#[cfg(feature = "std")]
pub mod http;
mod json;
pub mod socketio;
pub mod time;
#[cfg(feature = "wire")]
pub mod wire;

#[cfg(feature = "wire")]
#[path = "../runtimes/mod.rs"]
pub mod runtime;

pub use backoff::Backoff;
pub use error::{Blame, Category, Error, Result, SendError, TryRecvError};
pub use json::{DecodeError, EncodeError};

#[cfg(feature = "async-std")]
pub use runtime::async_std;
#[cfg(all(feature = "blocking", unix))]
pub use runtime::blocking;
#[cfg(feature = "smol")]
pub use runtime::smol;
#[cfg(feature = "tokio")]
pub use runtime::tokio;
#[cfg(feature = "tower")]
pub use runtime::tower;
#[cfg(feature = "tls")]
pub use wire::tls;

/// Compiles the programs in the client's documentation.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../docs/client.md")]
struct ClientDoctests;

/// Compiles the programs in the guide to a server's options.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../docs/server-options.md")]
struct ServerOptionsDoctests;

/// Compiles the programs in the guide to other people's applications.
#[cfg(all(doctest, feature = "tokio", feature = "tower"))]
#[doc = include_str!("../docs/inside-other-apps.md")]
struct InsideOtherAppsDoctests;

/// Compiles and runs the programs in Socket.IO's documentation.
#[cfg(all(doctest, feature = "tokio", feature = "blocking", unix))]
#[doc = include_str!("../docs/socketio.md")]
struct SocketioDoctests;

/// Compiles our halves of the programs that are shown beside Python's.
#[cfg(all(doctest, feature = "tokio", feature = "blocking", unix))]
#[doc = include_str!("../docs/from-python.md")]
struct PythonDoctests;

/// Compiles our halves of the programs that are shown beside JavaScript's.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../docs/from-javascript.md")]
struct JavascriptDoctests;

/// Compiles our halves of the programs that are shown beside socketioxide's.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../docs/from-socketioxide.md")]
struct SocketioxideDoctests;

/// Compiles and runs the programs in the README.
#[cfg(all(doctest, feature = "tokio", feature = "blocking", unix))]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
