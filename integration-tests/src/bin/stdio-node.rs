//! A node whose only way to others is its standard input and output: it has an echo, and lives as
//! long as whoever started it talks to it.

use std::error::Error;
use std::process::ExitCode;

use actor_cluster::{ExternalStream, NodeId, NodeServer};
use actor_core::Spawn;
use integration_tests::echo::{ECHOES, Echo, STDIO_SECRET};
use tokio::io::{join, stdin, stdout};

#[tokio::main]
async fn main() -> ExitCode {
    match live().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stdio-node: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn live() -> Result<(), Box<dyn Error>> {
    let server = NodeServer::builder(NodeId::from_bytes([2; 32])).secret(STDIO_SECRET).start().await?;
    server.join_group(ECHOES, &Echo.spawn(()).await?)?;
    let mut events = server.subscribe();
    let stream = ExternalStream::new(join(stdin(), stdout()), "stdio");
    server.attach_external_stream(Box::new(stream)).await?;
    while let Some(event) = events.next().await {
        if event.session_end().is_some() {
            break;
        }
    }
    server.shutdown().await;
    // A read of the standard input that the runtime began would hold it up.
    std::process::exit(0)
}
