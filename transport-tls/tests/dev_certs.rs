//! The development authority's files and its program.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use transport_tls::{NodeCredentials, PeerRole};

use crate::world::{assert_config, chain_of, context};

#[test]
fn nodes_load_what_the_program_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("certs");
    let made = dev_certs(&["--out", out.to_str().unwrap(), "--nodes", "a,b"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let [a, b] = ["a", "b"].map(|name| NodeCredentials::load(&out, name).unwrap());
    assert_eq!(text(&made.stdout), format!("a {}\nb {}\n", a.node_id, b.node_id));
    assert_private(&out.join("a.key"));

    assert_eq!(context(&a).judge(&chain_of(&b), PeerRole::Dialler), Ok(b.node_id));
}

#[test]
fn files_are_replaced_only_on_demand() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    assert!(dev_certs(&["--out", out, "--nodes", "a"]).status.success());
    let before = fs::read(dir.path().join("ca.pem")).unwrap();

    let again = dev_certs(&["--out", out, "--nodes", "b"]);
    assert!(!again.status.success());
    assert!(text(&again.stderr).contains("--force"), "{}", text(&again.stderr));
    assert_eq!(fs::read(dir.path().join("ca.pem")).unwrap(), before);
    assert!(!dir.path().join("b.pem").exists(), "half a set was written");

    assert!(dev_certs(&["--out", out, "--nodes", "a", "--force"]).status.success());
    assert_ne!(fs::read(dir.path().join("ca.pem")).unwrap(), before);
    assert_private(&dir.path().join("a.key"));
}

#[test]
fn bad_command_lines_are_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    for (arguments, word) in [
        (vec![], "--out"),
        (vec!["--out", out, "--nodes", "../a"], "cannot name a node's files"),
        (vec!["--out", out, "--nodes", "ca"], "cannot name a node's files"),
        (vec!["--out", out, "--nodes", ""], "cannot name a node's files"),
        (vec!["--out", out, "--bogus"], "--bogus"),
    ] {
        let output = dev_certs(&arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(text(&output.stderr).contains(word), "{}", text(&output.stderr));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn loading_names_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    assert_config(&NodeCredentials::load(dir.path(), "a").unwrap_err(), "a.pem");
    assert_config(&NodeCredentials::load(dir.path(), "../a").unwrap_err(), "cannot name");
}

fn dev_certs(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dev-certs")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The owner alone may read and write it.
fn assert_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(path.exists());
}
