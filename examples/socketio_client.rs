//! A client of `socketio_server`: is in a room, says what is typed, shows what the others say.
//!
//! ```sh
//! cargo run --example socketio_client --features tokio -- http://127.0.0.1:3000 Ada lobby
//! ```

use std::collections::BTreeMap;
use std::io::BufRead as _;

use sansocket::Backoff;
use sansocket::tokio::socketio::{Client, ConnectFailed};

#[tokio::main]
async fn main() -> sansocket::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:3000".to_owned());
    let name = arguments.next().unwrap_or_else(|| "somebody".to_owned());
    let room = arguments.next().unwrap_or_else(|| "lobby".to_owned());

    let connected = Client::builder(&url)
        .auth(&BTreeMap::from([("name", name), ("room", room)]))
        .reconnect(Backoff::default().attempts(5))
        .on("said", |_socket, (who, text): (String, String)| async move {
            println!("{who}: {text}")
        })
        .on(
            "entered",
            |_socket, who: String| async move { println!("{who} is there") },
        )
        .on("left", |_socket, who: String| async move { println!("{who} is gone") })
        .on_disconnect(|_socket, reason| async move { println!("lost: {reason}") })
        .connect()
        .await;
    let client = match connected {
        Ok(client) => client,
        Err(ConnectFailed::Refused(refused)) => {
            println!("not let in: {}", refused.message);
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };

    // One argument that is a list: `call` gives the first of the acknowledgement.
    let present: Vec<String> = client.call("present", &()).await?;
    println!("present: {}", present.join(", "));

    // Reading a terminal blocks: it has a thread of its own.
    let (lines, mut typed) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = typed.recv().await {
        client.emit("say", &line).await?;
    }
    // Its answer comes behind all that was said.
    let present: Vec<String> = client.call("present", &()).await?;
    println!("bye to {}", present.join(", "));
    client.close().await;
    Ok(())
}
