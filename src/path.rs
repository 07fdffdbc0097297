//! Paths: strict reading of `:path`, and the patterns that routes match with.

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// These bytes.
    Literal(String),
    /// Any one non-empty segment, under this name.
    Variable(String),
}

/// A path pattern: `/a/b` is exact, `/a/` is everything below, `/a/{x}/b` and `/a/{x}/` are templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As written; what logs and access logs show.
    pub template: String,
    /// Segments.
    pub segments: Vec<Segment>,
    /// Whether any further segments may follow (the pattern ends in `/`).
    pub subtree: bool,
}
