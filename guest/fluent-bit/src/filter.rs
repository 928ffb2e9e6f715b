//! One record in, one record out.

use crate::log::LogRecord;
use tripwasm_engine::{Fate, Tag, free_key};
use tripwasm_plan::Timestamp;

/// What Fluent Bit is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The record goes on as it came.
    AsItCame,
    /// The record is dropped.
    Nothing,
    /// The record that stands in [`Filter::output`] goes on in its place, with a 0 behind it.
    Output,
}

/// What is kept from record to record.
#[derive(Debug)]
pub struct Filter {
    /// Reused: Fluent Bit copies a record that was given back, and frees none.
    pub output: Vec<u8>,
    records: u64,
}

impl Filter {
    /// Before the first record.
    pub const fn new() -> Filter {
        Filter { output: Vec::new(), records: 0 }
    }

    /// Evaluates a record. `now` is its time.
    pub fn answer(&mut self, record: &[u8], now: Option<Timestamp>) -> Answer {
        match LogRecord::read(record) {
            None if self.lets_pass(record, now) => Answer::AsItCame,
            None => {
                let fate = self.judge(record, now);
                self.answer_with(record, fate)
            }
            Some(log) => {
                let mut fate = self.judge(log.line.as_bytes(), now);
                if let Fate::Tagged(tag) = &mut fate {
                    tag.key = free_key(|key| log.may_have(key));
                }
                self.answer_with(record, fate)
            }
        }
    }

    /// Whether a record surely matches nothing. Fluent Bit writes them all alike, which is what that relies on.
    fn lets_pass(&mut self, record: &[u8], now: Option<Timestamp>) -> bool {
        let passes = tripwasm_instance::try_with(|detector| detector.lets_pass(record, now)).unwrap_or(false);
        self.records += u64::from(passes);
        passes
    }

    fn judge(&mut self, event: &[u8], now: Option<Timestamp>) -> Fate {
        let position = self.records;
        self.records += 1;
        let judge = |event: &[u8]| {
            tripwasm_instance::try_with(|detector| detector.judge(event, position, now))
                .unwrap_or(Fate::Passes)
        };
        match judge(event) {
            // Between tokens both are space, and in a string neither may stand.
            Fate::Broken => {
                let return_for_feed = |&byte| if byte == b'\n' { b'\r' } else { byte };
                judge(&event.iter().map(return_for_feed).collect::<Vec<u8>>())
            }
            fate => fate,
        }
    }

    fn answer_with(&mut self, record: &[u8], fate: Fate) -> Answer {
        match fate {
            Fate::Passes | Fate::Broken => Answer::AsItCame,
            Fate::Drops => Answer::Nothing,
            Fate::Tagged(tag) => {
                self.write(record, &tag);
                Answer::Output
            }
        }
    }

    fn write(&mut self, record: &[u8], tag: &Tag) {
        self.output.clear();
        tag.splice(record, &mut self.output);
        self.output.push(0);
    }
}

impl Default for Filter {
    fn default() -> Self {
        Filter::new()
    }
}
