//! Files that the proxy needs while it runs, to reload its configuration and to reopen its log.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::cli::args::options::RunArgs;
use crate::cli::folders::folder_of;
use crate::config::{LogTarget, Options, ResolverKind, SyslogPlace};
use crate::proxy::Settings;
use crate::reactor::NameSource;

/// Returns the files that are read again.
pub(super) fn read_again(args: &RunArgs, options: &Options, settings: &Settings) -> Vec<PathBuf> {
    let protected = options.auth.protect.iter().flat_map(|protect| &protect.files);
    let users = options.auth.files.iter().chain(protected);
    let given = args.config.iter().chain(users).map(PathBuf::from);
    let rules = settings.destinations.egress.files().map(PathBuf::from);
    let tls = options.tls.server_files().chain(options.tls.origin_files()).cloned();
    let places = options.geoip.iter().cloned();
    given.chain(rules).chain(tls).chain(places).chain(about_names(options, settings)).collect()
}

/// Returns the files of name resolution, if the proxy resolves names itself.
fn about_names(options: &Options, settings: &Settings) -> Vec<PathBuf> {
    let sources = [&settings.name_sources.hosts, &settings.name_sources.resolv_conf];
    let files = sources.into_iter().filter_map(|source| match source {
        NameSource::File(path) => Some(path.clone()),
        NameSource::Text(_) => None,
    });
    files.filter(|_| options.resolver == ResolverKind::Loop).collect()
}

/// Returns the file of the access log, if it is written to one.
pub(super) fn access_log(options: &Options) -> Option<&Path> {
    match &options.access_log {
        LogTarget::File(path) => Some(Path::new(path)),
        LogTarget::Stdout | LogTarget::Syslog(_) | LogTarget::Journal(_) | LogTarget::Off => None,
    }
}

/// Returns true if the C library resolves the name of a host that takes log lines.
pub(super) fn resolves_log(options: &Options) -> bool {
    let syslog = match &options.access_log {
        LogTarget::Syslog(SyslogPlace::Udp(host, _)) => Some(host),
        _ => None,
    };
    let shipped = options.log.ship.server.as_ref().map(|server| &server.host);
    let is_name = |host: &&String| host.trim_matches(['[', ']']).parse::<IpAddr>().is_err();
    syslog.iter().chain(&shipped).any(is_name)
}

/// Returns the folders in which files of bans are replaced.
pub(super) fn of_bans(options: &Options) -> impl Iterator<Item = PathBuf> {
    let files = [&options.bans.file, &options.bans.nft_file].into_iter().flatten();
    files.filter_map(|file| folder_of(file))
}

/// Returns the folder of certificates that the process obtains, and the files in it.
pub(super) fn of_acme(options: &Options) -> io::Result<Vec<PathBuf>> {
    let Some(folder) = &options.acme.folder else { return Ok(Vec::new()) };
    let inside = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    [Ok(folder.clone())].into_iter().chain(inside).collect()
}
