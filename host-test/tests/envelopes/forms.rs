//! What AWS services wrap around events, made by hand after their documentation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::{BATCH_SIZES, Found, gzip};

/// An event whose bytes no writer of JSON would give back.
pub(crate) fn event(number: u32) -> String {
    format!(
        r#"{{"eventVersion":"1.08", "eventName":"Name{number}","eventSource":"s3.amazonaws.com","n":1.0,"text":"\u00e9 \"q\" [{{","empty":{{}},"eventID":"{number}"}}"#
    )
}

/// An input, and where in it each event is whole.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) events: Vec<String>,
    /// Behind so many bytes the event is there, whatever follows.
    pub(crate) ends: Vec<usize>,
}

/// A form from pieces that hold so many of the events each, and what stands around them.
fn form(name: &'static str, head: &str, pieces: &[(String, u32)], between: &str, tail: &str) -> Form {
    let (mut text, mut ends) = (head.to_owned(), Vec::new());
    for (number, (piece, events)) in pieces.iter().enumerate() {
        if number > 0 {
            text += between;
        }
        text += piece;
        ends.extend((0..*events).map(|_| text.len()));
    }
    text += tail;
    let events = (0..ends.len() as u32).map(event).collect();
    Form { name, bytes: text.into_bytes(), events, ends }
}

fn each(count: u32, piece: impl Fn(String) -> String) -> Vec<(String, u32)> {
    (0..count).map(|number| (piece(event(number)), 1)).collect()
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn log_event(event: &str) -> String {
    json!({"id": "1", "timestamp": 1_688_989_500_000_u64, "message": event}).to_string()
}

fn logs(kind: &str, events: &[String]) -> String {
    let events: Vec<_> = events.iter().map(|event| log_event(event)).collect();
    format!(
        r#"{{"messageType":"{kind}","owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":["[f"],"logEvents":[{}]}}"#,
        events.join(",")
    )
}

fn bridge(event: &str) -> String {
    format!(
        r#"{{"version":"0","id":"i","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","resources":[],"detail":{event}}}"#
    )
}

fn sns(text: &str) -> String {
    json!({"Type": "Notification", "MessageId": "m", "TopicArn": "arn", "Message": text, "SignatureVersion": "1"})
        .to_string()
}

fn queued(text: &str) -> String {
    json!({"messageId": "m", "receiptHandle": "r", "body": text, "eventSource": "aws:sqs"}).to_string()
}

fn firehose_data(bytes: &[u8]) -> String {
    format!(r#"{{"data":"{}"}}"#, base64(bytes))
}

/// Every form.
pub(crate) fn forms() -> Vec<Form> {
    let two = [event(0), event(1)];
    let zipped_logs = gzip(logs("DATA_MESSAGE", &two).as_bytes());
    let members = [gzip(event(0).as_bytes()), gzip(format!("{}\n", event(1)).as_bytes())].concat();
    let kinesis = format!(
        r#"{{"kinesis":{{"partitionKey":"p","data":"{}"}},"eventSource":"aws:kinesis","eventName":"aws:kinesis:record"}}"#,
        base64(&zipped_logs)
    );
    let lookup = |event: String| {
        json!({"EventId": "i", "EventName": "N", "ReadOnly": "true", "CloudTrailEvent": event}).to_string()
    };
    let transform = |event: String| {
        format!(
            r#"{{"recordId":"1","approximateArrivalTimestamp":1,"data":"{}"}}"#,
            base64(format!("{event}\n").as_bytes())
        )
    };
    let sns_record = |event: String| {
        let sns = sns(&event);
        format!(r#"{{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{sns}}}"#)
    };
    let log_head = r#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":["[f"],"logEvents":["#;
    let transform_head = r#"{"invocationId":"i","deliveryStreamArn":"arn","region":"r","records":["#;
    let lambda_logs = format!(r#"{{"awslogs":{{"data":"{}"}}}}"#, base64(&zipped_logs));
    let cli_queue = json!({"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": event(0)}]});
    let kinesis_cli = format!(r#"{{"Data":"{}","PartitionKey":"p"}}"#, base64(&zipped_logs));
    vec![
        form("S3 file", "{\"Records\":[", &each(3, |event| event), ",", "]}"),
        form(
            "S3 file, pretty",
            "{\n  \"Records\" : [\n    ",
            &each(3, |event| event),
            " ,\n    ",
            "\n  ]\n}\n",
        ),
        form("array", "[", &each(3, |event| event), ",\n", "]\n"),
        form("EventBridge", "", &each(3, |event| bridge(&event)), "\n", "\n"),
        form("EventBridge, one line", "", &each(2, |event| bridge(&event)), "", ""),
        form("CloudWatch Logs", log_head, &each(3, |event| log_event(&event)), ",", "]}"),
        form("CloudWatch Logs to Lambda", "", &[(lambda_logs, 2)], "", "\n"),
        form("Kinesis to Lambda", "{\"Records\":[", &[(kinesis, 2)], ",", "]}"),
        form(
            "Kinesis get-records",
            "{\"Records\":[",
            &[(kinesis_cli, 2)],
            ",",
            "],\"MillisBehindLatest\":0}",
        ),
        form(
            "Firehose delivery",
            "{\"requestId\":\"r\",\"timestamp\":1,\"records\":[",
            &[(firehose_data(&members), 2), (firehose_data(event(2).as_bytes()), 1)],
            ",",
            "]}",
        ),
        form(
            "Firehose delivery of CloudWatch Logs, zipped twice",
            "{\"requestId\":\"r\",\"timestamp\":1,\"records\":[",
            &[(firehose_data(&gzip(&zipped_logs)), 2)],
            ",",
            "]}",
        ),
        form("Firehose transformation", transform_head, &each(3, transform), ",", "]}"),
        form("SNS", "", &each(2, |event| sns(&event)), "\n", "\n"),
        form("SNS to Lambda", "{\"Records\":[", &each(2, sns_record), ",", "]}"),
        form("SQS to Lambda", "{\"Records\":[", &each(2, |event| queued(&event)), ",", "]}"),
        form(
            "SQS, SNS, EventBridge",
            "{\"Records\":[",
            &each(2, |event| queued(&sns(&bridge(&event)))),
            ",",
            "]}",
        ),
        form("SQS receive-message", "", &[(cli_queue.to_string(), 1)], "", ""),
        form("lookup-events", "{\"Events\":[", &each(3, lookup), ",", "],\"NextToken\":\"t\"}"),
        form("lookup-events, lines", "", &each(3, lookup), "\n", "\n"),
        form("a log event a line", "", &each(3, |event| log_event(&event)), "\n", "\n"),
    ]
}

#[test]
fn each_form_gives_its_events_as_their_bytes() {
    for form in forms() {
        let expected = form.events.iter().fold(String::new(), |all, event| all + event + "\n");
        for bytes in [form.bytes.clone(), gzip(&form.bytes), gzip(&gzip(&form.bytes))] {
            for batch_bytes in BATCH_SIZES {
                let found = Found::in_batches(&bytes, batch_bytes);
                assert_eq!(found.text(), expected, "{}", form.name);
                assert_eq!((&*found.problems, &*found.foreign), (&[][..], &[][..]), "{}", form.name);
                assert_eq!(found.lines, form.events.len() as u64, "{}", form.name);
            }
        }
    }
}

/// What passes untouched: the input, how counts call it, and what the message says.
fn untouched() -> Vec<(String, Vec<&'static str>, Option<&'static str>)> {
    let s3 = |key: &str| {
        json!({"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "trail"}, "object": {"key": key}}})
    };
    let s3_notice = json!({"Records": [s3("AWSLogs/1.json.gz"), s3("AWSLogs/2.json.gz")]}).to_string();
    let delivery = json!({"s3Bucket": "trail", "s3ObjectKey": ["AWSLogs/1.json.gz"]}).to_string();
    let created = json!({"version": "0", "detail-type": "Object Created", "source": "aws.s3",
        "detail": {"bucket": {"name": "trail"}, "object": {"key": "AWSLogs/1.json.gz"}}});
    let other = json!({"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
        "detail": {"instance-id": "i", "state": "running"}});
    let digest = json!({"awsAccountId": "1", "digestStartTime": "2023-07-10T11:00:00Z",
        "digestS3Object": "AWSLogs/d.json.gz", "logFiles": [{"s3Object": "AWSLogs/1.json.gz", "hashValue": "0"}]});
    let notice = vec!["notification"];
    vec![
        (s3_notice.clone(), notice.clone(), Some("an S3 event notification")),
        (s3("AWSLogs/1.json.gz").to_string(), notice.clone(), Some("s3://trail/AWSLogs/1.json.gz")),
        (delivery.clone(), notice.clone(), Some("a CloudTrail delivery notification")),
        (sns(&delivery), notice.clone(), Some("aws s3 cp s3://trail/AWSLogs/1.json.gz -")),
        (sns(&s3_notice), notice.clone(), Some("objects it names (2)")),
        (format!("{{\"Records\":[{}]}}", queued(&sns(&s3_notice))), notice.clone(), Some("an S3 event")),
        (created.to_string(), notice, Some("an EventBridge notification of S3")),
        (other.to_string(), vec!["other-event"], None),
        (digest.to_string(), vec!["digest"], None),
        (logs("CONTROL_MESSAGE", &["CWL CONTROL MESSAGE".to_owned()]), vec!["control-message"], None),
        (sns("{\"AlarmName\":\"a\"}"), vec![], None),
        (sns("plain text"), vec![], None),
        (format!("{{\"Records\":[{},{}]}}", queued("text"), queued("{\"a\":1}")), vec![], None),
    ]
}

#[test]
fn what_holds_no_events_passes_untouched_and_is_counted() {
    for (document, foreign, message) in untouched() {
        for batch_bytes in BATCH_SIZES {
            let found = Found::in_batches(document.as_bytes(), batch_bytes);
            // Messages of a queue that are no events are documents of their own.
            if !(document.contains("aws:sqs") && foreign.is_empty()) {
                assert_eq!(found.text().trim_end(), document);
            }
            assert_eq!(found.foreign, foreign, "{document}");
            assert_eq!(found.problems.len(), usize::from(message.is_some()), "{document}");
            let said = found.problems.concat();
            assert!(said.contains(message.unwrap_or_default()), "{said}: {document}");
        }
    }
}

#[test]
fn documents_without_events_do_not_hide_those_that_follow() {
    for (document, ..) in untouched().into_iter().filter(|(_, foreign, _)| !foreign.is_empty()) {
        let input = format!("{document}\n{}\n", bridge(&event(0)));
        let found = Found::in_batches(input.as_bytes(), 1 << 20);
        assert_eq!(found.text(), format!("{document}\n{}\n", event(0)));
    }
}

#[test]
fn a_log_that_has_the_members_of_an_envelope_stays_as_it_is() {
    for line in [
        r#"{"timestamp":1,"message":"login","user":"bob"}"#,
        r#"{"timestamp":1,"message":"{\"a\":1}"}"#,
        r#"{"data":"eyJhIjoxfQ=="}"#,
        r#"{"Message":"{\"eventName\":1}"}"#,
        r#"{"body":"{\"eventName\":1}"}"#,
        r#"{"detail":{"eventName":1}}"#,
        r#"{"eventName":"A","eventSource":"s3.amazonaws.com","s3":{},"detail":{},"detail-type":"via CloudTrail"}"#,
    ] {
        let input = format!("{line}\r\n\r\n{line}");
        let found = Found::in_batches(input.as_bytes(), 1 << 20);
        assert_eq!((found.text(), found.problems.len()), (input, 0));
    }
}

#[test]
fn insight_and_network_events_are_events() {
    let insight = r#"{"eventVersion":"1.07","eventTime":"2023-07-10T11:42:00Z","eventType":"AwsCloudTrailInsight","insightDetails":{"state":"Start"}}"#;
    let network = r#"{"eventVersion":"1.09","eventCategory":"NetworkActivity","eventName":"GetObject","eventType":"AwsVpceEvent"}"#;
    let bridged = format!(r#"{{"detail-type":"AWS Insight via CloudTrail","detail":{insight}}}"#);
    for input in [
        format!("{{\"Records\":[{insight},{network}]}}"),
        format!("{bridged}\n{{\"Records\":[{network}]}}"),
        format!("{}\n{}", sns(insight), sns(network)),
    ] {
        let found = Found::in_batches(input.as_bytes(), 1 << 20);
        assert_eq!(found.text(), format!("{insight}\n{network}\n"));
        assert!(found.problems.is_empty() && found.foreign.is_empty());
    }
}
