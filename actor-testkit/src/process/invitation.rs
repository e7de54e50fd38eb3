//! What a node is told when it starts: what it is called, where it is to listen, whom it is to join, and whatever else
//! the test wants it to know.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
use std::net::{IpAddr, SocketAddr};

use crate::limits::{INVITATION_LINES_MAX, LINE_BYTES_MAX};

use super::error::ProcessError;
use super::lines::{escape, unescape};
use super::node_process::Greeting;

/// Who a new node is, and whom it is to join. It comes through the process's standard input, so that no key is ever in a
/// file, on a command line or in an environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// What the node is called: `node-0`, `node-1`, …, unless it was told otherwise.
    pub name: String,
    /// Where it is to listen.
    pub ip: IpAddr,
    /// On which port; 0 is any that is free. A node that starts again gets the one that it had.
    pub port: u16,
    /// What it is to tell others in place of that: a relay is there, which passes on all that comes.
    pub advertised: Option<SocketAddr>,
    /// Where others are who were ready when it was started, as they said it; none for the first.
    pub seeds: Vec<String>,
    /// What else the test tells it.
    settings: BTreeMap<String, String>,
}

impl Invitation {
    pub(super) fn new(name: String, ip: IpAddr) -> Self {
        Self { name, ip, port: 0, advertised: None, seeds: Vec::new(), settings: BTreeMap::new() }
    }

    /// Tells the node something more: any text, under a key without spaces.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.settings.insert(key.replace(char::is_whitespace, "-"), value.into());
    }

    /// Tells it bytes.
    pub fn set_bytes(&mut self, key: &str, bytes: &[u8]) {
        self.set(key, bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }

    /// What the test told it under this key.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }

    /// Bytes that the test told it under this key; `None` if there are none, or none that [`set_bytes`](Self::set_bytes) wrote.
    pub fn bytes_of(&self, key: &str) -> Option<Vec<u8>> {
        let digits = self.setting(key)?.as_bytes();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(pair).collect())?
    }

    /// Reads it, and not a byte more.
    pub(super) fn read(from: &mut impl BufRead) -> Result<Self, ProcessError> {
        let unspecified = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        let mut invitation = Self::new(String::new(), unspecified);
        for _ in 0..INVITATION_LINES_MAX {
            let line = read_line(from)?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let wrong = || ProcessError::NotInvited(format!("{line:?}"));
            match verb {
                "name" => invitation.name = unescape(rest),
                "ip" => invitation.ip = rest.parse().map_err(|_| wrong())?,
                "port" => invitation.port = rest.parse().map_err(|_| wrong())?,
                "advertise" => invitation.advertised = Some(rest.parse().map_err(|_| wrong())?),
                "seed" => invitation.seeds.push(unescape(rest)),
                "set" => {
                    let (key, value) = rest.split_once(' ').ok_or_else(wrong)?;
                    invitation.settings.insert(key.to_owned(), unescape(value));
                }
                "come" if !invitation.name.is_empty() => return Ok(invitation),
                _ => return Err(wrong()),
            }
        }
        Err(ProcessError::NotInvited(format!("it has more than {INVITATION_LINES_MAX} lines")))
    }
}

impl Greeting for Invitation {
    fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut text = format!("name {}\nip {}\nport {}\n", escape(&self.name), self.ip, self.port);
        if let Some(address) = self.advertised {
            text += &format!("advertise {address}\n");
        }
        for seed in &self.seeds {
            text += &format!("seed {}\n", escape(seed));
        }
        for (key, value) in &self.settings {
            text += &format!("set {key} {}\n", escape(value));
        }
        text += "come\n";
        if text.lines().any(|line| line.len() >= LINE_BYTES_MAX)
            || text.lines().count() > INVITATION_LINES_MAX
        {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the invitation is too long"));
        }
        Ok(text.into_bytes())
    }
}

/// What the test tells a node may be its key: it stays out of logs.
impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Invitation");
        shown.field("name", &self.name).field("ip", &self.ip).field("port", &self.port);
        shown.field("advertised", &self.advertised);
        shown.field("seeds", &self.seeds).field("keys", &self.settings.keys()).finish_non_exhaustive()
    }
}

fn read_line(from: &mut impl BufRead) -> Result<String, ProcessError> {
    let mut line = Vec::new();
    from.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(ProcessError::NotInvited("it has no end".to_owned()));
    }
    String::from_utf8(line).map_err(|_| ProcessError::NotInvited("it is no text".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Invitation {
        let mut sent = Invitation::new("node-1".to_owned(), "127.0.0.1".parse().unwrap());
        (sent.port, sent.seeds) = (4242, vec!["tcp://127.0.0.1:1".to_owned(), "odd\none".to_owned()]);
        sent.advertised = Some("10.1.2.3:7".parse().unwrap());
        sent.set("key", "-----BEGIN\nPRIVATE\\KEY-----\n");
        sent.set("empty", "");
        sent.set_bytes("bytes", &[0, 1, 255]);
        sent
    }

    #[test]
    fn an_invitation_arrives_as_it_was_and_alone() {
        let sent = sample();
        let mut pipe = sent.bytes().unwrap();
        pipe.extend(b"more");
        let mut rest = &pipe[..];
        let read = Invitation::read(&mut rest).unwrap();
        assert_eq!((&read, rest), (&sent, &b"more"[..]));
        assert_eq!(read.bytes_of("bytes").unwrap(), [0, 1, 255]);
        assert_eq!(
            (read.setting("empty"), read.bytes_of("key"), read.setting("none")),
            (Some(""), None, None)
        );
    }

    #[test]
    fn what_is_no_invitation_is_refused() {
        for bytes in [
            &b""[..],
            b"name x",
            b"name x\n",
            b"come\n",
            b"dance\n",
            b"name \xff\ncome\n",
            b"port 70000\n",
            b"advertise me\n",
            b"set x\n",
        ] {
            let refused = Invitation::read(&mut &*bytes);
            assert!(matches!(refused, Err(ProcessError::NotInvited(_))), "{bytes:?}: {refused:?}");
        }
        let endless = "seed x\n".repeat(INVITATION_LINES_MAX + 1);
        assert!(Invitation::read(&mut endless.as_bytes()).is_err());
        let mut long = sample();
        long.set("long", "x".repeat(LINE_BYTES_MAX));
        assert!(long.bytes().is_err());
    }

    #[test]
    fn what_a_node_is_told_stays_out_of_logs() {
        let text = format!("{:?}", sample());
        assert!(text.contains("node-1") && text.contains("key") && !text.contains("PRIVATE"), "{text}");
    }
}
