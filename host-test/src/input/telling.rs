//! What a JSON object is, told by its members.

use super::Foreign;
use super::json::value_end_with;
use super::notice::Notice;

/// What the value that is looked at is an element of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// An array of events or of envelopes that tell themselves, or no array.
    Anything,
    /// `logEvents` of CloudWatch Logs.
    LogEvents,
    /// `records` of a request of Firehose.
    FirehoseRecords,
}

/// What a JSON object is.
pub(super) enum Envelope<'a> {
    /// An event, or nothing we know.
    None,
    /// A document that has no events by its kind.
    Foreign(Foreign),
    /// It names objects that hold events.
    Notice(Notice),
    /// Each element is an event or an envelope.
    Array(Within, &'a [u8]),
    /// A value that is an event or an envelope: EventBridge.
    Value(&'a [u8]),
    /// A string that holds JSON text.
    Text(&'static str, &'a [u8]),
    /// A string that may hold JSON text, and anything else: without events in it the envelope stays as it is.
    Message(&'static str, &'a [u8]),
    /// A string that holds base64 of JSON text, perhaps gzip.
    Base64(&'static str, &'a [u8]),
}

/// The members that tell envelopes apart. One that stands twice tells nothing: the object is passed on whole.
#[derive(Default)]
pub(super) struct Telling<'a> {
    array: Option<&'a [u8]>,
    records: Option<&'a [u8]>,
    log_events: Option<&'a [u8]>,
    detail: Option<&'a [u8]>,
    detail_type: Option<&'a [u8]>,
    log_message: Option<&'a [u8]>,
    lookup: Option<&'a [u8]>,
    packed: Option<&'a [u8]>,
    sns: Option<&'a [u8]>,
    notification: Option<&'a [u8]>,
    body: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
    s3: Option<&'a [u8]>,
    event_name: bool,
    event_version: bool,
    timestamp: bool,
    record_id: bool,
    partition_key: bool,
    request_id: bool,
    invocation_id: bool,
    stream_arn: bool,
    data_message: bool,
    control_message: bool,
    is_notification: bool,
    receipt: bool,
    from_s3: bool,
    s3_bucket: bool,
    s3_object_key: bool,
    digest: bool,
    log_files: bool,
    twice: bool,
}

impl<'a> Telling<'a> {
    /// Of a whole value; one that is no object tells nothing.
    pub(super) fn read(value: &'a [u8]) -> Self {
        let mut telling = Telling::default();
        if value.first() == Some(&b'{') {
            // Where it is malformed, what came before tells.
            let _ = value_end_with(value, 0, |key, value| telling.hear(key, value));
        }
        telling
    }

    /// Takes note of a member.
    pub(super) fn hear(&mut self, key: &[u8], value: &'a [u8]) {
        let slot = match (key, value.first()) {
            (b"Records" | b"Events" | b"Messages", Some(b'[')) => &mut self.array,
            (b"records", Some(b'[')) => &mut self.records,
            (b"logEvents", Some(b'[')) => &mut self.log_events,
            (b"detail", Some(b'{')) => &mut self.detail,
            (b"detail-type", Some(b'"')) => &mut self.detail_type,
            (b"message", Some(b'"')) => &mut self.log_message,
            (b"CloudTrailEvent", Some(b'"')) => &mut self.lookup,
            (b"kinesis" | b"awslogs", Some(b'{')) => &mut self.packed,
            (b"Sns", Some(b'{')) => &mut self.sns,
            (b"Message", Some(b'"')) => &mut self.notification,
            (b"body" | b"Body", Some(b'"')) => &mut self.body,
            (b"data" | b"Data", Some(b'"')) => &mut self.data,
            (b"s3", Some(b'{')) => &mut self.s3,
            _ => return self.note(key, value),
        };
        self.twice |= slot.replace(value).is_some();
    }

    /// Members that tell by being there.
    fn note(&mut self, key: &[u8], value: &[u8]) {
        match key {
            b"eventName" => self.event_name = true,
            b"eventVersion" | b"eventID" => self.event_version = true,
            b"timestamp" => self.timestamp = true,
            b"recordId" => self.record_id = true,
            b"PartitionKey" => self.partition_key = true,
            b"requestId" => self.request_id = true,
            b"invocationId" => self.invocation_id = true,
            b"deliveryStreamArn" => self.stream_arn = true,
            b"messageType" => {
                self.data_message = value == br#""DATA_MESSAGE""#;
                self.control_message = value == br#""CONTROL_MESSAGE""#;
            }
            b"Type" => self.is_notification = value == br#""Notification""#,
            b"receiptHandle" | b"ReceiptHandle" => self.receipt = true,
            b"eventSource" => self.from_s3 = value == br#""aws:s3""#,
            b"s3Bucket" => self.s3_bucket = true,
            b"s3ObjectKey" => self.s3_object_key = true,
            b"digestS3Object" => self.digest = true,
            b"logFiles" => self.log_files = true,
            _ => {}
        }
    }

    /// Whether `records` belong to a request of Firehose, for delivery or for transformation.
    pub(super) fn is_firehose(&self) -> bool {
        (self.request_id && self.timestamp) || (self.invocation_id && self.stream_arn)
    }

    /// Whether `logEvents` belong to a batch of CloudWatch Logs that carries data.
    pub(super) fn is_data_message(&self) -> bool {
        self.data_message
    }

    /// Whether an object that is no envelope is an event. Insight events have no name.
    pub(super) fn is_event(&self) -> bool {
        self.event_name || self.event_version
    }

    /// What the object is.
    pub(super) fn envelope(&self, within: Within) -> Envelope<'a> {
        if self.twice {
            return Envelope::None;
        }
        match (within, self.data, self.log_message) {
            (Within::FirehoseRecords, Some(data), _) => return Envelope::Base64("data", data),
            (Within::LogEvents, _, Some(text)) => return Envelope::Text("message", text),
            _ => {}
        }
        // Records of Kinesis and S3 have an `eventName`, too.
        self.lambda_record().unwrap_or_else(|| match self.event_name {
            true => Envelope::None,
            false => self.document(),
        })
    }

    /// What services hand to a Lambda function, and queues to whoever asks them.
    fn lambda_record(&self) -> Option<Envelope<'a>> {
        if let Some(packed) = self.packed {
            return Telling::read(packed).data.map(|data| Envelope::Base64("data", data));
        }
        if let Some(sns) = self.sns {
            return Telling::read(sns).notification.map(|text| Envelope::Message("Message", text));
        }
        match (self.receipt, self.body) {
            (true, Some(body)) => Some(Envelope::Message("body", body)),
            _ if self.from_s3 && self.s3.is_some() => Some(Envelope::Notice(Notice::S3)),
            _ => None,
        }
    }

    fn document(&self) -> Envelope<'a> {
        match *self {
            Telling { control_message: true, .. } => Envelope::Foreign(Foreign::ControlMessage),
            Telling { digest: true, log_files: true, .. } => Envelope::Foreign(Foreign::Digest),
            Telling { s3_bucket: true, s3_object_key: true, .. } => Envelope::Notice(Notice::CloudTrail),
            Telling { array: Some(array), .. } => Envelope::Array(Within::Anything, array),
            Telling { records: Some(array), .. } if self.is_firehose() => {
                Envelope::Array(Within::FirehoseRecords, array)
            }
            Telling { records: Some(array), .. } => Envelope::Array(Within::Anything, array),
            Telling { log_events: Some(array), .. } => Envelope::Array(Within::LogEvents, array),
            Telling { detail: Some(detail), detail_type: Some(kind), .. } => event_bridge(kind, detail),
            Telling { lookup: Some(text), .. } => Envelope::Text("CloudTrailEvent", text),
            Telling { notification: Some(text), is_notification: true, .. } => {
                Envelope::Message("Message", text)
            }
            Telling { log_message: Some(text), timestamp: true, .. } => Envelope::Message("message", text),
            Telling { data: Some(data), record_id: true, .. }
            | Telling { data: Some(data), partition_key: true, .. } => Envelope::Base64("data", data),
            _ => Envelope::None,
        }
    }
}

/// An event bus carries events of all kinds; CloudTrail's say so.
fn event_bridge<'a>(kind: &[u8], detail: &'a [u8]) -> Envelope<'a> {
    if kind.ends_with(br#"via CloudTrail""#) {
        Envelope::Value(detail)
    } else if kind == br#""Object Created""# {
        Envelope::Notice(Notice::EventBridge)
    } else {
        Envelope::Foreign(Foreign::OtherEvent)
    }
}
