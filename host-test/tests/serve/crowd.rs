//! Many connections, and a long time.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::events::assert_exactly_once;
use crate::next_service::NextService;
use crate::process::{Serve, with_rules};
use crate::sender::{Sender, post};

#[test]
fn ten_thousand_connections_that_say_nothing_keep_nobody_out() {
    let next = NextService::start();
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--mode", "drop", "--to", &next.url(), "--connections-max", "100"]);
    let address = serve.address;
    let crowd = std::thread::spawn(move || {
        // As many at a time as this process may have open.
        let mut held = std::collections::VecDeque::new();
        for number in 0..10_000 {
            let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(10)) else {
                continue;
            };
            // Some begin a request and never end it.
            if number % 3 == 0 {
                let _ = stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\n");
            }
            held.push_back(stream);
            if held.len() > 400 {
                held.pop_front();
            }
        }
    });
    let began = Instant::now();
    let sent = Sender::new(serve.url("/")).send(0..20_000);
    assert_eq!((sent.delivered, sent.dropped), (400, 0));
    assert!(began.elapsed() < Duration::from_secs(50), "the crowd held the sender up: {:?}", began.elapsed());
    crowd.join().unwrap();
    assert_exactly_once(&next.bodies(), 0..20_000);
    assert_eq!(post(&serve.url("/"), &[], "").0, 200);
    let (descriptors, _) = serve.holds();
    assert!(descriptors < 100 + 60, "{descriptors} descriptors are open");
}

/// `TRIPWASM_SOAK=600` makes it ten minutes.
#[test]
fn memory_and_descriptors_stay_flat() {
    let seconds = std::env::var("TRIPWASM_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(10u64);
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--mode", "drop", "--idle", "1s"]);
    let sender = Sender { batch: 500, ..Sender::new(serve.url("/")) };
    let began = Instant::now();
    // The first seconds fill caches and pools.
    let mut warm = None;
    let mut number = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        assert_eq!(sender.send(number..number + 20_000).delivered, 40);
        number += 20_000;
        if began.elapsed() > Duration::from_secs(seconds / 5) && warm.is_none() {
            warm = Some(serve.holds());
        }
    }
    let (descriptors, memory) = serve.holds();
    let (warm_descriptors, warm_memory) = warm.unwrap();
    println!(
        "{number} events in {:.0} s: {} to {} MiB, {warm_descriptors} to {descriptors} descriptors",
        began.elapsed().as_secs_f64(),
        warm_memory >> 20,
        memory >> 20
    );
    assert!(memory < warm_memory + (48 << 20), "{warm_memory} to {memory} bytes");
    assert!(descriptors <= warm_descriptors + 8, "{warm_descriptors} to {descriptors} descriptors");
}
