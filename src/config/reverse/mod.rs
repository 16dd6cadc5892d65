//! Options of a reverse proxy: groups of origins, sites and their routes.

pub(super) mod answer;
mod folder;
mod groups;
pub(super) mod origin;
pub(super) mod route;
pub(super) mod route_keys;
pub(super) mod site;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::proxy::{PathPattern, Site, SiteRoute, Sites};

use super::member::MemberOption;
use super::place::{Place, placed};
use super::protect::Protect;
use groups::Groups;
use origin::OriginSection;
use route::RouteSection;
use site::SiteSection;

/// Options of a reverse proxy.
#[derive(Clone, Debug, Default)]
pub struct ReverseOptions {
    /// Members of the group that serves all hosts (`--to`).
    pub to: Vec<MemberOption>,
    /// Settings of that group, without a name and members.
    pub group: OriginSection,
    /// Folder that serves all hosts (`--folder`), with the keys about it.
    pub folder: RouteSection,
    /// Routes beside that group (`--route`).
    pub routes: Vec<RouteOption>,
    /// Groups of origins with a name (`[[origin]]`).
    pub origins: Vec<OriginSection>,
    /// Sites (`[[site]]`).
    pub sites: Vec<SiteSection>,
    /// Places of the groups of a file, in their order.
    pub origin_places: Vec<Place>,
    /// Places of the sites of a file, in their order.
    pub site_places: Vec<Place>,
}

/// A route of the command line: `PATH=URL`, or `PATH=NAME` for a group of origins.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteOption {
    path: PathPattern,
    to: String,
}

impl FromStr for RouteOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // An exact path begins with '='.
        let from = usize::from(text.starts_with('='));
        let wrong = || format!("'{text}' is not PATH=URL, such as /api/=http://127.0.0.1:9000");
        let at = text[from..].find('=').ok_or_else(wrong)? + from;
        let (path, to) = (text[..at].parse()?, text[at + 1..].to_owned());
        route::check_target(&to).map(|()| Self { path, to })
    }
}

impl fmt::Display for RouteOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path, self.to)
    }
}

impl ReverseOptions {
    /// Returns true if the options are those of a reverse proxy.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.has_default_site() || !self.sites.is_empty()
    }

    /// Returns true if options of the process are those of a site for all hosts.
    fn has_default_site(&self) -> bool {
        !self.to.is_empty() || !self.routes.is_empty() || self.folder.has_action()
    }

    /// Returns the names of the groups that have one.
    pub(super) fn names(&self) -> Vec<&str> {
        self.origins.iter().map(|section| &*section.group.name).collect()
    }

    /// Returns the sites; `None` if the options are those of a forward proxy.
    ///
    /// # Errors
    /// A message that names the site, route or group, and the reason.
    pub(super) fn settings(&self) -> Result<Option<Sites>, String> {
        if !self.is_given() {
            let Some(section) = self.origins.first() else { return Ok(None) };
            let name = &section.group.name;
            let message = format!(
                "the origin '{name}' is used by no site; add a [[site]] with to = '{name}'"
            );
            return Err(placed(self.place_of(name), message));
        }
        if self.to.is_empty() && self.group != OriginSection::default() {
            return Err("balance and health work with --to only; give an [[origin]] its own".into());
        }
        let groups = self.groups()?;
        let mut sites = Vec::new();
        let first = self.first_of_file();
        if first > 0 {
            sites.push(Site::new(Vec::new(), self.default_routes(&groups)?)?);
        }
        for section in &self.sites {
            sites.push(section.site(&groups)?);
        }
        let sites = Sites::new(sites).map_err(|(at, reason)| {
            let at = at.checked_sub(first);
            let takes_rest =
                at.and_then(|at| self.sites.get(at)).is_some_and(SiteSection::takes_rest);
            let reason = match first > 0 && takes_rest {
                true => {
                    "to and route serve all hosts that no [[site]] has; give this one hosts".into()
                }
                false => reason,
            };
            placed(at.and_then(|at| self.site_places.get(at)), reason)
        })?;
        let used = sites.groups();
        let is_unused = |name: &&String| !used.iter().any(|group| *group.name == ***name);
        match groups.keys().find(is_unused) {
            Some(name) => {
                Err(placed(self.place_of(name), format!("the origin '{name}' is used by no route")))
            }
            None => Ok(Some(sites)),
        }
    }

    /// Returns the paths that need users of their own, by the number of the site.
    ///
    /// # Errors
    /// A message that names the site and the route.
    pub(super) fn protected(&self) -> Result<Vec<(usize, Vec<Protect>)>, String> {
        let first = self.first_of_file();
        let sites = self.sites.iter().enumerate();
        let sites = sites.map(|(at, site)| Ok((first + at, site.protected()?)));
        let mut sites = sites.collect::<Result<Vec<_>, String>>()?;
        sites.retain(|(_, protects)| !protects.is_empty());
        Ok(sites)
    }

    /// Returns the number of the first site of the file: that of the command line is before it.
    fn first_of_file(&self) -> usize {
        usize::from(self.has_default_site())
    }

    /// Returns the place in a file of the group of this name; for the group of a URL, that of the first
    /// site that has the URL.
    pub(super) fn place_of(&self, group: &str) -> Option<&Place> {
        let named = self.origins.iter().position(|section| *section.group.name == *group);
        let site = || self.sites.iter().position(|site| site.leads_to(group));
        match named {
            Some(at) => self.origin_places.get(at),
            None => self.site_places.get(site()?),
        }
    }

    /// Checks the sites of the file.
    ///
    /// # Errors
    /// The number of the site, if one is wrong, and the reason.
    pub(super) fn check_sites(&self) -> Result<(), (Option<usize>, String)> {
        let groups = self.groups().map_err(|message| (None, message))?;
        let mut sites = Vec::new();
        for (at, section) in self.sites.iter().enumerate() {
            let wrong = |message| (Some(at), message);
            sites.push(section.site(&groups).map_err(wrong)?);
        }
        Sites::new(sites).map(drop).map_err(|(at, message)| (Some(at), message))
    }

    /// Returns the groups that have names.
    fn groups(&self) -> Result<Groups, String> {
        let mut groups = Groups::new();
        for section in &self.origins {
            let group = section.settings()?;
            let name = group.name.to_string();
            if groups.insert(name.clone(), Arc::new(group)).is_some() {
                return Err(format!("two origins have the name '{name}'"));
            }
        }
        Ok(groups)
    }

    /// Returns the routes of the command line.
    fn default_routes(&self, groups: &Groups) -> Result<Vec<SiteRoute>, String> {
        let mut routes = Vec::new();
        if !self.to.is_empty() {
            let mut group = self.group.clone();
            self.to.iter().for_each(|member| group.add(member.clone()));
            let group = group.settings()?;
            let everything = PathPattern::everything();
            routes.push(SiteRoute::to(everything, Arc::new(group)));
        }
        if self.folder.has_action() {
            routes.extend(self.folder.routes(groups, &Arc::default())?);
        } else if self.folder != RouteSection::default() {
            return Err("listing, fallback and precompressed work with --folder only".into());
        }
        for RouteOption { path, to } in &self.routes {
            let section = RouteSection::to(path.clone(), to);
            routes.extend(section.routes(groups, &Arc::default())?);
        }
        Ok(routes)
    }
}
