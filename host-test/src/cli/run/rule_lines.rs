//! What the module counted for each rule, for people and as JSON.

use serde_json::{Map, Value, json};
use tripwasm::bindings::detector::{Counts, Eviction, ModuleInfo, RuleCounts};
use tripwasm::finding::label;

/// Groups named in text; the report names all that the module told.
const EVICTIONS_NAMED_MAX: usize = 10;

/// Count and word of everything that kept events out of a rule's windows.
fn losses(counts: &RuleCounts) -> [(u64, &'static str); 5] {
    [
        (counts.late, "late"),
        (counts.duplicate, "duplicate"),
        (counts.ungrouped, "without group"),
        (counts.refused, "refused"),
        (counts.evicted, "groups evicted"),
    ]
}

/// The rules that matched something or lost something: one line each.
pub(super) fn text(info: &ModuleInfo, counts: &Counts) -> Vec<String> {
    let mut lines = Vec::new();
    for (rule, counts) in info.rules.iter().zip(&counts.rules) {
        let mut parts: Vec<String> = losses(counts)
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        if counts.matched == 0 && parts.is_empty() {
            continue;
        }
        if counts.groups > 0 {
            parts.push(format!("{} groups held", counts.groups));
        }
        let details = if parts.is_empty() { String::new() } else { format!("  ({})", parts.join(", ")) };
        lines.push(format!("{:>8}  {}{details}", counts.matched, label(rule)));
    }
    lines
}

/// One line a rule whose figures lack something because state reached its bound, and the groups given up last.
pub(super) fn warnings(info: &ModuleInfo, counts: &Counts) -> Vec<String> {
    let mut lines = Vec::new();
    for (rule, counts) in info.rules.iter().zip(&counts.rules) {
        if counts.evicted + counts.refused > 0 {
            lines.push(format!(
                "warning: {}: state reached its bound, {} groups were given up and {} events refused; raise --memory",
                label(rule),
                counts.evicted,
                counts.refused
            ));
        }
    }
    if counts.rules.iter().any(|rule| rule.evicted > 0) {
        let named = counts.evictions.iter().rev().take(EVICTIONS_NAMED_MAX);
        lines.extend(named.map(|eviction| format!("  given up: {}", eviction_text(info, eviction))));
        if counts.evictions.len() > EVICTIONS_NAMED_MAX {
            lines.push("  and others before them (--report FILE names the last 100)".to_owned());
        }
    }
    lines
}

fn eviction_text(info: &ModuleInfo, eviction: &Eviction) -> String {
    let rule = info.rules.get(eviction.rule as usize).map_or("?", label);
    let group: Vec<String> =
        eviction.group.iter().map(|member| format!("{}={}", member.field, member.value)).collect();
    format!("{rule} {}", group.join(" "))
}

/// All rules with all counts.
pub(super) fn json(info: &ModuleInfo, counts: &Counts) -> Vec<Value> {
    let rules = info.rules.iter().zip(&counts.rules);
    rules
        .map(|(rule, counts)| {
            json!({
                "name": label(rule),
                "matched": counts.matched,
                "late": counts.late,
                "ungrouped": counts.ungrouped,
                "duplicate": counts.duplicate,
                "refused": counts.refused,
                "evicted": counts.evicted,
                "groups": counts.groups,
            })
        })
        .collect()
}

/// The groups given up last, oldest first.
pub(super) fn evictions_json(info: &ModuleInfo, counts: &Counts) -> Vec<Value> {
    let one = |eviction: &Eviction| {
        let group: Map<String, Value> =
            eviction.group.iter().map(|member| (member.field.clone(), json!(member.value))).collect();
        json!({ "rule": info.rules.get(eviction.rule as usize).map(label), "group": group })
    };
    counts.evictions.iter().map(one).collect()
}
