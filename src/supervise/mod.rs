//! Supervision of worker processes, sans-IO: reports of workers and a `now` in, actions out.
//!
//! The supervisor is the process that an operator starts. It has the listening sockets open, and starts
//! a worker that serves them. It starts the worker again when that ends or hangs, and replaces it by a
//! worker of a new binary or configuration while the replaced one drains.

pub(crate) mod ended;
pub(crate) mod event;
mod line;
pub(crate) mod link;
mod restarts;
pub(crate) mod state;
pub(crate) mod supervisor;
mod worker;

#[cfg(test)]
mod tests;
