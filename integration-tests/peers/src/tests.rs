//! Every row in every system with next to nothing in it: whether what was sent
//! was handled, which each form checks itself. Figures are nobody's business here.

use crate::scenario::rows::{ROWS, Row};
use crate::scenario::{self, Form};
use crate::system::NAMES;

const FEW: u64 = 300;

/// One after the other: rings and paced messages share what is static.
#[test]
fn every_row_works_in_every_system() {
    for row in ROWS.iter().filter(|row| !row.is_counted()) {
        for &workers in row.workers() {
            let others = NAMES.iter().filter(|system| **system != "erlang");
            for system in others.filter(|system| scenario::why_left_out(system, row).is_none()) {
                // Actix keeps the thread of its actors for good.
                let workers = if *system == "actix" { 1 } else { workers };
                let reading = scenario::measure(system, row, workers, few(row));
                assert!(reading.value.is_finite(), "{system} {}: {reading:?}", row.name);
            }
        }
    }
}

fn few(row: &Row) -> u64 {
    match row.form {
        Form::Airs(_) => 2,
        _ => FEW,
    }
}

#[test]
fn a_row_that_is_counted_says_so_where_nobody_counts() {
    let row = ROWS.iter().find(|row| row.name == "full_growth").unwrap();
    let reading = scenario::measure("ours", row, 1, FEW);
    assert!(reading.value.is_nan());
}
