//! Content of the panes that are lists.

use std::cmp::Ordering;

use super::clean::clean;
use super::figures::{bytes, count, seconds};
use super::model::{Model, Pane};
use super::tops::{Counted, Tops};

/// Text in place of lists that the proxy does not keep.
const NO_LISTS: &str = "(this proxy keeps no such list)";

/// A list with a title.
#[derive(Debug, PartialEq)]
pub(super) struct Sheet {
    pub(super) title: &'static str,
    /// Names and widths of the columns before the last, which takes the rest.
    pub(super) columns: Vec<(&'static str, u16)>,
    /// Name of the last column.
    pub(super) rest: &'static str,
    /// Column by which the rows are sorted.
    pub(super) sorted: Option<usize>,
    pub(super) rows: Vec<Vec<String>>,
    /// Text if there are no rows.
    pub(super) empty: &'static str,
}

/// Returns the lists of the pane that is shown, sorted and filtered.
pub(super) fn sheets(model: &Model) -> Vec<Sheet> {
    let tops = model.last.as_ref().and_then(|last| last.tops.as_ref());
    let mut sheets = match model.pane {
        Pane::Overview | Pane::Urls => vec![counted("URLS", "url", of(tops, |it| &it.urls), model)],
        Pane::Hosts => vec![
            counted("HOSTS", "host", of(tops, |it| &it.hosts), model),
            counted("CLIENTS", "client", of(tops, |it| &it.clients), model),
        ],
        Pane::Denied => vec![denied(model, tops), not_stored(model, tops)],
        Pane::Slow => vec![slow(model, tops)],
        Pane::Origins => vec![origins(model)],
    };
    let wanted = model.filter.to_lowercase();
    let fits = |row: &Vec<String>| row.iter().any(|cell| cell.to_lowercase().contains(&wanted));
    if !wanted.is_empty() {
        for sheet in &mut sheets {
            sheet.rows.retain(fits);
            sheet.empty = "(no row contains the filter)";
        }
    }
    sheets
}

fn of<T>(tops: Option<&Tops>, list: impl Fn(&Tops) -> &Vec<T>) -> Option<&[T]> {
    // The list is borrowed from the lists, not from the closure.
    tops.map(|tops| list(tops).as_slice())
}

/// Returns a list by requests, or by bytes.
fn counted(
    title: &'static str,
    rest: &'static str,
    list: Option<&[Counted]>,
    model: &Model,
) -> Sheet {
    let mut rows: Vec<&Counted> = list.into_iter().flatten().collect();
    let by_bytes = model.is_sorted_second;
    let figure = |it: &Counted| if by_bytes { it.bytes } else { it.count };
    rows.sort_by(|one, other| falling(figure(one), figure(other)));
    Sheet {
        title,
        columns: vec![("requests", 9), ("bytes", 10)],
        rest,
        sorted: Some(usize::from(by_bytes)),
        rows: rows
            .iter()
            .map(|it| vec![count(it.count), bytes(it.bytes), it.text.clone()])
            .collect(),
        empty: if list.is_some() { "(none yet)" } else { NO_LISTS },
    }
}

/// Returns the denials: by the lists, or else by the metrics.
fn denied(model: &Model, tops: Option<&Tops>) -> Sheet {
    let mut rows: Vec<(f64, String)> = match tops {
        Some(tops) => tops.denials.iter().map(|it| (it.count, it.text.clone())).collect(),
        None => labels(model, "denials_total"),
    };
    sort(&mut rows, model.is_sorted_second, |row| row.0, |row| row.1.clone());
    Sheet {
        title: "DENIED",
        columns: vec![("requests", 9)],
        rest: "rule",
        sorted: Some(usize::from(model.is_sorted_second)),
        rows: rows.into_iter().map(|(number, text)| vec![count(number), text]).collect(),
        empty: "(none)",
    }
}

/// Returns the responses that were not stored: by reason and URL, or else by reason.
fn not_stored(model: &Model, tops: Option<&Tops>) -> Sheet {
    let mut rows: Vec<(f64, String, String)> = match tops {
        Some(tops) => {
            let row = |it: &super::tops::NotStored| (it.count, it.reason.clone(), it.url.clone());
            tops.not_stored.iter().map(row).collect()
        }
        None => labels(model, "not_stored_total")
            .into_iter()
            .map(|(number, reason)| (number, reason, String::new()))
            .collect(),
    };
    sort(&mut rows, model.is_sorted_second, |row| row.0, |row| row.1.clone());
    Sheet {
        title: "NOT STORED",
        columns: vec![("responses", 9), ("reason", 18)],
        rest: "url",
        sorted: Some(usize::from(model.is_sorted_second)),
        rows: rows
            .into_iter()
            .map(|(number, reason, url)| vec![count(number), reason, url])
            .collect(),
        empty: "(none)",
    }
}

/// Returns the slow requests, by duration, or the latest first.
fn slow(model: &Model, tops: Option<&Tops>) -> Sheet {
    let mut rows: Vec<_> = tops.map(|tops| tops.slow.iter().collect()).unwrap_or_default();
    let by_time = model.is_sorted_second;
    rows.sort_by(|one: &&super::tops::Slow, other| match by_time {
        true => other.time.cmp(&one.time),
        false => falling(one.ms, other.ms),
    });
    let row = |it: &&super::tops::Slow| {
        let (time, result) = (it.time.clone(), it.result.to_lowercase());
        vec![
            seconds(it.ms / 1e3),
            time,
            it.status.clone(),
            result,
            it.method.clone(),
            it.url.clone(),
        ]
    };
    Sheet {
        title: "SLOW REQUESTS",
        columns: vec![("took", 8), ("time", 20), ("status", 6), ("result", 11), ("method", 7)],
        rest: "url",
        sorted: Some(usize::from(by_time)),
        rows: rows.iter().map(row).collect(),
        empty: if tops.is_some() { "(none yet)" } else { NO_LISTS },
    }
}

/// Returns the groups of origins, as the proxy describes them.
fn origins(model: &Model) -> Sheet {
    let lines = model.last.iter().flat_map(|last| &last.origins);
    Sheet {
        title: "ORIGINS",
        columns: Vec::new(),
        rest: "group, members, addresses and their states",
        sorted: None,
        rows: lines.map(|line| vec![line.clone()]).collect(),
        empty: "(this proxy has no groups of origins)",
    }
}

/// Returns the values of a metric by label, without those that are zero.
fn labels(model: &Model, name: &str) -> Vec<(f64, String)> {
    let labels = model.last.iter().flat_map(|last| last.metrics.labels(name));
    labels.filter(|(_, value)| *value > 0.0).map(|(label, value)| (value, clean(label))).collect()
}

/// Sorts by number, the largest first, or by text.
fn sort<T>(rows: &mut [T], by_text: bool, number: impl Fn(&T) -> f64, text: impl Fn(&T) -> String) {
    rows.sort_by(|one, other| match by_text {
        true => text(one).cmp(&text(other)),
        false => falling(number(one), number(other)),
    });
}

fn falling(one: f64, other: f64) -> Ordering {
    other.total_cmp(&one)
}
