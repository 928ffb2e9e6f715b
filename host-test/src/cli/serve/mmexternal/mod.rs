//! The child that rsyslog's mmexternal starts: a message comes in on standard input, one JSON object goes out.
//!
//! Invariants: every message has exactly one reply, whatever it holds; nothing else is ever written to standard output
//! or standard error, which is the same pipe (`pipe`); what cannot be evaluated is left alone.

mod messages;
mod pipe;
mod reply;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tripwasm::Module;
use tripwasm::input::Batch;

use self::messages::{Message, Messages};
use self::reply::{LEAVE_ALONE, Sent, reply};
use super::evaluator::Evaluator;
use super::worker::Worker;
use crate::cli::state::InUse;
pub(in crate::cli) use pipe::ReplyPipe;

/// How long a state file may be in use by the child that rsyslog had before: it ends once it saved.
const STATE_PATIENCE: Duration = Duration::from_secs(10);

/// Pause before a state file is tried again.
const STATE_PAUSE: Duration = Duration::from_millis(100);

/// What rsyslog sends, as `interface.input` of its action says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Interface {
    /// The property `msg`; messages of fulljson are known by how they begin
    Msg,
    /// The property `rawmsg`, which is replaced
    Rawmsg,
    /// All properties as JSON; the event is in `msg`
    Fulljson,
}

/// The thread that answers rsyslog.
pub(super) struct Conversation {
    evaluator: Arc<Mutex<Option<Evaluator>>>,
    over: oneshot::Receiver<()>,
}

impl Conversation {
    /// Begins to answer.
    pub(super) fn begin(interface: Interface, evaluator: Evaluator) -> anyhow::Result<Self> {
        let evaluator = Arc::new(Mutex::new(Some(evaluator)));
        let given = Arc::clone(&evaluator);
        let (ended, over) = oneshot::channel();
        let thread = std::thread::Builder::new().name("tripwasm-rsyslog".to_owned()).spawn(move || {
            if let Err(error) = converse(interface, &given) {
                tracing::error!(%error, "rsyslog cannot be answered any more");
            }
            let _ = ended.send(());
        });
        thread.context("cannot start a thread")?;
        Ok(Conversation { evaluator, over })
    }

    /// Waits for the end of the input. SIGTERM is taken for a sign that it is near: a service manager sends it to rsyslog
    /// and to its children at once, and rsyslog still has messages then.
    pub(super) async fn end(mut self, drain: Duration) -> anyhow::Result<()> {
        let mut terminated = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        tokio::select! {
            _ = &mut self.over => {}
            _ = terminated.recv() => {
                tracing::info!(?drain, "SIGTERM: the end of the input is waited for");
                let _ = tokio::time::timeout(drain, &mut self.over).await;
            }
        }
        // The thread may wait for a message that never comes.
        self.evaluator.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }
}

/// Answers message by message, until there are no more or the evaluator is gone.
fn converse(interface: Interface, evaluator: &Mutex<Option<Evaluator>>) -> std::io::Result<()> {
    let mut messages = Messages::new(pipe::input());
    let mut output = std::io::stdout().lock();
    while let Some(message) = messages.next()? {
        let evaluator = evaluator.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(evaluator) = &*evaluator else { break };
        let reply = answer(interface, message, evaluator);
        output.write_all(&reply)?;
        output.flush()?;
    }
    Ok(())
}

fn answer(interface: Interface, message: Message<'_>, evaluator: &Evaluator) -> Vec<u8> {
    let leave_alone = || LEAVE_ALONE.to_vec();
    let Message::Whole(message) = message else {
        tracing::warn!("a message is too long to be evaluated: it is left alone");
        return leave_alone();
    };
    let Some(sent) = Sent::read(interface, message) else {
        // The configuration says so of every message, or of none.
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            tracing::error!("messages are left alone that are not what interface.input=\"fulljson\" sends");
        });
        return leave_alone();
    };
    if sent.event.is_empty() {
        return leave_alone();
    }
    let batch = Batch { bytes: sent.event.clone(), lines: 1, ..Batch::default() };
    match evaluator.evaluate_blocking(vec![batch], "rsyslog") {
        Ok(evaluated) => reply(interface, &sent, &evaluated.bytes),
        Err(error) => {
            tracing::error!(%error, "a message is left alone");
            leave_alone()
        }
    }
}

/// Has windows kept in a file. Where that cannot be, the rules run all the same, with windows that begin anew.
pub(super) fn keep(
    mut worker: Worker,
    path: &Path,
    module: &Module,
    fresh: impl FnOnce() -> anyhow::Result<Worker>,
) -> anyhow::Result<Worker> {
    let give_up_at = Instant::now() + STATE_PATIENCE;
    loop {
        match worker.keep(path, module) {
            Ok(()) => return Ok(worker),
            Err(error) if error.is::<InUse>() && Instant::now() < give_up_at => {
                std::thread::sleep(STATE_PAUSE);
            }
            Err(error) => {
                tracing::error!(
                    error = %format!("{error:#}"),
                    "windows begin anew and are not kept; rules with windows need forceSingleInstance=\"on\""
                );
                return fresh();
            }
        }
    }
}
