//! The words of the language: reserved ones, operators, options, units.

/// Words that are never names unless quoted.
pub const RESERVED: [&str; 11] =
    ["AND", "OR", "NOT", "IN", "IS", "LIKE", "BETWEEN", "NULL", "TRUE", "FALSE", "WHERE"];

/// First words of operators.
pub const OPERATORS: [&str; 27] = [
    "FROM",
    "AS",
    "DURING",
    "WHERE",
    "FOR",
    "SPLIT",
    "SESSIONS",
    "INTERACTIONS",
    "CHAINS",
    "FCR",
    "FUNNEL",
    "REACHED",
    "DROPPED",
    "CORRELATES",
    "MATCH",
    "PATHS",
    "GRAPH",
    "MAP",
    "EXTEND",
    "SELECT",
    "AGGREGATE",
    "ORDER",
    "LIMIT",
    "DISTINCT",
    "CUSTOMERS",
    "SAVE",
    "JOURNEYS",
];

/// Words that begin a statement of another kind than a query.
pub const STATEMENTS: [&str; 10] =
    ["EXPLAIN", "PROFILE", "WHY", "LINK", "UNLINK", "LINKS", "ERASE", "RETAIN", "AMEND", "REDACT"];

/// Whether a word is reserved, whatever its case.
pub fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|r| r.eq_ignore_ascii_case(word))
}

/// Whether a name can be written without quotes.
pub fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !is_reserved(name)
}

/// Milliseconds of a unit of time: `ms s m h d w` or the word in full.
pub fn unit_millis(unit: &str) -> Option<i64> {
    if unit.len() > 12 {
        return None;
    }
    Some(match unit.to_ascii_lowercase().as_str() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        word => return unit_word_millis(word),
    })
}

/// Milliseconds of a unit that is written in full: `DAYS`, `day`.
pub fn unit_word_millis(unit: &str) -> Option<i64> {
    if unit.len() > 12 {
        return None;
    }
    Some(match unit.to_ascii_lowercase().as_str() {
        "millisecond" | "milliseconds" => 1,
        "second" | "seconds" => 1_000,
        "minute" | "minutes" => 60_000,
        "hour" | "hours" => 3_600_000,
        "day" | "days" => 86_400_000,
        "week" | "weeks" => 604_800_000,
        _ => return None,
    })
}

/// The candidate that was most likely meant by a misspelt word, if any is near enough.
pub fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase();
    let allowed = match word.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&word, &c.to_lowercase()), c))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}
