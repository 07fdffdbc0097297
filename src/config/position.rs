//! Positions in a document, told by their path only once there is a problem: what reads them is copied, and holds a number.

use std::cell::RefCell;

/// Longest member name that is repeated in a path, characters.
const NAME_SHOWN_MAX: usize = 40;

/// Where a value stands: the number of its step, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position(usize);

impl Position {
    /// The document as a whole.
    pub(super) const ROOT: Self = Self(0);
}

/// The positions that were read.
#[derive(Debug, Default)]
pub(super) struct Positions(RefCell<Vec<(Position, Step)>>);

/// One step down.
#[derive(Debug)]
enum Step {
    /// To a member of an object.
    Member(Box<str>),
    /// To an element of an array.
    Element(usize),
}

impl Positions {
    /// The position of a member.
    #[inline(never)]
    pub(super) fn member(&self, of: Position, name: &str) -> Position {
        self.add(of, Step::Member(name.into()))
    }

    /// The position of an element.
    #[inline(never)]
    pub(super) fn element(&self, of: Position, index: usize) -> Position {
        self.add(of, Step::Element(index))
    }

    fn add(&self, of: Position, step: Step) -> Position {
        let mut positions = self.0.borrow_mut();
        positions.push((of, step));
        Position(positions.len())
    }

    /// The path of a position, such as `routes[2].match`; empty for the whole document.
    #[inline(never)]
    pub(super) fn path(&self, position: Position) -> String {
        let positions = self.0.borrow();
        let mut steps = Vec::new();
        let mut at = position;
        while let Some((above, step)) = at.0.checked_sub(1).and_then(|nth| positions.get(nth)) {
            steps.push(step);
            at = *above;
        }
        steps.iter().rev().fold(String::new(), |path, step| match step {
            Step::Element(index) => format!("{path}[{index}]"),
            Step::Member(name) => member(&path, name),
        })
    }
}

/// The path of fields inside an object; `a.b` is the field `b` of the field `a`.
#[inline(never)]
pub(super) fn dotted(path: &str, fields: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    [path, dot, fields].concat()
}

/// The path of a member whose name may be anything.
fn member(path: &str, name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.len() <= NAME_SHOWN_MAX && name.chars().all(plain) {
        return dotted(path, name);
    }
    let shown: String = name.chars().take(NAME_SHOWN_MAX).flat_map(char::escape_default).collect();
    [path, "[\"", &shown, "\"]"].concat()
}
