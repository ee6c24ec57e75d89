//! A server that sends more than the application keeps up with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use sansocket::engineio::Transport;
use sansocket::runtime::socketio::client::{AckError, CallError};
use sansocket::tokio::socketio::Binary;

use crate::library::{serve, served, within};
use crate::peer::{PATIENCE, Peer};
use crate::runtime;

const EVENTS: usize = 24;

const EVENT: usize = 1_000_000;

fn flood(peer: &mut Peer) {
    let bytes = vec![7; EVENT];
    for _ in 0..EVENTS {
        peer.send("451-[\"big\",{\"_placeholder\":true,\"num\":0}]");
        peer.send_binary(&bytes);
    }
}

#[test]
fn handlers_that_wait_hold_no_more_than_so_many_bytes() {
    runtime::block_on(true, async {
        let (builder, thread) = served(|peer| {
            flood(peer);
            peer.expect("420[\"late\"]");
            peer.expect("421[\"soon\"]");
            peer.send("431[1]");
            peer.expect_goodbye();
        });
        let (running, most, done) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
        );
        let released = Arc::new(AtomicBool::new(false));
        let counts = (running.clone(), most.clone(), done.clone(), released.clone());
        let client = builder.on("big", move |_, bytes: Binary| {
            let (running, most, done, released) = counts.clone();
            async move {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                while !released.load(Ordering::SeqCst) {
                    runtime::sleep(Duration::from_millis(2)).await;
                }
                assert_eq!(bytes.len(), EVENT);
                running.fetch_sub(1, Ordering::SeqCst);
                done.fetch_add(1, Ordering::SeqCst);
            }
        });
        let client = within(client.connect()).await.unwrap();
        let reached = |count: &Arc<AtomicUsize>, wanted: usize| {
            let count = count.clone();
            async move {
                while count.load(Ordering::SeqCst) < wanted {
                    runtime::sleep(Duration::from_millis(2)).await;
                }
            }
        };
        within(reached(&running, 16)).await;
        // Nothing is received now. That somebody has waited long enough is told all the same.
        let late = client.call::<u8>("late", &()).timeout(Duration::from_millis(100));
        assert!(matches!(within(late).await, Err(CallError::Ack(AckError::TimedOut))));
        assert!(most.load(Ordering::SeqCst) <= 17, "{most:?} events of 1 MB");
        released.store(true, Ordering::SeqCst);
        within(reached(&done, EVENTS)).await;
        assert_eq!(within(client.call::<u8>("soon", &())).await.unwrap(), 1);
        within(client.close()).await;
        thread.join().unwrap();
    });
}

#[test]
fn a_call_ends_while_events_wait_to_be_received() {
    runtime::block_on(true, async {
        let (builder, thread) = served(|peer| {
            flood(peer);
            peer.expect("420[\"late\"]");
            peer.expect_goodbye();
        });
        let mut client = within(builder.connect_simple()).await.unwrap();
        let late = client.call::<u8>("late", &()).timeout(Duration::from_millis(500));
        assert!(matches!(within(late).await, Err(CallError::Ack(AckError::TimedOut))));
        for _ in 0..EVENTS {
            let received = within(client.receive()).await.unwrap();
            assert_eq!(received.args.get::<Binary>(0).unwrap().len(), EVENT);
        }
        within(client.close()).await;
        thread.join().unwrap();
    });
}

#[test]
fn a_call_of_a_handler_ends_while_events_wait_behind_it() {
    let (url, thread) = serve(|server| {
        let mut peer = server.accept();
        peer.join("/", "abc");
        peer.send("42[\"ask\"]");
        peer.expect("420[\"late\"]");
        flood(&mut peer);
        peer.expect_goodbye();
    });
    let (says, told) = mpsc::channel();
    let (asked, count) = (says.clone(), AtomicUsize::new(0));
    let client = sansocket::blocking::socketio::Client::builder(&url)
        .transports(&[Transport::WebSocket])
        .no_proxy()
        .on("ask", move |socket, ()| {
            let late = socket.call_within::<u8>(Duration::from_millis(500), "late", &());
            asked
                .send(matches!(late, Err(CallError::Ack(AckError::TimedOut))))
                .unwrap();
        })
        .on("big", move |_, _bytes: Binary| {
            if count.fetch_add(1, Ordering::SeqCst) + 1 == EVENTS {
                says.send(true).unwrap();
            }
        })
        .connect()
        .unwrap();
    for _ in 0..2 {
        assert!(told.recv_timeout(PATIENCE).unwrap());
    }
    client.close();
    thread.join().unwrap();
}

#[test]
fn a_connection_that_broke_waits_until_the_application_has_caught_up() {
    runtime::block_on(true, async {
        let (url, thread) = serve(|server| {
            let mut peer = server.accept();
            peer.join("/", "1");
            peer.send("42[\"first\"]");
            for _ in 0..6 {
                peer.send("451-[\"big\",{\"_placeholder\":true,\"num\":0}]");
                peer.send_binary(&vec![7; EVENT]);
            }
            drop(peer);
            let mut peer = server.accept();
            peer.join("/", "2");
            peer.send("42[\"last\"]");
            peer.expect_goodbye();
        });
        let builder = crate::library::at(&url).reconnect(crate::library::backoff());
        let mut client = within(builder.connect_simple()).await.unwrap();
        let mut names = Vec::new();
        while names.last().is_none_or(|name| name != "last") {
            names.push(within(client.receive()).await.unwrap().name);
        }
        assert_eq!((names[0].as_str(), names.len() <= 8), ("first", true));
        within(client.close()).await;
        thread.join().unwrap();
    });
}
