//! The reading half of a lane: what has arrived, whichever stream it came on.
//!
//! A writer that has lost a stream goes on with another, and writes again there what may be
//! lost; it says where it begins. So the same bytes may come more than once, and on two
//! streams at a time. Each counts at the place where it stands in the lane, and only what
//! comes next is news.

/// Where the reader of one stream is in a lane; `None` before the writer has said where it
/// begins.
pub(crate) type Position = Option<u64>;

/// What has arrived in a lane.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    received: u64,
    /// What the peer was told last.
    told: u64,
}

/// The peer goes on behind something that it has not sent, or has changed where its frames
/// begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gap;

impl Incoming {
    /// A stream's next frame of this lane begins at an offset.
    pub(crate) fn begin(&self, position: &mut Position, offset: u64) -> Result<(), Gap> {
        if offset > self.received {
            return Err(Gap);
        }
        *position = Some(offset);
        Ok(())
    }

    /// Takes a whole frame from a stream. Whether it is news.
    pub(crate) fn take(&mut self, position: &mut Position, bytes: usize) -> Result<bool, Gap> {
        let start = position.ok_or(Gap)?;
        let end = start.checked_add(bytes as u64).ok_or(Gap)?;
        *position = Some(end);
        if start == self.received {
            self.received = end;
            return Ok(true);
        }
        if end <= self.received { Ok(false) } else { Err(Gap) }
    }

    /// How much has arrived, and how much of it the peer was told of.
    pub(crate) fn received_and_told(&self) -> (u64, u64) {
        (self.received, self.told)
    }

    /// How much of that the peer was not told of.
    pub(crate) fn untold(&self) -> u64 {
        self.received - self.told
    }

    /// The peer is being told.
    pub(crate) fn tell(&mut self) -> u64 {
        self.told = self.received;
        self.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_count_where_they_stand() {
        let mut lane = Incoming::default();
        let (mut first, mut second) = (None, None);
        assert_eq!(lane.take(&mut first, 3), Err(Gap), "nobody has said where it is");
        lane.begin(&mut first, 0).unwrap();
        assert_eq!(lane.take(&mut first, 3), Ok(true));
        assert_eq!(lane.take(&mut first, 4), Ok(true));
        assert_eq!(lane.begin(&mut second, 8), Err(Gap));
        lane.begin(&mut second, 3).unwrap();
        assert_eq!(lane.take(&mut second, 4), Ok(false), "it came before");
        assert_eq!(lane.take(&mut second, 5), Ok(true));
        // What was still under way on the first one.
        assert_eq!(lane.take(&mut first, 5), Ok(false));
        assert_eq!(lane.take(&mut first, 1), Ok(true));
        assert_eq!(lane.take(&mut second, 2), Err(Gap), "half of it is known");
        assert_eq!(lane.untold(), 13);
        assert_eq!((lane.tell(), lane.untold()), (13, 0));
    }

    #[test]
    fn a_gap_is_seen_where_it_begins() {
        let mut lane = Incoming::default();
        let mut stream = None;
        lane.begin(&mut stream, 0).unwrap();
        lane.take(&mut stream, 5).unwrap();
        let mut other = None;
        lane.begin(&mut other, 2).unwrap();
        assert_eq!(lane.take(&mut other, 4), Err(Gap));
        let mut far = Some(u64::MAX);
        assert_eq!(lane.take(&mut far, 1), Err(Gap));
        assert_eq!(lane.tell(), 5);
    }
}
