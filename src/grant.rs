//! Grants: which schools a district opens.

use std::collections::BTreeMap;

/// Districts and the schools that belong to each, from the configuration or from a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistrictSchools(BTreeMap<Box<str>, Box<[Box<str>]>>);

impl DistrictSchools {
    /// From lists of school ids by district id.
    pub fn new(lists: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        let mut districts = BTreeMap::new();
        for (district, schools) in lists {
            let mut sorted: Vec<Box<str>> = schools.into_iter().map(String::into_boxed_str).collect();
            sorted.sort_unstable();
            districts.insert(district.into_boxed_str(), sorted.into_boxed_slice());
        }
        Self(districts)
    }

    /// Whether the school belongs to the district; compared byte by byte.
    pub fn has(&self, district: &str, school: &str) -> bool {
        let schools = self.0.get(district);
        schools.is_some_and(|list| list.binary_search_by(|known| known.as_ref().cmp(school)).is_ok())
    }

    /// Whether no district is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how much memory it takes, bytes.
    pub fn weight(&self) -> usize {
        let id = |id: &str| id.len().saturating_add(size_of::<Box<str>>());
        let ids = self.0.iter().flat_map(|(district, schools)| schools.iter().chain([district]));
        ids.map(|it| id(it)).fold(0, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::DistrictSchools;

    #[test]
    fn school_belongs_to_the_districts_that_list_it() {
        let lists = [("d1", vec!["b", "a"]), ("d2", vec![])];
        let owned = lists.map(|(district, list)| (district.to_owned(), list.into_iter().map(str::to_owned).collect()));
        let districts = DistrictSchools::new(owned);
        assert!(districts.has("d1", "a") && districts.has("d1", "b"));
        // another district, another school, a prefix, another case
        for (district, school) in [("d2", "a"), ("d1", "c"), ("d1", ""), ("d3", "a"), ("D1", "a")] {
            assert!(!districts.has(district, school), "{district} {school}");
        }
    }
}
