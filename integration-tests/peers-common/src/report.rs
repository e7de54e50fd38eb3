//! Rows of figures: as flat JSON objects, in files, and as tables. In a row the median of each
//! system stands under its name, and where its readings lie under `NAME_min` and `NAME_max`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::stats::summary;

/// Whose figures there are, in the order of the columns, and how one is written.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub systems: &'static [&'static str],
    /// The fields that say what a row is about; the first is its name.
    pub about: &'static [&'static str],
    pub figure: fn(f64) -> String,
}

impl Table {
    /// A table for a README.
    pub fn markdown(&self, rows: &[Value]) -> String {
        let is_used = |system: &&str| rows.iter().any(|row| row[*system].is_number());
        let systems: Vec<&str> = self.systems.iter().copied().filter(is_used).collect();
        let mut text = format!("| {} | {} |\n", self.about.join(" | "), systems.join(" | "));
        text.push_str(&format!("|{}\n", "---|".repeat(self.about.len() + systems.len())));
        for row in rows {
            let about = self.about.iter().enumerate().map(|(at, field)| match (at, &row[*field]) {
                (0, name) => format!("`{}`", name.as_str().unwrap_or_default()),
                (_, Value::String(text)) => text.clone(),
                (_, value) => value.to_string(),
            });
            let cells = systems.iter().map(|system| self.cell(row, system));
            let cells: Vec<String> = about.chain(cells).collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        text
    }

    fn cell(&self, row: &Value, system: &str) -> String {
        let Some(value) = row[system].as_f64() else { return "–".to_owned() };
        match ratio(row, system) {
            Some(ratio) => format!("{} ({ratio:.2}×)", (self.figure)(value)),
            None => format!("**{}**", (self.figure)(value)),
        }
    }

    /// The systems of a row for a terminal, a line to each: medians, spreads, and how many times
    /// better ours is.
    pub fn lines(&self, row: &Value) -> String {
        let line = |system: &&str| {
            let [median, min, max] = ["", "_min", "_max"]
                .map(|end| row[format!("{system}{end}")].as_f64().map(self.figure).unwrap_or_default());
            let ratio = ratio(row, system).map(|ratio| format!("{ratio:>8.2} x")).unwrap_or_default();
            format!("  {system:<15}{median:>10}  [{min} .. {max}]  {ratio}\n")
        };
        self.systems.iter().filter(|system| row[**system].is_number()).map(line).collect()
    }
}

/// The figures of each system that has readings, each rounded.
pub fn insert_medians<'a>(
    row: &mut Map<String, Value>,
    systems: &[&str],
    readings: impl Fn(&str) -> Option<&'a Vec<f64>>,
    rounded: impl Fn(f64) -> f64,
) {
    for system in systems {
        let Some(found) = readings(system).and_then(|readings| summary(readings)) else { continue };
        row.insert((*system).to_owned(), json!(rounded(found.median)));
        row.insert(format!("{system}_min"), json!(rounded(found.min)));
        row.insert(format!("{system}_max"), json!(rounded(found.max)));
    }
}

/// What there is to say of systems, if anything.
pub fn insert_notes(row: &mut Map<String, Value>, notes: &BTreeMap<impl Display, String>) {
    if !notes.is_empty() {
        let notes: Vec<String> = notes.iter().map(|(who, note)| format!("{who}: {note}")).collect();
        row.insert("note".to_owned(), json!(notes.join("; ")));
    }
}

/// How many times better ours is than this system; more than one is to our favour. Less is
/// better, unless the row says `more`.
pub fn ratio(row: &Value, system: &str) -> Option<f64> {
    let (ours, other) = (row["ours"].as_f64()?, row[system].as_f64()?);
    let (good, bad) = if word(row, "better") == "more" { (ours, other) } else { (other, ours) };
    (system != "ours" && good > 0.0 && bad > 0.0).then(|| good / bad)
}

/// A field that is a text.
pub fn word<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

/// The rows of a file.
pub fn read(path: &Path) -> Result<Vec<Value>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes rows, a line to each.
pub fn write(directory: &Path, name: &str, rows: &[Value]) -> Result<(), String> {
    let lines: Vec<String> = rows.iter().map(|row| format!("  {row}")).collect();
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    let path = directory.join(name);
    let done = fs::create_dir_all(directory).and_then(|()| fs::write(&path, text));
    done.map_err(|error| format!("{}: {error}", path.display()))
}
