//! The documents (README.md and every other `*.md`) are true: their configurations load, the quick starts run, the tables are
//! those of the code, and links lead somewhere.
//!
//! What is checked is marked by the info string of a fenced block: `yaml hallpass` and `json hallpass` are
//! configurations of the filter, `yaml envoy` is a bootstrap, `sh curl` runs against the local stack and the `text` block behind
//! it is what it prints (`...` stands for anything), `json problem` is the body of the denial that the heading names, and
//! `json oneroster` one in that dialect.

mod configurations;
mod document;
mod fields;
mod links;
mod names;
mod quick_start;
mod tables;
