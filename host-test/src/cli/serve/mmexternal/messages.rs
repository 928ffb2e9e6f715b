//! Messages as mmexternal writes them: text and a line break, the next one once the reply to it was read.
//!
//! Invariant: a message with line breaks in it is one message. Two replies to it would be taken for the replies to this
//! message and the next, and one event would be replaced by another.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A longer message is not kept: it passes, and memory stays bounded. Four times what a module evaluates.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Bytes that are read at a time: what a pipe holds.
const READ_BYTES: usize = 64 << 10;

/// Messages longer than a pipe come in pieces of pages.
const PAGE_BYTES: usize = 4 << 10;

/// How long a line break at the end of a page may be followed by more of its message.
const PIECE_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

const NO_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Reads messages.
pub(super) struct Messages<F> {
    input: F,
    piece: Vec<u8>,
    message: Vec<u8>,
}

/// What came until the reply is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// Without the line break at its end.
    Whole(&'a [u8]),
    TooLong,
}

impl<F: AsFd> Messages<F> {
    pub(super) fn new(input: F) -> Self {
        Messages { input, piece: vec![0; READ_BYTES], message: Vec::new() }
    }

    /// The next message; none at the end of the input.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Message<'_>>> {
        // One long message must not hold its memory for ever.
        self.message.shrink_to(READ_BYTES);
        self.message.clear();
        let (mut bytes, mut too_long) = (0, false);
        loop {
            let read = match rustix::io::read(&self.input, &mut self.piece[..]) {
                Err(Errno::INTR) => continue,
                read => read?,
            };
            let piece = self.piece.get(..read).unwrap_or_default();
            bytes += read;
            too_long |= bytes > MESSAGE_BYTES_MAX;
            if !too_long {
                self.message.extend_from_slice(piece);
            }
            let at_end = read == 0;
            if at_end && bytes == 0 {
                return Ok(None);
            }
            if at_end || (piece.ends_with(b"\n") && !self.goes_on(bytes)?) {
                break;
            }
        }
        if too_long {
            return Ok(Some(Message::TooLong));
        }
        let message = self.message.strip_suffix(b"\n").unwrap_or(&self.message);
        Ok(Some(Message::Whole(message)))
    }

    /// Whether more came: whoever waits for a reply sends no other message.
    fn goes_on(&self, bytes: usize) -> std::io::Result<bool> {
        let wait = if bytes.is_multiple_of(PAGE_BYTES) { &PIECE_WAIT } else { &NO_WAIT };
        let mut inputs = [PollFd::new(&self.input, PollFlags::IN)];
        loop {
            match poll(&mut inputs, Some(wait)) {
                Err(Errno::INTR) => {}
                polled => {
                    polled?;
                    return Ok(inputs.iter().any(|input| input.revents().contains(PollFlags::IN)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Writes each text once the one before it was read, and returns what was read.
    fn sent(texts: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let (input, mut output) = std::io::pipe().unwrap();
        let (read, ready) = std::sync::mpsc::channel::<()>();
        let texts = texts.to_vec();
        let writer = std::thread::spawn(move || {
            for text in texts {
                output.write_all(&text).unwrap();
                ready.recv().unwrap();
            }
        });
        let mut messages = Messages::new(input);
        let mut got = Vec::new();
        while let Some(message) = messages.next().unwrap() {
            got.push(match message {
                Message::Whole(bytes) => Some(bytes.to_vec()),
                Message::TooLong => None,
            });
            read.send(()).unwrap();
        }
        writer.join().unwrap();
        got
    }

    #[test]
    fn each_message_is_one_whatever_it_holds() {
        let texts: [&[u8]; 8] =
            [b"{}", b"", b"a\nb", b"\n\n", b"\0\r\xff", b"a\n", &[b'x'; 4095], &[b'\n'; 4095]];
        let lines: Vec<_> = texts.iter().map(|text| [text, &b"\n"[..]].concat()).collect();
        let got = sent(&lines);
        assert_eq!(got, texts.map(|text| Some(text.to_vec())));
    }

    #[test]
    fn messages_longer_than_a_pipe_come_whole_with_their_line_breaks() {
        let mut text = vec![b'x'; 1 << 20];
        for at in (4095..text.len()).step_by(4096) {
            text[at] = b'\n';
        }
        text.push(b'y');
        let got = sent(&[[&text[..], b"\n"].concat(), b"next\n".to_vec()]);
        assert_eq!(got, [Some(text), Some(b"next".to_vec())]);
    }

    #[test]
    fn a_message_beyond_the_bound_is_read_and_not_kept() {
        let at_bound = [&vec![b'x'; MESSAGE_BYTES_MAX - 1][..], b"\n"].concat();
        let beyond = [&vec![b'x'; MESSAGE_BYTES_MAX][..], b"\n"].concat();
        let got = sent(&[at_bound, beyond, b"next\n".to_vec()]);
        assert_eq!(got[0].as_ref().map(Vec::len), Some(MESSAGE_BYTES_MAX - 1));
        assert_eq!(got[1..], [None, Some(b"next".to_vec())]);
    }
}
