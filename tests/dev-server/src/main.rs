//! The neighbours of hallpass in the local stack.
fn main() {}
