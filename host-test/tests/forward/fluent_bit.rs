//! A real Fluent Bit at both ends, given by the environment variable `FLUENT_BIT`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::events::{is_dropped, lines};
use crate::next_service::{arrivals, assert_nothing_lost};
use crate::process::with_rules;
use crate::service::{free_address, start_with};

const EVENTS: u64 = 6_000;

/// A Fluent Bit that runs, until it is dropped.
struct FluentBit(Child);

impl FluentBit {
    fn start(program: &Path, directory: &Path, name: &str, configuration: &str) -> Self {
        std::fs::write(directory.join(name), configuration).unwrap();
        let log = std::fs::File::create(directory.join(format!("{name}.log"))).unwrap();
        let mut command = Command::new(program);
        command
            .args(["-c", name])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        FluentBit(command.spawn().unwrap())
    }
}

impl Drop for FluentBit {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sender(port: u16, more: &str) -> String {
    format!(
        "[SERVICE]\n    Flush 0.2\n    Grace 2\n    Log_Level info\n    Parsers_File parsers.conf\n\
         [INPUT]\n    Name tail\n    Path in.ndjson\n    Read_from_Head true\n    Parser events\n    Tag cloud.trail\n    \
         Buffer_Chunk_Size 1M\n    Buffer_Max_Size 8M\n\
         [OUTPUT]\n    Name forward\n    Match *\n    Host 127.0.0.1\n    Port {port}\n    Require_ack_response true\n    \
         Retry_Limit no_limits\n    {more}\n"
    )
}

fn receiver(port: u16) -> String {
    format!(
        "[SERVICE]\n    Flush 0.2\n    Grace 2\n    Log_Level info\n\
         [INPUT]\n    Name forward\n    Listen 127.0.0.1\n    Port {port}\n    Shared_Key secret\n    Self_Hostname receiver\n\
         [OUTPUT]\n    Name file\n    Match *\n    Path .\n    File out.ndjson\n    Format plain\n"
    )
}

fn events(path: &Path, count: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= count || began.elapsed() > Duration::from_secs(60) {
            return text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Sends events from one Fluent Bit to another, and kills the service between them now and then.
fn between(program: &Path, more: &str, kills: usize) -> usize {
    let (_directory, path) = with_rules();
    let (to, address) = (free_address(), free_address());
    std::fs::write(path.join("parsers.conf"), "[PARSER]\n    Name events\n    Format json\n").unwrap();
    let mut file = std::fs::File::create(path.join("in.ndjson")).unwrap();
    let tokens = [("TRIPWASM_TOKEN", "secret"), ("TRIPWASM_TO_TOKEN", "secret")];
    let start = || start_with(&path, address, to, &["--to-patience", "2s"], &tokens);
    let mut serve = start();
    let _receiver = FluentBit::start(program, &path, "receiver.conf", &receiver(to.port()));
    let more = format!("Shared_Key secret\n    Self_Hostname sender\n    {more}");
    let _sender = FluentBit::start(program, &path, "sender.conf", &sender(address.port(), &more));
    let part = EVENTS / (10 * kills.max(1) as u64);
    for number in 0..EVENTS / part {
        file.write_all(lines(number * part..(number + 1) * part).as_bytes()).unwrap();
        if number % 10 == 9 && kills > 0 {
            serve.kill();
            serve = start();
        } else {
            std::thread::sleep(Duration::from_millis(if kills > 0 { 50 } else { 0 }));
        }
    }
    let wanted = (0..EVENTS).filter(|number| !is_dropped(*number)).count();
    let events = events(&path.join("out.ndjson"), wanted);
    let numbers = events.iter().map(|event| event["number"].as_u64().unwrap());
    let doubled = assert_nothing_lost(&arrivals(numbers), 0..EVENTS);
    let is_tagged = |event: &&Value| event["tripwasm"][0]["name"] == "stopped";
    assert!(events.iter().filter(is_tagged).count() as u64 >= EVENTS / 4);
    assert!(serve.terminate().success());
    doubled
}

#[test]
fn a_real_fluent_bit_loses_nothing() {
    let Some(program) = std::env::var_os("FLUENT_BIT").map(PathBuf::from) else {
        println!("skipped: FLUENT_BIT names no Fluent Bit");
        return;
    };
    assert_eq!(between(&program, "", 0), 0);
    assert_eq!(between(&program, "Compress gzip", 0), 0);
    assert_eq!(between(&program, "Retain_Metadata_In_Forward_Mode true", 0), 0);
    assert_eq!(between(&program, "Time_as_Integer true", 0), 0);
    println!("{} events came twice after two kills", between(&program, "", 2));
}
