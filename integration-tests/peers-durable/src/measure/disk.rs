//! The disk's own sync: four kilobytes written over others that are there, and synced, one after the other.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use peers_common::stats::percentile;

use super::Reading;
use crate::flags::Task;
use crate::rows::Form;

const PAGE: usize = 4 << 10;

const PAGES: u64 = 1_024;

/// In the unit of the row that it stands in.
pub(super) fn measure(form: Form, task: &Task) -> Reading {
    let place = Path::new(&task.place);
    // Beside the file of a recovery; a server's is on the disk of the system's temporary files.
    let directory = match form {
        Form::Postgres(_) | Form::PostgresAlone => std::env::temp_dir(),
        Form::Recover(_) => place.parent().unwrap_or(place).to_owned(),
        _ => place.to_owned(),
    };
    let millis = if matches!(form, Form::Recover(_)) { 500.min(task.n) } else { task.n };
    let mut taken = syncs(&directory, Duration::from_millis(millis)).expect("the disk can be written");
    let mean = taken.iter().sum::<f64>() / taken.len() as f64;
    let p50 = percentile(&mut taken, 500);
    Reading::of(match form {
        Form::Redb(_) | Form::Postgres(_) => 1e6 / mean,
        Form::Recover(_) => p50 / 1e3,
        _ => p50,
    })
}

/// What each took, in microseconds.
fn syncs(directory: &Path, time: Duration) -> std::io::Result<Vec<f64>> {
    let mut file: File = tempfile::tempfile_in(directory)?;
    file.write_all(&vec![1; PAGE * PAGES as usize])?;
    file.sync_all()?;
    let (start, mut taken) = (Instant::now(), Vec::new());
    while start.elapsed() < time || taken.is_empty() {
        let (at, began) = (taken.len() as u64 % PAGES, Instant::now());
        file.write_all_at(&[taken.len() as u8; PAGE], at * PAGE as u64)?;
        file.sync_data()?;
        taken.push(began.elapsed().as_nanos() as f64 / 1e3);
    }
    Ok(taken)
}
