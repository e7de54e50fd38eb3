//! The cluster itself, and what is done with it, one command after the other.

use std::error::Error;
use std::fmt::Write;
use std::io;
use std::str::FromStr;
use std::time::{Duration, Instant};

use integration_tests::guest::with_keys;
use integration_tests::playground::{HEARTBEAT, RESUME};
use integration_tests::process::{Crash, NodePlan, NodeState, ProcessCluster, ProcessError, Program};
use lexopt::prelude::*;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use crate::print;
use crate::remote::{self, Request};

/// How often it is looked what the nodes tell.
const LOOK: Duration = Duration::from_millis(200);

/// How long nodes may take to find each other at the start.
const JOINED_WITHIN: Duration = Duration::from_secs(30);

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) words: Vec<String>,
    pub(crate) name: String,
    nodes: usize,
    in_namespaces: bool,
}

impl Options {
    /// `None` if it is help.
    pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let mut options =
            Self { words: Vec::new(), name: "playground".to_owned(), nodes: 5, in_namespaces: false };
        while let Some(arg) = args.next()? {
            match arg {
                Short('n') | Long("nodes") => options.nodes = args.value()?.parse()?,
                Long("in-namespaces") => options.in_namespaces = true,
                Long("name") => options.name = args.value()?.string()?,
                Long("help") | Short('h') => return Ok(None),
                Value(word) => options.words.push(word.string()?),
                other => return Err(other.unexpected()),
            }
        }
        if options.words.is_empty() {
            return Err("what is to be done?".into());
        }
        if options.nodes == 0 || options.name.is_empty() || options.name.contains('/') {
            return Err("a cluster has a node at least, and a name without slashes".into());
        }
        Ok(Some(options))
    }
}

/// Starts a cluster, and runs it until it is enough.
pub(crate) async fn up(options: Options) -> Result<(), Box<dyn Error>> {
    let (sender, mut requests) = mpsc::channel(16);
    remote::listen(&options.name, sender).await?;
    let played = play(&options, &mut requests).await;
    remote::forget(&options.name);
    played
}

async fn play(options: &Options, requests: &mut mpsc::Receiver<Request>) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let keys = with_keys();
    let each = move |number: usize, plan: &mut NodePlan| {
        keys(number, plan);
        // So that one sees soon what one has done.
        plan.invitation.set(HEARTBEAT, "400");
        plan.invitation.set(RESUME, "2000");
    };
    print(&format!("starting {} nodes\n", options.nodes));
    let builder = ProcessCluster::builder(Program::this()).nodes(options.nodes).each(each);
    let builder = if options.in_namespaces { builder.in_namespaces() } else { builder };
    let mut stage = Stage { cluster: builder.start().await?, served: 0 };
    let others = (options.nodes - 1).to_string();
    for node in 0..options.nodes {
        stage.introduce(node).await?;
        print(&format!("node-{node} is up at {}\n", stage.cluster.addresses(node)?.join(" ")));
    }
    for node in 0..options.nodes {
        stage.cluster.until(node, "peers", JOINED_WITHIN, |peers| peers == others).await?;
    }
    print(&format!(
        "all are connected, after {:?}; Ctrl-C or `down` ends it, `help` helps\n",
        began.elapsed()
    ));
    stage.run(requests).await?;
    let (served, lived) = (stage.served, began.elapsed());
    let count = stage.cluster.len();
    let endings = stage.cluster.shutdown().await?;
    let well = endings.iter().filter(|status| status.success()).count();
    print(&format!(
        "{count} nodes, {served} commands, {:.0} s; {well} ended in order\n",
        lived.as_secs_f64()
    ));
    Ok(())
}

struct Stage {
    cluster: ProcessCluster,
    served: u64,
}

impl Stage {
    async fn run(&mut self, requests: &mut mpsc::Receiver<Request>) -> io::Result<()> {
        let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
        let mut typed = BufReader::new(tokio::io::stdin()).lines();
        let mut can_type = true;
        let mut looks = interval(LOOK);
        loop {
            let (command, answer) = tokio::select! {
                _ = signal::ctrl_c() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                Some((command, answer)) = requests.recv() => (command, Some(answer)),
                line = typed.next_line(), if can_type => match line {
                    Ok(Some(line)) => (line, None),
                    _ => {
                        can_type = false;
                        continue;
                    }
                },
                _ = looks.tick() => {
                    self.listen().await;
                    continue;
                }
            };
            self.served += 1;
            let is_down = command.trim() == "down";
            let said = match self.act(command.trim()).await {
                Ok(said) => said,
                Err(error) => format!("error: {error}\n"),
            };
            match answer {
                Some(answer) => _ = answer.send(said),
                None => print(&said),
            }
            if is_down {
                return Ok(());
            }
        }
    }

    /// Prints what the nodes tell.
    async fn listen(&self) {
        for node in 0..self.cluster.len() {
            while let Ok(Ok(told)) = timeout(Duration::ZERO, self.cluster.next_told(node)).await {
                print(&format!("node-{node}: {told}\n"));
            }
        }
    }

    async fn act(&mut self, command: &str) -> Result<String, Box<dyn Error>> {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            [] => return Ok(String::new()),
            ["help"] => return Ok(crate::HELP.to_owned()),
            ["status"] => return self.status().await,
            ["greet", one, other] => {
                let greeting =
                    self.cluster.ask(number(one)?, &format!("greet node-{}", number(other)?)).await?;
                return Ok(format!("{greeting}\n"));
            }
            ["ask", node, ref question @ ..] => {
                return Ok(format!("{}\n", self.cluster.ask(number(node)?, &question.join(" ")).await?));
            }
            ["add"] => {
                let node = self.cluster.add().await?;
                self.introduce(node).await?;
                return Ok(format!("node-{node} is up\n"));
            }
            ["crash", node] => self.cluster.crash(number(node)?, Crash::Reset).await?,
            ["crash", node, "silent"] => self.cluster.crash(number(node)?, Crash::Silent).await?,
            ["restart", node] => {
                self.cluster.restart(number(node)?).await?;
                self.introduce(number(node)?).await?;
            }
            ["stop", node] => _ = self.cluster.stop(number(node)?).await?,
            ["freeze", node] => self.cluster.freeze(number(node)?)?,
            ["thaw", node] => self.cluster.thaw(number(node)?)?,
            ["partition", ref groups @ ..] => self.partition(groups)?,
            ["block", from, to] => self.cluster.block(number(from)?, number(to)?)?,
            ["unblock", from, to] => self.cluster.unblock(number(from)?, number(to)?)?,
            ["unplug", node] => self.cluster.unplug(number(node)?)?,
            ["plug-in", node] => self.cluster.plug_in(number(node)?)?,
            ["heal"] => self.cluster.heal()?,
            ["down"] => return Ok("going down\n".to_owned()),
            _ => return Err(format!("there is no command {command:?}; `help` lists them").into()),
        }
        Ok("done\n".to_owned())
    }

    /// `0,1 2` are two groups.
    fn partition(&mut self, groups: &[&str]) -> Result<(), Box<dyn Error>> {
        let numbers = |group: &&str| group.split(',').map(number).collect::<Result<Vec<_>, _>>();
        let groups: Vec<Vec<usize>> = groups.iter().map(numbers).collect::<Result<_, _>>()?;
        let groups: Vec<&[usize]> = groups.iter().map(Vec::as_slice).collect();
        Ok(self.cluster.partition(&groups)?)
    }

    /// Tells a node where all others are.
    async fn introduce(&self, node: usize) -> Result<(), ProcessError> {
        let mut others = Vec::new();
        for other in (0..self.cluster.len()).filter(|other| *other != node) {
            others.extend(self.cluster.addresses(other)?);
        }
        self.cluster.ask(node, &format!("know {}", others.join(" "))).await.map(drop)
    }

    async fn status(&mut self) -> Result<String, Box<dyn Error>> {
        let mut text = String::new();
        for node in 0..self.cluster.len() {
            let seen = self.cluster.inspect(node)?;
            let names = match seen.state {
                NodeState::Running => {
                    self.cluster.ask(node, "names").await.unwrap_or_else(|error| error.to_string())
                }
                _ => String::new(),
            };
            let process = seen.process.map_or(String::new(), |id| {
                let (kib, files) =
                    (seen.resident_kib.unwrap_or_default(), seen.descriptors.unwrap_or_default());
                format!(", process {id:<7} {kib:>7} KiB, {files:>3} files  {names}")
            });
            writeln!(text, "{:<9} {:<8} life {}{process}", seen.name, seen.state.to_string(), seen.lives)?;
        }
        Ok(text)
    }
}

/// `2` and `node-2` are the same.
fn number(word: &str) -> Result<usize, String> {
    let digits = word.strip_prefix("node-").unwrap_or(word);
    usize::from_str(digits).map_err(|_| format!("{word:?} is no node"))
}
