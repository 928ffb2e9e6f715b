//! Correlations over correlations: their levels, and which alerts reach which.

use crate::lower::{Context, Position};
use std::collections::VecDeque;

/// Correlations that may stand on each other: an event passes through all of them in one go.
pub(crate) const CHAIN_LENGTH_MAX: u32 = 8;

/// Correlations that one correlation may feed, those over them included: every fact carries what all of them read.
pub(crate) const ONWARD_MAX: usize = 64;

/// How the correlations of a run stand on each other. Everything is parallel to the documents.
#[derive(Debug)]
pub(crate) struct Chains {
    positions: Vec<Position>,
    /// The documents that each correlation refers to, those that do not exist or are left out excepted.
    sources: Vec<Vec<usize>>,
    /// The correlations over each document, with the position in their `rules`; ascending.
    consumers: Vec<Vec<(usize, u32)>>,
    /// 0 for a detection, else one more than the greatest of the sources; `None` in a circle, and over one.
    heights: Vec<Option<u32>>,
}

/// Where a correlation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Its [`tripwasm_plan::Correlation::level`].
    Level(u32),
    /// More than [`CHAIN_LENGTH_MAX`] correlations stand on each other.
    TooHigh,
    /// It refers to itself, through these documents; the first is also the last.
    Circle(Vec<usize>),
    /// It stands over a circle.
    OverCircle,
}

/// A correlation that alerts reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The correlations from the one that alerts, which is not among them, up to the one reached.
    pub(super) path: Vec<usize>,
    /// Which of its sources brings them.
    pub(super) source: u32,
    /// How many of the steps behind this one lead on from here.
    pub(super) above: u32,
}

impl Chains {
    /// Reads the references of the documents that have a position.
    pub(crate) fn new(context: Context<'_>, positions: Vec<Position>) -> Chains {
        let built = |document: &usize| positions.get(*document).copied().flatten().is_some();
        let mut consumers = vec![Vec::new(); positions.len()];
        let mut sources = vec![Vec::new(); positions.len()];
        for (document, draft) in context.drafts.iter().enumerate().filter(|(document, _)| built(document)) {
            for (source, (reference, _)) in (0..).zip(draft.document.references()) {
                let Some(base) = context.index.find(reference).filter(built) else { continue };
                if let (Some(consumers), Some(sources)) = (consumers.get_mut(base), sources.get_mut(document))
                {
                    consumers.push((document, source));
                    sources.push(base);
                }
            }
        }
        let heights = heights(&sources, &consumers);
        Chains { positions, sources, consumers, heights }
    }

    /// The rule of a document, `None` if it is left out.
    pub(crate) fn position(&self, document: usize) -> Position {
        self.positions.get(document).copied().flatten()
    }

    pub(super) fn place(&self, document: usize) -> Place {
        match self.heights.get(document).copied().flatten() {
            Some(height) if height > CHAIN_LENGTH_MAX => Place::TooHigh,
            Some(height) => Place::Level(height.saturating_sub(1)),
            None => self.circle(document).map_or(Place::OverCircle, Place::Circle),
        }
    }

    /// The correlations over this one and over those, depth first; `None` if there are more than [`ONWARD_MAX`].
    pub(super) fn onward(&self, document: usize) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        self.climb(document, &mut Vec::new(), &mut steps)?;
        Some(steps)
    }

    /// Recursion ends at [`CHAIN_LENGTH_MAX`]: heights grow with each step.
    fn climb(&self, document: usize, path: &mut Vec<usize>, steps: &mut Vec<Step>) -> Option<()> {
        for &(consumer, source) in self.consumers.get(document).into_iter().flatten() {
            let height = self.heights.get(consumer).copied().flatten();
            if height.is_none_or(|height| height > CHAIN_LENGTH_MAX) {
                continue;
            }
            if steps.len() >= ONWARD_MAX {
                return None;
            }
            path.push(consumer);
            let at = steps.len();
            steps.push(Step { path: path.clone(), source, above: 0 });
            self.climb(consumer, path, steps)?;
            path.pop();
            let above = steps.len() - at - 1;
            if let Some(step) = steps.get_mut(at) {
                step.above = u32::try_from(above).unwrap_or(u32::MAX);
            }
        }
        Some(())
    }

    /// The shortest way from a document through its sources back to itself.
    fn circle(&self, start: usize) -> Option<Vec<usize>> {
        let mut reached_from: Vec<Option<usize>> = vec![None; self.sources.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(document) = queue.pop_front() {
            for &base in self.sources.get(document).into_iter().flatten() {
                let Some(from) = reached_from.get_mut(base).filter(|from| from.is_none()) else { continue };
                *from = Some(document);
                if base == start {
                    return Some(way_back(&reached_from, start));
                }
                queue.push_back(base);
            }
        }
        None
    }
}

fn way_back(reached_from: &[Option<usize>], start: usize) -> Vec<usize> {
    let mut path = vec![start];
    let mut at = start;
    while let Some(from) = reached_from.get(at).copied().flatten() {
        path.push(from);
        at = from;
        if at == start {
            break;
        }
    }
    path.reverse();
    path
}

fn heights(sources: &[Vec<usize>], consumers: &[Vec<(usize, u32)>]) -> Vec<Option<u32>> {
    let mut waiting: Vec<usize> = sources.iter().map(Vec::len).collect();
    let mut heights: Vec<Option<u32>> = vec![None; sources.len()];
    let mut ready: VecDeque<usize> = (0..sources.len()).filter(|&at| waiting.get(at) == Some(&0)).collect();
    while let Some(document) = ready.pop_front() {
        let below = sources.get(document).into_iter().flatten();
        let height = below.filter_map(|&base| heights.get(base).copied().flatten()).max();
        if let Some(slot) = heights.get_mut(document) {
            *slot = Some(height.map_or(0, |height| height.saturating_add(1)));
        }
        for &(consumer, _) in consumers.get(document).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(consumer) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    ready.push_back(consumer);
                }
            }
        }
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripwasm_plan::RuleIndex;

    /// Documents by the documents they refer to.
    fn chains(references: &[&[usize]]) -> Chains {
        let sources: Vec<Vec<usize>> = references.iter().map(|bases| bases.to_vec()).collect();
        let mut consumers = vec![Vec::new(); sources.len()];
        for (document, bases) in sources.iter().enumerate() {
            for (source, &base) in (0..).zip(bases) {
                consumers[base].push((document, source));
            }
        }
        let positions = (0..).take(sources.len()).map(|at| Some(RuleIndex(at))).collect();
        let heights = heights(&sources, &consumers);
        Chains { positions, sources, consumers, heights }
    }

    #[test]
    fn steps_are_depth_first_and_count_what_leads_on() {
        // 0 detection; 1 over 0; 2 over 1 and 0; 3 over 2 and 1; 4 over 1.
        let chains = chains(&[&[], &[0], &[1, 0], &[2, 1], &[1]]);
        let steps = chains.onward(1).unwrap();
        let shown: Vec<_> = steps.iter().map(|step| (step.path.clone(), step.source, step.above)).collect();
        assert_eq!(shown, [(vec![2], 0, 1), (vec![2, 3], 0, 0), (vec![3], 1, 0), (vec![4], 0, 0)]);
        assert_eq!(chains.onward(3), Some(vec![]));
        let places: Vec<_> = (1..5).map(|document| chains.place(document)).collect();
        assert_eq!(places, [0, 1, 2, 1].map(Place::Level));
    }

    #[test]
    fn circles_are_found_and_what_stands_over_them() {
        let chains = chains(&[&[1], &[2], &[0, 3], &[], &[2], &[5]]);
        assert_eq!(chains.place(0), Place::Circle(vec![0, 1, 2, 0]));
        assert_eq!(chains.place(2), Place::Circle(vec![2, 0, 1, 2]));
        assert_eq!(chains.place(4), Place::OverCircle);
        assert_eq!(chains.place(5), Place::Circle(vec![5, 5]));
    }

    #[test]
    fn chains_and_fans_have_bounds() {
        let tower: Vec<Vec<usize>> = (0..11).map(|at| if at == 0 { vec![] } else { vec![at - 1] }).collect();
        let tower: Vec<&[usize]> = tower.iter().map(Vec::as_slice).collect();
        let chains_of_ten = chains(&tower);
        assert_eq!(chains_of_ten.place(8), Place::Level(7));
        assert_eq!(chains_of_ten.place(9), Place::TooHigh);
        assert_eq!(chains_of_ten.onward(1).unwrap().len(), 7);
        let fan = |width: usize| {
            let mut fan: Vec<&[usize]> = vec![&[], &[0]];
            fan.extend(std::iter::repeat_n(&[1usize][..], width));
            chains(&fan).onward(1).map(|steps| steps.len())
        };
        assert_eq!((fan(ONWARD_MAX), fan(ONWARD_MAX + 1)), (Some(ONWARD_MAX), None));
    }
}
