//! Many readings, few figures.

/// The middle of readings, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// `None` of nothing.
pub(crate) fn summary(readings: &[f64]) -> Option<Summary> {
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

/// The least value that this part of all, in a thousand, does not exceed; `NaN` of nothing.
pub(crate) fn percentile(values: &mut [f64], permille: usize) -> f64 {
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
    fn a_percentile_is_one_of_the_values() {
        let mut values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!([500, 990, 1000].map(|part| percentile(&mut values, part)), [100.0, 198.0, 200.0]);
        assert_eq!(percentile(&mut [7.0], 990), 7.0);
        assert!(percentile(&mut [], 500).is_nan());
    }
}
