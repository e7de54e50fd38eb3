//! The command line that the comparisons share: which rows and systems, for how long, and how the figures are printed.

use lexopt::ValueExt;
use lexopt::prelude::Long;

/// How long a comparison takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Length {
    #[default]
    Full,
    /// Under two minutes.
    Quick,
    /// Everything once, with next to nothing in it: does it still work?
    Smoke,
}

/// How the figures are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Format {
    #[default]
    Text,
    Markdown,
}

/// What a comparison runs. `R` is what `--rows` names.
#[derive(Debug)]
pub struct Plan<R: 'static> {
    pub length: Length,
    /// Empty for all.
    pub rows: Vec<&'static R>,
    /// Empty for all.
    pub systems: Vec<&'static str>,
    /// Empty for the usual ones.
    pub workers: Vec<usize>,
    pub rounds: Option<usize>,
    pub format: Format,
}

/// What the words of a command line may name.
#[derive(Debug)]
pub struct Names<R: 'static> {
    pub row: fn(&str) -> Option<&'static R>,
    pub systems: &'static [&'static str],
}

impl<R> Default for Plan<R> {
    fn default() -> Self {
        Self {
            length: Length::default(),
            rows: Vec::new(),
            systems: Vec::new(),
            workers: Vec::new(),
            rounds: None,
            format: Format::default(),
        }
    }
}

impl<R> Plan<R> {
    /// Sets one option, whose value is the next word if it has one.
    ///
    /// # Errors
    ///
    /// The option is unknown, or its value is.
    pub fn set(&mut self, option: &str, names: &Names<R>, args: &mut lexopt::Parser) -> Result<(), String> {
        match option {
            "quick" => self.length = Length::Quick,
            "smoke" => self.length = Length::Smoke,
            "markdown" => self.format = Format::Markdown,
            "rows" => self.rows = each(args, "row", names.row)?,
            "systems" => self.systems = each(args, "system", |name| names.system(name))?,
            "workers" => self.workers = each(args, "number of workers", |text| text.parse().ok())?,
            "rounds" => {
                let rounds = args.value().and_then(|value| value.parse());
                self.rounds = Some(rounds.map_err(|error| error.to_string())?);
            }
            _ => return Err(Long(option).unexpected().to_string()),
        }
        Ok(())
    }

    /// Whether some rows, systems or numbers of workers are left out.
    pub fn is_part(&self) -> bool {
        !(self.rows.is_empty() && self.systems.is_empty() && self.workers.is_empty())
    }

    /// Whether a system is measured.
    pub fn has_system(&self, name: &str) -> bool {
        self.systems.is_empty() || self.systems.contains(&name)
    }

    /// Whether a number of workers is measured.
    pub fn has_workers(&self, workers: usize) -> bool {
        self.workers.is_empty() || self.workers.contains(&workers)
    }

    /// How many readings are taken of each system. Figures that hardly vary take fewer.
    pub fn rounds(&self, is_steady: bool) -> usize {
        self.rounds.unwrap_or(match (self.length, is_steady) {
            (Length::Smoke, _) | (Length::Quick, true) => 1,
            (Length::Quick, false) | (Length::Full, true) => 3,
            (Length::Full, false) => 5,
        })
    }
}

impl<R> Names<R> {
    /// The system of a name.
    pub fn system(&self, name: &str) -> Option<&'static str> {
        self.systems.iter().copied().find(|known| *known == name)
    }
}

/// The name of the next option, without its dashes.
///
/// # Errors
///
/// The next word is no long option.
pub fn option(args: &mut lexopt::Parser) -> Result<Option<String>, String> {
    match args.next().map_err(|error| error.to_string())? {
        None => Ok(None),
        Some(Long(name)) => Ok(Some(name.to_owned())),
        Some(other) => Err(other.unexpected().to_string()),
    }
}

/// The next word, as a list: each of its names stands for what `find` finds.
///
/// # Errors
///
/// There is no such word, or one of its names is unknown.
pub fn each<T>(
    args: &mut lexopt::Parser,
    what: &str,
    find: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, String> {
    let list = args.value().and_then(|value| value.string()).map_err(|error| error.to_string())?;
    list.split(',').map(|name| find(name).ok_or_else(|| format!("there is no {what} {name:?}"))).collect()
}

/// All words that are left.
///
/// # Errors
///
/// One of them is not UTF-8.
pub fn words(args: &mut lexopt::Parser) -> Result<Vec<String>, String> {
    let words = args.raw_args().map_err(|error| error.to_string())?;
    words.map(|word| word.into_string().map_err(|word| format!("{word:?}?"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<&str> =
        Names { row: |name| ["tell", "ask"].iter().find(|row| **row == name), systems: &["ours", "other"] };

    fn plan(words: &[&str]) -> Result<Plan<&'static str>, String> {
        let mut args = lexopt::Parser::from_args(words);
        let mut plan = Plan::default();
        while let Some(name) = option(&mut args)? {
            plan.set(&name, &NAMES, &mut args)?;
        }
        Ok(plan)
    }

    #[test]
    fn a_plan_is_what_the_options_say() {
        let words = ["--quick", "--rows", "ask,tell", "--systems", "other", "--workers=1,2", "--markdown"];
        let plan = plan(&words).unwrap();
        assert_eq!((plan.length, plan.format, plan.workers.clone()), (Length::Quick, Format::Markdown, vec![1, 2]));
        assert_eq!((plan.rows.clone(), plan.systems.clone()), (vec![&"ask", &"tell"], vec!["other"]));
        assert!(plan.is_part() && plan.has_system("other") && !plan.has_system("ours") && !plan.has_workers(3));
    }

    #[test]
    fn rounds_are_as_said_or_as_the_length_has_them() {
        assert_eq!([true, false].map(|is_steady| plan(&[]).unwrap().rounds(is_steady)), [3, 5]);
        assert_eq!([true, false].map(|is_steady| plan(&["--quick"]).unwrap().rounds(is_steady)), [1, 3]);
        assert_eq!(plan(&["--smoke"]).unwrap().rounds(false), 1);
        assert_eq!(plan(&["--smoke", "--rounds", "9"]).unwrap().rounds(false), 9);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (words, named) in [
            (&["--loud"][..], "--loud"),
            (&["more"], "more"),
            (&["--rows", "tell,dance"], "there is no row \"dance\""),
            (&["--systems", "nobody"], "there is no system \"nobody\""),
            (&["--rounds", "many"], "many"),
        ] {
            let error = plan(words).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
