//! Every invariant of a store. Whoever stops reading does not stop it: its exit code is about the whole file.

use std::io;
use std::path::Path;

use actor_durable::{StoreFault, Verified};

use crate::failure::{Failure, Found};
use crate::flags::Form;
use crate::json::Object;
use crate::list::open;
use crate::output::Output;

pub(crate) fn run(path: &Path, form: Form, output: &mut Output) -> Result<Found, Failure> {
    let inspection = open(path, form, output)?;
    let mut failed = None;
    let verified = inspection.verify(|fault| {
        if failed.is_none() {
            failed = say(&fault, form, output).err();
        }
    });
    // What was found before it could not read on is told all the same.
    output.finish()?;
    let verified = verified.map_err(|error| Failure::store(path, error))?;
    failed.map_or(Ok(()), Err)?;
    end(verified, form, output)?;
    Ok(if verified.faults > 0 { Found::Faults } else { Found::Nothing })
}

fn say(fault: &StoreFault, form: Form, output: &mut Output) -> io::Result<()> {
    match form {
        Form::Text => output.line(fault),
        Form::Json => {
            let StoreFault { place, rule, found } = fault;
            output.line(Object::of("fault").text("place", place).text("rule", rule).text("found", found))
        }
    }
}

fn end(verified: Verified, form: Form, output: &mut Output) -> io::Result<()> {
    let Verified { actors, rows, faults, .. } = verified;
    match form {
        Form::Text => output.line(format_args!("actors: {actors}, rows: {rows}, faults: {faults}")),
        Form::Json => {
            let end = Object::of("end").raw("actors", actors).raw("rows", rows);
            output.line(end.raw("faults", faults))
        }
    }
}
