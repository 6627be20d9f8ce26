//! Which key comes next: lines are written by one program, so most have the keys of the last one in their order, and
//! to compare with a guess is quicker than to look for a key's end and its meaning.

use super::wanted::{Object, Want};
use std::ptr;

/// The client writes no more different ones; what is written with other habits is read all the same.
const KEYS_MAX: usize = 256;

/// The keys that were met, and which followed which.
pub(crate) struct Habit<F: 'static> {
    keys: Vec<Key<F>>,
    last: usize,
}

struct Key<F: 'static> {
    object: &'static Object<F>,
    /// All but its first quote, and the colon.
    written: Vec<u8>,
    want: Option<Want<F>>,
    /// Those that came after it, the latest first.
    next: [usize; 2],
}

impl<F> Default for Habit<F> {
    fn default() -> Self {
        Self { keys: Vec::new(), last: 0 }
    }
}

impl<F: Copy> Habit<F> {
    /// What the key leads to that `rest` begins with, and how many bytes it takes, where it came next before.
    pub(super) fn guess(&mut self, object: &Object<F>, rest: &[u8]) -> Option<(Option<Want<F>>, usize)> {
        for next in self.keys.get(self.last)?.next {
            let key = self.keys.get(next)?;
            if ptr::eq(key.object, object) && rest.starts_with(&key.written) {
                self.last = next;
                return Some((key.want, key.written.len()));
            }
        }
        None
    }

    /// Remembers that this key came next.
    pub(super) fn learn(&mut self, object: &'static Object<F>, name: &[u8], want: Option<Want<F>>) {
        let written = [name, b"\":"].concat();
        let met = self.keys.iter().position(|key| ptr::eq(key.object, object) && key.written == written);
        let at = met.unwrap_or(self.keys.len());
        if at >= KEYS_MAX {
            return;
        }
        if met.is_none() {
            self.keys.push(Key { object, written, want, next: [usize::MAX; 2] });
        }
        if let Some(last) = self.keys.get_mut(self.last) {
            last.next = [at, last.next[0]];
        }
        self.last = at;
    }
}
