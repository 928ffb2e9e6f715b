//! Data cut into lines, and into batches of lines.

/// The lines of NDJSON without their line breaks; blank ones are left out.
#[derive(Debug, Clone)]
pub struct Lines<'d> {
    rest: &'d [u8],
}

impl<'d> Lines<'d> {
    /// Of this data.
    pub fn of(data: &'d [u8]) -> Lines<'d> {
        Lines { rest: data }
    }
}

impl<'d> Iterator for Lines<'d> {
    type Item = &'d [u8];

    fn next(&mut self) -> Option<&'d [u8]> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
            let (line, rest) = self.rest.split_at(end);
            self.rest = rest.get(1..).unwrap_or_default();
            if !line.is_empty() {
                return Some(line);
            }
        }
    }
}

/// Cuts data behind lines, into batches of about so many bytes: as `tripwasm run` hands them over.
pub fn batches(data: &[u8], bytes: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = match rest.get(..bytes) {
            None => rest.len(),
            Some(most) => match memchr::memrchr(b'\n', most) {
                Some(at) => at + 1,
                None => memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1),
            },
        };
        let (batch, behind) = rest.split_at(end);
        rest = behind;
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_batches_hold_the_whole_data() {
        let data = b"a\nbb\n\nccc\nd";
        assert_eq!(Lines::of(data).collect::<Vec<_>>(), [&b"a"[..], b"bb", b"ccc", b"d"]);
        for bytes in 1..=data.len() + 1 {
            let cut: Vec<_> = batches(data, bytes).collect();
            assert_eq!(cut.concat(), data, "batches of {bytes}");
            assert!(cut.iter().rev().skip(1).all(|batch| batch.ends_with(b"\n")), "batches of {bytes}");
        }
    }
}
