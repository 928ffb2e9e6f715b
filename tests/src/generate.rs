//! Generated rules and events: few fields and few values, so that tests hit and windows fill.

mod correlations;
mod events;
mod plans;
mod predicates;
mod sigma;

pub use events::{DELAY_MAX, Line, fact_lines, input, line, order_key, redelivered_fact_lines};
pub use plans::{Generated, correlation_plan, plan};
pub use sigma::sigma;
