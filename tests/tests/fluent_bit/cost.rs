//! What the filter costs in a real Fluent Bit: processor time an event, without a filter, with one that gives its input
//! back, and with ours. For people: it fails at nothing.

use crate::module;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tripwasm_tests::corpus;
use tripwasm_tests::rules::compile_pack;

const EVENTS: usize = 100_000;

/// A module whose `tripwasm_filter` gives its input back, whose `malloc` gives two places in turn and whose `free` is empty.
const PASS: &[u8] = b"\0asm\x01\0\0\0\x01\x14\x03\x60\x01\x7f\x01\x7f\x60\x01\x7f\0\x60\x06\x7f\x7f\x7f\x7f\x7f\x7f\x01\x7f\
    \x03\x04\x03\0\x01\x02\x05\x04\x01\0\xc8\x01\x06\x06\x01\x7f\x01\x41\0\x0b\
    \x07\x2c\x04\x06memory\x02\0\x06malloc\0\0\x04free\0\x01\x0ftripwasm_filter\0\x02\
    \x0a\x1d\x03\x13\0\x23\0\x41\x01\x73\x24\0\x41\x80\x08\x41\x80\x80\x04\x23\0\x1b\x0b\x02\0\x0b\x04\0\x20\x04\x0b";

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Every call matches a rule of the pack and one of SigmaHQ's.
    Role,
    /// No call matches a rule.
    User,
}

/// Calls, a hundred a second.
fn events(caller: Caller) -> String {
    let names =
        ["GetObject", "DescribeInstances", "Decrypt", "GetMetricData", "BatchGetImage", "GetFunction"];
    let mut all = String::new();
    for number in 0..EVENTS {
        let (name, second) = (names[number % names.len()], number / 100);
        let time = format!("2023-07-10T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
        let id = format!("{:016x}", (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let role = ["app", "ci", "worker"][number % 3];
        let attributes = format!(r#""attributes":{{"creationDate":"{time}","mfaAuthenticated":"false"}}"#);
        let identity = match caller {
            Caller::Role => format!(
                r#""type":"AssumedRole","principalId":"AROA{id}:i-{id}","arn":"arn:aws:sts::123456789012:assumed-role/{role}-role/i-{id}","accountId":"123456789012","accessKeyId":"ASIA{id}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{id}","arn":"arn:aws:iam::123456789012:role/{role}-role","accountId":"123456789012","userName":"{role}-role"}},"webIdFederationData":{{}},{attributes}}}"#
            ),
            Caller::User => format!(
                r#""type":"IAMUser","principalId":"AIDA{id}","arn":"arn:aws:iam::123456789012:user/teams/{role}/{id}","accountId":"123456789012","accessKeyId":"ASIA{id}","userName":"{id}","sessionContext":{{"sessionIssuer":{{}},"webIdFederationData":{{}},{attributes}}}"#
            ),
        };
        writeln!(
            all,
            r#"{{"eventVersion":"1.08","userIdentity":{{{identity}}},"eventTime":"{time}","eventSource":"s3.amazonaws.com","eventName":"{name}","awsRegion":"eu-west-1","sourceIPAddress":"10.1.2.{}","userAgent":"aws-sdk-go/1.44.7 (go1.19; linux; amd64) S3Manager","requestParameters":{{"bucketName":"bucket-{id}","Host":"bucket.s3.eu-west-1.amazonaws.com","key":"data/{id}"}},"responseElements":null,"requestID":"{id}","eventID":"{id}-{id}","readOnly":true,"resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::bucket/{id}"}}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"123456789012","eventCategory":"Data","tlsDetails":{{"tlsVersion":"TLSv1.2","cipherSuite":"ECDHE-RSA-AES128-GCM-SHA256"}}}}"#,
            number % 256
        )
        .unwrap();
    }
    all
}

/// Microseconds of processor time, user and system, that children took so far.
fn children_microseconds() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind_name = text.rsplit(") ").next().unwrap();
    let ticks = behind_name.split(' ').skip(13).take(2).map(|number| number.parse::<u64>().unwrap());
    // Linux counts a hundred ticks a second.
    ticks.sum::<u64>() * 10_000
}

/// Microseconds an event, of the quicker of two runs.
fn measure(program: &Path, folder: &Path, wasm: Option<&[u8]>) -> f64 {
    let mut configuration = "[SERVICE]\n Flush 1\n Grace 1\n Parsers_File parsers.conf\n[INPUT]\n Name tail\n Path events.json\n \
        Parser json\n Read_from_Head true\n Exit_On_Eof true\n Buffer_Chunk_Size 1M\n Buffer_Max_Size 64M\n Mem_Buf_Limit 500M\n"
        .to_owned();
    if let Some(wasm) = wasm {
        std::fs::write(folder.join("filter.wasm"), wasm).unwrap();
        configuration +=
            "[FILTER]\n Name wasm\n Match *\n WASM_Path filter.wasm\n Function_Name tripwasm_filter\n";
    }
    configuration += "[OUTPUT]\n Name null\n Match *\n";
    std::fs::write(folder.join("cost.conf"), configuration).unwrap();
    let run = || {
        let before = children_microseconds();
        let mut command = Command::new(program);
        command
            .args(["-q", "-c", "cost.conf"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(command.status().unwrap().success());
        children_microseconds() - before
    };
    (0..2).map(|_| run()).min().unwrap_or_default() as f64 / EVENTS as f64
}

#[test]
fn of_an_event() {
    let (Some(program), Some(_)) = (std::env::var_os("FLUENT_BIT"), std::env::var_os("TRIPWASM_COST")) else {
        println!(
            "skipped: it takes some minutes; TRIPWASM_COST asks for it, FLUENT_BIT names a Fluent Bit of 4.2.0 or later"
        );
        return;
    };
    let (program, folder) = (Path::new(&program), std::env::temp_dir().join("tripwasm-cost"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(corpus::project().join("pipelines/fluent-bit/parsers.conf"), folder.join("parsers.conf"))
        .unwrap();
    let pack = compile_pack(&corpus::project().join("rules/cloudtrail"), None).unwrap();
    let mut filters = vec![("the pack", module(&pack))];
    if let Some(shared) = corpus::directory() {
        let sigmahq = compile_pack(&shared.join("rules/sigmahq/rules"), None).unwrap();
        filters.push(("SigmaHQ's 57 rules", module(&sigmahq)));
    }
    for (caller, about) in [(Caller::User, "no event matches"), (Caller::Role, "every event matches")] {
        let input = events(caller);
        std::fs::write(folder.join("events.json"), &input).unwrap();
        println!(
            "{EVENTS} events of {} bytes, {about}; microseconds of processor time each",
            input.len() / EVENTS
        );
        println!("{:6.1} without a filter", measure(program, &folder, None));
        let pass = measure(program, &folder, Some(PASS));
        println!("{pass:6.1} a filter that gives its input back");
        for (name, wasm) in &filters {
            let whole = measure(program, &folder, Some(wasm));
            println!(
                "{whole:6.1} {name}: {:.1} more, {:.1} times the filter before",
                whole - pass,
                whole / pass
            );
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
