//! A node of its own process for the tests: it joins whom its invitation names,
//! with an echo to be called, floods whom it finds there for that, and lives until the one who started it is gone.

use std::error::Error;
use std::future::pending;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actor_cluster::limits::MESSAGE_BYTES_MAX_MOST;
use actor_cluster::{Mode, NodeBuilder};
use actor_core::Spawn;
use integration_tests::echo::{BYSTANDERS, ECHOES, Echo, TAKES_BULK};
use integration_tests::flood::{Flood, GAUGES};
use integration_tests::vitals::{HEARTBEAT, TELLS_VITALS, VITALS, Watched, heartbeat_every};
use integration_tests::{Invitation, process};

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Invitation::read(&mut io::stdin().lock()) {
        Err(error) => Err(error.into()),
        Ok(invitation) => tokio::select! {
            failed = live(invitation) => failed,
            () = process::parent_gone() => Ok(()),
        },
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo-node: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn live(invitation: Invitation) -> Result<(), Box<dyn Error>> {
    let is_told = |word: &str| std::env::args().any(|argument| argument == word);
    let (takes_bulk, tells_vitals) = (is_told(TAKES_BULK), is_told(TELLS_VITALS));
    let pace = std::env::args().find_map(|argument| argument.strip_prefix(HEARTBEAT)?.parse().ok());
    let settings = |mut builder: NodeBuilder| {
        if takes_bulk {
            builder = builder.message_bytes_max(MESSAGE_BYTES_MAX_MOST);
        }
        if tells_vitals {
            builder = builder.mode(Mode::Isolated);
        }
        match pace {
            Some(secs) => heartbeat_every(builder, Duration::from_secs(secs)),
            None => builder,
        }
    };
    let node = Arc::new(invitation.keys.start(&invitation.peers, settings).await?);
    if tells_vitals {
        node.server.join_group(VITALS, &Watched(node.clone()).spawn(()).await?)?;
    }
    if takes_bulk {
        node.server.join_group(BYSTANDERS, &Echo.spawn(()).await?)?;
    }
    let echo = Echo.spawn(()).await?;
    node.server.join_group(ECHOES, &echo)?;
    invitation.join(&node.server).await?;
    if let Some(flood) = Flood::of(&node.server) {
        node.server.join_group(GAUGES, &flood.spawn(()).await?)?;
    }
    pending().await
}
