//! Drawing of the view into a frame. Only ASCII is drawn beside the text of the proxy.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table};

use super::figures::span;
use super::model::{Link, Mode, Model, Pane};
use super::overview::{Bounded, bounded, is_disk_short, latencies, remarks, results, savings};
use super::sheets::{Sheet, sheets};

/// Rows of the overview without the list of URLs.
const OVERVIEW_ROWS: u16 = 21;
/// Least columns and rows that show anything useful.
const LEAST: (u16, u16) = (40, 8);
/// Columns of a bar between its brackets.
const BAR: usize = 24;
/// Keys, for the last line.
const KEYS: &str = "q quit  Tab/1-6 panes  p pause  s sort  / filter  arrows scroll  ? help";
/// Lines of the help.
const HELP: &[&str] = &[
    "q, Ctrl-C       quit",
    "Tab, arrows     next pane, previous pane",
    "1 to 6          a pane: overview, URLs, hosts and clients, denied, slow, origins",
    "Up, Down        scroll a list; PageUp, PageDown, Home",
    "p               pause, and continue",
    "s               sort lists by another column: the one marked with *",
    "/               show only rows that contain a text; Enter ends it, Esc removes it",
    "",
    "Rates, shares and latencies are those since the reading before, a second ago.",
    "A latency is interpolated within a bucket of the histogram.",
    "The lists are those of the proxy since its start, or since its last reset.",
    "",
    "Any key continues.",
];

/// Looks of the terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) is_coloured: bool,
}

impl Look {
    fn heading() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn chosen() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    fn coloured(self, colour: Color) -> Style {
        if self.is_coloured { Style::new().fg(colour) } else { Style::new() }
    }

    fn alarm(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }
}

/// Draws the view.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, look: Look) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("at least {}x{}; q quits", LEAST.0, LEAST.1);
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let rows =
        [Constraint::Length(1), Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)];
    let [top, panes, body, keys] = Layout::vertical(rows).areas(area);
    draw_title(frame, model, look, top);
    draw_panes(frame, model, panes);
    match (model.mode, model.pane) {
        (Mode::Help, _) => draw_help(frame, body),
        (_, Pane::Overview) => draw_overview(frame, model, look, body),
        _ => draw_sheets(frame, model, &sheets(model), body),
    }
    draw_keys(frame, model, keys);
}

/// Draws the proxy at the left, and the state of the connection at the right.
fn draw_title(frame: &mut Frame<'_>, model: &Model, look: Look, area: Rect) {
    let (state, style) = match (&model.link, model.is_paused) {
        (Link::Lost(_), _) => ("NO ANSWER, trying again", look.alarm()),
        (_, true) => ("PAUSED", look.coloured(Color::Yellow).add_modifier(Modifier::BOLD)),
        (Link::Restarted, _) => ("live, the proxy was restarted", look.coloured(Color::Green)),
        (Link::Live, _) => ("live", look.coloured(Color::Green)),
    };
    let metrics = model.last.as_ref().map(|last| &last.metrics);
    let version = metrics.and_then(|it| it.info("build_info")).unwrap_or_default();
    let uptime = metrics.map(|it| it.value("uptime_seconds")).map(span).unwrap_or_default();
    let width = u16::try_from(state.len()).unwrap_or(u16::MAX);
    let [left, right] =
        Layout::horizontal([Constraint::Min(1), Constraint::Length(width)]).spacing(1).areas(area);
    let name = Span::styled(format!("tidegate {version}"), Look::heading());
    let line = Line::from(vec![name, format!("  up {uptime}  {}", model.place).into()]);
    frame.render_widget(line, left);
    frame.render_widget(Span::styled(state, style), right);
}

fn draw_panes(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let names = (1..).zip(Pane::ALL).flat_map(|(number, pane)| {
        let style = if pane == model.pane { Look::chosen() } else { Style::new() };
        [Span::styled(format!(" {number} {} ", pane.name()), style), " ".into()]
    });
    frame.render_widget(Line::from(names.collect::<Vec<_>>()), area);
}

/// Draws the keys, the filter that is written, or why the proxy does not answer.
fn draw_keys(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let line = match (&model.mode, &model.link) {
        (Mode::Filter, _) => format!("filter: {}_  (Enter, Esc)", model.filter),
        (_, Link::Lost(reason)) => format!("q quit  {}", reason.lines().next().unwrap_or_default()),
        _ if !model.filter.is_empty() => format!("filter '{}' (Esc)  {KEYS}", model.filter),
        _ => KEYS.to_owned(),
    };
    frame.render_widget(Line::styled(line, Style::new().add_modifier(Modifier::DIM)), area);
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let lines = HELP.iter().map(|line| Line::from(*line)).collect::<Vec<_>>();
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_overview(frame: &mut Frame<'_>, model: &Model, look: Look, area: Rect) {
    let spare = area.height.saturating_sub(OVERVIEW_ROWS);
    let height = if spare >= 4 { OVERVIEW_ROWS } else { area.height };
    let [figures, urls] =
        Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    let rows = [Constraint::Length(12), Constraint::Min(0)];
    let [above, below] = Layout::vertical(rows).areas(figures);
    let halves = [Constraint::Length(39), Constraint::Min(0)];
    let [left, right] = Layout::horizontal(halves).spacing(2).areas(above);
    draw_table(frame, ["REQUESTS", "per s", "share", "total"], 12, &results(model), left);
    let rows = [Constraint::Length(7), Constraint::Min(0)];
    let [first, second] = Layout::vertical(rows).areas(right);
    draw_table(frame, ["CACHE", "now", "since start"], 12, &savings(model), first);
    draw_table(frame, ["LATENCY", "p50", "p90", "p99"], 9, &latencies(model), second);
    draw_limits(frame, model, look, below);
    if urls.height > 0 {
        draw_sheets(frame, model, &sheets(model), urls);
    }
}

/// Draws a table whose first column has a fixed width; the others are figures and share the rest.
fn draw_table<const N: usize>(
    frame: &mut Frame<'_>,
    headings: [&'static str; N],
    first: u16,
    rows: &[[String; N]],
    area: Rect,
) {
    let aligned = |(at, text): (usize, String)| {
        Line::from(text).alignment(if at == 0 { Alignment::Left } else { Alignment::Right })
    };
    let line = |cells: [String; N]| Row::new(cells.into_iter().enumerate().map(aligned));
    let header = line(headings.map(str::to_owned)).style(Look::heading());
    let widths =
        (0..N).map(|at| if at == 0 { Constraint::Length(first) } else { Constraint::Fill(1) });
    let table = Table::new(rows.iter().cloned().map(line), widths).header(header);
    frame.render_widget(table, area);
}

/// Draws the values beside their limits, and the lines about the process and its disk.
fn draw_limits(frame: &mut Frame<'_>, model: &Model, look: Look, area: Rect) {
    let mut lines = vec![Line::styled("LIMITS", Look::heading())];
    for Bounded { name, share, text } in bounded(model) {
        let style = match share {
            _ if share >= 0.95 => look.coloured(Color::Red),
            _ if share >= 0.8 => look.coloured(Color::Yellow),
            _ => look.coloured(Color::Green),
        };
        let bar = Span::styled(bar(share), style);
        lines.push(Line::from(vec![format!("{name:12}[").into(), bar, format!("] {text}").into()]));
    }
    let mut remarks = remarks(model);
    let disk = remarks.pop().unwrap_or_default();
    lines.extend(remarks.into_iter().map(Line::from));
    let style = if is_disk_short(model) { look.alarm() } else { Style::new() };
    lines.push(Line::styled(disk, style));
    frame.render_widget(Paragraph::new(lines), area);
}

/// Returns a bar of which `share` is filled.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the share is from 0 to 1"
)]
fn bar(share: f64) -> String {
    let filled = ((share * BAR as f64).round() as usize).min(BAR);
    format!("{}{}", "#".repeat(filled), ".".repeat(BAR - filled))
}

/// Draws lists one below the other, each with its share of the height.
fn draw_sheets(frame: &mut Frame<'_>, model: &Model, sheets: &[Sheet], area: Rect) {
    let areas = Layout::vertical(sheets.iter().map(|_| Constraint::Fill(1))).split(area);
    for (sheet, area) in sheets.iter().zip(areas.iter()) {
        draw_sheet(frame, model, sheet, *area);
    }
}

fn draw_sheet(frame: &mut Frame<'_>, model: &Model, sheet: &Sheet, area: Rect) {
    let names = sheet.columns.iter().map(|(name, _)| *name).chain([sheet.rest]);
    let marked = names.enumerate().map(|(at, name)| {
        if sheet.sorted == Some(at) { format!("{name}*") } else { name.to_owned() }
    });
    let widths = sheet.columns.iter().map(|(_, width)| Constraint::Length(*width));
    let widths: Vec<Constraint> = widths.chain([Constraint::Min(1)]).collect();
    let header = Row::new(marked.collect::<Vec<_>>()).style(Look::heading());
    let visible = usize::from(area.height.saturating_sub(2));
    let first = model.scrolled.min(sheet.rows.len().saturating_sub(visible));
    let shown = sheet.rows.iter().skip(first).take(visible);
    let table = Table::new(shown.map(|row| Row::new(row.clone())), widths).header(header);
    let rows = [Constraint::Length(1), Constraint::Min(0)];
    let [title, below] = Layout::vertical(rows).areas(area);
    let text = match sheet.rows.len() {
        0 => format!("{} {}", sheet.title, sheet.empty),
        all if all > visible => {
            format!("{} {} to {} of {all}", sheet.title, first + 1, first + visible)
        }
        all => format!("{} {all}", sheet.title),
    };
    frame.render_widget(Line::styled(text, Look::heading()), title);
    if !sheet.rows.is_empty() {
        frame.render_widget(table, below);
    }
}
