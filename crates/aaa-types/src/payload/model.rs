//! How every model of a payload is read and written: what it names becomes a field, everything
//! else stays in `extra` as it came.

use std::{borrow::Cow, collections::BTreeMap, str::FromStr};

use serde::{
    Serialize,
    de::{Error, MapAccess},
    ser::SerializeMap,
};
use serde_json::Value;

use super::{
    Extra,
    read::{Fit, Read, Reading, written},
};

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

        impl $name {
            /// Reads the members; without one that is required, gives back its name and them all.
            fn from_object<'de, A: serde::de::MapAccess<'de>>(
                mut members: A,
                repeats: $crate::payload::model::Repeats,
            ) -> Result<Result<Self, (&'static str, $crate::payload::Extra)>, A::Error> {
                use $crate::payload::{model, read};

                let mut extra = $crate::payload::Extra::new();
                $(let mut $field = model::Slot::Absent;)*
                while let Some(name) = members.next_key_seed(read::Name)? {
                    match &*name {
                        $($member => {
                            let fit = model::$how::read(&mut members)?;
                            $field.put($member, fit, &mut extra, repeats)?;
                        })*
                        _ => model::put_extra(name, members.next_value()?, &mut extra, repeats)?,
                    }
                }
                let lacking = [$(model::$how::lacks(&$field, $member)),*];
                if let Some(lacking) = lacking.into_iter().flatten().next() {
                    $($field.put_back($member, &mut extra)?;)*
                    return Ok(Err((lacking, extra)));
                }
                Ok(Ok(Self { $($field: model::$how::field($field, $member)?,)* extra }))
            }
        }

        impl $crate::payload::read::Read for $name {
            fn from_members<'de, A: serde::de::MapAccess<'de>>(
                members: A,
            ) -> Result<$crate::payload::read::Fit<Self>, A::Error> {
                let read = Self::from_object(members, $crate::payload::model::Repeats::LastCounts)?;
                Ok(read.map_err(|(_, members)| serde_json::Value::Object(members)))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Object;

                impl<'de> serde::de::Visitor<'de> for Object {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        members: A,
                    ) -> Result<$name, A::Error> {
                        $name::from_object(members, $crate::payload::model::Repeats::Refused)?
                            .map_err($crate::payload::model::misfit)
                    }
                }

                deserializer.deserialize_map(Object)
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

        impl $crate::payload::read::Read for $name {
            fn from_text(word: &str) -> Option<Self> {
                Some(match word {
                    $($word => Self::$variant,)*
                    _ => Self::Other(word.to_owned()),
                })
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

/// What to make of a name that comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    /// The whole item is refused, since one of the two would be lost.
    Refused,
    /// The last one counts, as it does inside every [`Value`].
    LastCounts,
}

/// A member that a model names, while the model is read.
pub(super) enum Slot<T> {
    /// It did not come yet.
    Absent,
    /// It came and fits.
    Fits(T),
    /// It came and is among the extra members.
    Odd,
}

impl<T: Serialize> Slot<T> {
    pub(super) fn put<E: Error>(
        &mut self,
        name: &str,
        fit: Fit<T>,
        extra: &mut Extra,
        repeats: Repeats,
    ) -> Result<(), E> {
        if !matches!(self, Self::Absent) {
            if repeats == Repeats::Refused {
                return Err(twice(name));
            }
            extra.remove(name);
        }
        *self = match fit {
            Ok(value) => Self::Fits(value),
            Err(odd) => {
                extra.insert(name.to_owned(), odd);
                Self::Odd
            }
        };
        Ok(())
    }

    /// Puts what fits where the rest is.
    pub(super) fn put_back<E: Error>(&self, name: &str, extra: &mut Extra) -> Result<(), E> {
        if let Self::Fits(value) = self {
            extra.insert(name.to_owned(), written(value)?);
        }
        Ok(())
    }
}

/// Keeps a member that the model does not name.
pub(super) fn put_extra<E: Error>(
    name: Cow<'_, str>,
    value: Value,
    extra: &mut Extra,
    repeats: Repeats,
) -> Result<(), E> {
    use serde_json::map::Entry;

    match extra.entry(name.into_owned()) {
        Entry::Vacant(place) => {
            place.insert(value);
        }
        Entry::Occupied(place) if repeats == Repeats::Refused => return Err(twice(place.key())),
        Entry::Occupied(mut place) => {
            place.insert(value);
        }
    }
    Ok(())
}

fn twice<E: Error>(name: &str) -> E {
    E::custom(format_args!("the member `{name}` comes twice"))
}

/// Says why members are no item of a model.
pub(super) fn misfit<E: Error>((name, members): (&'static str, Extra)) -> E {
    if members.contains_key(name) {
        E::custom(format_args!("the member `{name}` has another shape than expected"))
    } else {
        E::missing_field(name)
    }
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

pub(super) mod required {
    use super::{Error, Fit, MapAccess, Read, Reading, Serialize, SerializeMap, Slot};

    pub(in crate::payload) fn read<'de, T: Read, A: MapAccess<'de>>(
        members: &mut A,
    ) -> Result<Fit<T>, A::Error> {
        members.next_value_seed(Reading::new())
    }

    pub(in crate::payload) fn lacks<T>(slot: &Slot<T>, name: &'static str) -> Option<&'static str> {
        (!matches!(slot, Slot::Fits(_))).then_some(name)
    }

    pub(in crate::payload) fn field<T, E: Error>(
        slot: Slot<T>,
        name: &'static str,
    ) -> Result<T, E> {
        match slot {
            Slot::Fits(value) => Ok(value),
            Slot::Absent | Slot::Odd => Err(E::missing_field(name)),
        }
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
    use super::{Fit, FromStr, MapAccess, Value};
    use crate::id::{IdError, text_or_integer};

    pub(in crate::payload) use super::required::{field, lacks, write};

    pub(in crate::payload) fn read<'de, T, A: MapAccess<'de>>(
        members: &mut A,
    ) -> Result<Fit<T>, A::Error>
    where
        T: FromStr<Err = IdError> + TryFrom<u64, Error = IdError>,
    {
        let value = members.next_value::<Value>()?;
        Ok(text_or_integer(&value).map_err(|_| value))
    }
}

pub(super) mod optional {
    use super::{Error, Serialize, SerializeMap, Slot};

    pub(in crate::payload) use super::required::read;

    pub(in crate::payload) fn lacks<T>(_: &Slot<T>, _: &'static str) -> Option<&'static str> {
        None
    }

    // `Result` because all ways to take a field have one signature.
    pub(in crate::payload) fn field<T, E: Error>(
        slot: Slot<T>,
        _: &'static str,
    ) -> Result<Option<T>, E> {
        Ok(match slot {
            Slot::Fits(value) => Some(value),
            Slot::Absent | Slot::Odd => None,
        })
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
    use super::{Error, Fit, MapAccess, Read, Serialize, SerializeMap, Slot, Value};

    pub(in crate::payload) use super::optional::lacks;

    pub(in crate::payload) fn read<'de, T: Read, A: MapAccess<'de>>(
        members: &mut A,
    ) -> Result<Fit<Vec<T>>, A::Error> {
        let fit: Fit<Vec<T>> = super::required::read(members)?;
        Ok(fit.and_then(
            |list| if list.is_empty() { Err(Value::Array(Vec::new())) } else { Ok(list) },
        ))
    }

    pub(in crate::payload) fn field<T: Default, E: Error>(
        slot: Slot<T>,
        name: &'static str,
    ) -> Result<T, E> {
        super::optional::field(slot, name).map(Option::unwrap_or_default)
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
    use super::{BTreeMap, Extra, Fit, MapAccess, Read, Serialize, SerializeMap, Value};

    pub(in crate::payload) use super::{list::field, optional::lacks};

    pub(in crate::payload) fn read<'de, T: Read, A: MapAccess<'de>>(
        members: &mut A,
    ) -> Result<Fit<BTreeMap<String, T>>, A::Error> {
        let fit: Fit<BTreeMap<String, T>> = super::required::read(members)?;
        Ok(fit.and_then(
            |map| if map.is_empty() { Err(Value::Object(Extra::new())) } else { Ok(map) },
        ))
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
