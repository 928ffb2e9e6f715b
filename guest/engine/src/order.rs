//! Sorting, once for everything that is sorted: a copy of a sort for each type makes the guest large.

use std::cmp::Ordering;

/// The elements in order; equal ones stay in theirs.
pub(crate) fn order_of<'e, T>(
    elements: &'e [T],
    compare: &dyn Fn(&T, &T) -> Ordering,
) -> impl Iterator<Item = &'e T> + use<'e, T> {
    let places =
        places_in_order(elements.len(), &|one, other| match (elements.get(one), elements.get(other)) {
            (Some(one), Some(other)) => compare(one, other),
            _ => Ordering::Equal,
        });
    places.into_iter().filter_map(|at| elements.get(at as usize))
}

/// Sorts; equal elements stay in their order.
pub(crate) fn sort_by<T>(elements: &mut Vec<T>, compare: &dyn Fn(&T, &T) -> Ordering) {
    let places =
        places_in_order(elements.len(), &|one, other| match (elements.get(one), elements.get(other)) {
            (Some(one), Some(other)) => compare(one, other),
            _ => Ordering::Equal,
        });
    let mut taken: Vec<Option<T>> = elements.drain(..).map(Some).collect();
    elements.extend(places.iter().filter_map(|&at| taken.get_mut(at as usize)?.take()));
}

/// Sorts numbers, which are few as a rule, and leaves each once.
pub(crate) fn sort_numbers(numbers: &mut Vec<u32>) {
    const FEW: usize = 32;
    if numbers.len() > FEW {
        sort_by(numbers, &Ord::cmp);
    } else {
        for end in 1..numbers.len() {
            for at in (1..=end).rev() {
                let Some([one, other]) = numbers.get_mut(at - 1..=at) else { break };
                if one <= other {
                    break;
                }
                core::mem::swap(one, other);
            }
        }
    }
    numbers.dedup();
}

/// The places of so many elements in the order of the elements: merges runs of twice the length, again and again.
fn places_in_order(length: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<u32> {
    let mut places: Vec<u32> = (0..u32::try_from(length).unwrap_or(u32::MAX)).collect();
    let mut merged = Vec::with_capacity(places.len());
    let mut run = 1;
    while run < places.len() {
        for both in places.chunks(2 * run) {
            let (mut left, mut right) = both.split_at(run.min(both.len()));
            while let (Some((&one, ones)), Some((&other, others))) = (left.split_first(), right.split_first())
            {
                if compare(one as usize, other as usize).is_le() {
                    merged.push(one);
                    left = ones;
                } else {
                    merged.push(other);
                    right = others;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(&mut places, &mut merged);
        merged.clear();
        run *= 2;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::{order_of, sort_by, sort_numbers};

    #[test]
    fn equal_elements_stay_in_their_order() {
        let mut pairs: Vec<(u32, usize)> = (0..500).map(|at| (at as u32 * 7919 % 13, at)).collect();
        let ordered: Vec<_> = order_of(&pairs, &|one, other| one.0.cmp(&other.0)).copied().collect();
        sort_by(&mut pairs, &|one, other| one.0.cmp(&other.0));
        assert!(pairs.is_sorted() && pairs.len() == 500);
        assert_eq!(pairs, ordered);
        sort_by(&mut Vec::<u8>::new(), &Ord::cmp);
    }

    #[test]
    fn numbers_are_sorted_few_or_many() {
        for count in [0_u32, 1, 2, 5, 31, 32, 33, 500] {
            let mut numbers: Vec<u32> = (0..count).map(|number| number * 7919 % 101).collect();
            let expected: std::collections::BTreeSet<u32> = numbers.iter().copied().collect();
            sort_numbers(&mut numbers);
            assert_eq!(numbers, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
