//! The proxy: joins HTTP, the cache, access rules, authentication and the reactor. It parses no
//! input itself.

mod address_text;
mod admin;
mod admission;
pub(super) mod auth;
mod certify;
mod client;
mod compress;
mod environment;
pub(super) mod error;
mod explain;
mod fetch;
mod files;
mod geography;
mod hook;
mod identity;
mod jobs;
mod mail;
pub(super) mod observe;
mod origin;
mod remembered;
pub(super) mod routing;
mod server;
pub(super) mod settings;
pub(super) mod shared;
mod throttling;
mod timers;
mod transfer;
mod tunnel;
mod upkeep;
mod worker;

pub use crate::cache::Eviction;
pub use admin::ban_command::BanCommand;
pub use admin::control::ControlRequest;
pub use admin::origin_command::OriginCommand;
pub use admin::purge_target::PurgeTarget;
pub use admin::reload::ReloadRequest;
pub use admin::succession::UpgradeRequest;
pub use certify::{AcmeStore, Certifier, Saved, StoredAccount};
pub use environment::{
    Environment, NameResolver, PasswordVerifier, ReclaimAtOnce, Reclaimer, ThreadedJobs,
    ThreadedResolver, ThreadedVerifier,
};
pub use explain::Explanation;
pub use explain::query::ExplainQuery;
pub use hook::{Action, Finished, Hook, HookError, Refusal, RequestEdit};
pub use jobs::{JobDone, JobRunner, JobWork, Lane, RunAtOnce};
pub use mail::{Command, Mail};
pub use observe::access_log::{LineForm, LogSink, NoLog};
pub use observe::disk_figures::{DiskFigures, DiskProbe};
pub use observe::journal_filter::{JournalFilter, StatusPattern};
pub use observe::listener::{ListenerKind, ListenerSettings, ServiceId};
pub use observe::log_field::LogField;
pub use observe::log_format::{CustomFormat, LogFormat};
pub use observe::outcome::Outcome;
pub use observe::process_figures::{ProcessFigures, ProcessProbe};
pub use observe::stats::Stats;
pub use server::Server;
pub use settings::Settings;
pub use settings::acme::AcmeSettings;
pub use settings::auth::{AuthRules, ProtectionSpace};
pub use settings::group::{Check, HashSource, HttpCheck, OriginGroup};
pub use settings::limits::Limits;
pub use settings::origin::{OriginPlace, OriginUrl};
pub use settings::service::Service;
pub use settings::sites::application::Application;
pub use settings::sites::field_edit::{FieldEdits, FieldLine, FieldName};
pub use settings::sites::folder::{Folder, FolderRules, FollowedLinks};
pub use settings::sites::host_pattern::HostPattern;
pub use settings::sites::host_policy::HostPolicy;
pub use settings::sites::path_pattern::PathPattern;
pub use settings::sites::site_route::{
    CacheMode, FieldMatch, FixedAnswer, Forward, Redirect, RouteAction, RouteCache, RoutePolicy,
    SiteRoute,
};
pub use settings::sites::site_routes::SiteRoutes;
pub use settings::sites::template::Template;
pub use settings::sites::{Site, Sites};
pub use settings::throttle::{BanSettings, ClientLimits};
pub use throttling::ban_table::SavedBans;
pub use worker::Worker;
