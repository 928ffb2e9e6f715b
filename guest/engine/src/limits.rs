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

/// Events of one group that may be pending within the lateness: 20 minutes of 200 events a second. What comes beyond is
/// refused and counted, and alerts over that time say that they are not exact.
pub const PENDING_EVENTS_MAX: usize = 1 << 18;

/// Several events of a first-seen group that say nothing wait so long behind the watermark for the next one, with which they
/// are settled: a busy group stays laid out. Against the usual lateness state grows by a twentieth at most.
pub const SILENT_WAIT_MS: i64 = 60 * 1000;

/// Events behind the watermark that a sliding window keeps in order to list and count them when an alert begins, where
/// the threshold does not bound them. Beyond, the first ones go and alerts that should have counted them say so.
pub const WINDOW_EVENTS_MAX: usize = 4096;

/// Different numbers of one window that a percentile or median is taken of.
pub const SPREAD_VALUES_MAX: usize = 4096;

/// Distinct values of an observed field that are counted.
pub const DISTINCT_VALUES_MAX: usize = 1000;

/// Conditions inside calculations inside conditions that evaluation follows at most, by recursion. The build allows 64 and
/// 32 of them, which nobody nests in each other; this keeps half of a small stack free.
pub const RULE_DEPTH_MAX: u32 = 1024;

/// Gaps between values of events that are kept, so that they are read by one comparison: some hundred kinds of events have
/// as many. Beyond, all are dropped and learned anew.
pub const LEARNED_GAPS_MAX: usize = 4096;

/// What learned gaps may take, in blocks of 16 bytes and notes as large: 512 KiB.
pub const LEARNED_ITEMS_MAX: usize = 32 << 10;

/// Longest gap that is learned. Keys are short, and every text or number ends a gap.
pub const LEARNED_GAP_BYTES_MAX: usize = 1024;

/// Deepest nesting that is learned: real events stay under 30.
pub const LEARNED_DEPTH_MAX: u32 = 64;

/// Steps of decisions that are remembered. SigmaHQ's 57 rules take about 130 of them on ordinary traffic, 5,000 generated
/// rules about 200, in 26 and 56 KB.
pub const DECISION_STEPS_MAX: usize = 1 << 13;

/// Memory for steps of decisions, about.
pub const DECISION_BYTES_MAX: usize = 1 << 20;

/// Events that went where there was no room for a step: after so many all steps are forgotten, as traffic has changed.
pub const UNDECIDED_EVENTS_MAX: u32 = 1 << 18;

/// Values that lead to a step at once: those of the fields that repeat, such as `eventName`, are fewer. 32 bytes are kept for
/// each of twice as many.
pub const RECALLED_VALUES_MAX: usize = 1 << 12;

/// Longest value that leads to a step at once; ARNs and the names of most clients are shorter.
pub const RECALLED_VALUE_BYTES_MAX: usize = 256;

/// Texts of these values together.
pub const RECALLED_TEXT_BYTES_MAX: usize = 256 << 10;

/// Ways for rules to match that are held against an event at a glance; beyond, events are read. 1,000 rules have about as
/// many, a bit each and field.
pub const SIEVE_WAYS_MAX: usize = 1 << 12;

/// Different sets of these ways that values were seen to open; beyond, all are forgotten.
pub const SIEVE_MASKS_MAX: usize = 256;
