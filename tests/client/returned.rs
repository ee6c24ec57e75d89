//! Messages that are not sent are given back, each once.

use std::time::Duration;

use sansocket::Error;
use sansocket::engineio::{Data, Transport};
use sansocket::runtime::engineio::{ClientEvent, SendError, TrySendError};

use crate::client::{Host, WAYS, client, event, run, run_on_both, server, within};
use crate::front::{Answer, Front, Kind, open_packet};

#[test]
fn what_the_server_does_not_take() {
    run_on_both(|| async {
        for way in WAYS {
            let host = Host::echo(server().max_payload(1_000)).await;
            let mut client = client(&host.url).transports(way).connect().await.unwrap();
            let large = Data::from("x".repeat(1_001));
            match client.try_send(large.clone()) {
                Err(TrySendError::TooLarge(data)) => assert_eq!(data, large),
                other => panic!("{other:?}"),
            }
            match client.send(large.clone()).await {
                Err(error @ SendError::TooLarge(_)) => assert_eq!(error.into_data(), large),
                other => panic!("{other:?}"),
            }
            client.send("x".repeat(999)).await.unwrap();
            assert_eq!(within("an echo", client.recv()).await.unwrap().len(), 999);
            client.close().await.unwrap();
            host.until_empty().await;
        }
    });
}

/// What the server takes is not known before the session is open.
#[test]
fn what_turns_out_to_be_too_large() {
    run_on_both(|| async {
        for way in WAYS {
            let host = Host::echo(server().max_payload(1_000)).await;
            let large = Data::from("x".repeat(2_000));
            // Sent while nothing is known. On a busy machine the session may be open already; then it is tried again.
            let start = async || loop {
                let client = client(&host.url).transports(way).start().unwrap();
                match client.send(large.clone()).await {
                    Ok(()) => return client,
                    Err(error) => assert_eq!(error.into_data(), large),
                }
            };

            let mut told = start().await;
            told.send("small").await.unwrap();
            let mut seen = 0;
            while seen < 2 {
                match event(&mut told).await {
                    ClientEvent::TooLarge(data) => assert_eq!(data, large),
                    ClientEvent::Message(data) => assert_eq!(data, "small".into()),
                    ClientEvent::Opened { .. } | ClientEvent::Upgraded => continue,
                    other => panic!("{other:?}"),
                }
                seen += 1;
            }
            assert!(told.take_unsent().is_empty());
            told.close().await.unwrap();

            let mut quiet = start().await;
            quiet.send("small").await.unwrap();
            assert_eq!(within("an echo", quiet.recv()).await, Some("small".into()));
            assert_eq!(quiet.take_unsent(), std::slice::from_ref(&large));
            assert!(quiet.take_unsent().is_empty());
            quiet.close().await.unwrap();
            host.until_empty().await;
        }
    });
}

#[test]
fn what_the_queue_never_takes() {
    run_on_both(|| async {
        let host = Host::echo(server()).await;
        let mut client = client(&host.url).max_queue(500).connect().await.unwrap();
        let large = Data::from(vec![7; 500]);
        match client.send(large.clone()).await {
            Err(SendError::TooLarge(data)) => assert_eq!(data, large),
            other => panic!("{other:?}"),
        }
        client.send(vec![7; 400]).await.unwrap();
        client.close().await.unwrap();
        host.until_empty().await;
    });
}

#[test]
fn after_the_end() {
    run_on_both(|| async {
        let host = Host::echo(server()).await;
        let mut client = client(&host.url).connect().await.unwrap();
        client.begin_close();
        match client.try_send("late") {
            Err(TrySendError::Closed(data)) => assert_eq!(data, "late".into()),
            other => panic!("{other:?}"),
        }
        client.close().await.unwrap();
        match client.send("later").await {
            Err(SendError::Closed(data)) => assert_eq!(data, "later".into()),
            other => panic!("{other:?}"),
        }
        assert!(client.take_unsent().is_empty());
        host.until_empty().await;
    });
}

/// One message is in a POST that is never answered, two wait behind it.
#[test]
fn what_was_queued_at_the_end() {
    run(async {
        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&[])),
            _ => Answer::Silence,
        });
        let mut client = client(&front.url())
            .transports(&[Transport::Polling])
            .close_timeout(Duration::from_millis(100))
            .connect()
            .await
            .unwrap();
        client.send("in doubt").await.unwrap();
        front.wait_for(|request| request.kind() == Kind::Post);
        client.send("kept").await.unwrap();
        client.send(vec![1, 2]).await.unwrap();
        assert!(client.take_unsent().is_empty(), "it is not over");
        let Err(Error::Unsent(closed)) = within("the end", client.close()).await else {
            panic!("nobody says that messages were not sent");
        };
        assert_eq!((closed.unsent, closed.in_doubt), (2, 1));
        assert_eq!(client.closed(), Some(closed));
        assert_eq!(client.take_unsent(), ["kept".into(), Data::from(vec![1, 2])]);
        assert!(client.sender().take_unsent().is_empty());
    });
}

/// Nobody asks for events, and nothing is lost silently all the same.
#[test]
fn close_tells_of_what_was_too_large() {
    run(async {
        let front = Front::start(|request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&["websocket"]).replace("1000000", "1000")),
            Kind::Post => Answer::ok("ok"),
            _ => Answer::Silence,
        });
        // A WebSocket would take it; over polling, with a third more, it is too large.
        let large = Data::from(vec![7; 900]);
        let mut client = client(&front.url()).connect().await.unwrap();
        client.send(large.clone()).await.unwrap();
        match within("the end", client.close()).await {
            Err(Error::Unsent(closed)) => assert_eq!(closed.unsent, 1),
            other => panic!("{other:?}"),
        }
        assert_eq!(client.take_unsent(), [large]);
        assert!(client.take_unsent().is_empty());
    });
}
