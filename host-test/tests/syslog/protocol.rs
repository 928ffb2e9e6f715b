//! The child as mmexternal starts it: an empty environment, standard error in the pipe of the replies.

use std::io::{BufRead, BufReader, PipeReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command::{ok, said, tripwasm};
use crate::daemon::{PATIENCE, signal};
use crate::events::{RULES, built, event, events, hostile, long, with_nul};

const STOP: &str = r#"{"eventName":"StopLogging"}"#;

/// rsyslog's side of the pipes.
struct Rsyslog {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<PipeReader>,
}

impl Rsyslog {
    fn start(folder: &Path, options: &[&str]) -> Self {
        let (from, replies) = std::io::pipe().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripwasm"));
        command.current_dir(folder).env_clear().args(["serve", "cloudtrail.wasm", "--mmexternal"]);
        let streams = command.args(options).stdin(Stdio::piped());
        let mut child = streams.stdout(replies.try_clone().unwrap()).stderr(replies).spawn().unwrap();
        let to = child.stdin.take();
        Rsyslog { child, to, from: BufReader::new(from) }
    }

    /// Sends a message, and returns the reply.
    fn ask(&mut self, message: &[u8]) -> Value {
        let line = [message, b"\n"].concat();
        self.to.as_mut().unwrap().write_all(&line).unwrap();
        let mut reply = Vec::new();
        self.from.read_until(b'\n', &mut reply).unwrap();
        let text = String::from_utf8_lossy(&reply);
        serde_json::from_slice(&reply).unwrap_or_else(|error| panic!("{error} in the reply {text:?}"))
    }

    /// Ends the input; there must be nothing more in the pipe.
    fn end(mut self) -> i32 {
        self.to.take();
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut self.from, &mut rest).unwrap();
        assert!(rest.is_empty(), "said {:?}", String::from_utf8_lossy(&rest));
        self.child.wait().unwrap().code().unwrap()
    }
}

/// Names of the tags of a reply.
fn tags(reply: &Value) -> Vec<&str> {
    let tags = reply["$!"]["tripwasm"].as_array().map(Vec::as_slice).unwrap_or_default();
    tags.iter().filter_map(|tag| tag["name"].as_str()).collect()
}

#[test]
fn every_message_has_one_reply_whatever_it_holds() {
    let (_folder, path) = built();
    let mut rsyslog = Rsyslog::start(&path, &["--mode", "drop"]);
    for message in hostile().into_iter().chain([Vec::new(), b" ".to_vec(), with_nul(), long(20 << 20)]) {
        // What `run` makes of the same line.
        let expected =
            ok(&path, &["run", "cloudtrail.wasm", "-", "--mode", "drop", "--quiet"], &message).stdout;
        let reply = rsyslog.ask(&message);
        let about = String::from_utf8_lossy(&message[..message.len().min(80)]).into_owned();
        // In front of an event there may be anything.
        if about.starts_with('\u{fffd}') {
            assert_eq!((tags(&reply), reply.get("msg")), (vec!["stopped"], None), "{about}");
        } else if expected == message {
            assert_eq!(reply, json!({}), "{about}");
        } else {
            assert_eq!(reply["msg"].as_str().map(str::as_bytes), Some(&expected[..]), "{about}");
            assert_eq!(tags(&reply), ["stopped"], "{about}");
        }
    }
    assert_eq!(rsyslog.ask(br#"{"eventName":"Ping"}"#), json!({ "$!": { "tripwasm_drop": 1 } }));
    assert_eq!(
        rsyslog.ask(b"{\n\"eventName\":\n\"StopLogging\"}")["msg"].as_str().unwrap().lines().count(),
        1
    );
    assert_eq!(rsyslog.end(), 0);
}

#[test]
fn each_interface_is_understood() {
    let (_folder, path) = built();
    let full = json!({ "msg": format!(" {STOP}"), "rawmsg": format!("<134>tag: {STOP}"), "pri": "134" });
    for (options, message, property) in [
        (&["msg"][..], format!("@cee: {STOP}"), "msg"),
        (&[], full.to_string(), "msg"),
        (&["fulljson"], full.to_string(), "msg"),
        (&["rawmsg", "--mode", "filter"], format!("<134>Jul 10 11:42:00 host cloudtrail: {STOP}"), "rawmsg"),
    ] {
        let mut rsyslog = Rsyslog::start(&path, options);
        let reply = rsyslog.ask(message.as_bytes());
        assert_eq!(tags(&reply), ["stopped"], "{options:?}");
        assert!(reply[property].as_str().unwrap().ends_with("\"author\":null}]}"), "{reply}");
        let nothing =
            if options.contains(&"filter") { json!({ "$!": { "tripwasm_drop": 1 } }) } else { json!({}) };
        assert_eq!(rsyslog.ask(message.replace("Stop", "Start").as_bytes()), nothing, "{options:?}");
        assert_eq!(rsyslog.end(), 0);
    }
}

#[test]
fn whatever_is_wrong_messages_pass_and_the_log_says_why() {
    let (_folder, path) = built();
    std::fs::write(path.join("bad.state"), "no state\n").unwrap();
    for (options, log, passes) in [
        (&["--no-such-option"][..], "--no-such-option", true),
        (&["--mode", "findings"], "--mode findings", true),
        (&["--alerts", "-"], "standard output is rsyslog's", true),
        (&["--alerts", "no/such/folder"], "cannot write alerts to no/such/folder", true),
        (&["--state", "bad.state"], "windows begin anew", false),
    ] {
        let mut rsyslog = Rsyslog::start(&path, &[options, &["--log-file", "log"]].concat());
        for _ in 0..3 {
            assert_eq!(rsyslog.ask(STOP.as_bytes()) == json!({}), passes, "{options:?}");
        }
        assert_eq!(rsyslog.end(), if passes { 2 } else { 0 }, "{options:?}");
        let said = std::fs::read_to_string(path.join("log")).unwrap();
        assert!(said.contains(log), "{options:?}: {said}");
        std::fs::remove_file(path.join("log")).unwrap();
    }
    // A log that cannot be written is no reason to evaluate nothing.
    let mut rsyslog = Rsyslog::start(&path, &["--log-file=no/such/folder/log"]);
    assert_eq!(tags(&rsyslog.ask(STOP.as_bytes())), ["stopped"]);
    assert_eq!(rsyslog.end(), 0);
    for module in [&b"\0asm no module"[..], b""] {
        std::fs::write(path.join("cloudtrail.wasm"), module).unwrap();
        let mut rsyslog = Rsyslog::start(&path, &["--log-file", "log"]);
        assert!([STOP, "x", ""].iter().all(|message| rsyslog.ask(message.as_bytes()) == json!({})));
        assert_eq!(rsyslog.end(), 2);
        assert!(std::fs::read_to_string(path.join("log")).unwrap().contains("cloudtrail.wasm"));
    }
}

#[test]
fn a_person_is_told_on_the_terminal() {
    let (_folder, path) = built();
    let output = tripwasm(&path, &["serve", "cloudtrail.wasm", "--http", "nowhere"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("'nowhere' for '--http"), "{}", said(&output));
    let help = ok(&path, &["serve", "--mmexternal", "--help"], b"");
    assert!(String::from_utf8_lossy(&help.stdout).contains("--mmexternal"));
    // Log files are for other ways to serve, too.
    let busy = ["serve", "absent.wasm", "--http", "127.0.0.1:0", "--log-file", "log"];
    let output = tripwasm(&path, &busy, b"");
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(2), ""));
    assert!(std::fs::read_to_string(path.join("log")).unwrap().contains("absent.wasm"));
}

#[test]
fn windows_go_on_behind_a_kill_and_a_second_child_takes_none() {
    let (_folder, path) = built();
    let stop = |number: usize| event(3 * number + 1).into_bytes();
    let kept = &["--state", "windows.state", "--log-file", "log"];
    let mut rsyslog = Rsyslog::start(&path, kept);
    assert_eq!([0, 1].map(|number| tags(&rsyslog.ask(&stop(number))).len()), [1, 1]);
    // Another thread of rsyslog has its own child: no state, and no harm to the first one's.
    let mut second = Rsyslog::start(&path, kept);
    assert_eq!(tags(&second.ask(&stop(2))), ["stopped"]);
    assert_eq!(second.end(), 0);
    assert!(std::fs::read_to_string(path.join("log")).unwrap().contains("forceSingleInstance"));
    rsyslog.child.kill().unwrap();
    rsyslog.child.wait().unwrap();
    let mut rsyslog = Rsyslog::start(&path, kept);
    assert_eq!(tags(&rsyslog.ask(&stop(2))), ["stopped", "again"], "the third one opens an alert");
    // The one that is started next waits until the one before it has saved.
    rsyslog.to.take();
    let mut next = Rsyslog::start(&path, kept);
    assert_eq!(tags(&next.ask(&stop(3))), ["stopped"], "the alert is open already");
    assert_eq!(next.end(), 0);
    assert_eq!(rsyslog.end(), 0);
}

#[test]
fn the_end_of_the_input_closes_windows_and_sigterm_waits_for_it() {
    let (_folder, path) = built();
    let mut rsyslog = Rsyslog::start(&path, &["--alerts", "alerts.ndjson"]);
    let input = events(12);
    for line in input.split(|&byte| byte == b'\n').take(6) {
        rsyslog.ask(line);
    }
    signal(rsyslog.child.id(), "TERM");
    std::thread::sleep(Duration::from_millis(300));
    for line in input.split(|&byte| byte == b'\n').skip(6) {
        rsyslog.ask(line);
    }
    assert_eq!(rsyslog.end(), 0);
    let alerts = std::fs::read(path.join("alerts.ndjson")).unwrap();
    let alert: Value = serde_json::from_slice(&alerts).unwrap();
    assert_eq!((&alert["state"], &alert["count"]), (&json!("closed"), &json!(4)));
    // Without an end of the input there is one of patience.
    let mut rsyslog = Rsyslog::start(&path, &["--drain", "1s"]);
    rsyslog.ask(b"x");
    signal(rsyslog.child.id(), "TERM");
    assert_eq!(rsyslog.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_new_module_is_taken_while_messages_come() {
    let (_folder, path) = built();
    let mut rsyslog = Rsyslog::start(&path, &[]);
    assert_eq!(tags(&rsyslog.ask(STOP.as_bytes())), ["stopped"]);
    std::fs::write(
        path.join("rules.yml"),
        RULES.replace("name: stopped", "name: halted").replace("[stopped]", "[halted]"),
    )
    .unwrap();
    ok(&path, &["build", "rules.yml", "-o", "new.wasm"], b"");
    std::fs::rename(path.join("new.wasm"), path.join("cloudtrail.wasm")).unwrap();
    let begun = Instant::now();
    while tags(&rsyslog.ask(STOP.as_bytes())) != ["halted"] {
        assert!(begun.elapsed() < PATIENCE, "the old rules are still there");
        std::thread::sleep(Duration::from_millis(50));
    }
    // A bad one is not.
    std::fs::write(path.join("bad.wasm"), "no module").unwrap();
    std::fs::rename(path.join("bad.wasm"), path.join("cloudtrail.wasm")).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(tags(&rsyslog.ask(STOP.as_bytes())), ["halted"]);
    assert_eq!(rsyslog.end(), 0);
}
