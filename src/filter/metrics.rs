//! Metrics: their names, and what a worker has counted since it last told Envoy.
//!
//! Names carry labels as `name=.=value;.;` (two `stats_tags` regexes turn them into Prometheus labels). Everything is
//! named when configuring; no name ever holds a client, a school or anything else that a request brings. Counters are kept in
//! the worker and flushed on its tick.

use crate::answer::denial::Denial;
use crate::config::Config;
use crate::credentials::reason::Reason;
use crate::credentials::retirement::{Class, Phase};
use crate::filter::document::DocumentId;

/// What Envoy does with a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Is set.
    Gauge,
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Counter or gauge.
    pub kind: Kind,
    /// The whole name with its labels.
    pub name: String,
}

/// Something to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// A request passed; tier by index, `None` on open routes.
    Allowed(Option<usize>),
    /// A request was refused with a denial of this index.
    Denied(usize, Option<usize>),
    /// A dry run let a denial of this index pass.
    WouldDeny(usize, Option<usize>),
    /// A token was refused for this reason.
    Reason(Reason),
    /// A token was found in the cache, or not.
    Cache(CacheResult),
    /// A newcomer was charged to a slot's overflow budget.
    Overflow,
    /// A credential of a class that has a schedule was shown.
    Retirement(Class, Phase),
    /// A fetch of a document ended.
    Fetch(DocumentId, FetchResult),
}

/// What the token cache knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// A verified token.
    Hit,
    /// Nothing.
    Miss,
    /// A bad signature.
    Bad,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchResult {
    /// A usable document.
    Ok,
    /// Anything else.
    Failed,
}

/// All metrics of one configuration; positions in the list are the metrics' ids here.
#[derive(Debug)]
pub struct Metrics {
    list: Vec<Metric>,
    pending: Vec<u64>,
    /// Tiers and "none".
    tiers: usize,
    /// Where each group begins.
    limits_at: usize,
    would_deny_at: usize,
    cache_at: usize,
    reasons_at: usize,
    overflow_at: usize,
    fetch_at: usize,
    age_at: usize,
    dry_run_at: usize,
    /// Lists that come over the network, in the order of the list.
    lists: Vec<DocumentId>,
    lists_at: usize,
    /// Classes that have a schedule, in the order of the list.
    retiring: Vec<Class>,
    retiring_at: usize,
    /// Names of limits with their tier, in the order of the list.
    limits: Vec<(usize, String)>,
}

impl Metrics {
    /// Names everything that `config` can count.
    #[inline(never)]
    pub fn new(config: &Config) -> Self {
        let none = no_tier(config);
        let tiers: Vec<&str> = config.tiers.iter().map(|tier| tier.name.as_str()).chain([none.as_str()]).collect();
        let mut list = Vec::new();
        let codes: Vec<&str> = Denial::codes().collect();
        let decisions: Vec<&str> = ["allow"].into_iter().chain(Denial::codes()).collect();
        add_table(&mut list, "requests_total", ("decision", &decisions), ("tier", &tiers));
        let limits_at = list.len();
        let mut limits = Vec::new();
        for (index, tier) in config.tiers.iter().enumerate() {
            let on_routes = config.routes.iter().flat_map(|route| route.budgets_of(index));
            for limit in tier.limits().chain(on_routes.flat_map(|budget| budget.limits.iter())) {
                let is_new = !limits.iter().any(|(of, name)| *of == index && *name == limit.name);
                // Several routes may have a limit of one name.
                if is_new {
                    let labels = [("limit", limit.name.as_str()), ("tier", tier.name.as_str())];
                    add(&mut list, Kind::Counter, "limits_reached_total", &labels);
                    limits.push((index, limit.name.clone()));
                }
            }
        }
        let would_deny_at = add_table(&mut list, "dry_run_denials_total", ("decision", &codes), ("tier", &tiers));
        let cache_at = list.len();
        for result in ["hit", "miss", "bad"] {
            add(&mut list, Kind::Counter, "token_cache_total", &[("result", result)]);
        }
        let reasons_at = list.len();
        for reason in Reason::ALL {
            add(&mut list, Kind::Counter, "token_refusals_total", &[("reason", reason.name())]);
        }
        let overflow_at = list.len();
        list.push(Metric { kind: Kind::Counter, name: "hallpass.limit_overflow_total".to_owned() });
        let issuers = issuer_labels(config);
        let names: Vec<&str> = issuers.iter().map(String::as_str).collect();
        let fetch_at = add_table(&mut list, "key_set_fetches_total", ("issuer", &names), ("result", &["ok", "failed"]));
        let age_at = list.len();
        for issuer in &issuers {
            add(&mut list, Kind::Gauge, "key_set_age_seconds", &[("issuer", issuer)]);
        }
        let dry_run_at = list.len();
        for tier in &tiers {
            add(&mut list, Kind::Gauge, "dry_run", &[("tier", tier)]);
        }
        let lists: Vec<DocumentId> =
            DocumentId::remotes(config).map(|(id, _)| id).filter(|id| !is_key_set(*id)).collect();
        let lists_at = list.len();
        for id in &lists {
            add_list(&mut list, *id, &issuers);
        }
        let retiring: Vec<Class> = config.retiring().collect();
        let retiring_at = list.len();
        for class in &retiring {
            let name = class_label(*class, &issuers);
            for phase in Phase::ALL {
                add(&mut list, Kind::Counter, "retirement_total", &[("class", &name), ("phase", phase.name())]);
            }
        }
        let pending = vec![0; list.len()];
        Self {
            tiers: tiers.len(),
            list,
            pending,
            limits_at,
            would_deny_at,
            cache_at,
            reasons_at,
            overflow_at,
            fetch_at,
            age_at,
            dry_run_at,
            lists,
            lists_at,
            retiring,
            retiring_at,
            limits,
        }
    }

    /// All metrics.
    pub fn list(&self) -> &[Metric] {
        &self.list
    }

    /// Counts one.
    pub fn count(&mut self, what: Count) {
        let at = match what {
            Count::Allowed(tier) => self.tier(tier),
            Count::Denied(denial, tier) => self.cell(0, denial.saturating_add(1), tier),
            Count::WouldDeny(denial, tier) => self.cell(self.would_deny_at, denial, tier),
            Count::Cache(result) => self.cache_at.saturating_add(match result {
                CacheResult::Hit => 0,
                CacheResult::Miss => 1,
                CacheResult::Bad => 2,
            }),
            Count::Reason(reason) => self.reasons_at.saturating_add(reason.index()),
            Count::Overflow => self.overflow_at,
            Count::Retirement(class, phase) => {
                let nth = self.retiring.iter().position(|it| *it == class).unwrap_or(usize::MAX);
                let row = nth.saturating_mul(Phase::ALL.len());
                self.retiring_at.saturating_add(row).saturating_add(phase.index())
            }
            Count::Fetch(id, result) => {
                let first = match id {
                    DocumentId::Keys(issuer) => self.fetch_at.saturating_add(issuer.saturating_mul(2)),
                    id => self.list_cell(id),
                };
                first.saturating_add(usize::from(result == FetchResult::Failed))
            }
        };
        self.add(at);
    }

    /// Counts a limit of a tier that refused.
    pub fn count_limit(&mut self, tier: usize, limit: &str) {
        let found = self.limits.iter().position(|(of, name)| *of == tier && name == limit);
        if let Some(offset) = found {
            self.add(self.limits_at.saturating_add(offset));
        }
    }

    /// What has been counted since the last call: position and increment.
    pub fn drain(&mut self) -> impl Iterator<Item = (usize, u64)> {
        let pending = self.pending.iter_mut().enumerate();
        pending.filter(|(_, count)| **count > 0).map(|(at, count)| (at, std::mem::take(count)))
    }

    /// Position of the gauge of a document's age, in seconds.
    pub fn document_age(&self, id: DocumentId) -> usize {
        match id {
            DocumentId::Keys(issuer) => self.age_at.saturating_add(issuer),
            id => self.list_cell(id).saturating_add(2),
        }
    }

    /// Where the metrics of a list begin: fetches that went well, fetches that failed, age.
    fn list_cell(&self, id: DocumentId) -> usize {
        let Some(nth) = self.lists.iter().position(|it| *it == id) else {
            return usize::MAX;
        };
        self.lists_at.saturating_add(nth.saturating_mul(3))
    }

    /// Positions and values of the gauges that tell which tiers only report.
    pub fn dry_run(&self, config: &Config) -> Vec<(usize, u64)> {
        let tiers = config.tiers.iter().map(|tier| config.dry_run || tier.dry_run);
        let all = tiers.chain([config.dry_run]).enumerate();
        all.map(|(at, on)| (self.dry_run_at.saturating_add(at), u64::from(on))).collect()
    }

    fn tier(&self, tier: Option<usize>) -> usize {
        tier.unwrap_or(self.tiers.saturating_sub(1))
    }

    fn cell(&self, start: usize, row: usize, tier: Option<usize>) -> usize {
        start.saturating_add(row.saturating_mul(self.tiers)).saturating_add(self.tier(tier))
    }

    fn add(&mut self, at: usize) {
        if let Some(count) = self.pending.get_mut(at) {
            *count = count.saturating_add(1);
        }
    }
}

const fn is_key_set(id: DocumentId) -> bool {
    matches!(id, DocumentId::Keys(_))
}

/// Adds a counter for each pair of a row and a column, row by row; returns where they begin.
#[inline(never)]
fn add_table(list: &mut Vec<Metric>, name: &str, rows: (&str, &[&str]), columns: (&str, &[&str])) -> usize {
    let begin = list.len();
    for row in rows.1 {
        for column in columns.1 {
            add(list, Kind::Counter, name, &[(rows.0, row), (columns.0, column)]);
        }
    }
    begin
}

#[inline(never)]
fn add(list: &mut Vec<Metric>, kind: Kind, name: &str, labels: &[(&str, &str)]) {
    let mut text = ["hallpass.", name, "."].concat();
    for (label, value) in labels {
        text.push_str(label);
        text.push_str("=.=");
        text.push_str(value);
        text.push_str(";.;");
    }
    list.push(Metric { kind, name: text });
}

/// The metrics of a list, in the order that [`Metrics::list_cell`] counts on.
#[inline(never)]
fn add_list(list: &mut Vec<Metric>, id: DocumentId, issuers: &[String]) {
    let name = match id {
        DocumentId::Revocations(issuer) => ["revocations_", issuers.get(issuer).map_or("", String::as_str)].concat(),
        DocumentId::Tokens => "tokens".to_owned(),
        _ => "api-keys".to_owned(),
    };
    for result in ["ok", "failed"] {
        add(list, Kind::Counter, "list_fetches_total", &[("list", &name), ("result", result)]);
    }
    add(list, Kind::Gauge, "list_age_seconds", &[("list", &name)]);
}

/// The label of requests without a tier, which no tier has.
#[inline(never)]
fn no_tier(config: &Config) -> String {
    let mut name = "none".to_owned();
    while config.tiers.iter().any(|tier| tier.name == name) {
        name.push('_');
    }
    name
}

/// The labels of all issuers, each another.
#[inline(never)]
fn issuer_labels(config: &Config) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for issuer in &config.issuers {
        let mut label = label_value(&issuer.rules.issuer);
        while labels.contains(&label) {
            label.push('_');
        }
        labels.push(label);
    }
    labels
}

/// The label of a class; that of all keys is one that no issuer has.
#[inline(never)]
fn class_label(class: Class, issuers: &[String]) -> String {
    const KEYS: &str = "api_keys";
    match class {
        Class::ApiKeys => KEYS.to_owned(),
        Class::Issuer(index) => {
            let mut label = issuers.get(index).cloned().unwrap_or_default();
            while label == KEYS || issuers.iter().enumerate().any(|(at, other)| at != index && *other == label) {
                label.push('_');
            }
            label
        }
    }
}

/// An issuer as a label value: without the characters that separate labels or statistics' names.
#[inline(never)]
fn label_value(issuer: &str) -> String {
    let short = issuer.trim_start_matches("https://").trim_start_matches("http://");
    short.trim_end_matches('/').replace(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)), "_")
}

#[cfg(test)]
mod tests;
