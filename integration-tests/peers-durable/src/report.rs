//! What came out: as JSON, as text, as Markdown.

use std::collections::BTreeMap;
use std::path::PathBuf;

use peers_common::report::{self, Table, insert_medians, insert_notes, word};
use peers_common::stats::summary;
use serde_json::{Map, Value, json};

use crate::rows::{NAMES, Row};

/// All systems in one row with one number of workers.
pub(crate) struct Outcome {
    row: &'static Row,
    workers: usize,
    rounds: usize,
    /// In the order taken, for each system.
    readings: BTreeMap<&'static str, Vec<f64>>,
    notes: BTreeMap<&'static str, String>,
    failed: Vec<&'static str>,
}

impl Outcome {
    pub(crate) fn new(row: &'static Row, workers: usize, rounds: usize) -> Self {
        Self { row, workers, rounds, readings: BTreeMap::new(), notes: BTreeMap::new(), failed: Vec::new() }
    }

    /// Takes what a measurement printed.
    pub(crate) fn take(&mut self, system: &'static str, reading: &Value) {
        if let Some(value) = reading["value"].as_f64() {
            self.readings.entry(system).or_default().push(value);
        }
        if let Some(note) = reading["note"].as_str() {
            self.notes.insert(system, note.to_owned());
        }
    }

    pub(crate) fn leave_out(&mut self, system: &'static str, why: &str) {
        eprintln!("  {why}");
        self.notes.insert(system, why.to_owned());
    }

    pub(crate) fn fail(&mut self, system: &'static str, why: &str) {
        eprintln!("  {system}: {why}");
        self.notes.insert(system, format!("failed: {why}"));
        self.failed.push(system);
    }

    pub(crate) fn has_failed(&self, system: &str) -> bool {
        self.failed.contains(&system)
    }

    fn median(&self, system: &str) -> Option<f64> {
        self.readings.get(system).and_then(|readings| summary(readings)).map(|summary| summary.median)
    }

    /// The flat object of the row: `ours` and each other are medians.
    fn row(&self) -> Value {
        let mut flat = Map::new();
        flat.insert("row".to_owned(), json!(self.row.name));
        flat.insert("unit".to_owned(), json!(self.row.unit));
        flat.insert("better".to_owned(), json!(if self.row.is_more_better { "more" } else { "less" }));
        flat.insert("workers".to_owned(), json!(self.workers));
        insert_medians(&mut flat, NAMES, |system| self.readings.get(system), rounded);
        if let Some(bound) = self.row.bound {
            flat.insert("bound".to_owned(), json!(bound.to_string()));
            let verdict = bound.judge(|system| self.median(system));
            flat.insert("bound_limit".to_owned(), json!(verdict.map(|verdict| rounded(verdict.limit))));
            flat.insert("bound_is_met".to_owned(), json!(verdict.map(|verdict| verdict.is_met)));
        }
        flat.insert("rounds".to_owned(), json!(self.rounds));
        flat.insert("about".to_owned(), json!(self.row.about));
        insert_notes(&mut flat, &self.notes);
        Value::Object(flat)
    }

    /// Every single reading, in order.
    fn every_reading(&self) -> Value {
        json!({ "row": self.row.name, "workers": self.workers, "readings": self.readings })
    }
}

const TABLE: Table = Table { systems: NAMES, about: &["row", "unit", "workers"], figure };

/// A whole run.
pub(crate) struct Report {
    outcomes: Vec<Outcome>,
    name: &'static str,
}

impl Report {
    /// One whose files have this name; a part of a comparison does not replace a whole one.
    pub(crate) fn named(name: &'static str) -> Self {
        Self { outcomes: Vec::new(), name }
    }

    pub(crate) fn add(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    pub(crate) fn rows(&self) -> Vec<Value> {
        self.outcomes.iter().map(Outcome::row).collect()
    }

    pub(crate) fn failures(&self) -> usize {
        self.outcomes.iter().map(|outcome| outcome.failed.len()).sum()
    }

    /// Writes what there is so far, so that an interrupted run leaves something.
    pub(crate) fn write(&self) -> Result<(), String> {
        let readings: Vec<Value> = self.outcomes.iter().map(Outcome::every_reading).collect();
        report::write(&directory(), &format!("{}.json", self.name), &self.rows())?;
        report::write(&directory(), &format!("{}-readings.json", self.name), &readings)
    }
}

/// The rows of the last comparison.
pub(crate) fn read() -> Result<Vec<Value>, String> {
    report::read(&directory().join("durable.json"))
}

/// `target/bench` of the checkout, wherever cargo builds.
pub(crate) fn directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench"))
}

/// For a terminal: medians, spreads, how many times better ours is than each, and whether the bound is met.
pub(crate) fn text(rows: &[Value]) -> String {
    let mut text = String::new();
    for row in rows {
        let (name, unit) = (word(row, "row"), word(row, "unit"));
        text.push_str(&format!("{name} ({unit}, workers: {})\n", row["workers"]));
        text.push_str(&TABLE.lines(row));
        if let Some(bound) = row["bound"].as_str() {
            text.push_str(&format!("  bound: {bound}{}\n", verdict(row)));
        }
        if let Some(note) = row["note"].as_str() {
            text.push_str(&format!("  {note}\n"));
        }
    }
    text
}

/// A table for a README, with the bounds in a list below.
pub(crate) fn markdown(rows: &[Value]) -> String {
    let mut text = TABLE.markdown(rows);
    for row in rows {
        if let Some(bound) = row["bound"].as_str() {
            let (name, workers) = (word(row, "row"), &row["workers"]);
            text.push_str(&format!("\n- `{name}`, {workers}: {bound}{}", verdict(row)));
        }
    }
    text.push('\n');
    text
}

/// What became of a bound.
fn verdict(row: &Value) -> String {
    let word = match row["bound_is_met"].as_bool() {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => return ": NOT MEASURED".to_owned(),
    };
    format!(" = {}: {word}", row["bound_limit"].as_f64().map(figure).unwrap_or_default())
}

/// Three digits and more say nothing.
fn figure(value: f64) -> String {
    match value {
        value if value.abs() >= 100.0 => format!("{value:.0}"),
        value if value.abs() >= 1.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::named;

    fn outcome(ours: &[f64]) -> Outcome {
        let mut outcome = Outcome::new(named("memory_turn").unwrap(), 1, 3);
        for value in ours {
            outcome.take("ours", &json!({ "value": value }));
            outcome.take("plain_and_map", &json!({ "value": 100.0 }));
        }
        outcome
    }

    #[test]
    fn a_row_is_flat_and_says_whether_its_bound_is_met() {
        let mut outcome = outcome(&[700.0, 900.0, 800.0]);
        outcome.leave_out("plain", "left out");
        let row = outcome.row();
        assert!(row.as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array()));
        for (field, expected) in [
            ("row", json!("memory_turn")),
            ("better", json!("less")),
            ("workers", json!(1)),
            ("ours", json!(800.0)),
            ("ours_min", json!(700.0)),
            ("ours_max", json!(900.0)),
            ("bound", json!("ours <= 8 x plain_and_map")),
            ("bound_limit", json!(800.0)),
            ("bound_is_met", json!(true)),
            ("note", json!("plain: left out")),
        ] {
            assert_eq!(row[field], expected, "{field}");
        }
        assert!(text(&[row]).contains("bound: ours <= 8 x plain_and_map = 800: met"));
    }

    #[test]
    fn a_bound_that_is_missed_or_not_measured_is_shouted() {
        assert!(text(&[outcome(&[801.0]).row()]).contains("= 800: MISSED"));
        assert!(
            markdown(&[outcome(&[]).row()])
                .contains("- `memory_turn`, 1: ours <= 8 x plain_and_map: NOT MEASURED")
        );
    }

    #[test]
    fn a_failure_is_counted_and_no_figure() {
        let mut outcome = outcome(&[1.0]);
        outcome.fail("plain", "it hangs");
        assert!(outcome.has_failed("plain") && !outcome.has_failed("ours"));
        let mut report = Report::named("durable");
        report.add(outcome);
        assert_eq!(report.failures(), 1);
        assert_eq!(report.rows()[0]["note"], "plain: failed: it hangs");
    }
}
