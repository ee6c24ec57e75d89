//! The command-line program: `sansocket serve`, `sansocket connect`.

mod arguments;
mod connect;
mod options;
mod runtimes;
mod serve;
mod signals;
mod tls;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Engine.IO and Socket.IO for the command line.
#[derive(Parser)]
#[command(
    version,
    about = "Engine.IO and Socket.IO for the command line",
    max_term_width = 100
)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a chat with its page, or an app for tests and measurements.
    Serve(serve::Arguments),
    /// Connect to a server: lines that are typed are sent, what comes is shown.
    Connect(connect::Arguments),
}

fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return usage(&error),
    };
    start_log();
    match program.command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Connect(arguments) => connect::run(arguments),
    }
}

/// Help goes to stdout and is fine. A mistake is one line on stderr, and exit status 2.
fn usage(error: &clap::Error) -> ExitCode {
    use std::io::Write;

    if !error.use_stderr() {
        // Whoever has closed the pipe has read enough.
        let _read_enough = write!(std::io::stdout(), "{error}");
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    // The first paragraph says what is wrong, and which values are possible.
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let line = lines.collect::<Vec<_>>().join(" ");
    match line.strip_prefix("error:") {
        Some(line) => complain(&format!("{} (see --help)", line.trim())),
        // No subcommand at all: clap has written the help.
        None => complain("say what to do, for instance `sansocket serve` (see --help)"),
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

/// Says on stderr why the program ends. Whoever has closed it does not want to know.
fn complain(why: &str) {
    let _unseen = writeln!(std::io::stderr(), "sansocket: {why}");
}
