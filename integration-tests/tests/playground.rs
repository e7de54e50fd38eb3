//! The cluster to play with, as its user has it: started in one terminal, asked and hurt from another.

use std::process::{Output, Stdio};

use actor_testkit::process::NodeProcess;
use tokio::process::Command;

use crate::support::guarded;

/// Nobody else's, however many tests run.
fn name() -> String {
    format!("test-{}", std::process::id())
}

fn cluster(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
    command.args(words).args(["--name", &name()]).stderr(Stdio::null());
    command
}

async fn say(words: &[&str]) -> (bool, String) {
    let Output { status, stdout, .. } = cluster(words).output().await.unwrap();
    (status.success(), String::from_utf8(stdout).unwrap())
}

#[tokio::test]
async fn a_cluster_is_started_asked_hurt_and_ended() {
    guarded(async {
        assert_eq!(say(&["status"]).await, (false, String::new()), "none runs");
        let mut up = NodeProcess::start_command(cluster(&["up", "-n", "2"]), &b""[..]).await.unwrap();
        // It says so when it is up, to its own terminal; here it is asked.
        while !say(&["ask", "1", "names"]).await.1.starts_with("node-0") {
            tokio::task::yield_now().await;
        }
        let (done, greeting) = say(&["greet", "0", "1"]).await;
        assert!(done && greeting.starts_with("hello node-0, from node-1; greeting 1"), "{greeting}");
        assert_eq!(say(&["crash", "1"]).await, (true, "done\n".to_owned()));
        let (_, status) = say(&["status"]).await;
        assert!(status.contains("ended, signal: 9") && status.lines().count() == 2, "{status}");
        assert!(!say(&["block", "0", "1"]).await.0, "they are on loopback");
        assert_eq!(say(&["down"]).await, (true, "going down\n".to_owned()));
        assert!(up.exited().await.unwrap().success());
        assert_eq!(say(&["status"]).await, (false, String::new()), "nothing is left");
    })
    .await;
}
