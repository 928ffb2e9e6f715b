//! Checks of a document's keys and values, before the Sigma parser reads it: that parser takes many slips in silence
//! and knows no places.

mod condition;
mod correlation;
mod detection;
mod document;
mod filter;
mod log_source;

pub(crate) use condition::{check as check_condition, selects};
pub(crate) use correlation::{OPERATORS, bound, percentile};
pub(crate) use detection::conditions;
pub(crate) use document::{Kind, document};
pub(crate) use filter::RESERVED as FILTER_KEYS;
pub(crate) use log_source::{is_cloudtrail, log_source_of};
