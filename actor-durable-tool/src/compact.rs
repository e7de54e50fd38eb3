//! `compact PATH`: makes the file small. The only task that writes.

use std::fs;
use std::io;
use std::path::Path;

use actor_durable::RedbStore;
use actor_durable::store::{ErrorCause, Refusal, StoreError};

use crate::failure::{Failure, Found};
use crate::flags::Format;
use crate::json::Object;
use crate::output::Output;

pub(crate) fn run(path: &Path, format: Format, output: &mut Output) -> Result<Found, Failure> {
    let failure = |error| Failure::store(path, error);
    let before = size(path).map_err(failure)?;
    compact(path).map_err(failure)?;
    let after = size(path).map_err(failure)?;
    match format {
        Format::Text => {
            output.line(format_args!("{}: {before} bytes before, {after} after", path.display()))?;
        }
        Format::Json => {
            let line = Object::of("compacted").text("path", path.display());
            output.line(line.raw("bytes_before", before).raw("bytes_after", after))?;
        }
    }
    Ok(Found::Nothing)
}

fn compact(path: &Path) -> Result<(), StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(unavailable)?;
    runtime.block_on(async {
        let store = RedbStore::options().existing().open(path).await?;
        let compacted = store.compact().await;
        store.close().await;
        compacted.map(drop)
    })
}

fn size(path: &Path) -> Result<u64, StoreError> {
    fs::metadata(path).map(|file| file.len()).map_err(unavailable)
}

fn unavailable(error: io::Error) -> StoreError {
    Refusal::Unavailable(ErrorCause::new(error)).into()
}
