//! The program's client against servers that we did not write: npm `engine.io`, and PyPI `python-engineio` under uvicorn
//! and under werkzeug; also through tinyproxy and Squid.
//!
//! Each test starts the server that it wants, drives `sansocket connect --protocol engine.io --json` by its stdin and
//! stdout, and compares what both sides say. They need programs that `cargo test` alone does not, so they are ignored by
//! default; `tests/interop/setup.sh` installs what they need, and
//! `cargo test --features cli --test interop_client -- --ignored` runs them.
//!
//! - `SANSOCKET_PYTHON`: the Python with the servers (default `target/interop/venv/bin/python`).
//! - `SANSOCKET_PROGRAM`: the program (default: the one that Cargo has built for the test).
//! - `SANSOCKET_RUNTIME`: what it runs on (default tokio).

#![cfg(feature = "cli")]

// Who takes part.
#[path = "interop_client/conversation.rs"]
mod conversation;
#[path = "interop_client/process.rs"]
mod process;
#[path = "interop_client/program.rs"]
mod program;
#[path = "interop_client/proxy.rs"]
mod proxy;
#[path = "interop_client/server.rs"]
mod server;
#[path = "protocol/program.rs"]
mod under_test;

// What is tried, a file for each topic.
#[path = "interop_client/closing.rs"]
mod closing;
#[path = "interop_client/heartbeat.rs"]
mod heartbeat;
#[path = "interop_client/limits.rs"]
mod limits;
#[path = "interop_client/many.rs"]
mod many;
#[path = "interop_client/messages.rs"]
mod messages;
#[path = "interop_client/proxies.rs"]
mod proxies;
#[path = "interop_client/reconnecting.rs"]
mod reconnecting;
#[path = "interop_client/requests.rs"]
mod requests;
#[path = "interop_client/transports.rs"]
mod transports;

use closing::End::{Close, EndOfInput};
use program::Plan::{Polling, Upgrade, WebSocket};
use proxy::Product::{Squid, Tinyproxy};
use server::Kind::{Asgi, AsgiWsproto, EngineIo, Wsgi};

/// One test for each line: its name, and the call that it is.
macro_rules! scenarios {
    ($($name:ident: $run:expr;)*) => {
        $(
            #[test]
            #[ignore = "needs Node.js, Python or a proxy: tests/interop/setup.sh installs them"]
            fn $name() {
                $run;
            }
        )*
    };
}

/// The scenarios that are the same for every server, in a module named after it.
macro_rules! servers {
    ($($module:ident: $kind:ident;)*) => {
        $(
            mod $module {
                use super::*;

                scenarios! {
                    opens_on_polling: transports::opens($kind, Polling);
                    opens_on_websocket: transports::opens($kind, WebSocket);
                    opens_on_polling_and_upgrades: transports::opens($kind, Upgrade);
                    no_upgrade_when_not_wanted: transports::stays_on_polling($kind, &[], &["--no-upgrade"]);
                    no_upgrade_when_not_offered: transports::stays_on_polling($kind, &["--no-upgrades"], &[]);
                    websocket_first: transports::websocket_first($kind);
                    falls_back_to_polling: transports::falls_back($kind, "polling", "websocket,polling");
                    falls_back_to_websocket: transports::falls_back($kind, "websocket", "polling,websocket");
                    upgrade_that_does_not_come: transports::hanging_upgrade($kind);
                    polling_is_refused: transports::refused($kind, Polling);
                    websocket_is_refused: transports::refused($kind, WebSocket);
                    both_transports_are_refused: transports::refused($kind, Upgrade);

                    polling_echoes_every_kind_of_message: messages::echo($kind, Polling);
                    websocket_echoes_every_kind_of_message: messages::echo($kind, WebSocket);
                    upgrade_echoes_every_kind_of_message: messages::echo($kind, Upgrade);
                    polling_understands_compressed_responses: messages::compressed($kind);

                    polling_messages_at_the_limit: limits::exactly($kind, Polling);
                    websocket_messages_at_the_limit: limits::exactly($kind, WebSocket);
                    upgrade_messages_at_the_limit: limits::exactly($kind, Upgrade);
                    polling_messages_above_the_limit: limits::above($kind, Polling);
                    websocket_messages_above_the_limit: limits::above($kind, WebSocket);
                    upgrade_messages_above_the_limit: limits::above($kind, Upgrade);
                    polling_more_than_the_limit_from_the_server: limits::more_from_the_server($kind, Polling);
                    websocket_more_than_the_limit_from_the_server: limits::more_from_the_server($kind, WebSocket);

                    polling_ten_thousand_up: many::up($kind, Polling);
                    websocket_ten_thousand_up: many::up($kind, WebSocket);
                    upgrade_ten_thousand_up: many::up($kind, Upgrade);
                    polling_ten_thousand_down: many::down($kind, Polling);
                    websocket_ten_thousand_down: many::down($kind, WebSocket);
                    upgrade_ten_thousand_down: many::down($kind, Upgrade);

                    ten_thousand_up_across_a_late_upgrade: many::up_across($kind);
                    ten_thousand_down_across_a_late_upgrade: many::down_across($kind);

                    polling_close: closing::by_us($kind, Polling, Close);
                    websocket_close: closing::by_us($kind, WebSocket, Close);
                    upgrade_close: closing::by_us($kind, Upgrade, Close);
                    polling_end_of_input: closing::by_us($kind, Polling, EndOfInput);
                    websocket_end_of_input: closing::by_us($kind, WebSocket, EndOfInput);
                    upgrade_end_of_input: closing::by_us($kind, Upgrade, EndOfInput);
                    polling_piped_input: closing::piped($kind, Polling);
                    websocket_piped_input: closing::piped($kind, WebSocket);
                    upgrade_piped_input: closing::piped($kind, Upgrade);
                    empty_input: closing::empty_input($kind);
                    polling_server_closes: closing::by_the_server($kind, Polling);
                    websocket_server_closes: closing::by_the_server($kind, WebSocket);
                    upgrade_server_closes: closing::by_the_server($kind, Upgrade);
                    polling_server_is_killed: closing::killed($kind, Polling);
                    websocket_server_is_killed: closing::killed($kind, WebSocket);
                    upgrade_server_is_killed: closing::killed($kind, Upgrade);
                    polling_server_is_stopped: closing::stopped($kind, Polling);
                    websocket_server_is_stopped: closing::stopped($kind, WebSocket);
                    upgrade_server_is_stopped: closing::stopped($kind, Upgrade);

                    polling_six_pings: heartbeat::six_pings($kind, Polling);
                    websocket_six_pings: heartbeat::six_pings($kind, WebSocket);
                    upgrade_six_pings: heartbeat::six_pings($kind, Upgrade);

                    polling_reconnects: reconnecting::after_a_restart($kind, Polling);
                    websocket_reconnects: reconnecting::after_a_restart($kind, WebSocket);
                    upgrade_reconnects: reconnecting::after_a_restart($kind, Upgrade);
                    server_comes_late: reconnecting::server_comes_late($kind);
                    no_reconnection_after_a_disconnect: reconnecting::not_after_a_disconnect($kind);

                    cookies_come_back: requests::cookies($kind);
                    upgrade_requests_carry_what_was_asked_for: requests::everything_asked_for($kind, Upgrade);
                    websocket_requests_carry_what_was_asked_for: requests::everything_asked_for($kind, WebSocket);
                }
            }
        )*
    };
}

servers! {
    engine_io: EngineIo;
    asgi: Asgi;
    wsgi: Wsgi;
}

/// What depends on uvicorn's WebSocket, with the other one.
mod asgi_wsproto {
    use super::*;

    scenarios! {
        opens_on_polling_and_upgrades: transports::opens(AsgiWsproto, Upgrade);
        falls_back_to_polling: transports::falls_back(AsgiWsproto, "polling", "websocket,polling");
        websocket_is_refused: transports::refused(AsgiWsproto, WebSocket);
        websocket_echoes_every_kind_of_message: messages::echo(AsgiWsproto, WebSocket);
        websocket_messages_at_the_limit: limits::exactly(AsgiWsproto, WebSocket);
        websocket_ten_thousand_up: many::up(AsgiWsproto, WebSocket);
        upgrade_ten_thousand_up: many::up(AsgiWsproto, Upgrade);
        upgrade_ten_thousand_down: many::down(AsgiWsproto, Upgrade);
        websocket_close: closing::by_us(AsgiWsproto, WebSocket, Close);
        websocket_server_closes: closing::by_the_server(AsgiWsproto, WebSocket);
        websocket_server_is_killed: closing::killed(AsgiWsproto, WebSocket);
    }
}

scenarios! {
    asgi_offers_an_upgrade_and_refuses_it: transports::failed_upgrade(Asgi);
    wsgi_offers_an_upgrade_and_refuses_it: transports::failed_upgrade(Wsgi);

    engine_io_sends_much_and_closes_over_polling: closing::by_the_server_after_many(EngineIo, Polling);
    engine_io_sends_much_and_closes_over_websocket: closing::by_the_server_after_many(EngineIo, WebSocket);

    reconnection_gives_up: reconnecting::gives_up();
    polling_nobody_listens: reconnecting::nobody_listens(Polling);
    websocket_nobody_listens: reconnecting::nobody_listens(WebSocket);
    upgrade_nobody_listens: reconnecting::nobody_listens(Upgrade);
}

mod proxied {
    use super::*;

    scenarios! {
        tinyproxy_polling: proxies::through(Tinyproxy, EngineIo, Polling);
        tinyproxy_websocket: proxies::through(Tinyproxy, EngineIo, WebSocket);
        tinyproxy_upgrade: proxies::through(Tinyproxy, EngineIo, Upgrade);
        tinyproxy_polling_to_asgi: proxies::through(Tinyproxy, Asgi, Polling);
        tinyproxy_upgrade_to_asgi: proxies::through(Tinyproxy, Asgi, Upgrade);
        tinyproxy_polling_to_wsgi: proxies::through(Tinyproxy, Wsgi, Polling);
        tinyproxy_upgrade_to_wsgi: proxies::through(Tinyproxy, Wsgi, Upgrade);
        squid_polling: proxies::through(Squid, EngineIo, Polling);
        squid_websocket: proxies::through(Squid, EngineIo, WebSocket);
        squid_upgrade: proxies::through(Squid, EngineIo, Upgrade);
        no_proxy_for_polling: proxies::bypassed(Polling);
        no_proxy_for_websocket: proxies::bypassed(WebSocket);
        no_proxy_for_upgrade: proxies::bypassed(Upgrade);
        refused_tunnel: proxies::refuses_the_tunnel();
        refused_tunnel_for_the_upgrade: proxies::refuses_the_upgrade();
        polling_without_the_password: proxies::wants_a_password(Polling);
        websocket_without_the_password: proxies::wants_a_password(WebSocket);
        polling_with_the_password: proxies::gets_the_password(Polling);
        upgrade_with_the_password: proxies::gets_the_password(Upgrade);
        polling_dead_proxy: proxies::is_not_there(Polling);
        websocket_dead_proxy: proxies::is_not_there(WebSocket);
    }
}
