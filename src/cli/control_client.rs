//! `tidegate purge`, `stats`, `reload`, `top` and `explain --live`: one request to a running proxy, over
//! its control socket.

use std::io::ErrorKind::{ConnectionRefused, NotFound};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::proxy::{ControlRequest, ExplainQuery};

use super::control_socket::{Socket, others};
use super::terminal;
use super::terminal::{fail, print};

/// Timeout of each read and write on the control socket, where a command waits for its only answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most sockets in an error message.
const SHOWN: usize = 8;

/// Sends `request` and prints the answer.
pub(super) fn ask(socket: Socket, request: &ControlRequest) -> ExitCode {
    match exchange(socket, request) {
        Err(message) => fail(&message),
        Ok(answer) => match answer.split_once('\n') {
            Some(("ok", text)) => print(text),
            Some(_) => fail(answer.strip_prefix("error ").unwrap_or(&answer).trim_end()),
            None => fail("the answer of the proxy is incomplete"),
        },
    }
}

/// Sends `request` and prints the lines of the answer as they arrive, until the proxy or the reader ends.
pub(super) fn follow(socket: Socket, request: &ControlRequest) -> ExitCode {
    let path = match socket.path() {
        Ok(path) => path,
        Err(error) => return fail(&error.to_string()),
    };
    let lines = send(&path, &request.to_string(), PATIENCE).and_then(|stream| {
        stream.set_read_timeout(None)?;
        Ok(BufReader::new(stream))
    });
    let mut lines = match lines {
        Ok(lines) => lines,
        Err(error) => return fail(&no_answer(&path, &error)),
    };
    let mut line = String::new();
    match lines.read_line(&mut line) {
        Ok(_) if line == "ok\n" => {}
        Ok(_) => return fail(line.strip_prefix("error ").unwrap_or(&line).trim_end()),
        Err(error) => return fail(&no_answer(&path, &error)),
    }
    loop {
        line.clear();
        if !lines.read_line(&mut line).is_ok_and(|length| length > 0) {
            return ExitCode::SUCCESS;
        }
        let printed = print(&line);
        if printed != ExitCode::SUCCESS {
            return printed;
        }
    }
}

/// Sends `question` and prints the explanation. The exit code tells if the request is allowed.
pub(super) fn ask_why(socket: Socket, question: ExplainQuery, json: bool) -> ExitCode {
    match exchange(socket, &ControlRequest::Explain { question, json }) {
        Err(message) => fail(&message),
        Ok(answer) => match answer.splitn(3, '\n').collect::<Vec<_>>().as_slice() {
            ["ok", verdict, text] => terminal::answer(*verdict == "allowed", text),
            _ => fail(answer.strip_prefix("error ").unwrap_or(&answer).trim_end()),
        },
    }
}

/// Returns the answer of the proxy, or a message if there is none.
fn exchange(socket: Socket, request: &ControlRequest) -> Result<String, String> {
    let socket = socket.path().map_err(|error| error.to_string())?;
    ask_line(&socket, &request.to_string(), PATIENCE)
}

/// Returns the answer to a request line of the proxy at `socket`; each read and write may take `patience`.
///
/// # Errors
/// A message about a proxy that does not answer.
pub(super) fn ask_line(socket: &Path, line: &str, patience: Duration) -> Result<String, String> {
    ask_at(socket, line, patience).map_err(|error| no_answer(socket, &error))
}

/// Returns the message about a proxy that does not answer.
fn no_answer(socket: &Path, error: &io::Error) -> String {
    let is_absent = matches!(error.kind(), NotFound | ConnectionRefused);
    let elsewhere = if is_absent { elsewhere(socket) } else { String::new() };
    format!("no answer from a running tidegate at {}: {error}{elsewhere}", socket.display())
}

/// Returns the sockets that the operator may have meant, to be written after an error.
fn elsewhere(socket: &Path) -> String {
    let others = others(socket);
    let shown: Vec<String> =
        others.iter().take(SHOWN).map(|path| path.display().to_string()).collect();
    let more = if others.len() > SHOWN { ", …" } else { "" };
    match shown.as_slice() {
        [] => "; there is no other control socket".to_owned(),
        [other] => format!("; there is {other}"),
        shown => format!("; there are {}{more}; name one by --port or --control", shown.join(", ")),
    }
}

fn ask_at(socket: &Path, line: &str, patience: Duration) -> io::Result<String> {
    let mut answer = String::new();
    send(socket, line, patience)?.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Returns a connection on which the request was sent.
fn send(socket: &Path, line: &str, patience: Duration) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    Ok(stream)
}
