//! Grants: which schools a district opens.

use std::rc::Rc;

use crate::values::names::Names;

/// Schools and the districts that each belongs to, from the configuration or from a token.
///
/// By school, since a school has few districts: a request costs the same for a caller with one district and with thousands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistrictSchools {
    schools: Names,
    /// By the position of the school.
    districts_of: Vec<Vec<Rc<str>>>,
    weight: usize,
}

impl DistrictSchools {
    /// From lists of school ids by district id.
    pub fn new(lists: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        let mut known = Names::default();
        let mut districts_of: Vec<Vec<Rc<str>>> = Vec::new();
        let mut weight = 0_usize;
        for (district, schools) in lists {
            let district: Rc<str> = district.into();
            weight = weight.saturating_add(district.len());
            for school in schools {
                let entry = size_of::<(Box<str>, usize, Vec<Rc<str>>)>().saturating_add(size_of::<Rc<str>>());
                weight = weight.saturating_add(school.len()).saturating_add(entry);
                match known.add(&school).and_then(|at| districts_of.get_mut(at)) {
                    Some(districts) => districts.push(Rc::clone(&district)),
                    None => districts_of.push(vec![Rc::clone(&district)]),
                }
            }
        }
        Self { schools: known, districts_of, weight }
    }

    /// The districts that a school belongs to; compared byte by byte.
    pub fn districts_of(&self, school: &str) -> &[Rc<str>] {
        self.schools.position(school).and_then(|at| self.districts_of.get(at)).map_or(&[], Vec::as_slice)
    }

    /// About how much memory it takes, bytes.
    pub const fn weight(&self) -> usize {
        self.weight
    }
}

#[cfg(test)]
mod tests {
    use super::DistrictSchools;

    #[test]
    fn school_belongs_to_the_districts_that_list_it() {
        let lists = [("d1", vec!["b", "a"]), ("d2", vec![]), ("d3", vec!["a"])];
        let owned = lists.map(|(district, list)| (district.to_owned(), list.into_iter().map(str::to_owned).collect()));
        let districts = DistrictSchools::new(owned);
        let check = |school: &str, expected: &[&str]| {
            let found: Vec<&str> = districts.districts_of(school).iter().map(AsRef::as_ref).collect();
            assert_eq!(found, expected, "{school}");
        };
        check("a", &["d1", "d3"]);
        check("b", &["d1"]);
        // none, another case, longer
        for school in ["c", "", "A", "aa"] {
            check(school, &[]);
        }
    }
}
