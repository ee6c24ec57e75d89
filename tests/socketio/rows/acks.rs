//! Acknowledgements, both ways.

use super::peer::{Peer, on_every_transport};

#[test]
fn whatever_is_returned_is_the_acknowledgement() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        // Nothing, a value, several, a list, what looks like nothing.
        for args in ["", "1", "\"one\",2,{\"3\":[]}", "[1,2]", "null", "[]", "false,0,\"\""] {
            let comma = if args.is_empty() { "" } else { "," };
            assert_eq!(
                peer.call(&format!("[\"message-with-ack\"{comma}{args}]")),
                format!("[{args}]")
            );
        }
        let two = r#"{"_placeholder":true,"num":1},[{"_placeholder":true,"num":0}]"#;
        peer.send(&format!("52-789[\"message-with-ack\",{two},\"test\"]"));
        peer.send_bytes(&[1, 2, 3]);
        peer.send_bytes(&[4, 5, 6]);
        peer.expect(&format!("62-789[{two},\"test\"]"));
        peer.expect_bytes(&[1, 2, 3]);
        peer.expect_bytes(&[4, 5, 6]);
        // In another namespace too.
        peer.enter("/custom", "");
        peer.send(r#"2/custom,12["message-with-ack","x"]"#);
        peer.expect(r#"3/custom,12["x"]"#);
        peer.send(r#"51-/custom,13["message-with-ack",{"_placeholder":true,"num":0}]"#);
        peer.send_bytes(&[]);
        peer.expect(r#"61-/custom,13[{"_placeholder":true,"num":0}]"#);
        peer.expect_bytes(&[]);
    });
}

#[test]
fn any_number_of_64_bits_names_an_acknowledgement() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        for id in ["0", "1", "456", "9007199254740993", "18446744073709551615"] {
            peer.send(&format!("2{id}[\"message-with-ack\",1]"));
            peer.expect(&format!("3{id}[1]"));
        }
        // The same one twice is two acknowledgements: the server keeps no list of them.
        for _ in 0..2 {
            peer.send("25[\"message-with-ack\"]");
            peer.expect("35[]");
        }
    });
}

#[test]
fn the_server_waits_for_the_answer_it_asked_for() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        let (mut other, _) = Peer::join(server, plan);
        peer.send("2[\"ask-me\",1,\"two\"]");
        peer.expect("20[\"question\",1,\"two\"]");
        // Several at once, answered in another order; what nobody has asked for is ignored, whoever says it.
        peer.send("2[\"ask-me\"]");
        peer.expect("21[\"question\"]");
        for stray in ["32[]", "377[1]", "318446744073709551615[]", "3[]"] {
            peer.send(stray);
            other.send(stray);
        }
        other.send("30[\"not yours\"]");
        other.expect_nothing();
        peer.send("31[\"second\"]");
        peer.expect("2[\"answer\",\"second\"]");
        peer.send("61-0[{\"_placeholder\":true,\"num\":0},\"first\"]");
        peer.send_bytes(&[7]);
        peer.expect("51-[\"answer\",{\"_placeholder\":true,\"num\":0},\"first\"]");
        peer.expect_bytes(&[7]);
        // Once is enough.
        peer.send("30[\"again\"]");
        peer.expect_nothing();
    });
}

#[test]
fn an_answer_that_is_too_late_is_none() {
    on_every_transport(&[], |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        peer.send("2[\"ask-me-timeout\",50]");
        peer.expect("20[\"question\"]");
        peer.expect("2[\"ask-timeout\"]");
        peer.send("30[\"late\"]");
        peer.expect_nothing();
        peer.send("2[\"ask-me-timeout\",60000]");
        peer.expect("21[\"question\"]");
        peer.send("31[\"in time\",[]]");
        peer.expect("2[\"answer\",\"in time\",[]]");
    });
}

#[test]
fn whoever_goes_away_while_asked_leaves_nothing() {
    on_every_transport(&[], |server, plan| {
        let (mut leaving, _) = Peer::join(server, plan);
        leaving.send("2[\"ask-me\"]");
        leaving.expect("20[\"question\"]");
        leaving.send("1");
        // The number goes on where somebody comes back, so that an old answer is nobody's.
        leaving.enter("/", "");
        leaving.send("30[\"old\"]");
        leaving.expect_nothing();
        let (mut gone, _) = Peer::join(server, plan);
        gone.send("2[\"ask-me\"]");
        gone.expect("20[\"question\"]");
    });
}
