//! Outputs of the access log.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::http::Authority;
use crate::shipping::Facility;
use crate::units::Bytes;

use super::ship::ShipOptions;

/// Socket of the journal.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// Socket of the syslog daemon of this machine.
const SYSLOG: &str = "/dev/log";
/// Port of syslog over UDP (RFC 5426 §3.3).
const SYSLOG_PORT: u16 = 514;

/// Target of the access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// A file, to which lines are appended.
    File(String),
    /// A syslog daemon.
    Syslog(SyslogPlace),
    /// The systemd journal, by the path of its socket.
    Journal(PathBuf),
    /// No access log.
    Off,
}

/// Place of a syslog daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogPlace {
    /// A socket in the file system, for datagrams or a stream.
    Local(PathBuf),
    /// Host and port, over UDP.
    Udp(String, u16),
}

impl FromStr for LogTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("expected -, a file, syslog, journald or off".into()),
            "-" => Ok(Self::Stdout),
            "off" => Ok(Self::Off),
            "syslog" => Ok(Self::Syslog(SyslogPlace::Local(SYSLOG.into()))),
            "journald" => Ok(Self::Journal(JOURNAL.into())),
            _ => {
                if let Some(place) = text.strip_prefix("syslog:") {
                    return place.parse().map(Self::Syslog);
                }
                match text.strip_prefix("journald:") {
                    Some(path) if path.starts_with('/') => Ok(Self::Journal(path.into())),
                    Some(path) => {
                        Err(format!("'{path}' is not the path of a socket, such as {JOURNAL}"))
                    }
                    None => Ok(Self::File(text.to_owned())),
                }
            }
        }
    }
}

impl FromStr for SyslogPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Self::Local(text.into()));
        }
        let authority =
            text.strip_prefix("udp://").and_then(|rest| Authority::parse(rest.as_bytes()).ok());
        match authority {
            Some(Authority { host, port }) => {
                Ok(Self::Udp(host.to_string(), port.unwrap_or(SYSLOG_PORT)))
            }
            None => Err(format!(
                "'{text}' is no syslog daemon; write syslog:{SYSLOG} or syslog:udp://HOST:PORT"
            )),
        }
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("-"),
            Self::File(path) => f.write_str(path),
            Self::Syslog(SyslogPlace::Local(path)) => write!(f, "syslog:{}", path.display()),
            Self::Syslog(SyslogPlace::Udp(host, port)) => write!(f, "syslog:udp://{host}:{port}"),
            Self::Journal(path) => write!(f, "journald:{}", path.display()),
            Self::Off => f.write_str("off"),
        }
    }
}

/// Rotation of the file of the access log by the proxy itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Size in bytes beyond which no line is added to a file.
    pub size: u64,
    /// Number of earlier files that are kept.
    pub keep: usize,
}

/// Output of the access log, with everything that is needed to open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOutput {
    /// Target of the lines.
    pub target: LogTarget,
    /// Facility of messages for syslog.
    pub facility: Facility,
    /// Rotation, if the proxy rotates the file.
    pub rotation: Option<Rotation>,
}

impl From<LogTarget> for LogOutput {
    fn from(target: LogTarget) -> Self {
        Self { target, facility: Facility::default(), rotation: None }
    }
}

/// Options for outputs of the access log.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Facility of messages for syslog, if not `daemon`.
    pub facility: Option<Facility>,
    /// Size of the file beyond which it is rotated.
    pub rotate_size: Option<Bytes>,
    /// Number of earlier files that are kept.
    pub rotate_keep: usize,
    /// Options for shipping lines to a log server.
    pub ship: ShipOptions,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { facility: None, rotate_size: None, rotate_keep: 10, ship: ShipOptions::default() }
    }
}

impl LogOptions {
    /// Returns the output for `target`.
    #[must_use]
    pub fn output(&self, target: &LogTarget) -> LogOutput {
        let rotation =
            self.rotate_size.map(|size| Rotation { size: size.0, keep: self.rotate_keep });
        LogOutput { target: target.clone(), facility: self.facility.unwrap_or_default(), rotation }
    }

    /// Rejects options that do not fit `target`.
    pub(super) fn check(&self, target: &LogTarget) -> Result<(), String> {
        if self.rotate_size.is_some() && !matches!(target, LogTarget::File(_)) {
            return Err("log-rotate-size works with --access-log FILE only".into());
        }
        if self.facility.is_some() && !matches!(target, LogTarget::Syslog(_)) {
            return Err("syslog-facility works with --access-log syslog only".into());
        }
        self.ship.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_round_trip() {
        for text in
            ["-", "off", "access.log", "syslog:/dev/log", "syslog:udp://h.test:5514", "journald:/x"]
        {
            assert_eq!(text.parse::<LogTarget>().unwrap().to_string(), text);
        }
        for (text, whole) in [
            ("syslog", "syslog:/dev/log"),
            ("journald", "journald:/run/systemd/journal/socket"),
            ("syslog:udp://[::1]", "syslog:udp://[::1]:514"),
        ] {
            assert_eq!(text.parse::<LogTarget>().unwrap().to_string(), whole);
        }
    }

    #[test]
    fn invalid_targets_are_rejected_with_the_remedy() {
        for text in [
            "syslog:",
            "syslog:log",
            "syslog:tcp://h:1",
            "syslog:udp://",
            "syslog:udp://h:x",
            "journald:x",
            "",
        ] {
            let error = text.parse::<LogTarget>().unwrap_err();
            assert!(
                error.contains("such as") || error.contains("write") || error.contains("expected"),
                "{error}"
            );
        }
    }

    #[test]
    fn options_for_another_target_are_rejected() {
        let rotating = LogOptions { rotate_size: Some(Bytes(1)), ..LogOptions::default() };
        assert!(rotating.check(&LogTarget::Stdout).is_err());
        assert!(rotating.check(&LogTarget::File("f".into())).is_ok());
        let facility = LogOptions { facility: Some(Facility::default()), ..LogOptions::default() };
        assert!(facility.check(&LogTarget::Stdout).is_err());
        assert!(facility.check(&"syslog".parse().unwrap()).is_ok());
    }
}
