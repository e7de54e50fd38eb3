//! What both builds of the shop share: how one joins a cluster, meets the other, and what it writes down.
//! What they sell, and what they say to each other, is each one's own: `bin/shop-old.rs`, `bin/shop-new.rs`.

use std::error::Error;
use std::future::{Future, pending};
use std::io;
use std::process::ExitCode;

use actor_cluster::{NodeServer, RemoteMessage};
use actor_core::{Actor, ActorError, ActorRef, ReplyPort, SpawnOptions};

use crate::{Invitation, process};

/// The group that both builds' shops are members of.
pub const SHOPS: &str = "shops";

/// What a build's account of its visit is published under.
pub fn account_of(build: &str) -> String {
    format!("account of {build}")
}

/// Asks a build for its account. It is the same in both.
#[derive(Debug, RemoteMessage)]
#[wire(name = "shop/Account")]
pub enum Account {
    /// Answers what it has written down.
    #[rpc]
    Read(ReplyPort<Vec<String>>),
}

struct Accountant;

impl Actor for Accountant {
    type Msg = Account;
    type State = Vec<String>;
    type Arguments = Vec<String>;

    async fn pre_start(&self, _: &ActorRef<Account>, lines: Vec<String>) -> Result<Vec<String>, ActorError> {
        Ok(lines)
    }

    async fn handle(
        &self,
        _: &ActorRef<Account>,
        Account::Read(port): Account,
        lines: &mut Vec<String>,
    ) -> Result<(), ActorError> {
        // Whether the reader still waits is not the writer's business.
        drop(port.send(lines.clone()));
        Ok(())
    }
}

/// Runs one build of the shop: it opens, visits the other one's, and publishes what came of it. It lives until
/// the one who started it is gone.
pub async fn run<A, F>(build: &str, shop: A, visit: impl FnOnce(ActorRef<A::Msg>) -> F) -> ExitCode
where
    A: Actor<Arguments = ()>,
    A::Msg: RemoteMessage,
    F: Future<Output = Vec<String>>,
{
    let ended = match Invitation::read(&mut io::stdin().lock()) {
        Err(error) => Err(error.into()),
        Ok(invitation) => tokio::select! {
            failed = live(build, shop, visit, invitation) => failed,
            () = process::parent_gone() => Ok(()),
        },
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{build}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn live<A, F>(
    build: &str,
    shop: A,
    visit: impl FnOnce(ActorRef<A::Msg>) -> F,
    invitation: Invitation,
) -> Result<(), Box<dyn Error>>
where
    A: Actor<Arguments = ()>,
    A::Msg: RemoteMessage,
    F: Future<Output = Vec<String>>,
{
    let node = invitation.keys.start(&invitation.peers, |builder| builder).await?;
    let system = node.server.system().clone();
    let shop = system.spawn(shop, (), SpawnOptions::new()).await?;
    node.server.join_group(SHOPS, &shop)?;
    invitation.join(&node.server).await?;
    let account = visit(other(&node.server, &shop).await).await;
    let accountant = system.spawn(Accountant, account, SpawnOptions::new()).await?;
    node.server.publish(&account_of(build), &accountant)?;
    pending().await
}

/// The other build's shop, once its node is here.
async fn other<M: RemoteMessage>(node: &NodeServer, ours: &ActorRef<M>) -> ActorRef<M> {
    let mut events = node.subscribe();
    loop {
        if let Some(other) = node.group::<M>(SHOPS).into_iter().find(|shop| shop != ours) {
            return other;
        }
        events.next().await;
    }
}
