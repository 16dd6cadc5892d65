//! Parts of a limit as text: the rate, then `burst=` and `by=`.

use super::client::ClientUnit;

/// Parts of the text of a limit.
#[derive(Debug)]
pub(super) struct LimitText<'a> {
    pub(super) rate: &'a str,
    pub(super) burst: Option<&'a str>,
    pub(super) by: ClientUnit,
}

impl<'a> LimitText<'a> {
    /// Splits `text` into its parts. `example` is a rate, for messages.
    pub(super) fn read(text: &'a str, example: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let rate = words.next().ok_or_else(|| format!("the rate is missing; write {example}"))?;
        let (mut burst, mut by) = (None, None);
        for word in words {
            let twice = match word.split_once('=') {
                Some(("burst", value)) => burst.replace(value).is_some(),
                Some(("by", value)) => {
                    let unit: ClientUnit = value.parse().map_err(|why| format!("by: {why}"))?;
                    by.replace(unit).is_some()
                }
                _ => {
                    return Err(format!(
                        "'{word}' after the rate is neither burst=NUMBER nor by=CLIENT"
                    ));
                }
            };
            if twice {
                return Err(format!("'{word}' is given twice"));
            }
        }
        Ok(Self { rate, burst, by: by.unwrap_or_default() })
    }
}

/// Returns the text of the parts that differ from the defaults.
pub(super) fn write(burst: Option<String>, by: ClientUnit) -> String {
    let burst = burst.map_or_else(String::new, |burst| format!(" burst={burst}"));
    if by == ClientUnit::default() { burst } else { format!("{burst} by={by}") }
}
