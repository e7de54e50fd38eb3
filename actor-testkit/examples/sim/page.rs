//! The page of evidence, `docs/evidence.md`: what this run did, and what no run of it can show. With the same code and the
//! same options it is the same page.

use crate::options::Options;
use crate::{Outcome, SPARSE_EACH, TWICE_EACH, by_invariant};

pub(crate) fn page(options: &Options, outcome: &Outcome) -> String {
    let tally = &outcome.tally;
    let mut page = String::new();
    let mut line = |text: String| {
        page.push_str(&text);
        page.push('\n');
    };
    line(format!("# Evidence\n\n{}\n", intro(options)));
    line("## Runs\n\n| | |\n|---|---|".to_owned());
    let first = options.first;
    line(format!(
        "| seeds | {}, from {first} to {} |",
        tally.seeds.len(),
        first + options.seeds.saturating_sub(1)
    ));
    let nodes = options.nodes.map_or("3 to 5, by the seed".to_owned(), |nodes| nodes.to_string());
    line(format!("| nodes of each | {nodes} |"));
    line(format!("| virtual time | {:.1} hours |", tally.virtual_time.as_secs_f64() / 3600.0));
    line(format!("| what users did | {} actions |", tally.actions));
    line(format!("| what happened | {} events |", tally.events));
    line(format!("| seeds that were run twice | {}, each came to the same event hash |", outcome.twice));
    line(format!("| all event hashes, folded | `{:016x}` |", tally.event_hash));
    line(format!("| seeds that failed | {} |", tally.failures.len()));
    if !tally.failures.is_empty() {
        line("\n## What failed\n\n`cargo xtask sim --seeds 1 --first SEED` shows one again.\n".to_owned());
        line("| invariant | seeds | the first |\n|---|---|---|".to_owned());
        for (invariant, seeds) in by_invariant(tally) {
            let first: Vec<String> = seeds.iter().take(5).map(ToString::to_string).collect();
            line(format!("| {invariant} | {} | {} |", seeds.len(), first.join(", ")));
        }
    }
    line("\n## Faults\n\n| fault | how often |\n|---|---|".to_owned());
    for (kind, times) in &tally.faults {
        line(format!("| {kind} | {times} |"));
    }
    line("\n## Invariants\n".to_owned());
    line("Each is a file of [actor-testkit](../actor-testkit/src/cluster/invariants/), and is looked at after every".to_owned());
    line("step that concerns it.\n\n| invariant | checked |\n|---|---|".to_owned());
    for (invariant, times) in &tally.checked {
        line(format!("| {invariant} | {times} times |"));
    }
    line(format!("\n## Known gaps\n\n{GAPS}"));
    page
}

fn intro(options: &Options) -> String {
    let Options { seeds, first, nodes, .. } = options;
    let first = if *first == 0 { String::new() } else { format!(" --first {first}") };
    let nodes = nodes.map(|nodes| format!(" --nodes {nodes}")).unwrap_or_default();
    format!(
        "`cargo xtask sim --seeds {seeds}{first}{nodes} --keep-going --report` has written this page, and writes it anew; nobody edits it. Each seed is a \
         cluster of\nits own in virtual time: three users on each node call, send, watch, stop and start actors, take names and look them up \
         at random,\nwhile faults come and go; then all is mended, and the cluster must be whole again and serve. The \
         seed\nalso says what the network is like, which streams carry what, how much credit there is, and how old connections \
         become. One in\n{SPARSE_EACH} takes two minutes with a fault every forty seconds. One in {TWICE_EACH} is run twice. [The book](book/simulation.md) says how to do the same with\nactors of your own."
    )
}

/// What none of these runs can show.
const GAPS: &str = "\
- No sockets, no TLS, no threads: the network begins below the transport's seam. turmoil runs tokio, TLS and sessions under
  faults; processes, namespaces and the chaos run have real sockets.
- A task is never interrupted between two await points: races between threads are for loom, shuttle and the stress tests.
- Streams do not break: what is lost comes later, and no byte is changed. Changed bytes are for the fuzzers.
- No disk: a node that comes back knows nothing of its former life.
- One version of the program: mixed versions are for the integration tests.
- Small messages and at most five nodes; large payloads and many nodes have tests of their own.
- An invariant sees what users tell and what sessions count. Group membership, links and remote spawn are not among it.
- A session that is lost within twelve seconds of a fault of its nodes or of the way between them is taken to be explained by
  it, a member within fifteen; in the short runs that is nearly every one, so one seed in four is long and has few faults.
- Wall clocks jump and drift; the clock that timers go by is one for all nodes. All nodes begin at one moment, and until one is
  restarted they look at theirs at the same moments.
- Seeds are drawn, not enumerated: a thousand runs without a failure bound the share of failing seeds below 0.3 % at
  95 % confidence, and no more.
";
