//! `tidegate doctor`: asks a site as a browser would, and prints what is wrong.

mod browser;
mod client;
mod failure;
mod origin;
mod print;
mod receiver;
mod survey;

use std::process::ExitCode;

use crate::doctor::examine;

use super::args::doctor::DoctorRequest;
use super::terminal::{print, refuse};

/// Exit code for a site with findings.
const FOUND: u8 = 1;

/// Examines a site, and prints the findings.
pub(super) fn run(request: &DoctorRequest) -> ExitCode {
    let (seen, requests) = match survey::survey(request) {
        Ok(surveyed) => surveyed,
        Err(message) => return refuse(&message),
    };
    let findings = examine(&seen);
    let printed = print(&if request.json {
        print::object(&seen, requests, &findings)
    } else {
        print::text(&seen, requests, &findings)
    });
    if findings.is_empty() || printed != ExitCode::SUCCESS {
        printed
    } else {
        ExitCode::from(FOUND)
    }
}
