//! NDJSON lines of a batch.

/// The first line: (its bytes without the line feed, the line feed or nothing). A last piece without a line feed is a line if
/// it is not empty.
pub(super) fn first_line(batch: &[u8]) -> Option<(&[u8], &[u8])> {
    if batch.is_empty() {
        return None;
    }
    let end = memchr::memchr(b'\n', batch).unwrap_or(batch.len());
    let (line, rest) = batch.split_at(end);
    Some((line, rest.get(..1).unwrap_or_default()))
}

/// Where the closing brace of a line that holds one JSON object stands.
pub(crate) fn line_object_end(line: &[u8]) -> Option<usize> {
    line.iter().rposition(|&byte| byte == b'}')
}
