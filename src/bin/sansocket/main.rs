//! The command-line program: `sansocket serve` and what is to come.

mod arguments;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Engine.IO for the command line.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve Engine.IO: an echo server, with a page to try it on.
    Serve(serve::Arguments),
}

fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return usage(&error),
    };
    start_log();
    match program.command {
        Command::Serve(arguments) => serve::run(arguments),
    }
}

/// Help goes to stdout and is fine. A mistake is one line on stderr, and exit status 2.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        print!("{error}");
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    if line.starts_with("error:") {
        eprintln!("sansocket: {} (see --help)", line.trim_start_matches("error:").trim());
    } else {
        // No subcommand at all: clap has written the help.
        eprintln!("sansocket: say what to do, for instance `sansocket serve` (see --help)");
    }
    ExitCode::from(2)
}

fn start_log() {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::filter::LevelFilter;

    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
