//! Type map of a request.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
};

/// Values that middleware attaches to a request, one for each type.
///
/// A type map like that of the `http` crate, which is not used because it would add the whole
/// vocabulary of HTTP. An empty map is a null pointer, so a request without extensions costs no
/// allocation.
#[derive(Clone, Default)]
#[expect(
    clippy::box_collection,
    reason = "a request carries one pointer, not the map's four words"
)]
pub struct Extensions(Option<Box<HashMap<TypeId, Box<dyn Value>>>>);

impl Extensions {
    /// Creates an empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Attaches a value, and returns the one of the same type that it replaces.
    pub fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        let replaced = self
            .0
            .get_or_insert_default()
            .insert(TypeId::of::<T>(), Box::new(value))?;
        replaced.into_any().downcast().ok().map(|value| *value)
    }

    /// Returns the value of a type.
    #[must_use]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        // `as_ref` on the box: the box itself is `Any` too, and would be the wrong one.
        self.0
            .as_ref()?
            .get(&TypeId::of::<T>())?
            .as_ref()
            .as_any()
            .downcast_ref()
    }

    /// Returns the value of a type, for modification.
    #[must_use]
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        self.0
            .as_mut()?
            .get_mut(&TypeId::of::<T>())?
            .as_mut()
            .as_any_mut()
            .downcast_mut()
    }

    /// Removes the value of a type.
    pub fn remove<T: 'static>(&mut self) -> Option<T> {
        let removed = self.0.as_mut()?.remove(&TypeId::of::<T>())?;
        removed.into_any().downcast().ok().map(|value| *value)
    }

    /// Returns `true` if nothing is attached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|map| map.is_empty())
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.0.as_ref().map_or(0, |map| map.len());
        write!(f, "Extensions({len})")
    }
}

/// Value that can be shared between threads, and cloned with its request, as tower's retry does.
trait Value: Any + Send + Sync {
    fn clone_box(&self) -> Box<dyn Value>;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<T: Clone + Send + Sync + 'static> Value for T {
    fn clone_box(&self) -> Box<dyn Value> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl Clone for Box<dyn Value> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_one_value_of_each_type() {
        let mut extensions = Extensions::new();
        assert!(extensions.is_empty());
        assert_eq!(extensions.insert(5u32), None);
        assert_eq!(extensions.insert("text"), None);
        assert_eq!(extensions.insert(6u32), Some(5));
        assert_eq!(extensions.get::<u32>(), Some(&6));
        assert_eq!(extensions.get::<u64>(), None);
        assert_eq!(extensions.remove::<&str>(), Some("text"));
        assert_eq!(extensions.remove::<&str>(), None);
    }

    #[test]
    fn clone_is_independent() {
        let mut original = Extensions::new();
        original.insert(String::from("a"));
        let mut clone = original.clone();
        clone.get_mut::<String>().unwrap().push('b');
        assert_eq!(original.get::<String>().unwrap(), "a");
        assert_eq!(clone.get::<String>().unwrap(), "ab");
    }
}
