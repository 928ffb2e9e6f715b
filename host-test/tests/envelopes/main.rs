//! Inputs in every form that CloudTrail is delivered in give the events they hold.

#[path = "../command/mod.rs"]
mod command;

mod corpus;
mod cuts;
mod forms;
mod hostile;
mod lines;
mod run;

use std::io::{Cursor, Read};

use tripwasm::input::{EventReader, Foreign, InputError, Pace, ReaderOptions, Unpacking};

const BATCH_SIZES: [usize; 4] = [1, 1000, 64 << 10, 4 << 20];

/// All that comes out of an input.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    bytes: Vec<u8>,
    lines: u64,
    problems: Vec<String>,
    foreign: Vec<&'static str>,
}

impl Found {
    fn in_input(input: Box<dyn Read + Send>, options: ReaderOptions) -> Self {
        let mut reader = EventReader::new(input, options);
        let mut found = Found::default();
        while let Some(batch) = reader.next_batch() {
            found.bytes.extend(batch.bytes);
            found.lines += batch.lines;
            found.problems.extend(batch.problems.iter().map(InputError::to_string));
            found.foreign.extend(batch.foreign.iter().copied().map(Foreign::name));
        }
        found
    }

    /// In batches of so many bytes.
    fn in_batches(bytes: &[u8], batch_bytes: usize) -> Self {
        let options = ReaderOptions { batch_bytes, pace: Pace::Stored, unpacking: Unpacking::LikeEvents };
        Found::in_input(Box::new(Cursor::new(bytes.to_vec())), options)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
