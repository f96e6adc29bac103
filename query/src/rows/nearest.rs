//! Names that may have been meant.

/// The candidates nearest to `word`, nearest first, at most three: by
/// Damerau-Levenshtein distance ignoring case, up to a third of the length.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
            (distance <= allowed).then_some((distance, candidate))
        })
        .collect();
    near.sort_unstable();
    near.truncate(3);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// `did you mean `a` or `b`?`, where anything is near.
pub(crate) fn did_you_mean(near: &[&str]) -> Option<String> {
    let quoted: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => None,
        [only] => Some(format!("did you mean {only}?")),
        [first @ .., last] => Some(format!("did you mean {} or {last}?", first.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names() {
        let check = |word: &str, expected: &[&str]| {
            assert_eq!(nearest(word, ["channel", "kind", "case", "chanel"]), expected, "{word}");
        };
        check("chanell", &["chanel", "channel"]);
        check("CASE", &["case"]);
        check("zebra", &[]);
    }
}
