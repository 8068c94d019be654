//! Cells by key, each made when it is first asked for, and forgotten where there are too many.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Cells by key. Its users hold a cell; those that nobody holds are forgotten first where they are as good as new.
pub(crate) struct Remembered<K, V> {
    cells: HashMap<K, Arc<V>>,
    /// With so many, those are looked for that can be forgotten. Doubled where few can: a look at all is not for every
    /// client that comes.
    sweep_at: usize,
}

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self { cells: HashMap::new(), sweep_at: 0 }
    }
}

impl<K: Eq + Hash, V> Remembered<K, V> {
    /// The cell of a key, made when there is none. Of those that nobody holds, `max` are kept.
    pub(crate) fn cell(
        &mut self,
        key: K,
        max: usize,
        is_as_new: impl Fn(&V) -> bool,
        make: impl FnOnce() -> V,
    ) -> Arc<V> {
        if let Some(cell) = self.cells.get(&key) {
            return Arc::clone(cell);
        }
        if self.cells.len() >= max.max(self.sweep_at) {
            let is_held = |cell: &Arc<V>| Arc::strong_count(cell) > 1;
            self.cells.retain(|_, cell| is_held(cell) || !is_as_new(cell));
            if self.cells.len() >= max {
                // More than may be remembered owe something: what those owe who have gone is forgotten.
                self.cells.retain(|_, cell| is_held(cell));
            }
            self.sweep_at = self.cells.len() * 2;
        }
        Arc::clone(self.cells.entry(key).or_insert(Arc::new(make())))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_place_those_go_that_owe_nothing() {
        let mut cells = Remembered::<u32, bool>::default();
        let mut visit = |key, owes| {
            cells.cell(key, 2, |owes| !*owes, || owes);
            let mut keys: Vec<_> = cells.cells.keys().copied().collect();
            keys.sort_unstable();
            keys
        };
        assert_eq!([visit(1, true), visit(2, false)], [vec![1], vec![1, 2]]);
        assert_eq!(visit(3, false), [1, 3]);
        assert_eq!(visit(1, false), [1, 3], "as it was");
        assert_eq!(visit(4, true), [1, 4]);
        assert_eq!(visit(5, false), [5], "too many owe something");
    }
}
