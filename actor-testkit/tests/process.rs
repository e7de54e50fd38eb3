//! Clusters of processes: each test is its own nodes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use actor_testkit::process::{
    Carries, Conditions, Crash, Direction, Ending, Guest, Lab, NodePlan, NodeState, Order, ProcessCluster,
    ProcessClusterBuilder, ProcessError, Program, or_skip,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// On a standard output that is a test's, too.
fn say(line: &str) {
    Write::write_all(&mut std::io::stdout(), format!("{line}\n").as_bytes()).unwrap();
}

/// Serves what it is asked until it is to end.
async fn node(mut guest: Guest) {
    let told = guest.invitation().clone();
    let listener = TcpListener::bind((told.ip, told.port)).unwrap();
    if told.setting("mood") == Some("bad") {
        say("I have no mind to");
        std::process::exit(7);
    }
    guest.ready([told.advertised.unwrap_or(listener.local_addr().unwrap())]);
    // It answers each word with the same.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut word = [0; 1];
            if stream.read_exact(&mut word).is_ok() {
                _ = stream.write_all(&word);
            }
        }
    });
    loop {
        let Order::Ask(question) = guest.next().await else { return };
        let text = question.text().to_owned();
        match text.split_once(' ').unwrap_or((&text, "")) {
            ("seeds", _) => question.answer(told.seeds.len()),
            ("mood", _) => question.answer(told.setting("mood").unwrap_or("none")),
            ("echo", words) => question.answer(words),
            ("reach", address) => {
                let to = address.parse().unwrap();
                question.answer(TcpStream::connect_timeout(&to, Duration::from_millis(100)).is_ok());
            }
            ("dial", address) => {
                let to = address.parse().unwrap();
                question.answer(match TcpStream::connect_timeout(&to, Duration::from_millis(100)) {
                    Ok(_) => "reached",
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => "refused",
                    Err(_) => "silent",
                });
            }
            // How many milliseconds a word takes, there and back.
            ("chat", address) => {
                let mut stream = TcpStream::connect(address).unwrap();
                let began = Instant::now();
                stream.write_all(b"x").unwrap();
                stream.read_exact(&mut [0]).unwrap();
                question.answer(began.elapsed().as_millis());
            }
            ("tell", words) => {
                say("a line of its own");
                Guest::tell(words);
                question.answer("told");
            }
            ("die", _) => std::process::exit(3),
            ("hang", _) => std::thread::sleep(Duration::from_secs(1000)), // sleep: it hangs
            _ => drop(question),
        }
    }
}

#[tokio::test]
async fn nodes_are_asked_killed_frozen_and_started_again() {
    if let Some(guest) = Guest::arrive().unwrap() {
        return node(guest).await;
    }
    let program = Program::this_test("process::nodes_are_asked_killed_frozen_and_started_again");
    let each = |number: usize, plan: &mut NodePlan| plan.invitation.set("mood", format!("{number}\ngood"));
    let mut cluster = ProcessCluster::builder(program).each(each).start().await.unwrap();
    assert_eq!(cluster.len(), 3);
    for (number, seeds) in [(0, "0"), (1, "1"), (2, "1")] {
        assert_eq!(cluster.ask(number, "seeds").await.unwrap(), seeds);
        assert_eq!(cluster.ask(number, "mood").await.unwrap(), format!("{number}\ngood"));
    }
    assert_eq!(cluster.ask_as::<u32>(1, "seeds").await.unwrap(), 1);
    let garbled = cluster.ask_as::<u32>(1, "mood").await;
    assert!(matches!(garbled, Err(ProcessError::Garbled { .. })), "{garbled:?}");
    let refused = cluster.ask(1, "what?").await;
    assert!(matches!(refused, Err(ProcessError::Refused { .. })), "{refused:?}");
    assert_eq!(cluster.ask(1, "tell it\\rains").await.unwrap(), "told");
    assert_eq!(cluster.next_told(1).await.unwrap(), "it\\rains");
    assert!(cluster.inspect(1).unwrap().said.iter().any(|line| line.ends_with("a line of its own")));

    let address = cluster.addresses(1).unwrap();
    cluster.freeze(1).unwrap();
    assert_eq!(cluster.inspect(1).unwrap().state, NodeState::Frozen);
    let late = cluster.until(1, "seeds", Duration::from_millis(200), |_| true).await;
    assert!(matches!(late, Err(ProcessError::Late { .. })), "{late:?}");
    cluster.thaw(1).unwrap();
    assert_eq!(
        cluster.ask(1, "seeds").await.unwrap(),
        "1",
        "an answer that comes late is not the next one's"
    );

    assert!(matches!(cluster.restart(1).await, Err(ProcessError::Running(_))));
    cluster.freeze(1).unwrap();
    cluster.crash(1, Crash::Reset).await.unwrap();
    assert!(matches!(cluster.inspect(1).unwrap().state, NodeState::Ended(status) if !status.success()));
    let ended = cluster.ask(1, "seeds").await;
    assert!(matches!(ended, Err(ProcessError::Ended { .. })), "{ended:?}");
    cluster.restart(1).await.unwrap();
    assert_eq!(cluster.addresses(1).unwrap(), address, "it is where it was");
    assert_eq!(cluster.ask(1, "seeds").await.unwrap(), "2");
    assert_eq!(cluster.inspect(1).unwrap().lives, 2);

    assert!(cluster.ask(0, "die").await.is_err());
    assert_eq!(cluster.ended(0, PATIENCE).await.unwrap().code(), Some(3));
    assert!(matches!(cluster.ask(9, "seeds").await, Err(ProcessError::NoSuchNode(9))));
    assert!(matches!(cluster.block(1, 2), Err(ProcessError::OnLoopback)));
    let silently = cluster.crash(1, Crash::Silent).await;
    assert!(matches!(silently, Err(ProcessError::OnLoopback)), "{silently:?}");
    let conditions = cluster.set_conditions(1, Direction::There, Conditions::stalled());
    assert!(matches!(conditions, Err(ProcessError::NoRelays)), "{conditions:?}");
    assert!(cluster.stop(2).await.unwrap().success());
    let endings = cluster.shutdown().await.unwrap();
    assert_eq!(endings.iter().map(|status| status.code()).collect::<Vec<_>>(), [Some(3), Some(0), Some(0)]);
}

#[tokio::test]
async fn a_node_that_does_not_come_says_why() {
    if let Some(guest) = Guest::arrive().unwrap() {
        return node(guest).await;
    }
    let program = Program::this_test("process::a_node_that_does_not_come_says_why");
    let each = |_: usize, plan: &mut NodePlan| plan.invitation.set("mood", "bad");
    match ProcessCluster::builder(program).each(each).start().await {
        Err(ProcessError::Ended { node, status: Ending::Seen(status), said }) => {
            assert_eq!((node.as_str(), status.code()), ("node-0", Some(7)));
            assert!(said.iter().any(|line| line.ends_with("I have no mind to")), "{said:?}");
        }
        other => panic!("{other:?}"),
    }
    let missing = ProcessCluster::builder(Program::new("/no/such/program")).start().await.unwrap_err();
    assert!(missing.to_string().starts_with("/no/such/program does not start"), "{missing}");
    let silent = ProcessCluster::builder(Program::new("sleep").argument("1000"));
    let late = silent.ready_timeout(Duration::from_millis(100)).start().await;
    assert!(matches!(late, Err(ProcessError::Late { .. })), "{late:?}");
    let many =
        ProcessCluster::builder(Program::new("true")).nodes(0).start().await.unwrap().add_many(1).await;
    assert!(matches!(many, Err(ProcessError::Ended { .. })), "{many:?}");
}

/// Even if they hang, and have ears for nothing.
#[tokio::test]
async fn no_process_outlives_its_cluster() {
    if let Some(guest) = Guest::arrive().unwrap() {
        return node(guest).await;
    }
    let program = Program::this_test("process::no_process_outlives_its_cluster");
    let mut cluster = ProcessCluster::builder(program).nodes(2).start().await.unwrap();
    let ids = [0, 1].map(|node| cluster.inspect(node).unwrap().process.unwrap());
    cluster.freeze(1).unwrap();
    _ = tokio::time::timeout(Duration::from_millis(50), cluster.ask(0, "hang")).await;
    drop(cluster);
    // Their end is in the hands of the system, which tells nobody.
    let is_alive = |id: &u32| {
        std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    };
    while ids.iter().any(is_alive) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nodes_in_namespaces_are_cut_off_and_found_again() {
    if let Some(guest) = Guest::arrive().unwrap() {
        return node(guest).await;
    }
    let program = Program::this_test("process::nodes_in_namespaces_are_cut_off_and_found_again");
    let cluster = ProcessCluster::builder(program).in_namespaces().start().await;
    let Some(mut cluster) = or_skip(cluster) else { return };
    let addresses: Vec<String> = (0..3).map(|node| cluster.addresses(node).unwrap().remove(0)).collect();
    let reaches = async |cluster: &ProcessCluster| {
        let mut reached = Vec::new();
        for (from, to) in [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)] {
            if cluster.ask_as::<bool>(from, &format!("reach {}", addresses[to])).await.unwrap() {
                reached.push((from, to));
            }
        }
        reached
    };
    let all = [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)];
    assert_eq!(reaches(&cluster).await, all);
    cluster.block(0, 1).unwrap();
    cluster.block(0, 1).unwrap();
    cluster.block(1, 0).unwrap();
    assert_eq!(reaches(&cluster).await, all[2..]);
    cluster.unblock(0, 1).unwrap();
    // A connection needs both directions, whoever begins.
    assert_eq!(reaches(&cluster).await, all[2..]);
    cluster.unblock(1, 0).unwrap();
    cluster.block(2, 1).unwrap();
    assert_eq!(reaches(&cluster).await, [(0, 1), (1, 0), (0, 2), (2, 0)]);
    cluster.heal().unwrap();
    cluster.block(1, 2).unwrap();
    cluster.partition(&[&[0], &[1, 2]]).unwrap();
    assert_eq!(reaches(&cluster).await, [(1, 2), (2, 1)], "what was blocked before is not");
    cluster.partition(&[&[0, 1]]).unwrap();
    assert_eq!(reaches(&cluster).await, [(0, 1), (1, 0)], "who is in no group is alone");
    assert!(matches!(cluster.partition(&[&[0, 9]]), Err(ProcessError::NoSuchNode(9))));
    cluster.partition(&[&[0], &[1, 2]]).unwrap();
    cluster.unplug(2).unwrap();
    assert_eq!(reaches(&cluster).await, []);
    cluster.heal().unwrap();
    // A link that is up again takes a moment, and says nothing. Each try is a wait of its own.
    let back = async { while reaches(&cluster).await != all {} };
    tokio::time::timeout(PATIENCE, back).await.expect("all reach all again");
    // Who dials a machine that is not there hears nothing, and who dials one without a process is refused.
    cluster.crash(2, Crash::Reset).await.unwrap();
    assert_eq!(refuses(&cluster, 0, &addresses[2]).await, "refused");
    cluster.crash(1, Crash::Silent).await.unwrap();
    assert_eq!(refuses(&cluster, 0, &addresses[1]).await, "silent");
    cluster.restart(1).await.unwrap();
    cluster
        .until(0, &format!("reach {}", addresses[1]), PATIENCE, |reached| reached == "true")
        .await
        .unwrap();
    cluster.shutdown().await.unwrap();
}

async fn refuses(cluster: &ProcessCluster, from: usize, address: &str) -> String {
    cluster.ask(from, &format!("dial {address}")).await.unwrap()
}

/// How long a word takes, there and back.
async fn took(cluster: &ProcessCluster, address: &str) -> Duration {
    Duration::from_millis(cluster.ask_as(0, &format!("chat {address}")).await.unwrap())
}

/// On loopback as in namespaces. It is told where its relay is, others are told so, and all goes through it.
async fn goes_through_relays(builder: ProcessClusterBuilder) -> Result<(), ProcessError> {
    const DELAY: Duration = Duration::from_millis(30);
    let conditions = Conditions::default().with_delay(DELAY, Duration::ZERO);
    let mut cluster =
        builder.nodes(2).behind_relays(Carries::Streams, 7).conditions(conditions).start().await?;
    let address = cluster.addresses(1)?.remove(0);
    assert!(took(&cluster, &address).await >= 2 * DELAY);
    // A word there and one back.
    assert_eq!((cluster.carried(0)?.passed, cluster.carried(1)?.passed), (0, 2));
    for direction in [Direction::There, Direction::Back] {
        cluster.set_conditions(1, direction, Conditions::default())?;
    }
    assert!(took(&cluster, &address).await < DELAY);
    cluster.crash(1, Crash::Reset).await?;
    cluster.restart(1).await?;
    assert_eq!(cluster.addresses(1)?, std::slice::from_ref(&address), "it is behind the same relay");
    assert!(took(&cluster, &address).await < DELAY);
    // Where networks can be blocked, this is what goes through relays, too.
    match cluster.block(0, 1) {
        Err(ProcessError::OnLoopback) => {}
        blocked => {
            blocked?;
            assert_eq!(refuses(&cluster, 0, &address).await, "silent");
            cluster.heal()?;
            cluster.block(1, 0)?;
            assert_eq!(refuses(&cluster, 0, &address).await, "silent");
            cluster.heal()?;
            assert_eq!(refuses(&cluster, 0, &address).await, "reached");
        }
    }
    cluster.shutdown().await.map(drop)
}

#[tokio::test]
async fn nodes_on_loopback_are_reached_through_their_relays() {
    if let Some(guest) = Guest::arrive().unwrap() {
        return node(guest).await;
    }
    let program = Program::this_test("process::nodes_on_loopback_are_reached_through_their_relays");
    goes_through_relays(ProcessCluster::builder(program)).await.unwrap();
    let program = Program::new("true");
    let none = ProcessCluster::builder(program).conditions(Conditions::default()).start().await;
    assert!(matches!(none, Err(ProcessError::NoRelays)), "{none:?}");
}

#[tokio::test]
async fn nodes_in_namespaces_are_reached_through_their_relays() {
    if let Some(guest) = Guest::arrive().unwrap() {
        return node(guest).await;
    }
    let program = Program::this_test("process::nodes_in_namespaces_are_reached_through_their_relays");
    _ = or_skip(goes_through_relays(ProcessCluster::builder(program).in_namespaces()).await);
}

/// Where it is not allowed, or not possible, it is said what is missing.
#[test]
fn a_lab_is_gone_with_its_value() {
    let Some(lab) = or_skip(Lab::new(&["left", "right"])) else { return };
    let name = lab.name("left");
    let spaces = || {
        String::from_utf8(std::process::Command::new("ip").args(["netns", "list"]).output().unwrap().stdout)
            .unwrap()
    };
    lab.wire(("left", "wire"), ("right", "wire")).unwrap();
    assert!(matches!(lab.ip("link show no-such-wire"), Err(ProcessError::Network { .. })));
    assert!(matches!(lab.ip_lines("left", "link set no-such-wire up\n"), Err(ProcessError::Network { .. })));
    assert!(spaces().contains(&name));
    drop(lab);
    assert!(!spaces().contains(&name));
}
