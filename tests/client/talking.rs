//! A session that goes well: what the README promises, on each transport, for one client and for many.

use std::time::Duration;

use sansocket::engineio::{CloseReason, Data, Transport};
use sansocket::runtime::engineio::ClientEvent;

use crate::runtime::{Client, Server};

use crate::client::{Host, WAYS, client, echo, event, run, run_on_both, serve, server, upgraded, within};

/// The example, with nothing left out.
#[test]
fn the_readme_s_example() {
    run_on_both(|| async {
        let example = async {
            let server = Server::builder()
                .on_message(|socket, message| async move { socket.send(message).await })
                .bind("127.0.0.1:0")
                .await?;
            let url = format!("http://{}", server.local_addr());
            let handle = server.handle();
            serve(server.serve());

            let mut client = Client::connect(&url).await?;
            client.send("hello").await?;
            assert_eq!(client.recv().await, Some("hello".into()));
            client.close().await?;
            assert_eq!(client.recv().await, None);
            let closed = client.closed().expect("it is over");
            assert_eq!((closed.reason, closed.unsent), (CloseReason::ClientDisconnect, 0));
            assert_eq!(client.wait().await, closed);
            handle.shutdown(Duration::from_secs(5)).await;
            assert_eq!(handle.stats().sessions, 0);
            Ok::<_, sansocket::Error>(())
        };
        example.await.expect("the example works");
    });
}

#[test]
fn every_way_carries_text_and_bytes_in_order() {
    run_on_both(|| async {
        for way in WAYS {
            let host = Host::echo(server().max_payload(100_000)).await;
            let mut client = client(&host.url).transports(way).connect().await.unwrap();
            assert_eq!(client.sid(), host.handle.sessions().into_iter().next());
            assert_eq!(client.max_payload(), Some(100_000));
            let large = "x".repeat(70_000);
            let mut all: Vec<Data> = vec![
                "".into(),
                "é\n😀".into(),
                Data::from(vec![]),
                Data::from(vec![0, 30, 255]),
            ];
            all.extend((0..100).map(|number| Data::from(number.to_string())));
            all.push(large.into());
            for message in &all {
                client.send(message.clone()).await.unwrap();
            }
            for message in &all {
                assert_eq!(within("an echo", client.recv()).await.as_ref(), Some(message));
            }
            if way == [Transport::Polling] {
                assert_eq!(client.transport(), Transport::Polling);
            } else if way == [Transport::WebSocket] {
                assert_eq!(client.transport(), Transport::WebSocket);
            }
            client.close().await.unwrap();
            host.until_empty().await;
        }
    });
}

#[test]
fn events_come_in_order() {
    run_on_both(|| async {
        let host = Host::serve(server(), |mut socket| async move {
            socket.send("welcome").await?;
            let _goodbye = socket.recv().await;
            socket.send("bye").await?;
            socket.close();
            Ok(())
        })
        .await;
        let mut client = client(&host.url).connect().await.unwrap();
        let ClientEvent::Opened { transport, sid } = event(&mut client).await else {
            panic!("it is not opened first");
        };
        assert_eq!((transport, Some(sid)), (Transport::Polling, client.sid()));
        // The upgrade may be over before the message was taken.
        let mut both = [event(&mut client).await, event(&mut client).await];
        both.sort_by_key(|event| matches!(event, ClientEvent::Message(_)));
        assert!(
            matches!(&both, [ClientEvent::Upgraded, ClientEvent::Message(data)] if data == &"welcome".into()),
            "{both:?}"
        );
        assert_eq!(client.transport(), Transport::WebSocket);
        client.send("go").await.unwrap();
        assert!(matches!(event(&mut client).await, ClientEvent::Message(data) if data == "bye".into()));
        let ClientEvent::Closed { closed, error: None } = event(&mut client).await else {
            panic!("it is not closed");
        };
        assert_eq!(closed.reason, CloseReason::ServerDisconnect);
        assert_eq!(client.closed(), Some(closed));
        for _ in 0..2 {
            assert!(client.event().await.is_none(), "the end is told once");
        }
        host.until_empty().await;
    });
}

/// Messages that are sent before the session is open, while it is upgraded and after it arrive in order.
#[test]
fn messages_cross_the_upgrade_in_order() {
    run_on_both(|| async {
        let host = Host::echo(server()).await;
        let mut client = client(&host.url).start().unwrap();
        let sender = client.sender();
        let sending = tokio::spawn(async move {
            for number in 0..500 {
                sender.send(number.to_string()).await.unwrap();
                if number % 16 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        for number in 0..500 {
            let message = within("an echo", client.recv()).await;
            assert_eq!(message, Some(number.to_string().into()));
        }
        sending.await.unwrap();
        assert_eq!(client.transport(), Transport::WebSocket);
        client.close().await.unwrap();
        host.until_empty().await;
    });
}

#[test]
fn a_hundred_clients_at_once() {
    run_on_both(|| async {
        let host = Host::echo(server()).await;
        let mut all = tokio::task::JoinSet::new();
        for number in 0..100 {
            let url = host.url.clone();
            all.spawn(async move {
                let mut client = client(&url).transports(WAYS[number % 3]).connect().await?;
                for round in 0..3 {
                    let text = format!("{number}: {round}");
                    client.send(text.clone()).await?;
                    assert_eq!(client.recv().await, Some(text.into()));
                }
                client.close().await
            });
        }
        while let Some(ended) = within("the next of them", all.join_next()).await {
            ended.expect("no panic").expect("no error");
        }
        host.until_empty().await;
    });
}

#[test]
fn two_clients_in_one_task() {
    run_on_both(|| async {
        let host = Host::echo(server()).await;
        let mut one = client(&host.url).connect().await.unwrap();
        let mut other = client(&host.url)
            .transports(&[Transport::WebSocket])
            .connect()
            .await
            .unwrap();
        assert_ne!(one.sid(), other.sid());
        for number in 0..50 {
            one.send(format!("one {number}")).await.unwrap();
            other.send(format!("other {number}")).await.unwrap();
        }
        let (mut ones, mut others) = (0, 0);
        while ones + others < 100 {
            let taken = async {
                tokio::select! {
                    Some(message) = one.recv() => {
                        assert_eq!(message, format!("one {ones}").into());
                        ones += 1;
                    }
                    Some(message) = other.recv() => {
                        assert_eq!(message, format!("other {others}").into());
                        others += 1;
                    }
                }
            };
            within("either of them", taken).await;
        }
        let (closed, closed_too) = tokio::join!(one.close(), other.close());
        closed.unwrap();
        closed_too.unwrap();
        host.until_empty().await;
    });
}

#[test]
fn clones_of_the_sender_work_in_other_tasks() {
    run(async {
        let host = Host::serve(server(), echo).await;
        let mut client = client(&host.url).connect().await.unwrap();
        upgraded(&mut client).await;
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8_usize {
            let sender = client.sender();
            tasks.spawn(async move {
                for number in 0..100_usize {
                    sender.send(format!("{task} {number}")).await.unwrap();
                }
            });
        }
        let mut next = [0_usize; 8];
        for _ in 0..800 {
            let message = within("an echo", client.recv()).await.expect("a message");
            let (task, number) = message.as_text().unwrap().split_once(' ').unwrap();
            let (task, number): (usize, usize) = (task.parse().unwrap(), number.parse().unwrap());
            // What one task sends stays in order.
            assert_eq!(number, next[task]);
            next[task] += 1;
        }
        tasks.join_all().await;
        let sender = client.sender();
        drop(client);
        within("the end", sender.wait()).await;
        host.until_empty().await;
    });
}

/// Whoever uses a client may spawn all of it.
#[test]
fn futures_are_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    drop(is_send(async {
        let mut client = is_send(Client::connect("http://127.0.0.1:1")).await?;
        is_send(client.send("a")).await?;
        is_send(client.recv()).await;
        is_send(client.event()).await;
        is_send(client.wait()).await;
        is_send(client.close()).await?;
        let builder = Client::builder("http://127.0.0.1:1").on_message(|_, _| async {});
        let sender = is_send(is_send(builder).connect()).await?;
        is_send(sender.send("b")).await?;
        Ok::<_, sansocket::Error>(())
    }));
}
