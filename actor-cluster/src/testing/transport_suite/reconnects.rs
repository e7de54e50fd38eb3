//! One connection after another, and what must not be left of them.

use super::holdings::{Holdings, memory_bytes};
use super::pair::{Link, Pair, assert_ended, assert_talk, both};
use super::{Harness, is_full};
use crate::transport::{CloseCode, CloseReason};

/// 10 000 connections between the same two nodes, or 200 in the short form, that are used and ended in every way
/// there is. No task and no open file is left of them, and where there are many no memory either.
pub async fn reconnecting_leaves_nothing_behind<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let before = Holdings::now();
    let rounds = if is_full() { RECONNECTS } else { RECONNECTS / 50 };
    let mut memory_midway = None;
    for round in 0..rounds {
        let mut link = pair.connect_again().await;
        for ends in &mut link.streams {
            assert_talk(ends).await;
        }
        End::of(round).happen_to(link).await;
        if round == rounds / 2 {
            before.wait_until_restored(&mut pair.listener).await;
            memory_midway = memory_bytes();
        }
    }
    before.wait_until_restored(&mut pair.listener).await;
    // Too few connections would not stand out from what the allocator keeps for itself.
    if let (true, Some(midway), Some(now)) = (is_full(), memory_midway, memory_bytes()) {
        let more = now.saturating_sub(midway);
        assert!(more <= REMAINS_BYTES_MAX, "{more} bytes are left of {} connections", rounds / 2);
    }
    // The first connection has seen all of this.
    for ends in &mut pair.streams {
        assert_talk(ends).await;
    }
}

/// How a connection ends, and who begins.
#[derive(Clone, Copy)]
enum End {
    DiallerCloses,
    HostCloses,
    DiallerDrops,
    HostDrops,
    StreamsClose,
    BothDrop,
}

impl End {
    fn of(round: usize) -> Self {
        let all = [
            End::DiallerCloses,
            End::HostCloses,
            End::DiallerDrops,
            End::HostDrops,
            End::StreamsClose,
            End::BothDrop,
        ];
        all[round % all.len()]
    }

    async fn happen_to(self, link: Link) {
        let reason = CloseReason::from(CloseCode::Done);
        let Link { near, far, mut streams } = link;
        match self {
            End::DiallerCloses => near.close(&reason),
            End::HostCloses => far.close(&reason),
            End::StreamsClose => streams.iter_mut().for_each(|ends| ends.near.close(&reason)),
            End::BothDrop => return,
            End::DiallerDrops | End::HostDrops => {
                let (nears, fars): (Vec<_>, Vec<_>) =
                    streams.drain(..).map(|ends| (ends.near, ends.far)).unzip();
                let mut left = if matches!(self, End::DiallerDrops) {
                    drop((near, nears));
                    fars
                } else {
                    drop((far, fars));
                    nears
                };
                for stream in &mut left {
                    assert_ended(stream).await;
                }
                return;
            }
        }
        for ends in &mut streams {
            both(assert_ended(&mut ends.near), assert_ended(&mut ends.far)).await;
        }
    }
}

const RECONNECTS: usize = 10_000;

/// What the allocator may keep for itself while 5000 connections come and go.
const REMAINS_BYTES_MAX: usize = 16 << 20;
