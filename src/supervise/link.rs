//! Messages between supervisor and worker: lines on a socket that the worker inherits.

use std::fmt;
use std::str::FromStr;

use super::line::{escaped, unescaped};

/// Longest line; the rest of a longer one is dropped.
pub(crate) const LONGEST: usize = 8 * 1024;

/// Version of the state that a supervisor hands to its successor. A worker names the version that its
/// binary reads, so that a supervisor never becomes a binary that would not know its workers.
pub(crate) const STATE_VERSION: u32 = 1;

/// Message of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The worker serves. Its binary reads the state of a supervisor in this version.
    Ready(u32),
    /// The loop of the worker turns.
    Beat,
    /// The worker cannot start, for this reason.
    Failed(String),
    /// The worker reads its configuration again.
    Reloading,
    /// The worker has read its configuration, with this result in a line.
    Reloaded(String),
    /// The worker drains.
    Draining,
    /// An operator wants an upgrade.
    Upgrade,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(version) => write!(f, "ready {version}"),
            Self::Beat => f.write_str("beat"),
            Self::Failed(reason) => write!(f, "failed {}", shortened(reason)),
            Self::Reloading => f.write_str("reloading"),
            Self::Reloaded(result) => write!(f, "reloaded {}", shortened(result)),
            Self::Draining => f.write_str("draining"),
            Self::Upgrade => f.write_str("upgrade"),
        }
    }
}

impl FromStr for Report {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "ready" => rest.parse().map(Self::Ready).map_err(drop),
            "beat" => Ok(Self::Beat),
            "failed" => Ok(Self::Failed(unescaped(rest))),
            "reloading" => Ok(Self::Reloading),
            "reloaded" => Ok(Self::Reloaded(unescaped(rest))),
            "draining" => Ok(Self::Draining),
            "upgrade" => Ok(Self::Upgrade),
            _ => Err(()),
        }
    }
}

/// Message of the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Drain, and then end.
    Drain,
    /// Leave the sockets of operators to another worker, drain, and then end.
    HandOver,
    /// End at once.
    Stop,
    /// Answer the operator who wants an upgrade.
    Answer(Result<String, String>),
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drain => f.write_str("drain"),
            Self::HandOver => f.write_str("hand-over"),
            Self::Stop => f.write_str("stop"),
            Self::Answer(Ok(text)) => write!(f, "upgraded {}", shortened(text)),
            Self::Answer(Err(reason)) => write!(f, "not-upgraded {}", shortened(reason)),
        }
    }
}

impl FromStr for Order {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "drain" => Ok(Self::Drain),
            "hand-over" => Ok(Self::HandOver),
            "stop" => Ok(Self::Stop),
            "upgraded" => Ok(Self::Answer(Ok(unescaped(rest)))),
            "not-upgraded" => Ok(Self::Answer(Err(unescaped(rest)))),
            _ => Err(()),
        }
    }
}

/// Returns text as a part of a line that is within its limit.
fn shortened(text: &str) -> String {
    escaped(&text[..text.floor_char_boundary(LONGEST / 4)])
}

/// Lines of a peer, as they arrive.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Adds received bytes, and returns the messages in the lines that they complete. Lines that are no
    /// message are dropped: the peer may be of another version.
    pub(crate) fn add<T: FromStr>(&mut self, bytes: &[u8]) -> Vec<T> {
        let mut messages = Vec::new();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = LONGEST - self.partial.len();
            self.partial.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.partial);
                messages.extend(line.trim_end_matches('\n').parse());
                self.partial.clear();
            }
        }
        messages
    }
}
