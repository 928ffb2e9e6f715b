//! How documents begin whose array of events is read element by element: they may be larger than memory, and what came
//! of one that is cut off is whole.

use super::json::{ScanStop, skip_space, string_end, value_end};
use super::telling::{Telling, Within};

/// A longer head is none of those that services write.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// What stands before the array in documents of CloudWatch Logs and Firehose.
const HEAD_KEYS: [&[u8]; 12] = [
    b"messageType",
    b"owner",
    b"logGroup",
    b"logStream",
    b"subscriptionFilters",
    b"policyLevel",
    b"requestId",
    b"timestamp",
    b"invocationId",
    b"deliveryStreamArn",
    b"sourceKinesisStreamArn",
    b"region",
];

/// Whether bytes begin with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// They do, with so many bytes; elements of such an array follow.
    Is(usize, Within),
    /// They do not.
    IsNot,
    /// They end before that can be told.
    Short,
}

/// Tells whether bytes begin as CloudTrail's files do, `{"Records":[`, as `lookup-events` does, `{"Events":[`, or as a batch
/// of CloudWatch Logs or a request of Firehose, with any white space.
pub(super) fn head(bytes: &[u8]) -> Head {
    let mut telling = Telling::default();
    match array_start(bytes, &mut telling) {
        Ok(Some((start, within))) => Head::Is(start, within),
        Err(ScanStop::Incomplete) if bytes.len() < HEAD_BYTES_MAX => Head::Short,
        _ => Head::IsNot,
    }
}

fn array_start<'a>(bytes: &'a [u8], telling: &mut Telling<'a>) -> Result<Option<(usize, Within)>, ScanStop> {
    let mut at = after(bytes, 0, b'{')?;
    let mut is_first = true;
    loop {
        let key_start = skip_space(bytes, at);
        if bytes.get(key_start).is_none() {
            return Err(ScanStop::Incomplete);
        }
        let key_end = string_end(bytes, key_start)?;
        let key = bytes.get(key_start + 1..key_end - 1).unwrap_or_default();
        let start = skip_space(bytes, after(bytes, key_end, b':')?);
        let &first_byte = bytes.get(start).ok_or(ScanStop::Incomplete)?;
        let within = match key {
            b"Records" | b"Events" if is_first => Some(Within::Anything),
            b"logEvents" if telling.is_data_message() => Some(Within::LogEvents),
            b"records" if telling.is_firehose() => Some(Within::FirehoseRecords),
            _ => None,
        };
        match within {
            Some(within) if first_byte == b'[' => return Ok(Some((start + 1, within))),
            _ if !HEAD_KEYS.contains(&key) => return Ok(None),
            _ => {}
        }
        let end = value_end(bytes, start)?;
        telling.hear(key, bytes.get(start..end).unwrap_or_default());
        at = after(bytes, end, b',')?;
        is_first = false;
    }
}

/// The place behind a token.
fn after(bytes: &[u8], at: usize, token: u8) -> Result<usize, ScanStop> {
    let at = skip_space(bytes, at);
    match bytes.get(at) {
        Some(&byte) if byte == token => Ok(at + 1),
        Some(_) => Err(ScanStop::Malformed(at)),
        None => Err(ScanStop::Incomplete),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let heads = [
            (" { \"Records\" :\n[", Within::Anything),
            ("{\"Events\":[", Within::Anything),
            (
                "{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"1\",\"subscriptionFilters\":[\"[\"],\"logEvents\":[",
                Within::LogEvents,
            ),
            ("{\"requestId\":\"r\",\"timestamp\":1,\"records\":[", Within::FirehoseRecords),
            (
                "{\"invocationId\":\"i\",\"deliveryStreamArn\":\"a\",\"region\":\"r\",\"records\":[",
                Within::FirehoseRecords,
            ),
        ];
        for (text, within) in heads {
            let whole = format!("{text}{{}}]}}");
            assert_eq!(head(whole.as_bytes()), Head::Is(text.len(), within), "{text}");
            for cut in 0..text.len() {
                assert_eq!(head(&text.as_bytes()[..cut]), Head::Short, "{}", &text[..cut]);
            }
        }
        let long = format!("{{\"requestId\":\"{}", "x".repeat(HEAD_BYTES_MAX));
        let others = [
            "{}",
            "[{\"Records\":[",
            "{\"Records\":{\"a\":1}}",
            "{\"Records\" 1",
            "{\"x\":1,\"Records\":[",
            "{\"messageType\":\"CONTROL_MESSAGE\",\"logEvents\":[",
            "{\"logEvents\":[",
            "{\"records\":[",
            "{\"requestId\":\"r\",\"records\":[",
            "{\"requestId\":\"r\"}",
            &long,
        ];
        for text in others {
            assert_eq!(head(text.as_bytes()), Head::IsNot, "{}", &text[..text.len().min(60)]);
        }
    }
}
