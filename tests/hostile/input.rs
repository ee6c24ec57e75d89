//! Lines of standard input that make no sense.

use crate::client::Client;
use crate::server::Server;
use crate::session::Config;

#[test]
fn nonsense_is_reported_and_passed_over() {
    let lines: [&[u8]; 15] = [
        b"nonsense",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"\"text\"",
        b"{\"send\":5}",
        b"{\"send\":null}",
        b"{\"send_binary\":\"!!\"}",
        b"{\"send_binary\":5}",
        b"{\"unknown\":true}",
        b"{\"close\":\"maybe\"}",
        b"{\"send\":\"\xff\"}",
        b"\xff\xfe\0",
        b"{\"send\":\"a\"} trailing",
    ];
    for transport in ["polling", "websocket"] {
        let server = Server::usual(Config::default());
        let mut client = Client::connect(&server, &["--transports", transport]);
        client.opened(transport);
        for line in lines {
            client.line(line);
            client.error(&["usage"]);
        }
        client.send("still here");
        server.wait_for_messages(&["4still here"]);
        client.close();
        server.assert_messages(&["4still here"]);
    }
}

#[test]
fn texts_go_up_as_they_are() {
    let texts = ["", "\0", "a\u{1e}4b", "\r\n", "\u{2028}é€😀", "\"\\/", "4", "b", "1"];
    // A record separator within a text cannot be told from one between packets, over polling.
    let server = Server::usual(Config::default());
    let mut client = Client::connect(&server, &["--transports", "websocket"]);
    client.opened("websocket");
    for text in texts {
        client.send(text);
    }
    let expected: Vec<String> = texts.iter().map(|text| format!("4{text}")).collect();
    server.wait_for_messages(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    client.close();

    let server = Server::usual(Config::default());
    let mut client = Client::connect(&server, &["--transports", "polling"]);
    client.opened("polling");
    let texts = texts.into_iter().filter(|text| !text.contains('\u{1e}'));
    let expected: Vec<String> = texts.clone().map(|text| format!("4{text}")).collect();
    for text in texts {
        client.send(text);
    }
    server.wait_for_messages(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    client.close();
}
