//! Invented students from a JSON file, in memory, by district and school.

use std::error::Error;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::name::Name;

const BUILT_IN: &str = include_str!("../../data/students.json");

/// All districts that the API has students of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Students {
    districts: Vec<District>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct District {
    id: Name,
    #[serde(rename = "name")]
    _name: String,
    schools: Vec<School>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct School {
    id: Name,
    #[serde(rename = "name")]
    _name: String,
    students: Vec<Student>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Student {
    id: Name,
    given_name: String,
    family_name: String,
    grade: u8,
}

/// One student with where it goes to school.
pub(crate) struct Row<'a> {
    pub(crate) district: &'a str,
    pub(crate) school: &'a str,
    student: &'a Student,
}

impl Row<'_> {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.student.id,
            "given_name": self.student.given_name,
            "family_name": self.student.family_name,
            "grade": self.student.grade,
            "districtlea": self.district,
            "schoollea": self.school,
        })
    }
}

impl Students {
    /// The data that comes with the server.
    ///
    /// # Errors
    /// When the file does not fit the format.
    pub(crate) fn built_in() -> Result<Self, Box<dyn Error>> {
        serde_json::from_str(BUILT_IN).map_err(|error| format!("students: {error}").into())
    }

    /// Every student, in the order of the file.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.places().flat_map(|(district, school)| {
            let place = (district.id.as_str(), school.id.as_str());
            school.students.iter().map(move |student| Row { district: place.0, school: place.1, student })
        })
    }

    /// The district of a school, if it is known.
    pub(crate) fn district_of(&self, school_id: &str) -> Option<&str> {
        let (district, _) = self.places().find(|(_, school)| school.id.as_str() == school_id)?;
        Some(district.id.as_str())
    }

    /// Every school with its district, district first.
    pub(crate) fn schools(&self) -> impl Iterator<Item = (&str, &str)> {
        self.places().map(|(district, school)| (district.id.as_str(), school.id.as_str()))
    }

    /// The schools of a district; none if it is not known.
    pub(crate) fn schools_of(&self, district_id: &str) -> Vec<Name> {
        let of_district = self.places().filter(|(district, _)| district.id.as_str() == district_id);
        of_district.map(|(_, school)| school.id.clone()).collect()
    }

    fn places(&self) -> impl Iterator<Item = (&District, &School)> {
        self.districts.iter().flat_map(|district| district.schools.iter().map(move |school| (district, school)))
    }
}
