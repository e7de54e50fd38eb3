//! The five scenarios that ractor runs in containers, with processes; and where those are that it lacks.
//!
//! | scenario | here, or in |
//! |---|---|
//! | auth handshake | `nodes_of_one_authority_meet_and_strangers_do_not`; wrong secrets in `bad_input` |
//! | groups | `members_of_a_group_talk_in_rounds` |
//! | encryption | `capture`: what is on the wire, with TLS and without |
//! | external transport | `stdio`: a child is a node over its standard input and output; `write-your-own-transport.md` |
//! | transitive connect | `whoever_joins_one_knows_all` |
//! | kill -9, SIGSTOP | `killed`; under load `chaos` |
//! | partition and heal, in one direction too | `partitions` |
//! | slow reader | `slow`; an actor that takes nothing `stalled` |
//! | payloads of 64 MiB | `a_payload_of_64_mib_arrives_whole`; of a gibibyte `bulk` |
//! | reconnect storms, 3 → 20 nodes | `growth`; one connection cut again and again `cut` |
//! | mixed versions | `versions` |
//! | certificates that expire, or are replaced | `expiry`, `rotation` |
//! | a full disk, no more files | `exhaustion` |

use integration_tests::guest::with_keys;
use integration_tests::playground::{ISOLATED, ONCE};

use crate::playing::{SOON, greet_each_other, nodes, see_each_other};
use crate::support::guarded;

#[tokio::test]
async fn nodes_of_one_authority_meet_and_strangers_do_not() {
    guarded(async {
        let strange = with_keys();
        let cluster = nodes(3, move |number, plan| {
            if number == 2 {
                // The keys of another authority, for the same name.
                strange(number, plan);
                plan.invitation.set(ONCE, "");
            }
        });
        let cluster = cluster.start().await.unwrap();
        see_each_other(&cluster, &[0, 1]).await;
        greet_each_other(&cluster, &[0, 1]).await;
        let told = cluster.next_told(2).await.unwrap();
        assert!(told.starts_with("cannot join: ") && told.contains("certificate"), "{told}");
        assert_eq!(cluster.ask(2, "names").await.unwrap(), "");
        // It is counted where it knocked.
        cluster.until(0, "refused", SOON, |refused| refused == "1").await.unwrap();
        cluster.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn members_of_a_group_talk_in_rounds() {
    guarded(async {
        let cluster = nodes(2, |_, _| {}).start().await.unwrap();
        see_each_other(&cluster, &[0, 1]).await;
        for (one, other) in [(0, 1), (1, 0)] {
            assert_eq!(cluster.ask(one, &format!("rounds node-{other} 25")).await.unwrap(), "25 rounds");
        }
        cluster.shutdown().await.unwrap();
    })
    .await;
}

/// And whoever wants to know nobody else does not.
#[tokio::test]
async fn whoever_joins_one_knows_all() {
    guarded(async {
        // Each but the first dials that one, and nobody else; the last keeps to itself.
        let started = nodes(4, |number, plan| {
            plan.invitation.set(ONCE, "");
            if number == 3 {
                plan.invitation.set(ISOLATED, "");
            }
        });
        let cluster = started.start().await.unwrap();
        cluster.until(1, "names", SOON, |names| names.contains("node-0 node-2")).await.unwrap();
        cluster.until(2, "names", SOON, |names| names.contains("node-0 node-1")).await.unwrap();
        greet_each_other(&cluster, &[0, 1, 2]).await;
        cluster.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_payload_of_64_mib_arrives_whole() {
    guarded(async {
        let cluster = nodes(2, |_, _| {}).start().await.unwrap();
        see_each_other(&cluster, &[0, 1]).await;
        for bytes in [0, 1 << 20, 64 << 20] {
            assert_eq!(cluster.ask(0, &format!("weigh node-1 {bytes}")).await.unwrap(), bytes.to_string());
        }
        cluster.shutdown().await.unwrap();
    })
    .await;
}
