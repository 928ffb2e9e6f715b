//! The engine as native code.

use crate::{BATCH_BYTES, rules};
use anyhow::{Context as _, Result, bail};
use bench_protocol::{Contestant, Ready, Tally, Work, batches};
use std::hint::black_box;
use tripwasm_engine::finding::{Alert, AlertState};
use tripwasm_engine::{Detector, Mode};
use tripwasm_plan::Plan;

pub(crate) struct Native {
    fresh: Detector,
    running: Detector,
    work: Work,
    tally: Tally,
}

impl Native {
    pub(crate) fn new(plan: Plan, work: Work) -> Result<Native> {
        let fresh = Detector::new(plan).ok().context("the plan is not of this engine")?;
        Ok(Native { running: fresh.clone(), fresh, work, tally: Tally::default() })
    }

    /// Hands a batch over; returns bytes given out and alerts closed.
    fn batch(&mut self, batch: &[u8], first: u64) -> Result<(usize, usize)> {
        let mode = match self.work {
            Work::Findings => {
                let report = black_box(self.running.evaluate(batch, first, None));
                return Ok((0, closed(report.alerts.iter())));
            }
            Work::Tag => Mode::Tag,
            Work::Filter => Mode::Filter,
            Work::Counts | Work::Parse => bail!("the engine does findings, tag and filter"),
        };
        let output = black_box(self.running.transform(batch, first, None, mode));
        Ok((output.events.len(), closed(output.alerts.iter())))
    }
}

impl Contestant for Native {
    fn ready(&self) -> Ready {
        Ready::with_rules(self.fresh.rules().len())
    }

    fn renew(&mut self) -> Result<()> {
        self.running = self.fresh.clone();
        self.tally = Tally::default();
        Ok(())
    }

    fn pass(&mut self, data: &[u8]) -> Result<()> {
        let mut first = 0;
        for batch in batches(data, BATCH_BYTES) {
            let (bytes, alerts) = self.batch(batch, first)?;
            first += memchr::memchr_iter(b'\n', batch).count() as u64;
            self.tally.output_bytes += bytes as u64;
            self.tally.alerts += alerts as u64;
        }
        self.tally.alerts += closed(self.running.close(i64::MAX).iter()) as u64;
        self.tally.bytes = data.len() as u64;
        Ok(())
    }

    fn tally(&mut self) -> Result<Tally> {
        let statistics = self.running.statistics();
        let mut tally = Tally { events: statistics.events, ..std::mem::take(&mut self.tally) };
        rules::count(self.fresh.rules(), statistics.rules.iter().map(|rule| rule.matched), &mut tally);
        Ok(tally)
    }
}

fn closed<'a>(alerts: impl Iterator<Item = &'a Alert>) -> usize {
    alerts.filter(|alert| alert.state == AlertState::Closed).count()
}
