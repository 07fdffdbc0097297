//! What real parsers read, taken by `tests/upstreams/taken/take`.

use serde_json::Value;

/// One query and what each parser found in it under `school_id`.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The query.
    pub query: String,
    /// Who read, and what; whoever found nothing is not listed.
    pub readings: Vec<(String, Vec<String>)>,
}

/// All of them.
pub fn queries() -> Vec<Taken> {
    include_str!("../taken/queries.jsonl").lines().map(row).collect()
}

fn row(line: &str) -> Taken {
    let Ok(Value::Object(members)) = serde_json::from_str(line) else {
        return Taken { query: line.to_owned(), readings: Vec::new() };
    };
    let texts = |list: &Value| {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    let readings = members.iter().filter(|(name, _)| *name != "query").map(|(name, list)| (name.clone(), texts(list)));
    Taken { query: members["query"].as_str().unwrap_or_default().to_owned(), readings: readings.collect() }
}
