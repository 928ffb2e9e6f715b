//! The real rsyslogd, with the configuration that the project ships.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::ok;
use crate::daemon::{Daemon, find, signal};
use crate::events::{LAST, NAMES, built, counted, event, events, hostile, ledger, mixed};

const CONFIGURATION: &str = include_str!("../../../pipelines/rsyslog/rsyslog.conf");

/// A folder with everything that the configuration names, and the configuration with the folder's paths.
fn folder() -> (TempDir, PathBuf, String) {
    let (folder, path) = built();
    for name in ["in", "spool"] {
        std::fs::create_dir(path.join(name)).unwrap();
    }
    let at = |name: &str| path.join(name).display().to_string();
    let mut text = CONFIGURATION.to_owned();
    for (shipped, own) in [
        ("/usr/local/bin/tripwasm", env!("CARGO_BIN_EXE_tripwasm").to_owned()),
        ("/etc/tripwasm/cloudtrail.wasm", at("cloudtrail.wasm")),
        ("/var/lib/tripwasm", at("")),
        ("/var/spool/rsyslog", at("spool")),
        ("/var/log/cloudtrail-tagged.ndjson", at("out.ndjson")),
        ("/var/log/cloudtrail/", at("in/")),
    ] {
        assert!(text.contains(shipped), "{shipped}");
        text = text.replace(shipped, &own);
    }
    (folder, path, text)
}

/// The configuration without tripwasm.
fn without_tripwasm(text: &str) -> String {
    let (before, rest) = text.split_once("    action(type=\"mmexternal\"").unwrap();
    let (_, after) = rest.split_once("then stop\n").unwrap();
    format!("{before}{after}")
}

fn start(rsyslogd: &Path, path: &Path, configuration: &str) -> Daemon {
    std::fs::write(path.join("rsyslog.conf"), configuration).unwrap();
    let mut command = Command::new(rsyslogd);
    command.args(["-n", "-f", "rsyslog.conf", "-i"]).arg(path.join("pid")).current_dir(path);
    Daemon::start(&mut command, &path.join("rsyslogd.log"))
}

/// Sends an input through a configuration, and returns what comes out.
fn through(rsyslogd: &Path, configure: impl Fn(&str) -> String, input: &[u8]) -> (TempDir, PathBuf, Vec<u8>) {
    let (folder, path, text) = folder();
    std::fs::write(path.join("in/a.ndjson"), input).unwrap();
    let mut daemon = start(rsyslogd, &path, &configure(&text));
    let output = daemon.until_in(&path.join("out.ndjson"), LAST);
    assert_eq!(daemon.said(), "");
    daemon.end();
    (folder, path, output)
}

#[test]
fn what_rsyslog_gives_on_is_tagged_and_nothing_is_lost() {
    let Some(rsyslogd) = find("RSYSLOGD", "rsyslogd") else { return };
    // What rsyslog itself does to lines is not ours: the longest one is cut.
    let (_folder, path, plain) = through(&rsyslogd, without_tripwasm, &mixed());
    assert_eq!(plain.split(|&byte| byte == b'\n').count(), 1000 + hostile().len() + 2);
    let expected = ok(&path, &["run", "cloudtrail.wasm", "-", "--mode", "drop", "--quiet"], &plain).stdout;
    let tagged = memchr::memmem::find_iter(&expected, b"\"name\":\"stopped\"").count();
    assert!(tagged > 333 && expected.len() < plain.len());
    for interface in ["msg", "fulljson", "rawmsg"] {
        let configure = |text: &str| {
            let text = text.replace("interface.input=\"msg\"", &format!("interface.input=\"{interface}\""));
            text.replace("--mmexternal msg", &format!("--mmexternal {interface}"))
        };
        let (_folder, path, output) = through(&rsyslogd, configure, &mixed());
        let same = |line: &&[u8]| !line.contains(&0xff);
        let left: Vec<_> = output.split(|&byte| byte == b'\n').filter(same).collect();
        let right: Vec<_> = expected.split(|&byte| byte == b'\n').filter(same).collect();
        assert_eq!(left.len(), right.len(), "{interface}");
        for (number, (left, right)) in left.iter().zip(&right).enumerate() {
            assert!(
                left == right,
                "{interface}, line {number}: {}",
                String::from_utf8_lossy(&left[..left.len().min(200)])
            );
        }
        let log = std::fs::read_to_string(path.join("tripwasm.log")).unwrap();
        assert!(log.contains("ready") && log.trim_end().ends_with("ended"), "{log}");
    }
}

#[test]
fn a_child_that_is_killed_loses_no_event_and_keeps_its_windows() {
    const KILLS: usize = 4;
    const EVENTS: usize = 1500;
    let Some(rsyslogd) = find("RSYSLOGD", "rsyslogd") else { return };
    let (_folder, path, text) = folder();
    let mut daemon = start(&rsyslogd, &path, &text);
    let mut input = std::fs::File::create(path.join("in/a.ndjson")).unwrap();
    for part in 0..=KILLS {
        let size = EVENTS / (KILLS + 1);
        for number in part * size..(part + 1) * size {
            writeln!(input, "{}", event(number)).unwrap();
        }
        if part < KILLS {
            // In the middle of the part.
            daemon.until_in(&path.join("out.ndjson"), &format!("\"e-{}\"", part * size + 30));
            let child = daemon.tripwasm();
            // A slow child holds rsyslog back, and no more.
            signal(child, "STOP");
            std::thread::sleep(Duration::from_millis(200));
            signal(child, "KILL");
        }
    }
    writeln!(input, "{LAST}").unwrap();
    let output = daemon.until_in(&path.join("out.ndjson"), LAST);
    daemon.end();
    let [others, stops, pings] = ledger(&output);
    let untagged = stops.iter().filter(|event| event.get("tripwasm").is_none()).count();
    assert_eq!((others.len(), stops.len()), (EVENTS / 3, EVENTS / 3));
    // The message that a killed child had goes on as it came.
    assert!(untagged + pings.len() <= KILLS, "{untagged} untagged, {} not dropped", pings.len());
    let count = counted(&path);
    assert!((EVENTS / 3 - KILLS..=EVENTS / 3).contains(&count), "{count} of {} counted", EVENTS / 3);
}

#[test]
fn several_children_share_the_work() {
    let Some(rsyslogd) = find("RSYSLOGD", "rsyslogd") else { return };
    let threads = "queue.type=\"LinkedList\" queue.workerThreads=\"3\" queue.dequeueBatchSize=\"8\" queue.workerThreadMinimumMessages=\"20\"";
    let configure = |text: &str| {
        let text = text.replace(" forceSingleInstance=\"on\"", "");
        text.replace("ruleset(name=\"cloudtrail\")", &format!("ruleset(name=\"cloudtrail\" {threads})"))
    };
    let (_folder, path, text) = folder();
    std::fs::write(path.join("in/a.ndjson"), events(1500)).unwrap();
    let mut daemon = start(&rsyslogd, &path, &configure(&text));
    let lines = |output: &[u8]| memchr::memchr_iter(b'\n', output).count();
    let output = daemon.until("1000 lines", || {
        std::fs::read(path.join("out.ndjson")).ok().filter(|output| lines(output) >= 1000)
    });
    daemon.end();
    // Threads write in any order.
    let mut numbers: Vec<usize> = Vec::new();
    for line in output.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Value = serde_json::from_slice(line).unwrap();
        let tagged = event["tripwasm"][0]["name"] == "stopped";
        assert_eq!(tagged, event["eventName"] == "StopLogging");
        numbers.push(event["eventID"].as_str().unwrap().trim_start_matches("e-").parse().unwrap());
    }
    numbers.sort_unstable();
    assert!(numbers == (0..1500).filter(|number| number % 3 != 2).collect::<Vec<_>>());
    // One has the state; the others say that they count for themselves.
    let log = std::fs::read_to_string(path.join("tripwasm.log")).unwrap();
    let children = log.matches("ready").count();
    assert!(children > 1, "{log}");
    assert_eq!(log.matches("forceSingleInstance").count(), children - 1, "{log}");
}

#[test]
fn without_a_module_every_event_passes() {
    let Some(rsyslogd) = find("RSYSLOGD", "rsyslogd") else { return };
    let absent = |text: &str| text.replace("cloudtrail.wasm --mmexternal", "absent.wasm --mmexternal");
    let (_folder, path, output) =
        through(&rsyslogd, absent, &[&events(300)[..], LAST.as_bytes(), b"\n"].concat());
    let [others, stops, pings] = ledger(&output);
    assert_eq!([others.len(), stops.len(), pings.len()], [100; 3]);
    assert!(stops.iter().all(|event| event.get("tripwasm").is_none()));
    assert!(std::fs::read_to_string(path.join("tripwasm.log")).unwrap().contains("absent.wasm"));
}

#[test]
fn messages_with_line_breaks_keep_their_own_replies() {
    let Some(rsyslogd) = find("RSYSLOGD", "rsyslogd") else { return };
    let (_folder, path, text) = folder();
    let input = text.lines().find(|line| line.starts_with("input(")).unwrap();
    let tcp = format!(
        "module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"0\" listenPortFileName=\"{}\" ruleset=\"cloudtrail\")",
        path.join("port").display()
    );
    let text = text
        .replace(input, &tcp)
        .replace("global(", "global(parser.escapeControlCharactersOnReceive=\"off\" ");
    let mut daemon = start(&rsyslogd, &path, &text);
    let port: u16 =
        daemon.until("port", || std::fs::read_to_string(path.join("port")).ok()?.trim().parse().ok());
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let filler = "\"x\",\n".repeat(400);
    for number in 0..300 {
        let event = format!(
            "{{\n\"eventID\":\"e-{number}\",\n\"eventName\":\"{}\",\n\"x\":[{filler}1]}}",
            NAMES[number % 3]
        );
        let message = format!("<134>1 2023-07-10T11:42:00Z host cloudtrail - - - {event}");
        write!(connection, "{} {message}", message.len()).unwrap();
    }
    let last = format!("<134>1 2023-07-10T11:42:00Z host cloudtrail - - - {LAST}");
    write!(connection, "{} {last}", last.len()).unwrap();
    let output = daemon.until_in(&path.join("out.ndjson"), LAST);
    daemon.end();
    // What is tagged is on one line; what is left alone has its line breaks.
    let text = String::from_utf8(output).unwrap();
    let tagged: Vec<Value> = text
        .lines()
        .filter(|line| line.contains("\"tripwasm\""))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<_> = tagged.iter().map(|event| event["eventID"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        ids,
        (0..300).filter(|number| number % 3 == 1).map(|number| format!("e-{number}")).collect::<Vec<_>>()
    );
    assert!(tagged.iter().all(|event| event["eventName"] == "StopLogging"));
    assert_eq!(text.matches("\"GetObject\"").count(), 100);
    assert!(!text.contains("\"Ping\""));
}
