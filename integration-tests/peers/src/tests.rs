//! Every row in every system with next to nothing in it: whether what was sent
//! was handled, which each form checks itself. Figures are nobody's business here.

use crate::scenario::rows::{ROWS, Row};
use crate::scenario::{self, Form};
use crate::system::NAMES;

const FEW: u64 = 300;

/// One after the other: rings and paced messages share what is static.
#[test]
fn c26_every_row_works_in_every_system() {
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

#[test]
fn b23_a_message_is_measured_here_and_in_every_peer() {
    for name in ["tell_1_1", "ask_seq"] {
        let row = ROWS.iter().find(|row| row.name == name).unwrap();
        let left_out = NAMES.iter().filter(|system| scenario::why_left_out(system, row).is_some());
        assert_eq!(left_out.copied().collect::<Vec<&str>>(), ["ours_colocated", "bare_wakes"], "{name}");
    }
}

/// Their loops as they wrote them, and beside each what its name promises.
#[test]
fn c25_a_loop_of_airs_stands_beside_an_honest_one() {
    let names: Vec<&str> = ROWS.iter().map(|row| row.name).filter(|name| name.starts_with("airs_")).collect();
    let theirs = names.iter().filter(|name| !name.ends_with("_honest"));
    assert_eq!(theirs.clone().count(), 13, "{names:?}");
    for name in theirs {
        let honest = match *name {
            "airs_supervisor_child_spawn" | "airs_supervision_tree_small" => {
                "airs_supervision_honest".to_owned()
            }
            "airs_memory_per_actor_50" => "airs_memory_per_actor_honest".to_owned(),
            name => format!("{name}_honest"),
        };
        assert!(names.contains(&&*honest), "{name} stands alone");
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
