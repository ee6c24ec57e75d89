//! Every option that `--help` names, and the test that tries it, on each runtime.

use std::collections::BTreeSet;

use crate::program::program;
use crate::table::{has_test, source};

/// An option, and where it is tried.
type Trial = (&'static str, &'static str, &'static str);

const SERVE: &[Trial] = &[
    ("--addr", "program.rs", "a_taken_port_is_one_line_and_status_1"),
    ("--app", "program.rs", "an_app_has_no_page"),
    ("--compression-threshold", "parity/answers.rs", "row_18_compression"),
    (
        "--concurrency",
        "parity/flags.rs",
        "handlers_run_beside_each_other_or_not",
    ),
    (
        "--connect-timeout",
        "socketio/rows/connecting.rs",
        "whoever_joins_nothing_in_time_is_thrown_out",
    ),
    ("--cookie", "parity/flags.rs", "a_cookie_has_attributes"),
    ("--cors", "parity/answers.rs", "row_15_origins"),
    ("--eio3", "options/eio3.rs", "lengths_are_of_characters"),
    ("--header", "options/headers.rs", "on_the_first_and_on_every_response"),
    ("--help", "program.rs", "help_explains_every_flag"),
    (
        "--initial-header",
        "options/headers.rs",
        "on_the_first_and_on_every_response",
    ),
    ("--max-connections", "options/limits.rs", "connections_in_all"),
    (
        "--max-connections-per-address",
        "options/limits.rs",
        "connections_from_one_address",
    ),
    (
        "--max-payload",
        "protocol/websocket_transport.rs",
        "message_of_exactly_the_limit_is_echoed",
    ),
    ("--max-queue", "parity/flags.rs", "a_queue_has_its_limit"),
    ("--max-sessions", "options/limits.rs", "sessions_in_all"),
    (
        "--max-sessions-per-address",
        "options/limits.rs",
        "sessions_for_one_address",
    ),
    ("--no-compression", "parity/answers.rs", "row_18_compression"),
    ("--no-cors-credentials", "parity/answers.rs", "row_17_no_credentials"),
    ("--no-jsonp", "options/jsonp.rs", "scripts_can_be_refused"),
    (
        "--no-upgrades",
        "protocol/upgrade.rs",
        "forced_upgrade_is_refused_where_upgrades_are_off",
    ),
    ("--parser", "socketio/rows/msgpack.rs", "events_acks_and_refusals"),
    ("--path", "parity/flags.rs", "several_paths_lead_to_the_same_sessions"),
    (
        "--ping-interval",
        "protocol/heartbeat.rs",
        "first_ping_on_polling_comes_one_interval_after_the_open",
    ),
    (
        "--ping-interval-grace",
        "parity/handshake.rs",
        "row_2_the_grace_is_announced",
    ),
    (
        "--ping-timeout",
        "protocol/heartbeat.rs",
        "websocket_without_a_pong_times_out_on_time",
    ),
    ("--runtime", "parity/flags.rs", "every_runtime_may_be_named"),
    ("--static", "parity/files.rs", "row_32_static_files"),
    (
        "--stats",
        "program.rs",
        "a_restart_cuts_everything_and_comes_back_on_the_same_port",
    ),
    ("--threads", "program.rs", "any_number_of_threads_serves"),
    ("--tls-cert", "tls/talking.rs", "certificates_are_read_again"),
    (
        "--tls-client-ca",
        "tls/talking.rs",
        "clients_may_have_to_show_a_certificate",
    ),
    ("--tls-key", "tls/talking.rs", "certificates_are_read_again"),
    ("--transports", "parity/handshake.rs", "row_4_transports_that_are_none"),
    (
        "--trust-proxy",
        "parity/answers.rs",
        "row_16_what_a_proxy_says_of_the_origin",
    ),
    (
        "--upgrade-timeout",
        "protocol/upgrade.rs",
        "websocket_without_a_probe_times_out_and_polling_goes_on",
    ),
];

const CONNECT: &[Trial] = &[
    (
        "--auth",
        "socketio_client/joining.rs",
        "joins_several_namespaces_with_what_it_shows",
    ),
    ("--ca", "tls/talking.rs", "clients_may_have_to_show_a_certificate"),
    ("--cert", "tls/talking.rs", "clients_may_have_to_show_a_certificate"),
    ("--close-timeout", "connect/options.rs", "the_time_to_close"),
    (
        "--event",
        "socketio_client/events.rs",
        "only_the_events_that_are_asked_for",
    ),
    ("--header", "connect/connecting.rs", "header_flags_are_on_every_request"),
    ("--help", "connect/usage.rs", "help_explains_every_flag"),
    ("--insecure", "tls/mistakes.rs", "not_issued_by_anyone_else"),
    ("--json", "connect/usage.rs", "a_wrong_call_with_json_is_the_same"),
    ("--key", "tls/talking.rs", "clients_may_have_to_show_a_certificate"),
    ("--max-payload", "connect/options.rs", "messages_that_are_too_large"),
    (
        "--max-websocket-message",
        "connect/options.rs",
        "messages_that_are_too_large",
    ),
    (
        "--namespace",
        "socketio_client/joining.rs",
        "joins_several_namespaces_with_what_it_shows",
    ),
    ("--no-proxy", "connect/options.rs", "a_proxy_of_the_flags"),
    ("--no-timestamps", "connect/options.rs", "every_get_is_another_one"),
    ("--no-upgrade", "connect/fallback.rs", "no_upgrade_stays_on_polling"),
    ("--parser", "socketio_client/own.rs", "the_program_with_either_parser"),
    ("--path", "connect/connecting.rs", "the_path_flag_wins"),
    ("--protocol", "connect/usage.rs", "socket_io_is_the_default"),
    ("--proxy", "connect/options.rs", "a_proxy_of_the_flags"),
    ("--query", "connect/connecting.rs", "query_flags_are_on_every_request"),
    (
        "--reconnect",
        "connect/reconnecting.rs",
        "the_first_connection_is_tried_again",
    ),
    (
        "--reconnect-delay",
        "connect/reconnecting.rs",
        "delays_double_up_to_the_maximum",
    ),
    (
        "--reconnect-delay-max",
        "connect/reconnecting.rs",
        "delays_double_up_to_the_maximum",
    ),
    ("--request-timeout", "connect/options.rs", "times"),
    ("--runtime", "connect/connecting.rs", "a_runtime_may_be_named"),
    ("--timeout", "connect/connecting.rs", "a_silent_server_is_a_timeout"),
    ("--timestamp-param", "connect/options.rs", "every_get_is_another_one"),
    (
        "--transports",
        "connect/fallback.rs",
        "transports_are_tried_in_the_order_given",
    ),
    ("--upgrade-timeout", "connect/options.rs", "times"),
    (
        "--websocket-header",
        "connect/options.rs",
        "what_is_for_websockets_alone",
    ),
    (
        "--websocket-protocol",
        "connect/options.rs",
        "what_is_for_websockets_alone",
    ),
];

/// The long options, as `--help` names them.
fn options(verb: &str) -> BTreeSet<String> {
    let output = program(&[verb, "--help"]).output().expect("the program runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = text.lines().map(str::trim_start);
    let lines = lines.map(|line| line.strip_prefix("-h, ").unwrap_or(line));
    lines
        .filter(|line| line.starts_with("--"))
        .map(|line| line.split([' ', '=']).next().unwrap_or(line).to_owned())
        .collect()
}

/// The suites that are run on each runtime.
fn suites() -> Vec<String> {
    let run = source("run");
    let list = run.split_once("SUITES=(").and_then(|(_, rest)| rest.split_once(')'));
    let list = list.expect("the list of suites").0;
    list.split_whitespace().map(str::to_owned).collect()
}

#[track_caller]
fn assert_tried(verb: &str, trials: &[Trial]) {
    let named: BTreeSet<&str> = trials.iter().map(|(option, ..)| *option).collect();
    let options = options(verb);
    let options: BTreeSet<&str> = options.iter().map(String::as_str).collect();
    assert_eq!(options, named, "the options of {verb}, and those that are tried");
    let suites = suites();
    for (option, file, name) in trials {
        let suite = file.split(['/', '.']).next().unwrap_or_default();
        assert!(
            suites.iter().any(|each| each == suite),
            "{suite} is not run on each runtime"
        );
        let source = source(file);
        assert!(has_test(&source, name), "{option}: there is no test {name} in {file}");
        // Of its own file at least, if not of its own lines: a function may stand between.
        assert!(
            source.contains(&format!("\"{option}\"")),
            "{option} is nowhere in {file}"
        );
    }
}

#[test]
fn every_option_of_serve_is_tried() {
    assert_tried("serve", SERVE);
}

#[test]
fn every_option_of_connect_is_tried() {
    assert_tried("connect", CONNECT);
}
