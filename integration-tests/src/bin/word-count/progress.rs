//! How far the count is, on standard error: a bar for people who watch a terminal,
//! a line now and then for everything else.

use std::io::{self, IsTerminal, Write};

/// How wide the bar is, in characters.
const BAR_WIDTH: u64 = 40;

/// After how many percent there is another line where there is no terminal.
const STEP_PERCENT: u64 = 25;

/// The part of a count that is done.
pub(crate) struct Progress {
    total: u64,
    done: u64,
    style: Style,
    /// The last percentage that was shown.
    shown: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Bar,
    Lines,
}

impl Progress {
    /// Of so many bytes.
    pub(crate) fn new(total: u64) -> Self {
        let style = if io::stderr().is_terminal() { Style::Bar } else { Style::Lines };
        Self { total, done: 0, style, shown: None }
    }

    /// So many more bytes are counted.
    pub(crate) fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        let percent = self.percent();
        let step = match self.style {
            Style::Bar => percent,
            Style::Lines => percent - percent % STEP_PERCENT,
        };
        if self.shown != Some(step) {
            self.shown = Some(step);
            self.show();
        }
    }

    /// Says something about the count on a line of its own.
    pub(crate) fn note(&mut self, text: &str) {
        match self.style {
            Style::Bar => {
                print(&format!("\r\x1b[K{text}\n"));
                self.show();
            }
            Style::Lines => print(&format!("{text}\n")),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if self.style == Style::Bar {
            print("\r\x1b[K");
        }
    }

    fn show(&self) {
        match self.style {
            Style::Bar => print(&format!("\r{}", self.bar())),
            Style::Lines => print(&format!("{} % of {} bytes\n", self.percent(), self.total)),
        }
    }

    fn bar(&self) -> String {
        let percent = self.percent();
        let full = BAR_WIDTH * percent / 100;
        let bar: String = (0..BAR_WIDTH).map(|at| if at < full { '#' } else { '.' }).collect();
        format!("[{bar}] {percent:3} % of {} bytes", self.total)
    }

    fn percent(&self) -> u64 {
        (self.done * 100).checked_div(self.total).unwrap_or(100)
    }
}

/// Whether anybody reads it makes no difference to the count.
fn print(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_from_nothing_to_all() {
        let mut progress = Progress { total: 200, done: 0, style: Style::Lines, shown: None };
        assert_eq!(progress.bar(), format!("[{}]   0 % of 200 bytes", ".".repeat(40)));
        progress.advance(100);
        assert_eq!(progress.bar(), format!("[{}{}]  50 % of 200 bytes", "#".repeat(20), ".".repeat(20)));
        progress.advance(100);
        assert_eq!(progress.bar(), format!("[{}] 100 % of 200 bytes", "#".repeat(40)));
    }

    #[test]
    fn without_a_terminal_there_are_few_lines() {
        let mut progress = Progress { total: 1000, done: 0, style: Style::Lines, shown: None };
        let mut shown = Vec::new();
        for _ in 0..1000 {
            progress.advance(1);
            if shown.last() != progress.shown.as_ref() {
                shown.extend(progress.shown);
            }
        }
        assert_eq!(shown, [0, 25, 50, 75, 100]);
    }
}
