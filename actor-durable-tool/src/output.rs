//! The standard output, and notes beside it.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Stdout, Write};
use std::ops::ControlFlow;

/// The standard output. A closed pipe is no error: its reader wants no more.
#[derive(Debug)]
pub(crate) struct Output {
    writer: BufWriter<Stdout>,
    is_closed: bool,
}

impl Output {
    pub(crate) fn stdout() -> Self {
        Self { writer: BufWriter::new(io::stdout()), is_closed: false }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: impl Display) -> io::Result<()> {
        self.write(|writer| writeln!(writer, "{line}"))
    }

    /// Writes a text that ends with a line break already.
    pub(crate) fn block(&mut self, text: impl Display) -> io::Result<()> {
        self.write(|writer| write!(writer, "{text}"))
    }

    /// Breaks when nobody reads the output any more.
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        if self.is_closed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Flushes the output.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.write(BufWriter::flush)
    }

    /// Writes a line to the standard error.
    pub(crate) fn note(&self, note: impl Display) {
        // If that fails there is nowhere left to say so.
        let _ = writeln!(io::stderr(), "actor-durable-tool: {note}");
    }

    fn write(&mut self, write: impl FnOnce(&mut BufWriter<Stdout>) -> io::Result<()>) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        match write(&mut self.writer) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            outcome => outcome,
        }
    }
}
