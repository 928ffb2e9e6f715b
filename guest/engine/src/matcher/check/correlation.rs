//! References of correlations.

use super::{CompileError, Reach};
use tripwasm_plan::{
    Clause, Correlation, Logic, Measure, Onward, Plan, Reads, RuleIndex, Source, TEMPORAL_SOURCES_MAX,
};

/// Checks what the correlation that is rule `index` refers to.
pub(super) fn check(
    plan: &Plan,
    index: usize,
    correlation: &Correlation,
    reach: &Reach<'_>,
) -> Result<(), CompileError> {
    for source in &correlation.sources {
        check_source(plan, correlation, source, reach)?;
    }
    if let Measure::Temporal { clauses, .. } = &correlation.measure {
        check_temporal(correlation.sources.len(), clauses.as_deref().unwrap_or_default())?;
    }
    check_onward(plan, index, correlation)
}

fn check_source(
    plan: &Plan,
    correlation: &Correlation,
    source: &Source,
    reach: &Reach<'_>,
) -> Result<(), CompileError> {
    match plan.rules.get(source.rule.0 as usize).map(|rule| &rule.logic) {
        Some(Logic::Detection(_)) => {}
        Some(Logic::Correlation(below)) if below.level < correlation.level => return Ok(()),
        Some(Logic::Correlation(_)) => return Err(CompileError::Reference("correlation of a lower level")),
        None => return Err(CompileError::Reference("rule")),
    }
    check_reads(&source.reads, correlation, reach)?;
    if source.onward.len() != correlation.onward.len() {
        return Err(CompileError::Reference("reading for each correlation above"));
    }
    for (reads, onward) in source.onward.iter().zip(&correlation.onward) {
        check_reads(reads, correlation_at(plan, onward.correlation)?, reach)?;
    }
    Ok(())
}

fn check_reads(reads: &Reads, of: &Correlation, reach: &Reach<'_>) -> Result<(), CompileError> {
    let is_parallel = reads.group_by.len() == of.group_by.len()
        && reads.measured.len() == of.measure.fields().len()
        && reads.observed.len() == of.observed.len();
    if !is_parallel {
        return Err(CompileError::Reference("reading for each field of a correlation"));
    }
    let mut fields = reads.group_by.iter().chain(&reads.measured).chain(&reads.observed);
    fields.try_for_each(|&field| reach.field(field).map(|_| ()))
}

fn check_temporal(sources: usize, clauses: &[Clause]) -> Result<(), CompileError> {
    let mut named = clauses.iter().flat_map(|clause| clause.seen.iter().chain(&clause.unseen));
    if sources > TEMPORAL_SOURCES_MAX || named.any(|&source| source as usize >= sources) {
        return Err(CompileError::Reference("source of a temporal correlation"));
    }
    Ok(())
}

/// The entries are consumers, each with a copy of its own entries behind it.
fn check_onward(plan: &Plan, index: usize, correlation: &Correlation) -> Result<(), CompileError> {
    let mut rest: &[Onward] = &correlation.onward;
    while let Some((entry, behind)) = rest.split_first() {
        let consumer = correlation_at(plan, entry.correlation)?;
        let source = consumer.sources.get(entry.source as usize);
        let is_consumer = source.is_some_and(|source| source.rule.0 as usize == index);
        let (above, others) = behind
            .split_at_checked(entry.above as usize)
            .ok_or(CompileError::Reference("correlation above"))?;
        if !is_consumer || consumer.level <= correlation.level || above != consumer.onward {
            return Err(CompileError::Reference("correlation above"));
        }
        rest = others;
    }
    Ok(())
}

fn correlation_at(plan: &Plan, index: RuleIndex) -> Result<&Correlation, CompileError> {
    match plan.rules.get(index.0 as usize).map(|rule| &rule.logic) {
        Some(Logic::Correlation(correlation)) => Ok(correlation),
        _ => Err(CompileError::Reference("correlation")),
    }
}
