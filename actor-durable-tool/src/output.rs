//! Where lines go: to whoever reads them, until nobody does.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Stdout, Write};
use std::ops::ControlFlow;

/// The standard output. A pipe whose reader has gone is no error: nobody wants to know more.
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

    /// Writes what ends with a line's end already.
    pub(crate) fn block(&mut self, text: impl Display) -> io::Result<()> {
        self.write(|writer| write!(writer, "{text}"))
    }

    /// Whether to go on with what is done for its lines only.
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        if self.is_closed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Hands on what is not written yet.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.write(BufWriter::flush)
    }

    /// Says something beside the output.
    pub(crate) fn note(&self, note: impl Display) {
        // Where nobody hears it there is nobody to be told so.
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
