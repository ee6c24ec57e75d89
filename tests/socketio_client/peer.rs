//! A server written by hand: Engine.IO on a WebSocket, packet by packet.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use tungstenite::{Message, WebSocket};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Server {
    listener: TcpListener,
}

/// One connection to it, with an Engine.IO session.
pub struct Peer {
    socket: WebSocket<TcpStream>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    pub fn addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// The next connection within this time, if there is one.
    pub fn accept_within(&self, patience: Duration) -> Option<Peer> {
        let deadline = Instant::now() + patience;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => return Some(Peer::open(stream, (25_000, 20_000), 1_000_000)),
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => return None,
            }
        }
    }

    /// The next connection is over before it was a session.
    pub fn accept_that_ends(&self, accepted: impl FnOnce()) {
        let deadline = Instant::now() + PATIENCE;
        let stream = loop {
            match self.listener.accept() {
                Ok((stream, _)) => break stream,
                Err(_) => assert!(Instant::now() < deadline, "the client connects"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        accepted();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = stream;
        let mut bytes = [0; 4096];
        // Until its end, in whatever manner.
        loop {
            match std::io::Read::read(&mut stream, &mut bytes) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                    return;
                }
            }
        }
    }

    /// The next connection is cut at once.
    pub fn refuse(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.listener.accept().is_err() {
            assert!(Instant::now() < deadline, "the client connects");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn accept(&self) -> Peer {
        self.accept_within(PATIENCE).expect("the client connects")
    }

    /// A connection to a server that takes messages of this many bytes at most.
    pub fn accept_with(&self, max_payload: usize) -> Peer {
        self.accept_as((25_000, 20_000), max_payload)
    }

    /// A connection to a server that promises a ping after so many milliseconds, or so many later.
    pub fn accept_pinging(&self, interval: u32, timeout: u32) -> Peer {
        self.accept_as((interval, timeout), 1_000_000)
    }

    fn accept_as(&self, pings: (u32, u32), max_payload: usize) -> Peer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => return Peer::open(stream, pings, max_payload),
                Err(_) => assert!(Instant::now() < deadline, "the client connects"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Peer {
    fn open(stream: TcpStream, (interval, timeout): (u32, u32), max_payload: usize) -> Self {
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut peer = Self {
            socket: tungstenite::accept(stream).expect("the client wants a WebSocket"),
        };
        let times = format!("\"upgrades\":[],\"pingInterval\":{interval},\"pingTimeout\":{timeout}");
        peer.send(&format!("0{{\"sid\":\"engine\",{times},\"maxPayload\":{max_payload}}}"));
        peer
    }

    /// Sends a packet of Engine.IO.
    pub fn send(&mut self, packet: &str) {
        self.socket.send(Message::text(packet.to_owned())).unwrap();
    }

    pub fn send_binary(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).unwrap();
    }

    /// The next packet of Engine.IO, bytes as numbers; `None` when the connection has ended.
    pub fn next(&mut self) -> Option<String> {
        match self.socket.read() {
            Ok(Message::Text(text)) => Some(text.as_str().to_owned()),
            Ok(Message::Binary(bytes)) => Some(format!("{:?}", &bytes[..])),
            _ => None,
        }
    }

    pub fn expect(&mut self, packet: &str) {
        assert_eq!(self.next().as_deref(), Some(packet));
        if packet == "1" {
            // As servers do. The client may be gone by now.
            let _closed = self.socket.close(None);
            let _closed = self.socket.get_ref().shutdown(std::net::Shutdown::Both);
        }
    }

    /// Lets a socket into its namespace, for which it shows nothing.
    pub fn join(&mut self, namespace: &str, sid: &str) {
        let prefix = if namespace == "/" {
            String::new()
        } else {
            format!("{namespace},")
        };
        self.expect(&format!("40{prefix}"));
        self.send(&format!("40{prefix}{{\"sid\":\"{sid}\"}}"));
    }

    /// The client leaves `/` and ends the session.
    pub fn expect_goodbye(&mut self) {
        self.expect("41");
        self.expect("1");
    }
}
