//! Tags CloudTrail events in a program of your own: `cargo run --example tag -- cloudtrail.wasm < events.ndjson`

use std::io::{self, BufRead, Write};

use tripwasm::bindings::detector::Mode;
use tripwasm::{Detector, DetectorError, DetectorOptions, Module, Runtime, RuntimeOptions};

/// Enough to make a call cheap, little enough for a processor's cache.
const BATCH_BYTES: usize = 256 << 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("which module? tag cloudtrail.wasm")?;
    let runtime = Runtime::new(RuntimeOptions::default())?;
    let module = Module::load_file(&runtime, path)?;
    // At most 64 MiB of open windows; the sandbox's memory is bounded with it.
    let options = DetectorOptions::of(&module).with_state_bytes_max(64 << 20);
    let mut detector = Detector::new(&module, options)?;
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let (mut batch, mut position) = (Vec::new(), 0);
    loop {
        batch.clear();
        let mut lines = 0;
        while batch.len() < BATCH_BYTES && input.read_until(b'\n', &mut batch)? > 0 {
            lines += 1;
        }
        if lines == 0 {
            break;
        }
        // A replay has no clock. A live stream gives the time: a forged event date then moves no window.
        match detector.transform(&batch, position, None, Mode::Tag) {
            Ok(tagged) => {
                output.write_all(&tagged.events)?;
                for alert in tagged.alerts {
                    eprintln!("{:?} {} {:?} {} events", alert.state, alert.id, alert.group, alert.count);
                }
            }
            // The events lose their verdicts, nothing else; the next batch has a new instance.
            Err(DetectorError::Trapped(trapped)) => {
                eprintln!("{trapped}");
                output.write_all(&batch)?;
            }
            Err(error) => return Err(error.into()),
        }
        position += lines;
    }
    for alert in detector.close(i64::MAX)? {
        eprintln!("{:?} {} {:?} {} events", alert.state, alert.id, alert.group, alert.count);
    }
    Ok(())
}
