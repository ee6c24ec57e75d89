//! An Engine.IO client in a loop that ticks, as games and simulations have it: sixty times a second it looks what has
//! come, moves the world, says what it has to say, and never waits for the network. One thread, no runtime.
//!
//! ```sh
//! cargo run --features cli -- serve --app echo &
//! cargo run --example own_loop_client --features wire -- http://127.0.0.1:3000 5
//! ```

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mio::net::TcpStream;
use sansocket::engineio::client::{Config, Event};
use sansocket::engineio::{Closed, SendError};
use sansocket::time::Instant;
use sansocket::wire::client::{Connection, Cookies, Options, StreamId};

const TICK: Duration = Duration::from_micros(16_667);

/// One of the client's byte streams.
struct Lane {
    stream: TcpStream,
    connected: bool,
    /// Output that the socket did not take yet.
    output: Vec<u8>,
}

struct Network {
    epoch: std::time::Instant,
    address: SocketAddr,
    connection: Connection,
    lanes: [Option<Lane>; 3],
    input: Vec<u8>,
}

impl Network {
    fn new(url: &str) -> Result<Self, Box<dyn Error>> {
        let entropy = Box::new(|bytes: &mut [u8]| getrandom::fill(bytes).expect("the system has random bytes"));
        let options = Options::new(url, "/engine.io/", entropy)?;
        // Names are looked up once, before the game begins.
        let address = options.peer().to_socket_addrs()?.next().ok_or("no such host")?;
        let epoch = std::time::Instant::now();
        let config = Arc::new(Config::default());
        let connection = Connection::new(Arc::new(options), config, Instant::from_micros(0), Cookies::default());
        Ok(Self {
            epoch,
            address,
            connection,
            lanes: [None, None, None],
            input: vec![0; 16 * 1024],
        })
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.epoch.elapsed().as_micros() as u64)
    }

    /// Does everything that can be done now, and waits for nothing.
    fn tick(&mut self) {
        let now = self.now();
        if self.connection.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.connection.handle_timeout(now);
        }
        for id in StreamId::ALL {
            self.connect(now, id);
            if let Err(error) = self.pump(now, id) {
                self.lanes[id as usize] = None;
                self.connection.handle_failure(now, id, error);
            }
            if !self.connection.wants_stream(id) || self.connection.is_finished() {
                self.lanes[id as usize] = None;
            }
        }
    }

    fn connect(&mut self, now: Instant, id: StreamId) {
        if self.connection.poll_connect(now, id) {
            self.lanes[id as usize] = None;
            match TcpStream::connect(self.address) {
                Ok(stream) => {
                    self.lanes[id as usize] = Some(Lane {
                        stream,
                        connected: false,
                        output: Vec::new(),
                    });
                }
                Err(error) => self.connection.handle_connect_failed(now, id, error),
            }
        }
        let Some(lane) = &mut self.lanes[id as usize] else {
            return;
        };
        if lane.connected {
            return;
        }
        // mio's way to find out whether a connection is made (see `TcpStream::connect`).
        let failed = match (lane.stream.take_error(), lane.stream.peer_addr()) {
            (Ok(Some(error)), _) | (Err(error), _) => error,
            (Ok(None), Ok(_)) => {
                lane.connected = true;
                // A game's packets are small, and late ones are of no use. Where it fails, they are a little later.
                let _slower = lane.stream.set_nodelay(true);
                return self.connection.handle_connected(now, id);
            }
            // Not yet. The attempt has a deadline in the machine.
            (Ok(None), Err(_)) => return,
        };
        self.lanes[id as usize] = None;
        self.connection.handle_connect_failed(now, id, failed);
    }

    fn pump(&mut self, now: Instant, id: StreamId) -> io::Result<()> {
        let Some(lane) = &mut self.lanes[id as usize] else {
            return Ok(());
        };
        if !lane.connected {
            return Ok(());
        }
        while self.connection.wants_input(id) {
            match lane.stream.read(&mut self.input) {
                Ok(0) => {
                    self.lanes[id as usize] = None;
                    self.connection.handle_end(now, id);
                    return Ok(());
                }
                Ok(length) => self.connection.handle_input(now, id, &self.input[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        loop {
            if lane.output.is_empty() {
                self.connection.poll_transmit(now, id, &mut lane.output);
            }
            if lane.output.is_empty() {
                return Ok(());
            }
            match lane.stream.write(&lane.output) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => {
                    lane.output.drain(..length);
                    self.connection.handle_written(now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What the game is about: something that moves.
#[derive(Default)]
struct World {
    ticks: u32,
    at: (f32, f32),
    echoes: u32,
}

impl World {
    fn advance(&mut self) {
        self.ticks += 1;
        let angle = self.ticks as f32 / 60.0;
        self.at = (angle.cos(), angle.sin());
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or("http://127.0.0.1:3000".into());
    let seconds: u32 = arguments.next().map_or(Ok(5), |text| text.parse())?;

    let mut network = Network::new(&url)?;
    let mut world = World::default();
    let mut next = std::time::Instant::now();
    let end: Closed = 'game: loop {
        network.tick();
        while let Some(event) = network.connection.poll_event() {
            match event {
                Event::Opened(transport) => println!("playing over {transport:?}"),
                Event::Upgraded => println!("now over a WebSocket"),
                Event::Message(_) => world.echoes += 1,
                Event::Closed(closed) => break 'game closed,
                _ => {}
            }
        }

        world.advance();
        if world.ticks % 6 == 0 && network.connection.look().handshake().is_some() {
            let position = format!("{:.3} {:.3}", world.at.0, world.at.1);
            match network.connection.machine().send(position.into()) {
                // Ten times a second is often enough: the next one says more than this one.
                Ok(()) | Err(SendError::Full(_)) => {}
                Err(error) => println!("not sent: {error}"),
            }
        }
        if world.ticks == seconds * 60 {
            let now = network.now();
            network.connection.machine().close(now);
        }

        // A frame has its time, however long the work took.
        next += TICK;
        thread::sleep(next.saturating_duration_since(std::time::Instant::now()));
    };
    if let Some(error) = network.connection.take_error() {
        println!("what went wrong: {error}");
    }
    println!("over: {}; {} echoes in {} ticks", end.reason, world.echoes, world.ticks);
    Ok(())
}
