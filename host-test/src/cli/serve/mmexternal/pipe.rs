//! The pipe to rsyslog, kept clean: what anyone says on standard error goes to the log file or nowhere, and whatever
//! goes wrong, messages are answered.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

use super::messages::Messages;
use super::reply::LEAVE_ALONE;
use crate::cli::Outcome;
use crate::cli::serve::logs;

/// Where messages come in, once that is not standard input any more.
static INPUT: OnceLock<OwnedFd> = OnceLock::new();

/// Number of the file that messages come in by, at least. When a process is killed, Linux closes its files from the last
/// to the first. Were the replies' pipe closed first, rsyslog would take its end for a reply and write the next messages
/// into a pipe that nobody reads: some fifty would pass untagged. So it is told first that nobody reads.
const INPUT_NUMBER: i32 = 100;

const OPTION: &str = "--mmexternal";
const LOG_FILE: &str = "--log-file";

/// The process was started by rsyslog.
pub(in crate::cli) struct ReplyPipe(());

impl ReplyPipe {
    /// Keeps the pipe clean, if these arguments of the process say that there is one. Comes before they are read: what is
    /// wrong with them must not be said to rsyslog.
    pub(in crate::cli) fn begin(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let arguments: Vec<_> = arguments.skip(1).collect();
        let has = |name: &str| value_of(&arguments, name).is_some();
        if arguments.first()? != "serve" || !has(OPTION) || has("--help") || has("-h") {
            return None;
        }
        let log = value_of(&arguments, LOG_FILE).flatten().and_then(|path| logs::open(Path::new(path)).ok());
        let sink = log.or_else(|| OpenOptions::new().write(true).open("/dev/null").ok());
        if let Some(sink) = sink {
            // Where this fails nothing is said, as nothing can be.
            let _ = rustix::stdio::dup2_stderr(&sink);
        }
        let null = OpenOptions::new().read(true).open("/dev/null");
        if let (Ok(input), Ok(null)) =
            (rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), INPUT_NUMBER), null)
            && rustix::stdio::dup2_stdin(null).is_ok()
        {
            let _ = INPUT.set(input);
        }
        Some(ReplyPipe(()))
    }

    /// Goes on after a command that came to something: where it failed, every message is left alone, to the last.
    pub(in crate::cli) fn fail_open(self, outcome: Outcome) -> Outcome {
        if outcome != Outcome::Done {
            eprintln!("error: no event is evaluated; all are left alone until rsyslog starts tripwasm again");
            let mut messages = Messages::new(input());
            let mut output = std::io::stdout().lock();
            while let Ok(Some(_)) = messages.next() {
                if output.write_all(LEAVE_ALONE).and_then(|()| output.flush()).is_err() {
                    break;
                }
            }
        }
        outcome
    }
}

/// Where messages come in.
pub(super) fn input() -> BorrowedFd<'static> {
    INPUT.get().map_or_else(rustix::stdio::stdin, AsFd::as_fd)
}

/// Whether an option is there, and what stands behind it or its equals sign.
fn value_of<'a>(arguments: &'a [OsString], name: &str) -> Option<Option<&'a OsStr>> {
    arguments.iter().enumerate().find_map(|(at, argument)| {
        match argument.as_bytes().strip_prefix(name.as_bytes())? {
            [] => Some(arguments.get(at + 1).map(OsString::as_os_str)),
            [b'=', value @ ..] => Some(Some(OsStr::from_bytes(value))),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_in_both_forms() {
        let arguments =
            ["serve", "m.wasm", "--log-file=a b", "--mmexternal", "--log-filer"].map(OsString::from);
        assert_eq!(value_of(&arguments, LOG_FILE), Some(Some(OsStr::new("a b"))));
        assert_eq!(value_of(&arguments, OPTION), Some(Some(OsStr::new("--log-filer"))));
        assert_eq!(value_of(&arguments, "--log-filer"), Some(None));
        assert_eq!(value_of(&arguments, "--log"), None);
    }
}
