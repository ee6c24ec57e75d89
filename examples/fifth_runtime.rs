//! A runtime that the library does not know: `async-executor` runs the tasks, `async-io` watches sockets and clocks. All it
//! takes is an implementation of [`Runtime`] and [`Stream`], with public API alone; server and client are the same as on
//! any other.
//!
//! ```sh
//! cargo run --example fifth_runtime --features wire
//! ```

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_executor::Executor;
use async_io::{Async, Timer};
use sansocket::runtime::engineio::{Client, Server};
use sansocket::runtime::{Runtime, Stream};
use sansocket::time::Instant;

/// The runtime: an executor that everybody shares.
#[derive(Clone)]
struct Fifth(Arc<Executor<'static>>);

fn epoch() -> std::time::Instant {
    static EPOCH: OnceLock<std::time::Instant> = OnceLock::new();
    *EPOCH.get_or_init(std::time::Instant::now)
}

impl Runtime for Fifth {
    type Stream = Socket;
    type Listener = Async<TcpListener>;
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        Instant::from_micros(epoch().elapsed().as_micros() as u64)
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep(Timer::at(epoch() + Duration::from_micros(deadline.as_micros())))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task).detach();
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let name = (host.to_owned(), port);
        // The system's resolver blocks, so it has a thread of its own.
        let addresses = blocking::unblock(move || name.to_socket_addrs()).await?;
        Ok(addresses.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Socket> {
        Ok(Socket::new(Async::<TcpStream>::connect(address).await?))
    }

    async fn bind(&self, address: SocketAddr) -> io::Result<Async<TcpListener>> {
        Async::<TcpListener>::bind(address)
    }

    fn local_addr(&self, listener: &Async<TcpListener>) -> io::Result<SocketAddr> {
        listener.get_ref().local_addr()
    }

    async fn accept(&self, listener: &Async<TcpListener>) -> io::Result<(Socket, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        Ok((Socket::new(stream), peer))
    }
}

/// A timer, as a future that answers nothing.
struct Sleep(Timer);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}

struct Socket(Async<TcpStream>);

impl Socket {
    /// Answers are small, and must not wait for the acknowledgement of the last one.
    fn new(stream: Async<TcpStream>) -> Self {
        // It only fails where the peer has gone again, which reading will show.
        let _gone = stream.get_ref().set_nodelay(true);
        Self(stream)
    }
}

impl Stream for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match io::Read::read(&mut self.0.get_ref(), buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_readable(cx))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match io::Write::write(&mut self.0.get_ref(), buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_writable(cx))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.get_ref().shutdown(std::net::Shutdown::Write))
    }
}

fn main() -> sansocket::Result<()> {
    let runtime = Fifth(Arc::new(Executor::new()));
    async_io::block_on(runtime.0.run(talk(runtime.clone())))
}

/// A server and a client of it.
async fn talk(runtime: Fifth) -> sansocket::Result<()> {
    let server = Server::builder_on(runtime.clone()).bind("127.0.0.1:0").await?;
    let url = format!("http://{}", server.local_addr());
    let handle = server.handle();
    runtime.spawn(async move {
        let served = server.serve(|mut socket| async move {
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
            }
            Ok(())
        });
        if let Err(error) = served.await {
            eprintln!("the server has failed: {error}");
        }
    });

    let mut client = Client::builder_on(runtime, &url).connect().await?;
    for number in 0..10 {
        client.send(format!("message {number}")).await?;
        println!("{:?} over {:?}", client.recv().await, client.transport());
    }
    client.close().await?;
    handle.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
