//! Every bound of the engine, with its reason.

/// Longest line that is evaluated. CloudTrail records stop at 1 MB (256 KB without extended data); four times that leaves room for enrichment.
pub const EVENT_BYTES_MAX: usize = 4 << 20;

/// Deepest nesting that is evaluated. Real events stay under 30; 24 bytes are kept per level.
pub const NESTING_DEPTH_MAX: usize = 1024;

/// Events that an alert lists at most.
pub const ALERT_EVENTS_MAX: usize = 100;

/// Values that an alert lists of one field at most.
pub const ALERT_VALUES_MAX: usize = 100;

/// Without a wall clock, an event time further ahead than this is believed only when others agree.
pub const JUMP_MS_MAX: i64 = 24 * 60 * 60 * 1000;

/// So many events have to agree on a jump: one forged date must not blind every rule.
pub const JUMP_EVENTS_MIN: usize = 100;

/// Groups given up that the statistics name; their number is counted in any case.
pub const EVICTIONS_TOLD_MAX: usize = 100;
