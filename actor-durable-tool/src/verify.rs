//! `verify PATH`: checks a whole store, even if nobody reads the output any more, as the exit code is about all of it.

use std::io;
use std::path::Path;

use actor_durable::{StoreFault, Verified};

use crate::failure::{Failure, Found};
use crate::flags::Format;
use crate::json::Object;
use crate::list::open;
use crate::output::Output;

pub(crate) fn run(path: &Path, format: Format, output: &mut Output) -> Result<Found, Failure> {
    let inspection = open(path, format, output)?;
    let mut failed = None;
    let verified = inspection.verify(|fault| {
        if failed.is_none() {
            failed = say(&fault, format, output).err();
        }
    });
    // What it has found is printed even if it cannot read on.
    output.finish()?;
    let verified = verified.map_err(|error| Failure::store(path, error))?;
    failed.map_or(Ok(()), Err)?;
    end(verified, format, output)?;
    Ok(if verified.faults > 0 { Found::Faults } else { Found::Nothing })
}

fn say(fault: &StoreFault, format: Format, output: &mut Output) -> io::Result<()> {
    match format {
        Format::Text => output.line(fault),
        Format::Json => {
            let StoreFault { place, rule, found } = fault;
            output.line(Object::of("fault").text("place", place).text("rule", rule).text("found", found))
        }
    }
}

fn end(verified: Verified, format: Format, output: &mut Output) -> io::Result<()> {
    let Verified { actors, rows, faults, .. } = verified;
    match format {
        Format::Text => output.line(format_args!("actors: {actors}, rows: {rows}, faults: {faults}")),
        Format::Json => {
            let end = Object::of("end").raw("actors", actors).raw("rows", rows);
            output.line(end.raw("faults", faults))
        }
    }
}
