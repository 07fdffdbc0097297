//! JSON bodies: every string that a server may find at a member.
//!
//! Readers keep duplicates apart: which of two members a server takes is the reader's choice, so all are given.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

#[cfg(test)]
mod tests;

/// A JSON value with everything that stood in the document.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// null, a number or a boolean, as it is written.
    Other(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object; duplicates stay.
    Members(Vec<(String, Node)>),
}

/// How one family of servers finds a member.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// Who finds so.
    pub name: &'static str,
    /// Whether `found` is the member called `wanted`.
    pub is_same: fn(found: &str, wanted: &str) -> bool,
    /// Which of several.
    pub pick: Pick,
}

/// Which of several members of one name counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The first: Perl's `JSON::SL`, jsoniter, `RapidJSON`'s `FindMember`.
    First,
    /// The last: most.
    Last,
    /// Whichever: a reader that merges.
    Every,
}

/// All of them.
pub const ALL: [Reader; 7] = [
    Reader { name: "first member wins", is_same: exactly, pick: Pick::First },
    Reader { name: "last member wins (ECMA-404, Python, PHP, Rails, Jackson)", is_same: exactly, pick: Pick::Last },
    Reader { name: "Go's encoding/json", is_same: simple_fold, pick: Pick::Last },
    Reader { name: "Newtonsoft.Json, System.Text.Json for the web", is_same: ignoring_case, pick: Pick::Last },
    Reader { name: "names without marks (Jackson's and Gson's naming)", is_same: without_marks, pick: Pick::Every },
    Reader { name: "names up to NUL (C)", is_same: until_nul, pick: Pick::Every },
    Reader { name: "merging", is_same: ignoring_case, pick: Pick::Every },
];

impl Reader {
    /// The strings at a path of members, through objects; in lists all of them. Anything else is written out.
    pub fn read(&self, document: &Node, path: &[&str]) -> Vec<String> {
        let Some((name, rest)) = path.split_first() else {
            return leaves(document);
        };
        let Node::Members(members) = document else {
            return Vec::new();
        };
        let mut found = members.iter().filter(|(it, _)| (self.is_same)(it, name)).map(|(_, value)| value);
        let picked: Vec<&Node> = match self.pick {
            Pick::First => found.next().into_iter().collect(),
            Pick::Last => found.next_back().into_iter().collect(),
            Pick::Every => found.collect(),
        };
        picked.into_iter().flat_map(|node| self.read(node, rest)).collect()
    }
}

fn leaves(node: &Node) -> Vec<String> {
    match node {
        Node::Text(text) | Node::Other(text) => vec![text.clone()],
        Node::List(list) => list.iter().flat_map(leaves).collect(),
        Node::Members(members) => members.iter().flat_map(|(_, value)| leaves(value)).collect(),
    }
}

/// Every document that a lenient reader finds: without a byte order mark, up to a NUL, and whatever follows a first one.
pub fn documents(bytes: &[u8]) -> Vec<Node> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let readings = [text, text.split('\0').next().unwrap_or_default()];
    let mut found: Vec<Node> = Vec::new();
    for reading in readings {
        for document in serde_json::Deserializer::from_str(reading).into_iter::<Node>().map_while(Result::ok).take(4) {
            if !found.contains(&document) {
                found.push(document);
            }
        }
    }
    found
}

fn exactly(found: &str, wanted: &str) -> bool {
    found == wanted
}

/// `OrdinalIgnoreCase`.
fn ignoring_case(found: &str, wanted: &str) -> bool {
    found.to_uppercase() == wanted.to_uppercase() || found.to_lowercase() == wanted.to_lowercase()
}

/// `foldName` of `encoding/json`: also the Kelvin sign and the long s.
fn simple_fold(found: &str, wanted: &str) -> bool {
    let plain = |text: &str| text.replace('\u{212a}', "k").replace('\u{17f}', "s").to_lowercase();
    plain(found) == plain(wanted)
}

fn without_marks(found: &str, wanted: &str) -> bool {
    let bare = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    bare(found) == bare(wanted)
}

fn until_nul(found: &str, wanted: &str) -> bool {
    found.split('\0').next() == Some(wanted)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other("null".to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Other(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Other(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Other(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Other(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Members(members))
    }
}
