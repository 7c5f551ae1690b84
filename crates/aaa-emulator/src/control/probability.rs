use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// How probable something is: above 0 and at most 1, to a millionth.
///
/// # Examples
///
/// ```
/// use aaa_emulator::control::Probability;
///
/// let quarter = Probability::new(0.25).ok_or("out of range")?;
/// assert_eq!(quarter.as_f64(), 0.25);
/// assert_eq!(Probability::new(1.5), None);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probability(u32);

const WHOLE: f64 = 1_000_000.0;

impl Probability {
    /// Takes a fraction, if it is one.
    pub fn new(fraction: f64) -> Option<Self> {
        let millionths = (fraction * WHOLE).round();
        // What is no number is in no range.
        (1.0..=WHOLE).contains(&millionths).then_some(Self(millionths as u32))
    }

    /// Returns the fraction.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / WHOLE
    }

    /// Says whether it happens, given a number drawn at random.
    pub(crate) fn happens(self, drawn: u64) -> bool {
        drawn % 1_000_000 < u64::from(self.0)
    }
}

impl fmt::Debug for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

impl Serialize for Probability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fraction = f64::deserialize(deserializer)?;
        let refuse = || D::Error::custom("a probability is above 0 and at most 1");
        Self::new(fraction).ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_happen() {
        for bad in [0.0, -0.5, 1.01, 0.000_000_1, f64::NAN, f64::INFINITY] {
            assert_eq!(Probability::new(bad), None, "{bad}");
        }
        let rare = Probability::new(0.000_001).unwrap();
        assert!(rare.happens(0) && !rare.happens(1));
        assert!(Probability::new(1.0).unwrap().happens(999_999));
        assert_eq!(serde_json::to_string(&Probability::new(0.1).unwrap()).unwrap(), "0.1");
        assert!(serde_json::from_str::<Probability>("2").is_err());
    }
}
