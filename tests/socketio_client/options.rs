//! Options of the connection, which the Engine.IO client has: they get there, with and without async.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use sansocket::blocking;
use sansocket::engineio::Transport;
use sansocket::runtime::socketio::client::{Client, ConnectFailed};
use sansocket::runtime::{DialTarget, Runtime};

use crate::library::within;
use crate::peer::PATIENCE;
use crate::runtime::{self, Any};
use crate::server::Serve;

/// Reads one request's head, and hangs up.
fn head() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let head = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    });
    (url, head)
}

/// The same options in whichever builder.
macro_rules! given {
    ($builder:expr) => {
        $builder
            .no_proxy()
            .timestamp_param("fresh")
            .max_websocket_message(1_000)
            .header("X-For", "all")
            .websocket_header("X-For", "websockets")
            .websocket_protocols(["chat", "other"])
    };
}

#[track_caller]
fn assert_websocket(head: JoinHandle<String>) {
    let head = head.join().unwrap();
    assert!(
        head.contains("X-For: websockets\r\n") && !head.contains("X-For: all"),
        "{head}"
    );
    assert!(head.contains("Sec-WebSocket-Protocol: chat, other\r\n"), "{head}");
}

#[track_caller]
fn assert_polls(head: JoinHandle<String>, stamped: bool) {
    let head = head.join().unwrap();
    assert_eq!(head.contains("&fresh="), stamped, "{head}");
    assert!(
        head.contains("X-For: all\r\n") && !head.contains("Sec-WebSocket"),
        "{head}"
    );
}

#[test]
fn with_async() {
    runtime::block_on(true, async {
        let (url, head) = self::head();
        let options = given!(Client::<Any>::builder(&url)).transports(&[Transport::WebSocket]);
        assert!(within(options.connect()).await.is_err());
        assert_websocket(head);
        for stamped in [true, false] {
            let (url, head) = self::head();
            let options = given!(Client::<Any>::builder(&url)).transports(&[Transport::Polling]);
            assert!(within(options.timestamp_requests(stamped).connect()).await.is_err());
            assert_polls(head, stamped);
        }
        let server = Serve::start(&[]);
        let address = server.url().trim_start_matches("http://").parse().unwrap();
        let dial = move |target: DialTarget| async move {
            assert_eq!((target.host(), target.port()), ("nowhere.invalid", 80));
            Any::default().connect(address).await
        };
        let options = given!(Client::<Any>::builder("http://nowhere.invalid")).dial_with(dial);
        let client = within(options.transports(&[Transport::WebSocket]).connect())
            .await
            .unwrap();
        assert_eq!(client.websocket_protocol().as_deref(), Some("chat"));
        within(client.close()).await;
        assert_eq!(client.websocket_protocol(), None);
    });
}

#[test]
fn on_threads() {
    use blocking::socketio::Client;

    let (url, head) = self::head();
    let options = given!(Client::builder(&url)).transports(&[Transport::WebSocket]);
    assert!(options.connect().is_err());
    assert_websocket(head);
    for stamped in [true, false] {
        let (url, head) = self::head();
        let options = given!(Client::builder(&url)).transports(&[Transport::Polling]);
        assert!(options.timestamp_requests(stamped).connect().is_err());
        assert_polls(head, stamped);
    }
    let server = Serve::start(&[]);
    let address = server.url().trim_start_matches("http://").parse().unwrap();
    let dial = move |_| TcpStream::connect_timeout(&address, PATIENCE);
    let options = given!(Client::builder("http://nowhere.invalid")).dial_with(dial);
    let client = options.transports(&[Transport::WebSocket]).connect().unwrap();
    assert_eq!(client.websocket_protocol().as_deref(), Some("chat"));
    client.close();
    let shut = |_| Err::<TcpStream, _>(io::Error::other("the tunnel is shut"));
    let failed = Client::builder("http://nowhere.invalid").dial_with(shut).connect();
    let Err(ConnectFailed::Connection(error)) = failed else {
        panic!("{failed:?}");
    };
    assert!(error.to_string().contains("the tunnel is shut"), "{error}");
}
