//! The plan laid out for matching.

use crate::scan::PathTrie;
use regex_automata::dfa::sparse;
use tripwasm_plan::{Calculation, FieldId, FieldSource, Plan, Predicate, Test};

/// Why a plan cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileError {
    /// A reference points outside the plan, or a calculated field reads one that stands after it.
    Reference(&'static str),
    /// The bytes of a regular expression are no DFA of this engine.
    Regex(u32),
}

impl core::fmt::Display for CompileError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            CompileError::Reference(what) => {
                write!(f, "plan refers to a {what} it does not hold: build again")
            }
            CompileError::Regex(predicate) => {
                write!(f, "regular expression of predicate {predicate} is unreadable: build again")
            }
        }
    }
}

impl core::error::Error for CompileError {}

/// Fields as places in a trie, tests with their automata.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) trie: PathTrie,
    pub(crate) fields: Vec<CompiledField>,
    pub(crate) predicates: Vec<Predicate>,
    /// Parallel to `predicates`.
    pub(crate) dfas: Vec<Option<sparse::DFA<Vec<u8>>>>,
    pub(crate) time: Vec<FieldId>,
    pub(crate) event_id: Vec<FieldId>,
}

/// Where a field's values are.
#[derive(Debug, Clone)]
pub(crate) enum CompiledField {
    /// In the event; the literal place wins if it is present.
    Path { walk: u32, literal: u32 },
    /// Made from other fields.
    Calculated(Calculation),
    /// Every scalar of the event.
    Leaves,
}

impl Compiled {
    /// Takes fields and predicates out of the plan.
    pub(crate) fn new(plan: &mut Plan) -> Result<Compiled, CompileError> {
        super::calculate::check_references(plan)?;
        let mut trie = PathTrie::new();
        let fields = plan.fields.iter().map(|field| compile_field(&mut trie, &field.source)).collect();
        let predicates = core::mem::take(&mut plan.predicates);
        let dfas = predicates.iter().enumerate().map(compile_regex).collect::<Result<_, _>>()?;
        Ok(Compiled {
            trie,
            fields,
            predicates,
            dfas,
            time: plan.time.clone(),
            event_id: plan.event_id.clone(),
        })
    }

    pub(crate) fn field(&self, field: FieldId) -> Option<&CompiledField> {
        self.fields.get(field.0 as usize)
    }
}

fn compile_field(trie: &mut PathTrie, source: &FieldSource) -> CompiledField {
    match source {
        FieldSource::Path(path) => {
            CompiledField::Path { walk: trie.insert_walk(path), literal: trie.insert_literal(path) }
        }
        FieldSource::Calculated(calculation) => CompiledField::Calculated(calculation.clone()),
        FieldSource::Leaves => CompiledField::Leaves,
    }
}

fn compile_regex(
    (index, predicate): (usize, &Predicate),
) -> Result<Option<sparse::DFA<Vec<u8>>>, CompileError> {
    let Test::Regex { dfa } = &predicate.test else { return Ok(None) };
    let (dfa, _) = sparse::DFA::from_bytes(dfa).map_err(|_| CompileError::Regex(index as u32))?;
    Ok(Some(dfa.to_owned()))
}
