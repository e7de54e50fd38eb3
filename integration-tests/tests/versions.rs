//! Two builds of one program, each a process: while a cluster is upgraded both are there, and talk.

use std::path::Path;

use actor_cluster::Mode;
use actor_core::ActorRef;
use integration_tests::shop::{Account, account_of};
use integration_tests::{Authority, Invitation, NodeProcess, Way};

use crate::support::{Member, guarded};

#[tokio::test]
async fn an_old_and_a_new_build_talk_in_both_directions() {
    guarded(async {
        let authority = Authority::new().unwrap();
        let keys = ["host", "old", "new"].map(|name| authority.keys(name, &[Way::Tcp]).unwrap());
        let [host, old, new] = keys;
        // It tells each of the two where the other is.
        let host = Member::start_with(&host, &[], |builder| builder.mode(Mode::Transitive)).await;
        let mut processes = Vec::new();
        for (keys, program) in [(old, env!("CARGO_BIN_EXE_shop-old")), (new, env!("CARGO_BIN_EXE_shop-new"))]
        {
            let address = host.running.address(Way::Tcp).unwrap().to_string();
            let invitation = Invitation { keys, peers: vec![], host: host.node().id(), address };
            let program = NodeProcess::start(Path::new(program), [""; 0], &invitation).await.unwrap();
            processes.push(program);
        }
        let old = account(&host, "old").await;
        assert_eq!(old, ["Ok(())", r#"Ok([Line { sku: "cup" }, Line { sku: "pot" }])"#]);
        let new = account(&host, "new").await;
        let refused = "not sent: the peer's version of shop/Order has no variant `Clear`";
        assert_eq!(new[0], format!("Err(SendError({refused}))"));
        // The count, and the customer, stayed at home.
        assert_eq!(new[1..], ["Ok(())", r#"Ok([Line { sku: "pan", count: 1 }])"#]);
        drop(processes);
        host.shutdown().await;
    })
    .await;
}

/// What a build has written down, once it has.
async fn account(host: &Member, build: &str) -> Vec<String> {
    let mut events = host.node().subscribe();
    let account: ActorRef<Account> = loop {
        match host.node().find(&account_of(build)) {
            Ok(account) => break account,
            Err(_) => _ = events.next().await,
        }
    };
    account.call(Account::Read).await.unwrap()
}
