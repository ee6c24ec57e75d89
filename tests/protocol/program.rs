//! The program under test, on the runtime under test.

use std::process::Command;

/// What the suites run on: the program's default, unless `SANSOCKET_RUNTIME` names another runtime.
pub fn runtime() -> Option<String> {
    std::env::var("SANSOCKET_RUNTIME").ok().filter(|name| !name.is_empty())
}

/// The program with these arguments, on the runtime under test where they name none.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sansocket"));
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
