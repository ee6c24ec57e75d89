//! Sending more than the server takes: who waits, and that it goes on.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;

use sansocket::engineio::{Data, Transport};
use sansocket::runtime::engineio::{ClientEvent, SendError, TrySendError};

use crate::client::{ENOUGH, client, event, run, until, until_still, within};
use crate::front::{self, Answer, Front, Kind, open_packet};
use crate::runtime::Client;

const SIZE: usize = 64 * 1024;
const COUNT: usize = 200;

/// Something else than the numbered messages.
const FILLER: &str = "filler";

fn numbered(number: usize) -> Data {
    let mut bytes = vec![0; SIZE];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

/// A server on a WebSocket that begins to read when it is told to, and counts the numbered messages that come in order.
fn slow_reader() -> (Front, mpsc::Sender<()>, Arc<AtomicUsize>) {
    let (go, wait) = mpsc::channel();
    let wait = Arc::new(Mutex::new(wait));
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let front = front::on_websocket(move |mut websocket| {
        let _told = wait.lock().expect("the only reader").recv_timeout(ENOUGH);
        while let Ok(message) = websocket.read() {
            let tungstenite::Message::Binary(bytes) = message else {
                continue;
            };
            let number = count.load(Ordering::SeqCst);
            if bytes.len() == SIZE && bytes[..8] == number.to_be_bytes() {
                count.store(number + 1, Ordering::SeqCst);
            } else {
                count.store(usize::MAX / 2, Ordering::SeqCst);
            }
        }
    });
    (front, go, taken)
}

/// Until the queue is full and stays so. The system may take a little more whenever it is asked, which is whenever a message
/// is sent with some runtimes, and only when there is a lot of room with others.
async fn fill(client: &Client) {
    let mut refused = 0;
    while refused < 8 {
        refused += 1;
        while client.try_send(FILLER).is_ok() {
            refused = 0;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn send_waits_for_room_and_goes_on() {
    run(async {
        let (front, go, taken) = slow_reader();
        let mut client = client(&front.url())
            .transports(&[Transport::WebSocket])
            .max_queue(4 * SIZE)
            .connect()
            .await
            .unwrap();
        let queued = Arc::new(AtomicUsize::new(0));
        let (sender, count) = (client.sender(), queued.clone());
        let sending = tokio::spawn(async move {
            for number in 0..COUNT {
                sender.send(numbered(number)).await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let before = until_still("sending to a server that does not read", || {
            queued.load(Ordering::SeqCst)
        })
        .await;
        assert!(before < COUNT, "all of it was taken");
        // Senders are woken when half of the queue is free; until then, others may use the rest.
        fill(&client).await;
        // The refused message comes back whole.
        match client.try_send(numbered(7)) {
            Err(TrySendError::Full(data)) => assert_eq!(data, numbered(7)),
            other => panic!("{other:?}"),
        }
        // A future that is dropped has sent nothing: the server would find its number out of order.
        for _ in 0..3 {
            let waiting = tokio::time::timeout(Duration::from_millis(5), client.send(numbered(9_999)));
            assert!(waiting.await.is_err(), "there is room");
        }
        go.send(()).unwrap();
        within("all is queued", sending).await.unwrap();
        client.close().await.unwrap();
        until("all has come", || taken.load(Ordering::SeqCst) >= COUNT).await;
        assert_eq!(taken.load(Ordering::SeqCst), COUNT);
    });
}

#[test]
fn posts_that_are_not_answered_make_send_wait() {
    run(async {
        let (go, wait) = mpsc::channel::<()>();
        let wait = Mutex::new(wait);
        let front = Front::start(move |request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&[])),
            Kind::Post => {
                // An error means that all may pass.
                let _told = wait.lock().expect("the only one").recv_timeout(ENOUGH);
                Answer::ok("ok")
            }
            _ => Answer::Silence,
        });
        let mut client = client(&front.url()).max_queue(2_000).connect().await.unwrap();
        let queued = Arc::new(AtomicUsize::new(0));
        let (sender, count) = (client.sender(), queued.clone());
        let sending = tokio::spawn(async move {
            for number in 0..100 {
                sender.send(number.to_string()).await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let before = until_still("sending to a server that does not answer", || {
            queued.load(Ordering::SeqCst)
        })
        .await;
        assert!(before < 100, "all of it was taken");
        drop(go);
        within("all is queued", sending).await.unwrap();
        client.close().await.unwrap();
        let posts = front.requests_of(Kind::Post);
        let packets = posts.iter().flat_map(|post| post.text().split('\x1e'));
        let mut wanted: Vec<String> = (0..100).map(|number| format!("4{number}")).collect();
        wanted.push("1".to_owned());
        assert!(packets.eq(wanted), "{posts:?}");
    });
}

#[test]
fn a_future_that_is_dropped_before_its_first_poll_sends_nothing() {
    run(async {
        let sink = front::Sink::start(1_000);
        let mut client = client(&sink.front.url()).connect().await.unwrap();
        drop(client.send("never"));
        client.send("once").await.unwrap();
        client.close().await.unwrap();
        assert_eq!(sink.wait_for(1), ["once"]);
    });
}

/// Room that comes of messages that are given back is room, too.
#[test]
fn messages_that_are_too_large_for_the_server_make_room() {
    run(async {
        for transport in [Transport::Polling, Transport::WebSocket] {
            let front = Front::start(move |request| {
                let open = open_packet(&[]).replace("1000000", "300");
                match request.kind() {
                    Kind::Handshake => Answer::Late(Duration::from_millis(200), Box::new(Answer::ok(open))),
                    Kind::Post => Answer::ok("ok"),
                    Kind::WebSocket => Answer::websocket(move |mut websocket| {
                        std::thread::sleep(Duration::from_millis(200));
                        let _ = websocket.send(tungstenite::Message::text(open));
                        while websocket.read().is_ok() {}
                    }),
                    _ => Answer::Silence,
                }
            });
            let builder = client(&front.url()).transports(&[transport]);
            let mut client = builder.max_queue(1_000).start().unwrap();
            client.send(vec![1; 800]).await.unwrap();
            let sender = client.sender();
            {
                let mut waiting = pin!(sender.send(vec![2; 200]));
                let mut cx = Context::from_waker(Waker::noop());
                assert!(waiting.as_mut().poll(&mut cx).is_pending(), "there is room");
                let waited = tokio::time::timeout(Duration::from_secs(3), waiting).await;
                waited.expect("it is told that there is room").unwrap();
            }
            assert!(matches!(event(&mut client).await, ClientEvent::Opened { .. }));
            assert!(matches!(event(&mut client).await, ClientEvent::TooLarge(data) if data.len() == 800));
            client.close().await.unwrap();
        }
    });
}

/// Whoever waits for room is told when there will be none any more.
#[test]
fn senders_that_wait_are_told_of_the_end() {
    run(async {
        let (front, _go, _) = slow_reader();
        let mut client = client(&front.url())
            .transports(&[Transport::WebSocket])
            .max_queue(2 * SIZE)
            .connect()
            .await
            .unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let sender = client.sender();
            waiting.spawn(async move { sender.send(numbered(0)).await });
        }
        let finished = Arc::new(AtomicUsize::new(0));
        let _before = until_still("filling the queue", || finished.load(Ordering::SeqCst)).await;
        client.abort();
        let mut told = 0;
        while let Some(ended) = within("all are told", waiting.join_next()).await {
            match ended.unwrap() {
                Ok(()) => {}
                Err(SendError::Closed(data)) => {
                    assert_eq!(data, numbered(0));
                    told += 1;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(told > 0);
        assert_eq!(within("the end", client.recv()).await, None);
        assert_eq!(client.take_unsent().len(), client.closed().unwrap().unsent);
    });
}
