//! Inputs cut anywhere: every event before the cut comes out, and nothing of the rest is lost.

use std::io::Read;

use tripwasm::input::{Pace, ReaderOptions, Unpacking};

use crate::Found;
use crate::forms::{Form, forms};

/// Gives a few bytes at a time, as a slow connection does.
struct Trickle {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let length = rest.len().min(buffer.len()).min(97);
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

fn check(form: &Form, cut: usize, batch_bytes: usize, pace: Pace) {
    let Form { name, bytes, events, ends } = form;
    let options = ReaderOptions { batch_bytes, pace, unpacking: Unpacking::LikeEvents };
    let input = Trickle { bytes: bytes[..cut].to_vec(), at: 0 };
    let found = Found::in_input(Box::new(input), options);
    let text = String::from_utf8(found.bytes).unwrap();
    let before = ends.iter().filter(|&&end| end <= cut).count();
    let expected: String = events[..before].iter().map(|event| event.clone() + "\n").collect();
    let Some(rest) = text.strip_prefix(&expected) else {
        panic!("{name} cut at {cut}: {before} events were before it, and out came\n{text}");
    };
    let whole = std::str::from_utf8(&bytes[..cut]).unwrap();
    // A last line that came whole has got a line break.
    let is_end = whole.ends_with(rest) || whole.ends_with(rest.trim_end_matches('\n'));
    assert!(is_end, "{name} cut at {cut}: out came what was not there:\n{rest}");
    if let Some(start) = whole.len().checked_sub(rest.len()).filter(|_| before < events.len()) {
        let last_end = before.checked_sub(1).map_or(0, |last| ends[last]);
        let dropped = whole.get(last_end..start).unwrap_or_default();
        assert!(
            !dropped.contains("eventName") && !dropped.contains("data\":\""),
            "{name} cut at {cut}: lost {dropped}"
        );
    }
    assert_eq!(found.problems.len(), 0, "{name} cut at {cut}");
}

#[test]
fn a_cut_costs_no_event_before_it() {
    for form in forms() {
        for cut in 0..=form.bytes.len() {
            check(&form, cut, 1 << 20, Pace::Stored);
            // The other ways to read share nearly all of that.
            if cut % 7 == 0 {
                check(&form, cut, 1, Pace::Live);
            }
        }
    }
}
