//! Listeners with a service of their own: the keys of `[[listener]]`.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::access::Cidr;
use crate::proxy::{ClientLimits, ListenerKind};
use crate::reactor::LocalOptions;

use super::auth::AuthOptions;
use super::place::Place;
use super::section::{Key, SectionView, key_values, many, one};
use super::table::value::{on_or_off, push_range, switch, texts};
use super::throttle::{add_bandwidth, add_rate, bandwidth, rates};

/// A listener in the file.
#[derive(Clone, Debug, Default)]
pub struct ListenerSection {
    /// Places to listen at.
    pub places: Vec<ListenPlace>,
    /// True if clients speak TLS.
    pub tls: bool,
    /// Kind of proxy; that of the process by default.
    pub mode: Option<Mode>,
    /// Clients that may use the listener.
    pub clients: Vec<Cidr>,
    /// Users of the listener.
    pub auth: AuthOptions,
    /// Limits of clients by time.
    pub limits: ClientLimits,
    /// True if connections begin with a PROXY header.
    pub proxy_protocol: bool,
    /// Place of the section, if a file has it.
    pub at: Option<Place>,
}

/// Place of a listener: an address, or `unix:/PATH [mode=NNN]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenPlace {
    /// An address.
    Address(SocketAddr),
    /// A socket in the file system, and its permissions.
    Local(PathBuf, u32),
}

/// Kind of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Clients name the origins.
    Forward,
    /// The operator has chosen the origins.
    Reverse,
}

impl ListenerSection {
    /// Returns the section as it is written or compared.
    pub(super) fn view(&self) -> SectionView {
        SectionView {
            name: texts(&self.places).join(", "),
            keys: key_values(LISTENER, self, &Self::default()),
            routes: Vec::new(),
        }
    }

    /// Returns the kind of connections.
    #[must_use]
    pub const fn kind(&self) -> ListenerKind {
        if self.tls { ListenerKind::Tls } else { ListenerKind::Plain }
    }
}

impl ListenPlace {
    /// Returns the address; `None` for a socket in the file system.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Local(..) => None,
        }
    }

    /// Returns the path of a socket in the file system.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Address(_) => None,
            Self::Local(path, _) => Some(path),
        }
    }
}

impl FromStr for ListenPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("unix:") else {
            let address: SocketAddr = text.parse().map_err(|_| {
                format!("'{text}' is not ADDR:PORT, such as 127.0.0.1:3128, nor unix:/PATH")
            })?;
            let address = SocketAddr::new(address.ip().to_canonical(), address.port());
            return Ok(Self::Address(address));
        };
        let (path, mode) = rest.split_once(" mode=").unwrap_or((rest, "600"));
        let mode = u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o777);
        let mode = mode.ok_or_else(|| format!("'{text}': the mode is not octal, such as 660"))?;
        if !path.starts_with('/') {
            return Err(format!("'{text}' is not unix: and an absolute path"));
        }
        Ok(Self::Local(path.into(), mode))
    }
}

impl fmt::Display for ListenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Local(path, mode) if *mode == LocalOptions::CONTROL.mode => {
                write!(f, "unix:{}", path.display())
            }
            Self::Local(path, mode) => write!(f, "unix:{} mode={mode:o}", path.display()),
        }
    }
}

/// Keys of `[[listener]]`.
pub const LISTENER: &[Key<ListenerSection>] = &[
    many(
        "listen",
        "ADDR:PORT|unix:PATH",
        "Places to listen at: an address, or a socket in the file system, which may be followed by \
         ' mode=660' for its permissions [default mode: 600]",
        |o, text| text.parse().map(|place| o.places.push(place)),
        |o| texts(&o.places),
    ),
    one(
        "tls",
        "on|off",
        "True if clients speak TLS, with the certificates of the process [default: off]",
        |o, text| switch(text).map(|on| o.tls = on),
        |o| on_or_off(o.tls),
    ),
    one(
        "mode",
        "forward|reverse",
        "Kind of proxy: forward, for any origin that clients name; reverse, for the sites [default: \
         reverse if there are sites, else forward]",
        |o, text| {
            o.mode = Some(match text {
                "forward" => Mode::Forward,
                "reverse" => Mode::Reverse,
                _ => return Err(format!("'{text}' is neither forward nor reverse")),
            });
            Ok(())
        },
        |o| {
            let name = |mode| if mode == Mode::Forward { "forward" } else { "reverse" };
            o.mode.iter().map(|mode| name(*mode).to_owned()).collect()
        },
    ),
    many(
        "allow-client",
        "CIDR",
        "Clients that may use the listener, besides this machine [default: none; for a reverse proxy, \
         all]",
        |o, text| push_range(&mut o.clients, text),
        |o| texts(&o.clients),
    ),
    many(
        "users",
        "FILE",
        "Files of users who may use the listener [default: no user is needed]",
        |o, text| match text {
            "" => Err("expected a file".to_owned()),
            file => {
                o.auth.files.push(file.to_owned());
                Ok(())
            }
        },
        |o| o.auth.files.clone(),
    ),
    one(
        "auth",
        "SCHEMES",
        "Schemes to offer to users of the listener: basic, digest or both [default: all that the files \
         support]",
        |o, text| text.parse().map(|schemes| o.auth.schemes = Some(schemes)),
        |o| texts(o.auth.schemes.as_slice()),
    ),
    one(
        "realm",
        "NAME",
        "Realm that users of the listener are shown [default: tidegate]",
        |o, text| text.parse().map(|realm| o.auth.realm = realm),
        |o| vec![o.auth.realm.to_string()],
    ),
    many(
        "request-rate",
        "LIMIT",
        "Requests of one client of the listener by time, such as '100/s' or '600/m burst=50 by=network', beside \
         the limits of the process [default: none]",
        |o, text| add_rate(&mut o.limits, text),
        |o| rates(&o.limits),
    ),
    many(
        "bandwidth",
        "LIMIT",
        "Content sent to one client of the listener by time, such as '1MiB/s burst=4MiB', beside the limits of the process \
         [default: none]",
        |o, text| add_bandwidth(&mut o.limits, text),
        |o| bandwidth(&o.limits),
    ),
    one(
        "proxy-protocol",
        "on|off",
        "True if every connection begins with a PROXY header, version 1 or 2. Only trusted proxies \
         (trusted-proxy) may send one; connections of others are refused [default: off]",
        |o, text| switch(text).map(|on| o.proxy_protocol = on),
        |o| on_or_off(o.proxy_protocol),
    ),
];
