//! State of the view: the last two readings, and what the user has chosen by keys.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::clean::clean;
use super::reading::Reading;

/// Longest filter, in characters.
const MOST_TYPED: usize = 200;
/// Rows by which a page is scrolled.
const PAGE: usize = 10;

/// Part of the view, shown alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Pane {
    Overview,
    Urls,
    Hosts,
    Denied,
    Slow,
    Origins,
}

impl Pane {
    /// All panes, in the order of their keys 1 to 6.
    pub(in crate::cli) const ALL: [Self; 6] =
        [Self::Overview, Self::Urls, Self::Hosts, Self::Denied, Self::Slow, Self::Origins];

    /// Returns the name, as `--pane` takes it.
    pub(in crate::cli) const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Urls => "urls",
            Self::Hosts => "hosts",
            Self::Denied => "denied",
            Self::Slow => "slow",
            Self::Origins => "origins",
        }
    }

    /// Returns the pane so many places further, around the end.
    fn step(self, places: usize) -> Self {
        Self::ALL[(self as usize + places) % Self::ALL.len()]
    }
}

/// Connection to the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Live,
    /// The proxy has another process than before; rates begin anew.
    Restarted,
    /// The last poll has failed, for this reason.
    Lost(String),
}

/// Meaning of the keys at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    View,
    /// Keys write the filter.
    Filter,
    Help,
}

/// The view.
#[derive(Debug)]
pub(super) struct Model {
    /// Control socket of the proxy.
    pub(super) place: String,
    pub(super) pane: Pane,
    pub(super) mode: Mode,
    pub(super) link: Link,
    pub(super) is_paused: bool,
    /// True if lists are sorted by their second order.
    pub(super) is_sorted_second: bool,
    /// Text that rows contain, in any case; all rows if it is empty.
    pub(super) filter: String,
    /// Rows that are scrolled away.
    pub(super) scrolled: usize,
    /// The reading before the last one, of the same process.
    pub(super) earlier: Option<Reading>,
    pub(super) last: Option<Reading>,
}

impl Model {
    /// Creates a view of the proxy at `place`, with nothing read.
    pub(super) fn new(place: &str, pane: Pane) -> Self {
        Self {
            place: clean(place),
            pane,
            mode: Mode::View,
            link: Link::Live,
            is_paused: false,
            is_sorted_second: false,
            filter: String::new(),
            scrolled: 0,
            earlier: None,
            last: None,
        }
    }

    /// Takes the answer to a poll. A paused view keeps its readings.
    pub(super) fn take(&mut self, answer: Result<Reading, String>) {
        let reading = match answer {
            Err(reason) => {
                self.link = Link::Lost(clean(&reason));
                return;
            }
            Ok(reading) => reading,
        };
        let is_same = self.last.as_ref().is_none_or(|last| reading.continues(last));
        let was_lost = matches!(self.link, Link::Lost(_));
        match (is_same, was_lost) {
            (false, _) => self.link = Link::Restarted,
            (true, true) => self.link = Link::Live,
            (true, false) => {}
        }
        if self.is_paused {
            return;
        }
        let before = self.last.replace(reading);
        self.earlier = before.filter(|_| is_same);
    }

    /// Takes a key. Returns true if the user quits.
    pub(super) fn press(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return false;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return key.code == KeyCode::Char('c');
        }
        match self.mode {
            Mode::Filter => self.write_filter(key.code),
            Mode::Help => {
                self.mode = Mode::View;
                return key.code == KeyCode::Char('q');
            }
            Mode::View => return self.command(key.code),
        }
        false
    }

    fn write_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.mode = Mode::View,
            KeyCode::Esc => {
                self.filter.clear();
                self.mode = Mode::View;
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(c) if self.filter.chars().count() < MOST_TYPED => self.filter.push(c),
            _ => {}
        }
        self.scrolled = 0;
    }

    fn command(&mut self, code: KeyCode) -> bool {
        match code {
            KeyCode::Char('q') => return true,
            KeyCode::Tab | KeyCode::Right => self.show(self.pane.step(1)),
            KeyCode::BackTab | KeyCode::Left => self.show(self.pane.step(Pane::ALL.len() - 1)),
            KeyCode::Char(digit @ '1'..='6') => {
                let place = digit as usize - '1' as usize;
                Pane::ALL.get(place).into_iter().for_each(|pane| self.show(*pane));
            }
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Char('s') => self.is_sorted_second = !self.is_sorted_second,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Char('?') => self.mode = Mode::Help,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Down => self.scrolled = self.scrolled.saturating_add(1),
            KeyCode::Up => self.scrolled = self.scrolled.saturating_sub(1),
            KeyCode::PageDown => self.scrolled = self.scrolled.saturating_add(PAGE),
            KeyCode::PageUp => self.scrolled = self.scrolled.saturating_sub(PAGE),
            KeyCode::Home => self.scrolled = 0,
            _ => {}
        }
        false
    }

    fn show(&mut self, pane: Pane) {
        (self.pane, self.scrolled) = (pane, 0);
    }

    /// Returns the seconds between the two readings; `None` if there is only one.
    pub(super) fn interval(&self) -> Option<f64> {
        let (earlier, last) = self.earlier.as_ref().zip(self.last.as_ref())?;
        let seconds = last.at.saturating_sub(earlier.at).as_secs_f64();
        (seconds > 0.0).then_some(seconds)
    }

    /// Returns the growth between the two readings of what `value` reads; `None` if there is only one.
    pub(super) fn growth(&self, value: impl Fn(&Reading) -> f64) -> Option<f64> {
        let (earlier, last) = self.earlier.as_ref().zip(self.last.as_ref())?;
        Some((value(last) - value(earlier)).max(0.0))
    }

    /// Returns the growth per second of what `value` reads.
    pub(super) fn rate(&self, value: impl Fn(&Reading) -> f64) -> Option<f64> {
        Some(self.growth(value)? / self.interval()?)
    }
}
