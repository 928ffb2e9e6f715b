//! What is allowed in a rule but probably not meant: fields that no event has, comparisons that hang on the reading of
//! types, conditions that never hold.

mod cloudtrail;
mod contradiction;
mod exclusion;
mod fields;

pub(crate) use contradiction::{Tables, contradiction};
pub(crate) use exclusion::Events;
pub(crate) use fields::fields;
