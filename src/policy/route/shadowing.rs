//! Shadowing and host bypass: requests that an earlier route takes from a later one, and requests that avoid an earlier route
//! by naming another host.

use super::{Credential, Route, allows};

/// Requests that an earlier route takes from a later one.
#[derive(Debug, PartialEq, Eq)]
pub struct Shadow<'a> {
    /// The later route.
    pub later: usize,
    /// The earlier one.
    pub earlier: usize,
    /// The methods that it takes; of the later route's own, if that lists any.
    pub methods: Vec<&'a str>,
}

/// Routes that no request reaches: pairs of a later route and the earlier one that takes all of its requests.
pub fn unreachable(routes: &[Route]) -> Vec<(usize, usize)> {
    routes
        .iter()
        .enumerate()
        .filter_map(|(later, route)| {
            let earlier = routes.iter().take(later).position(|it| it.covers(route))?;
            Some((later, earlier))
        })
        .collect()
}

/// Methods that earlier routes take from a later one.
///
/// A later route that lists methods loses those that an earlier one serves. One that lists none loses methods only to
/// routes for more hosts or paths: for the same hosts and paths it is meant as the rest. OPTIONS is left out, since
/// browsers send it for every route.
pub fn shadows(routes: &[Route]) -> Vec<Shadow<'_>> {
    let mut found = Vec::new();
    for (later, route) in routes.iter().enumerate() {
        let mut left: Vec<&str> = route.methods.iter().map(String::as_str).collect();
        let before = routes.iter().take(later).enumerate().filter(|(_, it)| it.covers_place(route));
        for (earlier, it) in before {
            let methods: Vec<&str> = if !route.methods.is_empty() {
                let (taken, rest) = left.into_iter().partition(|method| allows(&it.methods, method.as_bytes()));
                left = rest;
                taken
            } else if route.covers_place(it) {
                Vec::new()
            } else {
                it.methods.iter().map(String::as_str).filter(|method| *method != "OPTIONS").collect()
            };
            if !methods.is_empty() {
                found.push(Shadow { later, earlier, methods });
            }
        }
    }
    found
}

/// Pairs of a later route and an earlier one that asks for more on fewer hosts: a client that names another host gets the
/// later one.
pub fn host_bypasses(routes: &[Route]) -> Vec<(usize, usize)> {
    let of = |later: usize, route: &Route| {
        let earlier = routes.iter().take(later).position(|it| it.is_avoided_by(route))?;
        Some((later, earlier))
    };
    routes.iter().enumerate().filter_map(|(later, route)| of(later, route)).collect()
}

impl Route {
    /// Whether requests of this route, with another host, are those of `later`, which asks for less.
    fn is_avoided_by(&self, later: &Self) -> bool {
        let has_more_hosts = later.host.covers(&self.host) && !self.host.covers(&later.host);
        let shares_methods = match (&*self.methods, &*later.methods) {
            ([], _) | (_, []) => true,
            (own, _) => own.iter().any(|method| allows(&later.methods, method.as_bytes())),
        };
        has_more_hosts && shares_methods && later.path.covers(&self.path) && !later.asks_for_all_of(self)
    }

    /// Whether this route has every rule of another: its credentials, scope and permissions.
    fn asks_for_all_of(&self, other: &Self) -> bool {
        let requires = |credential| self.requires(credential) || !other.requires(credential);
        let is_guarded = !self.require.is_empty() || other.require.is_empty();
        let has_scope = (self.scope.is_some() || other.scope.is_none())
            && (self.districts.is_some() || other.districts.is_none())
            && (self.one_required || !other.one_required);
        let has_permissions = other.permissions.iter().all(|it| self.permissions.contains(it));
        is_guarded && requires(Credential::ApiKey) && requires(Credential::Bearer) && has_scope && has_permissions
    }

    /// Whether this route, standing earlier, takes every request of `later`.
    fn covers(&self, later: &Self) -> bool {
        let covers_methods = if later.methods.is_empty() {
            self.methods.is_empty()
        } else {
            later.methods.iter().all(|method| allows(&self.methods, method.as_bytes()))
        };
        let covers_preflights = !later.cors_preflight || self.cors_preflight || allows(&self.methods, b"OPTIONS");
        covers_methods && covers_preflights && self.covers_place(later)
    }

    /// The same, as far as hosts and paths go.
    fn covers_place(&self, later: &Self) -> bool {
        self.host.covers(&later.host) && self.path.covers(&later.path)
    }
}
