//! How many there may be at a time: in all, and from one address.

use core::net::IpAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::boxed::Box;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places for sessions or connections.
#[derive(Debug, Default)]
pub(super) struct Seats {
    max: Option<usize>,
    max_per_address: Option<usize>,
    taken: AtomicUsize,
    by_address: Mutex<HashMap<Origin, usize>>,
}

/// One place, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    /// Boxed, since most servers count no addresses and have many seats.
    origin: Option<Box<Origin>>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// There are none left.
    All,
    /// This address has as many as one may have.
    Address,
}

impl Full {
    /// The HTTP status that says so.
    pub(super) const fn status(self) -> u16 {
        match self {
            Self::All => 503,
            Self::Address => 429,
        }
    }
}

/// What counts as one address: of IPv6, the network of 64 bits, all of which whoever has one address in it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    V4(u32),
    V6(u64),
}

impl Origin {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

impl Seats {
    pub(super) fn new(max: Option<usize>, max_per_address: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            ..Self::default()
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, usize>> {
        // Nothing that can panic runs under this lock.
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, in the name of an address where one is known and to be counted.
    pub(super) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Seat, Full> {
        let max = self.max.unwrap_or(usize::MAX);
        let one_more = |taken: usize| (taken < max).then(|| taken + 1);
        if self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_err()
        {
            return Err(Full::All);
        }
        let mut seat = Seat {
            seats: self.clone(),
            origin: None,
        };
        if let Some((max, address)) = self.max_per_address.zip(address) {
            let origin = Origin::of(address);
            let mut by_address = self.lock();
            let count = by_address.entry(origin).or_insert(0);
            if *count >= max {
                // An address that may have none at all is not kept.
                if *count == 0 {
                    by_address.remove(&origin);
                }
                drop(by_address);
                return Err(Full::Address);
            }
            *count += 1;
            seat.origin = Some(Box::new(origin));
        }
        Ok(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.fetch_sub(1, Ordering::Relaxed);
        if let Some(origin) = self.origin.as_deref().copied() {
            let mut by_address = self.seats.lock();
            if let Some(count) = by_address.get_mut(&origin) {
                *count -= 1;
                if *count == 0 {
                    by_address.remove(&origin);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn places_come_back() {
        let seats = Seats::new(Some(3), Some(2));
        let first: Vec<Seat> = (0..2).map(|_| seats.take(address("192.0.2.1")).unwrap()).collect();
        assert_eq!(seats.take(address("192.0.2.1")).err(), Some(Full::Address));
        let other = seats.take(address("192.0.2.2")).unwrap();
        assert_eq!(seats.take(address("192.0.2.3")).err(), Some(Full::All));
        drop(first);
        let again = seats.take(address("192.0.2.1")).unwrap();
        drop((other, again));
        assert_eq!(seats.taken.load(Ordering::Relaxed), 0);
        assert!(seats.lock().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let seats = Seats::new(None, Some(1));
        let _taken = seats.take(address("2001:db8::1")).unwrap();
        assert_eq!(seats.take(address("2001:db8::ffff:2")).err(), Some(Full::Address));
        assert!(seats.take(address("2001:db8:0:1::1")).is_ok());
        let _taken = seats.take(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(seats.take(address("192.0.2.1")).err(), Some(Full::Address));
        assert!(seats.take(None).is_ok(), "who is not known is not counted");
    }

    #[test]
    fn without_a_limit_nobody_is_remembered() {
        let seats = Seats::new(None, None);
        let _taken: Vec<Seat> = (0..10).map(|_| seats.take(address("192.0.2.1")).unwrap()).collect();
        assert!(seats.lock().is_empty());
    }
}
