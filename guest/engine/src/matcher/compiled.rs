//! The plan laid out for matching.

use super::index::{Index, Place};
use super::sought::{Hop, Sought, index_of};
use crate::scan::{NodeId, PathTrie, Root};
use regex_automata::dfa::sparse;
use tripwasm_plan::{
    Calculation, Condition, Field, FieldId, FieldSource, Logic, Plan, Predicate, PredicateId, Scope, Test,
};

/// Why a plan cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileError {
    /// A reference points outside the plan, or a calculated field reads one that stands after it.
    Reference(&'static str),
    /// The bytes of a regular expression are no DFA of this engine.
    Regex(u32),
    /// Conditions and calculations are nested deeper than [`crate::limits::RULE_DEPTH_MAX`].
    Depth,
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
            CompileError::Depth => {
                let most = crate::limits::RULE_DEPTH_MAX;
                write!(f, "plan nests conditions and calculations deeper than {most} levels: split the rule")
            }
        }
    }
}

impl core::error::Error for CompileError {}

/// Fields as places in tries, tests with their automata.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) trie: PathTrie,
    pub(super) tables: Tables,
    pub(super) index: Index,
    pub(super) scopes: Vec<CompiledScope>,
    pub(super) time: Vec<FieldId>,
    pub(super) event_id: Vec<FieldId>,
}

/// A regular expression, ready to search.
pub(super) type Automaton = sparse::DFA<Vec<u8>>;

/// What conditions refer to.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    pub(super) fields: Vec<CompiledField>,
    pub(super) predicates: Vec<Predicate>,
    /// Of the predicates that are regular expressions, in order.
    dfas: Vec<(PredicateId, Automaton)>,
    /// How many of the fields are calculated, and how many are sought.
    pub(super) calculated: usize,
    pub(super) sought: usize,
}

/// A condition over a member of an array.
#[derive(Debug, Clone)]
pub(super) struct CompiledScope {
    pub(super) trie: PathTrie,
    pub(super) tables: Tables,
    pub(super) condition: Condition,
}

/// Where a field's values are.
#[derive(Debug, Clone)]
pub(super) enum CompiledField {
    /// In the event; the literal place wins if it is present.
    Path { walk: NodeId, literal: NodeId },
    /// Made from other fields; `slot` is its number among such fields.
    Calculated { slot: usize, calculation: Calculation },
    /// Found by another pass, once a rule asks; `slot` is its number among such fields.
    Sought { slot: usize, sought: Sought },
}

/// The next free numbers of fields that have values of their own.
#[derive(Debug, Clone, Copy)]
struct Slots {
    calculated: usize,
    sought: usize,
}

impl Compiled {
    /// Takes fields, predicates and scopes out of the plan.
    pub(crate) fn new(plan: &mut Plan) -> Result<Compiled, CompileError> {
        let mut trie = PathTrie::new(Root::Event);
        let predicates = core::mem::take(&mut plan.predicates);
        let tables = Tables::new(&mut trie, &plan.fields, predicates, compile_field)?;
        let scopes = core::mem::take(&mut plan.scopes).into_iter().map(compile_scope);
        let conditions = (0..).zip(&plan.rules).filter_map(|(number, rule)| match &rule.logic {
            Logic::Detection(condition) => Some((number, condition)),
            Logic::Correlation(_) => None,
        });
        Ok(Compiled {
            trie,
            index: Index::new(&tables, conditions),
            tables,
            scopes: scopes.collect::<Result<_, _>>()?,
            time: plan.time.clone(),
            event_id: plan.event_id.clone(),
        })
    }
}

impl Tables {
    fn new(
        trie: &mut PathTrie,
        fields: &[Field],
        mut predicates: Vec<Predicate>,
        compile: impl Fn(&mut PathTrie, &FieldSource, Slots) -> CompiledField,
    ) -> Result<Tables, CompileError> {
        let mut next = Slots { calculated: 0, sought: 0 };
        let field = |field: &Field| {
            let field = compile(trie, &field.source, next);
            next.calculated += usize::from(matches!(field, CompiledField::Calculated { .. }));
            next.sought += usize::from(matches!(field, CompiledField::Sought { .. }));
            field
        };
        let fields = fields.iter().map(field).collect();
        let dfas = (0..).map(PredicateId).zip(&mut predicates).filter_map(compile_regex);
        let dfas = dfas.collect::<Result<_, _>>()?;
        let Slots { calculated, sought } = next;
        Ok(Tables { fields, predicates, dfas, calculated, sought })
    }

    /// Where a field stands in the event, unless it is made or looked for.
    #[inline]
    pub(super) fn place(&self, field: FieldId) -> Option<Place> {
        match self.field(field)? {
            CompiledField::Path { walk, literal } => Some(Place { walk: *walk, literal: *literal }),
            CompiledField::Calculated { .. } | CompiledField::Sought { .. } => None,
        }
    }

    /// The automaton of a regular expression.
    pub(super) fn dfa(&self, id: PredicateId) -> Option<&Automaton> {
        let at = self.dfas.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.dfas.get(at).map(|(_, dfa)| dfa)
    }

    #[inline]
    pub(super) fn field(&self, field: FieldId) -> Option<&CompiledField> {
        self.fields.get(field.0 as usize)
    }
}

fn compile_scope(scope: Scope) -> Result<CompiledScope, CompileError> {
    let Scope { fields, predicates, condition } = scope;
    let mut trie = PathTrie::new(Root::Value);
    let compile = |trie: &mut PathTrie, source: &FieldSource, next| match source {
        FieldSource::Path(path) if path.is_empty() => {
            CompiledField::Path { walk: trie.root(), literal: trie.root() }
        }
        source => compile_field(trie, source, next),
    };
    let tables = Tables::new(&mut trie, &fields, predicates, compile)?;
    Ok(CompiledScope { trie, tables, condition })
}

fn compile_field(trie: &mut PathTrie, source: &FieldSource, next: Slots) -> CompiledField {
    match source {
        FieldSource::Path(path) if path.split('.').any(|part| index_of(part).is_some()) => {
            CompiledField::Sought { slot: next.sought, sought: compile_indexed(trie, path) }
        }
        FieldSource::Path(path) => {
            CompiledField::Path { walk: trie.insert_walk(path), literal: trie.insert_literal(path) }
        }
        FieldSource::Calculated(calculation) => {
            CompiledField::Calculated { slot: next.calculated, calculation: calculation.clone() }
        }
        FieldSource::Leaves => CompiledField::Sought { slot: next.sought, sought: Sought::Leaves },
    }
}

/// A path with indices: each begins a walk of its own inside the element.
fn compile_indexed(trie: &mut PathTrie, path: &str) -> Sought {
    let mut hops: Vec<Hop> = Vec::new();
    let mut place = trie.root();
    for part in path.split('.') {
        let trie = hops.last_mut().map_or(&mut *trie, |hop| &mut hop.trie);
        match index_of(part) {
            None => place = trie.insert(place, part),
            Some((key, index)) => {
                let array = trie.insert(place, key);
                let trie = PathTrie::new(Root::Value);
                place = trie.root();
                hops.push(Hop { array, index, trie });
            }
        }
    }
    Sought::Indexed { hops, end: place }
}

/// Takes the automaton's bytes out of the predicate: nobody reads them there any more.
fn compile_regex(
    (id, predicate): (PredicateId, &mut Predicate),
) -> Option<Result<(PredicateId, Automaton), CompileError>> {
    let Test::Regex { dfa, .. } = &mut predicate.test else { return None };
    let bytes = core::mem::take(dfa);
    let read = sparse::DFA::from_bytes(&bytes).map_err(|_| CompileError::Regex(id.0));
    Some(read.map(|(dfa, _)| (id, dfa.to_owned())))
}
