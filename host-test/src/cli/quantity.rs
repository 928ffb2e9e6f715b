//! Durations and sizes as people write them.

use std::time::Duration;

/// A duration such as `20m`, `36h` or `4000d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = number_and_unit(text, &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)])
        .ok_or("write a whole number and one of s, m, h, d, w, such as 20m")?;
    // Times are signed 64-bit milliseconds; the bound keeps every sum of them in range.
    const SECONDS_MAX: u64 = 1_000_000 * 86_400;
    if seconds > SECONDS_MAX {
        return Err("longer than 1000000d".to_owned());
    }
    Ok(Duration::from_secs(seconds))
}

/// A size such as `64MiB`; a number alone is bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("B", 1),
        ("KB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    number_and_unit(text, &UNITS)
        .ok_or_else(|| "write a whole number and one of KiB, MiB, GiB, KB, MB, GB, such as 64MiB".to_owned())
}

fn number_and_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        assert_eq!(duration("20m"), Ok(Duration::from_secs(1200)));
        assert_eq!(duration("4000d"), Ok(Duration::from_secs(345_600_000)));
        for bad in ["", "20", "m", "-1m", "1.5h", "2y", "99999999999999999999d", "2000000d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("100"), Ok(100));
        for bad in ["", "MiB", "64mb", "-1", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
