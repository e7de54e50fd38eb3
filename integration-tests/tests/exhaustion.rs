//! Nodes that run out of something of the machine's, and go on with what they have.

use std::net::TcpStream;
use std::process::ExitStatus;
use std::time::Duration;

use actor_testkit::process::or_skip;
use integration_tests::playground::{ISOLATED, LOG};

use crate::playing::{greet_each_other, nodes, program, see_each_other};
use crate::support::guarded;

/// Its log is on a disk that is full. The mount is in a space of the process's own, and goes with it.
#[tokio::test]
async fn a_node_whose_logs_disk_is_full_serves_on() {
    guarded(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display().to_string();
        let mount = format!(
            "mount -t tmpfs -o size=16k none '{path}' && (head -c 100000 /dev/zero > '{path}/ballast'; true) && exec \"$@\""
        );
        let started = nodes(2, move |number, plan| {
            plan.invitation.set(LOG, format!("{path}/node-{number}.log"));
            if number == 1 {
                plan.program = program().by_shell(&mount);
            }
        });
        let Some(cluster) = or_skip(started.in_namespaces().start().await) else { return };
        see_each_other(&cluster, &[0, 1]).await;
        greet_each_other(&cluster, &[0, 1]).await;
        assert_eq!(cluster.ask(1, "weigh node-0 1000000").await.unwrap(), "1000000");
        assert_eq!(cluster.ask(1, "logged").await.unwrap(), "0", "nothing could be written");
        assert_ne!(cluster.ask(0, "logged").await.unwrap(), "0", "and there was something to write");
        let endings = cluster.shutdown().await.unwrap();
        assert!(endings.iter().all(ExitStatus::success), "{endings:?}");
        assert!(!directory.path().join("node-1.log").exists(), "the disk was the node's own");
    })
    .await;
}

/// How many files a node may have open.
const FILES: usize = 64;

/// For how long it is seen that a node without files does nothing for that.
const SPAN: Duration = Duration::from_secs(1);

/// Strangers take all the files that there are. Whoever has a session goes on, and once the strangers have gone others come in.
#[tokio::test]
async fn a_node_without_files_left_keeps_its_sessions_and_lets_others_in_later() {
    guarded(async {
        let started = nodes(2, |number, plan| {
            if number == 1 {
                // It dials nobody itself: who comes later, comes in.
                plan.invitation.set(ISOLATED, "");
                plan.program = program().by_shell(&format!("ulimit -n {FILES}; exec \"$@\""));
            }
        });
        let mut cluster = started.start().await.unwrap();
        see_each_other(&cluster, &[0, 1]).await;
        let address = cluster.addresses(1).unwrap().remove(0);
        let (_, port) = address.rsplit_once(':').unwrap();
        let port: u16 = port.parse().unwrap();
        let strangers: Vec<TcpStream> =
            (0..2 * FILES).map_while(|_| TcpStream::connect(("127.0.0.1", port)).ok()).collect();
        loop {
            let open = cluster.inspect(1).unwrap().descriptors;
            let Some(open) = open else { return };
            if open >= FILES {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await; // sleep: another process, which says nothing
        }
        greet_each_other(&cluster, &[0, 1]).await;
        assert_eq!(cluster.ask(1, "weigh node-0 1000000").await.unwrap(), "1000000");
        let before = cluster.inspect(1).unwrap().processor_time;
        tokio::time::sleep(SPAN).await; // sleep: it is about what does not happen meanwhile
        let after = cluster.inspect(1).unwrap().processor_time;
        let used = after.unwrap_or_default().saturating_sub(before.unwrap_or_default());
        assert!(used < SPAN / 5, "it asks again and again for whom it has no file for: {used:?} of {SPAN:?}");
        drop(strangers);
        assert_eq!(cluster.add().await.unwrap(), 2);
        see_each_other(&cluster, &[0, 1, 2]).await;
        greet_each_other(&cluster, &[0, 1, 2]).await;
        cluster.shutdown().await.unwrap();
    })
    .await;
}
