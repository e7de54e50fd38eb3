//! Networks of a test's own: namespaces of Linux, joined by wires that can be counted and cut.
//!
//! ```text
//!  a test ── makes ─► Lab: spaces, wires ── a command, to be run in a space ─► a process in it
//!                      └─ drop, or our end: the spaces go
//! ```
//!
//! Everything is done by `ip`, of iproute2, which every distribution has; so it takes some milliseconds, for which the calling
//! thread waits.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::ProcessError;
use super::space::Space;
use super::warden::Warden;

/// Some spaces, each with a network of its own. They go with this value.
///
/// ```no_run
/// # use actor_testkit::process::{Lab, or_skip};
/// # fn main() -> Result<(), actor_testkit::process::ProcessError> {
/// let Some(lab) = or_skip(Lab::new(&["left", "right"])) else { return Ok(()) };
/// lab.wire(("left", "wire"), ("right", "wire"))?;
/// lab.switch_on("left", "wire", "10.77.1.1/24")?;
/// lab.switch_on("right", "wire", "10.77.1.2/24")?;
/// lab.sh("left", "ping -c 1 10.77.1.2")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Lab {
    /// What they are called on this machine begins like this: labs that exist at once, and what is left of those whose end
    /// nobody has seen, keep out of each other's way.
    prefix: String,
    spaces: Vec<String>,
    /// Removes the spaces.
    warden: Option<Warden>,
}

impl Lab {
    /// Makes these spaces. In each, its own loopback is up, and IPv6 is switched off: whoever looks for neighbours would be
    /// counted.
    ///
    /// # Errors
    ///
    /// [`ProcessError::NotHere`] where that is not allowed, or not possible.
    pub fn new(spaces: &[&str]) -> Result<Self, ProcessError> {
        static LABS: AtomicU32 = AtomicU32::new(0);
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("actor-{}-{number}-", std::process::id());
        let mut lab = Self { prefix, spaces: Vec::new(), warden: None };
        lab.watch()?;
        for space in spaces {
            lab.add(space)?;
        }
        Ok(lab)
    }

    /// Makes one more.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn add(&mut self, space: &str) -> Result<(), ProcessError> {
        let name = self.name(space);
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        match made {
            Ok(output) if output.status.success() => {}
            Ok(output) => return Err(not_here(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
            Err(error) => return Err(not_here(format!("cannot run ip: {error}"))),
        }
        self.spaces.push(name);
        self.sh(
            space,
            "for all in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $all; done; ip link set lo up",
        )
    }

    /// A shell that removes them, whoever removes us.
    fn watch(&mut self) -> Result<(), ProcessError> {
        let prefix = &self.prefix;
        let resolvers = resolver_of(prefix);
        // What cannot be removed has no user any more.
        let line = format!(
            "for space in $(ip netns list | cut -d ' ' -f 1); do case $space in {prefix}*) \
             ip netns del $space;; esac; done; rm -rf {resolvers}*"
        );
        self.warden = Some(Warden::new(&line)?);
        Ok(())
    }

    /// What a space is called on this machine.
    pub fn name(&self, space: &str) -> String {
        format!("{}{space}", self.prefix)
    }

    /// Lays a wire between two spaces; each end is an interface with a name, of up to 15 bytes.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Network`] if there is one of that name.
    pub fn wire(
        &self,
        (one, one_end): (&str, &str),
        (other, other_end): (&str, &str),
    ) -> Result<(), ProcessError> {
        let (one, other) = (self.name(one), self.name(other));
        self.ip(&format!("link add {one_end} netns {one} type veth peer name {other_end} netns {other}"))
    }

    /// Gives an interface an address, with the length of its network, and switches it on.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Network`] if there is no such interface.
    pub fn switch_on(&self, space: &str, interface: &str, address: &str) -> Result<(), ProcessError> {
        let space = self.name(space);
        self.ip(&format!("-n {space} addr add {address} dev {interface}"))?;
        self.ip(&format!("-n {space} link set {interface} up"))
    }

    /// Sends all that a space has no other way for there.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Network`] if it cannot be reached from there.
    pub fn default_route(&self, space: &str, gateway: &str) -> Result<(), ProcessError> {
        self.ip(&format!("-n {} route add default via {gateway}", self.name(space)))
    }

    /// Whom processes of a space ask for names.
    ///
    /// # Errors
    ///
    /// What the system says of the file in which that stands.
    pub fn name_server(&self, space: &str, server: &str) -> Result<(), ProcessError> {
        let directory = resolver_of(&self.name(space));
        fs::create_dir_all(&directory)?;
        Ok(fs::write(format!("{directory}/resolv.conf"), format!("nameserver {server}\n"))?)
    }

    /// Runs `ip`.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Network`] with its own words.
    pub fn ip(&self, arguments: &str) -> Result<(), ProcessError> {
        let output = Command::new("ip").args(arguments.split_whitespace()).output()?;
        judge(arguments, &output)
    }

    /// Runs `ip` once, in a space, with many lines of arguments.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Network`] with its words on the first that fails.
    pub fn ip_lines(&self, space: &str, lines: &str) -> Result<(), ProcessError> {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name(space), "-batch", "-"]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        // What does not read all of it says why, below.
        _ = child.stdin.take().map(|mut stdin| stdin.write_all(lines.as_bytes()));
        judge(lines, &child.wait_with_output()?)
    }

    /// Runs a line of shell in a space.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Network`] with its own words.
    pub fn sh(&self, space: &str, line: &str) -> Result<(), ProcessError> {
        let output = self.command(space, "sh").args(["-c", line]).output()?;
        judge(line, &output)
    }

    /// A space to make sockets in, for a [`Relay`](super::Relay) or [`Datagrams`](super::Datagrams) of this process.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn space(&self, space: &str) -> Result<Space, ProcessError> {
        Ok(Space::named(&self.name(space))?)
    }

    /// A program to be run in a space.
    pub fn command(&self, space: &str, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(space)]).arg(program);
        command
    }

    /// This program, once more, to be run in a space.
    ///
    /// # Errors
    ///
    /// If the system does not say which it is.
    pub fn command_again(&self, space: &str) -> Result<Command, ProcessError> {
        Ok(self.command(space, env::current_exe()?))
    }
}

fn judge(arguments: &str, output: &std::process::Output) -> Result<(), ProcessError> {
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(ProcessError::Network { arguments: arguments.to_owned(), words })
}

fn not_here(found: String) -> ProcessError {
    let needs = "Linux, root (CAP_SYS_ADMIN and CAP_NET_ADMIN) and `ip`, of iproute2";
    ProcessError::NotHere { what: "a network namespace", needs, found }
}

/// Where `ip netns exec` looks for the files that a space has instead of those of `/etc`.
fn resolver_of(name: &str) -> String {
    format!("/etc/netns/{name}")
}
