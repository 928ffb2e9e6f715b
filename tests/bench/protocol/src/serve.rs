//! The contestant's side: a loop over standard input.

use crate::clock::{Moment, peak_rss_bytes};
use crate::{Contestant, Job, Pass, Ready};
use anyhow::{Context as _, Result, bail};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use serde::Serialize;
use std::io::Write as _;
use std::process::ExitCode;

/// Takes a job from standard input and does it, pass by pass, until the input ends.
pub fn serve<C: Contestant>(prepare: impl FnOnce(&Job) -> Result<C>) -> ExitCode {
    match converse(prepare) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn converse<C: Contestant>(prepare: impl FnOnce(&Job) -> Result<C>) -> Result<()> {
    let mut lines = std::io::stdin().lines();
    let job = lines.next().context("there is no job on standard input")??;
    let job: Job = serde_json::from_str(&job).context("the job cannot be read")?;
    stay_on(job.core)?;
    let mut contestant = match prepare(&job) {
        Ok(contestant) => contestant,
        Err(error) => {
            return answer(&Ready { refused: Some(format!("{error:#}")), ..Ready::with_rules(0) });
        }
    };
    answer(&contestant.ready())?;
    for line in lines {
        match line?.as_str() {
            // Read anew each time: contestants that wait their turn hold no copy.
            "pass" => {
                let data = data(&job, contestant.holds_data())?;
                answer(&pass(&mut contestant, &data)?)?;
            }
            other => bail!("`{other}` is no request; the only one is `pass`"),
        }
    }
    Ok(())
}

fn data(job: &Job, is_held: bool) -> Result<Vec<u8>> {
    if !is_held {
        return Ok(Vec::new());
    }
    std::fs::read(&job.data).with_context(|| format!("cannot read {}", job.data.display()))
}

fn pass<C: Contestant>(contestant: &mut C, data: &[u8]) -> Result<Pass> {
    contestant.renew()?;
    let begin = Moment::now()?;
    contestant.pass(data)?;
    let spent = begin.spent()?;
    let tally = contestant.tally()?;
    let (cpu_seconds, wall_seconds) = tally.measured.unwrap_or((spent.cpu, spent.wall));
    let thread_seconds = tally.measured.map_or(spent.thread, |(cpu, _)| cpu);
    let own = peak_rss_bytes().saturating_sub(data.len() as u64);
    let rss_bytes = tally.rss_bytes.unwrap_or(own);
    Ok(Pass { tally, cpu_seconds, thread_seconds, wall_seconds, rss_bytes })
}

fn answer(message: &impl Serialize) -> Result<()> {
    let mut output = std::io::stdout().lock();
    serde_json::to_writer(&mut output, message)?;
    output.write_all(b"\n")?;
    Ok(output.flush()?)
}

/// Keeps the process and all that it starts on one core.
fn stay_on(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core).with_context(|| format!("there is no core {core}"))?;
    sched_setaffinity(Pid::from_raw(0), &cores).with_context(|| format!("cannot stay on core {core}"))
}
