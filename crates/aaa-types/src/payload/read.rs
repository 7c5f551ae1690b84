//! Reading a value that may have another shape than expected, in one pass and without losing it.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        DeserializeSeed, Error, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::Value;

use super::Extra;

/// A value that has the expected shape, or all of it as it came.
pub(super) type Fit<T> = Result<T, Value>;

/// What may be read from JSON, shape by shape. Whatever a type does not take becomes a [`Value`],
/// without being looked at twice; only text that is not JSON is an error.
pub(super) trait Read: Sized + Serialize {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fit<Self>, D::Error> {
        deserializer.deserialize_any(Shape(PhantomData))
    }

    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    fn from_unsigned(_: u64) -> Option<Self> {
        None
    }

    fn from_negative(_: i64) -> Option<Self> {
        None
    }

    fn from_text(_: &str) -> Option<Self> {
        None
    }

    fn from_items<'de, A: SeqAccess<'de>>(items: A) -> Result<Fit<Self>, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(items)).map(Err)
    }

    fn from_members<'de, A: MapAccess<'de>>(members: A) -> Result<Fit<Self>, A::Error> {
        // With the feature `arbitrary_precision`, which anybody may enable, a number comes as an
        // object that only a `Value` understands.
        let value = Value::deserialize(MapAccessDeserializer::new(members))?;
        let fit = match &value {
            Value::Number(number) => {
                let negative = || number.as_i64().and_then(Self::from_negative);
                number.as_u64().and_then(Self::from_unsigned).or_else(negative)
            }
            _ => None,
        };
        Ok(fit.ok_or(value))
    }
}

/// Asks for a value of a type.
pub(super) struct Reading<T>(PhantomData<T>);

impl<T> Reading<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Read> DeserializeSeed<'de> for Reading<T> {
    type Value = Fit<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Fit<T>, D::Error> {
        T::read(deserializer)
    }
}

/// Takes any value and offers it to the type.
struct Shape<T>(PhantomData<T>);

impl<'de, T: Read> Visitor<'de> for Shape<T> {
    type Value = Fit<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Fit<T>, E> {
        Ok(T::from_bool(flag).ok_or(Value::Bool(flag)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Fit<T>, E> {
        Ok(T::from_unsigned(number).ok_or_else(|| number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Fit<T>, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Ok(T::from_negative(number).ok_or_else(|| number.into())),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Fit<T>, E> {
        Ok(Err(number.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Fit<T>, E> {
        Ok(T::from_text(text).ok_or_else(|| text.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Fit<T>, E> {
        Ok(Err(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Fit<T>, A::Error> {
        T::from_items(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Fit<T>, A::Error> {
        T::from_members(members)
    }
}

impl Read for Value {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fit<Self>, D::Error> {
        Self::deserialize(deserializer).map(Ok)
    }
}

impl Read for Extra {
    fn from_members<'de, A: MapAccess<'de>>(members: A) -> Result<Fit<Self>, A::Error> {
        Ok(match Value::deserialize(MapAccessDeserializer::new(members))? {
            Value::Object(members) => Ok(members),
            other => Err(other),
        })
    }
}

impl Read for bool {
    fn from_bool(flag: bool) -> Option<Self> {
        Some(flag)
    }
}

impl Read for u64 {
    fn from_unsigned(number: u64) -> Option<Self> {
        Some(number)
    }
}

impl Read for String {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

/// A model that is large, or that may hold another one of itself.
impl<T: Read> Read for Box<T> {
    fn from_members<'de, A: MapAccess<'de>>(members: A) -> Result<Fit<Self>, A::Error> {
        Ok(T::from_members(members)?.map(Self::new))
    }
}

/// Exactly two numbers.
impl Read for [u64; 2] {
    fn from_items<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Fit<Self>, A::Error> {
        let Some(first) = items.next_element_seed(Reading::<u64>::new())? else {
            return Ok(Err(Value::Array(Vec::new())));
        };
        let second = items.next_element_seed(Reading::<u64>::new())?;
        let third = if second.is_some() { items.next_element::<Value>()? } else { None };
        if let (Ok(first), Some(Ok(second)), None) = (&first, &second, &third) {
            return Ok(Ok([*first, *second]));
        }
        let numbers = [Some(first), second].into_iter().flatten();
        let mut all: Vec<_> = numbers.map(|fit| fit.map_or_else(|odd| odd, Value::from)).collect();
        if let Some(third) = third {
            all.push(third);
            while let Some(item) = items.next_element()? {
                all.push(item);
            }
        }
        Ok(Err(Value::Array(all)))
    }
}

/// A list whose items all fit.
impl<T: Read> Read for Vec<T> {
    fn from_items<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Fit<Self>, A::Error> {
        let mut list = Self::new();
        let odd = loop {
            match items.next_element_seed(Reading::new())? {
                Some(Ok(item)) => list.push(item),
                Some(Err(odd)) => break odd,
                None => return Ok(Ok(list)),
            }
        };
        let mut all = list.iter().map(written).collect::<Result<Vec<_>, _>>()?;
        all.push(odd);
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Err(Value::Array(all)))
    }
}

/// An object whose members all fit. Of two with one name the last counts, as in a [`Value`].
impl<T: Read> Read for BTreeMap<String, T> {
    fn from_members<'de, A: MapAccess<'de>>(mut members: A) -> Result<Fit<Self>, A::Error> {
        let mut fits = BTreeMap::new();
        while let Some(name) = members.next_key()? {
            fits.insert(name, members.next_value_seed(Reading::<T>::new())?);
        }
        if fits.values().all(Result::is_ok) {
            return Ok(Ok(fits
                .into_iter()
                .filter_map(|(name, fit)| Some((name, fit.ok()?)))
                .collect()));
        }
        let mut all = Extra::new();
        for (name, fit) in fits {
            let value = match fit {
                Ok(value) => written(&value)?,
                Err(odd) => odd,
            };
            all.insert(name, value);
        }
        Ok(Err(Value::Object(all)))
    }
}

/// Returns the value that something was read from.
pub(super) fn written<T: Serialize, E: Error>(value: &T) -> Result<Value, E> {
    serde_json::to_value(value).map_err(E::custom)
}

/// Asks for the name of a member, borrowed unless it has escapes.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(name.into())
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(name.to_owned().into())
    }

    fn visit_string<E: Error>(self, name: String) -> Result<Self::Value, E> {
        Ok(name.into())
    }
}
