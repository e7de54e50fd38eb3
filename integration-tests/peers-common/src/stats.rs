//! Many readings, few figures.

/// The middle of readings, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// `None` of nothing.
pub fn summary(readings: &[f64]) -> Option<Summary> {
    let mut sorted = readings.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let middle = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    };
    Some(Summary { median, min, max })
}

/// Of readings taken one after the other, in how many pairs the first was the slower.
pub fn slower(first: &[f64], second: &[f64]) -> usize {
    first.iter().zip(second).filter(|(first, second)| first > second).count()
}

/// A picture of where readings lie: equal steps of the logarithm from the
/// smallest of `all` to the largest, so that two modes of one thing are seen as two.
pub fn histogram(readings: &[f64], all: &[f64]) -> Vec<Bar> {
    let Some(range) = summary(all).filter(|range| range.min > 0.0) else { return Vec::new() };
    let ratio = (range.max / range.min).max(1.000_001).ln() / BARS as f64;
    let edge = |at: usize| range.min * (ratio * at as f64).exp();
    let place = |reading: f64| (((reading / range.min).ln() / ratio).max(0.0) as usize).min(BARS - 1);
    let mut bars: Vec<Bar> = (0..BARS).map(|at| Bar { from: edge(at), to: edge(at + 1), count: 0 }).collect();
    readings.iter().for_each(|reading| bars[place(*reading)].count += 1);
    bars
}

/// Readings from here to there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    pub from: f64,
    pub to: f64,
    pub count: usize,
}

const BARS: usize = 16;

/// The least value that this part of all, in a thousand, does not exceed; `NaN` of nothing.
pub fn percentile(values: &mut [f64], permille: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() * permille).div_ceil(1000).max(1);
    values.get(place - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_the_spread_the_ends() {
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[3.0, 1.0, 2.0]), Some(Summary { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(summary(&[4.0, 1.0, 2.0, 3.0]), Some(Summary { median: 2.5, min: 1.0, max: 4.0 }));
    }

    #[test]
    fn pairs_are_compared_one_by_one() {
        assert_eq!(slower(&[1.0, 5.0, 3.0], &[2.0, 4.0, 3.0]), 1);
    }

    #[test]
    fn every_reading_has_a_bar() {
        let all = [10.0, 11.0, 100.0, 101.0];
        let bars = histogram(&all, &all);
        assert_eq!(bars.iter().map(|bar| bar.count).sum::<usize>(), 4);
        assert_eq!((bars[0].count, bars[BARS - 1].count), (2, 2));
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!([500, 990, 1000].map(|part| percentile(&mut values, part)), [100.0, 198.0, 200.0]);
        assert_eq!(percentile(&mut [7.0], 990), 7.0);
        assert!(percentile(&mut [], 500).is_nan());
    }
}
