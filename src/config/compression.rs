//! Values of options for compression on the fly.

use crate::coding::CompressionRules;
use crate::http::ContentCoding;

use super::table::value::on_or_off;

/// Parses the codings to apply: `on`, `off`, or a list in the order of preference.
pub(super) fn codings(text: &str) -> Result<Vec<ContentCoding>, String> {
    match text {
        "on" | "true" => return Ok(CompressionRules::USUAL.to_vec()),
        "off" | "false" => return Ok(Vec::new()),
        _ => {}
    }
    let mut codings = Vec::new();
    for name in text.split(',').map(str::trim) {
        let coding = name.parse();
        let coding = coding.map_err(|why| format!("{why}; write on, off or such as 'br,gzip'"))?;
        if codings.contains(&coding) {
            return Err(format!("'{text}' has {coding} twice"));
        }
        codings.push(coding);
    }
    Ok(codings)
}

/// Returns the codings as they could be given.
pub(super) fn codings_text(codings: &[ContentCoding]) -> Vec<String> {
    match codings {
        [] => on_or_off(false),
        usual if *usual == CompressionRules::USUAL => on_or_off(true),
        codings => vec![codings.iter().map(|coding| coding.name()).collect::<Vec<_>>().join(",")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_a_list_or_a_switch() {
        for (text, written) in [
            ("on", "on"),
            ("false", "off"),
            ("gzip", "gzip"),
            ("br, gzip", "br,gzip"),
            ("zstd,br,gzip", "on"),
        ] {
            assert_eq!(codings_text(&codings(text).unwrap()), [written], "{text}");
        }
        assert!(codings("deflate").unwrap_err().contains("zstd, br and gzip; write on, off"));
        assert!(codings("gzip,gzip").unwrap_err().contains("twice"));
        assert!(codings("").is_err());
    }
}
