//! `cargo xtask sanitize`: actor-core's unit tests, its stress among them, under the
//! address sanitizer, which also counts what was never given back. Once as it is,
//! and once without the pool of reply slots, which hides their memory's end.

use std::process::Command;

use crate::shell::{self, Failure, Outcome};

pub(crate) fn run() -> Outcome {
    let toolchain = nightly(&shell::read(&mut shell::program("rustup", ["toolchain", "list"]))?)?;
    let about = shell::read(&mut shell::program("rustup", ["run", toolchain.as_str(), "rustc", "-vV"]))?;
    let host = host(&about)?;
    // Both run whatever the first says, so that one run shows all that is wrong.
    let pooled = shell::run(&mut command(&toolchain, host, Pool::Used));
    let unpooled = shell::run(&mut command(&toolchain, host, Pool::Off));
    pooled.and(unpooled)
}

/// Whether memory of reply slots is kept for later calls.
#[derive(Clone, Copy)]
enum Pool {
    Used,
    Off,
}

fn command(toolchain: &str, host: &str, pool: Pool) -> Command {
    let (flags, directory) = match pool {
        Pool::Used => ("-Zsanitizer=address", "pool"),
        Pool::Off => ("-Zsanitizer=address --cfg actor_no_pool", "no-pool"),
    };
    // With a target that is named, build scripts and macros are not sanitized.
    let words = ["run", toolchain, "cargo", "test", "--package", "actor-core", "--lib", "--target", host];
    let mut command = shell::program("rustup", words);
    command.arg("--target-dir").arg(shell::target_directory().join("sanitize").join(directory));
    shell::set_rustflags(&mut command, flags);
    command.env("ASAN_OPTIONS", "detect_leaks=1");
    command
}

/// The first nightly of the list.
pub(crate) fn nightly(toolchains: &str) -> Result<String, Failure> {
    let names = toolchains.lines().filter_map(|line| line.split_whitespace().next());
    names.into_iter().find(|name| name.starts_with("nightly")).map(str::to_owned).ok_or_else(|| {
        Failure::failed(
            "this needs a nightly toolchain, and none is installed: `rustup toolchain install nightly`",
        )
    })
}

fn host(about: &str) -> Result<&str, Failure> {
    let lines = about.lines().find_map(|line| line.strip_prefix("host: "));
    lines.ok_or_else(|| Failure::failed("`rustc -vV` does not name its host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_nightly_it_fails_and_says_what_it_needs() {
        let failure = nightly("stable-x86_64-unknown-linux-gnu (active, default)\n").unwrap_err();
        assert_eq!(failure.code, 1);
        assert!(failure.words.unwrap().contains("rustup toolchain install nightly"));
        let list = "stable-x86_64-unknown-linux-gnu (default)\nnightly-x86_64-unknown-linux-gnu\n";
        assert_eq!(nightly(list).unwrap(), "nightly-x86_64-unknown-linux-gnu");
    }

    #[test]
    fn the_host_is_what_rustc_says() {
        assert_eq!(
            host("rustc 1.97.0\nhost: x86_64-unknown-linux-gnu\n").unwrap(),
            "x86_64-unknown-linux-gnu"
        );
        assert!(host("rustc 1.97.0").is_err());
    }

    #[test]
    fn the_second_run_has_no_pool_and_both_look_for_leaks() {
        for (pool, flags) in
            [(Pool::Used, "-Zsanitizer=address"), (Pool::Off, "-Zsanitizer=address --cfg actor_no_pool")]
        {
            let command = command("nightly", "here", pool);
            let has = |name, value| command.get_envs().any(|env| env == (name, Some(value)));
            assert!(has("RUSTFLAGS".as_ref(), flags.as_ref()));
            assert!(has("ASAN_OPTIONS".as_ref(), "detect_leaks=1".as_ref()));
            let words: Vec<_> = command.get_args().take(9).map(|arg| arg.to_str().unwrap()).collect();
            assert_eq!(words.join(" "), "run nightly cargo test --package actor-core --lib --target here");
        }
    }
}
