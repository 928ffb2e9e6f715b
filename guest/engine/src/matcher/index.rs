//! Which rules an event may match, told by a few of its values: the others are never asked.
//!
//! Most rules fix some field (`eventName: CreateAccessKey`). For each rule the build of the index looks for tests of which at least
//! one has to hold (its anchors), and notes the rule at their fields. A field's values then name the rules worth asking.
//! The index may name too many rules, never too few: whole values and beginnings are told apart by length, first and last
//! bytes alone. Anchors of other kinds are asked.

use super::Matcher;
use super::compiled::{CompiledField, Tables};
use super::test::contains;
use crate::order::sort_numbers;
use crate::scan::{Kind, NodeId, Span, Spans, unescape};
use std::collections::{BTreeMap, BTreeSet};
use tripwasm_plan::{Condition, FieldId, Pattern, Piece, Predicate, PredicateId, Test, fold_char};

/// Rules by what an event has to carry for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    /// Rules that fix nothing, ascending.
    pub(super) always: Vec<u32>,
    pub(super) fields: Vec<FieldIndex>,
}

/// Rules by the values of one field of the event; all of them need the field to be present.
#[derive(Debug, Clone)]
pub(super) struct FieldIndex {
    /// Where the field stands.
    pub(super) place: Place,
    /// The rules with whole values and beginnings.
    rules: Vec<u32>,
    whole: Table,
    /// By the length of what a value has to begin with.
    starts: Vec<(usize, Table)>,
    /// Rules by tests of other kinds.
    others: Vec<(PredicateId, Vec<u32>)>,
}

/// The places of a field that stands in the event; the literal one wins if it is present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) walk: NodeId,
    pub(super) literal: NodeId,
}

/// A table with open addressing, at most half full.
#[derive(Debug, Clone, Default)]
struct Table {
    /// As many as a power of two says.
    slots: Vec<Slot>,
    rules: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    stamp: Stamp,
    /// Where its rules stand; nowhere if the slot is free.
    start: u32,
    end: u32,
}

/// What a text is recognised by, letters in lower case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    length: u32,
    head: u64,
    tail: u64,
}

impl Index {
    /// Over the conditions of rules, in ascending order of the rules.
    pub(super) fn new<'c>(tables: &Tables, conditions: impl Iterator<Item = (u32, &'c Condition)>) -> Index {
        let spread = Spread::of(tables);
        let mut index = Index::default();
        let mut fields: BTreeMap<Place, BTreeMap<Anchor, BTreeSet<u32>>> = BTreeMap::new();
        for (rule, condition) in conditions {
            let Some(anchors) = spread.anchors(condition) else {
                index.always.push(rule);
                continue;
            };
            for (field, anchor) in anchors.into_iter().filter_map(|id| anchor_of(tables, id)) {
                if let Some(place) = tables.place(field) {
                    fields.entry(place).or_default().entry(anchor).or_default().insert(rule);
                }
            }
        }
        index.fields = fields.into_iter().map(|(place, anchors)| FieldIndex::new(place, anchors)).collect();
        index
    }
}

impl Place {
    /// The one that counts in an event.
    #[inline]
    pub(super) fn of(self, spans: &Spans) -> NodeId {
        if spans.is_present(self.literal) { self.literal } else { self.walk }
    }
}

impl FieldIndex {
    fn new(place: Place, anchors: BTreeMap<Anchor, BTreeSet<u32>>) -> FieldIndex {
        let mut rules: BTreeSet<u32> = BTreeSet::new();
        let mut others = Vec::new();
        let mut tables: BTreeMap<Option<usize>, BTreeMap<Stamp, BTreeSet<u32>>> = BTreeMap::new();
        for (anchor, of_anchor) in anchors {
            let (text, length) = match &anchor {
                Anchor::Whole(text) => (text, None),
                Anchor::Start(text) => (text, Some(text.len())),
                Anchor::Other(predicate) => {
                    others.push((*predicate, of_anchor.into_iter().collect()));
                    continue;
                }
            };
            rules.extend(&of_anchor);
            let table = tables.entry(length).or_default();
            table.entry(Stamp::of(text.as_bytes())).or_default().extend(of_anchor);
        }
        let whole = tables.remove(&None).map(|texts| Table::new(&texts)).unwrap_or_default();
        let starts = tables.iter().filter_map(|(length, texts)| Some(((*length)?, Table::new(texts))));
        FieldIndex { place, rules: rules.into_iter().collect(), whole, starts: starts.collect(), others }
    }

    /// Puts the rules that the field's values allow into `out`, ascending.
    pub(super) fn candidates(&self, matcher: &mut Matcher<'_>, out: &mut Vec<u32>) {
        out.clear();
        if !self.rules.is_empty() {
            let (line, spans) = (matcher.line, matcher.spans);
            spans.of(self.place.of(spans)).for_each(|span| self.add(line, span, out));
        }
        for (predicate, rules) in &self.others {
            if matcher.answer(*predicate) {
                out.extend_from_slice(rules);
            }
        }
        sort_numbers(out);
    }

    /// Whether the field has one value, a plain string that clearly names no rule. `found` is for candidates.
    pub(super) fn names_none(&self, matcher: &Matcher<'_>, found: &mut Vec<u32>) -> bool {
        let (line, spans, tables) = (matcher.line, matcher.spans, matcher.tables);
        let mut values = spans.of(self.place.of(spans));
        let (Some(span @ Span { kind: Kind::Text, .. }), None) = (values.next(), values.next()) else {
            return false;
        };
        let text = line.get(span.inside()).unwrap_or_default();
        let others = self.others.iter().filter_map(|(id, _)| tables.predicates.get(id.0 as usize));
        if others.into_iter().any(|one| may_hold(&one.test, text)) {
            return false;
        }
        found.clear();
        if !self.rules.is_empty() {
            self.add(line, span, found);
        }
        found.is_empty()
    }

    #[inline]
    fn add(&self, line: &str, span: &Span, out: &mut Vec<u32>) {
        let text = match span.kind {
            Kind::Null => return,
            Kind::True => "true",
            Kind::False => "false",
            Kind::Text | Kind::Number => line.get(span.inside()).unwrap_or_default(),
            Kind::EscapedText => return self.add_escaped(line.get(span.inside()).unwrap_or_default(), out),
            // Their text is dear, and rules on it are rare.
            Kind::Object | Kind::Array => return out.extend_from_slice(&self.rules),
        };
        if text.is_ascii() { self.add_folded(text.as_bytes(), out) } else { self.add_foreign(text, out) }
    }

    #[cold]
    fn add_escaped(&self, raw: &str, out: &mut Vec<u32>) {
        let mut text = String::new();
        unescape(raw, &mut text);
        self.add_foreign(&text, out);
    }

    /// Folding may change the length of what is not ASCII.
    #[cold]
    fn add_foreign(&self, text: &str, out: &mut Vec<u32>) {
        let folded: String = text.chars().map(fold_char).collect();
        self.add_folded(folded.as_bytes(), out);
    }

    #[inline]
    fn add_folded(&self, text: &[u8], out: &mut Vec<u32>) {
        self.whole.add(text, out);
        for (length, table) in &self.starts {
            if let Some(start) = text.get(..*length) {
                table.add(start, out);
            }
        }
    }
}

impl Table {
    fn new(texts: &BTreeMap<Stamp, BTreeSet<u32>>) -> Table {
        let mut table =
            Table { slots: vec![Slot::default(); (texts.len() * 2).next_power_of_two()], rules: vec![] };
        for (stamp, rules) in texts {
            let start = table.rules.len() as u32;
            table.rules.extend(rules);
            let mask = table.slots.len() - 1;
            let mut at = stamp.hash();
            while table.slots.get(at & mask).is_some_and(|slot| slot.end != 0) {
                at += 1;
            }
            if let Some(slot) = table.slots.get_mut(at & mask) {
                *slot = Slot { stamp: *stamp, start, end: table.rules.len() as u32 };
            }
        }
        table
    }

    #[inline]
    fn add(&self, text: &[u8], out: &mut Vec<u32>) {
        let stamp = Stamp::of(text);
        let mut at = stamp.hash();
        while let Some(slot) = self.slots.get(at & self.slots.len().wrapping_sub(1))
            && slot.end != 0
        {
            if slot.stamp == stamp {
                out.extend_from_slice(
                    self.rules.get(slot.start as usize..slot.end as usize).unwrap_or_default(),
                );
                return;
            }
            at += 1;
        }
    }
}

impl Stamp {
    #[inline]
    fn of(text: &[u8]) -> Stamp {
        let length = text.len() as u32;
        let (head, tail) = match (text.first_chunk(), text.last_chunk()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (0, text.iter().fold(0, |stamp, &byte| (stamp << 8) | u64::from(byte))),
        };
        Stamp { length, head: lower(head), tail: lower(tail) }
    }

    #[inline]
    fn hash(self) -> usize {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = self.head.rotate_left(29) ^ self.tail ^ u64::from(self.length);
        (mixed.wrapping_mul(SPREAD) >> 40) as usize
    }
}

/// Sets the bit that makes capital letters small. Other bytes that differ in it alone become alike, too.
#[inline]
fn lower(bytes: u64) -> u64 {
    bytes | 0x2020_2020_2020_2020
}

/// What a value, folded, has to be for a test to hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Anchor {
    Whole(String),
    Start(String),
    /// What the test says.
    Other(PredicateId),
}

/// The anchor of a predicate of a field that stands in the event.
fn anchor_of(tables: &Tables, id: PredicateId) -> Option<(FieldId, Anchor)> {
    let Predicate { field, test } = tables.predicates.get(id.0 as usize)?;
    let Some(CompiledField::Path { .. }) = tables.field(*field) else { return None };
    let fold = |text: &str| text.chars().map(fold_char).collect();
    let anchor = match test {
        Test::Bool { value, .. } => Anchor::Whole(value.to_string()),
        Test::Text { pattern: Pattern::Equals(text), .. } => Anchor::Whole(fold(text)),
        Test::Text { pattern: Pattern::StartsWith(text), .. } if !text.is_empty() => {
            Anchor::Start(fold(text))
        }
        Test::Text { pattern: Pattern::Wildcard(pieces), .. } => match pieces.first() {
            Some(Piece::Literal(text)) if !text.is_empty() => Anchor::Start(fold(text)),
            _ => Anchor::Other(id),
        },
        // Null holds of an absent field; the others follow from more than the field.
        Test::Null | Test::FieldRef { .. } | Test::Members { .. } => return None,
        _ => Anchor::Other(id),
    };
    Some((*field, anchor))
}

/// Whether a test may hold of a string, told by what every match of a regular expression contains.
fn may_hold(test: &Test, text: &str) -> bool {
    match test {
        Test::Regex { literal, .. } => contains(text, literal),
        _ => true,
    }
}

/// How many values rules ask of each field: the more, the fewer rules an event's value names.
struct Spread<'t> {
    tables: &'t Tables,
    values: BTreeMap<FieldId, usize>,
}

impl<'t> Spread<'t> {
    fn of(tables: &'t Tables) -> Spread<'t> {
        let mut values = BTreeMap::new();
        for id in (0..tables.predicates.len()).map(|id| PredicateId(id as u32)) {
            if let Some((field, _)) = anchor_of(tables, id) {
                *values.entry(field).or_default() += 1;
            }
        }
        Spread { tables, values }
    }

    /// Predicates of which one has to hold where the condition does; none if there are no such ones.
    fn anchors(&self, condition: &Condition) -> Option<Vec<PredicateId>> {
        match condition {
            Condition::Constant(true) | Condition::Not(_) => None,
            Condition::Constant(false) => Some(Vec::new()),
            Condition::Holds(predicate) => anchor_of(self.tables, *predicate).map(|_| vec![*predicate]),
            Condition::Any(any) => self.of_every(any),
            Condition::AtLeast(0, _) => None,
            Condition::AtLeast(count, of) if *count as usize == of.len() => self.best(of),
            Condition::AtLeast(_, of) => self.of_every(of),
            Condition::All(all) => self.best(all),
        }
    }

    fn of_every(&self, conditions: &[Condition]) -> Option<Vec<PredicateId>> {
        let all = conditions.iter().map(|one| self.anchors(one)).collect::<Option<Vec<_>>>()?;
        Some(all.concat())
    }

    /// The anchors of the condition that the fewest events are expected to meet.
    fn best(&self, conditions: &[Condition]) -> Option<Vec<PredicateId>> {
        let anchors = conditions.iter().filter_map(|one| self.anchors(one));
        anchors.min_by(|one, other| self.share(one).total_cmp(&self.share(other)))
    }

    /// Which part of a field's values the anchors are, summed over fields. What is asked is dearer.
    fn share(&self, anchors: &[PredicateId]) -> f64 {
        let share = |(field, anchor): (FieldId, Anchor)| {
            let dearer = if matches!(anchor, Anchor::Other(_)) { 4.0 } else { 1.0 };
            dearer / self.values.get(&field).map_or(1.0, |count| *count as f64)
        };
        anchors.iter().filter_map(|id| anchor_of(self.tables, *id)).map(share).sum()
    }
}
