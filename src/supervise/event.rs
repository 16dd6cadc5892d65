//! Reports to the supervisor, and its actions.

use super::ended::Ended;

/// Number of a worker, from 1 in the order of starts.
pub(crate) type Number = u32;

/// Report to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The supervisor begins.
    Begin,
    /// A worker serves.
    Ready(Number),
    /// The loop of a worker turns.
    Beat(Number),
    /// A worker says why it cannot start.
    Failed(Number, String),
    /// A worker drains.
    Draining(Number),
    /// The process of a worker has ended.
    Ended(Number, Ended),
    /// No process was started for a worker, for this reason; a worker would have this exit code.
    NotStarted(Number, String, u8),
    /// A worker of the present binary and configuration is wanted in place of the active one; by the
    /// operator who is connected to a worker, or by signal.
    Upgrade(Option<Number>),
    /// The end is wanted, once all exchanges have ended.
    Stop,
    /// The end is wanted at once.
    StopAtOnce,
    /// Time has passed.
    Tick,
}

/// Action of the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a worker.
    Start(Number),
    /// Keep the sockets that were opened for a worker, and close those that it does not use.
    Keep(Number),
    /// Close the sockets that were opened for a worker alone.
    Discard(Number),
    /// Tell a worker to drain. True if another worker has taken its place.
    Drain(Number, bool),
    /// Tell a worker to end at once.
    Stop(Number),
    /// Send SIGABRT to a worker.
    Abort(Number),
    /// Send SIGKILL to a worker.
    Kill(Number),
    /// Tell the operator who is connected to a worker how the upgrade has ended.
    Answer(Number, Result<String, String>),
    /// Write a line.
    Say(String),
    /// Write a line, and tell the service manager by it that no worker serves.
    Waiting(String),
    /// Tell the service manager that a worker serves.
    Serving(Number),
    /// Close the supervisor's own listening sockets, and tell the service manager that the end is near.
    Close,
    /// Become the binary of the worker.
    Become(Number),
    /// End with this exit code.
    Exit(u8),
}
