//! What came out: as JSON, as text, as Markdown.

use std::fs;
use std::path::PathBuf;

use peers_common::readings::Readings;
use peers_common::report::{self, Table, figure, insert_medians, insert_notes, rounded, word};
use serde_json::{Map, Value, json};

use crate::rows::{Better, Form, Row};
use crate::system::{NAMES, Transport};

/// All systems in one form, over one transport, with one number of workers.
pub(crate) struct Outcome {
    pub(crate) form: &'static Form,
    pub(crate) transport: Transport,
    pub(crate) workers: usize,
    pub(crate) rounds: usize,
    pub(crate) readings: Readings,
}

impl Outcome {
    /// The flat objects of the form's rows: `ours` and each peer are medians.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Value> {
        self.form.rows.iter().map(|row| self.row(row))
    }

    fn row(&self, row: &Row) -> Value {
        let mut flat = Map::new();
        flat.insert("row".to_owned(), json!(row.name));
        flat.insert("unit".to_owned(), json!(row.unit));
        flat.insert("better".to_owned(), json!(if row.better == Better::More { "more" } else { "less" }));
        flat.insert("transport".to_owned(), json!(self.transport.name()));
        flat.insert("workers".to_owned(), json!(self.workers));
        let figures = self.readings.figures(|reading| &reading["values"][row.name]);
        insert_medians(&mut flat, NAMES, &figures, rounded);
        flat.insert("rounds".to_owned(), json!(self.rounds));
        if self.transport == Transport::Tcp {
            flat.insert("tcp_congestion".to_owned(), json!(congestion()));
        }
        flat.insert("about".to_owned(), json!(row.about));
        insert_notes(&mut flat, self.readings.notes());
        Value::Object(flat)
    }

    /// Every single reading, in order.
    pub(crate) fn every_reading(&self) -> impl Iterator<Item = Value> {
        self.form.rows.iter().map(|row| {
            let readings = self.readings.figures(|reading| &reading["values"][row.name]);
            let transport = self.transport.name();
            json!({ "row": row.name, "transport": transport, "workers": self.workers, "readings": readings })
        })
    }
}

/// How this system keeps a TCP connection from flooding its way, unless a socket is told otherwise.
pub(crate) fn congestion() -> String {
    let setting = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    setting.map_or_else(|_| "unknown".to_owned(), |setting| setting.trim().to_owned())
}

const TABLE: Table = Table { systems: NAMES, about: &["row", "unit", "transport", "workers"], figure };

/// The rows of the last comparison.
pub(crate) fn read() -> Result<Vec<Value>, String> {
    report::read(&directory().join("remote.json"))
}

/// `target/bench` of the checkout, wherever cargo builds.
pub(crate) fn directory() -> PathBuf {
    report::directory("bench")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::named;

    fn outcome(form: &str, readings: &[(&'static str, &[f64])]) -> Outcome {
        let form = named(form).unwrap();
        let mut taken = Readings::default();
        for (system, values) in readings {
            let mut values = values.iter();
            taken.take(values.len(), vec![*system], |_| {
                Ok(json!({ "values": { form.rows[0].name: values.next() } }))
            });
        }
        Outcome { form, transport: Transport::Tcp, workers: 1, rounds: 3, readings: taken }
    }

    #[test]
    fn a_row_is_one_flat_object() {
        let mut outcome = outcome("tell_64", &[("ours", &[12.0, 10.0, 30.0]), ("ractor", &[0.5; 3])]);
        outcome.readings.leave_out("erlang", "erl is not installed");
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
}
