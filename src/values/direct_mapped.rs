//! A direct-mapped cache: each key has one place, and of two keys with the same place the later one stays.

/// At most as many entries as places. It costs no more than a comparison, whatever strangers choose as keys.
#[derive(Debug)]
pub(crate) struct DirectMapped<K, V> {
    places: Vec<Option<(K, V)>>,
    /// A number that differs for nearly every key.
    number_of: fn(&K) -> u32,
}

impl<K: Eq, V> DirectMapped<K, V> {
    /// An empty cache of this many places.
    pub(crate) fn new(places: u32, number_of: fn(&K) -> u32) -> Self {
        Self { places: (0..places).map(|_| None).collect(), number_of }
    }

    /// What is kept of a key.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let (of, value) = self.places.get(self.place(key))?.as_ref()?;
        (of == key).then_some(value)
    }

    /// Keeps a value, in place of what was there.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let at = self.place(&key);
        if let Some(place) = self.places.get_mut(at) {
            *place = Some((key, value));
        }
    }

    /// Takes out what is kept of a key.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.place(key);
        self.places.get_mut(at)?.take_if(|(of, _)| of == key).map(|(_, value)| value)
    }

    /// All places, as they are filled.
    #[cfg(test)]
    pub(crate) fn places(&self) -> &[Option<(K, V)>] {
        &self.places
    }

    fn place(&self, key: &K) -> usize {
        let number = (self.number_of)(key) as usize;
        number.checked_rem(self.places.len()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::DirectMapped;

    #[test]
    fn of_two_keys_with_one_place_the_later_one_stays() {
        let mut cache = DirectMapped::new(4, |key| *key);
        cache.insert(1_u32, "one");
        cache.insert(2, "two");
        assert_eq!((cache.get(&1), cache.get(&2), cache.get(&5)), (Some(&"one"), Some(&"two"), None));
        assert_eq!(cache.remove(&5), None, "the place of 1, which stays");
        cache.insert(5, "five");
        assert_eq!((cache.get(&1), cache.get(&5)), (None, Some(&"five")));
        assert_eq!(cache.remove(&5), Some("five"));
        assert_eq!(cache.get(&5), None);
    }

    #[test]
    fn cache_without_places_keeps_nothing() {
        let mut cache = DirectMapped::new(0, |key| *key);
        cache.insert(1_u32, ());
        assert_eq!(cache.get(&1), None);
        assert_eq!(cache.remove(&1), None);
    }
}
