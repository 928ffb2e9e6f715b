//! The groups of one correlation, by key.
//!
//! Most groups wait: nothing of theirs is pending. Those are kept packed, key and windows in one piece of memory, and are
//! laid out only while something happens to them.

use super::group::Group;
use super::key::Key;
use super::machine::{Lost, Machine};
use super::spec::Spec;
use crate::id::hash_of;
use crate::order::order_of;
use crate::wire::{Reader, Wire};
use hashbrown::HashTable;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tripwasm_plan::Timestamp;

/// Fixed cost of a group in the memory estimate: slot, table, timer, allocation.
pub(super) const SLOT_BYTES: u64 = 88;

/// Memory for more pending events than these is not kept for the next group.
const SPARE_EVENTS_MAX: usize = 64;

/// Place of a group in a store; it stays while the group does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SlotId(u32);

/// Groups by key.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    table: HashTable<SlotId>,
    slots: Vec<Slot>,
    free: Vec<SlotId>,
    /// When which slot has something to do. An entry holds only if its slot says the same time.
    timers: BinaryHeap<Reverse<(Timestamp, SlotId)>>,
    /// Estimate of the memory that groups take.
    bytes: u64,
    yard: Yard,
}

/// Where groups are packed and laid out.
#[derive(Debug, Clone, Default)]
struct Yard {
    /// A group packed, before it gets memory of its own.
    bytes: Vec<u8>,
    /// Memory of a group that was packed, for the next one that is laid out.
    spare: Option<Box<Laid>>,
}

/// A group and what is known of it without unpacking.
#[derive(Debug, Clone)]
struct Slot {
    state: State,
    /// When it has something to do; [`NEVER`] if nothing.
    due: Timestamp,
    standing: Standing,
}

#[derive(Debug, Clone)]
enum State {
    Free,
    /// Length of the key, key, windows.
    Packed(Box<[u8]>),
    Laid(Box<Laid>),
}

/// A group laid out.
#[derive(Debug, Clone)]
struct Laid {
    key: Key,
    group: Group,
}

/// How useful a group is: what is given up first is open to no alert, has few events, and was seen long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    latest: Timestamp,
    /// Events that entered; at most as many as fit.
    events: u16,
    is_open: bool,
}

/// Later than anything is due.
const NEVER: Timestamp = Timestamp::MAX;

impl Wire for Standing {
    /// Without what the group itself says.
    fn write(&self, out: &mut Vec<u8>) {
        u32::from(self.events).write(out);
        self.latest.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Standing> {
        let events = u32::read(from)?.try_into().ok()?;
        Some(Standing::of(events, Wire::read(from)?))
    }
}

impl Standing {
    /// The standing of a group that so many events entered, the latest of this time.
    pub(super) fn of(events: u16, latest: Timestamp) -> Standing {
        Standing { latest, events, is_open: false }
    }

    pub(super) fn events(&self) -> u16 {
        self.events
    }

    pub(super) fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Least first. Events count in powers of two: a flood of keys with one event each outlives no key with more.
    fn rank(&self) -> (bool, u32, Timestamp) {
        (self.is_open, self.events.max(1).ilog2(), self.latest)
    }
}

impl Store {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When something is due at the earliest; maybe sooner than there is something to do.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.timers.peek().map(|Reverse((due, _))| *due)
    }

    /// A group that is due by the watermark.
    pub(super) fn pop_due(&mut self, watermark: Timestamp) -> Option<SlotId> {
        while let Some(Reverse((due, slot))) = self.timers.peek().copied()
            && due <= watermark
        {
            self.timers.pop();
            if let Some(found) = self.slots.get_mut(slot.0 as usize).filter(|found| found.due == due) {
                found.due = NEVER;
                return Some(slot);
            }
        }
        None
    }

    /// When a first-seen group was last seen before this time, as far as is known.
    pub(super) fn seen_before(&self, key: &[u8], time: Timestamp) -> Option<Timestamp> {
        let slot = self.find(hash_of(key), key)?;
        match &self.slots.get(slot.0 as usize)?.state {
            State::Free => None,
            State::Packed(packed) => Machine::read(&mut Reader::new(split_key(packed).1))?.last_seen(),
            State::Laid(laid) => laid.group.seen_before(time),
        }
    }

    /// The group of this key, new if there is none: then it may have lost events already.
    pub(super) fn find_or_add(&mut self, spec: &Spec, key: &[u8], lost: Option<Lost>) -> SlotId {
        let hash = hash_of(key);
        if let Some(found) = self.find(hash, key) {
            return found;
        }
        let laid = Laid { key: Key::of_bytes(key), group: Group::new(spec, lost) };
        let slot = Slot {
            state: State::Laid(Box::new(laid)),
            due: NEVER,
            standing: Standing::of(0, Timestamp::MIN),
        };
        self.bytes += slot.weight();
        self.insert(hash, slot)
    }

    /// Does something with a group; afterwards it is packed if nothing is pending, and gone if nothing is left.
    pub(super) fn visit<T>(
        &mut self,
        spec: &Spec,
        slot: SlotId,
        visit: impl FnOnce(&[u8], &mut Group) -> T,
    ) -> Option<T> {
        let place = self.slots.get_mut(slot.0 as usize)?;
        self.bytes -= place.weight();
        let mut laid = self.yard.lay_out(std::mem::replace(&mut place.state, State::Free), spec)?;
        let outcome = visit(laid.key.bytes(), &mut laid.group);
        if laid.group.is_empty() {
            self.remove(slot, &laid.key);
            return Some(outcome);
        }
        let due = due(&laid.group, spec);
        place.standing.is_open = laid.group.is_open();
        place.state = self.yard.pack(laid);
        self.bytes += place.weight();
        // A timer that fires too early finds nothing to do and is set anew: events push deadlines on all the time.
        if due < place.due {
            place.due = due;
            self.timers.push(Reverse((due, slot)));
        }
        Some(outcome)
    }

    /// Notes that an event of this time entered the group.
    pub(super) fn note_event(&mut self, slot: SlotId, time: Timestamp) {
        if let Some(slot) = self.slots.get_mut(slot.0 as usize) {
            let standing =
                Standing::of(slot.standing.events.saturating_add(1), slot.standing.latest.max(time));
            slot.standing = Standing { is_open: slot.standing.is_open, ..standing };
        }
    }

    /// The least useful groups, least first, that together take at least `bytes`.
    pub(super) fn least_useful(&self, bytes: u64) -> Vec<SlotId> {
        let ranked =
            |(id, slot): (u32, &Slot)| Some((slot.standing.rank(), hash_of(slot.key()?), id, slot.weight()));
        let all: Vec<_> = (0..).zip(&self.slots).filter_map(ranked).collect();
        let mut freed = 0;
        let enough = |(.., weight): &&(_, u64, u32, u64)| {
            let needed = freed < bytes;
            freed += weight;
            needed
        };
        let least_first =
            order_of(&all, &|one, other| (one.0, one.1, one.2).cmp(&(other.0, other.1, other.2)));
        least_first.take_while(enough).map(|(_, _, id, _)| SlotId(*id)).collect()
    }

    /// Takes a group out.
    pub(super) fn take(&mut self, spec: &Spec, slot: SlotId) -> Option<(Key, Group, Standing)> {
        let place = self.slots.get_mut(slot.0 as usize)?;
        let (weight, standing) = (place.weight(), place.standing);
        let laid = self.yard.lay_out(std::mem::replace(&mut place.state, State::Free), spec)?;
        self.bytes -= weight;
        self.remove(slot, &laid.key);
        Some((laid.key, laid.group, standing))
    }

    /// Puts in a group that is not there yet.
    pub(super) fn put(&mut self, spec: &Spec, key: Key, group: Group, standing: Standing) {
        if group.is_empty() {
            return;
        }
        let hash = hash_of(key.bytes());
        let due = due(&group, spec);
        let standing = Standing { is_open: group.is_open(), ..standing };
        let state = self.yard.pack(Box::new(Laid { key, group }));
        let slot = Slot { state, due, standing };
        self.bytes += slot.weight();
        let id = self.insert(hash, slot);
        if due < NEVER {
            self.timers.push(Reverse((due, id)));
        }
    }

    /// Writes every group with its key and standing, in order of key.
    pub(super) fn write_sorted(&self, out: &mut Vec<u8>) {
        let all: Vec<(&[u8], &Slot)> =
            self.slots.iter().filter_map(|slot| Some((slot.key()?, slot))).collect();
        for (_, slot) in order_of(&all, &|one, other| one.0.cmp(other.0)) {
            slot.standing.write(out);
            match &slot.state {
                State::Free => {}
                State::Packed(packed) => {
                    out.extend_from_slice(packed);
                    Group::write_nothing_pending(out);
                }
                State::Laid(laid) => {
                    laid.key.write(out);
                    laid.group.write(out);
                }
            }
        }
    }

    /// Reads a group that [`Store::write_sorted`] wrote, and what it was.
    pub(super) fn read_group(from: &mut Reader<'_>) -> Option<(Key, Group, Standing)> {
        let standing = Wire::read(from)?;
        Some((Wire::read(from)?, Wire::read(from)?, standing))
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<SlotId> {
        let has_key =
            |slot: &SlotId| self.slots.get(slot.0 as usize).is_some_and(|slot| slot.key() == Some(key));
        self.table.find(hash, has_key).copied()
    }

    fn insert(&mut self, hash: u64, slot: Slot) -> SlotId {
        let id = match self.free.pop() {
            Some(free) => free,
            None => SlotId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX)),
        };
        match self.slots.get_mut(id.0 as usize) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        let slots = &self.slots;
        let rehash = |id: &SlotId| slots.get(id.0 as usize).and_then(Slot::key).map_or(0, hash_of);
        self.table.insert_unique(hash, id, rehash);
        id
    }

    fn remove(&mut self, slot: SlotId, key: &Key) {
        if let Ok(entry) = self.table.find_entry(hash_of(key.bytes()), |other| *other == slot) {
            entry.remove();
        }
        if let Some(place) = self.slots.get_mut(slot.0 as usize) {
            *place = Slot { state: State::Free, due: NEVER, standing: Standing::of(0, Timestamp::MIN) };
        }
        self.free.push(slot);
    }
}

impl Slot {
    fn key(&self) -> Option<&[u8]> {
        match &self.state {
            State::Free => None,
            State::Laid(laid) => Some(laid.key.bytes()),
            State::Packed(packed) => Some(split_key(packed).0),
        }
    }

    fn weight(&self) -> u64 {
        match &self.state {
            State::Free => 0,
            State::Packed(packed) => SLOT_BYTES + packed.len() as u64,
            State::Laid(laid) => SLOT_BYTES + 2 * laid.key.bytes().len() as u64 + laid.group.weight(),
        }
    }
}

impl Yard {
    /// The group packed, if it can be.
    fn pack(&mut self, laid: Box<Laid>) -> State {
        let Some(windows) = laid.group.as_settled() else { return State::Laid(laid) };
        self.bytes.clear();
        laid.key.write(&mut self.bytes);
        windows.write(&mut self.bytes);
        if laid.group.pending_room() <= SPARE_EVENTS_MAX {
            self.spare = Some(laid);
        }
        State::Packed(self.bytes.as_slice().into())
    }

    /// The group laid out; none if there is none.
    fn lay_out(&mut self, state: State, spec: &Spec) -> Option<Box<Laid>> {
        let packed = match state {
            State::Free => return None,
            State::Laid(laid) => return Some(laid),
            State::Packed(packed) => packed,
        };
        let (key, windows) = split_key(&packed);
        let windows = Wire::read(&mut Reader::new(windows)).unwrap_or_else(|| Machine::new(spec, None));
        match self.spare.take() {
            Some(mut laid) => {
                laid.key.set(key);
                laid.group.begin_again(windows);
                Some(laid)
            }
            None => Some(Box::new(Laid { key: Key::of_bytes(key), group: Group::settled(windows) })),
        }
    }
}

/// When a group has something to do: what is due at the end of time still comes before never.
fn due(group: &Group, spec: &Spec) -> Timestamp {
    group.deadline(spec).map_or(NEVER, |due| due.min(NEVER - 1))
}

/// The key of a packed group, and what stands behind it.
fn split_key(packed: &[u8]) -> (&[u8], &[u8]) {
    let mut packed = Reader::new(packed);
    let key = packed.length().and_then(|length| packed.take(length)).unwrap_or_default();
    (key, packed.rest())
}
