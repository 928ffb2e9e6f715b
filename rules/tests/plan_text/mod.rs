//! Rules compiled and written out: what a condition tests, one line.

use tripwasm_plan::{
    CaseRule, Condition, Field, FieldId, FieldSource, Logic, Pattern, Plan, Predicate, Reference, Test, Types,
};
use tripwasm_rules::{Compiled, OnError, SourceFile, compile};

pub(crate) fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

/// What comes of rules that have to build.
pub(crate) fn built(files: &[SourceFile], config: Option<&SourceFile>, mode: OnError) -> Compiled {
    let compiled = compile(files, &[], config, mode);
    let shown: Vec<String> = compiled.diagnostics.iter().map(ToString::to_string).collect();
    assert!(compiled.plan.is_some(), "{}", shown.join("\n"));
    compiled
}

pub(crate) fn plan(text: &str) -> Plan {
    built(&[file("rule.yml", text)], None, OnError::Refuse).plan.unwrap()
}

/// The condition of a rule with this selection.
pub(crate) fn selection(selection: &str) -> String {
    let text = format!("title: T\ndetection:\n  selection: {selection}\n  condition: selection\n");
    shown(&plan(&text), 0)
}

/// The condition of a detection, predicates written out as `field test`.
pub(crate) fn shown(plan: &Plan, rule: usize) -> String {
    let Logic::Detection(condition) = &plan.rules[rule].logic else { panic!("a correlation") };
    let tables = Tables { plan, fields: &plan.fields, predicates: &plan.predicates };
    tables.condition(condition)
}

pub(crate) fn field(plan: &Plan, id: FieldId) -> String {
    Tables { plan, fields: &plan.fields, predicates: &plan.predicates }.field(id)
}

/// Those of the plan, or of a scope in it.
struct Tables<'p> {
    plan: &'p Plan,
    fields: &'p [Field],
    predicates: &'p [Predicate],
}

impl Tables<'_> {
    fn condition(&self, condition: &Condition) -> String {
        let list = |parts: &[Condition]| {
            parts.iter().map(|part| self.condition(part)).collect::<Vec<_>>().join(", ")
        };
        match condition {
            Condition::Constant(value) => value.to_string(),
            Condition::All(parts) => format!("all({})", list(parts)),
            Condition::Any(parts) => format!("any({})", list(parts)),
            Condition::AtLeast(count, parts) => format!("{count} of({})", list(parts)),
            Condition::Not(part) => format!("not({})", self.condition(part)),
            Condition::Holds(id) => {
                let predicate = &self.predicates[id.0 as usize];
                format!("{} {}", self.field(predicate.field), self.test(&predicate.test))
            }
        }
    }

    fn field(&self, id: FieldId) -> String {
        let field = &self.fields[id.0 as usize];
        match &field.source {
            FieldSource::Path(path) if *path == field.name => path.clone(),
            FieldSource::Path(path) if path.is_empty() => field.name.clone(),
            FieldSource::Path(path) => format!("{}@{path}", field.name),
            FieldSource::Calculated(_) => format!("{}()", field.name),
            FieldSource::Leaves => "leaves".to_owned(),
        }
    }

    fn test(&self, test: &Test) -> String {
        let strict = |types: &Types| if *types == Types::Strict { "!" } else { "" };
        let cased = |case: &CaseRule| if *case == CaseRule::Exact { "cased " } else { "" };
        match test {
            Test::Exists => "exists".to_owned(),
            Test::Null => "null".to_owned(),
            Test::Members { quantifier, scope } => {
                let scope = &self.plan.scopes[*scope as usize];
                let inner = Tables { plan: self.plan, fields: &scope.fields, predicates: &scope.predicates };
                format!("{quantifier:?}{{{}}}", inner.condition(&scope.condition))
            }
            Test::Text { pattern, case, types } => {
                format!("{}{}{}", cased(case), pattern_text(pattern), strict(types))
            }
            Test::Bool { value, types } => format!("bool {value}{}", strict(types)),
            Test::Number { value, types } => format!("number {value}{}", strict(types)),
            Test::Compare { operator, bound } => format!("{operator:?} {bound}"),
            Test::Regex { .. } => "regex".to_owned(),
            Test::Cidr(networks) => format!("{networks:?}"),
            Test::FieldRef { other, reference, case } => {
                let relation = match reference {
                    Reference::Equals => "=",
                    Reference::StartsWith => "startswith",
                    Reference::EndsWith => "endswith",
                    Reference::Contains => "contains",
                };
                format!("{}{relation} {}", cased(case), self.field(*other))
            }
        }
    }
}

fn pattern_text(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Anything => "*".to_owned(),
        Pattern::Equals(text) => format!("={text:?}"),
        Pattern::StartsWith(text) => format!("{text:?}*"),
        Pattern::EndsWith(text) => format!("*{text:?}"),
        Pattern::Contains(text) => format!("*{text:?}*"),
        Pattern::Wildcard(pieces) => format!("{pieces:?}"),
    }
}
