//! `LIKE`: `%` any run, `_` any one character, `\` takes the next as it is.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Any,
    One,
    Char(char),
}

/// A pattern, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LikePattern {
    pieces: Vec<Piece>,
}

impl LikePattern {
    /// Reads a pattern. A `\` at the end stands for itself.
    pub(crate) fn new(pattern: &str) -> Self {
        let mut pieces = Vec::with_capacity(pattern.len());
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let piece = match c {
                '%' => Piece::Any,
                '_' => Piece::One,
                '\\' => Piece::Char(chars.next().unwrap_or('\\')),
                c => Piece::Char(c),
            };
            if piece != Piece::Any || pieces.last() != Some(&Piece::Any) {
                pieces.push(piece);
            }
        }
        Self { pieces }
    }

    /// Whether the whole of `text` matches. Going back only to the last `%`
    /// is enough, so the cost is at most text times pattern.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut place = 0;
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let mut ahead = rest.clone();
            let next = ahead.next();
            let fits = match (self.pieces.get(place), next) {
                (Some(Piece::Any), _) => {
                    place += 1;
                    retry = Some((place, rest.clone()));
                    continue;
                }
                (Some(Piece::One), Some(_)) => true,
                (Some(Piece::Char(wanted)), Some(c)) => *wanted == c,
                (None, None) => return true,
                _ => false,
            };
            if fits {
                place += 1;
                rest = ahead;
                continue;
            }
            let Some((after, from)) = &mut retry else { return false };
            if from.next().is_none() {
                return false;
            }
            place = *after;
            rest = from.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |text: &str, pattern: &str, expected: bool| {
            assert_eq!(LikePattern::new(pattern).matches(text), expected, "{text} LIKE {pattern}");
        };
        check("twitter", "tw%", true);
        check("twitter", "%ter", true);
        check("twitter", "%itt%", true);
        check("twitter", "tw", false);
        check("twitter", "t_itter", true);
        check("", "%", true);
        check("", "_", false);
        check("", "", true);
        check("a%b", r"a\%b", true);
        check("axb", r"a\%b", false);
        check("é", "_", true);
        check("abcabd", "%ab_", true);
        check("Twitter", "tw%", false);
        check("aaaaaaaaab", "%a%a%a%c", false);
        check(r"a\", r"a\", true);
    }
}
