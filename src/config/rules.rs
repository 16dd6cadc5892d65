//! Options about access rules, and the rule set made from them.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::access::{BadRules, DestinationPolicy, GivenRule, RuleSet, RuleSource, read_rules};
use crate::geo::GeoDatabases;

use super::diagnose::ConfigError;
use super::files;
use super::geoip::check_kinds;

/// Options about access rules.
#[derive(Clone, Debug, Default)]
pub struct RuleOptions {
    /// Rules, and files of rules, in their order.
    pub given: Vec<GivenRule>,
    /// True if requests that no rule matches are denied.
    pub denies: bool,
    /// True if denials are only logged.
    pub reports: bool,
}

impl RuleOptions {
    /// Adds a rule or a file of rules, as an option spells it.
    ///
    /// # Errors
    /// A message that says what is wrong with it.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        self.given.push(text.parse().map_err(|error| format!("in '{text}': {error}"))?);
        Ok(())
    }

    /// Records the file and line of the rule that was added last.
    pub(super) fn place_last(&mut self, file: &str, line: usize) {
        if let (Some(last), Ok(line)) = (self.given.last_mut(), u32::try_from(line)) {
            last.place = Some((RuleSource::File(file.into()), line));
        }
    }

    /// Checks that the rules suit the kind of proxy.
    ///
    /// # Errors
    /// A message that says which option does not, and why.
    pub(super) fn check(&self, reverse: bool) -> Result<(), String> {
        if reverse && (!self.given.is_empty() || self.denies) {
            return Err(
                "--rule is for forward proxies; with --to, everything goes to one origin".into()
            );
        }
        Ok(())
    }

    /// Reads the rule files and returns the policy with all rules.
    ///
    /// # Errors
    /// A message about a file that cannot be read or a line that is invalid. Also about a rule that
    /// could never match: one that names users without authentication, places that no database has, or
    /// a listener that does not exist.
    pub(super) fn apply(
        &self,
        policy: &DestinationPolicy,
        users: bool,
        listeners: &[SocketAddr],
        geo: &GeoDatabases,
    ) -> Result<DestinationPolicy, String> {
        let mut rules = RuleSet::default();
        rules.set_default(self.denies, self.reports);
        let mut read = |file: &str| files::read(file).map_err(|error| error.to_string());
        read_rules(&mut rules, &self.given, &mut read).map_err(shown)?;
        if rules.names_users() && !users {
            return Err(
                "a rule names users, but there is no authentication; add --users FILE".into()
            );
        }
        check_kinds(rules.geo_kinds(), geo)?;
        // The port is unknown as long as the kernel is to pick it.
        let known = listeners.iter().all(|listener| listener.port() != 0);
        if let Some(none) = rules.unknown_listener(listeners).filter(|_| known) {
            let listeners: Vec<_> = listeners.iter().map(ToString::to_string).collect();
            return Err(format!(
                "a rule names the listener {none}, which does not exist; listeners are {}",
                listeners.join(", ")
            ));
        }
        Ok(DestinationPolicy { egress: Arc::new(rules), ..policy.clone() })
    }
}

/// Returns the message of an error, with the line that it is about.
fn shown(bad: BadRules) -> String {
    match bad {
        BadRules::Unreadable { .. } | BadRules::TooMany { .. } => bad.to_string(),
        BadRules::Line { file, line, text, span, message } => {
            ConfigError { file, text, first_line: line, span, message, help: None }.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(rules: &[&str]) -> Result<DestinationPolicy, String> {
        let mut options = RuleOptions::default();
        rules.iter().try_for_each(|rule| options.add(rule))?;
        let listeners = ["0.0.0.0:3128".parse().unwrap()];
        options.apply(&DestinationPolicy::default(), false, &listeners, &GeoDatabases::default())
    }

    #[test]
    fn rules_that_never_match_are_rejected() {
        assert!(apply(&["allow a.test", "deny *"]).is_ok());
        assert!(apply(&["allow user=ann"]).unwrap_err().contains("--users"));
        let refused = apply(&["deny country=DE asn=64496"]).unwrap_err();
        assert!(refused.contains("condition country=, but no database is given; add --geoip"));
        let refused = apply(&["allow asn=64496"]).unwrap_err();
        assert!(refused.contains("condition asn=") && refused.contains("of autonomous systems"));
        assert!(apply(&["allow pory=1"]).unwrap_err().contains("'pory' is not a condition"));
        assert!(apply(&["deny listener=3128", "deny listener=0.0.0.0:3128"]).is_ok());
        for listener in ["3129", "127.0.0.1:3128"] {
            let refused = apply(&[&format!("deny listener=3128,{listener}")]).unwrap_err();
            assert!(refused.contains(&format!("the listener {listener},")), "{refused}");
        }
        let missing = apply(&["deny @/no/such/list"]).unwrap_err();
        assert!(missing.starts_with("/no/such/list: "), "{missing}");
        let reverse = RuleOptions { denies: true, ..RuleOptions::default() };
        assert!(reverse.check(true).is_err() && reverse.check(false).is_ok());
    }

    #[test]
    fn invalid_line_of_a_file_is_shown_with_its_place() {
        let shown = shown(BadRules::Line {
            file: "rules.txt".into(),
            line: 2,
            text: "allow a.test pory=443".into(),
            span: 13..21,
            message: "'pory' is not a condition".into(),
        });
        assert!(shown.contains("rules.txt:2:14"), "{shown}");
        assert!(shown.contains("^^^^^^^^"), "{shown}");
    }
}
