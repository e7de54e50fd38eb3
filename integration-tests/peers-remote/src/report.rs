//! What came out: as JSON, as text, as Markdown.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use peers_common::report::{self, Table, insert_medians, insert_notes, word};
use serde_json::{Map, Value, json};

use crate::rows::{Better, Form, Row};
use crate::system::{NAMES, Transport};

/// All systems in one form, over one transport, with one number of workers.
pub(crate) struct Outcome {
    form: &'static Form,
    transport: Transport,
    workers: usize,
    rounds: usize,
    /// In the order taken, for each row and system.
    readings: BTreeMap<(&'static str, &'static str), Vec<f64>>,
    notes: BTreeMap<&'static str, String>,
    failed: Vec<&'static str>,
}

impl Outcome {
    pub(crate) fn new(form: &'static Form, transport: Transport, workers: usize, rounds: usize) -> Self {
        let (readings, notes) = (BTreeMap::new(), BTreeMap::new());
        Self { form, transport, workers, rounds, readings, notes, failed: Vec::new() }
    }

    /// Takes what a measurement printed.
    pub(crate) fn take(&mut self, system: &'static str, reading: &Value) {
        for row in self.form.rows {
            if let Some(value) = reading["values"][row.name].as_f64() {
                self.readings.entry((row.name, system)).or_default().push(value);
            }
        }
        if let Some(note) = reading["note"].as_str() {
            self.notes.insert(system, note.to_owned());
        }
    }

    pub(crate) fn leave_out(&mut self, system: &'static str, why: &str) {
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

    /// The flat objects of the form's rows: `ours` and each peer are medians.
    fn rows(&self) -> impl Iterator<Item = Value> {
        self.form.rows.iter().map(|row| self.row(row))
    }

    fn row(&self, row: &Row) -> Value {
        let mut flat = Map::new();
        flat.insert("row".to_owned(), json!(row.name));
        flat.insert("unit".to_owned(), json!(row.unit));
        flat.insert("better".to_owned(), json!(if row.better == Better::More { "more" } else { "less" }));
        flat.insert("transport".to_owned(), json!(self.transport.name()));
        flat.insert("workers".to_owned(), json!(self.workers));
        let readings = |system: &str| {
            let mut all = self.readings.iter();
            all.find(|((of, who), _)| (*of, *who) == (row.name, system)).map(|(_, readings)| readings)
        };
        insert_medians(&mut flat, NAMES, readings, rounded);
        flat.insert("rounds".to_owned(), json!(self.rounds));
        if self.transport == Transport::Tcp {
            flat.insert("tcp_congestion".to_owned(), json!(congestion()));
        }
        flat.insert("about".to_owned(), json!(row.about));
        insert_notes(&mut flat, &self.notes);
        Value::Object(flat)
    }

    /// Every single reading, in order.
    fn every_reading(&self) -> impl Iterator<Item = Value> {
        self.form.rows.iter().map(|row| {
            let of = |system: &&'static str| self.readings.get(&(row.name, *system)).map(|all| ((*system).to_owned(), json!(all)));
            let readings: Map<String, Value> = NAMES.iter().filter_map(of).collect();
            json!({ "row": row.name, "transport": self.transport.name(), "workers": self.workers, "readings": readings })
        })
    }
}

/// How this system keeps a TCP connection from flooding its way, unless a socket is told otherwise.
pub(crate) fn congestion() -> String {
    let setting = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    setting.map_or_else(|_| "unknown".to_owned(), |setting| setting.trim().to_owned())
}

const TABLE: Table = Table { systems: NAMES, about: &["row", "unit", "transport", "workers"], figure };

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
        self.outcomes.iter().flat_map(Outcome::rows).collect()
    }

    pub(crate) fn failures(&self) -> usize {
        self.outcomes.iter().map(|outcome| outcome.failed.len()).sum()
    }

    /// Writes what there is so far, so that an interrupted run leaves something.
    pub(crate) fn write(&self) -> Result<(), String> {
        let readings: Vec<Value> = self.outcomes.iter().flat_map(Outcome::every_reading).collect();
        report::write(&directory(), &format!("{}.json", self.name), &self.rows())?;
        report::write(&directory(), &format!("{}-readings.json", self.name), &readings)
    }
}

/// The rows of the last comparison.
pub(crate) fn read() -> Result<Vec<Value>, String> {
    report::read(&directory().join("remote.json"))
}

/// `target/bench` of the checkout, wherever cargo builds.
pub(crate) fn directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench"))
}

/// A table for a terminal: medians, spreads, and how many times better ours is.
pub(crate) fn text(rows: &[Value]) -> String {
    let mut text =
        format!("TCP's congestion control: {} for all, as no socket is told otherwise\n", congestion());
    for row in rows {
        let (name, unit, transport) = (word(row, "row"), word(row, "unit"), word(row, "transport"));
        text.push_str(&format!("{name} ({unit}, {transport}, workers: {})\n", row["workers"]));
        text.push_str(&TABLE.lines(row));
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

    fn outcome(form: &str, readings: &[(&'static str, &[f64])]) -> Outcome {
        let form = named(form).unwrap();
        let mut outcome = Outcome::new(form, Transport::Tcp, 1, 3);
        for (system, values) in readings {
            for value in *values {
                outcome.take(system, &json!({ "values": { form.rows[0].name: value } }));
            }
        }
        outcome
    }

    #[test]
    fn a_row_is_one_flat_object() {
        let mut outcome = outcome("tell_64", &[("ours", &[12.0, 10.0, 30.0]), ("ractor", &[0.5; 3])]);
        outcome.leave_out("erlang", "erl is not installed");
        let rows: Vec<Value> = outcome.rows().collect();
        for (field, expected) in [
            ("row", json!("tell_64")),
            ("unit", json!("thousand/s")),
            ("transport", json!("tcp")),
            ("workers", json!(1)),
            ("ours", json!(12.0)),
            ("ours_min", json!(10.0)),
            ("ours_max", json!(30.0)),
            ("ractor", json!(0.5)),
            ("tcp_congestion", json!(congestion())),
            ("note", json!("erlang: erl is not installed")),
        ] {
            assert_eq!(rows[0][field], expected, "{field}");
        }
        assert!(rows[0].get("erlang").is_none() && rows[0].get("tls").is_none());
    }

    #[test]
    fn a_ratio_is_how_many_times_better_ours_is() {
        for (form, values, ratio) in [("tell_64", [24.0, 2.0], "12.00"), ("ask_seq", [5.0, 10.0], "2.00")] {
            let [ours, ractor] = values;
            let rows: Vec<Value> =
                outcome(form, &[("ours", &[ours]), ("ractor", &[ractor])]).rows().collect();
            assert!(markdown(&rows[..1]).contains(&format!("({ratio}×) |")), "{}", markdown(&rows));
            assert!(text(&rows[..1]).contains(&format!("{ratio} x")), "{}", text(&rows));
        }
    }

    #[test]
    fn a_failure_is_counted_and_no_figure() {
        let mut outcome = outcome("tell_64", &[("ours", &[1.0])]);
        outcome.fail("ractor", "it hangs");
        assert!(outcome.has_failed("ractor") && !outcome.has_failed("ours"));
        let mut report = Report::named("remote");
        report.add(outcome);
        assert_eq!(report.failures(), 1);
        assert_eq!(report.rows()[0]["note"], "ractor: failed: it hangs");
    }
}
