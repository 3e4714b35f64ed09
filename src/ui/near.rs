//! Finds words that the user may have meant.

/// Returns the name that is closest to what was typed, if one is close enough.
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.filter(|name| is_near(typed, name));
    near.min_by_key(|name| distance(typed, name))
}

/// Whether one word may be a typing error for another: up to a third of the letters may differ. Single letters never
/// match.
pub fn is_near(typed: &str, name: &str) -> bool {
    let longest = typed.chars().count().max(name.chars().count());
    longest > 2 && distance(typed, name) <= longest / 3
}

fn distance(typed: &str, name: &str) -> usize {
    strsim::osa_distance(&typed.to_lowercase(), &name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_near_and_other_words_are_not() {
        let names = ["photos", "reports", "recycle_bin"];
        for (typed, meant) in
            [("phtos", Some("photos")), ("Photos", Some("photos")), ("report", Some("reports")), ("music", None)]
        {
            assert_eq!(nearest(typed, names.into_iter()), meant, "{typed}");
        }
        assert!(!is_near("a", "b"));
    }
}
