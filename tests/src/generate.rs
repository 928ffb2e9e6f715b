//! Generated rules and events: few fields and few values, so that tests hit and windows fill.

mod correlations;
mod events;
mod plans;
mod predicates;

pub use events::{DELAY_MAX, Line, fact_line, input, line, order_key, unique_fact_lines};
pub use plans::{correlation_plan, plan};
