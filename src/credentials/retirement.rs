//! Retirement of credentials by date: which phase a credential is in, and what the answers to it carry.
//!
//! A class of credentials has one schedule: announced, from one date on limited harder, from a later one on refused. Single
//! clients may have later dates. At the very second of a date the new phase has begun. Nothing is remembered: the phase
//! follows from the schedule, the client and the moment alone. `Deprecation` is RFC 9745, `Sunset` RFC 8594, `Link` RFC 8288.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::values::names::Names;
use crate::values::time::{SECS_END, Timestamp};

/// Credentials that retire together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// All API keys.
    ApiKeys,
    /// The tokens of the issuer of this index.
    Issuer(usize),
}

/// How far the retirement of a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nobody was told yet.
    Before,
    /// It works, and its answers say that it will not for long.
    Announced,
    /// It works, with harder limits.
    Throttled,
    /// It works no more.
    Refused,
}

impl Phase {
    /// All of them, in the order of time and of [`Phase::index`].
    pub const ALL: [Self; 4] = [Self::Before, Self::Announced, Self::Throttled, Self::Refused];

    /// A small number for tables.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name, in metrics and access logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Announced => "announced",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
        }
    }
}

/// The dates from which a client's credentials are treated otherwise, both whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// Limited harder; `None`: never.
    pub throttled_from: Option<Timestamp>,
    /// Refused.
    pub refused_from: Timestamp,
}

/// What a schedule tells those whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// From when on, a whole second.
    pub announced: Timestamp,
    /// A page about it: a URL of visible ASCII without `<` and `>`.
    pub link: String,
    /// What to use instead: plain visible text.
    pub replacement: String,
}

/// The schedule of a class.
#[derive(Debug)]
pub struct Schedule {
    announced: Timestamp,
    replacement: Rc<str>,
    throttled_tier: Option<usize>,
    terms: Rc<Terms>,
    extended: Names,
    /// By the position of the client.
    extensions: Vec<Rc<Terms>>,
}

/// What holds for one client.
#[derive(Debug)]
struct Terms {
    dates: Dates,
    fields: Fields,
}

/// The values of the fields that announce a retirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// `Deprecation`: since when.
    pub deprecation: String,
    /// `Sunset`: until when.
    pub sunset: String,
    /// `Link`: the page about both.
    pub link: String,
}

/// Where one credential stands at one moment.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The phase.
    pub phase: Phase,
    /// The tier that takes the place of the client's own, by index.
    pub throttled_tier: Option<usize>,
    /// What to use instead.
    pub replacement: Rc<str>,
    terms: Rc<Terms>,
}

impl Schedule {
    /// The schedule of a class, and the dates of single clients. `throttled_tier` is by index.
    #[inline(never)]
    pub fn new(
        announcement: &Announcement,
        throttled_tier: Option<usize>,
        dates: Dates,
        extensions: impl IntoIterator<Item = (String, Dates)>,
    ) -> Self {
        let terms = |dates| Rc::new(Terms { dates, fields: fields(announcement, dates) });
        let mut extended = Names::default();
        let extensions = extensions.into_iter().map(|(client, dates)| {
            extended.add(&client);
            terms(dates)
        });
        let extensions = extensions.collect();
        Self {
            announced: announcement.announced,
            replacement: announcement.replacement.as_str().into(),
            throttled_tier,
            terms: terms(dates),
            extended,
            extensions,
        }
    }

    /// Where a credential of `client` stands at `now`, and what its answers carry.
    #[inline(never)]
    pub fn notice(&self, client: &str, now: Timestamp) -> Notice {
        let own = self.extended.position(client).and_then(|at| self.extensions.get(at));
        let terms = own.unwrap_or(&self.terms);
        let is_throttled = terms.dates.throttled_from.is_some_and(|from| from <= now);
        let phase = if terms.dates.refused_from <= now {
            Phase::Refused
        } else if is_throttled {
            Phase::Throttled
        } else if self.announced <= now {
            Phase::Announced
        } else {
            Phase::Before
        };
        Notice {
            phase,
            // Also after the end, for whom a dry run lets pass.
            throttled_tier: self.throttled_tier.filter(|_| is_throttled),
            replacement: Rc::clone(&self.replacement),
            terms: Rc::clone(terms),
        }
    }

    /// The tier that takes the place of a client's own, by index.
    pub const fn throttled_tier(&self) -> Option<usize> {
        self.throttled_tier
    }
}

impl Notice {
    /// What answers carry; `None` before the announcement.
    pub fn fields(&self) -> Option<&Fields> {
        (self.phase > Phase::Before).then_some(&self.terms.fields)
    }

    /// The same, with their names.
    pub fn headers(&self) -> Option<[(&'static str, &str); 3]> {
        self.fields().map(|it| [("deprecation", &*it.deprecation), ("sunset", &it.sunset), ("link", &it.link)])
    }

    /// The one that clients must hear of where a request shows two credentials: what was announced, and ends first.
    #[must_use]
    pub fn or_sooner(self, other: Self) -> Self {
        let key = |it: &Self| (it.phase == Phase::Before, it.terms.dates.refused_from);
        if key(&other) < key(&self) { other } else { self }
    }
}

fn fields(announcement: &Announcement, dates: Dates) -> Fields {
    let link = &announcement.link;
    Fields {
        deprecation: format!("@{}", announcement.announced.secs()),
        sunset: http_date(dates.refused_from),
        link: format!(r#"<{link}>; rel="deprecation"; type="text/html", <{link}>; rel="sunset"; type="text/html""#),
    }
}

/// An HTTP date (RFC 9110 section 5.6.7), rounded down to a second, at the latest the last one of the year 9999.
fn http_date(moment: Timestamp) -> String {
    let since_epoch = Duration::from_secs(moment.secs().min(SECS_END.saturating_sub(1)));
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH.checked_add(since_epoch).unwrap_or(SystemTime::UNIX_EPOCH))
}

#[cfg(test)]
mod tests;
