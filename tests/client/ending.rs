//! The end of a session, from each state that it may be in.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use sansocket::engineio::{self, CloseReason, Transport};
use sansocket::runtime::engineio::{Backoff, ClientEvent, SendError};

use crate::runtime::{self, Client};

use crate::client::{
    ENOUGH, Host, WAYS, client, echo, event, quickly, run, run_on_both, server, until, upgraded, within,
};
use crate::front::{self, Answer, Front, Kind, Sink, open_packet};

/// `close` comes to its end, and finds nothing unsent.
async fn assert_closes(client: &mut Client) {
    within("the end", client.close()).await.unwrap();
    assert_eq!(client.closed().unwrap().reason, CloseReason::ClientDisconnect);
    assert_eq!(within("nothing", client.recv()).await, None);
    // Once more is no error.
    within("the end", client.close()).await.unwrap();
    client.begin_close();
    client.abort();
    assert_eq!(client.closed().unwrap().reason, CloseReason::ClientDisconnect);
}

#[test]
fn close_while_polling_and_on_a_websocket() {
    run_on_both(|| async {
        let host = Host::echo(server()).await;
        for way in WAYS {
            for wait in [false, true] {
                let mut client = client(&host.url).transports(way).connect().await.unwrap();
                if wait && way.len() == 2 {
                    upgraded(&mut client).await;
                }
                assert_eq!(client.closed(), None);
                let begun = Instant::now();
                assert_closes(&mut client).await;
                assert!(begun.elapsed() < Duration::from_secs(4), "a deadline has ended it");
                host.until_empty().await;
            }
        }
    });
}

#[test]
fn close_while_connecting() {
    run(async {
        let front = Front::start(|_| Answer::Silence);
        for transport in [Transport::Polling, Transport::WebSocket] {
            let mut client = client(&front.url()).transports(&[transport]).start().unwrap();
            front.wait_for(|_| true);
            assert_closes(&mut client).await;
        }
        // Before anything was done at all.
        let mut client = client(&front.url()).start().unwrap();
        assert_closes(&mut client).await;
    });
}

/// What was queued for a session that never was is given back.
#[test]
fn close_while_connecting_with_messages() {
    run(async {
        let front = Front::start(|_| Answer::Silence);
        let mut client = client(&front.url()).start().unwrap();
        client.send("a").await.unwrap();
        let closed = within("the end", client.close()).await;
        assert!(
            matches!(closed, Err(sansocket::Error::Unsent(closed)) if closed.unsent == 1),
            "{closed:?}"
        );
        assert_eq!(client.take_unsent(), ["a".into()]);
    });
}

/// The WebSocket was asked for, was granted, has answered the probe: and the last poll is not let go.
#[test]
fn close_while_upgrading() {
    run(async {
        for step in 0..3 {
            let posted = Arc::new(Mutex::new(Vec::new()));
            let kept = posted.clone();
            let front = Front::start(move |request| match request.kind() {
                Kind::Handshake => Answer::ok(open_packet(&["websocket"])),
                Kind::Post => {
                    kept.lock().unwrap().push(request.text().to_owned());
                    Answer::ok("ok")
                }
                Kind::Poll => Answer::Silence,
                _ if step == 0 => Answer::Silence,
                _ => Answer::websocket(move |mut websocket| {
                    while let Ok(message) = websocket.read() {
                        if step == 2 && message.to_text().is_ok_and(|text| text == "2probe") {
                            let _ = websocket.send(tungstenite::Message::text("3probe"));
                        }
                    }
                }),
            });
            let builder = client(&front.url()).close_timeout(Duration::from_millis(300));
            let mut client = builder
                .upgrade_timeout(Duration::from_millis(600))
                .connect()
                .await
                .unwrap();
            front.wait_for(|request| request.kind() == Kind::Upgrade);
            client.send("a").await.unwrap();
            let closed = within("the end", client.close()).await;
            if step < 2 {
                closed.unwrap();
                assert_eq!(posted.lock().unwrap().join("\x1e"), "4a\x1e1");
            }
            assert_eq!(client.closed().unwrap().reason, CloseReason::ClientDisconnect);
        }
    });
}

#[test]
fn close_after_the_server_s() {
    run_on_both(|| async {
        let host = Host::serve(server(), |socket| async move {
            socket.close();
            Ok(())
        })
        .await;
        for way in WAYS {
            let mut client = client(&host.url).transports(way).connect().await.unwrap();
            let closed = within("the end", client.wait()).await;
            assert_eq!(closed.reason, CloseReason::ServerDisconnect);
            client.close().await.unwrap();
            assert_eq!(client.closed(), Some(closed), "the end stays what it was");
        }
        host.until_empty().await;
    });
}

#[test]
fn close_between_two_sessions() {
    run(async {
        let front = front::polling(|_| Answer::HangUp);
        let backoff = quickly(5)
            .delay(Duration::from_secs(60))
            .max_delay(Duration::from_secs(60));
        let mut client = client(&front.url()).reconnect(backoff).connect().await.unwrap();
        while !matches!(event(&mut client).await, ClientEvent::Reconnecting { .. }) {}
        client.send("kept").await.unwrap();
        let begun = Instant::now();
        let closed = within("the end", client.close()).await;
        assert!(
            matches!(closed, Err(sansocket::Error::Unsent(closed)) if closed.unsent == 1),
            "{closed:?}"
        );
        assert_eq!(client.closed().unwrap().reason, CloseReason::ClientDisconnect);
        assert_eq!(client.take_unsent(), ["kept".into()]);
        assert!(begun.elapsed() < Duration::from_secs(4));
        assert_eq!(front.requests_of(Kind::Handshake).len(), 1);
    });
}

/// What is queued goes out first, and unread messages hold nothing up.
#[test]
fn close_with_a_full_queue_and_unread_messages() {
    run(async {
        for way in WAYS {
            let (note, notes) = mpsc::channel();
            let host = Host::serve(server(), move |mut socket| {
                let note = note.clone();
                async move {
                    for _ in 0..20 {
                        socket.send("x".repeat(20_000)).await?;
                    }
                    while let Some(message) = socket.recv().await {
                        note.send(message).expect("the test");
                    }
                    Ok(())
                }
            })
            .await;
            let mut config = engineio::client::Config::default();
            config.receive_window = 1_000;
            let builder = client(&host.url).config(config).transports(way).max_queue(100_000);
            let mut client = builder.connect().await.unwrap();
            let mut sent = 0;
            while client.try_send(sent.to_string()).is_ok() {
                sent += 1;
            }
            within("the end", client.close()).await.unwrap();
            host.until_empty().await;
            // The handler may go on for a moment when its session is over.
            let mut taken = Vec::new();
            until("all has come", || {
                taken.extend(notes.try_iter());
                taken.len() >= sent
            })
            .await;
            assert_eq!(taken.len(), sent);
            assert!(
                taken
                    .iter()
                    .enumerate()
                    .all(|(at, message)| *message == at.to_string().into())
            );
            assert_eq!(client.recv().await, None, "what came is dropped");
        }
    });
}

/// Messages from before the close, and from between our close packet and the server's end.
#[test]
fn begin_close_and_receive_to_the_end() {
    run(async {
        let front = front::on_websocket(|mut websocket| {
            for number in 0..10 {
                let _ = websocket.send(tungstenite::Message::text(format!("4{number}")));
            }
            while let Ok(message) = websocket.read() {
                if message.to_text().is_ok_and(|text| text == "1") {
                    for number in 10..15 {
                        let _ = websocket.send(tungstenite::Message::text(format!("4{number}")));
                    }
                }
            }
        });
        let mut client = client(&front.url())
            .transports(&[Transport::WebSocket])
            .connect()
            .await
            .unwrap();
        assert_eq!(within("a message", client.recv()).await, Some("0".into()));
        client.begin_close();
        for number in 1..15 {
            let message = within("a message", client.recv()).await;
            assert_eq!(message, Some(number.to_string().into()));
        }
        assert_eq!(within("the end", client.recv()).await, None);
        assert_eq!(client.wait().await.reason, CloseReason::ClientDisconnect);
    });
}

#[test]
fn abort_ends_it_at_once() {
    run(async {
        let (go, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let front = front::on_websocket(move |mut websocket| {
            let _told = wait.lock().expect("the only one").recv_timeout(ENOUGH);
            while websocket.read().is_ok() {}
        });
        let mut client = client(&front.url())
            .transports(&[Transport::WebSocket])
            .connect()
            .await
            .unwrap();
        let mut sent = 0;
        while client.try_send(vec![1; 100_000]).is_ok() {
            sent += 1;
            runtime::pause(Duration::from_millis(1)).await;
        }
        let begun = Instant::now();
        client.abort();
        let closed = within("the end", client.wait()).await;
        assert_eq!(closed.reason, CloseReason::ClientDisconnect);
        assert!(closed.unsent > 0);
        assert_eq!(closed.unsent + closed.in_doubt, sent);
        assert_eq!(client.take_unsent().len(), closed.unsent);
        assert_eq!(client.recv().await, None);
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{:?} for an end at once",
            begun.elapsed()
        );
        drop(go);
    });
}

#[test]
fn drop_closes_in_order() {
    run(async {
        for (way, close) in WAYS.iter().zip(["1", "1", "1"]) {
            let sink = Sink::start(10_000);
            let client = client(&sink.front.url()).transports(way).connect().await.unwrap();
            for number in 0..50 {
                client.send(number.to_string()).await.unwrap();
            }
            let sender = client.sender();
            drop(client);
            assert!(matches!(sender.send("late").await, Err(SendError::Closed(_))));
            let closed = within("the end", sender.wait()).await;
            assert_eq!((closed.reason, closed.unsent), (CloseReason::ClientDisconnect, 0));
            let wanted: Vec<String> = (0..50).map(|number| number.to_string()).collect();
            assert_eq!(sink.wait_for(50), wanted);
            until("the close packet", || {
                sink.packets().last().is_some_and(|last| last == close)
            })
            .await;
        }
    });
}

/// Nobody waits for the future of `close`; the session ends nevertheless.
#[test]
fn a_close_that_nobody_waits_for() {
    run_on_both(|| async {
        let host = Host::echo(server()).await;
        let mut client = client(&host.url).connect().await.unwrap();
        let _not_yet = tokio::time::timeout(Duration::ZERO, client.close()).await;
        host.until_empty().await;
        assert_eq!(
            within("the end", client.wait()).await.reason,
            CloseReason::ClientDisconnect
        );
    });
}

#[test]
fn a_connect_that_nobody_waits_for() {
    run(async {
        let front = Front::start(|_| Answer::Silence);
        let connecting = tokio::time::timeout(Duration::from_millis(200), client(&front.url()).connect());
        assert!(connecting.await.is_err());
        let (done, ended) = mpsc::channel();
        std::thread::spawn(move || {
            front.wait_for(|_| true);
            done.send(front).expect("the test");
        });
        let front = ended.recv_timeout(ENOUGH).unwrap();
        assert_eq!(front.requests().len(), 1, "it goes on trying");
    });
}

/// A runtime that ends takes its clients with it: nobody hangs, and nobody panics.
#[test]
fn a_runtime_that_ends() {
    if !runtime::is_tokio() {
        // Nobody can end the others: they end with the program.
        return;
    }
    for threads in [1, 2] {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .unwrap();
        let (client, waiting) = runtime.block_on(async {
            let host = Host::serve(server(), echo).await;
            let mut client = client(&host.url).connect().await.unwrap();
            upgraded(&mut client).await;
            let starting = crate::client::client("http://127.0.0.1:1")
                .reconnect(quickly(1_000))
                .start()
                .unwrap();
            (client, starting)
        });
        runtime.shutdown_timeout(ENOUGH);
        let (sender, other) = (client.sender(), waiting.sender());
        assert!(sender.try_send("late").is_err());
        run(async move {
            within("the end", sender.wait()).await;
            within("the end", other.wait()).await;
            let (mut client, mut waiting) = (client, waiting);
            while within("the end", client.event()).await.is_some() {}
            while within("the end", waiting.event()).await.is_some() {}
            client.close().await.unwrap();
            drop(waiting);
        });
    }
}

/// Closing takes longer than its timeout where the server is slow, and something moves all the time.
#[test]
fn close_waits_while_something_moves() {
    const SIZE: usize = 256 * 1024;
    const COUNT: usize = 60;

    run(async {
        let taken = Arc::new(Mutex::new(0));
        let count = taken.clone();
        let front = front::on_websocket(move |mut websocket| {
            while let Ok(message) = websocket.read() {
                if message.is_binary() {
                    assert_eq!(message.len(), SIZE);
                    *count.lock().unwrap() += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        });
        let timeout = Duration::from_millis(400);
        let builder = client(&front.url()).transports(&[Transport::WebSocket]);
        let builder = builder.close_timeout(timeout).max_queue(100_000_000);
        let mut client = builder.connect().await.unwrap();
        for _ in 0..COUNT {
            client.send(vec![0; SIZE]).await.unwrap();
        }
        within("the end", client.close()).await.unwrap();
        until("all has come", || *taken.lock().unwrap() == COUNT).await;
    });
}

/// Where nothing moves, it is given up, and nobody is told that all is well.
#[test]
fn close_does_not_wait_for_a_server_that_does_nothing() {
    run(async {
        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&[])),
            _ => Answer::Silence,
        });
        let builder = client(&front.url()).close_timeout(Duration::from_millis(200));
        let mut client = builder.connect().await.unwrap();
        client.send("a").await.unwrap();
        front.wait_for(|request| request.kind() == Kind::Post);
        client.send("b").await.unwrap();
        let begun = Instant::now();
        assert!(within("the end", client.close()).await.is_err());
        assert!(begun.elapsed() < Duration::from_secs(4));
        let closed = client.closed().unwrap();
        assert_eq!((closed.unsent, closed.in_doubt), (1, 1));
    });
}

/// What the server says before it comes to our goodbye is heard, as long as it goes on.
#[test]
fn a_close_goes_on_while_the_server_talks() {
    run(async {
        let front = front::on_websocket(|mut websocket| {
            for number in 0..30 {
                std::thread::sleep(Duration::from_millis(50));
                let _ = websocket.send(tungstenite::Message::text(format!("4{number}")));
            }
            while websocket.read().is_ok() {}
        });
        let mut client = client(&front.url())
            .transports(&[Transport::WebSocket])
            .close_timeout(Duration::from_secs(1))
            .connect()
            .await
            .unwrap();
        client.begin_close();
        for number in 0..30 {
            let message = within("a message", client.recv()).await;
            assert_eq!(message, Some(number.to_string().into()));
        }
        assert_eq!(within("the end", client.recv()).await, None);
        assert_eq!(client.wait().await.reason, CloseReason::ClientDisconnect);
    });
}

/// The open packet and the end may come at once; whoever waits for the first session is told, although the next one
/// is on its way.
#[test]
fn a_session_that_is_over_at_once() {
    run_on_both(|| async {
        let front = Front::start(|request| {
            let key = request.header("sec-websocket-key").unwrap_or_default();
            Answer::Raw(open_and_close(key))
        });
        let client = client(&front.url())
            .transports(&[Transport::WebSocket])
            .reconnect(Backoff::default().delay(ENOUGH).max_delay(ENOUGH));
        let mut client = within("a session", client.connect()).await.unwrap();
        assert!(matches!(event(&mut client).await, ClientEvent::Opened { .. }));
        client.abort();
    });
}

/// A WebSocket that is granted, opened and closed in one breath.
fn open_and_close(key: &str) -> Vec<u8> {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket";
    let mut bytes = format!("{head}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").into_bytes();
    let packet = open_packet(&[]);
    bytes.extend([0x81, u8::try_from(packet.len()).expect("a short packet")]);
    bytes.extend(packet.into_bytes());
    bytes.extend([0x88, 0]);
    bytes
}
