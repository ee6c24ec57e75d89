//! The program under test, on the runtime under test.

use std::process::Command;

/// What the suites run on: the program's default, unless `SANSOCKET_RUNTIME` names another runtime.
pub fn runtime() -> Option<String> {
    std::env::var("SANSOCKET_RUNTIME").ok().filter(|name| !name.is_empty())
}

/// The program that Cargo has built, or `SANSOCKET_PROGRAM`, with these arguments, on the runtime under test where they name
/// none.
pub fn program(arguments: &[&str]) -> Command {
    let built = || env!("CARGO_BIN_EXE_sansocket").into();
    let mut command = Command::new(std::env::var_os("SANSOCKET_PROGRAM").unwrap_or_else(built));
    let names_one = arguments.iter().any(|argument| argument.starts_with("--runtime"));
    match (runtime(), arguments) {
        (Some(runtime), [verb @ ("serve" | "connect"), rest @ ..]) if !names_one => {
            command.args([verb, "--runtime", &runtime]).args(rest);
        }
        _ => {
            command.args(arguments);
        }
    }
    command
}
