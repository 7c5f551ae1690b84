//! Values that X writes in two ways, kept in the way they came.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Unexpected, Visitor},
};

use super::read::Read;

/// A whole number that X writes as a JSON number in some places and as text in others; it is
/// written again as it came.
///
/// # Examples
///
/// ```
/// use aaa_types::payload::Integer;
///
/// for json in ["1522082006140", r#""1522082006140""#] {
///     let number: Integer = serde_json::from_str(json)?;
///     assert_eq!(number.as_u64(), Some(1522082006140));
///     assert_eq!(serde_json::to_string(&number)?, json);
/// }
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Integer(IntegerForm);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
enum IntegerForm {
    Unsigned(u64),
    Signed(i64),
    Text(String),
}

impl Integer {
    /// Returns the number; `None` when it is negative, or a text that is none.
    pub fn as_u64(&self) -> Option<u64> {
        match &self.0 {
            IntegerForm::Unsigned(number) => Some(*number),
            IntegerForm::Signed(number) => u64::try_from(*number).ok(),
            IntegerForm::Text(text) => text.parse().ok(),
        }
    }

    /// Returns the number; `None` when it is too large, or a text that is none.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            IntegerForm::Unsigned(number) => i64::try_from(*number).ok(),
            IntegerForm::Signed(number) => Some(*number),
            IntegerForm::Text(text) => text.parse().ok(),
        }
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            IntegerForm::Unsigned(number) => number.fmt(f),
            IntegerForm::Signed(number) => number.fmt(f),
            IntegerForm::Text(text) => f.write_str(text),
        }
    }
}

impl Read for Integer {
    fn from_unsigned(number: u64) -> Option<Self> {
        Some(Self(IntegerForm::Unsigned(number)))
    }

    fn from_negative(number: i64) -> Option<Self> {
        Some(Self(IntegerForm::Signed(number)))
    }

    fn from_text(text: &str) -> Option<Self> {
        Some(Self(IntegerForm::Text(text.to_owned())))
    }
}

/// A yes or no that X writes as a JSON boolean or as the text `"true"` or `"false"`; it is
/// written again as it came.
///
/// # Examples
///
/// ```
/// use aaa_types::payload::Flag;
///
/// assert!(serde_json::from_str::<Flag>(r#""true""#)?.is_set());
/// assert!(!serde_json::from_str::<Flag>("false")?.is_set());
/// assert!(serde_json::from_str::<Flag>(r#""maybe""#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flag {
    is_set: bool,
    is_text: bool,
}

impl Flag {
    /// Returns whether it is a yes.
    pub fn is_set(self) -> bool {
        self.is_set
    }
}

impl Read for Flag {
    fn from_bool(is_set: bool) -> Option<Self> {
        Some(Self { is_set, is_text: false })
    }

    fn from_text(text: &str) -> Option<Self> {
        let is_set = match text {
            "true" => true,
            "false" => false,
            _ => return None,
        };
        Some(Self { is_set, is_text: true })
    }
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.is_text, self.is_set) {
            (true, true) => serializer.serialize_str("true"),
            (true, false) => serializer.serialize_str("false"),
            (false, is_set) => serializer.serialize_bool(is_set),
        }
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl Visitor<'_> for Form {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false, also as a text")
            }

            fn visit_bool<E: Error>(self, is_set: bool) -> Result<Flag, E> {
                Ok(Flag { is_set, is_text: false })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
                Flag::from_text(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_number_survive() {
        for (json, unsigned, signed) in [
            ("5", Some(5), Some(5)),
            (r#""5""#, Some(5), Some(5)),
            ("-5", None, Some(-5)),
            (r#""-6850472171600526495""#, None, Some(-6_850_472_171_600_526_495)),
            ("18446744073709551615", Some(u64::MAX), None),
            (r#""null""#, None, None),
        ] {
            let number: Integer = serde_json::from_str(json).unwrap();
            assert_eq!((number.as_u64(), number.as_i64()), (unsigned, signed), "{json}");
            assert_eq!(serde_json::to_string(&number).unwrap(), json);
            assert_eq!(number.to_string(), json.trim_matches('"'));
        }
        for bad in ["1.5", "null", "[]", "true", "1e300"] {
            assert!(serde_json::from_str::<Integer>(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn both_forms_of_a_flag_survive() {
        for (json, set) in
            [("true", true), ("false", false), (r#""true""#, true), (r#""false""#, false)]
        {
            let flag: Flag = serde_json::from_str(json).unwrap();
            assert_eq!(flag.is_set(), set);
            assert_eq!(serde_json::to_string(&flag).unwrap(), json);
        }
        for bad in ["1", "null", r#""True""#, r#""""#, r#"{"true":null}"#] {
            assert!(serde_json::from_str::<Flag>(bad).is_err(), "{bad} was taken");
        }
    }
}
