//! Test results as JUnit's XML, as continuous integration reads it: a suite for each rule.

use std::io;
use std::time::Duration;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use tripwasm::rule_test::Verdict;

use super::case_run::{CaseRun, difference};

/// The whole document.
pub(super) fn document(runs: &[CaseRun<'_>], elapsed: Duration) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let root = writer.create_element("testsuites").with_attribute(("name", "tripwasm"));
    let [tests, failures, errors] = counts(runs);
    root.with_attributes([
        ("tests", tests.as_str()),
        ("failures", &failures),
        ("errors", &errors),
        ("time", &seconds(elapsed)),
    ])
    .write_inner_content(|writer| {
        // Tests of one rule stand one after the other.
        runs.chunk_by(|left, right| left.case.rule == right.case.rule)
            .try_for_each(|suite| of_rule(writer, suite))
    })?;
    let mut document = writer.into_inner();
    document.push(b'\n');
    Ok(document)
}

fn of_rule(writer: &mut Writer<Vec<u8>>, runs: &[CaseRun<'_>]) -> io::Result<()> {
    let rule = runs.first().map(|run| printable(&run.case.rule)).unwrap_or_default();
    let [tests, failures, errors] = counts(runs);
    let elapsed = seconds(runs.iter().map(|run| run.elapsed).sum());
    let suite = writer.create_element("testsuite").with_attributes([
        ("name", rule.as_str()),
        ("tests", &tests),
        ("failures", &failures),
        ("errors", &errors),
        ("time", &elapsed),
    ]);
    suite.write_inner_content(|writer| runs.iter().try_for_each(|run| of_case(writer, &rule, run)))?;
    Ok(())
}

fn of_case(writer: &mut Writer<Vec<u8>>, rule: &str, run: &CaseRun<'_>) -> io::Result<()> {
    let case = run.case;
    let element = writer.create_element("testcase").with_attributes([
        ("name", printable(&case.name).as_str()),
        ("classname", rule),
        ("file", &printable(&case.file)),
        ("line", &case.line.to_string()),
        ("time", &seconds(run.elapsed)),
    ]);
    let (kind, message, text) = match &run.result {
        Ok(Verdict::Passed) => {
            element.write_empty()?;
            return Ok(());
        }
        Ok(Verdict::Failed { expected, found }) => (
            "failure",
            "the module found something else (- expected, + found)".to_owned(),
            difference(expected, found),
        ),
        Err(error) => ("error", error.to_string(), String::new()),
    };
    element.write_inner_content(|writer| {
        let outcome = writer.create_element(kind).with_attribute(("message", printable(&message).as_str()));
        outcome.write_text_content(BytesText::new(&printable(&text)))?;
        Ok(())
    })?;
    Ok(())
}

/// How many tests there are, how many failed, and how many did not come to an end.
fn counts(runs: &[CaseRun<'_>]) -> [String; 3] {
    let failures = runs.iter().filter(|run| matches!(run.result, Ok(Verdict::Failed { .. }))).count();
    let errors = runs.iter().filter(|run| run.result.is_err()).count();
    [runs.len(), failures, errors].map(|count| count.to_string())
}

fn seconds(time: Duration) -> String {
    format!("{:.6}", time.as_secs_f64())
}

/// Without the characters that XML 1.0 has no way to write.
fn printable(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect()
}
