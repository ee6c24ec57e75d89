//! The event style.

use std::sync::mpsc;
use std::time::Duration;

use sansocket::engineio::{CloseReason, Data, Transport};
use sansocket::runtime::engineio::ClientSender;
use sansocket::{Error, engineio::Closed};

use crate::client::{ENOUGH, Host, client, quickly, run, run_on_both, server, within};
use crate::front::{self, Answer, Kind};
use crate::runtime;

#[test]
fn handlers_are_called_in_order_and_one_at_a_time() {
    run_on_both(|| async {
        let host = Host::serve(server(), |mut socket| async move {
            for number in 0..20 {
                socket.send(number.to_string()).await?;
            }
            let answer = socket.recv().await;
            assert_eq!(answer, Some("hello".into()));
            socket.send("bye").await?;
            socket.close();
            Ok(())
        })
        .await;
        let (note, notes) = mpsc::channel();
        let (note_message, note_end) = (note.clone(), note.clone());
        let sender = client(&host.url)
            .on_connect(move |sender: ClientSender| {
                let note = note.clone();
                async move {
                    note.send(format!("open {}", sender.sid().is_some())).unwrap();
                    sender.send("hello").await
                }
            })
            .on_message(move |_, message: Data| {
                let note = note_message.clone();
                async move {
                    let text = message.as_text().unwrap_or_default().to_owned();
                    // Were there two of them at a time, the second would overtake the first.
                    runtime::pause(Duration::from_millis(text.len() as u64 % 2)).await;
                    note.send(text).unwrap();
                }
            })
            .on_disconnect(move |_, closed: Closed| {
                let note = note_end.clone();
                async move { note.send(format!("closed {}", closed.reason)) }
            })
            .connect()
            .await
            .unwrap();
        let closed = within("the end", sender.wait()).await;
        assert_eq!(closed.reason, CloseReason::ServerDisconnect);
        let mut wanted = vec!["open true".to_owned()];
        wanted.extend((0..20).map(|number| number.to_string()));
        wanted.extend(["bye".to_owned(), "closed server disconnect".to_owned()]);
        let mut seen = Vec::new();
        while seen.len() < wanted.len() {
            let next = within("a note", async {
                loop {
                    match notes.try_recv() {
                        Ok(note) => break note,
                        Err(_) => runtime::pause(Duration::from_millis(2)).await,
                    }
                }
            });
            seen.push(next.await);
        }
        assert_eq!(seen, wanted);
        host.until_empty().await;
        assert_eq!(notes.try_iter().count(), 0);
    });
}

/// The client's task goes on for as long as there is a session, whoever holds a sender.
#[test]
fn handlers_live_without_a_sender() {
    run(async {
        let (note, notes) = mpsc::channel();
        let host = Host::serve(server(), |mut socket| async move {
            socket.send("a").await?;
            let _end = socket.recv().await;
            Ok(())
        })
        .await;
        let connected = client(&host.url)
            .on_message(move |sender, message| {
                note.send(message).unwrap();
                async move { sender.begin_close() }
            })
            .connect()
            .await;
        drop(connected.unwrap());
        assert_eq!(notes.recv_timeout(ENOUGH), Ok("a".into()));
        host.until_empty().await;
    });
}

#[test]
fn an_error_of_a_handler_ends_nothing() {
    run(async {
        let host = Host::echo(server()).await;
        let (note, notes) = mpsc::channel();
        let sender = client(&host.url)
            .on_connect(|_| async { Err(Error::application("no")) })
            .on_message(move |_, message| {
                let note = note.clone();
                async move {
                    note.send(message).unwrap();
                    Err(Error::application("no"))
                }
            })
            .connect()
            .await
            .unwrap();
        for text in ["a", "b"] {
            sender.send(text).await.unwrap();
            assert_eq!(notes.recv_timeout(ENOUGH), Ok(text.into()));
        }
        assert_eq!(sender.closed(), None);
        sender.begin_close();
        within("the end", sender.wait()).await;
        host.until_empty().await;
    });
}

/// In the closure or in its future: the session is closed in order, and its end is told.
#[test]
fn a_panic_of_a_handler_closes_the_session() {
    run(async {
        for early in [true, false] {
            let host = Host::echo(server()).await;
            let (note, notes) = mpsc::channel();
            let sender = client(&host.url)
                .reconnect(quickly(3))
                .on_message(move |_, _| {
                    assert!(!early, "a test's panic");
                    async move { assert!(early, "a test's panic") }
                })
                .on_disconnect(move |_, closed| {
                    note.send(closed.reason).unwrap();
                    async {}
                })
                .connect()
                .await
                .unwrap();
            sender.send("a").await.unwrap();
            let closed = within("the end", sender.wait()).await;
            assert_eq!(closed.reason, CloseReason::ClientDisconnect);
            assert_eq!(notes.recv_timeout(ENOUGH), Ok(CloseReason::ClientDisconnect));
            host.until_empty().await;
        }
    });
}

#[test]
fn no_session_is_an_error_and_no_handler_is_called() {
    run_on_both(|| async {
        let (note, notes) = mpsc::channel::<&str>();
        let other = note.clone();
        let connected = client("http://127.0.0.1:1")
            .on_connect(move |_| {
                note.send("open").unwrap();
                async {}
            })
            .on_disconnect(move |_, _| {
                other.send("closed").unwrap();
                async {}
            })
            .connect()
            .await;
        assert!(matches!(connected, Err(Error::Connect(_))));
        assert_eq!(notes.recv_timeout(ENOUGH), Err(mpsc::RecvTimeoutError::Disconnected));
    });
}

/// Each session that was open is told once, and no other.
#[test]
fn handlers_are_told_of_each_session_and_no_other() {
    run(async {
        let front = front::Front::start({
            let handshakes = std::sync::atomic::AtomicUsize::new(0);
            move |request| match request.kind() {
                Kind::Handshake if handshakes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 => {
                    Answer::ok(front::open_packet(&[]))
                }
                // From the third on, nobody answers.
                Kind::Handshake => Answer::Silence,
                Kind::Post => Answer::ok("ok"),
                _ => Answer::HangUp,
            }
        });
        let (note, notes) = mpsc::channel();
        let other = note.clone();
        let sender = client(&front.url())
            .reconnect(quickly(10))
            .on_connect(move |_| {
                note.send("open").unwrap();
                async {}
            })
            .on_disconnect(move |_, _| {
                other.send("closed").unwrap();
                async {}
            })
            .connect()
            .await
            .unwrap();
        for wanted in ["open", "closed", "open", "closed"] {
            assert_eq!(notes.recv_timeout(ENOUGH), Ok(wanted));
        }
        sender.begin_close();
        within("the end", sender.wait()).await;
        // The handlers are dropped behind the last event, and the channel with them.
        let rest: Vec<_> = std::iter::from_fn(|| notes.recv_timeout(ENOUGH).ok()).collect();
        assert!(rest.is_empty(), "{rest:?}");
    });
}

/// Whoever waits for the end may leave then: everything has been handled.
#[test]
fn the_end_is_told_when_handlers_have_been_told() {
    run_on_both(|| async {
        let front = front::on_websocket(|mut websocket| {
            for text in ["4a", "4b", "4c"] {
                let _ = websocket.send(tungstenite::Message::text(text));
            }
        });
        let (note, notes) = mpsc::channel();
        let note_end = note.clone();
        let sender = client(&front.url())
            .transports(&[Transport::WebSocket])
            .on_message(move |_, message: Data| {
                let note = note.clone();
                async move {
                    // The session is over long before this is.
                    runtime::pause(Duration::from_millis(20)).await;
                    note.send(message.as_text().unwrap_or_default().to_owned()).unwrap();
                }
            })
            .on_disconnect(move |_, closed: Closed| {
                let note = note_end.clone();
                async move { note.send(closed.reason.to_string()) }
            })
            .connect()
            .await
            .unwrap();
        let closed = within("the end", sender.wait()).await;
        let mut seen: Vec<String> = notes.try_iter().collect();
        assert_eq!(seen.pop(), Some(closed.reason.to_string()));
        assert_eq!(seen, ["a", "b", "c"]);
    });
}
