//! What is wrong with a certificate: one clear error at our client, and one logged at our server.

use std::io::Read;
use std::net::TcpListener;
use std::thread;

use crate::certificates::{Authority, Pair, Time, self_signed};
use crate::client::{CARRIERS, Client};
use crate::secure::Secure;

/// Over each transport, the client says so and nothing else, and the server knows what it was told.
#[track_caller]
fn assert_mistake(authority: Authority, pair: &Pair, words: &str, logged: &str) {
    let server = Secure::with(authority, pair, &[]);
    for flags in CARRIERS {
        let ended = server.client(&server.url("https", "localhost"), flags).finish(1);
        let error = ended.only_error();
        assert_eq!(error["kind"], "tls");
        assert_eq!(error["message"], format!("TLS with the server failed: {words}"));
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    server.wait_for_log(logged);
    // What is wrong does not matter to those who do not want to know.
    let mut careless = Client::start(&server.url("https", "localhost"), &["--insecure"]);
    careless.next("open");
    careless.assert_echoes("hello");
    careless.close();
    server.finish();
}

#[test]
fn expired() {
    let authority = Authority::new("authority");
    let pair = authority.issue_at(&["localhost"], Time::Past);
    let logged = "failed: it does not accept our certificate: it has expired";
    assert_mistake(authority, &pair, "its certificate has expired", logged);
}

#[test]
fn not_yet_valid() {
    let authority = Authority::new("authority");
    let pair = authority.issue_at(&["localhost"], Time::Future);
    let logged = "failed: it does not accept our certificate: it has expired, or is not valid yet";
    assert_mistake(authority, &pair, "its certificate is not valid yet", logged);
}

#[test]
fn wrong_name() {
    let authority = Authority::new("authority");
    let pair = authority.issue(&["other.example"]);
    let words = "its certificate is not for localhost, but for other.example";
    assert_mistake(authority, &pair, words, "failed: it does not accept our certificate");
}

#[test]
fn not_issued_by_anyone_else() {
    let pair = self_signed(&["localhost"]);
    let words = "its certificate is self-signed, and not trusted";
    let logged = "failed: it does not accept our certificate: it is not trusted there";
    assert_mistake(Authority::new("authority"), &pair, words, logged);
}

#[test]
fn issued_by_somebody_unknown() {
    let pair = Authority::new("somebody else").issue(&["localhost"]);
    let words = "its certificate is not trusted: its issuer is unknown";
    let logged = "failed: it does not accept our certificate: its issuer is unknown there";
    assert_mistake(Authority::new("authority"), &pair, words, logged);
}

/// A server that says nothing, and one that goes away.
#[test]
fn handshakes_that_do_not_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}", listener.local_addr().expect("its address"));
    let ended = Client::start(&url, &["--insecure", "--timeout", "300ms"]).finish(1);
    let error = ended.only_error();
    assert_eq!(error["kind"], "timeout");
    assert_eq!(error["message"], "the TLS handshake was not over in time");
    // Whatever comes is read, so that the end is no reset.
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello);
        }
    });
    let ended = Client::start(&url, &["--insecure"]).finish(1);
    let error = ended.only_error();
    assert_eq!(error["kind"], "tls");
    let words = "TLS with the server failed: it has ended the connection in the middle of the handshake";
    assert_eq!(error["message"], words);
}

/// Without `--ca` it is the system's roots that count, which do not know the authority of a test.
#[test]
fn unknown_to_the_system() {
    let server = Secure::start();
    let ended = Client::start(&server.url("https", "localhost"), &[]).finish(1);
    let error = ended.only_error();
    assert_eq!(error["kind"], "tls");
    let words = "its certificate is not trusted: its issuer is unknown";
    assert_eq!(error["message"], format!("TLS with the server failed: {words}"));
    server.finish();
}

#[test]
fn certificates_of_clients() {
    let authority = Authority::new("authority");
    let pair = authority.issue(&["localhost"]);
    let server = Secure::with(authority, &pair, &["--tls-client-ca", "CA"]);
    let url = server.url("https", "localhost");
    let cases = [
        (
            "missing",
            None,
            "it wants a client certificate, and there was none to show",
            "failed: it has shown no certificate",
        ),
        (
            "untrusted",
            Some(Authority::new("somebody else").issue(&["me"])),
            "it does not accept our certificate: its issuer is unknown there",
            "failed: its certificate is not trusted: its issuer is unknown",
        ),
        (
            "expired",
            Some(server.authority.issue_at(&["me"], Time::Past)),
            "it does not accept our certificate: it has expired, or is not valid yet",
            "failed: its certificate has expired",
        ),
    ];
    for (name, pair, words, logged) in cases {
        let files = pair.map(|pair| server.files.pair(name, &pair));
        for carrier in CARRIERS {
            let mut flags = carrier.to_vec();
            if let Some([cert, key]) = &files {
                flags.extend(["--cert", cert, "--key", key]);
            }
            let ended = server.client(&url, &flags).finish(1);
            let error = ended.only_error();
            assert_eq!(error["kind"], "tls", "{name}: {error}");
            assert_eq!(
                error["message"],
                format!("TLS with the server failed: {words}"),
                "{name}"
            );
        }
        server.wait_for_log(logged);
    }
    server.finish();
}
