//! `cargo xtask certs`: runs the certificate maker of transport-tls, which
//! production builds do not compile. It checks its own arguments.

use std::ffi::OsString;

use crate::shell::{self, Outcome};

pub(crate) fn run(args: &[OsString]) -> Outcome {
    let mut words: Vec<OsString> = vec!["run".into(), "--quiet".into(), "--manifest-path".into()];
    words.push(shell::root().join("Cargo.toml").into());
    words.extend(MAKER.map(OsString::from));
    shell::run(shell::cargo_here(words).args(args))
}

const MAKER: [&str; 7] = ["--package", "transport-tls", "--features", "dev-ca", "--bin", "dev-certs", "--"];
