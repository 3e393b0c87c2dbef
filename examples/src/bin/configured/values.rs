//! Values of the file: numbers and times with limits, names, and words for what is not set.

use std::{fmt, marker::PhantomData, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _},
    ser::Error as _,
};
use toml::Value;

/// A number from `MIN` to `MAX`.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
pub(crate) struct Number<T, const MIN: i64, const MAX: i64>(pub(crate) T);

/// A time from `MIN` to `MAX` milliseconds, as people write it: `1m 30s`.
#[derive(Clone, Copy)]
pub(crate) struct Time<const MIN: u64, const MAX: u64>(pub(crate) Duration);

/// A value that has a name.
#[derive(Clone, Copy)]
pub(crate) struct Named<T>(pub(crate) T);

/// Names of all values of a type.
pub(crate) trait Names: Copy + PartialEq + 'static {
    const NAMES: &'static [(&'static str, Self)];
}

/// A value, or a word for none.
pub(crate) struct Or<W, T>(pub(crate) Option<T>, PhantomData<W>);

/// A value, or `"kernel"` for the kernel's default.
pub(crate) type OrKernel<T> = Or<Kernel, T>;

/// A value, or `"none"` for no limit.
pub(crate) type OrNone<T> = Or<Nothing, T>;

/// A word of [`Or`].
pub(crate) trait Word {
    const WORD: &'static str;
}

pub(crate) struct Kernel;

impl Word for Kernel {
    const WORD: &'static str = "kernel";
}

pub(crate) struct Nothing;

impl Word for Nothing {
    const WORD: &'static str = "none";
}

impl<W, T> Or<W, T> {
    pub(crate) fn new(value: Option<T>) -> Self {
        Self(value, PhantomData)
    }
}

fn out_of_range<E: serde::de::Error>(
    value: impl fmt::Display,
    min: impl fmt::Display,
    max: impl fmt::Display,
) -> E {
    E::custom(format_args!("{value} is out of range: {min} to {max}"))
}

impl<'de, T: TryFrom<i64>, const MIN: i64, const MAX: i64> Deserialize<'de>
    for Number<T, MIN, MAX>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        match T::try_from(number) {
            Ok(value) if (MIN..=MAX).contains(&number) => Ok(Self(value)),
            _ => Err(out_of_range(number, MIN, MAX)),
        }
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Time<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = humantime::parse_duration(&text)
            .map_err(|error| D::Error::custom(format_args!("{text:?} is no time: {error}")))?;
        let (min, max) = (Duration::from_millis(MIN), Duration::from_millis(MAX));
        if (min..=max).contains(&time) {
            return Ok(Self(time));
        }
        let [min, max] = [min, max].map(humantime::format_duration);
        Err(out_of_range(text, min, max))
    }
}

impl<const MIN: u64, const MAX: u64> Serialize for Time<MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

impl<'de, T: Names> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = T::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| Self(*value)).ok_or_else(|| {
            let names: Vec<_> = T::NAMES.iter().map(|(name, _)| *name).collect();
            D::Error::custom(format_args!("{text:?} is none of: {}", names.join(", ")))
        })
    }
}

impl<T: Names> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match T::NAMES.iter().find(|(_, value)| *value == self.0) {
            Some((name, _)) => serializer.serialize_str(name),
            None => Err(S::Error::custom("a value has no name here")),
        }
    }
}

impl<'de, W: Word, T: DeserializeOwned> Deserialize<'de> for Or<W, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.as_str() == Some(W::WORD) {
            return Ok(Self::new(None));
        }
        let value = T::deserialize(value).map_err(|error| {
            D::Error::custom(format_args!("{}, or \"{}\"", error.message(), W::WORD))
        })?;
        Ok(Self::new(Some(value)))
    }
}

impl<W: Word, T: Serialize> Serialize for Or<W, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_str(W::WORD),
        }
    }
}
