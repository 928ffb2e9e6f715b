//! Sigma rules as one VRL program over a decoded event: every field is folded once, then one `if` a rule.
//!
//! Said is what the compared rules need: equality, wildcards, `contains`, `startswith`, `endswith`, `re`, `cidr`, `all`,
//! `fieldref`, null. Arrays are asked as a whole, not member by member.

use anyhow::{Context as _, Result, bail, ensure};
use rsigma_parser::value::{SpecialChar, StringPart};
use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SelectorPattern, SigmaRule,
    SigmaValue,
};
use std::fmt::Write as _;

/// Fields that rules read, each with a variable that holds its text in lower case.
#[derive(Default)]
struct Fields {
    paths: Vec<String>,
}

impl Fields {
    fn folded(&mut self, path: &str) -> String {
        let at = self.paths.iter().position(|known| known == path).unwrap_or_else(|| {
            self.paths.push(path.to_owned());
            self.paths.len() - 1
        });
        format!("f{at}")
    }
}

/// The program of these rules; the tag of a rule is its number.
pub(crate) fn program(rules: &[SigmaRule]) -> Result<String> {
    let mut fields = Fields::default();
    let mut asked = String::new();
    for (number, rule) in rules.iter().enumerate() {
        let conditions = rule.detection.conditions.iter();
        let all: Result<Vec<String>> =
            conditions.map(|condition| said(condition, &rule.detection, &mut fields)).collect();
        let condition = all.with_context(|| rule.title.clone())?.join(" || ");
        let _ = writeln!(asked, "if {condition} {{ tags = push(tags, {number}) }}");
    }
    let mut program = String::new();
    if rules.is_empty() {
        return Ok(".".to_owned());
    }
    for (at, path) in fields.paths.iter().enumerate() {
        let _ = writeln!(program, "f{at} = downcase(to_string(.{path}) ?? \"\")");
    }
    program.push_str("tags = []\n");
    program.push_str(&asked);
    program.push_str("if length(tags) > 0 { .tripwasm = tags }\n");
    Ok(program)
}

fn said(condition: &ConditionExpr, rule: &Detections, fields: &mut Fields) -> Result<String> {
    Ok(match condition {
        ConditionExpr::And(all) => joined(all.iter().map(|part| said(part, rule, fields)), " && ")?,
        ConditionExpr::Or(any) => joined(any.iter().map(|part| said(part, rule, fields)), " || ")?,
        ConditionExpr::Not(inner) => format!("!({})", said(inner, rule, fields)?),
        ConditionExpr::Identifier(name) => {
            detection(rule.named.get(name).with_context(|| format!("no selection {name}"))?, fields)?
        }
        ConditionExpr::Selector { quantifier, pattern } => {
            let word = match quantifier {
                Quantifier::Any | Quantifier::Count(1) => " || ",
                Quantifier::All => " && ",
                Quantifier::Count(_) => bail!("a count of selections"),
            };
            let start = match pattern {
                SelectorPattern::Them => "",
                SelectorPattern::Pattern(pattern) => pattern.trim_end_matches('*'),
            };
            let mut names: Vec<&String> = rule.named.keys().filter(|name| name.starts_with(start)).collect();
            names.sort();
            joined(names.iter().map(|name| detection(&rule.named[*name], fields)), word)?
        }
    })
}

fn detection(detection: &Detection, fields: &mut Fields) -> Result<String> {
    match detection {
        Detection::AllOf(items) => joined(items.iter().map(|asked| item(asked, fields)), " && "),
        Detection::AnyOf(any) => joined(any.iter().map(|one| self::detection(one, fields)), " || "),
        _ => bail!("keywords or members of arrays"),
    }
}

fn item(item: &DetectionItem, fields: &mut Fields) -> Result<String> {
    let path = item.field.name.as_deref().context("keywords")?;
    let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
    ensure!(is_plain, "the field {path}");
    let word = if item.field.has_modifier(Modifier::All) { " && " } else { " || " };
    joined(item.values.iter().map(|asked| value(path, &item.field.modifiers, asked, fields)), word)
}

fn value(path: &str, modifiers: &[Modifier], value: &SigmaValue, fields: &mut Fields) -> Result<String> {
    let has = |modifier: Modifier| modifiers.contains(&modifier);
    let text = match value {
        SigmaValue::Null => return Ok(format!(".{path} == null")),
        SigmaValue::Bool(value) => {
            return Ok(format!("(.{path} == {value} || {} == \"{value}\")", fields.folded(path)));
        }
        SigmaValue::Integer(number) => return Ok(format!("{} == \"{number}\"", fields.folded(path))),
        SigmaValue::Float(_) => bail!("a fraction"),
        SigmaValue::String(text) => text,
    };
    let folded = fields.folded(path);
    if has(Modifier::FieldRef) {
        let other = fields.folded(&text.original);
        return Ok(format!("({folded} != \"\" && {folded} == {other})"));
    }
    if has(Modifier::Re) {
        return Ok(format!("match(to_string(.{path}) ?? \"\", r'{}')", text.original.replace('\'', "\\'")));
    }
    if has(Modifier::Cidr) {
        return Ok(format!("(ip_cidr_contains({:?}, to_string(.{path}) ?? \"\") ?? false)", text.original));
    }
    let mut parts = text.parts.clone();
    let any = || StringPart::Special(SpecialChar::WildcardMulti);
    if has(Modifier::Contains) || has(Modifier::EndsWith) {
        parts.insert(0, any());
    }
    if has(Modifier::Contains) || has(Modifier::StartsWith) {
        parts.push(any());
    }
    wildcards(path, &folded, &parts)
}

/// The simplest way to say a text with wildcards.
fn wildcards(path: &str, folded: &str, parts: &[StringPart]) -> Result<String> {
    let is_any = |part: &StringPart| matches!(part, StringPart::Special(SpecialChar::WildcardMulti));
    if parts.iter().all(is_any) {
        return Ok(if parts.is_empty() {
            format!(".{path} == \"\"")
        } else {
            format!("(exists(.{path}) && .{path} != null)")
        });
    }
    let begin = parts.iter().position(|part| !is_any(part)).unwrap_or(0);
    let end = parts.iter().rposition(|part| !is_any(part)).map_or(0, |at| at + 1);
    let (open, closed) = (begin > 0, end < parts.len());
    if let [StringPart::Plain(text)] = &parts[begin..end] {
        let text = text.to_lowercase();
        return Ok(match (open, closed) {
            (false, false) => format!("{folded} == {text:?}"),
            (false, true) => format!("starts_with({folded}, {text:?})"),
            (true, false) => format!("ends_with({folded}, {text:?})"),
            (true, true) => format!("contains({folded}, {text:?})"),
        });
    }
    let mut pattern = String::from("^");
    for part in parts {
        match part {
            StringPart::Plain(text) => text.chars().for_each(|c| push_escaped(c, &mut pattern)),
            StringPart::Special(SpecialChar::WildcardMulti) => pattern.push_str(".*"),
            StringPart::Special(SpecialChar::WildcardSingle) => pattern.push('.'),
        }
    }
    Ok(format!("match(to_string(.{path}) ?? \"\", r'(?is){pattern}$')"))
}

fn push_escaped(c: char, pattern: &mut String) {
    if !c.is_alphanumeric() && c.is_ascii() {
        pattern.push('\\');
    }
    pattern.push(c);
}

fn joined(parts: impl Iterator<Item = Result<String>>, word: &str) -> Result<String> {
    let parts: Vec<String> = parts.collect::<Result<_>>()?;
    ensure!(!parts.is_empty(), "nothing is asked");
    Ok(format!("({})", parts.join(word)))
}
