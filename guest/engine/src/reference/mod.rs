//! The slow, obvious evaluator.
