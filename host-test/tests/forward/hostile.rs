//! Bytes that mean harm: the service lives, holds no memory for them, and goes on serving others.

use std::io::{Read, Write};
use std::time::Duration;

use crate::message::Mode;
use crate::next_service::{NextService, assert_nothing_lost};
use crate::process::with_rules;
use crate::sender::{Sender, connection};
use crate::service::{free_address, start};

/// What the service may grow by.
const GROWTH_BYTES_MAX: u64 = 96 << 20;

#[test]
fn announced_lengths_depth_and_endless_streams_cost_little() {
    let (next, address) = (NextService::start(), free_address());
    let (_directory, path) = with_rules();
    let limits =
        ["--body-max", "1MiB", "--unpacked-max", "4MiB", "--requests-memory", "16MiB", "--body-time", "2s"];
    let serve = start(&path, address, next.address, &limits);
    Sender::new(address, Mode::Packed).send(0..100);
    let before = serve.holds().1;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![0x91; 64 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let packed = |bytes: &[u8]| {
        let mut message = vec![0x93, 0xa1, b't', 0xc6];
        message.extend((bytes.len() as u32).to_be_bytes());
        message.extend(bytes);
        message.extend(b"\x82\xa5chunk\xa1c\xaacompressed\xa4gzip");
        message
    };
    let deep = |depth: usize| {
        [&[0x93, 0xa1, b't', 0x91, 0x92, 7, 0x81, 0xa1, b'a'][..], &vec![0x91; depth]].concat()
    };
    let cases: [(&str, Vec<u8>); 9] = [
        ("binary data of 4 GB", vec![0x93, 0xa1, b't', 0xc6, 255, 255, 255, 255]),
        ("an array of 4 thousand million", vec![0x93, 0xa1, b't', 0xdd, 255, 255, 255, 255]),
        ("a map of 4 thousand million", vec![0x93, 0xa1, b't', 7, 0xdf, 255, 255, 255, 255]),
        ("arrays in arrays", [0xdd, 255, 255, 255, 255].repeat(1000)),
        ("depth without an end", deep(8 << 20)),
        ("a compressed bomb", packed(&bomb)),
        ("damaged gzip", packed(b"\x1f\x8bnonsense")),
        ("a byte that begins nothing", vec![0xc1]),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
    ];
    for (name, bytes) in &cases {
        let mut stream = connection(address);
        // The service may close before all was written.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{name}: {answer:x?}");
    }
    // Messages that stop half way, many at a time.
    let cut: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = connection(address);
            stream.write_all(&[0x93, 0xa1, b't', 0xc6, 0, 0, 255, 255, 1, 2, 3]).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    for mut stream in cut {
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "a message may take for ever");
    }
    let grown = serve.holds().1.saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "it grew by {} MiB", grown >> 20);
    // A record as deep as that is legal; it is no event, and others are served as before.
    let mut sender = Sender::new(address, Mode::Forward);
    sender.send(100..400);
    assert_eq!((sender.again, assert_nothing_lost(&next.arrivals(), 0..400)), (0, 0));
    assert!(serve.terminate().success());
}

#[test]
fn many_senders_share_little_memory_and_all_are_served() {
    let (next, address) = (NextService::start(), free_address());
    next.take_long(Duration::from_millis(5));
    let (_directory, path) = with_rules();
    let limits = ["--body-max", "256KiB", "--unpacked-max", "256KiB", "--requests-memory", "768KiB"];
    let _serve = start(&path, address, next.address, &limits);
    let sending: Vec<_> = (0..16)
        .map(|number| {
            std::thread::spawn(move || {
                Sender::new(address, Mode::Packed).send(number * 200..(number + 1) * 200)
            })
        })
        .collect();
    sending.into_iter().for_each(|sending| sending.join().unwrap());
    assert_nothing_lost(&next.arrivals(), 0..3200);
}
