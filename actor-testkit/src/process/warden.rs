//! What is to be done once we are gone, however we go: a shell waits for the end of its standard input, which is our end,
//! and does it then.

use std::io;
use std::process::{Child, Command, Stdio};

/// A shell with a line to run. Dropping it runs the line and waits for that; so does our end, even by SIGKILL.
#[derive(Debug)]
pub(super) struct Warden {
    shell: Child,
}

impl Warden {
    pub(super) fn new(line: &str) -> io::Result<Self> {
        // Whoever interrupts us from a terminal interrupts it too.
        let script = format!("trap '' INT TERM HUP QUIT; read _; {line}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { shell: command.spawn()? })
    }

    /// There is nothing to do any more.
    pub(super) fn dismiss(mut self) {
        // Its end is waited for with its input still open.
        let stdin = self.shell.stdin.take();
        _ = self.shell.kill();
        _ = self.shell.wait();
        drop(stdin);
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        _ = self.shell.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn it_does_its_work_when_we_go_and_not_when_it_is_dismissed() {
        let mark = std::env::temp_dir().join(format!("actor-testkit-warden-{}", std::process::id()));
        let line = format!("echo done > {}", mark.display());
        Warden::new(&line).unwrap().dismiss();
        assert!(!mark.exists());
        drop(Warden::new(&line).unwrap());
        assert!(mark.exists());
        std::fs::remove_file(mark).unwrap();
    }
}
