//! Listings of folders, as HTML.

use std::fmt::Write;
use std::time::SystemTime;

use crate::html;
use crate::http::date;

/// File of a folder, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFile {
    /// Name, without a slash at the end.
    pub name: Vec<u8>,
    /// True for a folder.
    pub is_folder: bool,
    /// Length, in bytes.
    pub length: u64,
    /// Time of the last change.
    pub modified: SystemTime,
}

/// Returns a page about the files of a folder, which clients know by `path`. Folders come first, and
/// names in the order of their bytes. `more` is true if the folder has further files.
#[must_use]
pub fn listing(path: &str, mut files: Vec<ListedFile>, more: bool) -> String {
    files.sort_by(|one, other| (!one.is_folder, &one.name).cmp(&(!other.is_folder, &other.name)));
    let title = html::escape(path);
    let mut page = format!(
        "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <style>body{{font:1em sans-serif;margin:2em}}td{{padding:0 2em 0 0}}\
         td:nth-child(2){{text-align:right}}</style></head>\n<body><h1>{title}</h1>\n<table>\n"
    );
    if !path.trim_matches('/').is_empty() {
        page.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for file in &files {
        let slash = if file.is_folder { "/" } else { "" };
        let length = if file.is_folder { String::new() } else { file.length.to_string() };
        let (link, name) =
            (encoded(&file.name), html::escape(&String::from_utf8_lossy(&file.name)));
        // A name with a colon would be read as a scheme (RFC 3986 §4.2).
        let written = writeln!(
            page,
            "<tr><td><a href=\"./{link}{slash}\">{name}{slash}</a></td><td>{length}</td><td>{}</td></tr>",
            date::format(file.modified),
        );
        let _ = written; // writing to a String does not fail
    }
    page.push_str("</table>\n");
    if more {
        page.push_str("<p>The folder has more files than are shown.</p>\n");
    }
    page.push_str("</body></html>\n");
    page
}

/// Returns a name as a segment of a URL.
fn encoded(name: &[u8]) -> String {
    let mut out = String::with_capacity(name.len());
    for &byte in name {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            byte => {
                let written = write!(out, "%{byte:02X}");
                let _ = written; // writing to a String does not fail
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &[u8], is_folder: bool) -> ListedFile {
        ListedFile { name: name.to_vec(), is_folder, length: 42, modified: SystemTime::UNIX_EPOCH }
    }

    #[test]
    fn folders_come_first_and_names_are_escaped() {
        let files = vec![
            file(b"b.txt", false),
            file(b"<a&\"'>.txt", false),
            file(b"z", true),
            file(b"\xff:", false),
        ];
        let page = listing("/a<b/", files, false);
        let order: Vec<usize> = [
            "./z/\">z/<",
            "./%3Ca%26%22%27%3E.txt\">&lt;a&amp;&quot;&#39;&gt;.txt<",
            "./b.txt\">b.txt<",
            "./%FF%3A\">\u{fffd}:<",
        ]
        .iter()
        .map(|part| page.find(part).unwrap_or_else(|| panic!("{part} is missing in {page}")))
        .collect();
        assert!(order.is_sorted(), "{page}");
        assert!(page.contains("<title>/a&lt;b/</title>") && page.contains("href=\"../\""));
        assert!(!page.contains("more files"));
        let root = listing("/", Vec::new(), true);
        assert!(!root.contains("../") && root.contains("more files"));
    }
}
