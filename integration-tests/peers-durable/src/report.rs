//! What came out: as JSON, as text, as Markdown.

use std::path::PathBuf;

use peers_common::readings::Readings;
use peers_common::report::{self, Table, figure, insert_medians, insert_notes, rounded, word};
use peers_common::stats::summary;
use serde_json::{Map, Value, json};

use crate::rows::{NAMES, Row};

/// All systems in one row with one number of workers.
pub(crate) struct Outcome {
    pub(crate) row: &'static Row,
    pub(crate) workers: usize,
    pub(crate) rounds: usize,
    pub(crate) readings: Readings,
}

impl Outcome {
    /// The flat object of the row: `ours` and each other are medians.
    pub(crate) fn row(&self) -> Value {
        let figures = self.readings.figures(|reading| &reading["value"]);
        let median = |system: &str| figures.get(system).and_then(|all| summary(all)).map(|all| all.median);
        let mut flat = Map::new();
        flat.insert("row".to_owned(), json!(self.row.name));
        flat.insert("unit".to_owned(), json!(self.row.unit));
        flat.insert("better".to_owned(), json!(if self.row.is_more_better { "more" } else { "less" }));
        flat.insert("workers".to_owned(), json!(self.workers));
        insert_medians(&mut flat, NAMES, &figures, rounded);
        if let Some(bound) = self.row.bound {
            flat.insert("bound".to_owned(), json!(bound.to_string()));
            let verdict = bound.judge(median);
            flat.insert("bound_limit".to_owned(), json!(verdict.map(|verdict| rounded(verdict.limit))));
            flat.insert("bound_is_met".to_owned(), json!(verdict.map(|verdict| verdict.is_met)));
        }
        flat.insert("rounds".to_owned(), json!(self.rounds));
        flat.insert("about".to_owned(), json!(self.row.about));
        insert_notes(&mut flat, self.readings.notes());
        Value::Object(flat)
    }

    /// Every single reading, in order.
    pub(crate) fn every_reading(&self) -> Value {
        let readings = self.readings.figures(|reading| &reading["value"]);
        json!({ "row": self.row.name, "workers": self.workers, "readings": readings })
    }
}

const TABLE: Table = Table { systems: NAMES, about: &["row", "unit", "workers"], figure };

/// The rows of the last comparison.
pub(crate) fn read() -> Result<Vec<Value>, String> {
    report::read(&directory().join("durable.json"))
}

/// `target/bench` of the checkout, wherever cargo builds.
pub(crate) fn directory() -> PathBuf {
    report::directory("bench")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::named;

    fn outcome(ours: &[f64]) -> Outcome {
        let (row, mut readings, mut ours) = (named("memory_turn").unwrap(), Readings::default(), ours.iter());
        readings.take(ours.len(), vec!["plain_and_map", "ours"], |system| {
            Ok(json!({ "value": if system == "ours" { *ours.next().unwrap() } else { 100.0 } }))
        });
        Outcome { row, workers: 1, rounds: 3, readings }
    }

    #[test]
    fn a_row_is_flat_and_says_whether_its_bound_is_met() {
        let mut outcome = outcome(&[700.0, 900.0, 800.0]);
        outcome.readings.leave_out("plain", "left out");
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
}
