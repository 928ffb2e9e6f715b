//! The modifiers in a selection's key, and which of them go together.

use super::{regex::RegexFlags, text::Rewrite};
use crate::{diagnostic::Notes, source::Span, spelling::suggestion};
use rsigma_parser::Modifier;
use tripwasm_plan::{CaseRule, Operator, Reference, TimePart};

const NAMES: [&str; 33] = [
    "all",
    "base64",
    "base64offset",
    "cased",
    "cidr",
    "contains",
    "day",
    "dotall",
    "endswith",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "hour",
    "i",
    "ignorecase",
    "lt",
    "lte",
    "m",
    "minute",
    "month",
    "multiline",
    "neq",
    "re",
    "s",
    "startswith",
    "utf16",
    "utf16be",
    "utf16le",
    "week",
    "wide",
    "windash",
];

/// What the key of a selection asks of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldTest {
    pub(crate) field: String,
    /// The part of the field's time that is compared, in place of the field.
    pub(crate) part: Option<TimePart>,
    pub(crate) comparison: Comparison,
    /// Rewritings of string values, in the order of the key.
    pub(crate) rewrites: Vec<Rewrite>,
    pub(crate) case: CaseRule,
    pub(crate) link: Link,
    pub(crate) polarity: Polarity,
    pub(crate) placeholders: Placeholders,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equality,
    Regex(RegexFlags),
    Network,
    Exists,
    Order(Operator),
    FieldRef(Reference),
}

/// How several values go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Any,
    All,
}

/// Whether the values are to fit or, with `neq`, not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polarity {
    Fits,
    Differs,
}

/// Whether `%name%` is a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placeholders {
    Literal,
    Expanded,
}

impl FieldTest {
    /// Equality with the values of a field.
    pub(crate) fn plain(field: &str) -> FieldTest {
        FieldTest {
            field: field.to_owned(),
            part: None,
            comparison: Comparison::Equality,
            rewrites: Vec::new(),
            case: CaseRule::Fold,
            link: Link::Any,
            polarity: Polarity::Fits,
            placeholders: Placeholders::Literal,
        }
    }

    /// Reads the modifiers of a key such as `eventName|contains|all`; the field before them is read already.
    pub(crate) fn read(field: String, key: &str, span: Span, notes: &mut Notes<'_>) -> Option<FieldTest> {
        let mut test = FieldTest { field, ..FieldTest::plain("") };
        let mut seen: Vec<Modifier> = Vec::new();
        for word in key.split('|').skip(1) {
            let place = notes.source().word(span, word, 0);
            let Ok(modifier) = word.parse::<Modifier>() else {
                unknown(word, place, notes);
                return None;
            };
            if seen.contains(&modifier) {
                notes.error(place, format!("modifier `{word}` stands twice"), "remove one of them");
                return None;
            }
            if let Err(why) = test.apply(modifier) {
                notes.error(place, format!("modifier `{word}` cannot stand here: {why}"), "remove it");
                return None;
            }
            seen.push(modifier);
        }
        test.finish(span, notes)
    }

    /// Whether `contains`, `startswith` or `endswith` says where a text stands.
    pub(crate) fn is_positioned(&self) -> bool {
        self.rewrites.iter().any(|&rewrite| position(rewrite).is_some())
    }

    fn apply(&mut self, modifier: Modifier) -> Result<(), &'static str> {
        match modifier {
            Modifier::Contains => self.rewrites.push(Rewrite::Contains),
            Modifier::StartsWith => self.rewrites.push(Rewrite::StartsWith),
            Modifier::EndsWith => self.rewrites.push(Rewrite::EndsWith),
            Modifier::Base64 => self.rewrites.push(Rewrite::Base64),
            Modifier::Base64Offset => self.rewrites.push(Rewrite::Base64Offset),
            Modifier::Wide => self.rewrites.push(Rewrite::Utf16Le),
            Modifier::Utf16be => self.rewrites.push(Rewrite::Utf16Be),
            Modifier::Utf16 => self.rewrites.push(Rewrite::Utf16),
            Modifier::WindAsh => self.rewrites.push(Rewrite::Windash),
            Modifier::All => self.link = Link::All,
            Modifier::Cased => self.case = CaseRule::Exact,
            Modifier::Neq => self.polarity = Polarity::Differs,
            Modifier::Expand => self.placeholders = Placeholders::Expanded,
            Modifier::Re => return self.compare(Comparison::Regex(RegexFlags::default())),
            Modifier::Cidr => return self.compare(Comparison::Network),
            Modifier::Exists => return self.compare(Comparison::Exists),
            Modifier::FieldRef => return self.compare(Comparison::FieldRef(Reference::Equals)),
            Modifier::Gt => return self.compare(Comparison::Order(Operator::Gt)),
            Modifier::Gte => return self.compare(Comparison::Order(Operator::Gte)),
            Modifier::Lt => return self.compare(Comparison::Order(Operator::Lt)),
            Modifier::Lte => return self.compare(Comparison::Order(Operator::Lte)),
            Modifier::IgnoreCase => return self.flag(|flags| flags.ignore_case = true),
            Modifier::Multiline => return self.flag(|flags| flags.multi_line = true),
            Modifier::DotAll => return self.flag(|flags| flags.dot_all = true),
            Modifier::Minute => return self.time_part(TimePart::Minute),
            Modifier::Hour => return self.time_part(TimePart::Hour),
            Modifier::Day => return self.time_part(TimePart::Day),
            Modifier::Week => return self.time_part(TimePart::Week),
            Modifier::Month => return self.time_part(TimePart::Month),
            Modifier::Year => return self.time_part(TimePart::Year),
        }
        Ok(())
    }

    fn compare(&mut self, comparison: Comparison) -> Result<(), &'static str> {
        if self.comparison != Comparison::Equality {
            return Err("one modifier says already how to compare");
        }
        self.comparison = comparison;
        Ok(())
    }

    fn time_part(&mut self, part: TimePart) -> Result<(), &'static str> {
        match self.part.replace(part) {
            None => Ok(()),
            Some(_) => Err("one part of the time is named already"),
        }
    }

    fn flag(&mut self, set: fn(&mut RegexFlags)) -> Result<(), &'static str> {
        match &mut self.comparison {
            Comparison::Regex(flags) => {
                set(flags);
                Ok(())
            }
            _ => Err("it belongs behind `re`"),
        }
    }

    fn compares_numbers(&self) -> bool {
        matches!(self.comparison, Comparison::Equality | Comparison::Order(_))
            && self.rewrites.is_empty()
            && self.case == CaseRule::Fold
            && self.link == Link::Any
    }

    /// Refuses what goes not together, whatever the order.
    fn finish(mut self, span: Span, notes: &mut Notes<'_>) -> Option<FieldTest> {
        let positions = self.rewrites.iter().filter_map(|rewrite| position(*rewrite)).collect::<Vec<_>>();
        let problem = match self.comparison {
            _ if positions.len() > 1 => Some("`contains`, `startswith` and `endswith` exclude each other"),
            _ if self.part.is_some() && !self.compares_numbers() => {
                Some("a part of a time is a number, which goes with `lt`, `lte`, `gt`, `gte` and `neq`")
            }
            Comparison::Equality => None,
            Comparison::FieldRef(_) if self.rewrites.len() > positions.len() => {
                Some("the value of another field cannot be encoded")
            }
            Comparison::FieldRef(_) => {
                if let [reference] = positions.as_slice() {
                    self.comparison = Comparison::FieldRef(*reference);
                }
                self.rewrites.clear();
                None
            }
            _ if !self.rewrites.is_empty() => {
                Some("modifiers of strings fit neither `re` nor numbers nor networks")
            }
            _ if self.case == CaseRule::Exact => Some("`cased` is about strings"),
            Comparison::Exists if self.link == Link::All || self.polarity == Polarity::Differs => {
                Some("`exists` stands alone")
            }
            Comparison::Order(_) if self.link == Link::All || self.polarity == Polarity::Differs => {
                Some("`lt`, `lte`, `gt`, `gte` stand alone")
            }
            _ => None,
        };
        let expanded = self.placeholders == Placeholders::Expanded;
        let problem = problem.or(match self.comparison {
            _ if self.polarity == Polarity::Differs && self.link == Link::All => {
                Some("`neq` already asks the field to differ from every value")
            }
            Comparison::Exists | Comparison::Order(_) | Comparison::FieldRef(_) if expanded => {
                Some("`expand` fills in texts")
            }
            _ => None,
        });
        if let Some(problem) = problem {
            notes.error(span, format!("modifiers that do not go together: {problem}"), "remove one of them");
            return None;
        }
        Some(self)
    }
}

fn position(rewrite: Rewrite) -> Option<Reference> {
    match rewrite {
        Rewrite::Contains => Some(Reference::Contains),
        Rewrite::StartsWith => Some(Reference::StartsWith),
        Rewrite::EndsWith => Some(Reference::EndsWith),
        _ => None,
    }
}

fn unknown(word: &str, place: Span, notes: &mut Notes<'_>) {
    let remedy = match word {
        "not" => "negate in the condition (`selection and not filter`), or use `neq`".to_owned(),
        _ => suggestion(word, &NAMES),
    };
    notes.error(place, format!("unknown modifier `{word}`"), remedy);
}
