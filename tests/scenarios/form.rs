//! Parser of scenarios: `README.md` describes the format, line by line.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tidegate::reactor::sim::Fate;
use tidegate::units::{Bytes, Unit};

use super::security::Security;

/// A parsed scenario file.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// The sides on which TLS is spoken: fewer than asked for if the file needs plain ones.
    pub(crate) security: Security,
    pub(crate) simulation_only: bool,
    pub(crate) no_faults: bool,
    pub(crate) setup: Vec<At<Setup>>,
    pub(crate) steps: Vec<At<Step>>,
}

/// An item, and the number of the line it is in.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) line: usize,
    pub(crate) what: T,
}

/// The state before the first step.
#[derive(Clone, Debug)]
pub(crate) enum Setup {
    /// A configuration file, which is read before all other settings.
    Config(String),
    /// A setting of the proxy, under the name of its option or limit.
    Set(String, String),
    Origin {
        name: String,
        at: Option<SocketAddr>,
        manner: Manner,
    },
    /// The address that clients connect from.
    Clients(IpAddr),
    /// The number of sockets that the proxy may open.
    Sockets(usize),
    /// Bytes that a connection holds in flight.
    Window(usize),
    /// Connections of clients begin with PROXY headers.
    ProxyHeaders,
}

/// The way an origin treats connection attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Accepts,
    /// No socket listens on the port.
    Refuses,
    /// A fate of the simulated network.
    Fate(Fate),
}

/// A connection, by the name of its kind and its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) number: u32,
}

/// The name of clients of the first `[[listener]]`.
pub(crate) const OTHER_CLIENT: &str = "cl";
/// The name of operators, who connect to the control socket.
pub(crate) const OPERATOR: &str = "op";

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.number)
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends bytes: several pieces that leave together.
    Send(Vec<Peer>, Vec<Written>),
    /// Connects clients, which send these bytes before TLS.
    Begin(Vec<Peer>, String),
    Expect(Vec<Peer>, Expected),
    Do(Vec<Peer>, Action),
    Is(Vec<Peer>, State),
    Trailers(Vec<Peer>, Vec<String>),
    Wait(Duration),
    /// Moves the wall clock forward or back.
    Jump(i8, Duration),
    Host(String, Vec<String>),
    Asked(String, usize),
    Connections(String, u32),
    Pooled(usize),
    Cached(usize),
    Log(String),
    /// Changes a setting.
    Reload(String, String),
    /// Other databases of places are used from now on.
    Locate(String),
    /// The next line for the operator has this text; there is none if it is empty.
    Notice(String),
    /// Replaces the settings by those of a configuration file.
    Reconfigure(String),
    Drain,
    Abort,
    Pause(bool),
    /// Stops or resumes the verification of passwords.
    PauseVerifier(bool),
    PauseThreads(bool),
    /// Compares the number of verified passwords.
    Verified(usize),
    /// Compares a metric of the proxy.
    Metric(String, String),
    ProxyIs(String),
}

/// Bytes to write: a message, or raw bytes.
#[derive(Clone, Debug)]
pub(crate) enum Written {
    Message(Message),
    Raw(String),
}

/// A head and, after an empty line, content.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) head: Vec<String>,
    pub(crate) content: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// A message with these lines in this order, and possibly others; a field `!Name` must be
    /// absent.
    Message(Message),
    /// A message with exactly this head.
    Exactly(Message),
    /// The next part of the content.
    More(String),
    /// The rest of the content, up to its end.
    Last(String),
    /// The next part of the content after decoding it, or all of its rest.
    Decoded(String, bool),
    Raw(String),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Connect,
    Close,
    HalfClose,
    Reset,
    /// Reads no more than this many bytes.
    Stall(usize),
    Resume,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The connection is open, and no unexpected bytes have arrived.
    Quiet,
    /// The other side has closed its direction.
    Closed,
    /// The other side has reset the connection.
    Reset,
    /// Closed or reset.
    Gone,
    /// Some of the bytes to send have not been accepted.
    Blocked,
    /// All bytes to send have been accepted.
    Sent,
}

/// A line number, and the error in that line.
pub(crate) type Wrong = (usize, String);

impl Scenario {
    /// Reads the scenario file at `path`.
    pub(crate) fn read(path: &Path, security: Security) -> Result<Self, Wrong> {
        let text = std::fs::read_to_string(path).map_err(|error| (0, error.to_string()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(&name, &security.adapt(&text), security)
    }

    pub(crate) fn parse(name: &str, text: &str, security: Security) -> Result<Self, Wrong> {
        let mut scenario = Self {
            name: name.to_owned(),
            security,
            simulation_only: false,
            no_faults: false,
            setup: Vec::new(),
            steps: Vec::new(),
        };
        for At { line, what } in repeated(text)? {
            scenario.take(line, &what).map_err(|wrong| (line, wrong))?;
        }
        let faulty = scenario.setup.iter().find(|setup| setup.what.is_simulated());
        let operated = scenario.steps.iter().find(|step| step.what.is_of_operator());
        let line = faulty.map(|setup| setup.line).or(operated.map(|step| step.line));
        match line.filter(|_| !scenario.simulation_only) {
            Some(line) => Err((line, "'simulation only' is missing at the top of the file".into())),
            None => Ok(scenario),
        }
    }

    fn take(&mut self, line: usize, text: &str) -> Result<(), String> {
        if text.starts_with([' ', '\t']) {
            let last =
                self.steps.last_mut().ok_or("a continuation line without a line before it")?;
            return last.what.go_on(text.trim_start());
        }
        if let Some((start, file)) = text.split_once('\n') {
            return self.configure(line, start, file.to_owned());
        }
        if let Some((who, arrow, rest)) = split_arrow(text) {
            return self.transfer(line, &peers(who)?, arrow, rest);
        }
        let words = text.split(" #").next().unwrap_or_default().trim_end();
        match (words, setup(words)?, self.steps.is_empty()) {
            ("simulation only", _, true) => self.simulation_only = true,
            ("no faults", _, true) => self.no_faults = true,
            ("plain clients", _, true) => self.security.clients = false,
            ("plain origins", _, true) => self.security.origins = false,
            (_, Some(what), true) => self.setup.push(At { line, what }),
            (_, Some(_), false) => return Err("a setting must come before the first step".into()),
            _ => self.steps.push(At { line, what: step(words)? }),
        }
        Ok(())
    }

    /// Takes a block with a configuration file.
    fn configure(&mut self, line: usize, start: &str, file: String) -> Result<(), String> {
        if start != "config" {
            self.steps.push(At { line, what: Step::Reconfigure(file) });
        } else if self.steps.is_empty() {
            self.setup.push(At { line, what: Setup::Config(file) });
        } else {
            return Err("a setting must come before the first step".into());
        }
        Ok(())
    }

    fn transfer(
        &mut self,
        line: usize,
        who: &[Peer],
        arrow: &str,
        rest: &str,
    ) -> Result<(), String> {
        let message = || Message { head: vec![rest.to_owned()], content: None };
        let what = match arrow {
            ">" => Step::Send(who.to_vec(), vec![Written::Message(message())]),
            ">>" => Step::Send(who.to_vec(), vec![Written::Raw(rest.to_owned())]),
            "<" => Step::Expect(who.to_vec(), Expected::Message(message())),
            "<=" => Step::Expect(who.to_vec(), Expected::Exactly(message())),
            "<+" => Step::Expect(who.to_vec(), Expected::More(rest.to_owned())),
            "<." => Step::Expect(who.to_vec(), Expected::Last(rest.to_owned())),
            "<~" => Step::Expect(who.to_vec(), Expected::Decoded(rest.to_owned(), false)),
            "<~." => Step::Expect(who.to_vec(), Expected::Decoded(rest.to_owned(), true)),
            "<<" => Step::Expect(who.to_vec(), Expected::Raw(rest.to_owned())),
            _ => {
                let Some(Step::Send(same, written)) = self.steps.last_mut().map(|s| &mut s.what)
                else {
                    return Err("'+>' must follow a message that was sent".into());
                };
                if same != who {
                    return Err("'+>' must follow a message of the same peers".into());
                }
                written.push(Written::Message(message()));
                return Ok(());
            }
        };
        self.steps.push(At { line, what });
        Ok(())
    }
}

impl Setup {
    /// Returns true if only the simulated network supports it.
    const fn is_simulated(&self) -> bool {
        match self {
            Self::Clients(_) | Self::Sockets(_) | Self::Window(_) => true,
            Self::Origin { at, manner, .. } => at.is_some() || matches!(manner, Manner::Fate(_)),
            Self::Set(..) | Self::Config(_) | Self::ProxyHeaders => false,
        }
    }
}

impl Step {
    /// Returns true if an operator sends a command.
    fn is_of_operator(&self) -> bool {
        matches!(self, Self::Send(who, _) if who.iter().any(|peer| peer.name == OPERATOR))
    }

    /// Adds a continuation line to this step.
    fn go_on(&mut self, text: &str) -> Result<(), String> {
        let arrow_end = text.find(|c| !matches!(c, '<' | '>')).unwrap_or(text.len());
        let (arrow, rest) = text.split_at(arrow_end);
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match (self, arrow) {
            (Self::Send(_, written), ">") => match written.last_mut() {
                Some(Written::Message(message)) => message.go_on(rest),
                _ => return Err("raw bytes are continued with '>>'".into()),
            },
            (Self::Send(_, written), ">>") => match written.last_mut() {
                Some(Written::Raw(raw)) => raw.push_str(rest),
                _ => return Err("a message is continued with '>'".into()),
            },
            (Self::Expect(_, Expected::Message(message) | Expected::Exactly(message)), "<") => {
                message.go_on(rest);
            }
            (Self::Expect(_, Expected::More(text) | Expected::Last(text)), "<")
            | (Self::Expect(_, Expected::Raw(text)), "<<") => text.push_str(rest),
            (Self::Trailers(_, trailers), "<") => trailers.push(rest.to_owned()),
            _ => return Err(format!("'{text}' does not continue the line before")),
        }
        Ok(())
    }
}

impl Message {
    fn go_on(&mut self, text: &str) {
        match &mut self.content {
            Some(content) => content.push_str(text),
            None if text.is_empty() => self.content = Some(String::new()),
            None => self.head.push(text.to_owned()),
        }
    }
}

/// Returns all lines with their numbers, except empty lines and comments, with `repeat` blocks
/// expanded. A block with a configuration file is one item.
fn repeated(text: &str) -> Result<Vec<At<String>>, Wrong> {
    let mut lines: Vec<At<String>> = Vec::new();
    let mut block: Option<(usize, usize, usize)> = None;
    let mut file: Option<At<String>> = None;
    for (line, text) in text.lines().enumerate().map(|(n, text)| (n + 1, text)) {
        if let Some(At { what, .. }) = &mut file {
            match text {
                "end" => lines.extend(file.take()),
                text => *what += &format!("{text}\n"),
            }
            continue;
        }
        if matches!(text, "config" | "reload config") {
            file = Some(At { line, what: format!("{text}\n") });
            continue;
        }
        match (text.strip_prefix("repeat "), &block) {
            (Some(times), None) => {
                let times = times
                    .trim()
                    .parse()
                    .map_err(|_| (line, "'repeat' needs a number".to_owned()))?;
                block = Some((line, times, lines.len()));
            }
            (Some(_), Some(_)) => return Err((line, "'repeat' blocks cannot be nested".into())),
            (None, &Some((_, times, from))) if text == "end" => {
                let body: Vec<At<String>> = lines.drain(from..).collect();
                for n in 1..=times {
                    let turn = |at: &At<String>| At {
                        line: at.line,
                        what: at.what.replace("{#}", &n.to_string()),
                    };
                    lines.extend(body.iter().map(turn));
                }
                block = None;
            }
            _ if text.trim().is_empty() || text.starts_with('#') => {}
            _ => lines.push(At { line, what: text.to_owned() }),
        }
    }
    match file.map(|file| file.line).or(block.map(|(line, ..)| line)) {
        Some(line) => Err((line, "this block has no 'end'".into())),
        None => Ok(lines),
    }
}

const ARROWS: [&str; 10] = [">", ">>", "+>", "<", "<=", "<+", "<.", "<~", "<~.", "<<"];

/// Splits a line into peers, arrow, and text.
fn split_arrow(text: &str) -> Option<(&str, &str, &str)> {
    let at = text.find(['<', '>', '+'])?;
    let (who, rest) = text.split_at(at);
    let (arrow, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    (who.ends_with(' ') && ARROWS.contains(&arrow)).then_some((who.trim_end(), arrow, rest))
}

/// Parses peers: `c1 c2 o1`, and ranges such as `c1-c9`.
fn peers(text: &str) -> Result<Vec<Peer>, String> {
    let mut all = Vec::new();
    for word in text.split_whitespace() {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let (first, last) = (peer(first)?, peer(last)?);
        let one = |number| Peer { name: first.name.clone(), number };
        all.extend((first.number..=last.number).map(one));
    }
    if all.is_empty() { Err(format!("'{text}' names no peer")) } else { Ok(all) }
}

fn peer(word: &str) -> Result<Peer, String> {
    let digits = word.find(|c: char| c.is_ascii_digit()).unwrap_or(word.len());
    let (name, number) = word.split_at(digits);
    let number = number.parse().ok().filter(|_| !name.is_empty());
    let number = number.ok_or_else(|| format!("'{word}' is not a connection, such as c1"))?;
    Ok(Peer { name: name.to_owned(), number })
}

fn setup(text: &str) -> Result<Option<Setup>, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(Some(match words.as_slice() {
        ["set", name, value @ ..] if !value.is_empty() => {
            Setup::Set((*name).to_owned(), value.join(" "))
        }
        ["origin", name, rest @ ..] => origin(name, rest)?,
        ["clients", "at", address] => Setup::Clients(value(address)?),
        ["sockets", number] => Setup::Sockets(value(number)?),
        ["window", size] => Setup::Window(size_of(size)?),
        ["proxy", "headers"] => Setup::ProxyHeaders,
        _ => return Ok(None),
    }))
}

fn origin(name: &str, rest: &[&str]) -> Result<Setup, String> {
    if ["c", OTHER_CLIENT, OPERATOR].contains(&name)
        || !name.bytes().all(|b| b.is_ascii_lowercase())
    {
        return Err(format!("'{name}' is not a valid origin name"));
    }
    let (at, rest) = match rest {
        ["at", address, rest @ ..] => (Some(value(address)?), rest),
        _ => (None, rest),
    };
    let manner = match rest {
        [] => Manner::Accepts,
        ["refuses"] => Manner::Refuses,
        ["silent"] => Manner::Fate(Fate::Silence),
        ["late", time] => Manner::Fate(Fate::Answer(time_of(time)?)),
        _ => return Err(format!("an origin cannot be '{}'", rest.join(" "))),
    };
    Ok(Setup::Origin { name: name.to_owned(), at, manner })
}

fn step(text: &str) -> Result<Step, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["wait", time] => Step::Wait(time_of(time)?),
        ["clock", by] => {
            let (sign, time) = by.split_at(1);
            Step::Jump(if sign == "-" { -1 } else { 1 }, time_of(time)?)
        }
        ["host", name, answer @ ..] => {
            Step::Host((*name).to_owned(), answer.iter().map(|&word| word.to_owned()).collect())
        }
        ["asked", name, times] => Step::Asked((*name).to_owned(), value(times)?),
        ["connections", origin, number] => Step::Connections((*origin).to_owned(), value(number)?),
        ["pooled", number] => Step::Pooled(value(number)?),
        ["cached", number] => Step::Cached(value(number)?),
        ["log", ..] => Step::Log(text["log".len()..].trim().to_owned()),
        [who, "begins", ..] => {
            let bytes = text.split_once(" begins ").map_or("", |(_, bytes)| bytes);
            Step::Begin(peers(who)?, bytes.to_owned())
        }
        ["geoip", networks] => Step::Locate((*networks).to_owned()),
        ["notice", "none"] => Step::Notice(String::new()),
        ["notice", words @ ..] => Step::Notice(words.join(" ")),
        ["reload", name, value] => Step::Reload((*name).to_owned(), (*value).to_owned()),
        ["drain"] => Step::Drain,
        ["proxy", "pauses"] => Step::Pause(true),
        ["proxy", "resumes"] => Step::Pause(false),
        ["verifier", "pauses"] => Step::PauseVerifier(true),
        ["verifier", "resumes"] => Step::PauseVerifier(false),
        ["threads", "pause"] => Step::PauseThreads(true),
        ["threads", "resume"] => Step::PauseThreads(false),
        ["verified", number] => Step::Verified(value(number)?),
        ["metric", name, value] => Step::Metric((*name).to_owned(), (*value).to_owned()),
        ["proxy", "aborts"] => Step::Abort,
        ["proxy", "is", state @ ("finished" | "empty")] => Step::ProxyIs((*state).to_owned()),
        [who @ .., "is" | "are", state] => Step::Is(peers(&who.join(" "))?, state_of(state)?),
        [who @ .., "trailers"] => Step::Trailers(peers(&who.join(" "))?, Vec::new()),
        [who @ .., "stalls" | "stall", "after", size] => {
            Step::Do(peers(&who.join(" "))?, Action::Stall(size_of(size)?))
        }
        [who @ .., action] => Step::Do(peers(&who.join(" "))?, action_of(action)?),
        [] => return Err("an empty step".into()),
    })
}

fn action_of(word: &str) -> Result<Action, String> {
    Ok(match word.strip_suffix('s').unwrap_or(word) {
        "connect" => Action::Connect,
        "close" => Action::Close,
        "half-close" => Action::HalfClose,
        "reset" => Action::Reset,
        "stall" => Action::Stall(0),
        "read" => Action::Resume,
        _ => return Err(format!("'{word}' is not an action")),
    })
}

fn state_of(word: &str) -> Result<State, String> {
    Ok(match word {
        "quiet" => State::Quiet,
        "closed" => State::Closed,
        "reset" => State::Reset,
        "gone" => State::Gone,
        "blocked" => State::Blocked,
        "sent" => State::Sent,
        _ => return Err(format!("'{word}' is not a state")),
    })
}

fn value<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("'{word}' is not valid here"))
}

fn time_of(word: &str) -> Result<Duration, String> {
    Duration::read(word).ok_or_else(|| format!("'{word}' is not {}", Duration::EXPECTED))
}

fn size_of(word: &str) -> Result<usize, String> {
    let size = Bytes::read(word).and_then(|size| usize::try_from(size.0).ok());
    size.ok_or_else(|| format!("'{word}' is not {}", Bytes::EXPECTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Wrong {
        Scenario::parse("test", text, Security::default()).unwrap_err()
    }

    #[test]
    fn messages_continue_and_content_follows_the_empty_line() {
        let text = "c1 c3-c4 > PUT / HTTP/1.1\n   > A: 1\n   >\n   > ab\n   > cd\nc1 <. x\n";
        let scenario = Scenario::parse("test", text, Security::default()).unwrap();
        let [send, expect] = scenario.steps.as_slice() else { panic!("two steps") };
        let Step::Send(who, written) = &send.what else { panic!("a send") };
        assert_eq!(who.iter().map(|peer| peer.number).collect::<Vec<_>>(), [1, 3, 4]);
        let [Written::Message(message)] = written.as_slice() else { panic!("one message") };
        assert_eq!(message.head, ["PUT / HTTP/1.1", "A: 1"]);
        assert_eq!(message.content.as_deref(), Some("abcd"));
        assert_eq!(expect.line, 6);
        assert!(matches!(&expect.what, Step::Expect(_, Expected::Last(text)) if text == "x"));
    }

    #[test]
    fn blocks_are_repeated_with_their_number() {
        let scenario =
            Scenario::parse("test", "repeat 3\nc{#} connects\nend\n", Security::default()).unwrap();
        let numbers = scenario.steps.iter().map(|step| match &step.what {
            Step::Do(who, Action::Connect) => who[0].number,
            _ => 0,
        });
        assert_eq!(numbers.collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn configuration_files_are_kept_as_they_are() {
        let text = "config\n[[site]]\n\n# to\nend\nwait 1s\nreload config\nend\n";
        let scenario = Scenario::parse("test", text, Security::default()).unwrap();
        assert!(
            matches!(&scenario.setup[0].what, Setup::Config(file) if file == "[[site]]\n\n# to\n")
        );
        assert!(matches!(&scenario.steps[1].what, Step::Reconfigure(file) if file.is_empty()));
    }

    #[test]
    fn invalid_lines_are_reported_with_their_number() {
        assert_eq!(wrong("\nnonsense\n").0, 2);
        assert_eq!(wrong("wait 1s\nset a b\n").0, 2);
        assert_eq!(wrong("wait soon").0, 1);
        assert_eq!(wrong("repeat 2\nwait 1s\n").0, 1);
        assert_eq!(wrong("config\nwait 1s\n").0, 1);
        assert_eq!(wrong("wait 1s\nconfig\nend\n").0, 2);
        assert_eq!(wrong("  > alone").0, 1);
        assert_eq!(wrong("c1 > a\nc2 +> b").0, 2);
        assert_eq!(wrong("c1 >> a\n   > b").0, 2);
        assert!(wrong("origin o silent").1.contains("simulation only"));
        assert!(wrong("op1 >> stats\\n").1.contains("simulation only"));
    }
}
