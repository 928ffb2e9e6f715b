//! What starting costs: `cargo run --release -p tripwasm --example start -- MODULE`.
//!
//! Prints medians of repeated starts in one process, with compiled code cached.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tripwasm::{Detector, DetectorOptions, Module, Runtime, RuntimeOptions};

const EVENT: &[u8] = b"{\"eventName\":\"StopLogging\",\"eventTime\":\"2023-07-10T11:42:00Z\"}\n";

fn main() -> anyhow::Result<()> {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        anyhow::bail!("usage: start MODULE");
    };
    let wasm = std::fs::read(path)?;
    let mut steps = [const { Vec::new() }; 5];
    for _ in 0..30 {
        let began = Instant::now();
        let runtime = Runtime::new(RuntimeOptions::default())?;
        let engine = began.elapsed();
        let module = Module::load(&runtime, &wasm)?;
        let loaded = began.elapsed();
        let mut detector = Detector::new(&module, DetectorOptions::of(&module))?;
        let started = began.elapsed();
        detector.evaluate(EVENT, 0, None)?;
        let evaluated = began.elapsed();
        let times = [engine, loaded - engine, started - loaded, evaluated - started, evaluated];
        steps.iter_mut().zip(times).for_each(|(step, time)| step.push(time));
    }
    for (name, times) in ["engine", "load", "instance", "first event", "in all"].iter().zip(&mut steps) {
        println!("{name:<12} {:>8.1} us", median(times));
    }
    let runtime = Runtime::new(RuntimeOptions::default())?;
    let module = Module::load(&runtime, &wasm)?;
    let mut instances: Vec<Duration> = Vec::new();
    for _ in 0..1000 {
        let began = Instant::now();
        let detector = Detector::new(&module, DetectorOptions::of(&module))?;
        instances.push(began.elapsed());
        drop(detector);
    }
    println!("{:<12} {:>8.1} us", "instance +", median(&mut instances));
    Ok(())
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}
