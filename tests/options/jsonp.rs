//! Polling by scripts and forms.

use crate::http::Response;
use crate::server::Server;
use crate::session::{POLLING, Session, sid_of};

/// The text in `___eio[7]("…");`, where that is what came.
#[track_caller]
fn argument(response: &Response, index: &str) -> String {
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("content-type"), Some("text/javascript; charset=UTF-8"));
    let call = response.text();
    let argument = call
        .strip_prefix(&format!("___eio[{index}]("))
        .and_then(|rest| rest.strip_suffix(");"))
        .unwrap_or_else(|| panic!("not the call: {call}"));
    serde_json::from_str(argument).expect("a string in quotes")
}

#[test]
fn a_session_of_scripts_and_forms() {
    let server = Server::start();
    let open = argument(&server.get(&format!("{POLLING}&j=233")), "233");
    let target = format!("{POLLING}&sid={}&j=233", sid_of(&open));
    // What it says is: 4"x" + and an &, a line break, and a backslash before an n.
    let form = b"d=4%22x%22+%2B+%26%5Cn%5C%5Cn%1E4%C3%A4%3C%2Fscript%3E";
    let headers = ["Content-Type: application/x-www-form-urlencoded"];
    server.request("POST", &target, &headers, Some(form)).assert_ok("ok");
    let mut echoed = argument(&server.get(&target), "233");
    if !echoed.contains('\u{1e}') {
        echoed.push('\u{1e}');
        echoed.push_str(&argument(&server.get(&target), "233"));
    }
    assert_eq!(echoed, "4\"x\" + &\n\\n\u{1e}4\u{e4}</script>");
    let posted = server.request("POST", &target, &headers, Some(b"d=4%E2%80%A8%09%00"));
    posted.assert_ok("ok");
    let response = server.get(&target);
    assert!(!response.text().contains(['\u{2028}', '\t', '\0']), "{response:?}");
    assert_eq!(argument(&response, "233"), "4\u{2028}\t\0");
    server.request("POST", &target, &headers, Some(b"d=1")).assert_ok("ok");
    server.finish();
}

#[test]
fn only_digits_are_taken() {
    let server = Server::start();
    for index in ["abc", "-1", "1%3Balert(1)", "0x1", "99999999999999999999"] {
        server.get(&format!("{POLLING}&j={index}")).assert_error(3);
    }
    // Written as a number, which never means octal.
    argument(&server.get(&format!("{POLLING}&j=007")), "7");
    let response = server.get(&format!("{POLLING}&j="));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
    // The two sessions that nobody polls are closed by hand.
    for open in [
        response.text().to_owned(),
        argument(&server.get(&format!("{POLLING}&j=1")), "1"),
    ] {
        server
            .post(&format!("{POLLING}&sid={}", sid_of(&open)), "1")
            .assert_ok("ok");
    }
    let open = server.get(&format!("{POLLING}&j=5"));
    server
        .post(&format!("{POLLING}&sid={}", sid_of(&argument(&open, "5"))), "1")
        .assert_ok("ok");
}

#[test]
fn a_form_without_a_payload_ends_the_session() {
    let server = Server::start();
    for form in [&b"4a"[..], b"x=4a", b"d=%zz", b""] {
        let open = argument(&server.get(&format!("{POLLING}&j=0")), "0");
        let target = format!("{POLLING}&sid={}&j=0", sid_of(&open));
        server.request("POST", &target, &[], Some(form)).assert_error(3);
    }
    // Without `j` a form is no payload either.
    let open = server.get(POLLING);
    let target = format!("{POLLING}&sid={}", sid_of(open.text()));
    server.request("POST", &target, &[], Some(b"d=4a")).assert_error(3);
    server.finish();
}

#[test]
fn a_script_of_another_site_gets_nothing() {
    let server = Server::start();
    let target = format!("{POLLING}&j=0");
    for site in ["cross-site", "same-site"] {
        let site = format!("Sec-Fetch-Site: {site}");
        server.request("GET", &target, &[&site], None).assert_error(3);
    }
    server.finish();
}

#[test]
fn scripts_can_be_refused() {
    let server = Server::with(&["--no-jsonp"]);
    server.get(&format!("{POLLING}&j=7")).assert_error(3);
    let session = Session::open(&server);
    let target = format!("{POLLING}&sid={}&j=7", session.sid);
    server.get(&target).assert_error(3);
    session.assert_echoes("the session is not touched");
    session.close();
    server.finish();
}
