//! Generated rules and events: few fields and few values, so that tests hit and windows fill.

mod events;
mod plans;

pub use events::{DELAY_MAX, Line, input, line, order_key};
pub use plans::plan;
