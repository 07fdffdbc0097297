//! A list that the gateway vouches for, in one header such as `X-Claim-Schools`.

use axum::http::HeaderMap;

use crate::name::Name;

/// The names of a forwarded list; none is a valid list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClaimList(Vec<Name>);

impl ClaimList {
    /// Reads the one header. Missing, doubled or malformed is no access: which of two lines the gateway
    /// wrote cannot be told, and a list that is half understood is not one.
    pub(crate) fn read(headers: &HeaderMap, header: &str) -> Option<Self> {
        let mut values = headers.get_all(header).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let list = value.to_str().ok()?;
        if list.is_empty() {
            return Some(Self(Vec::new()));
        }
        let names: Option<_> = list.split(',').map(|name| Name::parse(name).ok()).collect();
        names.map(Self)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|known| known.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: Option<&[&str]>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-claim-schools", line.parse().unwrap());
        }
        let names = |list: &[&str]| list.iter().map(|name| Name::parse(name).unwrap()).collect();
        assert_eq!(
            ClaimList::read(&headers, "x-claim-schools"),
            expected.map(|list| ClaimList(names(list))),
            "{lines:?}"
        );
    }

    #[test]
    fn only_one_well_formed_list_gives_access() {
        // One school and several.
        check(&["oakwood-primary"], Some(&["oakwood-primary"]));
        check(&["oakwood-primary,ravenscroft-high"], Some(&["oakwood-primary", "ravenscroft-high"]));
        // An empty list is no school, which differs from no list.
        check(&[""], Some(&[]));
        check(&[], None);
        // Two lines, also when they agree.
        check(&["oakwood-primary", "ravenscroft-high"], None);
        check(&["oakwood-primary", "oakwood-primary"], None);
        // An empty entry, a wildcard, a space.
        check(&["oakwood-primary,"], None);
        check(&["*"], None);
        check(&["oakwood-primary, ravenscroft-high"], None);
    }
}
