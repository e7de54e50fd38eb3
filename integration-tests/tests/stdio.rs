//! A node behind a child process's standard input and output.

use std::process::Stdio;

use actor_cluster::{ExternalStream, NodeId, NodeServer};
use integration_tests::echo::{ECHOES, STDIO_SECRET, Say};
use tokio::io::join;
use tokio::process::Command;

use crate::support::guarded;

#[tokio::test]
async fn b09_a_child_is_a_node_over_its_standard_input_and_output() {
    guarded(async {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stdio-node"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let halves = join(child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let id = NodeId::from_bytes([1; 32]);
        let node = NodeServer::builder(id).secret(STDIO_SECRET).start().await.unwrap();
        let stream = ExternalStream::new(halves, "a child");
        let session = node.connect_external(Box::new(stream)).await.unwrap();
        assert_eq!(session.peer().node, NodeId::from_bytes([2; 32]));
        let echo = node.group::<Say>(ECHOES).remove(0);
        let long = "long ".repeat(100_000);
        assert_eq!(echo.call(|port| Say::This(long.clone(), port)).await.unwrap(), long);
        node.shutdown().await;
        assert!(child.wait().await.unwrap().success(), "it has seen the goodbye");
    })
    .await;
}
