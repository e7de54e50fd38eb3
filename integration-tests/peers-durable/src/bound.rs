//! What a row is to reach, as a ratio to what was measured beside it in the same run.

use std::fmt;

/// Ours against others of the same row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No more than so many times that system's.
    AtMostTimes(f64, &'static str),
    /// No more than that system's and so much.
    AtMostPlus(f64, &'static str),
    /// At least so many times that system's.
    AtLeastTimes(f64, &'static str),
    /// At least the lower of two: so many times each one's.
    AtLeastLower([(f64, &'static str); 2]),
}

/// How far it is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// The figure that ours is held against.
    pub(crate) limit: f64,
    pub(crate) is_met: bool,
}

impl Bound {
    /// `None` if something that it takes was not measured.
    pub(crate) fn judge(self, figure: impl Fn(&str) -> Option<f64>) -> Option<Verdict> {
        let ours = figure("ours")?;
        let (limit, is_more_better) = match self {
            Self::AtMost(most) => (most, false),
            Self::AtMostTimes(times, of) => (times * figure(of)?, false),
            Self::AtMostPlus(more, of) => (figure(of)? + more, false),
            Self::AtLeastTimes(times, of) => (times * figure(of)?, true),
            Self::AtLeastLower([(first, one), (second, other)]) => {
                ((first * figure(one)?).min(second * figure(other)?), true)
            }
        };
        let is_met = if is_more_better { ours >= limit } else { ours <= limit };
        Some(Verdict { limit, is_met })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "ours <= {most}"),
            Self::AtMostTimes(times, of) => write!(f, "ours <= {times} x {of}"),
            Self::AtMostPlus(more, of) => write!(f, "ours <= {of} + {more}"),
            Self::AtLeastTimes(times, of) => write!(f, "ours >= {times} x {of}"),
            Self::AtLeastLower([(first, one), (second, other)]) => {
                write!(f, "ours >= {first} x {one} or {second} x {other}, whichever is lower")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(bound: Bound, ours: f64) -> Option<(f64, bool)> {
        let figure = |system: &str| match system {
            "ours" => Some(ours),
            "floor" => Some(10.0),
            "other" => Some(900.0),
            _ => None,
        };
        bound.judge(figure).map(|verdict| (verdict.limit, verdict.is_met))
    }

    #[test]
    fn a_bound_is_met_up_to_its_limit() {
        assert_eq!(judged(Bound::AtMost(5.0), 5.0), Some((5.0, true)));
        assert_eq!(judged(Bound::AtMost(5.0), 5.1), Some((5.0, false)));
        assert_eq!(judged(Bound::AtMostTimes(8.0, "floor"), 80.0), Some((80.0, true)));
        assert_eq!(judged(Bound::AtMostTimes(8.0, "floor"), 81.0), Some((80.0, false)));
        assert_eq!(judged(Bound::AtMostPlus(1.0, "floor"), 11.5), Some((11.0, false)));
        assert_eq!(judged(Bound::AtLeastTimes(0.8, "floor"), 8.0), Some((8.0, true)));
        assert_eq!(judged(Bound::AtLeastTimes(0.8, "floor"), 7.9), Some((8.0, false)));
    }

    #[test]
    fn the_lower_of_two_counts() {
        let bound = Bound::AtLeastLower([(20.0, "floor"), (0.5, "other")]);
        assert_eq!(judged(bound, 200.0), Some((200.0, true)));
        let bound = Bound::AtLeastLower([(200.0, "floor"), (0.5, "other")]);
        assert_eq!(judged(bound, 449.0), Some((450.0, false)));
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        assert_eq!(judged(Bound::AtMostTimes(8.0, "nobody"), 1.0), None);
    }
}
