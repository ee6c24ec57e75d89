//! What each corpus begins with: the texts of the tests, and operations that lead into every state of a session.

/// The targets, and the inputs to begin with.
pub fn all() -> [(&'static str, Vec<Vec<u8>>); 17] {
    [
        ("packet", PACKETS.iter().map(|text| text.as_bytes().to_vec()).collect()),
        ("payload", BODIES.iter().map(|body| body.to_vec()).collect()),
        ("payload_v3", BODIES_OF_3.iter().map(|body| body.to_vec()).collect()),
        ("options", OPTIONS.iter().map(|text| text.as_bytes().to_vec()).collect()),
        (
            "static_files",
            FILES.iter().map(|text| text.as_bytes().to_vec()).collect(),
        ),
        ("session_v3", SCRIPTS.iter().map(|script| script.to_vec()).collect()),
        ("session", SCRIPTS.iter().map(|script| script.to_vec()).collect()),
        ("client", CLIENTS.iter().map(|script| script.to_vec()).collect()),
        ("client_wire", client_wires()),
        (
            "http1",
            REQUESTS.iter().map(|text| piecewise(text.as_bytes())).collect(),
        ),
        ("hosted", HOSTED.iter().map(|script| script.to_vec()).collect()),
        (
            "socketio_text",
            SOCKETIO.iter().map(|text| text.as_bytes().to_vec()).collect(),
        ),
        ("socketio_msgpack", MSGPACK.iter().map(|bytes| bytes.to_vec()).collect()),
        (
            "socketio_server",
            SERVERS.iter().map(|script| script.to_vec()).collect(),
        ),
        (
            "socketio_client",
            SOCKETIO_CLIENTS.iter().map(|script| script.to_vec()).collect(),
        ),
        ("socketio_pair", PAIRS.iter().map(|script| script.to_vec()).collect()),
        ("websocket", streams().iter().map(|stream| piecewise(stream)).collect()),
    ]
}

/// The first byte says in which pieces the rest is read.
fn piecewise(bytes: &[u8]) -> Vec<u8> {
    [&[7], bytes].concat()
}

const PACKETS: &[&str] = &[
    "0{\"sid\":\"lv_VI97HAXpY6yYWAAAB\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\
     \"maxPayload\":1000000}",
    "0{}",
    "1",
    "2probe",
    "3",
    "4é1234😀",
    "5",
    "6",
    "bAQIDBA==",
    "bAQIDBA",
    "b!!!!",
    "7",
];

const BODIES: &[&[u8]] = &[
    b"4hello\x1e2\x1e4world",
    b"4a\x1e4\x1ebAQID\x1e3",
    b"4a\x1e1\x1e4b\x1ejunk",
    b"0\x1e4a\x1e0{}\x1e5\x1e6\x1e3",
    b"4a\x1e\x1eb",
    b"4a\x1e",
    b"",
    b"4\xff",
    b"bAB==",
];

const BODIES_OF_3: &[&[u8]] = &[
    "6:4hello2:4\u{20ac}3:4\u{1f600}3:4\u{1e}:1:2".as_bytes(),
    "2:4\u{1f600}".as_bytes(),
    b"10:b4AQIDBA==1:11:9",
    b"1:6999999999:4",
    b"0:",
    b"\x00\x04\xff4\xe2\x82\xac\x01\x00\x03\xff\x04\x01\x02\x00\x01\xff2",
    b"\x01\x01\xff\x04\x00\x01\xff1\x02",
    b"\x00\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff4",
    b"\x01\x01\xff\x00",
];

/// Requests: method and target, then a header on each line. `Peer` and `Secure` are about the connection, `|` is a line break
/// that an application lets through.
const OPTIONS: &[&str] = &[
    "GET /engine.io/?EIO=4&transport=polling\nHost: a.example\nAccept-Encoding: gzip, deflate, br;q=0.5",
    "GET /engine.io/?EIO=3&transport=polling&j=7&b64=1\nAccept-Encoding: *;q=0.1, gzip;q=0, identity;q=0.05",
    "POST /engine.io/?EIO=4&transport=polling&sid=x&j=007\nOrigin: https://a.example\nHost: a.example:443",
    "OPTIONS /engine.io/?EIO=4&transport=polling\nOrigin: http://[::1]:80\nHost: [::1]",
    "GET /engine.io/?EIO=4&transport=websocket\nConnection: Upgrade\nUpgrade: websocket\nOrigin: null\nHost: a",
    "GET /engine.io/?transport=polling&j=1\nSec-Fetch-Site: cross-site\nReferer: https://a.example/page",
    "GET /engine.io/?EIO=4&transport=polling\nPeer: 10.1.2.3\nX-Forwarded-For: 203.0.113.9, [2001:db8::1]:80\n\
     X-Forwarded-For: 192.0.2.1:4711, 10.0.0.9\nX-Forwarded-Proto: https, http\nX-Forwarded-Host: b.example\n\
     Origin: https://b.example\nHost: internal:3000",
    "GET /engine.io/?EIO=4&transport=polling\nPeer: ::ffff:10.0.0.1\nX-Forwarded-For: unknown, ::ffff:192.0.2.1",
    "GET /engine.io/?EIO=4&transport=polling\nSecure: 1\nOrigin: http://a\nHost: a",
    "GET /else?%6a=1&=\nX-Name: a|Set-Cookie: b\nContent-Length: 7\nX|Y: z\nio: /a;b\nsid: /path",
    "0{\"sid\":\"x\"}\u{1e}4</script>\u{2028}\\n\n\t\u{1f600}",
    "d=4%5Cn%5C%5Cn+%E2%80%A8&d=5",
];

const FILES: &[&str] = &[
    "GET /",
    "GET /static",
    "GET /static/",
    "HEAD /static/a%20b.txt?x\nRange: bytes=0-1",
    "GET /static/a%20b.txt\nRange: bytes=2-4",
    "GET /a\nRange: bytes=-3\nIf-Range: TAG",
    "GET /a\nRange: bytes=0-0,5-6\nIf-Range: Wed, 09 Nov 1994 08:49:37 GMT",
    "GET /a\nRange: bytes=9-99999999999999999999999",
    "GET /static/empty.txt\nRange: bytes=0-",
    "GET /a\nIf-None-Match: \"x\", W/TAG\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
    "GET /a\nIf-Match: \"x\"\nIf-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
    "GET /a\nIf-None-Match: TAG",
    "GET /static/deep/x.js",
    "GET /static/in.js",
    "GET /static/../secret.txt",
    "GET /static/%2e%2e/secret.txt",
    "GET /static/..%2fsecret.txt",
    "GET /static/..%5csecret.txt",
    "GET /static/%252e%252e/secret.txt",
    "GET /static/up/secret.txt",
    "GET /static/out.txt",
    "GET /static/loop",
    "GET /static/sub/%00",
    "GET //static/sub",
    "POST /a",
];

// The operations of `model.rs`, each with a byte of detail: 2 sends, 5 gets, 7 gets and polls, 8 posts, 13 opens a
// WebSocket or fails a response, 15 is a frame, 17 ends the WebSocket, 19 polls everything, 21 takes events, 24 waits
// for the deadline, 26 is a pong, 27 upgrades.
const SCRIPTS: &[&[u8]] = &[
    // Found by fuzzing: a pong between a ping's being decided and its being handed over.
    &[
        0, 19, 0, 24, 0, 19, 0, 17, 8, 14, 1, 5, 7, 0, 0, 15, 8, 19, 0, 33, 223, 236, 255, 255, 255, 255, 255, 110, 1,
        15, 9,
    ],
    // Found by fuzzing: a probe before the open packet was fetched.
    &[
        2, 4, 0, 0, 0, 0, 0, 0, 0, 236, 28, 192, 8, 14, 1, 15, 8, 233, 21, 168, 109, 109, 73, 73, 73, 73, 73, 73, 37,
        73, 109, 73, 73, 73, 46, 210, 210, 210, 210, 210, 210, 35, 0, 8, 27, 93,
    ],
    // Polling: messages both ways, a ping, its pong, the end by silence.
    &[
        0, 19, 0, 2, 3, 7, 0, 8, 3, 19, 0, 21, 0, 24, 0, 7, 0, 26, 0, 19, 0, 2, 1, 7, 0,
    ],
    // An upgrade with messages queued on the way, then messages, a ping and a pong on the WebSocket.
    &[
        0, 19, 0, 5, 0, 2, 2, 19, 0, 27, 0, 2, 6, 19, 1, 15, 5, 15, 6, 21, 0, 24, 0, 18, 0, 26, 0, 18, 0,
    ],
    // Probes that fail: a wrong frame, silence, an early upgrade; then one that does not.
    &[
        0, 19, 0, 14, 1, 15, 0, 19, 0, 17, 8, 14, 1, 15, 8, 19, 0, 24, 0, 19, 0, 17, 8, 14, 1, 15, 9, 19, 0, 17, 8, 27,
        0,
    ],
    // Closed in order while polling, with more queued than one response takes.
    &[16, 19, 0, 2, 3, 2, 3, 1, 1, 7, 0, 7, 0, 7, 0, 7, 0, 7, 0],
    // Closed in order on a WebSocket.
    &[1, 18, 0, 2, 3, 1, 1, 19, 0, 17, 8],
    // A full queue, room again, aborted.
    &[
        5, 18, 0, 2, 0xff, 2, 0xff, 2, 0xff, 18, 0, 18, 0, 21, 0, 2, 0xff, 2, 0xff, 1, 3, 21, 0, 1, 5, 19, 0,
    ],
    // An application that takes nothing, then something, then nothing.
    &[
        10, 19, 0, 9, 3, 19, 0, 23, 30, 20, 0, 23, 30, 20, 0, 19, 0, 8, 3, 24, 0, 24, 0, 21, 0,
    ],
    // Overlaps and losses.
    &[0, 19, 0, 5, 0, 5, 0, 19, 0, 5, 0],
    &[8, 19, 0, 8, 1, 8, 1, 19, 0, 21, 0],
    &[0, 19, 0, 5, 0, 2, 3, 11, 4],
    &[0, 19, 0, 2, 3, 7, 0, 13, 4],
    // Bodies and frames that are wrong.
    &[0, 19, 0, 5, 0, 8, 0xe1, 19, 0],
    &[1, 19, 0, 15, 0xce, 19, 0],
    // Accepted, but held back for a while, over both transports; for ever.
    &[
        128, 2, 3, 0, 3, 19, 0, 8, 3, 2, 1, 19, 0, 1, 6, 19, 0, 21, 0, 7, 0, 24, 0, 19, 0,
    ],
    &[129, 0, 3, 2, 3, 15, 0, 19, 0, 0, 3, 18, 0, 1, 1, 18, 0, 1, 6, 19, 0],
    &[128, 0, 3, 2, 3, 24, 0, 19, 0, 24, 0, 19, 0],
    // Never accepted; refused.
    &[128, 24, 0, 19, 0],
    &[129, 2, 0, 1, 0, 19, 0],
];

// The operations of `client.rs`: two bytes of what kind of client, then each operation with a byte of detail (and some with
// what they read besides). 2 asks for everything, 5 writes everything, 7 sends, 11 takes events, 12 commands, 13 answers the
// GET, 17 opens over polling, 18 answers the POST, 20 loses a request, 21 opens the WebSocket, 23 opens on it, 24 is a
// frame, 26 ends it, 29 waits for the deadline, 31 upgrades.
const CLIENTS: &[&[u8]] = &[
    // Polling: messages both ways, a ping, its pong, the end by silence.
    &[
        4, 0, 2, 0, 17, 2, 11, 0, 7, 3, 2, 0, 13, 1, 0, 13, 18, 0, 2, 0, 11, 0, 18, 0, 29, 0,
    ],
    // An upgrade with messages queued on the way, then messages and a ping on the WebSocket.
    &[
        0, 0, 7, 2, 2, 0, 17, 0, 7, 1, 2, 0, 31, 0, 7, 6, 5, 0, 24, 1, 0, 24, 0, 24, 1, 13, 5, 0, 11, 0,
    ],
    // Upgrades that fail: refused, a wrong frame, silence, the last poll is not released.
    &[0, 0, 2, 0, 17, 0, 2, 0, 26, 2, 7, 1, 2, 0, 18, 0],
    &[0, 0, 2, 0, 17, 0, 2, 0, 21, 0, 5, 0, 24, 1, 0, 5, 0, 26, 0, 7, 1, 2, 0],
    &[0, 0, 2, 0, 17, 0, 2, 0, 29, 0, 5, 0, 7, 1, 2, 0],
    &[0, 0, 2, 0, 17, 0, 2, 0, 21, 0, 5, 0, 24, 1, 23, 7, 1, 29, 0, 2, 0, 5, 0],
    // A WebSocket from the start; from the second try; after one that said nonsense.
    &[1, 0, 2, 0, 21, 0, 23, 2, 7, 3, 5, 0, 12, 0, 5, 0, 26, 0, 11, 0],
    &[0, 0, 2, 0, 20, 2, 2, 0, 21, 0, 23, 0, 7, 3, 5, 0],
    &[2, 0, 2, 0, 21, 0, 24, 1, 0, 5, 0, 2, 0, 17, 0, 26, 0, 31, 0, 7, 0, 5, 0],
    // Messages that are too large: found out on opening, and when a WebSocket fails.
    &[4, 0, 7, 63, 7, 0, 2, 0, 17, 18, 2, 0, 11, 0, 18, 0, 2, 0],
    &[0, 0, 2, 0, 17, 16, 2, 0, 7, 28, 7, 0, 26, 0, 2, 0, 11, 0],
    &[0, 0, 2, 0, 17, 16, 2, 0, 7, 28, 7, 0, 31, 0, 5, 0, 11, 0],
    // A full queue, room again; closed in order with more queued than one POST takes.
    &[
        44, 0, 7, 63, 7, 63, 2, 0, 17, 2, 2, 0, 11, 0, 12, 0, 18, 0, 2, 0, 18, 0, 2, 0, 18, 0, 2, 0, 18, 0,
    ],
    // An application that takes nothing, then something, then nothing.
    &[
        84, 0, 2, 0, 17, 2, 2, 0, 13, 4, 1, 2, 3, 13, 4, 2, 0, 28, 30, 10, 0, 28, 30, 2, 0, 29, 0, 29, 0,
    ],
    // The server's goodbye, nonsense, a second open packet, a lost GET and a lost POST.
    &[4, 0, 2, 0, 17, 2, 2, 0, 13, 1, 1, 26, 11, 0],
    &[4, 0, 2, 0, 17, 2, 2, 0, 13, 1, 1, 29, 11, 0],
    &[4, 0, 2, 0, 17, 2, 2, 0, 17, 2],
    &[4, 0, 2, 0, 17, 2, 7, 3, 2, 0, 20, 0],
    &[4, 0, 2, 0, 17, 2, 7, 3, 2, 0, 20, 1],
    // Closed while an upgrade is under way.
    &[
        0, 0, 2, 0, 17, 0, 2, 0, 21, 0, 5, 0, 24, 1, 23, 7, 1, 12, 0, 13, 0, 20, 5, 0, 26, 0,
    ],
];

// The operations of `client_wire.rs`: two bytes of what kind of client, then each operation with a byte of detail (and some
// with what they read besides). 0 connects one stream, 2 drives all, 6 sends, 7 takes events, 9 commands, 10 answers a request, 12 opens
// over polling, 13 grants the WebSocket or the tunnel, 14 opens on it, 15 is frames, 17 the answer to the probe, 18 any
// bytes, 20 reads some of them and 21 all, 22 to 24 break and end streams, 27 waits for the deadline, 28 does everything
// right, 30 upgrades.
const CLIENT_WIRES: &[&[u8]] = &[
    // Polling: messages both ways, an idle stream used again, a ping, our close.
    &[
        3, 0, 28, 0, 6, 3, 28, 1, 28, 17, 7, 0, 28, 12, 28, 113, 7, 0, 9, 0, 28, 1, 28, 1,
    ],
    // Bodies in every form: chunked, up to the end, deflate, closed behind it, kept for 2 s.
    &[
        3, 0, 28, 0, 10, 48, 2, 3, 12, 19, 21, 23, 28, 1, 10, 80, 1, 9, 3, 21, 0, 28, 1, 10, 112, 0, 1, 21, 0, 27, 0,
    ],
    &[3, 0, 28, 0, 10, 64, 2, 3, 12, 22, 21, 3, 21, 0, 7, 0],
    &[3, 0, 28, 0, 6, 1, 2, 0, 11, 97, 21, 0, 6, 2, 2, 0, 11, 10, 21, 7, 7, 0],
    // A WebSocket from the start: messages both ways, fragments, a ping, closed by either side.
    &[
        1, 0, 2, 0, 13, 0, 21, 0, 14, 0, 21, 0, 6, 3, 2, 0, 15, 15, 1, 12, 3, 4, 21, 3, 15, 1, 15, 4, 21, 0, 2, 0, 7,
        0, 9, 0, 2, 0, 15, 0, 21, 0, 2, 0,
    ],
    &[
        1, 0, 2, 0, 13, 0, 21, 0, 14, 0, 21, 0, 6, 3, 2, 0, 15, 5, 21, 0, 2, 0, 7, 0,
    ],
    // Refused, granted in a wrong way, answered by nonsense; with the other transport behind it.
    &[2, 0, 2, 0, 13, 5, 21, 0, 28, 0, 28, 3, 7, 0],
    &[2, 0, 2, 0, 13, 4, 21, 3, 28, 0, 28, 3, 7, 0],
    &[2, 0, 2, 0, 13, 0, 21, 0, 15, 3, 21, 0, 2, 0, 28, 0, 7, 0],
    // An upgrade, with messages sent before, meanwhile and after.
    &[
        0, 0, 6, 1, 28, 0, 6, 2, 28, 1, 30, 0, 6, 3, 2, 0, 15, 7, 1, 12, 3, 4, 21, 0, 7, 0, 9, 0, 2, 0, 15, 0, 21, 0,
    ],
    // Upgrades that fail: refused, a wrong answer to the probe, silence, a stream that breaks.
    &[0, 0, 28, 0, 13, 5, 21, 0, 6, 1, 28, 1, 7, 0],
    &[0, 0, 28, 0, 28, 1, 15, 5, 21, 0, 6, 1, 28, 1, 7, 0],
    &[0, 2, 28, 0, 27, 0, 6, 1, 28, 1, 7, 0, 9, 0, 28, 1],
    &[0, 0, 28, 0, 28, 1, 23, 2, 6, 1, 28, 1, 7, 0],
    // Through a proxy: polling, a tunnel and an upgrade in it, a proxy that refuses.
    &[4, 16, 28, 0, 28, 1, 28, 1, 17, 0, 21, 0, 28, 1, 2, 0, 6, 3, 2, 0, 7, 0],
    &[
        5, 16, 2, 0, 13, 0, 21, 0, 2, 0, 13, 0, 21, 0, 14, 0, 21, 3, 6, 3, 2, 0, 15, 9, 1, 2, 21, 0, 7, 0,
    ],
    &[6, 0, 2, 0, 13, 5, 21, 0, 2, 0, 28, 0, 7, 0],
    // Streams that are never connected, break, end; idle ones, before and after the next request.
    &[0, 0, 0, 0, 22, 0, 0, 2, 22, 2, 7, 0],
    &[3, 0, 28, 0, 6, 3, 2, 0, 23, 1, 7, 0],
    &[3, 0, 28, 0, 6, 3, 28, 1, 6, 1, 0, 1, 24, 1, 2, 0, 28, 1, 7, 0],
    &[
        3, 0, 28, 0, 6, 3, 28, 1, 24, 1, 6, 1, 28, 1, 26, 250, 6, 1, 28, 1, 24, 0, 7, 0,
    ],
    // Answers to what was not asked yet, on a new stream and on one that was idle.
    &[
        3, 0, 28, 0, 6, 3, 0, 1, 0, 130, 18, 1, 38, 72, 84, 84, 80, 47, 49, 46, 49, 32, 50, 48, 48, 32, 79, 75, 13, 10,
        67, 111, 110, 116, 101, 110, 116, 45, 76, 101, 110, 103, 116, 104, 58, 32, 48, 13, 10, 13, 10, 19, 1, 6, 2, 1,
        1, 9, 2, 7, 0,
    ],
    // Refused; a redirect.
    &[3, 0, 2, 0, 10, 12, 0, 0, 21, 0, 7, 0],
    &[3, 0, 28, 0, 6, 1, 2, 0, 11, 15, 21, 0, 2, 0, 10, 14, 0, 31, 21, 0, 7, 0],
    // A full queue, an application that does not keep up, small limits, an end in the middle.
    &[
        251, 15, 28, 0, 6, 255, 6, 255, 28, 10, 28, 11, 26, 1, 8, 0, 28, 1, 7, 0, 28, 7, 9, 2, 28, 0,
    ],
];

/// What a server may say to a client that has a GET under way, or asks for a WebSocket.
const ANSWERS: &[(u8, &[u8])] = &[
    (
        0,
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b; Path=/\r\n\
        \r\n49\r\n0{\"sid\":\"a\",\"upgrades\":[\"websocket\"],\"pingInterval\":100,\"pingTimeout\":50}\r\n0\r\n\r\n",
    ),
    (
        0,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 89\r\n\r\n\
        \x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x33\xa8\x56\x2a\xce\x4c\x51\xb2\x52\x4a\x54\xd2\x51\x2a\x2d\x48\x2f\x4a\x4c\x49\x2d\x56\xb2\x8a\x56\x2a\x4f\x4d\x2a\xce\x4f\xce\x4e\x2d\x51\x8a\xd5\x51\x2a\xc8\xcc\x4b\xf7\xcc\x2b\x49\x2d\x2a\x4b\xcc\x51\xb2\x32\x34\x30\x80\x08\x85\x64\xe6\xa6\xe6\x97\x96\x28\x59\x99\x1a\xd4\x02\x00\x39\xb7\x4e\x16\x49\x00\x00\x00",
    ),
    (0, b"HTTP/1.1 302 Found\r\nLocation: http://else\x1b[2J\r\nContent-Length: 0\r\n\r\n"),
    (0, b"HTTP/1.1 401 No\r\nSet-Cookie: a=b; Max-Age=0\r\n\r\n{\"code\":1,\"message\":\"who?\"}"),
    (0, b"HTTP/1.0 200 OK\r\n\r\n4hello"),
    (0, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n4hel"),
    (0, b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n"),
    (0, b"SSH-2.0-OpenSSH\r\n"),
    (
        2,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \
        ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n\x81\x380{\"sid\":\"a\",\"pingInterval\":1000,\"pingTimeout\":50}       \
        \x81\x024a\x82\x01b\x89\x00\x88\x02\x03\xe8",
    ),
    (2, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: wrong\r\n\r\n\x81\x016"),
];

fn client_wires() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = CLIENT_WIRES.iter().map(|script| script.to_vec()).collect();
    for (stream, bytes) in ANSWERS {
        let mut script = vec![if *stream == 0 { 0 } else { 1 }, 0, 2, 0];
        for part in bytes.chunks(255) {
            script.extend([18, *stream, part.len() as u8]);
            script.extend_from_slice(part);
        }
        // In pieces of a few bytes, then on with it.
        script.extend([21, 23, 24, *stream, 28, 1, 7, 0]);
        all.push(script);
    }
    all
}

const REQUESTS: &[&str] = &[
    "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /engine.io/?EIO=4&transport=polling&sid=a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n4helloGET / HTTP/1.1\r\n\
     Host: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n4he\r\n3;x=y\r\nllo\r\n0\r\nT: t\r\n\r\n",
    "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
     Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET http://example.org/path?query HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n1",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
];

const SOCKETIO: &[&str] = &[
    "0",
    "0/admin?a=b,{\"token\":1}",
    "1/admin,",
    "2/admin,12[\"event\",{\"a\":[1,2.5e3,null,true]},\"\\ud83d\\ude00\\n\"]",
    "52-[\"upload\",{\"_placeholder\":true,\"num\":1},[{\"num\":0,\"_placeholder\":true}]]",
    "31[]",
    "61-/a,7[{\"_placeholder\":true,\"num\":0}]",
    "4{\"message\":\"no\",\"data\":{\"code\":7}}",
    "4\"no\"",
    "2[1,\"\\ud800\",1e400]",
    "51000000000-[\"a\"]",
    "2[\"a\",[[[[[[[[]]]]]]]]]",
    "2[\"a\",{\"__proto__\":{}}]",
    "2[\"connect\"]",
    "2123456789012345678901234567890[\"a\"]",
];

const MSGPACK: &[&[u8]] = &[
    b"\x82\xa4type\x00\xa3nsp\xa1/",
    b"\x83\xa4type\x00\xa3nsp\xa2/a\xa4data\x81\xa5token\x01",
    b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x07\xa4data\x93\xa1e\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xc4\x02\x01\x02",
    b"\x83\xa4type\x03\xa3nsp\xa1/\xa4data\x94\xd4\x00\x00\xd7\x00\x00\x00\x01\x8b\xcf\xe5\x68\x7b\xc7\x01\x00\x05\xd4\x07\x01",
    b"\x83\xa4type\x03\xa3nsp\xa1/\xa4data\x91\x91\x91\x91\x91\x80",
    b"\x83\xa4type\x04\xa3nsp\xa1/\xa4data\xa2no",
    b"\x83\xa4type\x03\xa3nsp\xa1/\xa4data\xdd\xff\xff\xff\xff",
    b"\x82\xa4type\x01\xa3nsp\xa1/",
];

// The operations of `alone.rs`, each with a byte of detail: up to 6 the peer says something (with a byte of what), 7 lets in
// or opens, 8 lets in or connects, 9 emits, 10 wants an acknowledgement, 11 is volatile or sent again, 12 acknowledges, 13
// and 14 end, 16 and 17 wait, 18 sends.
const SERVERS: &[&[u8]] = &[
    &[
        0, 0, 0, 0, 7, 5, 18, 7, 0, 0, 10, 9, 0, 10, 1, 0, 0, 16, 18, 7, 12, 0, 18, 7, 0, 0, 7,
    ],
    &[
        4, 0, 0, 1, 7, 1, 9, 1, 9, 2, 0, 0, 24, 0, 0, 205, 12, 1, 17, 0, 13, 8, 0, 0, 11, 0, 0, 1, 7, 1,
    ],
    &[
        3, 0, 0, 0, 0, 0, 34, 7, 1, 7, 2, 10, 1, 10, 1, 17, 0, 14, 1, 18, 7, 14, 35,
    ],
    &[0, 0, 0, 24, 17, 0, 18, 7],
    &[8, 0, 0, 0, 7, 1, 0, 0, 27, 18, 7],
];

const SOCKETIO_CLIENTS: &[&[u8]] = &[
    &[
        1, 8, 0, 9, 1, 10, 1, 7, 0, 18, 7, 0, 0, 3, 18, 7, 0, 0, 16, 0, 0, 12, 12, 1, 18, 7,
    ],
    &[
        1, 8, 0, 11, 1, 7, 0, 0, 0, 3, 18, 7, 17, 0, 18, 7, 14, 30, 7, 0, 0, 0, 3, 18, 7, 0, 0, 16,
    ],
    &[64, 8, 2, 7, 0, 15, 0, 18, 7, 0, 0, 21, 8, 0, 9, 2, 13, 8, 8, 1, 0, 0, 3],
    &[24, 8, 4, 7, 0, 0, 0, 11, 0, 0, 11, 0, 0, 4, 14, 1],
];

// The operations of `pair.rs`, each with a byte of detail: 0 opens, 2 cuts, 3 connects, 5 leaves, 6 emits, 9 and 15
// acknowledge, 10 answers, 13 emits from the server, 16 throws out, 17 waits, 18 carries, 21 broadcasts, 23 settles.
const PAIRS: &[&[u8]] = &[
    &[
        0, 3, 0, 6, 1, 0, 0, 23, 0, 10, 1, 23, 0, 6, 96, 13, 200, 23, 0, 15, 0, 9, 0, 21, 0, 23, 0, 5, 0,
    ],
    &[
        3, 3, 0, 6, 160, 6, 161, 0, 0, 18, 3, 10, 1, 18, 2, 2, 0, 0, 0, 23, 0, 10, 1, 23, 0, 17, 120, 15, 0,
    ],
    &[
        12, 3, 1, 3, 4, 0, 0, 18, 7, 10, 8, 10, 1, 23, 0, 6, 1, 6, 2, 6, 3, 16, 33, 5, 0, 3, 1, 23, 0, 10, 1,
    ],
    &[0, 3, 6, 0, 0, 5, 0, 3, 0, 23, 0, 10, 1, 23, 0, 10, 1, 16, 20],
];

// The operations of `hosted.rs`, each with a byte of detail: 0 and 1 open, 2 polls, 3 posts, 5 upgrades, 6 asks for an answer,
// 8 gives it up, 9 reads it, 10 loses it, 11 is the application's, 12 takes events, 13 waits, 14 is the WebSocket's.
const HOSTED: &[&[u8]] = &[
    // Opened, accepted, a message each way, and a poll that is given up.
    &[
        0, 0, 6, 0, 11, 0, 6, 0, 9, 0, 2, 0, 6, 0, 11, 5, 6, 0, 9, 0, 3, 0, 6, 0, 9, 0, 12, 0, 2, 0, 6, 0, 8, 0, 12, 0,
    ],
    // An answer that is lost, with a message in it.
    &[0, 0, 11, 0, 6, 0, 9, 0, 11, 5, 2, 0, 6, 0, 10, 0, 12, 0],
    // An upgrade, messages and a ping on it, and the end of it.
    &[
        0, 0, 11, 0, 6, 0, 9, 0, 2, 0, 6, 0, 5, 0, 6, 1, 14, 0, 6, 0, 9, 0, 14, 15, 14, 1, 14, 15, 11, 5, 14, 15, 14,
        2, 12, 0, 13, 3, 14, 15, 14, 3, 14, 7,
    ],
    // A WebSocket from the start: one that is refused, one that is closed, one whose answer is given up.
    &[
        1, 0, 6, 0, 11, 2, 6, 0, 9, 0, 1, 0, 11, 8, 6, 0, 11, 13, 14, 15, 11, 11, 14, 15, 14, 8, 1, 0, 11, 16, 8, 0,
    ],
    // A POST that is held because nobody takes messages, and goes on when somebody does.
    &[
        0, 0, 11, 0, 6, 0, 9, 0, 3, 1, 6, 0, 3, 1, 6, 0, 3, 1, 6, 0, 12, 0, 6, 0, 9, 0,
    ],
    // Closed while a poll is held, with messages queued; the whole server.
    &[
        0, 0, 11, 0, 6, 0, 9, 0, 2, 0, 6, 0, 11, 5, 11, 6, 15, 255, 6, 0, 9, 0, 2, 0, 6, 0, 9, 0, 0, 0, 6, 0,
    ],
    // Nobody answers, nobody asks.
    &[0, 0, 0, 0, 1, 0, 2, 0, 3, 0, 5, 0, 13, 3, 13, 3],
];

/// A client's frame: first byte, payload. Masked, as a client's are.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut out = vec![first];
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    out
}

fn streams() -> Vec<Vec<u8>> {
    vec![
        [frame(0x81, b"2probe"), frame(0x81, b"5"), frame(0x82, &[1, 2, 3])].concat(),
        [frame(0x01, "4é".as_bytes()), frame(0x89, b"ping"), frame(0x80, b"end")].concat(),
        [frame(0x81, b"4a"), frame(0x88, &[3, 232]), frame(0x81, b"after")].concat(),
        [frame(0x8a, b""), frame(0x89, b""), frame(0x88, b"")].concat(),
        frame(0x81, b"\xff"),
        frame(0x82, &[0; 101]),
        frame(0x89, &[0; 126]),
        frame(0xc1, b"reserved"),
        frame(0x83, b"reserved"),
        frame(0x80, b"nothing to continue"),
        [frame(0x01, b"a"), frame(0x81, b"b")].concat(),
        vec![0x81, 1, b'a'],
        frame(0x88, &[0, 1]),
        frame(0x88, b"\x03\xe8\xff"),
    ]
}
