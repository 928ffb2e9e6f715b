//! Sequences whose elements are written as differences from the one before.

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::marker::PhantomData;

/// Reads a sequence element by element into a collection.
pub(super) fn collect<'de, D, E, C>(deserializer: D, mut put: impl FnMut(&mut C, E)) -> Result<C, D::Error>
where
    D: Deserializer<'de>,
    E: Deserialize<'de>,
    C: Default,
{
    let visitor = Collect { put: &mut put, marker: PhantomData };
    deserializer.deserialize_seq(visitor)
}

struct Collect<'p, P, E, C> {
    put: &'p mut P,
    marker: PhantomData<(E, C)>,
}

impl<'de, P, E, C> Visitor<'de> for Collect<'_, P, E, C>
where
    P: FnMut(&mut C, E),
    E: Deserialize<'de>,
    C: Default,
{
    type Value = C;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<C, A::Error> {
        let mut collection = C::default();
        while let Some(element) = elements.next_element()? {
            (self.put)(&mut collection, element);
        }
        Ok(collection)
    }
}
