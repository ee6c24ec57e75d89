//! The client that is asked for events.

use std::time::Duration;

use sansocket::TryRecvError;
use sansocket::runtime::socketio::client::ReceiveError;
use sansocket::socketio::Args;

use crate::library::{served, within};
use crate::runtime;

#[test]
fn it_receives() {
    runtime::block_on(true, async {
        let (builder, thread) = served(|peer| {
            peer.send("42[\"a\",1]");
            peer.expect("420[\"n\"]");
            peer.send("42[\"b\"]");
            peer.send("430[5]");
            peer.expect("42[\"more\"]");
            peer.send("427[\"wants\"]");
            peer.expect("437[true]");
            peer.send("41");
            peer.expect("1");
        });
        let mut client = within(builder.connect_simple()).await.unwrap();
        // Events that wait hold up no acknowledgement.
        assert_eq!(within(client.call::<u8>("n", &())).await.unwrap(), 5);
        let first = within(client.receive()).await.unwrap();
        assert_eq!((first.name.as_str(), first.args.json().as_str()), ("a", "[1]"));
        // It came before the acknowledgement.
        assert_eq!(client.try_receive().unwrap().name, "b");
        assert_eq!(client.try_receive().unwrap_err(), TryRecvError::Empty);
        let nothing = within(client.receive_timeout(Duration::from_millis(30))).await;
        assert_eq!(nothing.unwrap_err(), ReceiveError::TimedOut);
        client.emit("more", &()).await.unwrap();
        let wants = within(client.receive_timeout(Duration::from_secs(20))).await.unwrap();
        let token = wants.ack.expect("it wants an acknowledgement");
        wants.socket.ack(token, Args::encode(&true).unwrap()).await.unwrap();
        assert!(within(client.receive()).await.is_none());
        let over = within(client.receive_timeout(Duration::from_secs(20))).await;
        assert_eq!(over.unwrap_err(), ReceiveError::Disconnected);
        assert_eq!(client.try_receive().unwrap_err(), TryRecvError::Closed);
        thread.join().unwrap();
    });
}
