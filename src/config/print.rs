//! Output of options as a configuration file.

use crate::proxy::Limits;

use super::listener::ListenerSection;
use super::options::Options;
use super::reverse::origin::OriginSection;
use super::reverse::site::SiteSection;
use super::section::SectionView;
use super::table::OPTIONS;

/// Returns true if files have a table for the option: `[[protect]]`, or `[limits]` for all limits.
fn has_table(name: &str) -> bool {
    name == "protect" || Limits::NAMES.contains(&name)
}

impl Options {
    /// Returns a configuration file that sets all of these values.
    #[must_use]
    pub fn to_file(&self) -> String {
        let mut out = String::new();
        let quoted = |text: &String| format!("{:?}", text); // escapes as TOML's basic strings do
        for option in OPTIONS.iter().filter(|option| !has_table(option.name)) {
            let values: Vec<String> = (option.get)(self).iter().map(quoted).collect();
            match (option.many, values.as_slice()) {
                (true, values) => {
                    out.push_str(&format!("{} = [{}]\n", option.name, values.join(", ")));
                }
                (false, [value]) => out.push_str(&format!("{} = {value}\n", option.name)),
                (false, _) => {}
            }
        }
        out.push_str("\n[limits]\n");
        for (name, value, reason) in self.limits.table() {
            out.push_str(&format!("# {reason}\n{name} = {}\n", quoted(&value)));
        }
        for protect in &self.auth.protect {
            out.push_str(&format!("\n[[protect]]\npath = {}\n", quoted(&protect.path.to_string())));
            if !protect.files.is_empty() {
                out.push_str(&format!("users = {:?}\n", protect.files));
            }
            for (name, value) in protect.parts().iter().filter(|(name, _)| *name != "users") {
                out.push_str(&format!("{name} = {}\n", quoted(value)));
            }
        }
        for (name, sections) in self.sections() {
            for section in sections {
                out.push_str(&format!("\n[[{name}]]\n{}", section.lines()));
            }
        }
        out
    }

    /// Returns the sections of each kind, with the name of the kind.
    pub(super) fn sections(&self) -> [(&'static str, Vec<SectionView>); 3] {
        [
            ("listener", self.listeners.iter().map(ListenerSection::view).collect()),
            ("origin", self.reverse.origins.iter().map(OriginSection::view).collect()),
            ("site", self.reverse.sites.iter().map(SiteSection::view).collect()),
        ]
    }
}
