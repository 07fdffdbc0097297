//! `filter_state`: which facts about a request Envoy's filter state gets, where access logs and the guard read them.

use super::reader::Object;

/// A fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterStateField {
    /// `allow`, or the code of the refusal: what the guard asks for.
    Decision,
    /// The tier.
    Tier,
    /// The client's id.
    Client,
    /// The route's template.
    Route,
    /// The id of the API key.
    Key,
    /// What the request cost, where it has an API key.
    Cost,
    /// The phase of a credential that retires.
    Retirement,
    /// Why a token is refused.
    Reason,
    /// The limit that refused, or that a dry run let pass.
    Limit,
    /// The code of what a dry run let pass.
    WouldDeny,
}

impl FilterStateField {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Decision,
        Self::Tier,
        Self::Client,
        Self::Route,
        Self::Key,
        Self::Cost,
        Self::Retirement,
        Self::Reason,
        Self::Limit,
        Self::WouldDeny,
    ];

    /// Its name in the filter state, where Envoy puts `wasm.` before it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Decision => "hallpass.decision",
            Self::Tier => "hallpass.tier",
            Self::Client => "hallpass.client",
            Self::Route => "hallpass.route",
            Self::Key => "hallpass.key",
            Self::Cost => "hallpass.cost",
            Self::Retirement => "hallpass.retirement",
            Self::Reason => "hallpass.reason",
            Self::Limit => "hallpass.limit",
            Self::WouldDeny => "hallpass.would_deny",
        }
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        self.key().trim_start_matches("hallpass.")
    }
}

/// Reads `filter_state`; absent: all.
#[inline(never)]
pub(super) fn read(fields: &Object<'_>) -> Option<Vec<FilterStateField>> {
    let words = FilterStateField::ALL.map(|fact| (fact.name(), fact));
    let Some(list) = fields.get("filter_state") else {
        return Some(FilterStateField::ALL.to_vec());
    };
    let facts = list.list(words.len(), |item| item.word(&words))?;
    if facts.iter().enumerate().any(|(at, fact)| facts.iter().take(at).any(|before| before == fact)) {
        list.problem("expected distinct facts, got one a second time");
        return None;
    }
    if !facts.contains(&FilterStateField::Decision) {
        list.warn("without `decision` the guard refuses every request");
    }
    Some(facts)
}
