//! Reads a list from the network one entry at a time, so that no call takes long however long the list is.
//!
//! Own code reads only what stands between entries (braces, brackets, commas, colons, names of members); where an entry ends
//! says `serde_json`, and each is then read by the strict reader like any other document. What is refused is the same as
//! if the whole were read at once.

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};

use super::entry::{self, ENTRY_BYTES_MAX};
use super::{Grant, LIST_FIELDS, TOKEN_FIELDS, TOKENS, TOKENS_MAX, TokenHash};
use crate::credentials::list::{self, Entry, ListError};
use crate::values::json::{self, JsonError, Limits};

/// Blank space that is skipped in one call, bytes.
const BLANK_MAX: usize = 64 << 10;

/// How far a list is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing is read.
    #[default]
    Begin,
    /// A member, or in an empty object its end.
    FirstMember,
    /// A member.
    Member,
    /// The colon after a member's name.
    Colon(Member),
    /// The value of a member.
    Value(Member),
    /// An entry, or in an empty array its end.
    FirstEntry,
    /// An entry.
    Entry,
    /// What follows an entry.
    AfterEntry,
    /// What follows a member.
    AfterMember,
    /// The end, but for blank space.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Version,
    Tokens,
}

/// What a call read.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// An entry.
    Entry(TokenHash, Grant),
    /// Nothing yet: call again.
    More,
    /// The list is at its end; its version.
    End(u64),
}

/// Reads a list. The caller keeps its bytes and hands over the same ones every time.
#[derive(Clone, Debug, Default)]
pub struct ListReader {
    state: State,
    at: usize,
    entries: usize,
    version: Option<u64>,
    has_tokens: bool,
}

impl ListReader {
    /// How many bytes were read.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// How many entries were read.
    pub const fn entries(&self) -> usize {
        self.entries
    }

    /// Reads on, at most one entry.
    ///
    /// # Errors
    /// The first thing wrong with the list. It is refused as a whole.
    #[inline(never)]
    pub fn next(&mut self, bytes: &[u8]) -> Result<Read, ListError> {
        if self.at == 0 && bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(ListError::Json(JsonError::ByteOrderMark));
        }
        let rest = bytes.get(self.at..).unwrap_or_default();
        let blank = rest.iter().take(BLANK_MAX).take_while(|byte| b" \t\r\n".contains(byte)).count();
        self.at = self.at.saturating_add(blank);
        if blank == BLANK_MAX {
            return Ok(Read::More);
        }
        let rest = rest.get(blank..).unwrap_or_default();
        let Some(byte) = rest.first() else {
            return if self.state == State::End { self.end() } else { Err(self.syntax()) };
        };
        self.state = match (self.state, byte) {
            (State::Begin, b'{') => self.skip(State::FirstMember),
            // The first thing wrong with anything else is that it is no object.
            (State::Begin, _) => return Err(expected("", "an object")),
            (State::FirstMember | State::AfterMember, b'}') => self.skip(State::End),
            (State::FirstMember | State::Member, _) => State::Colon(self.name(rest)?),
            (State::Colon(member), b':') => self.skip(State::Value(member)),
            (State::Value(Member::Version), _) => {
                self.read_version(rest)?;
                State::AfterMember
            }
            (State::Value(Member::Tokens), b'[') => self.skip(State::FirstEntry),
            (State::Value(Member::Tokens), _) => return Err(expected(TOKENS, "an array")),
            (State::FirstEntry | State::AfterEntry, b']') => self.skip(State::AfterMember),
            (State::AfterEntry, b',') => self.skip(State::Entry),
            (State::AfterMember, b',') => self.skip(State::Member),
            (State::FirstEntry | State::Entry, _) => {
                let (hash, grant) = self.entry(rest)?;
                self.state = State::AfterEntry;
                return Ok(Read::Entry(hash, grant));
            }
            (State::End, _) => return Err(ListError::Json(JsonError::TrailingData)),
            _ => return Err(self.syntax()),
        };
        Ok(Read::More)
    }

    fn skip(&mut self, next: State) -> State {
        self.at = self.at.saturating_add(1);
        next
    }

    #[inline(never)]
    fn name(&mut self, rest: &[u8]) -> Result<Member, ListError> {
        let member = match self.value(rest, "")? {
            Value::String(name) if name == "version" => Member::Version,
            Value::String(name) if name == TOKENS => Member::Tokens,
            Value::String(name) => return Err(list::unknown(String::new(), &name, LIST_FIELDS)),
            _ => return Err(self.syntax()),
        };
        let is_doubled = match member {
            Member::Version => self.version.is_some(),
            Member::Tokens => std::mem::replace(&mut self.has_tokens, true),
        };
        if is_doubled { Err(ListError::Json(JsonError::DuplicateMember)) } else { Ok(member) }
    }

    fn read_version(&mut self, rest: &[u8]) -> Result<(), ListError> {
        let version = self.value(rest, "version")?.as_u64();
        self.version = Some(version.ok_or_else(|| expected("version", "a whole number from 0"))?);
        Ok(())
    }

    #[inline(never)]
    fn entry(&mut self, rest: &[u8]) -> Result<(TokenHash, Grant), ListError> {
        if self.entries >= TOKENS_MAX {
            return Err(expected(TOKENS, "at most 100000 tokens"));
        }
        let path = format!("{TOKENS}[{}]", self.entries);
        let value = self.value(rest, &path)?;
        self.entries = self.entries.saturating_add(1);
        entry::read(&Entry::new(path, &value, TOKEN_FIELDS)?)
    }

    /// Reads the value at the beginning of `rest`, and passes it.
    #[inline(never)]
    fn value(&mut self, rest: &[u8], path: &str) -> Result<Value, ListError> {
        // One byte more than an entry may have, so that the end of the window is told from that of the list.
        let window = rest.get(..=ENTRY_BYTES_MAX).unwrap_or(rest);
        let mut values = Deserializer::from_slice(window).into_iter::<IgnoredAny>();
        let outcome = values.next();
        let len = values.byte_offset();
        match outcome {
            Some(Ok(_)) if len <= ENTRY_BYTES_MAX => {}
            Some(Err(error)) if !error.is_eof() || window.len() == rest.len() => return Err(self.syntax()),
            None => return Err(self.syntax()),
            Some(_) => return Err(expected(path, "at most 65536 bytes")),
        }
        let text = window.get(..len).unwrap_or_default();
        let value = json::parse(text, Limits::TOKEN).map_err(|error| match error {
            JsonError::Syntax { .. } => self.syntax(),
            other => ListError::Json(other),
        })?;
        self.at = self.at.saturating_add(len);
        Ok(value)
    }

    /// The list is not JSON from here on.
    fn syntax(&self) -> ListError {
        ListError::NotJson { at: self.at }
    }

    fn end(&self) -> Result<Read, ListError> {
        if !self.has_tokens {
            return Err(expected(TOKENS, "an array"));
        }
        self.version.map(Read::End).ok_or_else(|| expected("version", "a whole number from 0"))
    }
}

fn expected(path: &str, what: &'static str) -> ListError {
    ListError::Expected { path: path.to_owned(), what }
}
