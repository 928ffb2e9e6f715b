//! The values that a path has in an event.

use super::json::Json;
use tripwasm_plan::{FieldSource, Plan};

/// Every value at a dotted path: a top-level member whose key is the whole path wins over the walk. An array
/// stands for itself and for each of its elements. Empty if there is nothing.
pub(super) fn values_at<'e>(event: &'e Json, path: &str) -> Vec<&'e Json> {
    let ends = match event.member(path) {
        Some(value) => vec![value],
        None => walk(event, path),
    };
    ends.into_iter().flat_map(with_elements).collect()
}

/// Whether an object that the path of some field passes has the path's key more than once.
pub(super) fn has_duplicate_key(event: &Json, plan: &Plan) -> bool {
    plan.fields.iter().any(|field| match &field.source {
        FieldSource::Path(path) => repeats(event, path) || repeats_on_walk(event, path),
        FieldSource::Calculated(_) | FieldSource::Leaves => false,
    })
}

/// The ends of a walk along a path, arrays on the way taken element by element.
fn walk<'e>(event: &'e Json, path: &str) -> Vec<&'e Json> {
    path.split('.').fold(vec![event], |objects, key| {
        objects.into_iter().flat_map(with_elements).filter_map(|value| value.member(key)).collect()
    })
}

/// A value, then, of an array, its elements and theirs.
fn with_elements(value: &Json) -> Vec<&Json> {
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

fn repeats_on_walk(event: &Json, path: &str) -> bool {
    let mut reached = vec![event];
    for key in path.split('.') {
        let objects: Vec<&Json> = reached.into_iter().flat_map(with_elements).collect();
        if objects.iter().any(|object| repeats(object, key)) {
            return true;
        }
        reached = objects.into_iter().filter_map(|object| object.member(key)).collect();
    }
    false
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
        for (event, path, expected) in cases {
            let event = parse(event).unwrap();
            let found: Vec<String> = values_at(&event, path)
                .iter()
                .map(|value| value.text().map_or("-".into(), Into::into))
                .collect();
            assert_eq!(&found, expected, "{path} of {event:?}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_on_a_path_is_noticed() {
        let cases = [
            (r#"{"a":1,"a":2}"#, true),
            (r#"{"\u0061":1,"a":2}"#, true),
            (r#"{"a":{"b":1,"b":1}}"#, true),
            (r#"{"a":[0,[{"b":1,"b":1}]]}"#, true),
            (r#"{"a.b":1,"a.b":1}"#, true),
            (r#"{"a":{"c":1,"c":1}}"#, false),
            (r#"{"b":1,"b":1}"#, false),
            (r#"{"a":{"b":{"b":1,"b":2}}}"#, false),
            (r#"{"a":{"b":1},"c":{"b":1}}"#, false),
        ];
        let plan = Plan {
            scopes: vec![],
            rules: vec![],
            fields: vec![Field { name: "x".into(), source: FieldSource::Path("a.b".into()) }],
            predicates: vec![],
            time: vec![],
            event_id: vec![],
            settings: Settings::default(),
        };
        for (event, expected) in cases {
            assert_eq!(has_duplicate_key(&parse(event).unwrap(), &plan), expected, "{event}");
        }
    }
}
