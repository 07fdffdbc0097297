//! Tables of fields: what each object of the configuration and of the lists may hold.
//!
//! One table drives the check for unknown fields, the tables of the documents, and whatever else describes a configuration (a
//! JSON Schema). Tables are constants: readers take the names out of them at compile time, so that the module carries the
//! names and no description.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The fields of one object.
#[derive(Debug)]
pub struct Fields {
    /// Where it stands, such as `tiers.NAME.limits[]`; empty for the whole document. One that stands in several places has
    /// the first.
    pub path: &'static str,
    /// Its fields, in the order of the documents.
    pub rows: &'static [Field],
    /// Fields of which exactly one is given; empty: none are alternatives.
    pub one_of: &'static [&'static str],
}

/// One field.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub shape: Shape,
    /// Whether it must be given.
    pub presence: Presence,
    /// What it means, in Markdown. The title of a section in brackets is a reference to that section.
    pub meaning: &'static str,
}

/// What a field may hold. The last text, where there is one, says it in words.
#[derive(Debug)]
pub enum Shape {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Number(RangeInclusive<u32>),
    /// A duration such as `2s`.
    Duration(RangeInclusive<Duration>),
    /// One of a few words.
    Words(&'static [&'static str]),
    /// A string.
    Text(&'static str),
    /// An array: its elements, and how many.
    List(&'static Shape, RangeInclusive<usize>, &'static str),
    /// An object whose names the user chooses: its values, and how many at most.
    Map(&'static Shape, usize, &'static str),
    /// An object of known fields.
    Object(&'static Fields),
    /// One of several shapes.
    Either(&'static [Shape], &'static str),
    /// A document that another table or standard describes.
    Document(&'static str),
}

/// Whether a field must be given.
#[derive(Debug)]
pub enum Presence {
    /// It must.
    Required,
    /// It is one of [`Fields::one_of`].
    OneOf,
    /// It has this value otherwise, in JSON.
    Default(&'static str),
    /// It may be absent, and what holds then.
    Optional(&'static str),
}

impl Presence {
    /// Nothing takes the place of a field that is absent.
    pub const NONE: Self = Self::Optional("none");
    /// A flag that is off by default.
    pub const OFF: Self = Self::Default("false");
}

/// A field.
pub const fn field(name: &'static str, shape: Shape, presence: Presence, meaning: &'static str) -> Field {
    Field { name, shape, presence, meaning }
}

impl Fields {
    /// An object without alternatives.
    pub const fn new(path: &'static str, rows: &'static [Field]) -> Self {
        Self { path, rows, one_of: &[] }
    }

    /// How many fields there are.
    pub const fn count(&self) -> usize {
        self.rows.len()
    }

    /// The names alone, all `N` of them.
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "evaluated by the compiler, which refuses what is out of bounds"
    )]
    pub const fn names<const N: usize>(&self) -> [&'static str; N] {
        let mut names = [""; N];
        let mut at = 0;
        while at < N {
            names[at] = self.rows[at].name;
            at += 1;
        }
        names
    }
}
