//! The bypass corpus: what attackers send, one a line in `tests/upstreams/corpus/`, and what can be made of the pieces.

/// Spellings of the parameter `school_id`, and of others that say something to a server.
pub fn names() -> impl Iterator<Item = &'static str> {
    include_str!("../corpus/names.txt").lines()
}

/// Values with the `=` before them: `in` and `in-2` are granted, `out` is not.
pub fn values() -> impl Iterator<Item = &'static str> {
    include_str!("../corpus/values.txt").lines()
}

/// Paths; behind `/admin/` and `/a/secret` something is guarded, `/s/{id}` is a school's, `/a/` is open.
pub fn paths() -> impl Iterator<Item = &'static str> {
    include_str!("../corpus/paths.txt").lines()
}

/// Lines of headers as they stand in a request; `\r`, `\n`, `\u....` are written out.
pub fn headers() -> impl Iterator<Item = String> {
    let raw = |line: &str| {
        line.replace("\\r", "\r").replace("\\n", "\n").replace("\\u0000", "\0").replace("\\u017f", "\u{17f}")
    };
    include_str!("../corpus/headers.txt").lines().map(raw)
}

/// JSON bodies, and what is none, that name the school.
pub fn bodies() -> impl Iterator<Item = &'static str> {
    include_str!("../corpus/bodies.txt").lines()
}

/// Queries of one and of two parameters: every name with every value, before and behind one that is granted.
pub fn queries() -> impl Iterator<Item = String> {
    names().flat_map(|name| {
        values().flat_map(move |value| {
            let odd = format!("{name}{value}");
            ["&", ";", "&&"]
                .map(|mark| [format!("school_id=in{mark}{odd}"), format!("{odd}{mark}school_id=in")])
                .into_iter()
                .flatten()
                .chain([odd])
        })
    })
}
