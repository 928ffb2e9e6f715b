//! Messages of every mode, and what is none.

use super::*;
use crate::cli::serve::forward::msgpack::{push_array, push_binary, push_map, push_text, push_unsigned};
use proptest::prelude::*;

fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    push_text(&mut out, text);
    out
}

fn array(members: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    push_array(&mut out, members.len() as u32);
    out.extend(members.concat());
    out
}

fn options(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    push_map(&mut out, pairs.len() as u32);
    for (key, value) in pairs {
        push_text(&mut out, key);
        out.extend(value);
    }
    out
}

fn number(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    push_unsigned(&mut out, value);
    out
}

fn binary(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_binary(&mut out, bytes);
    out
}

/// EventTime, an integer, and Fluent Bit's time with metadata.
fn times() -> [Vec<u8>; 3] {
    let event_time = vec![0xd7, 0, 0x55, 0xec, 0, 0, 0, 0, 0, 1];
    let with_metadata = array(&[event_time.clone(), options(&[("a", number(1))])]);
    [event_time, number(1_441_588_984), with_metadata]
}

fn record() -> Vec<u8> {
    options(&[("eventName", text("GetObject"))])
}

fn read(message: Vec<u8>) -> Result<Frame, BadFrame> {
    Frame::read(&message.into()).map(|frame| frame.expect("an array"))
}

#[test]
fn every_mode_gives_the_same_events() {
    let chunk = text("p8n9gmxTQVC8/nh2wlKKeQ==");
    let entry_list: Vec<_> = times().into_iter().map(|time| array(&[time, record()])).collect();
    let stream = entry_list.concat();
    let options = options(&[("size", number(3)), ("chunk", chunk.clone()), ("fluent_signal", number(0))]);
    for events in [array(&entry_list), binary(&stream), text_of(&stream)] {
        let frame = read(array(&[text("tag.name"), events, options.clone()])).unwrap();
        assert_eq!((frame.carrier, frame.packing), (Carrier::Entries, Packing::Plain));
        assert_eq!((&frame.tag[..], &frame.events[..]), (&text("tag.name")[..], &stream[..]));
        assert_eq!(frame.chunk.as_deref(), Some(&chunk[..]));
        assert_eq!(frame.options, [(text("fluent_signal").into(), number(0).into())]);
        let found = entries(frame.carrier, &frame.events).unwrap();
        assert_eq!(found.len(), 3);
        for (entry, bytes) in found.iter().zip(&entry_list) {
            assert_eq!(&stream[entry.whole.clone()], bytes);
            assert_eq!(&stream[entry.record.clone()], record());
        }
    }
}

/// Older libraries have no binary data.
fn text_of(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0xda];
    out.extend((bytes.len() as u16).to_be_bytes());
    out.extend(bytes);
    out
}

#[test]
fn a_single_event_has_its_time_beside_it() {
    for time in &times()[..2] {
        let whole = [time.clone(), record()].concat();
        for message in [
            array(&[text("t"), time.clone(), record()]),
            array(&[text("t"), time.clone(), record(), options(&[("metadata", record())])]),
            array(&[text("t"), time.clone(), record(), vec![0xc0]]),
        ] {
            let frame = read(message).unwrap();
            assert_eq!((frame.carrier, &frame.events[..]), (Carrier::Message, &whole[..]));
            let found = entries(frame.carrier, &frame.events).unwrap();
            assert_eq!(found, [Entry { whole: 0..whole.len(), record: time.len()..whole.len() }]);
        }
    }
}

#[test]
fn compression_is_told_and_foreign_signals_are_left_alone() {
    let with = |pairs: &[(&str, Vec<u8>)]| read(array(&[text("t"), binary(b"x"), options(pairs)]));
    assert_eq!(with(&[("compressed", text("gzip"))]).unwrap().packing, Packing::Gzip);
    assert_eq!(with(&[("compressed", text("zstd"))]).unwrap().packing, Packing::Zstd);
    assert_eq!(with(&[("compressed", text("text"))]).unwrap().packing, Packing::Plain);
    assert_eq!(with(&[("compressed", text("lz4"))]), Err(BadFrame::Compression("lz4".to_owned())));
    let metrics = with(&[("compressed", text("gzip")), ("fluent_signal", number(1))]).unwrap();
    assert_eq!((metrics.carrier, metrics.options.len()), (Carrier::Foreign, 2));
    assert_eq!(metrics.events, binary(b"x"));
}

#[test]
fn what_is_no_message_is_refused() {
    for message in [
        array(&[text("t")]),
        array(&[text("t"), number(1)]),
        array(&[number(1), binary(b"")]),
        array(&[text("t"), binary(b""), number(1)]),
        array(&[text("t"), binary(b""), options(&[("chunk", number(1))])]),
        array(&[text("t"), binary(b""), options(&[("chunk", text(&"x".repeat(CHUNK_BYTES_MAX)))])]),
        array(&[text("t"), binary(b""), vec![0xdf, 255, 255, 255, 255]]),
    ] {
        assert!(read(message.clone()).is_err(), "{message:x?}");
    }
    assert_eq!(Frame::read(&Bytes::from_static(&[0xc0])), Ok(None));
    for (number, events) in
        [(0, vec![0x90]), (0, record()), (1, [array(&[number(1), record()]), vec![0x92]].concat())]
    {
        let found = entries(Carrier::Entries, &events);
        assert!(matches!(found, Err(BadFrame::Entry { number: at, .. }) if at == number), "{found:?}");
    }
}

#[test]
fn events_are_counted() {
    let least = [0x92, 7, 7].repeat(EVENTS_MAX);
    assert_eq!(entries(Carrier::Entries, &least).unwrap().len(), EVENTS_MAX);
    assert_eq!(entries(Carrier::Entries, &[&least[..], &[0x92, 7, 7]].concat()), Err(BadFrame::TooMany));
}

#[test]
fn a_message_that_must_be_too_large_is_refused_before_it_comes() {
    for announced in [
        &[0x93, 0xa1, b't', 0xc6, 255, 255, 255, 255][..],
        &[0x93, 0xa1, b't', 0xdd, 255, 255, 255, 255],
        &[0x93, 0xa1, b't', 0xdf, 0, 0, 1, 0],
        &[0xdd, 255, 255, 255, 255],
    ] {
        assert_eq!(end(&mut Scan::new(), announced, 500), Err(BadFrame::TooLarge(500)));
    }
    // It may be just as long as that.
    let largest = array(&[text("t"), binary(&[7; 400])]);
    let length = largest.len();
    assert_eq!(end(&mut Scan::new(), &largest, length), Ok(Some(length)));
    assert_eq!(end(&mut Scan::new(), &largest, length - 1), Err(BadFrame::TooLarge(length - 1)));
    // A stream without an end is refused at the limit.
    let endless = vec![0x91; 600];
    assert_eq!(end(&mut Scan::new(), &endless, 500), Err(BadFrame::TooLarge(500)));
}

proptest! {
    #[test]
    fn bytes_of_any_kind_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = end(&mut Scan::new(), &bytes, 100);
        if let Ok(Some(frame)) = Frame::read(&Bytes::from(bytes)) {
            let _ = entries(frame.carrier, &frame.events);
        }
    }

    #[test]
    fn damaged_messages_do_no_harm(at in 0usize..200, byte: u8, cut in 0usize..200) {
        let entry_list: Vec<_> = times().into_iter().map(|time| array(&[time, record()])).collect();
        let mut bytes = array(&[text("t"), array(&entry_list), options(&[("chunk", text("c"))])]);
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(cut);
        if let Ok(Some(frame)) = Frame::read(&Bytes::from(bytes)) {
            let _ = entries(frame.carrier, &frame.events);
        }
    }
}
