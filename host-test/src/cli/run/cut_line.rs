//! Output files of a run that was killed: the line it was writing may have been cut off.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes looked at a time, from the end of a file on.
const PIECE_BYTES: u64 = 64 << 10;

/// How an output file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// Empty.
    Anew,
    /// With what the run that was not finished wrote to it.
    GoOn,
}

/// Opens a file of lines to write to. A line that was cut off goes away: it is written again.
pub(super) fn open(path: &Path, opening: Opening) -> io::Result<File> {
    match opening {
        Opening::Anew => File::create(path),
        Opening::GoOn if path.exists() && !path.is_file() => OpenOptions::new().write(true).open(path),
        Opening::GoOn => {
            let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
            let whole = whole_lines(&file)?;
            if whole < file.metadata()?.len() {
                file.set_len(whole)?;
            }
            Ok(file)
        }
    }
}

/// Whether standard output goes on in a file that ends within a line.
pub(super) fn ends_standard_output() -> bool {
    let ends = || -> io::Result<bool> {
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let meta = output.metadata()?;
        // What the shell opened with `>>` cannot be read through the same descriptor.
        Ok(meta.is_file() && meta.len() > 0 && whole_lines(&File::open("/dev/stdout")?)? < meta.len())
    };
    ends().unwrap_or(false)
}

/// How many bytes of a file stand before the end of its last line break.
fn whole_lines(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut piece = vec![0; PIECE_BYTES as usize];
    while end > 0 {
        let start = end.saturating_sub(PIECE_BYTES);
        let length = usize::try_from(end - start).unwrap_or(piece.len());
        let bytes = piece.get_mut(..length).unwrap_or_default();
        file.read_exact_at(bytes, start)?;
        if let Some(at) = memchr::memrchr(b'\n', bytes) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_cut_line_goes_away_and_whole_ones_stay() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("alerts");
        let long = "x".repeat(200_000);
        let cases = [
            (String::new(), String::new()),
            ("a\nb\n".to_owned(), "a\nb\n".to_owned()),
            ("a\nb".to_owned(), "a\n".to_owned()),
            ("b".to_owned(), String::new()),
            (format!("a\n{long}"), "a\n".to_owned()),
        ];
        for (before, kept) in cases {
            std::fs::write(&path, &before).unwrap();
            open(&path, Opening::GoOn).unwrap().write_all(b"c\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), kept + "c\n");
            open(&path, Opening::Anew).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        }
    }
}
