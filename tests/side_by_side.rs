//! All runtimes in one program: a server on each, and clients on each of each.

#![cfg(all(feature = "cli", unix))]

#[path = "server/runtime.rs"]
#[allow(dead_code, reason = "the other suite wants more of it")]
mod runtime;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sansocket::async_std::AsyncStd;
use sansocket::blocking::Threads;
use sansocket::engineio::{Data, Transport};
use sansocket::runtime::engineio::{Client, Handle, Server};
use sansocket::smol::Smol;
use sansocket::tokio::Tokio;

use runtime::Any;

/// For what should come at once: generous, since the machine may be busy.
const ENOUGH: Duration = Duration::from_secs(10);

fn all() -> [Any; 4] {
    [
        Any::Tokio(Tokio),
        Any::Smol(Smol::default()),
        Any::AsyncStd(AsyncStd),
        Any::Threads(Threads::new()),
    ]
}

/// Serves echoes in a thread; answers the URL.
fn serve(any: Any) -> (String, Handle, thread::JoinHandle<()>) {
    let (ready, bound) = mpsc::channel();
    let thread = thread::spawn(move || {
        any.clone().block_on(false, async {
            let server = Server::builder_on(any).bind("127.0.0.1:0").await.expect("a free port");
            ready
                .send((format!("http://{}", server.local_addr()), server.handle()))
                .expect("the test");
            let echo = server.serve(|mut socket| async move {
                while let Some(message) = socket.recv().await {
                    socket.send(message).await?;
                }
                Ok(())
            });
            echo.await.expect("serving never fails");
        });
    });
    let (url, handle) = bound.recv_timeout(ENOUGH).expect("a server");
    (url, handle, thread)
}

async fn talk(any: Any, url: &str) {
    let transports = [Transport::Polling, Transport::WebSocket];
    let client = Client::builder_on(any, url).transports(&transports).no_proxy();
    let mut client = client.connect().await.expect("a session");
    for number in 0..100 {
        client.send(format!("message {number}")).await.expect("it is open");
    }
    for number in 0..100 {
        assert_eq!(client.recv().await, Some(Data::from(format!("message {number}"))));
    }
    client.close().await.expect("nothing is left");
}

#[test]
fn every_client_talks_to_every_server() {
    let servers = all().map(serve);
    thread::scope(|scope| {
        for any in all() {
            let servers = &servers;
            scope.spawn(move || {
                any.clone().block_on(false, async {
                    for (url, ..) in servers {
                        talk(any.clone(), url).await;
                    }
                });
            });
        }
    });
    for (_, handle, thread) in servers {
        assert_eq!((handle.stats().opened, handle.stats().received), (4, 400));
        sansocket::blocking::block_on(handle.shutdown(ENOUGH));
        thread.join().expect("the server has ended");
    }
}
