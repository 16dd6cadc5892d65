//! Combinations of options that are rejected.

use std::collections::HashSet;

use super::listener::{ListenPlace, Mode};
use super::options::Options;
use super::place::placed;

impl Options {
    /// Rejects dangerous combinations with the reason, instead of warning about them.
    pub(super) fn check(&self) -> Result<(), String> {
        self.rules.check(!self.forwards())?;
        if self.request_rules.ignore_no_cache && self.forwards() {
            return Err("ignore-client-no-cache works with --to only: the content that a forward \
                        proxy serves does not belong to its operator"
                .into());
        }
        if !self.trusted_proxies.is_empty() && !self.is_reverse() && !self.takes_headers() {
            return Err(
                "trusted-proxy works with --to only: a forward proxy drops X-Forwarded-* and \
                        Forwarded from any client"
                    .into(),
            );
        }
        if self.trusted_proxies.is_empty() && self.takes_headers() {
            let message = "proxy-protocol on a listener works with trusted-proxy only: all \
                           connections would be refused, because only trusted proxies may send \
                           headers";
            let listener = self.listeners.iter().find(|section| section.proxy_protocol);
            let at = listener.and_then(|section| section.at.as_ref());
            return Err(placed(at, message.to_owned()));
        }
        self.log.check(&self.access_log)?;
        self.check_common()?;
        self.check_places()?;
        for (mode, addresses, clients) in self.modes() {
            let beyond = addresses.into_iter().find(|address| !address.ip().is_loopback());
            let (Mode::Forward, true, Some(address)) = (mode, clients.is_empty(), beyond) else {
                continue;
            };
            return Err(format!(
                "{address} can be reached by other machines, and no option says which of them may \
                 use this forward proxy; add --allow-client CIDR, or listen on 127.0.0.1"
            ));
        }
        self.check_members()
    }

    /// Rejects two listeners at one place.
    fn check_places(&self) -> Result<(), String> {
        let all = self.listeners();
        let is_fixed = |place: &ListenPlace| place.address().is_none_or(|at| at.port() != 0);
        let mut places = HashSet::new();
        let mut fixed = all.iter().map(|listener| &listener.place).filter(|place| is_fixed(place));
        match fixed.find(|place| !places.insert(place.to_string())) {
            None => Ok(()),
            Some(place) => Err(format!("two listeners have the address {place}")),
        }
    }

    /// Rejects restrictions of listeners that are not there, while those of sections are open.
    fn check_common(&self) -> Result<(), String> {
        let given =
            [("users", !self.auth.files.is_empty()), ("allow-client", !self.clients.is_empty())];
        let given = given.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name);
        match given.filter(|_| self.common_listeners().is_empty()) {
            None => Ok(()),
            Some(name) => Err(format!(
                "{name} is for the listeners of listen and listen-tls, and there is none; give {name} \
                 in each [[listener]] that it is for"
            )),
        }
    }

    /// Returns true if connections of a listener begin with PROXY headers.
    fn takes_headers(&self) -> bool {
        self.listeners.iter().any(|section| section.proxy_protocol)
    }

    /// Rejects members of groups that are listeners of this proxy.
    fn check_members(&self) -> Result<(), String> {
        let listeners = self.listeners();
        let Some(sites) = self.reverse.settings()? else { return Ok(()) };
        for group in sites.groups() {
            for member in &group.members {
                let own = listeners.iter().find(|listener| listener.is_at(&member.place));
                if let Some(listener) = own {
                    let message = format!(
                        "'{member}' is this proxy itself, which listens on {}: requests would go in \
                         a circle",
                        listener.place
                    );
                    return Err(placed(self.reverse.place_of(&group.name), message));
                }
            }
        }
        Ok(())
    }
}
