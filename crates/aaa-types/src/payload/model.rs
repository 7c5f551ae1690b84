//! How every model of a payload is read and written: what it names becomes a field, everything
//! else stays in `extra` as it came.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{
    Deserializer, Serialize,
    de::{DeserializeOwned, Error, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::Value;

use super::Extra;

/// Declares a model. Behind each field stands how it is read and the member's name:
///
/// * `required`: without it, or in another shape, the item does not fit the model;
/// * `id`: the same, and an integer is read as the text of its digits;
/// * `optional`: what is `null` or has another shape than the field stays in `extra`;
/// * `list` and `map`: the same, and empty when absent. An empty one that came is in `extra`, so
///   that it is not lost either.
macro_rules! model {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[$field_meta:meta])*
                $vis:vis $field:ident: $type:ty = $how:ident($member:literal),
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                $vis $field: $type,
            )*
            /// Everything else, and what is `null` or not of the shape named here.
            pub extra: $crate::payload::Extra,
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let mut extra = $crate::payload::model::members(deserializer)?;
                Ok(Self {
                    $($field: $crate::payload::model::$how::read(&mut extra, $member)?,)*
                    extra,
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                let mut written = Vec::new();
                $(
                    if $crate::payload::model::$how::write(&mut map, $member, &self.$field)? {
                        written.push($member);
                    }
                )*
                $crate::payload::model::finish(map, &self.extra, &written)
            }
        }
    };
}

/// Declares an enum of X's words, with a place for those that are not known yet.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $(
                $(#[$word_meta:meta])*
                $variant:ident = $word:literal,
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(
                $(#[$word_meta])*
                $variant,
            )*
            /// A word that is not known here.
            Other(String),
        }

        impl $name {
            /// Returns X's own word.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                Ok(match word.as_str() {
                    $($word => Self::$variant,)*
                    _ => Self::Other(word),
                })
            }
        }
    };
}

pub(super) use {model, words};

/// Reads all members of an object. A name that comes twice is refused, since one of the two would
/// be lost.
pub(super) fn members<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Extra, D::Error> {
    struct Collect;

    impl<'de> Visitor<'de> for Collect {
        type Value = Extra;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Extra, A::Error> {
            let mut members = Extra::new();
            while let Some((name, value)) = map.next_entry::<String, Value>()? {
                if members.contains_key(&name) {
                    return Err(A::Error::custom(format_args!("the member `{name}` comes twice")));
                }
                members.insert(name, value);
            }
            Ok(members)
        }
    }

    deserializer.deserialize_map(Collect)
}

/// Writes what is left. A field that was set since wins over a member of its name in `extra`.
pub(super) fn finish<M: SerializeMap>(
    mut map: M,
    extra: &Extra,
    written: &[&str],
) -> Result<M::Ok, M::Error> {
    for (name, value) in extra {
        if !written.contains(&name.as_str()) {
            map.serialize_entry(name, value)?;
        }
    }
    map.end()
}

/// Takes a member out when it fits, and leaves it where it is otherwise.
fn take<T: DeserializeOwned>(extra: &mut Extra, name: &str) -> Option<T> {
    let value = T::deserialize(extra.get(name)?).ok()?;
    extra.remove(name);
    Some(value)
}

pub(super) mod required {
    use super::{DeserializeOwned, Error, Extra, Serialize, SerializeMap};

    pub(in crate::payload) fn read<T: DeserializeOwned, E: Error>(
        extra: &mut Extra,
        name: &'static str,
    ) -> Result<T, E> {
        let value = extra.get(name).ok_or_else(|| E::missing_field(name))?;
        let value = T::deserialize(value).map_err(E::custom)?;
        extra.remove(name);
        Ok(value)
    }

    pub(in crate::payload) fn write<M: SerializeMap>(
        map: &mut M,
        name: &str,
        value: &impl Serialize,
    ) -> Result<bool, M::Error> {
        map.serialize_entry(name, value)?;
        Ok(true)
    }
}

pub(super) mod id {
    use super::{Error, Extra, FromStr};
    use crate::id::{IdError, text_or_integer};

    pub(in crate::payload) use super::required::write;

    pub(in crate::payload) fn read<T, E: Error>(
        extra: &mut Extra,
        name: &'static str,
    ) -> Result<T, E>
    where
        T: FromStr<Err = IdError> + TryFrom<u64, Error = IdError>,
    {
        let value = extra.get(name).ok_or_else(|| E::missing_field(name))?;
        let id = text_or_integer(value).map_err(E::custom)?;
        extra.remove(name);
        Ok(id)
    }
}

pub(super) mod optional {
    use super::{DeserializeOwned, Error, Extra, Serialize, SerializeMap, take};

    // `Result` because the three ways to read have one signature.
    pub(in crate::payload) fn read<T: DeserializeOwned, E: Error>(
        extra: &mut Extra,
        name: &str,
    ) -> Result<Option<T>, E> {
        Ok(take(extra, name))
    }

    pub(in crate::payload) fn write<M: SerializeMap>(
        map: &mut M,
        name: &str,
        value: &Option<impl Serialize>,
    ) -> Result<bool, M::Error> {
        match value {
            Some(value) => super::required::write(map, name, value),
            None => Ok(false),
        }
    }
}

pub(super) mod list {
    use super::{DeserializeOwned, Error, Extra, Serialize, SerializeMap, Value, take};

    pub(in crate::payload) fn read<T: DeserializeOwned, E: Error>(
        extra: &mut Extra,
        name: &str,
    ) -> Result<Vec<T>, E> {
        match extra.get(name) {
            Some(Value::Array(items)) if !items.is_empty() => {
                Ok(take(extra, name).unwrap_or_default())
            }
            _ => Ok(Vec::new()),
        }
    }

    pub(in crate::payload) fn write<M: SerializeMap>(
        map: &mut M,
        name: &str,
        value: &[impl Serialize],
    ) -> Result<bool, M::Error> {
        if value.is_empty() {
            return Ok(false);
        }
        super::required::write(map, name, &value)
    }
}

pub(super) mod map {
    use super::{BTreeMap, DeserializeOwned, Error, Extra, Serialize, SerializeMap, Value, take};

    pub(in crate::payload) fn read<T: DeserializeOwned, E: Error>(
        extra: &mut Extra,
        name: &str,
    ) -> Result<BTreeMap<String, T>, E> {
        match extra.get(name) {
            Some(Value::Object(items)) if !items.is_empty() => {
                Ok(take(extra, name).unwrap_or_default())
            }
            _ => Ok(BTreeMap::new()),
        }
    }

    pub(in crate::payload) fn write<M: SerializeMap>(
        map: &mut M,
        name: &str,
        value: &BTreeMap<String, impl Serialize>,
    ) -> Result<bool, M::Error> {
        if value.is_empty() {
            return Ok(false);
        }
        super::required::write(map, name, value)
    }
}
