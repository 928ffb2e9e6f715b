//! The values that a path has in an event, or in a member of an array.

use super::json::Json;
use tripwasm_plan::{FieldSource, Plan};

/// A part of a path.
#[derive(Debug, PartialEq, Eq)]
struct Step<'p> {
    key: &'p str,
    /// Which element of the array there, counted from the end if negative.
    index: Option<i64>,
}

/// What stands at the end of a dotted path, arrays in one piece: a top-level member whose key is the whole path wins
/// over the walk, unless the path has an index. Empty if there is nothing.
pub(super) fn ends_at<'e>(root: &'e Json, path: &str) -> Vec<&'e Json> {
    let steps = steps(path);
    let has_index = steps.iter().any(|step| step.index.is_some());
    match root.member(path).filter(|_| !has_index) {
        Some(value) => vec![value],
        None => steps.iter().fold(vec![root], |values, step| take(values, step)),
    }
}

/// A value, then, of an array, its elements and theirs.
pub(super) fn with_elements(value: &Json) -> Vec<&Json> {
    let mut all = Vec::new();
    let mut ahead = vec![value];
    while let Some(value) = ahead.pop() {
        all.push(value);
        if let Json::Array(items) = value {
            ahead.extend(items.iter().rev());
        }
    }
    all
}

/// Every scalar but nulls, at any depth, in the order of the text; of members with one key the last alone.
pub(super) fn leaves(event: &Json) -> Vec<&Json> {
    let mut all = Vec::new();
    let mut ahead = vec![event];
    while let Some(value) = ahead.pop() {
        match value {
            Json::Null => {}
            Json::Array(items) => ahead.extend(items.iter().rev()),
            Json::Object(members) => {
                let last_of_key = members
                    .iter()
                    .enumerate()
                    .filter(|(at, (key, _))| !members.iter().skip(at + 1).any(|(other, _)| other == key));
                ahead.extend(last_of_key.rev().map(|(_, (_, value))| value));
            }
            _ => all.push(value),
        }
    }
    all
}

/// Whether an object that the path of some field passes has the path's key more than once. What stands inside an
/// element picked by its index, or inside a member that a scope is about, is not looked at.
pub(super) fn has_duplicate_key(event: &Json, plan: &Plan) -> bool {
    plan.fields.iter().any(|field| match &field.source {
        FieldSource::Path(path) => is_doubled(event, path),
        FieldSource::Calculated(_) | FieldSource::Leaves => false,
    })
}

fn is_doubled(event: &Json, path: &str) -> bool {
    let steps = steps(path);
    let up_to_index = steps.iter().position(|step| step.index.is_some());
    let passed = steps.iter().take(up_to_index.map_or(steps.len(), |at| at + 1));
    let mut reached = vec![event];
    for step in passed {
        let objects: Vec<&Json> = reached.into_iter().flat_map(with_elements).collect();
        if objects.iter().any(|object| repeats(object, step.key)) {
            return true;
        }
        reached = objects.into_iter().filter_map(|object| object.member(step.key)).collect();
    }
    up_to_index.is_none() && repeats(event, path)
}

fn steps(path: &str) -> Vec<Step<'_>> {
    path.split('.').map(|part| indexed(part).unwrap_or(Step { key: part, index: None })).collect()
}

/// `name[2]` or `name[-1]`.
fn indexed(part: &str) -> Option<Step<'_>> {
    let (key, index) = part.strip_suffix(']')?.rsplit_once('[')?;
    Some(Step { key, index: Some(index.parse().ok()?) }).filter(|step| !step.key.is_empty())
}

/// One step on, arrays on the way taken element by element.
fn take<'e>(values: Vec<&'e Json>, step: &Step<'_>) -> Vec<&'e Json> {
    let members = values.into_iter().flat_map(with_elements).filter_map(|value| value.member(step.key));
    match step.index {
        None => members.collect(),
        Some(index) => members.filter_map(|value| element(value, index)).collect(),
    }
}

fn element(value: &Json, index: i64) -> Option<&Json> {
    let Json::Array(items) = value else { return None };
    let place = usize::try_from(index.unsigned_abs()).ok()?;
    if index < 0 { items.get(items.len().checked_sub(place)?) } else { items.get(place) }
}

fn repeats(object: &Json, key: &str) -> bool {
    match object {
        Json::Object(members) => members.iter().filter(|(name, _)| name == key).count() > 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;
    use tripwasm_plan::{Field, Settings};

    fn texts<'e>(values: impl IntoIterator<Item = &'e Json>) -> Vec<String> {
        values.into_iter().map(|value| value.text().map_or("-".into(), Into::into)).collect()
    }

    #[test]
    fn a_path_finds_every_value() {
        let cases: &[(&str, &str, &[&str])] = &[
            (r#"{"a":{"b":1}}"#, "a.b", &["1"]),
            (r#"{"a.b":2,"a":{"b":1}}"#, "a.b", &["2"]),
            (r#"{"a.b":null,"a":{"b":1}}"#, "a.b", &["-"]),
            (r#"{"x":{"a.b":2}}"#, "x.a.b", &[]),
            (r#"{"a":[{"b":1},{"c":0},[{"b":[2,[3]]}],7]}"#, "a.b", &["1", "[2,[3]]", "2", "[3]", "3"]),
            (r#"{"a":[]}"#, "a", &["[]"]),
            (r#"{"a":[]}"#, "a.b", &[]),
            (r#"{"a":null}"#, "a", &["-"]),
            (r#"{"a":null}"#, "a.b", &[]),
            (r#"{"a":{"b":1}}"#, "a", &[r#"{"b":1}"#]),
            (r#"{"a":{"b":1},"a":{"c":1}}"#, "a.b", &[]),
            (r#"{"a":{"":{"b":1}}}"#, "a..b", &["1"]),
            (r#"{"A":1}"#, "a", &[]),
        ];
        check(cases);
    }

    #[test]
    fn an_index_picks_one_element_of_an_array() {
        let three = r#"{"a":[1,[2,3],{"b":4}]}"#;
        let cases: &[(&str, &str, &[&str])] = &[
            (three, "a[0]", &["1"]),
            (three, "a[1]", &["[2,3]", "2", "3"]),
            (three, "a[-1]", &[r#"{"b":4}"#]),
            (three, "a[-1].b", &["4"]),
            (three, "a[-3]", &["1"]),
            (three, "a[3]", &[]),
            (three, "a[-4]", &[]),
            (r#"{"a":1}"#, "a[0]", &[]),
            (r#"{"a":{"0":1}}"#, "a[0]", &[]),
            (r#"{"a[0]":1}"#, "a[0]", &[]),
            (r#"{"a[x]":1}"#, "a[x]", &["1"]),
            (r#"{"[0]":1}"#, "[0]", &["1"]),
            (r#"{"a":[{"b":[1,2]},[{"b":[3]}],{"b":9}]}"#, "a.b[0]", &["1", "3"]),
            (r#"{"a":[{"b":[{"c":1},{"c":2}]}]}"#, "a[0].b[1].c", &["2"]),
            (r#"{"a":[null]}"#, "a[0]", &["-"]),
        ];
        check(cases);
    }

    fn check(cases: &[(&str, &str, &[&str])]) {
        for (event, path, expected) in cases {
            let event = parse(event).unwrap();
            let ends = ends_at(&event, path);
            assert_eq!(&texts(ends.into_iter().flat_map(with_elements)), expected, "{path} of {event:?}");
        }
    }

    #[test]
    fn leaves_are_scalars_at_any_depth() {
        let event = r#"{"a":"x","b":{"c":[1,[true,null],{"d":"y"}],"a":"z"},"e":{},"a":"last","a2":false}"#;
        assert_eq!(texts(leaves(&parse(event).unwrap())), ["1", "true", "y", "z", "last", "false"]);
    }

    #[test]
    fn a_key_that_stands_twice_on_a_path_is_noticed() {
        let cases = [
            ("a.b", r#"{"a":1,"a":2}"#, true),
            ("a.b", r#"{"\u0061":1,"a":2}"#, true),
            ("a.b", r#"{"a":{"b":1,"b":1}}"#, true),
            ("a.b", r#"{"a":[0,[{"b":1,"b":1}]]}"#, true),
            ("a.b", r#"{"a.b":1,"a.b":1}"#, true),
            ("a.b", r#"{"a":{"c":1,"c":1}}"#, false),
            ("a.b", r#"{"b":1,"b":1}"#, false),
            ("a.b", r#"{"a":{"b":{"b":1,"b":2}}}"#, false),
            ("a.b", r#"{"a":{"b":1},"c":{"b":1}}"#, false),
            ("a[0].b", r#"{"a":[1],"a":[2]}"#, true),
            ("a[0].b", r#"{"a":[{"b":1,"b":2}]}"#, false),
            ("a[0].b", r#"{"a[0].b":1,"a[0].b":2}"#, false),
        ];
        for (path, event, expected) in cases {
            let plan = Plan {
                scopes: vec![],
                rules: vec![],
                fields: vec![Field { name: "x".into(), source: FieldSource::Path(path.into()) }],
                predicates: vec![],
                time: vec![],
                event_id: vec![],
                settings: Settings::default(),
            };
            assert_eq!(has_duplicate_key(&parse(event).unwrap(), &plan), expected, "{path} of {event}");
        }
    }
}
