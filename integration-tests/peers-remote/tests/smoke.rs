//! Every row in every system, between real processes, with next to nothing in it: whether what
//! was sent arrived, which each measurement checks itself. Figures are nobody's business here.

use std::process::Command;

/// Starts `peers-remote-counting` too, which cargo builds beside it.
#[test]
fn c26_every_row_works_in_every_system_between_two_processes() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_peers-remote")).args(["remote", "--smoke"]).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");
    for row in [
        "tell_64 (thousand/s, tcp",
        "control_p99_under_bulk (us, iroh",
        "ask_1024 (thousand/s, quic",
        "allocs_ask_64 (requests, tcp",
    ] {
        assert!(text.contains(row), "{row} is missing in\n{text}");
    }
    for system in ["ours", "ours_plain", "ractor", "tls", "tls_buffered", "tcp", "iroh_stream", "quic_stream"]
    {
        assert!(text.contains(&format!("\n  {system} ")), "{system} is missing in\n{text}");
    }
}
