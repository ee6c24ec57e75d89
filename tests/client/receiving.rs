//! Receiving: nothing is lost to a `select!`, and a server whose client does not receive has to wait.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use sansocket::engineio::{self, CloseReason, Config, Transport};
use sansocket::{Category, Error, TryRecvError};

use crate::client::{ENOUGH, Host, WAYS, client, run, run_on_both, server, until_still, within};
use crate::front;
use crate::runtime;

#[test]
fn recv_in_a_select_loses_nothing() {
    run_on_both(|| async {
        for way in WAYS {
            let host = Host::serve(server(), |mut socket| async move {
                for number in 0..300_u64 {
                    socket.send(number.to_string()).await?;
                    if number % 7 == 0 {
                        runtime::pause(Duration::from_micros(number)).await;
                    }
                }
                let _close = socket.recv().await;
                Ok(())
            })
            .await;
            let mut client = client(&host.url).transports(way).connect().await.unwrap();
            let mut others = 0;
            let mut next = 0;
            while next < 300 {
                let step = async {
                    tokio::select! {
                        message = client.recv() => {
                            assert_eq!(message, Some(next.to_string().into()));
                            next += 1;
                        }
                        () = runtime::pause(Duration::from_micros(300)) => others += 1,
                        () = tokio::task::yield_now() => others += 1,
                    }
                };
                within("either of them", step).await;
            }
            assert!(others > 0);
            client.close().await.unwrap();
            host.until_empty().await;
        }
    });
}

/// What the kernel's buffers, the server's queue and the window hold is all that is on its way; then it goes on.
#[test]
fn a_server_is_made_to_wait() {
    const SIZE: usize = 64 * 1024;
    const COUNT: usize = 400;

    run_on_both(|| async {
        for way in WAYS {
            let mut config = Config::default();
            config.max_queue = 10 * SIZE;
            let sent = Arc::new(AtomicUsize::new(0));
            let count = sent.clone();
            let host = Host::serve(server().config(config), move |mut socket| {
                let count = count.clone();
                async move {
                    for number in 0..COUNT {
                        let mut bytes = vec![0; SIZE];
                        bytes[..8].copy_from_slice(&number.to_be_bytes());
                        socket.send(bytes).await?;
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    let _close = socket.recv().await;
                    Ok(())
                }
            })
            .await;
            let mut client = client(&host.url).transports(way).connect().await.unwrap();
            let before = until_still("sending to a client that does not receive", || {
                sent.load(Ordering::SeqCst)
            })
            .await;
            assert!(before < COUNT, "all of it was taken, by {way:?}");
            for number in 0..COUNT {
                let message = within("a message", client.recv()).await.expect("a message");
                let bytes = message.as_bytes();
                assert_eq!(bytes.len(), SIZE);
                assert_eq!(bytes[..8], number.to_be_bytes());
            }
            client.close().await.unwrap();
            host.until_empty().await;
        }
    });
}

/// An application that takes nothing for longer than it may has lost its session; what came can still be taken.
#[test]
fn an_application_that_stalls() {
    run_on_both(|| async {
        // A client that does not poll does not say goodbye either: the server finds out by its pings.
        let options = server()
            .ping_interval(Duration::from_secs(1))
            .ping_timeout(Duration::from_secs(1));
        let host = Host::serve(options, |mut socket| async move {
            for number in 0..10 {
                socket.send(number.to_string()).await?;
            }
            let _end = socket.recv().await;
            Ok(())
        })
        .await;
        let mut config = engineio::client::Config::default();
        config.receive_window = 1;
        config.stall_timeout = Some(Duration::from_millis(100));
        let mut client = client(&host.url).config(config).connect().await.unwrap();
        let closed = within("the end", client.wait()).await;
        assert_eq!(closed.reason, CloseReason::Stalled);
        assert_eq!(client.recv().await, Some("0".into()));
        while let Some(message) = within("the rest", client.recv()).await {
            assert!(message.as_text().is_some());
        }
        host.until_empty().await;
    });
}

/// Pongs for a server that asks for them and reads nothing are not heaped up.
#[test]
fn a_server_that_floods_with_pings() {
    const MOST: usize = 48_000_000;

    run(async {
        let (note, notes) = mpsc::channel();
        let front = front::on_websocket(move |mut websocket| {
            let ping = [&[0x89, 125][..], &[7; 125]].concat().repeat(500);
            let stream = websocket.get_mut();
            let _ = stream.set_write_timeout(Some(Duration::from_millis(700)));
            let mut written = 0;
            while written < MOST {
                match stream.write(&ping[written % 127..]) {
                    Ok(length) => written += length,
                    Err(_) => break,
                }
            }
            note.send(written).expect("the test");
        });
        let client = client(&front.url())
            .transports(&[Transport::WebSocket])
            .connect()
            .await
            .unwrap();
        let written = notes.recv_timeout(2 * ENOUGH).unwrap();
        assert!(
            written < MOST,
            "{written} bytes of pings were taken, and none of their pongs"
        );
        client.abort();
    });
}

#[test]
fn receiving_without_waiting() {
    run_on_both(|| async {
        for way in WAYS {
            let host = Host::serve(server(), |mut socket| async move {
                let numbers: Vec<u32> = socket.recv().await.expect("a question").json()?;
                for number in numbers {
                    socket.send_json(&number).await?;
                }
                socket.close();
                Ok(())
            })
            .await;
            let mut client = client(&host.url).transports(way).connect().await.unwrap();
            assert_eq!(client.try_recv(), Err(TryRecvError::Empty));
            client.send_json(&[1, 2, 3]).await.unwrap();
            let first = within("the first", client.recv()).await.expect("a message");
            assert_eq!(first.json::<u32>().unwrap(), 1);
            let mut rest = Vec::new();
            let closed = within("the end", async {
                loop {
                    match client.try_recv() {
                        Ok(message) => rest.push(message.json::<u32>().unwrap()),
                        Err(TryRecvError::Empty) => runtime::pause(Duration::from_millis(2)).await,
                        Err(TryRecvError::Closed) => break client.closed().expect("it has ended"),
                    }
                }
            });
            let closed = closed.await;
            assert_eq!(rest, [2, 3]);
            assert_eq!(closed.reason.as_python_client(), "server disconnect");
            assert_eq!(Error::from(client.try_recv().unwrap_err()).category(), Category::Closed);
            let refused = client.send_json("late").await.expect_err("it is over");
            assert_eq!(refused.into_data(), Some(r#""late""#.into()));
            host.until_empty().await;
        }
    });
}
