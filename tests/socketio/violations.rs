//! Clients that break the rules of Socket.IO: the connection ends, and nothing else does.

use crate::client::Client;
use crate::server::Server;

/// What a client that has joined `/` may not send.
const VIOLATIONS: [&str; 22] = [
    "",
    "9",
    "x",
    "0",
    "2[]",
    "2{}",
    "2[\"open",
    "2[\"connect\"]",
    "2[\"disconnect\"]",
    "2/custom,[\"message\"]",
    "2/nowhere,[\"message\"]",
    "3/nowhere,1[]",
    "4{\"message\":\"no\"}",
    "0/custom,[]",
    "0/custom,\"text\"",
    "0/custom,{",
    "50-[\"message\"]",
    "511-[\"message\"]",
    "51-[\"message\",{\"_placeholder\":true,\"num\":1}]",
    "5[\"message\"]",
    "299999999999999999999999[\"message\"]",
    "51/custom,[\"message\",{\"_placeholder\":true,\"num\":0}]",
];

#[test]
fn a_client_that_breaks_the_rules_is_thrown_out() {
    Server::with_app("socketio", &[], |server| {
        let (mut witness, _) = Client::join_app(server);
        for packet in VIOLATIONS {
            let (mut client, _) = Client::join_app(server);
            client.send(packet);
            println!("{packet}");
            let packets = client.expect_end();
            assert!(packets.iter().all(|packet| packet == "1"), "{packet:?}: {packets:?}");
        }
        server.wait_for_stats(r#""sessions":1"#);
        server.wait_for_stats(r#""/":1"#);
        assert_eq!(witness.call(r#"["count"]"#), "[1]");
    });
}

#[test]
fn text_instead_of_an_attachment_and_bytes_out_of_the_blue_end_it() {
    Server::with_app("socketio", &[], |server| {
        let (mut client, _) = Client::join_app(server);
        client.send(r#"51-["message",{"_placeholder":true,"num":0}]"#);
        client.send(r#"2["message"]"#);
        client.expect_end();
        let (mut client, _) = Client::join_app(server);
        client.send_binary(&[1]);
        client.expect_end();
    });
}

#[test]
fn deep_nesting_and_lone_surrogates_do_no_harm() {
    Server::with_app("socketio", &[], |server| {
        let (mut client, _) = Client::join_app(server);
        client.send(&format!(
            "2[\"message\",{}{}]",
            "[".repeat(100_000),
            "]".repeat(100_000)
        ));
        client.expect_end();
        let (mut client, _) = Client::join_app(server);
        client.send(r#"2["message","\ud800",{"__proto__":1}]"#);
        client.expect(r#"2["message-back","\ud800",{"__proto__":1}]"#);
    });
}

#[test]
fn whoever_joins_nothing_in_time_is_thrown_out() {
    Server::with_app("socketio", &["--connect-timeout", "200ms"], |server| {
        let mut client = Client::open(server);
        client.expect_end();
        let (mut client, _) = Client::join_app(server);
        std::thread::sleep(std::time::Duration::from_millis(400));
        client.expect_nothing();
    });
}
