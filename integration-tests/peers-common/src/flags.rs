//! How long a comparison takes, what comes of it, and words of a command line.

use lexopt::ValueExt;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Length {
    #[default]
    Full,
    /// Under two minutes.
    Quick,
    /// Everything once, with next to nothing in it: does it still work?
    Smoke,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Format {
    #[default]
    Text,
    Markdown,
}

/// The next word, as a list: each of its names stands for what `find` finds.
pub fn each<T>(
    args: &mut lexopt::Parser,
    what: &str,
    find: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, String> {
    let list = args.value().and_then(|value| value.string()).map_err(|error| error.to_string())?;
    list.split(',').map(|name| find(name).ok_or_else(|| format!("there is no {what} {name:?}"))).collect()
}

/// All words that are left.
pub fn words(args: &mut lexopt::Parser) -> Result<Vec<String>, String> {
    let words = args.raw_args().map_err(|error| error.to_string())?;
    words.map(|word| word.into_string().map_err(|word| format!("{word:?}?"))).collect()
}
