//! `tidegate purge`, `stats` and `reload`: one question to a running proxy, over its control socket.

use std::env;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::proxy::ControlRequest;

use super::{fail, print};

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
        Err(error) => {
            fail(&format!("no answer from a running tidegate at {}: {error}", socket.display()))
        }
        Ok(answer) => match answer.split_once('\n') {
            Some(("ok", text)) => print(text),
            Some(_) => fail(answer.strip_prefix("error ").unwrap_or(&answer).trim_end()),
            None => fail("the answer is not whole"),
        },
    }
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
