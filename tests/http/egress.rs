//! Generated rules: the first rule that matches decides.

use proptest::prelude::*;

use super::rules::TARGETS;

const DESTINATION: &str = "\\*|a\\.test|\\.a\\.test|\\*\\.a\\.test|(b\\.)?a\\.test=10\\.0\\.0\\.0/8|\
    \\.test=198\\.41\\.0\\.(0/24|4)|10\\.0\\.0\\.0/(8|16)|198\\.41\\.0\\.4|::/0|class=(private|loopback|global)|\
    b\\.a\\.test class=private";

const CONDITIONS: &str =
    "| port=80| port=81| user=ann| user=bob| method=get| method=PUT| scheme=http";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn first_matching_rule_decides(
        rules in prop::collection::vec(("allow|deny|report", DESTINATION, CONDITIONS), 1..30),
    ) {
        let lines: Vec<String> =
            rules.iter().map(|(action, to, conditions)| format!("{action} {to}{conditions}")).collect();
        let (_, rule) = TARGETS.iter().find(|(name, _)| *name == "egress").unwrap();
        rule(lines.join("\n").as_bytes());
    }
}
