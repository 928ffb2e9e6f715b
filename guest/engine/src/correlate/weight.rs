//! What the memory estimate takes things to be: their sizes in the guest, where a pointer has four bytes. The same on every
//! platform, so that state is given up at the same event wherever the rules run.

/// A text, without its bytes.
pub(super) const TEXT: u64 = 12;
/// A pending event, with its place.
pub(super) const ENTRY: u64 = 144;
/// What a pending event carries for one correlation above.
pub(super) const CARRIED: u64 = 80;
/// An event that a sliding window keeps.
pub(super) const RECENT: u64 = 88;
/// An event that an alert lists.
pub(super) const LISTED: u64 = 32;
/// A distinct value that an alert counts, without its text.
pub(super) const OBSERVED: u64 = 16;
/// Windows, without what they hold.
pub(super) const WINDOWS: u64 = 160;
/// A group that is laid out.
pub(super) const GROUP: u64 = 192;
