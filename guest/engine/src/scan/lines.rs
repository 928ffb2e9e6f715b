//! NDJSON lines of a batch.

/// The lines of a batch: (text without its line feed, line feed or nothing). A last piece without a line feed is a
/// line if it is not empty.
pub(crate) struct Lines<'b> {
    rest: &'b [u8],
}

impl<'b> Lines<'b> {
    pub(crate) fn new(batch: &'b [u8]) -> Lines<'b> {
        Lines { rest: batch }
    }
}

impl<'b> Iterator for Lines<'b> {
    type Item = (&'b [u8], &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        let (feed, rest) = rest.split_at(rest.len().min(1));
        self.rest = rest;
        Some((line, feed))
    }
}

/// Where the closing brace of a line that holds one JSON object stands.
pub(crate) fn line_object_end(line: &[u8]) -> Option<usize> {
    line.iter().rposition(|&byte| byte == b'}')
}
