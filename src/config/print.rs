//! Output of options as a configuration file.

use crate::proxy::Limits;

use super::listener::LISTENER;
use super::options::Options;
use super::reverse::origin::ORIGIN;
use super::section::lines;
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
        for (name, lines) in self.sections() {
            out.push_str(&format!("\n[[{name}]]\n{lines}"));
        }
        out
    }

    /// Returns the names of all sections, and their lines.
    pub(super) fn sections(&self) -> Vec<(&'static str, String)> {
        let listeners = self.listeners.iter().map(|section| ("listener", lines(LISTENER, section)));
        let origins = self.reverse.origins.iter().map(|section| ("origin", lines(ORIGIN, section)));
        let sites = self.reverse.sites.iter().map(|site| ("site", site.lines()));
        listeners.chain(origins).chain(sites).collect()
    }
}
