//! Events that are let pass at a glance, where the host's form of them allows it.

use crate::correlate::Outcome;
use crate::detector::Detector;
use crate::limits::EVENT_BYTES_MAX;
use crate::matcher::{Glance, Sieve, Sighting, depth};
use crate::scan::text_time;
use tripwasm_plan::Timestamp;

/// What events are held against first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sifting {
    sieve: Laid,
    /// As CloudTrail writes it, a time that the watermark has gone by; zeros before the first one.
    settled: [u8; 20],
    worth: Worth,
}

/// Whether glances pay: each costs about a third of reading.
#[derive(Debug, Clone, Default)]
struct Worth {
    glances: u32,
    passed: u32,
    /// Events that are read without a glance before.
    pause: u32,
}

/// A sieve is laid out when it is asked for first.
#[derive(Debug, Clone, Default)]
enum Laid {
    #[default]
    NotYet,
    /// The rules allow none.
    None,
    Sieve(Box<Sieve>),
}

impl Worth {
    /// Whether the next event is worth a glance.
    fn is_due(&mut self) -> bool {
        let is_due = self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        is_due
    }

    /// Where too few of so many events were let pass, the next ones are not glanced at.
    fn note(&mut self, passed: bool) {
        const GLANCES: u32 = 64;
        const PASSED_MIN: u32 = 24;
        const PAUSE: u32 = 1024;
        self.glances += 1;
        self.passed += u32::from(passed);
        if self.glances == GLANCES {
            self.pause = if self.passed < PASSED_MIN { PAUSE } else { 0 };
            (self.glances, self.passed) = (0, 0);
        }
    }
}

impl Sifting {
    /// The watermark is another one.
    pub(crate) fn forget_time(&mut self) {
        self.settled = Default::default();
    }
}

impl Detector {
    /// Whether an event that came alone matches no rule and carries nothing else on, told without reading it; false if that
    /// takes reading. Where it is true, nothing is left to be done: the time that passed is taken in.
    ///
    /// The event has to be what a JSON writer makes that puts no space between key, colon and value, no key twice into an
    /// object, and no escapes into keys where JSON does not ask for them. Of events that are let pass, neither those without a
    /// time nor those ahead of the clock are counted.
    pub fn lets_pass(&mut self, event: &[u8], now: Option<Timestamp>) -> bool {
        let compiled = self.reader.compiled();
        if let Laid::NotYet = self.sifting.sieve {
            let sieve = Sieve::new(&self.plan, compiled);
            self.sifting.sieve = sieve.map_or(Laid::None, |sieve| Laid::Sieve(Box::new(sieve)));
        }
        let Laid::Sieve(sieve) = &mut self.sifting.sieve else { return false };
        if event.len() > EVENT_BYTES_MAX || !self.sifting.worth.is_due() {
            return false;
        }
        let is_over = match sieve.look(compiled, event) {
            Glance::Unsure => false,
            Glance::Nothing { time: None } => true,
            Glance::Nothing { time: Some(time) } => self.takes_time(event, &time, now),
        };
        self.events += u64::from(is_over);
        self.sifting.worth.note(is_over);
        is_over
    }

    /// Takes the time of an event in that is not read; false if that takes reading.
    fn takes_time(&mut self, event: &[u8], sighting: &Sighting, now: Option<Timestamp>) -> bool {
        let text = event.get(sighting.text.clone()).and_then(|text| text.first_chunk());
        let Some(text) = text else { return false };
        if !sighting.is_one_of_several && is_usual(text) && *text <= self.sifting.settled {
            // Wherever it stands, it moves nothing.
            return true;
        }
        let Some(now) = now else { return false };
        if depth(event.get(..sighting.key).unwrap_or_default()) != Some(1) {
            return false;
        }
        let Some(time) = core::str::from_utf8(text).ok().and_then(text_time) else { return false };
        let lateness = self.lateness();
        self.watermark.observe(time, Some(now), lateness);
        self.advance(&mut Outcome { alerts: Vec::new(), facts: Vec::new() });
        if is_usual(text) && time <= now.saturating_add(lateness) {
            self.sifting.settled = *text;
        }
        true
    }
}

/// Whether of two such texts the later time is the greater text.
fn is_usual(text: &[u8; 20]) -> bool {
    matches!(text, [_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':', _, _, b'Z'])
}
