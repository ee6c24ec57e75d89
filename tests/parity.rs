//! Whether a user of python-engineio and python-socketio finds what they do: forty behaviours, one test or a few for each,
//! seen from outside. Where ours does something else on the wire the test says so: there, it is the JavaScript reference that
//! clients of every language go by.
//!
//! The server is the program, or the library's where it takes functions; the clients are written by hand. The runtime is
//! the one that `SANSOCKET_RUNTIME` names.
//!
//! | row | what | where |
//! | --- | --- | --- |
//! | 1 | the open packet | `parity/handshake.rs`: `row_1_the_open_packet` |
//! | 2 | a ping interval with grace | `parity/handshake.rs`: `row_2_the_grace_is_announced` |
//! | 3 | another version, or none | `parity/handshake.rs`: `row_3_other_versions_are_refused` |
//! | 4 | an unknown transport, and one that is switched off | `parity/handshake.rs`: `row_4_transports_that_are_none` |
//! | 5 | a WebSocket without an upgrade | `parity/handshake.rs`: `row_5_a_websocket_wants_an_upgrade` |
//! | 6 | an unknown session | `parity/handshake.rs`: `row_6_sessions_that_are_none` |
//! | 7 | a message and its answer by polling | `parity/messages.rs`: `row_7_a_message_and_its_answer` |
//! | 8 | several packets in a body | `parity/messages.rs`: `row_8_several_packets_in_one_post` |
//! | 9 | more than sixteen | `parity/messages.rs`: `row_9_any_number_of_packets_is_taken_and_sixteen_are_sent` |
//! | 10 | the largest body, and one byte more | `parity/messages.rs`: `row_10_a_body_of_the_limit_and_one_byte_more` |
//! | 11 | a greeting of the connect handler | `parity/handshake.rs`: `row_11_a_greeting_rides_behind_the_open_packet` |
//! | 12 | a refusal of the connect handler | `parity/handshake.rs`: `row_12_a_connect_handler_refuses` |
//! | 13 | several packets in a response | `parity/messages.rs`: `row_13_what_waits_is_fetched_at_once` |
//! | 14 | other methods, preflights | `parity/answers.rs`: `row_14_other_methods_and_preflights` |
//! | 15 | origins | `parity/answers.rs`: `row_15_origins` |
//! | 16 | origins behind a proxy | `parity/answers.rs`: `row_16_what_a_proxy_says_of_the_origin` |
//! | 17 | no credentials | `parity/answers.rs`: `row_17_no_credentials` |
//! | 18 | compression | `parity/answers.rs`: `row_18_compression` |
//! | 19 | cookies | `parity/answers.rs`: `row_19_cookies` |
//! | 20 | JSONP | `parity/answers.rs`: `row_20_jsonp` |
//! | 21 | a session on a WebSocket | `parity/transports.rs`: `row_21_a_session_that_begins_on_a_websocket` |
//! | 22 | the upgrade | `parity/transports.rs`: `row_22_the_upgrade` |
//! | 23 | a wrong probe | `parity/transports.rs`: `row_23_a_wrong_probe_costs_nothing_but_its_websocket` |
//! | 24 | what was queued during the upgrade | `parity/transports.rs`: `row_24_what_was_queued_comes_on_the_websocket` |
//! | 25 | too large a message | `parity/transports.rs`: `row_25_a_message_above_the_limit_ends_it` |
//! | 26 | an unknown packet | `parity/transports.rs`: `row_26_an_unknown_packet_ends_it` |
//! | 27 | no pong, a pong, two pongs | `parity/ending.rs`: `row_27_silence_is_an_end_and_pongs_are_life` |
//! | 28 | a client that leaves | `parity/ending.rs`: `row_28_a_client_says_goodbye` |
//! | 29 | a client that is sent away | `parity/ending.rs`: `row_29_the_server_says_goodbye` |
//! | 30 | the data of a session, by its id | `parity/sessions.rs`: `row_30_data_of_a_session` |
//! | 30 | the transport of a session, by its id | `parity/sessions.rs`: `row_30_the_transport_of_a_session` |
//! | 31 | what a packet says | `parity/packets.rs`: `row_31_what_a_packet_says` |
//! | 32 | static files | `parity/files.rs`: `row_32_static_files` |
//! | 32 | the path of the endpoint | `parity/files.rs`: `row_32_another_path` |
//! | 33 | beginning and end of an application | `parity/application.rs`: `row_33_the_application_begins_and_ends` |
//! | 33 | one that can not begin | `parity/application.rs`: `row_33_a_start_that_fails` |
//! | 33 | several servers, and the application's own paths | `tower.rs`: `several_servers_and_what_is_beside_them` |
//! | 34 | a client that is refused, with words | `client/parity.rs`: `row_34_a_refusal_has_status_and_body` |
//! | 34 | and without any | `client/parity.rs`: `row_34_a_404_without_json` |
//! | 34 | a server that is none | `client/parity.rs`: `row_34_something_else_than_an_open_packet` |
//! | 34 | nobody there | `client/parity.rs`: `row_34_nobody_is_there` |
//! | 34 | connecting twice | `client/parity.rs`: `row_34_nobody_connects_twice` |
//! | 35 | the URL's query, the path | `client/parity.rs`: `row_35_the_query_is_kept_and_slashes_do_not_matter` |
//! | 35 | `https` and `wss` | `client/parity.rs`: `row_35_https_and_wss_are_tls` |
//! | 35 | time stamps | `client/parity.rs`: `row_35_gets_are_stamped` |
//! | 36 | a server that falls silent | `client/parity.rs`: `row_36_a_silent_server` |
//! | 36 | a request that fails | `client/parity.rs`: `row_36_a_request_that_fails` |
//! | 36 | the text of a ping | `client/parity.rs`: `row_36_a_ping_s_text_comes_back` |
//! | 37 | a server that closes | `client/parity.rs`: `row_37_the_server_closes` |
//! | 37 | a client that closes, once | `client/parity.rs`: `row_37_the_client_closes_once` |
//! | 38 | refusals of Socket.IO | `parity/socketio.rs`: `row_38_refusals` |
//! | 39 | acknowledgements | `parity/socketio.rs`: `row_39_acknowledgements` |
//! | 39 | rooms | `parity/socketio.rs`: `row_39_rooms` |
//! | 39 | catch-all handlers | `parity/socketio.rs`: `row_39_catch_all_handlers` |
//! | 40 | reconnection, and when there is none | `parity/socketio.rs`: `row_40_a_client_comes_back_until_it_is_sent_away` |
//! | 40 | none after a close | `parity/socketio.rs`: `row_40_a_client_that_leaves_does_not_come_back` |
//! | 40 | a simple client | `parity/socketio.rs`: `row_40_a_simple_client` |

#![cfg(all(feature = "cli", feature = "tower"))]

// How to talk to it: the clients of the program's own tests.
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "socketio/client.rs"]
mod client;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "protocol/http.rs"]
mod http;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "socketio_client/peer.rs"]
mod peer;
#[path = "protocol/program.rs"]
mod program;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "protocol/session.rs"]
mod session;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "protocol/websocket.rs"]
mod websocket;

// How to host it, and how to wait.
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/host.rs"]
mod engine;
#[path = "parity/host.rs"]
mod host;
#[path = "server/hosting.rs"]
mod hosting;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/runtime.rs"]
mod runtime;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "socketio/server.rs"]
mod server;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/waiting.rs"]
mod waiting;

// What Python's users look for, a file for each topic.
#[path = "parity/answers.rs"]
mod answers;
#[path = "parity/application.rs"]
mod application;
#[path = "parity/ending.rs"]
mod ending;
#[path = "parity/files.rs"]
mod files;
#[path = "parity/flags.rs"]
mod flags;
#[path = "parity/handshake.rs"]
mod handshake;
#[path = "parity/help.rs"]
mod help;
#[path = "parity/messages.rs"]
mod messages;
#[path = "parity/packets.rs"]
mod packets;
#[path = "parity/sessions.rs"]
mod sessions;
#[path = "parity/socketio.rs"]
mod socketio;
#[path = "parity/table.rs"]
mod table;
#[path = "parity/transports.rs"]
mod transports;
