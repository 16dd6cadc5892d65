//! Links of a page, as a browser finds them.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};

/// Most links that are read of a page.
const MOST_LINKS: usize = 5000;

/// A link of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Name of the element, in lower case.
    pub element: String,
    /// Name of the attribute: `href`, `src`, `action` or `data`.
    pub attribute: &'static str,
    /// The reference as the page has it, without blanks around it.
    pub reference: String,
    /// Relation of a `link` element, in lower case.
    pub relation: String,
}

impl Link {
    /// Returns true if the link leads to a style sheet, a script or an image.
    #[must_use]
    pub fn is_asset(&self) -> bool {
        match (self.element.as_str(), self.attribute) {
            ("link", "href") => self.relation.split_ascii_whitespace().any(|it| it == "stylesheet"),
            ("script" | "img", "src") => true,
            _ => false,
        }
    }
}

/// Returns the links of a page in their order, 5000 at most.
#[must_use]
pub fn links(html: &[u8]) -> Vec<Link> {
    let mut emitter = DefaultEmitter::<()>::default();
    emitter.naively_switch_states(true); // the text of a script has no elements
    let mut found = Vec::new();
    for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
        let Token::StartTag(tag) = token else { continue };
        let text = |name: &str| {
            let value = tag.attributes.get(name.as_bytes())?;
            Some(String::from_utf8_lossy(value).trim().to_owned())
        };
        for attribute in ["href", "src", "action", "data"] {
            let Some(reference) = text(attribute) else { continue };
            if found.len() == MOST_LINKS {
                return found;
            }
            found.push(Link {
                element: String::from_utf8_lossy(&tag.name).into_owned(),
                attribute,
                reference,
                relation: text("rel").unwrap_or_default().to_ascii_lowercase(),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_those_of_elements() {
        let html = b"<!doctype html><LINK REL='Stylesheet' HREF=a.css><script src=\" b.js \">'<a href=no>'\
                     </script><!-- <a href=no> --><a title=x href='c?d&amp;e'>no</a><img src=f.png>";
        let found = links(html);
        let texts: Vec<_> = found.iter().map(|link| link.reference.as_str()).collect();
        assert_eq!(texts, ["a.css", "b.js", "c?d&e", "f.png"]);
        let assets: Vec<_> = found.iter().map(Link::is_asset).collect();
        assert_eq!(assets, [true, true, false, true]);
    }

    #[test]
    fn a_page_of_links_is_bounded() {
        assert_eq!(links(&b"<a href=x>".repeat(MOST_LINKS + 1)).len(), MOST_LINKS);
    }
}
