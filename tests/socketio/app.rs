//! `sansocket serve --app socketio`, row by row.

use crate::client::{Client, POLLING};
use crate::server::Server;

#[test]
fn connect_shows_the_auth_payload() {
    Server::with_app("socketio", &[], |server| {
        let mut client = Client::open(server);
        client.enter("/", r#"{"token":[1,"ä"]}"#);
        client.expect(r#"2["auth",{"token":[1,"ä"]}]"#);
        client.enter("/custom", "");
        client.expect(r#"2/custom,["auth",{}]"#);
    });
}

#[test]
fn message_comes_back_with_bytes_in_place() {
    Server::with_app("socketio", &[], |server| {
        let (mut client, _) = Client::join_app(server);
        client.send(r#"2["message"]"#);
        client.expect(r#"2["message-back"]"#);
        client.send(r#"2["message",1,"two",{"three":[null]}]"#);
        client.expect(r#"2["message-back",1,"two",{"three":[null]}]"#);
        client.send(r#"52-["message",{"a":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]"#);
        client.send_binary(&[1, 2]);
        client.send_binary(&[3]);
        client.expect(r#"52-["message-back",{"a":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]"#);
        client.expect_binary(&[1, 2]);
        client.expect_binary(&[3]);
    });
}

#[test]
fn message_with_ack_is_acked_with_its_arguments() {
    Server::with_app("socketio", &[], |server| {
        let (mut client, _) = Client::join_app(server);
        client.send(r#"212["message-with-ack",1,"2",{"3":[false]}]"#);
        client.expect(r#"312[1,"2",{"3":[false]}]"#);
        client.send(r#"51-7["message-with-ack",{"_placeholder":true,"num":0}]"#);
        client.send_binary(&[9]);
        client.expect(r#"61-7[{"_placeholder":true,"num":0}]"#);
        client.expect_binary(&[9]);
        // Whoever wants no acknowledgement gets none.
        client.send(r#"2["message-with-ack",1]"#);
        client.expect_nothing();
    });
}

#[test]
fn rooms_are_joined_asked_for_and_left() {
    Server::with_app("socketio", &[], |server| {
        let (mut a, id) = Client::join_app(server);
        let (mut b, _) = Client::join_app(server);
        assert_eq!(a.call(r#"["who"]"#), format!(r#"[{{"id":"{id}","rooms":[]}}]"#));
        for room in ["red", "blue"] {
            assert_eq!(a.call(&format!(r#"["join","{room}"]"#)), "[]");
        }
        assert_eq!(b.call(r#"["join","blue"]"#), "[]");
        assert_eq!(
            a.call(r#"["who"]"#),
            format!(r#"[{{"id":"{id}","rooms":["blue","red"]}}]"#)
        );
        assert!(server.stats().contains(r#""rooms":4"#), "{}", server.stats());

        a.send(r#"2["to-room","blue",1,[2]]"#);
        b.expect(r#"2["room-msg",1,[2]]"#);
        a.expect_nothing();
        b.send(r#"2["to-room","red","x"]"#);
        a.expect(r#"2["room-msg","x"]"#);
        a.send(r#"2["in-room","blue","y"]"#);
        a.expect(r#"2["room-msg","y"]"#);
        b.expect(r#"2["room-msg","y"]"#);
        // Whoever sends need not be in the room; an id is a room.
        b.send(&format!(r#"2["in-room","{id}","z"]"#));
        a.expect(r#"2["room-msg","z"]"#);
        b.expect_nothing();
        a.send(r#"51-["to-room","blue",{"_placeholder":true,"num":0}]"#);
        a.send_binary(&[5]);
        b.expect(r#"51-["room-msg",{"_placeholder":true,"num":0}]"#);
        b.expect_binary(&[5]);

        assert_eq!(a.call(r#"["leave","blue"]"#), "[]");
        b.send(r#"2["to-room","blue","gone"]"#);
        a.expect_nothing();
        assert_eq!(a.call(r#"["who"]"#), format!(r#"[{{"id":"{id}","rooms":["red"]}}]"#));
    });
}

#[test]
fn broadcast_spares_the_sender_and_emit_all_does_not() {
    Server::with_app("socketio", &[], |server| {
        let (mut a, _) = Client::join_app(server);
        let (mut b, _) = Client::join_app(server);
        let mut elsewhere = Client::open(server);
        elsewhere.enter("/custom", "");
        elsewhere.expect(r#"2/custom,["auth",{}]"#);
        assert_eq!(a.call(r#"["count"]"#), "[2]");
        a.send(r#"2["broadcast","x",1]"#);
        b.expect(r#"2["broadcast","x",1]"#);
        a.expect_nothing();
        a.send(r#"2["emit-all"]"#);
        a.expect(r#"2["all"]"#);
        b.expect(r#"2["all"]"#);
        elsewhere.send(r#"2/custom,1["count"]"#);
        elsewhere.expect("3/custom,1[1]");
    });
}

#[test]
fn disconnect_me_ends_the_socket_or_the_connection() {
    Server::with_app("socketio", &[], |server| {
        let mut client = Client::open(server);
        for namespace in ["/", "/custom"] {
            client.enter(namespace, "");
            client.next();
        }
        client.send(r#"2["disconnect-me"]"#);
        client.expect("1");
        // It may come back on the same connection; the other namespace went on.
        client.send(r#"2/custom,5["count"]"#);
        client.expect("3/custom,5[1]");
        client.enter("/", "");
        client.expect(r#"2["auth",{}]"#);
        client.send(r#"2["disconnect-me",true]"#);
        let mut last = client.expect_end();
        last.retain(|packet| packet != "1");
        assert_eq!(last, ["41/custom,", "41"]);
        server.wait_for_stats(r#""sockets":{"/":0,"/auth":0,"/custom":0,"/reject":0},"rooms":0"#);
    });
}

#[test]
fn the_server_asks_and_tells_the_answer() {
    Server::with_app("socketio", &[], |server| {
        let (mut client, _) = Client::join_app(server);
        client.send(r#"2["ask-me",1,"two"]"#);
        client.expect(r#"20["question",1,"two"]"#);
        // Others are served meanwhile.
        assert_eq!(client.call(r#"["count"]"#), "[1]");
        client.send(r#"30["yes",[2]]"#);
        client.expect(r#"2["answer","yes",[2]]"#);
        client.send(r#"2["ask-me-timeout",5000]"#);
        client.expect(r#"21["question"]"#);
        client.send("31[]");
        client.expect(r#"2["answer"]"#);
        client.send(r#"2["ask-me-timeout",30]"#);
        client.expect(r#"22["question"]"#);
        client.expect(r#"2["ask-timeout"]"#);
        // Too late, twice, and never asked.
        for ack in ["32[]", "30[]", "377[]"] {
            client.send(ack);
        }
        client.expect_nothing();
    });
}

#[test]
fn burst_comes_in_order() {
    Server::with_app("socketio", &[], |server| {
        let (mut client, _) = Client::join_app(server);
        client.send(r#"2["burst",3000]"#);
        for n in 0..3000 {
            client.expect(&format!(r#"2["n",{n}]"#));
        }
        client.expect_nothing();
    });
}

#[test]
fn what_no_handler_takes_is_ignored_and_not_acked() {
    Server::with_app("socketio", &[], |server| {
        let (mut client, _) = Client::join_app(server);
        for event in [
            r#"["nobody",1]"#,
            r#"["join"]"#,
            r#"["join",5]"#,
            r#"["burst","x"]"#,
            r#"["error"]"#,
        ] {
            client.send(&format!("25{event}"));
        }
        client.expect_nothing();
    });
}

#[test]
fn namespaces_refuse_as_agreed() {
    Server::with_app("socketio", &[], |server| {
        let mut client = Client::open(server);
        for (namespace, auth, answer) in [
            ("/nowhere", "", r#"{"message":"Invalid namespace"}"#),
            ("/dyn-", "", r#"{"message":"Invalid namespace"}"#),
            ("/dyn-1x", "", r#"{"message":"Invalid namespace"}"#),
            ("/reject", "", r#"{"message":"nope","data":{"code":7}}"#),
            ("/auth", "", r#"{"message":"unauthorized"}"#),
            ("/auth", r#"{"token":"wrong"}"#, r#"{"message":"unauthorized"}"#),
        ] {
            client.send(&format!("0{namespace},{auth}"));
            client.expect(&format!("4{namespace},{answer}"));
        }
        client.enter("/auth", r#"{"token":"secret"}"#);
        client.expect(r#"2/auth,["auth",{"token":"secret"}]"#);
        client.enter("/dyn-123", "");
        client.expect(r#"2/dyn-123,["auth",{}]"#);
        client.send(r#"2/dyn-123,4["count"]"#);
        client.expect("3/dyn-123,4[1]");
        assert!(server.stats().contains(r#""/dyn-123":1"#));
        client.send("1/dyn-123,");
        server.wait_for_stats(r#""sockets":{"/":0,"/auth":1,"/custom":0,"/reject":0}"#);
    });
}

#[test]
fn it_works_over_polling() {
    Server::with_app("socketio", &[], |server| {
        let sid = crate::session::sid_of(server.get(POLLING).text());
        let target = format!("{POLLING}&sid={sid}");
        server.post(&target, "40").assert_ok("ok");
        let mut packets: Vec<String> = Vec::new();
        while packets.len() < 2 {
            packets.extend(server.get(&target).text().split('\x1e').map(str::to_owned));
        }
        assert!(
            packets[0].starts_with(r#"40{"sid":""#) && packets[1] == r#"42["auth",{}]"#,
            "{packets:?}"
        );
        server
            .post(&target, "42[\"message\",1]\x1e42[\"message\",2]")
            .assert_ok("ok");
        packets.clear();
        while packets.len() < 2 {
            packets.extend(server.get(&target).text().split('\x1e').map(str::to_owned));
        }
        assert_eq!(packets, [r#"42["message-back",1]"#, r#"42["message-back",2]"#]);
        server.post(&target, "1").assert_ok("ok");
        server.wait_for_stats(r#""sessions":0"#);
    });
}
