//! Other people's clients against our server: OpenSSL, curl, Python.

use crate::certificates::Authority;
use crate::secure::{Secure, run, said};

const OPEN: &str = "/engine.io/?EIO=4&transport=polling";

#[test]
fn openssl_agrees_on_both_versions_and_on_http_1_1() {
    let server = Secure::start();
    let address = server.address.to_string();
    let ask = |more: &[&str]| {
        let mut all = vec![
            "s_client",
            "-connect",
            &address,
            "-CAfile",
            &server.ca,
            "-verify_return_error",
        ];
        all.extend(more);
        said(&run("openssl", &all, ""))
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let answer = ask(&[version, "-alpn", "h2,http/1.1", "-verify_hostname", "localhost"]);
        assert!(answer.contains("Verify return code: 0 (ok)"), "{answer}");
        assert!(answer.contains("ALPN protocol: http/1.1"), "{answer}");
        assert!(!answer.contains("Early data was accepted"), "{answer}");
    }
    let answer = ask(&["-alpn", "h2"]);
    assert!(answer.contains("no application protocol"), "{answer}");
    server.wait_for_log("failed: it does not want to speak HTTP/1.1");
    let answer = ask(&["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"]);
    assert!(
        answer.contains("protocol version") || answer.contains("alert"),
        "{answer}"
    );
    server.wait_for_log("failed: it speaks neither TLS 1.2 nor TLS 1.3");
    server.finish();
}

#[test]
fn openssl_does_not_trust_everybody() {
    let server = Secure::start();
    let address = server.address.to_string();
    let answer = said(&run(
        "openssl",
        &["s_client", "-connect", &address, "-verify_return_error"],
        "",
    ));
    assert!(answer.contains("unable to get local issuer certificate"), "{answer}");
    server.wait_for_log("failed: it does not accept our certificate: its issuer is unknown there");
    server.finish();
}

#[test]
fn openssl_is_not_renegotiated_with() {
    let server = Secure::start();
    let address = server.address.to_string();
    // A line with an R alone asks for it.
    let arguments = ["s_client", "-connect", &address, "-CAfile", &server.ca, "-tls1_2"];
    let answer = said(&run("openssl", &arguments, "R\n"));
    assert!(
        answer.contains("no renegotiation") || answer.contains("unexpected"),
        "{answer}"
    );
    server.finish();
}

#[test]
fn curl_opens_a_session() {
    let server = Secure::start();
    let url = |scheme: &str| format!("{}{OPEN}", server.url(scheme, "localhost"));
    let output = run("curl", &["-sS", "--cacert", &server.ca, &url("https")], "");
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(
        answer.starts_with("0{\"sid\":") && answer.contains("\"websocket\""),
        "{}",
        said(&output)
    );
    // With many requests on one connection.
    let many = [&*url("https"), &url("https"), &url("https")];
    let output = run("curl", &[&["-sS", "--cacert", &server.ca], &many[..]].concat(), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout).matches("\"sid\"").count(), 3);

    let output = run("curl", &["-sS", &url("https")], "");
    assert_eq!(output.status.code(), Some(60), "{}", said(&output));
    server.wait_for_log("failed: it does not accept our certificate: its issuer is unknown there");

    let output = run("curl", &["-sSi", &url("http")], "");
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"),
        "{answer}"
    );
    server.wait_for_log("failed: it speaks HTTP without TLS");
    server.finish();
}

#[test]
fn curl_may_have_to_show_a_certificate() {
    let authority = Authority::new("authority");
    let pair = authority.issue(&["localhost"]);
    let server = Secure::with(authority, &pair, &["--tls-client-ca", "CA"]);
    let [cert, key] = server.files.pair("client", &server.authority.issue(&["me"]));
    let url = format!("{}{OPEN}", server.url("https", "localhost"));
    let output = run(
        "curl",
        &["-sS", "--cacert", &server.ca, "--cert", &cert, "--key", &key, &url],
        "",
    );
    assert!(
        String::from_utf8_lossy(&output.stdout).starts_with("0{\"sid\":"),
        "{}",
        said(&output)
    );
    let output = run("curl", &["-sS", "--cacert", &server.ca, &url], "");
    assert_ne!(output.status.code(), Some(0));
    server.wait_for_log("failed: it has shown no certificate");
    server.finish();
}

/// Python's `ssl`, which tells an end in order from a cut: a session over polling, then one over a WebSocket.
#[test]
fn python_talks_and_hears_the_end() {
    let server = Secure::start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/client.py");
    let output = run("python3", &[script, &server.port(), &server.ca], "");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!server.log().contains("failed"), "{}", server.log());
    server.finish();
}
