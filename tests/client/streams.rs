//! Streams that the application makes in place of the runtime.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sansocket::Error;
use sansocket::blocking::ThreadStream;
use sansocket::engineio::Transport;
use sansocket::runtime::engineio::{ConnectError, ErrorKind};
use sansocket::runtime::futures_io::FuturesStream;
use sansocket::runtime::{DialTarget, Runtime, Stream};
use sansocket::tokio::TokioStream;

use crate::client::{Host, WAYS, client, run, server, upgraded, within};
use crate::runtime::{Any, Client, ClientBuilder};

async fn error_of(builder: ClientBuilder) -> ConnectError {
    match within("an error", builder.connect()).await {
        Err(Error::Connect(error)) => error,
        other => panic!("{other:?}"),
    }
}

async fn assert_echoes(client: &mut Client) {
    client.send("hello").await.unwrap();
    assert_eq!(within("an echo", client.recv()).await, Some("hello".into()));
}

/// The name is nobody's but the function's: nothing is resolved.
#[test]
fn every_stream_is_made_by_it() {
    run(async {
        let host = Host::echo(server()).await;
        let (address, asked) = (host.address, Arc::new(Mutex::new(Vec::new())));
        for way in WAYS {
            let noted = asked.clone();
            let dial = move |target: DialTarget| {
                noted.lock().unwrap().push((target.host().to_owned(), target.port()));
                async move { Any::default().connect(address).await }
            };
            let options = client("http://nowhere.invalid:81").transports(way).dial_with(dial);
            let mut client = options.connect().await.unwrap();
            if way.len() == 2 {
                upgraded(&mut client).await;
            }
            assert_echoes(&mut client).await;
            client.close().await.unwrap();
            let asked = std::mem::take(&mut *asked.lock().unwrap());
            let expected = match way {
                [Transport::WebSocket] => 1..=1,
                // A poll, a POST, and a WebSocket where it may.
                _ => 2..=4,
            };
            assert!(expected.contains(&asked.len()), "{way:?}: {asked:?}");
            assert!(
                asked.iter().all(|target| *target == ("nowhere.invalid".to_owned(), 81)),
                "{asked:?}"
            );
        }
        host.until_empty().await;
    });
}

#[test]
fn what_it_fails_with_is_the_error() {
    run(async {
        let calls = Arc::new(AtomicUsize::new(0));
        for transport in [Transport::Polling, Transport::WebSocket] {
            let counted = calls.clone();
            let dial = move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
                async { Err::<ThreadStream, _>(io::Error::other("the tunnel is shut")) }
            };
            let error = error_of(client("http://host").transports(&[transport]).dial_with(dial)).await;
            assert_eq!(error.kind(), ErrorKind::Connection);
            assert!(error.to_string().contains("the tunnel is shut"), "{error}");
        }
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        // A panic of the application's is an error like any other.
        fn broken() -> io::Result<ThreadStream> {
            panic!("as the test wants it")
        }
        let error = error_of(client("http://host").dial_with(|_| async { broken() })).await;
        assert!(error.to_string().contains("panicked"), "{error}");
    });
}

/// It has the time that whatever needs the stream has.
#[test]
fn it_has_a_deadline() {
    run(async {
        let never = |_| std::future::pending::<io::Result<ThreadStream>>();
        let options = client("http://host").connect_timeout(Duration::from_millis(200));
        let error = error_of(options.dial_with(never)).await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    });
}

/// A proxy that is given is spoken to over the stream; its target is the proxy.
#[test]
fn with_a_proxy_of_one_s_own() {
    run(async {
        let target = Arc::new(Mutex::new(None));
        let noted = target.clone();
        let dial = move |target: DialTarget| {
            *noted.lock().unwrap() = Some((target.host().to_owned(), target.port()));
            async { Err::<ThreadStream, _>(io::Error::other("the tunnel is shut")) }
        };
        let options = client("http://host").proxy("http://proxy.invalid:3128").dial_with(dial);
        let error = error_of(options).await;
        assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
        assert_eq!(*target.lock().unwrap(), Some(("proxy.invalid".to_owned(), 3128)));
    });
}

/// A Unix socket in front of a server.
struct Gate {
    path: PathBuf,
}

impl Gate {
    fn start(name: &str, to: SocketAddr) -> Self {
        let path = std::env::temp_dir().join(format!("sansocket-{name}-{}", std::process::id()));
        let _stale = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a socket");
        // It ends with the test program.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(to).expect("the server");
                std::thread::spawn(move || splice(&stream, &server));
            }
        });
        Self { path }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Bytes both ways until both have ended.
fn splice(client: &UnixStream, server: &TcpStream) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut &*client, &mut &*server);
            let _ = server.shutdown(std::net::Shutdown::Write);
        });
        let _ = io::copy(&mut &*server, &mut &*client);
        let _ = client.shutdown(std::net::Shutdown::Both);
    });
}

/// With the types of each runtime.
async fn unix(path: PathBuf) -> io::Result<Box<dyn Stream>> {
    Ok(match Any::default() {
        Any::Tokio(_) => Box::new(TokioStream(tokio::net::UnixStream::connect(path).await?)),
        Any::Smol(_) => Box::new(FuturesStream::new(smol::net::unix::UnixStream::connect(path).await?)),
        Any::AsyncStd(_) => {
            let stream = async_std::os::unix::net::UnixStream::connect(path).await?;
            Box::new(FuturesStream::new(stream))
        }
        Any::Threads(_) => Box::new(ThreadStream::from_fd(UnixStream::connect(path)?)?),
    })
}

#[test]
fn unix_sockets() {
    run(async {
        let host = Host::echo(server()).await;
        let gate = Gate::start("client", host.address);
        for way in WAYS {
            let path = gate.path.clone();
            let options = client("http://localhost").transports(way);
            let mut client = options.dial_with(move |_| unix(path.clone())).connect().await.unwrap();
            if way.len() == 2 {
                upgraded(&mut client).await;
            }
            assert_echoes(&mut client).await;
            client.close().await.unwrap();
        }
        host.until_empty().await;
    });
}

/// Told at once, and not when something is to be read.
#[test]
fn what_is_no_stream() {
    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let error = ThreadStream::from_fd(datagrams).expect_err("it has no stream");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    let file = File::open("/dev/null").expect("it is always there");
    assert!(ThreadStream::from_fd(file).is_err());
}

/// The client without `async` takes what the standard library has.
#[test]
fn on_threads() {
    use sansocket::blocking::engineio::Client;

    run(async {
        let host = Host::echo(server()).await;
        let gate = Gate::start("threads", host.address);
        let (address, path) = (host.address, gate.path.clone());
        let talking = std::thread::spawn(move || {
            let talk = |mut client: Client| {
                client.send("hello").unwrap();
                assert_eq!(client.recv(), Some("hello".into()));
                client.close().unwrap();
            };
            let tcp = move |_| TcpStream::connect_timeout(&address, crate::client::ENOUGH);
            talk(Client::builder("http://host").dial_with(tcp).connect().unwrap());
            let unix = move |_| UnixStream::connect(&path);
            talk(Client::builder("http://host").dial_with(unix).connect().unwrap());
            let shut = |_| Err::<TcpStream, _>(io::Error::other("the tunnel is shut"));
            let failed = Client::builder("http://host").dial_with(shut).connect();
            assert!(failed.unwrap_err().to_string().contains("the tunnel is shut"));
        });
        within("the conversations", async {
            while !talking.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        talking.join().unwrap();
        host.until_empty().await;
    });
}
