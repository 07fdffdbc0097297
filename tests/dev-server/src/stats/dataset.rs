//! Attendance numbers from a JSON file, in memory.

use std::{error::Error, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::name::Name;

const BUILT_IN: &str = include_str!("../../data/attendance.json");

/// All schools that the API has numbers of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dataset {
    pub(crate) schools: Vec<School>,
}

/// One school with its days.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct School {
    pub(crate) id: Name,
    pub(crate) name: String,
    enrolled: u32,
    pub(crate) days: Vec<Day>,
}

/// The attendance of one day.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Day {
    /// ISO 8601.
    date: String,
    present: u32,
    absent: u32,
}

impl Dataset {
    /// The data that comes with the server.
    ///
    /// # Errors
    /// When the file does not fit the format.
    pub(crate) fn built_in() -> Result<Self, DatasetError> {
        Self::parse(BUILT_IN)
    }

    /// Reads `{"schools": [{"id", "name", "enrolled", "days": [{"date", "present", "absent"}]}]}`.
    ///
    /// # Errors
    /// When the text does not fit the format.
    pub(crate) fn parse(text: &str) -> Result<Self, DatasetError> {
        serde_json::from_str(text).map_err(DatasetError)
    }
}

impl School {
    /// One row of a summary: the sums over all days, and the share of those present.
    pub(crate) fn summary(&self) -> Value {
        let present: u64 = self.days.iter().map(|day| u64::from(day.present)).sum();
        let absent: u64 = self.days.iter().map(|day| u64::from(day.absent)).sum();
        json!({
            "school_id": self.id,
            "enrolled": self.enrolled,
            "days": self.days.len(),
            "present": present,
            "absent": absent,
            "present_percent": present.saturating_mul(100).checked_div(present.saturating_add(absent)),
        })
    }

    /// One record per day.
    pub(crate) fn records(&self) -> impl Iterator<Item = Value> {
        self.days.iter().map(|day| {
            json!({
                "school_id": self.id,
                "date": day.date,
                "present": day.present,
                "absent": day.absent,
            })
        })
    }
}

/// The data file does not fit the format.
#[derive(Debug)]
pub(crate) struct DatasetError(serde_json::Error);

impl fmt::Display for DatasetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attendance data: {}", self.0)
    }
}

impl Error for DatasetError {}
