//! Checks of a document's keys and values, before the Sigma parser reads it: that parser takes many slips in silence
//! and knows no places.

mod condition;
mod correlation;
mod detection;
mod document;

pub(crate) use condition::{check as check_condition, selects};
pub(crate) use correlation::{OPERATORS, bound, percentile};
pub(crate) use document::{Kind, document};
