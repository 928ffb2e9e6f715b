//! The command line: reads options and files, calls the library, prints.

mod bench;
mod build;
mod check;
mod import;
mod inspect;
mod learn;
mod new;
mod rule_files;
mod run;
mod serve;
mod state;
mod test;
mod window_options;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a command came to; the numbers are part of the command line's contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything asked for was done.
    Done,
    /// A test failed, or a run could not read or write everything.
    Failed,
    /// A rule, option or module is bad.
    Refused,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        ExitCode::from(match outcome {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Refused => 2,
        })
    }
}

/// Detection rules for AWS CloudTrail, compiled to one sandboxed WebAssembly module.
#[derive(Debug, Parser)]
#[command(name = "tripwasm", version, max_term_width = 100, after_help = NEXT)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

/// For someone who types the name and nothing else.
const NEXT: &str = "\
A first round:
  tripwasm new stop_logging                     write a rule with two tests
  tripwasm test stop_logging.yml                run its tests in the sandbox
  tripwasm build stop_logging.yml               write cloudtrail.wasm
  tripwasm run cloudtrail.wasm events.ndjson    tag events as they pass

`tripwasm COMMAND --help` shows options and examples.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a new rule with one positive and one negative test
    New(new::Arguments),
    /// Report what is wrong with rules, and write nothing
    Check(check::Arguments),
    /// Compile rules to a module
    Build(build::Arguments),
    /// Show what a module holds: rules, imports, limits, sizes, hash
    Inspect(inspect::Arguments),
    /// Run the rules' own tests inside the compiled module
    Test(test::Arguments),
    /// Send events through a module
    Run(run::Arguments),
    /// Filter and tag events between two services: over HTTP, Fluentd's protocol, or as rsyslog's child
    Serve(Box<serve::Arguments>),
    /// Read another engine's rules into Sigma files
    Import(import::Arguments),
    /// Feed the baselines of first-seen rules from history, without alerts
    Learn(learn::Arguments),
    /// Measure how fast a module is on events of your own
    Bench(bench::Arguments),
}

/// Runs the command that the process was called with.
pub(crate) fn main() -> ExitCode {
    let outcome = match serve::ReplyPipe::begin(std::env::args_os()) {
        Some(pipe) => pipe.fail_open(run_command()),
        None => run_command(),
    };
    outcome.into()
}

fn run_command() -> Outcome {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help that nobody reads is no failure.
            let _ = error.print();
            return if error.use_stderr() { Outcome::Refused } else { Outcome::Done };
        }
    };
    let outcome = match cli.command {
        None => {
            println!("tripwasm: detection rules for AWS CloudTrail as one sandboxed module\n\n{NEXT}");
            return Outcome::Done;
        }
        Some(Command::New(arguments)) => new::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Build(arguments)) => build::run(&arguments),
        Some(Command::Inspect(arguments)) => inspect::run(&arguments),
        Some(Command::Test(arguments)) => test::run(&arguments),
        Some(Command::Run(arguments)) => run::run(arguments),
        Some(Command::Serve(arguments)) => serve::run(*arguments),
        Some(Command::Import(arguments)) => import::run(&arguments),
        Some(Command::Learn(arguments)) => learn::run(&arguments),
        Some(Command::Bench(arguments)) => bench::run(&arguments),
    };
    match outcome {
        Ok(outcome) => outcome,
        // Whoever reads our output has seen enough.
        Err(error) if is_closed_pipe(&error) => Outcome::Done,
        Err(error) => {
            eprintln!("error: {error:#}");
            Outcome::Refused
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn options_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
