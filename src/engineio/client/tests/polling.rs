//! What goes into POSTs and comes with GETs, and what becomes of it.

use super::*;

/// The bodies of all POSTs, each answered at once.
fn posts(scene: &mut Scene) -> Vec<String> {
    let mut bodies = Vec::new();
    loop {
        let requests = scene.requests();
        bodies.extend(
            requests
                .iter()
                .filter_map(|request| request.strip_prefix("POST "))
                .map(String::from),
        );
        if scene.post.is_none() {
            return bodies;
        }
        scene.posted();
    }
}

#[test]
fn one_get_and_one_post_at_a_time() {
    let mut scene = polling();
    scene.send("a");
    scene.send("b");
    assert_eq!(scene.requests(), ["POST 4a 4b"]);
    scene.send("c");
    assert_eq!(scene.requests(), NO_STRINGS);
    scene.got("4x").unwrap();
    assert_eq!(scene.requests(), ["GET"]);
    scene.posted();
    assert_eq!(scene.requests(), ["POST 4c"]);
    assert_eq!(scene.client.sent(), 3);
    assert_eq!(scene.events(), [message("x")]);
    assert_eq!(scene.client.received(), 1);
}

#[test]
fn what_a_post_is_answered_with_does_not_matter() {
    for body in [&b"ok"[..], b"OK", b"", b"4not a message", b"\xff"] {
        let mut scene = polling();
        scene.send("a");
        scene.requests();
        let post = scene.post.take().unwrap();
        assert_eq!(scene.input(Input::Response(post, Bytes::from_static(body))), Ok(()));
        assert_eq!(scene.events(), []);
        scene.lose_get();
        assert_eq!(scene.events(), [closed(TransportError, 0, 0)]);
    }
}

#[test]
fn posts_are_split_by_what_the_server_takes() {
    // The limit, the lengths of texts (positive) and of bytes (negative), the lengths of the bodies.
    let table: &[(usize, &[isize], &[usize])] = &[
        (10, &[9], &[10]),
        (10, &[8], &[9]),
        // 1 + 3, a separator, 1 + 4: ten bytes.
        (10, &[3, 4], &[10]),
        (9, &[3, 4], &[4, 5]),
        (11, &[3, 4], &[10]),
        (10, &[3, 4, 0], &[10, 1]),
        (12, &[3, 4, 0], &[12]),
        (11, &[3, 4, 0], &[10, 1]),
        // `b` and four characters for each three bytes.
        (5, &[-3], &[5]),
        (9, &[-4], &[9]),
        (9, &[-6], &[9]),
        (11, &[-3, -3], &[11]),
        (10, &[-3, -3], &[5, 5]),
        (7, &[-3, 0], &[7]),
        (6, &[-3, 0], &[5, 1]),
        (3, &[0, -0, 0], &[3, 1]),
        (1, &[0, 0], &[1, 1]),
        // No limit.
        (0, &[100, 200, -300], &[101 + 1 + 201 + 1 + 401]),
    ];
    for (max, lengths, bodies) in table {
        let mut scene = polling_with(config(), *max);
        for &length in *lengths {
            let data = if length < 0 {
                bytes(length.unsigned_abs())
            } else {
                text(length.unsigned_abs())
            };
            scene.client.send(data).unwrap();
        }
        let found: Vec<usize> = posts(&mut scene).iter().map(String::len).collect();
        assert_eq!(found, *bodies, "{max} {lengths:?}");
        assert_eq!(scene.client.sent(), lengths.len() as u64);
    }
}

#[test]
fn length_is_counted_in_bytes() {
    let mut scene = polling_with(config(), 9);
    scene.send("éé");
    scene.send("éx");
    assert_eq!(posts(&mut scene), ["4éé", "4éx"]);
    let mut scene = polling_with(config(), 10);
    scene.send("éé");
    scene.send("éx");
    assert_eq!(posts(&mut scene), ["4éé 4éx"]);
}

#[test]
fn no_limit_where_none_is_announced() {
    let mut scene = newborn(config());
    scene.requests();
    scene
        .got(r#"0{"sid":"a","pingInterval":1000,"pingTimeout":500}"#)
        .unwrap();
    scene.client.send(text(5000)).unwrap();
    scene.client.send(text(4000)).unwrap();
    assert_eq!(posts(&mut scene)[0].len(), 9003);
}

#[test]
fn sixteen_packets_are_a_full_post() {
    let counts = |scene: &mut Scene| -> Vec<usize> {
        let bodies = posts(scene);
        bodies.iter().map(|body| body.split(' ').count()).collect()
    };
    for (messages, expected) in [(16, &[16][..]), (17, &[16, 1]), (40, &[16, 16, 8])] {
        let mut scene = polling();
        (0..messages).for_each(|_| scene.send("a"));
        assert_eq!(counts(&mut scene), expected);
    }
    // The pong is one of them; the close packet comes behind them.
    let mut scene = polling();
    (0..16).for_each(|_| scene.send("a"));
    scene.got("2").unwrap();
    assert_eq!(counts(&mut scene), [16, 1]);
    for (messages, expected) in [(15, [15, 1]), (16, [16, 1])] {
        let mut scene = polling();
        (0..messages).for_each(|_| scene.send("a"));
        scene.close();
        assert_eq!(counts(&mut scene), expected);
        assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
    }
    for max in [0, 1] {
        let mut scene = polling_with(
            Config {
                max_packets_per_request: max,
                ..config()
            },
            1000,
        );
        scene.send("a");
        scene.send("b");
        scene.got("2").unwrap();
        scene.close();
        assert_eq!(posts(&mut scene), ["3", "4a", "4b", "1"]);
    }
}

#[test]
fn the_pong_and_the_close_packet_need_room_too() {
    for (max, expected) in [(6, &["3 4a", "1"][..]), (4, &["3 4a", "1"]), (3, &["3", "4a", "1"])] {
        let mut scene = polling_with(config(), max);
        scene.send("a");
        scene.got("2").unwrap();
        scene.close();
        assert_eq!(posts(&mut scene), expected, "{max}");
    }
    for (max, expected) in [(3, &["3 1"][..]), (2, &["3", "1"])] {
        let mut scene = polling_with(config(), max);
        scene.got("2").unwrap();
        scene.close();
        assert_eq!(posts(&mut scene), expected, "{max}");
    }
}

#[test]
fn a_body_is_taken_whole_or_not_at_all() {
    for body in [
        "",
        "4a\x1e",
        "4a\x1e7",
        "4a\x1eb!",
        "4a\x1e\x1e4b",
        "4a\x1e0{}",
        "ok",
        "<html>",
    ] {
        let mut scene = polling();
        assert!(scene.got(body).is_err(), "{body}");
        assert_eq!(scene.events(), [closed(ParseError, 0, 0)], "{body}");
        scene.assert_finished();
    }
    let mut scene = polling();
    let get = scene.get.take().unwrap();
    let result = scene.input(Input::Response(get, Bytes::from_static(b"4\xff")));
    assert_eq!(result, Err(Violation::Packet(PacketError::NotUtf8)));
    assert_eq!(scene.events(), [closed(ParseError, 0, 0)]);
}

#[test]
fn the_servers_goodbye() {
    let mut scene = polling();
    scene.send("a");
    scene.requests();
    scene.send("b");
    scene.posted();
    scene.got("4x\x1e1\x1e4never said\x1e7").unwrap();
    assert_eq!(scene.events(), [message("x"), closed(ServerDisconnect, 0, 1)]);
    assert_eq!(scene.unsent(), ["b".into()]);
    scene.assert_finished();
}

/// A server that ends the session because of a message says so before it answers the POST that brought it.
#[test]
fn the_servers_goodbye_comes_before_its_answer() {
    type End = fn(&mut Scene);
    let ends: &[(usize, End)] = &[
        (0, |scene| scene.posted()),
        (1, |scene| scene.lose_post()),
        (1, |scene| {
            let post = scene.post.take().unwrap();
            scene.input(Input::Refused(post)).unwrap();
        }),
        // Nothing else is waited for, and not for long.
        (1, |scene| scene.wait(400)),
    ];
    for (in_doubt, end) in ends {
        let mut scene = polling();
        scene.send("a");
        scene.requests();
        scene.got("4x\x1e1").unwrap();
        scene.send("b");
        assert_eq!(scene.requests(), [""; 0]);
        assert_eq!(scene.events(), [message("x")]);
        end(&mut scene);
        assert_eq!(scene.events(), [closed(ServerDisconnect, *in_doubt, 1)]);
        assert_eq!(scene.unsent(), ["b".into()]);
        scene.assert_finished();
    }
}

// ---- what is confirmed ----

#[test]
fn the_answer_to_a_post_confirms_it() {
    type End = fn(&mut Scene);
    let ends: &[(CloseReason, End)] = &[
        (TransportError, |scene| scene.lose_get()),
        (TransportError, |scene| {
            let get = scene.get.take().unwrap();
            scene.input(Input::Refused(get)).unwrap();
        }),
        (ParseError, |scene| assert!(scene.got("7").is_err())),
        (ServerDisconnect, |scene| {
            scene.got("1").unwrap();
            if scene.post.is_some() {
                scene.lose_post();
            }
        }),
        (ClientDisconnect, |scene| scene.client.abort(scene.now)),
        (PingTimeout, |scene| scene.wait(1500)),
    ];
    for (reason, end) in ends {
        let begin = || {
            let mut scene = polling();
            ["a", "b"].iter().for_each(|text| scene.send(text));
            assert_eq!(scene.requests(), ["POST 4a 4b"]);
            scene.send("c");
            scene
        };
        let mut scene = begin();
        if *reason == PingTimeout {
            // The POST would have been given up long before.
            scene.wait(700);
            scene.got("2").unwrap();
            scene.wait(99);
        }
        if *reason != PingTimeout {
            end(&mut scene);
            assert_eq!(scene.events(), [closed(*reason, 2, 1)]);
            assert_eq!(scene.unsent(), ["c".into()]);
            scene.assert_finished();
        }

        let mut scene = begin();
        scene.posted();
        end(&mut scene);
        assert_eq!(scene.events(), [closed(*reason, 0, 1)]);
        assert_eq!(scene.unsent(), ["c".into()]);
        scene.assert_finished();
    }
}

#[test]
fn a_post_that_fails_leaves_its_messages_in_doubt() {
    for refused in [false, true] {
        let mut scene = polling();
        scene.send("a");
        scene.requests();
        scene.posted();
        scene.send("b");
        scene.requests();
        scene.send("c");
        let post = scene.post.take().unwrap();
        let end = if refused {
            Input::Refused(post)
        } else {
            Input::Failed(post)
        };
        scene.input(end).unwrap();
        if refused {
            // The answer to the poll may say why; nothing more is asked for.
            assert_eq!((scene.events(), scene.requests()), (vec![], vec![]));
            scene.got("4x").unwrap();
            assert_eq!(scene.events(), [message("x"), closed(TransportError, 1, 1)]);
        } else {
            assert_eq!(scene.events(), [closed(TransportError, 1, 1)]);
        }
        assert_eq!(scene.client.sent(), 2);
        scene.assert_finished();
    }
}

/// As long as nothing of a request has left, its messages were not sent, whatever ends the session.
#[test]
fn a_post_that_waits_for_a_stream_sends_nothing() {
    type End = fn(&mut Scene);
    let ends: &[(CloseReason, End)] = &[
        (TransportError, |scene| scene.lose_post()),
        (TransportError, |scene| scene.lose_get()),
        (TransportError, |scene| scene.wait(800)),
        (ClientDisconnect, |scene| scene.client.abort(scene.now)),
    ];
    for (reason, end) in ends {
        for left in [false, true] {
            let mut scene = polling();
            ["a", "b"].iter().for_each(|text| scene.send(text));
            scene.requests();
            scene.send("c");
            let post = scene.post.unwrap();
            scene.client.handle_waiting(post);
            assert_eq!(scene.client.sent(), 2);
            if left {
                scene.client.handle_leaving(post);
            }
            end(&mut scene);
            let (in_doubt, unsent) = if left { (2, 1) } else { (0, 3) };
            assert_eq!(scene.events(), [closed(*reason, in_doubt, unsent)]);
            let all = ["a".into(), "b".into(), "c".into()];
            assert_eq!(scene.unsent(), all[3 - unsent..]);
            scene.assert_finished();
        }
    }
}

/// What a session has left goes to the next one.
#[test]
fn unsent_messages_are_queued_again() {
    let mut settings = config();
    settings.max_queue = 2 * 65;
    let mut scene = polling_with(settings, 1000);
    scene.client.requeue(["a", "b"].map(Data::from));
    assert!(matches!(scene.client.send("d".into()), Err(SendError::Full(_))));
    assert_eq!(scene.requests(), ["POST 4a 4b"]);
    scene.posted();
    scene.send("d");
    scene.client.abort(scene.now);
    scene.client.requeue(["never".into()]);
    assert_eq!(scene.unsent(), ["d".into()]);
}

/// The room of what may come back is kept, so that nothing grows from session to session.
#[test]
fn a_post_that_waits_keeps_its_room() {
    let mut unsent = Vec::new();
    for _ in 0..5 {
        let mut settings = config();
        settings.max_queue = 10 * 65;
        let mut scene = polling_with(settings, 1000);
        scene.client.requeue(unsent.drain(..));
        while scene.client.send("x".into()).is_ok() {}
        scene.requests();
        scene.client.handle_waiting(scene.post.unwrap());
        assert!(scene.client.send("x".into()).is_err());
        scene.lose_post();
        unsent = scene.client.take_unsent().collect();
        assert_eq!(unsent.len(), 10);
    }
    let mut settings = config();
    settings.max_queue = 10 * 65;
    let mut scene = polling_with(settings, 1000);
    while scene.client.send("x".into()).is_ok() {}
    scene.requests();
    scene.client.handle_waiting(scene.post.unwrap());
    assert!(scene.client.send("x".into()).is_err());
    scene.client.handle_leaving(scene.post.unwrap());
    assert_eq!(scene.events(), [Event::Writable]);
    scene.send("x");
}

/// The server's close packet may come behind the refusal that followed from it.
#[test]
fn a_goodbye_that_was_overtaken() {
    for (answer, events) in [
        (Some("4x\x1e1"), vec![message("x"), closed(ServerDisconnect, 1, 0)]),
        (Some("6"), vec![closed(TransportError, 1, 0)]),
        (None, vec![closed(TransportError, 1, 0)]),
    ] {
        let mut scene = polling();
        scene.send("a");
        scene.requests();
        let post = scene.post.take().unwrap();
        scene.input(Input::Refused(post)).unwrap();
        assert_eq!(scene.events(), []);
        match answer {
            Some(answer) => scene.got(answer).unwrap(),
            None => scene.wait(5_000),
        }
        assert_eq!(scene.events(), events);
        scene.assert_finished();
    }
}

#[test]
fn a_post_has_a_deadline() {
    let mut scene = polling();
    scene.wait(500);
    scene.send("a");
    scene.requests();
    scene.wait(799);
    assert_eq!(scene.events(), []);
    scene.wait(1);
    assert_eq!(scene.events(), [closed(TransportError, 1, 0)]);
    scene.assert_finished();
}

#[test]
fn unsent_messages_are_for_the_end_only() {
    let mut scene = polling();
    scene.send("a");
    assert_eq!(scene.unsent(), []);
    assert_eq!(scene.requests(), ["POST 4a"]);
}

// ---- the queue ----

#[test]
fn a_full_queue_gives_back_and_tells_of_room() {
    let mut settings = config();
    settings.max_queue = 2 * 65;
    settings.max_packets_per_request = 1;
    let mut scene = polling_with(settings, 1000);
    scene.send("a");
    scene.send("b");
    assert_eq!(scene.client.send("c".into()), Err(SendError::Full("c".into())));
    assert!(scene.client.is_blocked());
    assert_eq!(scene.events(), []);
    assert_eq!(scene.requests(), ["POST 4a"]);
    assert_eq!(scene.events(), [Event::Writable]);
    assert!(!scene.client.is_blocked());
    scene.send("c");
    assert_eq!(scene.client.send("d".into()), Err(SendError::Full("d".into())));
    scene.posted();
    assert_eq!(scene.requests(), ["POST 4b"]);
    assert_eq!(scene.events(), [Event::Writable]);
    assert!(matches!(scene.client.send(text(67)), Err(SendError::TooLarge(_))));
    assert_eq!(scene.events(), []);
}

#[test]
fn room_that_was_used_up_is_not_reported() {
    let mut settings = config();
    settings.max_queue = 2 * 65;
    let mut scene = polling_with(settings, 1000);
    scene.send("a");
    scene.send("b");
    _ = scene.client.send("c".into());
    assert_eq!(scene.requests(), ["POST 4a 4b"]);
    scene.send("c");
    scene.send("d");
    assert!(scene.client.send("e".into()).is_err());
    assert_eq!(scene.events(), []);
}

#[test]
fn nothing_is_sent_once_it_closes() {
    let mut scene = polling();
    scene.close();
    assert_eq!(scene.client.send("a".into()), Err(SendError::Closed("a".into())));
    scene.client.abort(scene.now);
    assert_eq!(scene.client.send("a".into()), Err(SendError::Closed("a".into())));
    assert_eq!(scene.events(), [closed(ClientDisconnect, 0, 0)]);
}
