//! The few lines of a crate's manifest that checks need: its name, what it depends
//! on, and its features. It reads the manifests cargo accepts, and checks nothing.

/// A crate's manifest.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) dependencies: Vec<Dependency>,
    /// Those it declares, and those that its optional dependencies are.
    pub(super) features: Vec<Feature>,
}

/// A Cargo feature.
#[derive(Debug, PartialEq)]
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) line: usize,
}

/// One line of a table of dependencies, of whichever kind.
#[derive(Debug, PartialEq)]
pub(super) struct Dependency {
    /// The package's own name, also where the manifest renames it.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) line: usize,
}

/// Who is built with a dependency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// The crate.
    Normal,
    /// Its tests, examples and benchmarks.
    Dev,
    /// Its build script.
    Build,
}

impl Kind {
    /// Of the table with this name, if it is one of dependencies.
    fn of(table: &str) -> Option<Kind> {
        match table {
            "dependencies" => Some(Kind::Normal),
            "dev-dependencies" => Some(Kind::Dev),
            "build-dependencies" => Some(Kind::Build),
            _ => None,
        }
    }
}

impl Manifest {
    pub(super) fn new(text: &str) -> Manifest {
        let mut manifest = Manifest::default();
        let mut table = Table::Other;
        let mut optional = Vec::new();
        let mut depth = 0;
        for (index, line) in text.lines().enumerate() {
            let line = without_comment(line).trim();
            let is_inside_a_value = depth > 0;
            depth += brackets(line);
            if is_inside_a_value || line.is_empty() {
                continue;
            }
            match line.strip_prefix('[') {
                Some(header) => table = manifest.enter(header.trim_end_matches(']'), index + 1),
                None => {
                    optional.extend(optional_dependency(&table, line, index + 1));
                    manifest.entry(&table, line, index + 1);
                }
            }
        }
        // Such a one is a feature of its name, unless a feature names it `dep:name`.
        let is_named = |name: &str| {
            let dep = format!("\"dep:{name}\"");
            text.lines().any(|line| without_comment(line).contains(&dep))
        };
        manifest.features.extend(optional.into_iter().filter(|feature| !is_named(&feature.name)));
        manifest
    }

    fn enter(&mut self, header: &str, line: usize) -> Table {
        let parts = key_parts(header);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let parts = if parts.first() == Some(&"target") { &parts[2.min(parts.len())..] } else { &parts[..] };
        match parts {
            ["package"] => Table::Package,
            ["features"] => Table::Features,
            [table] => Kind::of(table).map_or(Table::Other, Table::Dependencies),
            [table, name] => match Kind::of(table) {
                Some(kind) => {
                    self.dependencies.push(Dependency { name: (*name).to_owned(), kind, line });
                    Table::OneDependency((*name).to_owned())
                }
                None => Table::Other,
            },
            _ => Table::Other,
        }
    }

    fn entry(&mut self, table: &Table, line: &str, number: usize) {
        let Some((key, value)) = line.split_once('=') else { return };
        let key = key_parts(key.trim()).into_iter().next().unwrap_or_default();
        match table {
            Table::Package if key == "name" => self.name = unquoted(value).to_owned(),
            Table::Dependencies(kind) => {
                let name = renamed_from(value).map_or(key, str::to_owned);
                self.dependencies.push(Dependency { name, kind: *kind, line: number });
            }
            Table::Features => self.features.push(Feature { name: key, line: number }),
            Table::OneDependency(_) if key == "package" => {
                if let Some(last) = self.dependencies.last_mut() {
                    last.name = unquoted(value).to_owned();
                }
            }
            _ => {}
        }
    }
}

enum Table {
    Package,
    Dependencies(Kind),
    /// `[dependencies.name]`
    OneDependency(String),
    Features,
    Other,
}

/// `target.'cfg(a.b)'.dependencies` has three parts.
fn key_parts(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for letter in key.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            ('.', None) => parts.push(String::new()),
            (letter, _) => parts.last_mut().expect("it starts with one part").push(letter),
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// `{ package = "x", … }` depends on x, whatever it is called here.
fn renamed_from(value: &str) -> Option<&str> {
    let (_, after) = value.split_once("package")?;
    let after = after.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
    after.split_once('"').map(|(name, _)| name)
}

/// A line that makes a dependency optional.
fn optional_dependency(table: &Table, line: &str, number: usize) -> Option<Feature> {
    let (key, value) = line.split_once('=')?;
    let mut keys = key_parts(key.trim()).into_iter();
    let (name, rest) = (keys.next()?, keys.next());
    let (name, is_optional) = match table {
        Table::Dependencies(_) if rest.as_deref() == Some("optional") => (name, value.trim() == "true"),
        Table::Dependencies(_) => (name, is_optional(value)),
        Table::OneDependency(dependency) if name == "optional" => {
            (dependency.clone(), value.trim() == "true")
        }
        _ => return None,
    };
    is_optional.then_some(Feature { name, line: number })
}

/// `{ optional = true, … }`
fn is_optional(value: &str) -> bool {
    let words: String = value.chars().filter(|letter| !letter.is_whitespace()).collect();
    words.starts_with('{') && words.split(['{', ',', '}']).any(|word| word == "optional=true")
}

fn unquoted(value: &str) -> &str {
    value.trim().trim_matches(['"', '\''])
}

fn without_comment(line: &str) -> &str {
    let mut quote = None;
    for (at, letter) in line.char_indices() {
        match (letter, quote) {
            ('#', None) => return &line[..at],
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            _ => {}
        }
    }
    line
}

/// How many brackets the line leaves open; headers open and close theirs.
fn brackets(line: &str) -> i32 {
    line.chars().fold(0, |depth, letter| match letter {
        '[' | '{' => depth + 1,
        ']' | '}' => depth - 1,
        _ => depth,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_dependency_is_read() {
        let text = r#"
[package]
name = "me" # not "you"
[dependencies]
a.workspace = true
b = "1"
c = { path = "../c", features = [
  "x = y",
] }
"d" = { package = "real-d", version = "1" }
[dev-dependencies.e]
version = "1"
[dependencies.f]
package = "real-f"
[target.'cfg(windows.x)'.build-dependencies]
g = "1"
[features]
h = ["dep:a"]
[lints]
workspace = true
"#;
        let manifest = Manifest::new(text);
        let names: Vec<_> = manifest.dependencies.iter().map(|d| (d.name.as_str(), d.line)).collect();
        let kinds: Vec<_> = manifest.dependencies.iter().map(|d| d.kind).collect();
        let [n, d, b] = [Kind::Normal, Kind::Dev, Kind::Build];
        assert_eq!(kinds, [n, n, n, n, d, n, b]);
        assert_eq!(manifest.name, "me");
        assert_eq!(manifest.features.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["h"]);
        assert_eq!(
            names,
            [("a", 5), ("b", 6), ("c", 7), ("real-d", 10), ("e", 11), ("real-f", 13), ("g", 16)]
        );
    }

    #[test]
    fn every_way_to_have_a_feature_is_read() {
        let text = r#"
[features]
default = ["b"]
b = [
  "dep:b", # not "dep:c"
]
[dependencies]
b = { version = "1", optional = true }
c = { optional=true, version = "1" }
d.optional = true
e = { version = "1", features = ["optional = true"] }
[build-dependencies.f]
optional = true
[dependencies.g]
optional = false
"#;
        let features = Manifest::new(text).features;
        let found: Vec<_> = features.iter().map(|feature| (feature.name.as_str(), feature.line)).collect();
        assert_eq!(found, [("default", 3), ("b", 4), ("c", 9), ("d", 10), ("f", 13)]);
    }
}
