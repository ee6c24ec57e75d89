//! What a namespace keeps for sockets whose connection was lost.

use core::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use super::handlers::AnyData;
use crate::socketio::{Recovery, RecoveryConfig};

/// A [`Recovery`] that several threads share.
///
/// Its lock is taken before all others of a namespace, and kept while an event goes to its sockets: they get all events in
/// the order of their offsets. No code of the application's runs under it; data that is forgotten is dropped when it is free.
pub(super) struct Memory {
    recovery: Mutex<Recovery<Kept>>,
    forgotten: Forgotten,
}

type Forgotten = Arc<Mutex<Vec<AnyData>>>;

/// The data of a socket that is away.
pub(super) struct Kept {
    data: Option<AnyData>,
    forgotten: Forgotten,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    /// The data, for a socket that is back.
    pub(super) fn take(mut self) -> Option<AnyData> {
        self.data.take()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(data) = self.data.take() {
            lock(&self.forgotten).push(data);
        }
    }
}

impl Memory {
    pub(super) fn new(config: RecoveryConfig, tag: &str) -> Self {
        Self {
            recovery: Mutex::new(Recovery::new(config).tagged(tag)),
            forgotten: Forgotten::default(),
        }
    }

    pub(super) fn lock(&self) -> Remembering<'_> {
        Remembering {
            recovery: Some(lock(&self.recovery)),
            memory: self,
        }
    }

    /// For callers that hold other locks: data that is forgotten stays until somebody else comes.
    pub(super) fn lock_quietly(&self) -> MutexGuard<'_, Recovery<Kept>> {
        lock(&self.recovery)
    }

    /// Data as it is kept here.
    pub(super) fn keep(&self, data: AnyData) -> Kept {
        Kept {
            data: Some(data),
            forgotten: self.forgotten.clone(),
        }
    }

    /// Forgets everything: data may hold what holds this.
    pub(super) fn clear(&self) {
        *self.lock() = Recovery::new(RecoveryConfig::default());
    }
}

/// The lock of a [`Memory`].
pub(super) struct Remembering<'a> {
    recovery: Option<MutexGuard<'a, Recovery<Kept>>>,
    memory: &'a Memory,
}

impl Remembering<'_> {
    pub(super) fn memory(&self) -> &Memory {
        self.memory
    }
}

impl Deref for Remembering<'_> {
    type Target = Recovery<Kept>;

    fn deref(&self) -> &Recovery<Kept> {
        self.recovery.as_deref().expect("it is held until this is dropped")
    }
}

impl DerefMut for Remembering<'_> {
    fn deref_mut(&mut self) -> &mut Recovery<Kept> {
        self.recovery.as_deref_mut().expect("it is held until this is dropped")
    }
}

impl Drop for Remembering<'_> {
    fn drop(&mut self) {
        self.recovery = None;
        let forgotten = core::mem::take(&mut *lock(&self.memory.forgotten));
        drop(forgotten);
    }
}
