//! Rows of figures: as flat JSON objects, in files, and as tables. In a row the median of each
//! system stands under its name, and where its readings lie under `NAME_min` and `NAME_max`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::flags::{Format, Length};
use crate::stats::summary;

/// A whole run: its rows, and every single reading.
#[derive(Debug)]
pub struct Report {
    name: String,
    directory: PathBuf,
    length: Length,
    start: Instant,
    rows: Vec<Value>,
    readings: Vec<Value>,
    failures: usize,
}

impl Report {
    /// One that is written to `NAME.json` and `NAME-readings.json` of a directory; a smoke run is not written.
    pub fn new(directory: PathBuf, name: impl Into<String>, length: Length) -> Self {
        let (rows, readings) = (Vec::new(), Vec::new());
        Self { name: name.into(), directory, length, start: Instant::now(), rows, readings, failures: 0 }
    }

    /// Says what is measured next, and how long it has taken until now.
    pub fn announce(&self, what: impl Display) {
        eprintln!("{what} ({:.0} s)", self.start.elapsed().as_secs_f64());
    }

    /// Adds rows and their readings, and writes what there is so far, so that an interrupted run leaves something.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn add(
        &mut self,
        rows: impl IntoIterator<Item = Value>,
        readings: impl IntoIterator<Item = Value>,
        failures: usize,
    ) -> Result<(), String> {
        self.rows.extend(rows);
        self.readings.extend(readings);
        self.failures += failures;
        if self.length == Length::Smoke {
            return Ok(());
        }
        write(&self.directory, &format!("{}.json", self.name), &self.rows)?;
        write(&self.directory, &format!("{}-readings.json", self.name), &self.readings)
    }

    /// Prints the rows.
    ///
    /// # Errors
    ///
    /// Measurements have failed.
    pub fn finish(
        &self,
        format: Format,
        text: impl FnOnce(&[Value]) -> String,
        markdown: impl FnOnce(&[Value]) -> String,
    ) -> Result<(), String> {
        match format {
            Format::Text => print!("{}", text(&self.rows)),
            Format::Markdown => print!("{}", markdown(&self.rows)),
        }
        eprintln!("took {:.0} s", self.start.elapsed().as_secs_f64());
        match self.failures {
            0 => Ok(()),
            failures => Err(format!("{failures} measurements failed; see their notes")),
        }
    }
}

/// A directory in `target` of the checkout, wherever cargo builds.
pub fn directory(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")).join(name)
}

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
pub fn insert_medians(
    row: &mut Map<String, Value>,
    systems: &[&str],
    figures: &BTreeMap<&str, Vec<f64>>,
    rounded: impl Fn(f64) -> f64,
) {
    for system in systems {
        let Some(found) = figures.get(system).and_then(|figures| summary(figures)) else { continue };
        row.insert((*system).to_owned(), json!(rounded(found.median)));
        row.insert(format!("{system}_min"), json!(rounded(found.min)));
        row.insert(format!("{system}_max"), json!(rounded(found.max)));
    }
}

/// What there is to say of systems, if anything.
pub fn insert_notes(row: &mut Map<String, Value>, notes: &BTreeMap<&str, String>) {
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

/// A figure for a reader: three digits and more say nothing.
pub fn figure(value: f64) -> String {
    match value {
        value if value.abs() >= 100.0 => format!("{value:.0}"),
        value if value.abs() >= 1.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}

/// A figure for a file.
pub fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A field that is a text.
pub fn word<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

/// The rows of a file.
///
/// # Errors
///
/// It cannot be read, or is no such file.
pub fn read(path: &Path) -> Result<Vec<Value>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes rows, a line to each.
fn write(directory: &Path, name: &str, rows: &[Value]) -> Result<(), String> {
    let lines: Vec<String> = rows.iter().map(|row| format!("  {row}")).collect();
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    let path = directory.join(name);
    let done = fs::create_dir_all(directory).and_then(|()| fs::write(&path, text));
    done.map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_and_a_smoke_run_writes_nothing() {
        let mut report = Report::new(PathBuf::from("/no/such/place"), "any", Length::Smoke);
        report.add([json!({ "row": "tell" })], [], 0).unwrap();
        assert!(report.finish(Format::Text, |rows| format!("{rows:?}\n"), |_| String::new()).is_ok());
        report.add([], [], 2).unwrap();
        let failed = report.finish(Format::Text, |_| String::new(), |_| String::new());
        assert_eq!(failed, Err("2 measurements failed; see their notes".to_owned()));
    }
}
