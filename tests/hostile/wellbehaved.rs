//! A server that does everything right: whatever fails here says nothing about hostility.

use crate::client::Client;
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;

#[test]
fn over_polling() {
    let server = Server::usual(Config::default());
    let mut client = Client::connect(&server, &[]);
    assert_eq!(client.opened("polling"), server.sid());
    client.goes_on(&server);
    client.send_binary(b"\0\xff");
    server.wait_for_messages(&["4I am", "bAP8="]);
    server.push("bAQL/");
    client.binary(b"\x01\x02\xff");
    client.close();
    assert_eq!(server.sessions(), 1);
    assert_eq!(server.shared.state().posts.last().map(String::as_str), Some("1"));
}

#[test]
fn over_the_websocket() {
    let server = Server::usual(Config::default());
    let mut client = Client::connect(&server, &["--transports", "websocket"]);
    assert_eq!(client.opened("websocket"), server.sid());
    client.goes_on(&server);
    client.send_binary(b"\0\xff");
    server.wait_for_messages(&["4I am", "bAP8="]);
    server.push("bAQL/");
    client.binary(b"\x01\x02\xff");
    client.close();
    assert_eq!(server.shared.state().kinds, [Kind::Direct]);
}

#[test]
fn through_an_upgrade() {
    let server = Server::usual(Config::upgrading());
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.upgraded();
    client.goes_on(&server);
    client.close();
    assert_eq!(server.sessions(), 1);
    assert_eq!(server.count(Kind::Upgrade), 1);
}

#[test]
fn no_upgrade_where_none_is_wanted_or_offered() {
    let server = Server::usual(Config::upgrading());
    for arguments in [&["--no-upgrade"][..], &["--transports", "polling"]] {
        let mut client = Client::connect(&server, arguments);
        client.opened("polling");
        server.push("4a");
        client.text("a");
        client.close();
    }
    assert_eq!(server.count(Kind::Upgrade), 0);
    let server = Server::usual(Config::default());
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.goes_on(&server);
    client.close();
    assert_eq!(server.count(Kind::Upgrade), 0);
}

#[test]
fn large_messages_go_both_ways() {
    let config = Config {
        max_payload: 10_000_000,
        ..Config::default()
    };
    let large = "é😀x ".repeat(500_000);
    for transport in ["polling", "websocket"] {
        let server = Server::usual(config.clone());
        let mut client = Client::connect(&server, &["--transports", transport]);
        client.opened(transport);
        client.send(&large);
        client.send("and a small one");
        server.wait_for_messages(&[&format!("4{large}"), "4and a small one"]);
        server.push(&format!("4{large}"));
        server.push("4and a small one");
        client.text(&large);
        client.text("and a small one");
        client.close();
    }
}

#[test]
fn a_script_that_does_not_read_for_a_while_loses_nothing() {
    for transport in ["polling", "websocket"] {
        let server = Server::usual(Config::beating(400, 4_000));
        let mut client = Client::connect(&server, &["--transports", transport]);
        client.opened(transport);
        client.pause(true);
        let text = |number: usize| format!("{number} {}", "x".repeat(1_000));
        for number in 0..3_000 {
            server.push(&format!("4{}", text(number)));
            if number % 100 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        client.pause(false);
        for number in 0..3_000 {
            client.text(&text(number));
        }
        client.goes_on(&server);
        client.close();
        assert_eq!(server.sessions(), 1);
    }
}
