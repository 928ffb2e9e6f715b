//! Notifications: documents that name the objects which hold events, where the events themselves were expected.

use serde_json::Value;

/// Characters of an object's address that a message shows.
const ADDRESS_CHARS_MAX: usize = 400;

/// Who tells of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// An event notification of a bucket: `Records[].s3`.
    S3,
    /// An event `Object Created` of a bucket on an event bus.
    EventBridge,
    /// CloudTrail's own: `s3Bucket` and `s3ObjectKey`.
    CloudTrail,
}

impl Notice {
    /// How a message calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Notice::S3 => "an S3 event notification",
            Notice::EventBridge => "an EventBridge notification of S3",
            Notice::CloudTrail => "a CloudTrail delivery notification",
        }
    }

    /// How many objects it names, and the address of the first.
    pub(super) fn objects(self, notice: &[u8]) -> (u64, String) {
        let Ok(notice) = serde_json::from_slice::<Value>(notice) else { return (1, String::new()) };
        let (bucket, keys) = match self {
            Notice::S3 => (notice.pointer("/s3/bucket/name"), notice.pointer("/s3/object/key")),
            Notice::EventBridge => {
                (notice.pointer("/detail/bucket/name"), notice.pointer("/detail/object/key"))
            }
            Notice::CloudTrail => (notice.get("s3Bucket"), notice.get("s3ObjectKey")),
        };
        let (count, key) = match keys {
            Some(Value::Array(keys)) => (keys.len() as u64, keys.first()),
            key => (1, key),
        };
        let part = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("?").to_owned();
        let address = format!("s3://{}/{}", part(bucket), part(key));
        // It goes to somebody's terminal.
        (count, address.escape_debug().take(ADDRESS_CHARS_MAX).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named() {
        let cases = [
            (
                Notice::S3,
                r#"{"s3":{"bucket":{"name":"b"},"object":{"key":"AWSLogs/1.json.gz"}}}"#,
                (1, "s3://b/AWSLogs/1.json.gz"),
            ),
            (
                Notice::EventBridge,
                r#"{"detail":{"bucket":{"name":"b"},"object":{"key":"k"}}}"#,
                (1, "s3://b/k"),
            ),
            (Notice::CloudTrail, r#"{"s3Bucket":"b","s3ObjectKey":["k1","k2"]}"#, (2, "s3://b/k1")),
            (Notice::CloudTrail, r#"{"s3Bucket":"b\u001b[2J","s3ObjectKey":[]}"#, (0, "s3://b\\u{1b}[2J/?")),
            (Notice::CloudTrail, "{", (1, "")),
        ];
        for (notice, text, (count, address)) in cases {
            assert_eq!(notice.objects(text.as_bytes()), (count, address.to_owned()), "{text}");
        }
    }
}
