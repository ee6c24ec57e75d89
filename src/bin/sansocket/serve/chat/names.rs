//! Who has which name: no two people at a time have the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The names that are taken.
#[derive(Default)]
pub struct Names {
    /// By the name in lower case: who differs only in that, does not differ enough.
    holders: Mutex<BTreeMap<String, Holder>>,
}

struct Holder {
    /// The socket's id.
    id: String,
    /// What only the holder's own browser knows; empty where it has said none.
    key: String,
}

/// A name that is somebody's until this is dropped: also where the client was gone before it was let in.
pub struct Name {
    text: String,
    id: String,
    names: Arc<Names>,
}

impl Names {
    /// Takes a name for the socket of this id. `None` where somebody else has it.
    ///
    /// Whoever brings the key with which it was taken gets it from the former socket, whose id is given too.
    pub fn claim(self: &Arc<Self>, text: &str, key: &str, id: &str) -> Option<(Name, Option<String>)> {
        let mut holders = self.holders();
        let folded = text.to_lowercase();
        if let Some(holder) = holders.get(&folded) {
            if key.is_empty() || holder.key != key {
                return None;
            }
        }
        let holder = Holder {
            id: id.into(),
            key: key.into(),
        };
        let former = holders.insert(folded, holder).map(|former| former.id);
        drop(holders);
        let name = Name {
            text: text.into(),
            id: id.into(),
            names: self.clone(),
        };
        Some((name, former))
    }

    fn holders(&self) -> MutexGuard<'_, BTreeMap<String, Holder>> {
        // Nothing that can panic runs under this lock.
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Name {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether this is whose it is still, and not another socket's of the same browser.
    pub fn is_held(&self) -> bool {
        let holders = self.names.holders();
        holders
            .get(&self.text.to_lowercase())
            .is_some_and(|holder| holder.id == self.id)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let mut holders = self.names.holders();
        let folded = self.text.to_lowercase();
        // Its holder may have come back meanwhile, as another socket.
        if holders.get(&folded).is_some_and(|holder| holder.id == self.id) {
            holders.remove(&folded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_persons() {
        let names = Arc::new(Names::default());
        let (ann, former) = names.claim("Ann", "", "1").expect("it is free");
        assert!(former.is_none());
        assert!(names.claim("ANN", "", "2").is_none());
        assert!(names.claim("Ann", "k", "2").is_none());
        drop(ann);
        assert!(names.claim("ANN", "", "2").is_some());
    }

    #[test]
    fn whoever_has_the_key_comes_back() {
        let names = Arc::new(Names::default());
        let (lost, _) = names.claim("Ann", "k", "1").expect("it is free");
        assert!(names.claim("Ann", "other", "2").is_none());
        let (back, former) = names.claim("ann", "k", "2").expect("she has the key");
        assert_eq!(former.as_deref(), Some("1"));
        assert!(back.is_held() && !lost.is_held());
        drop(lost);
        assert!(names.claim("Ann", "", "3").is_none(), "she is here still");
        drop(back);
        assert!(names.holders().is_empty());
    }
}
