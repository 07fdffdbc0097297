//! Scope: which schools a request asks for, and whether the caller may see them.

/// Where the school ids of a request stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A query parameter of this name.
    Query(String),
    /// A variable of the route's path template.
    Path(String),
    /// A request header of this name, lower case.
    Header(String),
}

/// What to do with a request that names no school.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Refuse it (the default).
    Refuse,
    /// Let it pass; the upstream narrows the answer by the forwarded list.
    Allow,
}

/// The scope rule of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where the ids stand.
    pub place: Place,
    /// What a request without one gets.
    pub missing: Missing,
    /// A character that separates several ids in one value; `None`: a value is one id.
    pub separator: Option<char>,
}
