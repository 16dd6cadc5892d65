//! `tidegate explain`: prints whether the proxy would allow a request, and why.

use std::io;
use std::process::ExitCode;

use crate::cli::run::environment::{Secret, surroundings};
use crate::config::Options;
use crate::proxy::{ExplainQuery, Explanation, NoLog, Worker};
use crate::reactor::{Reactor, interface_addresses};

use super::terminal::{answer, fail, refuse};

/// Explains a request by the given options. Opens no listener.
pub(super) fn run(options: &Options, question: ExplainQuery, json: bool) -> ExitCode {
    let settings = match options.settings("tidegate") {
        Ok(settings) => settings,
        Err(message) => return refuse(&message),
    };
    let explain = || -> io::Result<Explanation> {
        let mut reactor = Reactor::new()?;
        let addresses = interface_addresses().ok();
        let surroundings =
            surroundings(options, &reactor, Box::new(NoLog), addresses, &Secret::draw()?);
        let mut worker = Worker::new(settings, surroundings, 1);
        for listener in options.listeners() {
            let address = listener.place.address();
            address.into_iter().for_each(|it| worker.assume_listener(it, listener.settings));
        }
        worker.explain(question, &mut reactor);
        loop {
            reactor.turn(&mut worker, None)?;
            if let Some(explanation) = worker.take_explanation() {
                return Ok(explanation);
            }
        }
    };
    match explain() {
        Ok(Explanation { allowed, text, json: object }) => {
            answer(allowed, if json { &object } else { &text })
        }
        Err(error) => fail(&error.to_string()),
    }
}
