//! What a misspelt word was meant to be.

/// The candidate that a misspelt word was probably meant to be.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The number of characters to change, add or take away (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (b, above) in b.chars().zip(row.iter().skip(1)) {
            let cost = diagonal + usize::from(a != b);
            left = cost.min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn a_misspelt_word_is_recognised_and_another_is_not() {
        assert_eq!(distance("kitten", "sitting"), 3);
        let keys = ["name", "formerly", "version", "upcast_from"];
        assert_eq!(closest("nane", keys), Some("name"));
        assert_eq!(closest("upcasts_from", keys), Some("upcast_from"));
        assert_eq!(closest("tag", keys), None);
    }
}
