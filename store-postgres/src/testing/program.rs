//! The programs of PostgreSQL, and as whom they run: the server refuses to be root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ServerError;

/// Where the programs are, and as whom they run.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    directory: PathBuf,
    /// A user and a group; `None` for ourselves.
    account: Option<(u32, u32)>,
}

impl Programs {
    /// Looks for the programs: on the path, and where Debian has them, the latest first.
    pub(super) fn find() -> Result<Self, ServerError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
        if !directories.iter().any(|directory| directory.join("flock").exists()) {
            return Err(ServerError::NotHere("there is no `flock`, which comes with util-linux".into()));
        }
        directories.extend(debian());
        let directory = directories.into_iter().find(|directory| {
            ["initdb", "postgres", "pg_ctl"].iter().all(|program| directory.join(program).exists())
        });
        let missing = "there is no `initdb`; on Debian: apt-get install --no-install-recommends postgresql";
        let directory = directory.ok_or_else(|| ServerError::NotHere(missing.into()))?;
        Ok(Self { directory, account: account()? })
    }

    /// Gives a directory to whoever the programs run as.
    pub(super) fn own(&self, directory: &Path) -> Result<(), ServerError> {
        if let Some((user, group)) = self.account {
            std::os::unix::fs::chown(directory, Some(user), Some(group))?;
        }
        Ok(())
    }

    /// Runs one, in a directory, until it ends.
    pub(super) fn run(&self, program: &str, arguments: &[&str], directory: &Path) -> Result<(), ServerError> {
        let mut command = Command::new(self.directory.join(program));
        command.args(arguments).current_dir(directory).env_clear().env("LC_ALL", "C").stdin(Stdio::null());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        // A file: what stays behind must not hold a pipe of ours.
        let said = directory.join(format!("{program}.out"));
        let file = fs::File::create(&said)?;
        command.stdout(file.try_clone()?).stderr(file);
        let status = command.status()?;
        if status.success() {
            return Ok(());
        }
        let said = fs::read_to_string(said).unwrap_or_default();
        Err(ServerError::Failed(format!("{program}: {status}\n{said}")))
    }

    /// A command that watches over a server: it ends it when nobody has used it for so many seconds.
    pub(super) fn watch(&self, idle_seconds: u32, directory: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", WATCH, "watch"]).arg(self.directory.join("pg_ctl")).arg(idle_seconds.to_string());
        command.current_dir(directory).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }
}

/// Whoever uses the server holds `users` shared, and lets go however it ends. Locks go with the descriptors, 8 first.
const WATCH: &str = r#"
exec 8>>watch; flock -n 8 || exit 0
exec 9>>users
while :; do
    idle=0
    while [ "$idle" -lt "$2" ]; do
        sleep 1
        if flock -n -x 9; then flock -u 9; idle=$((idle + 1)); else idle=0; fi
    done
    flock -n -x 9 && break
    sleep 1
done
"$1" -D data -m immediate -w stop 8>&- 9>&-
rm -rf data
"#;

fn debian() -> Vec<PathBuf> {
    let Ok(versions) = fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let mut versions: Vec<PathBuf> = versions.flatten().map(|version| version.path()).collect();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    versions.sort_by_key(number);
    versions.into_iter().rev().map(|version| version.join("bin")).collect()
}

/// Root becomes `postgres`, or `nobody`.
fn account() -> Result<Option<(u32, u32)>, ServerError> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    let missing = || ServerError::NotHere("we are root, and there is neither `postgres` nor `nobody`".into());
    find("postgres").or_else(|| find("nobody")).map(Some).ok_or_else(missing)
}
