//! Boolean logic over selections, and its text in a Sigma condition.

use crate::yaml::{Entry, Map, Node, Value, json};

/// Parts of one expression after `OnlyOne` is written out.
pub(super) const PARTS_MAX: usize = 1000;

/// What has to hold of an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Logic {
    Constant(bool),
    /// A Sigma selection: a map, or a list of maps any of which fits.
    Selection(Node),
    Not(Box<Logic>),
    All(Vec<Logic>),
    Any(Vec<Logic>),
}

impl Logic {
    /// The negation; twice is none.
    pub(super) fn negated(self) -> Logic {
        match self {
            Logic::Constant(value) => Logic::Constant(!value),
            Logic::Not(part) => *part,
            other => Logic::Not(Box::new(other)),
        }
    }

    /// All of them, without what goes without saying.
    pub(super) fn all(parts: Vec<Logic>) -> Logic {
        let mut kept: Vec<Logic> = Vec::new();
        for part in parts {
            match part {
                Logic::Constant(false) => return Logic::Constant(false),
                Logic::Constant(true) => {}
                Logic::All(inner) => inner.into_iter().for_each(|part| join(&mut kept, part)),
                part => join(&mut kept, part),
            }
        }
        match kept.pop() {
            None => Logic::Constant(true),
            Some(only) if kept.is_empty() => only,
            Some(last) => {
                kept.push(last);
                Logic::All(kept)
            }
        }
    }

    /// Any of them.
    pub(super) fn any(parts: Vec<Logic>) -> Logic {
        let mut kept: Vec<Logic> = Vec::new();
        for part in parts {
            match part {
                Logic::Constant(true) => return Logic::Constant(true),
                Logic::Constant(false) => {}
                Logic::Any(inner) => kept.extend(inner),
                part => kept.push(part),
            }
        }
        match kept.pop() {
            None => Logic::Constant(false),
            Some(only) if kept.is_empty() => only,
            Some(last) => {
                kept.push(last);
                Logic::Any(kept)
            }
        }
    }

    /// Exactly one of them; `None` if that is too much to write out.
    pub(super) fn only_one(parts: &[Logic]) -> Option<Logic> {
        let size: usize = parts.iter().map(Logic::size).sum();
        if size.saturating_mul(parts.len()) > PARTS_MAX {
            return None;
        }
        let alone = |at: usize| {
            let parts = parts.iter().enumerate();
            Logic::all(
                parts
                    .map(|(other, part)| if other == at { part.clone() } else { part.clone().negated() })
                    .collect(),
            )
        };
        Some(Logic::any((0..parts.len()).map(alone).collect()))
    }

    pub(super) fn size(&self) -> usize {
        match self {
            Logic::Constant(_) | Logic::Selection(_) => 1,
            Logic::Not(part) => 1 + part.size(),
            Logic::All(parts) | Logic::Any(parts) => 1 + parts.iter().map(Logic::size).sum::<usize>(),
        }
    }
}

/// Adds a part to a conjunction: maps about different fields form one selection.
fn join(kept: &mut Vec<Logic>, part: Logic) {
    if let Logic::Selection(Node { value: Value::Map(added), .. }) = &part {
        let fits = |map: &Map| added.entries.iter().all(|entry| map.get(&entry.key).is_none());
        let home = kept.iter_mut().find_map(|known| match known {
            Logic::Selection(Node { value: Value::Map(map), .. }) if fits(map) => Some(map),
            _ => None,
        });
        if let Some(home) = home {
            home.entries.extend(added.entries.iter().cloned());
            return;
        }
    }
    kept.push(part);
}

/// Selections by name, equal ones once, and the condition over them.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) selections: Vec<Entry>,
}

impl Named {
    /// The condition's text; selections are added as they are met.
    pub(super) fn condition(&mut self, logic: &Logic) -> String {
        match logic {
            Logic::All(parts) => self.joined(parts, " and "),
            Logic::Any(parts) => self.joined(parts, " or "),
            other => self.part(other),
        }
    }

    fn joined(&mut self, parts: &[Logic], word: &str) -> String {
        let mut texts: Vec<String> = Vec::new();
        for part in parts {
            let text = self.part(part);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts.join(word)
    }

    fn part(&mut self, logic: &Logic) -> String {
        match logic {
            Logic::Selection(node) => self.name(node),
            Logic::Not(part) => format!("not {}", self.part(part)),
            Logic::All(_) | Logic::Any(_) => format!("({})", self.condition(logic)),
            // Constants vanish wherever parts are joined; one that is left is all there is, and refused.
            Logic::Constant(value) => value.to_string(),
        }
    }

    fn name(&mut self, node: &Node) -> String {
        if let Some(known) = self.selections.iter().find(|known| json(&known.node) == json(node)) {
            return known.key.clone();
        }
        let name = match self.selections.len() {
            0 => "selection".to_owned(),
            count => format!("selection_{}", count + 1),
        };
        self.selections.push(Entry { key: name.clone(), key_span: node.span, node: node.clone() });
        name
    }
}
