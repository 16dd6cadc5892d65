//! Table and drawing of docs/eviction.md.

use std::fmt::Write;

use crate::Row;

/// Returns the rows of the Markdown table.
pub fn table(rows: &[Row]) -> String {
    let mut out = "| trace | objects: lru | gdsf | offline | bytes: lru | gdsf | offline |\n\
                   |---|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for row in rows {
        let [lru, gdsf, offline] = [&row.lru, &row.gdsf, &row.offline].map(|m| m.objects());
        let bytes = [&row.lru, &row.gdsf, &row.offline].map(|m| m.bytes());
        let _ = writeln!(
            out,
            "| {} | {lru:.3} | {gdsf:.3} | {offline:.3} | {:.3} | {:.3} | {:.3} |",
            row.kind.name, bytes[0], bytes[1], bytes[2],
        );
    }
    out
}

/// Returns bars of the misses with gdsf, relative to those with LRU.
pub fn drawing(rows: &[Row]) -> String {
    const HEIGHT: usize = 34;
    const SCALE: f64 = 380.0;
    let bottom = 40 + rows.len() * HEIGHT;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"{}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\">Missed with gdsf, as a share of what plain LRU misses: objects \
         (dark), bytes (light); offline: |</text>\n",
        bottom + 20
    );
    for (at, row) in rows.iter().enumerate() {
        let y = 34 + at * HEIGHT;
        let _ = writeln!(out, "<text x=\"10\" y=\"{}\">{}</text>", y + 18, row.kind.name);
        let shares = [
            (row.gdsf.objects(), row.offline.objects(), row.lru.objects(), "#24527a"),
            (row.gdsf.bytes(), row.offline.bytes(), row.lru.bytes(), "#9dc3e6"),
        ];
        for (bar, (gdsf, offline, lru, colour)) in shares.into_iter().enumerate() {
            let (y, share) = (y + 13 * bar, gdsf / lru);
            let _ = writeln!(
                out,
                "<rect x=\"270\" y=\"{y}\" width=\"{:.1}\" height=\"11\" fill=\"{colour}\"/>\
                 <rect x=\"{:.1}\" y=\"{y}\" width=\"2\" height=\"11\" fill=\"#c00\"/>\
                 <text x=\"{:.1}\" y=\"{}\" font-size=\"10\">{share:.3}</text>",
                SCALE * share,
                270.0 + SCALE * offline / lru,
                276.0 + SCALE * share.max(offline / lru),
                y + 9,
            );
        }
    }
    let line = 270.0 + SCALE;
    let _ = writeln!(
        out,
        "<line x1=\"{line}\" y1=\"30\" x2=\"{line}\" y2=\"{bottom}\" stroke=\"#888\"/>\
         <text x=\"{line}\" y=\"{}\" text-anchor=\"middle\">lru</text>\n</svg>",
        bottom + 14,
    );
    out
}
