//! The program with itself: echo over every transport, reload, proxies, what is on the command line.

use crate::certificates::Authority;
use crate::client::{CARRIERS, Client};
use crate::front::{Answer, Front, Kind};
use crate::secure::{Secure, run, said};
use crate::server::Server;

#[test]
fn everything_is_echoed_over_tls() {
    let server = Secure::start();
    for flags in CARRIERS {
        for (scheme, host) in [("https", "localhost"), ("wss", "127.0.0.1"), ("https", "127.0.0.1")] {
            let mut client = server.client(&server.url(scheme, host), flags);
            client.next("open");
            if flags.is_empty() {
                client.until("upgrade");
            }
            client.assert_echoes("hello");
            let large = "x".repeat(300_000);
            client.assert_echoes(&large);
            client.close();
        }
    }
    // Streams that lay idle were ended in order too.
    assert!(!server.log().contains("failed"), "{}", server.log());
    server.finish();
}

/// Whom the system trusts is enough: it says so in a file, which a variable of the environment can name.
#[test]
fn the_systems_roots_count() {
    let server = Secure::start();
    let environment = [("SSL_CERT_FILE", &*server.ca)];
    let mut client = Client::start_in(&server.url("https", "localhost"), &[], &environment);
    client.next("open");
    client.until("upgrade");
    client.assert_echoes("hello");
    client.close();
    let none = server.files.write("empty.pem", "");
    let environment = [("SSL_CERT_FILE", &*none), ("SSL_CERT_DIR", "/nowhere")];
    let client = Client::start_in(&server.url("https", "localhost"), &[], &environment);
    let ended = client.finish(2);
    assert!(
        ended.stderr.contains("the system has none that can be read"),
        "{}",
        ended.stderr
    );
    server.finish();
}

#[test]
fn ten_thousand_messages_cross_the_upgrade_in_order() {
    let server = Secure::start();
    let mut client = server.client(&server.url("https", "localhost"), &[]);
    for number in 0..10_000 {
        client.send(&number.to_string());
    }
    client.next("open");
    for number in 0..10_000 {
        client.assert_text(&number.to_string());
    }
    client.close();
    server.finish();
}

/// A server that is shut down says goodbye in the language of each layer.
#[test]
fn a_shutdown_is_orderly() {
    let server = Secure::start();
    let url = server.url("https", "localhost");
    let mut clients: Vec<Client> = CARRIERS.iter().map(|flags| server.client(&url, flags)).collect();
    for client in &mut clients {
        client.next("open");
        client.assert_echoes("hello");
    }
    server.finish();
    for client in clients {
        let ended = client.finish(1);
        assert_eq!(
            ended.named("close")[0]["reason"],
            "server disconnect",
            "{:?}",
            ended.events
        );
        assert!(ended.named("error").is_empty(), "{:?}", ended.events);
    }
}

#[test]
fn clients_may_have_to_show_a_certificate() {
    let authority = Authority::new("authority");
    let pair = authority.issue(&["localhost"]);
    let server = Secure::with(authority, &pair, &["--tls-client-ca", "CA"]);
    let [cert, key] = server.files.pair("client", &server.authority.issue(&["me"]));
    for flags in CARRIERS {
        let mut all = vec!["--cert", &cert, "--key", &key];
        all.extend(flags);
        let mut client = server.client(&server.url("wss", "localhost"), &all);
        client.next("open");
        client.assert_echoes("hello");
        client.close();
    }
    server.finish();
}

#[test]
fn certificates_are_read_again() {
    let server = Secure::start();
    let connect = ["s_client", "-connect", &server.address.to_string(), "-showcerts"];
    let shown = |name: &str| {
        let output = said(&run("openssl", &connect, ""));
        output.contains(&format!("CN = {name}")) || output.contains(&format!("CN={name}"))
    };
    assert!(shown("localhost"));
    let url = server.url("https", "127.0.0.1");
    let mut before = server.client(&url, &[]);
    before.next("open");

    server
        .files
        .pair("server", &server.authority.issue(&["renewed.example", "127.0.0.1"]));
    server.signal("HUP");
    server.wait_for_log("the certificate was read again");
    assert!(shown("renewed.example"));
    before.assert_echoes("what there was goes on");
    before.close();

    server.files.write("server.key", "nothing");
    server.signal("HUP");
    server.wait_for_log("can not be read again, the last one stays");
    assert!(shown("renewed.example"));
    let mut after = server.client(&url, &[]);
    after.next("open");
    after.close();
    server.finish();
}

#[test]
fn a_proxy_digs_tunnels_for_all_of_it() {
    let server = Secure::start();
    let address = server.address;
    let proxy = Front::start(move |request| match request.kind() {
        Kind::Connect => Answer::Tunnel(address),
        _ => Answer::reply(400, &[], "only tunnels here"),
    });
    for flags in CARRIERS {
        let mut all = vec!["--ca", &*server.ca];
        all.extend(flags);
        // A name that only the proxy knows, for which there is a certificate all the same.
        let url = "https://localhost:9";
        let mut client = Client::start_in(url, &all, &[("HTTPS_PROXY", &proxy.url())]);
        client.next("open");
        client.assert_echoes("hello");
        client.close();
    }
    let requests = proxy.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.kind() == Kind::Connect && request.target == "localhost:9")
    );
    server.finish();
}

/// Half of a pair, files that are not there or hold something else: one line, exit 2.
#[test]
fn wrong_usage_is_one_line() {
    let files = crate::files::Files::new();
    let authority = Authority::new("authority");
    let [cert, key] = &files.pair("pair", &authority.issue(&["localhost"]));
    let [_, other] = &files.pair("other", &authority.issue(&["localhost"]));
    let (missing, url) = (&files.missing(), "https://127.0.0.1:1");
    let cases: &[(&[&str], &str)] = &[
        (&["serve", "--tls-cert", cert], "--tls-key"),
        (&["serve", "--tls-key", key], "--tls-cert"),
        (&["serve", "--tls-cert", missing, "--tls-key", key], missing),
        (&["serve", "--tls-cert", cert, "--tls-key", missing], missing),
        (&["serve", "--tls-cert", key, "--tls-key", key], key),
        (&["serve", "--tls-cert", cert, "--tls-key", cert], cert),
        (
            &["serve", "--tls-cert", cert, "--tls-key", other],
            "it is not the certificate's",
        ),
        (&["serve", "--tls-client-ca", cert], "--tls-cert"),
        (&["connect", "--protocol", "engine.io", url, "--cert", cert], "--key"),
        (&["connect", "--protocol", "engine.io", url, "--key", key], "--cert"),
        (&["connect", "--protocol", "engine.io", url, "--ca", missing], missing),
        (&["connect", "--protocol", "engine.io", url, "--ca", key], key),
        (
            &["connect", "--protocol", "engine.io", url, "--ca", cert, "--insecure"],
            "--insecure",
        ),
        (
            &[
                "connect",
                "--protocol",
                "engine.io",
                url,
                "--cert",
                cert,
                "--key",
                other,
            ],
            other,
        ),
    ];
    for (arguments, words) in cases {
        let output = run(env!("CARGO_BIN_EXE_sansocket"), arguments, "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            said.lines().count() == 1 && said.contains(words),
            "{arguments:?}: {said}"
        );
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// `https` where nothing but `http` is, and the other way round.
#[test]
fn either_side_may_be_without_tls() {
    let plain = Server::start();
    let client = Client::start(&format!("https://{}", plain.address), &["--insecure"]);
    let ended = client.finish(1);
    let error = ended.only_error();
    assert_eq!(error["kind"], "tls");
    assert_eq!(error["message"], "TLS with the server failed: it does not speak TLS");
    plain.finish();

    let server = Secure::start();
    let client = Client::start(&server.url("http", "localhost"), &[]);
    let ended = client.finish(1);
    assert_eq!(ended.only_error()["kind"], "refused", "{:?}", ended.events);
    server.wait_for_log("failed: it speaks HTTP without TLS");
    server.finish();
}
