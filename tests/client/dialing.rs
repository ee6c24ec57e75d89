//! Which addresses are tried.

use std::time::{Duration, Instant};

use crate::client::{Host, client, echo, run_on_both, server, within};

/// `localhost` may be `::1` first; the server listens on 127.0.0.1 alone.
#[test]
fn localhost_where_nobody_listens_on_ipv6() {
    run_on_both(|| async {
        let host = Host::echo(server()).await;
        let begun = Instant::now();
        let url = format!("http://localhost:{}", host.address.port());
        let mut client = within("a session", client(&url).connect()).await.unwrap();
        client.send("a").await.unwrap();
        assert_eq!(within("an echo", client.recv()).await, Some("a".into()));
        assert!(begun.elapsed() < Duration::from_secs(3));
        client.close().await.unwrap();
        host.until_empty().await;
    });
}

#[test]
fn ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("no IPv6 here");
        return;
    }
    run_on_both(|| async {
        let host = Host::serve_at("[::1]:0", server(), echo).await;
        let url = format!("http://[::1]:{}", host.address.port());
        let mut client = within("a session", client(&url).connect()).await.unwrap();
        client.send("a").await.unwrap();
        assert_eq!(within("an echo", client.recv()).await, Some("a".into()));
        client.close().await.unwrap();
        host.until_empty().await;
    });
}
