//! What came of measuring systems beside each other.

use std::collections::BTreeMap;

use serde_json::Value;

/// The readings of some systems, and what there is to say of them.
#[derive(Debug, Default)]
pub struct Readings {
    /// As they were printed, in the order taken.
    taken: Vec<(&'static str, Value)>,
    notes: BTreeMap<&'static str, String>,
    failed: Vec<&'static str>,
}

impl Readings {
    /// Measures each system once in each round. They alternate (A B C, C B A, …), so that a slow minute of the machine is
    /// everybody's. One that fails is not measured again: it fails again, and may take its time over it.
    pub fn take(
        &mut self,
        rounds: usize,
        mut systems: Vec<&'static str>,
        mut measure: impl FnMut(&'static str) -> Result<Value, String>,
    ) {
        for _ in 0..rounds {
            for &system in &systems {
                match measure(system) {
                    Ok(reading) => self.add(system, reading),
                    Err(why) => self.fail(system, &why),
                }
            }
            systems.retain(|system| !self.failed.contains(system));
            systems.reverse();
        }
    }

    fn add(&mut self, system: &'static str, reading: Value) {
        if let Some(note) = reading["note"].as_str() {
            self.notes.insert(system, note.to_owned());
        }
        self.taken.push((system, reading));
    }

    fn fail(&mut self, system: &'static str, why: &str) {
        eprintln!("  {system}: {why}");
        self.notes.insert(system, format!("failed: {why}"));
        self.failed.push(system);
    }

    /// Notes why a system was not measured.
    pub fn leave_out(&mut self, system: &'static str, why: &str) {
        self.notes.insert(system, why.to_owned());
    }

    /// The figures of each system that has some, in the order taken.
    pub fn figures(&self, of: impl Fn(&Value) -> &Value) -> BTreeMap<&'static str, Vec<f64>> {
        let mut figures = BTreeMap::<_, Vec<f64>>::new();
        for (system, reading) in &self.taken {
            if let Some(figure) = of(reading).as_f64() {
                figures.entry(*system).or_default().push(figure);
            }
        }
        figures
    }

    /// What there is to say of systems.
    pub fn notes(&self) -> &BTreeMap<&'static str, String> {
        &self.notes
    }

    /// How many systems have failed.
    pub fn failures(&self) -> usize {
        self.failed.len()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn systems_alternate_and_one_that_fails_is_not_measured_again() {
        let (mut readings, mut asked) = (Readings::default(), Vec::new());
        readings.take(3, vec!["a", "b", "c"], |system| {
            asked.push(system);
            if system == "b" { Err("it hangs".to_owned()) } else { Ok(json!({ "value": asked.len() })) }
        });
        assert_eq!(asked, ["a", "b", "c", "c", "a", "a", "c"]);
        let figures = readings.figures(|reading| &reading["value"]);
        assert_eq!(figures, BTreeMap::from([("a", vec![1.0, 5.0, 6.0]), ("c", vec![3.0, 4.0, 7.0])]));
        assert_eq!((readings.failures(), readings.notes()["b"].as_str()), (1, "failed: it hangs"));
    }

    #[test]
    fn the_last_note_of_a_system_stays() {
        let mut readings = Readings::default();
        readings.leave_out("a", "not installed");
        readings.take(1, vec!["a", "b"], |system| Ok(json!({ "note": format!("of {system}") })));
        assert_eq!(readings.notes(), &BTreeMap::from([("a", "of a".to_owned()), ("b", "of b".to_owned())]));
        assert!(readings.figures(|reading| &reading["value"]).is_empty());
    }
}
