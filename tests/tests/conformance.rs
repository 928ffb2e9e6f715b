//! Every case file on every engine.

fn main() {}
