//! The node's side: what a program does to be a node of a cluster of processes.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::process;
use std::thread;

use tokio::sync::mpsc;

use crate::limits::{GUEST_GRACE, LINE_BYTES_MAX, QUESTIONS_MAX};

use super::error::ProcessError;
use super::invitation::Invitation;
use super::lines::{GUEST, MARK, escape, unescape};

/// This process, as a node that a [`ProcessCluster`](super::ProcessCluster) has started.
#[derive(Debug)]
pub struct Guest {
    invitation: Invitation,
    orders: mpsc::Receiver<Order>,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// Only held: whoever interrupts the test from a terminal interrupts its nodes too, and it is the test that ends them.
    #[cfg(unix)]
    _interrupt: tokio::signal::unix::Signal,
}

/// What the cluster wants of a node.
#[derive(Debug)]
pub enum Order {
    /// An answer.
    Ask(Question),
    /// To end, in an orderly way: it has had a SIGTERM, or whoever started it is gone. In the latter case the process ends by
    /// itself after [`GUEST_GRACE`], whatever it does.
    Stop,
}

impl Guest {
    /// Reads the invitation; `None` if no cluster has started this process. To be called once, before anything else reads the
    /// standard input, in a tokio runtime whose drivers are enabled.
    ///
    /// # Errors
    ///
    /// [`ProcessError::NotInvited`] if what comes is no invitation; what the system says.
    ///
    /// # Panics
    ///
    /// Outside such a runtime.
    pub fn arrive() -> Result<Option<Self>, ProcessError> {
        if std::env::var_os(GUEST).is_none() {
            return Ok(None);
        }
        #[cfg(unix)]
        let (terminate, interrupt) = {
            use tokio::signal::unix::{SignalKind, signal};
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        let invitation = Invitation::read(&mut io::stdin().lock())?;
        let (sender, orders) = mpsc::channel(QUESTIONS_MAX);
        // A thread of its own, which the end of the process takes along: a read that
        // the runtime made would hold up the runtime's end.
        thread::Builder::new().name("actor-testkit-guest".to_owned()).spawn(move || listen(&sender))?;
        Ok(Some(Self {
            invitation,
            orders,
            #[cfg(unix)]
            terminate,
            #[cfg(unix)]
            _interrupt: interrupt,
        }))
    }

    /// What it was told.
    pub fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    /// Says that it is up, and where others find it. Whoever started it waits for this.
    pub fn ready(&self, addresses: impl IntoIterator<Item = impl Display>) {
        let addresses: Vec<_> = addresses.into_iter().map(|address| address.to_string()).collect();
        say(&format!("ready {}", addresses.join(" ")));
    }

    /// Says something to the test, for [`next_told`](super::ProcessCluster::next_told).
    pub fn tell(words: impl Display) {
        say(&format!("tell {}", escape(&words.to_string())));
    }

    /// The next order. Safe to cancel.
    pub async fn next(&mut self) -> Order {
        #[cfg(unix)]
        return tokio::select! {
            order = self.orders.recv() => order.unwrap_or(Order::Stop),
            _ = self.terminate.recv() => Order::Stop,
        };
        #[cfg(not(unix))]
        self.orders.recv().await.unwrap_or(Order::Stop)
    }
}

/// A question of the test's. One that is dropped is refused.
#[derive(Debug)]
pub struct Question {
    id: u64,
    text: String,
    is_answered: bool,
}

impl Question {
    /// What is asked.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Answers it.
    pub fn answer(mut self, words: impl Display) {
        self.say("answer", &words.to_string());
    }

    /// Says that there is no answer, and why.
    pub fn refuse(mut self, why: impl Display) {
        self.say("refuse", &why.to_string());
    }

    fn say(&mut self, verb: &str, words: &str) {
        self.is_answered = true;
        say(&format!("{verb} {} {}", self.id, escape(words)));
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if !self.is_answered {
            self.say("refuse", "nobody answers that");
        }
    }
}

/// Reads orders for as long as somebody gives some, and ends this process some time after.
fn listen(orders: &mpsc::Sender<Order>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        // Not locked for long: the program may print meanwhile, and read nothing.
        let read =
            io::BufRead::read_until(&mut io::stdin().lock().take(LINE_BYTES_MAX as u64), b'\n', &mut line);
        if !matches!(read, Ok(bytes) if bytes > 0) {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let order = match text.trim_end().split_once(' ') {
            Some(("ask", rest)) => question(rest),
            _ if text.trim_end() == "stop" => Some(Order::Stop),
            _ => None,
        };
        // Nobody takes orders any more; the end is waited for all the same.
        _ = order.map(|order| orders.blocking_send(order));
    }
    _ = orders.try_send(Order::Stop);
    thread::sleep(GUEST_GRACE);
    process::exit(1);
}

fn question(rest: &str) -> Option<Order> {
    let (id, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let id = id.parse().ok()?;
    Some(Order::Ask(Question { id, text: unescape(text), is_answered: false }))
}

fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    // On a line of its own, whatever was printed before. It fails where the test is gone; then this process soon is, too.
    _ = writeln!(stdout, "\n{MARK}{line}").and_then(|()| stdout.flush());
}
