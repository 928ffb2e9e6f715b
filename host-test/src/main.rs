//! The command `tripwasm`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
