//! Known names that a wrong one may have been meant for.

/// Returns `did you mean 'NAME'?` with the known name that is nearest to `wrong`; `None` if none is
/// near.
pub(crate) fn suggestion(wrong: &str, known: &[&str]) -> Option<String> {
    let close = known.iter().map(|name| (strsim::damerau_levenshtein(wrong, name), name));
    let (distance, name) = close.min()?;
    let likely = distance <= 2.max(name.len() / 3);
    likely.then(|| format!("did you mean '{name}'?"))
}
