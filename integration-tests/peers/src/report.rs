//! What came out: as JSON, as text, as Markdown, as pictures.

use std::collections::BTreeMap;
use std::path::PathBuf;

use peers_common::readings::Readings;
use peers_common::report::{self, Table, insert_medians, insert_notes, word};
use peers_common::stats::{Bar, slower, summary};
use serde_json::{Map, Value, json};

use crate::scenario::Form;
use crate::scenario::rows::Row;
use crate::system::NAMES;

/// All systems in one row with one number of workers.
pub(crate) struct Outcome {
    pub(crate) row: &'static Row,
    pub(crate) workers: usize,
    pub(crate) rounds: usize,
    pub(crate) readings: Readings,
}

/// Ours and the floor, whose readings were taken side by side.
struct Pair {
    ours: Vec<f64>,
    tokio: Vec<f64>,
}

impl Outcome {
    /// The flat object of the row: `ours` and each peer are medians.
    pub(crate) fn row(&self) -> Value {
        let figures = self.figures();
        let mut flat = Map::new();
        flat.insert("row".to_owned(), json!(self.row.name));
        flat.insert("unit".to_owned(), json!(self.row.unit()));
        flat.insert("workers".to_owned(), json!(self.workers));
        insert_medians(&mut flat, NAMES, &figures, rounded);
        if let Form::Airs(a_loop) = self.row.form
            && let Some(published) = a_loop.published_ns()
        {
            flat.insert("airssys_published_elsewhere".to_owned(), json!(published));
        }
        flat.insert("rounds".to_owned(), json!(self.rounds));
        if let Some(Pair { ours, tokio }) = self.pair() {
            flat.insert("pairs".to_owned(), json!(ours.len().min(tokio.len())));
            flat.insert("pairs_ours_slower_than_tokio".to_owned(), json!(slower(&ours, &tokio)));
        }
        if let Some(bounce) = summary(&self.bounces()) {
            flat.insert("bounce_ns".to_owned(), json!(rounded(bounce.median)));
            flat.insert("bounce_ns_max".to_owned(), json!(rounded(bounce.max)));
        }
        flat.insert("about".to_owned(), json!(self.row.about));
        insert_notes(&mut flat, self.readings.notes());
        Value::Object(flat)
    }

    /// Every single reading, in order.
    pub(crate) fn every_reading(&self) -> Value {
        json!({
            "row": self.row.name,
            "workers": self.workers,
            "readings": self.figures(),
            "bounce_ns": self.bounces(),
        })
    }

    fn figures(&self) -> BTreeMap<&'static str, Vec<f64>> {
        self.readings.figures(|reading| &reading["value"])
    }

    /// How long a cache line took from core to core beside each reading, system by system.
    fn bounces(&self) -> Vec<f64> {
        self.readings.figures(|reading| &reading["bounce_ns"]).into_values().flatten().collect()
    }

    fn pair(&self) -> Option<Pair> {
        let mut figures = self.figures();
        Some(Pair { ours: figures.remove("ours")?, tokio: figures.remove("tokio")? })
    }
}

const TABLE: Table = Table { systems: NAMES, about: &["row", "unit", "workers"], figure };

/// The rows of the last comparison.
pub(crate) fn read() -> Result<Vec<Value>, String> {
    report::read(&directory().join("core.json"))
}

/// `target/bench` of the checkout, wherever cargo builds. A run on another
/// allocator has a directory of its own.
pub(crate) fn directory() -> PathBuf {
    report::directory(if cfg!(feature = "mimalloc") { "bench-mimalloc" } else { "bench" })
}

/// A table for a terminal: medians, spreads, and how many times ours the others take.
pub(crate) fn text(rows: &[Value]) -> String {
    let mut text = String::new();
    for row in rows {
        let (name, unit, workers) = (word(row, "row"), word(row, "unit"), &row["workers"]);
        text.push_str(&format!("{name} ({unit}, {workers} workers)\n"));
        text.push_str(&TABLE.lines(row));
        if let (Some(slow), Some(pairs)) =
            (row["pairs_ours_slower_than_tokio"].as_u64(), row["pairs"].as_u64())
        {
            text.push_str(&format!("  ours slower than tokio in {slow} of {pairs} pairs\n"));
        }
        for (field, says) in [
            ("bounce_ns", "ns of a cache line from core to core"),
            ("airssys_published_elsewhere", "ns published by airssys-rt, another machine"),
        ] {
            if let Some(value) = row[field].as_f64() {
                text.push_str(&format!("  {} {says}\n", figure(value)));
            }
        }
        if let Some(note) = row["note"].as_str() {
            text.push_str(&format!("  {note}\n"));
        }
    }
    text
}

/// A table for a README.
pub(crate) fn markdown(rows: &[Value]) -> String {
    TABLE.markdown(rows)
}

/// Where the readings of two systems lie, beside each other.
pub(crate) fn modes(outcome: &Outcome, histogram: impl Fn(&[f64], &[f64]) -> Vec<Bar>) -> String {
    let Some(Pair { ours, tokio }) = outcome.pair() else { return String::new() };
    let all = [&ours[..], &tokio].concat();
    let mut text =
        format!("{} at {} workers, {} rounds\n", outcome.row.name, outcome.workers, outcome.rounds);
    text.push_str(&format!("  {:>10} .. {:>8} {}   ours | tokio\n", "from", "to", outcome.row.unit()));
    for (ours, tokio) in histogram(&ours, &all).iter().zip(histogram(&tokio, &all)) {
        let (left, right) = ("#".repeat(ours.count), "o".repeat(tokio.count));
        text.push_str(&format!("  {:>10.1} .. {:>8.1}    {left:>40} | {right}\n", ours.from, ours.to));
    }
    let slow = slower(&ours, &tokio);
    text.push_str(&format!("  ours slower than tokio in {slow} of {} pairs", ours.len().min(tokio.len())));
    if let Some(bounce) = summary(&outcome.bounces()) {
        let (median, min, max) = (bounce.median, bounce.min, bounce.max);
        text.push_str(&format!("; a cache line took {median:.0} ns [{min:.0} .. {max:.0}]"));
    }
    text.push_str("\n\n");
    text
}

/// Four digits, where there are as many.
fn figure(value: f64) -> String {
    match value {
        value if value.abs() >= 1000.0 => format!("{value:.0}"),
        value if value.abs() >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::rows::named;

    fn outcome() -> Outcome {
        let mut readings = Readings::default();
        let (mut ours, mut tokio) = ([10.0, 30.0, 12.0].into_iter(), [20.0, 25.0, 21.0].into_iter());
        readings.take(3, vec!["ours", "tokio"], |system| match system {
            "ours" => Ok(json!({ "value": ours.next(), "bounce_ns": 40.0 })),
            _ => Ok(json!({ "value": tokio.next() })),
        });
        readings.leave_out("erlang", "erl is not installed");
        Outcome { row: named("tell_8_1").unwrap(), workers: 2, rounds: 3, readings }
    }

    #[test]
    fn a_row_is_flat_and_a_peer_that_was_not_run_is_absent() {
        let row = outcome().row();
        assert!(row.as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array()));
        for (field, expected) in [
            ("row", json!("tell_8_1")),
            ("unit", json!("ns")),
            ("workers", json!(2)),
            ("ours", json!(12.0)),
            ("ours_min", json!(10.0)),
            ("ours_max", json!(30.0)),
            ("tokio", json!(21.0)),
            ("pairs_ours_slower_than_tokio", json!(1)),
            ("bounce_ns", json!(40.0)),
            ("note", json!("erlang: erl is not installed")),
        ] {
            assert_eq!(row[field], expected, "{field}");
        }
        assert!(row.get("erlang").is_none() && row.get("ractor").is_none());
    }

    #[test]
    fn a_ratio_is_how_many_times_ours_the_other_takes() {
        let table = markdown(&[outcome().row()]);
        assert!(table.contains("| `tell_8_1` | ns | 2 | **12.0** | 21.0 (1.75×) |"), "{table}");
        assert!(text(&[outcome().row()]).contains("1.75 x"));
    }

    #[test]
    fn a_picture_shows_both() {
        let picture = modes(&outcome(), peers_common::stats::histogram);
        assert!(picture.contains("ours slower than tokio in 1 of 3 pairs"), "{picture}");
    }
}
