//! The real syslog-ng, with the configuration that the project ships.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::command::ok;
use crate::daemon::{Daemon, find, signal};
use crate::events::{LAST, built, counted, event, ledger, mixed};

const CONFIGURATION: &str = include_str!("../../../pipelines/syslog-ng/syslog-ng.conf");

/// A folder with everything that the configuration names, its paths in that.
fn folder() -> (TempDir, PathBuf) {
    let (folder, path) = built();
    std::fs::create_dir(path.join("in")).unwrap();
    let at = |name: &str| path.join(name).display().to_string();
    let mut text = CONFIGURATION.to_owned();
    for (shipped, own) in [
        ("/usr/local/bin/tripwasm", env!("CARGO_BIN_EXE_tripwasm").to_owned()),
        ("/etc/tripwasm/cloudtrail.wasm", at("cloudtrail.wasm")),
        ("/var/lib/tripwasm/", at("")),
        ("/var/log/cloudtrail/", at("in/")),
        ("/var/log/", at("")),
    ] {
        assert!(text.contains(shipped), "{shipped}");
        text = text.replace(shipped, &own);
    }
    // The same events without tripwasm.
    text.push_str(&format!(
        "destination d_plain {{ file(\"{}\" template(\"$MESSAGE\\n\")); }};\n\
         log {{ source(s_cloudtrail); destination(d_plain); flags(flow-control); }};\n",
        at("plain.ndjson")
    ));
    std::fs::write(path.join("syslog-ng.conf"), text).unwrap();
    (folder, path)
}

fn start(program: &Path, path: &Path) -> Daemon {
    let mut command = Command::new(program);
    command.args(["-F", "--no-caps", "-f", "syslog-ng.conf", "-p", "pid", "-c", "control", "-R", "persist"]);
    Daemon::start(command.current_dir(path), &path.join("syslog-ng.log"))
}

#[test]
fn what_syslog_ng_gives_on_is_tagged_and_nothing_is_lost() {
    let Some(program) = find("SYSLOG_NG", "syslog-ng") else { return };
    let (_folder, path) = folder();
    std::fs::write(path.join("in/a.ndjson"), mixed()).unwrap();
    let mut daemon = start(&program, &path);
    let outputs = ["plain", "cloudtrail-tagged", "cloudtrail-program"];
    let [plain, tagged, piped] =
        outputs.map(|name| daemon.until_in(&path.join(format!("{name}.ndjson")), LAST));
    daemon.end();
    let expected = ok(&path, &["run", "cloudtrail.wasm", "-", "--mode", "drop", "--quiet"], &plain).stdout;
    assert!(memchr::memmem::find_iter(&expected, b"\"name\":\"stopped\"").count() > 333);
    assert!(piped == expected, "the program gives back something else");
    let lines = |bytes: &[u8]| bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    // In front of an event there may be anything, where it is asked about by itself.
    let same = |line: &Vec<u8>| !line.starts_with(b"\xc3");
    let (left, right) = (lines(&tagged), lines(&expected));
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(&right).filter(|(left, _)| same(left)) {
        assert!(left == right, "{}", String::from_utf8_lossy(&left[..left.len().min(200)]));
    }
}

#[test]
fn a_child_that_is_killed_loses_nothing() {
    const KILLS: usize = 3;
    const EVENTS: usize = 1200;
    let Some(program) = find("SYSLOG_NG", "syslog-ng") else { return };
    let (_folder, path) = folder();
    let text = std::fs::read_to_string(path.join("syslog-ng.conf")).unwrap();
    let text =
        text.replace("log { source(s_cloudtrail); destination(d_program); flags(flow-control); };", "");
    std::fs::write(path.join("syslog-ng.conf"), text).unwrap();
    let mut input = std::fs::File::create(path.join("in/a.ndjson")).unwrap();
    writeln!(input, "{}", event(0)).unwrap();
    let mut daemon = start(&program, &path);
    let size = EVENTS / (KILLS + 1);
    for part in 0..=KILLS {
        for number in (part * size).max(1)..(part + 1) * size {
            writeln!(input, "{}", event(number)).unwrap();
        }
        if part < KILLS {
            daemon.until_in(&path.join("cloudtrail-tagged.ndjson"), &format!("\"e-{}\"", part * size + 30));
            signal(daemon.tripwasm(), "KILL");
        }
    }
    writeln!(input, "{LAST}").unwrap();
    let output = daemon.until_in(&path.join("cloudtrail-tagged.ndjson"), LAST);
    daemon.end();
    let [others, stops, pings] = ledger(&output);
    assert_eq!([others.len(), stops.len(), pings.len()], [EVENTS / 3, EVENTS / 3, 0]);
    assert!(stops.iter().all(|event| event["tripwasm"][0]["name"] == "stopped"));
    assert_eq!(counted(&path), EVENTS / 3, "what was sent again is counted once");
}
