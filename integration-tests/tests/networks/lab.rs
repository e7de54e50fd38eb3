//! Networks of a test, and processes in them.
//!
//! ```text
//!  a test ── makes ─► Lab: spaces, wires
//!     └── starts itself in a space, with a part to play ─► Player ── lines, both ways ─► the test
//! ```

use std::env;
use std::fs;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// Which part the test plays in this process; none in the process that the test began in.
const PART: &str = "ACTOR_TEST_PART";

/// What marks the lines that a player means for the test: the harness writes its own.
const MARK: &str = "::";

/// The part to play in this process, if the test is not to begin here.
pub(crate) fn part() -> Option<String> {
    env::var(PART).ok()
}

/// Says something to the test.
pub(crate) fn tell(line: &str) {
    let mut stdout = io::stdout().lock();
    // Fails where the test is gone; then this process soon is, too.
    let _ = writeln!(stdout, "\n{MARK}{line}").and_then(|()| stdout.flush());
}

/// Some spaces, each with a network of its own. They go with this value.
pub(crate) struct Lab {
    spaces: Vec<String>,
}

impl Lab {
    /// Makes these spaces. `None` where that is not allowed, which is said loudly.
    ///
    /// # Panics
    ///
    /// Where it is not allowed and `CI` is set: there nobody reads what is skipped.
    pub(crate) fn new(spaces: &[&str]) -> Option<Self> {
        let mut lab = Self { spaces: Vec::new() };
        for space in spaces {
            let name = name_of(space);
            let made = Command::new("ip").args(["netns", "add", &name]).output();
            let fault = match made {
                Ok(output) if output.status.success() => None,
                Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
                Err(error) => Some(format!("cannot run ip, of iproute2: {error}")),
            };
            if let Some(fault) = fault {
                skip(&fault);
                return None;
            }
            lab.spaces.push(name);
            // Whoever looks for neighbours would be counted, and is not what this is about.
            lab.sh(space, "for all in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $all; done");
            lab.ip(&format!("-n {} link set lo up", name_of(space)));
        }
        Some(lab)
    }

    /// What a space is called on this machine.
    pub(crate) fn name(&self, space: &str) -> String {
        name_of(space)
    }

    /// Lays a wire between two spaces; each end is an interface with a name.
    pub(crate) fn wire(&self, (one, one_end): (&str, &str), (other, other_end): (&str, &str)) {
        let (one, other) = (name_of(one), name_of(other));
        self.ip(&format!("link add {one_end} netns {one} type veth peer name {other_end} netns {other}"));
    }

    /// Gives an interface an address, with the length of its network, and switches it on.
    pub(crate) fn switch_on(&self, space: &str, interface: &str, address: &str) {
        let space = name_of(space);
        self.ip(&format!("-n {space} addr add {address} dev {interface}"));
        self.ip(&format!("-n {space} link set {interface} up"));
    }

    /// Sends all that a space has no other way for there.
    pub(crate) fn default_route(&self, space: &str, gateway: &str) {
        self.ip(&format!("-n {} route add default via {gateway}", name_of(space)));
    }

    /// Whom processes of a space ask for names.
    pub(crate) fn name_server(&self, space: &str, server: &str) {
        let directory = resolver_of(&name_of(space));
        fs::create_dir_all(&directory).unwrap();
        fs::write(format!("{directory}/resolv.conf"), format!("nameserver {server}\n")).unwrap();
    }

    /// Runs `ip`.
    pub(crate) fn ip(&self, arguments: &str) {
        let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs a line of shell in a space.
    pub(crate) fn sh(&self, space: &str, line: &str) {
        let space = name_of(space);
        let output = Command::new("ip").args(["netns", "exec", &space, "sh", "-c", line]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts this test once more, in a space, to play a part.
    pub(crate) fn start(&self, space: &str, test: &str, part: &str, told: &[(&str, &str)]) -> Player {
        let mut command = tokio::process::Command::new("ip");
        command.args(["netns", "exec", &name_of(space)]).arg(env::current_exe().unwrap());
        Player::of(command, test, part, told)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for space in &self.spaces {
            // What cannot be removed has no user any more.
            let _ = Command::new("ip").args(["netns", "del", space]).output();
            let _ = fs::remove_dir_all(resolver_of(space));
        }
    }
}

/// A process that plays a part. It ends with this value.
pub(crate) struct Player {
    part: String,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Player {
    /// Starts this test once more, on this machine's own network, to play a part.
    pub(crate) fn here(test: &str, part: &str, told: &[(&str, &str)]) -> Self {
        let command = tokio::process::Command::new(env::current_exe().unwrap());
        Self::of(command, test, part, told)
    }

    fn of(mut command: tokio::process::Command, test: &str, part: &str, told: &[(&str, &str)]) -> Self {
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
        command.env(PART, part).envs(told.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let lines = BufReader::new(stdout).lines();
        Self { part: part.to_owned(), stdin, lines, _child: child }
    }

    /// The next that it says.
    pub(crate) async fn says(&mut self) -> String {
        loop {
            let line = self.lines.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the {} has ended", self.part));
            if let Some(said) = line.strip_prefix(MARK) {
                return said.to_owned();
            }
        }
    }

    /// Waits until it says something that begins like this, and gives the rest.
    pub(crate) async fn says_sometime(&mut self, beginning: &str) -> String {
        loop {
            if let Some(rest) = self.says().await.strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Lets it know that it is enough.
    pub(crate) async fn tell(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }
}

fn skip(fault: &str) {
    let is_ci = env::var_os("CI").is_some_and(|ci| !ci.is_empty() && ci != "false");
    assert!(!is_ci, "this test needs network namespaces, and so root and iproute2: {fault}");
    // Not by `eprintln!`, which the harness keeps for itself while a test passes.
    let _ =
        writeln!(io::stderr(), "\nSKIPPED: no network namespaces, which need root and iproute2: {fault}\n");
}

/// Tests that run at once, and what is left of those that were killed, keep out of each other's way.
fn name_of(space: &str) -> String {
    format!("iroh-{}-{space}", std::process::id())
}

/// Where `ip netns exec` looks for the files that a space has instead of those of `/etc`.
fn resolver_of(name: &str) -> String {
    format!("/etc/netns/{name}")
}
