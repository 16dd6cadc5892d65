//! `tidegate purge`, `stats` and `reload`: one question to a running proxy, over its control socket.

use std::env;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::proxy::{ControlRequest, Question};

use super::{explain, fail, print};

/// How long a running proxy may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the control socket of a proxy on `port` is by default; nowhere without a folder that
/// belongs to the user alone.
pub(super) fn default_socket(port: u16) -> Option<PathBuf> {
    let folder = env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty())?;
    Some(Path::new(&folder).join(format!("tidegate-{port}.sock")))
}

/// Asks, and prints the answer.
pub(super) fn ask(socket: &Path, request: &ControlRequest) -> ExitCode {
    match exchange(socket, request) {
        Err(error) => unheard(socket, &error),
        Ok(answer) => match answer.split_once('\n') {
            Some(("ok", text)) => print(text),
            Some(_) => fail(answer.strip_prefix("error ").unwrap_or(&answer).trim_end()),
            None => fail("the answer is not whole"),
        },
    }
}

/// Asks for an explanation, and prints it; the exit code is that of its verdict.
pub(super) fn ask_why(socket: &Path, question: Question, json: bool) -> ExitCode {
    match exchange(socket, &ControlRequest::Explain { question, json }) {
        Err(error) => unheard(socket, &error),
        Ok(answer) => match answer.splitn(3, '\n').collect::<Vec<_>>().as_slice() {
            ["ok", verdict, text] => explain::answer(*verdict == "allowed", text),
            _ => fail(answer.strip_prefix("error ").unwrap_or(&answer).trim_end()),
        },
    }
}

fn unheard(socket: &Path, error: &io::Error) -> ExitCode {
    fail(&format!("no answer from a running tidegate at {}: {error}", socket.display()))
}

fn exchange(socket: &Path, request: &ControlRequest) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
