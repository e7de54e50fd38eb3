//! Every row with everybody in it, with next to nothing to do: whether what was asked was stored and answered, which each
//! measurement checks itself. Figures are nobody's business here.

use std::process::Command;

/// Starts `peers-durable-counting` too, which cargo builds beside it.
#[test]
fn every_row_works() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_peers-durable")).args(["durable", "--smoke"]).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");
    let list = Command::new(env!("CARGO_BIN_EXE_peers-durable")).arg("list").output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    for row in list.lines().filter_map(|line| line.split_whitespace().next()) {
        assert!(text.contains(&format!("{row} (")), "{row} is missing in\n{text}");
    }
    let mut systems = vec!["ours", "plain", "plain_and_map", "fsync", "redb"];
    if !errors.contains("NOT MEASURED") {
        systems.extend(["sqlx", "sqlx_statement"]);
    }
    for system in systems {
        assert!(text.contains(&format!("\n  {system} ")), "{system} is missing in\n{text}");
    }
}
